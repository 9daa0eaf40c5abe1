"""ECR as its clients see it: tokens, push and pull as a principal, tags, deletion, scans, the state after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from base64 import b64encode
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest
import requests
from botocore.exceptions import ClientError

from sandbox.aws.ecr_rules import INDEX_MEDIA_TYPES, digest
from sandbox.files import write
from tests.unit.sandbox.aws.support import (
    ACCOUNT,
    CHECKOUT,
    REGISTRY_PASSWORD,
    Image,
    Service,
    allow,
    make_image,
    make_service,
    push,
    push_blob,
    put_manifest,
    repository_arn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PUSH = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
]
PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
TOKEN = allow("ecr:GetAuthorizationToken")
Auth = tuple[str, str]


def error_of(answer: requests.Response) -> tuple[int, str, str]:
    """Status, code and message of a refusal in the distribution protocol."""
    (error,) = answer.json()["errors"]
    return answer.status_code, error["code"], error["message"]


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def get(aws: Service, auth: Auth, path: str, method: str = "GET") -> requests.Response:
    return requests.request(method, f"{aws.ecr_url}/v2/{path}", auth=auth, timeout=300)


def create(aws: Service, name: str, mutability: str = "MUTABLE", **more: Any) -> str:
    aws.client("ecr").create_repository(repositoryName=name, imageTagMutability=mutability, **more)
    return name


def digests(aws: Service, name: str) -> dict[str, list[str]]:
    details = aws.client("ecr").describe_images(repositoryName=name)["imageDetails"]
    return {detail["imageDigest"]: detail.get("imageTags", []) for detail in details}


def in_registry(aws: Service, name: str, image: Image) -> bool:
    url = f"{aws.upstream}/v2/{name}/manifests/{image.digest}"
    headers = {"Accept": image.media_type}
    answer = requests.head(url, auth=("sandbox", REGISTRY_PASSWORD), headers=headers, timeout=300)
    assert answer.status_code in {200, 404}
    return answer.status_code == 200


def test_images_are_described_in_pages(aws: Service) -> None:
    create(aws, "pages")
    for number in range(3):
        pushed = push(aws.ecr_url, aws.token(), "pages", make_image(f"page {number}"), str(number))
        assert pushed.status_code == 201
    ecr = aws.client("ecr")
    first = ecr.describe_images(repositoryName="pages", maxResults=2)
    last = ecr.describe_images(repositoryName="pages", maxResults=2, nextToken=first["nextToken"])
    assert (len(first["imageDetails"]), len(last["imageDetails"])) == (2, 1)
    assert "nextToken" not in last
    with pytest.raises(ecr.exceptions.InvalidParameterException):
        ecr.describe_images(repositoryName="pages", nextToken="somewhere")


# Tokens


def test_tokens_are_fresh_last_twelve_hours_and_name_the_data_plane(aws: Service) -> None:
    ecr = aws.client("ecr")
    one, two = (ecr.get_authorization_token()["authorizationData"][0] for _ in range(2))
    assert one["authorizationToken"] != two["authorizationToken"]
    assert one["proxyEndpoint"] == aws.ecr_url
    left = one["expiresAt"] - datetime.now(UTC)
    assert timedelta(hours=11, minutes=55) < left <= timedelta(hours=12)
    created = ecr.create_repository(repositoryName="team/named")["repository"]
    assert created["repositoryUri"] == f"127.0.0.1:{aws.ecr_port}/team/named"


def test_who_is_not_logged_in_is_asked_for_user_and_password(aws: Service) -> None:
    answer = requests.get(f"{aws.ecr_url}/v2/", timeout=300)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == f'Basic realm="{aws.ecr_url}/",service="ecr.amazonaws.com"'
    assert get(aws, ("someone", "x"), "").status_code == 401
    assert error_of(get(aws, ("AWS", "made-up"), ""))[:2] == (400, "UNAUTHORIZED")
    assert get(aws, aws.token(), "").status_code == 200


def test_an_expired_token_is_refused_in_ecr_s_words(tmp_path: Path, registry: str) -> None:
    aws = make_service(tmp_path, registry, "--token-lifetime", "0")
    aws.start()
    answer = get(aws, aws.token(), "")
    aws.end()
    assert error_of(answer) == (
        403,
        "DENIED",
        "Your authorization token has expired. Reauthenticate and try again.",
    )


def test_a_token_has_the_rights_that_its_maker_has_now(aws: Service) -> None:
    create(aws, "live")
    key = aws.user("live", TOKEN, allow(PUSH, repository_arn("live")))
    auth = aws.token(key)
    assert push(aws.ecr_url, auth, "live", make_image("live"), "1").status_code == 201
    aws.client("iam").delete_user_policy(UserName="live", PolicyName="given")
    assert error_of(push_blob(aws.ecr_url, auth, "live", b"more"))[:2] == (403, "DENIED")


def test_the_registry_behind_is_closed_to_tokens(aws: Service) -> None:
    assert requests.get(f"{aws.upstream}/v2/", auth=aws.token(), timeout=300).status_code == 401


# Push and pull


def test_a_pushed_image_is_listed_by_its_real_digest_and_size_and_pulls_byte_by_byte(aws: Service) -> None:
    create(aws, "pushed")
    image, auth = make_image("pushed"), aws.token()
    answer = push(aws.ecr_url, auth, "pushed", image, "1.0")
    assert answer.status_code == 201
    assert answer.headers["Docker-Content-Digest"] == image.digest
    ecr = aws.client("ecr")
    (detail,) = ecr.describe_images(repositoryName="pushed", imageIds=[{"imageTag": "1.0"}])["imageDetails"]
    assert detail["imageDigest"] == image.digest
    assert detail["imageSizeInBytes"] == image.size
    assert detail["imageManifestMediaType"] == image.media_type
    assert detail["imageTags"] == ["1.0"]
    assert datetime.now(UTC) - detail["imagePushedAt"] < timedelta(minutes=5)
    assert ecr.list_images(repositoryName="pushed")["imageIds"] == [{"imageDigest": image.digest, "imageTag": "1.0"}]
    (got,) = ecr.batch_get_image(repositoryName="pushed", imageIds=[{"imageTag": "1.0"}])["images"]
    assert got["imageManifest"].encode() == image.manifest
    assert got["imageId"] == {"imageDigest": image.digest, "imageTag": "1.0"}
    for reference in ("1.0", image.digest):
        pulled = get(aws, auth, f"pushed/manifests/{reference}")
        assert pulled.content == image.manifest
        assert pulled.headers["Docker-Content-Digest"] == image.digest
        assert pulled.headers["Content-Type"] == image.media_type
    for blob in image.blobs:
        assert get(aws, auth, f"pushed/blobs/{digest(blob)}").content == blob
    assert get(aws, auth, "pushed/tags/list").json() == {"name": "pushed", "tags": ["1.0"]}
    head = get(aws, auth, "pushed/manifests/1.0", "HEAD")
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(image.manifest)))


def test_an_image_without_a_tag_is_pushed_by_digest(aws: Service) -> None:
    create(aws, "untagged")
    image = make_image("untagged")
    assert push(aws.ecr_url, aws.token(), "untagged", image, image.digest).status_code == 201
    assert digests(aws, "untagged") == {image.digest: []}
    ecr = aws.client("ecr")
    tagged, untagged = (
        ecr.describe_images(repositoryName="untagged", filter={"tagStatus": status})["imageDetails"]
        for status in ("TAGGED", "UNTAGGED")
    )
    assert (len(tagged), len(untagged)) == (0, 1)
    assert "imageTags" not in untagged[0]
    wrong = put_manifest(aws.ecr_url, aws.token(), "untagged", image, digest(b"other"))
    assert error_of(wrong)[:2] == (400, "DIGEST_INVALID")


def test_an_index_is_as_large_as_its_largest_image_and_keeps_its_images(aws: Service) -> None:
    create(aws, "index")
    auth, small, large = aws.token(), make_image("small"), make_image("a rather larger one")
    children = [{"digest": i.digest, "size": len(i.manifest), "mediaType": i.media_type} for i in (small, large)]
    content = json.dumps({"schemaVersion": 2, "mediaType": INDEX_MEDIA_TYPES[0], "manifests": children}).encode()
    index = Image([], content, INDEX_MEDIA_TYPES[0])
    assert error_of(put_manifest(aws.ecr_url, auth, "index", index, "1"))[1] == "MANIFEST_UNKNOWN"
    for image in (small, large):
        assert push(aws.ecr_url, auth, "index", image, image.digest).status_code == 201
    assert put_manifest(aws.ecr_url, auth, "index", index, "1").status_code == 201
    ecr = aws.client("ecr")
    (detail,) = ecr.describe_images(repositoryName="index", imageIds=[{"imageTag": "1"}])["imageDetails"]
    assert detail["imageSizeInBytes"] == large.size
    refused = code_of(lambda: ecr.start_image_scan(repositoryName="index", imageId={"imageTag": "1"}))
    assert refused == "UnsupportedImageTypeException"
    failed = ecr.batch_delete_image(repositoryName="index", imageIds=[{"imageDigest": small.digest}])["failures"]
    assert failed[0]["failureCode"] == "ImageReferencedByManifestList"


def test_a_manifest_without_its_layers_is_refused(aws: Service) -> None:
    create(aws, "layerless")
    image = make_image("layerless")
    assert error_of(put_manifest(aws.ecr_url, aws.token(), "layerless", image, "1"))[:2] == (
        400,
        "MANIFEST_BLOB_UNKNOWN",
    )
    assert digests(aws, "layerless") == {}


def test_an_unknown_repository_is_unknown_to_the_client(aws: Service) -> None:
    message = f"The repository with name 'nowhere' does not exist in the registry with id '{123456789012}'"
    auth = aws.token()
    assert error_of(push(aws.ecr_url, auth, "nowhere", make_image("x"), "1")) == (404, "NAME_UNKNOWN", message)
    assert error_of(get(aws, auth, "nowhere/manifests/1")) == (404, "NAME_UNKNOWN", message)


STEPS: list[tuple[str, Callable[[Service, Auth, str, Image], requests.Response], list[str]]] = [
    ("HEAD blob", lambda a, t, n, i: get(a, t, f"{n}/blobs/{digest(i.blobs[0])}", "HEAD"), [PUSH[0]]),
    ("GET blob", lambda a, t, n, i: get(a, t, f"{n}/blobs/{digest(i.blobs[0])}"), [PULL[1]]),
    ("GET manifest", lambda a, t, n, _: get(a, t, f"{n}/manifests/1"), [PULL[0]]),
    ("HEAD manifest", lambda a, t, n, _: get(a, t, f"{n}/manifests/1", "HEAD"), [PULL[0]]),
    ("tags", lambda a, t, n, _: get(a, t, f"{n}/tags/list"), ["ecr:ListImages"]),
    ("push blob", lambda a, t, n, i: push_blob(a.ecr_url, t, n, i.blobs[0]), PUSH[1:4]),
    ("PUT manifest", lambda a, t, n, i: put_manifest(a.ecr_url, t, n, i, "2"), [PUSH[4]]),
    ("DELETE manifest", lambda a, t, n, _: get(a, t, f"{n}/manifests/1", "DELETE"), ["ecr:BatchDeleteImage"]),
]


@pytest.mark.parametrize(("step", "act", "needed"), STEPS, ids=[step for step, _, _ in STEPS])
def test_each_step_needs_exactly_its_actions_on_its_repository(
    aws: Service, step: str, act: Callable[[Service, Auth, str, Image], requests.Response], needed: list[str]
) -> None:
    name = create(aws, f"step-{STEPS.index((step, act, needed))}")
    image = make_image(name)
    assert push(aws.ecr_url, aws.token(), name, image, "1").status_code == 201
    every = {*PUSH, *PULL, "ecr:ListImages", "ecr:BatchDeleteImage"}
    users = {
        "without": [allow(sorted(every - {action}), repository_arn(name)) for action in needed],
        "elsewhere": [allow(needed, repository_arn("elsewhere"))],
    }
    for kind, statements in users.items():
        for number, statement in enumerate(statements):
            key = aws.user(f"{name}-{kind}-{number}", TOKEN, statement)
            refused = act(aws, aws.token(key), name, image)
            assert refused.status_code == 403
            if not step.startswith("HEAD"):
                _, code, message = error_of(refused)
                assert code == "DENIED"
                assert f"user/{name}-{kind}-{number} is not authorized to perform: ecr:" in message
                assert message.endswith("action")
    key = aws.user(f"{name}-just", TOKEN, allow(needed, repository_arn(name)))
    assert act(aws, aws.token(key), name, image).status_code in {200, 201, 202}


def test_who_may_only_push_pushes_but_cannot_pull_delete_or_create(aws: Service) -> None:
    """The key of the stack, in the steps of the classic `docker push`."""
    create(aws, "stack", "IMMUTABLE")
    create(aws, "other")
    key = aws.user("stack", TOKEN, allow(PUSH, repository_arn("stack")))
    auth, image = aws.token(key), make_image("stack")
    for blob in image.blobs:
        assert get(aws, auth, f"stack/blobs/{digest(blob)}", "HEAD").status_code == 404
    assert push(aws.ecr_url, auth, "stack", image, "1").status_code == 201
    assert get(aws, auth, f"stack/blobs/{digest(image.blobs[0])}", "HEAD").status_code == 200
    refused = [
        get(aws, auth, "stack/manifests/1"),
        get(aws, auth, f"stack/blobs/{digest(image.blobs[0])}"),
        get(aws, auth, f"stack/manifests/{image.digest}", "DELETE"),
        push(aws.ecr_url, auth, "other", image, "1"),
        push(aws.ecr_url, auth, "missing", image, "1"),
    ]
    assert [error_of(answer)[:2] for answer in refused] == [(403, "DENIED")] * 5
    ecr = aws.client("ecr", key)
    for call in (
        lambda: ecr.create_repository(repositoryName="new"),
        lambda: ecr.batch_delete_image(repositoryName="stack", imageIds=[{"imageTag": "1"}]),
        lambda: ecr.describe_images(repositoryName="stack"),
        lambda: ecr.delete_repository(repositoryName="stack", force=True),
    ):
        assert code_of(call) == "AccessDeniedException"


def mount(aws: Service, auth: Auth, blob: bytes) -> requests.Response:
    query = {"mount": digest(blob), "from": "source"}
    return requests.post(f"{aws.ecr_url}/v2/target/blobs/uploads/", params=query, auth=auth, timeout=300)


def test_a_layer_is_mounted_only_from_where_the_caller_could_pull_it(aws: Service) -> None:
    create(aws, "source")
    create(aws, "target")
    image = make_image("source")
    layer = image.blobs[0]
    assert push(aws.ecr_url, aws.token(), "source", image, "1").status_code == 201
    pusher = aws.token(aws.user("pusher", TOKEN, allow(PUSH, repository_arn("target"))))
    answer = mount(aws, pusher, layer)
    assert answer.status_code == 202
    assert get(aws, pusher, f"target/blobs/{digest(layer)}", "HEAD").status_code == 404
    # What it was given instead is an upload like any other.
    answer = requests.patch(urljoin(aws.ecr_url, answer.headers["Location"]), data=b"own", auth=pusher, timeout=300)
    assert answer.status_code == 202
    both = allow([*PUSH, *PULL], [repository_arn("source"), repository_arn("target")])
    puller = aws.token(aws.user("puller", TOKEN, both))
    assert mount(aws, puller, layer).status_code == 201
    assert get(aws, puller, f"target/blobs/{digest(layer)}", "HEAD").headers["Content-Length"] == str(len(layer))
    assert mount(aws, puller, b"in no repository").status_code == 202


def test_bodies_are_streamed(aws: Service) -> None:
    create(aws, "large")
    assert aws.process is not None
    status = Path(f"/proc/{aws.process.pid}/status")

    def peak() -> int:
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024

    Path(f"/proc/{aws.process.pid}/clear_refs").write_text("5")  # forgets the peak so far, see proc(5)
    before, size, auth = peak(), 200 * 1024 * 1024, aws.token()
    block = os.urandom(1024 * 1024)

    def blocks() -> Iterator[bytes]:
        for _ in range(size // len(block)):
            yield block

    import hashlib

    hashed = hashlib.sha256()
    for part in blocks():
        hashed.update(part)
    name = f"sha256:{hashed.hexdigest()}"
    start = requests.post(f"{aws.ecr_url}/v2/large/blobs/uploads/", auth=auth, timeout=300)
    url = urljoin(aws.ecr_url, start.headers["Location"])
    sent = requests.patch(url, data=blocks(), auth=auth, timeout=300)
    url = urljoin(aws.ecr_url, sent.headers["Location"])
    assert requests.put(f"{url}&digest={name}", auth=auth, timeout=300).status_code == 201
    with requests.get(f"{aws.ecr_url}/v2/large/blobs/{name}", auth=auth, stream=True, timeout=300) as answer:
        assert sum(map(len, answer.iter_content(1024 * 1024))) == size
    assert peak() - before < size // 4


# Tags


def test_an_immutable_tag_stays_where_it_is(aws: Service) -> None:
    create(aws, "fixed", "IMMUTABLE")
    auth, one, two = aws.token(), make_image("fixed 1"), make_image("fixed 2")
    assert push(aws.ecr_url, auth, "fixed", one, "1").status_code == 201
    message = (
        "The image tag '1' already exists in the 'fixed' repository "
        "and cannot be overwritten because the repository is immutable."
    )
    for image in (two, one):  # ECR refuses the same image too
        assert error_of(push(aws.ecr_url, auth, "fixed", image, "1")) == (400, "TAG_INVALID", message)
    old_kind = Image([], b"{}", "application/vnd.docker.distribution.manifest.v1+prettyjws")
    assert error_of(put_manifest(aws.ecr_url, auth, "fixed", old_kind, "1")) == (400, "TAG_INVALID", message)
    assert error_of(put_manifest(aws.ecr_url, auth, "fixed", old_kind, "9"))[1] == "MANIFEST_INVALID"
    assert digests(aws, "fixed") == {one.digest: ["1"]}
    assert not in_registry(aws, "fixed", two)
    assert push(aws.ecr_url, auth, "fixed", one, "2").status_code == 201
    assert push(aws.ecr_url, auth, "fixed", two, "3").status_code == 201
    assert digests(aws, "fixed") == {one.digest: ["1", "2"], two.digest: ["3"]}


def test_a_mutable_tag_moves_and_leaves_the_old_image(aws: Service) -> None:
    create(aws, "moving")
    auth, one, two = aws.token(), make_image("moving 1"), make_image("moving 2")
    assert push(aws.ecr_url, auth, "moving", one, "latest").status_code == 201
    assert push(aws.ecr_url, auth, "moving", one, "latest").status_code == 201
    assert push(aws.ecr_url, auth, "moving", two, "latest").status_code == 201
    assert digests(aws, "moving") == {one.digest: [], two.digest: ["latest"]}
    assert get(aws, auth, "moving/manifests/latest").headers["Docker-Content-Digest"] == two.digest
    assert get(aws, auth, f"moving/manifests/{one.digest}").content == one.manifest


def test_exclusions_leave_some_tags_free(aws: Service) -> None:
    filters = [{"filterType": "WILDCARD", "filter": "dev-*"}]
    create(aws, "mixed", "IMMUTABLE_WITH_EXCLUSION", imageTagMutabilityExclusionFilters=filters)
    (shown,) = aws.client("ecr").describe_repositories(repositoryNames=["mixed"])["repositories"]
    assert shown["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert shown["imageTagMutabilityExclusionFilters"] == filters
    auth, one, two = aws.token(), make_image("mixed 1"), make_image("mixed 2")
    for tag in ("dev-1", "my-dev-1"):
        assert push(aws.ecr_url, auth, "mixed", one, tag).status_code == 201
    assert push(aws.ecr_url, auth, "mixed", two, "dev-1").status_code == 201
    assert error_of(push(aws.ecr_url, auth, "mixed", two, "my-dev-1"))[1] == "TAG_INVALID"


def test_put_image_tags_again_as_the_api_does(aws: Service) -> None:
    create(aws, "retag", "IMMUTABLE")
    one, two, auth, ecr = make_image("retag 1"), make_image("retag 2"), aws.token(), aws.client("ecr")

    def put(image: Image, tag: str, name: str = "retag") -> Any:
        return ecr.put_image(repositoryName=name, imageManifest=image.manifest.decode(), imageTag=tag)["image"]

    assert push(aws.ecr_url, auth, "retag", one, "1").status_code == 201
    assert push(aws.ecr_url, auth, "retag", two, two.digest).status_code == 201
    assert put(one, "2")["imageId"] == {"imageDigest": one.digest, "imageTag": "2"}
    assert code_of(lambda: put(one, "1")) == "ImageAlreadyExistsException"
    assert code_of(lambda: put(two, "1")) == "ImageTagAlreadyExistsException"
    assert code_of(lambda: put(make_image("no layers"), "3")) == "LayersNotFoundException"
    assert code_of(lambda: put(one, "1", "missing")) == "RepositoryNotFoundException"
    assert digests(aws, "retag") == {one.digest: ["1", "2"], two.digest: []}
    ecr.put_image_tag_mutability(repositoryName="retag", imageTagMutability="MUTABLE")
    put(two, "1")
    assert digests(aws, "retag") == {one.digest: ["2"], two.digest: ["1"]}


def test_layers_uploaded_through_the_api_are_in_the_registry(aws: Service) -> None:
    create(aws, "by-api")
    ecr, image = aws.client("ecr"), make_image("by api")
    for blob in image.blobs:
        upload = ecr.initiate_layer_upload(repositoryName="by-api")["uploadId"]
        ecr.upload_layer_part(
            repositoryName="by-api",
            uploadId=upload,
            partFirstByte=0,
            partLastByte=len(blob) - 1,
            layerPartBlob=blob,
        )
        ecr.complete_layer_upload(repositoryName="by-api", uploadId=upload, layerDigests=[digest(blob)])
    ecr.put_image(repositoryName="by-api", imageManifest=image.manifest.decode(), imageTag="1")
    auth = aws.token()
    assert get(aws, auth, "by-api/manifests/1").content == image.manifest
    assert get(aws, auth, f"by-api/blobs/{digest(image.blobs[0])}").content == image.blobs[0]
    wanted = [digest(image.blobs[0]), digest(b"none")]
    checked = ecr.batch_check_layer_availability(repositoryName="by-api", layerDigests=wanted)
    assert [layer["layerDigest"] for layer in checked["layers"]] == wanted[:1]
    assert [failure["layerDigest"] for failure in checked["failures"]] == wanted[1:]


# Deletion


def test_a_deleted_image_is_gone_in_both_places(aws: Service) -> None:
    create(aws, "gone")
    auth, one, two, ecr = aws.token(), make_image("gone 1"), make_image("gone 2"), aws.client("ecr")
    for image, tags in ((one, ["a", "b"]), (two, ["c"])):
        for tag in tags:
            assert push(aws.ecr_url, auth, "gone", image, tag).status_code == 201
    deleted = ecr.batch_delete_image(repositoryName="gone", imageIds=[{"imageTag": "a"}, {"imageTag": "none"}])
    assert deleted["imageIds"] == [{"imageDigest": one.digest, "imageTag": "a"}]
    assert deleted["failures"][0]["failureCode"] == "ImageNotFound"
    assert digests(aws, "gone") == {one.digest: ["b"], two.digest: ["c"]}
    assert in_registry(aws, "gone", one)
    ecr.batch_delete_image(repositoryName="gone", imageIds=[{"imageTag": "b"}])
    assert digests(aws, "gone") == {two.digest: ["c"]}
    assert not in_registry(aws, "gone", one)
    assert error_of(get(aws, auth, f"gone/manifests/{one.digest}"))[:2] == (404, "MANIFEST_UNKNOWN")
    assert get(aws, auth, f"gone/manifests/{two.digest}", "DELETE").status_code == 202
    assert digests(aws, "gone") == {}
    assert not in_registry(aws, "gone", two)


def test_a_deleted_image_can_be_pushed_again(aws: Service) -> None:
    create(aws, "again", "IMMUTABLE")
    auth, image, ecr = aws.token(), make_image("again"), aws.client("ecr")
    for _ in range(2):
        assert push(aws.ecr_url, auth, "again", image, "1").status_code == 201
        assert get(aws, auth, "again/manifests/1").content == image.manifest
        ecr.batch_delete_image(repositoryName="again", imageIds=[{"imageDigest": image.digest}])


def test_a_repository_with_images_goes_only_by_force_and_takes_them_along(aws: Service) -> None:
    create(aws, "full")
    auth, image, ecr = aws.token(), make_image("full"), aws.client("ecr")
    assert push(aws.ecr_url, auth, "full", image, "1").status_code == 201
    assert code_of(lambda: ecr.delete_repository(repositoryName="full")) == "RepositoryNotEmptyException"
    assert digests(aws, "full") == {image.digest: ["1"]}
    ecr.delete_repository(repositoryName="full", force=True)
    assert not in_registry(aws, "full", image)
    create(aws, "full")
    assert digests(aws, "full") == {}
    # A new repository holds no layers of the old one.
    assert get(aws, auth, f"full/blobs/{digest(image.blobs[0])}", "HEAD").status_code == 404
    assert push(aws.ecr_url, auth, "full", image, "1").status_code == 201


# Scans


def scan(aws: Service, name: str, tag: str) -> Any:
    return aws.client("ecr").describe_image_scan_findings(repositoryName=name, imageId={"imageTag": tag})


def test_a_scan_on_push_is_complete_with_the_findings_of_the_file(aws: Service) -> None:
    create(aws, "scanned", imageScanningConfiguration={"scanOnPush": True})
    assert push(aws.ecr_url, aws.token(), "scanned", make_image("scanned"), "1").status_code == 201
    assert scan(aws, "scanned", "1")["imageScanStatus"]["status"] == "COMPLETE"
    assert scan(aws, "scanned", "1")["imageScanFindings"]["findings"] == []
    seeds = aws.folder / "scan-findings.json"
    seeded = {"image": "scanned:1", "name": "CVE-2026-0001", "severity": "CRITICAL", "uri": "https://example.com"}
    seeds.write_text(json.dumps({"findings": [seeded, {**seeded, "image": "scanned:2"}]}))
    found = scan(aws, "scanned", "1")["imageScanFindings"]
    assert found["findings"] == [{"name": "CVE-2026-0001", "severity": "CRITICAL", "uri": "https://example.com"}]
    assert found["findingSeverityCounts"] == {"CRITICAL": 1}
    (detail,) = aws.client("ecr").describe_images(repositoryName="scanned")["imageDetails"]
    assert detail["imageScanFindingsSummary"]["findingSeverityCounts"] == {"CRITICAL": 1}
    seeds.write_text(json.dumps({"seconds": 3600, "findings": [seeded]}))
    assert scan(aws, "scanned", "1")["imageScanStatus"]["status"] == "IN_PROGRESS"
    assert "imageScanFindings" not in scan(aws, "scanned", "1")
    for broken in ("{", "[]", '{"findings": [{"image": "*", "name": "CVE-1", "severity": "BAD"}]}'):
        seeds.write_text(broken)
        assert code_of(lambda: scan(aws, "scanned", "1")) == "ServerException"
    seeds.unlink()


def test_a_scan_is_started_by_hand_once_a_day(aws: Service) -> None:
    create(aws, "by-hand")
    assert push(aws.ecr_url, aws.token(), "by-hand", make_image("by hand"), "1").status_code == 201
    assert code_of(lambda: scan(aws, "by-hand", "1")) == "ScanNotFoundException"
    ecr = aws.client("ecr")
    started = ecr.start_image_scan(repositoryName="by-hand", imageId={"imageTag": "1"})
    assert started["imageScanStatus"]["status"] == "COMPLETE"
    assert scan(aws, "by-hand", "1")["imageScanStatus"]["status"] == "COMPLETE"
    again = {"repositoryName": "by-hand", "imageId": {"imageTag": "1"}}
    assert code_of(lambda: ecr.start_image_scan(**again)) == "LimitExceededException"


# What a repository is made with


def test_a_repository_keeps_what_it_was_made_with(aws: Service) -> None:
    ecr, kms = aws.client("ecr"), aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    tags = [{"Key": "team", "Value": "a"}]
    made = ecr.create_repository(
        repositoryName="made",
        tags=tags,
        imageScanningConfiguration={"scanOnPush": True},
        encryptionConfiguration={"encryptionType": "KMS", "kmsKey": key},
    )["repository"]
    assert made["repositoryArn"] == repository_arn("made")
    (shown,) = ecr.describe_repositories(repositoryNames=["made"])["repositories"]
    assert shown["encryptionConfiguration"] == {"encryptionType": "KMS", "kmsKey": key}
    assert shown["imageScanningConfiguration"] == {"scanOnPush": True}
    assert ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"] == tags
    rule = {"rulePriority": 1, "action": {"type": "expire"}}
    selection = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1}
    policy = json.dumps({"rules": [{**rule, "selection": selection}]})
    ecr.put_lifecycle_policy(repositoryName="made", lifecyclePolicyText=policy)
    assert ecr.get_lifecycle_policy(repositoryName="made")["lifecyclePolicyText"] == policy
    ecr.delete_lifecycle_policy(repositoryName="made")
    assert code_of(lambda: ecr.get_lifecycle_policy(repositoryName="made")) == "LifecyclePolicyNotFoundException"


def test_an_empty_scanning_configuration_switches_scanning_off(aws: Service) -> None:
    ecr, name = aws.client("ecr"), create(aws, "not-scanned", imageScanningConfiguration={"scanOnPush": True})
    answer = ecr.put_image_scanning_configuration(repositoryName=name, imageScanningConfiguration={})
    assert answer["imageScanningConfiguration"] == {"scanOnPush": False}
    (shown,) = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert shown["imageScanningConfiguration"] == {"scanOnPush": False}


# Failures, and the state after them


def test_everything_acknowledged_is_there_after_a_kill(tmp_path: Path, registry: str) -> None:
    aws = make_service(tmp_path, registry)
    aws.start()
    create(aws, "killed")
    key = aws.user("survivor", TOKEN, allow(PUSH, repository_arn("killed")))
    auth, image = aws.token(key), make_image("killed")
    assert push_blob(aws.ecr_url, auth, "killed", image.blobs[0]).status_code == 201
    where = {"LocationConstraint": "us-east-2"}
    aws.client("s3").create_bucket(Bucket="killed", CreateBucketConfiguration=where)
    aws.client("s3").put_object(Bucket="killed", Key="k", Body=b"content")
    key_id = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    sealed = aws.client("kms").encrypt(KeyId=key_id, Plaintext=b"plain")["CiphertextBlob"]
    assert aws.end(signal.SIGKILL) == -signal.SIGKILL
    aws.start()
    assert push_blob(aws.ecr_url, auth, "killed", image.blobs[1]).status_code == 201
    assert put_manifest(aws.ecr_url, auth, "killed", image, "1").status_code == 201
    assert aws.client("s3").get_object(Bucket="killed", Key="k")["Body"].read() == b"content"
    assert aws.client("kms").decrypt(CiphertextBlob=sealed)["Plaintext"] == b"plain"
    aws.end(signal.SIGKILL)
    aws.start()
    assert digests(aws, "killed") == {image.digest: ["1"]}
    assert aws.client("sts", key).get_caller_identity()["Arn"].endswith("user/survivor")
    assert aws.end() == 0
    secrets = [key["SecretAccessKey"], auth[1], b64encode(":".join(auth).encode()).decode(), REGISTRY_PASSWORD]
    for path in [*aws.folder.rglob("*")]:
        text = path.read_text(errors="replace") if path.is_file() else ""
        assert not [secret for secret in secrets if secret in text]
    assert {path.stat().st_mode & 0o777 for path in aws.keys.glob("aws-*.pickle")} == {0o600}


def test_files_put_in_place_of_its_own_are_served_at_once_by_both_servers(tmp_path: Path, registry: str) -> None:
    aws = make_service(tmp_path, registry)
    aws.start()
    create(aws, "restored")
    auth, image = aws.token(), make_image("restored")
    kept = {path: path.read_bytes() for path in aws.keys.glob("aws-*.pickle")}
    assert len(kept) == 4
    for blob in image.blobs:
        assert push_blob(aws.ecr_url, auth, "restored", blob).status_code == 201
    assert put_manifest(aws.ecr_url, auth, "restored", image, "1").status_code == 201
    late = aws.token()
    aws.user("new")
    for path, content in kept.items():
        write(path, content, mode=0o600)
    assert requests.get(f"{aws.ecr_url}/v2/", auth=late, timeout=30).status_code == 400  # a token of later
    assert digests(aws, "restored") == {}
    assert aws.client("iam").list_users()["Users"] == []
    for blob in image.blobs:
        assert push_blob(aws.ecr_url, auth, "restored", blob).status_code == 201
    assert put_manifest(aws.ecr_url, auth, "restored", image, "1").status_code == 201
    assert digests(aws, "restored") == {image.digest: ["1"]}
    assert aws.end() == 0


def test_a_registry_that_is_down_is_named_and_nothing_is_half_done(tmp_path: Path) -> None:
    aws = make_service(tmp_path, "http://127.0.0.1:1")
    aws.start()
    create(aws, "down")
    ecr = aws.client("ecr")
    upload = ecr.initiate_layer_upload(repositoryName="down")["uploadId"]
    ecr.upload_layer_part(repositoryName="down", uploadId=upload, partFirstByte=0, partLastByte=0, layerPartBlob=b"x")
    finish = {"repositoryName": "down", "uploadId": upload, "layerDigests": [digest(b"x")]}
    assert code_of(lambda: ecr.complete_layer_upload(**finish)) == "ServerException"
    checked = ecr.batch_check_layer_availability(repositoryName="down", layerDigests=[digest(b"x")])
    assert checked["layers"] == []
    ecr.delete_repository(repositoryName="down")
    assert aws.end() == 0


def test_each_step_says_at_once_that_the_registry_is_down_and_how_to_start_it(tmp_path: Path, registry: str) -> None:
    aws = make_service(tmp_path, registry)
    aws.start()
    create(aws, "down")
    auth, image = aws.token(), make_image("while the registry was there")
    assert push(aws.ecr_url, auth, "down", image, "here").status_code == 201
    assert aws.end() == 0
    aws.upstream = "http://127.0.0.1:1"
    aws.start()
    auth, base, layer = aws.token(), f"{aws.ecr_url}/v2/down", digest(image.blobs[0])
    upload = f"{base}/blobs/uploads/3f0c5d4e-0000-4000-8000-000000000000"
    # Docker gives up at once on DENIED and shows its message; a 503 it tries again, and shows the status alone.
    said = (403, "DENIED", "the sandbox's registry does not answer: start it with `python -m sandbox up`")
    for method, url in (
        ("POST", f"{base}/blobs/uploads/"),
        ("POST", f"{base}/blobs/uploads/?mount={layer}&from=down"),
        ("GET", upload),
        ("PATCH", upload),
        ("PUT", f"{upload}?digest={layer}"),
        ("DELETE", upload),
        ("GET", f"{base}/blobs/{layer}"),
        ("GET", f"{base}/manifests/here"),
        ("GET", f"{base}/manifests/{image.digest}"),
    ):
        answer = requests.request(method, url, data=b"x" * 9 if method == "PATCH" else None, auth=auth, timeout=300)
        assert error_of(answer) == said, f"{method} {url}"
    for url in (f"{base}/blobs/{layer}", f"{base}/manifests/here"):
        assert requests.head(url, auth=auth, timeout=300).status_code == 403
    again = replace(image, manifest=image.manifest + b"\n")  # another digest, the same layers
    assert error_of(put_manifest(aws.ecr_url, auth, "down", again, "new")) == said
    assert requests.get(f"{base}/tags/list", auth=auth, timeout=300).json()["tags"] == ["here"]
    assert aws.end() == 0


class Breaking(ThreadingHTTPServer):
    """A registry's front that breaks DELETE while `broken` is set."""

    upstream = ""
    broken = threading.Event()


