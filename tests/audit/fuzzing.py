"""Mutated previews with secrets in every place, and the check that no report shows one; derandomised by a seed.

`python -m tests.audit.fuzzing 10000` runs the whole; `make test` runs a part.
"""

import base64
import copy
import html
import io
import json
import random
import re
import string
import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from audit.errors import AuditError
from audit.model import UNKNOWN
from audit.plan import comparison
from audit.plan.preview import read_stream
from audit.plan.report import build
from audit.report import FORMATS, json as json_format, render
from audit.secrets.redact import Redactor
from tests.audit import previews as p

GOLDEN = Path(__file__).parent / "golden"
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    10**30,
    1.5,
    "",
    "x" * 3000,
    [],
    {},
    [[]],
    {"": ""},
    UNKNOWN,
    "[secret]",
    "\x00\x1b[31m",
    "\ud800",
    "##vso[task.complete]",
    "</script><script>alert(1)</script>",
    "|`@#!$",
    "urn:pulumi:::",
    {"rules": 7},
    '{"Statement": [7]}',
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": UNKNOWN}},
]


def base_previews() -> list[dict[str, Any]]:
    """What is mutated: hand-made steps of every kind, and the golden previews."""
    variables = [
        {"name": "App-One.AccessKey", "value": UNKNOWN},
        {"name": "App-One.SecretKey", "secretValue": "[secret]", "isSecret": True},
    ]
    document = p.policy(p.allow(["ecr:PutImage"]), p.allow("ecr:GetAuthorizationToken", "*"))
    made = p.digest(
        p.step(
            p.REPOSITORY,
            "r",
            {"name": "a", "imageTagMutability": "IMMUTABLE"},
            {"name": "b", "imageTagMutability": "MUTABLE"},
            op="replace",
            replaceReasons=["name"],
        ),
        p.step(p.POLICY, "p", {"policy": document}, {"policy": p.policy(p.allow("ecr:*", UNKNOWN))}),
        p.step(p.KEY, "k-1", {"user": "u"}, None),
        p.step(p.KEY, "k-2", None, {"user": "u"}),
        p.step(p.USER, "u", {"name": "u", "permissionsBoundary": "x"}, {"name": "u"}),
        p.step(p.MEMBERSHIP, "m", {"user": "u", "groups": []}, {"user": "u", "groups": ["g"]}),
        p.step(
            p.ROLE,
            "r",
            None,
            {
                "assumeRolePolicy": document,
                "managedPolicyArns": ["x"],
                "inlinePolicies": [{"name": "n", "policy": document}],
            },
        ),
        p.step(
            p.GROUP,
            "g",
            {"variables": []},
            {"variables": variables, "allowAccess": True},
            new_options={"dependencies": [p.urn(p.KEY, "k-2")]},
        ),
        p.step(p.AUTHORIZATION, "a", None, {"resourceId": "g", "type": "variablegroup", "pipelineId": 7}),
        p.step(p.APPROVAL, "c", {"approvers": ["x"]}, {"approvers": []}),
        p.step(p.LIFECYCLE, "l", None, {"repository": "a", "policy": '{"rules": []}'}),
        p.step(
            p.IMAGE,
            "i",
            {"imageName": "a"},
            {"imageName": "b", "registry": {"server": "s", "username": "AWS", "password": "[secret]"}},
        ),
        diagnostics=[{"severity": "warning", "message": "careful", "urn": ""}],
    )
    return [made, *(json.loads(path.read_text(encoding="utf-8")) for path in sorted(GOLDEN.glob("*.json")))]


# --- secrets


def random_secret(chance: random.Random) -> tuple[str, bool]:
    """A secret, and whether the auditor has to be told of it (else its shape gives it away)."""

    def letters(alphabet: str, length: int) -> str:
        return "".join(chance.choice(alphabet) for _ in range(length))

    alphanumeric = string.ascii_letters + string.digits
    kind = chance.randrange(8)
    if kind == 0:
        return "wJ7" + letters(alphanumeric + "/+", 36) + "Q", False  # an AWS secret access key
    if kind == 1:
        return "q2" + letters(string.ascii_lowercase + "234567", 50), False  # an Azure DevOps token, short form
    if kind == 2:
        return "aB3" + letters(alphanumeric, 73) + "AZDO" + letters(alphanumeric, 4), False  # its long form
    if kind == 3:
        body = letters(alphanumeric + "+/", 64)
        return f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----", False
    if kind == 4:
        payload = json.dumps({"payload": letters(alphanumeric, 80), "version": "2", "type": "DATA_KEY"})
        return base64.b64encode(payload.encode()).decode(), False  # an ECR token
    if kind == 5:
        return 'hunter2 & "quoted" <' + letters(alphanumeric, 6) + "> \\ ü", True
    return letters(alphanumeric + "!$%&/=?-_.:;#+*~", chance.randrange(9, 60)), True


