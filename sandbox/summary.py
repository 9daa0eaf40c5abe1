"""What `make up` shows at its end, asked of the services themselves and not of the stack's state."""

from __future__ import annotations

import html.parser
import json
import urllib.request
from typing import TYPE_CHECKING, Any

from sandbox.errors import SandboxError
from sandbox.layout import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import docker
    import requests

LISTENING = b"listening"
"""What the app's log says once it serves."""
PORT = "8080/tcp"
LABEL = "app-one-sandbox"
_MEND = "`pulumi refresh`, then `make up` makes it again"
_REMAKE = "`pulumi up --refresh` makes it again, with the image"
_PUSH_AGAIN = "`pulumi up --replace '**docker:index/image:Image::image'` pushes it again"


def lines(outputs: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[str]:
    """The summary, line by line; each part is asked for when its line is due."""
    import boto3

    ecr = boto3.client(
        "ecr",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    name, image = outputs["repository_name"], outputs.get("image_by_digest", "")
    yield f"Image          {image or 'the pipeline releases it (make pipeline AS=main): this stack is the foundation'}"
    try:
        pages = list(ecr.get_paginator("describe_images").paginate(repositoryName=name))
    except ecr.exceptions.RepositoryNotFoundException:
        raise SandboxError(f"the repository {name} is gone: {_REMAKE}") from None
    images = [each for page in pages for each in page["imageDetails"]]
    for each in images:
        tags = ", ".join(each.get("imageTags", ["untagged"]))
        yield f"  in ECR       {tags}  {each['imageDigest']}  {each['imageSizeInBytes'] / 1e6:.1f} MB"
    digest = image.rpartition("@")[2]
    if image and digest not in [each["imageDigest"] for each in images]:
        raise SandboxError(f"the image {digest} is not in ECR any more: {_PUSH_AGAIN}")
    group = variable_group(environment, outputs["variable_group_id"])
    yield f"Variable group {group['name']} ({group['id']})"
    for name, variable in sorted(group["variables"].items()):
        yield f"  {name} = {'(secret)' if variable.get('isSecret') else variable['value']}"
    if "pipeline_id" in outputs:
        pipeline = build_definition(environment, outputs["pipeline_id"])
        yield f"Pipeline       {pipeline['name']} ({pipeline['id']}) on {pipeline['process']['yamlFilename']}"
    if image:
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        yield f"The app says   {app_answer(image, token, environment['DOCKER_HOST'])}"


def failures() -> tuple[type[Exception], ...]:
    """What the services' clients raise when one does not answer, or not as expected."""
    import botocore.exceptions
    import docker.errors
    import requests

    aws = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)
    return (*aws, docker.errors.DockerException, requests.RequestException, OSError)


def variable_group(environment: Mapping[str, str], identifier: str) -> dict[str, Any]:
    """The group as the service shows it (Variablegroups - Get, API 7.1): secrets have no value there."""
    found = _azure_devops(environment, f"distributedtask/variablegroups/{identifier}").json()
    if found is None:  # what the service says of a group that is not there
        raise SandboxError(f"the variable group {identifier} is gone: {_MEND}")
    return dict(found)


def build_definition(environment: Mapping[str, str], identifier: str) -> dict[str, Any]:
    """The pipeline as the service shows it (Definitions - Get, API 7.1)."""
    answer = _azure_devops(environment, f"build/definitions/{identifier}", absent=404)
    if answer.status_code == 404:
        raise SandboxError(f"the pipeline {identifier} is gone: {_MEND}")
    return dict(answer.json())


def _azure_devops(environment: Mapping[str, str], path: str, *, absent: int | None = None) -> requests.Response:
    """The answer of a GET in the project; raises for every error but the status `absent`."""
    import requests

    answer = requests.get(
        f"{environment['AZDO_ORG_SERVICE_URL']}/{PROJECT}/_apis/{path}?api-version=7.1",
        auth=("", environment["AZDO_PERSONAL_ACCESS_TOKEN"]),
        timeout=30,
    )
    if answer.status_code != absent:
        answer.raise_for_status()
    return answer


def app_answer(image: str, token: str, docker_host: str) -> str:
    """The text of the app's page, from a container of the pushed digest that is removed again.

    image: repository@digest. token: what GetAuthorizationToken gave, base64 of `AWS:password`.
    """
    import base64

    import docker

    username, password = base64.b64decode(token).decode().split(":", 1)
    missing = missing_parts(image, (username, password))
    if missing:
        raise SandboxError(f"{image} is not whole in ECR, {', '.join(missing)}: {_PUSH_AGAIN}")
    client = docker.DockerClient(base_url=docker_host)
    try:
        pull(client, image, {"username": username, "password": password})
        container = client.containers.run(image, detach=True, ports={PORT: ("127.0.0.1", 0)}, labels={LABEL: "summary"})
        try:
            log = container.logs(stream=True, follow=True)
            try:
                serves = any(LISTENING in line for line in log)
            finally:
                log.close()
                vars(log)["_response"].close()  # docker-py shuts the connection and leaves its file open
            if not serves:
                raise SandboxError(f"the container of {image} ended before it served")
            container.reload()
            port = container.attrs["NetworkSettings"]["Ports"][PORT][0]["HostPort"]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                return text(answer.read().decode())
        finally:
            container.remove(force=True, v=True)
    finally:
        client.close()


def missing_parts(image: str, login: tuple[str, str]) -> list[str]:
    """What of repository@digest the registry does not have: its manifest, or layers by their digests.

    Asked of the registry itself: an engine that has the image pulls it without a look at what is still there.
    """
    import requests

    host, _, path = image.partition("/")
    name, _, digest = path.partition("@")
    where = f"http://{host}/v2/{name}"  # on this machine's loopback
    found = requests.get(f"{where}/manifests/{digest}", auth=login, timeout=60)
    if found.status_code == 404:
        return [f"no manifest {digest}"]
    found.raise_for_status()
    missing = []
    for part in (found.json()["config"], *found.json()["layers"]):
        answer = requests.head(f"{where}/blobs/{part['digest']}", auth=login, timeout=60)
        if answer.status_code == 404:
            missing.append(f"no layer {part['digest']}")
        else:
            answer.raise_for_status()
    return missing


def pull(client: docker.DockerClient, image: str, login: dict[str, str]) -> None:
    """Pull repository@digest or repository:tag; SandboxError with the registry's words if it refuses.

    Without docker-py's streaming, which leaves its connection open.
    """
    repository, separator, reference = image.rpartition("@" if "@" in image else ":")
    answer = str(client.api.pull(repository, tag=reference, auth_config=login))
    errors = [event["error"] for event in map(json.loads, answer.splitlines()) if "error" in event]
    if errors:
        raise SandboxError(f"{repository}{separator}{reference} could not be pulled: {errors[0]}")


class _Text(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 (parser's hook)
        self._hidden += tag in {"head", "style", "script"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"head", "style", "script"}

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words += data.split()


def text(page: str) -> str:
    """The words that a reader of an HTML page sees."""
    parser = _Text()
    parser.feed(page)
    return " ".join(parser.words)
