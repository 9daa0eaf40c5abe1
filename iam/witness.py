"""Finds a request within a box of a space: a known action, an ARN and values that a reader expects, if possible."""

from collections.abc import Iterable, Iterator
from itertools import islice

from iam import catalogue
from iam.model import Clause, Request, RequestError, Statement
from iam.patterns import Glob, Wild, filled
from iam.space import Box, Dimension, Space
from iam.variables import Values

_MOST_SERVICES = 12
_MOST_ACTIONS = 600
_MOST_GUESSES = 50
_PRINCIPALS = (
    "arn:aws:iam::123456789012:user/example",
    "arn:aws:iam::123456789012:role/example",
    "arn:aws:iam::123456789012:root",
    "arn:aws:sts::123456789012:assumed-role/example/session",
    "arn:aws:iam::210987654321:user/example",
    "ec2.amazonaws.com",
    "*",
)


def requests(space: Space, box: Box, statement: Statement, context: Values) -> Iterator[tuple[Request, bool]]:
    """Requests in the box that a statement covers, the most likely first, and whether their action is a known one.

    They are candidates: where variables or unknown conditions are involved only `decide` can tell.
    """
    principal, action, resource, *keys = space.dimensions
    values = _values(keys, box[3:], context)
    who = _principal(principal, box[0], statement)
    if values is None or who == "":
        return
    for name, is_known in _actions(action, box[1], statement.actions):
        for arn in _resources(resource, box[2], statement.resources, name):
            try:
                yield Request(name, arn, who, values), is_known
            except RequestError:  # an example that no request may have, such as one that is too long
                continue
            break


def guesses(statement: Statement) -> Iterator[tuple[Request, bool]]:
    """Some requests that the statement may cover, made of its own texts: for policies too hard to cut into classes."""
    actions = [glob.text for glob in statement.actions.patterns if glob.is_literal][:2]
    actions += islice(_known_actions(statement.actions), 2)
    clause = statement.resources
    arns = [filled(glob.parts) for glob in clause.patterns[:_MOST_GUESSES]] if clause and not clause.negated else ["*"]
    context = {
        c.written_key: filled(c.values[0].parts) for c in statement.conditions if not c.negated and c.kind != "null"
    }
    who = statement.principals.entries[0][1] if statement.principals else None
    for action in actions:
        for arn in arns:
            try:
                yield Request(catalogue.known(action) or action, arn, who, context), catalogue.known(action) is not None
            except RequestError:
                continue


def _examples(dimension: Dimension, wanted: int) -> list[str]:
    return [e for place, e in enumerate(dimension.examples) if wanted >> place & 1 and isinstance(e, str) and e]


def _values(keys: list[Dimension], wanted: Box, context: Values) -> dict[str, str | tuple[str, ...]] | None:
    values: dict[str, str | tuple[str, ...]] = {key: value for key, value in context.items() if value is not None}
    for dimension, classes in zip(keys, wanted, strict=True):
        if not dimension.name or dimension.name.lower() in context:
            continue
        found = [e for place, e in enumerate(dimension.examples) if classes >> place & 1 and e is not None]
        if not found:
            return None
        if () not in found:  # a key that may be missing is left out
            values[dimension.name] = min(found, key=lambda example: (isinstance(example, tuple), example == ""))
    return values


def _principal(dimension: Dimension, wanted: int, statement: Statement) -> str | None:
    """A principal of the wanted classes; None if none is needed, empty if none is known."""
    if dimension.examples == [None]:
        return None
    named = [value for _, value in statement.principals.entries] if statement.principals else []
    typed = [f"{kind}:{value}" for kind, value in statement.principals.entries] if statement.principals else []
    for candidate in (*named, *_PRINCIPALS, *typed, *_examples(dimension, wanted)):
        if candidate and dimension.find(candidate) & wanted:
            return candidate
    return ""


def _actions(dimension: Dimension, wanted: int, clause: Clause) -> Iterator[tuple[str, bool]]:
    """One known action, if there is one, else one that is not known."""
    examples = _examples(dimension, wanted)
    for example in examples:
        found = catalogue.known(example)
        if found:
            yield found, True
            return
    if wanted & ~dimension.single:  # some class holds more than its example
        for candidate in islice(_known_actions(clause), _MOST_ACTIONS):
            if dimension.find(candidate) & wanted:
                yield candidate, True
                return
    if examples:
        yield examples[0], False


def _known_actions(clause: Clause) -> Iterator[str]:
    if clause.negated:
        globs: Iterable[Glob] = (Glob("*", (Wild.STAR,)),)
    else:
        globs = clause.patterns
    for glob in globs:
        if glob.is_literal:
            continue  # it is the example of its class
        start = glob.parts[0] if isinstance(glob.parts[0], str) else ""
        service, colon, verb = start.lower().partition(":")
        names = (service,) if colon else tuple(n for n in catalogue.services() if n.startswith(service))
        for name in names[:_MOST_SERVICES]:
            yield from (f"{name}:{action}" for low, action in catalogue.actions(name).items() if low.startswith(verb))


def _resources(dimension: Dimension, wanted: int, clause: Clause | None, action: str) -> Iterator[str]:
    arns = catalogue.resources(action)
    named = [filled(glob.parts) for glob in clause.patterns] if clause and not clause.negated else []
    likely = [text for text in named if text.startswith("arn:")]
    usual = ("*",) if arns == () else ()
    for candidate in (*usual, *likely, *(arns or ()), "*", *dimension.hints, *named, *_examples(dimension, wanted)):
        if candidate and dimension.find(candidate) & wanted:
            yield candidate
