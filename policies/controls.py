"""Writes docs/controls.md, which is made of the rules: `python -m policies.controls`; `--check` only compares."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from policies import waivers
from policies.rule import ResourceRule, StackRule
from policies.rules import RULES

FILE = Path(__file__).resolve().parents[1] / "docs" / "controls.md"
ELSEWHERE = (
    (
        "Security Hub IAM.3, trivy AWS-0146",
        "Keys are younger than 90 days",
        "a key's age is not in a plan: `python -m audit keys`, every night (docs/azure-devops.md)",
    ),
    (
        "Security Hub IAM.22",
        "No key is kept that nobody uses",
        "its last use is not in a plan: `python -m audit keys`",
    ),
)
"""Controls of the same kind that no plan shows, what they ask, and what looks instead."""
HEAD = """# Controls

Made of policies/ by `python -m policies.controls`; a test holds it to them.

`pulumi preview --policy-pack policies` (and `make preview`, and every preview and update of the pipeline) holds a stack
against these rules. A *mandatory* one that is broken fails the preview, exit code 1, before anything is changed; an
*advisory* one says so. In a first preview some values are not known yet: a rule that needs one says that it could not
be judged, and the update, where the rules are asked again, judges it. The pack imports no provider's SDK: a preview of
an unchanged stack took 1.15 times the CPU of one without it (1.50 s and 1.31 s, medians of seven in turns).

`policies/` is an ordinary pack: `pulumi preview --policy-pack FOLDER/policies` holds other stacks against it too, by
this checkout's `.venv`. A new rule goes into the module of its subject, with a good, a bad and an unknown case in
tests/unit/policies/test_rules.py, which fails until it has them.
"""


def text(rules: Iterable[ResourceRule | StackRule], waived: Iterable[waivers.Waiver]) -> str:
    """The page."""
    parts = [HEAD, "## Rules\n", "| rule | what has to hold | level | severity | others call it | where it is met |"]
    parts.append("|---|---|---|---|---|---|")
    for rule in rules:
        others = ", ".join(rule.controls) or "-"
        parts.append(f"| `{rule.id}` | {rule.title} | {rule.level} | {rule.severity} | {others} | {rule.met} |")
    parts += ["", "## What is waived, and why", "", "policies/waivers.yml; an entry can end on a day.", ""]
    parts += ["| rule | resource | stack | until | why |", "|---|---|---|---|---|"]
    for waiver in waived:
        until = waiver.until.isoformat() if waiver.until else "further notice"
        parts.append(f"| `{waiver.rule}` | `{waiver.resource}` | `{waiver.stack}` | {until} | {waiver.reason} |")
    parts += ["", "## What no plan shows", "", "| others call it | what has to hold | what looks |", "|---|---|---|"]
    parts += [f"| {control} | {title} | {where} |" for control, title, where in ELSEWHERE]
    return "\n".join(parts) + "\n"


def main() -> int:
    """Entry point: 0 done or the same, 1 the page is another one."""
    parser = argparse.ArgumentParser(prog="python -m policies.controls", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page is another one")
    options = parser.parse_args()
    try:
        made = text(RULES, waivers.load({rule.id for rule in RULES}))
    except waivers.WaiverError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not options.check:
        FILE.write_text(made, encoding="utf-8")
    elif not FILE.exists() or FILE.read_text(encoding="utf-8") != made:
        print("error: docs/controls.md is not what the rules make: python -m policies.controls", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
