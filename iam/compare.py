"""Compares two policies over all requests: what the new one allows that the old one did not, and the other way round.

The requests that a policy allows are a union of boxes (its Allow statements) without another union of boxes (its Deny
statements). Whether one such set holds something that another does not is decided by cutting boxes off one another;
where nothing is left, that is a proof. What is left gives a request, which is claimed only if `decide` confirms it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

from iam.automaton import Budget, TooHardError
from iam.callers import consistent
from iam.decide import decide
from iam.model import Policy, Request, Statement
from iam.space import Box, Near, Shared, Space
from iam.variables import Values, bind, bind_statement, candidates
from iam.witness import guesses, requests
from iam.written import Written

Verdict = Literal["broadened", "narrowed", "both", "equal", "unknown"]
STEPS_OF_SPACE = 40_000  # transitions and classes
STEPS_OF_SPACES = 120_000  # the same, in all further attempts
STEPS_OF_SEARCH = 400_000  # boxes and statements looked at, in one direction
STEPS_OF_GUESSING = 30_000  # statements looked at, in one direction
_OWN = {
    "allow": " to a caller whose own policies allow it",
    "silent": " to a caller whose own policies do not allow it",
    "limited": " to a caller whose boundary or session policy does not allow it",
}
_MOST_WITNESSES = 10
_ENOUGH_WITNESSES = 3  # to leave out the guesses where a search is too hard
_MOST_LEAVES = 8  # boxes left over for one statement that are searched for a request


@dataclass(frozen=True, slots=True)
class Cause:
    """A statement that causes a difference, or a reason why nothing could be proved (then `policy` is None)."""

    policy: Literal["old", "new"] | None
    statement: int | None
    sid: str | None
    effect: Literal["Allow", "Deny"] | None
    why: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The verdict, a witness for every claim, and the causes.

    "equal" and "narrowed" prove that no request is newly allowed, "equal" and "broadened" that none is newly refused.
    `allows_nothing_new` and `refuses_nothing_new` say which of the two is proved where the verdict is "unknown".
    """

    verdict: Verdict
    newly_allowed: tuple[Request, ...] = ()
    newly_refused: tuple[Request, ...] = ()
    because: tuple[Cause, ...] = ()
    allows_nothing_new: bool = False
    refuses_nothing_new: bool = False


@dataclass
class _Gain:
    """What one policy allows beyond another: requests, causes, and why it could not be settled, if so."""

    requests: list[Request] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    open: list[Cause] = field(default_factory=list)


def compare(old: Policy, new: Policy) -> Comparison:
    """What changes in access if `new` replaces `old`. Never raises, never hangs: what is too hard is "unknown"."""
    spaces = _Spaces()
    allowed = _Search(old, new, spaces, forward=True).run()
    refused = _Search(new, old, spaces, forward=False).run()
    nothing_new = not allowed.requests and not allowed.open
    nothing_lost = not refused.requests and not refused.open
    verdict: Verdict = "unknown"
    if nothing_new and nothing_lost:
        verdict = "equal"
    elif allowed.requests and refused.requests:
        verdict = "both"
    elif allowed.requests and nothing_lost:
        verdict = "broadened"
    elif refused.requests and nothing_new:
        verdict = "narrowed"
    causes = tuple(dict.fromkeys((*allowed.causes, *refused.causes, *allowed.open, *refused.open)))
    return Comparison(verdict, tuple(allowed.requests), tuple(refused.requests), causes, nothing_new, nothing_lost)


class _Spaces:
    """The spaces of statements, within the steps that all of them together may take."""

    def __init__(self) -> None:
        self._shared = Shared()
        self._budget = Budget(STEPS_OF_SPACES, "the patterns overlap in too many ways")

    @property
    def tired(self) -> bool:
        """Whether a quarter of the steps is used up."""
        return self._budget.left * 4 < STEPS_OF_SPACES * 3

    def make(self, statement: Statement, others: Sequence[Statement]) -> Space:
        """A space of what a statement covers, cut by others. Raises TooHardError."""
        budget = Budget(min(STEPS_OF_SPACE, self._budget.left), self._budget.what)
        given = budget.left
        try:
            return Space(statement, others, self._shared, budget)
        finally:
            self._budget.left -= given - max(budget.left, 0)


_Leaves = tuple[Space, Iterator[Box]]


