"""Install the locked Python packages into .venv, with uv, and put it before PATH.

uv is taken from PATH; where there is none it is installed into this Python, at the version and hashes of its lock file.
A second run changes nothing.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from pipelines import agent

UV = Path("requirements-uv.txt")
"""The lock file of uv itself."""


def uv() -> list[str]:
    """The command that runs uv."""
    if found := shutil.which("uv"):
        return [found]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    if agent.call([*pip, "-r", str(UV)]):
        raise agent.Stop("uv could not be installed: see the log above")
    return [sys.executable, "-m", "uv"]


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    parser.add_argument("--requirements", type=Path, default=Path("requirements.txt"), help="lock file to install")
    options = parser.parse_args()
    for lock in (options.requirements, UV):
        if not lock.is_file():
            raise agent.Stop(f"{lock} is missing: run this in the checkout's top folder", agent.USAGE)
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
