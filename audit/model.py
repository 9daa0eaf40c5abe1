"""The data of an audit: a plan with its steps (read), findings (judged) and changes (shown)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine writes for a string that is known only after apply (sdk/go/common/resource/plugin/rpc.go)."""

UNKNOWNS = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        UNKNOWN,
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)

ENGINE_SECRET = "[secret]"  # noqa: S105 - the engine's mark in place of a secret
REDACTED = "[redacted]"
"""Our mark, where a value stood in clear that the engine did not mask."""

SECRET_ENVELOPE = "4dabf18193072939515e22adb298388d"  # noqa: S105 - sdk/go/common/resource/sig/sig.go, the key of a typed value
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - its value for a secret
NEEDED = {
    "create": ("new",),
    "import": ("new",),
    "delete": ("old",),
    "update": ("old", "new"),
    "replace": ("old", "new"),
}
"""The sides that a step of an operation has."""

REPLACEMENT_OPS = frozenset(
    {"replace", "create-replacement", "delete-replaced", "read-replacement", "import-replacement", "discard-replaced"}
)
NO_SECRETS = {"azuredevops:index:SecurityPermissions": ("token",)}
"""Properties of types whose names sound like a secret and that are none: a security token is the path of what the
permissions are for."""

QUIET_OPS = frozenset({"same", "read", "refresh", "discard", "remove-pending-replace"})
"""Operations that change no resource. A `refresh` that finds a difference is reported by the engine as update or
delete."""


@dataclass(slots=True)
class State:
    """One side of a step. `property_dependencies` maps an input to the URNs that it was computed from (preview
    digest only), `source` is where the program declares the resource (`project:///infra/access.py#12,8`)."""

    id: str = ""
    custom: bool = True
    inputs: dict[str, Any] = field(default_factory=dict)
    shows_inputs: bool = True
    """Whether the preview names inputs at all; a digest leaves out empty ones."""
    outputs: dict[str, Any] = field(default_factory=dict)
    protect: bool = False
    retain_on_delete: bool = False
    parent: str = ""
    provider: str = ""
    source: str = ""
    dependencies: Sequence[str] = ()
    property_dependencies: Mapping[str, Sequence[str]] = field(default_factory=dict)
    secret_outputs: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options that no rule asks for, by the engine's names, where they are set (preview digest only)."""

    @property
    def guards(self) -> tuple[bool, bool, set[str], set[str], str]:
        """The options that keep the resource and its secrets, and what the program's word does not count for, and the
        provider. The engine can record a change of them as `same`."""
        ignored = self.options.get("ignoreChanges")
        ignored = set(map(str, ignored)) if isinstance(ignored, list) else set()
        return self.protect, self.retain_on_delete, set(self.secret_outputs), ignored, target_of(self.provider)

    def get(self, name: str) -> Any:
        """The property as declared, else as recorded, else None."""
        return self.inputs[name] if name in self.inputs else self.outputs.get(name)


@dataclass(slots=True)
class Step:
    """What the engine would do to one resource. `old` is None for a create, `new` is None for a delete."""

    op: str
    urn: str
    type: str
    old: State | None
    new: State | None
    diff_reasons: Sequence[str] = ()
    replace_reasons: Sequence[str] = ()
    detailed_diff: Mapping[str, str] = field(default_factory=dict)
    changes: "Sequence[Change]" = ()
    planned: str = ""
    prior: str = ""
    redacted: bool = True
    """Whether it declares something that stood in clear and is masked; set with the fingerprint."""

    @property
    def name(self) -> str:
        """The resource's logical name: the last part of its URN."""
        return self.urn.split("::", 3)[-1]

    @property
    def kind(self) -> str:
        """The type without its file part: `aws:ecr/repository:Repository` is `aws:ecr:Repository`."""
        return kind_of(self.type)

    @property
    def creates(self) -> bool:
        """A resource comes to be that was not there."""
        return self.new is not None and self.op in ("create", "import", "create-replacement", "import-replacement")

    @property
    def replaces(self) -> bool:
        """The resource is deleted and made anew."""
        return self.op in REPLACEMENT_OPS

    @property
    def deletes(self) -> bool:
        """The resource is deleted and not made anew."""
        return self.op == "delete"

    @property
    def component(self) -> bool:
        """A component groups other resources and is nothing in a cloud by itself."""
        sides = [state for state in (self.old, self.new) if state is not None]
        return bool(sides) and not any(state.custom for state in sides)

    @property
    def partial(self) -> bool:
        """The preview leaves out a side that the operation has, or the inputs of one: nothing can be proved of it.
        Only a change is compared by its inputs, and a component has none."""
        sides = [getattr(self, side) for side in NEEDED.get(self.op, ())]
        if None in sides:
            return True
        return len(sides) > 1 and not self.component and not all(side.shows_inputs for side in sides)

    @property
    def quiet(self) -> bool:
        """Nothing is done to the resource, and none of the recorded options that guard it changes."""
        return self.op in QUIET_OPS and (self.old is None or self.new is None or self.old.guards == self.new.guards)


@lru_cache(maxsize=4096)
def kind_of(type_token: str) -> str:
    """`package:module/file:Name` as `package:module:Name`. States can hold older tokens of Azure DevOps, with a module
    for each service (`azuredevops:Security/...`): the provider has only `index` today, and the same names in it."""
    parts = type_token.split(":")
    if len(parts) != 3:
        return type_token
    if parts[0] == "azuredevops":
        return f"azuredevops:index:{parts[2]}"
    return f"{parts[0]}:{parts[1].split('/', 1)[0]}:{parts[2]}"


