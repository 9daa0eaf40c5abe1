"""Rules of the lint on actions, resources and principals of one statement."""

from collections.abc import Iterator
from typing import Literal

from iam import catalogue
from iam.model import Statement
from iam.patterns import Glob, resource_parts
from iam.touch import may_share

Level = Literal["error", "warning", "note"]
Told = tuple[Level, str, str]  # how bad, the rule, what to do
MOST_NAMES = 5


def names(found: list[str]) -> str:
    """A list that stays short, whatever it holds."""
    shown = ", ".join(name[:80] for name in found[:MOST_NAMES])
    return f"{shown} and {len(found) - MOST_NAMES} more" if len(found) > MOST_NAMES else shown


def mistakes(statement: Statement) -> Iterator[Told]:
    """What has no effect, or not the one it seems to have."""
    clause, patterns = statement.resources, statement.actions.patterns
    unknown = [glob.text for glob in patterns if glob.is_literal and catalogue.known(glob.text) is None]
    if unknown:
        yield "warning", "unknown-action", f"AWS is not known to have {_actions(unknown)}"
    nothing = [glob.text for glob in patterns if not glob.is_literal and _matches_nothing(glob)]
    if nothing:
        yield "warning", "unknown-action", f"no action that AWS is known to have is like {names(nothing)}"
    if clause is None or clause.negated or statement.actions.negated or any(g.text == "*" for g in clause.patterns):
        return
    known = [found for found in (catalogue.known(glob.text) for glob in patterns if glob.is_literal) if found]
    without = [action for action in known if catalogue.resources(action) == ()]
    if without:
        has = "has" if len(without) == 1 else "have"
        message = (
            f"{names(without)} {has} no resource level, so this resource has no effect on it; allow it on Resource *"
        )
        yield "error", "no-resource-level", message
    elsewhere = [action for action in known if _goes_nowhere(action, clause.patterns)]
    if elsewhere:
        yield "error", "no-resource-level", f"no resource here is one of {names(elsewhere)}; name one that it takes"


def _actions(found: list[str]) -> str:
    return f"the action {found[0][:80]}" if len(found) == 1 else f"the actions {names(found)}"


def _matches_nothing(glob: Glob) -> bool:
    service, colon, _ = glob.text.partition(":")
    if not colon or "*" in service or "?" in service:
        return False
    return not any(glob.matches(f"{service}:{name}", {}) for name in catalogue.actions(service.lower()).values())


def _goes_nowhere(action: str, patterns: tuple[Glob, ...]) -> bool:
    """Whether no pattern can be a resource of a known action that has some."""
    templates = [
        Glob(text, resource_parts(text, variables=False)) for text in catalogue.resource_patterns(action) or ()
    ]
    return bool(templates) and not any(may_share(one, other) for one in patterns for other in templates)


def risks(statement: Statement) -> Iterator[Told]:
    """What an Allow admits more than most mean."""
    if statement.effect == "Deny":
        return
    actions, resources, principals = statement.actions, statement.resources, statement.principals
    everything = any(glob.text == "*" for glob in actions.patterns) and not actions.negated
    anywhere = resources is not None and not resources.negated and any(glob.text == "*" for glob in resources.patterns)
    if everything and anywhere and principals is None and not statement.conditions:
        yield "error", "full-access", "allows every action on every resource; name the actions (Security Hub IAM.1)"
    services = [g.text for g in actions.patterns if g.text.endswith(":*") and "*" not in g.text[:-1]]
    if services and not actions.negated and principals is None:
        message = f"allows all actions of a service, also later ones ({names(services)}); name them (IAM.21)"
        yield "note", "service-star", message
    if actions.negated:
        yield "warning", "allow-not-action", "allows all but what it names, also actions that AWS adds later"
    if resources is not None and resources.negated:
        yield "warning", "allow-not-resource", "allows all resources but those it names; name those that are meant"
    if principals is not None and principals.negated:
        yield "error", "allow-not-principal", "NotPrincipal with Allow admits everyone else, anonymous callers too"
    elif principals is not None and not statement.conditions and any(v == "*" for _, v in principals.entries):
        yield "warning", "everyone", "admits everyone, anonymous callers too; name a principal or add a condition"
    for kind, value in principals.entries if principals is not None else ():
        if value != "*" and ("*" in value or "?" in value):
            remedy = "a wildcard cannot match part of a principal; name it, or compare aws:PrincipalArn"
            yield "error", "wildcard-in-principal", f"{kind} {value[:120]}: {remedy}"
