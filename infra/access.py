"""The right to push to this one repository: policy, group, user, membership and access key."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import policy


@dataclass(frozen=True, kw_only=True)
class PushAccessArgs:
    """Who may push, and what else they may do; names are IAM's and are checked by `infra.settings`."""

    repository_arn: str
    """The one repository; known in a preview, so that a reviewer can read the policy."""
    policy_name: str
    group_name: str
    user_name: str
    path: str
    """IAM path of all three, `/` or `/a/b/`."""
    permissions_boundary_arn: str
    """Policy that bounds the user; empty for none."""
    allow_pull: bool
    """Also pull from the repository."""
    allow_scan_findings: bool
    """Also read image details and scan findings of the repository."""
    allow_look_up: bool
    """Also look the repository up, where the image's stack is another one."""
    key_generation: int
    """Number of the access key in use, from 1."""
    keep_previous_key: bool
    """Keep the key of the generation before besides it."""
    tags: Mapping[str, str]
    """Tags of the policy and the user; groups and keys cannot carry any."""


class PushAccess(pulumi.ComponentResource):
    """An IAM user that can push to one repository, and its access key.

    The policy hangs on a group, not on the user (Security Hub IAM.2). A key is a resource named after its generation:
    the engine creates the new one first, the variable group is updated with it, and the old one is deleted last. IAM
    allows two keys a user, so a generation is raised by one at a time.
    """

    policy_arn: pulumi.Output[str]
    group_name: pulumi.Output[str]
    user_name: pulumi.Output[str]
    access_key_id: pulumi.Output[str]
    secret_access_key: pulumi.Output[str]
    """Always a secret."""

    def __init__(self, name: str, args: PushAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("app-one:infra:PushAccess", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        push_policy = aws.iam.Policy(
            f"{name}-policy",
            name=args.policy_name,
            path=args.path,
            description="Push images to one ECR repository",
            policy=push_policy_document(args),
            tags=args.tags,
            opts=child,
        )
        group = aws.iam.Group(f"{name}-group", name=args.group_name, path=args.path, opts=child)
        aws.iam.GroupPolicyAttachment(f"{name}-group-policy", group=group.name, policy_arn=push_policy.arn, opts=child)
        user = aws.iam.User(
            f"{name}-user",
            name=args.user_name,
            path=args.path,
            permissions_boundary=args.permissions_boundary_arn or None,
            tags=args.tags,
            opts=child,
        )
        aws.iam.UserGroupMembership(f"{name}-membership", user=user.name, groups=[group.name], opts=child)
        if args.keep_previous_key:
            self._key(name, args.key_generation - 1, user)
        key = self._key(name, args.key_generation, user)
        self.policy_arn = push_policy.arn
        self.group_name = group.name
        self.user_name = user.name
        self.access_key_id = key.id
        self.secret_access_key = pulumi.Output.secret(key.secret)
        self.register_outputs(
            {"policy_arn": self.policy_arn, "user_name": self.user_name, "access_key_id": self.access_key_id}
        )

    def _key(self, name: str, generation: int, user: aws.iam.User) -> aws.iam.AccessKey:
        return aws.iam.AccessKey(f"{name}-key-{generation}", user=user.name, opts=pulumi.ResourceOptions(parent=self))


def push_policy_document(args: PushAccessArgs) -> str:
    """The push policy as JSON.

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
            resources=[args.repository_arn],
        ),
    ]
    if args.allow_pull:
        statements.append(
            policy.Statement(
                sid="PullImages",
                reason="docker pull, where the same user deploys what it pushed",
                actions=["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                resources=[args.repository_arn],
            )
        )
    if args.allow_scan_findings:
        statements.append(
            policy.Statement(
                sid="ReadScanFindings",
                reason="the pipeline's scan gate waits for the findings of the digest that it pushed",
                actions=["ecr:DescribeImageScanFindings", "ecr:DescribeImages"],
                resources=[args.repository_arn],
            )
        )
    if args.allow_look_up:
        statements.append(
            policy.Statement(
                sid="LookUpRepository",
                reason="the image's stack asks for the repository, its tags and newest images; another declares it",
                actions=["ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:ListTagsForResource"],
                resources=[args.repository_arn],
            )
        )
    return policy.document(statements)