class Relay(BaseHTTPRequestHandler):
    """Passes requests on."""

    protocol_version = "HTTP/1.1"

    def _relay(self) -> None:
        assert isinstance(self.server, Breaking)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command == "DELETE" and self.server.broken.is_set():
            status, headers, content = 500, {}, b"broken"
        else:
            url = self.server.upstream + self.path
            answer = requests.request(self.command, url, data=body, headers=dict(self.headers), timeout=300)
            status, headers, content = answer.status_code, dict(answer.headers), answer.content
        headers.setdefault("Content-Length", str(len(content)))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = _relay  # noqa: N815 (http.server's names)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_a_deletion_that_the_registry_missed_is_made_up_for(tmp_path: Path, registry: str) -> None:
    with Breaking(("127.0.0.1", 0), Relay) as relay:
        relay.upstream = registry
        thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        aws = make_service(tmp_path, f"http://127.0.0.1:{relay.server_port}")
        aws.start()
        try:
            create(aws, "missed")
            image = make_image("missed")
            assert push(aws.ecr_url, aws.token(), "missed", image, "1").status_code == 201
            relay.broken.set()
            aws.client("ecr").batch_delete_image(repositoryName="missed", imageIds=[{"imageTag": "1"}])
            assert digests(aws, "missed") == {}
            assert in_registry(aws, "missed", image)
            assert error_of(get(aws, aws.token(), f"missed/manifests/{image.digest}"))[0] == 404
            assert aws.end(signal.SIGKILL) == -signal.SIGKILL
            relay.broken.clear()
            aws.start()
            assert not in_registry(aws, "missed", image)
        finally:
            aws.end()
            relay.shutdown()
            thread.join()


