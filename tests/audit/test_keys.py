"""Access keys: limits, overlaps, and where they are published; IAM and STS answer as moto makes them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import jsonschema
import moto
import pytest

from audit.clouds import Gone, Refused
from audit.clouds.aws import Aws
from audit.clouds.azure_devops import AzureDevOps
from audit.command import entry as audit
from audit.keys.survey import Inventory, survey
from audit.report import FORMATS, render
from audit.report.model import Report
from audit.state import StackState, read
from tests.audit import histories
from tests.audit.test_drift_formats import schema
from tests.unit.sandbox.azure_devops.service import Service, group_body

Groups = dict[str, dict[str, Any]]


class OneProject(AzureDevOps):
    """The variable groups of one project, without a service; asked for another it answers "not there"."""

    def __init__(self, groups: Groups, *, refused: bool = False) -> None:
        self.groups, self.refused, self.personal = groups, refused, False

    def values(self, path: str, permission: str, *_version: str, **_query: str) -> list[Any]:
        if self.refused:
            raise Refused(permission, path, "HTTP 403")
        if path == "_apis/projects":
            return [{"name": "one"}]
        if not path.startswith("one/"):
            raise Gone(path)
        return [
            {"id": number, "name": name, "variables": variables}
            for number, (name, variables) in enumerate(self.groups.items(), 1)
        ]


@pytest.fixture
def iam(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_REGION", "us-east-2")
    for name in ("AZDO_ORG_SERVICE_URL", "AZDO_PERSONAL_ACCESS_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    with moto.mock_aws():
        client = boto3.client("iam", region_name="us-east-2")
        client.create_user(UserName="push")
        yield client


def new_key(iam: Any, user: str = "push") -> str:
    return str(iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"])


def surveyed(groups: Groups | None = None, **options: Any) -> Report:
    options.setdefault("now", datetime.now(UTC))
    devops = None if groups is None else OneProject(groups)
    return survey(Inventory(**{"aws": Aws(), "devops": devops, "state": None, **options}))


def rules(made: Report) -> list[tuple[str, str]]:
    return [(finding.risk, finding.urn.rpartition("/")[2]) for finding in made.findings]


def published(*keys: str) -> Groups:
    return {"group": {f"KEY_{number}": {"value": key} for number, key in enumerate(keys)}}


def test_a_young_published_key_is_no_finding(iam: Any) -> None:
    key = new_key(iam)
    made = surveyed(published(key))
    assert made.findings == []
    assert made.data["keys"][0]["publishedIn"] == [
        {"project": "one", "group": "group", "groupId": "1", "variable": "KEY_0"}
    ]


@pytest.mark.parametrize(("days", "expected"), [(90, []), (91, ["key-old"])])
def test_a_key_is_old_only_beyond_the_limit(iam: Any, days: int, expected: list[str]) -> None:
    key = new_key(iam)
    made = surveyed(published(key), now=datetime.now(UTC) + timedelta(days=days, hours=1), max_unused_days=999)
    assert [rule for rule, _ in rules(made)] == expected


@pytest.mark.parametrize(("days", "expected"), [(45, []), (46, ["key-unused"])])
def test_a_key_never_used_is_unused_since_it_was_made(iam: Any, days: int, expected: list[str]) -> None:
    key = new_key(iam)
    made = surveyed(published(key), now=datetime.now(UTC) + timedelta(days=days, hours=1))
    assert [rule for rule, _ in rules(made)] == expected


def test_an_inactive_key_is_a_finding_and_its_age_is_not(iam: Any) -> None:
    key = new_key(iam)
    iam.update_access_key(UserName="push", AccessKeyId=key, Status="Inactive")
    later = datetime.now(UTC) + timedelta(days=400)
    assert rules(surveyed({}, now=later)) == [("key-inactive", key)]


def test_an_inactive_key_that_is_published_breaks_its_pipelines(iam: Any) -> None:
    key = new_key(iam)
    iam.update_access_key(UserName="push", AccessKeyId=key, Status="Inactive")
    assert [rule for rule, _ in rules(surveyed(published(key)))] == ["key-published-but-gone", "key-inactive"]


def test_two_active_keys_are_one_finding_at_the_older(iam: Any) -> None:
    older, newer = new_key(iam), new_key(iam)
    made = surveyed(published(older, newer))
    assert len(made.findings) == 1
    assert made.findings[0].risk == "key-two-active"
    assert {older, newer} <= set(made.findings[0].details[0].replace(",", "").replace(".", "").split())


def test_a_key_published_nowhere_says_whether_the_stack_records_it(iam: Any) -> None:
    key = new_key(iam)
    resource = {**histories.key(1), "id": key}
    state = read({"version": 3, "deployment": {"resources": [resource]}}, "state")
    (finding,) = surveyed({}, state=state).findings
    assert (finding.risk, finding.details) == ("key-not-published", ["The stack records it as 'key-1'."])
    (finding,) = surveyed({}, state=StackState("dev", "app-one", [])).findings
    assert finding.details == ["The stack does not record it."]


def test_a_published_key_that_no_user_has_is_a_finding(iam: Any) -> None:
    key = new_key(iam)
    iam.delete_access_key(UserName="push", AccessKeyId=key)
    made = surveyed(published(key))
    assert [finding.risk for finding in made.findings] == ["key-published-but-gone"]
    assert key in made.findings[0].reason


def test_secret_variables_and_other_values_are_not_taken_for_published_keys(iam: Any) -> None:
    key = new_key(iam)
    groups: Groups = {
        "group": {"a": {"value": None, "isSecret": True}, "b": {"value": f"x{key}"}, "c": {"value": "AKIA"}}
    }
    assert rules(surveyed(groups)) == [("key-not-published", key)]


def test_a_personal_access_token_is_said_to_end_where_it_is_for_all_organisations(iam: Any) -> None:
    del iam
    devops, now = OneProject({}), datetime.now(UTC)
    assert survey(Inventory(aws=Aws(), devops=devops, state=None, now=now)).notes == []
    devops.personal = True
    (note,) = survey(Inventory(aws=Aws(), devops=devops, state=None, now=now)).notes
    assert "global" in note
    assert "2026-12-01" in note


def interrupted(*recorded: dict[str, Any], user: str = "push") -> StackState:
    """The state of a stack whose update was killed while it made key-2 of a user."""
    making = {**histories.key(2), "inputs": {"status": "Active", "user": user}}
    del making["id"], making["outputs"]
    pending = [{"type": "creating", "resource": making}]
    return read({"version": 3, "deployment": {"resources": [*recorded], "pending_operations": pending}}, "state")


class Used(Aws):
    """AWS that has seen every key used."""

    def call(self, service: str, operation: str, region: str | None = None, **parameters: Any) -> dict[str, Any]:
        answer = super().call(service, operation, region, **parameters)
        if operation == "GetAccessKeyLastUsed":
            answer["AccessKeyLastUsed"]["LastUsedDate"] = datetime.now(UTC)
        return answer


def soon() -> datetime:
    """When no update can be about to record what was made now."""
    return datetime.now(UTC) + timedelta(minutes=11)


def test_a_key_that_an_interrupted_update_has_lost_is_named_as_such_and_as_nothing_else(iam: Any) -> None:
    own, extra = new_key(iam), new_key(iam)
    state = interrupted({**histories.key(1), "id": own})
    (finding,) = surveyed(published(own), state=state, now=soon()).findings
    assert (finding.risk, finding.urn) == ("key-lost", f"push/{extra}")
    assert finding.reason.endswith("was made for 'key-2' by an update that was interrupted, and nobody has its secret.")


def test_a_key_stays_lost_when_another_was_made_in_its_place(iam: Any) -> None:
    """The engine keeps the entry of the interrupted creation until a refresh clears it."""
    extra, own = new_key(iam), new_key(iam)
    state = interrupted({**histories.key(2), "id": own, "created": soon().isoformat()})
    (finding,) = surveyed(published(own), state=state, now=soon()).findings
    assert (finding.risk, finding.urn) == ("key-lost", f"push/{extra}")


def test_a_key_is_lost_only_where_nothing_speaks_against_it(iam: Any) -> None:
    own, extra = new_key(iam), new_key(iam)
    known = {**histories.key(1), "id": own}
    cases: dict[str, Report] = {
        "publishes it": surveyed(published(own, extra), state=interrupted(known), now=soon()),
        "where keys are published was not looked at": surveyed(None, state=interrupted(known), now=soon()),
        "an update could still be about to record it": surveyed(published(own), state=interrupted(known)),
        "could not be looked up": surveyed(
            published(own), state=interrupted(known), aws=Refusing("GetAccessKeyLastUsed"), now=soon()
        ),
    }
    for why, made in cases.items():
        assert any(extra in note and why in note for note in made.notes), (why, made.notes)
        assert "key-lost" not in dict(rules(made))
    other = interrupted(known, user="somebody-else")
    recorded = interrupted(known, {**histories.key(2), "id": extra, "delete": True})
    finished = interrupted(known, {**histories.key(2), "created": "2026-01-01T00:00:00.123456789Z"})
    nothing = read({"version": 3, "deployment": {"resources": [known]}}, "state")
    for state in (other, recorded, finished, nothing):
        made = surveyed(published(own), state=state, now=soon())
        assert "key-lost" not in dict(rules(made))
        assert not any(extra in note for note in made.notes)
    made = surveyed(published(own), state=interrupted(known), aws=Used(), now=soon())
    assert any("it was used, so somebody has its secret" in note for note in made.notes)


def test_lost_keys_are_deleted_by_a_command_that_says_first_what_it_would_do(
    iam: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own, extra = new_key(iam), new_key(iam)
    monkeypatch.setattr("audit.clouds.azure_devops.AzureDevOps", lambda: OneProject(published(own)))
    monkeypatch.setenv("AZDO_ORG_SERVICE_URL", "https://dev.azure.com/contoso")
    making = {**histories.key(2), "inputs": {"status": "Active", "user": "push"}}
    del making["id"]
    document = {
        "version": 3,
        "deployment": {
            "resources": [{**histories.key(1), "id": own}],
            "pending_operations": [{"type": "creating", "resource": making}],
        },
    }
    state = tmp_path / "state.json"
    state.write_text(json.dumps(document), encoding="utf-8")
    command = ["keys", "--state", str(state), "--as-of", soon().isoformat(), "--remove-lost"]

    def there() -> set[str]:
        return {key["AccessKeyId"] for key in iam.list_access_keys(UserName="push")["AccessKeyMetadata"]}

    assert audit([*command, "--fail-on", "exposure"]) == 3
    assert f"Access key {extra} of 'push', which nobody has the secret of, would be deleted" in shown(capsys)
    assert there() == {own, extra}
    assert audit([*command, "--yes", "--fail-on", "exposure"]) == 0
    assert f"Access key {extra} of 'push', which nobody has the secret of, was deleted" in shown(capsys)
    assert there() == {own}
    assert audit([*command, "--yes"]) == 0
    assert "No key was lost" in shown(capsys)
    for wrong in (["--yes"], ["--remove-lost"], ["--remove-lost", "--yes"]):
        assert audit(["keys", *wrong]) == 2
        assert capsys.readouterr().err.startswith("audit: --")


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, without the breaks of its lines."""
    return " ".join(capsys.readouterr().out.split())


