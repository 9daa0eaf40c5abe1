"""One failed step of an ended run, alone again: in its job's kept folder, with what it was given.

For each step that failed a record lies beside the folder, NUMBER.json: which step it was, and the variables and the
folders of PATH that it saw. No secret is in it: those of the job are had of the service anew, and those that an earlier
step of the job set are lost. The folder goes back to where the job ran for as long as the step runs, as paths in it are
absolute. What the step says is shown and not told to the service: the run stays as it ended.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azure_pipelines.variables import Value
from sandbox.agent.channel import Channel, ChannelError
from sandbox.agent.failed import kept
from sandbox.agent.job import WORKSPACE, JobRun
from sandbox.agent.results import Results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sandbox.agent.channel import Organization
    from sandbox.agent.failed import Failed
    from sandbox.agent.results import Machine


class AloneError(Exception):
    """A step that cannot be run alone; the message says why, and what can be done."""


def find(run: Path, title: str) -> tuple[Failed, Path]:
    """The last step of a title that failed, and its job's folder. run: that of a run's attempts. Raises AloneError."""
    records = [(file, one) for file in run.glob("*/*.json") if file.stem.isdecimal() for one in kept(file)]
    found = [(file, one) for file, one in records if one.title.lower() == title.lower()]
    if not found:
        known = ", ".join(sorted({one.title for _, one in records})) or "none"
        raise AloneError(f"no step {title!r} of run {run.name} failed here; failed steps: {known}")
    file, one = max(found, key=lambda row: (int(row[0].parent.name), int(row[0].stem), row[1].step))
    return one, file.with_suffix("")


@contextmanager
def _put_back(folder: Path, place: Path) -> Iterator[None]:
    """Have a job's kept folder where the job ran. Raises AloneError while another job is there."""
    if place.exists():
        raise AloneError(f"{place} is in use: a run goes on; when it has ended, the step can be run")
    if not folder.is_dir():
        raise AloneError(f"{folder} is gone: there is nothing that the step could be run in")
    folder.rename(place)
    try:
        yield
    finally:
        place.rename(folder)


@dataclass(frozen=True)
class Quiet(Channel):
    """The channel of a job of which the service hears nothing more; lines are shown as they come."""

    show: Callable[[str], None] = print

    def step(self, number: int, **what: object) -> None:
        """Show the lines."""
        del number
        lines = what.get("lines")
        for line in lines if isinstance(lines, list) else ():
            self.show(line)

    def attach(self, kind: str, name: str, content: str) -> None:
        """Say what is not sent."""
        del content
        self.show(f"(not sent: {kind} {name})")

    def publish(self, name: str, source: Path) -> int:
        """Refuse: an artefact of an ended run is what it was."""
        raise ChannelError(f"{source} is not published as {name}: the run has ended, and this step runs alone")


def run(failed: Failed, folder: Path, organization: Organization, machine: Machine, show: Callable[[str], None]) -> str:
    """Run a step in its job's folder; how it ended. show: is given each line. Raises AloneError and ChannelError."""
    if failed.lost:
        show(f"secrets that earlier steps set are not there: {', '.join(failed.lost)}")
    with _put_back(folder, machine.work / WORKSPACE):
        taken = organization.once_more(failed.job)
        try:
            taken.variables.update((name, Value(text)) for name, text in failed.variables.items())
            channel = Quiet(organization, taken.number, taken.token, batch=1, show=show)
            job = JobRun(taken, channel, machine, Results(), path=list(failed.path))
            job.prepare()
            return job.alone(failed.step)
        finally:
            organization.forget(failed.job)