def listening(pid: int) -> set[str]:
    """The local addresses on which a process listens (proc(5), /proc/PID/net/tcp)."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it is closed meanwhile
            inodes.add(str(descriptor.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                found.add(fields[1])
    return found


def test_it_listens_on_the_loopback_only(aws: Service) -> None:
    assert aws.process is not None
    ports = {f"0100007F:{port:04X}" for port in (aws.port, aws.ecr_port)}
    assert listening(aws.process.pid) == ports


def test_its_command_says_that_it_is_ready_serves_and_ends(tmp_path: Path) -> None:
    aws = make_service(tmp_path, "http://127.0.0.1:1")
    read, write = os.pipe()
    command = [sys.executable, "-m", "sandbox.aws", *aws.arguments(), "--ready-fd", str(write)]
    with subprocess.Popen(command, cwd=CHECKOUT, pass_fds=[write]) as process:
        try:
            os.close(write)
            with os.fdopen(read) as ready:
                assert ready.read() == "ready\n"
            assert aws.client("sts").get_caller_identity()["Account"] == ACCOUNT
            process.terminate()
            assert process.wait(timeout=300) == 0
        finally:
            process.kill()


def test_it_says_why_it_cannot_start(tmp_path: Path, aws: Service) -> None:
    def start(*change: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "sandbox.aws", "--folder", str(tmp_path), "--keys", str(aws.keys)]
        command += ["--port", "1", "--registry-port", "2", "--upstream", aws.upstream, *change]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        return done.returncode, done.stderr

    code, said = start("--port", "0")
    assert code == 2
    assert "0 is no fixed port: the repository's URL holds it, so choose one" in said
    code, said = start("--keys", str(tmp_path / "none"))
    assert code == 1
    assert "aws-admin.json" in said
    assert "Traceback" not in said
    taken = start(
        "--port", str(aws.port), "--registry-port", str(aws.ecr_port), "--keys", str(copy_keys(tmp_path, aws))
    )
    assert taken[0] == 1
    assert "Address already in use" in taken[1] or "address already in use" in taken[1]
    assert "Traceback" not in taken[1]


def copy_keys(tmp_path: Path, aws: Service) -> Path:
    keys = tmp_path / "keys"
    keys.mkdir()
    for name in ("aws-admin.json", "registry-password"):
        (keys / name).write_bytes((aws.keys / name).read_bytes())
    return keys
