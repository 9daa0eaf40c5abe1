"""The pipeline's rights on the state of the image's stack in an s3 backend, and on nothing else there."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import pulumi
import pulumi_aws as aws

from infra import policy
from infra.access import PolicyArgs

_COMPRESSIONS = ("", ".gz", ".zst")
"""What follows `.json` in a checkpoint's name: PULUMI_DIY_BACKEND_GZIP or _ZSTD has it compressed."""


@dataclass(frozen=True, kw_only=True)
class StateFiles:
    """Where one stack's state is."""

    partition: str
    """AWS partition of the bucket."""
    backend: str
    """As `pulumi login` takes it, `s3://BUCKET[/PREFIX][?...]`."""
    project: str
    """Name of the Pulumi project."""
    stack: str
    """Name of the Pulumi stack."""

    @property
    def bucket(self) -> str:
        """ARN of the bucket."""
        return f"arn:{self.partition}:s3:::{urlsplit(self.backend).netloc}"

    @property
    def root(self) -> str:
        """Folder of the backend in the bucket."""
        prefix = urlsplit(self.backend).path.strip("/")
        return f"{prefix}/.pulumi" if prefix else ".pulumi"


class StateAccess(pulumi.ComponentResource):
    """A policy on the state of one existing stack, attached to a group or to a role.

    The stack itself is made by an operator: `pulumi stack init` writes where these rights do not reach.
    """

    def __init__(
        self,
        name: str,
        rights: PolicyArgs,
        *,
        group_name: pulumi.Input[str] | None = None,
        role_name: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("app-one:infra:StateAccess", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        held = aws.iam.Policy(
            f"{name}-policy",
            name=rights.name,
            path=rights.path,
            description=rights.description,
            policy=rights.document,
            tags=rights.tags,
            opts=child,
        )
        if group_name is not None:
            aws.iam.GroupPolicyAttachment(f"{name}-group-policy", group=group_name, policy_arn=held.arn, opts=child)
        if role_name is not None:
            aws.iam.RolePolicyAttachment(f"{name}-role-policy", role=role_name, policy_arn=held.arn, opts=child)
        self.register_outputs({"policy_arn": held.arn})


def state_policy_document(files: StateFiles, *, write: bool) -> str:
    """The policy as JSON: what the engine's s3 backend calls for one stack, and no more.

    write: for `up`, which takes the lock and leaves a new checkpoint; a preview only reads. The stack holds no secret,
    so there is no key to decrypt with.

    The layout is that of the engine's version 1 (`backend/diy` of its source): a file `meta.yaml` and the folders
    `stacks`, `history`, `backups` and `locks` below `.pulumi`. The calls are those that engine 3.259.0 was seen to make
    for preview, up, stack output and stack history. The backend's setting to keep each checkpoint
    (PULUMI_DIY_BACKEND_RETAIN_CHECKPOINTS) needs names that this policy does not hold.
    """
    root, bucket = files.root, files.bucket
    # Exact names: a stack's name may hold dots, so `dev.*` would be the files of a stack `dev.eu` too.
    stack = f"{root}/stacks/{files.project}/{files.stack}"
    checkpoints = [f"{stack}.json{compression}{copy}" for compression in _COMPRESSIONS for copy in ("", ".bak")]
    history = f"{root}/history/{files.project}/{files.stack}/"
    backups = f"{root}/backups/{files.project}/{files.stack}/"
    locks = f"{root}/locks/organization/{files.project}/{files.stack}/"
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
            sid="ReadState",
            reason="read the checkpoint and the history",
            actions=["s3:GetObject"],
            resources=[*(f"{bucket}/{checkpoint}" for checkpoint in checkpoints), f"{bucket}/{history}*"],
        ),
        policy.Statement(
            sid="ReadTags",
            reason="the engine asks for the stack's tags in each run; `pulumi stack tag`, an operator's, writes them",
            actions=["s3:GetObject"],
            resources=[f"{bucket}/{stack}.pulumi-tags"],
        ),
        policy.Statement(
            sid="ReadLocks",
            reason="who else changes the stack now",
            actions=["s3:GetObject"],
            resources=[f"{bucket}/{locks}*"],
        ),
    ]
    if write:
        statements += _writing(bucket, checkpoints, history=history, backups=backups, locks=locks)
    return policy.document(statements)


def _writing(
    bucket: str, checkpoints: Sequence[str], *, history: str, backups: str, locks: str
) -> list[policy.Statement]:
    return [
        policy.Statement(
            sid="WriteState",
            reason="copy the checkpoint to its .bak and to the history, and write the new one",
            actions=["s3:AbortMultipartUpload", "s3:PutObject"],
            resources=[*(f"{bucket}/{checkpoint}" for checkpoint in checkpoints), f"{bucket}/{history}*"],
        ),
        policy.Statement(
            sid="WriteBackups",
            reason="each update leaves a backup behind, which only an operator reads",
            actions=["s3:AbortMultipartUpload", "s3:PutObject"],
            resources=[f"{bucket}/{backups}*"],
        ),
        policy.Statement(
            sid="TakeAndReleaseLock",
            reason="one update at a time: write a lock and delete it; nothing else is deleted",
            actions=["s3:DeleteObject", "s3:PutObject"],
            resources=[f"{bucket}/{locks}*"],
        ),
    ]
