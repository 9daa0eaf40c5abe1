"""How the program ends when it cannot go on, as the language host sees it: an exit status and what was printed."""

import signal
import subprocess
import sys

from infra.ending import ALREADY_TOLD
from tests.workstation import CHECKOUT

SAYS_SO = """
import pulumi
from infra.ending import errors_told
with errors_told():
    raise pulumi.RunError("the account could not be looked up: sign in first")
"""
WAITS = """
import time
from infra.ending import end_quietly_at_interrupts
end_quietly_at_interrupts()
print("waiting", flush=True)
time.sleep(600)
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
