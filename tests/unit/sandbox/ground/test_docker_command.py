"""A docker command of unpacked packages builds with BuildKit, wherever that release keeps BuildKit's client."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from sandbox import docker_engine

if TYPE_CHECKING:
    from pathlib import Path

SHOWS = """#!/bin/sh
echo "{name} ${{DOCKER_HOST-}}|${{DOCKER_CONTEXT-}}|${{DOCKER_CONFIG-}}|${{DOCKER_BUILDKIT-}}"
for word; do echo "<$word>"; done
"""


def packages(folder: Path, *, plugin: bool) -> Path:
    root = folder / "it's packages"
    files = ["usr/bin/docker", *(["usr/libexec/docker/cli-plugins/docker-buildx"] if plugin else [])]
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True)
        path.write_text(SHOWS.format(name=path.name), encoding="utf-8")
        path.chmod(0o755)
    return root


def shown(root: Path, *words: str, **settings: str) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")} | settings
    command = [str(docker_engine.command(root)), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_an_older_one_is_told_to_use_what_it_has_built_in(tmp_path: Path) -> None:
    root = packages(tmp_path, plugin=False)
    assert shown(root, "build", "a b", "") == ["docker |||1", "<build>", "<a b>", "<>"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["build", "--tag", "a:1", "a b"], ["docker-buildx |||", "<build>", "<--tag>", "<a:1>", "<a b>"]),
        (["image", "build", "."], ["docker-buildx |||", "<build>", "<.>"]),
        (["builder", "build", "."], ["docker-buildx |||", "<build>", "<.>"]),
        (["buildx", "ls"], ["docker-buildx |||", "<ls>"]),
        (["--host", "unix:///a b", "build", "."], ["docker-buildx unix:///a b|||", "<build>", "<.>"]),
        (["-H", "build", "build", "build"], ["docker-buildx build|||", "<build>", "<build>"]),
        (["--host=tcp://h", "--config", "c", "build"], ["docker-buildx tcp://h||c|", "<build>"]),
        (["--config=c", "-c", "far", "build"], ["docker-buildx |far|c|", "<build>"]),
    ],
)
def test_of_a_newer_one_its_plugin_builds(tmp_path: Path, words: list[str], said: list[str]) -> None:
    assert shown(packages(tmp_path, plugin=True), *words) == said


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["ps"],
        ["run", "build"],
        ["image", "ls"],
        ["-H", "x", "images", "a b"],
        ["--debug", "ps"],
        ["--host"],
        ["-H"],
    ],
)
def test_all_else_is_docker_s_own(tmp_path: Path, words: list[str]) -> None:
    said = shown(packages(tmp_path, plugin=True), *words, DOCKER_HOST="unix:///here")
    assert said == ["docker unix:///here|||", *(f"<{word}>" for word in words)]


def test_what_is_named_on_the_command_line_counts_more_than_the_environment(tmp_path: Path) -> None:
    root = packages(tmp_path, plugin=True)
    assert shown(root, "-H", "tcp://h", "build", DOCKER_CONTEXT="far") == ["docker-buildx tcp://h|||", "<build>"]
    assert shown(root, "-c", "far", "build", DOCKER_HOST="tcp://h") == ["docker-buildx |far||", "<build>"]


@pytest.mark.parametrize(
    ("plugin", "version", "builds"),
    [
        (0, "Docker version 28.2.2, build 28.2.2-0ubuntu1", True),
        (1, "Docker version 28.2.2, build 28.2.2-0ubuntu1", False),
        (1, "Docker version 23.0.1, build a5ee5b1", False),
        (1, "Docker version 20.10.24+dfsg1, build 297e128", True),
        (1, "podman version 4.3.1", True),
        (1, "something else", False),
    ],
)
def test_a_command_without_a_client_of_buildkit_does_not_build(
    tmp_path: Path, plugin: int, version: str, *, builds: bool
) -> None:
    command = tmp_path / "docker"
    command.write_text(f"#!/bin/sh\n[ $1 = buildx ] && exit {plugin}\necho '{version}'\n", encoding="utf-8")
    command.chmod(0o755)
    assert docker_engine.builds(str(command)) == builds
