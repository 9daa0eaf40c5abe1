"""The values a condition key can have, cut into finitely many classes by what policies compare it with.

Every value that a request can carry belongs to a class that is listed. A class that no value has may be listed too
(where two kinds of comparison meet on one key, or a variable is involved): nothing can be claimed from it, because
every claim is tried with a real request, so it can only keep a proof from succeeding.
"""

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise

from iam.automaton import Automaton, Budget, TooHardError
from iam.conditions import element_matches, parse_binary, parse_bool, parse_date, parse_network, parse_number
from iam.key_types import can_be, form_of, is_typed, may_be_named, type_of
from iam.patterns import ANYS, Glob, Variable, Wild, arn_segments, filled, widest_folding

Element = tuple[str, Glob]  # a kind of comparison (iam.conditions) and one value of a policy
Classes = dict[int, str | None]  # by the elements that match (bit i: element i): an example value, if there is one
_ANYTHING = Glob("*", (Wild.STAR,))
_NOT_EMPTY = Glob("?*", (Wild.ANY, Wild.STAR))
_TRUE, _FALSE = Glob("true", ("true",), fold=True), Glob("false", ("false",), fold=True)


def identity(kind: str, glob: Glob) -> tuple[object, ...]:
    """What makes two elements the same comparison: that their globs are, for texts; else their text too."""
    _, parts, fold, unclear = glob.identity
    return (kind, parts, fold, unclear if kind in ("eq", "eqi", "like", "arn", "glob") else glob.text)


def subsets(mask: int, budget: Budget) -> Iterator[int]:
    """Every subset of a set of bits. Raises TooHardError."""
    budget.spend(1 << mask.bit_count())
    part = mask
    while True:
        yield part
        if not part:
            return
        part = (part - 1) & mask


def value_classes(elements: Sequence[Element], budget: Budget, key: str = "") -> Classes:
    """Every class of single values of a key (in lower case) under the elements. Raises TooHardError."""
    families: dict[str, list[int]] = {}
    for number, (kind, _) in enumerate(elements):
        families.setdefault(_family(kind), []).append(number)
    if not families:
        form = form_of(key)
        return {0: form.examples[0] if form else _USUAL.get(type_of(key) or "", "example")}
    parts = [_FAMILIES[name](elements, numbers, key, budget) for name, numbers in families.items()]
    return parts[0] if len(parts) == 1 else _product(elements, parts, budget)


_USUAL = {"Numeric": "1", "Date": "2026-01-01T00:00:00Z", "IPAddress": "203.0.113.10"}


def _family(kind: str) -> str:
    return next((name for name in ("numeric", "date", "ip", "binary") if kind.startswith(name)), "string")


def _product(elements: Sequence[Element], parts: Sequence[Classes], budget: Budget) -> Classes:
    """Classes of a key that is compared in several ways: all combinations, with examples where some value is known."""
    combined: Classes = {0: None}
    for part in parts:
        budget.spend(len(combined) * len(part))
        combined = {left | right: None for left in combined for right in part}
    for example in dict.fromkeys(value for part in parts for value in part.values() if value is not None):
        answers = [element_matches(kind, glob, example, {}) for kind, glob in elements]
        if None not in answers:
            combined[sum(1 << number for number, answer in enumerate(answers) if answer)] = example
    return combined


def _strings(elements: Sequence[Element], numbers: Sequence[int], key: str, budget: Budget) -> Classes:
    globs: list[Glob] = []
    free = booleans = 0
    for number in numbers:
        kind, glob = elements[number]
        if kind == "bool" and parse_bool(glob.text) is not None:
            globs.append(_TRUE if parse_bool(glob.text) else _FALSE)
            booleans |= 1 << number
        elif kind == "bool" or (kind == "arn" and not glob.has_variables and arn_segments(glob.parts) is None):
            globs.append(_ANYTHING)
            free |= 1 << number
        elif kind == "eqi" and not glob.has_variables:
            globs.append(Glob(glob.text, widest_folding("".join(map(str, glob.parts))), fold=True))
        else:
            globs.append(glob.outer)
            free |= (1 << number) * glob.has_variables
    # A text that ignores case holds for certain only where it is the same but for the case of ASCII letters.
    certain = [(number, glob) for number in numbers for kind, glob in (elements[number],) if _has_case(kind, glob)]
    first = len(globs)
    globs += [glob for _, glob in certain]
    not_empty, proper = 1 << len(globs), 6 << len(globs)
    globs += [_NOT_EMPTY, _TRUE, _FALSE] if booleans else [_NOT_EMPTY]
    form = form_of(key)
    real = ((1 << len(form.globs)) - 1) << len(globs) if form else 0
    automaton = Automaton([*globs, *(form.globs if form else ())])
    examples = _plausible([elements[number][1] for number in numbers], key, automaton)
    implied = implications([elements[number][1] for number in numbers if free >> number & 1], budget)
    literal = sum(1 << place for place, number in enumerate(numbers) if elements[number][1].is_literal)
    classes: list[tuple[int, int, int, str | None]] = []
    for matched, shortest in automaton.classes(budget).items():
        exact = matched & literal and _is_one_text(elements, numbers, matched)
        possible = may_be_named(key, shortest) if exact else can_be(key, shortest)
        example = examples.get(matched, shortest if possible else None)
        if form and (not matched & real or (exact and not possible)):
            continue  # no value of this key
        mask = sum(1 << number for place, number in enumerate(numbers) if matched >> place & 1)
        unsure = sum(1 << n for at, (n, _) in enumerate(certain) if mask >> n & 1 and not matched >> first + at & 1)
        if booleans and not matched & proper:
            # A value that is no boolean: all Bool comparisons answer alike, but nobody says how.
            classes += [(2, mask & ~booleans, unsure, example), (2, mask | booleans, unsure, example)]
        else:
            classes.append((2 if unsure else 0 if matched & not_empty else 1, mask, unsure, example))
    found: Classes = {}
    for _, mask, unsure, example in sorted(classes, key=lambda listed: listed[0]):  # the best examples first
        for chosen in choices(mask, free | unsure, implied, elements, budget):
            if found.get(chosen) is None:
                found[chosen] = example
    return found


