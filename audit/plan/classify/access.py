"""Risks of access: who could do more after this plan than before."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from audit.model import Finding, Step, holds_unknown, is_hidden, is_unknown
from audit.plan.changes import announced, differs, first_part
from audit.plan.classify import devops, documents, properties
from audit.plan.classify.known import Known
from audit.plan.classify.reviewed import ruled
from audit.plan.classify.words import both, empty, finding, is_true, property_details, show, subject, visible
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
    "aws:s3:Bucket": "policy",
    "aws:s3:BucketV2": "policy",
    "aws:secretsmanager:Secret": "policy",
    "aws:sns:Topic": "policy",
    "aws:sqs:Queue": "policy",
    "aws:iam:Role": "assumeRolePolicy",
}
DOCUMENTS = frozenset({*POLICY_PROPERTIES.values(), "inlinePolicies"})
"""Properties whose documents are judged by the rules of their types."""

HOLDERS = ("user", "group", "role", "repository", "bucket", "keyId", "queueUrl", "arn", "secretArn")
"""Properties that say whose policy it is: the same document for another holder is new to it."""

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
OWNERS = ("user", "userName", "username", "virtualMfaDeviceName")
"""Properties that say whose credential it is."""


def judge(step: Step, known: Known) -> Iterator[Finding]:
    """The findings of one step."""
    kind = step.kind
    for rule in RULES.get(kind, ()):
        yield from rule(step, known)
    if kind.startswith("azuredevops:"):
        yield from devops.judge(step)
    entry = ruled(kind)
    if entry is not None and entry.rules:
        yield from properties.judge(step, entry.rules)


# --- policy documents


def _document(step: Step, known: Known) -> Iterator[Finding]:
    del known
    name = POLICY_PROPERTIES[step.kind]
    old, new = both(step, name)
    if any(_declared(step, holder) and differs(step, holder) for holder in HOLDERS):
        # Two holders: one loses the document, and with it what it denied; to the other it is new.
        yield from (
            finding
            for finding in judged(step, name, old, None, whose=" of the former holder")
            if finding.risk != "access-narrowed"
        )
        old = None
    if old == new and not is_unknown(new) and not differs(step, name):
        return
    yield from judged(step, name, old, new, trust=name == "assumeRolePolicy")


def _declared(step: Step, name: str) -> bool:
    """Whether the program declares the property before or after; what is only computed (a policy's own `arn`) is not
    there after, and says nothing."""
    return step.old is not None and step.new is not None and (name in step.old.inputs or name in step.new.inputs)


def judged(step: Step, name: str, old: Any, new: Any, *, trust: bool = False, whose: str = "") -> Iterator[Finding]:
    """What the comparison of two documents of a step says; None is no document."""
    judgement = documents.judge(name, old, new)
    if judgement.outcome == "equal":
        return
    what = f"{subject(step)}: {name}{whose}"
    details = [*judgement.details, *_origin(step, name, new)]
    if judgement.outcome == "broadened":
        risk, verb = ("trust-changed" if trust else "access-broadened"), judgement.reason
        if empty(old):
            verb = (
                "is new and allows requests that nothing here allowed before"
                if judgement.reason.startswith("allows")
                else verb
            )
        yield Finding(risk, step.urn, f"{what} {verb}.", details, policy=judgement.diff)
    elif judgement.outcome == "unknown":
        risk = "trust-changed" if trust else "access-unknown"
        yield Finding(
            risk,
            step.urn,
            f"{what}: {judgement.reason}; that it is not broadened cannot be proved.",
            details,
            False,
            judgement.diff,
        )
    else:
        yield Finding("access-narrowed", step.urn, f"{what} {judgement.reason}.", details, policy=judgement.diff)


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
        if not is_true(step.new.inputs.get(name) if step.new else None)
        and (step.old is None or is_true(step.old.get(name)) or is_hidden(step.old.get(name)))
    ]
    if off:
        verb = "goes, and with it" if step.new is None else "has off or not visibly on"
        reason = f"{subject(step)} {verb} {', '.join(off)}: what is public by policy or by list may be reached now"
        yield finding(step, "access-unknown", reason, proved=False)


def _with_acl(step: Step, known: Known) -> Iterator[Finding]:
    """A bucket or object with an access list of its own: a canned one (`acl`), or `grants`."""
    del known
    old, new = both(step, "acl")
    if step.new is not None and differs(step, "acl"):
        said = f"{subject(step)}: acl is {show(new)}" + (f" and was {show(old)}" if step.old else "")
        if new in PUBLIC and old != "public-read-write":
            yield finding(step, "access-broadened", f"{said}: whoever asks may read")
        elif new is not None and new not in OWNERS_ONLY and new not in PUBLIC:
            yield finding(step, "access-unknown", f"{said}; whom it lets in is not visible", proved=False)
        elif old in PUBLIC and new == "private":
            yield finding(step, "access-narrowed", said)
    if step.new is not None and differs(step, "grants") and not empty(step.new.inputs.get("grants")):
        yield finding(step, "access-unknown", f"{subject(step)}: its grants change", proved=False)


# --- identities


def _role(step: Step, known: Known) -> Iterator[Finding]:
    yield from _boundary(step, known)
    old, new = both(step, "managedPolicyArns")
    arns_differ = differs(step, "managedPolicyArns")
    for arn in _added(old, new) if arns_differ else ():
        yield from _attached(step, known, arn, f"role '{step.name}'")
    for arn in _added(new, old) if arns_differ and step.new is not None else ():
        if _may_deny(step, known, arn):
            yield _detached(step, f"{subject(step)}: policy {show(arn)} is detached", denies=True)
    old, new = both(step, "inlinePolicies")
    if differs(step, "inlinePolicies"):
        before, after = _inline(old), _inline(new)
        for name in dict.fromkeys((*before, *after)):
            if before.get(name) != after.get(name) or documents.masked(after.get(name)):
                yield from judged(step, f"inlinePolicies[{name}]", before.get(name), after.get(name))
        if is_unknown(new) or is_hidden(new) or is_hidden(old):
            yield finding(step, "access-unknown", f"{subject(step)}: inline policies are not visible", proved=False)


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
    old, new = both(step, "permissionsBoundary")
    if empty(old) or not differs(step, "permissionsBoundary"):
        return
    if empty(new):
        yield finding(
            step,
            "boundary-removed",
            f"{subject(step)} loses its permissions boundary",
            f"The boundary was {show(old)}.",
        )
    else:
        yield finding(
            step,
            "boundary-removed",
            f"{subject(step)} gets another permissions boundary; that it is not wider cannot be proved",
            f"It was {show(old)} and becomes {show(new)}.",
            proved=False,
        )


def _attachment(step: Step, known: Known) -> Iterator[Finding]:
    holder_name = ATTACHMENTS[step.kind]
    side = step.new or step.old
    assert side is not None  # noqa: S101 - a step has at least one side (audit.plan.classify.judge)
    kind = {"name": "entities"}.get(holder_name, holder_name)
    arn = step.old.get("policyArn") if step.old else None
    if step.new is None:
        reason = f"{subject(step)}: the policy is detached from {kind} {show(side.get(holder_name))}"
        yield _detached(step, reason, denies=_may_deny(step, known, arn))
        return
    names = (holder_name, "policyArn", "users", "groups", "roles")
    if step.old is None or any(differs(step, name) for name in names):
        holder = f"{kind} {show(side.get(holder_name))}"
        yield from _attached(step, known, step.new.inputs.get("policyArn"), holder)
    if step.old is not None and _leaves_a_holder(step, holder_name) and _may_deny(step, known, arn):
        reason = f"{subject(step)}: policy {show(arn)} is detached from {kind} {show(step.old.get(holder_name))}"
        yield _detached(step, reason, denies=True)


def _leaves_a_holder(step: Step, holder_name: str) -> bool:
    """Whether somebody that had the old policy has it no more."""
    if differs(step, "policyArn") or (holder_name != "name" and differs(step, holder_name)):
        return True
    lists = [both(step, name) for name in ("users", "groups", "roles") if differs(step, name)]
    return any(is_hidden(old) or _added(new, old) for old, new in lists)


def _detached(step: Step, reason: str, *, denies: bool) -> Finding:
    details = ["A Deny in it would be lifted, or its document is not visible here."] if denies else []
    return finding(step, "access-unknown" if denies else "access-narrowed", reason, *details, proved=not denies)


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
        yield finding(
            step,
            "access-broadened" if str(arn).endswith("/AdministratorAccess") else "access-unknown",
            f"Policy {show(arn)} is attached to {holder}; what it allows is not part of this preview",
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
    old, new = both(step, members)
    old_holder, new_holder = both(step, holder)
    if not differs(step, holder) and not differs(step, members) and not announced(step, members):
        return
    plain = isinstance(old or [], list) and isinstance(new or [], list)
    added, removed = (_added(old, new), _added(new, old)) if plain else ([new], [old])
    said = [f"gains {', '.join(map(show, added))}"] if added else []
    said += [f"loses {', '.join(map(show, removed))}"] if removed else []
    owner = show(new_holder if step.new else old_holder)
    yield finding(
        step,
        "group-membership",
        f"{members} of {holder} {owner}: {' and '.join(said) or 'change'}",
        *(["Leaving a group can also lift a Deny that the group had."] if removed else []),
        proved=not (holds_unknown(new) or is_hidden(new)),
    )


def _credential(step: Step, known: Known) -> Iterator[Finding]:
    """A new one; one that is made anew for somebody or something else; one that works again."""
    del known
    if step.new is None:
        return
    owner = next((step.new.inputs[name] for name in OWNERS if name in step.new.inputs), None)
    if step.creates:
        whose = f" of {show(owner)}" if owner else ""
        yield finding(step, "credential-created", f"{subject(step)} is a new credential{whose}")
        return
    others = [change for change in step.changes if first_part(change.path) not in ("status", "tags", "tagsAll")]
    if others and not all(change.path.startswith("(") for change in others):
        said = f"is another credential, of {show(owner)}" if step.replaces else "is changed"
        proved = visible(*(change.new for change in others))
        yield finding(step, "credential-created", f"{subject(step)} {said}", *property_details(step), proved=proved)
    old, new = both(step, "status")
    if step.old is not None and differs(step, "status") and new != "Inactive":
        yield finding(
            step,
            "credential-created",
            f"{subject(step)} becomes active again",
            f"Its status was {show(old)}.",
            proved=visible(new),
        )


def _trust(step: Step, known: Known) -> Iterator[Finding]:
    del known
    if step.new is not None and (step.old is None or step.replaces or step.changes):
        verb = (
            "is changed" if step.old is not None else "is new: identities that it vouches for can be trusted by roles"
        )
        yield finding(step, "trust-changed", f"{subject(step)} {verb}", *property_details(step))


Rule = Callable[[Step, Known], Iterator[Finding]]
_BY_KIND: tuple[tuple[Iterable[str], Rule], ...] = (
    (POLICY_PROPERTIES, _document),
    (ATTACHMENTS, _attachment),
    (CREDENTIALS, _credential),
    (MEMBERSHIPS, _membership),
    (("aws:iam:OpenIdConnectProvider", "aws:iam:SamlProvider"), _trust),
    (PUBLIC_ACCESS_BLOCKS, _public_access_block),
    (WITH_ACL, _with_acl),
    (("aws:iam:Role",), _role),
    (("aws:iam:User",), _boundary),
)
RULES: dict[str, list[Rule]] = {}
for _kinds, _rule in _BY_KIND:
    for _kind in _kinds:
        RULES.setdefault(_kind, []).append(_rule)
