"""Git's own protocol over HTTP, at `ORGANIZATION/PROJECT/_git/REPOSITORY`: git's program for it speaks, we let in.

https://git-scm.com/docs/git-http-backend. A clone needs the scope to read code, a push the one to write it. A hook
refuses each ref that the caller may not push, as the service does.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.azure_devops.git_storage import environment
from sandbox.azure_devops.protection import REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterable

READ, WRITE = "vso.code", "vso.code_write"
_SERVICES = {"git-upload-pack": READ, "git-receive-pack": WRITE}
# Not Content-Encoding: the body is unpacked when it comes here.
_HOOKS = Path(__file__).parent / "hooks"
_PASSED_ON = {
    "Content-Type": "CONTENT_TYPE",
    "Git-Protocol": "GIT_PROTOCOL",
}


def scope(request: web.Request, tail: str) -> str | None:
    """The scope that a request needs, None where it is none of git's."""
    if request.method == "GET" and tail == "info/refs":
        return _SERVICES.get(request.query.get("service", ""))
    return _SERVICES.get(tail) if request.method == "POST" else None


def pushed_refs(tail: str, body: bytes) -> list[str]:
    """The refs that a request pushes, of its first packets: `OLD NEW REF`, https://git-scm.com/docs/pack-protocol."""
    refs: list[str] = []
    place = 0
    while tail == "git-receive-pack" and (size := _size(body[place : place + 4])):
        words = body[place + 4 : place + size].partition(b"\0")[0].decode(errors="replace").split()
        refs += words[2:3]
        place += size
    return refs


def _size(packet: bytes) -> int:
    try:
        return int(packet, 16)
    except ValueError:  # no packet: git will say so
        return 0


async def answer(
    request: web.Request, folder: Path, tail: str, body: bytes, caller: str, permitted: Iterable[str]
) -> web.Response:
    """What git's program says to a request on a bare repository. permitted: the refs that the caller may push."""
    given = {
        **environment(),
        "GIT_PROJECT_ROOT": str(folder),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{tail}",
        "QUERY_STRING": request.query_string,
        "REQUEST_METHOD": request.method,
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_USER": caller,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.hooksPath",
        "GIT_CONFIG_VALUE_0": str(_HOOKS),
        "PERMITTED_REFS": " ".join(permitted),
        "REFUSAL": REFUSED,
        **{name: request.headers[header] for header, name in _PASSED_ON.items() if header in request.headers},
    }
    process = await asyncio.create_subprocess_exec(
        "git",
        "http-backend",
        env=given,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, errors = await process.communicate(body)
    if process.returncode:
        return web.Response(status=500, text=errors.decode(errors="replace"))
    head, _, content = said.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    status = int(headers.pop("Status", "200").split(" ", 1)[0])
    return web.Response(status=status, body=content, headers=headers)
