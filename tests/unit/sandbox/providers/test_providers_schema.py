"""Checks, defaults, names, differences and imports follow from a type's fields."""

from __future__ import annotations

import json

import pytest

from sandbox.providers.differences import differences
from sandbox.providers.protocol import UNKNOWN, Secret, decode, encode, has_unknown
from sandbox.providers.schema import (
    Fields,
    block,
    check,
    flag,
    given,
    items,
    mapping,
    number,
    one_of,
    physical_name,
    same_policy,
    snake,
    text,
    unordered,
    with_defaults,
    without_marks,
)
from sandbox.providers.states import keep_wording, planned, refreshed_inputs

FIELDS: Fields = {
    "name": text(required=True, replace=True),
    "size": number(default=3),
    "open": flag(default=False),
    "kind": text(rule=one_of("a", "b")),
    "zone": text(computed=True, replace=True),
    "tags": mapping(),
    "steps": items(),
    "rules": unordered({"id": text(required=True), "value": text(default=""), "made": given()}),
    "box": block({"width": number(required=True), "deep": block({"flag": flag()})}),
    "arn": given(),
}


def paths(state: dict[str, object], inputs: dict[str, object]) -> dict[str, str]:
    return {each.path: each.change + ("!" if each.replace else "") for each in differences(FIELDS, state, inputs)}


def reasons(inputs: dict[str, object]) -> str:
    return "\n".join(each.reason for each in check(FIELDS, inputs, "thing"))


def test_a_missing_input_an_unknown_one_a_wrong_type_and_a_broken_rule_are_each_named() -> None:
    found = reasons({"size": "big", "colour": "red", "kind": "c", "box": {"wide": 1}})
    assert 'Missing required argument. The argument "name" is required' in found
    assert "Invalid or unknown key. Examine values at 'thing.colour'." in found
    assert "expected a integer, got a string. Examine values at 'thing.size'." in found
    assert 'expected "kind" to be one of ["a" "b"], got c.' in found
    assert "'thing.box.wide'" in found
    assert 'The argument "width" is required' in found


def test_what_only_the_service_sets_is_no_input() -> None:
    assert "'thing.arn'" in reasons({"name": "x", "arn": "mine"})


def test_values_that_are_not_known_yet_pass_the_check() -> None:
    assert check(FIELDS, {"name": UNKNOWN, "kind": UNKNOWN, "box": UNKNOWN}, "thing") == []


def test_only_defaults_that_are_not_empty_are_written_into_inputs_and_noted() -> None:
    checked = with_defaults(FIELDS, {"name": "x", "rules": [{"id": "1"}], "box": {"width": 1}})
    assert checked["__defaults"] == ["size"]
    assert checked["size"] == 3
    assert "open" not in checked
    assert checked["rules"] == [{"id": "1", "__defaults": []}]
    assert without_marks(checked) == {"name": "x", "size": 3, "rules": [{"id": "1"}], "box": {"width": 1}}


def test_a_physical_name_is_the_logical_one_with_seven_hexadecimal_digits_and_follows_from_the_seed() -> None:
    assert physical_name("app", 64, b"s") == physical_name("app", 64, b"s")
    assert physical_name("app", 64, b"s") != physical_name("app", 64, b"t")
    prefix, _, digits = physical_name("a" * 80, 20, b"").rpartition("-")
    assert (len(prefix), len(digits)) == (12, 7)
    assert int(digits, 16) >= 0


