"""The language of Azure Pipelines on the command line: lint a pipeline, or show what it expands to.

FILE is read where it lies, with its templates; a template whose path begins with / is looked for from the top folder of
its git repository, or from the file's own folder where there is none. Nothing is run and no service is asked.

  python -m azure_pipelines lint azure-pipelines.yml
  python -m azure_pipelines lint azure-pipelines.yml --group app=Key.Id,Key.Secret --variable fromTheSettings
  python -m azure_pipelines expand azure-pipelines.yml --way nightly
  python -m azure_pipelines expand azure-pipelines.yml --parameter places='[north, south]'
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from azure_pipelines.documents import PipelineError, value
from azure_pipelines.lint import WAYS, Opener, check, opener
from azure_pipelines.model import read

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_CODES = """exit codes:
  0  done; for lint: nothing was found
  1  lint: something was found; expand: the file cannot be expanded, and standard error says where and why
  2  wrong usage, or a file or module that cannot be read
"""
WAY = "push to main"


class InputError(Exception):
    """Input that cannot be used; the message is for the user."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except InputError as error:
        print(f"azure_pipelines: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader has gone: there is nobody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the last flush would complain
        return 0
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    name = "python -m azure_pipelines"
    parser = argparse.ArgumentParser(prog=name, description=__doc__, epilog=EXIT_CODES, formatter_class=form)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], about: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=about, description=about, epilog=EXIT_CODES, formatter_class=form)
        added.set_defaults(run=run)
        added.add_argument("file", type=Path, metavar="FILE", help="the pipeline's YAML file")
        return added

    def repository(added: argparse.ArgumentParser) -> None:
        added.add_argument(
            "--repository",
            action="append",
            default=[],
            metavar="ALIAS=FOLDER",
            help="a checkout of another repository, by its alias in resources, for templates (`template: x.yml@ALIAS`);"
            " without one, FILE's own checkout is read for a repository of Azure Repos, if it holds the template",
        )

    added = command("lint", _lint, "What is wrong in a pipeline, a line each: FILE:LINE: RULE: what, and the remedy.")
    added.add_argument(
        "--group", action="append", default=[], metavar="NAME=A,B", help="a variable group and the names that it holds"
    )
    added.add_argument(
        "--variable", action="append", default=[], metavar="NAME", help="defined in the pipeline's settings, not here"
    )
    added.add_argument(
        "--rules",
        action="append",
        default=[],
        metavar="MODULE",
        help="a Python module of the project's own rules: its function project(root, file) gives an object with "
        "`groups`, names by group, and `check(context)`, findings (azure_pipelines.lint.Project)",
    )
    repository(added)
    added = command("expand", _expand, "The pipeline as a run would see it: no template and no ${{ }} is left.")
    added.add_argument("--way", choices=WAYS, default=WAY, help=f"how the run starts (default: {WAY})")
    added.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="a runtime parameter, its value in YAML"
    )
    added.add_argument(
        "--variable", action="append", default=[], metavar="NAME=VALUE", help="a variable that templates see"
    )
    repository(added)
    return parser


def _lint(options: argparse.Namespace) -> int:
    root, file = _located(options.file)
    groups = {name: frozenset(filter(None, names.split(","))) for name, names in map(_pair, options.group)}
    found = check(
        root,
        file,
        [_project(name) for name in options.rules],
        groups=groups,
        variables=options.variable,
        repositories=_checkouts(options.repository),
    )
    for finding in found:
        print(finding)
    return 1 if found else 0


def _expand(options: argparse.Namespace) -> int:
    root, file = _located(options.file)
    try:
        parameters = {name: value(text, f"--parameter {name}") for name, text in map(_pair, options.parameter)}
    except PipelineError as error:
        raise InputError(str(error)) from None
    variables = {**WAYS[options.way], **dict(map(_pair, options.variable))}
    try:
        pipeline = read(root, file, variables, parameters, opener(_checkouts(options.repository), root))
    except PipelineError as error:
        print(f"azure_pipelines: {error}", file=sys.stderr)
        return 1
    yaml.dump(plain(pipeline.raw), sys.stdout, sort_keys=False, allow_unicode=True, width=120)
    return 0


def plain(node: Any) -> Any:
    """The document in types that any writer of YAML knows."""
    if isinstance(node, dict):
        return {key: plain(part) for key, part in node.items()}
    return [plain(part) for part in node] if isinstance(node, list) else node


def _located(file: Path) -> tuple[Path, str]:
    """The folder that templates are looked for in, and the file's path below it."""
    if not file.is_file():
        raise InputError(f"{file} does not exist or is no file")
    whole = file.resolve()
    root = next((folder for folder in whole.parents if (folder / ".git").exists()), whole.parent)
    return root, str(whole.relative_to(root))


def _checkouts(given: list[str]) -> dict[str, Path]:
    found = {alias: Path(folder) for alias, folder in map(_pair, given)}
    for alias, folder in found.items():
        if not folder.is_dir():
            raise InputError(f"--repository {alias}={folder}: there is no such folder")
    return found


def _pair(text: str) -> tuple[str, str]:
    name, equals, content = text.partition("=")
    if not name or not equals:
        raise InputError(f"{text!r} should be NAME=VALUE")
    return name, content


def _project(name: str) -> Opener:
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise InputError(f"--rules {name}: {error}; name a module that can be imported from here") from None
    found: Opener | None = getattr(module, "project", None)
    if found is None:
        raise InputError(f"--rules {name}: the module has no function project(root, file)")
    return found


if __name__ == "__main__":
    sys.exit(main())
