"""A few hundred ignore files, read by the docker command itself, by the program, and by the stand-in for its plugin.

The docker is today's (patternmatcher of 2023 and later); up to 20.10 it read `**.env` and exceptions otherwise.
"""

from __future__ import annotations

import io
import os
import posixpath
import re
import shutil
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from infra.build_context import BuildContextError, prepare_context
from infra.dockerignore import Ignore, IgnoreError
from sandbox.providers.docker import ignore as standin
from sandbox.providers.docker.context import archive
from tests.debian import new_docker
from tests.end_to_end.docker_cli import Docker
from tests.end_to_end.ignore_files import TREE, generated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.e2e

TEXTS = list(generated(240, seed=20261127))
BUILD_FILES = {"Dockerfile", ".dockerignore"}
"""What every builder is sent, whatever the ignore file says."""


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Docker:
    return Docker(new_docker(), tmp_path_factory.mktemp("docker"))


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("context"))


def filled(folder: Path) -> Path:
    for name in (*TREE, "Dockerfile"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("FROM scratch\n")
    return folder


def sent(docker: Docker, folder: Path, text: str) -> set[str] | None:
    """What the classic builder's archive has; None where the command refuses the ignore file."""
    context = filled(folder)
    (context / ".dockerignore").write_text(text, newline="")
    try:
        return docker.classic(context) - BUILD_FILES
    except subprocess.CalledProcessError as error:
        if "pattern" not in error.stderr:
            raise
        return None
    finally:
        shutil.rmtree(context)


@pytest.fixture(scope="module")
def classic(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[str]], list[set[str] | None]]:
    def ask(texts: list[str]) -> list[set[str] | None]:
        folders = [tmp_path_factory.mktemp("classic") for _ in texts]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(partial(sent, docker), folders, texts))

    return ask


def read(text: str) -> Ignore | None:
    try:
        return Ignore(text)
    except IgnoreError:
        return None


def read_by_standin(context: Path, text: str) -> set[str] | None:
    """What the stand-in for the plugin sends."""
    (context / ".dockerignore").write_text(text, newline="")
    packed = io.BytesIO()
    try:
        archive(context, context / "Dockerfile", packed)
    except standin.IgnoreError:
        return None
    packed.seek(0)
    with tarfile.open(fileobj=packed) as tar:
        return {member.name for member in tar if not member.isdir()} - BUILD_FILES


def test_the_classic_builder_and_the_program_and_the_stand_in_read_alike(
    classic: Callable[[list[str]], list[set[str] | None]], context: Path
) -> None:
    # 240 commands of docker take 10 s on two idle cores.
    answers = dict(zip(TEXTS, classic(TEXTS), strict=True))
    program = {text: read(text) for text in TEXTS}
    # The program refuses a bad pattern at once, Docker only where it comes to it: but each of them it does refuse.
    early = [text for text in TEXTS if program[text] is None and answers[text] is not None]
    alone = [line.strip().lstrip("!") for text in early for line in text.split("\n") if read(line) is None]
    assert len(alone) >= len(early)
    assert [line for line, answer in zip(alone, classic(alone), strict=True) if answer is not None and line] == []
    known = {text: ignore for text, ignore in program.items() if ignore is not None}
    assert {text: {path for path in TREE if not ignore.archive_lacks(path)} for text, ignore in known.items()} == {
        text: answers[text] for text in known
    }
    assert len(known) > len(TEXTS) * 0.8, "most of the files say something"
    by_standin = {text: read_by_standin(context, text) for text in TEXTS}
    assert {text: files for text, files in by_standin.items() if files is not None} == {
        text: answers[text] for text, files in by_standin.items() if files is not None
    }
    assert sum(files is not None for files in by_standin.values()) > len(known) * 0.7, "what it does not read is rare"


def patterns(text: str) -> list[str]:
    """An ignore file's lines as BuildKit's frontend hands them to the command (patternmatcher/ignorefile)."""
    found = []
    for line in text.removeprefix("\ufeff").split("\n"):
        pattern = line.strip()
        if pattern and not line.startswith("#"):
            exception, pattern = ("!", pattern[1:].strip()) if pattern.startswith("!") else ("", pattern)
            pattern = posixpath.normpath(re.sub("^/+", "/", pattern)) if pattern else ""
            found.append(exception + (pattern[1:] if len(pattern) > 1 and pattern[0] == "/" else pattern))
    return found


def test_buildkit_and_the_program_read_alike(docker: Docker, context: Path, tmp_path: Path) -> None:
    # Its headers hold printable ASCII only.
    texts = [text for text in TEXTS if re.fullmatch(r"[ -~\n\t]*", text) and read(text) is not None]
    (context / ".dockerignore").unlink(missing_ok=True)
    answers = docker.buildkit(context, [patterns(text) for text in texts])
    assert len(answers) == len(texts) > 150
    project = filled(tmp_path / "project")
    for text, answer in zip(texts, answers, strict=True):
        assert isinstance(answer, set), (text, answer)
        (project / ".dockerignore").write_text(text, newline="")
        copy = project / prepare_context(project, folder=".", dockerfile="Dockerfile").path
        files = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if not path.is_dir()}
        assert files - BUILD_FILES == answer - BUILD_FILES, text


@pytest.mark.parametrize("text", ["[x\n", "app\n[a-]*\n", "!\n"])
def test_a_bad_pattern_stops_docker_and_the_program(docker: Docker, tmp_path: Path, text: str) -> None:
    assert sent(docker, tmp_path / "context", text) is None
    project = filled(tmp_path / "project")
    (project / ".dockerignore").write_text(text)
    with pytest.raises(BuildContextError, match=r"^\.dockerignore, line \d"):
        prepare_context(project, folder=".", dockerfile="Dockerfile")


def test_the_ignore_file_beside_the_dockerfile_wins(docker: Docker, tmp_path: Path) -> None:
    """By BuildKit's rule: it asks for NAME.dockerignore first, which the classic builder does not know."""
    project = filled(tmp_path)
    (project / "docker").mkdir()
    (project / "docker/prod.Dockerfile").write_text("FROM scratch\n")
    (project / "docker/prod.Dockerfile.dockerignore").write_text("*\n!src\nsrc/deep\n")
    (project / ".dockerignore").write_text("src\n")
    copy = project / prepare_context(project, folder=".", dockerfile="docker/prod.Dockerfile").path
    files = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if not path.is_dir()}
    (answer,) = docker.buildkit(project, [["*", "!src", "src/deep"]])
    assert isinstance(answer, set)
    assert files == answer | {"docker/prod.Dockerfile"}
