"""The issuer of a run's identity tokens: what it publishes, and the tokens that Azure Pipelines mints.

A job asks at SYSTEM_OIDCREQUESTURI with its own token, and names the service connection that it uses; the token is then
that connection's. Without one it is the pipeline's, whose subject begins with `p://`: whoever trusts that trusts every
branch. Two issuers can be told apart by their subjects: the organisation's own (until 2027-07-01), `sc://ORGANIZATION/
PROJECT/CONNECTION`, and that of Microsoft Entra, which is opaque.
https://learn.microsoft.com/azure/devops/pipelines/release/configure-workload-identity
"""

from __future__ import annotations

import base64
import time
import uuid
from typing import TYPE_CHECKING

from joserfc import jwk, jwt

from sandbox.azure_devops import clock, locations, projects, runs, scopes, service_endpoints, shapes
from sandbox.azure_devops.errors import ServiceError, bad_argument
from sandbox.azure_devops.protocol import Router
from sandbox.azure_devops.store import SECRET_ID

if TYPE_CHECKING:
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Draft, Json

router = Router()

AUDIENCE = "api://AzureADTokenExchange"
SECONDS = 600
"""How long a token is good."""
ORGANIZATION, ENTRA = "organization", "entra"
_SPACE = uuid.UUID("0b7c2f5e-5f1d-4a50-9d3e-5a4f9f0e6a11")


def plan_of(build_id: int) -> str:
    """Return the id of a build's orchestration plan."""
    return str(uuid.uuid5(_SPACE, f"plan/{build_id}"))


def job_of(build_id: int) -> str:
    """Return the id of a build's job."""
    return str(uuid.uuid5(_SPACE, f"job/{build_id}"))


def request_uri(organization_url: str, project: Json, build_id: int) -> str:
    """Return System.OidcRequestUri of a build."""
    plan = f"distributedtask/hubs/build/plans/{plan_of(build_id)}/jobs/{job_of(build_id)}"
    return f"{organization_url}/{project['id']}/_apis/{plan}/oidctoken"


def issuer(draft: Draft, kind: str) -> str:
    """Return the URL of one of the two issuers."""
    instance = str(draft.state["instanceId"])
    if kind == ENTRA:
        return f"https://login.microsoftonline.com/{uuid.uuid5(_SPACE, instance)}/v2.0"
    return f"https://vstoken.dev.azure.com/{instance}"


def subject(draft: Draft, kind: str, project: Json, endpoint: Json) -> str:
    """Return the subject that tokens of a service connection have by one of the two issuers."""
    if kind == ORGANIZATION:
        return f"sc://{draft.state['organization']}/{project['name']}/{endpoint['projects'][project['id']]['name']}"
    tenant, application = (
        base64.urlsafe_b64encode(uuid.uuid5(_SPACE, name).bytes).rstrip(b"=").decode()
        for name in (str(draft.state["instanceId"]), "Azure DevOps")
    )
    return f"/eid1/c/pub/t/{tenant}/a/{application}/sc/{draft.state['instanceId']}/{endpoint['id']}"


def published(draft: Draft, path: str) -> Json | None:
    """Return what the issuers publish at `HOST/PATH`, None for anything else. Nobody has to sign in for it."""
    for kind in (ORGANIZATION, ENTRA):
        url = issuer(draft, kind)
        name = url.removeprefix("https://")
        if path == f"{name}/.well-known/openid-configuration":
            return {
                "issuer": url,
                "jwks_uri": f"{url}/.well-known/jwks",
                "subject_types_supported": ["public", "pairwise"],
                "response_types_supported": ["id_token"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid"],
            }
        if path == f"{name}/.well-known/jwks":
            kept = draft.state.get("oidcKeys", {}).get(kind)
            keys = [_key(draft, kept).as_dict(private=False, use="sig", alg="RS256")] if kept else []
            return {"keys": keys}
    return None


@router.on(locations.OIDC_TOKEN, "POST", "vso.build_execute")
def token(call: Call) -> Json:
    """Mint a token for the job that asks: of the connection of `serviceConnectionId`, else of its pipeline."""
    project = projects.of(call)
    if call.caller.build_id is None:
        raise _refused("Only a running job is given an OIDC token.")
    build = runs.find(call.draft, project, call.caller.build_id)
    if (call.values["planId"], call.values["jobId"]) != (plan_of(build["id"]), job_of(build["id"])):
        raise _refused(f"The job {call.values['jobId']} of the plan {call.values['planId']} is not the caller's.")
    kind = str(call.draft.state.get("oidcIssuer", ORGANIZATION))
    wanted = call.query.get("serviceconnectionid", "")
    definition = call.draft.table("definitions")[str(build["definitionId"])]
    sub = f"p://{call.draft.state['organization']}/{project['name']}/{definition['name']}"
    if wanted:
        endpoint = service_endpoints.by_id(call.draft, project, wanted)
        # The job has to name the connection, so that its checks were passed before the job began.
        if endpoint is None or wanted.lower() not in build.get("connections", []):
            raise _refused(f"The service connection {wanted} is not one that the job may use.")
        sub = subject(call.draft, kind, project, endpoint)
    return {"oidcToken": _minted(call.draft, kind, project, build, sub)}


@router.on(locations.OIDC_ISSUER, "PUT", scopes.FULL_ACCESS, shape=shapes.OIDC_ISSUER)
def choose(call: Call) -> Json:
    """Choose the issuer of the tokens from now on: body `{"issuer": "organization" or "entra"}`; not public REST."""
    kind = call.object().get("issuer")
    if kind not in {ORGANIZATION, ENTRA}:
        raise bad_argument(f"The issuer is {ORGANIZATION} or {ENTRA}.")
    call.draft.state["oidcIssuer"] = kind
    return {"issuer": issuer(call.draft, str(kind))}


def _minted(draft: Draft, kind: str, project: Json, build: Json, sub: str) -> str:
    now = int(time.time())
    keys = draft.state.setdefault("oidcKeys", {})
    if kind not in keys:
        made = jwk.RSAKey.generate_key(2048)
        keys[kind] = {"kid": clock.guid(), SECRET_ID: draft.keep_secret(made.as_pem(private=True).decode())}
    claims = {
        "jti": clock.guid(),
        "sub": sub,
        "aud": AUDIENCE,
        "iss": issuer(draft, kind),
        "iat": now,
        "nbf": now,
        "exp": now + SECONDS,
        "org_id": draft.state["instanceId"],
        "prj_id": project["id"],
        "def_id": str(build["definitionId"]),
        "run_id": str(build["id"]),
        "rpo_ref": build["sourceBranch"],
        "rpo_ver": build["sourceVersion"],
    }
    return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": keys[kind]["kid"]}, claims, _key(draft, keys[kind]))


def _key(draft: Draft, kept: Json) -> jwk.RSAKey:
    return jwk.RSAKey.import_key(draft.secret(kept[SECRET_ID]), {"kid": kept["kid"]})


def _refused(message: str) -> ServiceError:
    return ServiceError(403, "PipelineValidationException", message, namespace="Microsoft.Azure.Pipelines.WebApi")
