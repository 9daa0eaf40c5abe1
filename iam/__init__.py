"""The IAM policy language: parse a document, decide a request, compare two policies, lint, table. Pure: no network."""

from iam.decide import decide
from iam.model import Decision, Effect, Policy, PolicyError, Request, RequestError, Statement, StatementRef
from iam.parse import parse

__all__ = [
    "Decision",
    "Effect",
    "Policy",
    "PolicyError",
    "Request",
    "RequestError",
    "Statement",
    "StatementRef",
    "decide",
    "parse",
]
