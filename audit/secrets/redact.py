"""Removes secrets from what was read, before anything is judged, hashed or written: a report is made of redacted
values only.

Four nets, each for what the one before lets through:
1. the engine's masks, kept as they are (`[secret]`), and its secret envelopes;
2. values under a name that says secret (`password`, `secretKey`, `privateKey`, ...) and variables marked isSecret;
3. values that are known: from the environment (--known-secrets) or found by 1 and 2, anywhere, also inside other
   text, escaped and encoded (audit.secrets.hidden);
4. shapes: private keys, AWS secret keys and session tokens, ECR and other JSON web tokens, Docker logins, Azure DevOps
   personal access tokens, tokens of well-known services, credentials and signatures in URLs, credentials in headers.

The structure stays: keys, lists and the text around a secret are kept, so that a report still says where something
changes.
"""

import base64
import json
import marshal
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any

from audit.model import (
    ENGINE_SECRET,
    NO_SECRETS,
    REDACTED,
    SECRET_ENVELOPE,
    SECRET_SIGNATURE,
    Plan,
    State,
    Step,
    is_unknown,
    kind_of,
)
from audit.secrets.hidden import SHORTEST, Finder

_SECRET_NAME = re.compile(
    r"(?:pass(?:word|wd|phrase)|secret(?:[-_. ]?(?:access)?[-_. ]?key)?|private[-_. ]?key|api[-_. "
    r"]?key|auth(?:orization)?[-_. ]?token"
    r"|access[-_. ]?token|session[-_. ]?token|security[-_. ]?token|identity[-_. ]?token|refresh[-_. "
    r"]?token|bearer[-_. ]?token|token"
    r"|connection[-_. ]?string|credentials?|client[-_. ]?secret|smtppasswordv\d|ciphertext|plaintext|dockerconfigjson"
    r"|secret[-_. ]?(?:string|value|binary)|token[-_. ]?value|(?:signing|shared|ssh)[-_. ]?key"
    r"|(?:^|[-_. ])(?:pat|auth|pwd|pass|pem)|(?-i:(?<=[a-z0-9])(?:Pwd|Pass|Pem)))s?$",
    re.IGNORECASE,
)
_NOT_SECRET_NAME = re.compile(
    r"(?:additional|existing|has|is|use|enable|require|allow|no)[-_]?(?:secret|password|token)s?$", re.IGNORECASE
)
_PLAIN_VALUE = re.compile(
    r"(?:|true|false|null|none|required|optional|enabled|disabled|always|never|-?\d{1,6}|\$\([^)]*\)|\$\{[^}]*\}|arn:[\w:/.*+=@-]*)",
    re.IGNORECASE,
)
"""Values that are no secret whatever their name says: flags, counts, references and ARNs."""

_REFERENCES = frozenset({"name", "valueFrom", "secretName", "namespace"})
"""Keys of an entry in a list of secrets that say which one is meant (`imagePullSecrets`, `secrets` of a container)."""

_ROLES = {  # of the keys of a named value: a variable, a tag, an environment variable
    "name": "name",
    "key": "name",
    "value": "value",
    "issecret": "mark",
}
_HOLDERS = (dict, list)
_PAIR_VALUES = frozenset({"value", "secretvalue"})
"""What such a pair keeps its value under, in lower case letters."""

