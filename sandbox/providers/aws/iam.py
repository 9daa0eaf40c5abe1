"""Types of AWS IAM: policies, users, groups, keys, roles and what attaches them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import time
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote

from sandbox.providers.aws.tagged import TAGS, AwsResource, as_list, as_map, tag_changes
from sandbox.providers.base import PartlyMadeError, ProviderError
from sandbox.providers.schema import (
    Fields,
    between,
    compact_json,
    flag,
    given,
    json_document,
    number,
    one_of,
    same_policy,
    text,
    unordered,
)

if TYPE_CHECKING:
    from sandbox.providers.protocol import Properties

_MISSING = ("NoSuchEntity",)
_VERSION_LIMIT = 5  # IAM keeps at most so many versions of a policy
_counter = itertools.count(1)


def unique_id(prefix: str) -> str:
    """Make an id for what has none of its own, as the plugin does: a prefix, the time, a counter."""
    seconds, fraction = divmod(time.time_ns() // 100_000, 10_000)
    moment = time.strftime("%Y%m%d%H%M%S", time.gmtime(seconds))
    return f"{prefix}{moment}{fraction:04d}{next(_counter):08x}"


def document(text: Any) -> str:
    """Return a policy as text; the API quotes it as in a URL, and botocore may have parsed it."""
    import json

    return unquote(text) if isinstance(text, str) else json.dumps(text, separators=(",", ":"))


def pages(api: Any, operation: str, key: str, **request: Any) -> list[Any]:
    """List everything that an operation has, page by page."""
    return [each for page in api.get_paginator(operation).paginate(**request) for each in page[key]]


class IamResource(AwsResource):
    """A type of IAM; the service has no regions."""

    service = "IAM"


class Policy(IamResource):
    """aws.iam.Policy."""

    token = "aws:iam/policy:Policy"  # noqa: S105 - a type token
    fields: ClassVar[Fields] = {
        "delayAfterPolicyCreationInMs": number(),
        "description": text(replace=True),
        "name": text(autoname=128, replace=True, computed=True),
        "namePrefix": text(replace=True, computed=True),
        "path": text(default="/", replace=True),
        "policy": text(required=True, rule=json_document, canonical=same_policy, recorded=compact_json),
        "arn": given(),
        "attachmentCount": number(output=True),
        "policyId": given(),
        **TAGS,
    }

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        name = inputs.get("name") or unique_id(inputs.get("namePrefix", "terraform-"))
        request: dict[str, Any] = {
            "PolicyName": name,
            "Path": inputs["path"],
            "PolicyDocument": inputs["policy"],
        }
        if inputs.get("description"):
            request["Description"] = inputs["description"]
        with self.failing(f"creating IAM Policy ({name})"):
            made = self.api().create_policy(**request, Tags=as_list(inputs.get("tagsAll")))["Policy"]
        return made["Arn"], {}

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        api = self.api()
        with self.failing(f"reading IAM Policy ({resource_id})", _MISSING) as call:
            found = api.get_policy(PolicyArn=resource_id)["Policy"]
            version = api.get_policy_version(PolicyArn=resource_id, VersionId=found["DefaultVersionId"])
            tags = as_map(api.list_policy_tags(PolicyArn=resource_id)["Tags"])
        if call.absent:
            return None
        return {
            "arn": found["Arn"],
            "attachmentCount": found["AttachmentCount"],
            "description": found.get("Description", ""),
            "name": found["PolicyName"],
            "namePrefix": known.get("namePrefix", ""),
            "path": found["Path"],
            "policy": document(version["PolicyVersion"]["Document"]),
            "policyId": found["PolicyId"],
            **self.tags(tags, known),
        }

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        api = self.api()
        if same_policy(state.get("policy", "")) != same_policy(inputs["policy"]):
            with self.failing(f"pruning IAM Policy ({resource_id}) versions"):
                versions = pages(api, "list_policy_versions", "Versions", PolicyArn=resource_id)
                if len(versions) >= _VERSION_LIMIT:
                    oldest = min((each for each in versions if not each["IsDefaultVersion"]), key=_age)
                    api.delete_policy_version(PolicyArn=resource_id, VersionId=oldest["VersionId"])
            with self.failing(f"updating IAM Policy ({resource_id})"):
                api.create_policy_version(PolicyArn=resource_id, PolicyDocument=inputs["policy"], SetAsDefault=True)
        removed, added = tag_changes(state, inputs)
        with self.failing(f"updating tags for IAM Policy ({resource_id})"):
            if removed:
                api.untag_policy(PolicyArn=resource_id, TagKeys=removed)
            if added:
                api.tag_policy(PolicyArn=resource_id, Tags=added)

    def delete(self, resource_id: str, state: Properties) -> None:
        del state
        api = self.api()
        with self.failing(f"deleting IAM Policy ({resource_id})", _MISSING):
            for each in pages(api, "list_policy_versions", "Versions", PolicyArn=resource_id):
                if not each["IsDefaultVersion"]:
                    api.delete_policy_version(PolicyArn=resource_id, VersionId=each["VersionId"])
            api.delete_policy(PolicyArn=resource_id)


def _age(version: Any) -> Any:
    return version["CreateDate"], int(version["VersionId"].removeprefix("v"))


class Group(IamResource):
    """aws.iam.Group: name and path change in place."""

    token = "aws:iam/group:Group"  # noqa: S105 - a type token
    fields: ClassVar[Fields] = {
        "name": text(autoname=128),
        "path": text(default="/"),
        "arn": given(),
        "uniqueId": given(),
    }

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        with self.failing(f"creating IAM Group ({inputs['name']})"):
            self.api().create_group(GroupName=inputs["name"], Path=inputs["path"])
        return inputs["name"], {}

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        name = known.get("name") or resource_id
        with self.failing(f"reading IAM Group ({name})", _MISSING) as call:
            found = self.api().get_group(GroupName=name)["Group"]
        if call.absent:
            return None
        return {"arn": found["Arn"], "name": found["GroupName"], "path": found["Path"], "uniqueId": found["GroupId"]}

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        old = state.get("name", resource_id)
        with self.failing(f"updating IAM Group ({old})"):
            self.api().update_group(GroupName=old, NewGroupName=inputs["name"], NewPath=inputs["path"])

    def delete(self, resource_id: str, state: Properties) -> None:
        name = state.get("name", resource_id)
        with self.failing(f"deleting IAM Group ({name})", _MISSING):
            self.api().delete_group(GroupName=name)


class User(IamResource):
    """aws.iam.User: name and path change in place."""

    token = "aws:iam/user:User"  # noqa: S105 - a type token
    fields: ClassVar[Fields] = {
        "forceDestroy": flag(),
        "name": text(autoname=64),
        "path": text(default="/"),
        "permissionsBoundary": text(),
        "arn": given(),
        "uniqueId": given(),
        **TAGS,
    }

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        request: dict[str, Any] = {"UserName": inputs["name"], "Path": inputs["path"]}
        if inputs.get("permissionsBoundary"):
            request["PermissionsBoundary"] = inputs["permissionsBoundary"]
        with self.failing(f"creating IAM User ({inputs['name']})"):
            self.api().create_user(**request, Tags=as_list(inputs.get("tagsAll")))
        return inputs["name"], {}

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        name = known.get("name") or resource_id
        api = self.api()
        with self.failing(f"reading IAM User ({name})", _MISSING) as call:
            found = api.get_user(UserName=name)["User"]
            tags = as_map(api.list_user_tags(UserName=name)["Tags"])
        if call.absent:
            return None
        return {
            "arn": found["Arn"],
            "name": found["UserName"],
            "path": found["Path"],
            "permissionsBoundary": found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
            **self.tags(tags, known),
            "uniqueId": found["UserId"],
        }

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        api = self.api()
        old, new = state.get("name", resource_id), inputs["name"]
        if (old, state.get("path", "/")) != (new, inputs["path"]):
            with self.failing(f"updating IAM User ({old})"):
                api.update_user(UserName=old, NewUserName=new, NewPath=inputs["path"])
        boundary = inputs.get("permissionsBoundary") or ""
        if boundary != (state.get("permissionsBoundary") or ""):
            with self.failing(f"updating IAM User ({new}) permissions boundary"):
                if boundary:
                    api.put_user_permissions_boundary(UserName=new, PermissionsBoundary=boundary)
                else:
                    api.delete_user_permissions_boundary(UserName=new)
        removed, added = tag_changes(state, inputs)
        with self.failing(f"updating tags for IAM User ({new})"):
            if removed:
                api.untag_user(UserName=new, TagKeys=removed)
            if added:
                api.tag_user(UserName=new, Tags=added)

    def delete(self, resource_id: str, state: Properties) -> None:
        name = state.get("name", resource_id)
        api = self.api()
        with self.failing(f"deleting IAM User ({name})", _MISSING):
            for group in pages(api, "list_groups_for_user", "Groups", UserName=name):
                api.remove_user_from_group(UserName=name, GroupName=group["GroupName"])
            if state.get("forceDestroy"):
                _empty_user(api, name)
            api.delete_user(UserName=name)


def _empty_user(api: Any, name: str) -> None:
    """Remove what keeps IAM from deleting a user."""
    for policy in pages(api, "list_attached_user_policies", "AttachedPolicies", UserName=name):
        api.detach_user_policy(UserName=name, PolicyArn=policy["PolicyArn"])
    for inline in pages(api, "list_user_policies", "PolicyNames", UserName=name):
        api.delete_user_policy(UserName=name, PolicyName=inline)
    for key in pages(api, "list_access_keys", "AccessKeyMetadata", UserName=name):
        api.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])


class UserGroupMembership(IamResource):
    """aws.iam.UserGroupMembership: only the groups it names, others of the user are left alone."""

    token = "aws:iam/userGroupMembership:UserGroupMembership"  # noqa: S105 - a type token
    fields: ClassVar[Fields] = {"groups": unordered(required=True), "user": text(required=True, replace=True)}

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        resource_id = unique_id("terraform-")
        self._join(inputs["user"], inputs["groups"], resource_id, inputs)
        return resource_id, {}

    def _join(self, user: str, groups: list[str], resource_id: str, known: Properties) -> None:
        joined: list[str] = []
        for group in groups:
            try:
                with self.failing(f"adding IAM User ({user}) to IAM Group ({group})"):
                    self.api().add_user_to_group(UserName=user, GroupName=group)
            except ProviderError as error:
                if joined:
                    raise PartlyMadeError(str(error), resource_id, {**known, "groups": joined}) from error
                raise
            joined.append(group)

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        del resource_id
        user = known["user"]
        with self.failing(f"reading IAM User Group Membership ({user})", _MISSING) as call:
            groups = [each["GroupName"] for each in pages(self.api(), "list_groups_for_user", "Groups", UserName=user)]
        if call.absent:
            return None
        return {"user": user, "groups": [each for each in groups if each in known["groups"]]}

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        user, old, new = inputs["user"], set(state.get("groups") or []), set(inputs["groups"])
        self._leave(user, sorted(old - new))
        self._join(user, sorted(new - old), resource_id, state)

    def _leave(self, user: str, groups: list[str]) -> None:
        for group in groups:
            with self.failing(f"removing IAM User ({user}) from IAM Group ({group})", _MISSING):
                self.api().remove_user_from_group(UserName=user, GroupName=group)

    def delete(self, resource_id: str, state: Properties) -> None:
        del resource_id
        self._leave(state["user"], state["groups"])

    def import_id(self, resource_id: str) -> tuple[str, Properties]:
        user, *groups = resource_id.split("/")
        if not groups:
            raise ProviderError(f"unexpected format of ID ({resource_id!r}), expected <user-name>/<group-name1>/...")
        return unique_id("terraform-"), {"user": user, "groups": groups}


class GroupMembership(IamResource):
    """aws.iam.GroupMembership: all members of a group."""

    token = "aws:iam/groupMembership:GroupMembership"  # noqa: S105 - a type token
    fields: ClassVar[Fields] = {
        "group": text(required=True, replace=True),
        "name": text(autoname=255, replace=True),
        "users": unordered(required=True),
    }

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        self._change(inputs["group"], set(inputs["users"]), set())
        return inputs["name"], {}

    def _change(self, group: str, added: set[str], removed: set[str]) -> None:
        for user in sorted(removed):
            with self.failing(f"removing IAM User ({user}) from IAM Group ({group})", _MISSING):
                self.api().remove_user_from_group(UserName=user, GroupName=group)
        for user in sorted(added):
            with self.failing(f"adding IAM User ({user}) to IAM Group ({group})"):
                self.api().add_user_to_group(UserName=user, GroupName=group)

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        group = known["group"]
        with self.failing(f"reading IAM Group Membership ({resource_id})", _MISSING) as call:
            users = [each["UserName"] for each in pages(self.api(), "get_group", "Users", GroupName=group)]
        if call.absent:
            return None
        return {"group": group, "name": known["name"], "users": users}

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        del resource_id
        old, new = set(state.get("users") or []), set(inputs["users"])
        self._change(inputs["group"], new - old, old - new)

    def delete(self, resource_id: str, state: Properties) -> None:
        del resource_id
        self._change(state["group"], set(), set(state["users"]))

    def import_id(self, resource_id: str) -> tuple[str, Properties]:
        raise ProviderError(f"aws:iam/groupMembership:GroupMembership ({resource_id}) does not support import")


class AccessKey(IamResource):
    """aws.iam.AccessKey: the secret is known only when the key is made."""

    token = "aws:iam/accessKey:AccessKey"  # noqa: S105 - a type token
    fields: ClassVar[Fields] = {
        "pgpKey": text(replace=True),
        "status": text(default="Active", rule=one_of("Active", "Inactive", "Expired")),
        "user": text(required=True, replace=True),
        "createDate": given(),
        "encryptedSecret": given(),
        "encryptedSesSmtpPasswordV4": given(),
        "keyFingerprint": given(),
        "secret": given(secret=True),
        "sesSmtpPasswordV4": given(secret=True),
    }

    def validate(self, inputs: Properties) -> list[str]:
        if inputs.get("pgpKey"):
            return ["the sandbox's stand-in for the aws plugin does not encrypt with pgp_key: leave it out"]
        return []

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        user = inputs["user"]
        with self.failing(f"creating IAM Access Key ({user})"):
            made = self.api().create_access_key(UserName=user)["AccessKey"]
        key, secret = made["AccessKeyId"], made["SecretAccessKey"]
        once = {
            "createDate": _rfc3339(made["CreateDate"]),
            "secret": secret,
            "sesSmtpPasswordV4": ses_password(secret, self.session.region),
        }
        if inputs["status"] != "Active":
            try:
                self._set_status(key, user, inputs["status"])
            except ProviderError as error:
                # A key whose secret is not in the state is lost: it is kept, and the next up sets its status.
                raise PartlyMadeError(str(error), key, {**once, "status": "Active"}) from error
        return key, once

    def _set_status(self, key: str, user: str, status: str) -> None:
        with self.failing(f"updating IAM Access Key ({key})"):
            self.api().update_access_key(AccessKeyId=key, UserName=user, Status=status)

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        user = known.get("user") or self._owner(resource_id)
        if user is None:
            return None
        with self.failing(f"reading IAM Access Key ({resource_id})", _MISSING) as call:
            keys = pages(self.api(), "list_access_keys", "AccessKeyMetadata", UserName=user)
        found = None if call.absent else next((each for each in keys if each["AccessKeyId"] == resource_id), None)
        if found is None:
            return None
        return {"createDate": _rfc3339(found["CreateDate"]), "status": found["Status"], "user": user}

    def _owner(self, key: str) -> str | None:
        with self.failing(f"reading IAM Access Key ({key}) last used", ("NoSuchEntity", "AccessDenied")) as call:
            owner: str = self.api().get_access_key_last_used(AccessKeyId=key)["UserName"]
        return None if call.absent else owner

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        if inputs["status"] != state.get("status"):
            self._set_status(resource_id, inputs["user"], inputs["status"])

    def delete(self, resource_id: str, state: Properties) -> None:
        with self.failing(f"deleting IAM Access Key ({resource_id})", _MISSING):
            self.api().delete_access_key(AccessKeyId=resource_id, UserName=state["user"])


def _rfc3339(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


def ses_password(secret: str, region: str) -> str:
    """Derive the SMTP password of an access key.

    Source: Amazon SES Developer Guide, "Obtaining SES SMTP credentials by converting existing AWS credentials".
    """
    signature = ("AWS4" + secret).encode()
    for part in ("11111111", region, "ses", "aws4_request", "SendRawEmail"):
        signature = hmac.new(signature, part.encode(), hashlib.sha256).digest()
    return base64.b64encode(b"\x04" + signature).decode()


class _Attachment(IamResource):
    """A policy attached to a principal; everything replaces."""

    principal: str
    """The property that names the principal; also the API's word: group, user or role."""

    def _call(self, operation: str, principal: str, policy: str) -> None:
        request = {f"{self.principal.title()}Name": principal, "PolicyArn": policy}
        getattr(self.api(), f"{operation}_{self.principal}_policy")(**request)

    def _shown(self, verb: str, word: str, known: Properties) -> str:
        kind = self.principal.title()
        return f"{verb} IAM Policy ({known['policyArn']}) {word} IAM {kind} ({known[self.principal]})"

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        with self.failing(self._shown("attaching", "to", inputs)):
            self._call("attach", inputs[self.principal], inputs["policyArn"])
        return unique_id(f"{inputs[self.principal]}-"), {}

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        del resource_id
        operation = f"list_attached_{self.principal}_policies"
        request = {f"{self.principal.title()}Name": known[self.principal]}
        with self.failing(self._shown("reading", "attached to", known), _MISSING) as call:
            attached = [each["PolicyArn"] for each in pages(self.api(), operation, "AttachedPolicies", **request)]
        if call.absent or known["policyArn"] not in attached:
            return None
        return {self.principal: known[self.principal], "policyArn": known["policyArn"]}

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        """Attach once more, to finish a partly made one; every difference replaces."""
        del resource_id, state
        with self.failing(self._shown("attaching", "to", inputs)):
            self._call("attach", inputs[self.principal], inputs["policyArn"])

    def delete(self, resource_id: str, state: Properties) -> None:
        del resource_id
        with self.failing(self._shown("detaching", "from", state), _MISSING):
            self._call("detach", state[self.principal], state["policyArn"])

    def import_id(self, resource_id: str) -> tuple[str, Properties]:
        principal, slash, policy = resource_id.partition("/")
        if not slash or not policy:
            raise ProviderError(
                f"unexpected format of ID ({resource_id!r}), expected <{self.principal}-name>/<policy_arn>"
            )
        return f"{principal}-{policy}", {self.principal: principal, "policyArn": policy}


