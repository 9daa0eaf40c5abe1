"""IAM's policy simulator, against the running service."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.sandbox.aws.support import ACCOUNT, Service, allow


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def test_the_simulator_decides_by_the_policies_and_the_boundary_of_a_user_or_role(aws: Service) -> None:
    iam = aws.client("iam")
    trusted = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    deny = {"Effect": "Deny", "Action": "iam:DeleteUser", "Resource": "*"}
    bound = iam.create_policy(PolicyName="bound", PolicyDocument=json.dumps(document(allow(["iam:*", "ecr:List*"]))))
    given = json.dumps(document(allow(["iam:*User", "ecr:*"]), deny))
    iam.create_user(UserName="simulated", PermissionsBoundary=bound["Policy"]["Arn"])
    iam.put_user_policy(UserName="simulated", PolicyName="given", PolicyDocument=given)
    iam.create_role(RoleName="simulated", AssumeRolePolicyDocument=json.dumps(document(trusted)))
    iam.put_role_policy(RoleName="simulated", PolicyName="given", PolicyDocument=given)
    actions = ["iam:GetUser", "iam:DeleteUser", "iam:ListUsers", "ecr:PutImage", "ecr:ListImages"]
    expected = {
        "user": ["allowed", "explicitDeny", "implicitDeny", "implicitDeny", "allowed"],
        "role": ["allowed", "explicitDeny", "implicitDeny", "allowed", "allowed"],
    }
    for kind, decisions in expected.items():
        arn = f"arn:aws:iam::{ACCOUNT}:{kind}/simulated"
        results = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=actions)["EvaluationResults"]
        assert [item["EvalDecision"] for item in results] == decisions
        assert [item["EvalActionName"] for item in results] == actions
    source = f"arn:aws:iam::{ACCOUNT}:user/simulated"
    for parameters, code in (
        ({"PolicySourceArn": f"{source}-not"}, "NoSuchEntity"),
        ({"PolicySourceArn": source, "PolicyInputList": [given]}, "InvalidInput"),
    ):
        with pytest.raises(ClientError) as caught:
            iam.simulate_principal_policy(ActionNames=actions, **parameters)
        assert caught.value.response["Error"]["Code"] == code


def test_the_simulator_is_asked_only_by_who_may(aws: Service) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:user/simulating"
    key = aws.user("simulating", allow("iam:SimulatePrincipalPolicy", arn))
    iam = aws.client("iam", key)
    result = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=["iam:GetUser"])["EvaluationResults"][0]
    assert result["EvalDecision"] == "implicitDeny"
    aws.user("simulated-by-nobody")
    with pytest.raises(
        ClientError, match=r"not authorized to perform: iam:SimulatePrincipalPolicy on resource: .*nobody"
    ):
        iam.simulate_principal_policy(PolicySourceArn=f"{arn[:-10]}simulated-by-nobody", ActionNames=["iam:GetUser"])