ENCODERS: list[Callable[[str], str]] = [
    lambda secret: secret,
    lambda secret: f"prefix {secret} suffix",
    lambda secret: quote(secret, safe=""),
    lambda secret: base64.b64encode(secret.encode()).decode(),
    lambda secret: base64.b64encode(f"AWS:{secret}".encode()).decode(),
    lambda secret: base64.urlsafe_b64encode(f"x{secret}yz".encode()).decode(),
    lambda secret: json.dumps({"auths": {"registry": {"auth": base64.b64encode(f"AWS:{secret}".encode()).decode()}}}),
    lambda secret: json.dumps({"inner": json.dumps({"value": secret})}),
    lambda secret: secret.encode().hex(),
    html.escape,
    lambda secret: base64.urlsafe_b64encode(f"x: {secret};".encode()).decode(),
    lambda secret: json.dumps(json.dumps(json.dumps({"value": secret}))),
    lambda secret: "".join(f"\\u{unit:04x}" for unit in memoryview(secret.encode("utf-16-le")).cast("H")),
    lambda secret: "".join(f"&#{ord(letter)};" for letter in secret),
    lambda secret: "".join(f"&#x{ord(letter):X};" for letter in secret),
    lambda secret: quote(quote(secret, safe=""), safe=""),
    lambda secret: "".join(f"%{byte:02x}" for byte in secret.encode()),
    lambda secret: base64.b32encode(f"x{secret}".encode()).decode(),
    lambda secret: base64.b64encode(f"xy{secret}".encode("utf-16-le")).decode(),
    lambda secret: base64.b64encode(secret.encode("utf-16-be")).decode(),
    lambda secret: base64.b64encode(f"xy{secret}z".encode()).decode().rstrip("="),
    lambda secret: secret.encode().hex().upper(),
]
KNOWN_ONLY = {2, 5, 8, 9, *range(11, 22)}
"""Encodings in which only a secret that the auditor was told of can be found."""


