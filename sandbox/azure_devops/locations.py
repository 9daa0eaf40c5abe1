"""Facts: the resource areas and the resource locations of Azure DevOps Services that this service has.

Source of the ids: azure-devops-go-api v7 and azure-devops 7.1 for Python (generated from the service); of the routes:
azure-devops-extension-api. `released` is "0.0" where the reference at learn.microsoft.com only has `7.1-preview.N`.
"""

from __future__ import annotations

from sandbox.azure_devops.protocol import Location

# Every client that a plugin makes when it is configured looks its area up, also areas of which nothing is served here.
RESOURCE_AREAS: dict[str, str] = {
    "0d55247a-1c47-4462-9b1f-5e2125590ee6": "Account",
    "94ff054d-5ee1-413d-9341-3f4a7827de2e": "audit",
    "965220d5-5bb9-42cf-8d67-9b146df2a5a4": "build",
    "8477aec9-a4c7-4bd4-a456-ba4c53c989cb": "Contribution",
    "79134c72-4a58-4b42-976c-04e7115f32bf": "core",
    "31c84e0a-3ece-48fd-a29d-100849af99ba": "Dashboard",
    "a85b8835-c1a1-4aac-ae97-1c3d0ba72dbd": "distributedtask",
    "6c2b0933-3600-42ae-bf8b-93d4f7e83594": "ExtensionManagement",
    "7ab4e64e-c4d8-4f50-ae73-5ef2e21642a5": "Packaging",
    "69d21c00-f135-441b-b5ce-3626378e0819": "gallery",
    "4e080c62-fa21-4fbc-8fef-2a10a2b38049": "git",
    "bb1e7ec9-e901-4b68-999a-de7012b920f8": "Graph",
    "8a3d49b8-91f0-46ef-b33d-dda338c25db3": "IMS",
    "68ddce18-2501-45f1-a17b-7931a9922690": "MEMInternal",
    "a81a0441-de52-4000-aa15-ff0e07bfbbaa": "pipelinePermissions",
    "5b55a9b6-2e0f-40d7-829d-3741d2b8c4e4": "pipelinesApproval",
    "4a933897-0488-45af-bd82-6fd3ad33f46a": "pipelinesChecks",
    "fb13a388-40dd-4a04-b530-013a739c72ef": "policy",
    "8ccfef3d-2b87-4e99-8ccb-66e343d2daa8": "Profile",
    "efc2f575-36ef-48e9-b672-0c6fb4a48ac5": "Release",
    "1814ab31-2f4f-4a9f-8761-f4d77dc5a5d7": "serviceendpoint",
    "c2aa639c-3ccc-4740-b3b6-ce2a1e1d984e": "Test",
    "8aa40520-446d-40e6-89f6-9c9f9ce44c48": "tfvc",
    "bf7d82a0-8aa5-4613-94ef-6172a5ea01f3": "wiki",
    "1d4f49f9-02b9-4e26-b826-2cdb6195f2a9": "work",
    "5264459e-e5e0-4bd8-b118-0985e68a4ec5": "wit",
}

# Location
RESOURCE_AREA = Location(
    "e81700f7-3be2-46de-8624-2eb35882fcaa", "Location", "ResourceAreas", "_apis/{resource}/{areaId}", released="0.0"
)
CONNECTION_DATA = Location(
    "00d9565f-ed9c-4a06-9a50-00e7896ccab4", "Location", "ConnectionData", "_apis/{resource}", released="0.0"
)

# core and operations
PROJECTS = Location(
    "603fe2ac-9723-48b9-88ad-09305aa6c6e1", "core", "projects", "_apis/{resource}/{*projectId}", version=4
)
PROCESSES = Location(
    "93878975-88c5-4e6a-8abb-7ddd77a8a7d8", "core", "processes", "_apis/process/{resource}/{*processId}"
)
OPERATIONS = Location(
    "9a1b74b4-2ca8-4a9f-8470-c2f2e6fdc949", "operations", "operations", "_apis/{resource}/{operationId}"
)

