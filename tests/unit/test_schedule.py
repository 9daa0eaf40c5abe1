"""Files of tests go to the workers that have what they need."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.schedule import RUNS, Scheduling

if TYPE_CHECKING:
    from collections.abc import Callable

UNITS, RIGHTS, PROGRAM = (
    "tests/unit/test_rooms.py",
    "tests/end_to_end/test_rights.py",
    "tests/end_to_end/test_program.py",
)
FILES = {file: {f"{file}::test": False} for file in (UNITS, RIGHTS, PROGRAM, RUNS)}


@dataclass(eq=False)  # a worker is a key, by its identity
class Worker:
    """What the scheduling uses of one."""

    gateway: SimpleNamespace
    send_runtest_some: Callable[[list[int]], None]


def scheduling(monkeypatch: pytest.MonkeyPatch, *files: str) -> Any:
    monkeypatch.setattr(Scheduling, "__init__", lambda _: None)
    made: Any = Scheduling()
    made.workqueue = OrderedDict((file, FILES[file]) for file in files)
    made.assigned_work = {}
    return made


def first_of(made: Any, worker: str) -> str:
    """The first file that a worker is given."""
    tests = [test for unit in made.workqueue.values() for test in unit]
    sent: list[int] = []
    node = Worker(SimpleNamespace(id=worker), sent.extend)
    made.registered_collections = {node: tests}
    made._assign_work_unit(node)
    return str(tests[sent[0]]).partition("::")[0]


@pytest.mark.parametrize("order", list(itertools.permutations((UNITS, RIGHTS, PROGRAM))))
@pytest.mark.parametrize(("worker", "file"), [("gw0", RIGHTS), ("gw1", PROGRAM), ("gw2", UNITS), ("gw3", UNITS)])
def test_a_worker_begins_with_its_own_kind(
    monkeypatch: pytest.MonkeyPatch, order: list[str], worker: str, file: str
) -> None:
    assert first_of(scheduling(monkeypatch, *order), worker) == file


def test_of_a_kind_the_first_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert first_of(scheduling(monkeypatch, UNITS, RUNS, RIGHTS), "gw0") == RUNS
    assert first_of(scheduling(monkeypatch, UNITS, RIGHTS, RUNS), "gw0") == RIGHTS


@pytest.mark.parametrize("worker", ["gw0", "gw1", "gw2"])
def test_whoever_has_no_more_of_its_own_kind_helps_with_another(monkeypatch: pytest.MonkeyPatch, worker: str) -> None:
    for file in FILES:
        assert first_of(scheduling(monkeypatch, file), worker) == file


@pytest.mark.parametrize(
    ("worker", "file", "other"), [("gw0", UNITS, PROGRAM), ("gw1", RIGHTS, UNITS), ("gw2", RIGHTS, PROGRAM)]
)
def test_it_helps_where_it_has_to_make_least(
    monkeypatch: pytest.MonkeyPatch, worker: str, file: str, other: str
) -> None:
    assert first_of(scheduling(monkeypatch, other, file), worker) == file


def test_the_files_of_the_pipelines_runs_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    made = scheduling(monkeypatch)
    assert {made._split_scope(f"{RUNS}{name}.py::test") for name in ("runs", "setbacks")} == {RUNS}
    assert made._split_scope("tests/unit/test_one.py::test") == "tests/unit/test_one.py"
