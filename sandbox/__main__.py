"""`python -m sandbox`: the one-machine cloud, started, stopped, described and used."""

from __future__ import annotations

import argparse
import os
import sys

from sandbox import progress
from sandbox.errors import SandboxError
from sandbox.layout import Layout

EXIT_CODES = """exit codes:
  0  done
  1  something is missing or failed; standard error says what, and the remedy
  2  the command line is wrong
  3  status: not everything runs
  other values of `pulumi` and `shell` are those of what they ran
"""
EPILOG = f"""environment:
  SANDBOX_HOME     where everything is kept (default .sandbox in the checkout)
  SANDBOX_CACHE    what the sandboxes of a user share (default app-one-sandbox in the user's cache folder)
  SANDBOX_PLUGINS  a folder of real plugins (pulumi-resource-aws, -azuredevops, -docker) instead of the stand-ins

{EXIT_CODES}"""


def main(arguments: list[str]) -> int:
    """Run one command; every expected failure is one message and exit code 1."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="A whole cloud on one machine: the Pulumi engine, AWS, ECR, Azure DevOps and Docker.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("up", help="start what is missing; finds what is there")
    down = commands.add_parser("down", help="stop everything, and remove what the sandbox made")
    down.add_argument("--keep", action="store_true", help="only stop: the next `up` goes on with the same state")
    save = commands.add_parser("save", help="keep all that the sandbox knows now under a name: clouds, images, stacks")
    restore = commands.add_parser("restore", help="make the sandbox what it was when it was saved")
    for each in (save, restore):
        each.add_argument("name", metavar="NAME")
    commands.add_parser("status", help="what runs")
    commands.add_parser("env", help='print the environment: eval "$(python -m sandbox env)"')
    commands.add_parser("shell", help="a shell in that environment")
    pulumi = commands.add_parser("pulumi", help="run pulumi in the checkout, in that environment")
    pulumi.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...")
    pipeline = commands.add_parser("pipeline", help="the checkout's pipeline on this machine").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    run_ = pipeline.add_parser(
        "run",
        help="push HEAD, queue a run as the service would, run its jobs here and show them",
        description="Push HEAD to the sandbox's Azure Repos, queue a run as the service would, and run its jobs here.",
        epilog="exit codes: 0 the run succeeded, 1 it failed or an approval is due, 130 it was cancelled",
    )
    run_.add_argument(
        "--as",
        dest="way",
        choices=("pull-request", "main", "nightly"),
        default="pull-request",
        help="what starts the run (default: pull-request)",
    )
    run_.add_argument("--stop-at", default="", metavar="STEP", help="cancel the run when the step of this title begins")
    run_.add_argument("--run", type=int, metavar="N", help="go on with run N: run what did not succeed again")
    answer = run_.add_mutually_exclusive_group()
    answer.add_argument(
        "--approve", action="store_const", const="approved", dest="answer", help="approve what is asked"
    )
    answer.add_argument("--reject", action="store_const", const="rejected", dest="answer", help="reject what is asked")
    step = pipeline.add_parser(
        "step",
        help="run a failed step of an ended run alone again, in its job's kept folder",
        description="Run a failed step of an ended run alone again, in its job's folder as the job left it, or as you "
        "have repaired it since: .sandbox/pipeline/RUN/ATTEMPT/NUMBER. The run itself stays as it ended.",
        epilog="exit codes: 0 the step succeeds now, 1 it fails, or cannot be run",
    )
    step.add_argument("--run", type=int, required=True, metavar="N", help="the run's number")
    step.add_argument("title", metavar="STEP", help="the step's title, as the run has shown it")
    commands.add_parser("console", help="print a new address of the pages in the browser: runs, approvals, images, ...")
    commands.add_parser("summary", help="what the last `up` made, as the services show it")
    chosen = parser.parse_args(arguments)
    layout = Layout.find()
    try:
        return run(chosen, layout)
    except SandboxError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return 130


def run(chosen: argparse.Namespace, layout: Layout) -> int:
    """Carry out the chosen command; its exit code."""
    from sandbox import environment, saves, services

    if chosen.command == "up":
        services.up(layout)
        return 0
    if chosen.command == "down":
        services.down(layout, keep=chosen.keep)
        return 0
    if chosen.command in {"save", "restore"}:
        (saves.save if chosen.command == "save" else saves.restore)(layout, chosen.name)
        return 0
    if chosen.command == "status":
        lines, complete = services.status(layout)
        print("\n".join(lines))
        return 0 if complete else 3
    variables = services.environment(layout)
    os.environ.update({name: variables[name] for name in ("NO_PROXY", "no_proxy")})  # for calls of this process
    if chosen.command == "env":
        print(environment.shell(variables))
        return 0
    if chosen.command == "console":
        print(_console(layout), flush=True)
        return 0
    if chosen.command == "pipeline":
        from sandbox import pipeline, pipeline_screen

        screen = pipeline_screen.Screen.make()
        if chosen.action == "step":
            return pipeline.Local(layout, variables, screen).step(chosen.run, chosen.title)
        options = pipeline.Options(chosen.way, chosen.stop_at, chosen.answer, chosen.run)
        return pipeline.Local(layout, variables, screen).run(options)
    complete_environment = environment.full(variables)
    if chosen.command == "shell":
        command = os.environ.get("SHELL", "/bin/sh")
        progress.say("pulumi, docker and AWS clients talk to the sandbox here; leave with exit")
        os.execvpe(command, [command], complete_environment)  # noqa: S606 (the user's own shell)
    from sandbox import stack

    if chosen.command == "pulumi":
        return stack.pulumi(layout, chosen.arguments, complete_environment)
    return _summary(layout, variables, complete_environment)


def _console(layout: Layout) -> str:
    """The line with an address of the console, good once."""
    from sandbox import ports
    from sandbox.console import invitation

    address = invitation.address(layout, ports.choose(layout.ports_file))
    return f"Console        {address}   (good for one browser, once)"


def _summary(layout: Layout, variables: dict[str, str], complete_environment: dict[str, str]) -> int:
    from sandbox import stack, summary

    outputs = stack.outputs(layout, complete_environment)
    if "repository_name" not in outputs:
        raise SandboxError("the stack has no image yet: `make up` makes one")
    try:
        for line in summary.lines(outputs, variables):
            print(line, flush=True)
        print(_console(layout), flush=True)
    except summary.failures() as error:
        raise SandboxError(
            f"a service did not answer as it should: {error}\n"
            "`make status` says what runs; `pulumi refresh`, then `make up` mends what was changed by hand"
        ) from None
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
