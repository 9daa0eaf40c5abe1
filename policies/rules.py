"""All rules, in the order in which docs/controls.md lists them."""

from policies import access, delivery, engine, images
from policies.rule import ResourceRule, StackRule

RULES: tuple[ResourceRule | StackRule, ...] = (*images.RULES, *access.RULES, *delivery.RULES, *engine.RULES)
