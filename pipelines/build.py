"""Build the app's image without a push, as the program would: what a pull request shows without any credential.

The settings are those of the stack's file and of Pulumi.yaml. Nothing of a registry is touched but that the base image
may be pulled; the image stays on this machine, without a name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines import agent, commit


def settings(stack: str) -> dict[str, Any]:
    """What the program is configured with for the stack. Raises Stop (code 2) where a file is missing or is no YAML."""
    import yaml

    found: dict[str, Any] = {}
    for file in (Path("Pulumi.yaml"), Path(f"Pulumi.{stack.rpartition('/')[2]}.yaml")):
        try:
            config = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]
        except FileNotFoundError:
            raise agent.Stop(f"{file} is missing: run this in the checkout's top folder", agent.USAGE) from None
        except (yaml.YAMLError, KeyError, TypeError):
            raise agent.Stop(f"{file} has no `config`: see docs/settings.md", agent.USAGE) from None
        for key, value in config.items():
            found[key.rpartition(":")[2]] = (
                value["default"] if isinstance(value, dict) and "default" in value else value
            )
    return found


def command(config: dict[str, Any], epoch: str) -> list[str]:
    """The build, as `docker` takes it. epoch: seconds since 1970 of the commit, or empty."""
    context = Path(str(config["buildContext"]))
    arguments = {"BASE_IMAGE": str(config["baseImage"]), "SOURCE_DATE_EPOCH": epoch or "0"}
    built = ["docker", "build", "--quiet", "--platform", str(config["platform"])]
    built += ["--file", str(context / str(config["dockerfile"]))]
    for name, value in arguments.items():
        if value:
            built += ["--build-arg", f"{name}={value}"]
    return [*built, str(context)]


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    parser.add_argument("--stack", required=True, help="stack whose settings the build takes")
    options = parser.parse_args()
    epoch = commit.date().get(commit.VARIABLE, "")
    if code := agent.call(command(settings(options.stack), epoch), env=agent.environment(DOCKER_BUILDKIT="1")):
        raise agent.Stop(f"the image of {options.stack} could not be built ({code}): see the log above")
    print(f"the image of {options.stack} builds")


if __name__ == "__main__":
    agent.run(main)
