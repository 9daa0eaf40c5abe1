"""Rules for policies that name exactly what they allow: for a program that declares its own, not for every policy."""

import re
from collections.abc import Iterator

from iam import catalogue
from iam.lint_statements import Told
from iam.model import Statement

# A wildcard stands for objects of a named bucket whose names begin alike, and for nothing else.
_THING = re.compile(r"arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:[^*?]+|arn:[a-z-]+:s3:::[^*?/]+/[^*?]+\*")


def exactness(statement: Statement) -> Iterator[Told]:
    """What an Allow names less exactly than it could."""
    actions, clause = statement.actions, statement.resources
    for glob in actions.patterns:
        if actions.negated or not re.fullmatch(r"[a-z0-9-]+:[A-Za-z0-9]+", glob.text):
            yield "error", "inexact-action", f"{glob.text!r} is not one exact action"
    texts = [glob.text for glob in clause.patterns] if clause is not None and not clause.negated else []
    if texts == ["*"]:
        wide = [glob.text for glob in actions.patterns if catalogue.resources(glob.text) != ()]
        if wide:
            yield "error", "every-resource", f"{sorted(wide)} on every resource; name the ARN"
        return
    for text in texts or ["NotResource"]:
        if not _THING.fullmatch(text):
            yield "error", "inexact-resource", f"{text!r} is not the ARN of one thing"