def _has_case(kind: str, glob: Glob) -> bool:
    """Whether a text may be the same as others by a folding that nobody documents."""
    return kind == "eqi" and not glob.has_variables


def _is_one_text(elements: Sequence[Element], numbers: Sequence[int], matched: int) -> bool:
    """Whether all values of a class are one text, since a comparison with that text holds for them."""
    return any(
        elements[number][0] in ("eq", "like", "arn") and elements[number][1].is_literal
        for place, number in enumerate(numbers)
        if matched >> place & 1
    )


_FILLINGS = ("us-east-2", "aws", "aws:sns:us-east-2:123456789012:example")


def _plausible(globs: Sequence[Glob], key: str, automaton: Automaton) -> dict[int, str]:
    """Values that a reader expects, by the class that each belongs to."""
    form = form_of(key)
    patterns = [glob.parts for glob in globs if not glob.is_literal]
    candidates = [filled(parts) for parts in patterns]
    candidates += [
        "".join(p if isinstance(p, str) else "x" if p in ANYS else filling for p in parts)
        for filling in _FILLINGS
        for parts in patterns
    ]
    found: dict[int, str] = {}
    for text in (*(form.examples if form else ("example",)), *candidates):
        if text and can_be(key, text):
            found.setdefault(automaton.matching(text), text)
    return found


def choices(
    mask: int, free: int, implied: Sequence[tuple[Glob, Glob]], elements: Sequence[Element], budget: Budget
) -> Iterator[int]:
    """The classes that a class of outer globs stands for: each element with variables may match or not."""
    open_bits = mask & free
    if not open_bits:
        yield mask
        return
    numbers = [number for number in range(open_bits.bit_length()) if open_bits >> number & 1]
    # A variable's value that holds a wildcard is one to an operator that knows wildcards, and itself to the others.
    pairs = [
        (1 << i, 1 << j)
        for i in numbers
        for j in numbers
        if i != j
        and (elements[i][1], elements[j][1]) in implied
        and (elements[i][0] in ("eq", "eqi") or elements[j][0] not in ("eq", "eqi"))
    ]
    for chosen in subsets(open_bits, budget):
        if not any(chosen & low and not chosen & high for low, high in pairs):
            yield mask & ~free | chosen


