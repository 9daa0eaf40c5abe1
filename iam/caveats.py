"""When two documents alone prove little: what they leave out decides what a change of them does."""

import re
from dataclasses import replace

from iam.compare import compare
from iam.model import Policy, Statement
from iam.parse import parse

_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}
_LIMIT = re.compile(r"boundar|guard ?rail|\bscp\b|service ?control|max(imum)? ?permission", re.IGNORECASE)


def caveats(old: Policy, new: Policy, *names: str) -> list[str]:
    """Warnings for who reads the comparison of two policies; `names` are what the documents are called, if anything.

    IAM User Guide, "Permissions boundaries for IAM entities": a boundary "doesn't grant permissions on its own". AWS
    Organizations User Guide, "Service control policies": neither does such a policy.
    """
    found = []
    for name, policy in (("old", old), ("new", new)):
        if policy.statements and not any(s.effect == "Allow" for s in policy.statements):
            beside = compare(*(_beside_all(p, _with_principals(old, new)) for p in (old, new))).verdict
            found.append(
                f"the {name} document only denies, so alone it allows nothing: what the change does is decided by other"
                f" policies; beside one that allows everything it is {beside}"
            )
            break
    if any(map(_is_limit, (old, new))) or any(map(_LIMIT.search, _names(old, new, *names))):
        found.append(
            "a document looks like a boundary or a control policy, which grants nothing by itself: the verdict is about"
            " what it lets through; what its holders may do is decided by their other policies too"
        )
    return found


def _with_principals(*policies: Policy) -> bool:
    return any(statement.principals is not None for policy in policies for statement in policy.statements)


def _beside_all(policy: Policy, named: bool) -> Policy:
    everything = parse({"Version": policy.version, "Statement": _ALL | ({"Principal": "*"} if named else {})})
    number = len(policy.statements)
    return replace(policy, statements=(*policy.statements, replace(everything.statements[0], index=number)))


def _is_limit(policy: Policy) -> bool:
    """Whether an identity policy allows everything but what it denies."""
    allows = [s for s in policy.statements if s.effect == "Allow"]
    denies = len(allows) < len(policy.statements)
    return denies and not _with_principals(policy) and any(map(_allows_all, allows))


def _allows_all(statement: Statement) -> bool:
    clauses = (statement.actions, statement.resources)
    every = [c is not None and not c.negated and any(glob.text == "*" for glob in c.patterns) for c in clauses]
    return all(every) and not statement.conditions


def _names(old: Policy, new: Policy, *names: str) -> list[str]:
    found = [name for policy in (old, new) for name in (policy.id, *(s.sid for s in policy.statements))]
    return [name for name in (*found, *names) if name]
