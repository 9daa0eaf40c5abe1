"""Processes of the sandbox are started once, recognised, and stopped by their id alone."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sandbox import processes
from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from pathlib import Path

SERVES = """
import os, signal, sys
os.write(int(sys.argv[-1]), b"ready\\n")
signal.pause()
"""
SAVES = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.write(int(sys.argv[-1]), b"ready\\n")
signal.sigwait([signal.SIGTERM])
pathlib.Path(FOLDER, "saved").touch()
"""
# Told to stop, each saves when the other has been told, too: so neither does where one is waited for first.
NEEDS_THE_OTHER = """
import os, signal, sys
from pathlib import Path
own, other = sys.argv[1:3]
os.mkfifo(own)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.write(int(sys.argv[-1]), b"ready\\n")
signal.sigwait([signal.SIGTERM])
for pipe in sorted((own, other)):
    if pipe == own:
        Path(own).write_text("told")
    else:
        Path(other).read_text()
Path(own + ".saved").touch()
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVES


def start(folder: Path, program: str, name: str = "service") -> processes.Starting | None:
    argv = [sys.executable, "-c", program]
    return processes.start(name, argv, run=folder / "run", logs=folder / "logs", ready=processes.ReadyPipe())


def test_a_process_is_started_once_and_stopped_by_its_id(tmp_path: Path) -> None:
    starting = start(tmp_path, SERVES)
    assert starting is not None
    starting.wait()
    assert processes.pid(tmp_path / "run", "service") == starting.process.pid
    assert start(tmp_path, SERVES) is None
    assert processes.stop(tmp_path / "run", "service")
    assert processes.pid(tmp_path / "run", "service") is None
    assert not processes.stop(tmp_path / "run", "service")
    starting.process.wait()


def test_a_process_that_ends_before_it_serves_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    starting = start(tmp_path, "raise SystemExit('the port is taken')")
    assert starting is not None
    with pytest.raises(SandboxError, match=r"service did not start(.|\n)*the port is taken"):
        starting.wait()
    starting.process.wait()


def test_a_process_that_ignores_a_polite_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_LIMIT", 0.2)
    starting = start(tmp_path, STUBBORN)
    assert starting is not None
    starting.wait()
    assert processes.stop(tmp_path / "run", "service")
    assert processes.pid(tmp_path / "run", "service") is None
    starting.process.wait()


def test_several_are_told_together_before_the_first_is_waited_for(tmp_path: Path) -> None:
    started = []
    for name, other in (("one", "two"), ("two", "one")):
        argv = [sys.executable, "-c", NEEDS_THE_OTHER, str(tmp_path / name), str(tmp_path / other)]
        started.append(processes.start(name, argv, run=tmp_path, logs=tmp_path, ready=processes.ReadyPipe()))
    for each in started:
        assert each is not None
        each.wait()
    assert processes.stop(tmp_path, "one", "two", "none") == ["one", "two"]
    for each in started:
        assert each is not None
        each.process.wait()
    assert {path.name for path in tmp_path.glob("*.saved")} == {"one.saved", "two.saved"}
    assert not list(tmp_path.glob("*.json"))


def test_what_has_nothing_to_save_is_killed_at_once(tmp_path: Path) -> None:
    starting = start(tmp_path, f"import pathlib\n{SAVES}".replace("FOLDER", repr(str(tmp_path))))
    assert starting is not None
    starting.wait()
    assert processes.stop(tmp_path / "run", "service", at_once=True) == ["service"]
    assert processes.pid(tmp_path / "run", "service") is None
    starting.process.wait()
    assert not (tmp_path / "saved").exists()


def test_another_process_with_a_recorded_id_is_never_taken_for_ours(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        record = tmp_path / "service.json"
        record.write_text(json.dumps({"pid": other.pid, "started": "1", "argv": []}), encoding="utf-8")
        assert processes.pid(tmp_path, "service") is None
        assert not processes.stop(tmp_path, "service")
        assert other.poll() is None
        other.communicate(b"\n")


def test_a_foreign_server_on_the_port_is_not_taken_for_ours(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        ready = processes.ReadyPort(foreign.getsockname()[1])
        argv = [sys.executable, "-c", "raise SystemExit('address already in use')"]
        starting = processes.start("service", argv, run=tmp_path, logs=tmp_path, ready=ready)
        assert starting is not None
        with pytest.raises(SandboxError, match=r"address already in use(.|\n)*choose new ones"):
            starting.wait()
        starting.process.wait()


def test_a_server_is_ready_when_it_listens_itself(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port = chosen.getsockname()[1]
    program = f"import signal, socket; s = socket.create_server(('127.0.0.1', {port})); signal.pause()"
    argv = [sys.executable, "-c", program]
    starting = processes.start("service", argv, run=tmp_path, logs=tmp_path, ready=processes.ReadyPort(port))
    assert starting is not None
    starting.wait()
    assert processes.listening(starting.process.pid) == {port}
    assert processes.stop(tmp_path, "service")
    starting.process.wait()


def test_a_process_whose_starter_was_killed_before_it_served_is_started_anew(tmp_path: Path) -> None:
    first = start(tmp_path, SERVES)
    assert first is not None
    assert processes.serving(tmp_path / "run", "service") is None
    second = start(tmp_path, SERVES)
    assert second is not None
    assert second.process.pid != first.process.pid
    first.process.wait()
    second.wait()
    assert processes.serving(tmp_path / "run", "service") == second.process.pid
    assert start(tmp_path, SERVES) is None
    assert processes.stop(tmp_path / "run", "service")
    second.process.wait()
