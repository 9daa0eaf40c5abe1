"""Conditions: whether a stage, a job or a step runs, by how what came before it ended.

Source: https://learn.microsoft.com/azure/devops/pipelines/process/conditions and .../expressions#job-status-functions
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure_pipelines.expressions import Scope, evaluate, parse, truth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SUCCEEDED, WITH_ISSUES, FAILED, SKIPPED, CANCELED = "Succeeded", "SucceededWithIssues", "Failed", "Skipped", "Canceled"
"""How a stage, a job or a step can end."""
FINE = (SUCCEEDED, WITH_ISSUES)


def holds(condition: str, names: Mapping[str, Any], before: Mapping[str, str], *, canceled: bool) -> bool:
    """Whether the condition of a stage or job holds. Raises ExpressionError.

    names: named values. before: how each stage or job that this one depends on ended. canceled: whether the run is.
    """
    return truth(evaluate(parse(condition), Scope(names, _after(before, canceled=canceled))))


def _after(before: Mapping[str, str], *, canceled: bool) -> Mapping[str, Callable[..., bool]]:
    def ended(names: tuple[str, ...]) -> list[str]:
        known = {name.lower(): result for name, result in before.items()}
        return [known[name.lower()] for name in names if name.lower() in known] if names else list(before.values())

    return {
        "always": lambda: True,
        "canceled": lambda: canceled,
        "succeeded": lambda *names: not canceled and all(result in FINE for result in ended(names)),
        "failed": lambda *names: not canceled and FAILED in ended(names),
        "succeededorfailed": lambda *names: not canceled and all(result in (*FINE, FAILED) for result in ended(names)),
    }


def step_holds(condition: str, variables: Mapping[str, str], *, failed: bool, canceled: bool) -> bool:
    """Whether the condition of a step holds. Raises ExpressionError. failed: whether a step before it did."""
    status: dict[str, Callable[..., bool]] = {
        "always": lambda: True,
        "canceled": lambda: canceled,
        "succeeded": lambda: not failed and not canceled,
        "failed": lambda: failed and not canceled,
        "succeededorfailed": lambda: not canceled,
    }
    return truth(evaluate(parse(condition), Scope({"variables": variables}, status)))
