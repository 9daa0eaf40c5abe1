"""The foundation: the repository, who may push to it and read it, and the pipeline that does. Operators run it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import pulumi
import pulumi_azuredevops as azuredevops

from infra import pipeline_extends
from infra.access import (
    KeyAccess,
    KeyArgs,
    Kind,
    PolicyArgs,
    RoleAccess,
    RoleArgs,
    Trust,
    push_policy_document,
    read_policy_document,
)
from infra.account import Account
from infra.federation import Federation
from infra.held_keys import HeldKeys
from infra.key_rotation import Rule
from infra.lookup import look_up
from infra.pipeline import Pipeline, PipelineArgs, Prerequisites, Protected, RequiredTemplate
from infra.repository import Repository, RepositoryArgs
from infra.service_connection import ServiceConnection
from infra.settings import Settings
from infra.state_access import StateAccess, StateFiles, state_policy_document
from infra.variable_group import VariableGroup, VariableGroupArgs

ROLE_VARIABLE, CONNECTION_VARIABLE = "App-One.Role", "App-One.Connection"
"""With identity tokens: the role's ARN and the service connection's id, in the place of a key."""
USERS_VARIABLE = "App-One.Users"
"""The users whose keys' age the nightly run looks at."""
BACKEND_VARIABLE, STACK_VARIABLE = "Pulumi.Backend", "Pulumi.Stack"
"""Where the state of the image's stack is, and the stack's name."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What is there before the foundation, looked up before anything is registered."""

    account: Account
    project_id: str
    """UUID of the Azure DevOps project."""
    prerequisites: Prerequisites | None
    """Of the pipeline, where one is declared."""
    keys: Mapping[str, HeldKeys]
    """By the user's name, for the users that are to have keys."""

    @classmethod
    def look_up(cls, settings: Settings) -> "Surroundings":
        """Asks AWS and Azure DevOps at once; raises `LookUpError` for the first that does not answer."""
        account = Account.look_up()
        project_id = look_up(
            f"the Azure DevOps project {settings.azure_dev_ops_project!r}",
            "Check AZDO_ORG_SERVICE_URL, AZDO_PERSONAL_ACCESS_TOKEN or `az login` (they may have expired), and "
            "app-one:azureDevOpsProject.",
            lambda: azuredevops.get_project(name=settings.azure_dev_ops_project),
        ).id
        prerequisites = (
            Prerequisites.look_up(
                project_id=project_id,
                repository_name=settings.pipeline_repository,
                approvers=settings.pipeline_approvers,
            )
            if settings.pipeline_enabled
            else None
        )
        ending = bool(settings.access_key_max_age_days or settings.access_keys_compromised)
        keys = {user: HeldKeys.look_up(user, needed=ending) for user in users_with_keys(settings)}
        return cls(account=account, project_id=project_id, prerequisites=prerequisites, keys=keys)


def users_with_keys(settings: Settings) -> list[str]:
    """Names of the IAM users: who pushes, and in a foundation with a pipeline who reads; none without keys."""
    if settings.pipeline_identity != "key" and not settings.keep_access_key:
        return []
    reading = settings.declares == "foundation" and settings.pipeline_enabled
    return [settings.push_user_name, *([settings.reader_name] if reading else [])]


