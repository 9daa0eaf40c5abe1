"""docker.Image: an image built by the engine from a context and pushed to a registry."""

from __future__ import annotations

import base64
import binascii
import collections
import json
import platform
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sandbox.providers.base import Diff, Found, Naming, PlainError, Resource
from sandbox.providers.differences import Difference
from sandbox.providers.docker.context import archive, digest, relative_dockerfile
from sandbox.providers.docker.engine import DockerEngine, DockerError, split_tag, stored_credentials
from sandbox.providers.docker.ignore import IgnoreError
from sandbox.providers.docker.protobuf import progress
from sandbox.providers.protocol import UNKNOWN, Properties, Secret, has_unknown
from sandbox.providers.schema import Failure, Fields, block, check, flag, given, items, mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterable

_HUB = "https://index.docker.io/v1/"
_TAIL = 30  # lines of a failed build's output that are shown
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


class Image(Resource[DockerEngine]):
    """Reading and deleting do nothing: the real plugin leaves images where they are."""

    token = "docker:index/image:Image"  # noqa: S105 - a type token
    names_changes = False
    fields: ClassVar[Fields] = {
        "build": block(
            {
                "addHosts": items(),
                "args": mapping(),
                "builderVersion": text(),
                "cacheFrom": block({"images": items()}),
                "context": text(),
                "dockerfile": text(),
                "network": text(),
                "platform": text(),
                "target": text(),
            }
        ),
        "buildOnPreview": flag(),
        "imageName": text(required=True),
        "registry": block({"password": text(), "server": text(), "username": text()}),
        "skipPush": flag(),
        "baseImageName": given(),
        "context": given(),
        "dockerfile": given(),
        "platform": given(),
        "registryServer": given(),
        "repoDigest": given(),
    }

    def check(self, inputs: Properties, old: Properties, naming: Naming) -> tuple[Properties, list[Failure]]:
        del old
        failures = check(self.fields, inputs, naming.logical)
        if failures:
            return inputs, failures
        checked = dict(inputs)
        checked["buildOnPreview"] = checked.get("buildOnPreview") is True
        checked["build"] = self._checked_build(checked.get("build", {}))
        self._check_name(checked)
        return checked, []

    def _checked_build(self, given_build: Any) -> Any:
        if given_build is UNKNOWN:
            return UNKNOWN
        build = dict(given_build)
        if build.get("builderVersion", "BuilderBuildKit") not in ("BuilderV1", "BuilderBuildKit", UNKNOWN):
            raise PlainError("invalid Docker Builder version")
        build.setdefault("context", ".")
        if build["context"] is not UNKNOWN:
            build.setdefault("dockerfile", str(Path(build["context"]) / "Dockerfile"))
        if not has_unknown([build["context"], build.get("dockerfile", UNKNOWN)]):
            build["contextDigest"] = _digest(build["context"], build["dockerfile"])
        if "platform" not in build:
            machine = platform.machine()
            build["platform"] = f"linux/{_ARCHITECTURES.get(machine, machine)}"
            self.engine.log(
                f"Building your image for {build['platform']} architecture.\n"
                "To ensure you are building for the correct platform, consider "
                "explicitly setting the `platform` field on ImageBuildOptions.",
                self.urn,
            )
        return build

    def _check_name(self, inputs: Properties) -> None:
        """A name has to be complete where it says which registry is meant."""
        name, build = inputs["imageName"], inputs["build"]
        caches = _caches(build) if build is not UNKNOWN else []
        if name is not UNKNOWN and (caches or not _flag(inputs, "skipPush")):
            server = _registry_host(_registry(inputs).get("server", ""), name)
            for each in caches:
                _registry_host(server, each)

    def diff(self, state: Properties, inputs: Properties) -> Diff:
        before: Properties = state.get("__inputs") or {}
        changes = []
        for name in sorted({*before, *inputs}):
            if name not in before:
                changes.append(Difference(name, "add", replace=False))
            elif name not in inputs:
                changes.append(Difference(name, "delete", replace=False))
            elif _differs(name, before[name], inputs[name]):
                changes.append(Difference(name, "update", replace=False))
        return Diff(changes)

    def make(self, inputs: Properties, *, preview: bool) -> tuple[str, Properties]:
        if preview and not self._can_preview(inputs):
            return "", inputs
        return inputs["imageName"], self._build(inputs, preview=preview)

    def change(self, resource_id: str, state: Properties, inputs: Properties, *, preview: bool) -> Properties:
        del resource_id, state
        if preview and not self._can_preview(inputs):
            return inputs
        return self._build(inputs, preview=preview)

    def find(self, resource_id: str, state: Properties, inputs: Properties) -> Found | None:
        if "__inputs" in state:
            state = {**state, "__inputs": Secret(state["__inputs"])}
        return Found(resource_id, state, inputs)

    def delete(self, resource_id: str, state: Properties) -> None:
        """Leave the image where it is."""

    def _can_preview(self, inputs: Properties) -> bool:
        if inputs.get("buildOnPreview") is not True:
            return False
        build = inputs["build"]
        needed = [inputs["imageName"], build]
        if build is not UNKNOWN:
            needed = [inputs["imageName"], build.get("dockerfile"), build.get("context"), build.get("args")]
        if has_unknown(needed):
            self.engine.log(
                "Minimum inputs for build are unresolved. Continuing without preview image build. To avoid this "
                "warning, ensure image name, dockerfile, args, and context are resolved at preview.",
                self.urn,
                "WARNING",
            )
            return False
        return True

    def _build(self, inputs: Properties, *, preview: bool) -> Properties:
        build, name, registry = inputs["build"], inputs["imageName"], _registry(inputs)
        context, dockerfile = Path(build["context"]), Path(build["dockerfile"])
        push = not _flag(inputs, "skipPush")
        credentials = self._credentials(registry, name) if push or _caches(build) else {}
        known = {credentials["serveraddress"]: credentials} if credentials else {}
        for image in _caches(build):
            self._pull_cache(image, build.get("platform", ""), credentials)
        image_id = self._run_build(build, context, dockerfile, name, known)
        outputs = {
            "baseImageName": name,
            "context": build["context"],
            "dockerfile": relative_dockerfile(context, dockerfile),
            "imageName": name,
            "platform": build.get("platform", ""),
            "registryServer": registry.get("server", ""),
            "repoDigest": image_id,
            "__inputs": Secret(inputs),
        }
        if push and not preview:
            outputs["repoDigest"] = self._push(name, credentials)
        return outputs

    def _credentials(self, registry: Properties, name: str) -> dict[str, str]:
        """Return the program's credentials, else those that the user's docker has."""
        server = _registry_host(registry.get("server", ""), name)
        user, password = registry.get("username", ""), registry.get("password", "")
        if user and password:
            return {"username": user, "password": password, "serveraddress": server}
        if user or password:
            there, missing = ("username", "password") if user else ("password", "username")
            self.engine.log(
                f"{missing} was not set, although {there} was; using host credentials file", self.urn, "WARNING"
            )
        return stored_credentials(server)

    def _pull_cache(self, image: str, wanted: str, credentials: dict[str, str]) -> None:
        try:
            self._follow(self.session.pull(image, wanted, credentials))
        except DockerError as error:
            # As in the real plugin: a cache that is not there makes the build slower, not wrong.
            self.engine.log(f"cacheFrom image {image} not available: {error}", self.urn)

    def _run_build(
        self, build: Properties, context: Path, dockerfile: Path, name: str, credentials: dict[str, dict[str, str]]
    ) -> str:
        from sandbox.providers.docker.session import session

        options: dict[str, str | list[str]] = {
            "t": name,
            "rm": "1",
            "buildargs": _json(build.get("args") or {}),
            "cachefrom": _json(_caches(build)),
            "platform": build.get("platform", ""),
            "target": build.get("target", ""),
            "networkmode": build.get("network", ""),
            "extrahosts": [str(each) for each in build.get("addHosts") or []],
        }
        with tempfile.TemporaryFile() as packed:
            options["dockerfile"] = archive(context, dockerfile, packed)
            packed.seek(0)
            self.engine.log("Starting Docker build", self.urn, ephemeral=True)
            if build.get("builderVersion") == "BuilderV1":
                options["version"] = "1"
                found = self._follow(self.session.build(packed, options, credentials), "error reading build output")
            else:
                with session(self.session, credentials) as identity:
                    options.update(version="2", session=identity)
                    found = self._follow(self.session.build(packed, options, credentials), "error reading build output")
        image_id = found.get("ID")
        if not image_id:
            raise PlainError("no image id found in build output")
        self.engine.log(f'Image built successfully, local id "{image_id}"', self.urn, ephemeral=True)
        return str(image_id)

    def _push(self, name: str, credentials: dict[str, str]) -> str:
        self.engine.log("Pushing Image to the registry", self.urn, ephemeral=True)
        found = self._follow(self.session.push(name, credentials), "error reading push output")
        repository = _without_tag(name)
        if found.get("Digest"):
            return f"{repository}@{found['Digest']}"
        self.engine.log(
            "Push completed without reporting a digest; falling back to local image inspect", self.urn, "WARNING"
        )
        known = self.session.inspect(name).get("RepoDigests") or []
        return next((each for each in known if each.startswith(f"{repository}@")), "<none>@<none>")

    def _follow(self, messages: Iterable[Any], doing: str = "error reading pull output") -> Properties:
        """Show the engine's messages as they come; return its closing one. Raises PlainError for the engine's error."""
        tail: collections.deque[str] = collections.deque(maxlen=_TAIL)
        result: Properties = {}
        for message in messages:
            if message.get("error") or message.get("errorDetail"):
                if tail:
                    self.engine.log("Output of the build:\n" + "\n".join(tail), self.urn)
                raise PlainError(f"{doing}: {_worded(message)}")
            extra = message.get("aux")
            lines = _lines(message)
            if isinstance(extra, dict):
                result.update(extra)
            for line in lines:
                if line not in tail:  # BuildKit repeats the names of its steps
                    tail.append(line)
                    self.engine.log(line, self.urn, ephemeral=True)
        return result


