"""Who may do what with this one repository: a policy, and a user with an access key or a role that holds it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

import iam
from infra import policy
from infra.key_rotation import RECORD, Declared, Wanted

Kind = Literal["Push", "Read"]
"""Pushing images, or only reading what the pipeline previews; each has names of resources of its own."""


@dataclass(frozen=True, kw_only=True)
class PolicyArgs:
    """An IAM policy, as a document and by its names."""

    name: str
    path: str
    """IAM path of the policy and of who holds it, `/` or `/a/b/`."""
    description: str
    document: str
    """Known in a preview, so that a reviewer can read it."""
    tags: Mapping[str, str]
    """Tags of whatever can carry them; groups and keys cannot."""


@dataclass(frozen=True, kw_only=True)
class KeyArgs:
    """An IAM user with an access key; names are IAM's and are checked by `infra.settings`."""

    group_name: str
    user_name: str
    permissions_boundary_arn: str
    """Policy that bounds the user; empty for none."""
    keys: Wanted
    """The access keys, by `infra.key_rotation`."""


class KeyAccess(pulumi.ComponentResource):
    """An IAM user with one policy, and its access key.

    The policy hangs on a group, not on the user (Security Hub IAM.2). A key is a resource named after its number: the
    engine creates the new one first, the variable group is updated with it, and the old one ends after that, for which
    the group is named by `end_previous`. The user's tag, which records what is going on, is written before all of it.
    """

    policy_arn: pulumi.Output[str]
    group_name: pulumi.Output[str]
    user_name: pulumi.Output[str]
    access_key_id: pulumi.Output[str]
    secret_access_key: pulumi.Output[str]
    """Always a secret."""

    def __init__(
        self, name: str, kind: Kind, rights: PolicyArgs, args: KeyArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(f"app-one:infra:{kind}Access", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        held = _policy(name, rights, child)
        group = aws.iam.Group(f"{name}-group", name=args.group_name, path=rights.path, opts=child)
        aws.iam.GroupPolicyAttachment(f"{name}-group-policy", group=group.name, policy_arn=held.arn, opts=child)
        user = aws.iam.User(
            f"{name}-user",
            name=args.user_name,
            path=rights.path,
            permissions_boundary=args.permissions_boundary_arn or None,
            tags={**rights.tags, RECORD: args.keys.record} if args.keys.record else rights.tags,
            opts=child,
        )
        aws.iam.UserGroupMembership(f"{name}-membership", user=user.name, groups=[group.name], opts=child)
        self._name, self._user, self._keys = name, user, args.keys
        made = {key.number: self._key(key) for key in args.keys.keys if not key.once_unused}
        for remark in args.keys.remarks:
            {"info": pulumi.log.info, "warn": pulumi.log.warn, "error": pulumi.log.error}[remark.level](remark.text)
        key = made[args.keys.in_use]
        self.policy_arn = held.arn
        self.group_name = group.name
        self.user_name = user.name
        self.access_key_id = key.id
        self.secret_access_key = pulumi.Output.secret(key.secret)
        self.register_outputs(
            {"policy_arn": self.policy_arn, "user_name": self.user_name, "access_key_id": self.access_key_id}
        )

    def end_previous(self, group: pulumi.Resource) -> None:
        """Disables the key that is not in use any more, after `group` holds the other one."""
        for key in self._keys.keys:
            if key.once_unused:
                self._key(key, group)

    def _key(self, key: Declared, after: pulumi.Resource | None = None) -> aws.iam.AccessKey:
        return aws.iam.AccessKey(
            f"{self._name}-key-{key.number}",
            user=self._user.name,
            # Left out where it is the default, as in stacks from before.
            status=None if key.status == "Active" else key.status,
            opts=pulumi.ResourceOptions(parent=self, depends_on=after),
        )


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Whose tokens may take a role."""

    provider_arn: str
    """The account's OIDC provider; known in a preview, so that a reviewer can read the trust."""
    issuer: str
    """The issuer's URL without https://, which is the prefix of its condition keys."""
    audience: str
    subject: str
    """Exactly; a pattern would let others in."""


@dataclass(frozen=True, kw_only=True)
class RoleArgs:
    """An IAM role for identity tokens."""

    role_name: str
    permissions_boundary_arn: str
    """Policy that bounds the role; empty for none."""
    trusted: Sequence[Trust]


class RoleAccess(pulumi.ComponentResource):
    """An IAM role with one policy, which a run of the pipeline takes by its identity token: there is no key."""

    policy_arn: pulumi.Output[str]
    role_name: pulumi.Output[str]
    role_arn: pulumi.Output[str]

    def __init__(
        self, name: str, kind: Kind, rights: PolicyArgs, args: RoleArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(f"app-one:infra:{kind}Role", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        held = _policy(name, rights, child)
        role = aws.iam.Role(
            f"{name}-role",
            name=args.role_name,
            path=rights.path,
            description=rights.description,
            assume_role_policy=trust_document(args.trusted),
            max_session_duration=_SESSION_SECONDS,
            permissions_boundary=args.permissions_boundary_arn or None,
            tags=rights.tags,
            opts=child,
        )
        aws.iam.RolePolicyAttachment(f"{name}-role-policy", role=role.name, policy_arn=held.arn, opts=child)
        self.policy_arn = held.arn
        self.role_name = role.name
        self.role_arn = role.arn
        self.register_outputs({"policy_arn": self.policy_arn, "role_arn": self.role_arn})


_SESSION_SECONDS = 3600
"""How long a session of a role is good; IAM's least."""


def _policy(name: str, rights: PolicyArgs, child: pulumi.ResourceOptions) -> aws.iam.Policy:
    return aws.iam.Policy(
        f"{name}-policy",
        name=rights.name,
        path=rights.path,
        description=rights.description,
        policy=rights.document,
        tags=rights.tags,
        opts=child,
    )


def trust_document(trusted: Sequence[Trust]) -> str:
    """A role's trust policy as JSON: a statement an issuer, so that two can be trusted while one takes over.

    Audience and subject both have to be exactly what they are (StringEquals): every pipeline of every organisation
    would meet a trust in the audience alone.
    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html
    """
    statements = [
        {
            "Sid": f"Issuer{number}",
            "Effect": "Allow",
            "Principal": {"Federated": trust.provider_arn},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {f"{trust.issuer}:aud": trust.audience, f"{trust.issuer}:sub": trust.subject}
            },
        }
        for number, trust in enumerate(trusted, 1)
    ]
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.parse(text)
    return text


def push_policy_document(
    repository_arn: str, *, allow_pull: bool, allow_scan_findings: bool, allow_look_up: bool
) -> str:
    """The push policy as JSON.

    allow_pull: also pull from the repository. allow_scan_findings: also read image details and scan findings.
    allow_look_up: also look the repository up, where the image's stack is another one.
    Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
    """
    statements = [
        policy.Statement(
            sid="GetRegistryToken",
            reason="docker login; the token opens the registry, the other statements decide what it may do there",
            actions=["ecr:GetAuthorizationToken"],
            resources=["*"],
        ),
        policy.Statement(
            sid="PushImages",
            reason=(
                "docker push: ask which layers are there, upload those that are not, put the manifest; an engine with "
                "the containerd image store (Docker 29) asks for the manifest too, and stops where it may not. That "
                "reads manifests; layers need ecr:GetDownloadUrlForLayer"
            ),
            actions=[
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:CompleteLayerUpload",
                "ecr:InitiateLayerUpload",
                "ecr:PutImage",
                "ecr:UploadLayerPart",
            ],
            resources=[repository_arn],
        ),
    ]
    if allow_pull:
        statements.append(
            policy.Statement(
                sid="PullImages",
                reason="docker pull, where the same user deploys what it pushed",
                actions=["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                resources=[repository_arn],
            )
        )
    if allow_scan_findings:
        statements.append(
            policy.Statement(
                sid="ReadScanFindings",
                reason="the pipeline's scan gate waits for the findings of the digest that it pushed",
                actions=["ecr:DescribeImageScanFindings", "ecr:DescribeImages"],
                resources=[repository_arn],
            )
        )
    if allow_look_up:
        statements.append(_look_up(repository_arn))
    return policy.document(statements)


def read_policy_document(repository_arn: str, user_arns: Sequence[str]) -> str:
    """The reader's policy as JSON: what a preview, and the nightly look at the image, ask of this one repository.

    user_arns: the users whose keys' age is looked at; none where there are no keys.
    """
    statements = [
        _look_up(repository_arn),
        policy.Statement(
            sid="ReadImages",
            reason="is the recorded image still there, as it was pushed, when does it expire, what did its scan find",
            actions=["ecr:BatchGetImage", "ecr:DescribeImageScanFindings", "ecr:GetLifecyclePolicy"],
            resources=[repository_arn],
        ),
    ]
    if user_arns:
        statements.append(
            policy.Statement(
                sid="ReadAgeOfKeys",
                reason="the nightly run says which key is too old",
                actions=["iam:GetAccessKeyLastUsed", "iam:GetUser", "iam:ListAccessKeys"],
                resources=user_arns,
            )
        )
    return policy.document(statements)


def _look_up(repository_arn: str) -> policy.Statement:
    return policy.Statement(
        sid="LookUpRepository",
        reason="the image's stack asks for the repository, its tags and newest images; another declares it",
        actions=["ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:ListTagsForResource"],
        resources=[repository_arn],
    )
