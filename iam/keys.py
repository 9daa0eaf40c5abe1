"""What the conditions on one key can say together, each combination with a value of the key that brings it about."""

from collections.abc import Callable, Sequence

from iam.automaton import Budget
from iam.conditions import holds
from iam.dimensions import Example
from iam.key_types import can_be, is_single
from iam.model import Condition
from iam.values import Element, identity, subsets, value_classes


def key_states(conditions: Sequence[Condition], budget: Budget) -> dict[int, Example]:
    """Every combination of true conditions on one key (bit i: condition i), with a value that brings it about."""
    elements: dict[tuple[object, ...], Element] = {}
    for condition in conditions:
        for glob in condition.values if condition.kind != "null" else ():
            elements.setdefault(identity(condition.kind or "", glob), (condition.kind or "", glob))
    places = {name: place for place, name in enumerate(elements)}
    wanted = [
        sum({1 << places[identity(c.kind or "", glob)] for glob in c.values}) if c.kind != "null" else 0
        for c in conditions
    ]
    key = conditions[0].key
    states: dict[int, Example] = {}

    def add(answers: Sequence[bool | None], example: Example) -> None:
        sure = sum(1 << number for number, answer in enumerate(answers) if answer)
        unclear = sum(1 << number for number, answer in enumerate(answers) if answer is None)
        for chosen in subsets(unclear, budget):
            if states.get(sure | chosen) is None:
                states[sure | chosen] = example

    add([holds(condition, {}) for condition in conditions], ())
    singles: dict[int, Example] = {}  # by truth of the conditions
    for mask, example in value_classes(list(elements.values()), budget, key).items():
        budget.spend(1 + len(conditions) // 8)
        answers = [
            holds(condition, {condition.key: "x"})
            if condition.kind == "null"
            else bool(mask & bits) != condition.negated
            for condition, bits in zip(conditions, wanted, strict=True)
        ]
        add(answers, example)
        truth = sum(1 << number for number, answer in enumerate(answers) if answer)
        singles[truth] = example if singles.get(truth) is None else singles[truth]
    if any(condition.qualifier for condition in conditions):
        if can_be(key, ""):
            add([_of_nothing(condition) for condition in conditions], "")
        if is_single(key):
            return states
        for truth, values in _several(conditions, singles, budget).items():
            answers = [
                bool(truth >> number & 1) if condition.qualifier else _of_many(condition)
                for number, condition in enumerate(conditions)
            ]
            add(answers, values)
    return states


def finder(conditions: Sequence[Condition], truths: Sequence[int]) -> Callable[[str], int]:
    """Finds the classes of a key's value by what the conditions say of it."""

    def find(text: str) -> int:
        answers = [holds(condition, {condition.key: text}) for condition in conditions]
        sure = sum(1 << number for number, answer in enumerate(answers) if answer)
        unclear = sum(1 << number for number, answer in enumerate(answers) if answer is None)
        return sum(1 << place for place, truth in enumerate(truths) if truth & ~unclear == sure)

    return find


def _of_nothing(condition: Condition) -> bool | None:
    """What a condition says of an empty text, which a qualifier takes for no value at all."""
    variables = any(glob.has_variables for glob in condition.values)
    return None if variables and not condition.qualifier else holds(condition, {condition.key: ""})


def _of_many(condition: Condition) -> bool | None:
    """What a condition without qualifier says of a multivalued key: only Null is documented."""
    return holds(condition, {condition.key: ("x", "x")})


def _several(conditions: Sequence[Condition], singles: dict[int, Example], budget: Budget) -> dict[int, Example]:
    """What sets of two and more values make of the conditions with a qualifier, closed under adding a value."""
    any_value = sum(1 << number for number, c in enumerate(conditions) if c.qualifier == "ForAnyValue")
    all_values = sum(1 << number for number, c in enumerate(conditions) if c.qualifier == "ForAllValues")
    single = {truth & (any_value | all_values): example for truth, example in singles.items()}
    found: dict[int, Example] = {
        truth: (example, example) if isinstance(example, str) else None for truth, example in single.items()
    }
    waiting = list(found)
    while waiting:
        truth = waiting.pop()
        budget.spend(len(single))
        for other, example in single.items():
            both = (truth | other) & any_value | (truth & other) & all_values
            if both not in found:
                values = found[truth]
                known = isinstance(values, tuple) and isinstance(example, str)
                found[both] = tuple(dict.fromkeys((*(values or ()), str(example)))) if known else None
                waiting.append(both)
    return found


def condition_identity(condition: Condition) -> tuple[object, ...]:
    """What makes two conditions say the same, whatever the order of their values."""
    name = (condition.qualifier, condition.kind, condition.negated, condition.if_exists)
    values = frozenset(identity(condition.kind or condition.operator, glob) for glob in condition.values)
    return (condition.key, condition.operator if condition.kind is None else name, values)
