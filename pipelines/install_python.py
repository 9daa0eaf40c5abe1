"""Install the locked Python packages into .venv, with uv, and put it before PATH.

uv is taken from PATH; where there is none it is installed into this Python, at the version and hash of the lock file.
A second run changes nothing.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

from pipelines import agent

LOCK = Path("requirements-dev.txt")
"""The lock file that pins uv."""


def pinned(lock: str, package: str) -> str:
    """The lines of a lock file that pin one package and its hashes. Raises Stop where there are none."""
    match = re.search(rf"^{re.escape(package)}==\S+(?: \\\n\s+--hash=\S+)+", lock, re.MULTILINE)
    if match is None:
        raise agent.Stop(f"{LOCK} pins no {package}: lock it with its hashes", agent.USAGE)
    return match[0] + "\n"


def uv() -> list[str]:
    """The command that runs uv."""
    if found := shutil.which("uv"):
        return [found]
    with tempfile.TemporaryDirectory() as folder:
        only = Path(folder, "uv.txt")
        only.write_text(pinned(LOCK.read_text(encoding="utf-8"), "uv"), encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        if agent.call([*pip, "-r", str(only)]):
            raise agent.Stop("uv could not be installed: see the log above")
    return [sys.executable, "-m", "uv"]


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    parser.add_argument("--requirements", type=Path, default=Path("requirements.txt"), help="lock file to install")
    options = parser.parse_args()
    if not options.requirements.is_file():
        raise agent.Stop(f"{options.requirements} is missing: run this in the checkout's top folder", agent.USAGE)
    environment = Path(".venv").resolve()
    tool = uv()
    if not (environment / "bin" / "python").exists() and agent.call(
        [*tool, "venv", "--quiet", "--python", sys.executable, str(environment)]
    ):
        raise agent.Stop(f"{environment} could not be made: see the log above")
    install = [*tool, "pip", "install", "--require-hashes", "--python", str(environment / "bin" / "python")]
    if agent.call([*install, "-r", str(options.requirements)]):
        raise agent.Stop(f"the packages of {options.requirements} could not be installed: see the log above")
    agent.set_variable("VIRTUAL_ENV", str(environment))
    agent.prepend_path(environment / "bin")


if __name__ == "__main__":
    agent.run(main)