def implications(globs: Sequence[Glob], budget: Budget) -> list[tuple[Glob, Glob]]:
    """Pairs of globs with variables where the first matches only what the second matches, whatever the variables are.

    A variable is read as one character of its own, which `*` takes in and `?` does not; its value has a case, so a glob
    that ignores case implies none that does not. ARN patterns and globs that can be read in several ways are left out,
    for there a value with colons moves what follows it.
    """
    plain = [
        glob
        for glob in globs
        if not glob.arn and len(glob.readings) == 1 and not any(p == Variable(None) for p in glob.parts)
    ]
    if len(plain) < 2:
        return []
    letters: dict[str | None, str] = {}
    for glob in plain:
        for part in glob.parts:
            if isinstance(part, Variable):
                letters.setdefault(part.key, chr(0xF0000 + len(letters)))
    marked = [
        Glob(g.text, tuple(letters[p.key] if isinstance(p, Variable) else p for p in g.parts), g.fold) for g in plain
    ]
    classes = Automaton(marked, literals_too=True, opaque="".join(letters.values())).classes(budget)
    budget.spend(len(plain) ** 2 * len(classes) // 8)
    return [
        (first, second)
        for i, first in enumerate(plain)
        for j, second in enumerate(plain)
        if i != j
        and (second.fold or not first.fold)
        and _same_values(first, second)
        and not any(mask >> i & 1 and not mask >> j & 1 for mask in classes)
    ]


def _same_values(first: Glob, second: Glob) -> bool:
    """Whether each variable of both has one value wherever the first can match.

    A variable without default gives the first a value only if its key is there: then no default counts.
    """
    mine, other = _defaults(first), _defaults(second)
    return all(None in mine[k] or (len(mine[k]) == 1 and mine[k] == other[k]) for k in mine.keys() & other.keys())


def _defaults(glob: Glob) -> dict[str | None, set[str | None]]:
    found: dict[str | None, set[str | None]] = {}
    for part in glob.parts:
        if isinstance(part, Variable):
            found.setdefault(part.key, set()).add(part.default)
    return found


def _examined(
    elements: Sequence[Element],
    numbers: Sequence[int],
    valid: Callable[[str], object],
    examples: Iterable[str],
    wrong: str | None,
    budget: Budget,
) -> Classes:
    """Classes of a typed family from examples that stand for all its values, and those of a value of another type.

    All comparisons answer alike for a value of another type, but nobody says how; a policy value of another type makes
    its comparison free. Without `wrong` the key has no such values.
    """
    proper = [number for number in numbers if valid(elements[number][1].text) is not None]
    free = sum(1 << number for number in numbers if number not in proper)
    found: Classes = {}
    for example in examples:
        budget.spend(len(proper))
        answers = [element_matches(*elements[number], example, {}) for number in proper]
        if None in answers:
            raise TooHardError(f"no example can be written near {elements[proper[0]][1].text[:60]!r}")
        mask = sum(1 << number for number, answer in zip(proper, answers, strict=True) if answer)
        for chosen in subsets(free, budget):
            found.setdefault(mask | chosen, example)
    for mask in (0, sum(1 << number for number in proper)) if wrong is not None else ():
        for chosen in subsets(free, budget):
            found.setdefault(mask | chosen, wrong)
    return found


def _numbers(elements: Sequence[Element], numbers: Sequence[int], key: str, budget: Budget) -> Classes:
    texts = [elements[number][1].text for number in numbers]
    points = _points([value for value in map(parse_number, texts) if value is not None])
    return _examined(
        elements,
        numbers,
        parse_number,
        [f"{point:f}" for point in points],
        None if is_typed(key) else "not-a-number",
        budget,
    )


def _dates(elements: Sequence[Element], numbers: Sequence[int], key: str, budget: Budget) -> Classes:
    texts = [elements[number][1].text for number in numbers]
    points = _points([value for value in map(parse_date, texts) if value is not None])
    return _examined(
        elements,
        numbers,
        parse_date,
        [_moment(point) for point in points],
        None if is_typed(key) else "not-a-date",
        budget,
    )


def _points(values: Iterable[Decimal]) -> list[Decimal]:
    """The values, a point between each two, one before and one after: all orders a further value can have to them."""
    ordered = sorted(set(values))
    if not ordered:
        return [Decimal(1)]
    with localcontext() as context:
        context.prec = 120
        points = [ordered[0] - 1]
        for left, right in pairwise(ordered):
            middle = ((left + right) / 2).to_integral_value()
            points += [left, middle if left < middle < right else (left + right) / 2]
        return [*points, ordered[-1], ordered[-1] + 1]


def _moment(seconds: Decimal) -> str:
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(seconds))
    except OverflowError:
        return f"{seconds:f}"
    written = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return written if parse_date(written) == seconds else f"{seconds:f}"


def _addresses(elements: Sequence[Element], numbers: Sequence[int], key: str, budget: Budget) -> Classes:
    networks = [parse_network(elements[number][1].text) for number in numbers]
    examples: list[str] = []
    for version, last in ((4, 2**32), (6, 2**128)):
        own = [network for network in networks if network is not None and network.version == version]
        edges = {0} | {int(n[0]) for n in own} | {int(n[-1]) + 1 for n in own}
        ordered = [*sorted(edge for edge in edges if edge < last), last]
        for start, end in pairwise(ordered):
            inside = start + (1 if end - start > 1 else 0)
            examples.append(_written(inside, version))
    return _examined(
        elements,
        numbers,
        parse_network,
        ["203.0.113.10", *examples],
        None if is_typed(key) else "not-an-address",
        budget,
    )


def _written(address: int, version: int) -> str:
    if version == 4:
        return str(IPv4Address(address))
    text = str(IPv6Address(address))
    return text if "." not in text else IPv6Address(address).exploded


def _binaries(elements: Sequence[Element], numbers: Sequence[int], key: str, budget: Budget) -> Classes:
    del key  # no documented key is compared so
    texts = [elements[number][1].text for number in numbers]
    known = {value for value in map(parse_binary, texts) if value is not None}
    other = next(bytes([n, n]) for n in range(256) if bytes([n, n]) not in known)
    examples = [base64.b64encode(value).decode() for value in (*sorted(known), other)]
    return _examined(elements, numbers, parse_binary, examples, "not base64", budget)


_FAMILIES: dict[str, Callable[[Sequence[Element], Sequence[int], str, Budget], Classes]] = {
    "string": _strings,
    "numeric": _numbers,
    "date": _dates,
    "ip": _addresses,
    "binary": _binaries,
}
