"""The pack as the engine runs it: `pulumi preview --policy-pack policies`."""

import datetime
import sys
from pathlib import Path
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)

if __name__ == "__main__":  # the engine runs this folder, whose modules are in a package of the checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policies import waivers
from policies.rule import Resource, ResourceRule, Rule, StackRule
from policies.rules import RULES

NAME = "app-one"


class Pack:
    """The rules as the engine takes them, less what is waived today."""

    def __init__(self, waived: tuple[waivers.Waiver, ...], today: datetime.date) -> None:
        self._waived = waived
        self._today = today

    def policies(self) -> list[Policy]:
        """All of them."""
        return [self._policy(rule) for rule in RULES]

    def _policy(self, rule: ResourceRule | StackRule) -> Policy:
        level = EnforcementLevel.MANDATORY if rule.level == "mandatory" else EnforcementLevel.ADVISORY
        severity = Severity(rule.severity)
        if isinstance(rule, ResourceRule):
            return ResourceValidationPolicy(rule.id, rule.title, self._on_resource(rule), level, severity=severity)
        return StackValidationPolicy(rule.id, rule.title, self._on_stack(rule), level, severity=severity)

    def _on_resource(self, rule: ResourceRule) -> Any:
        def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
            if rule.covers(args.resource_type) and not self._let_off(rule, args.urn):
                for message in rule.check(args.resource_type, args.props):
                    report(_text(rule, message), args.urn)

        return validate

    def _on_stack(self, rule: StackRule) -> Any:
        def validate(args: StackValidationArgs, report: ReportViolation) -> None:
            for resource, message in rule.check([_resource(each) for each in args.resources]):
                if not self._let_off(rule, resource.urn):
                    report(_text(rule, message), resource.urn)

        return validate

    def _let_off(self, rule: Rule, urn: str) -> bool:
        return any(waiver.covers(rule.id, urn, self._today) for waiver in self._waived)


def _text(rule: Rule, message: str) -> str:
    return f"{message}. {rule.remedy}."


def _resource(found: Any) -> Resource:
    uses = dict(found.property_dependencies or {})
    return Resource(
        type=found.resource_type,
        name=found.name,
        urn=found.urn,
        properties=found.props,
        uses={name: frozenset(each.urn for each in others) for name, others in uses.items()},
    )


def main() -> None:
    """Serve the pack to the engine, until it ends this process."""
    try:
        waived = waivers.load({rule.id for rule in RULES})
    except waivers.WaiverError as error:
        sys.exit(f"error: the policy pack: {error}")
    today = datetime.datetime.now(tz=datetime.UTC).date()
    PolicyPack(name=NAME, enforcement_level=EnforcementLevel.MANDATORY, policies=Pack(waived, today).policies())


if __name__ == "__main__":
    main()
