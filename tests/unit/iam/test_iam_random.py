"""Random policies: no request contradicts a proof, by our own decisions and by those of an evaluator others wrote."""

import os
import random
import sys

import pytest
from hypothesis import given, settings, strategies as st

from iam import Request, compare, decide, parse
from iam.automaton import Automaton, Budget
from iam.patterns import Glob, split
from tests.unit.iam import simulator
from tests.unit.iam.pairs import Pairs
from tests.unit.iam.soundness import UnsoundError, check_pair, contradictions
from tests.unit.iam.worlds import KNOWN, NAMED, document as written

PAIRS = 200  # `make bench` tries many more
REQUESTS = 20


def test_no_request_contradicts_a_verdict_over_random_adversarial_pairs() -> None:
    pairs = Pairs(20_240_501)
    verdicts: dict[str, int] = {}
    for _ in range(PAIRS):
        old, new = pairs.pair()
        requests = [pairs.request(old, new) for _ in range(REQUESTS)]
        found = check_pair(old, new, requests)
        verdicts[found.verdict] = verdicts.get(found.verdict, 0) + 1
    assert set(verdicts) == {"equal", "broadened", "narrowed", "both", "unknown"}
    assert verdicts["unknown"] < PAIRS * 0.06


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_the_mirrored_comparison_never_disagrees(seed: int) -> None:
    pairs = Pairs(seed)
    old, new = map(parse, pairs.pair())
    there, back = compare(old, new), compare(new, old)
    assert (there.allows_nothing_new, there.refuses_nothing_new) == (back.refuses_nothing_new, back.allows_nothing_new)
    assert compare(old, old).verdict == "equal"


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_a_statement_added_can_only_widen_or_narrow_by_its_effect(seed: int) -> None:
    pairs = Pairs(seed)
    document, other = pairs.pair()
    statement = other["Statement"][0]
    grown = {**document, "Statement": [*document["Statement"], statement]}
    found = compare(parse(document), parse(grown))
    assert not (found.newly_refused if statement["Effect"] == "Allow" else found.newly_allowed)


GLOBS = st.lists(st.text("ab*?:", min_size=0, max_size=6), min_size=1, max_size=5)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(GLOBS, st.lists(st.text("abc:", max_size=7), max_size=20))
def test_the_automaton_lists_every_class_of_texts_and_no_other(patterns: list[str], texts: list[str]) -> None:
    globs = [Glob(text, split(text, wildcards=True, variables=False)) for text in patterns]

    def class_of(text: str) -> int:
        return sum(1 << number for number, glob in enumerate(globs) if glob.matches(text, {}))

    automaton = Automaton(globs)
    classes = automaton.classes(Budget(10**6, "too much"))
    assert all(class_of(example) == found for found, example in classes.items())
    assert all(class_of(text) == automaton.matching(text) and class_of(text) in classes for text in texts)


def test_the_independent_evaluator_agrees_with_decisions_and_verdicts() -> None:
    if os.environ.get("E2E") == "0":
        pytest.skip("E2E=0: the independent IAM evaluator was left out")
    simulator.install()
    pairs = Pairs(7, plain=True)
    drawn = [pairs.pair() for _ in range(100)]
    requests = [[pairs.request(old, new) for _ in range(10)] for old, new in drawn]
    sides = [(document, asked) for (old, new), asked in zip(drawn, requests, strict=True) for document in (old, new)]
    answers = simulator.effects(sides)
    for (document, asked), effects in zip(sides, answers, strict=True):
        for request, effect in zip(asked, effects, strict=True):
            own = decide([parse(document)], request).effect
            assert own == "unknown" or (own == "allow") == (effect == "allow"), (document, request, own, effect)
    for (old, new), asked, before, after in zip(drawn, requests, answers[::2], answers[1::2], strict=True):
        found = compare(parse(old), parse(new))
        assert not contradictions(found, asked, before, after), (old, new)


def test_the_independent_evaluator_agrees_on_what_a_resource_policy_leaves_to_the_callers_own_policies() -> None:
    if os.environ.get("E2E") == "0":
        pytest.skip("E2E=0: the independent IAM evaluator was left out")
    simulator.install()
    # Of a role it knows sessions only, and that its root user needs no policy it leaves to the account.
    known = [caller for caller in KNOWN if ":user/" in caller or ":sts:" in caller]
    requests = [
        Request("s3:GetObject", "arn:aws:s3:::b/x", caller, {}, own)
        for caller in known
        for own in ("allow", "silent", "limited")
    ]
    documents = [written({"Effect": "Allow", "Principal": named}) for named in NAMED]
    answers = simulator.effects([(found, requests) for found in documents])
    seen = set()
    for found, effects in zip(documents, answers, strict=True):
        for request, effect in zip(requests, effects, strict=True):
            own = decide([parse(found)], request).effect
            if request.own_policies == "allow":
                own = "allow"  # the evaluator also counts what identity policies allow by themselves
            assert own == effect, (found, request)
            seen.add((own, request.own_policies))
    assert {("allow", "silent"), ("implicit_deny", "silent"), ("allow", "limited")} < seen


def test_the_check_notices_an_unsound_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["iam.compare"], "uncovered", lambda *_: iter(()))
    pairs = Pairs(20_240_501)
    with pytest.raises(UnsoundError):  # noqa: PT012 - which of the pairs shows it does not matter
        for _ in range(50):
            old, new = pairs.pair()
            check_pair(old, new, [pairs.request(old, new) for _ in range(REQUESTS)])


def test_draws_repeat_from_a_seed() -> None:
    assert Pairs(3).pair() == Pairs(3).pair()
    assert random.Random(3).random() == random.Random(3).random()  # noqa: S311 - what the draws stand on
