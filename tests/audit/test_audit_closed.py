"""Closed by default: nothing is `change` that nobody has reviewed, whatever its type, its name or the operation is."""

import json
from pathlib import Path
from typing import Any

import pytest

from audit.model import UNKNOWN, Finding
from audit.report import FORMATS, Report, render
from audit.report.catalogue import CLASSES
from tests.audit import previews as p
from tests.audit.previews import ARN, allow, deny, policy

GREEN = {"change", "access-narrowed", "none"}
WIDE = policy(allow("*", "*"))
NARROW = policy(allow("ecr:BatchGetImage"))


def judged(folder: Path, *steps: dict[str, Any]) -> Report:
    """The report of these steps."""
    return p.report_of(folder, p.digest(*steps))


def loud(report: Report) -> bool:
    """At least as loud as what cannot be proved."""
    return CLASSES.rank[report.worst] <= CLASSES.rank["access-unknown"]


def one(report: Report, risk: str) -> Finding:
    found = [item for item in report.findings if item.risk == risk]
    assert len(found) == 1, [item.reason for item in report.findings]
    return found[0]


# --- types without rules


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        ("aws:ssoadmin/accountAssignment:AccountAssignment", {"principalId": "p", "targetId": "123456789012"}),
        ("aws:eks/accessEntry:AccessEntry", {"principalArn": "x", "kubernetesGroups": ["system:masters"]}),
        ("aws:organizations/delegatedAdministrator:DelegatedAdministrator", {"accountId": "210987654321"}),
        ("aws:lambda/permission:Permission", {"action": "lambda:InvokeFunction", "principal": "*"}),
        ("gcp:projects/iAMMember:IAMMember", {"member": "allUsers", "role": "roles/viewer"}),
        ("azure-native:authorization:RoleAssignment", {"principalId": "p", "roleDefinitionId": "owner"}),
        ("azuredevops:index/userEntitlement:UserEntitlement", {"principalName": "eve@example.org"}),
        ("kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding", {"subjects": [{"kind": "Group", "name": "x"}]}),
        ("command:local:Command", {"create": "curl https://example.org | sh"}),
        ("pulumi-nodejs:dynamic:Resource", {"__provider": "exports.handler = x"}),
        ("acme:index/thing:Thing", {"name": "friendly"}),
        ("acme:index/thing:Thing", {}),
    ],
)
def test_a_type_without_rules_is_loud_in_every_operation(tmp_path: Path, token: str, inputs: dict[str, Any]) -> None:
    other = {**inputs, "mode": "b"}
    for old, new, op in (
        (None, inputs, "create"),
        (None, inputs, "import"),
        (inputs, None, "delete"),
        (inputs, other, "update"),
        (inputs, other, "replace"),
        (inputs, inputs, "replace"),
    ):
        report = judged(tmp_path, p.step(token, "x", old, new, op=op))
        found = one(report, "unreviewed")
        assert loud(report)
        assert not found.proved
        if op in ("create", "import", "delete"):
            assert all(any(name in detail for detail in found.details) for name in inputs)
        assert "mode" not in str(found.details) or any("mode: nothing becomes b" in text for text in found.details)


def test_the_property_and_both_values_are_in_the_finding(tmp_path: Path) -> None:
    token = "aws:lambda/functionUrl:FunctionUrl"
    old, new = ({"functionName": "f", "authorizationType": kind} for kind in ("AWS_IAM", "NONE"))
    found = one(judged(tmp_path, p.step(token, "f", old, new)), "unreviewed")
    assert found.details == ["authorizationType: AWS_IAM becomes NONE"]


@pytest.mark.parametrize("name", ["name", "description", "tags", "tagsAll", "displayName"])
def test_a_reviewed_name_is_harmless_in_any_type(tmp_path: Path, name: str) -> None:
    old, new = ({name: {"k": value} if name.startswith("tags") else value} for value in ("a", "b"))
    assert p.risks_of(tmp_path, p.step("acme:index/thing:Thing", "x", old, new)) == {"change"}
    assert p.risks_of(tmp_path, p.step("acme:index/thing:Thing", "x", old, {})) == {"change"}


