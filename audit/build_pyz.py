"""Builds audit.pyz, one file that runs on any project: python -m audit.build_pyz [FILE]

It holds audit/, iam/ and the locked packages of requirements-audit.txt, as Python source only, so that one file runs on
every Python from 3.11 on. The same checkout gives the same bytes.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
OURS = ("audit", "iam")
ENTRY = "audit.command:program"
WHEELS = ("--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28", "--only-binary", ":all:")
"""The packages are taken as for one platform, whichever this one is: their sources are the same for all."""
SERVICES = ("ecr", "iam", "s3", "signin", "sso", "sso-oidc", "sts")
"""AWS services that the audit asks, and those by which it may have to sign in; the SDK describes 400 more."""
PREAMBLE = """import sys
if sys.version_info < (3, 11):
    sys.stderr.write("audit: Python 3.11 or newer is needed, this is %d.%d\\n" % sys.version_info[:2])
    sys.exit(2)
"""
"""Run before anything that an older Python cannot read."""
MACHINE_MADE = ("RECORD", "WHEEL", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")
"""Files of a package's metadata that tell of this machine, or of what is left out."""


def main() -> int:
    """Builds the file and prints its checksum, as `sha256sum` does."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "audit.pyz").resolve()
    with tempfile.TemporaryDirectory(prefix="audit-pyz-") as folder:
        tree = Path(folder, "site-packages")
        _install(tree)
        for name in OURS:
            ignored = shutil.ignore_patterns("__pycache__", "build_pyz.py")
            shutil.copytree(CHECKOUT / name, tree / name, ignore=ignored)
        _trim(tree)
        _pack(tree, target)
    print(f"{hashlib.sha256(target.read_bytes()).hexdigest()}  {target.name}")
    return 0


def _install(tree: Path) -> None:
    command = [_tool("uv"), "pip", "install", "--quiet", "--no-deps", "--require-hashes", *WHEELS]
    subprocess.run(
        [*command, "--target", str(tree), "--requirements", str(CHECKOUT / "requirements-audit.txt")], check=True
    )


def _trim(tree: Path) -> None:
    """Leaves out what is compiled, what tells of this machine, and what is never asked for."""
    for path in sorted(tree.rglob("*"), reverse=True):
        data = path.parent.name == "data" and path.parent.parent.name in ("botocore", "boto3")
        if path.is_dir():
            if path.name in ("__pycache__", "bin") or (data and path.name not in SERVICES):
                shutil.rmtree(path)
            else:
                path.chmod(0o755)
        elif path.suffix in (".so", ".pyc") or path.name in MACHINE_MADE or path.name == ".lock":
            path.unlink()
        else:
            path.chmod(0o644)


def _pack(tree: Path, target: Path) -> None:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "315532800"}
    command = [sys.executable, "-W", "ignore", "-m", "shiv", "--site-packages", str(tree), "--compressed"]
    preamble = tree.with_name("preamble.py")
    preamble.write_text(PREAMBLE, encoding="utf-8")
    preamble.chmod(0o755)
    command += ["--reproducible", "--preamble", str(preamble), "--entry-point", ENTRY, "--output-file", str(target)]
    subprocess.run(command, env=environment, check=True)


def _tool(name: str) -> str:
    """A program of this virtual environment."""
    return str(Path(sys.executable).parent / name)


if __name__ == "__main__":
    raise SystemExit(main())