class GroupPolicyAttachment(_Attachment):
    """aws.iam.GroupPolicyAttachment."""

    token = "aws:iam/groupPolicyAttachment:GroupPolicyAttachment"  # noqa: S105 - a type token
    principal = "group"
    fields: ClassVar[Fields] = {
        "group": text(required=True, replace=True),
        "policyArn": text(required=True, replace=True),
    }


class UserPolicyAttachment(_Attachment):
    """aws.iam.UserPolicyAttachment."""

    token = "aws:iam/userPolicyAttachment:UserPolicyAttachment"  # noqa: S105 - a type token
    principal = "user"
    fields: ClassVar[Fields] = {
        "user": text(required=True, replace=True),
        "policyArn": text(required=True, replace=True),
    }


class RolePolicyAttachment(_Attachment):
    """aws.iam.RolePolicyAttachment."""

    token = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"  # noqa: S105 - a type token
    principal = "role"
    fields: ClassVar[Fields] = {
        "role": text(required=True, replace=True),
        "policyArn": text(required=True, replace=True),
    }


class Role(IamResource):
    """aws.iam.Role."""

    token = "aws:iam/role:Role"  # noqa: S105 - a type token
    fields: ClassVar[Fields] = {
        "assumeRolePolicy": text(required=True, rule=json_document, canonical=same_policy, recorded=compact_json),
        "description": text(),
        "forceDetachPolicies": flag(),
        "inlinePolicies": unordered(
            {"name": text(), "policy": text(rule=json_document, canonical=same_policy)},
            computed=True,
            underlying="inline_policy",
        ),
        "managedPolicyArns": unordered(computed=True),
        "maxSessionDuration": number(default=3600, rule=between(3600, 43200)),
        "name": text(autoname=64, replace=True, computed=True),
        "namePrefix": text(replace=True, computed=True),
        "path": text(default="/", replace=True),
        "permissionsBoundary": text(),
        "arn": given(),
        "createDate": given(),
        "uniqueId": given(),
        **TAGS,
    }

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        name = inputs.get("name") or unique_id(inputs.get("namePrefix", "terraform-"))
        request: dict[str, Any] = {
            "RoleName": name,
            "Path": inputs["path"],
            "AssumeRolePolicyDocument": inputs["assumeRolePolicy"],
            "MaxSessionDuration": inputs["maxSessionDuration"],
        }
        if inputs.get("description"):
            request["Description"] = inputs["description"]
        if inputs.get("permissionsBoundary"):
            request["PermissionsBoundary"] = inputs["permissionsBoundary"]
        with self.failing(f"creating IAM Role ({name})"):
            self.api().create_role(**request, Tags=as_list(inputs.get("tagsAll")))
        try:
            self._grant(name, {}, inputs)
        except ProviderError as error:
            raise PartlyMadeError(str(error), name, {"name": name}) from error
        return name, {"name": name}

    def _grant(self, name: str, state: Properties, inputs: Properties) -> None:
        """Attach managed policies and write inline ones; unset inputs leave what others attached alone."""
        api = self.api()
        wanted = inputs.get("managedPolicyArns")
        if wanted is not None:
            old = set(state.get("managedPolicyArns") or [])
            with self.failing(f"updating IAM Role ({name}) managed policies"):
                for arn in sorted(old - set(wanted)):
                    api.detach_role_policy(RoleName=name, PolicyArn=arn)
                for arn in sorted(set(wanted) - old):
                    api.attach_role_policy(RoleName=name, PolicyArn=arn)
        inline = inputs.get("inlinePolicies")
        if inline is not None:
            names = {each.get("name") for each in inline}
            with self.failing(f"updating IAM Role ({name}) inline policies"):
                for each in state.get("inlinePolicies") or []:
                    if each["name"] not in names:
                        api.delete_role_policy(RoleName=name, PolicyName=each["name"])
                for each in inline:
                    if each.get("name"):
                        api.put_role_policy(RoleName=name, PolicyName=each["name"], PolicyDocument=each["policy"])

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        api = self.api()
        with self.failing(f"reading IAM Role ({resource_id})", _MISSING) as call:
            found = api.get_role(RoleName=resource_id)["Role"]
            managed = pages(api, "list_attached_role_policies", "AttachedPolicies", RoleName=resource_id)
            inline = [
                {
                    "name": each,
                    "policy": document(api.get_role_policy(RoleName=resource_id, PolicyName=each)["PolicyDocument"]),
                }
                for each in pages(api, "list_role_policies", "PolicyNames", RoleName=resource_id)
            ]
            tags = as_map(api.list_role_tags(RoleName=resource_id)["Tags"])
        if call.absent:
            return None
        return {
            "arn": found["Arn"],
            "assumeRolePolicy": document(found["AssumeRolePolicyDocument"]),
            "createDate": _rfc3339(found["CreateDate"]),
            "description": found.get("Description", ""),
            "inlinePolicies": inline,
            "managedPolicyArns": [each["PolicyArn"] for each in managed],
            "maxSessionDuration": found.get("MaxSessionDuration", 3600),
            "name": found["RoleName"],
            "namePrefix": known.get("namePrefix", ""),
            "path": found["Path"],
            "permissionsBoundary": found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
            **self.tags(tags, known),
            "uniqueId": found["RoleId"],
        }

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        api = self.api()
        with self.failing(f"updating IAM Role ({resource_id}) assume role policy"):
            api.update_assume_role_policy(RoleName=resource_id, PolicyDocument=inputs["assumeRolePolicy"])
        with self.failing(f"updating IAM Role ({resource_id})"):
            api.update_role(
                RoleName=resource_id,
                Description=inputs.get("description", ""),
                MaxSessionDuration=inputs["maxSessionDuration"],
            )
        boundary = inputs.get("permissionsBoundary") or ""
        if boundary != (state.get("permissionsBoundary") or ""):
            with self.failing(f"updating IAM Role ({resource_id}) permissions boundary"):
                if boundary:
                    api.put_role_permissions_boundary(RoleName=resource_id, PermissionsBoundary=boundary)
                else:
                    api.delete_role_permissions_boundary(RoleName=resource_id)
        self._grant(resource_id, state, inputs)
        removed, added = tag_changes(state, inputs)
        with self.failing(f"updating tags for IAM Role ({resource_id})"):
            if removed:
                api.untag_role(RoleName=resource_id, TagKeys=removed)
            if added:
                api.tag_role(RoleName=resource_id, Tags=added)

    def delete(self, resource_id: str, state: Properties) -> None:
        api = self.api()
        with self.failing(f"deleting IAM Role ({resource_id})", _MISSING):
            if state.get("forceDetachPolicies") or state.get("managedPolicyArns"):
                for each in pages(api, "list_attached_role_policies", "AttachedPolicies", RoleName=resource_id):
                    api.detach_role_policy(RoleName=resource_id, PolicyArn=each["PolicyArn"])
            if state.get("forceDetachPolicies") or state.get("inlinePolicies"):
                for name in pages(api, "list_role_policies", "PolicyNames", RoleName=resource_id):
                    api.delete_role_policy(RoleName=resource_id, PolicyName=name)
            api.delete_role(RoleName=resource_id)