def _digest(context: str, dockerfile: str) -> str:
    path = Path(dockerfile)
    if not path.exists():
        reason = f"stat {dockerfile}: no such file or directory"
        if path.is_absolute():
            raise PlainError(f'expected a relative Dockerfile path; got "{dockerfile}" instead: {reason}')
        inside = Path(context) / path
        if inside.exists():
            raise PlainError(
                f'could not open dockerfile at relative path "{dockerfile}". Try setting `dockerfile` to "{inside}"'
            )
        raise PlainError(f'could not open dockerfile at relative path "{dockerfile}": {reason}')
    try:
        return digest(Path(context), path)
    except (OSError, IgnoreError) as error:
        raise PlainError(f"unable to hash build context: {error}") from error


def _registry(inputs: Properties) -> Properties:
    registry = inputs.get("registry")
    if not isinstance(registry, dict):
        return {}
    return {key: value for key, value in registry.items() if value is not UNKNOWN}


def _flag(inputs: Properties, name: str) -> bool:
    return inputs.get(name) is True


def _caches(build: Properties) -> list[str]:
    chosen = build.get("cacheFrom")
    if not isinstance(chosen, dict):
        return []
    if "images" not in chosen:
        raise PlainError("cacheFrom requires an `images` field")
    images = chosen["images"]
    return [] if images is UNKNOWN else [each for each in images if each is not UNKNOWN]


