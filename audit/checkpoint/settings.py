"""The settings of a Pulumi project and one of its stacks, as its files say: what the names in a checkpoint follow from.

Sources: https://www.pulumi.com/docs/reference/pulumi-yaml (`Pulumi.yaml`) and `/concepts/config` (`Pulumi.STACK.yaml`).
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from audit.errors import AuditError


@dataclass(slots=True)
class Settings:
    """What a stack is set to. `config` has full keys (`NAMESPACE:KEY`); `accepted` are further values of a key that
    may be recorded too, as of --value; `secrets_provider`, `encrypted_key` and `salt` are empty where the stack's file
    says nothing."""

    project: str
    stack: str
    config: dict[str, Any] = field(default_factory=dict)
    accepted: dict[str, list[str]] = field(default_factory=dict)
    secrets_provider: str = ""
    encrypted_key: str = ""
    salt: str = ""

    @classmethod
    def load(cls, folder: Path, stack: str, accepted: Sequence[str] = ()) -> "Settings":
        """Of the program in `folder`; `stack` is NAME, PROJECT/NAME or ORGANIZATION/PROJECT/NAME. A stack without a
        file of its own has the project's defaults. Raises AuditError."""
        program = _document(folder / "Pulumi.yaml", needed=True)
        project = program.get("name")
        if not isinstance(project, str) or not project:
            raise AuditError(f"{folder / 'Pulumi.yaml'}: has no name; a project of Pulumi has one")
        name = stack.rpartition("/")[2]
        own = _document(folder / f"Pulumi.{name}.yaml", needed=False)
        found = cls(project, name)
        for key, value in _mapping(program.get("config")).items():
            shown = value
            if isinstance(value, Mapping):
                shown = value.get("value", value.get("default"))
            found.config[_full(key, project)] = shown
        for key, value in _mapping(own.get("config")).items():
            found.config[_full(key, project)] = value
        for text in accepted:
            key, equals, value = text.partition("=")
            if not equals or not key:
                raise AuditError(f"--value {text[:80]}: must be KEY=VALUE, such as repositoryName=app-one")
            found.accepted.setdefault(_full(key, project), []).append(value)
        found.secrets_provider = _text(own, "secretsprovider")
        found.encrypted_key = _text(own, "encryptedkey")
        found.salt = _text(own, "encryptionsalt")
        return found

    def values(self, reference: str) -> list[str]:
        """What `${reference}` may stand for: KEY, NAMESPACE:KEY, KEY[].PART (one of a list), or, where no setting has
        that name, a variable of the environment; with `|bare` an address without https://. Raises AuditError where
        nothing says."""
        reference, _, form = reference.partition("|")
        if form:
            return [text.removeprefix("https://") for text in self.values(reference)]
        key, *parts = re.split(r"\[\]\.?|\.", reference)
        full = _full(key, self.project)
        found: list[Any] = [self.config[full]] if full in self.config else []
        if parts:
            found = [_decoded(each) for each in found]
        for part in parts:
            found = [item for each in found for item in (each if isinstance(each, list) else [each])]
            if part:
                found = [each.get(part) for each in found if isinstance(each, Mapping)]
        found = [item for each in found for item in (each if isinstance(each, list) else [each])]
        texts = [_shown(item) for item in found if item is not None]
        texts += self.accepted.get(full, [])
        if not texts and full not in self.config and os.environ.get(key):
            texts = [os.environ[key]]
        if not texts and full not in self.config:
            raise AuditError(
                f"nothing says what {reference} is, which the checkpoint records: set it in Pulumi.{self.stack}.yaml, "
                f"or name it with --value {reference}=VALUE"
            )
        return texts

    def is_secret(self, key: str) -> bool:
        """Whether a setting, by its full key, is kept encrypted in the stack's file."""
        value = self.config.get(key)
        return isinstance(value, Mapping) and set(value) == {"secure"}

    def configured(self, namespace: str) -> Iterator[tuple[str, list[str]]]:
        """The keys of a package (`aws:region`) without its name, with what they may be."""
        for key in self.config:
            space, _, name = key.partition(":")
            if space == namespace:
                yield name, self.values(key)


def _decoded(value: Any) -> Any:
    """A list or an object that `pulumi config set` wrote as a text of JSON."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _full(key: str, project: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else {}


def _document(path: Path, *, needed: bool) -> Mapping[str, Any]:
    if not needed and not path.exists():
        return {}
    return _mapping(read_yaml(path))


LEVELS = 100
"""Of nesting in a YAML file; real ones have below 20, and libyaml breaks down where there are very many."""


def read_yaml(path: Path) -> Any:
    """What a YAML file holds. Raises AuditError that names the file."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        loader = getattr(yaml, "CSafeLoader", None)  # by libyaml, in a tenth of the time; not every build has it
        return yaml.load(text, loader) if loader and _is_flat(text, loader) else yaml.safe_load(text)  # noqa: S506
    except OSError as error:
        raise AuditError(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        raise AuditError(f"{path}: is no YAML; mend it") from None


def _is_flat(text: str, loader: Any) -> bool:
    """Whether no more than LEVELS are open at one place."""
    import yaml

    events = yaml.parse(text, loader)
    steps = (
        isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent) for event in events
    )
    return all(level <= LEVELS for level in accumulate(steps))
