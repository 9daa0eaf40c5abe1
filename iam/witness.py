"""Finds a request within a box of a space: a known action, an ARN and values that a reader expects, if possible."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from iam import catalogue
from iam.dimensions import Dimension
from iam.model import Clause, Request, RequestError, Statement
from iam.patterns import Glob, Wild, filled, fold_case
from iam.principals import canonical, is_account
from iam.space import Box, Space
from iam.variables import Values

_MOST_SERVICES = 12
_MOST_ACTIONS = 600
_MOST_GUESSES = 50
_MOST_PAIRS = 40
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
    for name, arn, is_known in _pairs(action, box[1], resource, box[2], statement):
        try:
            yield Request(name, arn, who, values), is_known
        except RequestError:  # an example that no request may have, such as one that is too long
            continue


def _pairs(
    action: Dimension, wanted: int, resource: Dimension, wanted_resources: int, statement: Statement
) -> Iterator[tuple[str, str, bool]]:
    """An action and a resource: first a known action with a resource that it takes, else what there is."""
    first: tuple[str, bool] | None = None
    for name, known in islice(_actions(action, wanted, statement.actions), _MOST_PAIRS):
        first = first or (name, known)
        arns = _likely(statement.resources, resource, name)
        fitting = next((arn for arn in arns if resource.find(arn) & wanted_resources), None)
        if fitting:
            yield name, fitting, known
            break
    if first is None:
        return
    unlikely = ("*", *(filled(glob.parts) for glob in _patterns(statement.resources)))
    for arn in (*unlikely, *_examples(resource, wanted_resources)):
        if arn and resource.find(arn) & wanted_resources:
            yield first[0], arn, first[1]
            return


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
        if not dimension.name or fold_case(dimension.name) in context:
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
    entries = statement.principals.entries if statement.principals else ()
    named = [_short(f"{kind}:{value}") for kind, value in entries if kind != "*" and not is_account(kind, value)]
    candidates = [c for c in (*named, *_PRINCIPALS, *map(_short, _examples(dimension, wanted))) if c]
    found = [(candidate, dimension.find(candidate)) for candidate in candidates]
    # Better one of whom it is known that every clause speaks of them as wanted.
    sure = (candidate for candidate, classes in found if classes and not classes & ~wanted)
    return next(sure, None) or next((candidate for candidate, classes in found if classes & wanted), "")


def _short(typed: str) -> str:
    """A principal without its type, where the form says which type it is."""
    plain = typed.partition(":")[2]
    return plain if plain and canonical(plain) == canonical(typed) else typed


def _actions(dimension: Dimension, wanted: int, clause: Clause) -> Iterator[tuple[str, bool]]:
    """Known actions, if there are any, else one that is not known."""
    examples = _examples(dimension, wanted)
    told = False
    for found in filter(None, map(catalogue.known, examples)):
        told = True
        yield found, True
    if wanted & ~dimension.single:  # some class holds more than its example
        for candidate in islice(_known_actions(clause), _MOST_ACTIONS):
            if dimension.find(candidate) & wanted:
                told = True
                yield candidate, True
    if examples and not told:
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


def _likely(clause: Clause | None, dimension: Dimension, action: str) -> Iterator[str]:
    """Resources that requests for the action have, or look as if they had."""
    arns = catalogue.resources(action)
    if arns == ():
        yield "*"
        return
    yield from (text for text in (filled(glob.parts) for glob in _patterns(clause)) if text.startswith("arn:"))
    yield from arns or ("*",)
    yield from dimension.hints


def _patterns(clause: Clause | None) -> Sequence[Glob]:
    return clause.patterns if clause and not clause.negated else ()