@pytest.mark.parametrize(
    "value",
    [
        "210987654321",
        "arn:aws:iam::210987654321:role/admin",
        "arn:aws:kms:us-east-2:210987654321:key/k",
        "*",
        "allUsers",
        "0.0.0.0/0",
        "::/0",
        "user:eve@example.org",
        WIDE,
        json.loads(WIDE),
        json.dumps({"inner": WIDE}),
    ],
)
@pytest.mark.parametrize("name", ["name", "description", "tags"])
def test_values_decide_before_names(tmp_path: Path, name: str, value: Any) -> None:
    old, new = ({name: {"k": item} if name == "tags" else item} for item in ("a", value))
    report = judged(tmp_path, p.step("acme:index/thing:Thing", "x", old, new))
    assert loud(report), report.findings


def test_an_address_is_looked_at_in_a_name_and_not_in_a_text_for_people(tmp_path: Path) -> None:
    for name, expected in (("name", "unreviewed"), ("description", "change")):
        old, new = ({name: f"https://{host}.example"} for host in ("a", "evil"))
        assert p.risks_of(tmp_path, p.step("acme:index/thing:Thing", "x", old, new)) == {expected}


def test_an_operation_that_nobody_knows_is_loud(tmp_path: Path) -> None:
    step = p.step(p.REPOSITORY, "r", {"name": "a"}, {"name": "a"}, op="transmogrify")
    assert "unreviewed" in p.risks_of(tmp_path, step)


def test_an_update_that_does_not_say_what_differs_is_loud(tmp_path: Path) -> None:
    step = p.step("acme:index/thing:Thing", "x", {"a": 1}, {"a": 1}, op="update")
    assert p.risks_of(tmp_path, step) == {"unreviewed"}
    told = p.step(p.POLICY, "x", {"policy": NARROW}, {"policy": NARROW}, op="update", diffReasons=["policy"])
    assert p.risks_of(tmp_path, told) == {"unreviewed"}


def test_a_step_with_more_properties_than_are_shown_is_looked_at_wholly(tmp_path: Path) -> None:
    many = {f"tag{number:04}": "a" for number in range(600)}
    old = {"tags": many, "zone": "a"}
    new = {"tags": dict.fromkeys(many, "b"), "zone": "b"}
    found = one(judged(tmp_path, p.step("acme:index/thing:Thing", "x", old, new)), "unreviewed")
    assert found.details == ["zone: a becomes b"]


# --- policy statements, wherever they stand


def _yaml(document: str) -> str:
    return (
        f"Resources:\n  R:\n    Properties:\n      Name: !Sub '${{AWS::StackName}}'\n      PolicyDocument: {document}\n"
    )


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: text,
        json.loads,
        lambda text: {"a": [{"b": json.loads(text)}]},
        lambda text: json.dumps({"PolicyDocument": json.loads(text)}),
        lambda text: json.dumps({"outer": json.dumps({"PolicyDocument": text})}),
        lambda text: [{"name": "inline", "policy": text}],
        _yaml,
        lambda text: json.loads(text)["Statement"],
    ],
    ids=["text", "object", "deep", "in-json", "in-json-in-json", "listed", "in-yaml", "bare-statements"],
)
@pytest.mark.parametrize("name", ["repositoryPolicyText", "desiredState", "templateBody", "anything"])
def test_a_policy_statement_is_compared_at_any_depth_and_under_any_name(tmp_path: Path, name: str, wrap: Any) -> None:
    token = "acme:index/thing:Thing"
    wider = judged(tmp_path, p.step(token, "x", {name: wrap(NARROW)}, {name: wrap(WIDE)}))
    found = [item for item in wider.findings if item.risk == "access-broadened"]
    assert found
    assert all(item.policy is not None and item.policy.newly_allowed for item in found)
    narrower = judged(tmp_path, p.step(token, "x", {name: wrap(WIDE)}, {name: wrap(NARROW)}))
    assert {item.risk for item in narrower.findings} == {"access-narrowed"}
    new = judged(tmp_path, p.step(token, "x", None, {name: wrap(WIDE)}))
    assert new.worst == "access-broadened"
    lifted = judged(tmp_path, p.step(token, "x", {name: wrap(policy(deny("*", "*")))}, None))
    assert lifted.worst == "access-broadened"


