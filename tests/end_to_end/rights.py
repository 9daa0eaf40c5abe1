"""The requests of docs/rights.md: what each row of its tables really asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs/rights.md"
PROJECT = "app-one"
_GIT = f"{PROJECT}/_apis/git/repositories/app-one"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}


def table(section: str, text: str | None = None) -> dict[str, dict[str, bool]]:
    """A table of the page: request -> party -> whether it may. section: the heading's text."""
    text = PAGE.read_text(encoding="utf-8") if text is None else text
    part = text.partition(f"## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    parties, said = rows[0][1:], {"yes": True, "no": False}
    found = {row[0]: {party: said[cell] for party, cell in zip(parties, row[1:], strict=True)} for row in rows[2:]}
    assert len(found) == len(rows) - 2, "a request stands twice"
    return found


@dataclass(frozen=True)
class Place:
    """What the requests name: things that are there, so that only a right can be missing.

    bucket and prefix: of the image's state; foundation: the bucket of the foundation's. kept: contents of the files
    that are written back as they were. sealed: something that the foundation's key has encrypted.
    """

    account: str
    image_bucket: str
    foundation_bucket: str
    prefix: str
    key: str
    sealed: bytes = field(repr=False)
    kept: Mapping[str, bytes] = field(repr=False)
    digest: str = f"sha256:{'0' * 64}"

    @property
    def root(self) -> str:
        """Of both backends, in their buckets."""
        return f"{self.prefix}/.pulumi"


Clients = Callable[[str], Any]
"""A client of boto3 for a service, with the credentials of who asks."""


@dataclass(frozen=True)
class Ask:
    """A request of AWS. met: errors that only somebody with the right is answered, since nothing real is to be done."""

    send: Callable[[Clients, Place], object]
    met: tuple[str, ...] = ()


def _own(operation: str, *met: str, **arguments: Any) -> Ask:
    return Ask(lambda aws, _: getattr(aws("ecr"), operation)(repositoryName="app-one", **arguments), met)


def _other(operation: str, *met: str, **arguments: Any) -> Ask:
    return Ask(lambda aws, _: getattr(aws("ecr"), operation)(repositoryName="other", **arguments), met)


def _iam(operation: str, *met: str, **arguments: Any) -> Ask:
    def send(aws: Clients, at: Place) -> object:
        texts = {name: str(value).replace("{account}", at.account) for name, value in arguments.items()}
        return getattr(aws("iam"), operation)(**texts)

    return Ask(send, met)


def _kms(operation: str, *met: str, **arguments: Any) -> Ask:
    return Ask(lambda aws, at: getattr(aws("kms"), operation)(KeyId=at.key, **arguments), met)


def _get(bucket: str, file: str) -> Ask:
    return Ask(lambda aws, at: aws("s3").get_object(Bucket=getattr(at, bucket), Key=f"{at.root}/{file}"))


def _put(bucket: str, file: str) -> Ask:
    """Write a file as it was; one that was not there, with nothing in it."""

    def send(aws: Clients, at: Place) -> object:
        where, name = getattr(at, bucket), f"{at.root}/{file}"
        return aws("s3").put_object(Bucket=where, Key=name, Body=at.kept.get(f"{where}/{name}", b"{}"))

    return Ask(send)


def _remove(bucket: str, file: str) -> Ask:
    return Ask(lambda aws, at: aws("s3").delete_object(Bucket=getattr(at, bucket), Key=f"{at.root}/{file}"))


def _open(bucket: str) -> Ask:
    def send(aws: Clients, at: Place) -> object:
        where = getattr(at, bucket)
        resource = f"arn:aws:s3:::{where}/nothing"
        principal = {"AWS": f"arn:aws:iam::{at.account}:root"}
        statement = {"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": resource}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        return aws("s3").put_bucket_policy(Bucket=where, Policy=json.dumps(policy))

    return Ask(send)


_MANIFEST = {"imageManifest": json.dumps({"schemaVersion": 2, "layers": []}), "imageTag": "rights"}
_REFUSED_MANIFEST = ("InvalidParameterException", "LayersNotFoundException", "ImageAlreadyExistsException")
_NO_IMAGE = {"imageDigest": f"sha256:{'0' * 64}"}
_LAYER = {"layerDigest": f"sha256:{'0' * 64}"}
_RULE = {"rulePriority": 1, "action": {"type": "expire"}}
_RULE |= {"selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 100}}
_STACK, _LOCK = "stacks/app-one/dev-image.json", "locks/organization/app-one/dev-image/rights.json"
_PUSHER = {"UserName": "app-one-push"}
_IMAGE, _FOUNDATION = "image_bucket", "foundation_bucket"
_NOBODY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]})

