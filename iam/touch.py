"""Which patterns of one statement can touch those of another: a cheap test that never misses a text that both match.

Most patterns of a policy have nothing to do with a given statement; those are left out before anything is searched.
"""

from collections.abc import Sequence

from iam.model import Clause
from iam.patterns import Glob


def may_share(one: Glob, other: Glob) -> bool:
    """Whether some text may be like both globs; False is certain."""
    if one.is_literal or other.is_literal:
        literal, glob = (one, other) if one.is_literal else (other, one)
        return glob.widest.matches(literal.literal, {}) is not False
    (start, end), (other_start, other_end) = one.ends, other.ends
    return (start.startswith(other_start) or other_start.startswith(start)) and (
        end.endswith(other_end) or other_end.endswith(end)
    )


class Touching:
    """The patterns of one clause, ready to be asked which patterns of others touch them, or are covered by them."""

    def __init__(self, clause: Clause | None) -> None:
        self._literals: dict[str, list[str]] = {}  # by service, "" where that is not certain
        self._globs: dict[str, list[Glob]] = {}
        self._texts: frozenset[str] = frozenset()
        self._everything = clause is None or clause.negated
        if clause is None or clause.negated:
            return
        self._texts = clause.literals
        for glob in clause.patterns:
            if glob.is_literal:
                self._literals.setdefault(glob.service, []).append(glob.literal)
            else:
                self._globs.setdefault(glob.service, []).append(glob)
        self._everything = any(glob.text == "*" for glob in self._globs.get("", ()))

    def keep(self, patterns: Sequence[Glob]) -> tuple[Glob, ...]:
        """Those that may touch."""
        return tuple(patterns) if self._everything else tuple(glob for glob in patterns if self._touches(glob))

    def covers(self, glob: Glob) -> bool:
        """Whether the clause (not a negated one) covers whatever is like the glob; False may mean not looked at."""
        if self._everything or not glob.is_literal:
            return self._everything
        if glob.literal in self._texts:
            return True
        certain = (own for own in self._near(glob) if not own.has_variables)
        return any(own.matches(glob.literal, {}) is True for own in certain)

    def _touches(self, glob: Glob) -> bool:
        if glob.is_literal:
            return glob.literal in self._texts or any(may_share(own, glob) for own in self._near(glob))
        if any(may_share(own, glob) for own in self._near(glob)):
            return True
        services = (glob.service, "") if glob.service else tuple(self._literals)
        return any(
            glob.widest.matches(text, {}) is not False for name in services for text in self._literals.get(name, ())
        )

    def _near(self, glob: Glob) -> list[Glob]:
        """The globs of the clause that may be of the same service."""
        if not self._globs:
            return []
        services = (glob.service, "") if glob.service else tuple(self._globs)
        return [own for name in services for own in self._globs.get(name, ())]
