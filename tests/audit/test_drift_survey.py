"""The survey of drift over records of every form: a broken one is a finding, never a traceback or green."""

from typing import Any

import pytest

from audit.clouds import Gone, NotOffered
from audit.clouds.aws import Aws
from audit.drift.sheet import Clouds
from audit.drift.survey import CHECKS, survey
from audit.report import render
from audit.report.model import Report
from audit.state import Resource, StackState


class Account(Aws):
    """An account in which nothing is there, or in which nothing can be looked up."""

    def __init__(self, *, offered: bool = True) -> None:
        self.offered = offered

    def account(self) -> str:
        return "123456789012"

    def call(self, service: str, operation: str, region: str | None = None, **parameters: Any) -> Any:
        del region, parameters
        if not self.offered:
            raise NotOffered(f"{service}:{operation}")
        raise Gone(operation)

    def pages(self, service: str, operation: str, key: str, region: str | None = None, **parameters: Any) -> Any:
        del key
        return self.call(service, operation, region, **parameters)


class Project:
    """A project of Azure DevOps in which nothing is there."""

    def get(self, path: str, *_arguments: str, **_query: str) -> None:
        raise Gone(path)


def surveyed(resources: list[Resource], aws: Aws | None = None) -> Report:
    clouds = Clouds(StackState("dev", "app-one", resources), aws or Account())
    clouds.devops_reader = Project()  # type: ignore[assignment]
    return survey(clouds)


def resource(kind: str, **properties: Any) -> Resource:
    package, module, name = kind.split(":")
    token = f"{package}:{module}/{name[0].lower()}{name[1:]}:{name}"
    urn = f"urn:pulumi:dev::app-one::{token}::it"
    return Resource(urn, token, id="it", inputs=properties, outputs=properties, modified="2026-01-01T00:00:00Z")


IMAGE = {
    "imageName": "123456789012.dkr.ecr.us-east-2.amazonaws.com/app-one:1",
    "repoDigest": f"123456789012.dkr.ecr.us-east-2.amazonaws.com/app-one@sha256:{'0' * 64}",
    "tags": ["123456789012.dkr.ecr.us-east-2.amazonaws.com/app-one:1"],
    "digest": f"sha256:{'0' * 64}",
}
"""What images name; no other resource has these properties but tags."""


@pytest.mark.parametrize("kind", CHECKS)
def test_a_resource_that_is_not_there_is_a_finding(kind: str) -> None:
    properties: dict[str, Any] = {"user": "u", "groups": ["g"], "group": "g", "users": ["u"], "policyArn": "arn"}
    made = surveyed([resource(kind, **properties, **(IMAGE if kind.endswith("Image") else {}))])
    assert made.findings
    assert made.findings[0].risk in {"drift-missing", "drift-membership", "drift-guard-weakened", "drift-image-missing"}


@pytest.mark.parametrize("kind", CHECKS)
@pytest.mark.parametrize("value", [None, 0, 1.5, True, "[secret]", "x", [], [1], [{}], {}, {"a": 1}])
def test_a_record_of_any_form_gives_a_report(kind: str, value: Any) -> None:
    names = [
        "name",
        "arn",
        "user",
        "users",
        "group",
        "groups",
        "policyArn",
        "policy",
        "imageName",
        "repoDigest",
        "tags",
        "tagsAll",
        "settings",
        "repository",
        "variables",
        "projectId",
        "resourceId",
        "pipelineId",
        "type",
        "imageScanningConfiguration",
        "encryptionConfigurations",
        "approvers",
        "timeout",
        "imageTagMutabilityExclusionFilters",
        "managedPolicyArns",
        "inlinePolicies",
        "region",
        "registryId",
        "digest",
    ]
    made = surveyed([resource(kind, **dict.fromkeys(names, value)), resource("aws:iam:User", name="u")])
    assert made.findings
    assert render("json", made)


def test_a_look_up_that_is_not_offered_is_noted_and_not_called_the_same() -> None:
    made = surveyed([resource("aws:iam:User", name="u")], Account(offered=False))
    assert made.findings == []
    assert "iam:GetUser is not offered by this endpoint, so it was not looked at." in made.notes
    assert made.tables[0].status == "not compared"


def test_types_without_a_rule_are_named_as_not_compared() -> None:
    made = surveyed([resource("aws:s3:Bucket", bucket="b")])
    assert made.counts == {"resources": 1, "not compared": 1}
    assert made.notes == ["Not compared, since there is no rule for the type: aws:s3:Bucket."]


def test_an_image_of_another_registry_cannot_be_proved_to_be_there() -> None:
    made = surveyed([resource("docker:index:Image", imageName="ghcr.example/app:1", repoDigest="ghcr.example/app@x")])
    assert [(finding.risk, finding.proved) for finding in made.findings] == [("look-up-refused", False)]