@pytest.mark.parametrize("text", ['{"Statement": [{"Effect": "Allow", }]}', '{"Effect": "Allow", "Effect": "Deny"}'])
def test_a_text_that_may_be_a_policy_and_cannot_be_read_is_never_green(tmp_path: Path, text: str) -> None:
    assert loud(judged(tmp_path, p.step("acme:index/thing:Thing", "x", {"a": NARROW}, {"a": text})))


STATEMENT = "Statement:\n- Effect: Allow\n  Action: '*'\n  Resource: '*'\n"
NESTED = {
    "policy": '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": %s}]}',
    "action": '{"Statement": [{"Effect": "Allow", "Action": %s, "Resource": "*"}]}',
    "text in text": json.dumps({"a": '{"Statement": [{"Effect": "Allow", "Action": "*", "Condition": %s}]}'}),
    "yaml": f"{STATEMENT}  x: %s\n",
    "yaml without brackets": f"{STATEMENT}  x:\n    %s 1\n",
}


@pytest.mark.parametrize("levels", [190, 600, 10_000])
@pytest.mark.parametrize(("kind", "text"), NESTED.items(), ids=NESTED)
@pytest.mark.parametrize("token", [p.POLICY, "acme:index/thing:Thing"])
def test_a_policy_that_is_nested_more_deeply_than_any_is_loud_and_crashes_nowhere(
    tmp_path: Path, token: str, kind: str, text: str, levels: int
) -> None:
    deep = text % ("- " * levels if "without" in kind else "[" * levels + "]" * levels)
    for old, new in ((None, deep), (NARROW, deep), (deep, NARROW)):
        report = judged(tmp_path, p.step(token, "x", {"policy": old} if old else None, {"policy": new}))
        assert loud(report)
        assert all(render(form, report) for form in FORMATS)


def test_texts_in_texts_that_together_are_nested_deeply_are_opened_as_far_as_the_limit(tmp_path: Path) -> None:
    text = policy(allow("*", "*"))
    for _ in range(5):
        text = "[" * 190 + json.dumps(text) + "]" * 190
    assert loud(judged(tmp_path, p.step("acme:index/thing:Thing", "x", {"a": NARROW}, {"a": text})))


@pytest.mark.parametrize("row", ["1: 2", "null: 3", "on: 1\n2: 3", "1: 2\n'1': 3", "? [1, 2]\n: 3", "a: .inf"])
@pytest.mark.parametrize("inside", [True, False])
def test_a_yaml_text_with_names_that_are_no_texts_is_judged(tmp_path: Path, row: str, inside: bool) -> None:
    text = STATEMENT + (row.replace("\n", "\n  ").join(("  ", "\n")) if inside else f"{row}\n")
    report = judged(tmp_path, p.step("acme:index/thing:Thing", "x", {"a": NARROW}, {"a": text}))
    assert loud(report)
    assert all(render(form, report) for form in FORMATS)


def test_aliases_of_aliases_in_a_yaml_text_are_not_followed(tmp_path: Path) -> None:
    """Nine lines that stand for a hundred million values."""
    rows = (f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 8)}]" for number in range(1, 9))
    text = "\n".join(["a0: &a0 [x, x]", *rows, STATEMENT])
    report = judged(tmp_path, p.step("acme:index/thing:Thing", "x", {"a": NARROW}, {"a": text}))
    assert loud(report)


