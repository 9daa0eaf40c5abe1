"""Identities: the users, groups and service identities of the organisation, by the Graph and the Identities API.

Three users exist from the start (the operator, whose token is in the key store; a developer; a reviewer), the usual
groups of the project and the organisation, and the project's build service, which is the identity of pipeline runs.
"""

from __future__ import annotations

import base64
import uuid
from typing import TYPE_CHECKING

from sandbox.azure_devops import locations
from sandbox.azure_devops.errors import ServiceError
from sandbox.azure_devops.protocol import Router

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Draft, Json

router = Router()

_SPACE = uuid.UUID("6c6c1d52-9a4b-4b5e-8a43-6a2f1c6f0d11")
OPERATOR = str(uuid.uuid5(_SPACE, "operator"))
_USERS = ("operator", "developer", "reviewer")
_PROJECT_GROUPS = (
    "Build Administrators",
    "Contributors",
    "Project Administrators",
    "Readers",
    "Release Administrators",
)
_ORGANIZATION_GROUPS = ("Project Collection Administrators", "Project Collection Build Administrators")


def seed(draft: Draft, organization: str) -> None:
    """Put the organisation's own identities in, once."""
    for name in _USERS:
        _add(
            draft,
            str(uuid.uuid5(_SPACE, name)),
            kind="user",
            name=name.capitalize(),
            principal=f"{name}@{organization}.example",
            domain="00000000-0000-0000-0000-000000000000",
        )
    for name in _ORGANIZATION_GROUPS:
        _add_group(
            draft, name, scope=organization, domain=f"vstfs:///Framework/IdentityDomain/{draft.state['instanceId']}"
        )


def seed_project(draft: Draft, project: Json) -> None:
    """Put a project's groups and its build service in."""
    for name in _PROJECT_GROUPS:
        _add_group(draft, name, scope=project["name"], domain=f"vstfs:///Classification/TeamProject/{project['id']}")
    _add(
        draft,
        build_service(project),
        kind="service",
        name=f"{project['name']} Build Service ({draft.state['organization']})",
        principal=project["id"],
        domain="Build",
    )


def build_service(project: Json) -> str:
    """Return the id of the identity that a project's pipeline runs have."""
    return str(uuid.uuid5(_SPACE, f"build/{project['id']}"))


def by_name(draft: Draft, name: str) -> Json | None:
    """Return a user by the name that is shown."""
    rows = draft.table("identities").values()
    return next((one for one in rows if one["kind"] == "user" and one["displayName"].lower() == name.lower()), None)


def covers(draft: Draft, ids: Iterable[str], identity_id: str) -> bool:
    """Tell whether an identity is among some, or in a group of them; the operator is in every group here."""
    known = draft.table("identities")
    rows = [known[one.lower()] for one in ids if one.lower() in known]
    return any(one["id"] == identity_id or (one["kind"] == "group" and identity_id == OPERATOR) for one in rows)


def reference(draft: Draft, identity_id: str, organization_url: str) -> Json:
    """Return an IdentityRef: how an identity appears in other objects (createdBy, approvers, authors)."""
    identity = draft.table("identities").get(identity_id.lower())
    if identity is None:
        raise ServiceError(
            404,
            "IdentityNotFoundException",
            f"TF14045: The identity with TeamFoundationId {identity_id} could not be found.",
            namespace="Microsoft.VisualStudio.Services.Identity",
        )
    return {
        "displayName": identity["displayName"],
        "url": f"{organization_url}/_apis/Identities/{identity['id']}",
        "id": identity["id"],
        "uniqueName": identity["principalName"],
        "imageUrl": f"{organization_url}/_apis/GraphProfile/MemberAvatars/{identity['descriptor']}",
        "descriptor": identity["descriptor"],
    }


@router.on(locations.GRAPH_USERS, "GET", "vso.graph")
def users(call: Call) -> object:
    """List the users, or give the one with a descriptor."""
    return _graph(call, "user", call.values.get("userDescriptor"))


@router.on(locations.GRAPH_GROUPS, "GET", "vso.graph")
def groups(call: Call) -> object:
    """List the groups, those of one project with the query's scopeDescriptor, or give the one with a descriptor."""
    return _graph(call, "group", call.values.get("groupDescriptor"))


@router.on(locations.GRAPH_DESCRIPTORS, "GET", "vso.graph")
def descriptor(call: Call) -> Json:
    """Give the descriptor of an identity or a project by its id (storage key)."""
    key = call.values.get("storageKey", "").lower()
    if key in call.draft.table("projects"):
        return {"value": scope_descriptor(key)}
    return {"value": _by_id(call.draft, key)["descriptor"]}


@router.on(locations.GRAPH_STORAGE_KEYS, "GET", "vso.graph")
def storage_key(call: Call) -> Json:
    """Give the id (storage key) of the identity with a descriptor."""
    return {"value": _by_descriptor(call.draft, call.values.get("subjectDescriptor", ""))["id"]}