def _host(url: Any) -> Any:
    """AWS keeps an issuer without its scheme."""
    return str(url).removeprefix("https://")


class OpenIdConnectProvider(IamResource):
    """aws.iam.OpenIdConnectProvider."""

    token = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"  # noqa: S105 - a type token
    fields: ClassVar[Fields] = {
        "clientIdLists": unordered(required=True, underlying="client_id_list"),
        "thumbprintLists": unordered(computed=True, underlying="thumbprint_list"),
        "url": text(required=True, replace=True, canonical=_host),
        "arn": given(),
        **TAGS,
    }

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        with self.failing(f"creating IAM OIDC Provider ({inputs['url']})"):
            made = self.api().create_open_id_connect_provider(
                Url=inputs["url"],
                ClientIDList=inputs["clientIdLists"],
                ThumbprintList=inputs.get("thumbprintLists") or [],
                Tags=as_list(inputs.get("tagsAll")),
            )
        return made["OpenIDConnectProviderArn"], {}

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        with self.failing(f"reading IAM OIDC Provider ({resource_id})", _MISSING) as call:
            found = self.api().get_open_id_connect_provider(OpenIDConnectProviderArn=resource_id)
        if call.absent:
            return None
        tags = as_map(found.get("Tags", []))
        return {
            "arn": resource_id,
            "clientIdLists": found["ClientIDList"],
            "thumbprintLists": found["ThumbprintList"],
            "url": found["Url"],
            **self.tags(tags, known),
        }

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        api, provider = self.api(), {"OpenIDConnectProviderArn": resource_id}
        if inputs.get("thumbprintLists") and inputs["thumbprintLists"] != state.get("thumbprintLists"):
            with self.failing(f"updating IAM OIDC Provider ({resource_id}) thumbprint"):
                api.update_open_id_connect_provider_thumbprint(**provider, ThumbprintList=inputs["thumbprintLists"])
        old, new = set(state.get("clientIdLists") or []), set(inputs["clientIdLists"])
        with self.failing(f"updating IAM OIDC Provider ({resource_id}) client IDs"):
            for client in sorted(new - old):
                api.add_client_id_to_open_id_connect_provider(**provider, ClientID=client)
            for client in sorted(old - new):
                api.remove_client_id_from_open_id_connect_provider(**provider, ClientID=client)
        removed, added = tag_changes(state, inputs)
        with self.failing(f"updating tags for IAM OIDC Provider ({resource_id})"):
            if removed:
                api.untag_open_id_connect_provider(**provider, TagKeys=removed)
            if added:
                api.tag_open_id_connect_provider(**provider, Tags=added)

    def delete(self, resource_id: str, state: Properties) -> None:
        del state
        with self.failing(f"deleting IAM OIDC Provider ({resource_id})", _MISSING):
            self.api().delete_open_id_connect_provider(OpenIDConnectProviderArn=resource_id)
