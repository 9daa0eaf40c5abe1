"""What every entry point shares: logging commands, values of the environment, child processes, exit codes.

Runs on a workstation too: logging commands are written only where an agent reads them, so that a derived
secret is never printed on a terminal. Standard library only: some entry points run before anything is installed.

Source: https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands
"""

from __future__ import annotations

import argparse
import atexit
import base64
import gc
import json
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pipelines import surroundings, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

OK, FAILED, USAGE, REFUSED, CANCELLED = 0, 1, 2, 3, 130
"""Exit codes of every entry point."""

EXIT_CODES = "exit codes: 0 done, 1 failed, 2 wrong use or missing setting, 3 refused or a finding, 130 cancelled"

TOP = Path(__file__).resolve().parent.parent
"""The checkout that this code is of. In a job with rights it is not the current folder (pipelines/__main__.py)."""

BEFORE_THE_END = 20.0
"""Seconds (at most half of all) that a program gets to stop at once, before the agent goes on without it."""

_UNMATCHED = re.compile(r"^\$\([^()]+\)$")
_SERVICES = ("AWS_", "AZDO_", "PULUMI_")
_EMPTY_MEANS_SOMETHING = "PULUMI_CONFIG_PASSPHRASE"


class Stop(Exception):  # noqa: N818 (it ends an entry point; it need not be an error of the code)
    """Ends an entry point with one message for its user.

    code: one of the exit codes above.
    """

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


class Cancelled(Stop):
    """The run was cancelled while a program ran.

    ended: its exit code, negative for the signal that it ended of.
    """

    def __init__(self, message: str, ended: int) -> None:
        super().__init__(message, CANCELLED)
        self.ended = ended


