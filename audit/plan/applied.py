"""Says whether an update did what its preview had shown, and nothing else: by the engine's own events of both.

A program can behave otherwise outside of a preview, and a provider can answer otherwise; what was approved is the
preview. Held against each other are the operations on each resource, what is declared (inputs) and the options that
decide about its end. What the preview did not know yet can be anything. Values are not shown: only where they differ.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from audit.model import UNKNOWNS, Plan, State, Step, masked, target_of
from audit.plan.changes import first_part
from audit.plan.preview import MAX_BYTES, read
from audit.report.model import Record, Report
from audit.report.text import line

_RESOLVED = frozenset({"update", "replace", "create-replacement", "delete-replaced"})
"""Operations that can come to less when a value that was not known turns out to be the recorded one."""


def from_files(previewed: str, updated: str, max_bytes: int = MAX_BYTES, *, whole: bool = False) -> Report:
    """The report of two files: a preview (digest or event log) and the event log of the update. Raises AuditError."""
    return compare(read(previewed, max_bytes=max_bytes), read(updated, max_bytes=max_bytes), whole=whole)


def compare(preview: Plan, update: Plan, *, whole: bool = False) -> Report:
    """What an update did otherwise than its preview. Of one that ended with an error, what it did not reach is none.

    whole: the update is known to have ended well, so that a log that says otherwise, or shows less than it counts, is
    a difference.
    """
    before, after = _by_urn(preview), _by_urn(update)
    found = []
    for urn in sorted({*before, *after}):
        lines = _difference(before.get(urn, []), after.get(urn, []), whole=not update.incomplete)
        if lines:
            found.append((urn, lines))
    if whole and update.incomplete:
        found.append(("", ["the update ended well, and its log does not show all that it did"]))
    verdict = "Same: the update did what its preview showed."
    if update.incomplete:
        verdict = "Same as far as it came: what the update did its preview showed; it ended with an error."
    return Report(
        command="compare",
        project=update.project,
        stack=update.stack,
        verdict="Differs: the update did something else than its preview showed." if found else verdict,
        facts={"steps": f"{len(found)} of {len({*before, *after})} resources"} if found else {},
        records=[Record(urn, lines[0], lines=[line(text) for text in lines[1:]]) for urn, lines in found],
        data={
            "same": not found,
            "differences": [{"urn": urn, "kind": "applied", "lines": [line(text) for text in ls]} for urn, ls in found],
        },
    )


def _by_urn(plan: Plan) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for step in plan.steps:
        if not step.quiet:
            found.setdefault(step.urn, []).append(step)
    return {urn: sorted(steps, key=lambda step: step.op) for urn, steps in found.items()}


def _difference(shown: Sequence[Step], done: Sequence[Step], *, whole: bool) -> list[str]:
    """What is to be said of a resource: a sentence, and where it differs."""
    shown_ops, done_ops = [step.op for step in shown], [step.op for step in done]
    if not shown:
        return [f"was done ({', '.join(done_ops)}), and no preview showed it"]
    if shown_ops == done_ops:
        paths = [path for pair in zip(shown, done, strict=True) for path in _otherwise(*pair)]
        return ["became something else than was previewed", *paths] if paths else []
    if not whole and set(done_ops) <= set(shown_ops):
        return []
    if set(shown_ops) <= _RESOLVED and set(done_ops) <= {"update"} and any(_unknown(step) for step in shown):
        # What was known all the same has to be done, and nothing else.
        if not done and not any(_known(step) for step in shown):
            return []
        if done:
            paths = [path for pair in zip(shown, done, strict=False) for path in _otherwise(*pair)]
            return ["became something else than was previewed", *paths] if paths else []
    if not done:
        return [f"was previewed ({', '.join(shown_ops)}), and was not done"]
    return [f"was previewed as {', '.join(shown_ops)}, and what was done is {', '.join(done_ops)}"]


def _known(step: Step) -> bool:
    """Whether an input changes for all that was not known."""
    return step.old is not None and step.new is not None and any(_paths(step.new.inputs, step.old.inputs, ""))


def _unknown(step: Step) -> bool:
    def within(value: Any) -> bool:
        if isinstance(value, dict):
            return any(within(part) for part in value.values())
        if isinstance(value, list):
            return any(within(part) for part in value)
        return isinstance(value, str) and value in UNKNOWNS

    return step.new is not None and within(step.new.inputs)


def _otherwise(shown: Step, done: Step) -> Iterator[str]:
    """Where the two differ, as paths."""
    if shown.new is None or done.new is None:
        return
    yield from _paths(shown.new.inputs, done.new.inputs, "")
    for path in sorted(_set(shown).intersection(_set(done))):
        yield f"{path}: masked on both sides, so whether it is what was previewed cannot be told"
    one, other = _options(shown.new), _options(done.new)
    yield from (f"option {name}" for name in one if one[name] != other[name])


def _set(step: Step) -> set[str]:
    """The masked inputs to which a step sets something, by the engine's own word where it says what differs."""
    if step.new is None:
        return set()
    told = {first_part(path) for path in (*step.detailed_diff, *step.diff_reasons, *step.replace_reasons)}
    names = told if told and not (step.creates or step.replaces) else set(step.new.inputs)
    given = {name: value for name, value in step.new.inputs.items() if name in names}
    return set(masked(given, step.kind))


def _options(state: State) -> dict[str, Any]:
    return {
        "protect": state.protect,
        "retainOnDelete": state.retain_on_delete,
        "parent": state.parent,
        "provider": target_of(state.provider),
    }


_MISSING = object()


def _paths(shown: Any, done: Any, path: str) -> Iterator[str]:
    if isinstance(shown, str) and shown in UNKNOWNS:
        return
    if isinstance(shown, dict) and isinstance(done, dict):
        for name in sorted({*shown, *done}):
            yield from _paths(shown.get(name, _MISSING), done.get(name, _MISSING), f"{path}.{name}" if path else name)
    elif isinstance(shown, list) and isinstance(done, list) and len(shown) == len(done):
        for number, pair in enumerate(zip(shown, done, strict=True)):
            yield from _paths(*pair, f"{path}[{number}]")
    elif shown is _MISSING:
        yield f"{path}: not in the preview"
    elif done is _MISSING:
        yield f"{path}: in the preview alone"
    elif shown != done or isinstance(shown, bool) != isinstance(done, bool):
        yield path