def test_without_azure_devops_nothing_is_said_about_publication_but_that(iam: Any) -> None:
    new_key(iam)
    made = surveyed()
    assert made.findings == []
    assert "was not looked at" in made.notes[0]


def test_a_refused_look_up_is_a_finding_and_never_a_wrong_one(iam: Any) -> None:
    new_key(iam)
    made = surveyed(devops=OneProject({}, refused=True))
    (finding,) = made.findings
    assert finding.risk == "look-up-refused"
    assert finding.details == ["Needed: Project and Team (Read)"]


class Refusing(Aws):
    """AWS that refuses one operation."""

    def __init__(self, operation: str) -> None:
        super().__init__()
        self.operation = operation

    def _once(self, ask: Any, service: str, operation: str, region: str | None, parameters: dict[str, Any]) -> Any:
        if operation == self.operation:
            raise Refused(f"iam:{operation}", operation, "AccessDenied")
        return super()._once(ask, service, operation, region, parameters)


@pytest.mark.parametrize("operation", ["ListUsers", "ListAccessKeys", "GetAccessKeyLastUsed"])
def test_a_refused_call_of_iam_names_the_permission(iam: Any, operation: str) -> None:
    key = new_key(iam)
    later = datetime.now(UTC) + timedelta(days=60)
    made = surveyed(published(key), aws=Refusing(operation), now=later)
    refused = [finding for finding in made.findings if finding.risk == "look-up-refused"]
    assert refused[0].details == [f"Needed: iam:{operation}"]
    assert "key-unused" not in [finding.risk for finding in made.findings]
    gone = [finding for finding in made.findings if finding.risk == "key-published-but-gone"]
    assert not any(finding.proved for finding in gone)


