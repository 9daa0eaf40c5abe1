"""Rules of the lint on trust in identity providers: which tokens of an issuer may take a role.

IAM User Guide, "Create a role for OpenID Connect federation" and "Available keys for AWS OIDC federation": an issuer
serves many, so a trust policy compares the audience and the subject of the token; the keys begin with the issuer's
address without https://. Azure DevOps: https://learn.microsoft.com/azure/devops/pipelines/library/connect-to-azure.
"""

import re
from collections.abc import Iterator

from iam.lint_statements import Told
from iam.model import Condition, Statement

_PROVIDER = re.compile(r"arn:[^:]*:iam::[^:]*:oidc-provider/(.+)", re.DOTALL)
_SAML = re.compile(r"arn:[^:]*:iam::[^:]*:saml-provider/.+", re.DOTALL)
_ACTION = "sts:AssumeRoleWithWebIdentity"
# Issuers that AWS knows without a provider of one's own, and the key that says whose tokens are meant.
_BUILT_IN = {
    "accounts.google.com": "aud",
    "cognito-identity.amazonaws.com": "aud",
    "graph.facebook.com": "app_id",
    "www.amazon.com": "app_id",
}
# Claims that say as much as a subject (iam user guide, same page: keys of GitHub).
_LIKE_SUBJECT = ("sub", "repository", "repository_id", "job_workflow_ref", "project_id", "pipeline_id")
# How subjects of an issuer begin; a wildcard before the end of it stands for everybody there.
_OWNERS = {
    "token.actions.githubusercontent.com": (
        re.compile(r"repo:[^*?:/]+/.+|repository_owner.*:[^*?]+.*"),
        "repo:OWNER/NAME:...",
    ),
    "vstoken.dev.azure.com": (re.compile(r"sc://[^*?/]+/[^*?/]+/.+"), "sc://ORGANIZATION/PROJECT/CONNECTION"),
    "gitlab.com": (re.compile(r"project_path:[^*?:/]+/.+"), "project_path:GROUP/PROJECT:..."),
    "oidc.eks": (re.compile(r"system:serviceaccount:[^*?:]+:.+"), "system:serviceaccount:NAMESPACE:NAME"),
}


def federation(statement: Statement) -> Iterator[Told]:
    """What a trust in a provider leaves open."""
    if statement.effect != "Allow" or statement.principals is None or statement.principals.negated:
        return
    takes = any(glob.matches(_ACTION, {}) for glob in statement.actions.patterns) != statement.actions.negated
    for kind, value in statement.principals.entries:
        provider = _PROVIDER.fullmatch(value)
        if kind != "Federated":
            continue
        if takes and provider:
            yield from _issuer(statement, provider[1])
        elif takes and value in _BUILT_IN:
            key = f"{value}:{_BUILT_IN[value]}"
            if not _pinned(statement, key):
                yield "error", "trust-without-audience", f"any application of {value} may take the role; compare {key}"
        elif takes and not _SAML.fullmatch(value):
            message = f"{value[:120]} is no provider; write arn:aws:iam::ACCOUNT:oidc-provider/ISSUER"
            yield "error", "unknown-provider", message
        elif _SAML.fullmatch(value) and not _pinned(statement, "saml:aud"):
            message = "a SAML response meant for another may take the role; compare SAML:aud"
            yield "warning", "trust-without-audience", message


def _issuer(statement: Statement, issuer: str) -> Iterator[Told]:
    if issuer.startswith(("https://", "http://")):
        yield "error", "unknown-provider", f"{issuer[:120]}: a provider's ARN holds the issuer without https://"
    host = issuer[:120]
    pins = [pin for claim in _LIKE_SUBJECT for pin in _pins(statement, f"{issuer.lower()}:{claim}")]
    if not pins:
        message = f"whoever {host} gives a token may take the role; compare {host}:sub with StringEquals"
        yield "error", "trust-without-subject", message
    rule = next((found for start, found in _OWNERS.items() if issuer.startswith(start)), None)
    wide = [glob.text for pin in pins for glob in pin.values if _is_wide(pin, glob.text, rule)]
    if wide:
        form = f"; write {rule[1]}" if rule else ""
        yield "error", "trust-in-any-subject", f"{host}: {wide[0][:120]} lets subjects of others take the role{form}"
    if not _pinned(statement, f"{issuer.lower()}:aud"):
        message = f"tokens that {host} gave for other services may take the role; compare {host}:aud"
        yield "warning", "trust-without-audience", message


def _is_wide(pin: Condition, text: str, rule: tuple[re.Pattern[str], str] | None) -> bool:
    if pin.kind != "like" or not any(wild in text for wild in "*?"):
        return False
    if rule is not None and pin.key.endswith(":sub"):
        return rule[0].fullmatch(text) is None
    return text[:1] in ("*", "?")


def _pins(statement: Statement, key: str) -> list[Condition]:
    """Conditions that only certain values of a key meet."""
    return [
        c
        for c in statement.conditions
        if c.key == key
        and c.kind in ("eq", "eqi", "like")
        and not (c.negated or c.if_exists or c.qualifier == "ForAllValues")
        and not any(c.kind == "like" and set(glob.text) <= {"*"} for glob in c.values)
    ]


def _pinned(statement: Statement, key: str) -> bool:
    return bool(_pins(statement, key))
