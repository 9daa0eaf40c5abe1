"""The digest of what would happen: equal for two previews of the same change to the same prior state, different
otherwise.

It covers, for each resource that would change, the operation, the URN, the type, which properties differ, what the
program declares (inputs and options) and what is recorded before (id, inputs, outputs and options). Options are all
that the preview shows: a digest names dependencies, secret outputs, ignored changes and the like, an event log does
not, so the two have one fingerprint only where nothing of that is set. Steps are taken in the order of their URNs.
Left out are what differs between two previews of the same thing: order and duration, times of creation and
modification, positions in source files, ids of provider instances, and secrets, which are masked before (so a fresh
registry token is no difference). Unchanged resources do not count either: whether they are shown is a flag of the
CLI.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from audit.model import Plan, State, Step
from audit.report.text import cut

VERSION = "2"
DIGITS = 32
"""Hexadecimal digits kept for each side of each step in a report: 128 bits."""


def fingerprint(plan: Plan) -> str:
    """`2:sha256:<64 hexadecimal digits>`; sets `planned`, `prior` and `redacted` of every step. The plan must be
    redacted already."""
    for step in plan.steps:
        planned, recorded = _canonical(_planned(step)), _canonical(_recorded(step.old))
        step.planned, step.prior = _digest(planned), _digest(recorded)
        step.redacted = b"[redacted]" in planned
    # A name counts as a report shows it, so that a saved report can be held to its own fingerprint.
    rows = ((cut(step.urn), cut(step.op), step.planned, step.prior) for step in plan.steps)
    return combine(rows, incomplete=plan.incomplete)


def combine(rows: Iterable[tuple[str, str, str, str]], *, incomplete: bool) -> str:
    """The fingerprint of rows (URN, operation, planned, prior), in any order; an incomplete preview equals no
    other kind."""
    whole = hashlib.sha256(b"incomplete" if incomplete else b"complete")
    for row in sorted(rows):
        whole.update(_canonical(row))
        whole.update(b"\n")
    return f"{VERSION}:sha256:{whole.hexdigest()}"


def _planned(step: Step) -> Any:
    # Where values are masked, the paths that differ are all that tells one change from another.
    paths = [sorted(step.detailed_diff.items()), sorted(step.diff_reasons), sorted(step.replace_reasons)]
    return [step.op, step.type, _options(step.new), _declared(step.new.inputs) if step.new else None, paths]


def _recorded(state: State | None) -> Any:
    return None if state is None else [state.id, _options(state), _declared(state.inputs), state.outputs]


def _options(state: State | None) -> Any:
    if state is None:
        return None
    return [
        state.custom,
        state.protect,
        state.retain_on_delete,
        state.parent,
        state.provider.rsplit("::", 1)[0],
        sorted(state.dependencies),
        {name: sorted(urns) for name, urns in state.property_dependencies.items()},
        sorted(state.secret_outputs),
        {name: _unordered(value) for name, value in state.options.items()},
    ]


def _unordered(value: Any) -> Any:
    """Names in an option are a set: some SDKs hand them over in an order of their own."""
    return sorted(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else value


def _declared(inputs: dict[str, Any]) -> dict[str, Any]:
    """Inputs without the bridge's notes on which defaults it filled in."""
    if "__defaults" not in inputs:
        return inputs
    return {name: value for name, value in inputs.items() if name != "__defaults"}


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False).encode


def _canonical(value: Any) -> bytes:
    return _encode(value).encode()


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:DIGITS]