AWS: dict[str, Ask] = {
    "sign in to the registry": Ask(lambda aws, _: aws("ecr").get_authorization_token()),
    "look the repository up": Ask(lambda aws, _: aws("ecr").describe_repositories(repositoryNames=["app-one"])),
    "read a manifest": _own("batch_get_image", imageIds=[_NO_IMAGE]),
    "read scan findings": _own("describe_image_scan_findings", "ImageNotFoundException", imageId=_NO_IMAGE),
    # The sandbox judges it and does not have it.
    "pull a layer": _own("get_download_url_for_layer", "NotImplemented", **_LAYER),
    "push a layer": _own("initiate_layer_upload"),
    "push a manifest": _own("put_image", *_REFUSED_MANIFEST, **_MANIFEST),
    "delete an image": _own("batch_delete_image", imageIds=[_NO_IMAGE]),
    "read the lifecycle policy": _own("get_lifecycle_policy"),
    "change the lifecycle policy": _own("put_lifecycle_policy", lifecyclePolicyText=json.dumps({"rules": [_RULE]})),
    "make its tags mutable": _own("put_image_tag_mutability", imageTagMutability="MUTABLE"),
    "let another account in": _own(
        "set_repository_policy",
        policyText=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Principal": {"AWS": "210987654321"}, "Action": "ecr:BatchGetImage"}],
            }
        ),
    ),
    "delete the repository": _own("delete_repository", "RepositoryNotEmptyException"),
    "make a repository": Ask(
        lambda aws, _: aws("ecr").create_repository(repositoryName="one-more"), ("RepositoryAlreadyExistsException",)
    ),
    "look another repository up": Ask(lambda aws, _: aws("ecr").describe_repositories(repositoryNames=["other"])),
    "read another repository's manifest": _other("batch_get_image", imageIds=[_NO_IMAGE]),
    "push a layer to another repository": _other("initiate_layer_upload"),
    "push a manifest to another repository": _other("put_image", *_REFUSED_MANIFEST, **_MANIFEST),
    "who am I": Ask(lambda aws, _: aws("sts").get_caller_identity()),
    "take the push role without a token": Ask(
        lambda aws, at: aws("sts").assume_role(
            RoleArn=f"arn:aws:iam::{at.account}:role/app-one-push", RoleSessionName="rights"
        )
    ),
    "look at the age of the pipeline's keys": _iam("list_access_keys", **_PUSHER),
    # The record of a rotation is in a tag, and GetUser answers with the tags.
    "read the tags of the pipeline's user": _iam("get_user", **_PUSHER),
    "look at another user's keys": _iam("list_access_keys", UserName="somebody"),
    "read another user's tags": _iam("get_user", UserName="somebody"),
    "list the users": _iam("list_users"),
    "make a key for the push user": _iam("create_access_key", "LimitExceeded", **_PUSHER),
    "delete a key of the push user": _iam("delete_access_key", "NoSuchEntity", **_PUSHER, AccessKeyId="A" * 20),
    "write a policy on the push user": _iam(
        "put_user_policy", **_PUSHER, PolicyName="rights", PolicyDocument=_NOBODY.replace("s3:*", "s3:PutBucketTagging")
    ),
    "attach the administrator's policy to the push user": _iam(
        "attach_user_policy", "NoSuchEntity", **_PUSHER, PolicyArn="arn:aws:iam::aws:policy/No-such-policy"
    ),
    "join the push group": _iam("add_user_to_group", GroupName="app-one-push", UserName="app-one-push"),
    "change the push policy": _iam(
        "create_policy_version",
        PolicyArn="arn:aws:iam::{account}:policy/app-one-push",
        PolicyDocument=_NOBODY,
    ),
    "change whom the push role trusts": _iam(
        "update_assume_role_policy",
        "MalformedPolicyDocument",
        RoleName="app-one-push",
        PolicyDocument="no policy at all",
    ),
    "read the image's state": _get(_IMAGE, _STACK),
    "read the image's history": _get(_IMAGE, "history/app-one/dev-image/rights.history.json"),
    "read the image's backups": _get(_IMAGE, "backups/app-one/dev-image/rights.json"),
    "write the image's state": _put(_IMAGE, _STACK),
    "write the image's history": _put(_IMAGE, "history/app-one/dev-image/rights.history.json"),
    "take the image's lock": _put(_IMAGE, _LOCK),
    "release the image's lock": _remove(_IMAGE, _LOCK),
    "delete the image's state": _remove(_IMAGE, f"{_STACK}.bak"),
    "tag the image's stack": _put(_IMAGE, "stacks/app-one/dev-image.pulumi-tags"),
    "change the image's backend version": _put(_IMAGE, "meta.yaml"),
    "open the image's state to others": _open(_IMAGE),
    "read another stack's state beside the image's": _get(_IMAGE, "stacks/app-one/prod-image.json"),
    "write another stack's state beside the image's": _put(_IMAGE, "stacks/app-one/prod-image.json"),
    "read the foundation's state": _get(_FOUNDATION, "stacks/app-one/dev.json"),
    "read the foundation's history": _get(_FOUNDATION, "history/app-one/dev/rights.history.json"),
    "list the foundation's bucket": Ask(
        lambda aws, at: aws("s3").list_objects_v2(Bucket=at.foundation_bucket, Prefix=f"{at.root}/stacks/")
    ),
    "write the foundation's state": _put(_FOUNDATION, "stacks/app-one/dev.json"),
    "write the foundation's history": _put(_FOUNDATION, "history/app-one/dev/rights.history.json"),
    "take the foundation's lock": _put(_FOUNDATION, "locks/organization/app-one/dev/rights.json"),
    "release the foundation's lock": _remove(_FOUNDATION, "locks/organization/app-one/dev/rights.json"),
    "open the foundation's bucket to others": _open(_FOUNDATION),
    "encrypt with the foundation's key": _kms("encrypt", Plaintext=b"x"),
    "decrypt with the foundation's key": Ask(lambda aws, at: aws("kms").decrypt(CiphertextBlob=at.sealed)),
    "make a data key of the foundation's key": _kms("generate_data_key", KeySpec="AES_256"),
    "let others use the foundation's key": _kms(
        "create_grant", GranteePrincipal="arn:aws:iam::123456789012:root", Operations=["Decrypt"]
    ),
    "change the foundation's key policy": _kms(
        "put_key_policy", "MalformedPolicyDocumentException", PolicyName="default", Policy="no policy at all"
    ),
}


