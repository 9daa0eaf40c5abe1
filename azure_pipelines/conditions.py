"""Conditions: whether a stage, a job or a step runs, by how what came before it ended.

Source: https://learn.microsoft.com/azure/devops/pipelines/process/conditions and .../expressions#job-status-functions
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure_pipelines.expressions import ExpressionError, Scope, evaluate, parse, truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SUCCEEDED, WITH_ISSUES, FAILED, SKIPPED, CANCELED = "Succeeded", "SucceededWithIssues", "Failed", "Skipped", "Canceled"
ABANDONED = "Abandoned"
"""How a stage, a job or a step can end; a job is abandoned whose condition cannot be evaluated."""
FINE = (SUCCEEDED, WITH_ISSUES)


def worst(results: Iterable[str]) -> str:
    """How a whole ended of which these are the parts: a stage of its jobs, a matrix of its legs."""
    ended = set(results)
    for result in (CANCELED, FAILED, ABANDONED, WITH_ISSUES):
        if result in ended:
            return result
    return SKIPPED if ended == {SKIPPED} else SUCCEEDED


def holds(condition: str, names: Mapping[str, Any], before: Mapping[str, str], *, canceled: bool) -> bool:
    """Whether the condition of a stage or job holds. Raises ExpressionError.

    names: named values. before: how each stage or job ended that this one waits for, near and far: without arguments
    the status functions ask all of them. canceled: whether the run is.
    """
    return truth(evaluate(parse(condition), Scope(names, _after(before, canceled=canceled))))


def _after(before: Mapping[str, str], *, canceled: bool) -> Mapping[str, Callable[..., bool]]:
    known = {name.lower(): result for name, result in before.items()}

    def ended(names: tuple[str, ...]) -> list[str]:
        """Of a name that nothing waits for there is no result, and so it is none that is asked for."""
        return [known.get(name.lower(), "") for name in names] if names else list(known.values())

    def succeeded_or_failed(*names: str) -> bool:
        # Of those that ended as skipped alone it does not hold, which the documentation says otherwise:
        # https://github.com/MicrosoftDocs/azure-devops-docs/issues/12846
        results = ended(names)
        return not canceled and (not results or any(result in (*FINE, FAILED) for result in results))

    return {
        "always": lambda: True,
        "canceled": lambda: canceled,
        "succeeded": lambda *names: not canceled and all(result in FINE for result in ended(names)),
        "failed": lambda *names: not canceled and FAILED in ended(names),
        "succeededorfailed": succeeded_or_failed,
    }


def step_holds(condition: str, variables: Mapping[str, str], *, failed: bool, canceled: bool) -> bool:
    """Whether the condition of a step holds. Raises ExpressionError. failed: whether a step before it did."""
    status = {
        "always": True,
        "canceled": canceled,
        "succeeded": not failed and not canceled,
        "failed": failed and not canceled,
        "succeededorfailed": not canceled,
    }
    asked = {name: _of_step(name, answer=answer) for name, answer in status.items()}
    return truth(evaluate(parse(condition), Scope({"variables": variables}, asked)))


def _of_step(name: str, *, answer: bool) -> Callable[..., bool]:
    def ask(*names: str) -> bool:
        if names:
            raise ExpressionError(
                f"{name}() of a step asks of its own job alone: it takes no name, such as {names[0]!r}"
            )
        return answer

    return ask
