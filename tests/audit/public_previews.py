"""Small previews in the shape of ordinary public ones, made by hand: what people do every day, and what each has to be
judged as. How many of their steps nobody has reviewed is what being closed by default costs.

`python -m tests.audit.public_previews` prints the rate, and that of the golden previews.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from audit.model import UNKNOWN
from audit.plan.preview import read_stream
from audit.plan.report import build
from audit.report import Report
from audit.secrets.redact import Redactor
from tests.audit import previews as p
from tests.audit.scenarios import GOLDEN

ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
ASSET = "c44067f5952c0a294b673a41bacd8c17"
SIGNATURE = "4dabf18193072939515e22adb298388d"
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
TASK = "aws:ecs/taskDefinition:TaskDefinition"


@dataclass(frozen=True)
class Public:
    """One preview: what somebody did, its steps, and its worst class."""

    what: str
    worst: str
    steps: tuple[dict[str, Any], ...]


def _told(*paths: str, replaces: bool = False) -> dict[str, Any]:
    """What a bridged provider says of the properties that differ."""
    kind = "update-replace" if replaces else "update"
    found: dict[str, Any] = {
        "diffReasons": list(paths),
        "detailedDiff": {path: {"kind": kind, "inputDiff": False} for path in paths},
    }
    return {**found, "replaceReasons": list(paths)} if replaces else found


def _code(digest: str, kind: str = ARCHIVE) -> dict[str, str]:
    return {SIGNATURE: kind, "hash": digest * 64, "path": "./dist"}


def _containers(tag: str, **more: Any) -> str:
    secret = {"name": "DB_PASSWORD", "valueFrom": "arn:aws:ssm:eu-west-1:123456789012:parameter/db"}
    return json.dumps(
        [
            {
                "name": "web",
                "image": f"{ECR}/shop:{tag}",
                "portMappings": [{"containerPort": 80}],
                "secrets": [secret],
                **more,
            }
        ]
    )


def _from(name: str, token: str) -> dict[str, Any]:
    return {"new_options": {"propertyDependencies": {name: [p.urn(token, "web")]}}}


def _deployment(image: str, replicas: int = 2) -> dict[str, Any]:
    container = {"name": "web", "image": image, "env": [{"name": "PORT", "value": "80"}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    metadata = {"name": "web", "namespace": "shop", "annotations": {"pulumi.com/autonamed": "true"}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {"replicas": replicas, "template": template},
    }


def _role(service: str) -> str:
    principal = {"Service": service}
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}],
        }
    )


def _same(token: str, name: str, old: dict[str, Any], **new: Any) -> dict[str, Any]:
    return p.step(token, name, old, {**old, **new}, **_told(*new))


QUEUE = {"name": "jobs", "delaySeconds": 0, "visibilityTimeoutSeconds": 30}
FUNCTION = {
    "code": _code("a"),
    "handler": "index.handler",
    "runtime": "nodejs20.x",
    "role": "arn:aws:iam::123456789012:role/fn",
}
SERVICE = {
    "cluster": "shop",
    "desiredCount": 2,
    "launchType": "FARGATE",
    "taskDefinition": "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:11",
}
TASK_INPUTS = {
    "family": "web",
    "cpu": "256",
    "memory": "512",
    "executionRoleArn": "arn:aws:iam::123456789012:role/exec",
}
VPC = {"cidrBlock": "10.0.0.0/16", "enableDnsHostnames": True, "tags": {"Name": "main"}}
RDS = {"identifier": "shop", "instanceClass": "db.t3.small", "allocatedStorage": 20, "publiclyAccessible": False}
GROUP = {
    "description": "web",
    "ingress": [{"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["10.0.0.0/16"]}],
}
OPEN = [{"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["0.0.0.0/0"]}]
RECORD = {"name": "shop.example.com", "type": "A", "records": ["192.0.2.10"], "ttl": 300, "zoneId": "Z1"}
IMAGE: dict[str, Any] = {
    "build": {"context": ".", "platform": "linux/amd64", "contextDigest": "a"},
    "imageName": f"{ECR}/shop:1",
    "registry": {"server": ECR, "username": "AWS", "password": "[secret]"},
}

PREVIEWS: tuple[Public, ...] = (
    Public(
        "a page of a static site",
        "change",
        (
            _same(
                "aws:s3/bucketObjectv2:BucketObjectv2",
                "index.html",
                {"bucket": "site", "key": "index.html", "source": _code("a", ASSET), "contentType": "text/html"},
                source=_code("b", ASSET),
            ),
        ),
    ),
    Public(
        "a release of a container on Fargate",
        "change",
        (
            p.step(
                p.IMAGE,
                "web",
                IMAGE,
                {**IMAGE, "build": {**IMAGE["build"], "contextDigest": "b"}, "imageName": f"{ECR}/shop:2"},
                **_told("build", "imageName"),
            ),
            p.step(
                TASK,
                "web",
                {**TASK_INPUTS, "containerDefinitions": _containers("1")},
                {**TASK_INPUTS, "containerDefinitions": _containers("2")},
                op="replace",
                **_told("containerDefinitions", replaces=True),
            ),
            p.step(
                "aws:ecs/service:Service",
                "web",
                SERVICE,
                {**SERVICE, "taskDefinition": UNKNOWN},
                **_from("taskDefinition", TASK),
                **_told("taskDefinition"),
            ),
        ),
    ),
    Public(
        "a release of a container by its digest",
        "change",
        (
            _same(
                "docker-build:index:Image",
                "web",
                {"tags": [f"{ECR}/shop:1"], "context": {"location": "."}, "push": True},
                tags=[f"{ECR}/shop:2"],
            ),
            _same(
                "aws:lambda/function:Function",
                "fn",
                {**FUNCTION, "packageType": "Image", "imageUri": f"{ECR}/shop@sha256:{'1' * 64}"},
                imageUri=f"{ECR}/shop@sha256:{'2' * 64}",
            ),
        ),
    ),
    Public(
        "a release of a function from its source",
        "change",
        (
            _same("aws:lambda/function:Function", "fn", FUNCTION, code=_code("b")),
            _same("aws:lambda/function:Function", "other", FUNCTION, memorySize=512, timeout=30),
        ),
    ),
    Public(
        "a release of a Kubernetes deployment",
        "change",
        (
            p.step(
                "kubernetes:apps/v1:Deployment",
                "web",
                _deployment("nginx:1.27"),
                _deployment("nginx:1.28"),
                **_told("spec"),
            ),
        ),
    ),
    Public(
        "more replicas of a Kubernetes deployment",
        "change",
        (
            p.step(
                "kubernetes:apps/v1:Deployment",
                "web",
                _deployment("nginx:1.27"),
                _deployment("nginx:1.27", 4),
                **_told("spec"),
            ),
        ),
    ),
    Public(
        "another image in a Kubernetes deployment",
        "unreviewed",
        (
            p.step(
                "kubernetes:apps/v1:Deployment",
                "web",
                _deployment("nginx:1.27"),
                _deployment("evil.example/nginx:1.27"),
                **_told("spec"),
            ),
        ),
    ),
    Public(
        "a release on Cloud Run",
        "change",
        (
            _same(
                "gcp:cloudrunv2/service:Service",
                "web",
                {
                    "location": "europe-west1",
                    "template": {"containers": [{"image": "europe-docker.pkg.dev/shop/web/app:1"}]},
                },
                template={"containers": [{"image": "europe-docker.pkg.dev/shop/web/app:2"}]},
            ),
        ),
    ),
    Public(
        "a release on Azure Container Apps",
        "change",
        (
            _same(
                "azure-native:app:ContainerApp",
                "web",
                {"template": {"containers": [{"name": "web", "image": "shop.azurecr.io/web:1"}]}},
                template={"containers": [{"name": "web", "image": "shop.azurecr.io/web:2"}]},
            ),
        ),
    ),
    Public(
        "tags of a team on everything",
        "change",
        tuple(
            _same(
                token,
                name,
                {"name": name, "tags": {"env": "prod"}, "tagsAll": {"env": "prod"}},
                tags={"env": "prod", "team": "shop"},
                tagsAll={"env": "prod", "team": "shop"},
            )
            for name, token in (
                ("a", "aws:ec2/vpc:Vpc"),
                ("b", "aws:rds/instance:Instance"),
                ("c", "aws:sqs/queue:Queue"),
                ("d", "aws:elasticache/cluster:Cluster"),
                ("e", p.REPOSITORY),
            )
            if name != "e"
        ),
    ),
    Public(
        "settings of a queue, a topic and a log",
        "change",
        (
            _same("aws:sqs/queue:Queue", "jobs", QUEUE, visibilityTimeoutSeconds=60),
            _same("aws:sns/topic:Topic", "news", {"name": "news", "displayName": "News"}, displayName="Our news"),
            _same(
                "aws:cloudwatch/logGroup:LogGroup", "log", {"name": "/shop", "retentionInDays": 14}, retentionInDays=30
            ),
            _same(
                "aws:cloudwatch/dashboard:Dashboard",
                "board",
                {"dashboardName": "shop", "dashboardBody": "{}"},
                dashboardBody='{"widgets": []}',
            ),
        ),
    ),
    Public(
        "words by chance and a first queue",
        "change",
        (
            p.step("random:index/randomId:RandomId", "id", None, {"byteLength": 4}),
            p.step("random:index/randomPet:RandomPet", "pet", None, {"length": 2}),
            p.step("aws:sqs/queue:Queue", "jobs", None, QUEUE),
            p.step("aws:cloudwatch/logGroup:LogGroup", "log", None, {"name": "/shop", "retentionInDays": 14}),
        ),
    ),
    Public(
        "a first registry",
        "change",
        (
            p.step(
                p.REPOSITORY,
                "r",
                None,
                {"name": "shop", "imageTagMutability": "IMMUTABLE", "imageScanningConfiguration": {"scanOnPush": True}},
            ),
            p.step(
                p.LIFECYCLE,
                "l",
                None,
                {"repository": "shop", "policy": '{"rules": []}'},
                **_from("repository", p.REPOSITORY),
            ),
        ),
    ),
    Public(
        "a first function with its role",
        "access-broadened",
        (
            p.step(p.ROLE, "fn", None, {"name": "fn", "assumeRolePolicy": _role("lambda.amazonaws.com")}),
            p.step(
                "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
                "logs",
                None,
                {"role": "fn", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
            ),
            p.step("aws:lambda/function:Function", "fn", None, {**FUNCTION, "role": UNKNOWN}),
        ),
    ),
    Public(
        "a first network",
        "unreviewed",
        (
            p.step("aws:ec2/vpc:Vpc", "main", None, VPC),
            p.step(
                "aws:ec2/subnet:Subnet",
                "a",
                None,
                {"vpcId": UNKNOWN, "cidrBlock": "10.0.1.0/24", "mapPublicIpOnLaunch": True},
            ),
            p.step("aws:ec2/internetGateway:InternetGateway", "gw", None, {"vpcId": UNKNOWN}),
        ),
    ),
    Public(
        "a larger database",
        "unreviewed",
        (_same("aws:rds/instance:Instance", "db", RDS, instanceClass="db.t3.medium"),),
    ),
    Public(
        "a database that is opened",
        "unreviewed",
        (_same("aws:rds/instance:Instance", "db", RDS, publiclyAccessible=True),),
    ),
    Public(
        "a port that is opened",
        "unreviewed",
        (_same("aws:ec2/securityGroup:SecurityGroup", "web", GROUP, ingress=OPEN),),
    ),
    Public(
        "a record of a name",
        "unreviewed",
        (_same("aws:route53/record:Record", "shop", RECORD, records=["192.0.2.20"]),),
    ),
    Public(
        "a newer chart",
        "unreviewed",
        (
            _same(
                "kubernetes:helm.sh/v3:Release",
                "ingress",
                {"name": "ingress", "chart": "ingress-nginx", "version": "4.11.0"},
                version="4.12.0",
            ),
        ),
    ),
    Public(
        "a Kubernetes role for everybody",
        "unreviewed",
        (
            p.step(
                "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding",
                "all",
                None,
                {"subjects": [{"kind": "Group", "name": "system:authenticated"}], "roleRef": {"name": "cluster-admin"}},
            ),
        ),
    ),
    Public(
        "a provider's next version",
        "provider-moved",
        (_same("pulumi:providers:aws", "eu", {"region": "eu-west-1", "version": "7.1.0"}, version="7.2.0"),),
    ),
    Public(
        "a static site that is taken down",
        "loss-resource",
        (
            p.step("aws:s3/bucketObjectv2:BucketObjectv2", "index.html", {"bucket": "site", "key": "index.html"}, None),
            p.step("aws:s3/bucket:Bucket", "site", {"bucket": "site"}, None),
        ),
    ),
    Public(
        "who may read a bucket",
        "access-narrowed",
        (
            _same(
                "aws:s3/bucketPolicy:BucketPolicy",
                "site",
                {"bucket": "site", "policy": p.policy(p.allow("s3:*", "*", Principal="*"))},
                policy=p.policy(p.allow("s3:GetObject", "*", Principal="*")),
            ),
        ),
    ),
    Public(
        "a pipeline on another schedule",
        "change",
        (
            _same(
                "azuredevops:index/buildDefinition:BuildDefinition",
                "ci",
                {"name": "ci", "projectId": "p", "schedules": [{"daysToBuilds": ["Mon"]}]},
                schedules=[{"daysToBuilds": ["Tue"]}],
            ),
        ),
    ),
)


def judged(public: Public) -> Report:
    """The report of one of these."""
    redactor = Redactor()
    data = json.dumps(p.digest(*public.steps)).encode()
    return build(redactor.plan(read_stream(BytesIO(data), public.what, redactor.visit)))


def golden() -> Iterator[tuple[str, Report]]:
    """The reports of the golden previews."""
    for path in sorted(GOLDEN.glob("*.json")):
        redactor = Redactor()
        yield path.stem, build(redactor.plan(read_stream(BytesIO(path.read_bytes()), path.stem, redactor.visit)))


def rate(reports: list[Report]) -> tuple[int, int, int]:
    """Previews with a step that nobody has reviewed, such steps, and steps."""
    loud = [{finding.urn for finding in report.findings if finding.risk == "unreviewed"} for report in reports]
    return sum(map(bool, loud)), sum(map(len, loud)), sum(len(report.rows) for report in reports)


def main() -> None:
    """Prints how much is unreviewed."""
    for name, reports in (
        ("golden", [report for _, report in golden()]),
        ("public", [judged(public) for public in PREVIEWS]),
    ):
        previews, loud, steps = rate(reports)
        share = f"{100 * loud / steps:.1f} %"
        print(f"{name}: {previews} of {len(reports)} previews, {loud} of {steps} steps unreviewed ({share})")


if __name__ == "__main__":
    main()
