"""The settings of the program: read once, checked all together, handed on as one frozen object.

Defaults and descriptions stand in Pulumi.yaml, from where the engine merges them into the stack's configuration; types
and rules stand here. What the pipeline's environment says about the source is read here too, so that its errors are
reported with all others.
"""

import dataclasses
import difflib
import functools
import json
import os
import re
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import pulumi
from pulumi.runtime import config as stack_config

from infra import lifecycle, pipeline_files, source
from infra.job import in_a_job
from infra.key_rotation import NOTICE_DAYS
from infra.rules import (
    ARCHITECTURES,
    Rule,
    is_devops_name,
    is_devops_project_name,
    is_inner_path,
    is_tag_map,
    is_trust,
    is_variable_name,
    matches,
    one_of,
    optional,
    whole_number,
)

CONTENT_TAG = "content-0123456789ab"
"""A tag as `infra.image.plan_build` makes one from a content."""

_IAM_NAME = "letters, digits and +=,.@_-, at most {} characters"
_KMS_KEY = (
    r"arn:aws(-[a-z]+)*:kms:[a-z0-9-]+:\d{12}:key/[0-9a-zA-Z-]+",
    "the ARN of a KMS key (not of an alias), or empty",
    "arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
)
_DEVOPS_PROJECT_RULE = (
    'a name of Azure DevOps: 1 to 64 characters, none of \\ / : * ? " < > | ; # $ { } , + = [ ], '
    "not beginning with _ or ., not ending with ."
)
_DEVOPS_NAME_RULE = '1 to 128 characters, none of \\ / : * ? " < > | ; # $ { } , + = [ ], no blank at the ends'
_VARIABLE_RULE = (
    "letters, digits, '.', '_' and '-', not beginning with endpoint, input, path, secret or securefile, which Azure "
    "Pipelines reserves"
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting, named as its key in Pulumi.yaml but in snake_case; what an empty text means is told there.

    Sources of the rules: the ECR, IAM and KMS API references, the OCI distribution spec (tags), and Azure DevOps'
    naming restrictions (https://learn.microsoft.com/azure/devops/organizations/settings/naming-restrictions).
    """

    declares: Annotated[str, one_of("everything", "foundation", "image")]

    repository_name: Annotated[
        str,
        matches(
            r"(?=.{2,256}$)(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*",
            "2 to 256 lower-case letters, digits and single . _ - / between them",
            "app-one",
        ),
    ]
    image_tag_mutability: Annotated[
        str, one_of("IMMUTABLE", "MUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION")
    ]
    image_tag_mutability_exclusions: Annotated[
        tuple[str, ...],
        Rule(
            lambda patterns: (
                len(patterns) <= 5
                and all(re.fullmatch(r"[0-9a-zA-Z._*-]{1,128}", item) and item.count("*") <= 2 for item in patterns)
            ),
            "a list of at most 5 patterns of 1 to 128 letters, digits and . _ - with at most two *",
            '["content-*"]',
        ),
    ]
    scan_on_push: bool
    encryption_type: Annotated[str, one_of("AES256", "KMS", "KMS_DSSE")]
    kms_key_arn: Annotated[str, optional(*_KMS_KEY)]
    protected_tags: Annotated[
        tuple[str, ...],
        Rule(
            lifecycle.is_patterns,
            "a list of 1 to 20 patterns, each once, of 1 to 128 letters, digits and . _ - with at most four *",
            '["*"]',
        ),
    ]
    lifecycle_rules: Annotated[
        tuple[Mapping[str, Any], ...],
        Rule(
            lifecycle.is_rules,
            "a list of at most 20 {tags, keep} or {tags, days}: a pattern as in protectedTags, each once, and a whole "
            "number from 1 to 100000",
            '[{"tags": "pr-*", "days": 14}]',
        ),
    ]
    keep_images: Annotated[int, whole_number(1, 100_000)]
    expire_untagged_days: Annotated[int, whole_number(1, 3650)]
    force_delete: bool

    iam_path: Annotated[str, matches(r"(?=.{1,512}$)/(?:[!-~]*[!-.0-~]/)?", "/ or a path between two /", "/pipelines/")]
    push_policy_name: Annotated[str, matches(r"[\w+=,.@-]{1,128}", _IAM_NAME.format(128), "app-one-push")]
    push_group_name: Annotated[str, matches(r"[\w+=,.@-]{1,128}", _IAM_NAME.format(128), "app-one-push")]
    push_user_name: Annotated[str, matches(r"[\w+=,.@-]{1,64}", _IAM_NAME.format(64), "app-one-push")]
    permissions_boundary_arn: Annotated[
        str,
        optional(
            r"arn:aws(-[a-z]+)*:iam::(\d{12}|aws):policy/[!-~]+",
            "the ARN of an IAM policy, or empty",
            "arn:aws:iam::123456789012:policy/boundary",
        ),
    ]
    allow_pull: bool
    allow_scan_findings: bool
    access_key_generation: Annotated[int, whole_number(1, 1_000_000)]
    access_key_keep_previous: bool
    access_key_max_age_days: Annotated[
        int, Rule(lambda days: days == 0 or 30 <= days <= 365, "0, or a whole number from 30 to 365", "90")
    ]
    access_key_grace_days: Annotated[int, whole_number(1, 90)]
    access_keys_compromised: Annotated[
        tuple[str, ...],
        Rule(
            lambda ids: len(set(ids)) == len(ids) and all(re.fullmatch(r"AKIA[A-Z0-9]{12,124}", item) for item in ids),
            "a list of ids of access keys, each once",
            '["AKIAIOSFODNN7EXAMPLE"]',
        ),
    ]

    azure_dev_ops_project: Annotated[str, Rule(is_devops_project_name, _DEVOPS_PROJECT_RULE, "app-one")]
    variable_group_name: Annotated[
        str, matches(r"(?=.{1,255}$)[^\s\x00-\x1f](?:[^\x00-\x1f]*[^\s\x00-\x1f])?", "1 to 255 characters", "app-one")
    ]
    access_key_variable: Annotated[str, Rule(is_variable_name, _VARIABLE_RULE, "App-One.AccessKey")]
    secret_key_variable: Annotated[str, Rule(is_variable_name, _VARIABLE_RULE, "App-One.SecretKey")]
    account_variable: Annotated[str, Rule(is_variable_name, _VARIABLE_RULE, "aws_account_number")]
    allow_all_pipelines: bool

    build_context: Annotated[str, Rule(is_inner_path, "a folder inside the project, relative and with /", ".")]
    dockerfile: Annotated[str, Rule(is_inner_path, "a file inside buildContext, relative and with /", "Dockerfile")]
    platform: Annotated[str, one_of(*(f"linux/{architecture}" for architecture in ARCHITECTURES))]
    base_image: Annotated[
        str,
        optional(
            r"[a-z0-9][a-z0-9._:/-]*(:(?!latest(@|$))[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})",
            "an image with a tag other than latest or a digest, or empty",
            "node:24.21.0-bookworm-slim",
        ),
    ]
    base_image_local: bool
    image_tag: Annotated[
        str,
        optional(source.TAG, "a Docker tag: 1 to 128 letters, digits and _ . -, not beginning with . or -", "1.4.2"),
    ]
    """The setting, else the pipeline's build number, else empty: the tag then comes from the content."""
    image_source: Annotated[
        str, optional(r"https?://[^\s@]+", "an http(s) address without user or password", "https://example.com/app-one")
    ]
    """The setting, else the address of the pipeline's repository, else empty."""

    pipeline_enabled: bool
    pipeline_name: Annotated[str, Rule(is_devops_name, _DEVOPS_NAME_RULE, "app-one")]
    pipeline_repository: Annotated[str, Rule(is_devops_project_name, _DEVOPS_PROJECT_RULE, "app-one")]
    pipeline_branch: Annotated[
        str,
        matches(
            # A comma separates the branches of the environment's branch control.
            r"(?!refs/)(?!.*(?:,|\.\.|//|@\{|\.lock$|/\.|[/.]$))[^\s~^:?*\[\\/.-][^\s~^:?*\[\\]{0,243}",
            "a branch as git names it, without refs/heads/ and without a comma",
            "main",
        ),
    ]
    pipeline_yaml: Annotated[str, Rule(is_inner_path, "a file of the repository, relative", "azure-pipelines.yml")]
    required_template: Annotated[
        str,
        Rule(
            lambda value: not value or is_inner_path(value),
            "a file of its repository, relative, or empty",
            "pipelines/templates/run.yml",
        ),
    ]
    required_template_repository: Annotated[
        str,
        Rule(
            lambda value: not value or (value.count("/") == 1 and all(map(is_devops_project_name, value.split("/")))),
            "PROJECT/REPOSITORY as Azure Repos names them, or empty",
            "app-one/app-one-templates",
        ),
    ]
    required_template_ref: Annotated[
        str,
        matches(
            r"refs/(heads|tags)/(?!.*(?:\.\.|//|@\{|\.lock$|/\.|[/.]$))[^\s~^:?*\[\\/.-][^\s~^:?*\[\\]{0,243}",
            "a whole ref, refs/heads/NAME or refs/tags/NAME",
            "refs/heads/trusted",
        ),
    ]
    pipeline_environment: Annotated[str, Rule(is_devops_name, _DEVOPS_NAME_RULE, "app-one-dev")]
    pipeline_approvers: Annotated[
        tuple[str, ...],
        Rule(
            lambda names: (
                names
                and len({name.casefold() for name in names}) == len(names)
                and all(name and name == name.strip() for name in names)
            ),
            "a list of group names or ids, each once",
            '["Project Administrators"]',
        ),
    ]

    pipeline_reviewers: Annotated[int, whole_number(1, 10)]
    pull_request_preview: bool
    pipeline_identity: Annotated[str, one_of("key", "oidc")]
    keep_access_key: bool
    push_role_name: Annotated[str, matches(r"[\w+=,.@-]{1,64}", _IAM_NAME.format(64), "app-one-push")]
    reader_name: Annotated[str, matches(r"[\w+=,.@-]{1,64}", _IAM_NAME.format(64), "app-one-reader")]
    oidc_audience: Annotated[str, matches(r"[!-~]{1,255}", "1 to 255 characters", "api://AzureADTokenExchange")]
    oidc_trust: Annotated[
        tuple[Mapping[str, str], ...],
        Rule(
            is_trust,
            "a list of {issuer, push, reader}: the issuer's https:// address, each once, and the exact subjects (no "
            "wildcard) of the connections that push and that read",
            '[{"issuer": "https://vstoken.dev.azure.com/6f1b4e3a-0000-4000-8000-000000000001", "push": '
            '"sc://acme/app-one/app-one-push", "reader": "sc://acme/app-one/app-one-reader"}]',
        ),
    ]
    image_backend: Annotated[
        str,
        optional(
            r"s3://(?=[^/?]{3,63}(?:[/?]|$))[a-z0-9](?:[a-z0-9-]|\.(?!\.))*[a-z0-9](?:/[\w.-]+)*(?:\?[!-~]*)?|https://[!-~]+",
            "as `pulumi login` takes it, s3://BUCKET/PREFIX?region=... or https://..., or empty",
            "s3://acme-image-state/app-one?region=us-east-2&awssdk=v2",
        ),
    ]
    image_stack: Annotated[
        str, optional(r"[\w.-]{1,100}", "a stack's name: at most 100 letters, digits and _ . -, or empty", "dev-image")
    ]
    state_name: Annotated[str, matches(r"[\w+=,.@-]{1,64}", _IAM_NAME.format(64), "app-one-state")]

    tags: Annotated[
        Mapping[str, str],
        Rule(
            is_tag_map,
            "at most 50 texts by name; names of 1 to 128 and values of at most 256 letters, digits, blanks and "
            "_.:/=+-@, names not beginning with aws:",
            '{"project": "app-one"}',
        ),
    ]

    # Not settings: what the environment of a pipeline says about the source.
    image_revision: str = field(default="", metadata={"environment": True})
    """Commit, or empty."""
    image_created: str = field(default="", metadata={"environment": True})
    """Date of the commit as RFC 3339 in UTC, or empty."""
    keys_as_of: str = field(default="", metadata={"environment": True})
    """Moment as RFC 3339 by which the age of keys is judged, or empty for now."""


class SettingsError(pulumi.RunError):
    """The configuration has errors; the message lists all of them and nothing else has happened yet."""


@dataclass(frozen=True, kw_only=True)
class _Together:
    """A rule on several settings at once; the first of `keys` is the one to change."""

    keys: tuple[str, ...]
    holds: Callable[..., bool]
    """Takes the values of `keys`, by position."""
    rule: str
    example: str


_TOGETHER = (
    _Together(
        keys=("requiredTemplateRef", "pipelineBranch"),
        holds=lambda ref, branch: ref != f"refs/heads/{branch}",
        rule="a run of the branch can be of any commit, and so extend a template of its own",
        example="app-one:requiredTemplateRef refs/heads/trusted, which operators alone move",
    ),
    _Together(
        keys=("imageTagMutabilityExclusions", "imageTagMutability"),
        holds=lambda exclusions, mutability: bool(exclusions) == mutability.endswith("_WITH_EXCLUSION"),
        rule="must have patterns exactly when imageTagMutability ends with _WITH_EXCLUSION",
        example='["content-*"] with app-one:imageTagMutability IMMUTABLE_WITH_EXCLUSION',
    ),
    _Together(
        keys=("kmsKeyArn", "encryptionType"),
        holds=lambda arn, encryption: not arn or encryption != "AES256",
        rule="a key of one's own needs encryptionType KMS or KMS_DSSE",
        example="app-one:encryptionType KMS, or an empty app-one:kmsKeyArn",
    ),
    _Together(
        keys=("scanOnPush", "pipelineEnabled"),
        holds=lambda scan, pipeline: scan or not pipeline,
        rule="the pipeline releases no image that ECR has not scanned",
        example="true",
    ),
    _Together(
        keys=("imageTagMutability", "declares"),
        holds=lambda mutability, declares: declares != "foundation" or mutability == "IMMUTABLE",
        rule="whoever holds the pipeline's key could move a tag that is deployed",
        example="IMMUTABLE",
    ),
    _Together(
        keys=("lifecycleRules", "protectedTags"),
        holds=lambda rules, protected: not rules or "*" not in protected,
        rule="where every tag is protected no other rule expires anything",
        example='app-one:protectedTags ["20*", "content-*"], or no app-one:lifecycleRules',
    ),
    _Together(
        keys=("protectedTags", "imageTag", "declares"),
        holds=lambda protected, tag, declares: (
            declares != "everything" or lifecycle.protects(protected, tag or CONTENT_TAG)
        ),
        rule="what this stack deploys would expire after enough pushes",
        example='["*"], or a pattern that the tag fits (content-* where imageTag is empty)',
    ),
    _Together(
        keys=("imageBackend", "declares"),
        holds=lambda backend, declares: not backend or declares == "foundation",
        rule="only a foundation opens the state of another stack, the image's, to the pipeline",
        example="app-one:declares foundation, or an empty app-one:imageBackend",
    ),
    _Together(
        keys=("oidcTrust", "pipelineIdentity"),
        holds=lambda trust, identity: trust or identity != "oidc",
        rule="must name at least one issuer where runs come with identity tokens",
        example='[{"issuer": "https://vstoken.dev.azure.com/ORGANIZATION-ID", "push": "sc://ORGANIZATION/PROJECT/'
        'app-one-push", "reader": "sc://ORGANIZATION/PROJECT/app-one-reader"}]',
    ),
    _Together(
        keys=("keepAccessKey", "pipelineIdentity"),
        holds=lambda keep, identity: not keep or identity == "oidc",
        rule="with an access key there is nothing else to keep it besides",
        example="false",
    ),
    _Together(
        keys=("readerName", "pushUserName", "pushGroupName", "pushPolicyName", "pushRoleName", "variableGroupName"),
        holds=lambda reader, *names: reader.casefold() not in {name.casefold() for name in names},
        rule="must differ from the names of what pushes, whatever the case",
        example="app-one-reader",
    ),
    _Together(
        keys=("accessKeyKeepPrevious", "accessKeyGeneration"),
        holds=lambda keep, generation: not keep or generation > 1,
        rule="keeping it needs an accessKeyGeneration of 2 or more: generation 1 has no previous key",
        example="false",
    ),
    _Together(
        keys=("accessKeyGraceDays", "accessKeyMaxAgeDays"),
        # A key is replaced NOTICE_DAYS before its end; the one before it is gone by then, since IAM has two places.
        holds=lambda grace, age: not age or NOTICE_DAYS + 2 * grace < age,
        rule=f"twice the grace and {NOTICE_DAYS} days more must be less than accessKeyMaxAgeDays",
        example="7 with app-one:accessKeyMaxAgeDays 90",
    ),
    _Together(
        keys=("secretKeyVariable", "accessKeyVariable", "accountVariable"),
        holds=lambda *names: len({name.casefold() for name in names}) == len(names),
        rule="must differ from accessKeyVariable and accountVariable, and they from each other, whatever the case",
        example="App-One.SecretKey",
    ),
)


def load_settings(project: Path) -> Settings:
    """The settings of the running stack; raises `SettingsError` with all that is wrong.

    project: the program's folder, for what the pipeline's files have to hold.
    """
    namespace = f"{pulumi.get_project()}:"
    values = {**stack_config.get_config_env(), **stack_config.CONFIG.get()}
    own = {key.removeprefix(namespace): value for key, value in values.items() if key.startswith(namespace)}
    secrets = {key for key in own if pulumi.runtime.is_config_secret(namespace + key)}
    return read_settings(own, secrets=secrets, environment=os.environ, namespace=namespace, project=project)


def read_settings(
    values: Mapping[str, str],
    *,
    secrets: Collection[str] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
    namespace: str = "app-one:",
    project: Path | None = None,
) -> Settings:
    """Settings from texts as the engine passes them, lists and maps as JSON; `SettingsError` lists all errors.

    The values of keys in `secrets` are never shown.
    """

    def shown(key: str) -> str:
        return "[secret]" if key in secrets else _shown(values.get(key))

    read: dict[str, Any] = {}
    errors = [_unknown(key, namespace) for key in sorted(set(values) - set(keys()))]
    for key, name in keys().items():
        try:
            read[name] = _read(name, values.get(key))
        except ValueError as problem:
            errors.append(f"{namespace}{key} = {shown(key)}: {problem}")
    for rule in _TOGETHER:
        names = [keys()[key] for key in rule.keys]
        if all(name in read for name in names) and not rule.holds(*(read[name] for name in names)):
            first, *others = (f"{namespace}{key} = {shown(key)}" for key in rule.keys)
            errors.append(f"{first} with {', '.join(others)}: {rule.rule}; for example {rule.example}")
    if project and read.get("pipeline_enabled"):
        for key, text, example in pipeline_files.mismatches(project, read):
            errors.append(f"{namespace}{key} = {shown(key)} with pipelineEnabled: {text}; for example {example}")
    if wrong := _wrong_party(read.get("declares"), environment):
        errors.append(f"{namespace}declares = {shown('declares')}: {wrong}")
    read.update(_from_environment(read, environment, errors))
    if errors:
        count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        lines = [f"  {number}. {error}" for number, error in enumerate(errors, start=1)]
        raise SettingsError("\n".join([f"the configuration has {count}; nothing was changed:", *lines]))
    return Settings(**read)


def _wrong_party(declares: str | None, environment: Mapping[str, str]) -> str:
    """Why this stack is not to be run here; empty where it is."""
    on_agent = in_a_job(environment)
    if on_agent and declares in {"everything", "foundation"}:
        return (
            "a pipeline runs the stack of the image alone, since whoever may write a stack's state may run code as "
            "whoever runs it next; for example image, in a stack of its own (docs/security.md)"
        )
    if not on_agent and declares == "image":
        return (
            "the pipeline may write this stack's state, which would run with your rights here; let the pipeline run "
            "it, or set TF_BUILD=True where that is what you want (docs/security.md)"
        )
    return ""


@functools.cache
def keys() -> dict[str, str]:
    """Field name by configuration key, in the order of the fields."""
    fields = [item for item in dataclasses.fields(Settings) if "environment" not in item.metadata]
    return {re.sub(r"_([a-z])", lambda found: found[1].upper(), item.name): item.name for item in fields}


def rule(key: str) -> str:
    """The rule on a key's value, for the documentation."""
    return _kind_and_rule(keys()[key])[1].text


_hints = functools.cache(typing.get_type_hints)
"""They are texts, which are evaluated anew each time."""


def _kind_and_rule(name: str) -> tuple[Any, Rule]:
    hint = _hints(Settings, include_extras=True)[name]
    return typing.get_args(hint)[:2] if typing.get_origin(hint) is Annotated else (hint, one_of("true", "false"))


def _read(name: str, text: str | None) -> Any:
    """One value, typed and checked; raises ValueError with the rule and an example."""
    kind, rule = _kind_and_rule(name)
    if text is None:
        raise ValueError("is missing; Pulumi.yaml gives every key a default")
    value = _typed(kind, text)
    if value is None or not rule.holds(text if kind is bool else value):
        raise ValueError(f"must be {rule.text}; for example {rule.example}")
    return value


def _typed(kind: Any, text: str) -> Any:
    """`text` as `kind`, or None where it is none."""
    if kind is str:
        return text
    if kind is bool:
        return text == "true"
    if kind is int:
        return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if kind == tuple[str, ...]:
        return tuple(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else None
    if kind in (tuple[Mapping[str, str], ...], tuple[Mapping[str, Any], ...]):
        mappings = isinstance(value, list) and all(isinstance(item, dict) for item in value)
        return tuple(MappingProxyType(item) for item in value) if mappings else None
    return MappingProxyType(value) if isinstance(value, dict) else None


def _from_environment(
    read: Mapping[str, Any], environment: Mapping[str, str], errors: list[str]
) -> Iterator[tuple[str, str]]:
    """What the pipeline's environment fills in; its errors are added to `errors`."""
    sources: list[tuple[str, str, Callable[[str], str]]] = [
        ("image_revision", "BUILD_SOURCEVERSION", source.revision),
        ("image_created", "SOURCE_DATE_EPOCH", source.created),
        ("keys_as_of", "KEYS_AS_OF", source.moment),
    ]
    # A setting comes first, so the environment's value is not even looked at.
    if not read.get("image_tag", "?"):
        sources.append(("image_tag", "BUILD_BUILDNUMBER", source.tag_of_build_number))
    if not read.get("image_source", "?"):
        sources.append(("image_source", "BUILD_REPOSITORY_URI", source.address))
    for name, variable, convert in sources:
        text = environment.get(variable, "")
        if text:
            try:
                yield name, convert(text)
            except ValueError as problem:
                errors.append(f"{variable} = {_shown(text)}: {problem}")


def _unknown(key: str, namespace: str) -> str:
    near = difflib.get_close_matches(key, keys(), n=1, cutoff=0.6)
    return f"{namespace}{key}: there is no such setting" + (f"; did you mean {namespace}{near[0]}?" if near else "")


def _shown(text: str | None) -> str:
    shown = json.dumps(text, ensure_ascii=False)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
