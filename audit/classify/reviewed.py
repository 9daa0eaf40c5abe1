"""What has been reviewed: for each type what its operations mean, which of its properties a rule judges, and which
are harmless and why. Everything else is `unreviewed`: a table of what is dangerous would never be complete.

A path stands for all below it; `[]` for any place of a list. Values are looked at even under a harmless name
(audit.classify.unreviewed).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from audit.classify.properties import Rule, Rules

LOSSES = frozenset({"loss-resource", "loss-credential", "loss-variable-group"})
NOTHING: Mapping[str, Any] = MappingProxyType({})
ALL = frozenset({"*"})
"""A rule looks at every property of the type."""


class Ruled(NamedTuple):
    """A type with rules.

    The operations mean: a `create`, or an `import` (what is imported was there, but nobody has reviewed it here), is
    at least `create`; a `delete` is at least `delete`, unless retainOnDelete keeps the thing, which proves nothing
    (`access-unknown` where deleting would have narrowed something); an `update` and a `replace` are judged property
    by property, and a replacement that loses what the thing holds is `replace` besides. `read`, `refresh` and
    `discard` do nothing to the thing.
    """

    create: str = "change"
    delete: str = "loss-resource"
    replace: str = "loss-resource"
    judged: frozenset[str] = frozenset()
    rules: Rules = NOTHING
    harmless: Mapping[str, str] = NOTHING
    """Path and why a change of it is harmless."""
    fresh: frozenset[str] = frozenset()
    """Harmless where the thing is new: they say which thing it is."""

    holds: bool = True
    """Whether something is lost with it when it is deleted or replaced."""

    @property
    def loss(self) -> str:
        """The class of the loss when it is deleted or replaced; "" where nothing is lost with it."""
        if not self.holds or self.delete in ("change", "access-narrowed"):
            return ""
        return self.delete if self.delete in LOSSES else "loss-resource"


ANY_TYPE: Mapping[str, str] = {
    "name": "what a thing is called; one that cannot be renamed is replaced",
    "displayName": "a text for people",
    "description": "a text for people",
    "comment": "a text for people",
    "tags": "words about a thing; who may do what by a tag is said in policies",
    "tagsAll": "the tags again, with the provider's own",
    "labels": "words about a thing",
    "metadata.labels": "words about a thing",
    "__defaults": "the bridge's note on which defaults it filled in",
    "__meta": "the bridge's note on the state's form",
}
"""Properties of any type that are harmless in an update."""

_NAME = {"name": "what it is called", "namePrefix": "what it is called"}
_TEXTS = {"description": "a text for people", "tags": "words about it", "tagsAll": "the tags again"}
_JOINS = Ruled(delete="change", replace="change")


def _type(
    judged: str = "",
    harmless: Mapping[str, str] | None = None,
    fresh: str = "",
    rules: Rules | None = None,
    **more: Any,
) -> Ruled:
    return Ruled(
        judged=frozenset(judged.split()),
        harmless={**_NAME, **_TEXTS, **(harmless or {})},
        fresh=frozenset(f"region {fresh}".split()),
        rules=rules or {},
        **more,
    )


# --- AWS: identities and their policies

_DOCUMENT = _type(
    "policy user group role repository bucket keyId queueUrl arn secretArn", delete="change", replace="change"
)
_ATTACHED: dict[str, Any] = {
    "create": "access-unknown",
    "delete": "access-unknown",
    "replace": "change",
    "holds": False,
}
_CREDENTIAL = _type("*", create="credential-created", delete="loss-credential", replace="loss-credential")

_IAM: dict[str, Ruled] = {
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
    "aws:iam:Policy": _type(
        "policy",
        {"delayAfterPolicyCreationInMs": "how long the provider waits"},
        "path",
        delete="change",
        replace="change",
    ),
    "aws:kms:KeyPolicy": _type(
        "policy keyId",
        rules={
            "bypassPolicyLockoutSafetyCheck": Rule("guard-weakened", "on", "the key's policy may lock everybody out")
        },
        delete="change",
        replace="change",
    ),
    "aws:secretsmanager:SecretPolicy": _type(
        "policy secretArn",
        rules={"blockPublicPolicy": Rule("guard-weakened", "off", "a policy that lets everybody in is not refused")},
        delete="change",
        replace="change",
    ),
    "aws:iam:Role": _type(
        "assumeRolePolicy managedPolicyArns inlinePolicies permissionsBoundary forceDetachPolicies",
        {},
        "path",
        rules={
            "maxSessionDuration": Rule(
                "access-unknown", "more", "what was taken of a session works longer", default=3600
            )
        },
    ),
    "aws:iam:User": _type("permissionsBoundary forceDestroy", {}, "path"),
    "aws:iam:Group": _type("", {}, "path", delete="change", replace="change"),
    "aws:iam:AccountAlias": _type("", {"accountAlias": "a word for the account"}, delete="change", replace="change"),
    "aws:iam:UserPolicyAttachment": _type("policyArn user", **_ATTACHED),
    "aws:iam:GroupPolicyAttachment": _type("policyArn group", **_ATTACHED),
    "aws:iam:RolePolicyAttachment": _type("policyArn role", **_ATTACHED),
    "aws:iam:PolicyAttachment": _type("policyArn users groups roles", **_ATTACHED),
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
    "aws:iam:UserGroupMembership": _type("user groups", create="change", delete="change", replace="change"),
    "aws:iam:GroupMembership": _type("group users", create="change", delete="change", replace="change"),
    "aws:iam:OpenIdConnectProvider": _type("*", create="trust-changed", replace="trust-changed"),
    "aws:iam:SamlProvider": _type("*", create="trust-changed", replace="trust-changed"),
}

# --- AWS: registries, buckets, keys

_REPOSITORY = (
    "encryptionConfigurations encryptionConfiguration forceDelete forceDestroy emptyOnDelete "
    "imageScanningConfiguration imageTagMutability imageTagMutabilityExclusionFilters"
)
_ENCRYPTED_BY = Rule("exposure-encryption-weaker", "changes", "who may use that key decides who can read")
_VERSIONING = "what is overwritten or deleted is gone at once"
_SSE = "serverSideEncryptionConfiguration.rule.applyServerSideEncryptionByDefault"
_BUCKET = _type(
    "acl grants policy forceDestroy",
    {},
    "bucket bucketPrefix",
    rules={
        f"{_SSE}.sseAlgorithm": Rule(
            "exposure-encryption-weaker", "order", "weaker at rest", ("aws:kms:dsse", "aws:kms", "AES256")
        ),
        f"{_SSE}.kmsMasterKeyId": _ENCRYPTED_BY,
        "versioning.enabled": Rule("loss-protection-removed", "off", _VERSIONING),
        "versioning.mfaDelete": Rule(
            "loss-protection-removed", "off", "a version can be deleted without a second factor"
        ),
        "logging": Rule("guard-weakened", "changes", "who reads and writes is recorded otherwise, or not at all"),
        "objectLockEnabled": Rule("loss-protection-removed", "off", "objects can be deleted"),
        "objectLockConfiguration": Rule("loss-protection-removed", "changes", "objects can be deleted earlier"),
    },
)
_OBJECT = _type(
    "acl forceDestroy",
    {
        **dict.fromkeys(
            ("source", "sourceHash", "content", "contentBase64", "etag"),
            "what is published; its release is reviewed with it",
        ),
        **dict.fromkeys(("contentType", "contentEncoding", "contentLanguage", "cacheControl"), "how it is served"),
    },
    "bucket key",
)

_STORES: dict[str, Ruled] = {
    "aws:ecr:Repository": _type(
        _REPOSITORY,
        {},
        "name",
        delete="loss-repository-deleted",
        replace="loss-repository-replaced",
        create="exposure-mutable-tags",
    ),
    "aws-native:ecr:Repository": _type(
        f"{_REPOSITORY} lifecyclePolicy",
        {"repositoryName": "what it is called"},
        "repositoryName",
        delete="loss-repository-deleted",
        replace="loss-repository-replaced",
        create="exposure-mutable-tags",
    ),
    "aws:ecrpublic:Repository": _type(
        "forceDestroy",
        {"catalogData": "texts and pictures for people"},
        "repositoryName",
        create="exposure-mutable-tags",
        delete="loss-repository-deleted",
        replace="loss-repository-replaced",
        rules={"repositoryName": Rule("access-broadened", "differs", "everybody may pull from it")},
    ),
    "aws:ecr:LifecyclePolicy": _type("policy repository", delete="change", replace="change"),
    "aws:ecr:RegistryScanningConfiguration": _type(
        "*", delete="exposure-scan-off", replace="exposure-scan-off", holds=False
    ),
    "aws:ecr:ReplicationConfiguration": _type(
        rules={"replicationConfiguration": Rule("access-unknown", "differs", "images are copied there")},
        delete="change",
        replace="change",
    ),
    "aws:ecr:PullThroughCacheRule": _type(
        rules={
            "upstreamRegistryUrl": Rule(
                "access-unknown", "differs", "images of that registry can be pulled as one's own"
            ),
            **dict.fromkeys(
                ("credentialArn", "customRoleArn", "upstreamRepositoryPrefix", "ecrRepositoryPrefix"),
                Rule("access-unknown", "changes", "it decides which images come, and with whose rights"),
            ),
        },
    ),
    "aws:ecr:AccountSetting": _type(
        rules={"value": Rule("guard-weakened", "differs", "it holds for every repository of the account")},
        fresh="name",
        delete="guard-weakened",
    ),
    "aws:s3:BucketPublicAccessBlock": _type(
        "blockPublicAcls blockPublicPolicy ignorePublicAcls restrictPublicBuckets",
        {"skipDestroy": "what destroying does; the deletion itself is judged"},
        "bucket",
        create="access-unknown",
    ),
    "aws:s3:AccountPublicAccessBlock": _type(
        "blockPublicAcls blockPublicPolicy ignorePublicAcls restrictPublicBuckets",
        {},
        "accountId",
        create="access-unknown",
    ),
    "aws:s3:Bucket": _BUCKET,
    "aws:s3:BucketV2": _BUCKET,
    "aws:s3:BucketObject": _OBJECT,
    "aws:s3:BucketObjectv2": _OBJECT,
    "aws:s3:ObjectCopy": _type("acl grants"),
    "aws:s3:BucketVersioning": _type(
        "",
        {},
        "bucket",
        delete="loss-protection-removed",
        replace="loss-protection-removed",
        holds=False,
        rules={
            "versioningConfiguration.status": Rule(
                "loss-protection-removed", "order", _VERSIONING, ("Enabled", "Suspended", "Disabled"), "Disabled"
            ),
            "versioningConfiguration.mfaDelete": Rule(
                "loss-protection-removed",
                "order",
                "a version can be deleted without a second factor",
                ("Enabled", "Disabled"),
                "Disabled",
            ),
        },
    ),
    "aws:s3:BucketServerSideEncryptionConfiguration": _type(
        "",
        {},
        "bucket",
        delete="exposure-encryption-weaker",
        replace="exposure-encryption-weaker",
        holds=False,
        rules={
            "rules[].applyServerSideEncryptionByDefault.sseAlgorithm": Rule(
                "exposure-encryption-weaker", "order", "weaker at rest", ("aws:kms:dsse", "aws:kms", "AES256")
            ),
            "rules[].applyServerSideEncryptionByDefault.kmsMasterKeyId": _ENCRYPTED_BY,
            "rules[].bucketKeyEnabled": Rule("exposure-encryption-weaker", "on", "one key for many objects"),
        },
    ),
    "aws:kms:Key": _type(
        "policy",
        {"rotationPeriodInDays": "how often it rotates, from 90 days to seven years"},
        "keyUsage customerMasterKeySpec multiRegion",
        rules={
            "enableKeyRotation": Rule("exposure-encryption-weaker", "off", "one key for all times"),
            "deletionWindowInDays": Rule(
                "loss-protection-removed", "less", "less time to take a deletion back", default=30
            ),
            "isEnabled": Rule("loss-resource", "off", "what it encrypts cannot be read", default=True),
            "bypassPolicyLockoutSafetyCheck": Rule("guard-weakened", "on", "its policy may lock everybody out"),
        },
    ),
    "aws:kms:Alias": _type(
        rules={
            "targetKeyId": Rule("access-unknown", "changes", "all that names the alias uses another key from then on")
        },
        fresh="targetKeyId",
    ),
    "aws:secretsmanager:Secret": _type(
        "policy",
        {"forceOverwriteReplicaSecret": "what happens to a replica of the same name"},
        rules={
            "kmsKeyId": _ENCRYPTED_BY,
            "recoveryWindowInDays": Rule(
                "loss-protection-removed", "less", "less time to take a deletion back", default=30
            ),
        },
    ),
}

# --- AWS: what runs, and what else changes often

_RELEASE = "a release: what runs is reviewed with its source, and keeps the rights that it has"
_SIZE = "how much of it runs"
_ROLE = Rule("access-unknown", "named", "what runs has the rights of that role")

_RUNNING: dict[str, Ruled] = {
    "aws:ecs:TaskDefinition": _type(
        "",
        {"cpu": _SIZE, "memory": _SIZE, "containerDefinitions[].cpu": _SIZE, "containerDefinitions[].memory": _SIZE},
        "family",
        rules={"taskRoleArn": _ROLE, "executionRoleArn": _ROLE},
        delete="change",
        replace="change",
    ),
    "aws:ecs:Service": _type(
        "",
        {
            **dict.fromkeys(("desiredCount", "deploymentMaximumPercent", "deploymentMinimumHealthyPercent"), _SIZE),
            **dict.fromkeys(
                ("forceNewDeployment", "waitForSteadyState", "healthCheckGracePeriodSeconds"), "how it is rolled out"
            ),
        },
        "cluster launchType",
        rules={"enableExecuteCommand": Rule("access-broadened", "on", "commands can be run in its containers")},
    ),
    "aws:lambda:Function": _type(
        "",
        {
            **dict.fromkeys(("code", "codeSha256", "sourceCodeHash", "s3Key", "s3ObjectVersion", "publish"), _RELEASE),
            **dict.fromkeys(("memorySize", "timeout", "reservedConcurrentExecutions", "ephemeralStorage"), _SIZE),
        },
        "runtime handler packageType architectures role imageUri",
        rules={"role": _ROLE, "kmsKeyArn": _ENCRYPTED_BY},
    ),
    "aws:cloudwatch:LogGroup": _type(
        "deletionProtectionEnabled",
        {"logGroupClass": "what it costs", "skipDestroy": "what destroying does; the deletion itself is judged"},
        rules={
            "retentionInDays": Rule("loss-resource", "less", "older entries are deleted"),
            "kmsKeyId": _ENCRYPTED_BY,
        },
    ),
    "aws:cloudwatch:Dashboard": _type("", {"dashboardBody": "a page for people"}, "dashboardName"),
    "aws:sqs:Queue": _type(
        "policy",
        {
            **dict.fromkeys(
                ("delaySeconds", "visibilityTimeoutSeconds", "receiveWaitTimeSeconds", "maxMessageSize"), "pace"
            ),
        },
        "fifoQueue",
        rules={
            "messageRetentionSeconds": Rule("loss-resource", "less", "older messages are deleted"),
            "kmsMasterKeyId": _ENCRYPTED_BY,
            "sqsManagedSseEnabled": Rule("exposure-encryption-weaker", "off", "not encrypted at rest", default=True),
        },
    ),
    "aws:sns:Topic": _type("policy", {}, "fifoTopic", rules={"kmsMasterKeyId": _ENCRYPTED_BY}),
    "docker:index:Image": _type(
        "",
        {
            "build": _RELEASE,
            "registry.username": "a login for the push; where it goes is the server",
            "registry.password": "a login for the push; where it goes is the server",
            "buildOnPreview": "when it is built",
            "skipPush": "whether it is pushed at all",
        },
        fresh="imageName registry",
        delete="change",
        replace="change",
    ),
    "docker-build:index:Image": _type(
        "",
        {
            **dict.fromkeys(
                ("context", "dockerfile", "buildArgs", "target", "platforms", "labels", "cacheFrom", "cacheTo", "pull"),
                _RELEASE,
            ),
            **dict.fromkeys(("buildOnPreview", "push", "load", "noCache"), "when it is built and pushed"),
        },
        delete="change",
        replace="change",
    ),
    **dict.fromkeys(
        ("random:index:RandomId", "random:index:RandomString", "random:index:RandomPet", "random:index:RandomInteger"),
        Ruled(harmless={"*": "a word by chance, of which a name is made"}, delete="change", replace="change"),
    ),
    "time:index:Sleep": Ruled(harmless={"*": "a wait"}, delete="change", replace="change"),
}

# --- Azure DevOps

_OTHER_CODE = "the pipeline runs other code, with the rights that it has"
_OTHER_MACHINES = Rule("access-unknown", "changes", "its secrets and rights go to other machines")

_DEVOPS: dict[str, Ruled] = {
    "azuredevops:index:VariableGroup": _type(
        "allowAccess",
        {"variables": "what pipelines read; whether it stays secret is judged"},
        "projectId variables",
        delete="loss-variable-group",
        replace="loss-variable-group",
        rules={"keyVault": Rule("access-unknown", "changes", "its values come from another vault or by other rights")},
    ),
    "azuredevops:index:PipelineAuthorization": _type(
        "*", create="group-opened", delete="access-narrowed", replace="group-opened"
    ),
    "azuredevops:index:ResourceAuthorization": _type(
        "*", create="group-opened", delete="access-narrowed", replace="group-opened"
    ),
    "azuredevops:index:GroupMembership": _type(
        "group members", {"mode": "whether others stay; who gains is judged"}, delete="change", replace="change"
    ),
    "azuredevops:index:TeamMembers": _type(
        "teamId members",
        {"mode": "whether others stay; who gains is judged"},
        fresh="projectId",
        delete="change",
        replace="change",
    ),
    "azuredevops:index:TeamAdministrators": _type(
        "teamId administrators",
        {"mode": "whether others stay; who gains is judged"},
        fresh="projectId",
        delete="change",
        replace="change",
    ),
    "azuredevops:index:Environment": _type("", {}, "projectId"),
    "azuredevops:index:Project": _type(
        "",
        {},
        "versionControl workItemTemplate features",
        rules={
            "visibility": Rule(
                "access-broadened", "order", "everybody may read it", ("private", "organization", "public"), "private"
            )
        },
    ),
    "azuredevops:index:ProjectPipelineSettings": _type(
        "",
        {"publishPipelineMetadata": "what is noted of a run"},
        "projectId",
        delete="guard-weakened",
        replace="guard-weakened",
        holds=False,
        rules={
            **dict.fromkeys(
                ("enforceJobScope", "enforceJobScopeForRelease", "enforceReferencedRepoScopedToken"),
                Rule("guard-weakened", "off", "the token of a run reaches more than its own project or repository"),
            ),
            "enforceSettableVar": Rule("guard-weakened", "off", "whoever queues a run may set any variable"),
            "statusBadgesArePrivate": Rule("guard-weakened", "off", "everybody may see how runs end"),
        },
    ),
    "azuredevops:index:BuildDefinition": _type(
        "",
        {
            **dict.fromkeys(
                ("ciTrigger", "schedules", "buildCompletionTriggers", "queueStatus"), "when it runs, not what it may do"
            ),
            "repository.reportBuildStatus": "what is noted at a commit",
            "agentSpecification": "the system of the machine",
            "features.skipFirstRun": "whether it runs at once",
        },
        "projectId path repository pullRequestTrigger agentPoolName jobAuthorizationScope",
        rules={
            **{
                f"repository.{name}": Rule("guard-weakened", "changes", _OTHER_CODE)
                for name in (
                    "repoType",
                    "repoId",
                    "branchName",
                    "ymlPath",
                    "url",
                    "githubEnterpriseUrl",
                    "serviceConnectionId",
                )
            },
            "pullRequestTrigger.forks.enabled": Rule("guard-weakened", "on", "code of anybody's fork is run"),
            "pullRequestTrigger.forks.shareSecrets": Rule(
                "access-broadened", "on", "code of anybody's fork gets its secrets"
            ),
            "jobAuthorizationScope": Rule(
                "access-broadened",
                "order",
                "the token of a run reaches every project",
                ("project", "projectCollection"),
                "projectCollection",
            ),
            "variableGroups": Rule("pipeline-authorized", "grows", "the pipeline gets the values of the group"),
            "agentPoolName": _OTHER_MACHINES,
        },
    ),
}

_CHECK = _type("*", delete="guard-weakened", replace="guard-weakened")
_PERMISSIONS = _type("*", delete="change", replace="change")
_CONNECTION = _type("*", create="credential-created", delete="loss-credential", replace="loss-credential")
_FAMILIES = (
    (re.compile(r"azuredevops:index:\w*Permissions"), _PERMISSIONS),
    (re.compile(r"azuredevops:index:(?:Check\w+|BranchPolicy\w+|RepositoryPolicy\w+)"), _CHECK),
    (re.compile(r"azuredevops:index:Service[Ee]ndpoint\w+"), _CONNECTION),
    (re.compile(r"pulumi:providers:[\w-]+"), _type("*", delete="change", replace="provider-moved")),
)

_REPLICAS = {"spec.replicas": _SIZE}
"""Harmless besides the release of an image, which any type may have."""

PARTLY: Mapping[str, Mapping[str, str]] = {
    "kubernetes:apps:Deployment": _REPLICAS,
    "kubernetes:apps:StatefulSet": _REPLICAS,
    "kubernetes:apps:ReplicaSet": _REPLICAS,
}
"""Types without rules of which single properties are reviewed."""

_ENGINE: dict[str, Ruled] = {
    "pulumi:pulumi:Stack": Ruled(
        harmless={"*": "the stack itself is nothing in a cloud"}, delete="change", replace="change"
    ),
    "pulumi:pulumi:StackReference": Ruled(
        rules={"name": Rule("provider-moved", "changes", "what it gives comes from another stack")},
        fresh=frozenset({"name"}),
        delete="change",
        replace="change",
    ),
}

TYPES: Mapping[str, Ruled] = {**_IAM, **_STORES, **_RUNNING, **_DEVOPS, **_ENGINE}


@lru_cache(maxsize=4096)
def ruled(kind: str) -> Ruled | None:
    """The type's entry, or None for a type without rules."""
    found = TYPES.get(kind)
    return found or next((entry for pattern, entry in _FAMILIES if pattern.fullmatch(kind)), None)
