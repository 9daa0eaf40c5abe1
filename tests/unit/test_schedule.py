"""Files of tests go to the workers that have what they need."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.schedule import RUNS, Scheduling

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = {
    "tests/unit/test_one.py": {"tests/unit/test_one.py::test": False},
    "tests/end_to_end/test_two.py": {"tests/end_to_end/test_two.py::test": False},
}


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


@pytest.mark.parametrize("order", [list(FILES), list(FILES)[::-1]])
@pytest.mark.parametrize(("worker", "kind"), [("gw0", "end_to_end"), ("gw1", "end_to_end"), ("gw2", "unit")])
def test_two_workers_begin_with_what_needs_a_sandbox(
    monkeypatch: pytest.MonkeyPatch, order: list[str], worker: str, kind: str
) -> None:
    assert f"/{kind}/" in first_of(scheduling(monkeypatch, *order), worker)


@pytest.mark.parametrize("worker", ["gw0", "gw2"])
def test_whoever_has_no_more_of_its_own_kind_helps_with_the_other(monkeypatch: pytest.MonkeyPatch, worker: str) -> None:
    for file in FILES:
        assert first_of(scheduling(monkeypatch, file), worker) == file


def test_the_files_of_the_pipelines_runs_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    made = scheduling(monkeypatch)
    assert {made._split_scope(f"{RUNS}{name}.py::test") for name in ("runs", "setbacks")} == {RUNS}
    assert made._split_scope("tests/unit/test_one.py::test") == "tests/unit/test_one.py"
