"""Each rule of policies/ passes what is good, names what is not, and takes no value for good that is not known."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy

from policies.rule import Resource, ResourceRule, StackRule
from policies.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = "aws:ecr/repository:Repository"
LIFECYCLE = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
INDEX = "azuredevops:index/"
DEFINITION = f"{INDEX}buildDefinition:BuildDefinition"
GROUP = f"{INDEX}variableGroup:VariableGroup"
ENVIRONMENT = f"{INDEX}environment:Environment"
CONNECTION = f"{INDEX}serviceEndpointAws:ServiceEndpointAws"
APPROVAL = f"{INDEX}checkApproval:CheckApproval"
BRANCHES = f"{INDEX}checkBranchControl:CheckBranchControl"
TEMPLATE = f"{INDEX}checkRequiredTemplate:CheckRequiredTemplate"
REVIEWERS = f"{INDEX}branchPolicyMinReviewers:BranchPolicyMinReviewers"
VALIDATION = f"{INDEX}branchPolicyBuildValidation:BranchPolicyBuildValidation"
UNKNOWN = UNKNOWN_STRING_VALUE
DIGEST = "sha256:" + "a" * 64
ISSUER = "vstoken.dev.azure.com/6f1b4e3a-0000-4000-8000-000000000001"
BOTH = {f"{ISSUER}:aud": "api://AzureADTokenExchange", f"{ISSUER}:sub": "sc://a/b/c"}
REVIEWED = {
    "reviewerCount": 1,
    "submitterCanVote": False,
    "lastPusherCannotApprove": True,
    "onPushResetApprovedVotes": True,
}


def policy(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": "A", "Effect": "Allow", **statement}]})


def federated(**condition: Any) -> dict[str, Any]:
    trusted = {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{ISSUER}"}
    own = {"Condition": condition} if condition else {}
    return {"assumeRolePolicy": policy(Principal=trusted, Action="sts:AssumeRoleWithWebIdentity", **own)}


COUNT = "imageCountMoreThan"


def tagged(pattern: str, kind: str) -> dict[str, Any]:
    return {"tagStatus": "tagged", "tagPatternList": [pattern], "countType": kind, "countNumber": 30}


def lifecycle(*selections: dict[str, Any]) -> dict[str, Any]:
    rules = [{"rulePriority": place, "selection": each} for place, each in enumerate(selections, 1)]
    return {"policy": json.dumps({"rules": rules[::-1]})}  # the priority decides, not the place


def built(**arguments: str) -> dict[str, Any]:
    return {"build": {"args": arguments}}


# rule: good properties, [(bad properties, words of the message)], properties with a value that is not known
ON_RESOURCES: dict[str, tuple[dict[str, Any], list[tuple[dict[str, Any], str]], dict[str, Any]]] = {
    "ecr-scan-on-push": (
        {"imageScanningConfiguration": {"scanOnPush": True}},
        [({}, "not scanned"), ({"imageScanningConfiguration": {"scanOnPush": False}}, "not scanned")],
        {"imageScanningConfiguration": {"scanOnPush": UNKNOWN}},
    ),
    "ecr-immutable-tags": (
        {"imageTagMutability": "IMMUTABLE"},
        [({}, "is MUTABLE"), ({"imageTagMutability": "MUTABLE_WITH_EXCLUSION"}, "MUTABLE_WITH_EXCLUSION")],
        {"imageTagMutability": UNKNOWN},
    ),
    "ecr-no-tag-exclusions": (
        {},
        [({"imageTagMutabilityExclusionFilters": [{"filter": "dev-*"}]}, "dev-*")],
        {"imageTagMutabilityExclusionFilters": UNKNOWN},
    ),
    "ecr-customer-key": (
        {"encryptionConfigurations": [{"encryptionType": "KMS"}]},
        [({}, "KMS"), ({"encryptionConfigurations": [{"encryptionType": "AES256"}]}, "KMS")],
        {"encryptionConfigurations": [{"encryptionType": UNKNOWN}]},
    ),
    "ecr-not-public": (
        {"policy": policy(Principal={"AWS": "arn:aws:iam::123456789012:root"}, Action="ecr:BatchGetImage")},
        [
            ({"policy": policy(Principal="*", Action="ecr:BatchGetImage")}, 'everybody in (statement "A")'),
            ({"policy": policy(Principal={"AWS": ["1", "*"]}, Action="ecr:BatchGetImage")}, "everybody in"),
            ({"policy": policy(NotPrincipal={"AWS": "1"}, Action="ecr:BatchGetImage")}, "everybody in"),
            ({"policy": policy(Principal={"AWS": "arn:aws:iam::*:root"}, Action="ecr:BatchGetImage")}, "everybody in"),
            ({"policy": policy(Action="ecr:BatchGetImage", Resource="*")}, "everybody in"),
            ({"policy": "{"}, "is no IAM policy: the document is not JSON"),
            # To a reader that takes the last of two, everybody is hidden behind somebody.
            ({"policy": '{"Statement": [], "Statement": []}'}, "'Statement' stands twice"),
        ],
        {"policy": UNKNOWN},
    ),
    "ecr-images-kept": ({"forceDelete": False}, [({"forceDelete": True}, "forceDelete")], {"forceDelete": UNKNOWN}),
    "ecr-released-images-kept": (
        lifecycle(tagged("v*", "sinceImagePushed"), tagged("*", COUNT)),
        [
            (lifecycle(tagged("*", COUNT)), "enough pushes"),
            (lifecycle({"tagStatus": "any", "countType": COUNT, "countNumber": 30}), "enough pushes"),
            (lifecycle(tagged("*", COUNT), tagged("v*", "sinceImagePushed")), "enough pushes"),
            ({"policy": "{}"}, "no lifecycle policy"),
        ],
        {"policy": UNKNOWN},
    ),
    "image-tag": (
        {"imageName": "localhost:5000/app-one:1.4"},
        [
            ({"imageName": "localhost:5000/app-one"}, "for want of a tag"),
            ({"imageName": f"app-one:latest@{DIGEST}"}, "pushed as latest"),
        ],
        {"imageName": UNKNOWN},
    ),
    "image-platform": (
        {"build": {"platform": "linux/amd64"}},
        [({}, "whatever machine"), ({"build": {}}, "whatever machine")],
        {"build": {"platform": UNKNOWN}},
    ),
    "image-base-digest": (
        built(BASE_IMAGE=f"node:24@{DIGEST}"),
        [(built(BASE_IMAGE="node:24"), "node:24")],
        built(BASE_IMAGE=UNKNOWN),
    ),
    "image-no-secret-argument": (
        built(BASE_IMAGE="node:24"),
        [(built(NPM_TOKEN="x"), "NPM_TOKEN")],
        {"build": {"args": UNKNOWN}},
    ),
    "iam-exact-policy": (
        {"policy": policy(Action=["ecr:PutImage"], Resource="arn:aws:ecr:us-east-2:123456789012:repository/app-one")},
        [
            ({"policy": policy(Action="*", Resource="*")}, "ction"),
            ({"policy": policy(Action="ecr:PutImage", Resource="*")}, "on every resource"),
            ({"policy": policy(NotAction="iam:*", Resource="*")}, "not one exact action"),
            ({"policy": "{"}, "no IAM policy"),
        ],
        {"policy": UNKNOWN},
    ),
    "iam-exact-trust": (
        federated(StringEquals=BOTH),
        [
            (federated(), "`aud`"),
            (federated(StringEquals={key: BOTH[key] for key in BOTH if key.endswith("aud")}), "`sub`"),
            (federated(StringLike=BOTH), "`sub`"),
            (federated(StringEqualsIfExists=BOTH), "`sub`"),
            ({"assumeRolePolicy": policy(Principal="*", Action="sts:AssumeRole")}, "everybody"),
            ({"assumeRolePolicy": policy(NotPrincipal={"AWS": "123456789012"}, Action="sts:AssumeRole")}, "everybody"),
            ({"assumeRolePolicy": ""}, "no IAM policy"),
        ],
        {"assumeRolePolicy": UNKNOWN},
    ),
    "iam-no-administrator": (
        {"policyArn": "arn:aws:iam::123456789012:policy/app-one-push"},
        [({"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}, "AdministratorAccess")],
        {"policyArn": UNKNOWN},
    ),
    "devops-closed-group": ({"allowAccess": False}, [({"allowAccess": True}, "every")], {"allowAccess": UNKNOWN}),
    "devops-secret-variable": (
        {"variables": [{"name": "App-One.SecretKey", "isSecret": True}, {"name": "region", "value": UNKNOWN}]},
        [({"variables": [{"name": "App-One.SecretKey", "value": "x"}]}, "App-One.SecretKey")],
        {"variables": UNKNOWN},
    ),
    "devops-no-settable-variable": (
        {"variables": [{"name": "a", "allowOverride": False}]},
        [({"variables": [{"name": "a"}]}, "the variable a")],
        {"variables": UNKNOWN},
    ),
    "devops-connection-by-token": ({"useOidc": True}, [({}, "key")], {"useOidc": UNKNOWN}),
    "devops-pinned-template": (
        {"requiredTemplates": [{"repositoryRef": "refs/tags/1", "templatePath": "run.yml"}]},
        [
            ({}, "names no template"),
            ({"requiredTemplates": [{"repositoryRef": "main", "templatePath": "run.yml"}]}, "run.yml at main"),
            ({"requiredTemplates": [{"repositoryRef": "refs/tags/1"}]}, "of no name"),
        ],
        {"requiredTemplates": UNKNOWN},
    ),
    "devops-named-branches": (
        {"allowedBranches": "refs/heads/main,refs/pull/*"},
        [({}, "(*)"), ({"allowedBranches": "refs/heads/main, refs/heads/*"}, "(refs/heads/*)")],
        {"allowedBranches": UNKNOWN},
    ),
    "devops-second-person": (
        {"requesterCanApprove": False},
        [({"requesterCanApprove": True}, "starts a run")],
        {"requesterCanApprove": UNKNOWN},
    ),
    "devops-reviewers": (
        {"settings": REVIEWED},
        [
            ({"settings": REVIEWED, "blocking": False}, "does not block"),
            ({"settings": REVIEWED, "enabled": False}, "does not block"),
            ({"settings": REVIEWED | {"reviewerCount": 0}}, "no reviewer"),
            ({"settings": REVIEWED | {"submitterCanVote": True}}, "author"),
            ({"settings": REVIEWED | {"lastPusherCannotApprove": False}}, "pushed last"),
            ({"settings": REVIEWED | {"onPushResetApprovedVotes": False}}, "votes stay"),
            ({}, "no reviewer"),
        ],
        {"settings": UNKNOWN},
    ),
    "devops-build-policy": (
        {"enabled": True},
        [({"blocking": False}, "does not block"), ({"enabled": False}, "does not block")],
        {"enabled": UNKNOWN},
    ),
}
# What such a rule looks at is that a thing, or a name, is there: no value can be unknown to it.
ON_PRESENCE: dict[str, tuple[dict[str, Any] | None, list[tuple[str, dict[str, Any], str]]]] = {
    "iam-policy-by-group": (
        None,
        [
            ("aws:iam/userPolicyAttachment:UserPolicyAttachment", {"user": UNKNOWN}, "on a user"),
            ("aws:iam/userPolicy:UserPolicy", {"user": UNKNOWN}, "on a user"),
            ("aws:iam/policyAttachment:PolicyAttachment", {"users": ["a"]}, "on a user"),
        ],
    ),
    "iam-no-long-lived-key": (None, [("aws:iam/user:User", {"name": "app-one-push"}, "app-one-push")]),
    "iam-no-password": (None, [("aws:iam/userLoginProfile:UserLoginProfile", {"user": UNKNOWN}, "password")]),
    "devops-one-pipeline": (
        {"type": "environment", "pipelineId": UNKNOWN},
        [(f"{INDEX}pipelineAuthorization:PipelineAuthorization", {"type": "environment"}, "every pipeline")],
    ),
    "engine-secrets-from-environment": (
        {"region": UNKNOWN},
        [("pulumi:providers:aws", {"secretKey": UNKNOWN}, "secretKey")],
    ),
}
ON_THEIR_OWN = {
    "devops-branch-policies",
    "devops-approval-before-push",
    "iam-no-key-beside-tokens",
    "engine-official-plugins",
}
"""Each has a test of its own below."""
BY_ID = {rule.id: rule for rule in RULES}


def on_resource(rule: str) -> ResourceRule:
    found = BY_ID[rule]
    assert isinstance(found, ResourceRule)
    return found


def on_stack(rule: str) -> StackRule:
    found = BY_ID[rule]
    assert isinstance(found, StackRule)
    return found


def judged(rule: str, properties: dict[str, Any], type_: str = "") -> list[str]:
    found = on_resource(rule)
    return list(found.check(type_ or found.types[0], unknown_checking_proxy(properties)))


@pytest.mark.parametrize("rule", ON_RESOURCES)
def test_what_is_good_passes(rule: str) -> None:
    assert judged(rule, ON_RESOURCES[rule][0]) == []


BAD = [(rule, *bad) for rule, (_, every, _) in ON_RESOURCES.items() for bad in every]


@pytest.mark.parametrize(("rule", "properties", "words"), BAD)
def test_what_is_not_is_named(rule: str, properties: dict[str, Any], words: str) -> None:
    said = judged(rule, properties)
    assert any(words in message for message in said), said


@pytest.mark.parametrize("rule", ON_RESOURCES)
def test_what_is_not_known_is_not_taken_for_good(rule: str) -> None:
    with pytest.raises(UnknownValueError):
        judged(rule, ON_RESOURCES[rule][2])


@pytest.mark.parametrize("rule", ON_PRESENCE)
def test_what_must_not_be_there_is_named(rule: str) -> None:
    good, bad = ON_PRESENCE[rule]
    if good is not None:
        assert judged(rule, good) == []
    for type_, properties, words in bad:
        assert on_resource(rule).covers(type_)
        assert any(words in message for message in judged(rule, properties, type_))


def test_a_role_is_held_to_the_policies_that_it_holds_itself() -> None:
    role = "aws:iam/role:Role"
    wide = {"inlinePolicies": [{"name": "a", "policy": policy(Action="*", Resource="*")}]}
    assert judged("iam-exact-policy", {"inlinePolicies": [{}], "managedPolicyArns": []}, role) == []
    assert any("not one exact action" in message for message in judged("iam-exact-policy", wide, role))
    administrator = {"managedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]}
    assert any("AdministratorAccess" in message for message in judged("iam-no-administrator", administrator, role))
    assert judged("iam-no-administrator", {}, role) == []
    for rule, properties in (
        ("iam-exact-policy", {"inlinePolicies": [{"policy": UNKNOWN}]}),
        ("iam-no-administrator", {"managedPolicyArns": UNKNOWN}),
    ):
        with pytest.raises(UnknownValueError):
            judged(rule, properties, role)


def test_a_deny_may_be_as_wide_as_it_likes() -> None:
    assert judged("iam-exact-policy", {"policy": policy(Effect="Deny", Action="iam:*", Resource="*")}) == []


def test_a_policy_attachment_without_users_is_none_of_a_user() -> None:
    assert judged("iam-policy-by-group", {"groups": ["a"]}, "aws:iam/policyAttachment:PolicyAttachment") == []


def resource(type_: str, name: str, properties: dict[str, Any] | None = None, **uses: str) -> Resource:
    linked = {key: frozenset({f"urn::{other}"}) for key, other in uses.items()}
    known = unknown_checking_proxy(properties or {})
    return Resource(type=type_, name=name, urn=f"urn::{name}", properties=known, uses=linked)


PIPELINE = resource(DEFINITION, "pipeline")
# rule: a good stack, a bad one whose resource `a` is at fault, one with a value that is not known
ON_STACKS: dict[str, tuple[list[Resource], list[Resource], list[Resource]]] = {
    "ecr-lifecycle": (
        [resource(REPOSITORY, "a"), resource(LIFECYCLE, "l", {"repository": UNKNOWN}, repository="a")],
        [resource(REPOSITORY, "a", {"name": "a"}), resource(LIFECYCLE, "l", {"repository": "b"})],
        [resource(REPOSITORY, "a", {"name": "a"}), resource(LIFECYCLE, "l", {"repository": UNKNOWN})],
    ),
    "devops-branch-control": (
        [PIPELINE, resource(GROUP, "a"), resource(BRANCHES, "b", {"targetResourceId": UNKNOWN}, targetResourceId="a")],
        [PIPELINE, resource(GROUP, "a"), resource(BRANCHES, "b", {}, targetResourceId="other")],
        [PIPELINE, resource(GROUP, "a", {"id": "7"}), resource(BRANCHES, "b", {"targetResourceId": UNKNOWN})],
    ),
    "devops-required-template": (
        [PIPELINE, resource(GROUP, "a"), resource(TEMPLATE, "b", {"targetResourceId": UNKNOWN}, targetResourceId="a")],
        [PIPELINE, resource(GROUP, "a"), resource(TEMPLATE, "b", {}, targetResourceId="other")],
        [PIPELINE, resource(GROUP, "a", {"id": "7"}), resource(TEMPLATE, "b", {"targetResourceId": UNKNOWN})],
    ),
    "devops-approval": (
        [PIPELINE, resource(ENVIRONMENT, "a", {"id": "7"}), resource(APPROVAL, "b", {"targetResourceId": "7"})],
        [PIPELINE, resource(ENVIRONMENT, "a", {"id": "7"}), resource(APPROVAL, "b", {"targetResourceId": "8"})],
        [PIPELINE, resource(ENVIRONMENT, "a", {"id": UNKNOWN}), resource(APPROVAL, "b", {"targetResourceId": "7"})],
    ),
}


@pytest.mark.parametrize("rule", ON_STACKS)
def test_resources_that_stand_together_well_pass_and_others_are_named(rule: str) -> None:
    good, bad, unknown = ON_STACKS[rule]
    assert list(on_stack(rule).check(good)) == []
    ((fault, message),) = on_stack(rule).check(bad)
    assert fault.name == "a"
    assert message
    with pytest.raises(UnknownValueError):
        list(on_stack(rule).check(unknown))


def test_a_pipeline_without_policies_on_its_branch_is_named_and_no_value_is_asked_for() -> None:
    check = on_stack("devops-branch-policies").check
    assert list(check([PIPELINE, resource(REVIEWERS, "r"), resource(VALIDATION, "v")])) == []
    assert [text for each, text in check([PIPELINE, resource(REVIEWERS, "r")]) if "build policy" in text]
    assert [text for each, text in check([PIPELINE, resource(VALIDATION, "v")]) if "reviewers" in text]
    assert list(check([])) == []


@pytest.mark.parametrize("rule", ["devops-branch-control", "devops-required-template", "devops-approval"])
def test_a_stack_without_a_pipeline_needs_no_checks(rule: str) -> None:
    assert list(on_stack(rule).check([resource(GROUP, "a"), resource(ENVIRONMENT, "b")])) == []


def test_a_key_beside_identity_tokens_is_named_and_no_value_is_asked_for() -> None:
    check = on_stack("iam-no-key-beside-tokens").check
    issuer = resource("aws:iam/openIdConnectProvider:OpenIdConnectProvider", "issuer", {"url": UNKNOWN})
    key = resource("aws:iam/accessKey:AccessKey", "a", {"user": UNKNOWN})
    assert [each.name for each, _ in check([issuer, key])] == ["a"]
    assert list(check([issuer])) == list(check([key])) == []


@pytest.mark.parametrize("type_", ["pulumi:providers:aws", "pulumi:providers:foreign"])
def test_a_provider_of_any_package_is_looked_at(type_: str) -> None:
    assert on_resource("engine-secrets-from-environment").covers(type_)


@pytest.mark.parametrize(
    ("package", "name", "said"),
    [
        ("aws", "default_7_51_1", ""),
        ("docker", "default", ""),
        ("pulumi", "default", ""),
        ("aws", "default_7_51_1_https_/plugins.example.com", "from anywhere"),
        ("aws", "elsewhere", "from anywhere"),
        ("foreign", "default_6_6_6", "foreign is none of the packages"),
    ],
)
def test_a_plugin_of_somebody_else_is_known_by_its_providers_package_and_name(
    package: str, name: str, said: str
) -> None:
    provider = resource(f"pulumi:providers:{package}", name, {"region": UNKNOWN})
    messages = [text for _, text in on_stack("engine-official-plugins").check([provider, PIPELINE])]
    assert len(messages) == bool(said)
    assert all(said in text for text in messages)


PUSHES, READS = policy(Action="ecr:PutImage", Resource="*"), policy(Action="ecr:BatchGetImage", Resource="*")


def held_by_key(document: str) -> list[Resource]:
    """A variable group with the key of a user whose group holds the policy."""
    return [
        PIPELINE,
        resource(GROUP, "a", {"id": "7"}, variables="key"),
        resource("aws:iam/accessKey:AccessKey", "key", {}, user="user"),
        resource("aws:iam/groupPolicyAttachment:GroupPolicyAttachment", "link", {}, group="group", policyArn="policy"),
        resource("aws:iam/userGroupMembership:UserGroupMembership", "member", {}, user="user", groups="group"),
        *(resource("aws:iam/user:User", "user"), resource("aws:iam/group:Group", "group")),
        resource("aws:iam/policy:Policy", "policy", {"policy": document}),
    ]


def held_by_role(document: str) -> list[Resource]:
    """A service connection to the role that holds the policy, and a group that only names the role."""
    return [
        PIPELINE,
        resource(CONNECTION, "a", {"id": "7"}, roleToAssume="role"),
        resource(GROUP, "names", {"id": "8"}, variables="role"),
        resource("aws:iam/role:Role", "role"),
        resource("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "link", {}, role="role", policyArn="policy"),
        resource("aws:iam/policy:Policy", "policy", {"policy": document}),
    ]


@pytest.mark.parametrize("held", [held_by_key, held_by_role])
def test_what_a_run_pushes_with_waits_for_an_approval(held: Callable[[str], list[Resource]]) -> None:
    check = on_stack("devops-approval-before-push").check
    for document in (PUSHES, policy(Action="ecr:P*", Resource="*"), policy(NotAction="iam:*", Resource="*")):
        assert [each.name for each, _ in check(held(document))] == ["a"]
    for document in (READS, policy(NotAction="ecr:*", Resource="*"), policy(Effect="Deny", Action="*", Resource="*")):
        assert list(check(held(document))) == []
    approval = resource(APPROVAL, "approval", {"targetResourceId": UNKNOWN}, targetResourceId="a")
    assert list(check([*held(PUSHES), approval])) == []
    one_person = resource("docker:index/image:Image", "image")
    assert list(check([*held(PUSHES), one_person])) == []
    with pytest.raises(UnknownValueError):
        list(check(held(UNKNOWN)))


def test_every_rule_is_tried_and_says_all_of_itself() -> None:
    assert {*ON_RESOURCES, *ON_PRESENCE, *ON_STACKS, *ON_THEIR_OWN} == set(BY_ID)
    assert len(BY_ID) == len(RULES)
    for rule in RULES:
        assert all((rule.title, rule.remedy, rule.met)), rule.id
        assert not rule.remedy.endswith("."), rule.id