def test_only_the_users_asked_for_are_looked_at(iam: Any) -> None:
    iam.create_user(UserName="other")
    key = new_key(iam, "other")
    new_key(iam)
    made = surveyed(published("AKIAEXAMPLE000000009"), users=["other", "absent"])
    assert rules(made) == [("key-not-published", key)]
    assert made.notes == ["There is no user 'absent'."]


def test_the_json_report_follows_its_schema(iam: Any) -> None:
    new_key(iam)
    new_key(iam)
    made = surveyed({}, now=datetime.now(UTC) + timedelta(days=99))
    jsonschema.validate(json.loads(render("json", made)), schema("keys"))
    for name in FORMATS:
        assert render(name, made)


def test_the_command_line(iam: Any, capsys: pytest.CaptureFixture[str]) -> None:
    new_key(iam)
    assert audit(["keys"]) == 0
    assert "Nothing found" in capsys.readouterr().out
    assert audit(["keys", "--as-of", "2099-01-01", "--fail-on", "exposure"]) == 3
    assert "key-old" in capsys.readouterr().out
    assert audit(["keys", "--explain", "key-old"]) == 0
    assert "Remedy" in capsys.readouterr().out
    for wrong in (["--as-of", "soon"], ["--max-age-days", "-1"], ["--fail-on", "x"], ["--report", "x"]):
        assert audit(["keys", *wrong]) == 2
        assert capsys.readouterr().err.startswith("audit: ")


