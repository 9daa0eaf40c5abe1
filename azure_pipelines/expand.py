"""Expand a pipeline as the service does before a run: parameters, `${{ }}`, if/elseif/else, each, insert, templates.

Source: https://learn.microsoft.com/azure/devops/pipelines/process/template-expressions
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from azure_pipelines.documents import Folder, Located, PipelineError, Sources, load
from azure_pipelines.expressions import ExpressionError, Parameters, Scope, evaluate, parse, text, truth

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_DIRECTIVE = re.compile(r"^\s*\$\{\{\s*(if|elseif|else|each|insert)\b(.*)\}\}\s*$", re.DOTALL)
_EACH = re.compile(r"^\s*([A-Za-z_]\w*)\s+in\s+(.*)$", re.DOTALL)
LEVELS = frozenset({"stage", "job", "deployment"})
"""Keys that make a mapping one that has variables of its own."""
KINDS = ("stages", "jobs", "steps", "variables")
_HOLDING = frozenset({*KINDS, "strategy"})
OBJECTS = ("step", "job", "deployment", "stage")
LISTS = (*(f"{kind}List" for kind in OBJECTS), "stringList")
"""Types of parameters beside string, number, boolean and object."""
DEPTH = 50
"""Templates in templates, at most: the service has a limit too."""


SELF = "self"
"""The alias of the repository that the pipeline itself is in."""


@dataclass(frozen=True)
class File:
    """A file, and the alias of its repository."""

    path: PurePosixPath
    repository: str = SELF

    def __str__(self) -> str:
        """As a template names it."""
        return str(self.path) if self.repository == SELF else f"{self.path}@{self.repository}"


Opener = Callable[[Located], Path | Sources]
"""Gives the files of another repository by its entry in `resources: repositories:`. Raises PipelineError."""


Shared = dict[Hashable, Located]
"""Templates that were expanded, by all that they depend on."""


def unknown(entry: Located) -> Sources:
    """Opens no other repository. Raises PipelineError."""
    raise PipelineError(f"{entry['repository']} is another repository, which is not read here")


@dataclass(frozen=True)
class Expander:
    """Expands the files of one checkout, and the templates that it takes from other repositories.

    sources: the checkout's folder, or where else its files are. predefined: the variables that templates see, such as
    Build.Reason. opener: of other repositories. shared: templates that were expanded before from the same sources and
    with the same opener, by all that they depend on; what has its parts from there is not to be changed.
    """

    sources: Path | Sources
    predefined: Mapping[str, str]
    opener: Opener = unknown
    shared: Shared | None = None
    _declared: dict[str, Located] = field(default_factory=dict)
    _opened: dict[str, Path | Sources] = field(default_factory=dict)
    _extensions: list[File] = field(default_factory=list)

    @property
    def extended(self) -> File | None:
        """What the pipeline itself extends, after `pipeline`; not what that extends in turn."""
        return self._extensions[0] if self._extensions else None

    def pipeline(self, file: str, parameters: Mapping[str, Any]) -> Located:
        """The whole pipeline without a template or a template expression. Raises PipelineError."""
        return self._file(File(PurePosixPath(file)), parameters, self.predefined, 0)

    def _of(self, repository: str) -> Path | Sources:
        """The files of a repository. Raises PipelineError."""
        if repository == SELF:
            return self.sources
        if repository not in self._opened:
            if repository.lower() not in self._declared:
                raise PipelineError(f"no repository {repository} is declared under resources: repositories:")
            self._opened[repository] = self.opener(self._declared[repository.lower()])
        return self._opened[repository]

    def _declare(self, resources: Any) -> None:
        entries = resources.get("repositories") if isinstance(resources, Mapping) else None
        for entry in entries if isinstance(entries, list) else ():
            if not isinstance(entry, Located) or not entry.get("repository"):
                raise PipelineError(f"an entry of resources: repositories: has no alias: {entry!r}")
            self._declared[str(entry["repository"]).lower()] = entry

    def _file(self, file: File, given: Mapping[str, Any], seen: Mapping[str, str], depth: int) -> Located:
        """A file expanded; seen: the variables of those that include it."""
        if depth > DEPTH:
            raise PipelineError(f"{file}: templates include each other more than {DEPTH} deep")
        sources = self._of(file.repository)
        document = load(sources, str(file.path), str(file.path if _same(sources, self.sources) else file))
        if not isinstance(document, Located):
            raise PipelineError(f"{file} is no mapping")
        parameters = Parameters(bind(_parameters(document.get("parameters")), given, str(file)))
        where = f"{file}:{document.line}"
        body, own = Located(document), Located()
        body.file, body.line = document.file, document.line
        body.pop("parameters", None)
        if depth == 0 and "resources" in body:  # before all that may name one
            scope = Scope({"parameters": parameters, "variables": seen})
            self._declare(expand(body["resources"], scope, where))
        if "variables" in body:  # before all else, which sees them in ${{ variables.x }}
            scope = Scope({"parameters": parameters, "variables": seen})
            own["variables"] = expand(body.pop("variables"), scope, where)
            seen = _seeing(seen, self._included(own, file, seen, depth))
        expanded = _expanded(body, Scope({"parameters": parameters, "variables": seen}), where)
        expanded.update(own)
        # What was included above holds no template any more, and is passed over here.
        expanded = self._included(expanded, file, seen, depth)
        return self._extended(expanded, file, seen, depth) if "extends" in expanded else expanded

    def _extended(self, node: Located, file: File, seen: Mapping[str, str], depth: int) -> Located:
        """The document with what it extends in the place of `extends`; its own keys stand beside it."""
        given = node.pop("extends")
        if not isinstance(given, Located) or "template" not in given:
            raise PipelineError(f"{node.file}:{node.line}: extends needs a template")
        base = self._template(given, file, seen, depth)
        if depth == 0:
            self._extensions.append(_named(given, file))
        if clash := sorted(set(base) & set(node)):
            raise PipelineError(f"{given.file}:{given.line}: {', '.join(clash)} stands here and in what is extended")
        node.update(base)
        return node

    def _template(self, item: Located, file: File, seen: Mapping[str, str], depth: int) -> Located:
        """What a reference to a template stands for."""
        try:
            named, given = _named(item, file), item.get("parameters") or {}
            if self.shared is None:
                return self._file(named, given, seen, depth + 1)
            values = dict(given) if isinstance(given, Mapping) else given  # wherever they stand together
            key = (named, depth, _frozen(values), tuple(seen.items()), _frozen(self._declared))
            if key not in self.shared:
                self.shared[key] = self._file(named, given, seen, depth + 1)
            return self.shared[key]
        except PipelineError as error:
            raise PipelineError(f"{item.file}:{item.line}: {error}") from None

    def _included(self, node: Located, file: File, seen: Mapping[str, str], depth: int) -> Located:
        """The node with every template under it replaced by what the template holds."""
        if _HOLDING.isdisjoint(node):  # as nearly every step
            return node
        seen = _seeing(seen, node) if LEVELS & node.keys() else seen
        for kind in KINDS:
            if isinstance(node.get(kind), list):
                node[kind] = [item for part in node[kind] for item in self._item(part, kind, file, seen, depth)]
        strategy = node.get("strategy")
        if isinstance(strategy, Located):
            for hook in _hooks(strategy):
                self._included(hook, file, seen, depth)
        return node

    def _item(self, item: Any, kind: str, file: File, seen: Mapping[str, str], depth: int) -> Iterator[Any]:
        if not isinstance(item, Located):
            raise PipelineError(f"{file}: an entry of {kind} is no mapping: {item!r}")
        if "template" not in item:
            yield self._included(item, file, seen, depth)
            return
        included = self._template(item, file, seen, depth)
        if kind not in included:
            raise PipelineError(f"{item.file}:{item.line}: {item['template']} holds no {kind}")
        found = included[kind]
        if kind == "variables" and isinstance(found, Mapping):
            found = [_entry(name, value, item) for name, value in found.items()]
        yield from found


def _frozen(value: Any) -> Hashable:
    """A value as a key: with the types of its scalars, and the places of its mappings, which findings name."""
    if isinstance(value, Mapping):
        place = (value.file, value.line) if isinstance(value, Located) else ()
        return (dict, place, *((key, _frozen(held)) for key, held in value.items()))
    if isinstance(value, list):
        return (list, *map(_frozen, value))
    return value if isinstance(value, str) else (type(value), value)


def _same(one: Path | Sources, other: Path | Sources) -> bool:
    """Whether both are one folder: then an alias says no more than the path."""
    first, second = (place.root if isinstance(place, Folder) else place for place in (one, other))
    return first == second


def _named(item: Located, file: File) -> File:
    """The file that a reference to a template names. Raises PipelineError for a path that leaves the checkout."""
    return _target(str(item["template"]), file)


@lru_cache(maxsize=1000)
def _target(template: str, file: File) -> File:
    name, at, repository = template.partition("@")
    path = PurePosixPath(name)
    # A path is relative to the including file; with a leading / or a repository it starts at the top.
    folder = PurePosixPath() if at or path.is_absolute() else file.path.parent
    target = _normal(folder / (PurePosixPath(*path.parts[1:]) if path.is_absolute() else path))
    return File(target, repository or file.repository)


def _entry(name: str, value: Any, origin: Located) -> Located:
    """A variable of the short form as one of the long form, so that it can stand in a list."""
    found = Located({"name": name, "value": value})
    found.file, found.line = origin.file, origin.line
    return found


def _seeing(seen: Mapping[str, str], node: Mapping[str, Any]) -> Mapping[str, str]:
    """The variables that templates see below a node: those so far, and its own. Nobody redefines a predefined one."""
    declared = node.get("variables")
    if not declared:
        return seen
    if not isinstance(declared, Mapping):
        entries = [entry for entry in declared if isinstance(entry, Mapping) and "name" in entry]
        declared = {text(entry["name"]): entry.get("value") for entry in entries}
    known = {name.lower(): (name, value) for name, value in seen.items()}
    for name, value in declared.items():
        if "." not in name or name.lower() not in known:
            known[name.lower()] = (name, text(value))
    return dict(known.values())


def _normal(path: PurePosixPath) -> PurePosixPath:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            if not parts:
                raise PipelineError(f"{path} leaves the checkout")
            parts.pop()
        else:
            parts.append(part)
    return PurePosixPath(*parts)


def _hooks(strategy: Located) -> Iterator[Located]:
    """The parts of a deployment strategy that hold steps."""
    for value in strategy.values():
        if isinstance(value, Located):
            if "steps" in value:
                yield value
            yield from _hooks(value)


def _parameters(parameters: Any) -> list[Any]:
    """Declarations of parameters; the older form, names with their defaults, takes a value of any type."""
    if isinstance(parameters, Located):
        return [{"name": name, "default": default, "type": "any"} for name, default in parameters.items()]
    return list(parameters or [])


def bind(declared: list[Any], given: Mapping[str, Any], file: str) -> dict[str, Any]:
    """Parameters by name, defaults filled in and converted to their types. Raises PipelineError for every misfit."""
    for entry in declared:
        if not isinstance(entry, Mapping) or "name" not in entry:
            raise PipelineError(f"{file}: an entry of parameters has no name: {entry!r}")
    names = {entry["name"]: entry for entry in declared}
    if len(names) < len(declared):
        raise PipelineError(f"{file} declares a parameter twice")
    if unknown := sorted(set(given) - set(names)):
        raise PipelineError(f"{file} has no parameter {', '.join(unknown)}")
    bound = {}
    for name, entry in names.items():
        if name not in given and "default" not in entry:
            raise PipelineError(f"{file} needs the parameter {name}")
        value = given[name] if name in given else entry["default"]
        bound[name] = _typed(value, entry.get("type", "string"), f"{file}: parameter {name}")
        if (allowed := entry.get("values")) and text(value) not in allowed:
            raise PipelineError(f"{file}: parameter {name} is {text(value)!r}, not one of {', '.join(allowed)}")
    return bound


def _typed(value: Any, kind: str, where: str) -> Any:
    if kind == "boolean":
        if text(value).lower() not in ("true", "false"):
            raise PipelineError(f"{where} is {value!r}, no boolean")
        return text(value).lower() == "true"
    if kind == "number":
        try:
            return float(text(value)) if "." in text(value) else int(text(value))
        except ValueError:
            raise PipelineError(f"{where} is {value!r}, no number") from None
    if kind in LISTS and not isinstance(value, list):
        raise PipelineError(f"{where} is {value!r}, no list, which a {kind} is")
    if kind in OBJECTS and not isinstance(value, Mapping):
        raise PipelineError(f"{where} is {value!r}, no mapping, which a {kind} is")
    if kind not in ("string", "boolean", "object", "any", *LISTS, *OBJECTS):
        raise PipelineError(f"{where} has the type {kind!r}, which there is not")
    if kind == "string" and isinstance(value, (Mapping, list)):
        raise PipelineError(f"{where} is no string")
    return text(value) if kind == "string" else value


def expand(node: Any, scope: Scope, where: str) -> Any:
    """A value with its template expressions evaluated; where: file and line, for messages."""
    if isinstance(node, str):
        return _text(node, scope, where)
    if isinstance(node, list):
        return list(_list(node, scope, where))
    if isinstance(node, Located) and node.plain:
        return _copied(node)
    return _expanded(node, scope, where) if isinstance(node, dict) else node


def _copied(node: Any) -> Any:
    """What a value without any expression expands to."""
    if isinstance(node, list):
        return [_copied(item) for item in node]
    if not isinstance(node, Located):
        return node
    first = ("variables",) if "variables" in node and LEVELS & node.keys() else ()
    found = Located({key: _copied(node[key]) for key in (*first, *node)})
    found.file, found.line = node.file, node.line
    return found


def _expanded(node: Mapping[str, Any], scope: Scope, where: str) -> Located:
    own: dict[str, Any] = {}
    where = _place(node, where)
    if "variables" in node and LEVELS & node.keys():
        own["variables"] = expand(node["variables"], scope, where)
        scope = Scope({**scope.names, "variables": _seeing(scope.names["variables"], own)})
        node = _without(node, "variables")
    found = Located({**own, **_mapping(node, scope, where)})
    if isinstance(node, Located):
        found.file, found.line = node.file, node.line
    return found


def _without(node: Mapping[str, Any], name: str) -> Located:
    found = Located({key: value for key, value in node.items() if key != name})
    if isinstance(node, Located):
        found.file, found.line = node.file, node.line
    return found


def _place(node: Any, where: str) -> str:
    return f"{node.file}:{node.line}" if isinstance(node, Located) and node.file else where


def _evaluate(expression: str, scope: Scope, where: str) -> Any:
    try:
        return evaluate(parse(expression), scope)
    except ExpressionError as error:
        raise PipelineError(f"{where}: {error}") from None


def _text(value: str, scope: Scope, where: str) -> Any:
    if "${{" not in value:  # as nearly every text
        return value
    whole = _EXPRESSION.fullmatch(value.strip())
    if whole and value.count("${{") == 1:
        return _evaluate(whole[1], scope, where)
    return _EXPRESSION.sub(lambda match: text(_evaluate(match[1], scope, where)), value)


def _list(items: list[Any], scope: Scope, where: str) -> Iterator[Any]:
    taken: bool | None = None
    for item in items:
        directive = _only_directive(item)
        if directive is None:
            taken = None
            value = expand(item, scope, _place(item, where))
            if isinstance(item, str) and isinstance(value, list):
                yield from value
            else:
                yield value
            continue
        kind, rest, body = directive
        here = _place(item, where)
        holds = _holds(kind, rest, scope, here, taken)
        for inner in _scopes(kind, rest, scope, here) if holds else ():
            value = expand(body, inner, here)
            if not isinstance(value, list):
                raise PipelineError(f"{here}: {kind} in a list must hold a list")
            yield from value
        taken = _taken(kind, holds, taken)


def _mapping(node: Mapping[str, Any], scope: Scope, where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    taken: bool | None = None
    for key, value in node.items():
        match = _DIRECTIVE.match(key) if "${{" in key else None
        if match is None:
            taken = None
            found[text(_text(key, scope, where))] = expand(value, scope, where)
            continue
        kind, rest = match[1], match[2]
        holds = _holds(kind, rest, scope, where, taken)
        for inner in _scopes(kind, rest, scope, where) if holds else ():
            merged = expand(value, inner, where)
            if not isinstance(merged, Mapping):
                raise PipelineError(f"{where}: {kind} in a mapping must hold a mapping")
            found.update(merged)
        taken = _taken(kind, holds, taken)
    return found


def _only_directive(item: Any) -> tuple[str, str, Any] | None:
    if isinstance(item, dict) and len(item) == 1:
        key, value = next(iter(item.items()))
        if "${{" in key and (match := _DIRECTIVE.match(key)) and match[1] != "insert":
            return match[1], match[2], value
    return None


def _holds(kind: str, rest: str, scope: Scope, where: str, taken: bool | None) -> bool:
    """Whether what a directive stands before is there. taken: whether a branch of its chain was so far."""
    if kind in ("elseif", "else") and taken is None:
        raise PipelineError(f"{where}: {kind} without an if before it")
    if kind == "else":
        return not taken
    if kind in ("insert", "each"):
        return True
    return (kind == "if" or not taken) and truth(_evaluate(rest, scope, where))


def _scopes(kind: str, rest: str, scope: Scope, where: str) -> Iterator[Scope]:
    """The scopes in which the body of a directive is expanded: one, but for each."""
    if kind != "each":
        yield scope
        return
    match = _EACH.match(rest)
    if match is None:
        raise PipelineError(f"{where}: each needs `name in values`, not {rest.strip()!r}")
    values = _evaluate(match[2], scope, where)
    if values is not None and not isinstance(values, (Mapping, list)):
        raise PipelineError(f"{where}: each goes over a list or an object; {match[2].strip()} is {text(values)!r}")
    if isinstance(values, Mapping):
        values = [{"key": key, "value": value} for key, value in values.items()]
    for value in values or ():
        yield Scope({**scope.names, match[1]: value})


def _taken(kind: str, held: bool, before: bool | None) -> bool | None:
    """Whether one branch of the chain of if, elseif and else was taken so far; None outside of a chain."""
    if kind == "if":
        return held
    return bool(before) or held if kind == "elseif" else None
