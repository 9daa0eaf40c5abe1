"""Short ways to write policies in tests."""

from typing import Any

from iam import Policy, parse

REPOSITORY = "arn:aws:ecr:us-east-2:123456789012:repository/app-one"


def allow(action: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> dict[str, Any]:
    """An Allow statement; None leaves an element out."""
    elements = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return {name: value for name, value in elements.items() if value is not None}


def deny(action: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> dict[str, Any]:
    """A Deny statement."""
    return allow(action, resource, **more) | {"Effect": "Deny"}


def policy(*statements: dict[str, Any], version: str = "2012-10-17") -> Policy:
    """A policy of statements."""
    return parse({"Version": version, "Statement": list(statements)})