@pytest.fixture(scope="module")
def two_a_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Azure DevOps that gives two entries of a list at once, with three projects and five groups in the last one."""
    service = Service(tmp_path_factory.mktemp("azure-devops"), page_size=2)
    try:
        service.start()
        for name in ("project-b", "project-c"):
            service.post("_apis/projects", {"name": name})
        project = service.project_id("project-c")
        for number in range(5):
            key = f"AKIAEXAMPLE00000000{number}"
            body = group_body(project, f"group-{number}", KEY={"value": key, "isSecret": False})
            service.post("_apis/distributedtask/variablegroups", body, version="7.1-preview.2")
        yield service
        assert service.stop() == 0
    finally:
        service.abandon()


def test_lists_of_azure_devops_are_read_to_their_last_page(
    two_a_page: Service, iam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a key is published is said wherever its group stands, on the last page too."""
    del iam
    first = two_a_page.ask("GET", "_apis/projects")
    assert (first.json()["count"], first.headers["x-ms-continuationtoken"]) == (2, "2")
    monkeypatch.setenv("AZDO_ORG_SERVICE_URL", two_a_page.url)
    monkeypatch.setenv("AZDO_PERSONAL_ACCESS_TOKEN", two_a_page.token)
    made = survey(Inventory(Aws(), AzureDevOps(), None, datetime.now(UTC)))
    named = {f"project-c/group-{number}: KEY" for number in range(5)}
    assert {name for name in named if any(name in text for text in (*made.notes, *reasons(made)))} == named


def reasons(made: Report) -> list[str]:
    return [finding.reason for finding in made.findings]
