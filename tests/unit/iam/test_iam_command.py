"""The command line answers in JSON, keeps its exit codes, and shows no traceback whatever it is given."""

import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from iam.__main__ import main
from tests.unit.iam.pairs import Pairs
from tests.unit.iam.policies import REPOSITORY, allow


def written(path: Path, *statements: dict[str, Any]) -> str:
    path.write_text(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    request = tmp_path / "request.json"
    request.write_text(
        json.dumps({"action": "ecr:PutImage", "resource": REPOSITORY, "context": {"aws:SecureTransport": True}})
    )
    return {
        "old": written(tmp_path / "old.json", allow("ecr:PutImage", REPOSITORY)),
        "new": written(tmp_path / "new.json", allow("ecr:Put*", REPOSITORY, Sid="Push")),
        "request": str(request),
    }


def feed(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_compare_prints_one_object(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", files["old"], files["new"]]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["verdict", "newly_allowed", "newly_refused", "because"]
    assert found["verdict"] == "broadened"
    assert found["newly_refused"] == []
    assert set(found["newly_allowed"][0]) == {"action", "resource", "principal", "context"}
    assert found["because"][0]["sid"] == "Push"


def test_compare_fails_on_a_verdict_if_told_to(files: dict[str, str]) -> None:
    assert main(["compare", files["old"], files["new"], "--fail-on", "broadened"]) == 3
    assert main(["compare", files["old"], files["old"], "--fail-on", "broadened", "--fail-on", "unknown"]) == 0


def test_pairs_are_answered_a_line_each_and_a_bad_one_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = json.dumps({"old": {"Statement": []}, "new": {"Statement": allow()}}).encode()
    feed(
        monkeypatch,
        b"\n".join([good, b"{", b'{"old": {}}', b'{"old": {"Statement": 5}, "new": {}}', b"\xff", b"", b"[]", good]),
    )
    assert main(["compare", "--pairs"]) == 2
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer.get("verdict") for answer in answers] == ["broadened", None, None, None, None, None, "broadened"]
    assert [answer["error"].split(":")[0] for answer in answers[1:6]] == [
        "line 2",
        "line 3",
        "line 4",
        "line 5",
        "line 7",
    ]
    assert '"new" is missing' not in answers[1]["error"]
    assert "old: Statement is a number" in answers[3]["error"]


def test_decide_answers_for_a_file_and_for_lines(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["decide", files["request"], files["old"], files["new"]]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "effect": "allow",
        "statements": [{"policy": 0, "statement": 0, "sid": None}, {"policy": 1, "statement": 0, "sid": "Push"}],
    }
    line = {"policy": {"Statement": []}, "request": {"action": "ecr:PutImage", "resource": "*"}}
    bad = [
        {**line, "policies": []},
        {"policy": {"Statement": []}},
        {**line, "request": {"action": "x", "resource": "*"}},
    ]
    feed(monkeypatch, "\n".join(map(json.dumps, [line, *bad, {**line, "request": 5}])).encode())
    assert main(["decide", "--pairs"]) == 2
    answers = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert answers[0] == {"effect": "implicit_deny", "statements": []}
    assert [answer["error"].split(":")[0] for answer in answers[1:]] == ["line 2", "line 3", "line 4", "line 5"]


def test_lint_prints_a_line_each_and_says_so_in_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = written(tmp_path / "bad.json", allow("ecr:GetAuthorizationToken", REPOSITORY, Sid="A\x1b[31m"))
    assert main(["lint", bad]) == 3
    out = capsys.readouterr().out
    assert "ecr:GetAuthorizationToken has no resource level" in out
    assert "\x1b" not in out
    assert main(["lint", bad, "--json"]) == 3
    assert json.loads(capsys.readouterr().out)[0]["rule"] == "no-resource-level"
    assert main(["lint", written(tmp_path / "good.json", allow("ecr:PutImage", REPOSITORY))]) == 0


def test_table_shows_every_statement(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", files["new"]]) == 0
    out = capsys.readouterr().out
    assert "Push" in out
    assert "ecr:Put*" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "{old}", "nosuch.json"], "nosuch.json: cannot be read: No such file or directory"),
        (["compare", "{old}", "."], ".: cannot be read: Is a directory"),
        (["compare", "{old}", "a\0b"], "cannot be read: not a file name"),
        (["decide", "{old}", "{old}"], "unknown element 'Version'"),
        (["lint", "{request}"], "unknown element 'action'"),
        (["table", "{request}"], "unknown element 'action'"),
    ],
)
def test_unreadable_input_is_one_sentence(
    arguments: list[str], message: str, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argument.format(**files) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [[], ["compare"], ["compare", "a"], ["compare", "--pairs", "a", "b"], ["decide", "a"], ["frob"]]
)
def test_wrong_usage_is_exit_code_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_the_help_documents_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["compare", "--help"])
    assert "exit codes:" in capsys.readouterr().out