_PEM = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
_SERVICES = (
    r"gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}|glpat-[A-Za-z0-9_-]{20,}|pul-[0-9a-f]{40}"
    r"|npm_[A-Za-z0-9]{36}|xox[abprs]-[A-Za-z0-9-]{10,}|dckr_pat_[A-Za-z0-9_-]{20,}|sk-[A-Za-z0-9_-]{32,}"
    r"|AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])|[rs]k_(?:live|test)_[A-Za-z0-9]{10,}"
)
_ASSIGNED = (
    r"(?i:(?:password|passwd|passphrase|secret|secret_?access_?key|secret_?key|token|api_?key|\bauth|accountkey"
    r"|sharedaccesskey)[\\\"']{0,4}\s*[=:]\s*[\\\"']{0,4})(?!\[)[^\s\\\"',;&{}\[\]()$]{6,}"
)
_OPTION_VALUE = r"[\s=]\s{0,4}[\\\"']{0,4}"
_LOGIN = (
    rf"(?i:\blogin\s)[^\n]{{0,300}}?\s(?:-p|--password){_OPTION_VALUE}(?![$\[])[^\s\\\"']{{6,}}"
    rf"|(?<![\w-])--password{_OPTION_VALUE}(?![$\[]|[a-z]{{1,15}}(?![^\s,.;:]))[^\s\\\"']{{6,}}"
)
"""A password among the words of a command; a sentence about the option goes on with a word in lower case letters."""
_LONG_RUN = re.compile(r"[A-Za-z0-9/+]{40}")
_AWS_LENGTH = 40
_CHANGES = 12
"""A random text of 40 characters of base64 is 25 pieces of one case or of digits, give or take 3, and 12 or less in 4
of 100,000; names of types and policies, and paths, that are as long are up to 12."""
_LONG = re.compile(
    r"(?P<base32>(?<![A-Za-z0-9])[a-z2-7]{52}(?![A-Za-z0-9]))"
    r"|(?P<azdo>[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4})"
    r"|(?P<pat84>(?<![A-Za-z0-9])[A-Za-z0-9]{84}(?![A-Za-z0-9]))"
    r"|(?P<storage>(?<![A-Za-z0-9/+])(?<!sha512-)(?<!sha512:)[A-Za-z0-9/+]{86}==)"
)
_AWS = re.compile(r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40,168}(?![A-Za-z0-9/+])={0,2}")
_QUOTED = r"(?:[A-Za-z0-9]|%(?:25)?2[BbFf])"
"""A character of base64 in a URL."""
_SHAPES: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = (
    (("-----begin",), re.compile(rf"(?P<pem>{_PEM})", re.DOTALL)),
    (
        ("eyj",),
        re.compile(r"(?P<jwt>(?:\beyJ[A-Za-z0-9_+/-]{16,}|eyJ[A-Za-z0-9_+/-]{60,})={0,2}(?:\.[A-Za-z0-9_-]*){0,4})"),
    ),
    (("qvdto",), re.compile(r"(?P<docker>\bQVdTO[A-Za-z0-9+/=_-]{12,})")),
    (
        ("iqoj", "fwog", "fqog", "aqod"),
        re.compile(r"(?P<session>\b(?:IQoJ|FwoG|FQoG|AQoD)[A-Za-z0-9+/=_-]{80,})"),
    ),
    (
        (
            "ghp_",
            "gho_",
            "ghu_",
            "ghs_",
            "ghr_",
            "github_pat_",
            "glpat-",
            "pul-",
            "npm_",
            "xox",
            "dckr_pat_",
            "sk-",
            "aiza",
            "k_live_",
            "k_test_",
        ),
        re.compile(rf"(?P<service>\b(?:{_SERVICES}))"),
    ),
    (("@",), re.compile(r"(?P<url>(?<=://)[^\s/:@\"'<>]*:[^\s/@\"'<>]+(?=@))")),
    (("@",), re.compile(r"(?P<user>(?i:\bhttps?)://[^\s/:@\"'<>?#]+(?=@))")),
    (
        ("sig=", "sig%3d", "signature=", "signature%3d"),
        re.compile(
            r"(?P<signature>(?i:(?:(?<![A-Za-z0-9])|(?<=u0026)|(?<=%26))(?:sig|(?:x-amz-)?signature)(?:=|%3d))[A-Za-z0-9%+/_-]{16,}={0,2})"
        ),
    ),
    (("q~",), re.compile(r"(?P<client>[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34})")),
    (
        ("%2f", "%2b", "%252f", "%252b"),
        re.compile(rf"(?P<quoted>(?:(?<![A-Za-z0-9%])|(?<=%[0-9A-Fa-f]{{2}})){_QUOTED}{{40}}(?!{_QUOTED}))"),
    ),
    (("hooks.slack",), re.compile(r"(?P<webhook>(?i:hooks\.slack(?:-gov)?\.com/)[a-z]{4,16}/[A-Za-z0-9/_-]{8,})")),
    (("login", "pass"), re.compile(rf"(?P<login>{_LOGIN})")),
    (("basic", "bearer"), re.compile(r"(?P<header>(?i:\b(?:basic|bearer)\s+)[A-Za-z0-9+/=_.~-]{8,})")),
    (("pass", "secret", "token", "key", "auth"), re.compile(rf"(?P<assigned>{_ASSIGNED})")),
)
"""What a text in lower case has to hold before a shape is looked for, and the shape."""

