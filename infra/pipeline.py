"""The Azure DevOps pipeline: its definition, what it may use, who approves it, and the check of pull requests."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_azuredevops as azuredevops

from infra.lookup import look_up

_APPROVAL_MINUTES = 7 * 24 * 60
_LOCK_MINUTES = 24 * 60
_BRANCH_MINUTES = 5
_VALID_MINUTES = 12 * 60
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Prerequisites:
    """What a pipeline needs and the program does not declare: where its code is, and who approves it. All are UUIDs."""

    repository_id: str
    approver_ids: tuple[str, ...]

    @classmethod
    def look_up(cls, *, project_id: str, repository_name: str, approvers: Sequence[str]) -> "Prerequisites":
        """Asks Azure DevOps at once; raises `LookUpError` for the first that is not there.

        repository_name: git repository in Azure Repos. approvers: names of groups of the project, or ids (UUID) of
        users and groups, which are taken as they are.
        """
        repository = look_up(
            f"the git repository {repository_name!r} in Azure Repos",
            "Create it, or set app-one:pipelineRepository to one that is there.",
            lambda: azuredevops.get_git_repository(project_id=project_id, name=repository_name),
        )
        ids = tuple(one if _UUID.fullmatch(one) else _group_id(project_id, one) for one in approvers)
        return cls(repository_id=repository.id, approver_ids=ids)


def _group_id(project_id: str, name: str) -> str:
    return look_up(
        f"the group {name!r} of the Azure DevOps project",
        "Set app-one:pipelineApprovers to names of groups of the project, or to ids of users and groups, which need no "
        "look-up: a run's own token cannot look names up.",
        lambda: azuredevops.get_group(project_id=project_id, name=name),
    ).group_id


@dataclass(frozen=True, kw_only=True)
class Protected:
    """A resource that this pipeline, and no other, may use, and only from runs of its branch."""

    name: str
    """Part of the names of what guards it."""
    kind: str
    """`variablegroup`, `endpoint` (a service connection) or `environment`."""
    resource_id: pulumi.Input[str]
    approval: bool = False
    """A person approves each run before it may be used."""
    lock: bool = False
    """One run at a time."""
    pull_requests: bool = False
    """Runs of pull requests may use it too."""


@dataclass(frozen=True, kw_only=True)
class RequiredTemplate:
    """The template that a run's YAML has to extend: of a repository at a ref, which no pull request changes."""

    path: str
    repository: str
    """In Azure Repos, PROJECT/REPOSITORY."""
    ref: str
    """Whole, such as refs/heads/trusted."""


@dataclass(frozen=True, kw_only=True)
class PipelineArgs:
    """The pipeline and its surroundings; everything is in one Azure DevOps project."""

    project_id: str
    """UUID of the project."""
    pipeline_name: str
    prerequisites: Prerequisites
    branch: str
    """Branch that is deployed and protected, without refs/heads/."""
    reviewers: int
    """How many others have to approve a pull request to the branch."""
    yaml_path: str
    """The pipeline's YAML in the repository."""
    required_template: RequiredTemplate | None
    """None where any YAML will do."""
    environment_name: str
    preview_environment_name: str
    """Where a pull request is previewed after an approval; empty for none."""
    protected: Sequence[Protected]
    """What the pipeline uses besides the environment."""


