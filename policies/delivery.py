"""Rules on Azure DevOps: what stands between unreviewed code and what the pipeline may do (docs/security.md)."""

import re
from collections.abc import Iterator, Sequence

from policies.holders import CONNECTION, GROUP, may_push
from policies.images import IMAGE
from policies.rule import Properties, Resource, ResourceRule, StackRule

_INDEX = "azuredevops:index/"
DEFINITION = f"{_INDEX}buildDefinition:BuildDefinition"
ENVIRONMENT = f"{_INDEX}environment:Environment"
AUTHORIZATION = f"{_INDEX}pipelineAuthorization:PipelineAuthorization"
BRANCH_CONTROL = f"{_INDEX}checkBranchControl:CheckBranchControl"
TEMPLATE = f"{_INDEX}checkRequiredTemplate:CheckRequiredTemplate"
APPROVAL = f"{_INDEX}checkApproval:CheckApproval"
REVIEWERS = f"{_INDEX}branchPolicyMinReviewers:BranchPolicyMinReviewers"
VALIDATION = f"{_INDEX}branchPolicyBuildValidation:BranchPolicyBuildValidation"
_SECRET_NAME = re.compile(r"(?i)(secret|passw|token|credential|private.?key)")


def _closed(_: str, properties: Properties) -> Iterator[str]:
    if properties.get("allowAccess"):
        yield "every pipeline of the project may use the variable group: allowAccess is true"


def _secret(_: str, properties: Properties) -> Iterator[str]:
    for variable in properties.get("variables") or ():
        name = str(variable.get("name"))
        if _SECRET_NAME.search(name) and not variable.get("isSecret"):
            yield f"the variable {name} is not kept as a secret"


def _one_pipeline(_: str, properties: Properties) -> Iterator[str]:
    if "pipelineId" not in set(properties):  # asked of the names: the value need not be known
        yield f"every pipeline of the project may use this {properties.get('type')}"


def _no_settable_variable(_: str, properties: Properties) -> Iterator[str]:
    for variable in properties.get("variables") or ():
        if variable.get("allowOverride", True):
            yield f"whoever queues a run can set the variable {variable.get('name')}"


def _with_key(_: str, properties: Properties) -> Iterator[str]:
    if not properties.get("useOidc"):
        yield "the connection holds a key, which does not end by itself"


def _piped(resources: Sequence[Resource]) -> bool:
    return any(each.type == DEFINITION for each in resources)


def _unguarded(resources: Sequence[Resource], check: str, *types: str) -> Iterator[Resource]:
    """The resources of some types that no check of this kind is on, in a stack that has a pipeline."""
    if not _piped(resources):
        return
    checks = [each for each in resources if each.type == check]
    for each in resources:
        if each.type in types and not any(one.refers("targetResourceId", each, "id") for one in checks):
            yield each


