"""The settings: every error of a configuration at once, each with its key, value, rule and a right example."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import job, pipeline_files, settings
from infra.settings import SettingsError, read_settings
from pipelines import surroundings

ROOT = Path(__file__).parents[3]
DECLARED: dict[str, dict[str, Any]] = yaml.load((ROOT / "Pulumi.yaml").read_text(), yaml.CSafeLoader)["config"]


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def read(changed: Mapping[str, Any], **options: Any) -> settings.Settings:
    values = {key: as_text(entry["default"]) for key, entry in DECLARED.items()}
    return read_settings({**values, **{key: as_text(value) for key, value in changed.items()}}, **options)


def errors(changed: Mapping[str, Any], **options: Any) -> list[str]:
    """The numbered lines of the one error."""
    with pytest.raises(SettingsError) as failed:
        read(changed, **options)
    head, *lines = str(failed.value).splitlines()
    assert head == (
        "the configuration has 1 error; nothing was changed:"
        if len(lines) == 1
        else f"the configuration has {len(lines)} errors; nothing was changed:"
    )
    assert [line.split(".")[0].strip() for line in lines] == [str(number + 1) for number in range(len(lines))]
    return [line.split(". ", 1)[1] for line in lines]


KEY = "arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
TRUST = [
    {
        "issuer": "https://vstoken.dev.azure.com/6f1b4e3a-0000-4000-8000-000000000001",
        "push": "sc://acme/app-one/app-one-push",
        "reader": "sc://acme/app-one/app-one-reader",
    },
    {
        "issuer": "https://login.microsoftonline.com/6f1b4e3a-0000-4000-8000-000000000002/v2.0",
        "push": "/eid1/c/pub/t/AAA/a/BBB/sc/6f1b/1",
        "reader": "/eid1/c/pub/t/AAA/a/BBB/sc/6f1b/2",
    },
]
BAD: list[tuple[str, Any, str]] = [
    ("declares", "all", "one of everything, foundation, image"),
    ("repositoryName", "App-One", "lower-case"),
    ("repositoryName", "a", "2 to 256"),
    ("repositoryName", "app__-one", "single"),
    ("repositoryName", "app-one/", "between them"),
    ("imageTagMutability", "immutable", "one of IMMUTABLE, MUTABLE"),
    ("imageTagMutabilityExclusions", "content-*", "a list"),
    ("imageTagMutabilityExclusions", ["*a*b*"], "at most two *"),
    ("imageTagMutabilityExclusions", [1], "a list"),
    ("scanOnPush", "yes", "one of true, false"),
    ("encryptionType", "AES-256", "one of AES256, KMS, KMS_DSSE"),
    ("kmsKeyArn", "alias/ecr", "the ARN of a KMS key"),
    ("protectedTags", [], "a list of 1 to 20 patterns"),
    ("protectedTags", ["v*", "v*"], "each once"),
    ("protectedTags", ["*a*b*c*d*"], "at most four *"),
    ("protectedTags", ["v 1"], "letters, digits"),
    ("lifecycleRules", [{"tags": "pr-*"}], "{tags, keep} or {tags, days}"),
    ("lifecycleRules", [{"tags": "pr-*", "keep": 1, "days": 1}], "{tags, keep} or {tags, days}"),
    ("lifecycleRules", [{"tags": "pr-*", "keep": 0}], "from 1 to 100000"),
    ("lifecycleRules", [{"tags": "pr-*", "days": True}], "from 1 to 100000"),
    ("lifecycleRules", [{"tags": ["pr-*"], "days": 1}], "a pattern"),
    ("lifecycleRules", [{"tags": "pr-*", "days": 1}, {"tags": "pr-*", "keep": 1}], "each once"),
    ("keepImages", 0, "a whole number from 1 to 100000"),
    ("keepImages", "many", "a whole number from 1 to 100000"),
    ("keepImages", "3.0", "a whole number"),
    ("expireUntaggedDays", -1, "a whole number from 1 to 3650"),
    ("iamPath", "pipelines", "between two /"),
    ("iamPath", "//", "between two /"),
    ("pushPolicyName", "push policy", "letters, digits"),
    ("pushGroupName", "", "letters, digits"),
    ("pushUserName", "u" * 65, "at most 64"),
    ("pushUserName", "zoë", "letters, digits"),
    ("permissionsBoundaryArn", "boundary", "the ARN of an IAM policy"),
    ("accessKeyGeneration", 0, "a whole number from 1"),
    ("accessKeyMaxAgeDays", 29, "0, or a whole number from 30"),
    ("accessKeyGraceDays", 0, "a whole number from 1 to 90"),
    ("accessKeysCompromised", ["the old one"], "a list of ids of access keys"),
    ("azureDevOpsProject", "_apis", "not beginning with _"),
    ("azureDevOpsProject", "a/b", "none of"),
    ("variableGroupName", " ", "1 to 255"),
    ("accessKeyVariable", "App One", "letters, digits"),
    ("secretKeyVariable", "secretKey", "not beginning with endpoint"),
    ("buildContext", "../elsewhere", "inside the project"),
    ("buildContext", "/srv/app", "inside the project"),
    ("dockerfile", "docker\\Dockerfile", "inside buildContext"),
    ("platform", "linux/amd46", "one of linux/amd64"),
    ("baseImage", "node", "a tag other than latest"),
    ("baseImage", "node:latest", "a tag other than latest"),
    ("imageTag", "-1", "a Docker tag"),
    ("imageTag", "a+b", "a Docker tag"),
    ("imageSource", "https://me:word@example.com", "without user or password"),
    ("pipelineName", "a:b", "1 to 128 characters"),
    ("pipelineRepository", "_shop", "not beginning with _"),
    ("pipelineBranch", "refs/heads/main", "without refs/heads/"),
    ("pipelineBranch", "a..b", "as git names it"),
    ("pipelineBranch", "main,feature", "without a comma"),
    ("pipelineYaml", "../azure-pipelines.yml", "a file of the repository"),
    ("requiredTemplate", "../run.yml", "a file of its repository"),
    ("requiredTemplateRepository", "guard", "PROJECT/REPOSITORY"),
    ("requiredTemplateRef", "trusted", "a whole ref"),
    ("requiredTemplateRef", "refs/heads/a..b", "a whole ref"),
    ("pipelineEnvironment", "", "1 to 128 characters"),
    ("pipelineApprovers", [], "a list of group names or ids"),
    ("pipelineReviewers", 0, "a whole number from 1 to 10"),
    ("pipelineIdentity", "OIDC", "one of key, oidc"),
    ("pushRoleName", "push role", "letters, digits"),
    ("readerName", "", "letters, digits"),
    ("oidcAudience", "", "1 to 255 characters"),
    ("oidcTrust", {}, "a list of {issuer, push, reader}"),
    ("oidcTrust", [{"issuer": "https://a.b"}], "a list of {issuer, push, reader}"),
    ("oidcTrust", [{"issuer": "http://a.b", "push": "sc://a/b/c", "reader": "sc://a/b/d"}], "https:// address"),
    ("oidcTrust", [{"issuer": "https://a.b", "push": "sc://a/b/*", "reader": "sc://a/b/d"}], "no wildcard"),
    ("oidcTrust", [{"issuer": "https://a.b", "push": "sc://a/b/c", "reader": "sc://a/b/c"}], "exact subjects"),
    ("oidcTrust", [{"issuer": "https://a.b", "push": "x", "reader": "y"}] * 2, "each once"),
    ("imageBackend", "file:///tmp", "as `pulumi login` takes it"),
    ("imageBackend", "s3://Acme", "s3://BUCKET/PREFIX"),
    ("imageStack", "dev image", "a stack's name"),
    ("stateName", "state policy", "letters, digits"),
    ("tags", {"aws:owner": "me"}, "not beginning with aws:"),
    ("tags", {"owner": "a&b"}, "at most 50"),
    ("tags", {"cost": 12}, "texts"),
    ("tags", ["a"], "texts"),
    ("tags", {str(number): "" for number in range(51)}, "at most 50"),
]


@pytest.mark.parametrize(("key", "value", "rule"), BAD)
def test_a_bad_value_is_named_with_its_rule_and_a_right_example(key: str, value: Any, rule: str) -> None:
    (error,) = errors({key: value})
    shown = json.dumps(as_text(value), ensure_ascii=False)
    assert error.startswith(f"app-one:{key} = {shown[:77]}")
    assert rule in error
    example = error.rpartition("; for example ")[2]
    assert not [line for line in errors_of({key: example}) if settings.rule(key) in line]


def errors_of(changed: Mapping[str, Any]) -> list[str]:
    try:
        read(changed)
    except SettingsError as failed:
        return [line.split(". ", 1)[1] for line in str(failed).splitlines()[1:]]
    return []


def test_all_errors_of_a_configuration_come_at_once() -> None:
    changed = {key: value for key, value, _ in BAD}
    found = errors({**changed, "keepImagse": "5"}, environment={"SOURCE_DATE_EPOCH": "yesterday"})
    assert len(found) == len(changed) + 2
    for key in changed:
        assert sum(error.startswith(f"app-one:{key} =") for error in found) == 1


def test_an_unknown_key_is_an_error_that_names_the_nearest_one_and_not_the_value() -> None:
    assert errors({"keepImagse": "hunter2"}) == [
        "app-one:keepImagse: there is no such setting; did you mean app-one:keepImages?"
    ]
    assert errors({"zzz": "hunter2"}) == ["app-one:zzz: there is no such setting"]


def test_a_secret_value_is_never_shown() -> None:
    (error,) = errors({"imageTag": "hunter 2"}, secrets={"imageTag"})
    assert error.startswith("app-one:imageTag = [secret]: must be a Docker tag")


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"}, "imageTagMutabilityExclusions"),
        ({"imageTagMutabilityExclusions": ["content-*"]}, "imageTagMutabilityExclusions"),
        ({"lifecycleRules": [{"tags": "pr-*", "days": 14}]}, "lifecycleRules"),
        ({"protectedTags": ["20*"]}, "protectedTags"),
        ({"protectedTags": ["20*"], "imageTag": "1.4.2"}, "protectedTags"),
        ({"kmsKeyArn": KEY}, "kmsKeyArn"),
        ({"accessKeyKeepPrevious": True}, "accessKeyKeepPrevious"),
        ({"accessKeyMaxAgeDays": 90, "accessKeyGraceDays": 38}, "accessKeyGraceDays"),
        ({"imageBackend": "s3://acme-image-state"}, "imageBackend"),
        ({"pipelineIdentity": "oidc"}, "oidcTrust"),
        ({"keepAccessKey": True}, "keepAccessKey"),
        ({"readerName": "App-One-Push"}, "readerName"),
        ({"accessKeyVariable": "app-one.secretkey"}, "secretKeyVariable"),
    ],
)
def test_settings_that_do_not_go_together_are_an_error(changed: dict[str, Any], key: str) -> None:
    (error,) = errors(changed)
    assert error.startswith(f"app-one:{key} = ")
    assert "; for example " in error
    for name, value in changed.items():
        assert f"app-one:{name} = {json.dumps(as_text(value))}"[:77] in error
    (error,) = errors(changed, secrets=set(changed))
    for name, value in changed.items():
        assert f"app-one:{name} = [secret]" in error
        assert f"= {json.dumps(as_text(value))}" not in error.replace("for example", "")


def test_settings_that_do_not_go_together_are_shown_with_their_values() -> None:
    (error,) = errors({"kmsKeyArn": KEY})
    assert error == (
        f'app-one:kmsKeyArn = "{KEY}" with app-one:encryptionType = "AES256": '
        "a key of one's own needs encryptionType KMS or KMS_DSSE; "
        "for example app-one:encryptionType KMS, or an empty app-one:kmsKeyArn"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"repositoryName": "team-1/app_one.web"},
        {"imageTagMutability": "MUTABLE_WITH_EXCLUSION", "imageTagMutabilityExclusions": ["v*"]},
        {"protectedTags": ["v*", "content-*"], "lifecycleRules": [{"tags": "pr-*", "days": 14}]},
        {"protectedTags": ["1.*"], "imageTag": "1.4.2"},
        {"encryptionType": "KMS_DSSE", "kmsKeyArn": KEY},
        {"encryptionType": "KMS", "kmsKeyArn": KEY.replace("arn:aws:", "arn:aws-us-gov:")},
        {"iamPath": "/a/b/"},
        {"platform": "linux/arm/v7"},
        {"baseImage": "node:24.21.0-bookworm-slim@sha256:" + "0" * 64},
        {"baseImage": "registry.example.com:5000/node@sha256:" + "0" * 64},
        {"azureDevOpsProject": "Shop (new)"},
        {"tags": {"Größe": "", "a/b:c": "x y"}},
        {"pipelineBranch": "release/1.x", "pipelineApprovers": ["Release Managers (new)"]},
        {"imageBackend": "s3://acme.pulumi-state/team_1/app.one?region=us-east-2", "declares": "foundation"},
        {"imageBackend": "https://api.pulumi.com", "declares": "foundation"},
        {"pipelineIdentity": "oidc", "keepAccessKey": True, "oidcTrust": TRUST},
        {"buildContext": "app", "dockerfile": "docker/Dockerfile"},
    ],
)
def test_the_edges_of_what_is_allowed_are_allowed(changed: dict[str, Any]) -> None:
    read(changed)


def test_values_are_typed_and_frozen() -> None:
    found = read({"keepImages": "12", "scanOnPush": "false", "tags": {"a": "b"}})
    assert (found.keep_images, found.scan_on_push, found.tags) == (12, False, {"a": "b"})
    with pytest.raises(AttributeError):
        found.keep_images = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        found.tags["a"] = "c"  # type: ignore[index]


def test_a_missing_key_is_an_error() -> None:
    with pytest.raises(SettingsError, match=r"app-one:repositoryName = null: is missing"):
        read_settings({})


# --- what the pipeline's environment says ---


@pytest.mark.parametrize(
    ("number", "tag"),
    [
        ("20261123.4", "20261123.4"),
        ("1.2.3+45", "1.2.3_45"),
        ("Release 7", "Release-7"),
        ("main_12-a", "main_12-a"),
    ],
)
def test_a_build_number_becomes_a_legal_tag(number: str, tag: str) -> None:
    assert read({}, environment={"BUILD_BUILDNUMBER": number}).image_tag == tag


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("1+2_3", "cannot tell apart"),
        ("a b-c", "cannot tell apart"),
        ("a#b", "has #"),
        ("größe", "has ß ö"),
        (".1", "not begin with"),
        ("-1", "not begin with"),
        ("+" * 129, "1 to 128"),
    ],
)
def test_a_build_number_that_would_lose_its_meaning_is_an_error_with_a_remedy(number: str, why: str) -> None:
    (error,) = errors({}, environment={"BUILD_BUILDNUMBER": number})
    assert error.startswith("BUILD_BUILDNUMBER = ")
    assert why in error
    assert error.endswith("set imageTag")


def test_no_two_build_numbers_without_a_replacement_character_share_a_tag() -> None:
    numbers = ["1+2", "1 2", "1-2", "1_2", "1.2", "12"]
    tags: dict[str, list[str]] = {}
    for number in numbers:
        tags.setdefault(read({}, environment={"BUILD_BUILDNUMBER": number}).image_tag, []).append(number)
    # Only numbers that are written in different ways, which one pipeline does not do, can meet.
    assert tags == {"1_2": ["1+2", "1_2"], "1-2": ["1 2", "1-2"], "1.2": ["1.2"], "12": ["12"]}


def test_a_set_tag_comes_before_the_build_number_even_before_a_bad_one() -> None:
    assert read({"imageTag": "7"}, environment={"BUILD_BUILDNUMBER": "a#b"}).image_tag == "7"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BUILD_SOURCEVERSION", "main"),
        ("SOURCE_DATE_EPOCH", "2026-11-23"),
        ("KEYS_AS_OF", "tomorrow"),
        ("BUILD_REPOSITORY_URI", "git@example.com:app-one"),
    ],
)
def test_a_bad_value_of_the_environment_is_named(variable: str, value: str) -> None:
    (error,) = errors({}, environment={variable: value})
    assert error.startswith(f'{variable} = "{value}": must be ')


def test_credentials_in_the_repositorys_address_do_not_reach_the_image() -> None:
    environment = {"BUILD_REPOSITORY_URI": "https://me:token@dev.azure.com/acme/_git/shop"}
    assert read({}, environment=environment).image_source == "https://dev.azure.com/acme/_git/shop"


# --- the program ---


def test_a_bad_configuration_stops_the_program_before_any_resource(refusal: Callable[..., str], recording: Any) -> None:
    bad = {f"app-one:{key}": value for key, value, _ in BAD}
    assert f"{len(bad)} errors" in refusal(bad, program=recording)
    assert recording.resources == []
    assert recording.calls == []


# Each of another kind; all of them at once, and two alone, through the real engine: tests/end_to_end/test_program.py.
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("repositoryName", "App_One!"),
        ("imageTagMutability", "SOMETIMES"),
        ("scanOnPush", "perhaps"),
        ("encryptionType", "ROT13"),
        ("kmsKeyArn", "not-an-arn"),
        ("keepImages", "0"),
        ("expireUntaggedDays", "-1"),
        ("forceDelete", "yes please"),
        ("iamPath", "no/slashes"),
        ("pushPolicyName", "a name with spaces"),
        ("pushGroupName", "group/slash"),
        ("pushUserName", "x" * 65),
        ("permissionsBoundaryArn", "arn:oops"),
        ("accessKeyGeneration", "0"),
        ("accessKeyVariable", "a$(b)"),
        ("variableGroupName", ""),
        ("platform", "windows"),
        ("imageTag", "bad tag"),
        ("dockerfile", "../Dockerfile"),
        ("keepImagse", "3"),
    ],
)
def test_each_bad_setting_alone_stops_the_program_before_any_resource(
    refusal: Callable[..., str], recording: Any, key: str, value: str
) -> None:
    assert f"app-one:{key}" in refusal({f"app-one:{key}": value}, program=recording)
    assert recording.resources == []
    assert recording.calls == []


def test_the_program_masks_what_the_engine_marks_as_secret(refusal: Callable[..., str]) -> None:
    assert "hunter" not in refusal({"app-one:imageTag": "hunter 2"}, secret_keys=["app-one:imageTag"])


def test_keys_of_other_namespaces_are_not_the_programs_business(run_program: Callable[..., Any]) -> None:
    run_program({"aws:region": "us-east-2", "azuredevops:orgServiceUrl": "https://dev.azure.com/acme"})


# --- what the pipeline's files hold ---


@pytest.mark.parametrize(
    ("key", "value", "example"),
    [
        ("accessKeyVariable", "Shop.AccessKey", "App-One.AccessKey"),
        ("secretKeyVariable", "Shop.SecretKey", "App-One.SecretKey"),
        ("accountVariable", "account", "aws_account_number"),
        ("pipelineBranch", "release", "main"),
        ("pipelineBranch", "mai", "main"),
        ("variableGroupName", "app-two", "app-one"),
        ("pipelineEnvironment", "app-two-dev", "app-one-dev"),
    ],
)
def test_a_name_that_the_pipelines_files_do_not_hold_is_an_error_with_the_pipeline(
    key: str, value: str, example: str
) -> None:
    (error,) = errors({key: value, "pipelineEnabled": True}, project=ROOT)
    assert error.startswith(f'app-one:{key} = "{value}" with pipelineEnabled: azure-pipelines.yml and its templates ')
    assert error.endswith(f"; for example {example}")
    read({key: value}, project=ROOT)


def test_the_names_of_key_and_secret_are_not_the_other_way_round() -> None:
    swapped = {"accessKeyVariable": "App-One.SecretKey", "secretKeyVariable": "App-One.AccessKey"}
    first, second = errors({**swapped, "pipelineEnabled": True}, project=ROOT)
    assert "never read $(App-One.SecretKey) as AWS_ACCESS_KEY_ID" in first
    assert "never read $(App-One.AccessKey) as AWS_SECRET_ACCESS_KEY" in second
    assert errors({"accessKeyVariable": "private", "pipelineEnabled": True}, project=ROOT), "another variable of theirs"


def test_the_defaults_fit_the_pipelines_files_and_changed_files_fit_changed_names(tmp_path: Path) -> None:
    read({"pipelineEnabled": True}, project=ROOT)
    (tmp_path / "steps").mkdir()
    (tmp_path / "azure-pipelines.yml").write_text(
        "resources: {repositories: [{repository: own, name: app-one/app-one, ref: refs/heads/trusted}]}\n"
        "extends: {template: pipelines/templates/run.yml@own}"
    )
    (tmp_path / "pipelines/templates").mkdir(parents=True)
    (tmp_path / "pipelines/templates/run.yml").write_text(
        "stages: [{template: /steps/a.yml}, {template: far.yml@other}]"
    )
    (tmp_path / "steps/a.yml").write_text("steps: [{template: b.yml}, {template: /azure-pipelines.yml}]")
    held = "- {bash: deploy refs/heads/release, env: {A: $(my.id), B: $(my.key), C: $(my.account)}, group: my-$(stage)}"
    (tmp_path / "steps/b.yml").write_text(f"steps:\n{held}\n")
    changed = {
        "accessKeyVariable": "my.id",
        "secretKeyVariable": "my.key",
        "accountVariable": "my.account",
        "variableGroupName": "my-group",
        "pipelineEnvironment": "my-environment",
        "pipelineBranch": "release",
        "pipelineEnabled": True,
    }
    read(changed, project=tmp_path)
    assert len(errors({"pipelineEnabled": True}, project=tmp_path)) == 6


OWN = ("app-one/app-one", "refs/heads/trusted")
EXTENDING = """
    resources: {repositories: [{repository: t, type: git, name: NAME, ref: REF}]}
    extends: {template: FILE@t}
