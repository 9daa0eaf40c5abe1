"""Reviewed types of AWS: identities, their credentials and their policies."""

from typing import Any

from audit.plan.classify.properties import Rule
from audit.plan.classify.reviewed.entry import Ruled, entry

_DOCUMENT = entry(
    "policy user group role repository bucket keyId queueUrl arn secretArn", delete="change", replace="change"
)
_ATTACHED: dict[str, Any] = {
    "create": "access-unknown",
    "delete": "access-unknown",
    "replace": "change",
    "holds": False,
}
_CREDENTIAL = entry("*", create="credential-created", delete="loss-credential", replace="loss-credential")

TYPES: dict[str, Ruled] = {
    **dict.fromkeys(
        (
            "aws:iam:UserPolicy",
            "aws:iam:GroupPolicy",
            "aws:iam:RolePolicy",
            "aws:ecr:RepositoryPolicy",
            "aws:ecr:RegistryPolicy",
            "aws:s3:BucketPolicy",
            "aws:sqs:QueuePolicy",
            "aws:sns:TopicPolicy",
        ),
        _DOCUMENT,
    ),
    "aws:iam:Policy": entry(
        "policy",
        {"delayAfterPolicyCreationInMs": "how long the provider waits"},
        "path",
        delete="change",
        replace="change",
    ),
    "aws:kms:KeyPolicy": entry(
        "policy keyId",
        rules={
            "bypassPolicyLockoutSafetyCheck": Rule("guard-weakened", "on", "the key's policy may lock everybody out")
        },
        delete="change",
        replace="change",
    ),
    "aws:secretsmanager:SecretPolicy": entry(
        "policy secretArn",
        rules={"blockPublicPolicy": Rule("guard-weakened", "off", "a policy that lets everybody in is not refused")},
        delete="change",
        replace="change",
    ),
    "aws:iam:Role": entry(
        "assumeRolePolicy managedPolicyArns inlinePolicies permissionsBoundary forceDetachPolicies",
        {},
        "path",
        rules={
            "maxSessionDuration": Rule(
                "access-unknown", "more", "what was taken of a session works longer", default=3600
            )
        },
    ),
    "aws:iam:User": entry("permissionsBoundary forceDestroy", {}, "path"),
    "aws:iam:Group": entry("", {}, "path", delete="change", replace="change"),
    "aws:iam:AccountAlias": entry("", {"accountAlias": "a word for the account"}, delete="change", replace="change"),
    "aws:iam:UserPolicyAttachment": entry("policyArn user", **_ATTACHED),
    "aws:iam:GroupPolicyAttachment": entry("policyArn group", **_ATTACHED),
    "aws:iam:RolePolicyAttachment": entry("policyArn role", **_ATTACHED),
    "aws:iam:PolicyAttachment": entry("policyArn users groups roles", **_ATTACHED),
    **dict.fromkeys(
        (
            "aws:iam:AccessKey",
            "aws:iam:UserLoginProfile",
            "aws:iam:ServiceSpecificCredential",
            "aws:iam:SshKey",
            "aws:iam:SigningCertificate",
            "aws:iam:VirtualMfaDevice",
        ),
        _CREDENTIAL,
    ),
    "aws:iam:UserGroupMembership": entry("user groups", create="change", delete="change", replace="change"),
    "aws:iam:GroupMembership": entry("group users", create="change", delete="change", replace="change"),
    "aws:iam:OpenIdConnectProvider": entry("*", create="trust-changed", replace="trust-changed"),
    "aws:iam:SamlProvider": entry("*", create="trust-changed", replace="trust-changed"),
}