_OPTION = re.compile(rf"\s(?:-p|--password){_OPTION_VALUE}(?=[^\s\\\"']{{6,}}\Z)|^--password{_OPTION_VALUE}")
_ASSIGNMENT = re.compile(r"[=:]\s*[\\\"']{0,4}")
_USER_NAME = re.compile(r"(?=.{1,32}$)[a-z]+(?:[._-][a-z]+)*")
"""A user without a password in an address, such as `git`: no token looks like that."""
_CLASS = str.maketrans(ascii_lowercase + ascii_uppercase + digits, "a" * 26 + "A" * 26 + "0" * 10, "/")
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_ACCOUNT = re.compile(r"\d{12}:")
_TYPE = re.compile(r"/(\w+):(\w+)")
_SHORTEST_SHAPE = 10
_SHORTEST_TOKEN = 15
"""Characters of the shortest shape of letters, digits and hyphens only."""
_NEEDLES = tuple(dict.fromkeys(needle for needles, _ in _SHAPES for needle in needles))


@dataclass(slots=True, frozen=True)
class _Keys:
    """What the names of an object's keys say; the same for all objects of a kind."""

    secret: tuple[str, ...]
    """Those that say secret."""
    marks: tuple[str, ...]
    """Those whose value says whether the object is secret."""
    names: tuple[str, ...]
    """Those whose value names what the object holds, if it holds a value."""
    tells: bool
    """Whether the object can be a secret envelope or hold configuration."""