# distributedtask
_TASK = "distributedtask"
PROJECT_VARIABLE_GROUPS = Location(
    "f5b09dd5-9d54-45a1-8b5a-1c8287d634cc",
    _TASK,
    "variablegroups",
    "{project}/_apis/{area}/{resource}/{groupId}",
    version=2,
)
VARIABLE_GROUPS = Location(
    "ef5b7057-ffc3-4c77-bbad-c10b4a4abcc7", _TASK, "variablegroups", "_apis/{area}/{resource}/{groupId}", version=2
)

OIDC_TOKEN = Location(
    "69a319f4-28c1-4bfd-93e6-ea0ff5c6f1a2",
    _TASK,
    "oidctoken",
    "{project}/_apis/{area}/hubs/{hubName}/plans/{planId}/jobs/{jobId}/{resource}",
    version=1,
)

# serviceendpoint
PROJECT_SERVICE_ENDPOINTS = Location(
    "e85f1c62-adfc-4b74-b618-11a150fb195e",
    "serviceendpoint",
    "endpoints",
    "{project}/_apis/{area}/{resource}/{endpointId}",
    version=4,
)
SERVICE_ENDPOINTS = Location(
    "14e48fdc-2c8b-41ce-a0c3-e26f6cc55bd0",
    "serviceendpoint",
    "endpoints",
    "_apis/{area}/{resource}/{endpointId}",
    version=4,
)

# build
DEFINITIONS = Location(
    "dbeaf647-6167-421a-bda9-c9327b25e2e6",
    "build",
    "definitions",
    "{project}/_apis/{area}/{resource}/{definitionId}",
    version=7,
)
DEFINITION_REVISIONS = Location(
    "7c116775-52e5-453e-8c5d-914d9762d8c4",
    "build",
    "revisions",
    "{project}/_apis/{area}/definitions/{definitionId}/{resource}",
    version=3,
)
DEFINITION_RESOURCES = Location(
    "ea623316-1967-45eb-89ab-e9e6110cf2d6",
    "build",
    "resources",
    "{project}/_apis/{area}/definitions/{definitionId}/{resource}",
)
BUILDS = Location(
    "0cd358e1-9217-4d94-8269-1c1ee6f93dcf", "build", "builds", "{project}/_apis/{area}/{resource}/{buildId}", version=7
)
GENERAL_SETTINGS = Location(
    "c4aefd19-30ff-405b-80ad-aca021e7242a", "build", "generalsettings", "{project}/_apis/{area}/{resource}"
)
STAGES = Location(
    "b8aac6c9-744b-46e1-88fc-3550969f9313",
    "build",
    "stages",
    "{project}/_apis/{area}/builds/{buildId}/{resource}/{stageRefName}",
)
TIMELINE = Location(
    "8baac422-4c6e-4de5-8532-db96d92acffa",
    "build",
    "Timeline",
    "{project}/_apis/{area}/builds/{buildId}/{resource}/{timelineId}",
    version=2,
)
LOGS = Location(
    "35a80daf-7f30-45fc-86e8-6b813d9c90df",
    "build",
    "logs",
    "{project}/_apis/{area}/builds/{buildId}/{resource}/{logId}",
    version=2,
)
ARTIFACTS = Location(
    "1db06c96-014e-44e1-ac91-90b2d4b3e984",
    "build",
    "artifacts",
    "{project}/_apis/{area}/builds/{buildId}/{resource}",
    version=5,
)
ATTACHMENTS = Location(
    "f2192269-89fa-4f94-baf6-8fb128c55159",
    "build",
    "attachments",
    "{project}/_apis/{area}/builds/{buildId}/{resource}/{type}",
    version=2,
)
AUTHORIZED_RESOURCES = Location(
    "398c85bc-81aa-4822-947c-a194a05f0fef", "build", "authorizedresources", "{project}/_apis/{area}/{resource}"
)
ENVIRONMENTS = Location(
    "8572b1fc-2482-47fa-8f74-7e3ed53ee54b", _TASK, "environments", "{project}/_apis/{area}/{resource}/{environmentId}"
)
POOLS = Location("a8c47e17-4d56-4a56-92bb-de7ea7dc65be", _TASK, "pools", "_apis/{area}/{resource}/{poolId}")
QUEUES = Location(
    "900fa995-c559-4923-aae7-f8424fe4fbea", _TASK, "queues", "{project}/_apis/{area}/{resource}/{queueId}"
)
PIPELINE_PERMISSIONS = Location(
    "b5b9a4a4-e6cd-4096-853c-ab7d8b0c4eb2",
    "pipelinePermissions",
    "pipelinePermissions",
    "{project}/_apis/pipelines/{resource}/{resourceType}/{resourceId}",
    released="0.0",
)

