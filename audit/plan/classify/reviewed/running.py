"""Reviewed types of what runs and what is released: containers, functions, images, and what stands around them."""

from collections.abc import Mapping

from audit.plan.classify.properties import Rule
from audit.plan.classify.reviewed.aws_stores import ENCRYPTED_BY
from audit.plan.classify.reviewed.entry import Ruled, entry

_RELEASE = "a release: what runs is reviewed with its source, and keeps the rights that it has"
_SIZE = "how much of it runs"
_ROLE = Rule("access-unknown", "named", "what runs has the rights of that role")

TYPES: dict[str, Ruled] = {
    "aws:ecs:TaskDefinition": entry(
        "",
        {"cpu": _SIZE, "memory": _SIZE, "containerDefinitions[].cpu": _SIZE, "containerDefinitions[].memory": _SIZE},
        "family",
        rules={"taskRoleArn": _ROLE, "executionRoleArn": _ROLE},
        delete="change",
        replace="change",
    ),
    "aws:ecs:Service": entry(
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
    "aws:lambda:Function": entry(
        "",
        {
            **dict.fromkeys(("code", "codeSha256", "sourceCodeHash", "s3Key", "s3ObjectVersion", "publish"), _RELEASE),
            **dict.fromkeys(("memorySize", "timeout", "reservedConcurrentExecutions", "ephemeralStorage"), _SIZE),
        },
        "runtime handler packageType architectures role imageUri",
        rules={"role": _ROLE, "kmsKeyArn": ENCRYPTED_BY},
    ),
    "aws:cloudwatch:LogGroup": entry(
        "deletionProtectionEnabled",
        {"logGroupClass": "what it costs", "skipDestroy": "what destroying does; the deletion itself is judged"},
        rules={
            "retentionInDays": Rule("loss-resource", "less", "older entries are deleted"),
            "kmsKeyId": ENCRYPTED_BY,
        },
    ),
    "aws:cloudwatch:Dashboard": entry("", {"dashboardBody": "a page for people"}, "dashboardName"),
    "aws:sqs:Queue": entry(
        "policy",
        {
            **dict.fromkeys(
                ("delaySeconds", "visibilityTimeoutSeconds", "receiveWaitTimeSeconds", "maxMessageSize"), "pace"
            ),
        },
        "fifoQueue",
        rules={
            "messageRetentionSeconds": Rule("loss-resource", "less", "older messages are deleted"),
            "kmsMasterKeyId": ENCRYPTED_BY,
            "sqsManagedSseEnabled": Rule("exposure-encryption-weaker", "off", "not encrypted at rest", default=True),
        },
    ),
    "aws:sns:Topic": entry("policy", {}, "fifoTopic", rules={"kmsMasterKeyId": ENCRYPTED_BY}),
    "docker:index:Image": entry(
        "",
        {
            "build": _RELEASE,
            "registry.username": "a login for the push; where it goes is the server",
            "registry.password": "a login for the push; where it goes is the server",
            "buildOnPreview": "when it is built",
            "skipPush": "whether it is pushed at all",
        },
        fresh="imageName registry build.args.SOURCE",
        delete="change",
        replace="change",
    ),
    "docker-build:index:Image": entry(
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

_REPLICAS = {"spec.replicas": _SIZE}
"""Harmless besides the release of an image, which any type may have."""

PARTLY: Mapping[str, Mapping[str, str]] = {
    "kubernetes:apps:Deployment": _REPLICAS,
    "kubernetes:apps:StatefulSet": _REPLICAS,
    "kubernetes:apps:ReplicaSet": _REPLICAS,
}
"""Types without rules of which single properties are reviewed."""