def _differs(name: str, before: Any, now: Any) -> bool:
    """User and password of a registry change with every token; only its server is a difference."""
    if name == "registry" and isinstance(before, dict) and isinstance(now, dict):
        return "server" in before and "server" in now and bool(before["server"] != now["server"])
    return bool(before != now)


def _registry_host(server: str, name: str) -> str:
    """Return the host that credentials belong to: the registry's, or the one in the image's name."""
    host = server.removeprefix("https://").removeprefix("http://").split("/")[0] if server else _domain(name)
    return _HUB if host in ("docker.io", "index.docker.io", "registry-1.docker.io") else host


def _domain(name: str) -> str:
    first, slash, _ = name.partition("/")
    if not slash or not (re.search(r"[.:]", first) or first == "localhost"):
        raise PlainError(
            f'"{name}": repository name must be canonical.\nThis resource requires all image names to be fully '
            "qualified.\nFor example, if you are attempting to push to Dockerhub, prefix your image name with "
            "`docker.io`:\n\n`docker.io/repository/image:tag`"
        )
    return first


def _without_tag(name: str) -> str:
    return split_tag(name)[0]


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _worded(message: Properties) -> str:
    detail = message.get("errorDetail") or {}
    worded = str(detail.get("message") or message.get("error"))
    if detail.get("code") == 401:
        return "authentication is required"
    if worded == "EOF":
        return (
            "EOF\n: This error is most likely due to incorrect or mismatched registry credentials. Please double check "
            "you are using the correct credentials and registry name"
        )
    return worded


def _lines(message: Properties) -> list[str]:
    """Return what a message says: the old builder's text, a push's status, or BuildKit's trace."""
    if message.get("id") == "moby.buildkit.trace":
        try:
            lines = progress(base64.b64decode(message["aux"]))
        except (ValueError, IndexError, binascii.Error):
            return []  # a trace of a later BuildKit; it is shown only, the result comes apart
        return [line for text in lines for line in text.splitlines() if line.strip()]
    shown = message.get("stream") or message.get("status") or ""
    if shown and message.get("id"):  # without its progress bar, which would be a line each time that it moves
        shown = f"{message['id']}: {shown}"
    return [line for line in str(shown).splitlines() if line.strip()]
