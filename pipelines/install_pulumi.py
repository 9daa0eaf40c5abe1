"""Install the pinned Pulumi CLI, checked, and put it before PATH.

A CLI of exactly the pinned version that is on PATH already is used as it is, its checksum unseen: the agent's image is
trusted, as it is for Python and Docker. Else the official release is downloaded and its SHA-256 compared with its line
in pipelines/pulumi.sha256; an archive without a line is refused, since a list beside an archive could change with it.
`--pin` writes what is published for the version into that file, once, to be reviewed and committed. A second run
changes nothing.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from pathlib import Path

from pipelines import agent, archives

RELEASE = "https://github.com/pulumi/pulumi/releases/download/v{version}/{file}"
PINS = Path(__file__).with_name("pulumi.sha256")
VARIABLES = Path(__file__).parent / "templates" / "variables.yml"
"""Where the version stands, for the pipeline and for whoever else installs it."""


def pinned_version() -> str:
    """The version that the pipeline names."""
    found = re.search(r"name: pulumiVersion\n +value: *'?([0-9.]+)", VARIABLES.read_text(encoding="utf-8"))
    if found is None:
        raise agent.Stop(f"{VARIABLES} names no pulumiVersion: restore it", agent.USAGE)
    return found[1]


def archive(version: str) -> str:
    """The name of the release's file for this machine. Raises Stop for a machine that has none."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine().lower())
    system = platform.system().lower()
    if machine is None or system not in ("linux", "darwin"):
        raise agent.Stop(f"no Pulumi release for {system} on {platform.machine()}: put the CLI on PATH", agent.USAGE)
    return f"pulumi-v{version}-{system}-{machine}.tar.gz"


def on_path(version: str) -> Path | None:
    """The CLI on PATH if it is of this version."""
    found = shutil.which("pulumi")
    if found is None:
        return None
    done = subprocess.run([found, "version"], capture_output=True, text=True, check=False)
    return Path(found) if done.stdout.strip().removeprefix("v") == version else None


def published(version: str) -> str:
    """The list of SHA-256 sums beside a release, `SUM  FILE` a line."""
    return archives.download(RELEASE.format(version=version, file=f"pulumi-{version}-checksums.txt")).decode()


def install(version: str, folder: Path, seconds: float = archives.SECONDS) -> Path:
    """Download, check and unpack; give the folder with the CLI."""
    file = archive(version)
    expected = archives.pinned(PINS, file, "pipelines.install_pulumi")
    content = archives.download(RELEASE.format(version=version, file=file), seconds)
    archives.check(content, file, expected)
    return archives.unpack(content, folder, "pulumi", inner="pulumi")


def pin(version: str) -> None:
    """Write the published sums of a version where `install` looks first."""
    archives.write_pins(PINS, [line for line in published(version).splitlines() if f"pulumi-v{version}-" in line])


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    parser.add_argument("--version", help="the version to install (default: pulumiVersion of templates/variables.yml)")
    parser.add_argument("--into", type=Path, default=Path("~/.pulumi-cli").expanduser(), help="folder of versions")
    parser.add_argument("--pin", action="store_true", help="write the published checksums and install nothing")
    parser.add_argument(
        "--seconds", type=float, default=archives.SECONDS, help="how long a silent connection is waited for"
    )
    options = parser.parse_args()
    version = options.version or pinned_version()
    if options.pin:
        pin(version)
        return
    if found := on_path(version):
        print(f"pulumi {version} is on PATH: {found}")
        return
    folder = options.into / version
    if not archives.whole(folder, "pulumi"):
        install(version, folder, options.seconds)
    print(f"pulumi {version} is in {folder}")
    agent.prepend_path(folder)


if __name__ == "__main__":
    agent.run(main)
