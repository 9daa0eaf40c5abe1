"""From a witness to a call that shows whether it is allowed and changes nothing, or the reason why there is none.

Three kinds of calls are harmless: those that read, those with a dry run of their own, and those that the service
refuses for their content, after it has authorised them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audit.clouds.aws import Aws
from audit.errors import AuditError

Witness = Mapping[str, Any]
"""A request as a JSON report holds it: action, resource, principal, context."""

NOBODY = "audit-rehearsal"
"""The name of what is not there."""
NO_DIGEST = f"sha256:{'0' * 64}"
NO_UPLOAD = "00000000-0000-4000-8000-000000000000"
NO_POLICY = (
    "this is no policy, so that the call is refused for it after it is authorised; nothing is changed by it at all"
)

READS = re.compile(r"(?:Get|List|Describe|BatchGet|BatchCheck|Head)[A-Z]")
"""Operations of these names read; others that only read (ReceiveMessage) can have effects."""

MALFORMED = frozenset({"MalformedPolicyDocument", "InvalidParameterException"})
REFUSED_LATER: dict[str, tuple[dict[str, Any], frozenset[str]]] = {
    "ecr:BatchDeleteImage": ({"imageIds": [{"imageDigest": NO_DIGEST}]}, frozenset()),
    "ecr:CompleteLayerUpload": (
        {"uploadId": NO_UPLOAD, "layerDigests": [NO_DIGEST]},
        frozenset({"UploadNotFoundException"}),
    ),
    "ecr:PutLifecyclePolicy": ({"lifecyclePolicyText": NO_POLICY}, MALFORMED),
    "ecr:SetRepositoryPolicy": ({"policyText": NO_POLICY}, MALFORMED),
    "ecr:UploadLayerPart": (
        {"uploadId": NO_UPLOAD, "partFirstByte": 0, "partLastByte": 0, "layerPartBlob": b"0"},
        frozenset({"UploadNotFoundException"}),
    ),
    "iam:PutGroupPolicy": ({"PolicyName": NOBODY, "PolicyDocument": NO_POLICY}, MALFORMED),
    "iam:PutRolePolicy": ({"PolicyName": NOBODY, "PolicyDocument": NO_POLICY}, MALFORMED),
    "iam:PutUserPolicy": ({"PolicyName": NOBODY, "PolicyDocument": NO_POLICY}, MALFORMED),
}
"""Calls that cannot do anything, whatever is there: their parameters, and the codes by which they are refused only to
one who may make them."""

OPERATIONS = {
    "s3:GetLifecycleConfiguration": "GetBucketLifecycleConfiguration",
    "s3:ListAllMyBuckets": "ListBuckets",
    "s3:ListBucket": "ListObjectsV2",
}
"""Operations that have another name than their action."""

FILLED: dict[str, Any] = {"imageIds": [{"imageTag": NOBODY}], "layerDigest": NO_DIGEST, "layerDigests": [NO_DIGEST]}
"""Values of parameters that any text does not do for."""


class CannotAsk(Exception):  # noqa: N818 - a state of things, no error
    """There is no harmless call that would show it; the text says why."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `only_after`: the error codes that come only after authorisation."""

    service: str
    operation: str
    region: str
    parameters: Mapping[str, Any]
    only_after: frozenset[str] = frozenset()


def call(witness: Witness, aws: Aws, account: str) -> Call:
    """The call that asks for what the witness is about. Raises CannotAsk."""
    action, resource = str(witness["action"]), str(witness["resource"])
    service, _, name = action.partition(":")
    _, _, _, region, owner, rest = (resource.split(":", 5) + [""] * 6)[:6] if resource != "*" else [""] * 6
    _conditions(witness, region or aws.region())
    if owner not in ("", account, "aws"):
        raise CannotAsk(f"its resource is of account {owner}, and this is {account}")
    model = _model(service, aws)
    operation = OPERATIONS.get(action, name)
    if operation not in model.operation_names:
        raise CannotAsk(f"{action} is no operation that could be called")
    shape = model.operation_model(operation).input_shape
    members = dict(shape.members) if shape else {}
    named = {} if resource == "*" else _names(members, service, resource, rest)
    if resource != "*" and not named:
        raise CannotAsk(f"how {operation} would name {resource} is not known")
    if "registryId" in members and owner:
        named["registryId"] = owner
    more, only_after = _harmless(action, operation, members)
    parameters = {**_required(shape, members), **more, **named}
    return Call(service, operation, region or aws.region(), parameters, only_after)


def _conditions(witness: Witness, region: str) -> None:
    for key, value in witness["context"].items():
        if not (key.lower() == "aws:requestedregion" and value in (region, [region])):
            raise CannotAsk(f"a call cannot choose the value of {key}")


def _model(service: str, aws: Aws) -> Any:
    try:
        return aws.client(service).meta.service_model
    except AuditError:
        raise CannotAsk(f"the AWS SDK of this installation has no service {service}") from None


def _harmless(action: str, operation: str, members: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """Parameters that keep the call from doing anything, and the codes by which it is then refused."""
    if action in REFUSED_LATER:
        return REFUSED_LATER[action]
    if "DryRun" in members:
        return {"DryRun": True}, frozenset({"DryRunOperation", "DryRunOperationException"})
    if not READS.match(operation):
        raise CannotAsk(f"{operation} would change something")
    return {}, frozenset()


def _names(members: Mapping[str, Any], service: str, resource: str, rest: str) -> dict[str, Any]:
    """The parameters that name the resource: by its ARN, or by the name that stands after its kind in the ARN."""
    if service == "s3":
        bucket, _, key = rest.partition("/")
        return {name: text for name, text in (("Bucket", bucket), ("Key", key)) if name in members and text}
    kind, _, name = rest.replace(":", "/", 1).partition("/") if re.search("[/:]", rest) else ("", "", rest)
    if service == "iam":
        name = name.rpartition("/")[2]  # the rest is its path
    kind = kind.replace("-", "").lower()
    known = {f"{kind}arn": resource, "resourcearn": resource, "arn": resource, f"{kind}name": name}
    known |= {f"{kind}id": resource if kind in ("key", "secret") else name}
    known |= {"secretid": resource} if kind == "secret" else {}
    found: dict[str, Any] = {}
    for member, shape in members.items():
        low = member.lower()
        if low in known and shape.type_name == "string":
            found[member] = known[low]
        elif low.removesuffix("s") in known and low.endswith("s") and shape.type_name == "list":
            found[member] = [known[low.removesuffix("s")]]
    return found


def _required(shape: Any, members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: FILLED.get(name, _any(members[name])) for name in (shape.required_members if shape else ())}


def _any(shape: Any) -> Any:
    """A value of the shape, as short as it may be."""
    if shape.type_name == "structure":
        return _required(shape, shape.members)
    if shape.type_name == "list":
        return [_any(shape.member)]
    if shape.type_name == "map":
        return {}
    if shape.type_name in ("integer", "long", "double", "float"):
        return shape.metadata.get("min", 1)
    if shape.type_name == "boolean":
        return False
    if shape.type_name == "blob":
        return b"0"
    return shape.enum[0] if getattr(shape, "enum", None) else NOBODY