class Pipeline(pulumi.ComponentResource):
    """A pipeline that alone may use what is protected, and that deploys through an environment with checks.

    None of its resources can carry tags: their provider takes none.
    """

    id: pulumi.Output[str]

    def __init__(self, name: str, args: PipelineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("app-one:infra:Pipeline", name, None, opts)
        self._args = args
        child = pulumi.ResourceOptions(parent=self)
        branch = f"refs/heads/{args.branch}"
        definition = azuredevops.BuildDefinition(
            name,
            project_id=args.project_id,
            name=args.pipeline_name,
            repository=azuredevops.BuildDefinitionRepositoryArgs(
                repo_type="TfsGit",
                repo_id=args.prerequisites.repository_id,
                branch_name=branch,
                yml_path=args.yaml_path,
            ),
            ci_trigger=azuredevops.BuildDefinitionCiTriggerArgs(use_yaml=True),
            opts=child,
        )
        environment = azuredevops.Environment(
            f"{name}-environment",
            project_id=args.project_id,
            name=args.environment_name,
            description="Where the pipeline deploys to; its checks are written by Pulumi",
            opts=child,
        )
        pipeline_id = definition.id.apply(int)
        deploys_to = Protected(
            name="environment", kind="environment", resource_id=environment.id, approval=True, lock=True
        )
        previews = self._previews(name) if args.preview_environment_name else ()
        for protected in (*args.protected, deploys_to, *previews):
            self._guard(name, protected, pipeline_id)
        scope = {"repository_id": args.prerequisites.repository_id, "repository_ref": branch, "match_type": "Exact"}
        azuredevops.BranchPolicyBuildValidation(
            f"{name}-validation",
            project_id=args.project_id,
            enabled=True,
            blocking=True,
            settings=azuredevops.BranchPolicyBuildValidationSettingsArgs(
                display_name=f"{args.pipeline_name}: checks and build",
                build_definition_id=pipeline_id,
                valid_duration=_VALID_MINUTES,
                queue_on_source_update_only=True,
                manual_queue_only=False,
                scopes=[azuredevops.BranchPolicyBuildValidationSettingsScopeArgs(**scope)],
            ),
            opts=child,
        )
        # The check above runs the pull request's own YAML: only a second person's eyes keep one from bringing code to
        # the branch alone.
        azuredevops.BranchPolicyMinReviewers(
            f"{name}-reviewers",
            project_id=args.project_id,
            enabled=True,
            blocking=True,
            settings=azuredevops.BranchPolicyMinReviewersSettingsArgs(
                reviewer_count=args.reviewers,
                submitter_can_vote=False,
                last_pusher_cannot_approve=True,
                on_push_reset_approved_votes=True,
                allow_completion_with_rejects_or_waits=False,
                scopes=[azuredevops.BranchPolicyMinReviewersSettingsScopeArgs(**scope)],
            ),
            opts=child,
        )
        self.id = definition.id
        self.register_outputs({"id": self.id})

    def _previews(self, name: str) -> tuple[Protected]:
        """The environment behind whose approval a pull request gets the reader's credentials."""
        environment = azuredevops.Environment(
            f"{name}-preview-environment",
            project_id=self._args.project_id,
            name=self._args.preview_environment_name,
            description="Where a pull request is previewed; its checks are written by Pulumi",
            opts=pulumi.ResourceOptions(parent=self),
        )
        return (
            Protected(
                name="preview-environment",
                kind="environment",
                resource_id=environment.id,
                approval=True,
                pull_requests=True,
            ),
        )

    def _guard(self, name: str, protected: Protected, pipeline_id: pulumi.Output[int]) -> None:
        """Open a resource to this pipeline, and set the checks that a run has to pass."""
        args, child = self._args, pulumi.ResourceOptions(parent=self)
        azuredevops.PipelineAuthorization(
            f"{name}-may-use-{protected.name}",
            project_id=args.project_id,
            type=protected.kind,
            resource_id=protected.resource_id,
            pipeline_id=pipeline_id,
            opts=child,
        )
        # The environment's checks were there first, and have no part for it in their names.
        own = name if protected.name == "environment" else f"{name}-{protected.name}"
        # No policy protects the merge of a pull request.
        branches, only = f"refs/heads/{args.branch}", f"Only {args.branch}, while it is protected"
        if protected.pull_requests:
            branches, only = f"{branches},refs/pull/*", f"Only {args.branch} and pull requests"
        # A definition can be run on any branch, with that branch's YAML: without this nothing but an approver would
        # stand between unreviewed code and what is protected.
        azuredevops.CheckBranchControl(
            f"{own}-branch",
            project_id=args.project_id,
            display_name=only,
            target_resource_type=protected.kind,
            target_resource_id=protected.resource_id,
            allowed_branches=branches,
            verify_branch_protection=not protected.pull_requests,
            ignore_unknown_protection_status=False,
            timeout=_BRANCH_MINUTES,
            opts=child,
        )
        # A YAML of one's own could leave out every step that looks, or take another's in its place.
        if args.required_template:
            azuredevops.CheckRequiredTemplate(
                f"{own}-template",
                project_id=args.project_id,
                target_resource_type=protected.kind,
                target_resource_id=protected.resource_id,
                required_templates=[
                    azuredevops.CheckRequiredTemplateRequiredTemplateArgs(
                        repository_type="azuregit",
                        repository_name=args.required_template.repository,
                        repository_ref=args.required_template.ref,
                        template_path=args.required_template.path,
                    )
                ],
                opts=child,
            )
        if protected.approval:
            azuredevops.CheckApproval(
                f"{own}-approval",
                project_id=args.project_id,
                target_resource_type=protected.kind,
                target_resource_id=protected.resource_id,
                approvers=args.prerequisites.approver_ids,
                requester_can_approve=False,
                instructions="Read the run's audit report: it says what this deployment will change.",
                timeout=_APPROVAL_MINUTES,
                opts=child,
            )
        if protected.lock:
            azuredevops.CheckExclusiveLock(
                f"{own}-lock",
                project_id=args.project_id,
                target_resource_type=protected.kind,
                target_resource_id=protected.resource_id,
                timeout=_LOCK_MINUTES,
                opts=child,
            )
