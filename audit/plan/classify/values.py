"""What a value says by itself, wherever it stands and whatever its name is: policy statements in it, also in JSON or
YAML text within text, and principals, accounts, ARNs, addresses and switches.

Sources: IAM User Guide, "IAM JSON policy elements"; AWS CloudFormation User Guide (short forms of functions in YAML);
OCI distribution specification, "Pulling manifests" (names of images).
"""

import json
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

from audit.model import MAX_DEPTH, UNKNOWN, deeper, is_hidden, is_unknown
from audit.plan.classify import documents
from iam import PolicyError

DEPTH = 6
"""Texts within texts that are opened; CloudFormation in JSON in JSON has three."""
MAX_YAML = 1 << 20
"""Characters of the longest YAML text that is opened; a longer one that may hold a statement is not readable."""

_BRACKETS = re.compile(r"[\[\]{}]")
_IN_YAML = re.compile(r"\b(?:Statement|Effect)['\"]?\s*:")
_ELEMENT = re.compile(r"[\"'](?:Statement|Effect)\\*[\"']|\bStatement\b.*\bEffect\b", re.DOTALL)


def opened(value: Any, depth: int = DEPTH, levels: int = MAX_DEPTH) -> Any:
    """The value with what JSON and YAML texts in it hold in place of the texts; in all it has no more levels."""
    if isinstance(value, str):
        held = _held(value) if len(value) > 1 else value
        if held is not value and deeper(held, levels):
            return _closed(value)
        return held if held is value or depth == 0 else opened(held, depth - 1, levels)
    if isinstance(value, dict):
        return {key: opened(item, depth, levels - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [opened(item, depth, levels - 1) for item in value]
    return value


def _held(text: str) -> Any:
    """What a text of JSON or YAML holds; the text itself where it is neither."""
    start = text.lstrip()[:1]
    if start in _OPENERS:
        try:
            # A document by the strict rules of IAM (a name twice is an error), other texts by those of JSON.
            held = documents.plain(text) if _ELEMENT.search(text) else json.loads(text)
        except (PolicyError, ValueError, RecursionError):
            return _closed(text)
        return text if isinstance(held, (int, float)) else held
    if ":" in text and _IN_YAML.search(text):
        return _yaml(text)
    return text


def mentions(value: Any) -> bool:
    """Whether a value can hold a policy statement."""
    if isinstance(value, (dict, list)):
        return "Effect" in repr(value)
    return isinstance(value, str) and "Effect" in value


def may_hold(value: Any) -> bool:
    """Whether a value can be a text that holds something else."""
    return isinstance(value, str) and (
        value.lstrip()[:1] in _OPENERS or (":" in value and bool(_IN_YAML.search(value)))
    )


_OPENERS = frozenset('{["')


class _Broken(str):
    """A text that names elements of a policy and cannot be read."""

    __slots__ = ()


def _closed(text: str) -> str:
    """A text that cannot be opened."""
    return _Broken(text) if _ELEMENT.search(text) or _IN_YAML.search(text) else text


def _yaml(text: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Tags of CloudFormation (`!Sub`, `!GetAtt`) stand for what is known only later. An alias is refused: a few
        lines of aliases of aliases hold more than any memory."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("an alias")
            return super().compose_node(parent, index)

    Loader.add_multi_constructor("!", lambda _loader, _suffix, _node: UNKNOWN)
    # Before it is loaded: the time that takes grows with the square of the levels.
    if len(text) > MAX_YAML or _brackets(text) > MAX_DEPTH:
        return _Broken(text)
    try:
        # Through JSON, so that the names of members are texts, which YAML's need not be.
        held = documents.plain(json.dumps(yaml.load(text, Loader)), most=8 * MAX_YAML)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, PolicyError, ValueError, TypeError, RecursionError):
        return _Broken(text)
    return held if isinstance(held, (dict, list)) else text


def _brackets(text: str) -> int:
    """The most brackets that are open at one place of a text."""
    return max(accumulate((1 if bracket in "[{" else -1 for bracket in _BRACKETS.findall(text)), initial=0))


def parted(value: Any) -> tuple[dict[str, Any], Any]:
    """The policy documents in an opened value by their path in it, and the value without them."""
    found: dict[str, Any] = {}
    rest = _split("", value, found)
    return found, rest


def _split(path: str, value: Any, found: dict[str, Any]) -> Any:
    if isinstance(value, _Broken):
        found[path] = str(value)
        return "(policy)"
    if isinstance(value, dict):
        if _is_document(value):
            found[path] = value
            return "(policy)"
        if _is_statement(value):
            found[path] = {"Version": "2012-10-17", "Statement": [value]}
            return "(policy)"
        return {key: _split(f"{path}.{key}" if path else str(key), item, found) for key, item in value.items()}
    if isinstance(value, list):
        return [_split(f"{path}[{_label(item, index)}]", item, found) for index, item in enumerate(value)]
    return value


def _label(item: Any, index: int) -> Any:
    """Entries that have a name are addressed by it, so that a moved one is compared with itself."""
    names = (item.get(key) for key in ("name", "Name", "Sid", "PolicyName")) if isinstance(item, dict) else ()
    return next((name for name in names if isinstance(name, str) and name), index)


def _is_document(value: dict[str, Any]) -> bool:
    if "Statement" not in value:
        return False
    statement = value["Statement"]
    if isinstance(statement, str):
        return is_unknown(statement) or is_hidden(statement) or isinstance(statement, _Broken)
    items = statement if isinstance(statement, list) else [statement]
    if not items:
        return "Version" in value or len(value) == 1
    return any(isinstance(item, dict) and "Effect" in item for item in items)


def _is_statement(value: dict[str, Any]) -> bool:
    return "Effect" in value and ("Action" in value or "NotAction" in value)


# --- words that name somebody or something outside


class _Patterns(NamedTuple):
    """What names somebody or something; made when it is first asked for, which a small preview may never do."""

    account: re.Pattern[str]
    arn: re.Pattern[str]
    principal: re.Pattern[str]
    network: re.Pattern[str]
    host: re.Pattern[str]


@cache
def _patterns() -> _Patterns:
    return _Patterns(
        account=re.compile(r"(?<![0-9A-Za-z])(\d{12})(?![0-9A-Za-z])"),
        arn=re.compile(r"arn:aws[\w-]*:(?:iam|sts|kms|secretsmanager|sso|organizations|ram):[^\s\"',]*"),
        principal=re.compile(
            r"(?<![\w.-])(?:\*|allUsers|allAuthenticatedUsers|Everyone|system:[\w:.-]+|vssgp\.[\w.-]+|aad(?:gp|sp)?\.[\w.-]+"
            r"|(?:user|group|serviceAccount|domain|principal|principalSet):[^\s\"',]+|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com)"
            r"(?![\w.-])"
        ),
        network=re.compile(
            r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?|[0-9a-fA-F:]*::[0-9a-fA-F:]*/\d{1,3})(?![\w.])"
        ),
        host=re.compile(
            r"[a-z][a-z0-9+.-]*://([^\s/\"'?#@,]*@)?([^\s/\"'?#:,]+(?::\d+)?)"
            r"|(?<![\w./@:-])((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,24})(?=[:/]|$)",
            re.IGNORECASE,
        ),
    )


_OPENS = re.compile(
    r"public|extern|anonymous|insecure|skip|bypass|disabl|allow|permit|expose|open|share|everyone|force|trust|admin"
    r"|privilege|wildcard|cross",
    re.IGNORECASE,
)
_MATTERS = re.compile(r"[:.*]|\d{12}|all(?:Users|Auth)|Everyone")
"""What a text has to hold before it is looked at closely."""


@lru_cache(maxsize=8192)
def names_in(text: str) -> frozenset[tuple[str, str]]:
    """What a text names: (kind, what it is) of accounts, ARNs of identities and keys, principals, networks, hosts."""
    if not _MATTERS.search(text) or text.startswith("sha256:"):
        return frozenset()
    known = _patterns()
    found = {("ARN", match.group()) for match in known.arn.finditer(text)}
    found |= {("account", number) for number in known.account.findall(text)}
    found |= {("principal", match.group()) for match in known.principal.finditer(text)}
    found |= {("network", match.group()) for match in known.network.finditer(text)}
    for match in known.host.finditer(text):
        host = match.group(2) or match.group(3)
        if not host.endswith(".amazonaws.com") or "://" in match.group() or ".dkr." in host:
            found.add(("host", host.lower()))
    return frozenset(found)


def names(value: Any) -> set[tuple[str, str]]:
    """What all texts of a value name, keys included."""
    found: set[tuple[str, str]] = set()
    for text in _texts(value):
        found |= names_in(text)
    return found


def _texts(value: Any) -> Iterator[str]:
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            todo.extend(item)
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, int) and not isinstance(item, bool) and item >= 10**11:
            yield str(item)


