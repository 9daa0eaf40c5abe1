"""Where the pipeline deploys, every image that the Dockerfile builds on is named by its digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra import base_images
from tests.workstation import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable

DIGEST = "sha256:" + "ab" * 32
PINNED = f"node:24@{DIGEST}"
IMAGE = {"app-one:declares": "image"}
ON_AGENT = {"TF_BUILD": "True"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM node:24\n", [(1, "node:24")]),
        ("from node\n", [(1, "node")]),
        ("# about\n\nFROM --platform=$BUILDPLATFORM node:24 AS build\n", [(3, "node:24")]),
        ("FROM scratch\n", []),
        ("FROM node:24 AS Build\nFROM build\nFROM SCRATCH\n", [(1, "node:24")]),
        ("ARG V=24\nARG I=node:${V}\nFROM ${I}\n", [(3, "node:24")]),
        ("ARG I='node:24'\nFROM $I-slim\n", [(2, "node:24-slim")]),
        ("FROM ${I:-node:24}\n", [(1, "node:24")]),
        ("ARG I=\nFROM ${I:-node:24}\n", [(2, "node:24")]),
        ("ARG I=x\nFROM node:${I:+24}\n", [(2, "node:24")]),
        ("FROM ${NOBODY}\n", [(1, "${NOBODY}")]),
        # What stands after a FROM is of that stage alone.
        ("FROM a:1\nARG I=b:2\nFROM ${I}\n", [(1, "a:1"), (3, "${I}")]),
        ("FROM a:1 AS one\nCOPY --from=one /x /\nCOPY --from=0 /x /\n", [(1, "a:1")]),
        ("FROM a:1\nCOPY --chown=1 --from=tools:3 /x /\n", [(1, "a:1"), (2, "tools:3")]),
        ("ARG T=tools:3\nFROM a:1\nCOPY --from=${T} /x /\n", [(2, "a:1"), (3, "tools:3")]),
        ("FROM a:1\nRUN --mount=type=bind,from=tools:3,target=/t t\n", [(1, "a:1"), (2, "tools:3")]),
        ("FROM a:1\nRUN echo --from=no:1 'it is\n", [(1, "a:1")]),
        ("# syntax=docker/dockerfile:1\nFROM scratch\n", [(1, "docker/dockerfile:1")]),
        ("# escape=`\nFROM `\n  node:24\nRUN dir c:\\\nFROM b:2\n", [(2, "node:24"), (5, "b:2")]),
        ("FROM \\\n# a comment between\n  node:24 \\\n  AS x\nFROM x\n", [(1, "node:24")]),
        ("FROM a:1\nRUN <<EOF\nFROM no:1\nEOF\nCOPY <<-'A' <<B /x/\nFROM no:2\n\tA\nFROM no:3\nB\n", [(1, "a:1")]),
        ("FROM a:1\nRUN echo \\\n  FROM b:2\n", [(1, "a:1")]),
        ("\ufeffFROM node:24\r\n", [(1, "node:24")]),
        (f"FROM {PINNED}\n", [(1, PINNED)]),
    ],
)
def test_the_images_of_a_dockerfile_are_those_that_docker_would_take_from_outside(
    text: str, found: list[tuple[int, str]]
) -> None:
    assert list(base_images.images(text, {})) == found


def test_a_build_argument_takes_the_place_of_a_default_and_of_nothing_else() -> None:
    text = "ARG BASE_IMAGE=a:1\nFROM ${BASE_IMAGE}\nFROM b:2\n"
    assert list(base_images.images(text, {"BASE_IMAGE": "c:3"})) == [(2, "c:3"), (3, "b:2")]


@pytest.mark.parametrize(
    ("text", "base_image", "local", "named"),
    [
        (f"ARG BASE_IMAGE={PINNED}\nFROM ${{BASE_IMAGE}}\n", "", False, ""),
        (f"ARG BASE_IMAGE={PINNED}\nFROM ${{BASE_IMAGE}}\n", "node:24", False, "D:2: builds on node:24,"),
        ("ARG BASE_IMAGE=node:24\nFROM ${BASE_IMAGE}\n", PINNED, False, ""),
        ("ARG BASE_IMAGE=node:24\nFROM ${BASE_IMAGE}\n", "", False, "D:2: builds on node:24,"),
        ("ARG BASE_IMAGE=node:24\nFROM ${BASE_IMAGE}\n", "", True, ""),
        ("ARG BASE_IMAGE=node:24\nFROM ${BASE_IMAGE}\n", "own:1", True, ""),
        # Only the base image is built where it is used.
        ("ARG BASE_IMAGE=node:24\nFROM ${BASE_IMAGE}\nFROM other:1\n", "", True, "D:3: builds on other:1,"),
        ("ARG BASE_IMAGE=node:24\nFROM ${BASE_IMAGE}\nCOPY --from=t:1 / /\n", "", True, "D:3: builds on t:1,"),
        ("FROM node:24\n", "", True, "D:1: builds on node:24,"),
        (f"FROM node@{DIGEST[:-1]}\n", "", False, "D:1: builds on node@sha256:"),
        ("FROM scratch\n", "", False, ""),
    ],
)
def test_a_tag_alone_is_refused_where_the_base_is_not_built_here(
    text: str, base_image: str, named: str, *, local: bool
) -> None:
    if not named:
        base_images.check("D", text, base_image, local=local)
        return
    with pytest.raises(base_images.BaseImageError) as refusal:
        base_images.check("D", text, base_image, local=local)
    assert str(refusal.value).startswith(named)
    assert "docker buildx imagetools inspect" in str(refusal.value)
    assert "app-one:baseImageLocal true" in str(refusal.value)


def test_the_projects_own_dockerfile_is_named_by_digest_and_so_builds_where_the_pipeline_deploys() -> None:
    base_images.check("Dockerfile", (CHECKOUT / "Dockerfile").read_text(encoding="utf-8"), "", local=False)


def test_the_stack_of_the_pipeline_refuses_a_tag_before_anything_is_registered(refusal: Callable[..., str]) -> None:
    message = refusal({**IMAGE, "app-one:baseImage": "node:24.1.0"}, environment=ON_AGENT)
    assert "builds on node:24.1.0, which is named by a tag" in message


def test_other_stacks_take_a_tag_and_the_content_tag_follows_the_digest(run_program: Callable[..., Any]) -> None:
    tags = {
        run_program({"app-one:baseImage": name}).outputs["image_tag"]
        for name in ("node:24", PINNED, f"node:24@sha256:{'cd' * 32}")
    }
    assert len(tags) == 3