@router.on(locations.IDENTITIES, "GET", "vso.identity", "vso.graph")
def identities(call: Call) -> object:
    """Give identities by identityIds, subjectDescriptors, or searchFilter and filterValue; or one by the route's id."""
    if "identityId" in call.values:
        return _identity(_by_id(call.draft, call.values["identityId"]))
    known = call.draft.table("identities").values()
    if ids := call.query.get("identityids"):
        return _picked(known, "id", ids)
    for name in ("subjectdescriptors", "descriptors"):
        if wanted := call.query.get(name):
            return _picked(known, "descriptor", wanted)
    value = call.query.get("filtervalue", "").lower()
    names = {"displayname": ("displayName",), "mailaddress": ("principalName",), "accountname": ("principalName",)}
    fields = names.get(call.query.get("searchfilter", "").lower(), ("displayName", "principalName"))
    return [_identity(one) for one in known if value and any(one[name].lower() == value for name in fields)]


@router.on(locations.IDENTITY_GROUPS, "GET", "vso.identity", "vso.graph")
def identity_groups(call: Call) -> list[Json]:
    """List the groups of the projects in the query's scopeIds; all without it."""
    scopes = [scope for scope in call.query.get("scopeids", "").lower().split(",") if scope]
    return [
        _identity(one)
        for one in call.draft.table("identities").values()
        if one["kind"] == "group" and (not scopes or any(one["domain"].lower().endswith(scope) for scope in scopes))
    ]


def scope_descriptor(project_id: str) -> str:
    """Return the descriptor of a project as a scope of identities."""
    return f"scp.{_encoded(project_id)}"


def _graph(call: Call, kind: str, wanted: str | None) -> object:
    if wanted:
        return _graph_wire(call, _by_descriptor(call.draft, wanted))
    found = [one for one in call.draft.table("identities").values() if one["kind"] == kind]
    if scope := call.query.get("scopedescriptor"):
        inside = [key for key in call.draft.table("projects") if scope_descriptor(key) == scope]
        found = [one for one in found if any(one["domain"].endswith(key) for key in inside)]
    return [_graph_wire(call, one) for one in found]


def _graph_wire(call: Call, identity: Json) -> Json:
    return {
        "subjectKind": identity["kind"],
        "domain": identity["domain"],
        "principalName": identity["principalName"],
        "mailAddress": identity["principalName"] if identity["kind"] == "user" else None,
        "origin": "aad" if identity["kind"] == "user" else "vsts",
        "originId": identity["id"],
        "displayName": identity["displayName"],
        "url": f"{call.organization_url}/_apis/Graph/{identity['kind'].capitalize()}s/{identity['descriptor']}",
        "descriptor": identity["descriptor"],
    }


def _identity(identity: Json) -> Json:
    return {
        "id": identity["id"],
        "descriptor": f"Microsoft.TeamFoundation.Identity;{identity['descriptor']}",
        "subjectDescriptor": identity["descriptor"],
        "providerDisplayName": identity["principalName" if identity["kind"] == "group" else "displayName"],
        "isActive": True,
        "isContainer": identity["kind"] == "group",
        "members": [],
        "memberOf": [],
        "memberIds": [],
        "properties": {"Account": {"$type": "System.String", "$value": identity["principalName"]}},
        "resourceVersion": 2,
        "metaTypeId": 0,
    }


def _picked(known: Iterable[Json], field: str, wanted: str) -> list[Json | None]:
    # One answer per asked key, in its order; null for an unknown one. The plugin ends its list with a comma.
    by_key = {one[field].lower(): one for one in known}
    asked = [by_key.get(key.strip().lower()) for key in wanted.split(",") if key.strip()]
    return [None if one is None else _identity(one) for one in asked]


def _by_id(draft: Draft, identity_id: str) -> Json:
    identity = draft.table("identities").get(identity_id.lower())
    if identity is None:
        raise _unknown(identity_id)
    return identity


def _by_descriptor(draft: Draft, descriptor: str) -> Json:
    for identity in draft.table("identities").values():
        if identity["descriptor"] == descriptor:
            return identity
    raise _unknown(descriptor)


def _unknown(key: str) -> ServiceError:
    return ServiceError(
        404,
        "GraphSubjectNotFoundException",
        f"The graph subject '{key}' could not be found.",
        namespace="Microsoft.VisualStudio.Services.Graph",
    )


def _add_group(draft: Draft, name: str, *, scope: str, domain: str) -> None:
    identity_id = str(uuid.uuid5(_SPACE, f"{domain}/{name}"))
    _add(draft, identity_id, kind="group", name=name, principal=f"[{scope}]\\{name}", domain=domain)


def _add(draft: Draft, identity_id: str, *, kind: str, name: str, principal: str, domain: str) -> None:
    prefix = {"user": "aad", "group": "vssgp", "service": "svc"}[kind]
    draft.table("identities")[identity_id] = {
        "id": identity_id,
        "kind": kind,
        "displayName": name,
        "principalName": principal,
        "domain": domain,
        "descriptor": f"{prefix}.{_encoded(identity_id)}",
    }


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
