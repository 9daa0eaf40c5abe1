"""From source to Amazon ECR: the repository, the right to push, the variable group that holds it, and the image.

A stack declares everything, or one of two parts that parties with different rights run: the foundation is the
operators', the image is the pipeline's. Whoever may write a stack's state may run code as whoever runs the stack next,
so the two share no state (docs/security.md).
"""

from pathlib import Path

import pulumi

from infra import base_images
from infra.build_context import prepare_context
from infra.ending import end_quietly_with_the_engine, errors_told
from infra.foundation import Foundation, Surroundings
from infra.image import Build, Image, RegistryToken, plan_build
from infra.repository import ExistingRepository, Repository
from infra.settings import Settings, load_settings

PROJECT = Path(__file__).parent


def main(settings: Settings) -> None:
    """What the stack declares; everything that can be missing is looked up before any resource is registered."""
    match settings.declares:
        case "everything":
            build, token, around = plan_image(settings), RegistryToken.look_up(), Surroundings.look_up(settings)
            foundation = Foundation(settings, around)
            declare_image(build, foundation.repository, token)
        case "foundation":
            Foundation(settings, Surroundings.look_up(settings))
        case "image":
            build, repository = plan_image(settings), ExistingRepository.look_up(settings.repository_name)
            # Without a token: the engine's own login is used, so that no secret comes into the state.
            declare_image(build, repository, token=None)


def plan_image(settings: Settings) -> Build:
    """What is built, under which tag."""
    context = prepare_context(PROJECT, folder=settings.build_context, dockerfile=settings.dockerfile)
    if settings.declares == "image":
        text = (PROJECT / context.dockerfile).read_text(encoding="utf-8", errors="replace")
        base_images.check(settings.dockerfile, text, settings.base_image, local=settings.base_image_local)
    return plan_build(
        context,
        platform=settings.platform,
        base_image=settings.base_image,
        tag=settings.image_tag,
        revision=settings.image_revision,
        source=settings.image_source,
        created=settings.image_created,
    )


def declare_image(build: Build, repository: Repository | ExistingRepository, token: RegistryToken | None) -> None:
    """The image in the repository."""
    image = Image("image", build, repository, token)
    pulumi.export("repository_url", repository.url)
    pulumi.export("repository_name", repository.name)
    pulumi.export("image_tag", build.tag)
    pulumi.export("image_by_tag", image.by_tag)
    pulumi.export("image_by_digest", image.by_digest)


end_quietly_with_the_engine()
with errors_told():
    main(load_settings(PROJECT))