@dataclass(frozen=True)
class Things:
    """What the requests of Azure DevOps name. bodies: things as the service shows them, to be sent back unchanged."""

    numbers: Mapping[str, object]
    bodies: Mapping[str, object] = field(repr=False)

    def filled(self, request: tuple[str, str, object]) -> tuple[str, str, object]:
        """A request with its {names} put in; a body `@name` is one of the bodies."""
        method, path, body = request
        for name, number in self.numbers.items():
            path = path.replace(f"{{{name}}}", str(number))
        if isinstance(body, str) and body.startswith("@"):
            return method, path, self.bodies[body[1:]]
        text = re.sub(r"\{(\w+)\}", lambda found: str(self.numbers[found[1]]), json.dumps(body).replace("{}", "{ }"))
        return method, path, json.loads(text)


_PERMISSIONS = f"{PROJECT}/_apis/pipelines/pipelinePermissions"
_CHECK = f"{PROJECT}/_apis/pipelines/checks/configurations"
_TO_ALL = {"allPipelines": {"authorized": True}}
AZURE_DEVOPS: dict[str, tuple[str, str, object]] = {
    "read the code": ("GET", f"{_GIT}/items?path=/Pulumi.yaml", None),
    "push a branch": ("POST", f"{_GIT}/pushes", "@push a branch"),
    "push to main": ("POST", f"{_GIT}/pushes", "@push to main"),
    "open a pull request": ("POST", f"{_GIT}/pullrequests", "@pull request"),
    "comment on a pull request": (
        "POST",
        f"{_GIT}/pullRequests/{{request}}/threads",
        {"comments": [{"content": "seen", "commentType": 1}]},
    ),
    "complete a pull request that nobody approved": (
        "PATCH",
        f"{_GIT}/pullrequests/{{request}}",
        {"status": "completed"},
    ),
    "queue a run": ("POST", f"{PROJECT}/_apis/build/builds", {"definition": {"id": "{pipeline}"}}),
    "see what may be set when a run is queued": ("GET", f"{PROJECT}/_apis/build/generalsettings", None),
    "change what may be set when a run is queued": (
        "PATCH",
        f"{PROJECT}/_apis/build/generalsettings",
        {"enforceSettableVar": True},
    ),
    "approve a deployment": (
        "PATCH",
        f"{PROJECT}/_apis/pipelines/approvals",
        [{"approvalId": "{approval}", "status": "approved"}],
    ),
    "see what the push group is called and holds": (
        "GET",
        f"{PROJECT}/_apis/distributedtask/variablegroups/{{group}}",
        None,
    ),
    "see the secret in the push group": ("GET", f"{PROJECT}/_apis/distributedtask/variablegroups/{{group}}", None),
    "see what another group holds": ("GET", f"{PROJECT}/_apis/distributedtask/variablegroups/{{other}}", None),
    "change the push group": ("PUT", "_apis/distributedtask/variablegroups/{group}", "@group"),
    "open the push group to all pipelines": (
        "PATCH",
        f"{PROJECT}/_apis/build/authorizedresources",
        [{"type": "variablegroup", "id": "{group}", "authorized": True}],
    ),
    "open the push group to another pipeline": (
        "PATCH",
        f"{_PERMISSIONS}/variablegroup/{{group}}",
        {"pipelines": [{"id": "{pipeline}", "authorized": True}]},
    ),
    "edit the pipeline": ("PUT", f"{PROJECT}/_apis/build/definitions/{{pipeline}}", "@pipeline"),
    "make a pipeline": ("POST", f"{PROJECT}/_apis/build/definitions", "@new pipeline"),
    "edit the policy of reviewers": ("PUT", f"{PROJECT}/_apis/policy/configurations/{{policy}}", "@policy"),
    "delete the policy of reviewers": ("DELETE", f"{PROJECT}/_apis/policy/configurations/{{policy}}", None),
    "edit the branch control of the push group": ("PATCH", f"{_CHECK}/{{check}}", "@check"),
    "delete the branch control of the push group": ("DELETE", f"{_CHECK}/{{check}}", None),
    "edit the push connection": ("PUT", "_apis/serviceendpoint/endpoints/{connection}", "@connection"),
    "open the push connection to all pipelines": ("PATCH", f"{_PERMISSIONS}/endpoint/{{connection}}", _TO_ALL),
    "edit the environment": (
        "PATCH",
        f"{PROJECT}/_apis/distributedtask/environments/{{environment}}",
        {"description": "edited"},
    ),
}
