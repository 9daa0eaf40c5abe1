"""When keys end: the rule alone, then a small world in which every update can be interrupted after every step."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from infra.key_rotation import Declared, Held, RecordError, Rule, Wanted, wanted

START = datetime(2027, 1, 1, tzinfo=UTC)
RULE = Rule(user="app-one-push", first=1, keep_previous=False, max_age_days=90, grace_days=7, compromised=())
FIRST, SECOND = "AKIAEXAMPLE000000001", "AKIAEXAMPLE000000002"
RUNNING = f"2 after 1 {FIRST}"


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def key(identifier: str = FIRST, created: float = 0, *, active: bool = True) -> Held:
    return Held(id=identifier, created=day(created), active=active)


def texts(result: Wanted, level: str) -> list[str]:
    return [remark.text for remark in result.remarks if remark.level == level]


ONE = (Declared(number=1),)
ONE_AND_TWO = (Declared(number=1), Declared(number=2))


# A key's age ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("age", [0, 1, 75, 75.99])
def test_a_key_stays_until_fourteen_days_before_its_end_and_says_how_many_it_has(age: float) -> None:
    result = wanted(RULE, [key()], "1", day(age))
    assert (result.keys, result.in_use, result.record) == (ONE, 1, "1")
    assert texts(result, "info") == [f"access key {FIRST} of 'app-one-push' ends in {90 - int(age)} days."]


@pytest.mark.parametrize(("age", "left"), [(76, 14), (80.5, 10), (90, 0)])
def test_a_key_near_its_end_is_warned_of_and_replaced_with_an_overlap(age: float, left: int) -> None:
    result = wanted(RULE, [key()], "1", day(age))
    assert (result.keys, result.in_use, result.record) == (ONE_AND_TWO, 2, RUNNING)
    assert texts(result, "warn") == [
        f"access key {FIRST} of 'app-one-push' ends in {left} days: this update makes the next one."
    ]


def test_a_key_past_its_end_is_an_error_and_still_replaced_with_an_overlap() -> None:
    result = wanted(RULE, [key()], "1", day(97))
    assert (result.keys, result.in_use) == (ONE_AND_TWO, 2)
    assert texts(result, "error") == [
        f"access key {FIRST} of 'app-one-push' is 97 days old, allowed are 90: this update makes the next one."
    ]


def test_a_clock_that_is_behind_changes_nothing() -> None:
    assert wanted(RULE, [key()], "1", day(-3)).keys == ONE


@pytest.mark.parametrize(
    ("used", "status"),
    [(0, "Active"), (6.9, "Active"), (7, "Inactive"), (400, "Inactive")],
)
def test_a_previous_key_works_for_its_grace_and_is_disabled_after_the_group_holds_the_next(
    used: float, status: str
) -> None:
    rule = replace(RULE, max_age_days=0)
    result = wanted(rule, [key(), key(SECOND, 80)], RUNNING, day(80 + used))
    assert [(item.number, item.status) for item in result.keys] == [(1, status), (2, "Active")]
    assert result.keys[0].once_unused is (status == "Inactive")
    assert result.in_use == 2


@pytest.mark.parametrize(("used", "numbers"), [(13.9, [1, 2]), (14, [2])])
def test_a_disabled_key_is_deleted_after_as_long_again(used: float, numbers: list[int]) -> None:
    result = wanted(RULE, [key(active=False), key(SECOND, 80)], RUNNING, day(80 + used))
    assert [item.number for item in result.keys] == numbers


def test_a_previous_key_that_is_to_be_kept_does_not_end() -> None:
    result = wanted(replace(RULE, keep_previous=True), [key(), key(SECOND, 80)], RUNNING, day(150))
    assert result.keys == ONE_AND_TWO
    assert "with accessKeyKeepPrevious off" in texts(result, "info")[0]


def test_the_next_rotation_waits_for_the_end_of_the_one_before() -> None:
    result = wanted(RULE, [key(), key(SECOND, 80)], RUNNING, day(80 + 95))
    assert [item.number for item in result.keys] == [1, 2]
    assert "so run `pulumi up` until it is replaced" in texts(result, "error")[0]


def test_a_raised_generation_asks_for_another_key_once() -> None:
    result = wanted(replace(RULE, first=5), [key()], "1", day(1))
    assert [item.number for item in result.keys] == [1, 5]
    assert result.record == f"5 after 1 {FIRST}"
    assert wanted(replace(RULE, first=5), [key(SECOND, 1)], result.record, day(20)).keys == (Declared(number=5),)


# Stacks from before ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [[], [key()], [key(), key(SECOND, 80)]])
@pytest.mark.parametrize(("keep", "numbers"), [(False, [3]), (True, [2, 3])])
def test_without_an_age_keys_are_those_of_the_settings_and_no_tag_is_written(
    held: list[Held], keep: bool, numbers: list[int]
) -> None:
    rule = replace(RULE, first=3, keep_previous=keep, max_age_days=0)
    result = wanted(rule, held, "", day(500))
    assert [item.number for item in result.keys] == numbers
    assert (result.in_use, result.record, result.remarks) == (3, "", ())


def test_a_first_update_records_the_key_in_use_and_replaces_nothing() -> None:
    assert wanted(replace(RULE, first=3), [], "", day(0)).record == "3"
    result = wanted(replace(RULE, first=3), [key()], "", day(500))
    assert (result.keys, result.record) == ((Declared(number=3),), "3")


def test_an_overlap_by_hand_is_taken_over() -> None:
    rule = replace(RULE, first=2, keep_previous=True)
    for held in ([key()], [key(), key(SECOND, 80)]):
        result = wanted(rule, held, "", day(81))
        assert (result.keys, result.in_use, result.record) == (ONE_AND_TWO, 2, RUNNING)


def test_a_tag_that_somebody_else_wrote_is_refused() -> None:
    with pytest.raises(RecordError, match="'two' is not as this program writes it"):
        wanted(RULE, [key()], "two", day(0))


def test_a_key_that_the_stack_does_not_know_is_named() -> None:
    result = wanted(RULE, [key(), key(SECOND, 3)], "1", day(4))
    assert f"another beside it that this stack does not know: {FIRST}" in texts(result, "warn")[0]


# A small world --------------------------------------------------------------------------------------------------------


class Killed(Exception):  # noqa: N818 (no error: it ends an update)
    """The update ends here."""


@dataclass
class World:
    """IAM, a state and a variable group, changed in the order of the engine: as dependencies say, deletions last."""

    iam: dict[str, Held] = field(default_factory=dict)
    state: dict[int, str] = field(default_factory=dict)
    group: str = ""
    tag: str = ""
    made: int = 0
    log: list[str] = field(default_factory=list)

    def update(self, rule: Rule, now: datetime, *, steps: int = 1000) -> int:
        """One `pulumi up`, killed after so many steps; returns how many it took."""
        result = wanted(rule, list(self.iam.values()), self.tag, now)
        taken = 0
        for step in [*self._steps(result, now)]:
            if taken == steps:
                raise Killed
            step()
            taken += 1
            assert len(self.iam) <= 2, "IAM allows two keys a user"
            if self.group and not rule.compromised:
                assert self.iam[self.group].active, "the group holds a key that works"
        return taken

    def _steps(self, result: Wanted, now: datetime) -> Iterator[Callable[[], None]]:
        if result.record != self.tag:
            yield lambda: setattr(self, "tag", result.record)
        for item in sorted(result.keys, key=lambda item: item.once_unused):
            if item.once_unused:
                continue
            if item.number not in self.state:
                yield lambda item=item: self._make(item.number, now)  # type: ignore[misc]
            elif item.status == "Inactive" and self.iam[self.state[item.number]].active:
                yield lambda item=item: self._disable(item.number)  # type: ignore[misc]
        yield lambda: setattr(self, "group", self.state[result.in_use])
        for item in result.keys:
            if item.once_unused and self.iam[self.state[item.number]].active:
                yield lambda item=item: self._disable(item.number)  # type: ignore[misc]
        for number in sorted(set(self.state) - {item.number for item in result.keys}):
            yield lambda number=number: self._delete(number)  # type: ignore[misc]

    def _make(self, number: int, now: datetime) -> None:
        assert len(self.iam) < 2, "LimitExceeded"
        self.made += 1
        identifier = f"AKIAEXAMPLE{self.made:09d}"
        self.iam[identifier] = Held(id=identifier, created=now, active=True)
        self.state[number] = identifier
        self.group = self.group or identifier

    def _disable(self, number: int) -> None:
        identifier = self.state[number]
        self.iam[identifier] = replace(self.iam[identifier], active=False)

    def _delete(self, number: int) -> None:
        del self.iam[self.state.pop(number)]

    @property
    def ids(self) -> list[str]:
        return sorted(self.iam)


@pytest.mark.parametrize("every", [1, 3, 7, 14])
def test_regular_updates_keep_every_key_below_its_age_for_years(every: int) -> None:
    world = World()
    for number in range(0, 1500, every):
        world.update(RULE, day(number))
        assert (day(number) - world.iam[world.group].created).days <= 90
    assert 15 <= world.made <= 25
    assert world.update(RULE, day(1500)) >= 1
    assert world.group == max(world.iam)


def test_rare_updates_are_behind_and_catch_up() -> None:
    world = World()
    for number in (0, 200, 420, 421, 422, 423, 430, 445, 446):
        world.update(RULE, day(number))
    assert world.made == 3
    assert world.ids == [world.group]


@pytest.mark.parametrize("steps", range(6))
def test_a_rotation_that_is_killed_after_any_step_goes_on_where_it_was(steps: int) -> None:
    days = [0, 1, 78, 79, 86, 93, 100]
    for killed in days[1:]:
        world = World()
        for number in days:
            if number == killed:
                with contextlib.suppress(Killed):
                    world.update(RULE, day(number), steps=steps)
            world.update(RULE, day(number))
        assert world.made == 2, "no key was made twice"
        assert world.ids == [world.group]


def test_a_compromised_key_is_disabled_by_one_update_that_also_makes_the_next() -> None:
    world = World()
    rule = replace(RULE, max_age_days=0)
    world.update(rule, day(0))
    (leaked,) = world.ids
    rule = replace(rule, compromised=[leaked])
    world.update(rule, day(3))
    assert not world.iam[leaked].active
    assert world.group != leaked
    assert world.iam[world.group].active
    world.update(rule, day(3))
    assert world.ids == [world.group], "there is no grace for what leaked"
    world.update(replace(rule, compromised=[]), day(4))
    assert (world.made, world.ids) == (2, [world.group]), "the settings may forget it then"


@pytest.mark.parametrize("steps", range(6))
def test_an_emergency_that_is_killed_after_any_step_goes_on_where_it_was(steps: int) -> None:
    world = World()
    world.update(RULE, day(0))
    world.update(RULE, day(1))
    (leaked,) = world.ids
    rule = replace(RULE, compromised=[leaked])
    with contextlib.suppress(Killed):
        world.update(rule, day(2), steps=steps)
    for _ in range(3):
        world.update(rule, day(2))
    assert (world.made, world.ids) == (2, [world.group])
    assert world.iam[world.group].active


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("at", [79, 87])
def test_an_emergency_within_a_rotation_disables_first_and_makes_room_next(at: int, both: bool) -> None:
    world = World()
    for number in (0, 1, 78, at):
        world.update(RULE, day(number))
    previous, current = world.ids
    rule = replace(RULE, compromised=[previous, current] if both else [current])
    world.update(rule, day(at))
    assert not world.iam[current].active, "by the first update"
    assert previous not in world.iam or not both or not world.iam[previous].active
    if at == 79 and not both:
        assert world.group == previous, "which still works"
    for _ in range(4):
        world.update(rule, day(at))
    assert world.group not in (previous, current) or (at == 79 and not both)
    assert world.iam[world.group].active
    assert current not in world.iam


def test_a_previous_key_that_leaked_is_disabled_at_once_and_nothing_else_changes() -> None:
    world = World()
    for number in (0, 1, 78):
        world.update(RULE, day(number))
    previous, current = world.ids
    rule = replace(RULE, compromised=[previous])
    world.update(rule, day(79))
    assert (world.iam[previous].active, world.group) == (False, current)
    world.update(rule, day(79))
    assert (world.ids, world.group) == ([current], current)


def test_a_key_that_somebody_disabled_by_hand_is_replaced_and_never_works_again() -> None:
    world = World()
    world.update(RULE, day(0))
    world.update(RULE, day(1))
    (disabled,) = world.ids
    world.iam[disabled] = replace(world.iam[disabled], active=False)
    rule = replace(RULE, compromised=["AKIAEXAMPLE999999999"])  # the world then lets the group hold what does not work
    world.update(rule, day(2))
    assert not world.iam[disabled].active
    assert world.group != disabled
