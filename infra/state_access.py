"""The pipeline's rights on this stack's state in an s3 backend, and on the KMS key of its secrets provider."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import policy

_COMPRESSIONS = ("", ".gz", ".zst")
"""What follows `.json` in a checkpoint's name: PULUMI_DIY_BACKEND_GZIP or _ZSTD has it compressed."""


@dataclass(frozen=True, kw_only=True)
class StateAccessArgs:
    """Where the state is, and who uses it."""

    partition: str
    """AWS partition of bucket and key."""
    bucket: str
    """Name of the bucket in `PULUMI_BACKEND_URL`."""
    prefix: str
    """Path below the bucket in `PULUMI_BACKEND_URL`, without / at its ends; empty for none."""
    kms_key_arn: str
    """Key of the `awskms://` secrets provider; empty where the stack has another one."""
    project: str
    """Name of the Pulumi project."""
    stack: str
    """Name of the Pulumi stack."""
    policy_name: str
    policy_path: str
    group_name: pulumi.Input[str]
    """IAM group that gets the rights."""
    tags: Mapping[str, str]
    """Tags of the policy."""


class StateAccess(pulumi.ComponentResource):
    """A policy for `preview` and `up` of one existing stack, attached to a group.

    The stack itself is made by an operator: `pulumi stack init` writes where these rights do not reach.
    """

    def __init__(self, name: str, args: StateAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("app-one:infra:StateAccess", name, None, opts)
        state_policy = aws.iam.Policy(
            f"{name}-policy",
            name=args.policy_name,
            path=args.policy_path,
            description="Read and write the Pulumi state of one stack",
            policy=state_policy_document(args),
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.iam.GroupPolicyAttachment(
            f"{name}-group-policy",
            group=args.group_name,
            policy_arn=state_policy.arn,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"policy_arn": state_policy.arn})


def state_policy_document(args: StateAccessArgs) -> str:
    """The policy as JSON: what the engine's s3 backend calls for one stack, and no more.

    The layout is that of the engine's version 1 (`backend/diy` of its source): a file `meta.yaml` and the folders
    `stacks`, `history`, `backups` and `locks` below `.pulumi`. The calls are those that engine 3.259.0 was seen to make
    for preview, up, stack output and stack history of a stack with an awskms secrets provider. The backend's setting
    to keep each checkpoint (PULUMI_DIY_BACKEND_RETAIN_CHECKPOINTS) needs names that this policy does not hold.
    """
    root = f"{args.prefix}/.pulumi" if args.prefix else ".pulumi"
    bucket = f"arn:{args.partition}:s3:::{args.bucket}"
    # Exact names: a stack's name may hold dots, so `dev.*` would be the files of a stack `dev.eu` too.
    stack = f"{root}/stacks/{args.project}/{args.stack}"
    checkpoints = [f"{stack}.json{compression}{copy}" for compression in _COMPRESSIONS for copy in ("", ".bak")]
    history = f"{root}/history/{args.project}/{args.stack}/"
    backups = f"{root}/backups/{args.project}/{args.stack}/"
    locks = f"{root}/locks/organization/{args.project}/{args.stack}/"
    statements = [
        policy.Statement(
            sid="ListState",
            reason=(
                "find the checkpoint, the history and others' locks. IfExists, since S3 tells a missing object from a "
                "forbidden one only to whom it would let list it, and that question has no prefix; the engine reads "
                "the stack's tags in each run, which most stacks do not have. A list without any prefix is the price: "
                "it shows names, not contents"
            ),
            actions=["s3:ListBucket"],
            resources=[bucket],
            condition={
                "StringLikeIfExists": {"s3:prefix": [f"{root}/stacks/", f"{stack}.json", f"{history}*", f"{locks}*"]}
            },
        ),
        policy.Statement(
            sid="ReadBackendVersion",
            reason="the engine asks for the layout's version before anything else",
            actions=["s3:GetObject"],
            resources=[f"{bucket}/{root}/meta.yaml"],
        ),
        policy.Statement(
            sid="ReadAndWriteState",
            reason="read the checkpoint, copy it to its .bak and the history, write the new one; read the history",
            actions=["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
            resources=[*(f"{bucket}/{checkpoint}" for checkpoint in checkpoints), f"{bucket}/{history}*"],
        ),
        policy.Statement(
            sid="ReadTags",
            reason="the engine asks for the stack's tags in each run; `pulumi stack tag`, an operator's, writes them",
            actions=["s3:GetObject"],
            resources=[f"{bucket}/{stack}.pulumi-tags"],
        ),
        policy.Statement(
            sid="WriteBackups",
            reason="each update leaves a backup behind, which only an operator reads",
            actions=["s3:AbortMultipartUpload", "s3:PutObject"],
            resources=[f"{bucket}/{backups}*"],
        ),
        policy.Statement(
            sid="TakeAndReleaseLock",
            reason="one update at a time: write a lock, read who else has one, delete it; nothing else is deleted",
            actions=["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            resources=[f"{bucket}/{locks}*"],
        ),
    ]
    if args.kms_key_arn:
        statements.append(
            policy.Statement(
                sid="DecryptStateKey",
                reason="the stack's data key is decrypted once a run; it was encrypted once, when the stack was made",
                actions=["kms:Decrypt"],
                resources=[args.kms_key_arn],
            )
        )
    return policy.document(statements)
