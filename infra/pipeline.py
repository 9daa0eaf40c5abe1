"""The Azure DevOps pipeline: its definition, what it may use, who approves it, and the check of pull requests."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_azuredevops as azuredevops

from infra.lookup import look_up

_APPROVAL_MINUTES = 7 * 24 * 60
_LOCK_MINUTES = 24 * 60
_VALID_MINUTES = 12 * 60
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class PipelineArgs:
    """The pipeline and its surroundings; everything is in one Azure DevOps project."""

    project_id: str
    """UUID of the project."""
    pipeline_name: str
    repository_name: str
    """Git repository in Azure Repos."""
    branch: str
    """Branch that is deployed and protected, without refs/heads/."""
    yaml_path: str
    """The pipeline's YAML in the repository."""
    environment_name: str
    approvers: Sequence[str]
    """Names of groups of the project, or ids (UUID) of users and groups."""
    variable_group_id: pulumi.Input[str]
    """The group that this pipeline, and no other, may use."""


class Pipeline(pulumi.ComponentResource):
    """A pipeline that alone may use the variable group, and that deploys through an environment with checks.

    None of its resources can carry tags: their provider takes none.
    """

    id: pulumi.Output[str]

    def __init__(self, name: str, args: PipelineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("app-one:infra:Pipeline", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        repository = look_up(
            f"the git repository {args.repository_name!r} in Azure Repos",
            "Create it, or set app-one:pipelineRepository to one that is there.",
            lambda: azuredevops.get_git_repository(project_id=args.project_id, name=args.repository_name),
        )
        branch = f"refs/heads/{args.branch}"
        definition = azuredevops.BuildDefinition(
            name,
            project_id=args.project_id,
            name=args.pipeline_name,
            # The default, the whole organisation, would let a run's token reach every project.
            job_authorization_scope="project",
            repository=azuredevops.BuildDefinitionRepositoryArgs(
                repo_type="TfsGit", repo_id=repository.id, branch_name=branch, yml_path=args.yaml_path
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
        for kind, resource_id in (("variablegroup", args.variable_group_id), ("environment", environment.id)):
            azuredevops.PipelineAuthorization(
                f"{name}-may-use-{kind}",
                project_id=args.project_id,
                type=kind,
                resource_id=resource_id,
                pipeline_id=pipeline_id,
                opts=child,
            )
        azuredevops.CheckApproval(
            f"{name}-approval",
            project_id=args.project_id,
            target_resource_type="environment",
            target_resource_id=environment.id,
            approvers=[self._approver(args, approver) for approver in args.approvers],
            requester_can_approve=False,
            instructions="Read the run's audit report: it says what this deployment will change.",
            timeout=_APPROVAL_MINUTES,
            opts=child,
        )
        azuredevops.CheckExclusiveLock(
            f"{name}-lock",
            project_id=args.project_id,
            target_resource_type="environment",
            target_resource_id=environment.id,
            timeout=_LOCK_MINUTES,
            opts=child,
        )
        azuredevops.BranchPolicyBuildValidation(
            f"{name}-validation",
            project_id=args.project_id,
            enabled=True,
            blocking=True,
            settings=azuredevops.BranchPolicyBuildValidationSettingsArgs(
                display_name=f"{args.pipeline_name}: checks and preview",
                build_definition_id=pipeline_id,
                valid_duration=_VALID_MINUTES,
                queue_on_source_update_only=True,
                manual_queue_only=False,
                scopes=[
                    azuredevops.BranchPolicyBuildValidationSettingsScopeArgs(
                        repository_id=repository.id, repository_ref=branch, match_type="Exact"
                    )
                ],
            ),
            opts=child,
        )
        self.id = definition.id
        self.register_outputs({"id": self.id})

    def _approver(self, args: PipelineArgs, approver: str) -> str:
        if _UUID.fullmatch(approver):
            return approver
        group = look_up(
            f"the group {approver!r} of the Azure DevOps project",
            "Set app-one:pipelineApprovers to names of groups of the project, or to ids of users and groups.",
            lambda: azuredevops.get_group(project_id=args.project_id, name=approver),
        )
        return group.group_id
