"""Functions of the aws plugin: what a program asks for before it declares anything."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import TYPE_CHECKING, Any

from sandbox.providers.aws.iam import pages
from sandbox.providers.aws.session import AwsSession, failing
from sandbox.providers.aws.tagged import as_map
from sandbox.providers.base import ProviderError

if TYPE_CHECKING:
    from sandbox.providers.protocol import Properties


def get_caller_identity(session: AwsSession, arguments: Properties) -> Properties:
    """aws.getCallerIdentity."""
    del arguments
    caller = session.identity
    return {
        "accountId": caller["Account"],
        "arn": caller["Arn"],
        "userId": caller["UserId"],
        "id": caller["Account"],
    }


def _endpoint_data(session: AwsSession, region: str) -> tuple[str, str]:
    """Return partition and DNS suffix of a region, from the endpoint data that comes with botocore."""
    resolver = session.botocore.get_component("endpoint_resolver")
    partition = resolver.get_partition_for_region(region)
    return partition, resolver.get_partition_dns_suffix(partition)


def get_region(session: AwsSession, arguments: Properties) -> Properties:
    """aws.getRegion."""
    region = arguments.get("region") or arguments.get("name") or session.region
    partition, suffix = _endpoint_data(session, region)
    data = session.botocore.get_data("endpoints")
    known: dict[str, Any] = next(each["regions"] for each in data["partitions"] if each["partition"] == partition)
    if region not in known:
        raise ProviderError(f"finding Region using the specified filters: no matching Region ({region}) found")
    return {
        "region": region,
        "name": region,
        "id": region,
        "endpoint": f"ec2.{region}.{suffix}",
        "description": known[region]["description"],
    }


def get_partition(session: AwsSession, arguments: Properties) -> Properties:
    """aws.getPartition."""
    del arguments
    partition, suffix = _endpoint_data(session, session.region)
    return {
        "partition": partition,
        "id": partition,
        "dnsSuffix": suffix,
        "reverseDnsPrefix": ".".join(reversed(suffix.split("."))),
    }


def get_authorization_token(session: AwsSession, arguments: Properties) -> Properties:
    """aws.ecr.getAuthorizationToken: user name and password of docker login, for 12 hours."""
    region = arguments.get("region") or session.region
    request = {"registryIds": [arguments["registryId"]]} if arguments.get("registryId") else {}
    with failing("ECR", "getting ECR Authorization Token"):
        answer = session.client("ecr", region).get_authorization_token(**request)
    data = answer["authorizationData"][0]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    return {
        "authorizationToken": data["authorizationToken"],
        "expiresAt": data["expiresAt"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "password": password,
        "proxyEndpoint": data["proxyEndpoint"],
        "userName": user,
        "region": region,
        "registryId": arguments.get("registryId"),
        "id": region,
    }


def get_repository(session: AwsSession, arguments: Properties) -> Properties:
    """aws.ecr.getRepository."""
    from sandbox.providers.aws.ecr import repository_outputs

    name, region = arguments["name"], arguments.get("region") or session.region
    request = {"registryId": arguments["registryId"]} if arguments.get("registryId") else {}
    api = session.client("ecr", region)
    with failing("ECR", f"reading ECR Repository ({name})"):
        found = api.describe_repositories(repositoryNames=[name], **request)["repositories"][0]
        tags = as_map(api.list_tags_for_resource(resourceArn=found["repositoryArn"]).get("tags", []))
        images = _images(api, name)
    outputs = repository_outputs(found)
    outputs["imageScanningConfigurations"] = [outputs.pop("imageScanningConfiguration")]
    newest = max(images, key=lambda each: each["imagePushedAt"], default={})
    return {**outputs, "id": name, "region": region, "tags": tags, "mostRecentImageTags": newest.get("imageTags", [])}


def _images(api: Any, repository: str, **request: Any) -> list[dict[str, Any]]:
    paginator = api.get_paginator("describe_images")
    pages = paginator.paginate(repositoryName=repository, **request)
    return [each for page in pages for each in page["imageDetails"]]


def get_image(session: AwsSession, arguments: Properties) -> Properties:
    """aws.ecr.getImage: one image by tag, digest, or the newest."""
    repository, region = arguments["repositoryName"], arguments.get("region") or session.region
    tag, digest = arguments.get("imageTag"), arguments.get("imageDigest")
    if not (tag or digest or arguments.get("mostRecent")):
        raise ProviderError("one of `image_digest,image_tag,most_recent` must be specified")
    wanted = {key: value for key, value in (("imageTag", tag), ("imageDigest", digest)) if value}
    request: dict[str, Any] = {"imageIds": [wanted]} if wanted else {}
    if arguments.get("registryId"):
        request["registryId"] = arguments["registryId"]
    api = session.client("ecr", region)
    with failing("ECR", f"reading ECR Images ({repository})"):
        images = _images(api, repository, **request)
        uri = api.describe_repositories(repositoryNames=[repository])["repositories"][0]["repositoryUri"]
    if not images:
        raise ProviderError("Your query returned no results. Please change your search criteria and try again.")
    image = max(images, key=lambda each: each["imagePushedAt"])
    return {
        "id": image["imageDigest"],
        "imageDigest": image["imageDigest"],
        "imagePushedAt": int(image["imagePushedAt"].timestamp()),
        "imageSizeInBytes": image["imageSizeInBytes"],
        "imageTag": tag,
        "imageTags": image.get("imageTags", []),
        "imageUri": f"{uri}@{image['imageDigest']}",
        "mostRecent": arguments.get("mostRecent"),
        "region": region,
        "registryId": image["registryId"],
        "repositoryName": repository,
    }


def get_users(session: AwsSession, arguments: Properties) -> Properties:
    """aws.iam.getUsers: names and ARNs; none is an answer and no error."""
    pattern, prefix = arguments.get("nameRegex"), arguments.get("pathPrefix")
    try:
        fits = re.compile(pattern or "").search
    except re.error as error:
        raise ProviderError(f'"name_regex": {error}') from error
    with failing("IAM", "reading IAM users"):
        users = pages(session.client("iam"), "list_users", "Users", **({"PathPrefix": prefix} if prefix else {}))
    found = sorted((each["UserName"], each["Arn"]) for each in users if fits(each["UserName"]))
    return {
        "id": session.region,
        "nameRegex": pattern,
        "pathPrefix": prefix,
        "names": [name for name, _ in found],
        "arns": sorted(arn for _, arn in found),
    }


def get_user(session: AwsSession, arguments: Properties) -> Properties:
    """aws.iam.getUser: a missing one is an error."""
    name = arguments["userName"]
    with failing("IAM", f"reading IAM User ({name})"):
        user = session.client("iam").get_user(UserName=name)["User"]
    return {
        "id": user["UserId"],
        "arn": user["Arn"],
        "path": user["Path"],
        "permissionsBoundary": user.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
        "userId": user["UserId"],
        "userName": name,
        "tags": as_map(user.get("Tags", [])),
    }


def get_access_keys(session: AwsSession, arguments: Properties) -> Properties:
    """aws.iam.getAccessKeys: id, date and status of each, never a secret; a missing user is an error."""
    name = arguments["user"]
    with failing("IAM", f"reading IAM Access Keys ({name})"):
        keys = pages(session.client("iam"), "list_access_keys", "AccessKeyMetadata", UserName=name)
    return {
        "id": name,
        "user": name,
        "accessKeys": [
            {
                "accessKeyId": each["AccessKeyId"],
                "createDate": each["CreateDate"].strftime("%Y-%m-%dT%H:%M:%SZ"),
                "status": each["Status"],
            }
            for each in sorted(keys, key=lambda each: str(each["AccessKeyId"]))
        ],
    }


def get_policy_document(session: AwsSession, arguments: Properties) -> Properties:
    """aws.iam.getPolicyDocument: statements as data, merged with sources and overrides; no call to AWS."""
    del session
    document: dict[str, Any] = {"Version": arguments.get("version") or "2012-10-17"}
    if arguments.get("policyId"):
        document["Id"] = arguments["policyId"]
    statements: list[dict[str, Any]] = []
    for source in [arguments.get("sourceJson"), *arguments.get("sourcePolicyDocuments", [])]:
        for each in _parsed(source):
            _merge(statements, each, strict=True)
    for each in arguments.get("statements", []):
        _merge(statements, _statement(each, document["Version"]), strict=False)
    for override in [arguments.get("overrideJson"), *arguments.get("overridePolicyDocuments", [])]:
        for each in _parsed(override):
            _merge(statements, each, strict=False)
    document["Statement"] = statements
    return {
        **arguments,
        "json": json.dumps(document, indent=2),
        "minifiedJson": json.dumps(document, separators=(",", ":")),
        "version": document["Version"],
        "id": str(zlib.crc32(json.dumps(document, indent=2).encode())),
    }


def _parsed(source: str | None) -> list[dict[str, Any]]:
    if not source:
        return []
    try:
        statements = json.loads(source).get("Statement", [])
    except ValueError as error:
        raise ProviderError(f"merging policy documents: {error}") from error
    return statements if isinstance(statements, list) else [statements]


def _merge(statements: list[dict[str, Any]], new: dict[str, Any], *, strict: bool) -> None:
    """Add a statement; one with the Sid of an earlier one takes its place, or is an error among sources."""
    at = next(
        (index for index, each in enumerate(statements) if new.get("Sid") and each.get("Sid") == new["Sid"]), None
    )
    if at is None:
        statements.append(new)
    elif strict:
        raise ProviderError(f"duplicate Sid ({new['Sid']}) in source_policy_documents")
    else:
        statements[at] = new


def _statement(given: Properties, version: str) -> dict[str, Any]:
    statement: dict[str, Any] = {}
    if given.get("sid"):
        statement["Sid"] = given["sid"]
    statement["Effect"] = given.get("effect") or "Allow"
    for name, key in (
        ("actions", "Action"),
        ("notActions", "NotAction"),
        ("resources", "Resource"),
        ("notResources", "NotResource"),
    ):
        if given.get(name):
            values = sorted((_variables(each, version) for each in given[name]), reverse=True)
            statement[key] = values[0] if len(values) == 1 else values
    for name, key in (("principals", "Principal"), ("notPrincipals", "NotPrincipal")):
        if given.get(name):
            statement[key] = _principals(given[name])
    if given.get("conditions"):
        statement["Condition"] = _conditions(given["conditions"], version)
    return statement


def _variables(text: str, version: str) -> str:
    """Policy variables are written &{...} where ${...} would be taken by the language."""
    return text.replace("&{", "${") if version == "2012-10-17" else text


def _principals(given: list[Properties]) -> Any:
    grouped: dict[str, list[str]] = {}
    for each in given:
        grouped.setdefault(each["type"], []).extend(each["identifiers"])
    if grouped == {"*": ["*"]}:
        return "*"
    return {kind: names[0] if len(names) == 1 else sorted(names, reverse=True) for kind, names in grouped.items()}


def _conditions(given: list[Properties], version: str) -> dict[str, Any]:
    conditions: dict[str, dict[str, Any]] = {}
    for each in given:
        values = [_variables(value, version) for value in each["values"]]
        conditions.setdefault(each["test"], {})[each["variable"]] = values[0] if len(values) == 1 else values
    return conditions
