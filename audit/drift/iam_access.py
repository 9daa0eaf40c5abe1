"""AWS IAM: policies by their meaning, who they are attached to, members, keys and every other credential.

API: https://docs.aws.amazon.com/IAM/latest/APIReference.
"""

from functools import partial
from typing import Any

from audit.clouds import Gone, found
from audit.drift.ecr import tagged
from audit.drift.sheet import Clouds, Sheet
from audit.state import Resource, StackState

HOLDERS = {"aws:iam:User": "User", "aws:iam:Group": "Group", "aws:iam:Role": "Role"}
ATTACHMENTS = {
    "aws:iam:UserPolicyAttachment": ("User", "user"),
    "aws:iam:GroupPolicyAttachment": ("Group", "group"),
    "aws:iam:RolePolicyAttachment": ("Role", "role"),
}
INLINE = {
    "aws:iam:UserPolicy": ("User", "user"),
    "aws:iam:GroupPolicy": ("Group", "group"),
    "aws:iam:RolePolicy": ("Role", "role"),
}
CREDENTIALS = (
    ("ListSSHPublicKeys", "SSHPublicKeys", "SSHPublicKeyId", "aws:iam:SshKey", "SSH key"),
    ("ListSigningCertificates", "Certificates", "CertificateId", "aws:iam:SigningCertificate", "signing certificate"),
    (
        "ListServiceSpecificCredentials",
        "ServiceSpecificCredentials",
        "ServiceSpecificCredentialId",
        "aws:iam:ServiceSpecificCredential",
        "service-specific credential",
    ),
)
"""Kinds of credentials besides access key and password: operation, list, id, type in the state, words."""


# --- what the state records


def recorded_attachments(state: StackState) -> set[tuple[str, str, str]]:
    """(holder kind, holder name, policy ARN) of every attachment that the stack records."""
    found = set()
    for kind, (holder, property_name) in ATTACHMENTS.items():
        for item in state.of(kind):
            found.add((holder, str(item.get(property_name)), str(item.get("policyArn"))))
    for item in state.of("aws:iam:PolicyAttachment"):
        for holder, property_name in (("User", "users"), ("Group", "groups"), ("Role", "roles")):
            for name in item.get(property_name) or []:
                found.add((holder, str(name), str(item.get("policyArn"))))
    for item in state.of("aws:iam:Role"):
        for arn in item.get("managedPolicyArns") or []:
            found.add(("Role", _name(item), str(arn)))
    return found


def recorded_members(state: StackState) -> set[tuple[str, str]]:
    """(group, user) of every membership that the stack records."""
    found = {
        (str(group), str(item.get("user")))
        for item in state.of("aws:iam:UserGroupMembership")
        for group in item.get("groups") or []
    }
    return found | {
        (str(item.get("group")), str(user))
        for item in state.of("aws:iam:GroupMembership")
        for user in item.get("users") or []
    }


def _recorded_inline(state: StackState, holder: str, name: str) -> dict[str, Any]:
    found = {
        str(item.get("name")): item.get("policy")
        for kind, (holder_kind, property_name) in INLINE.items()
        for item in state.of(kind)
        if holder_kind == holder and item.get(property_name) == name
    }
    for item in state.of("aws:iam:Role"):
        if holder == "Role" and _name(item) == name:
            found |= {str(entry.get("name")): entry.get("policy") for entry in item.get("inlinePolicies") or []}
    return found


def _name(resource: Resource) -> str:
    return str(resource.get("name") or resource.id)


def _managed(state: StackState, holder: str, name: str) -> bool:
    """Whether the stack records the user, group or role: its own sheet then speaks of what it has."""
    return any(_name(item) == name for kind, value in HOLDERS.items() if value == holder for item in state.of(kind))


# --- policies


def _document(clouds: Clouds, arn: str) -> tuple[Any, dict[str, Any]]:
    """The default version's document of a policy, and what GetPolicy says."""
    policy: dict[str, Any] = clouds.aws.call("iam", "GetPolicy", PolicyArn=arn)["Policy"]
    version = clouds.aws.call("iam", "GetPolicyVersion", PolicyArn=arn, VersionId=policy["DefaultVersionId"])
    return version["PolicyVersion"]["Document"], policy