def _branch_control(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    for each in _unguarded(resources, BRANCH_CONTROL, GROUP, ENVIRONMENT, CONNECTION):
        yield each, "a run of any branch may use it: it has no branch control"


def _template(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    for each in _unguarded(resources, TEMPLATE, GROUP, ENVIRONMENT, CONNECTION):
        yield each, "a run with any YAML may use it: it has no required template"


def _pinned(_: str, properties: Properties) -> Iterator[str]:
    templates = properties.get("requiredTemplates") or ()
    if not templates:
        yield "it names no template"
    for one in templates:
        ref, path = str(one.get("repositoryRef") or ""), one.get("templatePath")
        if not ref.startswith(("refs/heads/", "refs/tags/")) or not path:
            yield f"the template {path or 'of no name'} at {ref or 'no ref'} is whatever is found there"


def _any_branch(_: str, properties: Properties) -> Iterator[str]:
    branches = [part.strip() for part in str(properties.get("allowedBranches") or "*").split(",")]
    for branch in branches:
        if branch in ("*", "refs/*", "refs/heads/*"):
            yield f"its branch control lets every branch through ({branch})"


def _approval(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    for each in _unguarded(resources, APPROVAL, ENVIRONMENT):
        yield each, "a run deploys to it without an approval"


def _unapproved_push(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """In a foundation; a stack that has the image too is one person's."""
    if not any(each.type == IMAGE for each in resources):
        for each in _unguarded(resources, APPROVAL, GROUP, CONNECTION):
            if may_push(each, resources):
                yield each, "a run pushes images with it before anybody has approved that run"


def _own_approval(_: str, properties: Properties) -> Iterator[str]:
    if properties.get("requesterCanApprove"):
        yield "whoever starts a run can approve it"


def _policies(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    have = {each.type for each in resources}
    for each in resources:
        if each.type == DEFINITION:
            if REVIEWERS not in have:
                yield each, "one person alone can bring code to its branch: no minimum of reviewers is declared"
            if VALIDATION not in have:
                yield each, "code comes to its branch unchecked: no build policy is declared"


def _reviewed(_: str, properties: Properties) -> Iterator[str]:
    settings = properties.get("settings") or {}
    if not (properties.get("enabled", True) and properties.get("blocking", True)):
        yield "the minimum of reviewers does not block"
    if not settings.get("reviewerCount"):
        yield "no reviewer is needed"
    if settings.get("submitterCanVote"):
        yield "the author's own vote counts"
    if not settings.get("lastPusherCannotApprove"):
        yield "the vote of whoever pushed last counts"
    if not (settings.get("onPushResetApprovedVotes") or settings.get("onPushResetAllVotes")):
        yield "votes stay when something is pushed after them"


def _checked(_: str, properties: Properties) -> Iterator[str]:
    if not (properties.get("enabled", True) and properties.get("blocking", True)):
        yield "the build policy does not block"


RULES = (
    ResourceRule(
        id="devops-closed-group",
        title="A variable group is open to the pipelines that it is meant for",
        severity="high",
        level="mandatory",
        types=(GROUP,),
        check=_closed,
        remedy="Set app-one:allowAllPipelines false",
        met="infra/variable_group.py",
    ),
    ResourceRule(
        id="devops-secret-variable",
        title="A secret of a variable group is kept as one",
        severity="critical",
        level="mandatory",
        types=(GROUP,),
        check=_secret,
        remedy="Give it as secret_value with is_secret",
        met="infra/variable_group.py",
    ),
    ResourceRule(
        id="devops-one-pipeline",
        title="What is protected is opened to one pipeline, never to all",
        severity="high",
        level="mandatory",
        types=(AUTHORIZATION,),
        check=_one_pipeline,
        remedy="Name the pipeline_id",
        met="infra/pipeline.py",
    ),
    ResourceRule(
        id="devops-no-settable-variable",
        title="No variable of a pipeline is set by whoever queues a run",
        severity="medium",
        level="mandatory",
        types=(DEFINITION,),
        check=_no_settable_variable,
        remedy="Set allow_override false, or make it a parameter in the YAML",
        met="infra/pipeline.py declares none",
    ),
    ResourceRule(
        id="devops-connection-by-token",
        title="A service connection to AWS holds no key",
        severity="high",
        level="mandatory",
        types=(CONNECTION,),
        check=_with_key,
        remedy="Set use_oidc and a role",
        met="infra/service_connection.py",
    ),
    StackRule(
        id="devops-branch-control",
        title="Groups, connections and environments have a branch control",
        severity="critical",
        level="mandatory",
        check=_branch_control,
        remedy="Declare an azuredevops.CheckBranchControl for it, as infra/pipeline.py does",
        met="infra/pipeline.py",
    ),
    StackRule(
        id="devops-required-template",
        title="What is protected is used by runs of one reviewed template",
        severity="high",
        level="mandatory",
        check=_template,
        remedy="Set app-one:requiredTemplate, which is its default",
        met="infra/pipeline.py",
    ),
    ResourceRule(
        id="devops-pinned-template",
        title="A required template is one file at one ref",
        severity="high",
        level="mandatory",
        types=(TEMPLATE,),
        check=_pinned,
        remedy="Name its file, and a ref that begins with refs/heads/ or refs/tags/",
        met="infra/pipeline.py",
    ),
    ResourceRule(
        id="devops-named-branches",
        title="A branch control names branches",
        severity="high",
        level="mandatory",
        types=(BRANCH_CONTROL,),
        check=_any_branch,
        remedy="Name the branches that are reviewed",
        met="infra/pipeline.py",
    ),
    StackRule(
        id="devops-approval",
        title="An environment is deployed to after an approval",
        severity="high",
        level="mandatory",
        check=_approval,
        remedy="Declare an azuredevops.CheckApproval for it, as infra/pipeline.py does",
        met="infra/pipeline.py",
    ),
    StackRule(
        id="devops-approval-before-push",
        title="What lets a run push images is given after an approval, wherever it lies",
        severity="critical",
        level="mandatory",
        check=_unapproved_push,
        remedy="Declare an azuredevops.CheckApproval for it, as infra/pipeline.py does",
        met="infra/foundation.py, infra/pipeline.py",
    ),
    ResourceRule(
        id="devops-second-person",
        title="Nobody approves a run of their own",
        severity="high",
        level="mandatory",
        types=(APPROVAL,),
        check=_own_approval,
        remedy="Set requester_can_approve false",
        met="infra/pipeline.py",
    ),
    StackRule(
        id="devops-branch-policies",
        title="A pipeline's branch takes reviewed and built code only",
        severity="critical",
        level="mandatory",
        check=_policies,
        remedy="Declare a BranchPolicyMinReviewers and a BranchPolicyBuildValidation, as infra/pipeline.py does",
        met="infra/pipeline.py",
    ),
    ResourceRule(
        id="devops-reviewers",
        title="A second person reviews what comes to the branch, in its last form",
        severity="critical",
        level="mandatory",
        types=(REVIEWERS,),
        check=_reviewed,
        remedy="Let it block; the author's and the last pusher's votes must not count, and a push resets votes",
        met="infra/pipeline.py, app-one:pipelineReviewers",
    ),
    ResourceRule(
        id="devops-build-policy",
        title="The build policy blocks",
        severity="high",
        level="mandatory",
        types=(VALIDATION,),
        check=_checked,
        remedy="Set enabled and blocking true",
        met="infra/pipeline.py",
    ),
)
