"""Makes the golden previews anew: in a sandbox of its own, with the real engine, from an empty stack.

    python -m tests.audit.make_golden [FOLDER]

Takes a few minutes. Made again from the same program they are the same, byte for byte.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.audit.scenarios import GOLDEN, normalised, play
from tests.workstation import CHECKOUT, Sandbox, Workstation


def main() -> int:
    """Write every golden preview into FOLDER."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else GOLDEN
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="golden-") as temporary:
        home = Path(temporary) / "sandbox"
        environment = {**os.environ, "SANDBOX_HOME": str(home)}
        command = [sys.executable, "-m", "sandbox"]
        subprocess.run([*command, "up"], cwd=CHECKOUT, env=environment, check=True)
        try:
            workstation = Workstation.make(Path(temporary) / "checkout", Sandbox.of(home))
            for scenario, printed in play(workstation):
                (folder / f"{scenario.name}.json").write_text(normalised(printed), encoding="utf-8")
                print(scenario.name, flush=True)
        finally:
            subprocess.run([*command, "down"], cwd=CHECKOUT, env=environment, check=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
