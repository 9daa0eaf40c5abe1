"""Microsoft Entra's access tokens for Azure DevOps: what `az account get-access-token` gives a person who is signed in.

The service takes one as `Bearer TOKEN`, and in the place of a personal access token (`Basic base64(ANYTHING:TOKEN)`).
It stands for the person, with all that they may do, and ends within the hour.
https://learn.microsoft.com/azure/devops/integrate/get-started/authentication/service-principal-managed-identity
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from joserfc import jwk, jwt
from joserfc.errors import JoseError

from sandbox.azure_devops import clock, locations
from sandbox.azure_devops.protocol import Router
from sandbox.azure_devops.scopes import FULL_ACCESS, Caller
from sandbox.azure_devops.store import SECRET_ID

if TYPE_CHECKING:
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Draft, Json

router = Router()

RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798"
"""Azure DevOps, as Entra calls it: the audience of its tokens."""
SECONDS = 3600
_SPACE = uuid.UUID("6a2d1a2e-6d0c-4f0e-9f8b-1c8f6f0b7e55")


@router.on(locations.ENTRA_TOKENS, "POST", FULL_ACCESS)
def mint(call: Call) -> Json:
    """Give the caller a token, in the form that the Azure CLI prints; `seconds` of the query may be negative.

    No API of the service: Entra gives these tokens.
    """
    draft, now = call.draft, int(time.time())
    if "entraKey" not in draft.state:
        made = jwk.RSAKey.generate_key(2048)
        draft.state["entraKey"] = {
            "kid": clock.guid(),
            SECRET_ID: draft.keep_secret(made.as_pem(private=True).decode()),
        }
    expires = now + int(call.query.get("seconds", str(SECONDS)))
    claims = {
        "aud": call.query.get("resource", RESOURCE),
        "iss": f"https://sts.windows.net/{_tenant(draft)}/",
        "iat": now,
        "nbf": min(now, expires),
        "exp": expires,
        "oid": call.caller.identity_id,
        "scp": "user_impersonation",
        "tid": _tenant(draft),
        "ver": "1.0",
    }
    header = {"alg": "RS256", "typ": "JWT", "kid": draft.state["entraKey"]["kid"]}
    token = jwt.encode(header, claims, _key(draft))
    return {"accessToken": token, "expires_on": expires, "tokenType": "Bearer", "tenant": _tenant(draft)}


def holder(draft: Draft, token: str) -> tuple[Caller, bool] | None:
    """Tell whose token it is, and whether it has ended; None for what is no token of Entra for Azure DevOps."""
    if token.count(".") != 2 or "entraKey" not in draft.state:
        return None
    try:
        claims = jwt.decode(token, _key(draft), algorithms=["RS256"]).claims
    except (JoseError, ValueError):
        return None
    if claims.get("aud") != RESOURCE or claims.get("oid") not in draft.table("identities"):
        return None
    return Caller(str(claims["oid"]), frozenset({FULL_ACCESS})), float(claims["exp"]) <= time.time()


def _tenant(draft: Draft) -> str:
    return str(uuid.uuid5(_SPACE, str(draft.state["instanceId"])))


def _key(draft: Draft) -> jwk.RSAKey:
    kept = draft.state["entraKey"]
    return jwk.RSAKey.import_key(draft.secret(kept[SECRET_ID]), {"kid": kept["kid"]})