HOSTILE = [
    "[" * 50_000,
    '{"a":' * 50_000,
    '{"old": ' + "9" * 10_000 + ', "new": 1}',
    '{"old": {"Statement": []}, "new": {"Statement": [' + ",".join(["{}"] * 2000) + "]}}",
    json.dumps({"old": {"Statement": []}, "new": {"Statement": allow("*a" * 20_000)}}),
    json.dumps({"old": {"Statement": []}, "new": {"Statement": allow(resource="\ud800*\u202e\0")}}),
    json.dumps({"old": {"Statement": []}, "new": {"Statement": allow(Condition={"NumericEquals": {"a:b": 10**400}})}}),
    json.dumps({"old": {"Statement": []}, "new": {"Statement": allow(Condition={"StringEquals": {"a:b": 1e300}})}}),
    '{"old": NaN, "new": Infinity}',
    '{"old": {"Statement": []}, "old": {}, "new": {}}',
    '"\\ud800"',
    "\u2028{}",
    "x" * 2_000_000,
]


def mutated(draw: random.Random, text: str) -> str:
    """A line with some of its characters changed, doubled or dropped, or a value replaced by one of another type."""
    if draw.random() < 0.5:
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(text))
            text = text[:at] + draw.choice(['"', "{", "}", "[", ",", "\\", "*", "${", "\x00", "é", ""]) + text[at + 1 :]
        return text
    values = ["null", "5", "[]", "{}", '"*"', "true", '[["*"]]', '"' + "*a" * 300 + '"', '{"a": {"b": "c"}}']
    pieces = text.split(": ")
    at = draw.randrange(1, len(pieces))
    pieces[at] = draw.choice(values) + pieces[at][pieces[at].find(",") :] if "," in pieces[at] else draw.choice(values)
    return ": ".join(pieces)


def test_whatever_a_line_holds_it_is_answered_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = Pairs(11)
    lines = list(HOSTILE)
    for _ in range(1_000):
        old, new = pairs.pair()
        lines.append(mutated(pairs.random, json.dumps({"old": old, "new": new})).replace("\n", " "))
    feed(monkeypatch, "\n".join(lines).encode("utf-8", "surrogatepass"))
    assert main(["compare", "--pairs"]) == 2
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(answers) == len(lines)
    assert all(("error" in answer) != ("verdict" in answer) for answer in answers)
    assert sum("verdict" in answer for answer in answers) > 50


def test_it_runs_as_a_module_and_a_reader_that_leaves_is_no_error(files: dict[str, str]) -> None:
    command = [sys.executable, "-m", "iam", "compare", "--pairs"]
    line = json.dumps({"old": {"Statement": []}, "new": {"Statement": []}}) + "\n"
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdin.write(line)
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["verdict"] == "equal"  # answered before the next line comes
    process.stdout.close()
    process.stdin.write(line * 100)
    process.stdin.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 0
    assert files
    assert os.environ is not None
