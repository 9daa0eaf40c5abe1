"""Which access keys a user is to have: the rule by which keys end. Pure; clock and what IAM holds are handed in.

A key is a resource with a number (`access-key-2`). IAM tells ids, ages and states of a user's keys but no numbers, so
the user carries a record in a tag: `2 after 1 AKIA...` says that key 2 takes the place of key 1, which has that id. It
is written before key 2 is made, so an update that is interrupted anywhere finds its place again: while the newest key
of the user is the one of the record, key 2 is still to be made.

A rotation, a stage an update: the next key is made and comes into use, the previous one works for a time of grace; then
it is inactive for as long; then it is deleted. What is inactive never works again. IAM allows two keys a user.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

RECORD = "app-one:access-key"
"""The user's tag that holds the record."""
NOTICE_DAYS = 14
"""So many days before its end a key is replaced, by the first update: a weekly one never misses it."""

Status = Literal["Active", "Inactive"]
_RECORD = re.compile(r"(\d{1,9})(?: after (\d{1,9}) ([A-Z0-9]{16,128}))?")


class RecordError(ValueError):
    """The tag says nothing that this program wrote; the message shows it."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What the settings say of one user's keys."""

    user: str
    first: int
    """Number of the key where nothing is recorded yet; raised above the recorded one it asks for another key."""
    keep_previous: bool
    """Do not end the previous key's grace."""
    max_age_days: int
    """0: keys do not end by age."""
    grace_days: int
    compromised: Sequence[str]
    """Ids of keys that are not to work any more."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """A key that the user has in IAM."""

    id: str
    created: datetime
    active: bool


@dataclass(frozen=True, kw_only=True)
class Declared:
    """A key that is to be there."""

    number: int
    status: Status = "Active"
    once_unused: bool = False
    """Only when the variables hold another key."""


@dataclass(frozen=True, kw_only=True)
class Remark:
    """What a person is to know of a key, by urgency."""

    level: Literal["info", "warn", "error"]
    text: str


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The keys to declare, which of them the variables hold, and what the user's tag says (empty for no tag)."""

    keys: tuple[Declared, ...]
    in_use: int
    record: str = ""
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class _Record:
    number: int
    after: int = 0
    after_id: str = ""

    @classmethod
    def read(cls, text: str) -> "_Record":
        found = _RECORD.fullmatch(text)
        if not found:
            raise RecordError(f"{text!r} is not as this program writes it, such as '2 after 1 AKIAIOSFODNN7EXAMPLE'")
        return cls(int(found[1]), int(found[2] or 0), found[3] or "")

    def __str__(self) -> str:
        return f"{self.number} after {self.after} {self.after_id}" if self.after else str(self.number)


def wanted(rule: Rule, held: Sequence[Held], record: str, now: datetime) -> Wanted:
    """The keys that this update declares. Raises `RecordError`.

    held: the user's keys in IAM, none where there is no user. record: the user's tag, empty where it has none.
    """
    keys = sorted(held, key=lambda key: (key.created, key.id))
    if record:
        return _Rotation(rule, keys, _Record.read(record), now, recorded=True).stage()
    if not rule.max_age_days and not any(key.id in rule.compromised for key in keys):
        return _by_hand(rule)
    if rule.keep_previous and keys:
        return _Rotation(rule, keys, _Record(rule.first, rule.first - 1, keys[0].id), now, recorded=False).stage()
    if len(keys) > 1:
        # Of a rotation without an overlap: its end deletes what is declared no more, and there is room again.
        status: Status = "Inactive" if keys[-1].id in rule.compromised else "Active"
        remark = Remark(level="warn", text=f"'{rule.user}' has two access keys: run `pulumi up` once more.")
        return Wanted(keys=(Declared(number=rule.first, status=status),), in_use=rule.first, remarks=(remark,))
    return _Rotation(rule, keys, _Record(rule.first), now, recorded=False).stage()


def _by_hand(rule: Rule) -> Wanted:
    numbers = (rule.first - 1, rule.first) if rule.keep_previous else (rule.first,)
    return Wanted(keys=tuple(Declared(number=number) for number in numbers), in_use=rule.first)