def telling(path: str, old: Any, new: Any) -> list[str]:
    """What a change says by its values: whom or what it names that it did not name before, and switches that sound
    like opening something."""
    said = [f"{kind} {what}" for kind, what in sorted(names(new) - names(old))]
    said += [f"no more {kind} {what}" for kind, what in sorted(names(old) - names(new))]
    return said or ([f"the switch {path}"] if _is_switch(path, old, new) else [])


def _is_switch(path: str, old: Any, new: Any) -> bool:
    switch = any(str(item).lower() in ("true", "false") for item in (old, new))
    return switch and bool(_OPENS.search(path.rpartition(".")[2]))


_FILE = re.compile(
    r"[^:/]*\.(?:ya?ml|json|toml|ini|cfg|txt|md|html?|css|js|mjs|ts|py|go|rb|php|sh|ps1|zip|tar|t?gz|jar|war|xml|log|lock|env)",
    re.IGNORECASE,
)
"""A file's name, which has the form of a host's."""


@lru_cache(maxsize=8192)
def whole(text: str) -> tuple[str, str] | None:
    """What a text names, where it names nothing else: an address can go on with a path."""
    text = text.strip()
    if not _MATTERS.search(text) or len(text) > 2048:
        return None
    known = _patterns()
    for kind, pattern in zip(("account", "ARN", "principal", "network"), known, strict=False):
        if pattern.fullmatch(text):
            return kind, text
    match = known.host.match(text)
    if match and not re.search(r"\s", text) and not _FILE.fullmatch(text):
        return "host", (match.group(2) or match.group(3)).lower()
    return None


# --- images


_IMAGE = re.compile(
    r"(?P<name>(?:[\w.-]+(?::\d+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


def image_name(value: Any) -> str:
    """The repository of an image's address, without tag and digest; "" for anything else."""
    match = _IMAGE.fullmatch(value) if isinstance(value, str) else None
    return match["name"] if match else ""


def same_image(old: Any, new: Any) -> bool:
    """Whether two addresses are of one repository, so that only the release differs."""
    return bool(image_name(old)) and image_name(old) == image_name(new)
