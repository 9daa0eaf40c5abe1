"""The commands of a bare machine: tests find these on PATH and no others, so none leans on what a person installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

START = {"python3", "git", "make", "ca-certificates"}
"""What README asks for; a bare Debian has besides what is essential or required."""
ALLOWED = {
    "chromium-headless-shell": "tests/prepare.sh installs it where it is missing",
    "chromium": "where the shell cannot be had, it is the tests' browser",
    "pulumi": "an engine of the user's own is used",
    "iptables": "a firewall of the machine's own is dealt with",
    "iptables-save": "a firewall of the machine's own is looked at",
}
"""What may be there or not: whoever looks for one of these does without it, or brings it."""
_FOLDERS = [Path(folder) for folder in ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")]
# package, whether it is essential, its priority, what it depends on
_ASKED = "${Package}\t${Essential}\t${Priority}\t${Pre-Depends},${Depends}\n"


def packages(described: str) -> set[str]:
    """Those of dpkg's packages (lines of _ASKED) that a bare machine has, with all that they depend on."""
    rows = [line.split("\t") for line in described.splitlines()]
    needs = {name: re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)", depends) for name, _, _, depends in rows}
    found: set[str] = set()
    wanted = {name for name, essential, priority, _ in rows if essential == "yes" or priority == "required"} | START
    while wanted:
        found |= wanted
        wanted = {need for name in wanted for need in needs.get(name, []) if need in needs} - found
    return found


def commands() -> dict[str, Path]:
    """The commands of this machine that a bare one has too, by name."""
    listed = ["dpkg-query", "--show", "--showformat", _ASKED]
    described = subprocess.run(listed, capture_output=True, text=True, check=True).stdout
    asked = ["dpkg-query", "--listfiles", *sorted(packages(described) & set(re.findall(r"(?m)^[^\t]+", described)))]
    files = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    theirs = {str(Path(file).resolve()) for file in files if "bin/" in file}
    # README's three come from wherever the person has them.
    looked_for = {name: shutil.which(name) for name in (*ALLOWED, "python3", "git", "make")}
    found = {name: Path(path) for name, path in looked_for.items() if path}
    for folder in reversed(_FOLDERS):  # of two of a name the first on PATH stays
        for path in folder.iterdir() if folder.is_dir() else ():
            # By what it leads to: awk and which are links that no package lists.
            if path.name not in looked_for and str(path.resolve()) in theirs and os.access(path, os.X_OK):
                found[path.name] = path
    return found


def path(folder: Path) -> str | None:
    """A PATH of one folder, made here, that holds those commands. None where the system is not Debian's kind."""
    if shutil.which("dpkg-query") is None:
        return None
    folder.mkdir(exist_ok=True)
    for name, target in commands().items():
        (folder / name).symlink_to(target)
    return str(folder)
