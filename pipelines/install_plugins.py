"""Install the provider plugins of requirements.txt, checked, where the engine looks for them.

The engine fetches a plugin by itself where it finds none, from wherever a program or a *state* says, and checks
nothing: so every run with rights forbids it (PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION), and what it needs comes from
here. A plugin that is there already in its exact version is used as it is: the agent's image is trusted, as it is for
the CLI. Else its archive is taken from `--archives` (a cache) or the official release, and its SHA-256 compared with
its line in pipelines/plugins.sha256. `--pin` downloads the archives of all machines and writes their sums into that
file, once, to be reviewed and committed. A second run changes nothing; one that was killed is done again from there on.
"""

from __future__ import annotations

import os
import platform
import re
import tempfile
from pathlib import Path

from pipelines import agent, archives

RELEASE = "https://github.com/pulumi/pulumi-{name}/releases/download/v{version}/{file}"
PINS = Path(__file__).with_name("plugins.sha256")
PLUGINS = ("aws", "azuredevops", "docker")
"""The providers of the program; each has its SDK's version."""
LOCK = Path(__file__).parent.parent / "requirements.txt"
MACHINES = ("darwin-amd64", "darwin-arm64", "linux-amd64", "linux-arm64")
"""What `--pin` writes sums for."""


def versions() -> dict[str, str]:
    """The version of each plugin: that of its locked SDK. Raises Stop where one is not locked."""
    text = LOCK.read_text(encoding="utf-8")
    found = {name: re.search(rf"^pulumi-{name}==([0-9.]+)", text, re.MULTILINE) for name in PLUGINS}
    if missing := [name for name, match in found.items() if match is None]:
        raise agent.Stop(f"requirements.txt locks no pulumi-{missing[0]}: restore it", agent.USAGE)
    return {name: match[1] for name, match in found.items() if match}


def machine() -> str:
    """This machine as the releases call it. Raises Stop for one that has none."""
    processor = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(
        platform.machine().lower(), platform.machine()
    )
    found = f"{platform.system().lower()}-{processor}"
    if found not in MACHINES:
        raise agent.Stop(f"there are no plugins for {found}: put them into the folder of --into", agent.USAGE)
    return found


def archive(name: str, version: str, of: str) -> str:
    """The name of a release's file. of: a machine of MACHINES."""
    return f"pulumi-resource-{name}-v{version}-{of}.tar.gz"


def executable(name: str) -> str:
    """What the engine starts of a plugin."""
    return f"pulumi-resource-{name}"


def install(name: str, version: str, folder: Path, kept: Path | None) -> None:
    """Fetch, check and unpack one plugin. kept: a folder of archives, whose content is checked like any other."""
    file = archive(name, version, machine())
    expected = archives.pinned(PINS, file, "pipelines.install_plugins")
    saved = kept / file if kept else None
    # Read once: what is compared with the sum is what is unpacked, whoever writes there meanwhile.
    content = saved.read_bytes() if saved is not None and saved.is_file() else b""
    fetched = archives.sum_of(content) != expected
    if fetched:
        content = archives.download(RELEASE.format(name=name, version=version, file=file))
    archives.check(content, file, expected)
    archives.unpack(content, folder, executable(name))
    if saved is not None and fetched:
        saved.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=saved.parent, prefix=f".{file}.", delete=False) as new:
            new.write(content)
        Path(new.name).replace(saved)


def pin() -> None:
    """Write the sums of every archive where `install` looks first."""
    rows = []
    for name, version in versions().items():
        for of in MACHINES:
            file = archive(name, version, of)
            content = archives.download(RELEASE.format(name=name, version=version, file=file))
            rows.append(f"{archives.sum_of(content)}  {file}")
            print(rows[-1], flush=True)
    archives.write_pins(PINS, rows)


def link(home: Path, into: Path) -> None:
    """Have the engine of a PULUMI_HOME look into the folder of plugins. Raises Stop where something is in the way."""
    place = home / "plugins"
    if place.resolve() == into.resolve():
        return
    if place.is_symlink():
        place.unlink()
    elif place.exists():
        raise agent.Stop(f"{place} is in the way: remove it, or name it with --into", agent.USAGE)
    home.mkdir(parents=True, exist_ok=True)
    place.symlink_to(into.resolve(), target_is_directory=True)


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    home = Path(os.environ.get("PULUMI_HOME") or "~/.pulumi").expanduser()
    parser.add_argument("--into", type=Path, default=home / "plugins", help="folder of plugins")
    parser.add_argument("--archives", type=Path, help="folder that keeps the archives, such as a cache of the pipeline")
    parser.add_argument("--pin", action="store_true", help="write the checksums of all archives and install nothing")
    options = parser.parse_args()
    if options.pin:
        pin()
        return
    for name, version in versions().items():
        folder = options.into / f"resource-{name}-v{version}"
        if not archives.whole(folder, executable(name)):
            install(name, version, folder, options.archives)
        print(f"the plugin {name} {version} is in {folder}")
    link(home, options.into)


if __name__ == "__main__":
    agent.run(main)
