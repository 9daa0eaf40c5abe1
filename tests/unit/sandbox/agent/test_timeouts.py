"""Time limits of steps and jobs: what runs too long is stopped, and what then still has to run is run.

https://learn.microsoft.com/azure/devops/pipelines/process/phases#timeouts and .../process/tasks#control-options. Here a
minute is a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from azure_pipelines import conditions as runs
from sandbox.agent.process import Cancellation
from tests.organization import Refused

if TYPE_CHECKING:
    from tests.unit.sandbox.agent.conftest import Start

SECOND = 1.0
LONG = "trap 'echo interrupted; kill $!; exit 0' TERM; sleep 600 & wait"


def test_a_step_that_runs_too_long_fails_and_the_steps_after_it_run_by_their_conditions(start: Start) -> None:
    run = start(
        f"""
        steps:
          - checkout: none
          - {{bash: "{LONG}", displayName: long, timeoutInMinutes: 1, retryCountOnTaskFailure: 3}}
          - {{bash: echo no, displayName: default}}
          - {{bash: echo seen, displayName: after, condition: failed()}}
        """,
        minute=SECOND,
    )
    results = run.start()
    # It ended by itself with 0, and is late all the same; its retries would have no time.
    assert results.step("long").log == ["interrupted", "##[error]The task has timed out."]
    assert [results.step(name).result for name in ("long", "default", "after")] == [
        runs.FAILED,
        runs.SKIPPED,
        runs.SUCCEEDED,
    ]
    assert results.stages == {"stage": runs.FAILED}


def test_a_step_that_may_fail_may_run_too_long(start: Start) -> None:
    run = start(
        f"""
        steps:
          - checkout: none
          - {{bash: "{LONG}", displayName: long, timeoutInMinutes: 1, continueOnError: true}}
          - {{bash: echo on, displayName: default}}
        """,
        minute=SECOND,
    )
    results = run.start()
    assert [results.step(name).result for name in ("long", "default")] == [runs.WITH_ISSUES, runs.SUCCEEDED]


def test_a_job_that_runs_too_long_is_cancelled_and_its_cleanup_runs(start: Start) -> None:
    run = start(
        f"""
        jobs:
          - job: slow
            timeoutInMinutes: 1
            steps:
              - checkout: none
              - {{bash: "{LONG}", displayName: long}}
              - {{bash: echo no, displayName: default}}
              - {{bash: echo cleaned, displayName: cleanup, condition: always()}}
          - {{job: next, dependsOn: slow, steps: [{{bash: echo no, displayName: later}}]}}
          - job: told
            dependsOn: slow
            condition: eq(dependencies.slow.result, 'Canceled')
            steps: [{{checkout: none}}]
        """,
        minute=SECOND,
    )
    results = run.start()
    titles = [(row.title, row.result) for row in results.steps if row.job == "slow"]
    expected = [runs.CANCELED, runs.SKIPPED, runs.SUCCEEDED]
    assert titles[1:] == list(zip(("long", "default", "cleanup"), expected, strict=True))
    assert [row.job for row in results.steps if row.job != "slow"] == ["told"]
    (job,) = (row for row in run.organization.records(run.build, "Job") if row["identifier"] == "slow")
    assert job["result"] == "canceled"
    assert "ran longer than the maximum time of 1 minutes" in job["issues"][0]["message"]


def test_after_a_cancellation_steps_have_the_time_that_the_job_gives_them(start: Start) -> None:
    run = start(
        f"""
        jobs:
          - job: slow
            timeoutInMinutes: 1
            cancelTimeoutInMinutes: 1
            steps:
              - checkout: none
              - {{bash: "{LONG}", displayName: long}}
              - {{bash: "{LONG}", displayName: cleanup, condition: always()}}
              - {{bash: echo no, displayName: second cleanup, condition: always()}}
        """,
        minute=SECOND,
    )
    results = run.start()
    assert results.step("cleanup").log == ["interrupted"]
    assert results.step("second cleanup").result == runs.CANCELED
    assert results.step("second cleanup").log == []


@pytest.mark.parametrize(
    "text",
    [
        "jobs: [{job: a, timeoutInMinutes: soon, steps: []}]",
        "jobs: [{job: a, cancelTimeoutInMinutes: -1, steps: []}]",
    ],
)
def test_a_limit_that_is_no_number_of_minutes_is_refused_when_the_run_is_queued(start: Start, text: str) -> None:
    with pytest.raises(Refused, match="no whole number"):
        start(text)


def test_who_listens_after_the_request_is_told_at_once() -> None:
    told: list[str] = []
    cancellation = Cancellation()
    with cancellation.heard(lambda: told.append("first")):
        cancellation.request()
        cancellation.request()
    with cancellation.heard(lambda: told.append("late")):
        pass
    assert told == ["first", "late"]