def policy(sheet: Sheet, clouds: Clouds) -> None:
    """A managed policy: its default version by meaning, and everyone it is attached to."""
    resource = sheet.resource
    arn = str(resource.get("arn") or resource.id)
    with sheet.looking():
        document, described = _document(clouds, arn)
        version = described["DefaultVersionId"]
        sheet.judge("policy", resource.get("policy"), document, what=f"{sheet.subject}: its default version {version}")
        sheet.fact("defaultVersion", None, None, f"{version} of {described.get('UpdateDate', '')}", "same")
    with sheet.looking():
        entities = _entities(clouds, arn)
        recorded = {(holder, name) for holder, name, other in recorded_attachments(clouds.state) if other == arn}
        same = entities == recorded
        sheet.fact("attachedTo", None, _pairs(recorded), _pairs(entities), "same" if same else "differs")
        for holder, name in sorted(entities - recorded):
            if not _managed(clouds.state, holder, name):
                _attached_by_hand(sheet, clouds, holder, name, arn)


def _pairs(pairs: set[tuple[str, str]]) -> list[str]:
    return sorted(f"{holder.lower()} {name}" for holder, name in pairs)


def _entities(clouds: Clouds, arn: str) -> set[tuple[str, str]]:
    return {
        (holder, item[f"{holder}Name"])
        for holder in ("User", "Group", "Role")
        for item in clouds.aws.pages("iam", "ListEntitiesForPolicy", f"Policy{holder}s", PolicyArn=arn)
    }


def _attached_by_hand(sheet: Sheet, clouds: Clouds, holder: str, name: str, arn: str) -> None:
    what = f"Policy {arn} is attached to {holder.lower()} '{name}', which the stack does not record"
    document = None
    with sheet.looking():
        document = found(lambda: _document(clouds, arn))
    if document is None:
        sheet.find("drift-access-unknown", f"{what}; what it allows is not known.", proved=False)
    else:
        sheet.judge(f"attached policy {arn}", None, document[0], what=f"{what}; it")


def attachment(sheet: Sheet, clouds: Clouds) -> None:
    """A declared attachment: whether the policy is still attached."""
    holder, property_name = ATTACHMENTS[sheet.resource.kind]
    name, arn = str(sheet.resource.get(property_name)), str(sheet.resource.get("policyArn"))
    attached = found(lambda: _attached(clouds, holder, name)) or []
    if not sheet.fact("policyArn", sheet.resource.inputs.get("policyArn"), arn, arn if arn in attached else None):
        sheet.missing = True
        sheet.find(
            "drift-missing", f"{sheet.subject}: policy {arn} is not attached to {property_name} '{name}' any more."
        )


def inline_policy(sheet: Sheet, clouds: Clouds) -> None:
    """A declared inline policy: whether it is there. Its meaning is compared with its user, group or role, or here
    where the stack does not record that one."""
    holder, property_name = INLINE[sheet.resource.kind]
    name = str(sheet.resource.get(property_name))
    real = _inline_document(clouds, holder, name, str(sheet.resource.get("name")))
    if _managed(clouds.state, holder, name):
        sheet.fact("policy", None, "there", "there")
    else:
        sheet.judge("policy", sheet.resource.get("policy"), real)


def _attached(clouds: Clouds, holder: str, name: str) -> list[str]:
    listed = clouds.aws.pages("iam", f"ListAttached{holder}Policies", "AttachedPolicies", **{f"{holder}Name": name})
    return [item["PolicyArn"] for item in listed]


def _inline_document(clouds: Clouds, holder: str, name: str, policy_name: str) -> Any:
    answer = clouds.aws.call("iam", f"Get{holder}Policy", **{f"{holder}Name": name, "PolicyName": policy_name})
    return answer["PolicyDocument"]


# --- users, groups, roles


def user(sheet: Sheet, clouds: Clouds) -> None:
    """A user: boundary, policies, groups, keys and every other credential."""
    name = _name(sheet.resource)
    with sheet.looking():
        real = clouds.aws.call("iam", "GetUser", UserName=name)["User"]
        _identity(sheet, real)
        _boundary(sheet, real)
        tagged(sheet, real.get("Tags"))
    _policies(sheet, clouds, "User", name)
    for look in (_groups, _keys, _password):
        with sheet.looking():
            look(sheet, clouds, name)
    for kind in CREDENTIALS:
        with sheet.looking():
            _credentials(sheet, clouds, name, kind)