def target_of(provider: str) -> str:
    """A provider's URN without the id of its instance, which is another in every preview."""
    return provider.rpartition("::")[0] if provider.count("::") > 3 else provider


ChangeKind = Literal["add", "delete", "update", "hidden", "unknown"]


@dataclass(slots=True, frozen=True)
class Change:
    """A property that changes. `hidden`: the engine says that it changes but both sides are masked; `unknown`: known
    after apply."""

    path: str
    kind: ChangeKind
    old: Any = None
    new: Any = None
    replaces: bool = False


@dataclass(slots=True)
class PolicyDiff:
    """Two policy documents and what the comparison proved. Witnesses are `{"action", "resource", "principal",
    "context"}`."""

    property: str
    verdict: str
    old: Any
    new: Any
    newly_allowed: list[dict[str, Any]] = field(default_factory=list)
    newly_refused: list[dict[str, Any]] = field(default_factory=list)
    because: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Finding:
    """One judgement. `risk` is a name of audit.report.catalogue; `proved` is False where the preview does not show
    enough to be sure."""

    risk: str
    urn: str
    reason: str
    details: list[str] = field(default_factory=list)
    proved: bool = True
    policy: PolicyDiff | None = None
    waiver: dict[str, str] | None = None
    step: Step | None = field(default=None, repr=False, compare=False)
    """The step that it judges; None for one that is about the URN as a whole, or about no step."""
    follows: list[dict[str, str]] = field(default_factory=list)
    """For a rotation: what follows from it, in order: `{"what", "urn", "name"}`."""


@dataclass(slots=True)
class Diagnostic:
    """A message of the engine, of the program or of a provider."""

    severity: str
    message: str
    urn: str = ""


@dataclass(slots=True)
class PolicyViolation:
    """A violation that a policy pack reported (engine events only)."""

    policy: str
    pack: str
    level: str
    message: str
    urn: str = ""


@dataclass(slots=True)
class Plan:
    """Everything that a preview says. `steps` holds what would change; quiet steps are counted, and kept only where
    a judgement needs them."""

    source: Literal["digest", "events"]
    steps: list[Step] = field(default_factory=list)
    unchanged: list[Step] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    violations: list[PolicyViolation] = field(default_factory=list)
    config: dict[str, str] = field(default_factory=dict)
    maybe_corrupt: bool = False
    shows_unchanged: bool = False
    """Whether unchanged resources are listed (`--show-sames`, or an event log): then what is not there does not
    exist."""
    failed: bool = False
    missing: int = 0
    """Operations that change something and that the engine counts, but that no step shows."""
    stack: str = ""
    project: str = ""
    below: dict[str, int] = field(default_factory=dict)
    """How many unchanged resources a provider manages that is not the engine's own, by its URN."""

    @property
    def incomplete(self) -> bool:
        """Whether something that would change is not, or not wholly, in the preview."""
        return self.failed or self.missing > 0 or any(step.partial for step in self.steps)

    def by_urn(self) -> dict[str, Step]:
        """Every step that is kept, by URN; of several steps of one URN the one with a new side."""
        table = {step.urn: step for step in self.unchanged}
        for step in self.steps:
            if step.new is not None or step.urn not in table:
                table[step.urn] = step
        return table


def without(values: Any, names: Iterable[str]) -> Any:
    """An object without these names, at its first level."""
    return {name: item for name, item in values.items() if name not in names} if isinstance(values, dict) else values


def is_unknown(value: Any) -> bool:
    """Whether the value is one of the engine's marks for "known after apply"."""
    return isinstance(value, str) and value in UNKNOWNS


def holds_unknown(value: Any) -> bool:
    """Whether the value, or anything inside it, is known only after apply; also where the mark stands inside a
    longer text."""
    return any(mark in text for text in strings(value) for mark in UNKNOWNS)


def is_hidden(value: Any) -> bool:
    """Whether the value is masked, by the engine or by us."""
    return value in (ENGINE_SECRET, REDACTED) if isinstance(value, str) else False


FRESH = {"docker:index:Image": frozenset({"registry.password"})}
"""Masked values that are made anew for every run, by kind: of these no two are the same, and nothing hangs on it.

`registry.password` is ECR's authorization token, valid for 12 hours; it is how an image is pushed and no part of it.
"""


def masked(value: Any, kind: str, path: str = "") -> Iterator[str]:
    """The paths in a value of which nobody can say whether it is the same as another: masked as a whole or in part.

    kind: of the resource, as `kind_of` gives it; what is made anew for every run (FRESH) is left out.
    """
    if isinstance(value, dict) and value.get(SECRET_ENVELOPE) == SECRET_SIGNATURE:
        value = ENGINE_SECRET  # an event log has the envelope, with a mask in it
    if isinstance(value, dict):
        for name, part in value.items():
            yield from masked(part, kind, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from masked(part, kind, f"{path}[{number}]")
    elif isinstance(value, str) and (ENGINE_SECRET in value or REDACTED in value) and path not in FRESH.get(kind, ()):
        yield path


def strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value, keys included."""
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


MAX_DEPTH = 200
"""Levels of nesting of one value; real ones have below 20, and what follows goes through them level by level."""


def deeper(value: Any, levels: int) -> bool:
    """Whether objects and lists are nested in more levels than that."""
    layer = [value]
    for _ in range(levels + 1):
        layer = [item for item in layer if isinstance(item, (dict, list))]
        if not layer:
            return False
        layer = [child for item in layer for child in (item.values() if isinstance(item, dict) else item)]
    return True