class Redactor:
    """Collects secrets while a plan is read (`visit`), then takes them out of everything (`plan`, `value`, `text`)."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        """`known`: secret values, for instance from the environment. They are never printed."""
        self.given = {secret for secret in known if secret}
        self.known = set(self.given)
        self.secret_config: set[str] = set()
        self._finder: Finder | None = None
        self._cache: dict[str, str] = {}
        self._names: dict[str, bool] = {}
        self._keys: dict[str, tuple[str, bool]] = {}
        self._kinds: dict[tuple[str, ...], _Keys] = {}

    # --- collecting

    def visit(self, value: Any, seen: Any = None) -> None:
        """Collects what a raw value shows to be secret: by its name, by its mark or by its envelope. `seen`: an object
        that was visited before; what `value` repeats of it is passed over."""
        todo: list[Any] = []
        if isinstance(value, dict):
            self._visit_mapping(value, todo, seen if isinstance(seen, dict) else {})
        else:
            todo.append(value)
        while todo:
            item = todo.pop()
            if isinstance(item, dict):
                self._visit_mapping(item, todo, {})
            elif isinstance(item, list):
                todo.extend(child for child in item if isinstance(child, (dict, list)))

    def _visit_mapping(self, item: Mapping[str, Any], todo: list[Any], seen: Mapping[str, Any]) -> None:
        """Collects from one object, and adds what has to be visited below it to `todo`."""
        keys = self._kinds.get(tuple(item)) or self._keys_of(item)
        for key in keys.secret:
            if isinstance(item[key], str):
                self._collect(item[key])
        if keys.marks or keys.names or keys.tells:
            self._collect_marked(item)
        if seen:
            for key, child in item.items():
                if child.__class__ in _HOLDERS and child and seen.get(key) != child:
                    todo.append(child)
        else:
            todo.extend([child for child in item.values() if child.__class__ in _HOLDERS and child])

    def _keys_of(self, item: Mapping[str, Any]) -> _Keys:
        roles = {name: _role(name) for name in item}
        keys = _Keys(
            secret=tuple(filter(self._secret_name, item)),
            marks=tuple(name for name, role in roles.items() if role == "mark"),
            names=tuple(name for name, role in roles.items() if role == "name") if "value" in roles.values() else (),
            tells=SECRET_ENVELOPE in item or "config" in item,
        )
        if len(self._kinds) < 10_000:
            self._kinds[tuple(item)] = keys
        return keys

    def _collect_config(self, config: Mapping[str, Any]) -> None:
        """Names of configuration that the engine masks: a property of the same name in clear is that secret."""
        for name, value in config.items():
            if value == ENGINE_SECRET:
                short = name.rsplit(":", 1)[-1]
                self.secret_config.add(_flat(short))
                self._names.clear()
                self._keys.clear()
                self._kinds.clear()

    def _collect_marked(self, item: Mapping[str, Any]) -> None:
        if isinstance(item.get("config"), dict):
            self._collect_config(item["config"])
        if item.get(SECRET_ENVELOPE) == SECRET_SIGNATURE:
            for text in (item.get("plaintext"), item.get("ciphertext"), item.get("value")):
                if isinstance(text, str):
                    self._collect(text)
                    self._collect(_unquoted(text))
        elif self._marked(item):
            for name, value in item.items():
                if isinstance(value, str) and _flat(name) in _PAIR_VALUES:
                    self._collect(value)

    def _marked(self, item: Mapping[str, Any]) -> bool:
        """Whether this is a named value (a variable of a group, an environment variable) whose mark or name says
        secret."""
        keys = self._kinds.get(tuple(item)) or self._keys_of(item)
        if not keys.marks and not keys.names:
            return False
        if any(item[mark] in (True, "true", "True") for mark in keys.marks):
            return True
        return any(isinstance(item[name], str) and self._secret_name(item[name]) for name in keys.names)

    def _collect(self, value: str) -> None:
        if 8 <= len(value) <= 1 << 16 and value not in self.known and _is_secret_value(value):
            self.known.add(value)
            self._finder = None
            self._cache.clear()
            self._keys.clear()

    def _is_secret_name(self, key: str) -> bool:
        secret = bool(_SECRET_NAME.search(key)) and not _NOT_SECRET_NAME.search(key)
        secret = secret or (bool(self.secret_config) and _flat(key) in self.secret_config)
        if len(self._names) < 100_000:
            self._names[key] = secret
        return secret

    # --- removing

    def plan(self, plan: Plan) -> Plan:
        """The same plan without secrets; it is changed in place, so that nothing unredacted is left behind."""
        for step in (*plan.steps, *plan.unchanged):
            step.op, step.urn, step.type = self.text(step.op), self.text(step.urn), self.text(step.type)
            self._step(step)
            step.diff_reasons = [self.text(item) for item in step.diff_reasons]
            step.replace_reasons = [self.text(item) for item in step.replace_reasons]
            step.detailed_diff = {self.text(path): self.text(kind) for path, kind in step.detailed_diff.items()}
        for diagnostic in plan.diagnostics:
            diagnostic.message, diagnostic.urn = self.text(diagnostic.message), self.text(diagnostic.urn)
            diagnostic.severity = self.text(diagnostic.severity)
        for violation in plan.violations:
            for name in violation.__slots__:
                setattr(violation, name, self.text(getattr(violation, name)))
        plan.config = {self.text(name): self.value(value, name) for name, value in plan.config.items()}
        plan.counts = {self.text(op): count for op, count in plan.counts.items()}
        plan.stack, plan.project = self.text(plan.stack), self.text(plan.project)
        return plan

    def _step(self, step: Step) -> None:
        """Both sides of a step; most of the new one repeats the old one, and most outputs repeat their input."""
        inputs: dict[str, Any] = {}
        shown: dict[str, Any] = {}
        plain = NO_SECRETS.get(kind_of(step.type), ())
        for state in (step.old, step.new):
            if state is not None:
                before, inputs = inputs, state.inputs
                outputs = state.outputs
                state.inputs = shown = self._repeating(inputs, before, shown)
                state.outputs = self._repeating(outputs, inputs, shown)
                for name in plain:  # by their shape and what is known only
                    state.inputs, state.outputs = (
                        {**masked, name: self.value(raw[name])} if name in raw else masked
                        for masked, raw in ((state.inputs, inputs), (state.outputs, outputs))
                    )
                self._options(state)

    def _options(self, state: State) -> None:
        state.id, state.parent, state.provider = self.text(state.id), self.text(state.parent), self.text(state.provider)
        state.source = self.text(state.source)
        if state.dependencies:
            state.dependencies = [self.text(urn) for urn in state.dependencies]
        if state.secret_outputs:
            state.secret_outputs = [self.text(name) for name in state.secret_outputs]
        if state.options:
            state.options = {name: self.value(value, name) for name, value in state.options.items()}
        if state.property_dependencies:
            state.property_dependencies = {
                self.text(name): [self.text(urn) for urn in urns]
                for name, urns in state.property_dependencies.items()
                if urns
            }

    def _repeating(self, values: dict[str, Any], raw: dict[str, Any], redacted: dict[str, Any]) -> dict[str, Any]:
        """The values redacted; what repeats an item of `raw` is taken from `redacted`, which was made of it."""
        if _same(values, raw):
            return redacted
        own = {name: item for name, item in values.items() if name not in raw or not _same(raw[name], item)}
        # Where a name is masked too, or the values say something about each other, all is done anew.
        if len(own) < len(values) and redacted.keys() == raw.keys() and not self._speaks(values):
            shown = self.value(own)
            if shown.keys() == own.keys():
                return {name: shown[name] if name in own else redacted[name] for name in values}
        shown = self.value(values)
        return shown if isinstance(shown, dict) else {"value": shown}

    def _speaks(self, values: dict[str, Any]) -> bool:
        return SECRET_ENVELOPE in values or self._marked(values)

    def value(self, value: Any, name: str = "") -> Any:
        """A JSON value without secrets. `name` is the key that it stands under."""
        if isinstance(value, str):
            if name and self._secret_name(name) and _is_secret_value(value):
                return REDACTED
            return self.text(value)
        if isinstance(value, dict):
            return self._mapping(value, name)
        if isinstance(value, list):
            return [self._entry(item, name) for item in value]
        return REDACTED if name and _is_secret_number(value) and self._secret_name(name) else self._number(value)

    def _entry(self, item: Any, name: str) -> Any:
        """An entry of a list; one that only names a secret holds none."""
        refers = isinstance(item, dict) and item.keys() <= _REFERENCES
        return self.value(item, "" if refers else name)

    def _mapping(self, value: dict[str, Any], name: str) -> Any:
        if value.get(SECRET_ENVELOPE) == SECRET_SIGNATURE:
            return ENGINE_SECRET
        if not value:
            return value
        marked = self._marked(value)
        # A map under a secret name (docker `auths`, `credentials`) is secret in its leaves.
        below_secret = bool(name) and self._secret_name(name)
        result: dict[str, Any] = {}
        keys, cache = self._keys, self._cache
        for key, item in value.items():
            known = keys.get(key)
            shown, says_secret = self._key(key) if known is None else known
            if shown != key:
                while shown in result:
                    shown += "'"
            if isinstance(item, str):
                below = below_secret and not _NOT_SECRET_NAME.search(key)
                secret = says_secret or below or (marked and _flat(key) in _PAIR_VALUES)
                cached = cache.get(item)
                if secret and _is_secret_value(item):
                    result[shown] = REDACTED
                else:
                    result[shown] = self.text(item) if cached is None else cached
            elif isinstance(item, (dict, list)):
                result[shown] = self.value(item, name if below_secret and not says_secret else key)
            else:
                secret = says_secret or below_secret or (marked and _flat(key) in _PAIR_VALUES)
                result[shown] = REDACTED if secret and _is_secret_number(item) else self._number(item)
        return result

    def _key(self, key: str) -> tuple[str, bool]:
        """How a key is shown, and whether it says secret."""
        self._keys[key] = known = (self.text(key), self._secret_name(key))
        return known

    def _number(self, value: Any) -> Any:
        plain = value is None or value is True or value is False or not self.known
        return REDACTED if not plain and str(value) in self.known else value

    def _secret_name(self, key: str) -> bool:
        secret = self._names.get(key)
        return self._is_secret_name(key) if secret is None else secret

    def text(self, text: str) -> str:
        """A text without secrets; what is not secret in it stays."""
        if len(text) < SHORTEST:
            return REDACTED if text in self.known else text
        if len(text) > 256:
            return self._text(text)
        cached = self._cache.get(text)
        if cached is None:
            cached = self._text(text)
            if len(self._cache) < 200_000:
                self._cache[text] = cached
        return cached

    def _text(self, text: str) -> str:
        if text in (ENGINE_SECRET, REDACTED) or is_unknown(text):
            return text
        if self.known:
            if text in self.known:
                return REDACTED
            if self._finder is None:
                self._finder = Finder(self.known)
            for start, end in reversed(self._finder.spans(text)):
                text = text[:start] + REDACTED + text[end:]
        if text.startswith("urn:pulumi:"):
            parts = text.split("::", 3)  # a resource's type can sound like an assignment to its name
            return "::".join((_without_shapes("::".join(parts[:3])), *map(_without_shapes, parts[3:])))
        return _without_shapes(text)


def _without_shapes(text: str) -> str:
    if len(text) < _SHORTEST_SHAPE or (len(text) < _SHORTEST_TOKEN and text.replace("-", "").isalnum()):
        return text
    return (
        _short_without_shapes(text)
        if len(text) < 256
        else _without_plain_shapes(_ENCODED.sub(_without_encoded_shapes, text))
    )


@lru_cache(maxsize=1 << 16)
def _short_without_shapes(text: str) -> str:
    return _without_plain_shapes(_ENCODED.sub(_without_encoded_shapes, text))


def _without_encoded_shapes(match: re.Match[str]) -> str:
    """A run of base64 that holds a secret's shape once decoded is masked as a whole."""
    run = match.group()
    if run.islower() or run.isupper():  # base64 of a text has both
        return run
    return REDACTED if any(_without_plain_shapes(decoded) != decoded for decoded in _decodings(run)) else run


