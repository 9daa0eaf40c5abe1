"""Stand-ins for the command lines of AWS and Azure, as far as the documents use them: `aws` by botocore's own models.

    python -m tests.end_to_end.command_lines aws s3api create-bucket --bucket NAME ...
    python -m tests.end_to_end.command_lines az devops project create --name NAME

`aws` takes every operation and option that the API has, and refuses all others. `az` knows the commands of `AZ`, each
by the REST that the extension calls. Exit codes: 0 done, 252 a wrong command line, 254 the service refuses.
https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-shorthand.html
https://learn.microsoft.com/cli/azure/devops
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jmespath  # type: ignore[import-untyped]  # botocore's, which brings no types
import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

USAGE, REFUSED = 252, 254
Options = dict[str, str]


class Wrong(Exception):  # noqa: N818 (a person's mistake)
    """The command line is none that the tool takes."""


def main(arguments: Sequence[str]) -> int:
    """Run one of the two."""
    import botocore.exceptions

    tool, *rest = arguments
    try:
        answer, options = {"aws": aws, "az": az}[tool](rest)
    except Wrong as mistake:
        print(f"{tool}: {mistake}", file=sys.stderr)
        return USAGE
    except (botocore.exceptions.ClientError, requests.HTTPError) as refusal:
        print(f"{tool}: {refusal}", file=sys.stderr)
        return REFUSED
    show(answer, options)
    return 0


def parsed(words: Sequence[str]) -> tuple[list[str], Options]:
    """The command's words before its options, and the options."""
    command = list(words[: next((place for place, word in enumerate(words) if word.startswith("--")), len(words))])
    options: Options = {}
    name = ""
    for word in words[len(command) :]:
        if word.startswith("--"):
            name = word[2:]
            options[name] = ""
        else:
            options[name] = f"{options[name]} {word}".strip()
    return command, options


def show(answer: Any, options: Options) -> None:
    """Print what the options choose of an answer."""
    chosen = jmespath.search(options["query"], answer) if "query" in options else answer
    if chosen is None:
        return
    if options.get("output") in ("text", "tsv"):
        print("\n".join(map(str, chosen)) if isinstance(chosen, list) else chosen)
    else:
        print(json.dumps(chosen, indent=2, default=str))


def aws(words: Sequence[str]) -> tuple[Any, Options]:
    """One operation of one service."""
    client, method, given, kept = _operation(words)
    answer = getattr(client, method)(**given)
    answer.pop("ResponseMetadata", None)
    return answer or None, kept


def _operation(words: Sequence[str]) -> tuple[Any, str, dict[str, Any], Options]:
    """A client, its method and arguments, and the options that are about the output."""
    import boto3
    from botocore import xform_name

    command, options = parsed(words)
    if len(command) != 2:
        raise Wrong(f"a service and an operation are expected, not {' '.join(command)!r}")
    service, operation = command
    session: Any = boto3.session.Session()
    region = options.pop("region", "") or os.environ.get("AWS_REGION") or "us-east-2"  # else the profile's
    client = session.client({"s3api": "s3"}.get(service, service), region_name=region)
    method = operation.replace("-", "_")
    if method not in client.meta.method_to_api_mapping:
        raise Wrong(f"{service} has no operation {operation}")
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method])
    members = {xform_name(name, "-"): (name, shape) for name, shape in model.input_shape.members.items()}
    kept: Options = {}
    for name in ("query", "output"):
        if name in options:
            kept[name] = options.pop(name)
    if unknown := sorted(options.keys() - members.keys()):
        raise Wrong(f"{service} {operation} has no option --{unknown[0]}")
    given = {members[name][0]: value_of(members[name][1], text) for name, text in options.items()}
    return client, method, given, kept


def value_of(shape: Any, text: str) -> Any:
    """A value as its shape has it: plain, JSON, or AWS's shorthand NAME=VALUE,NAME=VALUE."""
    if text[:1] in "[{" and text:
        return json.loads(text)
    if shape.type_name == "structure":
        pairs = dict(part.split("=", 1) for part in text.split(","))
        if unknown := pairs.keys() - shape.members.keys():
            raise Wrong(f"{shape.name} has no member {min(unknown)}")
        return {name: value_of(shape.members[name], value) for name, value in pairs.items()}
    if shape.type_name == "list":
        return [value_of(shape.member, part) for part in text.split()]
    if shape.type_name == "boolean":
        return {"true": True, "false": False}[text.lower() or "true"]
    return int(text) if shape.type_name in ("integer", "long") else text


