"""The app's image: built by the Docker engine from a normalised context and pushed to the repository."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker

from infra.build_context import BuildContext
from infra.lookup import look_up
from infra.repository import ExistingRepository, Repository


@dataclass(frozen=True, kw_only=True)
class Build:
    """What is built, under which tag."""

    context: BuildContext
    platform: str
    """`os/architecture[/variant]`; left open, the provider would take its own machine's."""
    tag: str
    args: Mapping[str, str]
    """Build arguments; they stand in clear in the state and in the image's history."""


def plan_build(
    context: BuildContext, *, platform: str, base_image: str, tag: str, revision: str, source: str, created: str
) -> Build:
    """Decides tag and build arguments; an empty text leaves a value to its default.

    Without a `tag` it is taken from the content: the context and everything else that shapes the image. The same
    content so has the same tag on every machine, and a second update of a workstation changes nothing. The labels'
    values come from the pipeline's environment or from the content, never from the clock or the checkout, for the
    same reason.
    """
    args = {"BASE_IMAGE": base_image, "CREATED": created, "REVISION": revision, "SOURCE": source}
    # BuildKit (0.11, Docker 23, and newer) takes the times in the image's configuration from it, else from the clock.
    epoch = int(datetime.fromisoformat(created).timestamp()) if created else 0
    args = {name: value for name, value in args.items() if value} | {"SOURCE_DATE_EPOCH": str(epoch)}
    shape = json.dumps([context.digest, platform, args], sort_keys=True)
    content = f"content-{hashlib.sha256(shape.encode()).hexdigest()[:12]}"
    # No argument holds the tag: the same commit under two build numbers is one digest with two tags.
    return Build(context=context, platform=platform, tag=tag or content, args={"REVISION": content, **args})


@dataclass(frozen=True, kw_only=True)
class RegistryToken:
    """User and password for a push to any of the account's repositories; ECR's are valid for 12 hours."""

    user_name: str
    password: pulumi.Output[str] = field(repr=False)
    """A secret."""

    @classmethod
    def look_up(cls) -> "RegistryToken":
        """Asks ECR afresh in each run. Raises `LookUpError` where the credentials may not have one."""
        token = look_up(
            "a token for the registry",
            "Let the AWS credentials have ecr:GetAuthorizationToken on *.",
            aws.ecr.get_authorization_token,
        )
        # The SDK does not mark it as a secret.
        return cls(user_name=token.user_name, password=pulumi.Output.secret(token.password))


class Image(pulumi.ComponentResource):
    """An image in `repository`; it cannot carry AWS tags.

    It can only be pushed once the repository is there, since its name is the repository's URL. The token is another
    one in each run; the provider does not take a new one for a change. A token comes into the state, as a secret;
    without one the provider takes the login of Docker's own configuration (`docker login`), and the state holds none.
    """

    by_tag: pulumi.Output[str]
    """`repository:tag`."""
    by_digest: pulumi.Output[str]
    """`repository@sha256:...`, which no later push can move."""

    def __init__(
        self,
        name: str,
        build: Build,
        repository: Repository | ExistingRepository,
        token: RegistryToken | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("app-one:infra:Image", name, None, opts)
        image = docker.Image(
            name,
            image_name=pulumi.Output.concat(repository.url, ":", build.tag),
            build=docker.DockerBuildArgs(
                context=build.context.path,
                dockerfile=build.context.dockerfile,
                platform=build.platform,
                args=build.args,
            ),
            registry=docker.RegistryArgs(
                server=repository.url.apply(lambda url: url.partition("/")[0]),
                username=token.user_name if token else None,
                password=token.password if token else None,
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                # The provider does not look into the registry. Without these the engine saw no change of the image when
                # the repository is replaced or made again, and comes back empty.
                replacement_trigger=repository.identity,
                deleted_with=repository.resource if isinstance(repository, Repository) else None,
            ),
        )
        self.by_tag = image.image_name
        self.by_digest = image.repo_digest
        self.register_outputs({"by_tag": self.by_tag, "by_digest": self.by_digest})