def _decodings(run: str) -> list[str]:
    """The texts that a run of base64 can stand for; it may begin anywhere, since what stands before it may belong to
    the alphabet."""
    plain = run.rstrip("=").replace("-", "+").replace("_", "/")
    found = []
    for start in range(min(4, len(plain) - 15)):
        part = plain[start:]
        part = part[:-1] if len(part) % 4 == 1 else part + "=" * (-len(part) % 4)
        text = base64.b64decode(part).decode("utf-8", "replace")
        if text.count("\ufffd") * 8 <= len(text):
            found.append(text)
    return found


def _without_plain_shapes(text: str) -> str:
    lower = text.lower()
    for needle in _NEEDLES:  # faster than one pattern of them all
        if needle in lower:
            for needles, shape in _SHAPES:
                if any(needle in lower for needle in needles):
                    text = shape.sub(_mask_shape, text)
            break
    if len(text) >= _AWS_LENGTH and _LONG_RUN.search(text):
        text = _AWS.sub(_without_aws_keys, _LONG.sub(_mask_shape, text))
    return text


def _mask_shape(match: re.Match[str]) -> str:
    shape, text = match.lastgroup, match.group()
    if shape in _LOOKS_SECRET:
        return REDACTED if _LOOKS_SECRET[shape](text) else text
    if shape == "url":
        return text.split(":", 1)[0] + ":" + REDACTED
    if shape == "login":
        at = _OPTION.search(text)
        return text[: at.end()] + REDACTED if at else REDACTED
    if shape == "webhook":
        return "/".join([*text.split("/")[:2], REDACTED])
    if shape == "user":
        name = text.partition("://")[2]
        # A clone of Azure Repos has its organisation there.
        plain = _USER_NAME.fullmatch(name) or match.string.startswith(f"@dev.azure.com/{name}/", match.end())
        return text if plain else text[: -len(name)] + REDACTED
    if shape == "signature":
        at = re.search("=|%3[dD]", text)
        return text[: at.end()] + REDACTED if at else REDACTED
    if shape == "header":
        return text.split(None, 1)[0] + " " + REDACTED
    if shape == "assigned":
        at = _ASSIGNMENT.search(text)
        if at is None or _is_type(match) or not _is_secret_value(text[at.end() :]):
            return text
        return text[: at.end()] + REDACTED
    return REDACTED


