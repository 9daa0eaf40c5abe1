"""Who calls: from an access key to its principal, and from a principal to the policies that bind it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from moto.core.utils import utcnow
from moto.iam.models import AccessKeyLastUsed, Group, IAMBackend, ManagedPolicy, Role, User, iam_backends
from moto.sts.models import sts_backends

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.aws.config import Admin

PARTITION = "aws"
EVERYTHING = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]},
)
"""What the account's root user may do: everything that no resource-based policy refuses it."""


@dataclass(frozen=True)
class Principal:
    """The maker of a request.

    arn: as AWS's messages name it: `...:root`, `...:user/PATH/NAME` or `...:assumed-role/ROLE/SESSION`.
    entity: the ARN of the IAM entity behind it, which is a session's role (the condition key aws:PrincipalArn).
    user_id: AWS's unique id; a user of the same name that is made later has another.
    """

    kind: Literal["root", "user", "session"]
    arn: str
    entity: str
    user_id: str
    key_id: str
    name: str


@dataclass(frozen=True)
class Bounds:
    """The policy documents that bind a principal: what it is given, and what nothing given may exceed."""

    identity: tuple[str, ...]
    boundary: str | None = None
    session: str | None = None


@dataclass(frozen=True)
class Key:
    """An active access key: its principal, its secret, and the session token that has to come with it."""

    principal: Principal
    secret: str
    session_token: str | None = None
    expires: datetime | None = None
    made: datetime | None = None
    """Of a user's key: when it was made."""


class Directory:
    """The account's principals, read from moto's IAM and STS as they are at this moment."""

    def __init__(self, account: str, admin: Admin) -> None:
        self.account = account
        self.root_arn = f"arn:{PARTITION}:iam::{account}:root"
        self._admin = admin

    @property
    def iam(self) -> IAMBackend:
        """moto's IAM of this account."""
        return iam_backends[self.account][PARTITION]

    def key(self, key_id: str) -> Key | None:
        """The active key of this id; None for an unknown, deleted or inactive one."""
        if key_id == self._admin.key_id:
            root = Principal("root", self.root_arn, self.root_arn, self.account, key_id, "root")
            return Key(root, self._admin.secret)
        for user in self.iam.users.values():
            for access_key in user.access_keys:
                if access_key.access_key_id == key_id and access_key.status == "Active":
                    made = access_key.create_date.replace(tzinfo=UTC)
                    return Key(self._user(user, key_id), access_key.secret_access_key, made=made)
        return self._session_key(key_id)

    def role(self, name: str) -> Role | None:
        """The role of this name (moto keeps roles by their ids)."""
        return next((role for role in self.iam.roles.values() if role.name == name), None)

    def entity(self, arn: str) -> Principal | None:
        """The user or role with this ARN, whoever may ask as it; None where there is none."""
        user = next((user for user in self.iam.users.values() if user.arn == arn), None)
        if user is not None:
            return self._user(user, "")
        role = next((role for role in self.iam.roles.values() if role.arn == arn), None)
        return None if role is None else Principal("session", arn, arn, f"{role.id}:", "", role.name)

    def _user(self, user: User, key_id: str) -> Principal:
        return Principal("user", user.arn, user.arn, user.id, key_id, user.name)

    def _session_key(self, key_id: str) -> Key | None:
        for session in sts_backends[self.account][PARTITION].assumed_roles:
            if session.access_key_id == key_id:
                name = session.role_arn.rpartition("/")[2]
                principal = Principal("session", session.arn, session.role_arn, session.user_id, key_id, name)
                expires = session.expiration.replace(tzinfo=UTC)
                return Key(principal, session.secret_access_key, session.session_token, expires)
        return None

    def bounds(self, principal: Principal) -> Bounds:
        """The policies in force now; none at all for a user or role that is gone."""
        if principal.kind == "root":
            return Bounds((EVERYTHING,))
        if principal.kind == "session":
            role = self.role(principal.name)
            if role is None or not principal.user_id.startswith(role.id + ":"):
                return Bounds(())
            session = next(
                (s for s in sts_backends[self.account][PARTITION].assumed_roles if s.access_key_id == principal.key_id),
                None,
            )
            return Bounds(_given(role), self._boundary(role), session.policy if session else None)
        user = self.iam.users.get(principal.name)
        if user is None or user.id != principal.user_id:
            return Bounds(())
        groups = [_given(group) for group in self.iam.groups.values() if user in group.users]
        return Bounds(sum(groups, _given(user)), self._boundary(user))

    def _boundary(self, owner: User | Role) -> str | None:
        arn: str | None = getattr(owner, "permissions_boundary_arn", None)
        if arn is None:
            return None
        policy = self.iam.managed_policies.get(arn)
        # A boundary that is gone leaves nothing: its owner may not grow by deleting it.
        return _document(policy) if policy else json.dumps({"Version": "2012-10-17", "Statement": []})

    def context(self, principal: Principal) -> dict[str, str | Sequence[str]]:
        """The global condition keys that describe the principal and the way its request came.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
        """
        kinds = {"root": "Account", "user": "User", "session": "AssumedRole"}
        now = datetime.now(UTC)
        context: dict[str, str | Sequence[str]] = {
            "aws:PrincipalArn": principal.entity,
            "aws:PrincipalAccount": self.account,
            "aws:PrincipalType": kinds[principal.kind],
            "aws:userid": principal.user_id,
            "aws:CurrentTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "aws:EpochTime": str(int(now.timestamp())),
            # On the loopback nobody listens in: requests count as sent by TLS, so that a policy may demand it.
            "aws:SecureTransport": "true",
            "aws:SourceIp": "127.0.0.1",
        }
        if principal.kind == "user":
            context["aws:username"] = principal.name
            for key, value in self.tags(principal.arn).items():
                context[f"aws:PrincipalTag/{key}"] = value
        return context

    def tags(self, arn: str) -> Mapping[str, str]:
        """The tags of a user by its ARN."""
        return {tag["Key"]: tag["Value"] for tag in self.iam.tagger.list_tags_for_resource(arn)["Tags"]}

    def record_use(self, principal: Principal, service: str, region: str) -> None:
        """What GetAccessKeyLastUsed answers, also for calls that are refused."""
        user = self.iam.users.get(principal.name) if principal.kind == "user" else None
        for access_key in user.access_keys if user else ():
            if access_key.access_key_id == principal.key_id:
                access_key.last_used = AccessKeyLastUsed(timestamp=utcnow(), service=service, region=region)


def _given(owner: User | Role | Group) -> tuple[str, ...]:
    """Inline and attached policies, these by their default version."""
    return (*owner.policies.values(), *(_document(policy) for policy in owner.managed_policies.values()))


def _document(policy: ManagedPolicy) -> str:
    return next(v.document for v in policy.versions if v.version_id == policy.default_version_id)
