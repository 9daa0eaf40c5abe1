"""The push policy is enough, and not wider, for engines with either image store: Docker's own and containerd's.

The engine is Debian 13's, with and without `containerd-snapshotter`. It builds as the docker provider asks for it,
without attestations, which only the command line adds by itself.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from infra.access import push_policy_document
from sandbox import docker_engine
from tests.debian import new_docker, new_engine
from tests.end_to_end.ground.machine import private_engine
from tests.end_to_end.registry import login, push

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.workstation import Sandbox

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("root")]

REPOSITORY = "stores"
STORES = {"docker": False, "containerd": True}


@pytest.fixture(scope="module")
def engines(root: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """DOCKER_HOST by image store."""
    del root
    homes = {store: tmp_path_factory.mktemp(store) for store in STORES}
    roots = {store: new_engine(homes[store] / "packages", containerd_snapshotter=on) for store, on in STORES.items()}
    with (
        private_engine(homes["docker"], roots["docker"]) as one,
        private_engine(homes["containerd"], roots["containerd"]) as other,
    ):
        yield {"docker": one.address, "containerd": other.address}


@pytest.fixture
def repository(sandbox: Sandbox) -> dict[str, Any]:
    made: dict[str, Any] = sandbox.client("ecr").create_repository(
        repositoryName=REPOSITORY,
        imageScanningConfiguration={"scanOnPush": True},
        imageTagMutability="IMMUTABLE",
    )
    return dict(made["repository"])


def build(host: str, name: str, folder: Path, *, attested: bool = False) -> None:
    (folder / "context").mkdir()
    (folder / "context" / "Dockerfile").write_text("FROM scratch\nCOPY hello /hello\n")
    (folder / "context" / "hello").write_text("hello\n")
    os.utime(folder / "context" / "hello", (0, 0))
    plugins = folder / "settings" / "cli-plugins"
    plugins.mkdir(parents=True)
    for plugin in new_docker().glob("usr/libexec/docker/cli-plugins/*"):
        (plugins / plugin.name).symlink_to(plugin)
    done = subprocess.run(
        [
            *(
                new_docker() / "usr/bin/docker",
                "build",
                f"--provenance={str(attested).lower()}",
                "--platform",
                "linux/amd64",
            ),
            *("--build-arg", "SOURCE_DATE_EPOCH=0", "--tag", name, folder / "context"),
        ],
        env={**os.environ, "DOCKER_HOST": host, "DOCKER_CONFIG": str(folder / "settings"), "DOCKER_BUILDKIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def key(sandbox: Sandbox, repository: dict[str, Any], *, without: str = "") -> dict[str, str]:
    """An access key, as environment variables, with exactly the push policy, or with one action less."""
    document = json.loads(
        push_policy_document(
            repository["repositoryArn"], allow_pull=False, allow_scan_findings=False, allow_look_up=False
        )
    )
    for statement in document["Statement"]:
        if without in statement["Action"]:
            statement["Action"].remove(without)
    iam = sandbox.client("iam")
    name = f"pusher{len(sandbox.made)}"
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="push", PolicyDocument=json.dumps(document))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    sandbox.made[name] = made["SecretAccessKey"]
    return {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}


def manifest(sandbox: Sandbox, tag: str) -> dict[str, Any]:
    """What ECR has under a tag."""
    ecr = sandbox.client("ecr")
    (image,) = ecr.batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": tag}])["images"]
    return dict(json.loads(image["imageManifest"]))


def test_one_build_is_one_image_that_is_scanned_whatever_the_store(
    engines: dict[str, str], sandbox: Sandbox, repository: dict[str, Any], tmp_path: Path
) -> None:
    user, uri = login(sandbox, key(sandbox, repository)), repository["repositoryUri"]
    ecr = sandbox.client("ecr")
    found = {}
    for store, host in engines.items():
        (tmp_path / store).mkdir()
        build(host, f"{uri}:{store}", tmp_path / store)
        with docker_engine.client(host) as engine:
            assert ("containerd" in str(engine.info()["DriverStatus"])) == STORES[store]
            assert push(engine, f"{uri}:{store}", user) == ""
            # One entry for each tag: another test may have pushed the same image under its own.
            digests = {each for each in engine.images.get(f"{uri}:{store}").attrs["RepoDigests"] if uri in each}
        (image,) = ecr.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": store}])["imageDetails"]
        assert digests == {f"{uri}@{image['imageDigest']}"}, "what the engine calls it is what ECR has"
        assert image["imageScanStatus"]["status"] == "COMPLETE"
        found[store] = manifest(sandbox, store)
    one, other = found.values()
    # Each store writes the manifest around it in its own way; it holds the same image, for one platform.
    assert one["config"]["digest"] == other["config"]["digest"]
    assert [each["digest"] for each in one["layers"]] == [each["digest"] for each in other["layers"]]


@pytest.mark.parametrize(("store", "refused"), [("docker", False), ("containerd", True)])
def test_only_the_store_of_containerd_asks_for_the_manifest_before_it_pushes(
    engines: dict[str, str], sandbox: Sandbox, repository: dict[str, Any], tmp_path: Path, store: str, refused: bool
) -> None:
    user, uri = login(sandbox, key(sandbox, repository, without="ecr:BatchGetImage")), repository["repositoryUri"]
    build(engines[store], f"{uri}:asked", tmp_path)
    with docker_engine.client(engines[store]) as engine:
        said = push(engine, f"{uri}:asked", user)
    assert ("403 Forbidden" in said) == refused
    assert bool(said) == refused


def test_attestations_make_an_index_that_no_scan_looks_into(
    engines: dict[str, str], sandbox: Sandbox, repository: dict[str, Any], tmp_path: Path
) -> None:
    user, uri = login(sandbox, key(sandbox, repository)), repository["repositoryUri"]
    build(engines["containerd"], f"{uri}:attested", tmp_path, attested=True)
    ecr = sandbox.client("ecr")
    with docker_engine.client(engines["containerd"]) as engine:
        assert "400 Bad Request" in push(engine, f"{uri}:attested", user), "it puts its parts under the tag first"
        ecr.put_image_tag_mutability(repositoryName=REPOSITORY, imageTagMutability="MUTABLE")
        assert push(engine, f"{uri}:attested", user) == ""
    assert len(manifest(sandbox, "attested")["manifests"]) == 2
    (image,) = ecr.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": "attested"}])["imageDetails"]
    assert "imageScanStatus" not in image
    with pytest.raises(ecr.exceptions.UnsupportedImageTypeException):
        ecr.start_image_scan(repositoryName=REPOSITORY, imageId={"imageTag": "attested"})
