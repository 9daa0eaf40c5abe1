"""The image follows its repository: replaced, deleted by hand, or without the image, and what says so."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.workstation import CHECKOUT, Sandbox, Workstation

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

REPOSITORY = "app-one"
IMAGE = "urn:pulumi:dev::app-one::app-one:infra:Image$docker:index/image:Image::image"


@pytest.fixture
def stack(sandbox: Sandbox, tmp_path: Path) -> Workstation:
    """A checkout whose stack has everything, with a small image in a repository that may be deleted with it."""

    def make(folder: Path) -> None:
        workstation = Workstation.deployed(folder, sandbox)
        workstation.config(forceDelete="true")
        workstation.small_image()
        workstation.up()

    folder = tmp_path / "follows"
    sandbox.begin("follows", folder, make)
    return Workstation(folder / "checkout", sandbox)


def pushed(sandbox: Sandbox) -> list[str]:
    """The digests that ECR has."""
    listed: dict[str, Any] = sandbox.client("ecr").describe_images(repositoryName=REPOSITORY)
    return [image["imageDigest"] for image in listed["imageDetails"]]


def digest(stack: Workstation) -> str:
    return str(stack.outputs()["image_by_digest"].rpartition("@")[2])


def summary(sandbox: Sandbox) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox", "summary"],
        cwd=CHECKOUT,
        env={**sandbox.environment, "SANDBOX_HOME": str(sandbox.home)},
        capture_output=True,
        text=True,
        check=False,
    )


def drift(stack: Workstation) -> dict[str, list[str]]:
    """Rule -> what `audit drift` says of it."""
    done = subprocess.run(
        [sys.executable, "-m", "audit", "drift", "--format", "json", "-"],
        input=stack.pulumi("stack", "export").stdout,
        cwd=CHECKOUT,
        env=stack.sandbox.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, list[str]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        found.setdefault(finding["rule"], []).append(json.dumps(finding))
    return found


def test_an_image_follows_a_repository_that_is_replaced(stack: Workstation) -> None:
    stack.config(encryptionType="KMS")
    assert "image" in stack.steps()["replace"]
    stack.up()
    assert pushed(stack.sandbox) == [digest(stack)]
    assert stack.steps() == {}
    stack.pulumi("destroy", "--yes", "--skip-preview", "--refresh")
    assert stack.resources() == []


def test_an_image_follows_a_repository_that_was_deleted_by_hand(stack: Workstation) -> None:
    stack.sandbox.client("ecr").delete_repository(repositoryName=REPOSITORY, force=True)
    told = summary(stack.sandbox)
    assert told.returncode == 1
    assert told.stderr == (
        f"error: the repository {REPOSITORY} is gone: `pulumi up --refresh` makes it again, with the image\n"
    )
    stack.up("--refresh")
    assert pushed(stack.sandbox) == [digest(stack)]
    assert stack.steps() == {}


def test_an_image_that_was_deleted_by_hand_is_named_with_what_brings_it_back(sandbox: Sandbox, tmp_path: Path) -> None:
    stack = Workstation.deployed(tmp_path / "app", sandbox)  # the app itself, whose answer the summary shows
    deleted = digest(stack)
    stack.sandbox.client("ecr").batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageDigest": deleted}])
    assert stack.steps() == {}, "the provider does not look"
    told = summary(stack.sandbox)
    assert told.returncode == 1
    command = "pulumi up --replace '**docker:index/image:Image::image'"
    assert told.stderr == f"error: the image {deleted} is not in ECR any more: `{command}` pushes it again\n"
    (missing,) = drift(stack)["drift-image-missing"]
    assert f"`pulumi up --replace '{IMAGE}'` pushes it again." in missing
    stack.up("--replace", "**docker:index/image:Image::image")
    assert pushed(stack.sandbox) == [deleted]
    assert summary(stack.sandbox).returncode == 0
    assert "drift-image-missing" not in drift(stack)


def test_a_tag_of_the_repository_changes_no_image(stack: Workstation) -> None:
    stack.pulumi("config", "set", "--path", "app-one:tags.team", "one")
    assert "image" not in [name for names in stack.steps().values() for name in names]
    stack.pulumi("config", "rm", "--path", "app-one:tags.team")
