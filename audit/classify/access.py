"""Risks of access: who could do more after this plan than before."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from audit.changes import announced, differs, first_part
from audit.classify import documents
from audit.classify.known import Known
from audit.model import Finding, Step, holds_unknown, is_hidden, is_unknown
from iam import PolicyError

POLICY_PROPERTIES = {
    "aws:iam:Policy": "policy",
    "aws:iam:UserPolicy": "policy",
    "aws:iam:GroupPolicy": "policy",
    "aws:iam:RolePolicy": "policy",
    "aws:ecr:RepositoryPolicy": "policy",
    "aws:ecr:RegistryPolicy": "policy",
    "aws:s3:BucketPolicy": "policy",
    "aws:kms:Key": "policy",
    "aws:kms:KeyPolicy": "policy",
    "aws:sqs:QueuePolicy": "policy",
    "aws:sns:TopicPolicy": "policy",
    "aws:secretsmanager:SecretPolicy": "policy",
    "aws:iam:Role": "assumeRolePolicy",
}
HOLDERS = ("user", "group", "role", "repository", "bucket", "keyId", "queueUrl", "arn", "secretArn")
"""Properties that say whose policy it is: the same document for another holder is new to it."""

EMBEDDED = re.compile(r"polic(?:y|ies)$|policyDocument$", re.IGNORECASE)
"""Properties of any AWS resource that may hold a policy document."""

ATTACHMENTS = {
    "aws:iam:UserPolicyAttachment": "user",
    "aws:iam:GroupPolicyAttachment": "group",
    "aws:iam:RolePolicyAttachment": "role",
    "aws:iam:PolicyAttachment": "name",
}
CREDENTIALS = frozenset(
    {
        "aws:iam:AccessKey",
        "aws:iam:UserLoginProfile",
        "aws:iam:ServiceSpecificCredential",
        "aws:iam:SshKey",
        "aws:iam:SigningCertificate",
        "aws:iam:VirtualMfaDevice",
    }
)
MEMBERSHIPS = {
    "aws:iam:UserGroupMembership": ("user", "groups"),
    "aws:iam:GroupMembership": ("group", "users"),
    "azuredevops:index:GroupMembership": ("group", "members"),
    "azuredevops:index:TeamMembers": ("teamId", "members"),
    "azuredevops:index:TeamAdministrators": ("teamId", "administrators"),
}
PUBLIC_ACCESS_BLOCKS = frozenset({"aws:s3:BucketPublicAccessBlock", "aws:s3:AccountPublicAccessBlock"})
BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
WITH_ACL = ("aws:s3:Bucket", "aws:s3:BucketV2", "aws:s3:BucketObject", "aws:s3:BucketObjectv2", "aws:s3:ObjectCopy")
OWNERS_ONLY = ("", "private", "bucket-owner-full-control", "bucket-owner-read")
PUBLIC = ("public-read", "public-read-write", "authenticated-read")
TRUST = frozenset({"aws:iam:OpenIdConnectProvider", "aws:iam:SamlProvider"})
CHECKS = re.compile(r"azuredevops:index:(?:Check\w+|BranchPolicy\w+|RepositoryPolicy\w+)")
PERMISSIONS = re.compile(r"azuredevops:index:\w*Permissions")
SOUNDS_LIKE_ACCESS = re.compile(
    r"iam|role|policy|permission|acl|grant|member|binding|credential|accesskey|apikey|token|secret|authori[sz]ation"
    r"|serviceaccount|serviceendpoint|trust|federat",
    re.IGNORECASE,
)
CAN_FORBID = re.compile(r"polic|permission|boundar|acl|member|deny|block", re.IGNORECASE)
"""Of these, what can hold a Deny or a limit for others, so that deleting it can allow more. A credential cannot."""

HARMLESS = frozenset(
    {"aws:ecr:LifecyclePolicy", "aws:iam:Group", "aws:iam:AccountAlias", "pulumi:pulumi:StackReference"}
)
"""Types whose name sounds like access and whose change gives none by itself."""


def judge(step: Step, known: Known) -> Iterator[Finding]:
    """The findings of one step."""
    kind = step.kind
    rule = RULES.get(kind)
    if rule is not None:
        yield from rule(step, known)
    elif PERMISSIONS.fullmatch(kind):
        yield from _permissions(step, known)
    elif CHECKS.fullmatch(kind):
        yield from _guard(step, known)
    elif kind.startswith("azuredevops:index:ServiceEndpoint"):
        yield from _credential(step, known)
    else:
        yield from _without_rule(step)


def _without_rule(step: Step) -> Iterator[Finding]:
    """A type that no rule knows: the documents in it are judged, and what else changes is only as safe as it
    sounds."""
    documented = _embedded(step)
    for name in documented:
        yield from _judged(step, name, *_both(step, name))
    if step.kind in HARMLESS or not SOUNDS_LIKE_ACCESS.search(step.kind.partition(":")[2]):
        return
    if step.deletes:
        if not documented and CAN_FORBID.search(step.kind.rpartition(":")[2]):
            reason = f"{_subject(step)} goes, and there is no rule for its type: what it forbade may be allowed now"
            yield _finding(step, "access-unknown", reason, proved=False)
        return
    changed = dict.fromkeys(first_part(change.path) for change in step.changes)
    others = [name for name in changed if name not in documented]
    if not documented:
        reason = f"{_subject(step)} sounds like access, and there is no rule for its type"
        yield _finding(step, "access-unknown", reason, proved=False)
    elif others:
        reason = f"{_subject(step)} sounds like access, and there is no rule for what changes besides its documents"
        yield _finding(step, "access-unknown", reason, f"It changes: {', '.join(others[:10])}.", proved=False)


def _finding(step: Step, risk: str, reason: str, *details: str, proved: bool = True) -> Finding:
    return Finding(risk, step.urn, f"{reason}.", list(details), proved)


def _subject(step: Step) -> str:
    return f"{step.kind.rsplit(':', 1)[-1]} '{step.name}'"


def _both(step: Step, name: str) -> tuple[Any, Any]:
    """The property before and after; None where there is no side. A property that is only computed is looked up in
    the outputs."""
    old = step.old.get(name) if step.old else None
    new = step.new.inputs.get(name) if step.new else None
    return old, new


def _empty(value: Any) -> bool:
    return value is None or value == "" or value == [] or value == {}


# --- policy documents


def _document(step: Step, known: Known) -> Iterator[Finding]:
    del known
    name = POLICY_PROPERTIES[step.kind]
    old, new = _both(step, name)
    if any(_declared(step, holder) and differs(step, holder) for holder in HOLDERS):
        # Two holders: one loses the document, and with it what it denied; to the other it is new.
        yield from (
            finding
            for finding in _judged(step, name, old, None, whose=" of the former holder")
            if finding.risk != "access-narrowed"
        )
        old = None
    if old == new and not is_unknown(new) and not (step.op != "same" and documents.masked(new)):
        return
    yield from _judged(step, name, old, new, trust=name == "assumeRolePolicy")


def _declared(step: Step, name: str) -> bool:
    """Whether the program declares the property before or after; what is only computed (a policy's own `arn`) is not
    there after, and says nothing."""
    return step.old is not None and step.new is not None and (name in step.old.inputs or name in step.new.inputs)


def _embedded(step: Step) -> list[str]:
    """Changed properties of an AWS resource without a rule of its own that hold a policy document on one side."""
    if not step.kind.startswith(("aws:", "aws-native:")) or step.kind in HARMLESS:
        return []
    names = {name for side in (step.old, step.new) if side is not None for name in side.inputs if EMBEDDED.search(name)}
    return sorted(name for name in names if differs(step, name) and any(map(_is_document, _both(step, name))))


def _is_document(value: Any) -> bool:
    """Whether it is a policy document, or can be one: what is masked is none that can be called harmless."""
    return (
        is_hidden(value)
        or (isinstance(value, str) and '"Statement"' in value)
        or (isinstance(value, dict) and "Statement" in value)
    )


def _judged(step: Step, name: str, old: Any, new: Any, *, trust: bool = False, whose: str = "") -> Iterator[Finding]:
    judgement = documents.judge(name, old, new)
    if judgement.outcome == "equal":
        return
    subject = f"{_subject(step)}: {name}{whose}"
    details = [*judgement.details, *_origin(step, name, new)]
    if judgement.outcome == "broadened":
        risk, verb = ("trust-changed" if trust else "access-broadened"), judgement.reason
        if _empty(old):
            verb = (
                "is new and allows requests that nothing here allowed before"
                if judgement.reason.startswith("allows")
                else verb
            )
        yield Finding(risk, step.urn, f"{subject} {verb}.", details, policy=judgement.diff)
    elif judgement.outcome == "unknown":
        risk = "trust-changed" if trust else "access-unknown"
        yield Finding(
            risk,
            step.urn,
            f"{subject}: {judgement.reason}; that it is not broadened cannot be proved.",
            details,
            False,
            judgement.diff,
        )
    else:
        yield Finding("access-narrowed", step.urn, f"{subject} {judgement.reason}.", details, policy=judgement.diff)


def _origin(step: Step, name: str, new: Any) -> list[str]:
    """Where an unknown document gets its values from, as far as the preview says."""
    if step.new is None or not holds_unknown(new):
        return []
    urns = step.new.property_dependencies.get(name, ())
    return [f"It is computed from {urn}." for urn in urns]


# --- access lists of buckets


def _public_access_block(step: Step, known: Known) -> Iterator[Finding]:
    """Each of the four switches that is off after, unless it was off before; without the resource all are off."""
    del known
    off = [
        name
        for name in BLOCKS
        if not _is_true(step.new.inputs.get(name) if step.new else None)
        and (step.old is None or _is_true(step.old.get(name)) or is_hidden(step.old.get(name)))
    ]
    if off:
        verb = "goes, and with it" if step.new is None else "has off or not visibly on"
        reason = f"{_subject(step)} {verb} {', '.join(off)}: what is public by policy or by list may be reached now"
        yield _finding(step, "access-unknown", reason, proved=False)


def _with_acl(step: Step, known: Known) -> Iterator[Finding]:
    """A bucket or object with an access list of its own: a canned one (`acl`), or `grants`."""
    del known
    old, new = _both(step, "acl")
    if step.new is not None and differs(step, "acl"):
        said = f"{_subject(step)}: acl is {_show(new)}" + (f" and was {_show(old)}" if step.old else "")
        if new in PUBLIC and old != "public-read-write":
            yield _finding(step, "access-broadened", f"{said}: whoever asks may read")
        elif new is not None and new not in OWNERS_ONLY and new not in PUBLIC:
            yield _finding(step, "access-unknown", f"{said}; whom it lets in is not visible", proved=False)
        elif old in PUBLIC and new == "private":
            yield _finding(step, "access-narrowed", said)
    if step.new is not None and differs(step, "grants") and not _empty(step.new.inputs.get("grants")):
        yield _finding(step, "access-unknown", f"{_subject(step)}: its grants change", proved=False)
    yield from _without_rule(step)


# --- identities


def _role(step: Step, known: Known) -> Iterator[Finding]:
    yield from _document(step, known)
    yield from _boundary(step, known)
    old, new = _both(step, "managedPolicyArns")
    arns_differ = differs(step, "managedPolicyArns")
    for arn in _added(old, new) if arns_differ else ():
        yield from _attached(step, known, arn, f"role '{step.name}'")
    for arn in _added(new, old) if arns_differ and step.new is not None else ():
        if _may_deny(step, known, arn):
            yield _detached(step, f"{_subject(step)}: policy {_show(arn)} is detached", denies=True)
    old, new = _both(step, "inlinePolicies")
    if differs(step, "inlinePolicies"):
        before, after = _inline(old), _inline(new)
        for name in dict.fromkeys((*before, *after)):
            if before.get(name) != after.get(name) or documents.masked(after.get(name)):
                yield from _judged(step, f"inlinePolicies[{name}]", before.get(name), after.get(name))
        if is_unknown(new) or is_hidden(new) or is_hidden(old):
            yield _finding(step, "access-unknown", f"{_subject(step)}: inline policies are not visible", proved=False)


def _inline(value: Any) -> dict[str, Any]:
    if not isinstance(value, list):
        return {}
    return {
        str(item.get("name", index)): item.get("policy") for index, item in enumerate(value) if isinstance(item, dict)
    }


def _boundary(step: Step, known: Known) -> Iterator[Finding]:
    del known
    if step.new is None or step.old is None:
        return
    old, new = _both(step, "permissionsBoundary")
    if _empty(old) or not differs(step, "permissionsBoundary"):
        return
    if _empty(new):
        yield _finding(
            step,
            "boundary-removed",
            f"{_subject(step)} loses its permissions boundary",
            f"The boundary was {_show(old)}.",
        )
    else:
        yield _finding(
            step,
            "boundary-removed",
            f"{_subject(step)} gets another permissions boundary; that it is not wider cannot be proved",
            f"It was {_show(old)} and becomes {_show(new)}.",
            proved=False,
        )


def _attachment(step: Step, known: Known) -> Iterator[Finding]:
    holder_name = ATTACHMENTS[step.kind]
    side = step.new or step.old
    assert side is not None  # noqa: S101 - a step has at least one side (audit.classify.judge)
    kind = {"name": "entities"}.get(holder_name, holder_name)
    arn = step.old.get("policyArn") if step.old else None
    if step.new is None:
        reason = f"{_subject(step)}: the policy is detached from {kind} {_show(side.get(holder_name))}"
        yield _detached(step, reason, denies=_may_deny(step, known, arn))
        return
    names = (holder_name, "policyArn", "users", "groups", "roles")
    if step.old is None or any(differs(step, name) for name in names):
        holder = f"{kind} {_show(side.get(holder_name))}"
        yield from _attached(step, known, step.new.inputs.get("policyArn"), holder)
    if step.old is not None and _leaves_a_holder(step, holder_name) and _may_deny(step, known, arn):
        reason = f"{_subject(step)}: policy {_show(arn)} is detached from {kind} {_show(step.old.get(holder_name))}"
        yield _detached(step, reason, denies=True)


def _leaves_a_holder(step: Step, holder_name: str) -> bool:
    """Whether somebody that had the old policy has it no more."""
    if differs(step, "policyArn") or (holder_name != "name" and differs(step, holder_name)):
        return True
    lists = [_both(step, name) for name in ("users", "groups", "roles") if differs(step, name)]
    return any(is_hidden(old) or _added(new, old) for old, new in lists)


def _detached(step: Step, reason: str, *, denies: bool) -> Finding:
    details = ["A Deny in it would be lifted, or its document is not visible here."] if denies else []
    return _finding(step, "access-unknown" if denies else "access-narrowed", reason, *details, proved=not denies)


def _may_deny(step: Step, known: Known, arn: Any) -> bool:
    """Whether a policy that the step's old side had can hold a Deny."""
    policy = known.policy(arn, step.old.property_dependencies.get("policyArn", ()) if step.old else ())
    if policy is None:
        return True
    state = policy.old or policy.new
    try:
        document = documents.decoded(state.get("policy") if state else None)
    except PolicyError:
        return True
    return holds_unknown(document) or documents.masked(document) or bool(documents.denials(document))


def _attached(step: Step, known: Known, arn: Any, holder: str) -> Iterator[Finding]:
    policy = _attached_policy(step, known, arn)
    if policy is None:
        yield _finding(
            step,
            "access-broadened" if str(arn).endswith("/AdministratorAccess") else "access-unknown",
            f"Policy {_show(arn)} is attached to {holder}; what it allows is not part of this preview",
            proved=str(arn).endswith("/AdministratorAccess"),
        )
        return
    state = policy.new or policy.old
    judgement = documents.judge("policy", None, state.get("policy") if state else None)
    if judgement.outcome == "broadened":
        reason = f"Policy '{policy.name}' is attached to {holder}, which gains what the policy allows."
        yield Finding("access-broadened", step.urn, reason, judgement.details, policy=judgement.diff)
    elif judgement.outcome == "unknown":
        reason = f"Policy '{policy.name}' is attached to {holder}; {judgement.reason}."
        yield Finding("access-unknown", step.urn, reason, judgement.details, False, judgement.diff)


def _attached_policy(step: Step, known: Known, arn: Any) -> Step | None:
    """The policy in this plan that the attachment means."""
    return known.policy(arn, step.new.property_dependencies.get("policyArn", ()) if step.new else ())


def _added(old: Any, new: Any) -> list[Any]:
    if is_unknown(new) or is_hidden(new):
        return [new]
    before = old if isinstance(old, list) else []
    return [item for item in new if item not in before] if isinstance(new, list) else []


def _membership(step: Step, known: Known) -> Iterator[Finding]:
    del known
    holder, members = MEMBERSHIPS[step.kind]
    old, new = _both(step, members)
    old_holder, new_holder = _both(step, holder)
    if not differs(step, holder) and not differs(step, members) and not announced(step, members):
        return
    plain = isinstance(old or [], list) and isinstance(new or [], list)
    added, removed = (_added(old, new), _added(new, old)) if plain else ([new], [old])
    said = [f"gains {', '.join(map(_show, added))}"] if added else []
    said += [f"loses {', '.join(map(_show, removed))}"] if removed else []
    owner = _show(new_holder if step.new else old_holder)
    yield _finding(
        step,
        "group-membership",
        f"{members} of {holder} {owner}: {' and '.join(said) or 'change'}",
        *(["Leaving a group can also lift a Deny that the group had."] if removed else []),
        proved=not (holds_unknown(new) or is_hidden(new)),
    )


def _user(step: Step, known: Known) -> Iterator[Finding]:
    yield from _boundary(step, known)


def _credential(step: Step, known: Known) -> Iterator[Finding]:
    del known
    side = step.new
    if side is None:
        return
    if step.creates:
        owner = side.inputs.get("user") or side.inputs.get("userName") or side.inputs.get("serviceEndpointName")
        yield _finding(
            step,
            "credential-created",
            f"{_subject(step)} is a new credential" + (f" of {_show(owner)}" if owner else ""),
        )
        return
    old, new = _both(step, "status")
    if step.old is not None and differs(step, "status") and new != "Inactive":
        yield _finding(
            step,
            "credential-created",
            f"{_subject(step)} becomes active again",
            f"Its status was {_show(old)}.",
            proved=not is_hidden(new) and not is_unknown(new),
        )


def _trust(step: Step, known: Known) -> Iterator[Finding]:
    del known
    if step.new is not None and (step.old is None or step.changes):
        verb = (
            "is changed" if step.old is not None else "is new: identities that it vouches for can be trusted by roles"
        )
        yield _finding(step, "trust-changed", f"{_subject(step)} {verb}", *_property_details(step))


def _property_details(step: Step) -> list[str]:
    return [f"{change.path}: {_show(change.old)} becomes {_show(change.new)}" for change in step.changes[:10]]


# --- Azure DevOps


def _variable_group(step: Step, known: Known) -> Iterator[Finding]:
    del known
    if step.new is None:
        return
    old, new = _both(step, "allowAccess")
    if _is_true(new) and not _is_true(old):
        yield _finding(
            step, "group-opened", f"{_subject(step)} is opened to all pipelines of the project (allowAccess)"
        )
    elif _is_true(new) and step.replaces:
        yield _finding(
            step, "group-opened", f"{_subject(step)} is made anew, open to all pipelines of the project (allowAccess)"
        )
    elif is_unknown(new) or is_hidden(new):
        yield _finding(
            step,
            "group-opened",
            f"{_subject(step)}: whether it is opened to all pipelines is not visible",
            proved=False,
        )


def _is_true(value: Any) -> bool:
    """Also as a text, which providers accept for a boolean."""
    return value is True or str(value).lower() == "true"


def _authorization(step: Step, known: Known) -> Iterator[Finding]:
    """PipelineAuthorization: without a pipeline it opens the resource to every pipeline of the project."""
    del known
    if step.new is None:
        yield _finding(step, "access-narrowed", f"{_subject(step)} is withdrawn")
        return
    inputs = step.new.inputs
    what = f"{_show(inputs.get('type'))} {_show(inputs.get('resourceId'))}"
    pipeline = inputs.get("pipelineId")
    if step.old is not None and not step.replaces and not step.changes:
        return
    if pipeline in (None, "", 0):
        yield _finding(
            step,
            "group-opened",
            f"{_subject(step)} opens {what} to all pipelines of the project (it names no pipelineId)",
        )
    else:
        yield _finding(step, "pipeline-authorized", f"{_subject(step)} lets pipeline {_show(pipeline)} use {what}",
                       proved=not is_unknown(pipeline))  # fmt: skip


def _resource_authorization(step: Step, known: Known) -> Iterator[Finding]:
    del known
    if step.new is None or step.new.inputs.get("authorized") is False:
        yield _finding(step, "access-narrowed", f"{_subject(step)} is withdrawn")
        return
    everyone = _empty(step.new.inputs.get("definitionId"))
    risk = "group-opened" if everyone else "pipeline-authorized"
    to = "all pipelines of the project" if everyone else f"pipeline {_show(step.new.inputs.get('definitionId'))}"
    yield _finding(step, risk, f"{_subject(step)} lets {to} use {_show(step.new.inputs.get('resourceId'))}")


def _permissions(step: Step, known: Known) -> Iterator[Finding]:
    """Permissions of one principal for one thing. Where either changes, the old pair loses all of them, also what was
    denied, and the new one gains all."""
    del known
    old, new = _both(step, "permissions")
    old_principal, new_principal = _both(step, "principal")
    if not _visible(old, new, new_principal):
        yield _finding(step, "access-unknown", f"{_subject(step)}: permissions are not visible", proved=False)
        return
    if step.old and step.new and any(differs(step, name) for name in _pair(step)):
        yield from _levelled(step, old_principal, old, None, " where they were")
        yield from _levelled(step, new_principal, None, new)
    else:
        yield from _levelled(step, new_principal if step.new else old_principal, old, new)


def _pair(step: Step) -> set[str]:
    """The properties that say whose permissions they are and for what."""
    names = {name for side in (step.old, step.new) if side is not None for name in side.inputs}
    return {name for name in names if name not in ("permissions", "replace") and not name.startswith("__")}


def _levelled(step: Step, principal: Any, old: Any, new: Any, where: str = "") -> Iterator[Finding]:
    before, after = _levels(old), _levels(new)
    unseen = [name for name in dict.fromkeys((*before, *after)) if not _visible(before.get(name), after.get(name))]
    gained = [name for name in dict.fromkeys((*before, *after)) if _level(after.get(name)) > _level(before.get(name))]
    lost = [name for name in dict.fromkeys((*before, *after)) if _level(after.get(name)) < _level(before.get(name))]
    subject = f"{_subject(step)}: {_show(principal)}"
    if unseen:
        reason = f"{_subject(step)}: the level of {', '.join(unseen)} is not visible"
        yield _finding(step, "access-unknown", reason, proved=False)
    elif gained:
        yield _finding(step, "access-broadened", f"{subject} gains {', '.join(gained)}{where}")
    elif lost:
        yield _finding(step, "access-narrowed", f"{subject} loses {', '.join(lost)}{where}")


def _visible(*values: Any) -> bool:
    return not any(is_unknown(value) or is_hidden(value) for value in values)


def _levels(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _level(value: Any) -> int:
    return {"allow": 1, "deny": -1}.get(str(value).lower(), 0)


def _guard(step: Step, known: Known) -> Iterator[Finding]:
    """Checks and branch policies: anything but creating one, or changing only its texts, may weaken it."""
    del known
    if step.new is None:
        yield _finding(step, "guard-weakened", f"{_subject(step)} is removed")
        return
    if step.old is None:
        off = [name for name in ("enabled", "blocking") if step.new.inputs.get(name) is False]
        if off:
            yield _finding(step, "guard-weakened", f"{_subject(step)} is declared with {' and '.join(off)} off")
        return
    weaker = [change for change in step.changes if change.path not in ("instructions", "displayName")]
    if weaker or step.replaces:
        yield _finding(step, "guard-weakened", f"{_subject(step)} is changed", *_property_details(step), proved=False)


def _show(value: Any) -> str:
    if is_unknown(value):
        return documents.KNOWN_AFTER_APPLY
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 200 else text[:200] + "…"


Rule = Callable[[Step, Known], Iterator[Finding]]
RULES: dict[str, Rule] = {
    **dict.fromkeys(POLICY_PROPERTIES, _document),
    **dict.fromkeys(ATTACHMENTS, _attachment),
    **dict.fromkeys(CREDENTIALS, _credential),
    **dict.fromkeys(MEMBERSHIPS, _membership),
    **dict.fromkeys(TRUST, _trust),
    **dict.fromkeys(PUBLIC_ACCESS_BLOCKS, _public_access_block),
    **dict.fromkeys(WITH_ACL, _with_acl),
    "aws:iam:Role": _role,
    "aws:iam:User": _user,
    "azuredevops:index:VariableGroup": _variable_group,
    "azuredevops:index:PipelineAuthorization": _authorization,
    "azuredevops:index:ResourceAuthorization": _resource_authorization,
}
