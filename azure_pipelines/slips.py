"""Rules on slips that the service takes without a word, or refuses late: keys, and conditions that never hold."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from azure_pipelines.expressions import Call, Literal, Node, paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from azure_pipelines.documents import Located
    from azure_pipelines.model import Step


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


JOB = _words(
    "cancelTimeoutInMinutes condition container continueOnError dependsOn displayName job pool services steps strategy "
    "target templateContext timeoutInMinutes uses variables workspace"
)
DEPLOYMENT = JOB - {"job", "steps"} | {"deployment", "environment"}
STAGE = _words(
    "condition dependsOn displayName isSkippable jobs lockBehavior pool stage templateContext trigger variables"
)
PIPELINE = _words(
    "appendCommitMessageToRunName extends jobs lockBehavior name parameters pr resources schedules stages trigger"
) | JOB - {"job", "dependsOn", "condition", "displayName"}  # the keys of its one job may stand at the top
STEP = _words("condition continueOnError displayName enabled env name retryCountOnTaskFailure target timeoutInMinutes")
OF_KIND: Mapping[str, frozenset[str]] = {
    "bash": frozenset({"failOnStderr", "workingDirectory"}),
    "script": frozenset({"failOnStderr", "workingDirectory"}),
    "task": frozenset({"inputs"}),
    "publish": frozenset({"artifact"}),
    "download": frozenset({"artifact", "path", "patterns", "project", "tags"}),
    "checkout": _words(
        "clean fetchDepth fetchFilter fetchTags lfs path persistCredentials sparseCheckoutDirectories "
        "sparseCheckoutPatterns submodules workspaceRepo"
    ),
}
"""Keys at each level: https://learn.microsoft.com/azure/devops/pipelines/yaml-schema."""

REASONS = _words(
    "batchedci buildcompletion checkinshelveset individualci manual pullrequest resourcetrigger schedule "
    "validateshelveset"
)
"""Values of Build.Reason: https://learn.microsoft.com/azure/devops/pipelines/build/variables."""
RESULTS = _words("abandoned canceled failed skipped succeeded succeededwithissues")
"""Values of `dependencies.X.result`: https://learn.microsoft.com/azure/devops/pipelines/process/expressions."""
OPPOSITE = frozenset({"succeeded", "failed", "canceled"})
"""Of these, at most one holds."""


def unexpected(raw: Located, level: frozenset[str]) -> Iterator[str]:
    """Keys that do not belong to a level, each with what may have been meant."""
    for key in raw:
        if key not in level:
            near = difflib.get_close_matches(key, sorted(level), 1)
            yield f"unexpected key {key!r}" + (f": is {near[0]!r} meant?" if near else "")


def of_step(step: Step) -> frozenset[str]:
    """The keys that a step may have."""
    return STEP | OF_KIND[step.kind] | {step.kind}


def never(node: Node) -> Iterator[str]:
    """Why a condition cannot hold, by what it asks for all at once."""
    parts = _parts(node)
    asked = sorted({part.function for part in parts if isinstance(part, Call) and not part.arguments} & OPPOSITE)
    if len(asked) > 1:
        yield f"{' and '.join(f'{name}()' for name in asked)} never hold together"
    for part in parts:
        if isinstance(part, Call) and part.function in ("eq", "startswith", "in"):
            yield from _impossible(part)


def _parts(node: Node) -> list[Node]:
    """What all has to hold."""
    if isinstance(node, Call) and node.function == "and":
        return [inner for part in node.arguments for inner in _parts(part)]
    return [node]


def _impossible(part: Call) -> Iterator[str]:
    asked = [path for argument in part.arguments for path in paths(argument)]
    given = [one.value for one in part.arguments if isinstance(one, Literal)]
    if len(asked) != 1 or len(given) != len(part.arguments) - 1 or not all(isinstance(one, str) for one in given):
        return
    path, words = tuple(name.lower() for name in asked[0]), [one.lower() for one in given]
    name, whole = ".".join(asked[0]), part.function != "startswith"
    if path == ("variables", "build.reason") and whole and not REASONS.intersection(words):
        yield f"{name} is never {' or '.join(map(repr, given))}"
    if path == ("variables", "build.sourcebranch") and not any(
        word.startswith("refs/") or (not whole and "refs/".startswith(word)) for word in words
    ):
        yield f"{name} begins with refs/, such as refs/heads/main: it is never {' or '.join(map(repr, given))}"
    if path[0] in ("dependencies", "stagedependencies") and path[-1] == "result" and not RESULTS.intersection(words):
        yield f"{name} is never {' or '.join(map(repr, given))}: it is one of Succeeded, Failed, Skipped, ..."
