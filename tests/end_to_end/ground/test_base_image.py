"""The base image is what the Dockerfile names, and, made here, does what the official one does for this app."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from sandbox import base_image, docker_engine, image_archive, packages
from sandbox.errors import SandboxError
from sandbox.layout import CHECKOUT
from tests.debian import new_docker
from tests.end_to_end.ground.machine import CACHE

if TYPE_CHECKING:
    from pathlib import Path

REFERENCE = base_image.reference(CHECKOUT / "Dockerfile")
VERSION = REFERENCE.partition(":")[2].partition("-")[0]

pytestmark = pytest.mark.e2e


def test_a_package_that_is_not_what_was_pinned_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"ms@2\.1\.3 is not what was pinned"):
        base_image.fetch([("ms@2.1.3", "sha512-AAAA")], tmp_path)


def test_a_package_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"`npm pack ms@999\.0\.0` failed: npm error"):
        base_image.fetch([("ms@999.0.0", "sha512-AAAA")], tmp_path)


class TestInAnEngine:
    def test_it_is_there_and_found_the_second_time(self, engine: str) -> None:
        said: list[str] = []
        found = base_image.ensure(CHECKOUT / "Dockerfile", engine, CACHE, said.append)
        assert found == base_image.BaseImage(REFERENCE, "present")
        assert said == []

    def test_it_runs_node_npm_and_the_user_node(self, engine: str) -> None:
        script = "node --version; npm --version >/dev/null && whoami && id -u && test -w ~ && test -w /tmp"
        with docker_engine.client(engine) as client:
            shown = client.containers.run(REFERENCE, ["sh", "-c", script], user="node", remove=True).decode().split()
            bare = client.containers.run(REFERENCE, ["--print", "1 + 1"], remove=True).decode().strip()
        assert shown == [f"v{VERSION}", "node", "1000"]
        assert bare == "2", "what is no command is an argument of node"

    def test_a_version_that_can_be_neither_pulled_nor_made_is_an_error(self, engine: str, tmp_path: Path) -> None:
        dockerfile = tmp_path / "Dockerfile"
        dockerfile.write_text("ARG BASE_IMAGE=node:0.0.1-no-such-tag\n", encoding="utf-8")
        with pytest.raises(SandboxError, match=rf"neither pulled nor made: known for making are node:{VERSION}"):
            base_image.ensure(dockerfile, engine, CACHE, print)

    def test_only_a_made_image_is_forgotten(self, engine: str) -> None:
        with docker_engine.client(engine) as client:
            for name, labels in (("made:1", {base_image.LABEL: "made"}), ("pulled:1", {})):
                layer = image_archive.Layer()
                layer.file("name", name.encode())
                archive = io.BytesIO()
                image_archive.write(archive, name, layer, str(client.version()["Arch"]), {"Labels": labels})
                client.images.load(archive.getvalue())
            assert base_image.forget(engine, "made:1")
            assert not base_image.forget(engine, "made:1")
            assert not base_image.forget(engine, "pulled:1")
            client.images.remove("pulled:1")

    def test_buildkit_builds_on_it_with_packages_from_the_registry(self, engine: str, tmp_path: Path) -> None:
        """As the app's Dockerfile does, through the command line that the sandbox offers."""
        for name in ("package.json", "package-lock.json"):
            shutil.copy(CHECKOUT / "app" / name, tmp_path)
        (tmp_path / "Dockerfile").write_text(
            f"ARG BASE_IMAGE={REFERENCE}\nFROM ${{BASE_IMAGE}}\nWORKDIR /app\nCOPY package*.json ./\n"
            "RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --no-audit --no-fund\n"
            'USER node\nHEALTHCHECK --interval=1s CMD ["node", "--version"]\n'
            'CMD ["node", "--eval", "require(\'express\'); console.log(\'express is there\')"]\n',
            encoding="utf-8",
        )
        # The sandbox's own, and the one whose BuildKit is a plugin, which releases after Debian 12 have.
        for docker in (docker_engine.cli(CACHE, print), docker_engine.command(new_docker())):
            command = [str(docker), "--host", engine, "build", "--tag", "ground:1", str(tmp_path)]
            built = subprocess.run(command, capture_output=True, text=True, check=False)
            assert built.returncode == 0, built.stderr
            with docker_engine.client(engine) as client:
                assert client.containers.run("ground:1", remove=True) == b"express is there\n"
                client.images.remove("ground:1")

    def test_the_engines_api_builds_with_buildkit_from_a_plain_archive(self, engine: str) -> None:
        """POST /build?version=2 with the context as its body needs no session: what the docker provider may rely on."""
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as archive:
            text = f"FROM {REFERENCE}\nRUN --mount=type=cache,target=/c node --version\n".encode()
            info = tarfile.TarInfo("Dockerfile")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
        with docker_engine.client(engine) as client:
            answer = client.api.post(
                f"{client.api.base_url}/v{client.api.api_version}/build",
                params={"version": "2", "t": "ground:2", "nocache": "1"},
                data=context.getvalue(),
                headers={"Content-Type": "application/x-tar"},
            )
            events = [json.loads(line) for line in answer.text.splitlines()]
            assert not [event for event in events if "error" in event]
            (built,) = [event["aux"]["ID"] for event in events if event.get("id") == "moby.image.id"]
            assert client.images.get("ground:2").id == built
            client.images.remove("ground:2")


def test_the_same_versions_give_the_same_bytes(tmp_path: Path) -> None:
    """Made from nothing, against what the cache holds from another time, or gets now."""
    one, other = (base_image.make(REFERENCE, packages.architecture(), cache, print) for cache in (tmp_path, CACHE))
    assert one != other
    assert _digest(one) == _digest(other)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
