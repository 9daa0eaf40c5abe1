"""Who calls: personal access tokens, tokens of Microsoft Entra (`entra`), and the tokens of pipeline runs.

A token is kept as its SHA-256 (it is 256 random bits, so the hash says nothing about it); the operator's full-access
token is the file `azure-devops-pat` of the key store. Further tokens are issued by the service's own lifecycle API
(`_apis/tokens/pats`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sandbox.azure_devops import clock, entra, identities, shapes
from sandbox.azure_devops.errors import ServiceError, bad_argument
from sandbox.azure_devops.identities import OPERATOR
from sandbox.azure_devops.locations import PERSONAL_ACCESS_TOKENS, USER_TOKENS
from sandbox.azure_devops.protocol import NO_CONTENT, Router
from sandbox.azure_devops.scopes import FULL_ACCESS, KNOWN, Caller

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Draft, Json

router = Router()


class NotSignedIn(Exception):  # noqa: N818 - not an error of the service: it leads to the sign-in page
    """The request carries no credentials, or credentials that are nobody's; `missing` tells which of the two."""

    def __init__(self, *, missing: bool) -> None:
        super().__init__("no credentials" if missing else "unknown credentials")
        self.missing = missing


class TokenExpired(Exception):  # noqa: N818 - answered by a page, not by an error envelope
    """The token was good once."""


@dataclass(frozen=True)
class Authenticator:
    """Finds the caller of a request. operator_token: the full-access token of the key store."""

    operator_token: str = field(repr=False)

    def caller(self, headers: Mapping[str, str], draft: Draft) -> Caller:
        """Return who calls, by the Authorization header: `Basic base64(ANYTHING:TOKEN)` or `Bearer TOKEN`.

        A personal access token is taken as Basic alone, the others as either. Raises NotSignedIn or TokenExpired.
        """
        scheme, _, credentials = headers.get("Authorization", "").partition(" ")
        if not scheme:
            raise NotSignedIn(missing=True)
        token = credentials.strip()
        if scheme.lower() == "basic":
            try:
                token = base64.b64decode(token, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                token = ""
        personal = scheme.lower() == "basic"
        if personal and hmac.compare_digest(_digest(token), _digest(self.operator_token)):
            return Caller(OPERATOR, frozenset({FULL_ACCESS}))
        if found := entra.holder(draft, token):
            caller, ended = found
            if ended:
                raise TokenExpired
            return caller
        known = draft.table("tokens").get(_digest(token))
        if known is None or not (personal or known["build"]):
            raise NotSignedIn(missing=False)
        if known["revoked"] or clock.parse(known["validTo"]) <= datetime.now(UTC):
            raise TokenExpired
        return Caller(known["identity"], frozenset(known["scope"].split()), known["build"])


def check_scopes(caller: Caller, scopes: Iterable[str]) -> None:
    """Refuse a token that lacks the scope, as the service does: 401, TF400813."""
    if not caller.may(scopes):
        raise ServiceError(
            401,
            "UnauthorizedRequestException",
            f"TF400813: The user '{caller.identity_id}' is not authorized to access this resource.",
        )


def issue(draft: Draft, *, name: str, scope: str, identity: str, valid_to: datetime, build: int | None = None) -> Json:
    """Make a token and return its description with the token itself, the only time that it is given."""
    token = secrets.token_urlsafe(39)
    now = clock.now()
    entry: Json = {
        "authorizationId": clock.guid(),
        "displayName": name,
        "scope": scope,
        "validFrom": now,
        "validTo": clock.stamp(valid_to),
        "identity": identity,
        "build": build,
        "revoked": False,
    }
    draft.table("tokens")[_digest(token)] = entry
    return {**_wire(entry), "token": token}


def revoke_run(draft: Draft, build: int) -> None:
    """End the tokens of a run."""
    for entry in draft.table("tokens").values():
        if entry["build"] == build:
            entry["revoked"] = True


@router.on(PERSONAL_ACCESS_TOKENS, "POST", FULL_ACCESS, shape=shapes.ACCESS_TOKEN)
def create(call: Call) -> Json:
    """Issue a token: body `{"displayName", "scope": "vso.code_write vso.build", "validTo", "allOrgs"}`.

    https://learn.microsoft.com/rest/api/azure/devops/tokens/pats/create; only the operator may, where the service asks
    for a Microsoft Entra token.
    """
    body = call.object()
    scope = str(body.get("scope") or "")
    unknown = sorted(set(scope.split()) - KNOWN)
    if not scope or unknown:
        return {"patToken": None, "patTokenError": "invalidScope"}
    valid_to = clock.parse(body["validTo"]) if body.get("validTo") else datetime.now(UTC) + timedelta(days=30)
    name = str(body.get("displayName") or "")
    if not name:
        return {"patToken": None, "patTokenError": "displayNameRequired"}
    return {
        "patToken": issue(call.draft, name=name, scope=scope, identity=OPERATOR, valid_to=valid_to),
        "patTokenError": "none",
    }


@router.on(PERSONAL_ACCESS_TOKENS, "GET", FULL_ACCESS)
def get_all(call: Call) -> Json:
    """List the tokens that were issued by the lifecycle API, without their values."""
    tokens = [
        _wire(entry) for entry in call.draft.table("tokens").values() if not entry["revoked"] and not entry["build"]
    ]
    return {"continuationToken": "", "patTokens": tokens}


@router.on(PERSONAL_ACCESS_TOKENS, "DELETE", FULL_ACCESS)
def revoke(call: Call) -> object:
    """Revoke the token of the query's authorizationId."""
    for entry in call.draft.table("tokens").values():
        if entry["authorizationId"] == call.query.get("authorizationid"):
            entry["revoked"] = True
            return NO_CONTENT
    raise bad_argument(f"No personal access token has the authorizationId '{call.query.get('authorizationid', '')}'.")


@router.on(USER_TOKENS, "POST", FULL_ACCESS)
def of_user(call: Call) -> Json:
    """Give a token of another user, as they would make one for themselves: all scopes that a token can be given.

    No API of the service, where nobody makes a token for another.
    """
    person = identities.by_name(call.draft, call.values.get("user", ""))
    if person is None:
        raise bad_argument(f"There is no user {call.values.get('user')}.")
    scope = " ".join(sorted(KNOWN - {FULL_ACCESS}))
    valid_to = datetime.now(UTC) + timedelta(days=1)
    return issue(call.draft, name="of a test", scope=scope, identity=person["id"], valid_to=valid_to)


def _wire(entry: Json) -> Json:
    return {name: entry[name] for name in ("displayName", "validTo", "scope", "validFrom", "authorizationId")}


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