@pytest.mark.parametrize("effect", ["Deny", "Allow"])
def test_the_version_is_a_part_of_what_a_policy_means(tmp_path: Path, effect: str) -> None:
    """Without today's Version `${aws:username}` is no variable, and the Deny on it holds for nobody."""
    home = "arn:aws:s3:::home/${aws:username}/*"
    for versions in ((("Version", "2012-10-17"), None), (("Version", "2012-10-17"), ("Version", "2008-10-17"))):
        old, new = (
            json.dumps(
                {
                    **dict([item] if item else []),
                    "Statement": [allow("ecr:*", "*"), {"Effect": effect, "Action": "s3:*", "Resource": home}],
                }
            )
            for item in versions
        )
        report = judged(tmp_path, p.step(p.POLICY, "x", {"policy": old}, {"policy": new}))
        assert report.worst == "access-broadened", versions


# --- what is recorded


def _drifted(token: str, declared: dict[str, Any], recorded: dict[str, Any], name: str) -> dict[str, Any]:
    return p.step(
        token, "x", declared, declared, op="update", old_options={"outputs": recorded},
        diffReasons=[name], detailedDiff={name: {"kind": "update", "inputDiff": False}},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("token", "name", "recorded", "declared", "risk"),
    [
        ("aws:iam/userPolicy:UserPolicy", "policy", NARROW, WIDE, "access-broadened"),
        (p.ROLE, "managedPolicyArns", [], ["arn:aws:iam::aws:policy/AdministratorAccess"], "access-broadened"),
        (p.GROUP, "allowAccess", False, True, "group-opened"),
        (p.MEMBERSHIP, "groups", ["a"], ["a", "admins"], "group-membership"),
        (p.REPOSITORY, "imageTagMutability", "IMMUTABLE", "MUTABLE", "exposure-mutable-tags"),
        (
            "azuredevops:index/gitPermissions:GitPermissions",
            "permissions",
            {"X": "Deny"},
            {"X": "Allow"},
            "access-broadened",
        ),
        ("azuredevops:index/project:Project", "visibility", "private", "public", "access-broadened"),
        ("azuredevops:index/checkApproval:CheckApproval", "requesterCanApprove", False, True, "guard-weakened"),
        ("acme:index/thing:Thing", "open", False, True, "unreviewed"),
        ("acme:index/thing:Thing", "anyText", NARROW, WIDE, "access-broadened"),
    ],
)
def test_what_is_recorded_counts_where_it_is_not_what_was_declared(
    tmp_path: Path, token: str, name: str, recorded: Any, declared: Any, risk: str
) -> None:
    report = judged(tmp_path, _drifted(token, {name: declared}, {name: recorded}, name))
    assert report.worst == risk
    silent = p.step(
        token, "x", {name: declared}, {name: declared}, op="update", old_options={"outputs": {name: recorded}}
    )
    assert judged(tmp_path, silent).worst == risk, "the engine says nothing, and the recorded state differs"
    back = judged(tmp_path, _drifted(token, {name: recorded}, {name: declared}, name))
    assert back.worst != "access-broadened"


def test_what_a_provider_only_adds_to_what_is_recorded_is_no_change(tmp_path: Path) -> None:
    declared = {
        "name": "x", "tags": {"a": "b"}, "repository": {"repoId": "r", "ymlPath": "y"}, "scopes": [{"a": 1}, {"a": 2}],
        "zones": ["b", "a"],
    }  # fmt: skip
    recorded = {
        "name": "x", "tags": {"a": "b"}, "tagsAll": {"a": "b", "owner": "c"},
        "repository": {"repoId": "r", "ymlPath": "y", "url": "https://example.org/r", "serviceConnectionId": ""},
        "scopes": [{"a": 2, "id": "9"}, {"a": 1, "id": "8"}], "zones": ["a", "b"],
    }  # fmt: skip
    changed = {**declared, "tags": {"a": "c"}}
    names = ["tags", "repository", "scopes", "zones"]
    step = p.step(
        "acme:index/thing:Thing", "x", declared, changed, old_options={"outputs": recorded}, diffReasons=["tags"],
        detailedDiff={"tags": {"kind": "update", "inputDiff": False}},
    )  # fmt: skip
    assert p.risks_of(tmp_path, step) == {"change"}
    told = {**step, "diffReasons": names, "detailedDiff": {name: {"kind": "update"} for name in names}}
    found = one(judged(tmp_path, told), "unreviewed")
    assert all("the engine says that it differs" in detail for detail in found.details)