def group(sheet: Sheet, clouds: Clouds) -> None:
    """A group: its members and policies."""
    name = _name(sheet.resource)
    with sheet.looking():
        answer = clouds.aws.call("iam", "GetGroup", GroupName=name)
        members = clouds.aws.pages("iam", "GetGroup", "Users", GroupName=name)
        _identity(sheet, answer["Group"])
        real = sorted(item["UserName"] for item in members)
        recorded = sorted(user_name for group_name, user_name in recorded_members(clouds.state) if group_name == name)
        sheet.fact("members", None, recorded, real)
        for extra in sorted(set(real) - set(recorded)):
            sheet.find(
                "drift-membership",
                f"User '{extra}' is a member of group '{name}', which the stack does not record.",
                "It gets every policy of the group.",
            )
    _policies(sheet, clouds, "Group", name)


def role(sheet: Sheet, clouds: Clouds) -> None:
    """A role: its trust, boundary and policies."""
    name = _name(sheet.resource)
    with sheet.looking():
        real = clouds.aws.call("iam", "GetRole", RoleName=name)["Role"]
        _identity(sheet, real)
        _boundary(sheet, real)
        tagged(sheet, real.get("Tags"))
        trust = real.get("AssumeRolePolicyDocument")
        sheet.judge("assumeRolePolicy", sheet.resource.get("assumeRolePolicy"), trust, "drift-trust")
    _policies(sheet, clouds, "Role", name)


def membership(sheet: Sheet, clouds: Clouds) -> None:
    """A declared membership of a user: whether it still holds. Members beyond it are a matter of the group."""
    name = str(sheet.resource.get("user"))
    real = sorted(found(lambda: _groups_of(clouds, name)) or [])
    recorded = sorted(sheet.resource.get("groups") or [])
    kept = [item for item in recorded if item in real]
    sheet.fact("groups", sheet.resource.inputs.get("groups"), recorded, real, "same" if kept == recorded else "differs")
    for lost in sorted(set(recorded) - set(real)):
        sheet.find("drift-membership", f"User '{name}' is not a member of group '{lost}' any more.")


def group_membership(sheet: Sheet, clouds: Clouds) -> None:
    """The declared members of a group: whether they still are. Members beyond them are a matter of the group."""
    name = str(sheet.resource.get("group"))
    members = found(lambda: clouds.aws.pages("iam", "GetGroup", "Users", GroupName=name)) or []
    real = sorted(item["UserName"] for item in members)
    recorded = sorted(sheet.resource.get("users") or [])
    sheet.fact("users", sheet.resource.inputs.get("users"), recorded, real)
    for lost in sorted(set(recorded) - set(real)):
        sheet.find("drift-membership", f"User '{lost}' is not a member of group '{name}' any more.")


def _groups_of(clouds: Clouds, name: str) -> list[str]:
    return [item["GroupName"] for item in clouds.aws.pages("iam", "ListGroupsForUser", "Groups", UserName=name)]


def _identity(sheet: Sheet, real: dict[str, Any]) -> None:
    sheet.differs("arn", real["Arn"])
    recorded = sheet.resource.get("uniqueId")
    now = real.get("UserId") or real.get("GroupId") or real.get("RoleId")
    if recorded and now and not sheet.fact("uniqueId", None, recorded, now):
        sheet.find(
            "drift-missing",
            f"{sheet.subject} was deleted and another was made under its name (created {real.get('CreateDate')}).",
        )