def _is_type(match: re.Match[str]) -> bool:
    """Whether what looks like an assignment is a part of an ARN (`...:123456789012:secret:NAME`) or a type token such
    as `random:index/randomPassword:RandomPassword`."""
    text = match.string
    if _ACCOUNT.fullmatch(text, max(0, match.start() - 13), match.start()):
        return True
    token = _TYPE.match(text, text.rfind("/", max(0, match.start() - 100), match.start()))
    return bool(token and token.end(1) > match.start() and token[1].lower() == token[2].lower())


def _without_aws_keys(match: re.Match[str]) -> str:
    """A run of base64's letters without the AWS secret keys in it: 40 characters that are the whole run, or stand
    between its slashes."""
    run = match.group()
    text = run.rstrip("=")
    if len(text) == _AWS_LENGTH:
        return REDACTED + run[_AWS_LENGTH:] if _is_random(text, _CHANGES) else run
    if text != run and len(run) % 4 == 0:
        return run  # one value of padded base64, such as a digest
    for start in (0, *(at + 1 for at, letter in enumerate(text) if letter == "/")):
        end = start + _AWS_LENGTH
        if end > len(text) or (end < len(text) and text[end] != "/"):
            continue
        # Longer values of base64 have slashes too; around a key stand words.
        around = (text[:start], text[end:])
        if _is_random(text[start:end], _CHANGES) and not any(_is_random(part, len(part) / 3) for part in around):
            return around[0] + REDACTED + around[1] + run[len(text) :]
    return run


