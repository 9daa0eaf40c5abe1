"""Removes secrets from what was read, before anything is judged, hashed or written: a report is made of redacted
values only.

Four nets, each for what the one before lets through:
1. the engine's masks, kept as they are (`[secret]`), and its secret envelopes;
2. values under a name that says secret (`password`, `secretKey`, `privateKey`, ...) and variables marked isSecret;
3. values that are known: from the environment (--known-secrets) or found by 1 and 2, anywhere, also inside other
text and encoded (URL, base64 at any offset, hexadecimal, JSON and HTML escapes);
4. shapes: private keys, AWS secret keys and session tokens, ECR and other JSON web tokens, Docker logins, Azure DevOps
   personal access tokens, tokens of well-known services, credentials in URLs and headers.

The structure stays: keys, lists and the text around a secret are kept, so that a report still says where something
changes.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from audit.model import ENGINE_SECRET, REDACTED, Plan, State, is_unknown

SECRET_ENVELOPE = "4dabf18193072939515e22adb298388d"  # noqa: S105 - sdk/go/common/resource/sig/sig.go, the key of a typed value
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - its value for a secret

SHORTEST = 4
"""A known secret shorter than this is masked only where it is the whole value: replacing it everywhere would mask
ordinary text."""

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
    r"(?:additional|has|is|use|enable|require|allow|no)[-_]?(?:secret|password|token)s?$", re.IGNORECASE
)
_PLAIN_VALUE = re.compile(
    r"(?:|true|false|null|none|-?\d{1,6}|\$\([^)]*\)|\$\{[^}]*\}|arn:[\w:/.*+=@-]*)", re.IGNORECASE
)
"""Values that are no secret whatever their name says: flags, counts, references and ARNs."""

_PAIR_NAMES = frozenset({"name", "Name", "NAME", "key", "Key", "KEY", "isSecret", "IsSecret", "issecret", "is_secret"})
"""A named value (a variable, a tag, an environment variable) has one of these keys."""
_PAIR_VALUES = frozenset({"value", "secretvalue"})
"""What such a pair keeps its value under, in lower case letters."""

_PEM = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
_SERVICES = (
    r"gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}|glpat-[A-Za-z0-9_-]{20,}|pul-[0-9a-f]{40}"
    r"|npm_[A-Za-z0-9]{36}|xox[abprs]-[A-Za-z0-9-]{10,}|dckr_pat_[A-Za-z0-9_-]{20,}|sk-[A-Za-z0-9_-]{32,}"
)
_ASSIGNED = (
    r"(?i:(?:password|passwd|passphrase|secret|secret_?access_?key|secret_?key|token|api_?key|\bauth|accountkey"
    r"|sharedaccesskey)[\\\"']{0,4}\s*[=:]\s*[\\\"']{0,4})(?!\[)[^\s\\\"',;&{}\[\]()$]{6,}"
)
_LONG_RUN = re.compile(r"[A-Za-z0-9/+]{40}")
_LONG = re.compile(
    r"(?P<base32>(?<![A-Za-z0-9])[a-z2-7]{52}(?![A-Za-z0-9]))"
    r"|(?P<azdo>[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4})"
    r"|(?P<pat84>(?<![A-Za-z0-9])[A-Za-z0-9]{84}(?![A-Za-z0-9]))"
    r"|(?P<aws40>(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=]))"
)
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
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "pul-", "npm_", "xox", "dckr_pat_", "sk-"),
        re.compile(rf"(?P<service>\b(?:{_SERVICES}))"),
    ),
    (("://",), re.compile(r"(?P<url>(?<=://)[^\s/:@\"'<>]*:[^\s/@\"'<>]+(?=@))")),
    (("basic", "bearer"), re.compile(r"(?P<header>(?i:\b(?:basic|bearer)\s+)[A-Za-z0-9+/=_.~-]{8,})")),
    (("pass", "secret", "token", "key", "auth"), re.compile(rf"(?P<assigned>{_ASSIGNED})")),
)
"""What a text in lower case has to hold before a shape is looked for, and the shape."""

_ASSIGNMENT = re.compile(r"[=:]\s*[\\\"']{0,4}")
_WORDS = r"(?=[A-Za-z]{3})(?:[A-Z]{3,}|(?:[a-z]{2,})?(?:[A-Z]+[a-z]{2,})*)[0-9]{0,4}"
_PATH = re.compile(rf"/?{_WORDS}(?:/{_WORDS})+/?")
"""Words with slashes; a random key changes its case too often to be one."""
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_NEEDLE = re.compile("|".join(re.escape(needle) for needles, _ in _SHAPES for needle in needles))

MOST_FOUND = 200
"""Secrets found in the plan that are looked for in every encoding; further ones are masked where they are the whole
value."""


class Redactor:
    """Collects secrets while a plan is read (`visit`), then takes them out of everything (`plan`, `value`, `text`)."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        """`known`: secret values, for instance from the environment. They are never printed."""
        self.given = {secret for secret in known if secret}
        self.known = set(self.given)
        self.secret_config: set[str] = set()
        self._forms: list[str] | None = None
        self._cache: dict[str, str] = {}
        self._names: dict[str, bool] = {}
        self._keys: dict[str, tuple[str, bool]] = {}

    # --- collecting

    def visit(self, value: Any) -> None:
        """Collects what a raw value shows to be secret: by its name, by its mark or by its envelope."""
        todo = [value]
        while todo:
            item = todo.pop()
            if isinstance(item, dict):
                self._visit_mapping(item, todo)
            elif isinstance(item, list):
                todo.extend(child for child in item if isinstance(child, (dict, list)))

    def _visit_mapping(self, item: Mapping[str, Any], todo: list[Any]) -> None:
        """Collects from one object, and adds what has to be visited below it to `todo`."""
        names = self._names
        for key, child in item.items():
            if isinstance(child, str):
                secret = names.get(key)
                if self._is_secret_name(key) if secret is None else secret:
                    self._collect(child)
            elif isinstance(child, (dict, list)):
                todo.append(child)
        if SECRET_ENVELOPE in item or not _PAIR_NAMES.isdisjoint(item):
            self._collect_marked(item)
        if isinstance(item.get("config"), dict):
            self._collect_config(item["config"])

    def _collect_config(self, config: Mapping[str, Any]) -> None:
        """Names of configuration that the engine masks: a property of the same name in clear is that secret."""
        for name, value in config.items():
            if value == ENGINE_SECRET:
                short = name.rsplit(":", 1)[-1]
                self.secret_config.add(_flat(short))
                self._names.clear()
                self._keys.clear()

    def _collect_marked(self, item: Mapping[str, Any]) -> None:
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
        flat = {_flat(key): value for key, value in item.items()}
        if flat.get("issecret") in (True, "true", "True"):
            return True
        names = (flat.get("name"), flat.get("key"))
        return "value" in flat and any(isinstance(name, str) and self._secret_name(name) for name in names)

    def _collect(self, value: str) -> None:
        if 8 <= len(value) <= 1 << 16 and value not in self.known and _is_secret_value(value):
            self.known.add(value)
            self._forms = None
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
            for state in (step.old, step.new):
                if state is not None:
                    self._state(state)
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

    def _state(self, state: State) -> None:
        inputs, outputs = state.inputs, state.outputs
        state.inputs = self.value(inputs)
        state.outputs = state.inputs if outputs == inputs else self._outputs(outputs, inputs, state.inputs)
        state.id, state.parent, state.provider = self.text(state.id), self.text(state.parent), self.text(state.provider)
        state.source = self.text(state.source)
        state.dependencies = [self.text(urn) for urn in state.dependencies]
        state.secret_outputs = [self.text(name) for name in state.secret_outputs]
        state.property_dependencies = {
            self.text(name): [self.text(urn) for urn in urns]
            for name, urns in state.property_dependencies.items()
            if urns
        }

    def _outputs(self, outputs: dict[str, Any], inputs: dict[str, Any], redacted: dict[str, Any]) -> dict[str, Any]:
        """Most outputs repeat their input: what was redacted there is taken over."""
        own = {name: item for name, item in outputs.items() if name not in inputs or inputs[name] != item}
        repeated = {name: redacted[name] for name in outputs if name not in own and name in redacted}
        return {**self.value(own), **repeated}

    def value(self, value: Any, name: str = "") -> Any:
        """A JSON value without secrets. `name` is the key that it stands under."""
        if isinstance(value, str):
            if name and self._secret_name(name) and _is_secret_value(value):
                return REDACTED
            return self.text(value)
        if isinstance(value, dict):
            return self._mapping(value, name)
        if isinstance(value, list):
            return [self.value(item, name) for item in value]
        return REDACTED if name and _is_secret_number(value) and self._secret_name(name) else self._number(value)

    def _mapping(self, value: dict[str, Any], name: str) -> Any:
        if value.get(SECRET_ENVELOPE) == SECRET_SIGNATURE:
            return ENGINE_SECRET
        marked = not _PAIR_NAMES.isdisjoint(value) and self._marked(value)
        # A map under a secret name (docker `auths`, `credentials`) is secret in its leaves.
        below_secret = bool(name) and self._secret_name(name)
        result: dict[str, Any] = {}
        keys, cache = self._keys, self._cache
        for key, item in value.items():
            known = keys.get(key)
            shown, says_secret = self._key(key) if known is None else known
            while shown in result and shown != key:
                shown += "'"
            if isinstance(item, str):
                secret = says_secret or below_secret or (marked and _flat(key) in _PAIR_VALUES)
                if secret and _is_secret_value(item):
                    result[shown] = REDACTED
                else:
                    cached = cache.get(item)
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
        if isinstance(value, (int, float)) and not isinstance(value, bool) and str(value) in self.known:
            return REDACTED
        return value

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
        if text in self.known:
            return REDACTED
        for form in self.forms():
            if form in text:
                text = text.replace(form, REDACTED)
        return _without_shapes(_ENCODED.sub(self._encoded, text) if len(text) >= 16 else text)

    def _encoded(self, match: re.Match[str]) -> str:
        """A run of base64 that holds a secret once decoded is masked as a whole."""
        run = match.group()
        if run.islower() or run.isupper():  # base64 of a text has both
            return run
        for decoded in _decodings(run):
            if any(form in decoded for form in self.forms()) or _without_shapes(decoded) != decoded:
                return REDACTED
        return run

    def forms(self) -> list[str]:
        """Every form in which a known secret is looked for, longest first."""
        if self._forms is None:
            searched = self.given | set(sorted(self.known - self.given)[:MOST_FOUND])
            found = {form for secret in searched if len(secret) >= SHORTEST for form in encodings(secret)}
            self._forms = sorted(found, key=lambda form: (-len(form), form))
        return self._forms


def encodings(secret: str) -> set[str]:
    """The secret and its usual encodings: URL, base64 (three offsets, both alphabets), hexadecimal, JSON once and
    twice, HTML."""
    raw = secret.encode("utf-8", "surrogatepass")
    forms = {secret, secret.strip()}
    forms |= {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    forms |= {form.replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d") for form in list(forms)}
    forms |= {raw.hex(), raw.hex().upper(), html.escape(secret), html.escape(secret, quote=False)}
    for ascii_only in (True, False):
        once = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        forms |= {once, json.dumps(once, ensure_ascii=ascii_only)[1:-1], once.replace("/", "\\/")}
    if len(raw) >= 6:
        forms |= _base64_forms(raw)
    return {form for form in forms if len(form) >= SHORTEST}


def _base64_forms(raw: bytes) -> set[str]:
    """The part of a base64 text that is the same whatever stands before and after the secret, for the three offsets."""
    forms = set()
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + raw).decode()
        start = (0, 2, 3)[offset]
        stable = text.rstrip("=")[start:]
        if (offset + len(raw)) % 3:
            stable = stable[:-1]
        if len(stable) >= 8:
            forms |= {stable, stable.replace("+", "-").replace("/", "_")}
    return forms


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


def _without_shapes(text: str) -> str:
    lower = text.lower()
    if _NEEDLE.search(lower):
        for needles, shape in _SHAPES:
            if any(needle in lower for needle in needles):
                text = shape.sub(_mask_shape, text)
    return _LONG.sub(_mask_shape, text) if len(text) >= 40 and _LONG_RUN.search(text) else text


def _mask_shape(match: re.Match[str]) -> str:
    shape, text = match.lastgroup, match.group()
    if shape == "aws40":
        return REDACTED if text not in (text.lower(), text.upper()) and not _PATH.fullmatch(text) else text
    if shape == "pat84":
        return REDACTED if _mixed(text) else text
    if shape == "base32":
        return REDACTED if re.search(r"[2-7]", text) else text
    if shape == "url":
        return text.split(":", 1)[0] + ":" + REDACTED
    if shape == "header":
        return text.split(None, 1)[0] + " " + REDACTED
    if shape == "assigned":
        at = _ASSIGNMENT.search(text)
        value = text[at.end() :] if at else text
        return text[: at.end()] + REDACTED if at and _is_secret_value(value) else text
    return REDACTED


def _mixed(text: str) -> bool:
    """Upper case, lower case and digits: what a long random token has, and a hexadecimal digest has not."""
    return bool(re.search(r"[A-Z]", text) and re.search(r"[a-z]", text) and re.search(r"[0-9]", text))


def _is_secret_value(value: str) -> bool:
    """Whether a value under a secret name is a secret: not masked already, not unknown, not a flag, a number or a
    reference."""
    return value not in (ENGINE_SECRET, REDACTED) and not is_unknown(value) and not _PLAIN_VALUE.fullmatch(value)


def _is_secret_number(value: Any) -> bool:
    """Whether a number under a secret name is a secret: seven digits or more; fewer are a count or a flag."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and len(re.sub(r"\D", "", str(value))) >= 7


def _flat(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _unquoted(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else text