# --- what deleting leaves behind


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        ("aws:iam/rolePolicy:RolePolicy", {"role": "x", "policy": WIDE}),
        ("aws:iam/rolePolicy:RolePolicy", {"role": "x", "policy": policy(deny("*", "*"))}),
        (p.AUTHORIZATION, {"resourceId": "x", "type": "variablegroup"}),
        ("azuredevops:index/gitPermissions:GitPermissions", {"principal": "u", "permissions": {"ForcePush": "Allow"}}),
        (p.KEY, {"user": "u"}),
        ("azuredevops:index/serviceEndpointAws:ServiceEndpointAws", {"serviceEndpointName": "a"}),
        (p.ATTACHMENT, {"group": "g", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
        ("acme:index/thing:Thing", {"a": WIDE}),
    ],
)
def test_what_is_only_forgotten_proves_nothing(tmp_path: Path, token: str, inputs: dict[str, Any]) -> None:
    kept = p.step(token, "x", inputs, None, old_options={"retainOnDelete": True})
    report = judged(tmp_path, kept)
    assert {"access-narrowed", "access-broadened"}.isdisjoint(item.risk for item in report.findings)
    assert "access-unknown" in {item.risk for item in report.findings}
    other = {**inputs, "role": "y"} if "role" in inputs else {**inputs, "note": "y"}
    replaced = p.step(token, "x", inputs, other, op="replace", old_options={"retainOnDelete": True})
    report = judged(tmp_path, replaced)
    assert "access-narrowed" not in {item.risk for item in report.findings}
    assert "access-unknown" in {item.risk for item in report.findings}


def test_what_a_kept_thing_would_be_deleted_with_is_kept_too(tmp_path: Path) -> None:
    role = p.step(p.ROLE, "r", {"name": "r"}, None, old_options={"retainOnDelete": True})
    inputs = {"role": "r", "policy": WIDE}
    with_it = p.step("aws:iam/rolePolicy:RolePolicy", "x", inputs, None, old_options={"deletedWith": role["urn"]})
    report = judged(tmp_path, role, with_it)
    assert "access-narrowed" not in {item.risk for item in report.findings if item.urn == with_it["urn"]}


# --- where things are


def test_a_provider_that_changes_moves_everything_below_it(tmp_path: Path) -> None:
    token = "pulumi:providers:aws"
    below = f"{p.urn(token, 'prod')}::1"
    user = p.step(
        p.USER, "u", {"name": "u"}, {"name": "v"}, old_options={"provider": below}, new_options={"provider": below}
    )
    same = p.step(
        p.USER,
        "w",
        {"name": "w"},
        {"name": "w"},
        op="same",
        old_options={"provider": below},
        new_options={"provider": below},
    )
    base = {"region": "us-east-2", "version": "7.1.0"}
    for change in (
        {"assumeRoles": '[{"roleArn":"arn:aws:iam::210987654321:role/x"}]'},
        {"region": "us-west-2"},
        {"endpoints": '[{"iam":"http://evil"}]'},
        {"version": "6.0.0"},
        {"pluginDownloadURL": "https://evil.example"},
        {"allowedAccountIds": "[]"},
        {"anythingElse": "x"},
        {"region": UNKNOWN},
    ):
        report = judged(tmp_path, p.step(token, "prod", base, {**base, **change}), user, same)
        found = one(report, "provider-moved")
        assert "moves 2 of the resources" in found.reason, change
        assert next(iter(change)) in found.reason
    tags = judged(tmp_path, p.step(token, "prod", base, {**base, "defaultTags": '{"tags":{}}'}), user)
    assert tags.worst == "change"


