"""What the tests of the pipeline's runs share: runs are started, and searched for what they may not leave."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from azure_pipelines import conditions as runs
from tests import in_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.end_to_end.delivery import Delivery
    from tests.pipeline_run import Outcome, PipelineRun

    Start = Callable[..., tuple[PipelineRun, Outcome]]

CLEANUP = "Remove credentials and raw plans"


@contextmanager
def started(delivery: Delivery) -> Iterator[Start]:
    """Start runs of the pipeline; whatever became of them, each is searched for what it may not leave."""
    every: list[PipelineRun] = []

    def run(**arguments: Any) -> tuple[PipelineRun, Outcome]:
        every.append(delivery.run(**arguments))
        return every[-1], every[-1].start()

    yield run
    for made in every:
        delivery.finish(made)
        assert delivery.traces(made) == []
        assert delivery.leftovers(made) == []
        in_memory.remove(*made.agent.results.workspaces)


def change_the_app(delivery: Delivery, words: str) -> str:
    return delivery.edit("app/views/home.handlebars", lambda text: f"{text}<!-- {words} -->\n")


def succeeded(results: Outcome) -> str:
    """What went wrong, for an assertion's message."""
    return "\n".join(f"{row.stage} {row.title}: {row.result}\n  " + "\n  ".join(row.log[-15:]) for row in results.steps)


def cleaned(results: Outcome) -> bool:
    """Whether the cleanup ran, and well, in every job that began and that touches a secret."""
    rows = [row for row in results.steps if row.title == CLEANUP]
    return bool(rows) and all(row.result == runs.SUCCEEDED for row in rows)


def release(results: Outcome) -> dict[str, Any]:
    name = next(name for name in results.artifacts if name.startswith("release-dev"))
    return dict(json.loads((results.artifacts[name] / "release.json").read_text(encoding="utf-8")))
