"""Read the YAML of a pipeline as the service does: every scalar is text, and where a mapping stands is remembered."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import yaml


class PipelineError(ValueError):
    """A pipeline that cannot be read or expanded; names the file and, where known, the line."""


class Located(dict[str, Any]):
    """A mapping that knows its file and line (from 1).

    plain: whether it was read, and no template expression stands in it: it expands to a copy of itself.
    """

    file: str = ""
    line: int = 0
    plain: bool = False


class _Loader(yaml.SafeLoader):
    """Scalars stay text, so that 3.10 is no number and `on` no boolean."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (overrides a class attribute of the library)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Located:
    found = Located()
    found.file, found.line = loader.name, node.start_mark.line + 1
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in found and not str(key).startswith("${{"):
            raise PipelineError(f"{loader.name}:{key_node.start_mark.line + 1}: {key} is there twice")
        while key in found:  # a second `${{ else }}` of a second chain: both are kept
            key += " "
        found[str(key)] = loader.construct_object(value_node, deep=True)
    found.plain = all("${{" not in key and _plain(value) for key, value in found.items())
    return found


def _plain(value: Any) -> bool:
    if isinstance(value, str):
        return "${{" not in value
    return value.plain if isinstance(value, Located) else isinstance(value, list) and all(map(_plain, value))


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


class Sources(Protocol):
    """Where a pipeline's files are."""

    def text(self, name: str) -> str:
        """The text of a file by its path from the top. Raises PipelineError that names it."""


@dataclass(frozen=True)
class Folder:
    """A checkout on disk."""

    root: Path

    def text(self, name: str) -> str:
        """The text of a file by its path from the top. Raises PipelineError that names it."""
        try:
            return (self.root / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise PipelineError(f"{name} does not exist") from None
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no UTF-8"
            raise PipelineError(f"{name} cannot be read: {why}") from None


@dataclass(frozen=True)
class Kept(Folder):
    """A checkout on disk of which each file is read once, for as long as this is used."""

    _texts: dict[str, str] = field(default_factory=dict, compare=False)

    def text(self, name: str) -> str:
        """The text of a file by its path from the top. Raises PipelineError that names it."""
        if name not in self._texts:
            self._texts[name] = super().text(name)
        return self._texts[name]


def load(sources: Path | Sources, name: str, shown: str = "") -> Any:
    """A YAML file's document, which is not to be changed. Raises PipelineError that names it.

    sources: a checkout's folder, or where else its files are. shown: what the file is called, if not by its name.
    """
    where = Folder(sources) if isinstance(sources, Path) else sources
    return _document(where.text(name), shown or name)


def value(text: str, name: str) -> Any:
    """A value that is given as YAML on its own, its scalars text as in a file. Raises PipelineError that names it."""
    return _document(text, name)


@lru_cache(maxsize=1000)
def _document(text: str, name: str) -> Any:
    """The same templates are read again for each way in which a run can start: a text is parsed once."""
    loader = _Loader(text)
    loader.name = name
    try:
        return loader.get_single_data()
    except yaml.YAMLError as error:
        raise PipelineError(f"{name} is no YAML: {error}") from None
    finally:
        loader.dispose()
