"""The pages of one project: what a client of the services is answered, so what an answer hides no page can show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.console import images, pull_requests, resources, runs

if TYPE_CHECKING:
    from sandbox.console.model import Ask, Page
    from sandbox.console.sources import Aws


@dataclass(frozen=True)
class Pages:
    """Each method is a page. repository: the name of the project's repository. Raises what `ask` and `aws` raise."""

    ask: Ask
    repository: str
    aws: Aws

    def runs(self) -> Page:
        """All runs."""
        return runs.every(self.ask)

    def run(self, number: int) -> Page:
        """A run's timeline."""
        return runs.one(self.ask, number)

    def log(self, number: int, log: int) -> Page:
        """A log of a run."""
        return runs.log(self.ask, number, log)

    def pull_requests(self) -> Page:
        """All pull requests."""
        return pull_requests.every(self.ask, self.repository)

    def pull_request(self, number: int) -> Page:
        """A pull request with policies, votes and comments."""
        return pull_requests.one(self.ask, self.repository, number)

    def library(self) -> Page:
        """The variable groups."""
        return resources.library(self.ask)

    def environments(self) -> Page:
        """The environments."""
        return resources.environments(self.ask)

    def connections(self) -> Page:
        """The service connections."""
        return resources.connections(self.ask)

    def images(self) -> Page:
        """All images."""
        return images.every(self.aws)

    def image(self, repository: str, digest: str) -> Page | None:
        """An image with its findings; None where there is none."""
        return images.one(self.aws, repository, digest)

    def answer(self, approval: str, status: str) -> None:
        """Approve or reject as the person whose sandbox it is."""
        self.ask(
            "PATCH", "_apis/pipelines/approvals", [{"approvalId": approval, "status": status, "comment": "console"}]
        )