def parser(description: str) -> argparse.ArgumentParser:
    """An argument parser whose help ends with the exit codes; an option is written out, as the lint looks for it."""
    return argparse.ArgumentParser(
        description=description,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def run(main: Callable[[], None]) -> NoReturn:
    """Run an entry point and leave with its exit code; a Stop becomes one error line."""
    # A short run, whose data has no cycles: to look for some, at its end too, would take a fifth of its time.
    gc.disable()
    atexit.register(gc.freeze)
    # The SDKs in this process read the environment too: what is no credential, or nothing of ours, must not reach them.
    kept, foreign = environment(), _foreign()
    for name in set(os.environ) - set(kept):
        del os.environ[name]
    os.environ.update(kept)
    if foreign:
        print(f"not taken from the environment: {', '.join(map(words.neutral, foreign))}", flush=True)
    try:
        main()
    except Stop as stop:
        issue(str(stop))
        sys.exit(stop.code)
    except KeyboardInterrupt:
        issue("cancelled")
        sys.exit(CANCELLED)
    sys.exit(OK)


def on_agent() -> bool:
    """Whether an Azure Pipelines agent reads our output, whatever somebody has set for the run."""
    return surroundings.in_a_job(os.environ)


def setting(name: str, remedy: str) -> str:
    """A value of the environment that must be there.

    remedy: what the user does where it is missing.
    Raises Stop (code 2). A macro that the agent did not find stays as `$(name)`: that is a missing value too.
    """
    value = optional(name)
    if value is None:
        raise Stop(f"{name} is not set: {remedy}", USAGE)
    return value


def optional(name: str) -> str | None:
    """A value of the environment, None where it is empty, missing or an unmatched `$(macro)`."""
    value = os.environ.get(name, "")
    return None if not value or _UNMATCHED.match(value) else value


def environment(**changes: str) -> dict[str, str]:
    """The environment for a child: without unmatched macros and empty credentials, with the changes.

    A variable of AWS, Azure DevOps or Pulumi that is empty is one that the group leaves empty: to the tools it would be
    a credential, and a wrong one. An empty passphrase is one that a stack may have. In a job, what neither the agent
    nor the pipeline gives is left out too (pipelines/surroundings.py): whoever queues a run may have set it.
    """
    foreign = set(_foreign())
    own = {name: value for name, value in os.environ.items() if name not in foreign and _is_set(name, value)}
    machine = surroundings.of_the_machine(os.environ) if surroundings.in_a_job(os.environ) else {}
    return {**own, **machine, **changes}


def _is_set(name: str, value: str) -> bool:
    if _UNMATCHED.match(value):
        return False
    return bool(value) or name == _EMPTY_MEANS_SOMETHING or not name.startswith(_SERVICES)


def _foreign() -> list[str]:
    """Names of what a job's environment holds that no step was given, and that is not what the machine says."""
    if not surroundings.in_a_job(os.environ):
        return []
    machine = surroundings.of_the_machine(os.environ)
    return sorted(
        name
        for name, value in os.environ.items()
        if value and machine.get(name) != value and not surroundings.stays(name, value)
    )


def command(name: str, value: str = "", **properties: str) -> None:
    """Write a logging command, where an agent reads it."""
    if not on_agent():
        return
    listed = ";".join(f"{key}={_escape(part, property=True)}" for key, part in properties.items())
    print(f"##vso[{name}{' ' + listed if listed else ''}]{_escape(value)}", flush=True)


def _escape(text: str, *, property: bool = False) -> str:  # noqa: A002 (the documentation's word)
    text = text.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(";", "%3B").replace("]", "%5D") if property else text


def issue(message: str, kind: str = "error") -> None:
    """Tell the user of an error or a warning; an agent shows it on the run's first page.

    kind: `error` or `warning`.
    """
    message = words.neutral(message)
    if on_agent():
        command("task.logissue", message, type=kind)
    print(f"{kind}: {message}", file=sys.stderr, flush=True)


def set_variable(name: str, value: str, *, output: bool = False) -> None:
    """Set a variable for the steps that follow; with `output` also for the jobs and stages that follow."""
    command("task.setvariable", value, variable=name, isOutput=str(output).lower())


def prepend_path(folder: Path) -> None:
    """Put a folder before PATH for the steps that follow."""
    command("task.prependpath", str(folder))


def upload_summary(file: Path) -> None:
    """Show a Markdown file on the run's page."""
    command("task.uploadsummary", str(file.resolve()))


def set_secret(value: str) -> None:
    """Have the agent mask a secret that a step derived, and every form of it that could be printed.

    The agent masks whole values only: each line and each leaf of a JSON value is a secret of its own.
    """
    for leaf in leaves(value):
        command("task.setsecret", leaf)


def leaves(value: str) -> list[str]:
    """The value, its lines, the strings in it if it is JSON, and the base64 of each, longest first; no text under 4."""
    found = {value, *value.splitlines()}
    with suppress(ValueError):  # most secrets are no JSON
        found.update(_strings(json.loads(value)))
    found.update({base64.b64encode(leaf.encode()).decode() for leaf in tuple(found)})
    return sorted((leaf.strip() for leaf in found if len(leaf.strip()) > 3), key=lambda leaf: (-len(leaf), leaf))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


def private_folder(path: Path) -> Path:
    """The folder, which only this user enters (0700), as every missing one above it (mkdir's mode is the last's)."""
    for folder in (*reversed(path.parents), path):
        folder.mkdir(exist_ok=True, mode=0o700)
    return path


def private_file(path: Path) -> Path:
    """An empty file that only this user reads (0600), in a folder that only this user enters (0700)."""
    private_folder(path.parent)
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    return path


def call(argv: Sequence[str], *, env: Mapping[str, str] | None = None, output: Path | None = None) -> int:
    """Run a program to its end and give its exit code; its text is neutralised on the way to our log.

    output: a file for its standard output, made private; else both streams go to the log.
    A cancelled run is passed on as SIGINT: the first lets pulumi finish what it has begun and give its lock back, the
    second makes it stop at once. The agent signals the task, which passes one SIGTERM on to us and nothing after that;
    when PROCESS_SIGINT_TIMEOUT (milliseconds) ends it goes on with the cleanup, whatever still runs. So the second
    SIGINT is ours, BEFORE_THE_END of that time; where the variable is not set, a second signal is waited for.
    """
    private = private_file(output).open("wb") if output else None
    try:
        child = subprocess.Popen(
            argv,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=private or subprocess.PIPE,
            stderr=subprocess.PIPE if private else subprocess.STDOUT,
            # A terminal's Ctrl-C reaches the whole group: the child gets it once, from us.
            start_new_session=True,
        )
    except FileNotFoundError:
        raise Stop(f"{argv[0]} is not on PATH: run the step that installs it first", USAGE) from None
    finally:
        if private:
            private.close()
    log = child.stderr if output else child.stdout
    assert log is not None  # noqa: S101 (one of the two is a pipe, see above)
    with _passed_on(child) as cancelled, log:
        for line in log:
            print(words.neutral(line.decode(errors="replace")), end="", flush=True)
        code = child.wait()
    if cancelled:
        raise Cancelled(f"cancelled: {' '.join(argv[:2])} was asked to stop and ended with {code}", code)
    return code


def audit(arguments: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
    """Run the audit that lies beside this code, whatever the current folder holds; its exit code."""
    given = {**(os.environ if env is None else env), "PYTHONPATH": str(TOP)}
    return call([sys.executable, "-P", "-m", "audit", *arguments], env=given)


@contextmanager
def _passed_on(child: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    seen: list[int] = []
    timers: list[threading.Timer] = []
    patience = _patience()

    def pass_on(number: int, _frame: object) -> None:
        seen.append(number)
        child.send_signal(signal.SIGINT)
        if patience is not None and not timers:
            timers.append(threading.Timer(patience, child.send_signal, (signal.SIGINT,)))
            timers[0].daemon = True
            timers[0].start()

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for timer in timers:
            timer.cancel()


def _patience() -> float | None:
    """Seconds from the first signal to the second one, None where no agent says how long it waits."""
    text = optional("PROCESS_SIGINT_TIMEOUT")
    if text is None or not text.isdecimal():
        return None
    whole = int(text) / 1000
    return whole - min(BEFORE_THE_END, whole / 2)


def captured(argv: Sequence[str], *, env: Mapping[str, str] | None = None, seconds: float | None = None) -> str:
    """The standard output of a program that must succeed. Raises Stop with the end of what it said.

    seconds: how long it may take, by default as long as it needs.
    """
    given = None if env is None else dict(env)
    try:
        done = subprocess.run(argv, env=given, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Stop(f"{' '.join(argv[:3])} did not end within {seconds} s") from None
    except FileNotFoundError:
        raise Stop(f"{argv[0]} is not on PATH: run the step that installs it first", USAGE) from None
    if done.returncode:
        raise Stop(f"{' '.join(argv[:3])} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout


def read_json(path: Path, what: str) -> Any:
    """A JSON file. Raises Stop (code 2) that says what it should have been."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Stop(f"{path} is missing: it should be {what}", USAGE) from None
    except ValueError as error:
        raise Stop(f"{path} is no JSON ({error}): it should be {what}", USAGE) from None