def test_a_resource_that_moves_to_another_provider_or_region_is_seen(tmp_path: Path) -> None:
    here, there = (f"{p.urn('pulumi:providers:aws', name)}::{number}" for number, name in enumerate(("a", "b")))
    inputs = {"policy": NARROW}
    moved = p.step(
        p.POLICY, "x", inputs, inputs, op="update", old_options={"provider": here}, new_options={"provider": there},
        diffReasons=["provider"],
    )  # fmt: skip
    assert p.risks_of(tmp_path, moved) == {"provider-moved"}
    quiet = {**moved, "op": "same"}
    assert p.risks_of(tmp_path, quiet) == {"provider-moved"}
    instance = {
        **moved,
        "newState": {**moved["newState"], "provider": here[:-1] + "9"},
        "diffReasons": [],
        "op": "same",
    }
    assert p.risks_of(tmp_path, instance) == set()
    region = p.step(p.REPOSITORY, "r", {"region": "us-east-2"}, {"region": "us-west-2"}, op="replace")
    assert "provider-moved" in p.risks_of(tmp_path, region)


def test_another_stack_that_outputs_are_taken_from_is_a_move(tmp_path: Path) -> None:
    token = "pulumi:pulumi:StackReference"
    step = p.step(token, "base", {"name": "org/base/dev"}, {"name": "org/base/prod"})
    assert p.risks_of(tmp_path, step) == {"provider-moved"}


@pytest.mark.parametrize(
    ("token", "path", "risk"),
    [
        (p.POLICY, "policy", "guard-weakened"),
        (p.REPOSITORY, "imageTagMutability", "guard-weakened"),
        (p.APPROVAL, "approvers", "guard-weakened"),
        ("azuredevops:index/buildDefinition:BuildDefinition", "repository.ymlPath", "guard-weakened"),
        (p.POLICY, "*", "guard-weakened"),
        ("acme:index/thing:Thing", "mode", "unreviewed"),
        (p.POLICY, "description", None),
        (p.REPOSITORY, "tags", None),
    ],
)
def test_changes_that_are_ignored_from_now_on_are_seen(tmp_path: Path, token: str, path: str, risk: str | None) -> None:
    inputs = {"name": "x"}
    for op in ("same", "update"):
        changed = {**inputs, "description": "b"} if op == "update" else inputs
        step = p.step(token, "x", inputs, changed, op=op, new_options={"ignoreChanges": [path]})
        risks = p.risks_of(tmp_path, step)
        assert (risk in risks) if risk else risks == {"change"}
    fewer = p.step(token, "x", inputs, inputs, op="same", old_options={"ignoreChanges": [path]})
    assert p.risks_of(tmp_path, fewer) == {"change"}


# --- values of single rules


@pytest.mark.parametrize(
    ("mode", "old", "new", "open_"),
    [
        ("IMMUTABLE_WITH_EXCLUSION", ["a"], ["a", "b"], True),
        ("IMMUTABLE_WITH_EXCLUSION", ["a", "b"], ["a"], False),
        ("MUTABLE_WITH_EXCLUSION", ["prod-*"], ["none-*"], True),
        ("MUTABLE_WITH_EXCLUSION", ["a", "b"], ["a"], True),
        ("MUTABLE_WITH_EXCLUSION", ["a"], ["a", "b"], False),
    ],
)
def test_excluded_tags_are_judged_by_their_direction(
    tmp_path: Path, mode: str, old: list[str], new: list[str], open_: bool
) -> None:
    def repository(filters: list[str]) -> dict[str, Any]:
        return {
            "name": "x", "imageTagMutability": mode, "imageScanningConfiguration": {"scanOnPush": True},
            "imageTagMutabilityExclusionFilters": [{"filter": item, "filterType": "WILDCARD"} for item in filters],
        }  # fmt: skip

    risks = p.risks_of(tmp_path, p.step(p.REPOSITORY, "r", repository(old), repository(new)))
    assert risks == ({"exposure-mutable-tags"} if open_ else {"change"})


