"""What a verdict promises, held against the effects of requests."""

import itertools
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from functools import cache
from typing import Any

from iam import Comparison, Policy, Request, compare, decide, parse
from iam.document import document
from iam.keys import condition_identity
from iam.model import Statement
from iam.patterns import Glob, Variable, needed
from iam.space import questions

READINGS = 3  # of a wildcard that may cross colons (iam.patterns)


class UnsoundError(AssertionError):
    """A request shows that a verdict is wrong."""


def contradictions(
    found: Comparison, requests: Sequence[Request], before: Sequence[str], after: Sequence[str]
) -> list[Request]:
    """The requests that a proof says cannot be: newly allowed or refused by these effects ("unknown" is neither)."""
    wrong = []
    for request, old, new in zip(requests, before, after, strict=True):
        gained = old in ("implicit_deny", "explicit_deny") and new == "allow"
        lost = new in ("implicit_deny", "explicit_deny") and old == "allow"
        if (gained and found.allows_nothing_new) or (lost and found.refuses_nothing_new):
            wrong.append(request)
    return wrong


def assumptions(
    found: Comparison, requests: Sequence[Request], before: Sequence[str], after: Sequence[str]
) -> list[Request]:
    """The requests that a proof takes for granted though their decision is unknown on one side, sure on the other."""
    wrong = []
    refused = ("implicit_deny", "explicit_deny")
    for request, old, new in zip(requests, before, after, strict=True):
        may_gain = (old in refused and new == "unknown") or (old == "unknown" and new == "allow")
        may_lose = (new in refused and old == "unknown") or (new == "unknown" and old == "allow")
        if (may_gain and found.allows_nothing_new) or (may_lose and found.refuses_nothing_new):
            wrong.append(request)
    return wrong


def check_pair(
    old: dict[str, Any], new: dict[str, Any], requests: Sequence[Request], *, strict: bool = True
) -> Comparison:
    """Compare a pair and hold the verdict and its witnesses against `decide`. Raises UnsoundError.

    `strict` also forbids a proof where a decision is unknown. Not for a caller who is not known: `decide` then judges
    each element by itself, `compare` all together.
    """
    before, after = parse(old), parse(new)
    found = compare(before, after)
    check(found, before, after, requests, strict=strict)
    return found


def check(
    found: Comparison, before: Policy, after: Policy, requests: Sequence[Request], *, strict: bool = True
) -> None:
    """Hold a verdict and its witnesses against `decide`, by every reading of wildcards. Raises UnsoundError."""
    asked = [*requests, *found.newly_allowed, *found.newly_refused]
    qualified = [not _unqualified(request, before, after) for request in asked]
    for old, new in dict.fromkeys((_read(before, number), _read(after, number)) for number in range(READINGS)):
        effects = [[decide([policy], request).effect for request in asked] for policy in (old, new)]
        wrong = contradictions(found, asked, *effects)
        if strict and not wrong:
            judged = [
                row for row, expected in zip(zip(asked, *effects, strict=True), qualified, strict=True) if expected
            ]
            wrong = _taken_for_granted(found, old, new, judged)
        if wrong:
            raise UnsoundError(f"{found.verdict}: {_text(before, after)} {wrong}")
    for request in found.newly_allowed:
        if decide([before], request).allowed or not decide([after], request).allowed:
            raise UnsoundError(f"not newly allowed: {_text(before, after)} {request}")
    for request in found.newly_refused:
        if decide([after], request).allowed or not decide([before], request).allowed:
            raise UnsoundError(f"not newly refused: {_text(before, after)} {request}")


def _taken_for_granted(
    found: Comparison, old: Policy, new: Policy, judged: Sequence[tuple[Request, str, str]]
) -> list[Request]:
    """The requests for which a proof fails by some answer to what nobody knows. judged: each with its two effects.

    The same question has the same answer wherever it comes up, which `decide` cannot say of one statement at a time.
    """

    def fails(request: Request, before: str, after: str) -> bool:
        for one, other in by_answer(frozenset(request.values)):
            effects = [
                [before if one is old else decide([one], request).effect],
                [after if other is new else decide([other], request).effect],
            ]
            if contradictions(found, [request], *effects) or assumptions(found, [request], *effects):
                return True
        return False

    @cache
    def by_answer(keys: frozenset[str]) -> list[tuple[Policy, Policy]]:
        """Both policies by each of the answers, for requests with these keys: of values they do not depend."""
        statements = (*old.statements, *new.statements)
        asked = dict.fromkeys(question for statement in statements for question in _open(statement, keys))
        answers = [
            dict(zip(asked, holds, strict=True)) for holds in itertools.product((True, False), repeat=len(asked))
        ]
        return [(_answered(old, keys, given), _answered(new, keys, given)) for given in answers]

    return [request for request, before, after in judged if fails(request, before, after)]


def _open(statement: Statement, keys: Set[str]) -> list[tuple[object, ...]]:
    """Negations over variables that have no value, operators that nobody knows, and invalid variables.

    keys: those of the request.
    """
    unknown = [condition_identity(condition) for condition in statement.conditions if condition.kind is None]
    patterns = statement.resources.patterns if statement.resources is not None else ()
    invalid = [("invalid", glob.text) for glob in patterns if Variable(None) in glob.parts]
    return [*(question for question in questions(statement) if question[1] not in keys), *unknown, *invalid]


def _answered(policy: Policy, keys: Set[str], answers: Mapping[tuple[object, ...], bool]) -> Policy:
    """The policy for requests with these keys: what was asked holds and drops out, or its statement never applies.

    Itself where nothing was asked.
    """

    def valued(globs: Sequence[Glob]) -> tuple[Glob, ...]:
        return tuple(glob for glob in globs if all(key in keys for key in needed([glob])))

    def settled(glob: Glob) -> tuple[Glob, ...]:
        answer = answers.get(("invalid", glob.text))
        return (glob,) if answer is None else (glob.outer,) if answer else ()

    statements = []
    for statement in policy.statements:
        if not all(answers[question] for question in _open(statement, keys) if question[0] != "invalid"):
            continue
        clause = statement.resources
        if clause is not None:
            clause = replace(clause, patterns=tuple(found for glob in clause.patterns for found in settled(glob)))
        if clause is not None and clause.negated:
            clause = replace(clause, patterns=valued(clause.patterns))
        conditions = tuple(
            replace(c, values=valued(c.values)) if c.negated else c for c in statement.conditions if c.kind is not None
        )
        statements.append(replace(statement, resources=clause, conditions=conditions))
    made = replace(policy, statements=tuple(statements))
    return policy if made == policy else made


def _unqualified(request: Request, *policies: Policy) -> bool:
    """Whether a key has several values though an operator without qualifier compares it: `compare` takes it for one."""
    several = {key for key, value in request.values.items() if isinstance(value, tuple) and len(value) > 1}
    conditions = [c for policy in policies for statement in policy.statements for c in statement.conditions]
    return any(c.key in several and not c.qualifier for c in conditions)


def _read(policy: Policy, number: int) -> Policy:
    """The policy with the open wildcards of its resources read in one of the ways that are possible."""
    statements = []
    for statement in policy.statements:
        clause = statement.resources
        if clause is not None:
            clause = replace(
                clause, patterns=tuple(glob.readings[number % len(glob.readings)] for glob in clause.patterns)
            )
        statements.append(replace(statement, resources=clause))
    return replace(policy, statements=tuple(statements))


def _text(before: Policy, after: Policy) -> str:
    return json.dumps([document(before), document(after)])
