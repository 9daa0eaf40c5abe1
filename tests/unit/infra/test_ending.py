"""How the program ends when it cannot go on, as the language host sees it: an exit status and what was printed."""

import signal
import subprocess
import sys

import grpc
import pytest
from pulumi.runtime.settings import grpc_error_to_exception

from infra.ending import ALREADY_TOLD, has_stopped
from tests.workstation import CHECKOUT

SAYS_SO = """
import pulumi
from infra.ending import errors_told
with errors_told():
    raise pulumi.RunError("the account could not be looked up: sign in first")
"""
WAITS = """
import contextlib, time
import pulumi
from infra.ending import end_quietly_with_the_engine
with contextlib.suppress(pulumi.RunError):  # no engine is there to wait with
    end_quietly_with_the_engine()
print("waiting", flush=True)
while True:  # in short sleeps: Python sees a signal that comes just before a sleep begins when that ends
    time.sleep(0.05)
"""


def test_an_error_is_told_once_and_the_exit_status_says_so() -> None:
    done = subprocess.run([sys.executable, "-c", SAYS_SO], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == ALREADY_TOLD
    assert done.stderr == "error: the account could not be looked up: sign in first\n"


def test_an_interrupt_ends_it_without_a_traceback() -> None:
    command = [sys.executable, "-c", WAITS]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == ""
    assert process.returncode == ALREADY_TOLD


@pytest.mark.parametrize("error", ["RuntimeError", "BrokenPipeError", "ValueError"])
def test_it_ends_without_a_traceback_where_a_stream_cannot_be_written_to_its_end(error: str) -> None:
    """A signal comes while a line is being written, or whoever read it has gone."""
    code = f"import io, sys\nfrom infra import ending\nclass Stream(io.StringIO):\n    def flush(self): raise {error}\n"
    code += "sys.stdout = Stream()\nending._leave()"
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (ALREADY_TOLD, "", "")


class Refused(grpc.RpcError):
    """The engine's answer, with a status."""

    def __init__(self, status: grpc.StatusCode) -> None:
        self.status = status

    def code(self) -> grpc.StatusCode:
        return self.status

    def details(self) -> str:
        return "context canceled"


@pytest.mark.parametrize(
    ("status", "stopped"),
    [(grpc.StatusCode.CANCELLED, True), (grpc.StatusCode.UNAVAILABLE, True), (grpc.StatusCode.UNKNOWN, False)],
)
def test_only_an_engine_that_does_not_answer_any_more_is_left_in_silence(
    status: grpc.StatusCode, stopped: bool
) -> None:
    def asked() -> None:
        try:
            raise Refused(status)
        except grpc.RpcError as error:
            raise grpc_error_to_exception(error)  # noqa: B904 (as the SDK raises it)

    with pytest.raises(Exception) as failed:  # noqa: PT011 (the SDK raises Exception itself)
        asked()
    assert has_stopped(failed.value) is stopped
    assert not has_stopped(ValueError("of the program"))
