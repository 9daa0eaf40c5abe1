"""Reviewed types of AWS: what holds things, and the keys that it is encrypted with."""

from audit.plan.classify.properties import Rule
from audit.plan.classify.reviewed.entry import Ruled, entry

_REPOSITORY = (
    "encryptionConfigurations encryptionConfiguration forceDelete forceDestroy emptyOnDelete "
    "imageScanningConfiguration imageTagMutability imageTagMutabilityExclusionFilters"
)
ENCRYPTED_BY = Rule("exposure-encryption-weaker", "changes", "who may use that key decides who can read")
_VERSIONING = "what is overwritten or deleted is gone at once"
_SSE = "serverSideEncryptionConfiguration.rule.applyServerSideEncryptionByDefault"
_BUCKET = entry(
    "acl grants policy forceDestroy",
    {},
    "bucket bucketPrefix",
    rules={
        f"{_SSE}.sseAlgorithm": Rule(
            "exposure-encryption-weaker", "order", "weaker at rest", ("aws:kms:dsse", "aws:kms", "AES256"), "AES256"
        ),
        f"{_SSE}.kmsMasterKeyId": ENCRYPTED_BY,
        "versioning.enabled": Rule("loss-protection-removed", "off", _VERSIONING),
        "versioning.mfaDelete": Rule(
            "loss-protection-removed", "off", "a version can be deleted without a second factor"
        ),
        "logging": Rule("guard-weakened", "changes", "who reads and writes is recorded otherwise, or not at all"),
        "objectLockEnabled": Rule("loss-protection-removed", "off", "objects can be deleted"),
        "objectLockConfiguration": Rule("loss-protection-removed", "changes", "objects can be deleted earlier"),
    },
)
_OBJECT = entry(
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

TYPES: dict[str, Ruled] = {
    "aws:ecr:Repository": entry(
        _REPOSITORY,
        {},
        "name",
        delete="loss-repository-deleted",
        replace="loss-repository-replaced",
        create="exposure-mutable-tags",
    ),
    "aws-native:ecr:Repository": entry(
        f"{_REPOSITORY} lifecyclePolicy",
        {"repositoryName": "what it is called"},
        "repositoryName",
        delete="loss-repository-deleted",
        replace="loss-repository-replaced",
        create="exposure-mutable-tags",
    ),
    "aws:ecrpublic:Repository": entry(
        "forceDestroy",
        {"catalogData": "texts and pictures for people"},
        "repositoryName",
        create="exposure-mutable-tags",
        delete="loss-repository-deleted",
        replace="loss-repository-replaced",
        rules={"repositoryName": Rule("access-broadened", "differs", "everybody may pull from it")},
    ),
    "aws:ecr:LifecyclePolicy": entry("policy repository", delete="change", replace="change"),
    "aws:ecr:RegistryScanningConfiguration": entry(
        "*", delete="exposure-scan-off", replace="exposure-scan-off", holds=False
    ),
    "aws:ecr:ReplicationConfiguration": entry(
        rules={"replicationConfiguration": Rule("access-unknown", "differs", "images are copied there")},
        delete="change",
        replace="change",
    ),
    "aws:ecr:PullThroughCacheRule": entry(
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
    "aws:ecr:AccountSetting": entry(
        rules={"value": Rule("guard-weakened", "differs", "it holds for every repository of the account")},
        fresh="name",
        delete="guard-weakened",
    ),
    "aws:s3:BucketPublicAccessBlock": entry(
        "blockPublicAcls blockPublicPolicy ignorePublicAcls restrictPublicBuckets",
        {"skipDestroy": "what destroying does; the deletion itself is judged"},
        "bucket",
        create="access-unknown",
    ),
    "aws:s3:AccountPublicAccessBlock": entry(
        "blockPublicAcls blockPublicPolicy ignorePublicAcls restrictPublicBuckets",
        {},
        "accountId",
        create="access-unknown",
    ),
    "aws:s3:Bucket": _BUCKET,
    "aws:s3:BucketV2": _BUCKET,
    "aws:s3:BucketObject": _OBJECT,
    "aws:s3:BucketObjectv2": _OBJECT,
    "aws:s3:ObjectCopy": entry("acl grants"),
    "aws:s3:BucketVersioning": entry(
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
    "aws:s3:BucketServerSideEncryptionConfiguration": entry(
        "",
        {},
        "bucket",
        delete="exposure-encryption-weaker",
        replace="exposure-encryption-weaker",
        holds=False,
        rules={
            "rules[].applyServerSideEncryptionByDefault.sseAlgorithm": Rule(
                "exposure-encryption-weaker", "order", "weaker at rest", ("aws:kms:dsse", "aws:kms", "AES256"), "AES256"
            ),
            "rules[].applyServerSideEncryptionByDefault.kmsMasterKeyId": ENCRYPTED_BY,
            "rules[].bucketKeyEnabled": Rule("exposure-encryption-weaker", "on", "one key for many objects"),
        },
    ),
    "aws:kms:Key": entry(
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
    "aws:kms:Alias": entry(
        rules={
            "targetKeyId": Rule("access-unknown", "changes", "all that names the alias uses another key from then on")
        },
        fresh="targetKeyId",
    ),
    "aws:secretsmanager:Secret": entry(
        "policy",
        {"forceOverwriteReplicaSecret": "what happens to a replica of the same name"},
        rules={
            "kmsKeyId": ENCRYPTED_BY,
            "recoveryWindowInDays": Rule(
                "loss-protection-removed", "less", "less time to take a deletion back", default=30
            ),
        },
    ),
}