"""


@pytest.mark.parametrize(
    ("text", "changes", "said"),
    [
        ("stages: []", {}, {"requiredTemplate": "extends no template"}),
        ("extends: {template: pipelines/templates/run.yml}", {}, {"Repository": "its own commit", "Ref": "its own"}),
        ((OWN[0], "refs/tags/1", "run.yml"), {"requiredTemplate": "run.yml"}, {"Ref": "extends refs/tags/1, and"}),
        ((*OWN, "go.yml"), {}, {"requiredTemplate": "extends go.yml, and its runs"}),
        ((*OWN, "run.yml"), {"requiredTemplate": "run.yml"}, {}),
        (("app-one", OWN[1], "run.yml"), {"requiredTemplate": "run.yml"}, {"Repository": "extends app-one, and"}),
        (
            ("APP-ONE/app-one", OWN[1], "run.yml"),
            {"requiredTemplate": "run.yml"},
            {"Repository": "extends APP-ONE/app-one, and"},
        ),
        (
            ("tools/guard", "refs/tags/1", "run.yml"),
            {
                "requiredTemplate": "run.yml",
                "requiredTemplateRepository": "tools/guard",
                "requiredTemplateRef": "refs/tags/1",
            },
            {},
        ),
        ("stages: []", {"requiredTemplate": ""}, {}),
    ],
)
def test_the_pipelines_file_extends_what_its_runs_have_to_extend(
    text: str | tuple[str, str, str], changes: dict[str, str], said: dict[str, str], tmp_path: Path
) -> None:
    if isinstance(text, tuple):
        name, ref, file = text
        text = EXTENDING.replace("NAME", name).replace("REF", ref).replace("FILE", file)
    (tmp_path / "azure-pipelines.yml").write_text(text, encoding="utf-8")
    try:
        read({"pipelineEnabled": True, **changes}, project=tmp_path)
        found = []
    except settings.SettingsError:
        found = errors({"pipelineEnabled": True, **changes}, project=tmp_path)
    about = [error for error in found if error.startswith("app-one:requiredTemplate")]
    assert len(about) == len(said), found
    for error, (key, words) in zip(about, said.items(), strict=True):
        assert key in error.partition(" = ")[0]
        assert words in error


def test_files_that_are_not_here_cannot_be_compared(tmp_path: Path) -> None:
    read({"accessKeyVariable": "other", "pipelineEnabled": True}, project=tmp_path)


def test_a_foundations_tags_cannot_be_moved_and_a_pipelines_images_are_scanned() -> None:
    for mutability in ("MUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION"):
        exclusions = {"imageTagMutabilityExclusions": ["content-*"]} if mutability != "MUTABLE" else {}
        (error,) = errors({"declares": "foundation", "imageTagMutability": mutability, **exclusions})
        assert error.startswith(f'app-one:imageTagMutability = "{mutability}" with app-one:declares = "foundation": ')
        assert "could move a tag that is deployed; for example IMMUTABLE" in error
    (error,) = errors({"pipelineEnabled": True, "scanOnPush": False})
    assert error.startswith('app-one:scanOnPush = "false" with app-one:pipelineEnabled = "true": ')


# --- who runs which stack ---


@pytest.mark.parametrize(
    ("declares", "environment", "said"),
    [
        ("everything", {"TF_BUILD": "True"}, "a pipeline runs the stack of the image alone"),
        ("foundation", {"TF_BUILD": "true"}, "a pipeline runs the stack of the image alone"),
        # Whoever queues a run may say so, and it is a job all the same.
        ("foundation", {"TF_BUILD": "False", "AGENT_ID": "7"}, "a pipeline runs the stack of the image alone"),
        ("everything", {"AGENT_JOBNAME": "deploy"}, "a pipeline runs the stack of the image alone"),
        ("image", {}, "let the pipeline run it"),
    ],
)
def test_each_party_runs_its_own_stack(declares: str, environment: dict[str, str], said: str) -> None:
    (error,) = errors({"declares": declares}, environment=environment)
    assert error.startswith(f'app-one:declares = "{declares}": ')
    assert said in error
    for right, where in (("image", {"TF_BUILD": "True"}), ("foundation", {}), ("everything", {})):
        read({"declares": right}, environment=where)


def test_program_and_steps_know_a_job_by_the_same_marks() -> None:
    assert job.MARKS == surroundings.MARKS
    for name in (*job.MARKS, "BUILD_BUILDID"):
        assert job.in_a_job({name: ""}) is surroundings.in_a_job({name: ""}) is (name in job.MARKS)


# --- one truth ---


def test_pulumi_yaml_declares_exactly_the_settings_each_with_default_and_description() -> None:
    assert set(DECLARED) == set(settings.keys())
    for key, entry in DECLARED.items():
        assert set(entry) == {"default", "description"}, key
        assert entry["description"].endswith("."), key


def test_the_defaults_are_right_by_their_own_rules() -> None:
    read({})


def test_the_documentation_has_every_setting_with_its_default_and_description() -> None:
    rows = {}
    for line in (ROOT / "docs" / "settings.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.replace("\\|", "¦").strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 4:
            rows[cells[0].strip("`")] = cells[1:]
    assert list(rows) == list(DECLARED)
    for key, (default, meaning, rule) in rows.items():
        shown = as_text(DECLARED[key]["default"])
        assert default == (f"`{shown}`" if shown else "empty"), key
        assert meaning == DECLARED[key]["description"], key
        assert rule.replace("¦", "|") == settings.rule(key), key


def test_the_readme_lists_every_setting_with_its_default_and_description() -> None:
    section = (ROOT / "README.md").read_text().partition("\n## Settings\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    assert [row[0].strip("`") for row in rows] == list(DECLARED)
    for name, default, meaning in rows:
        shown = as_text(DECLARED[name.strip("`")]["default"])
        assert default == (f"`{shown}`" if shown else "empty"), name
        assert meaning == DECLARED[name.strip("`")]["description"], name


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("$(Date:yyyyMMdd)$(Rev:.r)", "20261127.1"),
        ("$(Date:yy.MM.dd)-$(Rev:rr)", "26.11.27-1"),
        ("v$(major).$(Rev:r)_$(SourceBranchName)", "vx.1_x"),
        (None, "20261127.1"),
    ],
)
def test_a_build_number_is_made_as_the_pipeline_names_its_runs(name: str | None, number: str) -> None:
    assert pipeline_files.build_number({"name": name} if name else {}) == number


def test_with_the_pipeline_its_build_numbers_are_protected() -> None:
    foundation = {"declares": "foundation", "pipelineEnabled": True}
    (error,) = errors({**foundation, "protectedTags": ["content-*"]}, project=ROOT)
    assert error.startswith('app-one:protectedTags = "[\\"content-*\\"]" with pipelineEnabled: the images of azure-pip')
    assert "tagged as 20261127.1, would expire after enough pushes" in error
    read({**foundation, "protectedTags": ["20*"]}, project=ROOT)
