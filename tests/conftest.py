"""What every test shares: the switch for the end-to-end part, and one sandbox for all that need it."""

from __future__ import annotations

import functools
import gc
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import botocore.hooks
import botocore.session
import pytest

from tests import bare, in_memory
from tests.schedule import RUNS, Scheduling
from tests.workstation import Sandbox, Workstation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xdist.scheduler import LoadFileScheduling

E2E = os.environ.get("E2E", "1") != "0"
BROWSERS = frozenset({"browser", "chromium", "playwright_api"})
"""Fixtures that start a browser."""
_LEFT_OUT = "left out by E2E=0"
_left_out = 0
_failed = False

FOREIGN = (
    "AGENT_",
    "AWS_",
    "AZDO_",
    "AZURE_",
    "BUILD_",
    "DOCKER_",
    "KEYS_AS_OF",
    "MAKEFLAGS",
    "MAKELEVEL",
    "MFLAGS",
    "PIPELINE_",
    "PULUMI_",
    "SANDBOX_HOME",
    "SOURCE_DATE_EPOCH",
    "SYSTEM_",
    "TF_BUILD",
    "VSTS_",
)
"""Beginnings of variables that an agent sets for a step, the sandbox for its shell, a person for their clouds."""
OF_MAKE = frozenset({"AS", "GNUMAKEFLAGS", "PYTEST_ARGS", "PYTHON", "STATE"})
"""What a person gives `make`, which hands it on to all that it starts. E2E is for the tests themselves."""
OF_THE_MACHINE = ("AWS_CA_BUNDLE",)

# A test says what it needs of them. The checks of a pipeline run the tests within a step.
for _name in list(os.environ):
    if _name in OF_MAKE or (_name.startswith(FOREIGN) and _name not in OF_THE_MACHINE):
        del os.environ[_name]

# Where this is set, each of the tests' processes compiles the SDKs anew: two seconds of CPU for every preview.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A tenth of the CPU of a preview (sandbox/run_program.py); a test that reads what the engine logs says otherwise.
os.environ["SANDBOX_NO_DEBUG_MESSAGES"] = "1"

# The search for circular garbage comes seldom, from the collection on: pytest_collection_finish says why.
gc.set_threshold(100_000)

# A session of the AWS SDK reads the descriptions of its services anew; those of one process share what was read.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)


class Events(botocore.hooks.EventAliaser):
    """The names of the SDK's events, each looked up once in a process: else that is half of making a client."""

    _known: ClassVar[dict[str, str]] = {}

    def __init__(self, emitter: Any, aliases: Any = None) -> None:
        super().__init__(emitter, aliases)
        if aliases in (None, botocore.hooks.EVENT_ALIASES):
            self._alias_name_cache = self._known


vars(botocore.session)["EventAliaser"] = Events

# A shell that starts a command in the background has it ignore these, and every process below it: the tests' too, which
# are about what an interrupt does.
for _number, _usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)


@pytest.hookimpl(tryfirst=True)  # before pytest looks where its folders are to be
def pytest_configure(config: pytest.Config) -> None:
    """Let the tests, and all that they start, find on PATH only what a bare machine has."""
    if hasattr(config, "workerinput"):  # a worker inherits it
        return
    folder = Path(tempfile.mkdtemp(prefix="app-one-bare-"))
    config.add_cleanup(lambda: shutil.rmtree(folder))
    if path := bare.path(folder):
        os.environ["PATH"] = path
    if not config.option.basetemp and (made := in_memory.folder()):
        config.option.basetemp = made / "t"  # short: the paths of sockets have 107 bytes at most
        config.add_cleanup(lambda: _kept(made) if _failed else in_memory.remove(made))


def _kept(folder: Path) -> None:
    print(f"\nWhat the tests have left is in memory, in {folder}, up to the next run.")


def pytest_sessionfinish(exitstatus: int) -> None:
    """What tests that failed have left is there to be looked at, up to the next run."""
    global _failed  # noqa: PLW0603 (pytest's hooks share nothing else)
    _failed = exitstatus != 0


def pytest_collection_finish() -> None:
    """What is imported by now stays: the search for circular garbage leaves it out, and comes seldom.

    A worker holds a million objects; to look through them again and again was a sixth of the CPU of the unit tests.
    """
    gc.freeze()


def pytest_itemcollected(item: pytest.Item) -> None:
    """What needs more than Python is an end-to-end test, wherever it stands: nobody has to remember its mark."""
    if item.nodeid.startswith("tests/end_to_end/") or BROWSERS.intersection(getattr(item, "fixturenames", ())):
        item.add_marker("e2e")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only an explicit E2E=0 leaves the end-to-end tests out.

    Files go to the workers in this order (tests/schedule.py), the longest first: so all are busy up to the end, and
    what a file's tests begin with is made by one worker.
    """
    items.sort(key=lambda item: 2 - bool(item.get_closest_marker("e2e")) - item.nodeid.startswith(RUNS))
    if E2E:
        return
    for item in items:
        if item.get_closest_marker("e2e"):
            item.add_marker(pytest.mark.skip(reason=_LEFT_OUT))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """As tests/schedule.py says; any other way of pytest-xdist stays its own."""
    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count what was left out; with several workers only this process sees all reports."""
    global _left_out  # noqa: PLW0603 (pytest's hooks share nothing else)
    _left_out = sum(_LEFT_OUT in str(report.longrepr) for report in terminalreporter.stats.get("skipped", []))


def pytest_unconfigure() -> None:
    """Say last, and loudly, what was not run."""
    if _left_out:
        print(f"\nNOT RUN because of E2E=0: {_left_out} end-to-end tests. Nothing above proves the whole path.")


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox that is up for the session; in the end it is searched for every secret that a test knew."""
    with Sandbox.running(tmp_path_factory.mktemp("sandbox")) as started:
        yield started
        assert started.leaks() == []


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    """The session's sandbox, empty again; what the test printed and its checkouts must hold no secret."""
    mine = running.empty()
    yield mine
    running.made.update(mine.made)
    assert mine.leaks(mine.checkouts) == []


@pytest.fixture
def checkout(tmp_path: Path, sandbox: Sandbox) -> Callable[..., Workstation]:
    """Make one more checkout of the program, with its own umask, against the sandbox."""

    def make(name: str = "checkout", umask: int = 0o022) -> Workstation:
        return Workstation.make(tmp_path / name, sandbox, umask=umask)

    return make