def ask(method: str, url: str, body: object = None) -> Any:
    """What the organisation answers; the token is the one that the extension takes too."""
    headers = {"Accept": "application/json;api-version=7.1-preview"}
    token = os.environ["AZURE_DEVOPS_EXT_PAT"]
    answer = requests.request(method, url, json=body, headers=headers, auth=("", token), timeout=300)
    answer.raise_for_status()
    return answer.json()


def _defaults() -> Options:
    """What `az devops configure` keeps: organization and project."""
    return dict(json.loads(_file().read_text(encoding="utf-8")))


def _file() -> Path:
    return Path(os.environ["AZURE_CONFIG_DIR"]) / "defaults.json"


def _configure(options: Options) -> None:
    pairs = dict(part.split("=", 1) for part in options["defaults"].split())
    _file().write_text(json.dumps(pairs), encoding="utf-8")


def _create_project(options: Options) -> Any:
    return ask("POST", f"{_defaults()['organization']}/_apis/projects", {"name": options["name"]})


def _groups(options: Options) -> Any:
    del options
    organization, project = _defaults()["organization"], _defaults()["project"]
    number = ask("GET", f"{organization}/_apis/projects/{project}")["id"]
    scope = ask("GET", f"{organization}/_apis/graph/descriptors/{number}")["value"]
    return {"graphGroups": ask("GET", f"{organization}/_apis/graph/groups?scopeDescriptor={scope}")["value"]}


def _user(options: Options) -> Any:
    users = ask("GET", f"{_defaults()['organization']}/_apis/graph/users")["value"]
    found = [row for row in users if options["user"] in (row["mailAddress"], row["originId"])]
    if not found:
        raise Wrong(f"there is no user {options['user']}")
    return {"id": found[0]["originId"], "user": found[0]}


def _rest(options: Options) -> Any:
    body = json.loads(options["body"]) if "body" in options else None
    return ask(options.get("method", "get").upper(), options["url"], body)


def _token(options: Options) -> Any:
    """Entra's: of who is signed in, for one service."""
    return ask("POST", f"{_defaults()['organization']}/_apis/sandbox/entratokens?resource={options['resource']}")


def _pull_request(options: Options) -> Any:
    organization, project = _defaults()["organization"], _defaults()["project"]

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.strip()

    body = {
        "sourceRefName": f"refs/heads/{git('branch', '--show-current')}",
        "targetRefName": f"refs/heads/{options['target-branch']}",
        "title": options.get("title") or git("log", "-1", "--format=%s"),
    }
    repository = options.get("repository", project)
    return ask("POST", f"{organization}/{project}/_apis/git/repositories/{repository}/pullrequests", body)


# Command -> what it does, and the options that it has besides --query and --output.
AZ: dict[str, tuple[Callable[[Options], Any], set[str]]] = {
    "account get-access-token": (_token, {"resource"}),
    "devops configure": (_configure, {"defaults"}),
    "devops project create": (_create_project, {"name"}),
    "devops security group list": (_groups, set()),
    "devops user show": (_user, {"user"}),
    "rest": (_rest, {"body", "method", "resource", "url"}),
    "repos pr create": (_pull_request, {"repository", "target-branch", "title"}),
}


def az(words: Sequence[str]) -> tuple[Any, Options]:
    """One command of the extension azure-devops."""
    run, options = _command(words)
    return run(options), options


def _command(words: Sequence[str]) -> tuple[Callable[[Options], Any], Options]:
    command, options = parsed(["--output" if word == "-o" else word for word in words])
    if " ".join(command) not in AZ:
        raise Wrong(f"no stand-in for {' '.join(command)!r}: add it to AZ, or mark the command by-hand")
    run, known = AZ[" ".join(command)]
    if unknown := sorted(options.keys() - known - {"query", "output"}):
        raise Wrong(f"{' '.join(command)} has no option --{unknown[0]}")
    return run, options


def wrong(tool: str, words: Sequence[str]) -> str:
    """Why a command line is none that a tool takes; empty where it is one. Nobody is asked."""
    try:
        {"aws": _operation, "az": _command}[tool](words)
    except Wrong as mistake:
        return str(mistake)
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