# pipelines, checks and approvals
PIPELINES = Location(
    "28e1305e-2afe-47bf-abaf-cbb0e6a91988", "pipelines", "pipelines", "{project}/_apis/{resource}/{pipelineId}"
)
RUNS = Location(
    "7859261e-d2e9-4a68-b820-a5d84cc5bb3d",
    "pipelines",
    "runs",
    "{project}/_apis/pipelines/{pipelineId}/{resource}/{runId}",
)
APPROVALS = Location(
    "37794717-f36f-4d78-b2bf-4dc30d0cfbcd",
    "pipelinesApproval",
    "approvals",
    "{project}/_apis/pipelines/{resource}/{approvalId}",
)
CHECK_CONFIGURATIONS = Location(
    "86c8381e-5aee-4cde-8ae4-25c0c7f5eaea",
    "PipelinesChecks",
    "configurations",
    "{project}/_apis/pipelines/checks/{resource}/{id}",
    released="0.0",
)
CHECK_CONFIGURATIONS_QUERY = Location(
    "5f3d0e64-f943-4584-8811-77eb495e831e",
    "PipelinesChecks",
    "queryconfigurations",
    "{project}/_apis/pipelines/checks/{resource}",
    released="0.0",
)

# policy
POLICY_TYPES = Location(
    "44096322-2d3d-466a-bb30-d1b7de69f61f", "policy", "types", "{project}/_apis/{area}/{resource}/{typeId}"
)
POLICY_CONFIGURATIONS = Location(
    "dad91cbe-d183-45f8-9c6e-9c1164472121",
    "policy",
    "configurations",
    "{project}/_apis/{area}/{resource}/{configurationId}",
)

POLICY_EVALUATIONS = Location(
    "c23ddff5-229c-4d04-a80b-0fdce9f360c8",
    "policy",
    "evaluations",
    "{project}/_apis/{area}/{resource}",
    released="0.0",
)

# git
_REPOSITORY = "{project}/_apis/{area}/repositories/{repositoryId}"
REPOSITORIES = Location(
    "225f7195-f9c7-4d14-ab28-a83f7ff77e1f",
    "git",
    "repositories",
    "{project}/_apis/{area}/{resource}/{repositoryId}",
    project_optional=True,
)
REFS = Location(
    "2d874a60-a811-4f62-9c9f-963a6ea0a55b", "git", "refs", _REPOSITORY + "/{resource}/{*filter}", project_optional=True
)
PUSHES = Location(
    "ea98d07b-3c87-4971-8ede-a613694ffb55",
    "git",
    "pushes",
    _REPOSITORY + "/{resource}/{pushId}",
    version=2,
    project_optional=True,
)
COMMITS = Location(
    "c2570c3b-5b3f-41b8-98bf-5407bfde8d58",
    "git",
    "commits",
    _REPOSITORY + "/{resource}/{commitId}",
    project_optional=True,
)
ITEMS = Location(
    "fb93c0db-47ed-4a31-8c20-47552878fb44", "git", "items", _REPOSITORY + "/{resource}/{*path}", project_optional=True
)
BRANCH_STATISTICS = Location(
    "d5b216de-d8d5-4d32-ae76-51df755b16d3", "git", "branches", _REPOSITORY + "/stats/{resource}", project_optional=True
)

_PULL_REQUEST = _REPOSITORY + "/pullRequests/{pullRequestId}"
PULL_REQUESTS = Location(
    "9946fd70-0d40-406e-b686-b4744cbbcc37",
    "git",
    "pullRequests",
    _REPOSITORY + "/{resource}/{pullRequestId}",
    project_optional=True,
)
PULL_REQUEST_BY_ID = Location(
    "01a46dea-7d46-4d40-bc84-319e7c260d99",
    "git",
    "pullRequests",
    "{project}/_apis/{area}/{resource}/{pullRequestId}",
    project_optional=True,
)
REVIEWERS = Location(
    "4b6702c7-aa35-4b89-9c96-b9abf6d3e540",
    "git",
    "pullRequestReviewers",
    _PULL_REQUEST + "/reviewers/{reviewerId}",
    project_optional=True,
)
THREADS = Location(
    "ab6e2e5d-a0b7-4153-b64a-a4efe0d49449",
    "git",
    "pullRequestThreads",
    _PULL_REQUEST + "/threads/{threadId}",
    project_optional=True,
)
COMMENTS = Location(
    "965a3ec7-5ed8-455a-bdcb-835a5ea7fe7b",
    "git",
    "pullRequestThreadComments",
    _PULL_REQUEST + "/threads/{threadId}/comments/{commentId}",
    project_optional=True,
)

