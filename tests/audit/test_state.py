"""`audit state`: a checkpoint of its program passes, and nothing on which an engine would act differently does."""

from __future__ import annotations

import copy
import gzip
import json
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from audit.checkpoint import records
from audit.checkpoint.settings import read_yaml
from audit.command import COMMANDS, entry
from audit.errors import AuditError
from audit.report.catalogue import STATE
from tests.audit import checkpoints as c
from tests.audit.fuzzing import ODD
from tests.audit.test_drift_formats import ATTACK, Elements, schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


CHECKOUT = Path(__file__).parents[2]
SCHEMA = jsonschema.Draft202012Validator(schema("state"))


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Runs the command on a checkpoint; gives its exit code and its findings, or the error's text."""
    for name in ("PULUMI_BACKEND_URL", "PULUMI_STACK"):
        monkeypatch.delenv(name, raising=False)

    def run(document: Any = None, *options: str, where: str | None = None) -> tuple[int, Any]:
        path = c.write(tmp_path / "shop", document)
        folder = str(tmp_path / "shop")
        stack = [] if "--stack" in options else ["--stack", "prod"]
        arguments = ["--program", folder, "--expect", f"{folder}/expect.yml", *stack, "--format", "json", *options]
        code = entry(["state", where or str(path), *arguments])
        printed = capsys.readouterr()
        if not printed.out:
            assert code == 2
            assert printed.err.startswith("audit: ")
            assert printed.err.count("\n") == 1
            return code, printed.err
        return code, json.loads(printed.out)

    return run


def rules(report: dict[str, Any]) -> list[str]:
    return [finding["rule"] for finding in report["findings"]]


def test_a_checkpoint_of_the_program_passes(judged: Callable[..., Any]) -> None:
    SCHEMA.check_schema(SCHEMA.schema)
    code, report = judged()
    assert (code, report["findings"]) == (0, [])
    assert [row["status"] for row in report["resources"]] == ["same"] * 7
    SCHEMA.validate(report)


@pytest.mark.parametrize(
    "document",
    [
        {"version": 3, "deployment": c.latest(c.checkpoint())},
        {"version": 4, "features": [], "deployment": c.latest(c.checkpoint())},
        gzip.compress(json.dumps(c.checkpoint()).encode()),
    ],
    ids=["export", "version 4", "gzipped"],
)
def test_every_form_of_a_checkpoint_is_read(judged: Callable[..., Any], document: Any) -> None:
    assert judged(document)[0] == 0


@pytest.mark.parametrize(
    "document",
    [
        {"version": 3, "checkpoint": {"stack": "organization/shop/prod"}},
        {"version": 3, "checkpoint": {"stack": "organization/shop/prod", "latest": None}},
        {"version": 3, "deployment": {"manifest": None, "secrets_providers": None, "resources": None}},
    ],
)
def test_a_stack_that_was_never_updated_passes(judged: Callable[..., Any], document: Any) -> None:
    code, report = judged(document)
    assert (code, report["findings"]) == (0, [])
    assert "The stack has no resources." in report["notes"]


def on(urn: str, /, **fields: Any) -> Callable[[dict[str, Any]], None]:
    """A change of a record's fields."""
    return lambda document: c.record(document, urn).update(fields)


def into(urn: str, side: str, /, **fields: Any) -> Callable[[dict[str, Any]], None]:
    """A change of a record's properties."""
    return lambda document: c.record(document, urn)[side].update(fields)


