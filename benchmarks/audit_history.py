"""Times `audit history` on a backend of 1,000 updates against `json.load` of the same files, in the same run.

    python -m benchmarks.audit_history [UPDATES ...]

Each measurement is a process of its own, from its start to its end: CPU seconds (user and system) and peak resident
memory as the kernel counts them. The two take turns, and the smallest of each is kept. The goal is 3 seconds for 1,000
updates, with the ledger written as JSON and as HTML.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.audit.histories import delivered

GOAL = 3.0
ROUNDS = 3
LOAD = """
import json, pathlib, sys
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.json")):
    with path.open(encoding="utf-8") as stream:
        json.load(stream)
"""


def measure(command: list[str]) -> tuple[float, float]:
    """CPU seconds and peak memory in MB of a command."""
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command}: exit status {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6


def main() -> int:
    """Measure each size; 1 if the goal for 1,000 updates is missed."""
    missed = False
    for count in [int(argument) for argument in sys.argv[1:]] or [1000]:
        with tempfile.TemporaryDirectory() as temporary:
            root = Path(temporary)
            backend = root / "backend"
            delivered(backend, count)
            size = sum(path.stat().st_size for path in backend.rglob("*.json"))
            ledger, page = root / "ledger.json", root / "history.html"
            audit = [sys.executable, "-m", "audit", "history", str(backend), "--format", "json", "-o", str(ledger)]
            audit += ["--report", f"html={page}"]
            load = [sys.executable, "-c", LOAD, str(backend)]
            loads, audits = [], []
            for _ in range(ROUNDS):
                loads.append(measure(load))
                audits.append(measure(audit))
            seconds, memory = min(item[0] for item in audits), min(item[1] for item in audits)
            base, base_memory = min(item[0] for item in loads), min(item[1] for item in loads)
            print(f"{count:,} updates, {size / 1e6:.1f} MB of history")
            print(f"  json.load      {base:6.2f} s  {base_memory:6.0f} MB")
            print(f"  audit history  {seconds:6.2f} s  {memory:6.0f} MB  {seconds / base:.1f} times json.load")
            print(
                f"  ledger.json {ledger.stat().st_size / 1e6:.1f} MB, history.html {page.stat().st_size / 1e6:.1f} MB"
            )
            if count <= 1000 and seconds > GOAL:
                print(f"  missed: the goal is {GOAL:.0f} s")
                missed = True
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
