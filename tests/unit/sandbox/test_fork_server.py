"""The fork server: a fork of it is what a new process would be, and it is no other code than lies there now."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi_aws
import pytest

from sandbox import fork_client, fork_server
from tests.forks import command, serving
from tests.workstation import CHECKOUT, with_children

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = """
import os, sys, time
from pathlib import Path
from sandbox import fork_server

def probe(arguments):
    os.write(2, b"forked\\n" if os.getpid() != pid else b"not forked\\n")
    exec(arguments[0])
    return 0

pid = os.getpid()
fork_server.MODULES["probe"] = lambda: probe
fork_server.MODULES["broken"] = lambda: __import__("nothing_of_this_name")
fork_server.MODULES["outer"] = lambda: __import__("outer").main

def full(usual=os.fork):
    def fork():
        os.fork = usual
        raise BlockingIOError("no process is left")
    os.fork = fork
    return probe

fork_server.MODULES["full"] = full
fork_server._ROOM = sys.argv.pop(1)
sys.exit(fork_server.main())
"""
"""A server that can be asked for a module which executes its first argument."""


def probing(room: str = "/nowhere") -> tuple[str, ...]:
    """What starts it; room: the folder of the code that it is not to be older than."""
    return ("-c", SERVER, room)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    with serving(tmp_path, probing()) as running:
        yield running


def ask(
    server: tuple[Path, int], script: str, **options: str | Path | dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        command(server[0], "probe", script), capture_output=True, text=True, check=False, **options
    )


def test_a_fork_has_the_clients_folder_umask_environment_arguments_and_descriptors(
    server: tuple[Path, int], tmp_path: Path
) -> None:
    script = (
        "print(sys.stdin.read(), os.getcwd(), sorted(os.environ), os.environ['A'], sys.argv[2:], time.tzname[0]);"
        "Path('made').touch(0o777)"
    )
    environment = {"A": "b\n=c", "LC_ALL": "C.UTF-8", "TZ": "EST5"}
    before = os.umask(0o027)
    try:
        done = subprocess.run(
            [*command(server[0], "probe", script), "two", ""],
            cwd=tmp_path,
            env=environment,
            input="given",
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        os.umask(before)
    names = ["A", "LC_ALL", "PYTHONPATH", "SANDBOX_FORK_SERVER", "TZ"]
    assert (done.stdout, done.stderr) == (f"given {tmp_path} {names} b\n=c ['two', ''] EST\n", "forked\n")
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("pass", 0, ""),
        ("sys.exit(7)", 7, ""),
        ("sys.exit('no')", 1, "no\n"),
        ("os.kill(os.getpid(), 9)", -9, ""),
        ("os.kill(os.getpid(), 2); time.sleep(60)", -2, "KeyboardInterrupt\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("import atexit; atexit.register(lambda: print('over', file=sys.stderr))", 0, "over\n"),
        ("import threading; threading.Thread(target=lambda: print('late', file=sys.stderr)).start()", 0, "late\n"),
        ("sys.stderr.write('no line')", 0, "no line"),
        ("sys.stdout.close()", 0, ""),
    ],
)
def test_a_client_ends_as_its_fork_ends(server: tuple[Path, int], script: str, status: int, said: str) -> None:
    done = ask(server, script)
    assert done.returncode == status
    assert done.stderr.startswith("forked\n")
    assert done.stderr.endswith(f"\n{said}") if said else done.stderr == "forked\n"


# In short sleeps: Python sees a signal that comes just before a sleep begins when that ends.
WAITING = "print(os.getpid()); sys.stdout.close(); [time.sleep(0.05) for _ in range(10_000)]"


@contextmanager
def waiting(server: tuple[Path, int], starter: tuple[str, ...] = ()) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A client whose fork waits, and the handle of that fork."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*starter, *command(server[0], "probe", WAITING)], text=True, **pipes) as client:  # type: ignore[call-overload]
        fork = os.pidfd_open(int(client.stdout.readline()))
        try:
            yield client, fork
        finally:
            client.kill()
            os.close(fork)


def ended(handle: int) -> bool:
    """Wait for the end of a process, for as long as a test may take."""
    return bool(select.select([handle], [], [])[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_client_is_one_to_its_fork(server: tuple[Path, int], number: int) -> None:
    with waiting(server) as (client, fork):
        client.send_signal(number)
        assert ended(fork)
        assert client.wait() == -number


def test_a_fork_ends_with_the_engine_that_started_its_client(server: tuple[Path, int]) -> None:
    engine = "import subprocess, sys; subprocess.Popen(sys.argv[1:]); sys.stdin.read()"
    with waiting(server, (sys.executable, "-c", engine)) as (parent, fork):
        parent.kill()
        assert ended(fork)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_ends_ends_its_forks_and_their_clients(tmp_path: Path, number: int) -> None:
    with serving(tmp_path, probing(), ends=(0, -number)) as server, waiting(server) as (client, fork):
        os.kill(server[1], number)
        assert ended(fork)
        assert client.wait() in (1, -signal.SIGTERM)


def test_what_a_fork_has_started_ends_with_a_client_that_is_killed(server: tuple[Path, int]) -> None:
    script = "import subprocess; print(subprocess.Popen(['sleep', '500']).pid, flush=True); time.sleep(500)"
    with subprocess.Popen(command(server[0], "probe", script), stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        started = os.pidfd_open(int(client.stdout.readline()))
        client.kill()
        assert ended(started)
        os.close(started)


def sockets(pid: int) -> int:
    """How many sockets a process has."""
    found = 0
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found += str(path.readlink()).startswith("socket:")
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_client_ends_by_a_signal_though_the_server_does_not_answer(server: tuple[Path, int], number: int) -> None:
    os.kill(server[1], signal.SIGSTOP)
    try:
        with subprocess.Popen(command(server[0], "probe", "print('never')"), stdout=subprocess.PIPE) as client:
            while sockets(client.pid) < 3:  # its two for signals, and then the connection
                assert client.poll() is None
            client.send_signal(number)
            assert client.wait() == -number
    finally:
        os.kill(server[1], signal.SIGCONT)
    assert ask(server, "pass").stderr == "forked\n"


def test_forks_run_side_by_side_and_none_is_left(server: tuple[Path, int]) -> None:
    with waiting(server), waiting(server):
        assert ask(server, "print('third')").stdout == "third\n"
        assert len(with_children({server[1]})) == 3
    while len(with_children({server[1]})) > 1:  # for as long as a test may take
        assert ask(server, "pass").returncode == 0


def test_without_a_server_a_client_becomes_the_module(tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text("raise SystemExit(5)", encoding="utf-8")
    done = ask((tmp_path / "socket", 0), "x")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("No module named probe\n")  # that of this folder's checkout, and of no other folder


@pytest.mark.parametrize("module", ["broken", "full", "unknown"])
def test_what_the_server_cannot_import_the_client_does_itself_and_says_so(
    server: tuple[Path, int], module: str
) -> None:
    done = subprocess.run(command(server[0], module), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(f"No module named {module}\n")
    assert ask(server, "pass").stderr == "forked\n"


@pytest.mark.parametrize("what", ["other code", "gone"])
def test_a_server_forks_only_what_lies_there_now(tmp_path: Path, what: str) -> None:
    room = tmp_path / "room"
    room.mkdir()
    (room / "beside.py").write_text("", encoding="utf-8")
    with serving(tmp_path, probing(f"{room}/"), str(room)) as server:
        assert ask(server, "import beside").returncode == 0  # in the fork: the server has not imported it
        assert ask(server, "pass").stderr == "forked\n"
        os.utime(room / "beside.py", ns=(1, 1))
        assert ask(server, "pass").stderr == "forked\n"
    (room / "sitecustomize.py").write_text("", encoding="utf-8")
    with serving(tmp_path / "again", probing(f"{room}/"), str(room)) as server:
        assert ask(server, "pass").stderr == "forked\n"
        if what == "gone":
            (room / "sitecustomize.py").unlink()
        else:
            os.utime(room / "sitecustomize.py", ns=(1, 1))
        assert "No module named probe" in ask(server, "pass").stderr


def test_what_a_failed_import_has_imported_is_not_older_than_what_lies_there(tmp_path: Path) -> None:
    room = tmp_path / "room"
    room.mkdir()
    outer, inner = room / "outer.py", room / "inner.py"
    outer.write_text("import inner, no_such_module", encoding="utf-8")
    inner.write_text("VALUE = 'old'", encoding="utf-8")
    with serving(tmp_path, probing(f"{room}/"), str(room)) as server:
        asked = command(server[0], "outer")
        assert "No module named outer" in subprocess.run(asked, capture_output=True, text=True, check=False).stderr
        outer.write_text("import inner\ndef main(_):\n    print(inner.VALUE)\n    return 0", encoding="utf-8")
        inner.write_text("VALUE = 'new'", encoding="utf-8")
        assert "old" not in subprocess.run(asked, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize(("value", "obeyed"), [("1", True), ("", False)])
def test_a_fork_writes_bytecode_unless_its_client_forbids_it(
    server: tuple[Path, int], value: str, obeyed: bool
) -> None:
    asked = command(server[0], "probe", "print(sys.dont_write_bytecode)")
    environment = {"PYTHONDONTWRITEBYTECODE": value}
    done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"{obeyed}\n", "forked\n")


@pytest.mark.parametrize("value", ["/elsewhere", ""])
def test_a_fork_keeps_bytecode_where_its_client_says(server: tuple[Path, int], value: str) -> None:
    asked = command(server[0], "probe", "print(sys.pycache_prefix)")
    done = subprocess.run(asked, env={"PYTHONPYCACHEPREFIX": value}, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"{value or None}\n", "forked\n")


@pytest.mark.parametrize(
    ("name", "value", "forked"),
    [
        ("PYTHONWARNINGS", "error", False),
        ("PYTHONOPTIMIZE", "1", False),
        # As a pipeline sets them, so that nobody who queues a run can.
        ("PYTHONWARNINGS", "", True),
        ("PYTHONHOME", "", True),
        ("PYTHONVERSION", "3.12", True),
    ],
)
def test_an_interpreter_that_is_set_up_otherwise_is_none_of_the_servers(
    server: tuple[Path, int], name: str, value: str, forked: bool
) -> None:
    asked = command(server[0], "probe", "pass")
    done = subprocess.run(asked, env={name: value}, capture_output=True, text=True, check=False)
    assert done.stderr.endswith("forked\n" if forked else "No module named probe\n")


def test_a_request_that_is_not_whole_is_none(server: tuple[Path, int]) -> None:
    for content in (b"", b"\0\0", fork_client.packed(9) + b"x"):
        connection = fork_client.connect(str(server[0]))
        assert connection is not None
        with closing(connection):
            connection.sendall(content)
    assert ask(server, "pass").stderr == "forked\n"


def test_the_server_holds_nothing_of_a_program_that_may_lie_in_any_checkout() -> None:
    script = (
        "import sys\n"
        "from sandbox import fork_server\n"
        "for each in fork_server.MODULES:\n"
        "    fork_server._entry(each)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    rooms = {path.parent.name for path in CHECKOUT.glob("*/__init__.py")}
    assert {"iam", "infra", "sandbox"} <= rooms
    assert loaded & rooms == {"sandbox"}
    assert {"pulumi", "pulumi_aws", "botocore"} <= loaded
    assert "pulumi_aws.iam.policy" in done.stdout.split()  # not the module's name alone: it is read lazily
    assert {*fork_server.LATE_MODULES, "botocore.client"} <= set(done.stdout.split())


def test_the_server_imports_what_the_program_uses_of_the_sdks() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "infra").glob("*.py"))
    folder = Path(pulumi_aws.__file__).parent
    used = {f"pulumi_aws.{name}" for name in re.findall(r"\baws\.([a-z_]+)\.", text) if (folder / name).is_dir()}
    used |= set(re.findall(r"^import (pulumi_\w+)", text, re.MULTILINE)) - {"pulumi_aws"}
    assert used == set(fork_server.SDK_MODULES)
