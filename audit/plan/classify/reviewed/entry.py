"""An entry of the reviewed tables: what the operations of a type mean, and what of it is judged or harmless."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from audit.plan.classify.properties import Rules

LOSSES = frozenset({"loss-resource", "loss-credential", "loss-variable-group"})
NOTHING: Mapping[str, Any] = MappingProxyType({})
ALL = frozenset({"*"})
"""A rule looks at every property of the type."""


class Ruled(NamedTuple):
    """A type with rules.

    The operations mean: a `create`, or an `import` (what is imported was there, but nobody has reviewed it here), is
    at least `create`; a `delete` is at least `delete`, unless retainOnDelete keeps the thing, which proves nothing
    (`access-unknown` where deleting would have narrowed something); an `update` and a `replace` are judged property
    by property, and a replacement that loses what the thing holds is `replace` besides. `read`, `refresh` and
    `discard` do nothing to the thing.
    """

    create: str = "change"
    delete: str = "loss-resource"
    replace: str = "loss-resource"
    judged: frozenset[str] = frozenset()
    rules: Rules = NOTHING
    harmless: Mapping[str, str] = NOTHING
    """Path and why a change of it is harmless."""
    fresh: frozenset[str] = frozenset()
    """Harmless where the thing is new: they say which thing it is."""

    holds: bool = True
    """Whether something is lost with it when it is deleted or replaced."""

    @property
    def loss(self) -> str:
        """The class of the loss when it is deleted or replaced; "" where nothing is lost with it."""
        if not self.holds or self.delete in ("change", "access-narrowed"):
            return ""
        return self.delete if self.delete in LOSSES else "loss-resource"


_NAME = {"name": "what it is called", "namePrefix": "what it is called"}
_TEXTS = {"description": "a text for people", "tags": "words about it", "tagsAll": "the tags again"}


def entry(
    judged: str = "",
    harmless: Mapping[str, str] | None = None,
    fresh: str = "",
    rules: Rules | None = None,
    **more: Any,
) -> Ruled:
    """An entry of a table; names and texts are harmless in every type. Words are separated by spaces."""
    return Ruled(
        judged=frozenset(judged.split()),
        harmless={**_NAME, **_TEXTS, **(harmless or {})},
        fresh=frozenset(f"region {fresh}".split()),
        rules=rules or {},
        **more,
    )
