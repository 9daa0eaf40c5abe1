"""The shapes of request bodies, as JSON Schema: what a handler may rely on; what the values mean, it checks itself."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

from sandbox.azure_devops.errors import bad_argument

Shape = dict[str, Any]

# The service takes null for every field that may be left out.
TEXT: Shape = {"type": ["string", "null"]}
NUMBER: Shape = {"type": ["integer", "null"]}
FLAG: Shape = {"type": ["boolean", "null"]}
KEY: Shape = {"type": ["integer", "string", "null"]}


def thing(**fields: Shape) -> Shape:
    """Return the shape of an object; fields that are not named may be anything."""
    return {"type": ["object", "null"], "properties": fields}


def many(item: Shape) -> Shape:
    """Return the shape of an array of one shape, none of which is null."""
    return {"type": ["array", "null"], "items": {**item, "type": [kind for kind in item["type"] if kind != "null"]}}


ACCESS_TOKEN = thing(displayName=TEXT, scope=TEXT, validTo=TEXT)
PROJECT = thing(name=TEXT, description=TEXT, capabilities=thing(processTemplate=thing(templateTypeId=TEXT)))
VARIABLE_GROUP = thing(
    name=TEXT,
    description=TEXT,
    type=TEXT,
    variables=thing(),
    variableGroupProjectReferences=many(thing(name=TEXT, description=TEXT, projectReference=thing(id=TEXT, name=TEXT))),
)
SERVICE_ENDPOINT = thing(
    name=TEXT,
    type=TEXT,
    url=TEXT,
    description=TEXT,
    data=thing(),
    authorization=thing(scheme=TEXT, parameters=thing()),
    serviceEndpointProjectReferences=many(
        thing(name=TEXT, description=TEXT, projectReference=thing(id=TEXT, name=TEXT))
    ),
)
OIDC_ISSUER = thing(issuer=TEXT)
RESOURCES = many(thing(type=TEXT, id=KEY, name=TEXT, authorized=FLAG))
_PERMISSION = thing(
    resource=thing(type=TEXT, id=KEY),
    allPipelines=thing(authorized=FLAG),
    pipelines=many(thing(id=KEY, authorized=FLAG)),
)
# One resource, or a list of them: keywords for objects say nothing of arrays, and the other way round.
PERMISSIONS: Shape = {**_PERMISSION, **many(_PERMISSION), "type": ["object", "array", "null"]}
DEFINITION = thing(
    name=TEXT,
    path=TEXT,
    revision=NUMBER,
    queueStatus=TEXT,
    comment=TEXT,
    process=thing(yamlFilename=TEXT),
    queue=thing(id=NUMBER, name=TEXT, pool=thing(name=TEXT)),
    repository=thing(id=TEXT, name=TEXT, type=TEXT, defaultBranch=TEXT, properties=thing()),
    triggers=many(thing()),
    variables=thing(),
    variableGroups=many(thing(id=NUMBER)),
)
BUILD = thing(
    definition=thing(id=KEY),
    sourceBranch=TEXT,
    sourceVersion=TEXT,
    reason=TEXT,
    parameters=TEXT,
    templateParameters=thing(),
)
TRIGGER = thing(reason=TEXT, sourceBranch=TEXT, requestedFor=TEXT, stagesToSkip=many(TEXT))
STAGE_CHANGE = thing(state=KEY, forceRetryAllJobs=FLAG)
APPROVALS = many(thing(approvalId=TEXT, status=KEY, comment=TEXT))
BUILD_CHANGE = thing(status=TEXT, result=TEXT, buildNumber=TEXT)
GENERAL_SETTINGS = thing(enforceSettableVar=FLAG)
RUN = thing(
    variables=thing(),
    resources=thing(repositories=thing(self=thing(refName=TEXT, version=TEXT))),
    templateParameters=thing(),
    stagesToSkip=many(TEXT),
)
ENVIRONMENT = thing(name=TEXT, description=TEXT)
CHECK = thing(
    type=thing(id=TEXT, name=TEXT),
    resource=thing(type=TEXT, id=KEY),
    timeout=NUMBER,
    settings=thing(
        approvers=many(thing(id=TEXT)),
        blockedApprovers=many(thing(id=TEXT)),
        executionOrder=TEXT,
        instructions=TEXT,
        minRequiredApprovers=NUMBER,
        requesterCannotBeApprover=FLAG,
    ),
)
POLICY = thing(
    type=thing(id=TEXT),
    isEnabled=FLAG,
    isBlocking=FLAG,
    settings=thing(
        scope=many(thing(repositoryId=TEXT, refName=TEXT, matchKind=TEXT)),
        buildDefinitionId=KEY,
        validDuration={"type": ["number", "null"]},
    ),
)
REPOSITORY = thing(name=TEXT, defaultBranch=TEXT, isDisabled=FLAG, project=thing(id=TEXT))
REF_UPDATES = many(thing(name=TEXT, oldObjectId=TEXT, newObjectId=TEXT))
_CHANGE = thing(changeType=TEXT, item=thing(path=TEXT), newContent=thing(content=TEXT, contentType=TEXT))
PUSH = thing(refUpdates=REF_UPDATES, commits=many(thing(comment=TEXT, changes=many(_CHANGE))))
PULL_REQUEST = thing(sourceRefName=TEXT, targetRefName=TEXT, title=TEXT, description=TEXT, status=TEXT, isDraft=FLAG)
VOTE = thing(vote=NUMBER)
COMMENT = thing(content=TEXT, parentCommentId=NUMBER, commentType=KEY)
THREAD = thing(comments=many(COMMENT), status=KEY, properties=thing())


def check(shape: Shape, body: Any) -> None:
    """Refuse a body of another shape with a 400 that names the place and what is expected there, not what was sent."""
    for error in Draft202012Validator(shape).iter_errors(body):
        kinds = [kind for kind in error.validator_value if kind != "null"]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
        raise bad_argument(f"The request's body{place} is not valid: {' or '.join(kinds)} is expected.")
