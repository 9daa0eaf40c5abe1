"""AssumeRoleWithWebIdentity: a token of a trusted issuer gives a session of a role whose trust policy takes it.

The request is not signed, so the token is all that counts: its issuer is one of the account's OIDC providers, its
signature is of a key that the issuer publishes, it is for a registered audience, and it is in force; the role's trust
policy then decides by its subject and audience.
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import joserfc.errors
import requests
from joserfc import jwk, jwt

import iam
from sandbox.aws.errors import AwsError, denied

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.aws.principals import Directory

OPERATION = "AssumeRoleWithWebIdentity"
ACTION = f"sts:{OPERATION}"
ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
"""What IAM takes of an issuer's keys; above all not `none`, and no shared secret."""
SECONDS = 10.0
"""How long an issuer's silence is borne."""


@dataclass(frozen=True)
class Identity:
    """Who the token says its bearer is."""

    provider: str
    """ARN of the account's OIDC provider."""
    issuer: str
    """The issuer's URL without its scheme: the prefix of its condition keys."""
    subject: str
    audience: str

    def context(self) -> dict[str, str]:
        """The condition keys that the token gives.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif
        """
        return {f"{self.issuer}:aud": self.audience, f"{self.issuer}:sub": self.subject}


def admit(params: Mapping[str, Any], directory: Directory, issuers: str) -> Identity:
    """Who may take the role that the parameters name. Raises AwsError with AWS's code for every refusal.

    issuers: where the sandbox has its issuers: `{issuers}/{issuer without https://}` stands for the issuer's own URL.
    """
    identity = _verified(str(params.get("WebIdentityToken", "")), directory, issuers)
    arn = str(params.get("RoleArn", ""))
    role = next((role for role in list(directory.iam.roles.values()) if role.arn == arn), None)
    if role is None or not _trusted(json.dumps(_document(role.assume_role_policy_document)), arn, identity):
        raise denied("sts", f"Not authorized to perform {ACTION}")  # AWS does not say which of the two it is
    duration = int(params.get("DurationSeconds") or 3600)
    longest = int(role.max_session_duration or 3600)
    if not 900 <= duration <= longest:
        raise AwsError(
            "ValidationError",
            f"The requested DurationSeconds exceeds the MaxSessionDuration set for this role ({longest} seconds)."
            if duration > longest
            else "Value at 'durationSeconds' failed to satisfy constraint: at least 900.",
        )
    return identity


def _document(text: Any) -> Any:
    return json.loads(text) if isinstance(text, str) else text


def _trusted(document: str, role: str, identity: Identity) -> bool:
    request = iam.Request(ACTION, role, identity.provider, identity.context())
    try:
        return iam.decide([iam.parse(document)], request).effect == "allow"
    except iam.PolicyError:
        return False


def _verified(token: str, directory: Directory, issuers: str) -> Identity:
    claims = _unverified(token)
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or not issuer.startswith("https://"):
        raise _invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
    name = issuer.removeprefix("https://")
    found = [item for item in list(directory.iam.open_id_providers.values()) if _name(item.url) == name]
    if not found:
        raise _invalid(f"No OpenIDConnect provider found in your account for {issuer}")
    (provider,) = found
    try:
        verified = jwt.decode(token, _keys(issuer, f"{issuers}/{name}"), algorithms=ALGORITHMS).claims
    except (joserfc.errors.JoseError, ValueError):
        raise _invalid(
            "Couldn't verify the token's signature with a verification key of the identity provider"
        ) from None
    now = time.time()
    for claim in ("exp", "iat"):
        if not isinstance(verified.get(claim), int):
            raise _invalid(f"Missing a required claim: {claim}")
    if verified["exp"] <= now:
        raise AwsError("ExpiredTokenException", "Token expired: its expiration date/time lies in the past")
    if (verified.get("nbf") or verified["iat"]) > now + 60:
        raise _invalid("Token is not valid yet")
    audience, subject = verified.get("aud"), verified.get("sub")
    if not isinstance(audience, str) or audience not in provider.client_id_list:
        raise _invalid("Incorrect token audience")
    if not isinstance(subject, str) or not subject:
        raise _invalid("Missing a required claim: sub")
    return Identity(provider.arn, name, subject, audience)


def _name(url: str) -> str:
    return url.removeprefix("https://")


def _unverified(token: str) -> dict[str, Any]:
    """The claims, to find the issuer by; nothing of them is proved."""
    from base64 import urlsafe_b64decode

    try:
        part = token.split(".")[1]
        claims = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        claims = None
    if not isinstance(claims, dict) or token.count(".") != 2:
        raise _invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
    return claims


def _keys(issuer: str, place: str) -> jwk.KeySet:
    """What the issuer publishes, by its discovery document (OpenID Connect Discovery 1.0, section 4)."""
    try:
        document = requests.get(f"{place}/.well-known/openid-configuration", timeout=SECONDS)
        document.raise_for_status()
        described = document.json()
        if described["issuer"] != issuer:
            raise _invalid(f"The issuer of the discovery document is not {issuer}")
        name = described["jwks_uri"].removeprefix("https://")
        published = requests.get(f"{place.removesuffix(_name(issuer))}{name}", timeout=SECONDS)
        published.raise_for_status()
        return jwk.KeySet.import_key_set(published.json())
    except (requests.RequestException, KeyError, ValueError, TypeError):
        raise AwsError(
            "IDPCommunicationError",
            "Couldn't retrieve verification key from your identity provider, please reference "
            f"{OPERATION} documentation for requirements",
        ) from None


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidIdentityToken", message)
