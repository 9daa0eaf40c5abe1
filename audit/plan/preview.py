"""Reads what the engine says it would do: a preview digest (`pulumi preview --json`) or an engine event log (JSON
Lines).

Sources: pkg/display/json.go (PreviewDigest), sdk/go/common/apitype/events.go (EngineEvent),
sdk/go/common/apitype/core.go (ResourceV3). The file is read piece by piece, so that memory follows what changes and
not the size of the file.
"""

import codecs
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from audit.errors import AuditError
from audit.model import (
    MAX_DEPTH,
    NO_SECRETS,
    QUIET_OPS,
    REPLACEMENT_OPS,
    Diagnostic,
    Plan,
    PolicyViolation,
    State,
    Step,
    deeper,
    kind_of,
    target_of,
    without,
)

CHUNK = 1 << 20
MAX_BYTES = 4 << 30
"""More than this is refused: a preview of 100,000 resources is about 300 MB."""
MAX_VALUE = 64 << 20
"""Characters of one step, diagnostic or configuration; the engine's own limit for a message is 400 MB, real ones are
kilobytes."""

DIGEST_KEYS = frozenset({"config", "steps", "diagnostics", "duration", "changeSummary", "maybeCorrupt"})
FOREIGN = (
    ("format_version", "a Terraform plan"),
    ("planned_values", "a Terraform plan"),
    ("resourcePlans", "an update plan of `pulumi preview --save-plan`"),
    ("manifest", "an update plan of `pulumi preview --save-plan`"),
    ("deployment", "a stack export"),
    ("version", "a stack export"),
    ("AWSTemplateFormatVersion", "a CloudFormation template"),
    ("runs", "a SARIF report"),
)
EVENT_NAMES = frozenset(
    {
        "cancelEvent",
        "stdoutEvent",
        "diagnosticEvent",
        "preludeEvent",
        "summaryEvent",
        "resourcePreEvent",
        "resOutputsEvent",
        "resOpFailedEvent",
        "policyEvent",
        "policyRemediationEvent",
        "policyLoadEvent",
        "policyAnalyzeSummaryEvent",
        "policyRemediateSummaryEvent",
        "policyAnalyzeStackSummaryEvent",
        "startDebuggingEvent",
        "progressEvent",
        "errorEvent",
    }
)


class Visit(Protocol):
    """Called with every raw value that can name a secret, so that secrets are collected also from what is not kept."""

    def __call__(self, value: Any, seen: Any = None, /) -> None:
        """`seen`: an object that was visited before, and that `value` may repeat."""


OPTIONS = frozenset(
    {
        "aliases",
        "customTimeouts",
        "deleteBeforeReplace",
        "deletedWith",
        "envVarMappings",
        "external",
        "hideDiff",
        "ignoreChanges",
        "importID",
        "pendingReplacement",
        "refreshBeforeUpdate",
        "replaceOnChanges",
        "replaceWith",
        "replacementTrigger",
        "resourceHooks",
        "taint",
        "viewOf",
    }
)
"""What is recorded of a resource besides inputs and outputs, and is kept as it is; what has a field of its own in
State and what differs between two previews of the same thing (times, places in source files) is not here."""

_SPACE = re.compile(r"[ \t\r\n]+")

KEPT = ("PipelineAuthorization", "VariableGroup", "BuildDefinition", "AccessKey")
"""Unchanged resources of these kinds are kept: a rotation is followed through them."""


GUARDS = ("protect", "retainOnDelete", "additionalSecretOutputs", "ignoreChanges")
"""The engine's names of State.guards."""


def _ignore(_value: Any, _seen: Any = None) -> None:
    """A visitor that collects nothing."""


