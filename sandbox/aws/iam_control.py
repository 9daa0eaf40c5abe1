"""IAM's and STS's control planes: moto's, with what it gets wrong put right."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import moto.iam.urls
import moto.sts.urls
from moto.core.responses import ActionResult, EmptyResult
from moto.iam.exceptions import DeleteConflictException, EntityAlreadyExists, NoSuchEntity
from moto.iam.responses import IamResponse
from moto.sts.responses import TokenResponse

from sandbox.aws.ecr_control import CALLER

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.aws.principals import Principal
    from sandbox.aws.web_identity import Identity

    Simulator = Callable[[], list[dict[str, Any]]]

SIMULATOR = "sandbox.simulator"
"""Where a request holds what gives the answer of the policy simulator to it."""
MADE = datetime(2022, 1, 1, tzinfo=UTC)
"""When the account was made."""


class Iam(IamResponse):
    """IAM's operations; moto knows no root user, no boundary of a user, and deletes what is in use."""

    def create_user(self) -> ActionResult:
        boundary = self._get_param("PermissionsBoundary")
        if boundary:
            self._check_boundary(boundary)
        result = super().create_user()
        if boundary:
            self._bind(self.backend.get_user(self._get_param("UserName")), boundary)
        return result

    def put_user_permissions_boundary(self) -> ActionResult:
        """PutUserPermissionsBoundary."""
        user = self.backend.get_user(self._get_param("UserName"))
        boundary = self._get_param("PermissionsBoundary")
        self._check_boundary(boundary)
        self._bind(user, boundary)
        return EmptyResult()

    def delete_user_permissions_boundary(self) -> ActionResult:
        """DeleteUserPermissionsBoundary."""
        user: Any = self.backend.get_user(self._get_param("UserName"))
        if getattr(user, "permissions_boundary_arn", None) is None:
            raise NoSuchEntity(f"The permissions boundary of user {user.name} cannot be found.")
        user.permissions_boundary_arn = user.permissions_boundary = None
        return EmptyResult()

    def update_user(self) -> ActionResult:
        """UpdateUser (moto lets a user take the name, and the place, of another)."""
        user, name = self.backend.get_user(self._get_param("UserName")), self._get_param("NewUserName")
        if name and name != user.name and name in self.backend.users:
            raise EntityAlreadyExists(f"User with name {name} already exists.")
        return super().update_user()

    def delete_user(self) -> ActionResult:
        """DeleteUser (moto deletes one with keys or in groups)."""
        user = self.backend.get_user(self._get_param("UserName"))
        if user.access_keys:
            raise DeleteConflictException("Cannot delete entity, must delete access keys first.")
        if user.group_list:
            raise DeleteConflictException("Cannot delete entity, must remove users from group first.")
        return super().delete_user()

    def delete_group(self) -> ActionResult:
        """DeleteGroup (moto deletes one with members or policies)."""
        group = self.backend.get_group(self._get_param("GroupName"))
        if group.users:
            raise DeleteConflictException("Cannot delete entity, must remove users from group first.")
        if group.managed_policies:
            raise DeleteConflictException("Cannot delete entity, must detach all policies first.")
        if group.policies:
            raise DeleteConflictException("Cannot delete entity, must delete policies first.")
        return super().delete_group()

    def delete_policy(self) -> ActionResult:
        """DeletePolicy (moto deletes an attached one, which stays in force)."""
        policy = self.backend.get_policy(self._get_param("PolicyArn"))
        backend = self.backend
        owners: list[Any] = [*backend.users.values(), *backend.groups.values(), *backend.roles.values()]
        boundaries = {getattr(owner, "permissions_boundary_arn", None) for owner in owners}
        if policy.arn in boundaries or any(policy.arn in owner.managed_policies for owner in owners):
            raise DeleteConflictException("Cannot delete a policy attached to entities.")
        if len(policy.versions) > 1:
            raise DeleteConflictException(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                "versions. The default version is deleted with the policy."
            )
        return super().delete_policy()

    def _check_boundary(self, arn: str) -> None:
        if arn not in self.backend.managed_policies:
            raise NoSuchEntity(f"Policy {arn} does not exist or is not attachable.")

    def _bind(self, user: Any, arn: str) -> None:
        user.permissions_boundary_arn = arn
        user.permissions_boundary = {
            "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
            "PermissionsBoundaryArn": arn,
        }

    def get_user(self) -> ActionResult:
        """Without a name: the caller, who may be the root user (moto: a made-up one)."""
        caller: Principal = self.normalized_request.environ[CALLER]
        if self._get_param("UserName") or caller.kind != "root":
            return super().get_user()
        return ActionResult({"User": {"UserId": caller.user_id, "Arn": caller.arn, "CreateDate": MADE}})

    def simulate_principal_policy(self) -> ActionResult:
        """What the account's policies decide of a user's or role's requests (moto has no such operation)."""
        simulator: Simulator = self.normalized_request.environ[SIMULATOR]
        return ActionResult({"EvaluationResults": simulator(), "IsTruncated": False})


class Sts(TokenResponse):
    """STS's operations."""

    def get_caller_identity(self) -> ActionResult:
        """Who the judged key is of (moto: a made-up user for a key that it does not know)."""
        caller: Principal = self.normalized_request.environ[CALLER]
        return ActionResult({"UserId": caller.user_id, "Account": self.current_account, "Arn": caller.arn})

    def assume_role_with_web_identity(self) -> ActionResult:
        """AssumeRoleWithWebIdentity of an admitted identity (moto: of any token, with made-up answers)."""
        identity: Identity = self.normalized_request.environ[CALLER]
        session = self.backend.assume_role_with_web_identity(
            region_name=self.region,
            role_session_name=self._get_param("RoleSessionName"),
            role_arn=self._get_param("RoleArn"),
            policy=self._get_param("Policy"),
            duration=self._get_int_param("DurationSeconds", 3600),
            external_id=None,
        )
        return ActionResult(
            {
                "Credentials": session,
                "SubjectFromWebIdentityToken": identity.subject,
                "AssumedRoleUser": {"AssumedRoleId": session.user_id, "Arn": session.arn},
                "Provider": identity.provider,
                "Audience": identity.audience,
            }
        )

    def get_session_token(self) -> NoReturn:
        """Refused: moto gives everyone the same example credentials."""
        raise NotImplementedError

    def get_federation_token(self) -> NoReturn:
        """Refused: moto gives everyone the same example credentials."""
        raise NotImplementedError


def install() -> None:
    """Put these in moto's place; call it before the first request."""
    moto.iam.urls.url_paths.update(dict.fromkeys(moto.iam.urls.url_paths, Iam.dispatch))
    moto.sts.urls.url_paths.update(dict.fromkeys(moto.sts.urls.url_paths, Sts.dispatch))