class _Search:
    """Looks for requests that `after` allows and `before` does not. `forward`: before is the old policy."""

    def __init__(
        self, before: Policy, after: Policy, spaces: _Spaces, *, forward: bool, bound: Values | None = None
    ) -> None:
        self.before, self.after, self.spaces, self.forward = before, after, spaces, forward
        self.bound = bound  # values of the keys that variables stood for
        self.originals = (before, after)
        self._values: list[tuple[Values, Policy, Policy]] | None = None  # to try, and the policies with them put in
        self.gain = _Gain()
        self.budget = Budget(STEPS_OF_SEARCH, "the statements overlap in too many ways")
        self.guessing = Budget(STEPS_OF_GUESSING, "too many statements")

    def run(self) -> _Gain:
        """All that can be found and proved."""
        kept, denied = Written(self.before, "Allow"), Written(self.after, "Deny")
        lost = [s for s in self.before.statements if s.effect == "Deny" and not denied.include(s, self.budget)]
        allows = [s for s in self.after.statements if s.effect == "Allow"]
        left = [(statement, kept.rest(statement, self.budget)) for statement in allows]
        for statement, rest in sorted(left, key=lambda pair: pair[1] is None):  # what was changed first
            if len(self.gain.requests) >= _MOST_WITNESSES and self.spaces.tired:
                break  # the rest of a large change is told by its first witnesses
            try:
                self.budget.spend(1 + len(lost) // 4)
                if rest is None or not self._look(rest, self._gained(rest)):
                    self._look_at_lost(statement, lost)
            except TooHardError as error:
                if len(self.gain.requests) >= _ENOUGH_WITNESSES or not self._guess(statement):
                    self._give_up(statement, str(error))
        return self.gain

    def _look_at_lost(self, statement: Statement, lost: Sequence[Statement]) -> None:
        if any(map(Near(statement).of, lost)):
            self._look(statement, self._freed(statement, lost))

    def _gained(self, statement: Statement) -> _Leaves:
        """Boxes of requests that the statement allows and the other policy does not."""
        allowed = [s for s in self.before.statements if s.effect == "Allow"]
        denied = [s for s in self.after.statements if s.effect == "Deny"]
        space = self.spaces.make(statement, [*allowed, *denied])
        others = [*space.boxes(allowed), *space.boxes(denied), *space.impossible]
        return space, uncovered(self._bounded(space, statement), others, self.budget)

    def _freed(self, statement: Statement, lost: Sequence[Statement]) -> _Leaves:
        """Boxes of requests that the statement allows, and that a Deny which goes refused."""
        denied = [s for s in self.after.statements if s.effect == "Deny"]
        space = self.spaces.make(statement, [*lost, *denied])
        box, others = self._bounded(space, statement), [*space.boxes(denied), *space.impossible]
        shared = (tuple(a & b for a, b in zip(box, other, strict=True)) for other in space.boxes(lost))
        return space, chain.from_iterable(uncovered(part, others, self.budget) for part in shared)

    def _guess(self, statement: Statement) -> bool:
        """Try some requests where a search is too hard; whether one was found."""
        try:
            for request, is_known in guesses(statement):
                if self._confirmed(request, self.guessing):
                    self._claim(statement, request, is_known=is_known)
                    return True
        except TooHardError:
            return False
        return False

    def _look(self, statement: Statement, leaves: _Leaves) -> bool:
        """Look for requests by a statement, or a part of it; whether one was found."""
        space, boxes = leaves
        fallback: Request | None = None
        looked = 0
        for leaf in boxes:
            looked += 1
            for request, is_known in requests(space, leaf, statement, self.originals, self.bound or {}):
                if self._confirmed(request, self.budget):
                    if is_known or len(self.gain.requests) >= _MOST_WITNESSES:
                        self._claim(statement, request, is_known=is_known)
                        return True
                    fallback = fallback or request
            if looked >= _MOST_LEAVES:
                break
        if fallback:
            self._claim(statement, fallback, is_known=False)
        elif looked and not (self.bound is None and self._with_variables(statement)):
            self._give_up(statement, "it may, but no request could be found that shows it")
        return fallback is not None

    def _bounded(self, space: Space, statement: Statement) -> Box:
        """The statement's box, where variables stand for values only with those values of their keys."""
        box = list(space.box(statement))
        for key, value in (self.bound or {}).items():
            if key in space.places:
                place, dimension = space.places[key]
                box[place] &= dimension.missing if value is None else dimension.find(value)
        return tuple(box)

    def _confirmed(self, request: Request, budget: Budget) -> bool:
        before, after = self.originals
        budget.spend(len(before.statements) + len(after.statements))
        if not consistent(request.principal, request.values):
            return False
        refused = decide([before], request).effect in ("implicit_deny", "explicit_deny")
        return refused and decide([after], request).effect == "allow"

    def _with_variables(self, statement: Statement) -> bool:
        """Look again with values put in for policy variables; whether a request was found."""
        if self._values is None:
            old, new = self.originals
            self._values = [(v, bind(old, v), bind(new, v)) for v in candidates(self.originals)]
        for values, before, after in self._values:
            search = _Search(before, after, _Spaces(), forward=self.forward, bound=values)
            search.originals = self.originals
            part = bind_statement(statement, values)
            lost = [s for s in before.statements if s.effect == "Deny"]
            try:
                if not search._look(part, search._gained(part)):
                    search._look_at_lost(part, lost)
            except TooHardError:
                continue
            if search.gain.requests:
                self.gain.requests += search.gain.requests
                self.gain.causes += search.gain.causes
                return True
        return False

    def _claim(self, statement: Statement, request: Request, *, is_known: bool) -> None:
        if len(self.gain.requests) < _MOST_WITNESSES and request not in self.gain.requests:
            self.gain.requests.append(request)
        names: tuple[Literal["old", "new"], Literal["old", "new"]] = ("old", "new") if self.forward else ("new", "old")
        change = "newly allows" if self.forward else "no longer allows"
        note = "" if is_known else " (not an action that AWS is known to have)"
        what = f"{change} {request.action}{note} on {request.resource}{_OWN.get(request.own_policies or '', '')}"
        decision = decide([self.originals[0]], request)
        if decision.effect == "explicit_deny":
            verb = "no longer denies" if self.forward else "newly denies"
            for ref in decision.statements:
                cause = Cause(
                    names[0], ref.statement, ref.sid, "Deny", f"{verb} {request.action}{note} on {request.resource}"
                )
                self.gain.causes.append(cause)
            what = f"allows {request.action}{note} on {request.resource}"
        self.gain.causes.append(Cause(names[1], statement.index, statement.sid, "Allow", what))

    def _give_up(self, statement: Statement, reason: str) -> None:
        name: Literal["old", "new"] = "new" if self.forward else "old"
        question = "allows something new" if self.forward else "allowed something that is now refused"
        why = f"could not prove whether {statement.name} of the {name} policy {question}: {reason}"
        self.gain.open.append(Cause(None, statement.index, statement.sid, statement.effect, why))


def uncovered(box: Box, others: Sequence[Box], budget: Budget) -> Iterator[Box]:
    """Parts of a box that no other box covers, disjoint from one another. Raises TooHardError."""
    waiting: list[tuple[list[int], Sequence[Box]]] = [(list(box), others)]
    while waiting:
        rest, covers = waiting.pop()
        left = _cut(rest, covers, budget)
        if left is None:
            continue
        if not left:
            yield tuple(rest)
            continue
        _, cover = min((len(outside), cover) for outside, cover in left)
        remaining = [other for _, other in left if other is not cover]
        for place, wanted in enumerate(cover):
            outside_here = rest[place] & ~wanted
            if outside_here:
                piece = list(rest)
                piece[place] = outside_here
                waiting.append((piece, remaining))
                rest[place] &= wanted


def _cut(rest: list[int], covers: Sequence[Box], budget: Budget) -> list[tuple[list[int], Box]] | None:
    """Cut off (in place) every box that sticks out of `rest` in one dimension only.

    Gives those that still overlap, each with the dimensions where `rest` sticks out of it; None if nothing is left.
    """
    if not all(rest):
        return None
    again = True
    left: list[tuple[list[int], Box]] = []
    while again:
        again, left = False, []
        budget.spend(1 + len(covers))
        for cover in covers:
            if not all(a & b for a, b in zip(rest, cover, strict=True)):
                continue
            outside = [place for place, (a, b) in enumerate(zip(rest, cover, strict=True)) if a & ~b]
            if not outside:
                return None
            if len(outside) == 1:
                rest[outside[0]] &= ~cover[outside[0]]
                again = True
            else:
                left.append((outside, cover))
        covers = [cover for _, cover in left]
    return left
