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
    if value == "*" and kind in ("*", "AWS"):
        return (_glob("*"),)
    if "*" in value or "?" in value:
        return None
    if kind == "AWS":
        account = _ACCOUNT.fullmatch(value)
        if account:
            # An id and a root ARN are documented as the same; no request crosses partitions, so none is asked for.
            # A path may hold colons, but the account is the fifth field.
            fields = [f":{service}::{account['account'] or account['root']}:" for service in ("iam", "sts")]
            return tuple(Glob(f"AWS:arn:*{f}*", ("AWS:arn:", Wild.FIELD_STAR, f, Wild.STAR)) for f in fields)
        role = _ROLE.fullmatch(value)
        if role:
            sessions = f"AWS:arn:{role['partition']}:sts::{role['account']}:assumed-role/{role['name']}/*"
            return (_literal(f"AWS:{value}"), _glob(sessions))
    return (_literal(f"{kind}:{value}"),)


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
    return any(glob.matches(principal, {}) for glob in globs)


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