class Foundation:
    """Everything but the image; names are those of the settings, and nothing is read from another stack."""

    def __init__(self, settings: Settings, around: Surroundings) -> None:
        self._settings, self._around = settings, around
        self._protected: list[Protected] = []
        self.repository = self._repository()
        self._federation = self._issuers() if settings.pipeline_identity == "oidc" else None
        self._pushing()
        if settings.declares == "foundation" and settings.pipeline_enabled:
            self._reading()
        if settings.image_backend:
            self._state_group()
        if around.prerequisites:
            self._pipeline(around.prerequisites)

    def _repository(self) -> Repository:
        settings = self._settings
        repository = Repository(
            "repository",
            RepositoryArgs(
                repository_name=settings.repository_name,
                image_tag_mutability=settings.image_tag_mutability,
                image_tag_mutability_exclusions=settings.image_tag_mutability_exclusions,
                scan_on_push=settings.scan_on_push,
                encryption_type=settings.encryption_type,
                kms_key_arn=settings.kms_key_arn,
                protected_tags=settings.protected_tags,
                lifecycle_rules=settings.lifecycle_rules,
                keep_images=settings.keep_images,
                expire_untagged_days=settings.expire_untagged_days,
                force_delete=settings.force_delete,
                tags=settings.tags,
            ),
        )
        pulumi.export("repository_url", repository.url)
        pulumi.export("repository_name", repository.name)
        return repository

    def _issuers(self) -> Federation:
        settings = self._settings
        issuers = [trust["issuer"] for trust in settings.oidc_trust]
        return Federation("federation", issuers, settings.oidc_audience, settings.tags)

    def _pushing(self) -> None:
        settings, account = self._settings, self._around.account
        rights = self._rights(
            settings.push_policy_name,
            "Push images to one ECR repository",
            push_policy_document(
                account.repository_arn(settings.repository_name),
                allow_pull=settings.allow_pull,
                # The pipeline's scan gate reads the findings.
                allow_scan_findings=settings.allow_scan_findings or settings.pipeline_enabled,
                allow_look_up=settings.declares == "foundation",
            ),
        )
        variables: dict[str, pulumi.Input[str]] = {settings.account_variable: account.id}
        secrets: dict[str, pulumi.Input[str]] = {}
        access: KeyAccess | None = None
        if self._with_keys:
            access = KeyAccess("access", "Push", rights, self._keys(settings.push_group_name, settings.push_user_name))
            variables[settings.access_key_variable] = access.access_key_id
            secrets[settings.secret_key_variable] = access.secret_access_key
            self._state_access("state-access", settings.state_name, write=True, group_name=access.group_name)
            pulumi.export("push_policy_arn", access.policy_arn)
            pulumi.export("user_name", access.user_name)
            pulumi.export("access_key_id", access.access_key_id)
        if self._federation:
            name = settings.push_role_name
            variables |= self._role("push", "Push", name, rights, approval=True, write=True)
        group = self._group("variable-group", settings.variable_group_name, variables, secrets)
        if access:
            access.end_previous(group)
        pulumi.export("variable_group_id", group.id)
        pulumi.export("variable_group_name", group.name)
        self._protected.append(
            Protected(
                name="variablegroup",
                kind="variablegroup",
                resource_id=group.id,
                # Whoever may queue a run of main may name any commit for it, with a YAML that leaves the environment
                # out: the key itself waits for a person, as the connection does.
                approval=settings.declares == "foundation" and self._with_keys,
            )
        )

    def _reading(self) -> None:
        """Previews and the nightly run: who may not push, and finds no secret where it may read."""
        settings, account = self._settings, self._around.account
        name = settings.reader_name
        users = users_with_keys(settings)
        rights = self._rights(
            name,
            "Read one ECR repository",
            read_policy_document(
                account.repository_arn(settings.repository_name),
                [account.user_arn(settings.iam_path, user) for user in users],
            ),
        )
        variables: dict[str, pulumi.Input[str]] = {settings.account_variable: account.id}
        secrets: dict[str, pulumi.Input[str]] = {}
        access: KeyAccess | None = None
        if self._with_keys:
            access = KeyAccess("reader", "Read", rights, self._keys(name, name))
            variables |= {settings.access_key_variable: access.access_key_id, USERS_VARIABLE: ",".join(users)}
            secrets[settings.secret_key_variable] = access.secret_access_key
            self._state_access(
                "reader-state-access", f"{settings.state_name}-{name}", write=False, group_name=access.group_name
            )
        if self._federation:
            variables |= self._role("reader", "Read", name, rights, approval=False, write=False)
        group = self._group("reader-group", name, variables, secrets)
        if access:
            access.end_previous(group)
        self._protected.append(
            Protected(
                name="reader-group",
                kind="variablegroup",
                resource_id=group.id,
                pull_requests=settings.pull_request_preview,
            )
        )

    @property
    def _with_keys(self) -> bool:
        return bool(users_with_keys(self._settings))

    def _keys(self, group_name: str, user_name: str) -> KeyArgs:
        settings = self._settings
        rule = Rule(
            user=user_name,
            first=settings.access_key_generation,
            keep_previous=settings.access_key_keep_previous,
            max_age_days=settings.access_key_max_age_days,
            grace_days=settings.access_key_grace_days,
            compromised=settings.access_keys_compromised,
        )
        as_of = datetime.fromisoformat(settings.keys_as_of) if settings.keys_as_of else None
        return KeyArgs(
            group_name=group_name,
            user_name=user_name,
            permissions_boundary_arn=settings.permissions_boundary_arn,
            keys=self._around.keys[user_name].wanted(rule, as_of),
        )

    def _rights(self, name: str, description: str, document: str) -> PolicyArgs:
        settings = self._settings
        return PolicyArgs(
            name=name, path=settings.iam_path, description=description, document=document, tags=settings.tags
        )

    def _role(
        self, name: str, kind: Kind, role_name: str, rights: PolicyArgs, *, approval: bool, write: bool
    ) -> dict[str, pulumi.Input[str]]:
        """A role, the connection that leads to it, and the variables that name both."""
        settings, account = self._settings, self._around.account
        trusted = [
            Trust(
                provider_arn=account.oidc_provider_arn(trust["issuer"]),
                issuer=trust["issuer"].removeprefix("https://"),
                audience=settings.oidc_audience,
                subject=trust["push" if kind == "Push" else "reader"],
            )
            for trust in settings.oidc_trust
        ]
        access = RoleAccess(
            f"{name}-role",
            kind,
            # A name of its own: a user with a key may hold the same rights besides.
            replace(rights, name=f"{rights.name}-role"),
            RoleArgs(
                role_name=role_name,
                permissions_boundary_arn=settings.permissions_boundary_arn,
                trusted=trusted,
            ),
            opts=pulumi.ResourceOptions(depends_on=[self._federation] if self._federation else None),
        )
        own = settings.state_name if kind == "Push" else f"{settings.state_name}-{role_name}"
        self._state_access(f"{name}-role-state-access", f"{own}-role", write=write, role_name=access.role_name)
        connection = ServiceConnection(
            f"{name}-connection",
            project_id=self._around.project_id,
            connection_name=role_name,
            role_arn=access.role_arn,
        )
        self._protected.append(
            Protected(
                name=f"{name}-connection",
                kind="endpoint",
                resource_id=connection.id,
                approval=approval,
                pull_requests=kind == "Read" and settings.pull_request_preview,
            )
        )
        return {ROLE_VARIABLE: access.role_arn, CONNECTION_VARIABLE: connection.id}

    def _state_access(
        self,
        name: str,
        policy_name: str,
        *,
        write: bool,
        group_name: pulumi.Input[str] | None = None,
        role_name: pulumi.Input[str] | None = None,
    ) -> None:
        settings = self._settings
        if not settings.image_backend.startswith("s3://"):
            return
        files = StateFiles(
            partition=self._around.account.partition,
            backend=settings.image_backend,
            project=pulumi.get_project(),
            stack=self._image_stack,
        )
        description = f"{'Read and write' if write else 'Read'} the Pulumi state of the image's stack"
        rights = self._rights(policy_name, description, state_policy_document(files, write=write))
        StateAccess(name, rights, group_name=group_name, role_name=role_name)

    @property
    def _image_stack(self) -> str:
        return self._settings.image_stack or f"{pulumi.get_stack()}-image"

    def _state_group(self) -> None:
        """Where the state is: no secret, since the stack has none and needs no passphrase."""
        variables = {BACKEND_VARIABLE: self._settings.image_backend, STACK_VARIABLE: self._image_stack}
        group = self._group("state-group", self._settings.state_name, variables)
        self._protected.append(
            Protected(
                name="state-group",
                kind="variablegroup",
                resource_id=group.id,
                pull_requests=self._settings.pull_request_preview,
            )
        )

    def _group(
        self,
        name: str,
        group_name: str,
        variables: Mapping[str, pulumi.Input[str]],
        secrets: Mapping[str, pulumi.Input[str]] | None = None,
    ) -> VariableGroup:
        return VariableGroup(
            name,
            VariableGroupArgs(
                project_id=self._around.project_id,
                group_name=group_name,
                variables=variables,
                secrets=secrets or {},
                allow_all_pipelines=self._settings.allow_all_pipelines,
            ),
        )

    def _pipeline(self, prerequisites: Prerequisites) -> None:
        settings = self._settings
        pipeline = Pipeline(
            "pipeline",
            PipelineArgs(
                project_id=self._around.project_id,
                pipeline_name=settings.pipeline_name,
                prerequisites=prerequisites,
                branch=settings.pipeline_branch,
                reviewers=settings.pipeline_reviewers,
                yaml_path=settings.pipeline_yaml,
                required_template=_required_template(settings),
                environment_name=settings.pipeline_environment,
                preview_environment_name=(
                    f"{settings.pipeline_environment}-preview" if settings.pull_request_preview else ""
                ),
                protected=self._protected,
            ),
        )
        pulumi.export("pipeline_id", pipeline.id)


def _required_template(settings: Settings) -> RequiredTemplate | None:
    if not settings.required_template:
        return None
    return RequiredTemplate(
        path=settings.required_template,
        repository=pipeline_extends.repository(
            settings.required_template_repository, settings.azure_dev_ops_project, settings.pipeline_repository
        ),
        ref=settings.required_template_ref,
    )
