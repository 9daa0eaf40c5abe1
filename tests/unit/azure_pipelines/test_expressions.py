"""Expressions of Azure Pipelines have the values that the documentation gives."""

from __future__ import annotations

import pytest

from azure_pipelines.expressions import ExpressionError, Scope, evaluate, parse

SCOPE = Scope(
    {"variables": {"Build.Reason": "PullRequest", "empty": ""}, "parameters": {"list": ["a", "b"], "flag": False}}
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("eq(variables['Build.Reason'], 'pullrequest')", True),
        ("variables.empty", ""),
        ("ne(variables['not.there'], '')", False),
        ("and(true, or(false, not(false)))", True),
        ("in('b', 'A', 'B')", True),
        ("notIn('c', 'A', 'B')", True),
        ("startsWith('refs/heads/main', 'REFS/')", True),
        ("contains('abc', 'B')", True),
        ("containsValue(parameters.list, 'b')", True),
        ("parameters.list[1]", "b"),
        ("eq(parameters.flag, 'false')", False),  # a text that is not empty is true
        ("iif(eq(1, '1'), 'one', 'other')", "one"),
        ("format('{0}-{1}{{}}', 'a', 2)", "a-2{}"),
        ("coalesce('', variables.none, 'x')", "x"),
        ("join(',', parameters.list)", "a,b"),
        ("'it''s'", "it's"),
        ("gt(10, 9)", True),
        ("le('a', 'B')", True),
        ("xor(true, false)", True),
        ("length(parameters.list)", 2),
        ("replace(lower('ABC'), 'b', '-')", "a-c"),
    ],
)
def test_an_expression_has_the_value_that_the_documentation_gives(text: str, value: object) -> None:
    assert evaluate(parse(text), SCOPE) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "eq(1",
        "eq(1,)",
        "eq(1, 2))",
        "nope()",
        "eq(1)",
        "variables[",
        "'open",
        "variables.",
        "1 2",
        "and(true)",
        "&",
    ],
)
def test_a_malformed_expression_is_an_error(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)
