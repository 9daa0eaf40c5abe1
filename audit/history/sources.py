"""Where a stack is kept: a folder, an S3 bucket, or Pulumi Cloud. Each gives the same: updates, oldest first, each with
its description and the state after it; and the checkpoint as it is now.

Sources: pkg/backend/diy/store.go and state.go (`.pulumi/history/PROJECT/STACK/STACK-NANOSECONDS.{history,checkpoint}
.json` and `.pulumi/stacks/PROJECT/STACK.json`, optionally gzipped), sdk/go/common/apitype/history.go (UpdateInfo), and
the Pulumi Cloud REST API (https://www.pulumi.com/docs/reference/cloud-rest-api/stack-updates).
"""

import gzip
import hashlib
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from audit.errors import AuditError

MAX_BYTES = 1 << 30
"""Of one file; a checkpoint of 10,000 resources is about 30 MB."""

HISTORY = re.compile(r"(?P<base>(?P<stack>.+)-(?P<time>\d{10,20}))\.history\.json(?P<gz>\.gz)?")
WORKERS = 16
"""Requests under way at once to a remote backend."""


@dataclass(slots=True)
class Update:
    """One update. `id` is its name in the backend; `info` and `state` are decoded documents, their digests those of
    the bytes they were read from. `name` is how errors call its state."""

    id: str
    name: str
    info: dict[str, Any]
    info_digest: str
    state: dict[str, Any]
    state_digest: str
    version: int | None = None
    requested_by: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A history that can be read. `where` is how reports call the backend; it holds no credential."""

    where: str
    project: str
    stack: str
    updates: Callable[[], Iterator[Update]]


def open_source(address: str, stack: str | None) -> Source:
    """The history of a stack at an address: a folder, `file://`, `s3://` or `https://` (Pulumi Cloud).

    `stack` is NAME, PROJECT/NAME or, for Pulumi Cloud, ORGANIZATION/PROJECT/NAME; it can be left out where the backend
    holds one. Raises AuditError.
    """
    scheme = urlsplit(address).scheme
    if scheme in ("http", "https"):
        return _cloud(address, stack)
    if scheme == "s3":
        return _files(_Bucket(address), stack)
    if scheme == "file" or "://" not in address:
        return _files(_Folder(address), stack)
    raise _unknown(scheme)


def _unknown(scheme: str) -> AuditError:
    return AuditError(f"{scheme}:// is no backend that this tool reads; give a folder, file://, s3:// or https://")


# --- a backend of files


class _Folder:
    """The files of a backend in a folder."""

    def __init__(self, address: str, part: str = "history") -> None:
        text = address
        if address.startswith("file://"):
            text = unquote(address.removeprefix("file://").partition("?")[0])
        self.root = Path(text).expanduser()
        self.part = part
        self.where = f"file://{self.root}"
        if not self.root.is_dir():
            raise AuditError(f"{self.root}: is no folder; name the folder of the backend, which holds .pulumi")

    def names(self) -> list[str]:
        """Paths below `.pulumi/history` (or another part), with /."""
        top = self.root / ".pulumi" / self.part
        if not top.is_dir():
            raise AuditError(
                f"{self.root}: holds no .pulumi/{self.part}, so it is no backend, or nothing was updated yet"
            )
        return [
            Path(folder).joinpath(name).relative_to(top).as_posix()
            for folder, _, names in os.walk(top)
            for name in names
            if ".json" in name and not name.endswith(".attrs")
        ]

    def read(self, name: str) -> bytes:
        path = self.root / ".pulumi" / self.part / name
        try:
            if path.stat().st_size > MAX_BYTES:
                raise AuditError(f"{path}: is larger than {MAX_BYTES:,} bytes")
            return path.read_bytes()
        except OSError as error:
            raise AuditError(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from None

    def all(self, names: Sequence[str]) -> Iterator[bytes]:
        return map(self.read, names)


class _Bucket:
    """The files of a backend in an S3 bucket: `s3://bucket[/prefix][?region=..&endpoint=..&profile=..]`, as the engine
    takes it (https://gocloud.dev/howto/blob/#s3)."""

    def __init__(self, address: str, part: str = "history") -> None:
        from audit.clouds.aws import Aws

        parts = urlsplit(address)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if not parts.netloc:
            raise AuditError(f"{address.partition('?')[0]}: names no bucket; s3://BUCKET?region=REGION is needed")
        self.bucket = parts.netloc
        self.part = part
        self.prefix = "/".join(each for each in (parts.path.strip("/"), f".pulumi/{part}") if each) + "/"
        self.region = query.get("region")
        endpoint = query.get("endpoint")
        if endpoint and "://" not in endpoint:
            endpoint = f"{'http' if query.get('disableSSL') == 'true' else 'https'}://{endpoint}"
        self.aws = Aws(endpoint, profile=query.get("profile"))
        self.where = f"s3://{parts.netloc}{parts.path}".rstrip("/")

    def names(self, beginning: str = "") -> list[str]:
        """Keys below the part's prefix that begin so."""
        from audit.clouds import Gone, Refused

        prefix = self.prefix + beginning
        try:
            listed = self.aws.pages("s3", "ListObjectsV2", "Contents", self.region, Bucket=self.bucket, Prefix=prefix)
        except Refused as refusal:
            raise AuditError(f"{self.where}: {refusal}") from None
        except Gone:
            raise AuditError(f"{self.where}: there is no such bucket") from None
        names = [str(item["Key"]).removeprefix(self.prefix) for item in listed]
        return [name for name in names if ".json" in name and not name.endswith(".attrs")]

    def read(self, name: str) -> bytes:
        from audit.clouds import Gone, Refused

        try:
            answer = self.aws.call("s3", "GetObject", self.region, Bucket=self.bucket, Key=self.prefix + name)
        except Refused as refusal:
            raise AuditError(f"{self.where}: {refusal}") from None
        except Gone:
            raise AuditError(f"{self.where}/.pulumi/{self.part}/{name}: is not there") from None
        body: bytes = answer["Body"].read()
        return body

    def all(self, names: Sequence[str]) -> Iterator[bytes]:
        self.aws.client("s3", self.region)  # made once, before threads share it
        with ThreadPoolExecutor(WORKERS) as pool:
            yield from pool.map(self.read, names)


def checkpoint(address: str, project: str, stack: str) -> tuple[str, bytes]:
    """Where the checkpoint of a stack is, and its bytes; `stack` is NAME, PROJECT/NAME or ORGANIZATION/PROJECT/NAME.

    Raises AuditError where it cannot be read, and where the stack has two: the engine takes the newer one (plain,
    gzipped or with zstandard), which may be another than the one that is looked at.
    """
    parts = urlsplit(address)
    if parts.scheme in ("http", "https"):
        names = stack.split("/")
        base, token = _cloud_stack(address, "/".join([names[0], project, names[1]]) if len(names) == 2 else stack)
        where = f"{base}/export"
        return where, _cloud_get(_cloud_session(token), where, {})
    if "://" in address and parts.scheme not in ("s3", "file"):
        raise _unknown(parts.scheme)
    backend = _Bucket(address, "stacks") if parts.scheme == "s3" else _Folder(address, "stacks")
    name = f"{project}/{stack.rpartition('/')[2]}.json"
    there = set(backend.names(name) if isinstance(backend, _Bucket) else backend.names())
    found = [f"{name}{ending}" for ending in ("", ".gz", ".zst") if f"{name}{ending}" in there]
    if not found:
        raise AuditError(f"{backend.where}/.pulumi/stacks/{name}: is not there; is the stack's name right (--stack)?")
    if len(found) > 1:
        raise AuditError(
            f"{backend.where}/.pulumi/stacks: the stack has {' and '.join(found)}; keep the one that is right, and "
            "find out who wrote the other"
        )
    if found[0].endswith(".zst"):
        raise AuditError(
            f"{backend.where}/.pulumi/stacks/{found[0]}: is compressed with zstandard, which this tool does not read; "
            "`pulumi stack export | python -m audit state -` reads it"
        )
    return f"{backend.where}/.pulumi/stacks/{found[0]}", backend.read(found[0])


def _files(backend: "_Folder | _Bucket", stack: str | None) -> Source:
    found: dict[tuple[str, str], dict[str, re.Match[str]]] = {}
    names = backend.names()
    for name in names:
        folder, _, last = name.rpartition("/")
        match = HISTORY.fullmatch(last)
        if match:
            project, _, stack_name = folder.rpartition("/")
            found.setdefault((project, stack_name), {})[name] = match
    project, chosen = _choose(list(found), stack, backend.where)
    histories = sorted(found[project, chosen].items(), key=lambda item: int(item[1]["time"]))
    folder = "/".join(part for part in (project, chosen) if part)
    present = set(names)
    described = {match["base"] for _, match in histories}
    for name in names:
        base = re.fullmatch(re.escape(f"{folder}/") + r"(.+)\.checkpoint\.json(?:\.gz)?", name)
        if base and base[1] not in described:
            raise AuditError(
                f"{backend.where}/.pulumi/history/{folder}/{base[1]}.history.json: is missing, though its state is "
                "there; the history was tampered with or is incomplete: restore the file"
            )

    def updates() -> Iterator[Update]:
        pairs = []
        for name, match in histories:
            checkpoints = [f"{folder}/{match['base']}.checkpoint.json{gz}" for gz in (match["gz"] or "", ".gz", "")]
            checkpoint = next((item for item in checkpoints if item in present), None)
            if checkpoint is None:
                raise AuditError(
                    f"{backend.where}/.pulumi/history/{checkpoints[0]}: is missing, though {name} is there; "
                    "the history was tampered with or is incomplete: restore the file"
                )
            pairs.append((match["base"], name, checkpoint))
        contents = backend.all([part for _, *both in pairs for part in both])
        for base, name, checkpoint in pairs:
            info, state = next(contents), next(contents)
            where = f"{backend.where}/.pulumi/history/"
            yield Update(
                id=base,
                name=where + checkpoint,
                info=_decoded(info, where + name),
                info_digest=_digest(info),
                state=_decoded(state, where + checkpoint),
                state_digest=_digest(state),
            )

    return Source(backend.where, project, chosen, updates)


def _choose(stacks: list[tuple[str, str]], wanted: str | None, where: str) -> tuple[str, str]:
    """The one stack that is meant. Raises AuditError that lists what there is."""
    names = ", ".join(sorted("/".join(filter(None, stack)) for stack in stacks)) or "none"
    if wanted is None:
        if len(stacks) == 1:
            return stacks[0]
        raise AuditError(f"{where}: holds the history of {len(stacks)} stacks; choose one with --stack: {names}")
    parts = wanted.split("/")
    matching = [stack for stack in stacks if stack[1] == parts[-1] and (len(parts) == 1 or stack[0] == parts[-2])]
    if len(matching) != 1:
        raise AuditError(
            f"{where}: '{wanted[:100]}' is not the name of exactly one stack with a history; there are: {names}"
        )
    return matching[0]


def _decoded(data: bytes, name: str) -> dict[str, Any]:
    """The JSON object in a file of the backend. Raises AuditError that names the file."""
    try:
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        document = json.loads(data)
    except json.JSONDecodeError as error:
        raise AuditError(
            f"{name}: is corrupt: no JSON ({error.msg} in line {error.lineno}); restore it from a backup"
        ) from None
    except (OSError, EOFError, zlib.error, ValueError, RecursionError):
        raise AuditError(f"{name}: is corrupt; restore it from a backup") from None
    if not isinstance(document, dict):
        raise AuditError(f"{name}: is corrupt: no JSON object; restore it from a backup")
    return document


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


# --- Pulumi Cloud


def _cloud(address: str, stack: str | None) -> Source:
    base, token = _cloud_stack(address, stack)
    parts = urlsplit(address)
    names = (stack or "").split("/")
    return Source(
        where=f"{parts.scheme}://{parts.netloc}",
        project=names[1],
        stack=names[2],
        updates=lambda: _cloud_updates(base, token),
    )


def _cloud_stack(address: str, stack: str | None) -> tuple[str, str]:
    """The address of a stack in Pulumi Cloud's API, and the token for it. Raises AuditError."""
    parts = urlsplit(address)
    token = os.environ.get("PULUMI_ACCESS_TOKEN", "")
    if not token:
        raise AuditError("PULUMI_ACCESS_TOKEN is not set: Pulumi Cloud shows its history to a token only")
    if parts.username:
        raise AuditError("the address of Pulumi Cloud must not hold credentials; set PULUMI_ACCESS_TOKEN")
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise AuditError(f"{address}: must begin with https: the token would travel in clear")
    names = (stack or "").split("/")
    if len(names) != 3 or not all(names):
        raise AuditError("--stack must be ORGANIZATION/PROJECT/STACK for Pulumi Cloud")
    return f"{parts.scheme}://{parts.netloc}/api/stacks/{'/'.join(quote(name, safe='') for name in names)}", token


def _cloud_session(token: str) -> Any:
    import requests

    session = requests.Session()
    session.headers.update({"Authorization": f"token {token}", "Accept": "application/vnd.pulumi+8"})
    return session


def _cloud_updates(base: str, token: str) -> Iterator[Update]:
    session = _cloud_session(token)
    listed = _cloud_list(session, base)
    done = [
        item
        for item in listed
        if item["info"].get("kind") not in ("preview", "Ppreview")
        and item["info"].get("result") not in ("not-started", "in-progress")
    ]
    done.sort(key=lambda item: int(item["version"]))

    def export(item: dict[str, Any]) -> bytes:
        return _cloud_get(session, f"{base}/export/{int(item['version'])}", {})

    with ThreadPoolExecutor(WORKERS) as pool:
        for item, state in zip(done, pool.map(export, done), strict=True):
            info = json.dumps(item["info"], sort_keys=True, separators=(",", ":")).encode()
            by = item.get("requestedBy") or {}
            name = f"{base}/export/{item['version']}"
            yield Update(
                id=str(item.get("updateID") or item["version"]),
                name=name,
                info=item["info"],
                info_digest=_digest(info),
                state=_decoded(state, name),
                state_digest=_digest(state),
                version=int(item["version"]),
                requested_by=str(by.get("name") or by.get("githubLogin") or ""),
            )


def _cloud_list(session: Any, base: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    page = 1
    while True:
        query = {"page": str(page), "pageSize": "100", "output-type": "service"}
        answer = _decoded(_cloud_get(session, f"{base}/updates", query), f"{base}/updates")
        updates = answer.get("updates")
        if not isinstance(updates, list) or not all(
            isinstance(item, dict) and isinstance(item.get("info"), dict) and isinstance(item.get("version"), int)
            for item in updates
        ):
            raise AuditError(f"{base}/updates: is not answered as Pulumi Cloud does; is the address right?")
        found.extend(updates)
        if not updates or len(found) >= int(answer.get("total") or 0):
            return found
        page += 1


def _cloud_get(session: Any, url: str, query: dict[str, str]) -> bytes:
    import requests

    try:
        answer = session.get(url, params=query, timeout=(5, 60), allow_redirects=False)
    except requests.RequestException as error:
        raise AuditError(f"{url}: cannot be reached ({type(error).__name__})") from None
    if answer.status_code in (401, 403):
        raise AuditError(
            f"{url}: refuses PULUMI_ACCESS_TOKEN (HTTP {answer.status_code}); set one that may read the stack"
        )
    if answer.status_code == 404:
        raise AuditError(f"{url}: is not there; check the organisation, project and stack of --stack")
    if not answer.ok:
        raise AuditError(f"{url}: answers HTTP {answer.status_code}")
    content: bytes = answer.content
    return content