def leaks(output: str, secret: str) -> bool:
    """Whether the secret is in the output in any form that a reader could undo; made without the auditor's own
    tables."""
    needles = {secret, " ".join(secret.split())}
    if any(needle in view for view in _views(output) for needle in needles):
        return True
    encoded = [secret.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be")]
    raw = encoded[0]
    runs, of_base32, of_base64 = _decoded(output)
    return raw.hex() in runs or raw[:-4] in of_base32 or any(form in of_base64 for form in encoded)


_APART = b"\xff\xff\xff\xff"
"""Stands in no text: neither in UTF-8 nor in UTF-16."""


@lru_cache(maxsize=1)
def _decoded(output: str) -> tuple[str, bytes, bytes]:
    """The runs of letters and digits, in small letters, and what they hold as base32 and as base64; each joined."""
    parts = set(re.findall(r"[A-Za-z0-9+/_-]{12,}", output))
    forms = [_forms(part) for part in parts]
    return " ".join(parts).lower(), _APART.join(form for form, _ in forms), _APART.join(form for _, form in forms)


@lru_cache(maxsize=50_000)
def _forms(part: str) -> tuple[bytes, bytes]:
    """What a run of letters and digits holds as base32 and as base64; reports have most of theirs in common."""
    of_base32, of_base64 = [], []
    for run in re.findall(r"[A-Z2-7]{12,}", part):
        for start in range(8):
            cut = run[start : start + (len(run) - start) // 8 * 8]
            of_base32.append(base64.b32decode(cut))
    plain = part.replace("-", "+").replace("_", "/")
    for start in range(4):  # the encoded text may begin anywhere in a longer run
        cut = plain[start : start + (len(plain) - start) // 4 * 4 + 4]
        cut = cut[: len(cut) // 4 * 4] if len(cut) % 4 == 1 else cut + "=" * (-len(cut) % 4)
        of_base64.append(base64.b64decode(cut))
    return _APART.join(of_base32), _APART.join(of_base64)


@lru_cache(maxsize=1)
def _views(output: str) -> set[str]:
    views = {output, unquote(output), unquote(unquote(output)), html.unescape(output)}
    backslashes = everything = output
    for _ in range(5):  # three of JSON, one of the report's own, one to spare
        before = backslashes, everything
        backslashes = _without_backslashes(backslashes)
        everything = _without_backslashes(html.unescape(unquote(everything)))
        if before == (backslashes, everything):
            break
        views |= {backslashes, everything, unquote(backslashes), html.unescape(backslashes)}
    return views


def _without_backslashes(text: str) -> str:
    if "\\" not in text:
        return text
    if "\\u" in text:
        text = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text)
    return text.replace('\\"', '"').replace("\\\\", "\\").replace("\\n", "\n")


# --- mutations


class Places(Sequence[tuple[Any, Any]]):
    """Every (container, key) in a JSON value as it is now; of mappings alone, if only they are asked for.

    A few of many are looked at: none is made before.
    """

    def __init__(self, value: Any, *, mappings: bool = False) -> None:
        self._containers: list[Any] = []
        self._ends: list[int] = []
        todo, end = [value], 0
        while todo:
            item = todo.pop()
            is_mapping = isinstance(item, dict)
            if is_mapping or not mappings:
                end += len(item)
                self._containers.append(item)
                self._ends.append(end)
            todo += [child for child in (item.values() if is_mapping else item) if type(child) in (dict, list)]

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, number: Any) -> Any:
        at = bisect_right(self._ends, number)
        container = self._containers[at]
        within = number - self._ends[at] + len(container)
        return container, list(container)[within] if isinstance(container, dict) else within


def mutate(preview: dict[str, Any], chance: random.Random) -> None:
    """Changes a few things of the structure in place."""
    for _ in range(chance.randrange(1, 6)):
        spots = Places(preview)
        if not spots:
            return
        container, key = chance.choice(spots)
        act = chance.randrange(4)
        if act == 0:
            del container[key]
        elif act == 1:
            container[key] = copy.deepcopy(chance.choice(ODD))
        elif act == 2:
            other, other_key = chance.choice(spots)
            try:
                container[key] = copy.deepcopy(other[other_key])
            except (KeyError, IndexError):
                continue
        elif isinstance(container, dict):
            container[chance.choice(["", "urn", "op", "inputs", "x\u202ey", "__proto__", "policy"])] = container[key]


def seed_secret(preview: dict[str, Any], secret: str, known: bool, chance: random.Random) -> None:
    """Puts the secret into a random place: a value, a key, a diagnostic, a configuration, a URN; plain or encoded."""
    encoders = [encode for number, encode in enumerate(ENCODERS) if known or number not in KNOWN_ONLY]
    written = chance.choice(encoders)(secret)
    where = chance.randrange(6)
    spots = Places(preview, mappings=True)
    if where == 0 or not spots:
        preview.setdefault("diagnostics", [])
        if isinstance(preview["diagnostics"], list):
            preview["diagnostics"].append({"severity": "error", "message": f"failed: {written}"})
    elif where == 1:
        container, key = chance.choice(spots)
        container[written] = container[key]
    elif where == 2 and isinstance(preview.get("config"), dict):
        preview["config"]["app-one:thing"] = written
    else:
        container, key = chance.choice(spots)
        container[key] = written


def damage(text: str, chance: random.Random) -> bytes:
    """Sometimes broken as bytes too: cut, doubled, overwritten."""
    data = text.encode("utf-8", "surrogatepass")
    act = chance.randrange(12)
    if act == 0:
        return data[: chance.randrange(len(data))]
    if act == 1:
        return data + data
    if act == 2:
        at = chance.randrange(len(data))
        return data[:at] + bytes(chance.randrange(256) for _ in range(3)) + data[at + 3 :]
    return data


def run(count: int, seed: int) -> Iterator[tuple[int, str]]:
    """Runs `count` mutated previews; gives (number, "read" or "refused") for each. Raises AssertionError for a leak
    or a crash."""
    bases = [json.dumps(base) for base in base_previews()]
    for number in range(count):
        chance = random.Random(f"{seed}-{number}")  # noqa: S311 - repeatable on purpose
        preview = json.loads(chance.choice(bases))
        secrets = [random_secret(chance) for _ in range(chance.randrange(1, 4))]
        mutate(preview, chance)
        for secret, known in secrets:
            seed_secret(preview, secret, known, chance)
        data = damage(json.dumps(preview), chance)
        redactor = Redactor([secret for secret, known in secrets if known])
        try:
            report = build(redactor.plan(read_stream(io.BytesIO(data), "fuzzed", redactor.visit)))
            outputs = [render(name, report) for name in FORMATS]
            saved = json_format.plan(report)
            empty = {**saved, "steps": []}
            outputs.append(render("terminal", comparison.compare(saved, empty)))
        except AuditError as error:
            outcome, outputs = "refused", [str(error)]
        else:
            outcome = "read"
        for output in outputs:
            output.encode("utf-8", "backslashreplace")
            for secret, _ in secrets:
                if leaks(output, secret):
                    raise AssertionError(
                        f"mutation {number} of seed {seed}: a secret of shape {secret[:3]}… is in a report"
                    )
        yield number, outcome


def main() -> int:
    """Runs the number of mutations in the first argument (10,000), from the seed in the second (1)."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    start = time.monotonic()
    outcomes = [outcome for _, outcome in run(count, seed)]
    print(
        f"{count:,} mutated previews in {time.monotonic() - start:.0f} s: {outcomes.count('read'):,} read, "
        f"{outcomes.count('refused'):,} refused with a sentence, 0 tracebacks, 0 secrets"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
