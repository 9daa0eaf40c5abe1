"""Make the places of the two Pulumi states: an S3 bucket each, and the KMS key for the foundation's secrets.

Shows first what it would do; then asks, or takes --yes. What is there already is left as it is, and what an interrupted
run left out is made by the next one. Buckets are versioned, encrypted, closed to the public and to ACLs, and reached by
TLS alone; the key rotates every year. A bucket or a key that is not marked as this project's is refused: --adopt takes
one that is yours and holds nothing but a Pulumi state. Needs an operator's AWS credentials; no program can declare
where its own state is.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

from pipelines import agent
from pipelines.state_store.aws import FOUNDATION, IMAGE, Aws
from pipelines.state_store.bucket import Bucket
from pipelines.state_store.key import Key

if TYPE_CHECKING:
    import argparse

    from pipelines.state_store.aws import Change


def backend(bucket: str, prefix: str, region: str) -> str:
    """The address as `pulumi login` takes it."""
    query = f"region={region}"
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        query += f"&endpoint={quote(endpoint, safe=':/')}&s3ForcePathStyle=true"
    return f"s3://{'/'.join(filter(None, (bucket, prefix)))}?{query}&awssdk=v2"


def confirmed(yes: bool) -> bool:
    """Whether it is to be done."""
    if yes:
        return True
    if not sys.stdin.isatty():
        return False
    print("Do it? Only 'yes' does: ", end="", flush=True)
    return sys.stdin.readline().strip() == "yes"


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    parser.add_argument("--foundation", required=True, metavar="BUCKET", help="bucket of the operators' state")
    parser.add_argument("--image", required=True, metavar="BUCKET", help="bucket of the pipeline's state")
    parser.add_argument(
        "--key", default="alias/pulumi", metavar="ALIAS", help="alias of the key (default: alias/pulumi)"
    )
    parser.add_argument("--prefix", default="app-one", help="folder of the states in their buckets (default: app-one)")
    parser.add_argument("--stack", default="dev", help="name of the foundation's stack (default: dev)")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION"), help="AWS region (default: AWS_REGION)")
    parser.add_argument("--adopt", action="store_true", help="take what is there, is yours and holds this state")
    parser.add_argument("--yes", action="store_true", help="do it without asking")
    options = parser.parse_args()
    _check(options.foundation, options.image, options.key, options.prefix, options.region)
    aws = Aws(options.region)
    print(f"In the account {aws.account}, {aws.region}, as {aws.caller}:")
    if pending := _changes(aws, options):
        for change in pending:
            print(f"  {change.text}")
        if not confirmed(options.yes):
            raise agent.Stop("nothing was changed; in a terminal it asks, and --yes does it", agent.REFUSED)
        for change in pending:
            change.do()
        if left := _changes(aws, options):
            raise agent.Stop(f"AWS has not taken everything: {'; '.join(change.text for change in left)}")
    else:
        print("  nothing to do: both buckets and the key are as they should be")
    _say_what_follows(options)


def _check(foundation: str, image: str, key: str, prefix: str, region: str | None) -> None:
    rules = [
        (foundation != image, "--foundation and --image: two buckets, since two parties write there"),
        (bool(region), "--region, or AWS_REGION: say where"),
        (re.fullmatch(r"alias/(?!aws/)[A-Za-z0-9/_-]{1,250}", key), f"--key {key}: an alias, such as alias/pulumi"),
        (re.fullmatch(r"(?:[\w.-]+(?:/[\w.-]+)*)?", prefix), f"--prefix {prefix}: a folder, such as app-one"),
        *(
            (re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name), f"{name}: no name of a bucket that S3 allows")
            for name in (foundation, image)
        ),
    ]
    if wrong := [text for holds, text in rules if not holds]:
        raise agent.Stop("; ".join(wrong), agent.USAGE)


def _changes(aws: Aws, options: argparse.Namespace) -> list[Change]:
    key = Key(aws, options.key, options.adopt)
    foundation = Bucket(aws, options.foundation, FOUNDATION, options.prefix, options.adopt, key)
    image = Bucket(aws, options.image, IMAGE, options.prefix, options.adopt)
    # The key is looked at first: the foundation's bucket is encrypted by it.
    found = [change for each in (key, foundation, image) for change in each.changes()]
    for note in (*foundation.notes, *image.notes):
        print(f"  ({note})")
    return found


def _say_what_follows(options: argparse.Namespace) -> None:
    """The commands that make the two stacks there."""
    own = backend(options.foundation, options.prefix, options.region)
    images = backend(options.image, options.prefix, options.region)
    secrets = f"awskms://{options.key}?region={options.region}&awssdk=v2"
    print("The two stacks are made there by:")
    for command in (
        ["pulumi", "login", images],
        ["PULUMI_CONFIG_PASSPHRASE=", "pulumi", "stack", "init", f"{options.stack}-image"],
        ["pulumi", "login", own],
        ["pulumi", "stack", "init", options.stack, "--secrets-provider", secrets],
        ["pulumi", "config", "set", "app-one:imageBackend", images],
    ):
        print(f"  {' '.join(word if word.endswith('=') else shlex.quote(word) for word in command)}")


if __name__ == "__main__":
    agent.run(main)