@pytest.mark.parametrize(
    ("state", "inputs", "expected"),
    [
        ({"name": "x", "open": False, "size": 3, "tags": {}}, {"name": "x"}, {}),
        ({"name": "x", "size": 4}, {"name": "x"}, {"size": "update"}),
        ({"name": "x"}, {"name": "y"}, {"name": "update!"}),
        ({"name": "x", "zone": "here"}, {"name": "x"}, {}),
        ({"name": "x", "zone": "here"}, {"name": "x", "zone": "there"}, {"zone": "update!"}),
        ({"name": "x", "open": True}, {"name": "x", "open": False}, {"open": "update"}),
        ({"name": "x", "tags": {"a": "1", "b": "2"}}, {"name": "x", "tags": {"a": "3", "c-d": "4"}},
         {"tags.a": "update", "tags.b": "delete", 'tags["c-d"]': "add"}),
        ({"name": "x", "steps": ["1", "2"]}, {"name": "x", "steps": ["2", "1"]},
         {"steps[0]": "delete", "steps[1]": "add"}),
        ({"name": "x", "steps": ["1", "2"]}, {"name": "x", "steps": ["0", "1", "2"]}, {"steps[0]": "add"}),
        ({"name": "x", "steps": ["1"]}, {"name": "x", "steps": ["2"]}, {"steps[0]": "update"}),
        ({"name": "x", "rules": [{"id": "1", "made": "m"}, {"id": "2"}]},
         {"name": "x", "rules": [{"id": "2"}, {"id": "1"}]}, {}),
        ({"name": "x", "rules": [{"id": "1", "value": "a"}]}, {"name": "x", "rules": [{"id": "1", "value": "b"}]},
         {"rules[0].value": "update"}),
        ({"name": "x", "rules": [{"id": "1"}]}, {"name": "x", "rules": [{"id": "1"}, {"id": "2"}]},
         {"rules": "update"}),
        ({"name": "x", "rules": [{"id": "1"}]}, {"name": "x", "rules": [{"id": "1"}, {"id": "2", "value": "a"}]},
         {"rules[1]": "add"}),
        ({"name": "x", "rules": [{"id": "1"}, {"id": "2"}]}, {"name": "x", "rules": [{"id": "2"}]},
         {"rules[0]": "delete"}),
        ({"name": "x", "rules": []}, {"name": "x", "rules": [{"id": "1"}]}, {"rules": "add"}),
        ({"name": "x", "kind": "a"}, {"name": "x"}, {"kind": "delete"}),
        ({"name": "x", "kind": ""}, {"name": "x", "kind": "a"}, {"kind": "update"}),
        ({"name": "x", "box": {"width": 1}}, {"name": "x", "box": {"width": 1, "deep": {"flag": True}}},
         {"box.deep": "add"}),
        ({"name": "x"}, {"name": UNKNOWN}, {"name": "update!"}),
        ({"name": "x", "tags": {"a": "1"}}, {"name": "x", "tags": UNKNOWN}, {"tags": "update"}),
    ],
)  # fmt: skip
def test_differences_are_between_what_is_and_what_is_wanted(
    state: dict[str, object], inputs: dict[str, object], expected: dict[str, str]
) -> None:
    assert paths({"size": 3, **state}, inputs) == expected


def test_policies_that_mean_the_same_are_equal_and_others_are_not() -> None:
    one = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["a:B"], "Resource": ["y", "x"]}}
    other = {"Statement": [{"Resource": ["x", "y"], "Action": "a:B", "Effect": "Allow"}], "Version": "2012-10-17"}
    assert same_policy(json.dumps(one)) == same_policy(json.dumps(other, indent=4))
    assert same_policy(json.dumps(one)) != same_policy(json.dumps(one).replace("Allow", "Deny"))


def test_a_preview_says_unknown_for_what_the_service_will_set_and_keeps_it_in_an_update() -> None:
    first = planned(FIELDS, {"name": "x"})
    assert (first["arn"], first["zone"], first["size"]) == (UNKNOWN, UNKNOWN, 3)
    later = planned(FIELDS, {"name": "x", "size": 5}, {"arn": "a", "zone": "z", "name": "x", "size": 3})
    assert (later["arn"], later["zone"], later["size"]) == ("a", "z", 5)


def test_the_words_of_the_program_are_kept_where_the_service_means_the_same() -> None:
    known = {"name": "x", "rules": [{"id": "2"}, {"id": "1"}]}
    found = {"name": "x", "rules": [{"id": "1", "value": "", "made": "m1"}, {"id": "2", "value": "", "made": "m2"}]}
    kept = keep_wording(FIELDS, found, known)
    assert [each["id"] for each in kept["rules"]] == ["2", "1"]
    assert [each["made"] for each in kept["rules"]] == ["m2", "m1"]
    drifted = keep_wording(FIELDS, {"name": "x", "rules": [{"id": "3"}]}, known)
    assert drifted["rules"] == [{"id": "3"}]


def test_an_import_finds_the_inputs_that_are_no_defaults() -> None:
    outputs = {"name": "x", "size": 3, "open": True, "arn": "a", "rules": [{"id": "1", "value": "", "made": "m"}]}
    assert refreshed_inputs(FIELDS, {}, outputs) == {
        "name": "x",
        "open": True,
        "rules": [{"id": "1", "__defaults": []}],
        "__defaults": [],
    }


def test_a_refresh_changes_only_the_inputs_that_drifted() -> None:
    inputs = {"name": "x", "size": 3, "tags": {"a": "1"}, "__defaults": ["size"]}
    assert refreshed_inputs(FIELDS, inputs, {"name": "x", "size": 3, "tags": {"a": "1"}, "zone": "z"}) == inputs
    drifted = refreshed_inputs(FIELDS, inputs, {"name": "x", "size": 3, "tags": {"a": "2"}})
    assert drifted["tags"] == {"a": "2"}


def test_values_survive_the_wire_and_secrets_lose_only_their_mark() -> None:
    values = {"a": "text", "b": True, "c": 3, "d": 1.5, "e": ["x", {"y": 1}], "f": UNKNOWN, "g": Secret({"h": "s"})}
    there = encode({**values, "none": None})
    assert "none" not in there.fields
    back = decode(there)
    assert back == {**values, "g": {"h": "s"}}
    assert isinstance(back["c"], int)
    assert has_unknown(back)
    with pytest.raises(TypeError, match="no property value: set"):
        encode({"a": {"x"}})


def test_names_have_the_spelling_of_the_underlying_schema() -> None:
    assert snake("imageTagMutability") == "image_tag_mutability"