# Graph and identities
GRAPH_USERS = Location(
    "005e26ec-6b77-4e4f-a986-b3827bf241f5", "Graph", "Users", "_apis/{area}/{resource}/{userDescriptor}", released="0.0"
)
GRAPH_GROUPS = Location(
    "ebbe6af8-0b91-4c13-8cf1-777c14858188",
    "Graph",
    "Groups",
    "_apis/{area}/{resource}/{groupDescriptor}",
    released="0.0",
)
GRAPH_DESCRIPTORS = Location(
    "048aee0a-7072-4cde-ab73-7af77b1e0b4e",
    "Graph",
    "Descriptors",
    "_apis/{area}/{resource}/{storageKey}",
    released="0.0",
)
GRAPH_STORAGE_KEYS = Location(
    "eb85f8cc-f0f6-4264-a5b1-ffe2e4d4801f",
    "Graph",
    "StorageKeys",
    "_apis/{area}/{resource}/{subjectDescriptor}",
    released="0.0",
)
IDENTITIES = Location("28010c54-d0c0-4c89-a5b0-1c9e188b9fb7", "IMS", "Identities", "_apis/{resource}/{*identityId}")
IDENTITY_GROUPS = Location("5966283b-4196-4d57-9211-1b68f41ec1c2", "IMS", "Groups", "_apis/{resource}/{*groupId}")

# Not in discovery: the lifecycle of personal access tokens.
PERSONAL_ACCESS_TOKENS = Location("", "Token", "pats", "_apis/tokens/{resource}", released="0.0")

# Not in discovery and not in the service: what a test that plays the build agent asks for, see agent.py.
AGENT_JOBS = Location("", "sandbox", "jobs", "{project}/_apis/{area}/agent/{resource}/{buildId}", released="0.0")
AGENT_VARIABLE_GROUPS = Location(
    "", "sandbox", "variablegroups", "{project}/_apis/{area}/agent/{resource}/{groupName}", released="0.0"
)
AGENT_ENVIRONMENTS = Location(
    "", "sandbox", "environments", "{project}/_apis/{area}/agent/{resource}/{environmentName}", released="0.0"
)
AGENT_SERVICE_ENDPOINTS = Location(
    "", "sandbox", "serviceendpoints", "{project}/_apis/{area}/agent/{resource}/{endpointName}", released="0.0"
)
USER_TOKENS = Location("", "sandbox", "usertokens", "_apis/{area}/{resource}/{user}", released="0.0")
ENTRA_TOKENS = Location("", "sandbox", "entratokens", "_apis/{area}/{resource}", released="0.0")
OIDC_ISSUER = Location("", "sandbox", "oidcissuer", "_apis/{area}/{resource}", released="0.0")

# What the service does by itself, see builds.py.
TRIGGERS = Location("", "sandbox", "triggers", "{project}/_apis/{area}/{resource}/{definitionId}", released="0.0")

# How the sandbox's agent takes jobs and tells of them, see jobs.py.
_AGENT = "_apis/{area}/agent/{resource}"
AGENT_REQUESTS = Location("", "sandbox", "requests", _AGENT + "/{jobId}", released="0.0")
AGENT_CANCELLATIONS = Location("", "sandbox", "cancellations", _AGENT + "/{jobId}", released="0.0")
AGENT_STEPS = Location("", "sandbox", "steps", _AGENT + "/{jobId}", released="0.0")
AGENT_ATTACHMENTS = Location("", "sandbox", "attachments", _AGENT + "/{jobId}", released="0.0")
AGENT_ARTIFACTS = Location("", "sandbox", "artifacts", _AGENT + "/{jobId}", released="0.0")
