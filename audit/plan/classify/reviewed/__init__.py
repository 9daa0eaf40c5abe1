"""What has been reviewed: for each type what its operations mean, which of its properties a rule judges, and which
are harmless and why. Everything else is `unreviewed`: a table of what is dangerous would never be complete.

A path stands for all below it; `[]` for any place of a list. Values are looked at even under a harmless name
(audit.plan.classify.unreviewed).
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from audit.plan.classify.properties import Rule
from audit.plan.classify.reviewed import aws_access, aws_stores, devops, running
from audit.plan.classify.reviewed.entry import ALL, Ruled, entry
from audit.plan.classify.reviewed.running import PARTLY

__all__ = ["ALL", "ANY_TYPE", "PARTLY", "TYPES", "Ruled", "ruled"]

ANY_TYPE: Mapping[str, str] = {
    "name": "what a thing is called; one that cannot be renamed is replaced",
    "displayName": "a text for people",
    "description": "a text for people",
    "comment": "a text for people",
    "tags": "words about a thing; who may do what by a tag is said in policies",
    "tagsAll": "the tags again, with the provider's own",
    "labels": "words about a thing",
    "metadata.labels": "words about a thing",
    "__defaults": "the bridge's note on which defaults it filled in",
    "__meta": "the bridge's note on the state's form",
}
"""Properties of any type that are harmless in an update."""

_CHECK = entry("*", delete="guard-weakened", replace="guard-weakened")
_PERMISSIONS = entry("*", delete="change", replace="change")
_CONNECTION = entry("*", create="credential-created", delete="loss-credential", replace="loss-credential")
_FAMILIES = (
    (re.compile(r"azuredevops:index:\w*Permissions"), _PERMISSIONS),
    (re.compile(r"azuredevops:index:(?:Check\w+|BranchPolicy\w+|RepositoryPolicy\w+)"), _CHECK),
    (re.compile(r"azuredevops:index:Service[Ee]ndpoint\w+"), _CONNECTION),
    (re.compile(r"pulumi:providers:[\w-]+"), entry("*", delete="change", replace="provider-moved")),
)

_ENGINE: dict[str, Ruled] = {
    "pulumi:pulumi:Stack": Ruled(
        harmless={"*": "the stack itself is nothing in a cloud"}, delete="change", replace="change"
    ),
    "pulumi:pulumi:StackReference": Ruled(
        rules={"name": Rule("provider-moved", "changes", "what it gives comes from another stack")},
        fresh=frozenset({"name"}),
        delete="change",
        replace="change",
    ),
}

TYPES: Mapping[str, Ruled] = {
    **aws_access.TYPES,
    **aws_stores.TYPES,
    **running.TYPES,
    **devops.TYPES,
    **_ENGINE,
}


@lru_cache(maxsize=4096)
def ruled(kind: str) -> Ruled | None:
    """The type's entry, or None for a type without rules."""
    found = TYPES.get(kind)
    return found or next((entry for pattern, entry in _FAMILIES if pattern.fullmatch(kind)), None)
