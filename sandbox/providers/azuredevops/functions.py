"""Functions of the azuredevops plugin: projects, repositories, and the identities that approve."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from sandbox.providers.azuredevops.client import (
    ENVIRONMENT,
    GRAPH_DESCRIPTOR,
    GRAPH_GROUPS,
    GRAPH_STORAGE_KEY,
    GRAPH_USERS,
    IDENTITIES,
    IDENTITY_GROUPS,
    PROCESS,
    PROJECT,
    REPOSITORY,
    AbsentError,
    Client,
    Json,
    ServiceError,
)
from sandbox.providers.base import ProviderError

if TYPE_CHECKING:
    from sandbox.providers.protocol import Properties


def get_project(client: Client, arguments: Properties) -> Properties:
    """azuredevops.getProject, by name or id."""
    name, own = arguments.get("name", ""), arguments.get("projectId", "")
    if bool(name) == bool(own):
        raise ProviderError("one of `name,project_id` must be specified, and not both")
    query = {"includeCapabilities": "true", "includeHistory": "false"}
    try:
        found = client.call("GET", PROJECT, projectId=own or name, query=query)
    except AbsentError as error:
        raise ProviderError(f"Project with name {name} or ID {own} does not exist ") from error
    except ServiceError as error:
        raise ProviderError(f"Error looking up project with Name {name} or ID {own}, {error} ") from error
    template = found["capabilities"]["processTemplate"]["templateTypeId"]
    return {
        "id": found["id"],
        "projectId": found["id"],
        "name": found["name"],
        "description": found.get("description") or "",
        "visibility": found["visibility"],
        "versionControl": found["capabilities"]["versioncontrol"]["sourceControlType"],
        "processTemplateId": template,
        "workItemTemplate": client.call("GET", PROCESS, processId=template)["name"],
        "features": {},
    }


def get_git_repository(client: Client, arguments: Properties) -> Properties:
    """azuredevops.getGitRepository."""
    name, project = arguments["name"], arguments["projectId"]
    try:
        found = client.call("GET", REPOSITORY, project=project, repositoryId=name)
    except AbsentError as error:
        # A disabled repository is only in the list of all.
        hidden = client.call("GET", REPOSITORY, project=project, query={"includeHidden": "true"})
        found = next((each for each in hidden if name.lower() in (each["name"].lower(), each["id"])), None)
        if found is None:
            raise ProviderError(f"Repository with name {name} does not exist in project {project}") from error
    return {
        "id": found["id"],
        "name": found["name"],
        "projectId": found["project"]["id"],
        "defaultBranch": found.get("defaultBranch") or "",
        "isFork": bool(found.get("isFork")),
        "remoteUrl": found.get("remoteUrl") or "",
        "size": found.get("size") or 0,
        "sshUrl": found.get("sshUrl") or "",
        "url": found["url"],
        "webUrl": found.get("webUrl") or "",
        "disabled": bool(found.get("isDisabled")),
    }


def get_group(client: Client, arguments: Properties) -> Properties:
    """azuredevops.getGroup: a group of a project, or of the organisation, by its name; ``groupId`` can approve."""
    name, project = arguments["name"], arguments.get("projectId", "")
    query = {}
    if project:
        try:
            query["scopeDescriptor"] = client.call("GET", GRAPH_DESCRIPTOR, storageKey=project)["value"]
        except AbsentError as error:
            raise ProviderError(f"Project with ID: {project} was not found. Error: {error}") from error
    scope = "vstfs:///classification/teamproject/" if project else "vstfs:///framework/"
    groups = client.call("GET", GRAPH_GROUPS, query=query)
    found = next(
        (
            each
            for each in groups
            if str(each.get("domain", "")).lower().startswith(scope) and each["displayName"].lower() == name.lower()
        ),
        None,
    )
    if found is None:
        where = f" in project with ID: {project}" if project else ""
        raise ProviderError(f"Could not find Group with Name: {name}{where}")
    return {
        "id": found["descriptor"],
        "descriptor": found["descriptor"],
        "groupId": client.call("GET", GRAPH_STORAGE_KEY, subjectDescriptor=found["descriptor"])["value"],
        "name": name,
        "origin": found.get("origin") or "",
        "originId": found.get("originId") or "",
        "projectId": project or None,
    }


def get_users(client: Client, arguments: Properties) -> Properties:
    """azuredevops.getUsers: users of the organisation, narrowed by principal name and origin."""
    kinds = arguments.get("subjectTypes") or []
    found = client.call("GET", GRAPH_USERS, query={"subjectTypes": ",".join(kinds)} if kinds else None)
    wanted = [(key, arguments[key].lower()) for key in ("principalName", "origin", "originId") if arguments.get(key)]
    chosen = [each for each in found if all(str(each.get(key) or "").lower() == value for key, value in wanted)]
    descriptors = "-".join(each["descriptor"] for each in chosen)
    digest = hashlib.sha1(descriptors.encode(), usedforsecurity=False).digest()
    return {
        **arguments,
        "id": "users#" + base64.urlsafe_b64encode(digest).decode(),
        "users": [_user(client, each) for each in chosen],
    }


def _user(client: Client, found: Json) -> Properties:
    return {
        "descriptor": found["descriptor"],
        "displayName": found.get("displayName") or "",
        "id": client.call("GET", GRAPH_STORAGE_KEY, subjectDescriptor=found["descriptor"])["value"],
        "mailAddress": found.get("mailAddress") or "",
        "origin": found.get("origin") or "",
        "originId": found.get("originId") or "",
        "principalName": found.get("principalName") or "",
    }


def get_identity_group(client: Client, arguments: Properties) -> Properties:
    """azuredevops.getIdentityGroup: a group of a project by its full name, such as [app-one]\\Contributors."""
    name, project = arguments["name"], arguments["projectId"]
    groups = client.call("GET", IDENTITY_GROUPS, query={"scopeIds": project})
    found = next((each for each in groups if each["providerDisplayName"] == name), None)
    if found is None:
        raise ProviderError(f"Can not find group with name {name} in project with ID {project}")
    return {
        "id": found["id"],
        "name": name,
        "projectId": project,
        "descriptor": found["descriptor"],
        "subjectDescriptor": found["subjectDescriptor"],
    }


def get_identity_users(client: Client, arguments: Properties) -> Properties:
    """azuredevops.getIdentityUsers: one user by name."""
    name, how = arguments["name"], arguments.get("searchFilter") or "General"
    found = client.call("GET", IDENTITIES, query={"searchFilter": how, "filterValue": name})
    if not found:
        raise ProviderError(f"Could not find user with name: {name} with filter: {how}")
    return {
        "id": found[0]["id"],
        "name": name,
        "searchFilter": how,
        "descriptor": found[0]["descriptor"],
        "subjectDescriptor": found[0]["subjectDescriptor"],
    }


def get_environment(client: Client, arguments: Properties) -> Properties:
    """azuredevops.getEnvironment, by id or name."""
    project, own, name = arguments["projectId"], arguments.get("environmentId"), arguments.get("name")
    if own:
        try:
            found = client.call("GET", ENVIRONMENT, project=project, environmentId=own)
        except AbsentError as error:
            raise ProviderError(f"Environment with ID {own} does not exist in project {project}") from error
    else:
        listed = client.call("GET", ENVIRONMENT, project=project, query={"name": name or ""})
        found = next((each for each in listed if each["name"].lower() == str(name).lower()), None)
        if found is None:
            raise ProviderError(f"Unable to find an environment with name: {name}")
    return {
        "id": str(found["id"]),
        "environmentId": found["id"],
        "name": found["name"],
        "projectId": project,
        "description": found.get("description") or "",
    }