def _is_random(text: str, least: float) -> bool:
    """Whether a text has upper and lower case and is more pieces than that of one case or of digits. A name has no
    plus sign."""
    if text in (text.lower(), text.upper()):
        return False
    return "+" in text or len(re.findall(r"(.)(?!\1)", text.translate(_CLASS))) > least


def _mixed(text: str) -> bool:
    """Upper case, lower case and digits: what a long random token has, and a hexadecimal digest has not."""
    return bool(re.search(r"[A-Z]", text) and re.search(r"[a-z]", text) and re.search(r"[0-9]", text))


def _unquoted_twice(text: str) -> str:
    from urllib.parse import unquote  # brings much, and such a text is rare

    return unquote(unquote(text))


_LOOKS_SECRET: Mapping[str | None, Callable[[str], bool]] = {
    "pat84": _mixed,
    "storage": _mixed,
    "base32": lambda text: bool(re.search(r"[2-7]", text)),
    "quoted": lambda text: "%" in text and _is_random(_unquoted_twice(text), _CHANGES),
}
"""Shapes that other texts have too, and what the secret ones have besides."""


def _same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same; unlike `==`, which takes 1 for true."""
    return one.__class__ is other.__class__ and bool(
        one == other and (one.__class__ is str or marshal.dumps(one, 0) == marshal.dumps(other, 0))
    )


def _is_secret_value(value: str) -> bool:
    """Whether a value under a secret name is a secret: not masked already, not unknown, not a flag, a number or a
    reference."""
    return value not in (ENGINE_SECRET, REDACTED) and not is_unknown(value) and not _PLAIN_VALUE.fullmatch(value)


def _is_secret_number(value: Any) -> bool:
    """Whether a number under a secret name is a secret: seven digits or more; fewer are a count or a flag."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and len(re.sub(r"\D", "", str(value))) >= 7


@lru_cache(maxsize=1 << 16)
def _role(name: str) -> str | None:
    """What a key says of the named value that it stands in."""
    return _ROLES.get(_flat(name))


@lru_cache(maxsize=1 << 16)
def _flat(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _unquoted(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else text
