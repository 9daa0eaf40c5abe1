"""The region of a stack, as its file says it."""

from __future__ import annotations

from pathlib import Path

from pipelines import agent


def region(stack: str) -> str:
    """The region that a stack's file configures. Raises Stop (code 2) where there is none.

    The file is read as it is: `pulumi config get` would want the state's credentials for it.
    """
    import yaml

    file = Path(f"Pulumi.{stack.rpartition('/')[2]}.yaml")
    try:
        return str(yaml.safe_load(file.read_text(encoding="utf-8"))["config"]["aws:region"])
    except FileNotFoundError:
        raise agent.Stop(f"{file} is missing: run this in the checkout's top folder", agent.USAGE) from None
    except (yaml.YAMLError, KeyError, TypeError):
        raise agent.Stop(f"{file} sets no aws:region: pulumi config set aws:region us-east-2", agent.USAGE) from None