def read(path: str, visit: Visit = _ignore, max_bytes: int = MAX_BYTES) -> Plan:
    """The plan in the file at `path`; `-` is standard input.

    Raises AuditError for a file that cannot be read, is truncated, too large, or is no preview.
    """
    if path == "-":
        return read_stream(sys.stdin.buffer, "standard input", visit, max_bytes)
    try:
        with Path(path).open("rb") as stream:
            return read_stream(stream, path, visit, max_bytes)
    except OSError as error:
        raise AuditError(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from None


def read_stream(stream: BinaryIO, name: str, visit: Visit = _ignore, max_bytes: int = MAX_BYTES) -> Plan:
    """The plan in an open binary stream; `name` is how errors call it. Raises AuditError as `read` does."""
    try:
        return _Reader(stream, name, visit, max_bytes).plan()
    except ValueError as error:  # json.JSONDecodeError and Python's limit on the digits of a number
        raise AuditError(
            f"{name}: is not JSON that a preview could hold ({_place(error)}); make the preview again"
        ) from None
    except RecursionError:
        raise AuditError(f"{name}: is nested deeper than any preview; make the preview again") from None


def _place(error: ValueError) -> str:
    """Where and why, without any text of the file: it may hold a secret."""
    return error.msg if isinstance(error, json.JSONDecodeError) else "a number or a text that cannot be represented"


class _Reader:
    """A window over the file: decodes one JSON value after the other and forgets what it has decoded."""

    def __init__(self, stream: BinaryIO, name: str, visit: Visit, max_bytes: int) -> None:
        self.stream, self.name, self.visit, self.max_bytes = stream, name, visit, max_bytes
        self.text = ""
        self.position = 0
        self.anchor: int | None = None  # text from here on is not dropped
        self.read_bytes = 0
        self.ended = False
        self.text_decoder: codecs.IncrementalDecoder | None = None
        self.decoder = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)

    def plan(self) -> Plan:
        if self._peek() == "":
            raise AuditError(
                f"{self.name}: is empty; run `pulumi preview --json > FILE` and see what it printed on standard error"
            )
        if self._peek() != "{":
            raise AuditError(
                f"{self.name}: does not begin with '{{', so it is no preview; "
                "run `pulumi preview --json > FILE` and keep standard error out of the file"
            )
        self.anchor = self.position
        self.position += 1
        if self._peek() == "}":
            raise self._foreign(())
        key = self._value()
        if key in EVENT_NAMES or key in ("sequence", "timestamp"):
            self.position, self.anchor = self.anchor, None
            return _from_events(self._lines(), self.name, self.visit)
        self.anchor = None
        if key == "events":
            self._expect(":")
            return _from_events(self._array(), self.name, self.visit)
        return self._digest(key)

    def _digest(self, key: Any) -> Plan:
        builder = _Builder("digest", self.visit)
        seen = set()
        while True:
            seen.add(key)
            self._expect(":")
            if key == "steps" and self._peek() == "[":
                for raw in self._array():
                    builder.step(_object(raw, self.name, "a step"))
            else:
                value = self._value()
                if len(seen) == 1 and key not in DIGEST_KEYS:
                    raise self._foreign((key,))
                if key in ("steps", "changeSummary"):
                    if value is None:
                        seen.discard(key)  # as if it were not there
                    elif key == "steps" or not _is_counts(value):
                        raise AuditError(
                            f"{self.name}: '{key}' is not what the engine writes there, so this is no preview; "
                            "make the preview again"
                        )
                self.visit({key: value})
                builder.field(key, value)
            if self._peek() == "}":
                self.position += 1
                break
            self._expect(",")
            key = self._value()
        if any(name in seen for name, _ in FOREIGN):
            raise self._foreign(tuple(seen))
        if not seen & {"steps", "changeSummary"} and not builder.result.failed and not _is_summed_up(seen, builder):
            raise AuditError(
                f"{self.name}: has neither steps nor a changeSummary, and no duration that would say that the preview "
                "came to its end; make the preview again with `pulumi preview --json`"
            )
        if self._peek():
            raise AuditError(f"{self.name}: holds more after the preview's end; one file holds one preview")
        return builder.plan()

    def _foreign(self, keys: tuple[Any, ...]) -> AuditError:
        kind = next((kind for key, kind in FOREIGN if key in keys), "another kind of file")
        return AuditError(
            f"{self.name}: is {kind}, not a preview; `pulumi preview --json` or the engine's event log (`--event-log "
            "FILE`) is needed"
        )

    def _lines(self) -> Iterator[Any]:
        while self._peek():
            yield self._value()

    def _array(self) -> Iterator[Any]:
        self._expect("[")
        if self._peek() == "]":
            self.position += 1
            return
        while True:
            yield self._value()
            if self._peek() == "]":
                self.position += 1
                return
            self._expect(",")

    def _peek(self) -> str:
        """The next character that is not white space; "" at the end."""
        while True:
            space = _SPACE.match(self.text, self.position)
            self.position = space.end() if space else self.position
            if self.position < len(self.text):
                return self.text[self.position]
            if not self._fill():
                return ""

    def _expect(self, character: str) -> None:
        found = self._peek()
        if found == "":
            raise self._truncated()
        if found != character:
            raise json.JSONDecodeError(f"'{character}' is missing", "", 0)
        self.position += 1

    def _value(self) -> Any:
        if self._peek() == "":
            raise self._truncated()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.position)
            except json.JSONDecodeError as error:
                # Either broken, or only not read far enough: decide when nothing more comes.
                near_end = error.pos >= len(self.text) - 16 or error.msg.startswith("Unterminated")
                if not self.ended and len(self.text) - self.position > MAX_VALUE:
                    raise AuditError(
                        f"{self.name}: one value is longer than {MAX_VALUE >> 20} MB; this is no preview"
                    ) from None
                if near_end and self._fill():
                    continue
                if near_end and self._only_cut(error):
                    raise self._truncated() from None
                raise
            if end == len(self.text) and self._fill():  # a number may go on
                continue
            brackets = self.text.count("{", self.position, end) + self.text.count("[", self.position, end)
            if brackets > MAX_DEPTH and deeper(value, MAX_DEPTH):
                raise AuditError(
                    f"{self.name}: is nested deeper than {MAX_DEPTH} levels, deeper than any preview; "
                    "make the preview again"
                )
            self.position = end
            return value

    def _only_cut(self, error: json.JSONDecodeError) -> bool:
        """At the end of the file: whether what is there could have gone on."""
        rest = self.text[error.pos :].strip()
        return error.msg.startswith(("Unterminated", "Invalid \\")) or any(
            word.startswith(rest) for word in ("", "true", "false", "null", "-")
        )

    def _truncated(self) -> AuditError:
        return AuditError(
            f"{self.name}: ends in the middle, so it is truncated; make the preview again and see that it ends by "
            "itself"
        )

    def _fill(self) -> bool:
        """Reads on, dropping what was decoded; False at the end. Reads twice as much when a value is long, so that
        work stays linear."""
        if self.ended:
            return False
        waiting = len(self.text) - self.position
        data = self.stream.read(max(CHUNK, waiting))
        self.read_bytes += len(data)
        if self.read_bytes > self.max_bytes:
            raise AuditError(f"{self.name}: is larger than {self.max_bytes:,} bytes (--max-bytes)")
        if self.text_decoder is None:
            self.text_decoder = codecs.getincrementaldecoder(_encoding(data))()
        self.ended = not data
        try:
            more = self.text_decoder.decode(data, final=self.ended)
        except UnicodeDecodeError:
            raise AuditError(
                f"{self.name}: is not text in UTF-8 (or UTF-16 with its mark); it may be compressed or truncated"
            ) from None
        start = self.position if self.anchor is None else self.anchor
        self.text = self.text[start:] + more
        self.position -= start
        self.anchor = None if self.anchor is None else 0
        return bool(more) or not self.ended


