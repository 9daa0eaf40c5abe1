"""Principals: who a request comes from, and whether an entry of Principal or NotPrincipal means them."""

import re
from functools import lru_cache

from iam.conditions import any_of
from iam.model import Principals
from iam.patterns import Glob, Wild, split

ANONYMOUS = "Anonymous:*"
_TYPED = re.compile(r"(AWS|Service|Federated|CanonicalUser):(.+)", re.DOTALL)
_ACCOUNT = re.compile(r"(?P<account>[0-9]{12})|arn:[^:]*:iam::(?P<root>[0-9]{12}):root")
_ROLE = re.compile(r"arn:(?P<partition>[^:]*):iam::(?P<account>[0-9]{12}):role/(?:.*/)?(?P<name>[^/]+)", re.DOTALL)
_USER = re.compile(r"arn:(?P<partition>[^:]*):iam::(?P<account>[0-9]{12}):user/(?:.*/)?(?P<name>[^/]+)", re.DOTALL)
_PROVIDER = re.compile(r"arn:[^:]*:iam::[^:]*:(oidc|saml)-provider/")
_FEDERATED_HOSTS = ("accounts.google.com", "www.amazon.com", "graph.facebook.com", "cognito-identity.amazonaws.com")


@lru_cache(maxsize=1024)
def canonical(principal: str) -> str:
    """A principal as "Type:value"; an account id becomes its root ARN; a type not written is taken from the form."""
    if principal == "*":
        return ANONYMOUS
    typed = _TYPED.fullmatch(principal)
    kind, value = (typed[1], typed[2]) if typed else (_type(principal), principal)
    if kind == "AWS" and re.fullmatch(r"[0-9]{12}", value):
        value = f"arn:aws:iam::{value}:root"
    return f"{kind}:{value}"


def _type(principal: str) -> str:
    if _PROVIDER.match(principal) or principal in _FEDERATED_HOSTS:
        return "Federated"
    if re.fullmatch(r"[0-9a-f]{64}", principal):
        return "CanonicalUser"
    is_host = re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", principal)
    return "Service" if is_host else "AWS"


@lru_cache(maxsize=1024)
def patterns(kind: str, value: str) -> tuple[Glob, ...] | None:
    """What an entry matches among canonical principals; None if it holds a wildcard that AWS does not document."""
    found = grants(kind, value)
    return None if found is None else tuple(glob for glob, _ in found)


# What else a request needs besides an Allow that names its caller (`Request.own_policies`).
NOTHING, LIMITS, POLICIES = 0, 1, 2


@lru_cache(maxsize=1024)
def grants(kind: str, value: str) -> tuple[tuple[Glob, int], ...] | None:
    """What an entry matches, and what an Allow for it leaves to the caller's own policies; None as in `patterns`.

    An account only delegates ("delegates authority to the account": IAM User Guide, "AWS JSON policy elements:
    Principal", "AWS account principals"): its users and roles need a policy of their own (POLICIES), its root user does
    not. A role's sessions are limited by its boundary and by session policies (LIMITS), as are federated sessions of a
    user; a user, a session and `*` need nothing else in their account (IAM User Guide, "Policy evaluation logic",
    "Determining whether a request is allowed or denied within an account", and "All principals" of the page above).
    """
    if value == "*" and kind in ("*", "AWS"):
        return ((_glob("*"), NOTHING),)
    if "*" in value or "?" in value:
        return None
    if kind != "AWS":
        return ((_literal(f"{kind}:{value}"), NOTHING),)
    account = _ACCOUNT.fullmatch(value)
    if account:
        # An id and a root ARN are documented as the same; no request crosses partitions, so none is asked for.
        # A path may hold colons, but the account is the fifth field.
        number = account["account"] or account["root"]
        root = Glob("root", ("AWS:arn:", Wild.FIELD_STAR, f":iam::{number}:root"))
        fields = [f":{service}::{number}:" for service in ("iam", "sts")]
        all_of_it = [Glob(f"AWS:arn:*{f}*", ("AWS:arn:", Wild.FIELD_STAR, f, Wild.STAR)) for f in fields]
        return ((root, NOTHING), *((glob, POLICIES) for glob in all_of_it))
    role = _ROLE.fullmatch(value)
    if role:
        sessions = f"AWS:arn:{role['partition']}:sts::{role['account']}:assumed-role/{role['name']}/*"
        return ((_literal(f"AWS:{value}"), LIMITS), (_glob(sessions), LIMITS))
    return ((_literal(f"AWS:{value}"), NOTHING),)


