"""A policy as a table that people read: one row a statement, negations and unknown operators in words."""

from dataclasses import dataclass

from iam.model import Condition, Policy, Principals, Statement


@dataclass(frozen=True, slots=True)
class Row:
    """One statement. Every cell is a list of lines; an empty one means that the element is not there."""

    statement: str
    effect: str
    principals: tuple[str, ...]
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[str, ...]


HEADINGS = ("Statement", "Effect", "Principal", "Action", "Resource", "Condition")


def table(policy: Policy) -> list[Row]:
    """The rows of a policy, in its order."""
    return [_row(statement) for statement in policy.statements]


def _row(statement: Statement) -> Row:
    resources = statement.resources
    return Row(
        statement.sid or str(statement.index),
        statement.effect,
        _principals(statement.principals) if statement.principals else (),
        _listed([glob.text for glob in statement.actions.patterns], negated=statement.actions.negated),
        _listed([glob.text for glob in resources.patterns], negated=resources.negated) if resources else (),
        tuple(_condition(condition) for condition in statement.conditions),
    )


def _listed(texts: list[str], *, negated: bool) -> tuple[str, ...]:
    return ("all except", *texts) if negated else tuple(texts)


def _principals(principals: Principals) -> tuple[str, ...]:
    texts = ["everyone" if value == "*" else f"{kind} {value}" for kind, value in principals.entries]
    return _listed(texts, negated=principals.negated)


def _condition(condition: Condition) -> str:
    note = " (unknown operator)" if condition.kind is None else ""
    values = " or ".join(f'"{glob.text}"' for glob in condition.values)
    return f"{condition.written_key} {condition.operator}{note} {values}"