class _Rotation:
    """What is due, by what IAM holds and the record says."""

    def __init__(self, rule: Rule, keys: Sequence[Held], record: _Record, now: datetime, *, recorded: bool) -> None:
        self._rule, self._keys, self._record, self._now, self._recorded = rule, keys, record, now, recorded
        self._remarks: list[Remark] = []

    def stage(self) -> Wanted:
        """The stage that is due."""
        if not self._keys:
            return self._result(Declared(number=self._record.number))
        newest = self._keys[-1]
        if newest.id == self._record.after_id:
            return self._next(newest)
        previous = next((key for key in self._keys if key.id == self._record.after_id), None)
        return self._overlap(previous, newest) if previous else self._alone(newest)

    def _alone(self, key: Held) -> Wanted:
        """One key, and no rotation under way."""
        number = self._record.number
        if len(self._keys) > 1:
            others = ", ".join(other.id for other in self._keys[:-1])
            self._say("warn", key, f"has another beside it that this stack does not know: {others}; is it yours?")
        if not self._works(key):
            self._say("warn", key, "is not to work any more: this update disables it and makes the next one")
        elif self._is_due(key):
            self._say_age(key, "this update makes the next one")
        elif self._recorded and self._rule.first > number:
            self._say("info", key, "is replaced, as accessKeyGeneration says")
        else:
            if self._rule.max_age_days:
                self._say("info", key, f"ends in {self._left(key)} days")
            return self._result(Declared(number=number))
        self._record = _Record(max(self._rule.first if self._recorded else 0, number + 1), number, key.id)
        return self._next(key)

    def _next(self, old: Held) -> Wanted:
        """The next key is made; the one before works on unless it is compromised."""
        return self._result(
            Declared(number=self._record.after, status="Active" if self._works(old) else "Inactive"),
            Declared(number=self._record.number),
        )

    def _overlap(self, previous: Held, current: Held) -> Wanted:
        """Both are there: the previous one ends by stages, or a compromised one at once."""
        if not self._works(current):
            return self._emergency(previous, current)
        ending = self._ending(previous, current)
        if self._is_due(current):
            self._say_age(current, "the previous key has to end first, so run `pulumi up` until it is replaced")
        return self._result(*([ending] if ending else []), Declared(number=self._record.number))

    def _ending(self, previous: Held, current: Held) -> Declared | None:
        grace, used = timedelta(days=self._rule.grace_days), self._now - current.created
        number = self._record.after
        if previous.id in self._rule.compromised:
            return Declared(number=number, status="Inactive") if previous.active else None
        if previous.active and (self._rule.keep_previous or used < grace):
            end = (
                "with accessKeyKeepPrevious off" if self._rule.keep_previous else f"after {current.created + grace:%F}"
            )
            self._say("info", previous, f"is not in use any more and works until the first update {end}")
            return Declared(number=number)
        if previous.active or used < 2 * grace:
            return Declared(number=number, status="Inactive", once_unused=True)
        return None

    def _emergency(self, previous: Held, current: Held) -> Wanted:
        """Both places are taken, and what is in use is not to work: it is disabled now, the next update has room."""
        self._say("warn", current, "is not to work any more and is disabled: run `pulumi up` again for another key")
        now = Declared(number=self._record.number, status="Inactive")
        if self._works(previous):
            before = Declared(number=self._record.after)
            return self._result(before, *([now] if current.active else []), in_use=before.number)
        return self._result(*([Declared(number=self._record.after, status="Inactive")] if previous.active else []), now)

    def _result(self, *keys: Declared, in_use: int | None = None) -> Wanted:
        return Wanted(
            keys=keys,
            in_use=in_use or self._record.number,
            record=str(self._record),
            remarks=tuple(self._remarks),
        )

    def _works(self, key: Held) -> bool:
        return key.active and key.id not in self._rule.compromised

    def _left(self, key: Held) -> int:
        return self._rule.max_age_days - (self._now - key.created).days

    def _is_due(self, key: Held) -> bool:
        return self._recorded and self._rule.max_age_days > 0 and self._left(key) <= NOTICE_DAYS

    def _say_age(self, key: Held, what: str) -> None:
        left = self._left(key)
        if left >= 0:
            self._say("warn", key, f"ends in {left} days: {what}")
        else:
            age = (self._now - key.created).days
            self._say("error", key, f"is {age} days old, allowed are {self._rule.max_age_days}: {what}")

    def _say(self, level: Literal["info", "warn", "error"], key: Held, what: str) -> None:
        self._remarks.append(Remark(level=level, text=f"access key {key.id} of '{self._rule.user}' {what}."))
