"""Remove what the job's steps left: the registry's login, Docker's and Pulumi's credentials, raw plan files.

Everything lives in one private folder of the job, so that a cancelled step can leave nothing elsewhere. All of it is
tried even when a part fails; running it twice, or with nothing there, is fine.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pipelines import agent, registry


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    parser.add_argument("--private", type=Path, required=True, help="the job's private folder")
    options = parser.parse_args()
    try:
        if os.environ.get("DOCKER_CONFIG"):
            registry.logout()
    finally:
        if options.private.exists():
            shutil.rmtree(options.private)
        print(f"{options.private} is gone")


if __name__ == "__main__":
    agent.run(main)
