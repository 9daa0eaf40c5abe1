"""`python -m sandbox console`: serves the console of a sandbox that is up until Ctrl-C."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from sandbox import layout as names
from sandbox.agent.channel import Organization
from sandbox.console.pages import Pages, UnansweredError
from sandbox.console.server import Console

if TYPE_CHECKING:
    from collections.abc import Mapping


def serve(environment: Mapping[str, str]) -> None:
    """Print the address with its one-time token, and serve on a free port of the loopback."""
    import requests
    from aiohttp import web

    organization = Organization(environment["AZDO_ORG_SERVICE_URL"], environment["AZDO_PERSONAL_ACCESS_TOKEN"])

    def ask(method: str, path: str, body: object) -> Any:
        try:
            return organization.ask(method, f"{names.PROJECT}/{path}", body)
        except requests.RequestException as error:
            raise UnansweredError(f"Azure DevOps does not answer ({error}): `make up` starts it") from None

    with socket.create_server(("127.0.0.1", 0)) as listening:
        console = Console(Pages(ask, names.PROJECT, lambda: _images(environment)), listening.getsockname()[1])
        print(f"Console        {console.address}", flush=True)
        print("The address is good for one browser, once. Ctrl-C ends the console.", flush=True)
        web.run_app(console.application(), sock=listening, print=None, access_log=None)


def _images(environment: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Every image of every repository, as ECR's DescribeImages gives them."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    ecr = boto3.client(
        "ecr",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    try:
        repositories = ecr.get_paginator("describe_repositories").paginate()
        names_ = [one["repositoryName"] for page in repositories for one in page["repositories"]]
        describe = ecr.get_paginator("describe_images")
        pages = [page for name in names_ for page in describe.paginate(repositoryName=name)]
    except (BotoCoreError, ClientError) as error:
        raise UnansweredError(f"ECR does not answer: {error}") from None
    return [image for page in pages for image in page["imageDetails"]]
