"""What our pipeline has to be beyond the language's own rules: `azure_pipelines lint --rules pipelines.rules`.

The one part of this room that reads the language, and that no step of a run loads.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from pipelines.rules import order, secrets, shape, structure, surroundings, trusted
from pipelines.rules.declared import Context, Declared, declared

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from azure_pipelines import rules
    from azure_pipelines.rules import Finding
    from pipelines.rules.declared import Rule

ALL: tuple[Rule, ...] = (*structure.ALL, *secrets.ALL, *order.ALL, *shape.ALL, *surroundings.ALL, *trusted.ALL)
"""Every rule of ours."""


@dataclass(frozen=True)
class Ours:
    """Our part of the lint (`azure_pipelines.lint.Project`)."""

    declared: Declared

    @property
    def groups(self) -> Mapping[str, frozenset[str]]:
        """The names that each variable group holds."""
        return self.declared.groups

    def check(self, context: rules.Context) -> Iterator[Finding]:
        """What our rules find in one expanded pipeline."""
        own = Context(**{field.name: getattr(context, field.name) for field in fields(context)}, declared=self.declared)
        for rule in ALL:
            yield from rule(own)


def project(root: Path, file: str) -> Ours:
    """Our part of the lint for a checkout. Raises PipelineError where what it compares with cannot be read."""
    return Ours(declared(root, file))
