"""The IAM policy language: parse a document, decide a request, compare two policies, lint, table. Pure: no network."""

from iam.compare import Cause, Comparison, Verdict, compare
from iam.decide import decide
from iam.model import Decision, Effect, Policy, PolicyError, Request, RequestError, Statement, StatementRef
from iam.parse import parse

__all__ = [
    "Cause",
    "Comparison",
    "Decision",
    "Effect",
    "Policy",
    "PolicyError",
    "Request",
    "RequestError",
    "Statement",
    "StatementRef",
    "Verdict",
    "compare",
    "decide",
    "parse",
]
