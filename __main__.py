"""From source to Amazon ECR: the repository, the right to push, the variable group that holds it, and the image.

A stack declares everything, or one of two parts that parties with different rights run: the foundation is the
operators', the image is the pipeline's. Whoever may write a stack's state may run code as whoever runs the stack next,
so the two share no state (docs/security.md).
"""

from pathlib import Path

import pulumi
import pulumi_azuredevops as azuredevops

from infra.access import PushAccess, PushAccessArgs
from infra.account import Account
from infra.build_context import prepare_context
from infra.ending import end_quietly_at_interrupts, errors_told
from infra.image import Build, Image, RegistryToken, plan_build
from infra.lookup import look_up
from infra.pipeline import Pipeline, PipelineArgs, Prerequisites
from infra.repository import ExistingRepository, Repository, RepositoryArgs
from infra.settings import load_settings
from infra.state_access import StateAccess, StateAccessArgs
from infra.variable_group import VariableGroup, VariableGroupArgs

end_quietly_at_interrupts()

# Whatever can be wrong with the settings or the files is said before any resource is touched.
project = Path(__file__).parent
with errors_told():
    settings = load_settings(project)


def main() -> None:
    """What the stack declares."""
    match settings.declares:
        case "everything":
            build = plan_image()
            token = RegistryToken.look_up()
            declare_image(build, declare_foundation(), token)
        case "foundation":
            declare_foundation()
        case "image":
            build = plan_image()
            # Without a token: the engine's own login is used, so that no secret comes into the state.
            declare_image(build, ExistingRepository.look_up(settings.repository_name), token=None)


def plan_image() -> Build:
    """What is built, under which tag."""
    context = prepare_context(project, folder=settings.build_context, dockerfile=settings.dockerfile)
    return plan_build(
        context,
        platform=settings.platform,
        base_image=settings.base_image,
        tag=settings.image_tag,
        revision=settings.image_revision,
        source=settings.image_source,
        created=settings.image_created,
    )


def declare_image(build: Build, repository: Repository | ExistingRepository, token: RegistryToken | None) -> None:
    """The image in the repository."""
    image = Image("image", build, repository, token)
    pulumi.export("repository_url", repository.url)
    pulumi.export("repository_name", repository.name)
    pulumi.export("image_tag", build.tag)
    pulumi.export("image_by_tag", image.by_tag)
    pulumi.export("image_by_digest", image.by_digest)


def declare_foundation() -> Repository:
    """The repository, who may push to it, and the pipeline that does."""
    account = Account.look_up()
    devops_project_id = look_up(
        f"the Azure DevOps project {settings.azure_dev_ops_project!r}",
        "Check AZDO_ORG_SERVICE_URL, AZDO_PERSONAL_ACCESS_TOKEN (it may have expired) and app-one:azureDevOpsProject.",
        lambda: azuredevops.get_project(name=settings.azure_dev_ops_project),
    ).id
    prerequisites = (
        Prerequisites.look_up(
            project_id=devops_project_id,
            repository_name=settings.pipeline_repository,
            approvers=settings.pipeline_approvers,
        )
        if settings.pipeline_enabled
        else None
    )

    repository = Repository(
        "repository",
        RepositoryArgs(
            repository_name=settings.repository_name,
            image_tag_mutability=settings.image_tag_mutability,
            image_tag_mutability_exclusions=settings.image_tag_mutability_exclusions,
            scan_on_push=settings.scan_on_push,
            encryption_type=settings.encryption_type,
            kms_key_arn=settings.kms_key_arn,
            keep_images=settings.keep_images,
            expire_untagged_days=settings.expire_untagged_days,
            force_delete=settings.force_delete,
            tags=settings.tags,
        ),
    )
    access = PushAccess(
        "access",
        PushAccessArgs(
            repository_arn=account.repository_arn(settings.repository_name),
            policy_name=settings.push_policy_name,
            group_name=settings.push_group_name,
            user_name=settings.push_user_name,
            path=settings.iam_path,
            permissions_boundary_arn=settings.permissions_boundary_arn,
            allow_pull=settings.allow_pull,
            # The pipeline's scan gate reads the findings.
            allow_scan_findings=settings.allow_scan_findings or settings.pipeline_enabled,
            allow_look_up=settings.declares == "foundation",
            key_generation=settings.access_key_generation,
            keep_previous_key=settings.access_key_keep_previous,
            tags=settings.tags,
        ),
    )
    variable_group = VariableGroup(
        "variable-group",
        VariableGroupArgs(
            project_id=devops_project_id,
            group_name=settings.variable_group_name,
            account_variable=settings.account_variable,
            account_id=account.id,
            access_key_variable=settings.access_key_variable,
            access_key_id=access.access_key_id,
            secret_key_variable=settings.secret_key_variable,
            secret_access_key=access.secret_access_key,
            allow_all_pipelines=settings.allow_all_pipelines,
        ),
    )
    if settings.state_bucket:
        StateAccess(
            "state-access",
            StateAccessArgs(
                partition=account.partition,
                bucket=settings.state_bucket,
                prefix=settings.state_prefix,
                kms_key_arn=settings.state_kms_key_arn,
                project=pulumi.get_project(),
                stack=pulumi.get_stack(),
                policy_name=settings.state_policy_name,
                policy_path=settings.iam_path,
                group_name=access.group_name,
                tags=settings.tags,
            ),
        )
    if prerequisites:
        pipeline = Pipeline(
            "pipeline",
            PipelineArgs(
                project_id=devops_project_id,
                pipeline_name=settings.pipeline_name,
                prerequisites=prerequisites,
                branch=settings.pipeline_branch,
                yaml_path=settings.pipeline_yaml,
                environment_name=settings.pipeline_environment,
                variable_group_id=variable_group.id,
            ),
        )
        pulumi.export("pipeline_id", pipeline.id)
    pulumi.export("repository_url", repository.url)
    pulumi.export("repository_name", repository.name)
    pulumi.export("push_policy_arn", access.policy_arn)
    pulumi.export("user_name", access.user_name)
    pulumi.export("access_key_id", access.access_key_id)
    pulumi.export("variable_group_id", variable_group.id)
    pulumi.export("variable_group_name", variable_group.name)
    return repository


with errors_told():
    main()
