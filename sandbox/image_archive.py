"""A container image as a file that `docker load` takes: the same content gives the same bytes and the same image id."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

# Debian and Ubuntu keep these in /usr (https://wiki.debian.org/UsrMerge); packages of older releases name them so.
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_CREATED = "1970-01-01T00:00:00Z"


class Layer:
    """The files of a layer in memory, by path without a leading slash; a later file replaces an earlier one."""

    def __init__(self) -> None:
        self._members: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
        for name in ("bin", "sbin", "lib", "lib64"):
            self.link(name, f"usr/{name}")
            self.folder(f"usr/{name}")

    def folder(self, path: str, *, mode: int = 0o755, owner: int = 0) -> None:
        """Add a folder. owner: user and group id."""
        self._add(path, tarfile.DIRTYPE, mode=mode, owner=owner)

    def file(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        """Add a file of root's."""
        self._add(path, tarfile.REGTYPE, content, mode=mode)

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self._add(path, tarfile.SYMTYPE, mode=0o777, target=target)

    def debian(self, package: Path) -> None:
        """Add the files of a Debian package, with their owners and modes."""
        unpacked = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], capture_output=True, check=True)
        with tarfile.open(fileobj=io.BytesIO(unpacked.stdout)) as archive:
            for member in archive:
                self._copy(archive, member, member.name)

    def npm(self, package: Path, place: Callable[[str], str | None]) -> None:
        """Add the files of an npm package. place: where a file of it goes, None to leave it out."""
        with tarfile.open(package) as archive:
            for member in archive:
                _, _, inner = member.name.partition("/")  # npm packs everything under one folder
                path = place(inner)
                if path is not None and member.isfile():
                    self.file(path, _content(archive, member), mode=0o755 if member.mode & 0o100 else 0o644)

    def content(self, path: str) -> bytes:
        """A file's bytes. Raises KeyError where there is no such file."""
        return self._members[_merged(path)][1]

    def __contains__(self, path: str) -> bool:
        return _merged(path) in self._members

    def tar(self) -> bytes:
        """The layer as a tar archive: sorted, without times."""
        for path in list(self._members):
            for parent in PurePosixPath(path).parents:
                if str(parent) != "." and str(parent) not in self._members:
                    self.folder(str(parent))
        output = io.BytesIO()
        with tarfile.open(fileobj=output, mode="w") as archive:
            for path in sorted(self._members):
                info, content = self._members[path]
                archive.addfile(info, io.BytesIO(content))
        return output.getvalue()

    def _copy(self, archive: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> None:
        path = name.removeprefix("./").strip("/")
        if path in {"", "."} or path in _MERGED:
            return
        content = _content(archive, member) if member.isfile() else b""
        target = _merged(member.linkname.removeprefix("./")) if member.islnk() else member.linkname
        self._add(path, member.type, content, mode=member.mode, owner=member.uid, group=member.gid, target=target)

    def _add(
        self,
        path: str,
        kind: bytes,
        content: bytes = b"",
        *,
        mode: int,
        owner: int = 0,
        group: int | None = None,
        target: str = "",
    ) -> None:
        info = tarfile.TarInfo(_merged(path))
        info.type = kind
        info.mode = mode
        info.uid = owner
        info.gid = owner if group is None else group
        info.size = len(content)
        info.linkname = target
        self._members[info.name] = (info, content)


def write(output: IO[bytes], reference: str, layer: Layer, architecture: str, config: Mapping[str, object]) -> str:
    """Write an image of one layer in the format of `docker save`; return its id (`sha256:...`).

    reference: its name and tag. architecture: as Go names it, `amd64`. config: the `config` object of the OCI image
    specification (image-spec, config.md): Env, Entrypoint, Cmd, Labels, ...
    """
    data = layer.tar()
    image = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "created": _CREATED,
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(data).hexdigest()}"]},
            "history": [{"created": _CREATED, "created_by": "sandbox"}],
        },
        sort_keys=True,
    ).encode()
    digest = hashlib.sha256(image).hexdigest()
    manifest = json.dumps([{"Config": f"{digest}.json", "RepoTags": [reference], "Layers": ["layer.tar"]}]).encode()
    parts: Iterable[tuple[str, bytes]] = ((f"{digest}.json", image), ("layer.tar", data), ("manifest.json", manifest))
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, content in parts:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return f"sha256:{digest}"


def _merged(path: str) -> str:
    path = path.strip("/")
    first, slash, _ = path.partition("/")
    return f"usr/{path}" if slash and first in _MERGED else path


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""
