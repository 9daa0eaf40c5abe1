"""Discovery: resource areas and who is connected. (`OPTIONS {org}/_apis` itself is answered by the server.)"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.azure_devops import identities, locations
from sandbox.azure_devops.errors import ServiceError
from sandbox.azure_devops.protocol import Router

if TYPE_CHECKING:
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Json

router = Router()


@router.on(locations.RESOURCE_AREA, "GET")
def resource_areas(call: Call) -> object:
    """List where each area of the API is served (all here), or give one by its id."""
    if wanted := call.values.get("areaId"):
        name = locations.RESOURCE_AREAS.get(wanted.lower())
        if name is None:
            raise ServiceError(
                404,
                "ResourceAreaNotFoundException",
                f"The resource area '{wanted}' is not registered.",
                namespace="Microsoft.VisualStudio.Services.Location",
            )
        return _area(call, wanted.lower(), name)
    return [_area(call, area_id, name) for area_id, name in locations.RESOURCE_AREAS.items()]


@router.on(locations.CONNECTION_DATA, "GET")
def connection_data(call: Call) -> Json:
    """Tell who the token's user is."""
    identity = call.draft.table("identities")[call.caller.identity_id]
    user = {
        "id": identity["id"],
        "descriptor": f"Microsoft.TeamFoundation.Identity;{identity['descriptor']}",
        "subjectDescriptor": identity["descriptor"],
        "providerDisplayName": identity["displayName"],
        "isActive": True,
        "properties": {"Account": {"$type": "System.String", "$value": identity["principalName"]}},
        "resourceVersion": 2,
        "metaTypeId": 0,
    }
    return {
        "authenticatedUser": user,
        "authorizedUser": identities.reference(call.draft, identity["id"], call.organization_url) | user,
        "instanceId": call.draft.state["instanceId"],
        "deploymentId": call.draft.state["instanceId"],
        "deploymentType": "hosted",
        "locationServiceData": {
            "serviceOwner": "00025394-6065-48ca-87d9-7f5672854ef7",
            "defaultAccessMappingMoniker": "PublicAccessMapping",
            "lastChangeId": 1,
            "lastChangeId64": 1,
        },
    }


def _area(call: Call, area_id: str, name: str) -> Json:
    return {"id": area_id, "name": name, "locationUrl": f"{call.organization_url}/"}
