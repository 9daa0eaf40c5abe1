"""Install the locked Python packages into .venv, with uv, and put it before PATH.

Where this code is of another checkout than the current folder (pipelines/__main__.py), each has a .venv with the
packages of its own lock: the program runs with those of the current folder, steps, audit and policies with those of
this code. Where both locks are the same, the packages are installed once, for this code, and the other .venv finds them
there: thousands of files less to make, and to remove, in each job. Nothing of the current folder is run or read for
that but its lock: no module of the name pip or uv, no settings of uv, no build of a package. uv is taken from PATH;
where there is none it is installed into this Python, at the version and hashes of its lock file. A second run changes
nothing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from pipelines import agent

UV = agent.TOP / "requirements-uv.txt"
"""The lock file of uv itself."""


LOCKED = ("--require-hashes", "--no-build")
"""Nothing but wheels whose sums the lock has: a build would run code of the package."""

SHARED = "same-lock.pth"
"""The file by which Python finds packages in another environment (https://docs.python.org/3/library/site.html)."""


def uv() -> list[str]:
    """The command that runs uv, as if here: it reads the settings of its user, and of no other checkout."""
    here = ["--directory", str(agent.TOP)]
    if found := shutil.which("uv"):
        return [found, *here]
    pip = [sys.executable, "-P", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    if agent.call([*pip, "-r", str(UV)]):
        raise agent.Stop("uv could not be installed: see the log above")
    return [sys.executable, "-P", "-m", "uv", *here]


def make(tool: list[str], checkout: Path) -> Path:
    """A checkout's .venv, made if it is missing. Raises Stop where that fails."""
    environment = checkout / ".venv"
    listed = ["git", "-C", str(checkout), "ls-files", "--", environment.name]
    if subprocess.run(listed, capture_output=True, check=False).stdout:  # nothing in a folder that is no checkout
        raise agent.Stop(
            f"{environment} is committed: its programs would be run, and its links followed; take it out of the commit",
            agent.REFUSED,
        )
    if environment.is_symlink():
        raise agent.Stop(f"{environment} is a link, which could lead into another checkout: remove it", agent.REFUSED)
    if not _python(environment).exists() and agent.call(
        [*tool, "venv", "--quiet", "--python", sys.executable, str(environment)]
    ):
        raise agent.Stop(f"{environment} could not be made: see the log above")
    return environment


def install(tool: list[str], checkout: Path, lock: Path) -> Path:
    """Install a lock's packages into a checkout's .venv. Raises Stop where that fails."""
    environment = make(tool, checkout)
    given = ["--python", str(_python(environment)), "-r", str(lock.resolve())]
    if agent.call([*tool, "pip", "install", *LOCKED, *given]):
        raise agent.Stop(f"the packages of {lock} could not be installed: see the log above")
    return environment


def share(tool: list[str], checkout: Path, lock: Path, other: Path, others_lock: Path) -> None:
    """Give a checkout's .venv the packages of its lock: those of the other environment, if that has the same lock.

    One that has packages of its own keeps them, brought up to date. Raises Stop where something fails.
    """
    own = _packages(make(tool, checkout))
    empty = own.is_dir() and not any(own.glob("*.dist-info"))
    if empty and lock.read_bytes() == others_lock.read_bytes():
        (own / SHARED).write_text(f"{_packages(other)}\n", encoding="utf-8")
        return
    (own / SHARED).unlink(missing_ok=True)
    install(tool, checkout, lock)


def _python(environment: Path) -> Path:
    return environment / "bin" / "python"


def _packages(environment: Path) -> Path:
    """The folder of packages of an environment that this Python made."""
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(environment)}))


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    parser.add_argument("--requirements", type=Path, default=Path("requirements.txt"), help="lock file to install")
    options = parser.parse_args()
    for lock in (options.requirements, UV):
        if not lock.is_file():
            raise agent.Stop(f"{lock} is missing: run this in the checkout's top folder", agent.USAGE)
    tool, checkout = uv(), Path.cwd().resolve()
    # Of the checkout of this code: `--requirements` is of the current folder, and says more where that is the same.
    lock = options.requirements if checkout == agent.TOP else agent.TOP / "requirements.txt"
    environment = install(tool, agent.TOP, lock)
    if checkout != agent.TOP:
        share(tool, checkout, options.requirements, environment, lock)
    agent.set_variable("VIRTUAL_ENV", str(environment))
    agent.prepend_path(environment / "bin")


if __name__ == "__main__":
    agent.run(main)