def _is_summed_up(keys: set[Any], builder: "_Builder") -> bool:
    """Whether the engine came to its end and found nothing to do. It leaves out what is empty, so that the preview of
    an empty stack is `{"duration": 445907}`; the duration comes with the summary only. Anything else in the object
    means that it is another kind of file."""
    return builder.summed_up and keys <= DIGEST_KEYS


def _encoding(data: bytes) -> str:
    """UTF-8 with or without mark, and UTF-16 with mark: what `>` writes in Windows PowerShell."""
    return "utf-16" if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    """A number of JSON; one like 1e999 would become infinity, which no JSON can hold again."""
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _object(value: Any, name: str, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise AuditError(f"{name}: {what} is not an object, so this is no preview; make the preview again")
    return value


class _Builder:
    """Collects a plan from steps and fields in any order."""

    def __init__(self, source: str, visit: Visit) -> None:
        self.result = Plan(source="digest" if source == "digest" else "events")
        self.visit = visit
        self.steps: list[Step] = []
        self.replacements: dict[str, list[Step]] = {}  # by URN; a replacement may come as one step or as several
        self.summed_up = False
        self.refreshing: set[str] = set()
        self.read: dict[str, int] = {}  # steps read, by operation

    def field(self, key: str, value: Any) -> None:
        plan = self.result
        if key == "config":
            plan.config = {
                str(name): item if isinstance(item, str) else json.dumps(item) for name, item in _mapping(value).items()
            }
        elif key == "diagnostics":
            for item in _list(value):
                self.diagnostic(_mapping(item))
        elif key == "changeSummary":
            if value is not None and not _is_counts(value):
                raise AuditError("the counts of the summary are no numbers, so this is no preview; make it again")
            plan.counts = {str(op): count for op, count in _mapping(value).items() if _is_count(count)}
        elif key == "duration":
            self.summed_up = _is_count(value) and value > 0
        elif key == "maybeCorrupt":
            plan.maybe_corrupt = value is True

    def diagnostic(self, raw: Mapping[str, Any]) -> None:
        severity = _text(raw.get("severity")) or "info"
        message = _text(raw.get("prefix")) + _text(raw.get("message"))
        self.result.diagnostics.append(Diagnostic(severity, message, _text(raw.get("urn"))))
        if severity == "error":
            self.result.failed = True

    def announced(self, raw: Mapping[str, Any]) -> None:
        """A step of an event log that begins."""
        if raw.get("op") == "refresh":
            self.refreshing.add(_text(raw.get("urn")))
        self.step(raw)

    def done(self, raw: Mapping[str, Any]) -> None:
        """A step of an event log that ended. Only the end of a refresh says whether the resource differs."""
        urn = _text(raw.get("urn"))
        if urn in self.refreshing:
            self.refreshing.discard(urn)  # what follows of this URN announces itself
            if raw.get("op") in ("update", "delete"):
                self.step(raw)

    def step(self, raw: Mapping[str, Any]) -> None:
        old, new = raw.get("oldState", raw.get("old")), raw.get("newState", raw.get("new"))
        self.result.shows_unchanged |= raw.get("op") == "same"
        if "::pulumi:providers:" in _text(raw.get("urn")) and "::default" in raw["urn"] and not _moves(raw, old, new):
            return  # the engine's own; a digest leaves them out, an event log does not
        same = raw.get("op") == "same" and _is_plainly_same(raw, old, new)
        before = None
        plain = NO_SECRETS.get(kind_of(_type_of(raw["urn"])), ()) if "SecurityP" in _text(raw.get("urn")) else ()
        for side in (new,) if same else (old, new):
            if isinstance(side, dict):
                inputs, outputs = side.get("inputs"), side.get("outputs")
                if plain:
                    inputs, outputs = without(inputs, plain), without(outputs, plain)
                if inputs != before:
                    self.visit(inputs, before)
                if outputs != inputs:
                    self.visit(outputs, inputs)
                before = inputs
        if same:
            self.name(_text(raw.get("urn")))
            provider = _text(new.get("provider"))
            if provider and "::default" not in provider:
                target = target_of(provider)
                self.result.below[target] = self.result.below.get(target, 0) + 1
            return
        self.add(raw, old, new)

    def name(self, urn: str) -> None:
        """Takes stack and project from the first URN."""
        if not self.result.stack:
            parts = urn.split("::")
            if len(parts) >= 4 and parts[0].startswith("urn:pulumi:"):
                self.result.stack, self.result.project = parts[0].removeprefix("urn:pulumi:"), parts[1]

    def add(self, raw: Mapping[str, Any], old: Any, new: Any) -> None:
        op, urn = _text(raw.get("op")), _text(raw.get("urn"))
        if not op or not urn:
            raise AuditError("a step has no operation or no URN, so this is no preview; make the preview again")
        types = (_type_of(urn), *(_text(_mapping(side).get("type")) for side in (new, old, raw)))
        type_token = next(filter(None, types), "")  # the URN's cannot be left out
        custom = _is_custom(type_token, _mapping(old), _mapping(new))
        detailed = {
            path: _text(item.get("kind") or item.get("diffKind"))
            for path, item in _mapping(raw.get("detailedDiff")).items()
            if isinstance(item, dict)
        }
        step = Step(
            op=op,
            urn=urn,
            type=type_token,
            old=_state(old, custom),
            new=_state(new, custom),
            diff_reasons=_texts(raw.get("diffReasons", raw.get("diffs"))),
            replace_reasons=_texts(raw.get("replaceReasons", raw.get("keys"))),
            detailed_diff=detailed,
        )
        self.name(urn)
        if step.quiet:
            if step.kind.endswith(KEPT):
                self.result.unchanged.append(step)
            return
        self.read[step.op] = self.read.get(step.op, 0) + 1
        if not step.replaces:
            self.steps.append(step)
        elif urn in self.replacements:
            self.replacements[urn].append(step)
        else:
            self.replacements[urn] = [step]
            self.steps.append(step)  # stands for all of them until the end

    def plan(self) -> Plan:
        steps = self.result.steps
        for step in self.steps:
            steps += _replacement(self.replacements[step.urn]) if step.replaces else [step]
        shown = Counter(step.op for step in steps)
        self.result.missing = self._missing(shown["replace"])
        # The engine does not count what is left to delete of an earlier replacement.
        self.result.counts.update({op: max(count, self.result.counts.get(op, 0)) for op, count in shown.items()})
        return self.result

    def _missing(self, replaced: int) -> int:
        """How many changed operations the engine counts that no step shows. It counts a replacement once and may show
        it as three steps, or those as one."""
        return sum(
            max(0, count - max(self.read.get(op, 0), replaced if op in REPLACEMENT_OPS else 0))
            for op, count in self.result.counts.items()
            if op not in QUIET_OPS
        )


def _replacement(parts: list[Step]) -> list[Step]:
    """The one `replace` that the steps of a URN are parts of, and a `delete` for each that is no part of it.

    A replacement that failed half-way leaves its old resource in the state, to be deleted by the next update, and
    several can pile up. The engine calls that `delete-replaced` too, shows it in the event log and with
    --show-replacement-steps, and never counts it (GenerateDeletes in pkg/resource/deploy/step_generator.go).
    """
    ends = [step for step in parts if step.new is None and step.op in ("delete-replaced", "discard-replaced")]
    begins = [step for step in parts if not any(step is end for end in ends)]
    if begins:
        replaced = next((step.old.id for step in begins if step.old is not None), None)
        # Its own end is the one with the id of what is replaced.
        own = next((end for end in ends if replaced is None or (end.old is not None and end.old.id == replaced)), None)
        ends = [end for end in ends if end is not own]
        whole, *others = [*begins, own] if own is not None else begins
        for other in others:
            whole.old = whole.old or other.old
            whole.new = whole.new or other.new
            whole.diff_reasons = whole.diff_reasons or other.diff_reasons
            whole.replace_reasons = whole.replace_reasons or other.replace_reasons
            whole.detailed_diff = whole.detailed_diff or other.detailed_diff
        whole.op = "replace"
    for end in ends:
        end.op = "delete" if end.op == "delete-replaced" else "discard"
    return [*begins[:1], *(end for end in ends if not end.quiet)]


def _from_events(events: Iterator[Any], name: str, visit: Visit) -> Plan:
    builder = _Builder("events", visit)
    plan = builder.result
    ended = summed_up = False
    for raw in events:
        event = _object(raw, name, "an event")
        if not event.keys() & EVENT_NAMES:
            raise AuditError(
                f"{name}: holds a line that is no engine event, so it is no preview; make the preview again"
            )
        for key in event.keys() & EVENT_NAMES:
            _object(event[key], name, f"the body of a {key}")
        summed_up |= "summaryEvent" in event
        ended |= summed_up or "cancelEvent" in event
        if "resourcePreEvent" not in event and "resOutputsEvent" not in event:
            visit(event)
        _event(builder, event, name)
    if not ended:
        raise AuditError(
            f"{name}: the event log has no end (no summary and no cancel event), so it is truncated; make the "
            "preview again"
        )
    plan.failed |= not summed_up  # the engine gave up before it knew what would change
    return builder.plan()


def _event(builder: _Builder, event: Mapping[str, Any], name: str) -> None:
    plan = builder.result
    if "resourcePreEvent" in event:
        builder.announced(_object(event["resourcePreEvent"].get("metadata"), name, "the metadata of a step"))
    elif item := _mapping(event.get("resOutputsEvent")):
        builder.done(_mapping(item.get("metadata")))
    elif item := _mapping(event.get("diagnosticEvent")):
        if item.get("severity") != "debug" and not item.get("ephemeral"):
            builder.diagnostic(item)
    elif item := _mapping(event.get("preludeEvent")):
        builder.field("config", item.get("config"))
    elif item := _mapping(event.get("summaryEvent")):
        builder.field("changeSummary", item.get("resourceChanges"))
        builder.field("maybeCorrupt", item.get("maybeCorrupt"))
        plan.failed |= item.get("result") in ("failed", "canceled")
    elif item := _mapping(event.get("errorEvent")):
        builder.diagnostic({"severity": "error", "message": item.get("error")})
    elif "resOpFailedEvent" in event:
        plan.failed = True
    elif item := _mapping(event.get("policyEvent")):
        plan.violations.append(
            PolicyViolation(
                policy=_text(item.get("policyName")),
                pack=_text(item.get("policyPackName")),
                level=_text(item.get("enforcementLevel")),
                message=_text(item.get("message")),
                urn=_text(item.get("resourceUrn")),
            )
        )


def _moves(raw: Mapping[str, Any], old: Any, new: Any) -> bool:
    """Whether a provider of the engine's own changes where it is, as with another region in the configuration."""
    if raw.get("op") not in ("update", "replace", "create-replacement"):
        return False
    return _mapping(_mapping(old).get("inputs")) != _mapping(_mapping(new).get("inputs"))


def _is_plainly_same(raw: Mapping[str, Any], old: Any, new: Any) -> bool:
    """The usual unchanged resource, of which nothing is kept; told apart without looking at it closely."""
    if not isinstance(old, dict) or not isinstance(new, dict) or not isinstance(raw.get("urn"), str):
        return False
    for name in GUARDS:
        if old.get(name) != new.get(name):
            return False
    before, after = old.get("provider"), new.get("provider")
    if before != after and target_of(_text(before)) != target_of(_text(after)):
        return False
    return not _text(new.get("type")).endswith(KEPT)


def _is_custom(type_token: str, *sides: Mapping[str, Any]) -> bool:
    """Whether a resource is something in a cloud, where a side does not say it: an event log leaves out a `custom` that
    is false. A component has no id and no provider, and no file in its type (`app-one:infra:Image`)."""
    if "/" in type_token or type_token.startswith("pulumi:providers:"):
        return True
    return any(_text(side.get(name)) for side in sides for name in ("id", "provider"))


def _state(raw: Any, custom: bool) -> State | None:
    """A ResourceV3 of a digest, or a StepEventStateMetadata of an event."""
    if not isinstance(raw, dict) or not raw:
        return None
    return State(
        id=_text(raw.get("id")),
        custom=raw["custom"] if isinstance(raw.get("custom"), bool) else custom,
        inputs=_mapping(raw.get("inputs")),
        shows_inputs=isinstance(raw.get("inputs"), dict),
        outputs=_mapping(raw.get("outputs")),
        protect=raw.get("protect") is True,
        retain_on_delete=raw.get("retainOnDelete") is True,
        parent=_text(raw.get("parent")),
        provider=_text(raw.get("provider")),
        source=_text(raw.get("sourcePosition")),
        dependencies=_texts(raw.get("dependencies")),
        property_dependencies={
            name: _texts(urns) for name, urns in _mapping(raw.get("propertyDependencies")).items() if urns
        },
        secret_outputs=_texts(raw.get("additionalSecretOutputs")),
        options={name: raw[name] for name in raw.keys() & OPTIONS if raw[name]},
    )


def _type_of(urn: str) -> str:
    parts = urn.split("::")
    return parts[2].rsplit("$", 1)[-1] if len(parts) >= 4 else ""


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_counts(value: Any) -> bool:
    """Whether this maps operations to how often they occur."""
    return isinstance(value, dict) and all(map(_is_count, value.values()))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