@lru_cache(maxsize=1024)
def federated(kind: str, value: str) -> Glob | None:
    """The federated sessions of a user that an entry names, if it does: an Allow for the user grants them (LIMITS).

    Whether a Deny for the user covers them is not documented.
    """
    user = _USER.fullmatch(value) if kind == "AWS" else None
    if user is None or "*" in value or "?" in value:
        return None
    return _literal(f"AWS:arn:{user['partition']}:sts::{user['account']}:federated-user/{user['name']}")


def _glob(text: str) -> Glob:
    return Glob(text, split(text, wildcards=True, variables=False))


def _literal(text: str) -> Glob:
    return Glob(text, (text,))


def is_account(kind: str, value: str) -> bool:
    """Whether an entry names a whole account."""
    return kind == "AWS" and _ACCOUNT.fullmatch(value) is not None


def entry_matches(kind: str, value: str, principal: str | None) -> bool | None:
    """Whether an entry means this canonical principal (None: a caller who is not known)."""
    globs = patterns(kind, value)
    if globs is None:
        return None
    if principal is None:
        return True if globs[0].text == "*" else None
    if any(glob.matches(principal, {}) for glob in globs):
        return True
    sessions = federated(kind, value)
    return None if sessions is not None and sessions.matches(principal, {}) else False


def needs(clause: Principals, principal: str) -> int | None:
    """What an Allow with this Principal leaves to the caller's own policies; None if it may not name them."""
    levels = [
        level
        for kind, value in clause.entries
        for glob, level in (*(grants(kind, value) or ()), *_federated_grant(kind, value))
        if glob.matches(principal, {})
    ]
    return min(levels, default=None)


def _federated_grant(kind: str, value: str) -> tuple[tuple[Glob, int], ...]:
    sessions = federated(kind, value)
    return ((sessions, LIMITS),) if sessions is not None else ()


def admits(clause: Principals, principal: str | None, own: str | None) -> bool | None:
    """Whether an Allow with this element covers the canonical principal, given what its own policies say."""
    if clause.negated or principal is None:
        return applies(clause, principal)
    level = needs(clause, principal)
    if level is None:
        return applies(clause, principal)
    if level == NOTHING or own == "allow" or (level == LIMITS and own != "limited"):
        return True
    unclear = own is None or any(grants(kind, value) is None for kind, value in clause.entries)
    return None if unclear else False


def account_of(text: str) -> str | None:
    """The account in an ARN, if it names one."""
    fields = text.split(":", 5)
    return fields[4] if len(fields) == 6 and re.fullmatch(r"[0-9]{12}", fields[4]) else None


def applies(clause: Principals, principal: str | None) -> bool | None:
    """Whether a Principal or NotPrincipal element covers this canonical principal.

    NotPrincipal exempts an AWS principal for certain only if it and its account are both named: naming one of the two
    "might deny access to the entire account" (IAM User Guide, "NotPrincipal"), so that is unknown.
    """
    if not clause.negated:
        return any_of(entry_matches(kind, value, principal) for kind, value in clause.entries)
    named = any_of(
        entry_matches(kind, value, principal) for kind, value in clause.entries if not is_account(kind, value)
    )
    account = any_of(entry_matches(kind, value, principal) for kind, value in clause.entries if is_account(kind, value))
    if named is False and account is False:
        return True
    everyone = any(patterns(kind, value) == (_glob("*"),) for kind, value in clause.entries)
    whole = principal is not None and not principal.startswith("AWS:")
    return False if named and (account or everyone or whole) else None