def of_all(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: c.latest(document).update(fields)


def added(*raws: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    return lambda document: c.latest(document)["resources"].extend(raws)


BUCKET = c.resources()[3]
FOREIGN = {**BUCKET, "urn": f"{c.PREFIX}aws:s3/bucket:Bucket::payroll", "id": "payroll", "parent": c.ROOT}
OTHER_PROVIDER = {**c.resources()[1], "urn": f"{c.PREFIX}pulumi:providers:aws::default_7_1_0_https_//x", "id": "2"}
SEEN = {"secret": "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcd"}
MUTATIONS: dict[str, tuple[str, Callable[[dict[str, Any]], object]]] = {
    # what an engine would fetch or run
    "a download address": (
        "state-foreign-code",
        into(c.PROVIDER, "inputs", __internal={"pluginDownloadURL": "https://evil.example"}),
    ),
    "a download address, as of old": (
        "state-foreign-code",
        into(c.PROVIDER, "inputs", pluginDownloadURL="https://evil.example"),
    ),
    "a download address in the outputs": (
        "state-foreign-code",
        into(c.PROVIDER, "outputs", pluginDownloadURL="https://evil.example"),
    ),
    "checksums": (
        "state-foreign-code",
        into(c.PROVIDER, "inputs", __internal={"pluginChecksums": {"linux-amd64": "00"}}),
    ),
    "parameters": ("state-foreign-code", into(c.PROVIDER, "inputs", __internal={"parameterization": "e30="})),
    "another plugin's name": ("state-foreign-code", into(c.PROVIDER, "inputs", __internal={"name": "evil"})),
    "variables of the environment": (
        "state-foreign-code",
        into(c.PROVIDER, "inputs", __internal={"envVarMappings": {"AWS_SECRET_ACCESS_KEY": "X"}}),
    ),
    "what a newer engine may read": ("state-foreign-code", into(c.PROVIDER, "inputs", __internal={"later": "x"})),
    "another version": ("state-foreign-code", into(c.PROVIDER, "inputs", version="7.0.9")),
    "a list for a version": ("state-foreign-code", into(c.PROVIDER, "inputs", version=["7.1.0"])),
    "no version": ("state-foreign-code", lambda d: c.record(d, c.PROVIDER)["inputs"].pop("version")),
    "two versions": ("state-foreign-code", into(c.PROVIDER, "outputs", version="7.0.9")),
    "a provider of another name": ("state-foreign-code", added(OTHER_PROVIDER)),
    "a package of another": (
        "state-foreign-code",
        added({**c.resources()[1], "urn": f"{c.PREFIX}pulumi:providers:evil::d", "type": "pulumi:providers:evil"}),
    ),
    "a hook": ("state-foreign-code", on(c.BUCKET, resourceHooks={"before-delete": ["x"]})),
    "an extension": ("state-foreign-code", on(c.BUCKET, extensionRef="x")),
    "a snippet's record": ("state-foreign-code", on(c.BUCKET, snippetID="x")),
    "snippets": ("state-foreign-code", of_all(snippets=[{"code": "x"}])),
    "extensions": ("state-foreign-code", of_all(extensions={"x": {"name": "y"}})),
    "a plugin in the manifest": (
        "state-foreign-code",
        of_all(manifest={"plugins": [{"name": "evil", "type": "resource", "path": "/evil", "version": "1.0.0"}]}),
    ),
    # where credentials and secrets go
    "an endpoint": ("state-provider", into(c.PROVIDER, "inputs", endpoints=[{"s3": "https://evil.example"}])),
    "another region": ("state-provider", into(c.PROVIDER, "inputs", region="us-east-1")),
    "another region in the outputs": ("state-provider", into(c.PROVIDER, "outputs", region="us-east-1")),
    "a check switched off": ("state-provider", into(c.PROVIDER, "inputs", skipRegionValidation="false")),
    "a provider that is not there": ("state-provider", on(c.USER, provider=f"{c.PROVIDER}x::1")),
    "a provider's other id": ("state-provider", on(c.USER, provider=f"{c.PROVIDER}::2")),
    "no provider": ("state-provider", lambda d: c.record(d, c.USER).pop("provider")),
    "another's key for the secrets": (
        "state-secrets-provider",
        of_all(secrets_providers={"type": "cloud", "state": {"url": "awskms://alias/evil"}}),
    ),
    "another salt": (
        "state-secrets-provider",
        of_all(secrets_providers={"type": "passphrase", "state": {"salt": "v1:other"}}),
    ),
    "nobody for the secrets": ("state-secrets-provider", of_all(secrets_providers=None)),
    # what an update would delete or keep
    "a foreign resource": ("state-foreign-resource", added(FOREIGN)),
    "a type that is unknown": (
        "state-foreign-resource",
        added({**FOREIGN, "urn": f"{c.PREFIX}aws:s3/object:Object::o", "type": "aws:s3/object:Object"}),
    ),
    "a component that is unknown": (
        "state-foreign-resource",
        added({"urn": f"{c.PREFIX}shop:index:More::m", "type": "shop:index:More", "custom": False, "parent": c.ROOT}),
    ),
    "a name that is no number": (
        "state-foreign-resource",
        added({**c.resources()[6], "urn": c.KEY.replace("key-1", "key-1a")}),
    ),
    "another stack": ("state-foreign-resource", on(c.USER, urn=c.USER.replace(":prod:", ":dev:"))),
    "another project": ("state-foreign-resource", on(c.USER, urn=c.USER.replace("::shop::", "::bank::"))),
    "another stack's name": ("state-foreign-resource", lambda d: d["checkpoint"].update(stack="organization/shop/dev")),
    "another project's name": (
        "state-foreign-resource",
        lambda d: d["checkpoint"].update(stack="organization/bank/prod"),
    ),
    "a parent that does not fit": ("state-foreign-resource", on(c.BUCKET, parent=c.ROOT)),
    "the record of another stack": ("state-foreign-resource", on(c.ROOT, urn=c.ROOT.replace("shop-prod", "shop-dev"))),
    "a foreign id": ("state-foreign-name", on(c.BUCKET, id="payroll")),
    "a foreign id in the outputs": ("state-foreign-name", into(c.USER, "outputs", id="root")),
    "a foreign name": ("state-foreign-name", into(c.BUCKET, "inputs", bucket="payroll")),
    "a foreign name in the outputs": ("state-foreign-name", into(c.BUCKET, "outputs", bucket="payroll")),
    "a name that is a list": ("state-foreign-name", into(c.BUCKET, "outputs", bucket=["shop-files", "payroll"])),
    "a name that is hidden": ("state-foreign-name", into(c.BUCKET, "inputs", bucket=c.sealed("x"))),
    "no name at all": (
        "state-foreign-name",
        lambda d: [c.record(d, c.USER)[side].pop("name") for side in ("inputs", "outputs")],
    ),
    "a resource's other region": ("state-foreign-name", into(c.BUCKET, "inputs", region="us-east-1")),
    "an output that others take": (
        "state-foreign-name",
        into(c.USER, "outputs", arn="arn:aws:iam::aws:policy/AdministratorAccess"),
    ),
    "an output that is gone": ("state-foreign-name", lambda d: c.record(d, c.BUCKET)["outputs"].pop("arn")),
    "an output that is none of several": ("state-foreign-name", into(c.BUCKET, "outputs", endpoint="evil.example")),
    "an account that is another's": (
        "state-foreign-name",
        into(c.USER, "outputs", arn="arn:aws:iam::210987654321:user/shop-prod"),
    ),
    "the stack's record as a resource": ("state-foreign-resource", on(c.ROOT, custom=True)),
    "another account": ("state-foreign-name", into(c.POLICY, "inputs", accountId="210987654321")),
    "a parent that is not there": ("state-relation", on(c.USER, parent=f"{c.ROOT}x")),
    "no parent": ("state-relation", lambda d: c.record(d, c.USER).pop("parent")),
    "a dependency that is not there": ("state-relation", on(c.USER, dependencies=[f"{c.PREFIX}a:b:C::d"])),
    "a property's dependency that is not there": (
        "state-relation",
        on(c.USER, propertyDependencies={"name": [f"{c.PREFIX}a:b:C::d"]}),
    ),
    "a dependency that comes later": ("state-relation", on(c.FILES, dependencies=[c.BUCKET])),
    "a record twice": ("state-relation", added(c.resources()[5])),
    "a type that the URN does not have": ("state-relation", on(c.USER, type="aws:iam/group:Group")),
    "no protection": ("state-option", on(c.BUCKET, protect=False)),
    "a protection too many": ("state-option", on(c.USER, protect=True)),
    "a deletion that keeps": ("state-option", on(c.KEY, retainOnDelete=True)),
    "a deletion along with another": ("state-option", on(c.KEY, deletedWith=c.USER)),
    "a deletion along with what is not there": ("state-option", on(c.POLICY, deletedWith=f"{c.BUCKET}x")),
    "an alias": ("state-option", on(c.USER, aliases=[c.KEY])),
    "only read": ("state-option", on(c.USER, external=True)),
    "to be replaced": ("state-option", on(c.BUCKET, taint=True)),
    "replaced along with another": ("state-option", on(c.BUCKET, replaceWith=[c.USER])),
    "replaced on a change": ("state-option", on(c.BUCKET, replaceOnChanges=["*"])),
    "replaced by a trigger": ("state-option", on(c.USER, replacementTrigger="x")),
    "ignores more": ("state-option", on(c.BUCKET, ignoreChanges=["tags", "policy"])),
    "ignores less": ("state-option", on(c.BUCKET, ignoreChanges=[])),
    "hides differences": ("state-option", on(c.USER, hideDiff=[["name"]])),
    "a view": ("state-option", on(c.USER, viewOf=c.BUCKET)),
    "other times": ("state-option", on(c.USER, customTimeouts={"delete": 1})),
    "imported as another": ("state-option", on(c.USER, importID="root")),
    # secrets
    "a secret in clear": ("state-secret", into(c.KEY, "outputs", **SEEN)),
    # what is not known
    "a field of a record": ("state-form", on(c.USER, runs="x")),
    "a field in other letters": ("state-form", on(c.USER, Provider="x")),
    "a field of another form": ("state-form", on(c.USER, dependencies="x")),
    "a dependency that is no text": ("state-form", on(c.USER, dependencies=[7])),
    "properties in a list": ("state-form", on(c.USER, inputs=[])),
    "dependencies of another form": ("state-form", on(c.USER, propertyDependencies={"name": 7})),
    "a component with an id": ("state-form", on(c.FILES, id="x")),
    "a resource that is a component": ("state-form", on(c.USER, custom=False)),
    "a URN that is none": ("state-form", on(c.USER, urn="user")),
    "no URN": ("state-form", lambda d: c.record(d, c.USER).pop("urn")),
    "a record that is none": ("state-form", lambda d: c.latest(d)["resources"].append("x")),
    "an asset": ("state-form", into(c.USER, "inputs", file={"4dabf18193072939515e22adb298388d": "c44067f5952c"})),
    "an envelope with more in it": ("state-form", into(c.USER, "inputs", s={**c.sealed("x"), "uri": "https://x"})),
    "a field of the deployment": ("state-form", of_all(Resources=[])),
    "a field of the checkpoint": ("state-form", lambda d: d["checkpoint"].update(Latest={})),
    "a field of the document": ("state-form", lambda d: d.update(Checkpoint={})),
    "a feature": ("state-form", lambda d: d.update(features=["hooks"])),
    "metadata": ("state-form", of_all(metadata={"integrity_error": {"error": "x"}})),
    "resources that are no list": ("state-form", of_all(resources={})),
    "operations that are no list": ("state-form", of_all(pending_operations="x")),
    "an operation that is none": ("state-form", of_all(pending_operations=[7])),
    "an operation of another kind": (
        "state-form",
        of_all(pending_operations=[{"resource": c.resources()[5], "type": "running"}]),
    ),
    "an operation on a foreign resource": (
        "state-foreign-resource",
        of_all(pending_operations=[{"resource": FOREIGN, "type": "deleting"}]),
    ),
    "an operation on a foreign id": (
        "state-foreign-name",
        of_all(pending_operations=[{"resource": {**c.resources()[5], "id": "root"}, "type": "deleting"}]),
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_what_is_not_the_programs_is_refused(judged: Callable[..., Any], name: str) -> None:
    rule, change = MUTATIONS[name]
    document = c.checkpoint()
    change(document)
    code, report = judged(document)
    assert code == 3
    assert rule in rules(report)
    assert SEEN["secret"] not in json.dumps(report)
    SCHEMA.validate(report)


def test_every_rule_is_shown_by_a_mutation() -> None:
    shown = {rule for rule, _ in MUTATIONS.values()}
    assert shown == set(STATE.by_name) - {"state-interrupted", "none"}


@pytest.mark.parametrize("name", [*STATE.by_name, *STATE.families])
def test_every_rule_and_family_is_explained(name: str) -> None:
    assert "Remedy" in STATE.explain(name)
    assert STATE.threshold(name) >= 0


def test_the_schema_names_every_rule_in_its_order() -> None:
    definitions = schema("state")["$defs"]
    assert isinstance(definitions, dict)
    assert definitions["rule"]["enum"] == list(STATE.by_name)


def test_every_field_of_a_record_is_judged_or_known_to_say_nothing() -> None:
    say_nothing = {"created", "modified", "sourcePosition", "stackTrace", "additionalSecretOutputs"}
    # A refresh before an update changes nothing that an update would not.
    say_nothing.add("refreshBeforeUpdate")
    judged_by_others = {"urn", "custom", "id", "type", "inputs", "outputs", "parent", "protect", "dependencies"}
    judged_by_others |= {"provider", "propertyDependencies", "importID", "deletedWith", "ignoreChanges"}
    listed = say_nothing | judged_by_others | set(records.CODE) | set(records.OPTIONS) | set(records.INTERRUPTED)
    assert listed == set(records.FIELDS)


@pytest.mark.parametrize(
    "change",
    [
        on(c.KEY, delete=True, ignoreChanges=["status"]),
        on(c.KEY, pendingReplacement=True),
        on(c.KEY, initErrors=["a failed update"]),
        of_all(pending_operations=[{"resource": c.resources()[5], "type": "updating"}]),
        of_all(
            pending_operations=[
                {
                    "resource": {
                        key: value
                        for key, value in {**c.resources()[5], "urn": c.USER}.items()
                        if key not in ("id", "outputs")
                    },
                    "type": "creating",
                }
            ]
        ),
        added({**c.resources()[6], "id": "AKIAOLD", "outputs": {}, "delete": True}),
    ],
)
def test_what_an_interrupted_update_leaves_is_said_and_does_not_fail(
    judged: Callable[..., Any], change: Callable[[dict[str, Any]], object]
) -> None:
    document = c.checkpoint()
    change(document)
    code, report = judged(document)
    assert (code, set(rules(report))) == (0, {"state-interrupted"})
    assert judged(document, "--fail-on", "change")[0] == 3


def test_a_part_of_the_program_holds_nothing_of_another_and_no_secret(judged: Callable[..., Any]) -> None:
    document = c.checkpoint()
    alone = c.latest(document)["resources"] = c.resources()[:5]
    assert judged(document, "--part", "files")[0] == 0
    assert rules(judged(document, "--part", "access")[1]) == ["state-foreign-resource"] * 3
    alone[3]["outputs"]["__inputs"] = c.sealed("what the provider was given")
    assert judged(document, "--part", "files")[0] == 0
    alone[3]["inputs"]["note"] = c.sealed("x")
    assert rules(judged(document, "--part", "files")[1]) == ["state-secret"]
    assert judged(document)[0] == 0


def test_a_change_of_ones_own_is_named_and_passes(judged: Callable[..., Any]) -> None:
    document = c.checkpoint()
    c.record(document, c.BUCKET).update(id="old-files", protect=False)
    for side in ("inputs", "outputs"):
        c.record(document, c.BUCKET)[side]["bucket"] = "old-files"
    made = {"arn": "arn:aws:s3:::old-files", "endpoint": "old-files.s3.amazonaws.com"}
    c.record(document, c.BUCKET)["outputs"].update(made)
    c.record(document, c.BUCKET)["outputs"]["id"] = "old-files"
    code, report = judged(document)
    assert code == 3
    assert set(rules(report)) == {"state-foreign-name", "state-option"}
    assert any("expected is 'shop-files'" in finding["reason"] for finding in report["findings"])
    named = ("--value", "bucketName=old-files", "--value", "emptyOnDelete=true")
    assert judged(document, *named)[0] == 0


@pytest.mark.parametrize(
    ("wanted", "recorded", "code"),
    [
        ("awskms://alias/shop", {"type": "cloud", "state": {"url": "awskms://alias/shop", "encryptedkey": "a"}}, 0),
        ("awskms://alias/shop", {"type": "cloud", "state": {"url": "awskms://alias/shop?endpoint=evil"}}, 3),
        ("awskms://alias/shop", {"type": "passphrase", "state": {"salt": "v1:salt"}}, 3),
        ("service", {"type": "service", "state": {"url": "https://api.pulumi.com"}}, 0),
        ("service", {"type": "cloud", "state": {"url": "awskms://alias/shop"}}, 3),
    ],
)
def test_who_encrypts_is_who_is_expected(judged: Callable[..., Any], wanted: str, recorded: Any, code: int) -> None:
    document = c.checkpoint()
    c.latest(document)["secrets_providers"] = recorded
    assert judged(document, "--secrets-provider", wanted)[0] == code


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("", "is empty"),
        ('{"version": 3', "is truncated or no JSON"),
        ("[]", "is no checkpoint of a stack"),
        ("[" * 100_000, "is no JSON that a checkpoint could be"),
        ('{"version": 3, "version": 3, "checkpoint": {}}', "the same key twice"),
        ('{"version": 3, "checkpoint": {"latest": {"a": 1, "a": 2}}}', "the same key twice"),
        ('{"version": 3, "checkpoint": {"latest": NaN}}', "a number that JSON does not know"),
        (json.dumps(c.checkpoint()).encode("utf-16"), "is no JSON that a checkpoint could be"),
        (gzip.compress(b"{}", mtime=0)[:-4], "is no JSON that a checkpoint could be"),
        ('{"version": 2, "checkpoint": {}}', "of version 3 or 4"),
        ('{"version": true, "checkpoint": {}}', "of version 3 or 4"),
        ('{"steps": []}', "of version 3 or 4"),
        ('{"version": 3}', "is no checkpoint of a stack"),
        ('{"version": 3, "checkpoint": []}', "holds no checkpoint"),
    ],
)
def test_what_two_readers_could_take_differently_is_one_sentence(
    judged: Callable[..., Any], document: Any, said: str
) -> None:
    code, error = judged(document)
    assert code == 2
    assert said in error


def test_a_backend_is_read_and_two_files_of_one_stack_are_refused(judged: Callable[..., Any], tmp_path: Path) -> None:
    stacks = tmp_path / "state" / ".pulumi" / "stacks" / "shop"
    stacks.mkdir(parents=True)
    where = f"file://{tmp_path}/state"
    assert "is there" in judged(where=where)[1] or "is not there" in judged(where=where)[1]
    (stacks / "prod.json").write_text(json.dumps(c.checkpoint()), encoding="utf-8")
    (stacks / "prod.json.bak").write_text("{}", encoding="utf-8")
    assert judged(where=where)[0] == 0
    assert judged(None, "--stack", "organization/shop/prod", where=str(tmp_path / "state"))[0] == 0
    (stacks / "prod.json.gz").write_bytes(gzip.compress(b"{}", mtime=0))
    code, error = judged(where=where)
    assert code == 2
    assert "prod.json and shop/prod.json.gz" in error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "CHECKPOINT is missing"),
        (["x.json"], "which stack"),
        (["x.json", "--stack", "prod"], "--expect is missing"),
        (["x.json", "--stack", "prod", "--expect", "none.yml", "--program", "nowhere"], "Pulumi.yaml: cannot be read"),
        (["--fail-on", "nothing"], "is no rule"),
        (["gs://bucket", "--stack", "dev", "--expect", "infra/state.yml"], "gs:// is no backend that this tool reads"),
    ],
)
def test_what_is_missing_is_named(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("PULUMI_BACKEND_URL", "PULUMI_STACK"):
        monkeypatch.delenv(name, raising=False)
    assert entry(["state", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("[]", "must be an object"),
        ("components: 7\nplugins: {}", "must be a list"),
        ("plugins: {aws: {versions: 7.1}}", "plugins.aws.versions must be a list of texts"),
        ("plugins: {aws: {version: []}}", "plugins.aws has version, which is none of"),
        ("plugins: {}\ncomponents: [{type: a, names: [b]}]", "with type, names and part"),
        ("plugins: {}\ncomponents: [{type: a, names: [b], part: c, id: 7}]", "id of a must be a text"),
        ("plugins: {a: {versions: [], settings: {b: 7}}}", "plugins.a.settings must be an object of texts, or"),
        ("]", "is no YAML"),
    ],
)
def test_a_list_that_cannot_be_read_is_named(judged: Callable[..., Any], tmp_path: Path, wrong: str, said: str) -> None:
    other = tmp_path / "wrong.yml"
    other.write_text(wrong, encoding="utf-8")
    code, error = judged(None, "--expect", str(other))
    assert code == 2
    assert "wrong.yml" in error
    assert said in error


def test_a_setting_that_nothing_says_is_named(judged: Callable[..., Any], tmp_path: Path) -> None:
    list_ = tmp_path / "list.yml"
    list_.write_text(c.EXPECT.replace("${userName}", "${teamName}"), encoding="utf-8")
    code, error = judged(None, "--expect", str(list_))
    assert code == 2
    assert "nothing says what teamName is" in error
    assert judged(None, "--expect", str(list_), "--value", "teamName=shop-prod")[0] == 0


@pytest.mark.parametrize(
    "written",
    ["[{name: files, of: a}, {name: shop-files, of: b}]", """'[{"name": "files"}, {"name": "shop-files"}]'"""],
)
def test_a_list_of_settings_is_read_as_yaml_and_as_pulumi_config_set_writes_it(
    tmp_path: Path, judged: Callable[..., Any], written: str
) -> None:
    other = tmp_path / "other"
    c.write(other)
    (other / "Pulumi.prod.yaml").write_text(
        f"{c.STACK}\n  shop:buckets: {written}\n".replace("encryptionsalt: v1:salt\n", ""), encoding="utf-8"
    )
    (other / "expect.yml").write_text(c.EXPECT.replace("${bucketName}", "${buckets[].name}"), encoding="utf-8")
    assert judged(None, "--program", str(other), "--expect", str(other / "expect.yml"))[0] == 0
    document = c.checkpoint()
    c.record(document, c.BUCKET)["id"] = "payroll"
    code, report = judged(document, "--program", str(other), "--expect", str(other / "expect.yml"))
    assert code == 3
    assert "expected is 'files or shop-files'" in report["findings"][0]["reason"]


def test_a_providers_secret_setting_is_recorded_encrypted(judged: Callable[..., Any], tmp_path: Path) -> None:
    other = tmp_path / "other"
    c.write(other)
    (other / "Pulumi.prod.yaml").write_text(
        c.STACK.replace("config:\n", "config:\n  aws:token: {secure: v1:x}\n"), encoding="utf-8"
    )
    for value, code in ((c.sealed("x"), 0), ("in clear", 3), ({**c.sealed("x"), "uri": "y"}, 3)):
        document = c.checkpoint()
        c.record(document, c.PROVIDER)["inputs"]["token"] = value
        assert judged(document, "--program", str(other))[0] == code
    assert judged(document)[0] == 3


def test_a_part_that_is_none_is_named(judged: Callable[..., Any]) -> None:
    assert "is none of access, files" in judged(None, "--part", "shop")[1]


@pytest.mark.parametrize("name", COMMANDS["state"][1])
def test_no_format_lets_a_checkpoint_act_or_show_a_secret(
    judged: Callable[..., Any], name: str, tmp_path: Path
) -> None:
    document = c.checkpoint()
    c.latest(document)["resources"] += [{**FOREIGN, "urn": f"{c.PREFIX}a:b:C::{ATTACK}", "type": "a:b:C", "id": ATTACK}]
    c.record(document, c.KEY)["outputs"]["secret"] = {**c.sealed(""), **SEEN}
    written = tmp_path / "written"
    assert judged(document, "--report", f"{name}={written}")[0] == 3
    text = written.read_text(encoding="utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e\ud800]", text)
    assert SEEN["secret"] not in text
    assert name == "azure" or "##vso[" not in text
    if name == "html":
        elements = Elements()
        elements.feed(text)
        assert not {"script", "img", "@onerror", "@src"} & elements.found


@pytest.mark.parametrize("depth", [150, 300, 500, 700, 900, 940, 980])
@pytest.mark.parametrize("place", ["bucket", "note"])
def test_a_value_of_any_depth_never_ends_in_a_traceback(judged: Callable[..., Any], place: str, depth: int) -> None:
    deep = '{"a":' * depth + "1" + "}" * depth
    code, told = judged(json.dumps(c.checkpoint()).replace('"bucket": "shop-files"', f'"{place}": {deep}', 1))
    assert code in (0, 2, 3)
    assert "internal error" not in str(told)


def test_odd_values_anywhere_never_end_in_a_traceback(judged: Callable[..., Any]) -> None:
    chance = random.Random(7)  # noqa: S311 - no secret comes of it
    for _ in range(400):
        document = copy.deepcopy(c.checkpoint())
        for _ in range(chance.randint(1, 3)):
            _mutate(document, chance)
        code, _ = judged(json.dumps(document))
        assert code in (0, 2, 3)


def _mutate(document: Any, chance: random.Random) -> None:
    """Put an odd value somewhere, take something away, or add a key that is not known."""
    places = list(_places(document))
    at, key = chance.choice(places)
    kind = chance.random()
    if kind < 0.7:
        at[key] = copy.deepcopy(chance.choice(ODD))
    elif kind < 0.85 or not isinstance(at, dict):
        del at[key]
    else:
        at[chance.choice(["", "x", "pluginDownloadURL", "__internal"])] = copy.deepcopy(chance.choice(ODD))


def _places(at: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a document: what holds it, and its key or number."""
    for key, value in list(at.items() if isinstance(at, dict) else enumerate(at)):
        yield at, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


@pytest.mark.parametrize("name", ["Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.dev-image.yaml", "infra/state.yml"])
def test_what_libyaml_reads_is_what_yaml_reads(name: str) -> None:
    assert read_yaml(CHECKOUT / name) == yaml.safe_load((CHECKOUT / name).read_text(encoding="utf-8"))


NO_YAML = {
    "brackets": "[" * 2000 + "]" * 2000,
    "braces": "{a: " * 2000 + "}" * 2000,
    "lists": "- " * 2000 + "a",
    "truncated": "a: [b",
    "two colons": "a: b: c",
    "control": "a: \x00",
    "object": "a: !!python/name:os.system",
}


@pytest.mark.parametrize("text", NO_YAML.values(), ids=NO_YAML)
def test_what_is_no_yaml_or_nested_without_end_is_one_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "state.yml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(AuditError, match=r"state\.yml: is no YAML; mend it"):
        read_yaml(file)