@pytest.mark.parametrize(
    ("token", "old", "new"),
    [
        ("serviceEndpointAws:ServiceEndpointAws", {"roleToAssume": "a"}, {"roleToAssume": "b"}),
        ("serviceEndpointAws:ServiceEndpointAws", {"externalId": "x"}, {}),
        ("serviceEndpointGeneric:ServiceEndpointGeneric", {"serverUrl": "https://a"}, {"serverUrl": "https://b"}),
        ("serviceendpointMaven:ServiceendpointMaven", {"url": "https://a"}, {"url": "https://b"}),
    ],
)
def test_a_service_connection_that_points_or_logs_in_elsewhere_is_loud(
    tmp_path: Path, token: str, old: dict[str, Any], new: dict[str, Any]
) -> None:
    for op in ("update", "replace"):
        assert loud(judged(tmp_path, p.step(f"azuredevops:index/{token}", "e", old, new, op=op)))
    secret = {"password": "[secret]"}
    hidden = p.step(f"azuredevops:index/{token}", "e", secret, secret, op="update", diffReasons=["password"])
    assert loud(judged(tmp_path, hidden))
    renamed = p.step(f"azuredevops:index/{token}", "e", {"description": "a"}, {"description": "b"})
    assert p.risks_of(tmp_path, renamed) == {"change"}


def test_a_replaced_credential_of_another_holder_is_a_new_one(tmp_path: Path) -> None:
    other = p.step(p.KEY, "k", {"user": "ci"}, {"user": "admin"}, op="replace")
    assert "admin" in one(judged(tmp_path, other), "credential-created").reason
    rotated = p.step(p.KEY, "k", {"user": "ci"}, {"user": "ci"}, op="replace")
    assert "credential-created" not in p.risks_of(tmp_path, rotated)


@pytest.mark.parametrize(
    "weak",
    [
        {"enabled": "false"},
        {"blocking": False},
        {"requesterCanApprove": True},
        {"settings": {"submitterCanVote": True}},
        {"settings": {"reviewerCount": 0}},
        {"allowedBranches": "*"},
        {"requesterCanApprove": UNKNOWN},
    ],
)
def test_a_guard_that_is_made_weak_is_seen_when_it_is_made(tmp_path: Path, weak: dict[str, Any]) -> None:
    token = "azuredevops:index/branchPolicyMinReviewers:BranchPolicyMinReviewers"
    assert p.risks_of(tmp_path, p.step(token, "g", None, {"projectId": "p", **weak})) == {"guard-weakened"}
    strict = {"projectId": "p", "enabled": True, "blocking": True, "settings": {"reviewerCount": 2}}
    assert p.risks_of(tmp_path, p.step(token, "g", None, strict)) == {"change"}


def test_a_path_of_permissions_is_no_secret_and_one_of_a_registry_is(tmp_path: Path) -> None:
    token = "azuredevops:index/securityPermissions:SecurityPermissions"
    inputs = {
        "namespaceId": "n",
        "token": "repoV2/11111111-1111/22222222",
        "principal": "x",
        "permissions": {"A": "allow"},
    }
    other = {**inputs, "token": "repoV2/33333333-3333"}
    report = judged(tmp_path, p.step(token, "e", None, inputs))
    assert {item.risk for item in report.findings} == {"access-broadened"}
    assert "repoV2/11111111-1111/22222222" in str(report)
    moved = judged(tmp_path, p.step(token, "e", inputs, other, op="replace"))
    assert "x gains A." in " ".join(item.reason for item in moved.findings), "another path is another thing"
    for name, value in (("token", "abcdefghijkl"), ("password", "correct-horse")):
        report = judged(tmp_path, p.step("acme:index/thing:Thing", "e", None, {name: value}))
        assert value not in str(report)


