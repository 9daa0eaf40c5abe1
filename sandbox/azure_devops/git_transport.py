"""Git's own protocol over HTTP, at `ORGANIZATION/PROJECT/_git/REPOSITORY`: git's program for it speaks, we let in.

https://git-scm.com/docs/git-http-backend. A clone needs the scope to read code, a push the one to write it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.azure_devops.git_storage import environment

if TYPE_CHECKING:
    from pathlib import Path

READ, WRITE = "vso.code", "vso.code_write"
_SERVICES = {"git-upload-pack": READ, "git-receive-pack": WRITE}
# Not Content-Encoding: the body is unpacked when it comes here.
_PASSED_ON = {
    "Content-Type": "CONTENT_TYPE",
    "Git-Protocol": "GIT_PROTOCOL",
}


def scope(request: web.Request, tail: str) -> str | None:
    """The scope that a request needs, None where it is none of git's."""
    if request.method == "GET" and tail == "info/refs":
        return _SERVICES.get(request.query.get("service", ""))
    return _SERVICES.get(tail) if request.method == "POST" else None


async def answer(request: web.Request, folder: Path, tail: str, body: bytes, caller: str) -> web.Response:
    """What git's program says to a request on a bare repository."""
    given = {
        **environment(),
        "GIT_PROJECT_ROOT": str(folder),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{tail}",
        "QUERY_STRING": request.query_string,
        "REQUEST_METHOD": request.method,
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_USER": caller,
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
