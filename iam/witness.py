"""Finds a request within a box of a space: a known action, an ARN and values that a reader expects, if possible."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from iam import catalogue
from iam.dimensions import Dimension
from iam.model import Clause, Policy, Request, RequestError, Statement
from iam.patterns import Glob, Wild, filled
from iam.space import Box, Space
from iam.variables import Values
from iam.witness_callers import likely_callers

_MOST_SERVICES = 12
_MOST_ACTIONS = 600
_MOST_GUESSES = 50
_MOST_PAIRS = 40
_MOST_CALLERS = 3


def requests(
    space: Space, box: Box, statement: Statement, policies: Sequence[Policy], context: Values
) -> Iterator[tuple[Request, bool]]:
    """Requests in the box that a statement covers, the most likely first, and whether their action is a known one.

    They are candidates: where variables or unknown conditions are involved only `decide` can tell.
    """
    _, action, resource, *_ = space.dimensions
    callers = list(islice(likely_callers(space, box, statement, policies, context), _MOST_CALLERS))
    for name, arn, is_known in _pairs(action, box[1], resource, box[2], statement) if callers else ():
        for who, own, values in callers:
            try:
                yield Request(name, arn, who, values, own), is_known
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
    for arn in (*unlikely, *resource.shown(wanted_resources)):
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


def _actions(dimension: Dimension, wanted: int, clause: Clause) -> Iterator[tuple[str, bool]]:
    """Known actions, if there are any, else one that is not known."""
    examples = dimension.shown(wanted)
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
