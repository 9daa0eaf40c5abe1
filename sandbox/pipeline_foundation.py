"""What an operator has before the first run, as docs/azure-devops.md says: the foundation, and the image's stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import environment, layout as names, stack
from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.layout import Layout

BUCKET = f"{names.PROJECT}-image-state"
IMAGE_STACK = f"{names.STACK}-image"


def make(layout: Layout, variables: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Make what is missing; where all is there, `pulumi up` finds nothing to change.

    The checkout's stack becomes a foundation: what `make up` declares, without the image, which the pipeline releases.
    `make up` makes it a stack of everything again.

    Raises:
        SandboxError: the engine does not make the foundation or the stack; it has said why.
    """
    s3 = _s3(variables)
    if BUCKET not in {row["Name"] for row in s3.list_buckets()["Buckets"]}:
        where = {"LocationConstraint": variables["AWS_REGION"]}
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
    query = f"region={variables['AWS_REGION']}&endpoint={variables['AWS_ENDPOINT_URL']}&s3ForcePathStyle=true&awssdk=v2"
    backend = f"s3://{BUCKET}?{query}"
    chosen = {
        "declares": "foundation",
        "imageBackend": backend,
        "imageTagMutability": "IMMUTABLE",
        "imageTagMutabilityExclusions": "[]",
    }
    asked = [part for key, value in chosen.items() for part in ("--config", f"{names.PROJECT}:{key}={value}")]
    given = environment.full(dict(variables))
    say("The operators' foundation:")
    if stack.pulumi(layout, ["up", "--yes", "--skip-preview", "--suppress-outputs", *asked], given):
        raise SandboxError("the foundation was not made: see above; then `make pipeline` goes on from here")
    kept = f".pulumi/stacks/{names.PROJECT}/{IMAGE_STACK}.json"
    if not s3.list_objects_v2(Bucket=BUCKET, Prefix=kept).get("KeyCount"):
        say(f"The image's stack, {IMAGE_STACK}: it holds no secret, so its passphrase is empty")
        own = {**given, "PULUMI_BACKEND_URL": backend, "PULUMI_CONFIG_PASSPHRASE": ""}
        del own["PULUMI_CONFIG_PASSPHRASE_FILE"]
        stack.make(layout, IMAGE_STACK, own)


def _s3(variables: Mapping[str, str]) -> Any:
    import boto3

    return boto3.session.Session().client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region_name=variables["AWS_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