@pytest.mark.parametrize(
    "inputs",
    [
        {"metadataOptions": {"httpTokens": "required"}},
        {"spec": {"imagePullSecrets": [{"name": "registry-login"}]}},
        {"containers": [{"secrets": [{"name": "DB_PASSWORD", "valueFrom": "/prod/db-password"}]}]},
        {"values": {"auth": {"existingSecret": "postgres-login"}}},
    ],
)
def test_a_word_or_a_reference_under_a_secret_name_is_no_secret(tmp_path: Path, inputs: dict[str, Any]) -> None:
    report = judged(tmp_path, p.step("acme:index/thing:Thing", "e", None, inputs))
    assert "exposure-secret-in-clear" not in {item.risk for item in report.findings}
    assert "[redacted]" not in str(report)


def test_narrowing_and_safer_values_stay_quiet(tmp_path: Path) -> None:
    for token, old, new in (
        ("azuredevops:index/project:Project", {"visibility": "public"}, {"visibility": "private"}),
        ("aws:kms/key:Key", {"enableKeyRotation": False}, {"enableKeyRotation": True}),
        ("aws:s3/bucketVersioning:BucketVersioning", {"versioningConfiguration": {"status": "Suspended"}},
         {"versioningConfiguration": {"status": "Enabled"}}),
        ("aws:cloudwatch/logGroup:LogGroup", {"retentionInDays": 7}, {"retentionInDays": 30}),
    ):  # fmt: skip
        assert p.risks_of(tmp_path, p.step(token, "x", old, new)) == {"change"}, token


def test_an_arn_of_another_account_is_named_in_the_finding(tmp_path: Path) -> None:
    inputs = {"destination": {"bucket": "arn:aws:s3:::evil", "account": "210987654321"}, "status": "Enabled"}
    found = one(
        judged(tmp_path, p.step("aws:s3/bucketReplicationConfig:BucketReplicationConfig", "x", None, inputs)),
        "unreviewed",
    )
    assert found.details[0] == "destination.account: 210987654321 (account 210987654321)"
    assert ARN.split(":")[4] not in str(found.details)


def test_the_engines_own_provider_that_moves_to_another_region_is_seen_in_an_event_log(tmp_path: Path) -> None:
    token = "pulumi:providers:aws"
    step = p.step(token, "default_7_1_0", {"region": "us-east-2"}, {"region": "us-west-2"})
    assert p.report_of(tmp_path, p.events(step)).worst == "provider-moved"
    same = p.step(token, "default_7_1_0", {"region": "us-east-2"}, {"region": "us-east-2"}, op="same")
    assert p.report_of(tmp_path, p.events(same)).worst == "none"


def test_what_a_service_does_by_default_is_no_weakness_of_a_new_thing(tmp_path: Path) -> None:
    rules = [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]
    token = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    assert p.risks_of(tmp_path, p.step(token, "x", None, {"bucket": "b", "rules": rules})) == {"change"}


def test_another_key_of_ones_own_is_seen(tmp_path: Path) -> None:
    one_key, other = (
        {"name": "r", "imageTagMutability": "IMMUTABLE", "imageScanningConfiguration": {"scanOnPush": True},
         "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": f"arn:aws:kms:us-east-2:{account}:key/k"}]}
        for account in ("123456789012", "210987654321")
    )  # fmt: skip
    risks = p.risks_of(tmp_path, p.step(p.REPOSITORY, "r", one_key, other, op="replace"))
    assert "exposure-encryption-weaker" in risks


def test_a_first_image_may_say_where_its_sources_are_and_a_later_one_that_says_otherwise_is_looked_at(
    tmp_path: Path,
) -> None:
    token = "docker:index/image:Image"
    ours, theirs = (
        {"imageName": "r/app:1", "build": {"args": {"REVISION": "1f3e2d4", "SOURCE": address}}}
        for address in ("https://dev.azure.com/acme/app-one/_git/app-one", "https://example.org/app")
    )
    assert p.risks_of(tmp_path, p.step(token, "image", None, ours)) == {"change"}
    assert "unreviewed" in p.risks_of(tmp_path, p.step(token, "image", ours, theirs))
    elsewhere = {**ours, "build": {"args": {"MIRROR": "https://example.org"}}}
    assert "unreviewed" in p.risks_of(tmp_path, p.step(token, "image", None, elsewhere))