def _boundary(sheet: Sheet, real: dict[str, Any]) -> None:
    now = (real.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
    sheet.differs("permissionsBoundary", now, "drift-boundary")


def _policies(sheet: Sheet, clouds: Clouds, holder: str, name: str) -> None:
    """Attached and inline policies of a user, group or role, against those that the stack records."""
    with sheet.looking():
        attached = _attached(clouds, holder, name)
        recorded = {arn for kind, other, arn in recorded_attachments(clouds.state) if (kind, other) == (holder, name)}
        sheet.fact("attachedPolicies", None, sorted(recorded), sorted(attached))
        for arn in sorted(set(attached) - recorded):
            _attached_by_hand(sheet, clouds, holder, name, arn)
    with sheet.looking():
        names = clouds.aws.pages("iam", f"List{holder}Policies", "PolicyNames", **{f"{holder}Name": name})
        recorded_inline = _recorded_inline(clouds.state, holder, name)
        sheet.fact("inlinePolicies", None, sorted(recorded_inline), sorted(names))
        for policy_name in sorted(names):
            with sheet.looking():
                real = found(partial(_inline_document, clouds, holder, name, policy_name))
                known = recorded_inline.get(policy_name)
                added = "" if known else ", which the stack does not record,"
                what = f"Inline policy '{policy_name}' of {holder.lower()} '{name}'{added}"
                sheet.judge(f"inline policy {policy_name}", known, real, what=what)


def _groups(sheet: Sheet, clouds: Clouds, name: str) -> None:
    """Groups that the user was put in by hand; those that the stack records have a sheet of their own."""
    real = sorted(_groups_of(clouds, name))
    recorded = sorted(group_name for group_name, user_name in recorded_members(clouds.state) if user_name == name)
    sheet.fact("groups", None, recorded, real)
    for extra in sorted(set(real) - set(recorded)):
        if not _managed(clouds.state, "Group", extra):
            sheet.find(
                "drift-membership",
                f"User '{name}' is a member of group '{extra}', which the stack does not record.",
                "It gets every policy of the group.",
            )


# --- credentials


def _keys_of(clouds: Clouds, name: str) -> list[dict[str, Any]]:
    return clouds.aws.pages("iam", "ListAccessKeys", "AccessKeyMetadata", UserName=name)


def _keys(sheet: Sheet, clouds: Clouds, name: str) -> None:
    listed = _keys_of(clouds, name)
    recorded = {item.id for item in clouds.state.of("aws:iam:AccessKey") if item.get("user") == name}
    sheet.fact("accessKeys", None, sorted(recorded), sorted(item["AccessKeyId"] for item in listed))
    for item in listed:
        if item["AccessKeyId"] not in recorded:
            sheet.find(
                "drift-credential",
                f"User '{name}' has access key {item['AccessKeyId']} ({item['Status']}), which the stack does not "
                f"record; it was created {item['CreateDate']:%Y-%m-%d %H:%M} UTC.",
            )


def access_key(sheet: Sheet, clouds: Clouds) -> None:
    """A declared access key: that it is there, and its state."""
    resource = sheet.resource
    listed = _keys_of(clouds, str(resource.get("user")))
    real = next((item for item in listed if item["AccessKeyId"] == resource.id), None)
    if real is None:
        raise Gone(resource.id)
    if not sheet.own("status", real["Status"], "Active"):
        rule = "drift-credential" if real["Status"] == "Active" else "drift-property"
        sheet.find(rule, f"{sheet.subject}: {resource.id} is {real['Status']}, recorded is {resource.get('status')}.")


def _password(sheet: Sheet, clouds: Clouds, name: str) -> None:
    profile = found(lambda: clouds.aws.call("iam", "GetLoginProfile", UserName=name))
    recorded = any(item.get("user") == name for item in clouds.state.of("aws:iam:UserLoginProfile"))
    sheet.fact("password", None, recorded, profile is not None)
    if profile is not None and not recorded:
        made = profile["LoginProfile"].get("CreateDate")
        sheet.find("drift-credential", f"User '{name}' has a password, which the stack does not record (since {made}).")


def _credentials(sheet: Sheet, clouds: Clouds, name: str, kind: tuple[str, str, str, str, str]) -> None:
    operation, listing, identifier, token, words = kind
    listed = clouds.aws.pages("iam", operation, listing, UserName=name)
    known = {item.id.rpartition(":")[2] for item in clouds.state.of(token)}
    real = sorted(item[identifier] for item in listed)
    sheet.fact(f"{words}s", None, sorted(known & set(real)), real)
    for extra in sorted(set(real) - known):
        sheet.find("drift-credential", f"User '{name}' has {words} {extra}, which the stack does not record.")
