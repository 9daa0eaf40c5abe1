"""What the service says to one request of one caller: by a call, or by its policy simulator."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from audit.clouds import Gone, NotOffered, Refused
from audit.clouds.aws import DENIED, NOT_SIGNED_IN, Aws
from audit.errors import AuditError
from audit.prove.requests import Call, CannotAsk, Witness
from iam.key_types import type_of

LOOKED_FOR = re.compile(r"NotFound|NoSuch|DoesNotExist|NonExist")
"""Codes of services that look for a thing only for one who may."""
BEFORE_AUTHORISATION = frozenset({"NoSuchBucket"})
"""S3 says to everybody which buckets there are not."""
LONGEST = 300

Answer = dict[str, str]
"""What was answered: `answer` (allowed or refused), `how` (call or decision), `request`, `said`."""


def here(aws: Aws, service: str, region: str | None = None) -> bool:
    """Whether the service's endpoint is on this machine."""
    host = urlsplit(aws.client(service, region).meta.endpoint_url).hostname or ""
    try:
        return host == "localhost" or host.endswith(".localhost") or ip_address(host).is_loopback
    except ValueError:
        return False


def by_call(aws: Aws, asked: Call) -> Answer:
    """What a call is answered. Raises CannotAsk where the answer does not show it, and AuditError."""
    from botocore import xform_name
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    request = f"{asked.service}:{asked.operation}"
    if not here(aws, asked.service, asked.region):  # a service can have an endpoint of its own
        raise AuditError(f"the endpoint of {asked.service} is not on this machine, so nothing was called there")
    client = aws.client(asked.service, asked.region)
    try:
        getattr(client, xform_name(asked.operation))(**asked.parameters)
    except ClientError as error:
        return _said(error.response, asked, request)
    except ParamValidationError:
        raise CannotAsk(f"the parameters of {asked.operation} are not known well enough") from None
    except BotoCoreError as error:
        raise AuditError(f"AWS {asked.service} cannot be reached: {error}; check AWS_ENDPOINT_URL") from None
    return {"answer": "allowed", "how": "call", "request": request, "said": "success"}


def _said(response: Any, asked: Call, request: str) -> Answer:
    error = response.get("Error", {})
    code = str(error.get("Code", "")).rpartition("#")[2]
    text = f"{code}: {error.get('Message', '')}"[:LONGEST]
    if code in NOT_SIGNED_IN:
        raise AuditError(f"AWS refuses the credentials ({code}): sign in again, or set others")
    looked = LOOKED_FOR.search(code) and code not in BEFORE_AUTHORISATION
    if code in asked.only_after or looked:
        return {"answer": "allowed", "how": "call", "request": request, "said": text}
    if code in DENIED or response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 403:
        return {"answer": "refused", "how": "call", "request": request, "said": text}
    raise CannotAsk(f"{request} was answered {code or 'an error'}, which shows neither")


def by_decision(operator: Aws, source: str, witness: Witness) -> Answer:
    """What IAM's policy simulator says of the user or role with this ARN. Raises CannotAsk."""
    parameters: dict[str, Any] = {
        "PolicySourceArn": source,
        "ActionNames": [witness["action"]],
        "ResourceArns": [witness["resource"]],
        "ContextEntries": _entries(witness["context"]),
    }
    try:
        answer = operator.call("iam", "SimulatePrincipalPolicy", **parameters)
    except (Gone, NotOffered, Refused) as refusal:
        raise CannotAsk(f"IAM's policy simulator gives no answer: {refusal}") from None
    decision = str(answer["EvaluationResults"][0]["EvalDecision"])
    said = "allowed" if decision == "allowed" else "refused"
    return {"answer": said, "how": "decision", "request": "iam:SimulatePrincipalPolicy", "said": decision}


def _entries(context: Mapping[str, Any]) -> list[dict[str, Any]]:
    entries = []
    for name, value in context.items():
        kind = (type_of(name.lower()) or "String").removeprefix("ArrayOf")
        kind = {"ARN": "string", "Bool": "boolean", "IPAddress": "ip", "Date": "date", "Numeric": "numeric"}.get(
            kind, "string"
        )
        values = [str(item) for item in value] if isinstance(value, list) else [str(value)]
        suffix = "List" if isinstance(value, list) else ""
        entries.append({"ContextKeyName": name, "ContextKeyValues": values, "ContextKeyType": kind + suffix})
    return entries
