"""The IAM policy language: parse a document, decide a request, compare two policies, lint, table. Pure: no network."""

from iam.caveats import caveats
from iam.compare import Cause, Comparison, Verdict, compare
from iam.decide import decide
from iam.lint import Finding, exact, lint
from iam.model import Decision, Effect, OwnPolicies, Policy, PolicyError, Request, RequestError, Statement, StatementRef
from iam.parse import parse
from iam.table import HEADINGS, Row, table

__all__ = [
    "HEADINGS",
    "Cause",
    "Comparison",
    "Decision",
    "Effect",
    "Finding",
    "OwnPolicies",
    "Policy",
    "PolicyError",
    "Request",
    "RequestError",
    "Row",
    "Statement",
    "StatementRef",
    "Verdict",
    "caveats",
    "compare",
    "decide",
    "exact",
    "lint",
    "parse",
    "table",
]
