"""Access: every class of change is judged right, also where a textual reviewer errs or sees nothing (shared table of
20 cases)."""

import json
from pathlib import Path
from typing import Any

import pytest

from audit.model import UNKNOWN, kind_of
from tests.audit import previews as p
from tests.audit.previews import ARN, allow, deny, policy

PUSH = allow(["ecr:PutImage", "ecr:InitiateLayerUpload"], Sid="Push")
TOKEN = allow("ecr:GetAuthorizationToken", "*", Sid="Token")

# (what changes, old statements, new statements, expected class)
TABLE: list[tuple[str, list[dict[str, Any]], list[dict[str, Any]], str]] = [
    # broadening that any reviewer sees
    (
        "an action is added",
        [PUSH],
        [allow(["ecr:PutImage", "ecr:InitiateLayerUpload", "ecr:BatchDeleteImage"])],
        "access-broadened",
    ),
    ("an ARN becomes a star", [PUSH], [allow(PUSH["Action"], "*")], "access-broadened"),
    ("an action becomes a wildcard", [PUSH], [allow("ecr:*")], "access-broadened"),
    ("a resource is added", [PUSH], [allow(PUSH["Action"], [ARN, ARN + "-two"])], "access-broadened"),
    (
        "a condition is removed",
        [allow("ecr:PutImage", Condition={"Bool": {"aws:SecureTransport": "true"}})],
        [allow("ecr:PutImage")],
        "access-broadened",
    ),
    ("a statement is added", [PUSH], [PUSH, TOKEN], "access-broadened"),
    ("a Deny is removed", [PUSH, deny("ecr:PutImage", ARN + "-old")], [PUSH], "access-broadened"),
    # narrowing that a textual reviewer calls broadening
    ("an action is removed", [PUSH], [allow("ecr:PutImage")], "access-narrowed"),
    ("a star becomes an ARN", [allow("ecr:PutImage", "*")], [allow("ecr:PutImage")], "access-narrowed"),
    (
        "a condition is added",
        [allow("ecr:PutImage")],
        [allow("ecr:PutImage", Condition={"Bool": {"aws:SecureTransport": "true"}})],
        "access-narrowed",
    ),
    (
        "a Deny grows",
        [allow("ecr:*"), deny("ecr:DeleteRepository")],
        [allow("ecr:*"), deny(["ecr:DeleteRepository", "ecr:BatchDeleteImage"])],
        "access-narrowed",
    ),
    (
        "a Deny with NotAction is added",
        [allow("ecr:*")],
        [allow("ecr:*"), {"Effect": "Deny", "NotAction": "ecr:PutImage", "Resource": "*"}],
        "access-narrowed",
    ),
    # neutral that a textual reviewer calls broadening
    ("a Sid is renamed", [PUSH], [{**PUSH, "Sid": "Renamed"}], "change"),
    ("a statement is split", [PUSH], [allow("ecr:PutImage"), allow("ecr:InitiateLayerUpload")], "change"),
    ("an action is written in another case", [PUSH], [allow(["ecr:putimage", "ECR:InitiateLayerUpload"])], "change"),
    ("a redundant action is added", [allow("ecr:*")], [allow(["ecr:*", "ecr:PutImage"])], "change"),
    # broadening that a textual reviewer misses
    (
        "an Allow with NotAction is added",
        [PUSH],
        [PUSH, {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
        "access-broadened",
    ),
    (
        "an Allow with NotResource is added",
        [PUSH],
        [PUSH, {"Effect": "Allow", "Action": "ecr:PutImage", "NotResource": ARN}],
        "access-broadened",
    ),
    (
        "a Deny with NotAction is removed",
        [allow("ecr:*"), {"Effect": "Deny", "NotAction": "ecr:PutImage", "Resource": "*"}],
        [allow("ecr:*")],
        "access-broadened",
    ),
]


@pytest.mark.parametrize(("what", "old", "new", "expected"), TABLE, ids=[row[0].replace(" ", "-") for row in TABLE])
def test_a_policy_change_gets_the_right_class(tmp_path: Path, what: str, old: Any, new: Any, expected: str) -> None:
    step = p.step(p.POLICY, "push", {"policy": policy(*old)}, {"policy": policy(*new)})
    report = p.report_of(tmp_path, p.digest(step))
    assert report.worst == expected, what
    for finding in report.findings:
        if finding.risk == "access-broadened":
            assert finding.policy is not None
            assert finding.policy.newly_allowed, "a claim without a witness"


def test_a_statement_behind_a_conditional_is_judged_by_what_the_preview_resolved(tmp_path: Path) -> None:
    """Templates hide a statement behind a condition; a preview holds the document that the program really made."""
    step = p.step(p.POLICY, "push", {"policy": policy(PUSH)}, {"policy": policy(PUSH, allow("iam:*", "*"))})
    assert p.risks_of(tmp_path, step) == {"access-broadened"}


def test_removing_a_deny_matters_even_where_this_document_allows_nothing(tmp_path: Path) -> None:
    step = p.step(p.POLICY, "guard", {"policy": policy(deny("ecr:*", "*"))}, {"policy": policy()})
    report = p.report_of(tmp_path, p.digest(step))
    assert report.worst == "access-broadened"
    assert "explicit Deny" in report.findings[0].reason


def test_deleting_a_policy_that_only_allows_is_narrowing_and_one_that_denies_is_not(tmp_path: Path) -> None:
    assert "access-narrowed" in p.risks_of(tmp_path, p.step(p.POLICY, "push", {"policy": policy(PUSH)}, None))
    assert "access-broadened" in p.risks_of(
        tmp_path, p.step(p.POLICY, "guard", {"policy": policy(deny("*", "*"))}, None)
    )


def test_an_added_access_key_is_seen(tmp_path: Path) -> None:
    assert p.risks_of(tmp_path, p.step(p.KEY, "key-1", None, {"user": "app-one"})) == {"credential-created"}


def test_a_key_that_becomes_active_again_is_seen(tmp_path: Path) -> None:
    step = p.step(p.KEY, "key-1", {"user": "u", "status": "Inactive"}, {"user": "u", "status": "Active"})
    assert p.risks_of(tmp_path, step) == {"credential-created"}


def test_a_user_added_to_a_group_is_seen(tmp_path: Path) -> None:
    step = p.step(p.MEMBERSHIP, "m", {"user": "u", "groups": ["a"]}, {"user": "u", "groups": ["a", "admins"]})
    report = p.report_of(tmp_path, p.digest(step))
    assert report.worst == "group-membership"
    assert "admins" in report.findings[0].reason
    assert p.risks_of(tmp_path, p.step(p.MEMBERSHIP, "m", None, {"user": "u", "groups": [UNKNOWN]})) == {
        "group-membership"
    }


def test_a_removed_or_exchanged_boundary_is_seen(tmp_path: Path) -> None:
    old = {"name": "u", "permissionsBoundary": "arn:aws:iam::123456789012:policy/boundary"}
    assert p.risks_of(tmp_path, p.step(p.USER, "u", old, {"name": "u"})) == {"boundary-removed"}
    other = {"name": "u", "permissionsBoundary": UNKNOWN}
    report = p.report_of(tmp_path, p.digest(p.step(p.USER, "u", old, other)))
    assert (report.worst, report.findings[0].proved) == ("boundary-removed", False)
    assert p.risks_of(tmp_path, p.step(p.USER, "u", {"name": "u"}, old)) == {"change"}


def test_a_trust_policy_that_lets_another_in_is_a_change_of_trust(tmp_path: Path) -> None:
    def trust(account: str) -> dict[str, Any]:
        statement = {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        }
        return {"assumeRolePolicy": policy(statement)}

    assert p.risks_of(tmp_path, p.step(p.ROLE, "r", trust("111111111111"), trust("222222222222"))) == {"trust-changed"}
    provider = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
    assert p.risks_of(tmp_path, p.step(provider, "o", None, {"url": "https://example.org"})) == {"trust-changed"}


def test_a_variable_group_opened_to_all_pipelines_is_seen_in_all_its_forms(tmp_path: Path) -> None:
    closed, opened = {"name": "g", "allowAccess": False}, {"name": "g", "allowAccess": True}
    assert p.risks_of(tmp_path, p.step(p.GROUP, "g", closed, opened)) == {"group-opened"}
    assert p.risks_of(tmp_path, p.step(p.GROUP, "g", None, opened)) == {"group-opened"}
    for token, value in ((p.GROUP, "true"), ("azuredevops:Pipelines/variableGroup:VariableGroup", True)):
        assert p.risks_of(tmp_path, p.step(token, "g", closed, {**opened, "allowAccess": value})) == {"group-opened"}
    everyone = {"projectId": "x", "resourceId": "7", "type": "variablegroup"}
    assert p.risks_of(tmp_path, p.step(p.AUTHORIZATION, "a", None, everyone)) == {"group-opened"}
    one = {**everyone, "pipelineId": 12}
    assert p.risks_of(tmp_path, p.step(p.AUTHORIZATION, "a", None, one)) == {"pipeline-authorized"}
    assert p.risks_of(tmp_path, p.step(p.GROUP, "g", None, closed)) == {"change"}


def test_an_approval_that_is_removed_or_weakened_is_seen(tmp_path: Path) -> None:
    two = {"minimumRequiredApprovers": 2, "requesterCanApprove": False, "instructions": "a"}
    assert "guard-weakened" in p.risks_of(tmp_path, p.step(p.APPROVAL, "c", two, None))
    assert p.risks_of(tmp_path, p.step(p.APPROVAL, "c", two, {**two, "requesterCanApprove": True})) == {
        "guard-weakened"
    }
    assert p.risks_of(tmp_path, p.step(p.APPROVAL, "c", two, {**two, "instructions": "b"})) == {"change"}
    assert p.risks_of(tmp_path, p.step(p.APPROVAL, "c", None, two)) == {"change"}


def test_a_policy_known_only_after_apply_is_never_green(tmp_path: Path) -> None:
    step = p.step(
        p.POLICY,
        "push",
        {"policy": policy(PUSH)},
        {"policy": UNKNOWN},
        new_options={"propertyDependencies": {"policy": [p.urn(p.REPOSITORY, "repository")]}},
    )
    report = p.report_of(tmp_path, p.digest(step))
    finding = report.findings[0]
    assert (finding.risk, finding.proved) == ("access-unknown", False)
    assert any(p.urn(p.REPOSITORY, "repository") in item for item in finding.details)


def test_a_policy_with_an_unknown_arn_is_judged_by_its_known_part(tmp_path: Path) -> None:
    old = {"policy": policy(PUSH)}

    def judged(*statements: dict[str, Any]) -> tuple[str, bool]:
        report = p.report_of(tmp_path, p.digest(p.step(p.POLICY, "push", old, {"policy": policy(*statements)})))
        return report.worst, report.findings[0].proved

    assert judged(allow(PUSH["Action"], UNKNOWN)) == ("access-unknown", False)
    assert judged(allow(PUSH["Action"], [ARN, UNKNOWN])) == ("access-unknown", False)
    assert judged(allow(PUSH["Action"], UNKNOWN), allow("iam:*", "*")) == ("access-broadened", True)
    # Whatever the unknown is, the statement stays within what was allowed: proved, not guessed.
    wide = {"policy": policy(allow("ecr:*", "arn:aws:ecr:us-east-2:123456789012:repository/*"))}
    narrowed = {"policy": policy(allow("ecr:PutImage", f"arn:aws:ecr:us-east-2:123456789012:repository/{UNKNOWN}"))}
    report = p.report_of(tmp_path, p.digest(p.step(p.POLICY, "push", wide, narrowed)))
    assert report.worst == "access-narrowed"
    # An unknown condition can be anything, also none.
    unknown_condition = allow("ecr:PutImage", Condition={"StringEquals": {"aws:PrincipalTag/team": UNKNOWN}})
    assert judged(unknown_condition)[0] == "access-narrowed"
    narrow = {"policy": policy(allow("ecr:PutImage", Condition={"StringEquals": {"aws:PrincipalTag/team": "a"}}))}
    report = p.report_of(tmp_path, p.digest(p.step(p.POLICY, "push", narrow, {"policy": policy(unknown_condition)})))
    assert report.worst == "access-unknown"


def test_a_deny_that_becomes_unknown_is_not_green(tmp_path: Path) -> None:
    old = {"policy": policy(allow("ecr:*"), deny("ecr:BatchDeleteImage"))}
    new = {"policy": policy(allow("ecr:*"), deny("ecr:BatchDeleteImage", UNKNOWN))}
    assert p.report_of(tmp_path, p.digest(p.step(p.POLICY, "push", old, new))).worst == "access-unknown"


def test_a_masked_or_broken_policy_is_not_green(tmp_path: Path) -> None:
    for new in ("[secret]", "{not json", '{"Statement": 7}', 42, ["x"]):
        step = p.step(p.POLICY, "push", {"policy": policy(PUSH)}, {"policy": new})
        report = p.report_of(tmp_path, p.digest(step))
        assert (report.worst, report.findings[0].proved) == ("access-unknown", False), new


def test_a_secret_in_a_condition_does_not_make_two_policies_equal(tmp_path: Path) -> None:
    def with_id(value: str) -> dict[str, Any]:
        return {"policy": policy(allow("ecr:PutImage", Condition={"StringEquals": {"sts:ExternalId": value}}))}

    step = p.step(p.POLICY, "push", with_id("first-external-id"), with_id("second-external-id"))
    report = p.report_of(tmp_path, p.digest(step), known_secrets=("first-external-id", "second-external-id"))
    assert report.worst == "access-unknown"
    assert "external-id" not in str(report)


def test_an_attached_policy_is_judged_by_its_document(tmp_path: Path) -> None:
    arn = "arn:aws:iam::123456789012:policy/push"
    source = p.step(p.POLICY, "push", None, {"policy": policy(PUSH)})
    attach = p.step(
        p.ATTACHMENT,
        "a",
        None,
        {"group": "app-one", "policyArn": UNKNOWN},
        new_options={"propertyDependencies": {"policyArn": [p.urn(p.POLICY, "push")]}},
    )
    report = p.report_of(tmp_path, p.digest(source, attach))
    attached = [finding for finding in report.findings if finding.urn == attach["urn"]]
    assert [(finding.risk, finding.proved) for finding in attached] == [("access-broadened", True)]
    elsewhere = p.step(p.ATTACHMENT, "a", None, {"group": "app-one", "policyArn": arn})
    assert p.risks_of(tmp_path, elsewhere) == {"access-unknown"}
    admin = p.step(p.ATTACHMENT, "a", None, {"group": "g", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"})
    assert p.risks_of(tmp_path, admin) == {"access-broadened"}
    # A policy that leaves may have denied something.
    assert p.risks_of(tmp_path, p.step(p.ATTACHMENT, "a", {"group": "g", "policyArn": arn}, None)) == {"access-unknown"}


def test_a_type_without_rules_is_not_green_whatever_its_name(tmp_path: Path) -> None:
    step = p.step("gcp:projects/iAMBinding:IAMBinding", "b", None, {"role": "roles/owner", "members": ["allUsers"]})
    assert p.risks_of(tmp_path, step) == {"unreviewed"}
    assert p.risks_of(tmp_path, p.step("acme:index:Friendly", "f", None, {"name": "f"})) == {"unreviewed"}
    component = p.step("app-one:infra:PushAccess", "access", None, {})
    component["newState"]["custom"] = False
    assert p.risks_of(tmp_path, component) == {"change"}


def test_project_permissions_of_azure_devops_are_judged_by_their_level(tmp_path: Path) -> None:
    token = "azuredevops:index/variableGroupPermissions:VariableGroupPermissions"
    base = {"principal": "vssgp.x", "variableGroupId": "7"}
    denied, allowed = {**base, "permissions": {"Use": "Deny"}}, {**base, "permissions": {"Use": "Allow"}}
    assert p.risks_of(tmp_path, p.step(token, "x", denied, allowed)) == {"access-broadened"}
    assert p.risks_of(tmp_path, p.step(token, "x", denied, {**base, "permissions": {"Use": "NotSet"}})) == {
        "access-broadened"
    }
    assert p.risks_of(tmp_path, p.step(token, "x", allowed, denied)) == {"access-narrowed"}


def test_the_same_document_in_another_spelling_is_only_a_change(tmp_path: Path) -> None:
    document = {"Version": "2012-10-17", "Statement": [PUSH]}
    step = p.step(
        p.POLICY, "push", {"policy": json.dumps(document)}, {"policy": json.dumps(document, indent=4, sort_keys=True)}
    )
    assert p.report_of(tmp_path, p.digest(step)).worst == "change"


def test_a_document_for_another_holder_is_new_to_it(tmp_path: Path) -> None:
    token = "aws:iam/groupPolicy:GroupPolicy"
    old, new = ({"group": group, "policy": policy(PUSH)} for group in ("builders", "everyone"))
    assert p.risks_of(tmp_path, p.step(token, "g", old, new, op="replace")) == {"access-broadened"}


def test_a_policy_inside_another_resource_is_judged_too(tmp_path: Path) -> None:
    def queue(principal: str) -> dict[str, Any]:
        return {"name": "q", "policy": policy({**allow("sqs:SendMessage", "*"), "Principal": {"AWS": principal}})}

    token = "aws:sqs/queue:Queue"
    assert p.risks_of(tmp_path, p.step(token, "q", queue("111111111111"), queue("*"))) == {"access-broadened"}
    assert p.risks_of(tmp_path, p.step(token, "q", queue("*"), queue("111111111111"))) == {"access-narrowed"}
    assert p.risks_of(tmp_path, p.step(token, "q", queue("*"), {**queue("*"), "delaySeconds": 1})) == {"change"}
    assert p.risks_of(tmp_path, p.step(token, "q", queue("*"), {"name": "q", "policy": UNKNOWN})) == {"access-unknown"}


def test_a_repository_policy_that_lets_another_account_in_is_broadened(tmp_path: Path) -> None:
    token = "aws:ecr/repositoryPolicy:RepositoryPolicy"
    statement = {
        "Effect": "Allow",
        "Action": "ecr:BatchGetImage",
        "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
    }
    inputs = {"repository": "app-one", "policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}
    assert p.risks_of(tmp_path, p.step(token, "r", None, inputs)) == {"access-broadened"}


@pytest.mark.parametrize(
    ("token", "holder"),
    [
        ("aws:iam/userPolicy:UserPolicy", "user"),
        ("aws:s3/bucketPolicy:BucketPolicy", "bucket"),
        ("aws:ecr/repositoryPolicy:RepositoryPolicy", "repository"),
    ],
)
def test_a_deny_that_moves_to_another_holder_is_lifted_from_the_first(tmp_path: Path, token: str, holder: str) -> None:
    statement = deny("*", "*") if holder == "user" else deny("*", "*", Principal="*")
    old, new = ({holder: name, "policy": policy(statement)} for name in ("a", "b"))
    report = p.report_of(tmp_path, p.digest(p.step(token, "x", old, new, op="replace")))
    lifted = [item for item in report.findings if item.risk == "access-broadened"]
    assert len(lifted) == 1
    assert "former holder" in lifted[0].reason
    assert "explicit Deny" in lifted[0].reason


def test_a_policy_with_a_deny_that_leaves_a_role_is_not_green(tmp_path: Path) -> None:
    denies, other = "arn:aws:iam::aws:policy/AWSDenyAll", "arn:aws:iam::123456789012:policy/push"
    push = p.step(
        p.POLICY,
        "push",
        {"policy": policy(PUSH)},
        {"policy": policy(PUSH), "description": "x"},
        old_options={"outputs": {"arn": other, "policy": policy(PUSH)}},
    )
    lifted = p.step(p.ROLE, "r", {"managedPolicyArns": [denies, other]}, {"managedPolicyArns": [other]})
    report = p.report_of(tmp_path, p.digest(push, lifted))
    assert (report.worst, report.findings[0].proved) == ("access-unknown", False)
    only_allows = p.step(p.ROLE, "r", {"managedPolicyArns": [other]}, {"managedPolicyArns": []})
    assert p.risks_of(tmp_path, push, only_allows) == {"change"}


def test_an_attachment_that_takes_another_policy_lifts_what_the_first_denied(tmp_path: Path) -> None:
    """Also where the new policy is known only by its dependency: it says nothing about the old one."""
    arn = "arn:aws:iam::123456789012:policy/"
    new = p.step(p.POLICY, "new", None, {"policy": policy(PUSH)})
    swapped = p.step(
        p.ATTACHMENT,
        "a",
        {"group": "g", "policyArn": arn + "deny"},
        {"group": "g", "policyArn": UNKNOWN},
        op="replace",
        new_options={"propertyDependencies": {"policyArn": [p.urn(p.POLICY, "new")]}},
    )
    assert p.risks_of(tmp_path, new, swapped) == {"access-broadened", "access-unknown"}
    push = p.step(
        p.POLICY,
        "push",
        {"policy": policy(PUSH)},
        {"policy": policy(PUSH), "description": "x"},
        old_options={"outputs": {"arn": arn + "push", "policy": policy(PUSH)}},
    )
    several = "aws:iam/policyAttachment:PolicyAttachment"
    two, one = ({"name": "a", "policyArn": arn + "deny", "users": users} for users in (["u", "v"], ["u"]))
    report = p.report_of(tmp_path, p.digest(p.step(several, "a", two, one)))
    assert any("detached" in item.reason for item in report.findings)
    report = p.report_of(tmp_path, p.digest(p.step(several, "a", one, two)))
    assert not any("detached" in item.reason for item in report.findings)
    first, second = ({"group": group, "policyArn": arn + "push"} for group in ("g", "h"))
    harmless = p.step(p.ATTACHMENT, "a", first, second, op="replace")
    assert p.risks_of(tmp_path, push, harmless) == {"access-broadened", "change"}


@pytest.mark.parametrize(
    ("token", "name", "value", "risk"),
    [
        (p.USER, "permissionsBoundary", "[secret]", "boundary-removed"),
        (p.ROLE, "permissionsBoundary", "[secret]", "boundary-removed"),
        (p.ROLE, "inlinePolicies", "[secret]", "access-unknown"),
        (p.ROLE, "inlinePolicies", [{"name": "i", "policy": "[secret]"}], "access-unknown"),
        (p.ROLE, "inlinePolicies", [{"name": "i", "policy": policy(allow("s3:*", "[redacted]"))}], "access-unknown"),
        (p.ROLE, "managedPolicyArns", "[secret]", "access-unknown"),
        (p.LIFECYCLE, "policy", "[secret]", "loss-lifecycle-expires-more"),
        ("aws:sqs/queue:Queue", "policy", "[secret]", "access-unknown"),
        (p.REPOSITORY, "encryptionConfigurations", "[secret]", "exposure-encryption-weaker"),
    ],
)
def test_what_is_masked_on_both_sides_and_announced_to_differ_is_not_green(
    tmp_path: Path, token: str, name: str, value: Any, risk: str
) -> None:
    inputs = {"name": "x", name: value}
    changed = p.step(token, "x", inputs, inputs, op="update", detailedDiff={name: {"kind": "update"}})
    found = [item for item in p.report_of(tmp_path, p.digest(changed)).findings if item.risk == risk]
    assert found
    assert not any(item.proved for item in found)
    other = p.step(token, "x", inputs, inputs, op="update", detailedDiff={name + "Other": {"kind": "update"}})
    assert risk not in p.risks_of(tmp_path, other)


def test_what_changes_besides_a_judged_document_of_an_unknown_type_is_not_green(tmp_path: Path) -> None:
    def trust(*accounts: str) -> Any:
        principal = {"AWS": [f"arn:aws:iam::{account}:root" for account in accounts]}
        statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
        return {"Version": "2012-10-17", "Statement": [statement]}

    token, document = "aws-native:iam:Role", "assumeRolePolicyDocument"
    wide = {document: trust("111111111111", "222222222222"), "permissionsBoundary": "arn:aws:iam::1:policy/b"}
    narrow = {document: trust("111111111111")}
    report = p.report_of(tmp_path, p.digest(p.step(token, "r", wide, narrow)))
    assert {(item.risk, item.proved) for item in report.findings} == {
        ("access-narrowed", True),
        ("unreviewed", False),
    }
    assert any("permissionsBoundary" in detail for item in report.findings for detail in item.details)
    kept = {**narrow, "permissionsBoundary": wide["permissionsBoundary"]}
    assert p.risks_of(tmp_path, p.step(token, "r", wide, kept)) == {"access-narrowed"}


def test_a_deny_in_a_deleted_thing_of_a_type_without_rules_is_lifted(tmp_path: Path) -> None:
    inputs = {"content": policy(deny("*", "*")), "type": "SERVICE_CONTROL_POLICY"}
    step = p.step("aws:organizations/policy:Policy", "x", inputs, None)
    report = p.report_of(tmp_path, p.digest(step))
    assert (report.worst, report.findings[0].proved) == ("access-broadened", True)
    assert "explicit Deny" in report.findings[0].reason


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        ("aws:organizations/policyAttachment:PolicyAttachment", {"policyId": "p-1", "targetId": "123456789012"}),
        ("aws:ssoadmin/permissionsBoundaryAttachment:PermissionsBoundaryAttachment", {"permissionSetArn": "x"}),
    ],
)
def test_a_deleted_guard_of_a_type_without_a_rule_is_not_green(
    tmp_path: Path, token: str, inputs: dict[str, Any]
) -> None:
    report = p.report_of(tmp_path, p.digest(p.step(token, "x", inputs, None)))
    assert (report.worst, report.findings[0].proved) == ("unreviewed", False)


def test_a_deleted_secret_is_a_loss_and_allows_nothing_new(tmp_path: Path) -> None:
    deleted = p.step("aws:secretsmanager/secret:Secret", "s", {"name": "s"}, None)
    assert p.risks_of(tmp_path, deleted) == {"loss-resource"}


def test_permissions_that_pass_to_another_principal_are_judged_for_both(tmp_path: Path) -> None:
    token = "azuredevops:index/libraryPermissions:LibraryPermissions"

    def base(level: str, **more: str) -> dict[str, Any]:
        return {"projectId": "1", "principal": "p", **more, "permissions": {"View": level}}

    def judged(old: dict[str, Any], new: dict[str, Any]) -> set[tuple[str, str]]:
        report = p.report_of(tmp_path, p.digest(p.step(token, "x", old, new, op="replace")))
        return {(item.risk, item.reason.partition(": ")[2]) for item in report.findings if "loss" not in item.risk}

    assert judged(base("Deny"), base("Deny", principal="q")) == {
        ("access-broadened", "p gains View where they were."),
        ("access-narrowed", "q loses View."),
    }
    assert ("access-broadened", "q gains View.") in judged(base("Allow"), base("Allow", principal="q"))
    assert ("access-broadened", "p gains View where they were.") in judged(base("Deny"), base("Deny", projectId="2"))
    report = p.report_of(tmp_path, p.digest(p.step(token, "x", base("Deny"), base(UNKNOWN))))
    assert (report.worst, report.findings[0].proved) == ("access-unknown", False)


def test_a_block_of_public_access_that_is_switched_off_or_deleted_is_not_green(tmp_path: Path) -> None:
    token = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    on = {"bucket": "b", **dict.fromkeys(names, True)}
    for new in ({**on, "blockPublicPolicy": False}, {**on, "blockPublicPolicy": UNKNOWN}, {"bucket": "b"}, None):
        assert "access-unknown" in p.risks_of(tmp_path, p.step(token, "x", on, new)), new
    assert p.risks_of(tmp_path, p.step(token, "x", {**on, "blockPublicPolicy": False}, on)) == {"change"}
    assert p.risks_of(tmp_path, p.step(token, "x", None, on)) == {"change"}


def test_an_access_list_that_lets_the_public_in_is_broadened(tmp_path: Path) -> None:
    token = "aws:s3/bucket:Bucket"

    def acl(value: str | None) -> dict[str, Any]:
        return {"bucket": "b"} if value is None else {"bucket": "b", "acl": value}

    for old in ("private", None):
        assert p.risks_of(tmp_path, p.step(token, "b", acl(old), acl("public-read"))) == {"access-broadened"}
    assert p.risks_of(tmp_path, p.step(token, "b", None, acl("authenticated-read"))) == {"access-broadened"}
    assert p.risks_of(tmp_path, p.step(token, "b", acl("public-read"), acl("public-read-write"))) == {
        "access-broadened"
    }
    assert p.risks_of(tmp_path, p.step(token, "b", acl("public-read"), acl("private"))) == {"access-narrowed"}
    for unclear in ("log-delivery-write", UNKNOWN, "[secret]"):
        assert p.risks_of(tmp_path, p.step(token, "b", acl("private"), acl(unclear))) == {"access-unknown"}
    grants = {"bucket": "b", "grants": [{"type": "Group", "permissions": ["READ"]}]}
    assert p.risks_of(tmp_path, p.step(token, "b", acl(None), grants)) == {"access-unknown"}
    assert p.risks_of(tmp_path, p.step(token, "b", None, acl("private"))) == {"change"}
    document = {**acl("private"), "policy": policy(allow("s3:*", "*", Principal="*"))}
    assert p.risks_of(tmp_path, p.step(token, "b", acl("private"), document)) == {"access-broadened"}


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("azuredevops:Pipelines/variableGroup:VariableGroup", "azuredevops:index:VariableGroup"),
        ("azuredevops:Security/resourceAuthorization:ResourceAuthorization", "azuredevops:index:ResourceAuthorization"),
        ("azuredevops:index/variableGroup:VariableGroup", "azuredevops:index:VariableGroup"),
    ],
)
def test_an_older_token_of_azure_devops_is_todays_type(token: str, kind: str) -> None:
    assert kind_of(token) == kind
