"""Made-up histories of real policies, of the kind that AWS's own have: actions and services added, Denies grown.

The policies are AWS's managed ones, from moto's copy. Each step says what it can do: an Allow that grows refuses
nothing new, a Deny that grows allows nothing new.
"""

import copy
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from iam import Comparison, Request, catalogue

Document = dict[str, Any]
Direction = Literal["grows", "shrinks", "same", "either"]


@dataclass(frozen=True)
class Step:
    """Two consecutive versions, what was done, and what that can do."""

    old: Document
    new: Document
    kind: str
    direction: Direction


def real_policies(largest: int = 10_240) -> list[Document]:
    """AWS managed policies of at most so many characters; 10,240 is the most that IAM takes of others."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    found = []
    for policy in json.loads(aws_managed_policies_data).values():
        document = policy["Document"]
        if isinstance(document["Statement"], dict):
            document["Statement"] = [document["Statement"]]
        if len(json.dumps(document)) <= largest:
            found.append(document)
    return found


class Histories:
    """Draws histories from a seed."""

    def __init__(self, seed: int, documents: Sequence[Document]) -> None:
        self.random = random.Random(seed)  # noqa: S311 - repeatable test data, no secret
        self.documents = documents

    def steps(self, versions: int) -> Iterator[Step]:
        """So many steps of each policy, one after the other."""
        for document in self.documents:
            old = document
            for _ in range(versions):
                step = self._step(old)
                yield step
                old = step.new

    def _step(self, old: Document) -> Step:
        new = copy.deepcopy(old)
        kinds = (self._actions, self._actions, self._actions, self._service, self._service, self._deny, self._deny)
        rare = (self._resource, self._value, self._prefix, self._removed, self._split, self._condition)
        kind, direction = self.random.choice((*kinds, *kinds, *rare))(new["Statement"])
        return Step(old, new, kind, direction)

    def _allow(self, statements: list[Document]) -> Document | None:
        found = [s for s in statements if s["Effect"] == "Allow" and "Action" in s]
        return self.random.choice(found) if found else None

    def _known(self, service: str, most: int) -> list[str]:
        names = list(catalogue.actions(service).values())
        return [
            f"{service}:{name}" for name in self.random.sample(names, min(len(names), self.random.randint(1, most)))
        ]

    def _services(self, statement: Document) -> list[str]:
        found = {text.partition(":")[0].lower() for text in _listed(statement.get("Action", []))}
        return sorted(service for service in found if catalogue.actions(service)) or ["ecr"]

    def _actions(self, statements: list[Document]) -> tuple[str, Direction]:
        statement = self._allow(statements)
        if statement is None:
            return self._service(statements)
        added = self._known(self.random.choice(self._services(statement)), 4)
        statement["Action"] = [*_listed(statement["Action"]), *added]
        return "actions added", "grows"

    def _service(self, statements: list[Document]) -> tuple[str, Direction]:
        added: Document = {"Effect": "Allow", "Action": self._known(self._any_service(), 8), "Resource": "*"}
        if self.random.random() < 0.3:
            added["Condition"] = {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}
        statements.insert(self.random.randint(0, len(statements)), added)
        return "a service added", "grows"

    def _any_service(self) -> str:
        return self.random.choice([s for s in catalogue.services() if catalogue.actions(s)])

    def _deny(self, statements: list[Document]) -> tuple[str, Direction]:
        denies = [s for s in statements if s["Effect"] == "Deny" and "Action" in s]
        allowed = self._allow(statements)
        near = self._services(allowed) if allowed and self.random.random() < 0.6 else [self._any_service()]
        service = self.random.choice(near)
        words = [
            name[at:]
            for name in catalogue.actions(service).values()
            for at in range(1, len(name))
            if name[at].isupper()
        ]
        globs = [
            f"{service}:*{word}*" for word in self.random.sample(words, min(len(words), self.random.randint(1, 7)))
        ]
        globs = globs or [f"{service}:*"]
        if denies and self.random.random() < 0.5:
            grown = self.random.choice(denies)
            grown["Action"] = [*_listed(grown["Action"]), *globs]
        else:
            statements.insert(0, {"Effect": "Deny", "Action": globs, "Resource": "*"})
        return "a Deny grown", "shrinks"

    def _resource(self, statements: list[Document]) -> tuple[str, Direction]:
        statement = self._allow(statements)
        if statement is None or "Resource" not in statement:
            return self._service(statements)
        service = self.random.choice(self._services(statement))
        statement["Resource"] = [*_listed(statement["Resource"]), f"arn:aws:{service}:*:*:made-up/app-*"]
        return "a resource added", "grows"

    def _value(self, statements: list[Document]) -> tuple[str, Direction]:
        for statement in self.random.sample(statements, len(statements)):
            for operator, keys in statement.get("Condition", {}).items():
                if statement["Effect"] == "Allow" and operator in (
                    "StringEquals",
                    "StringLike",
                    "ForAnyValue:StringEquals",
                ):
                    key = self.random.choice(list(keys))
                    keys[key] = [*_listed(keys[key]), "made-up"]
                    return "a value added", "grows"
        return self._actions(statements)

    def _prefix(self, statements: list[Document]) -> tuple[str, Direction]:
        statement = self._allow(statements)
        if statement is None:
            return self._service(statements)
        actions = _listed(statement["Action"])
        literal = [text for text in actions if "*" not in text and "?" not in text and len(text.partition(":")[2]) > 4]
        if literal:
            chosen = self.random.choice(literal)
            statement["Action"] = [text if text != chosen else f"{chosen[:-3]}*" for text in actions]
        return "an action became a prefix", "grows"

    def _removed(self, statements: list[Document]) -> tuple[str, Direction]:
        statement = self._allow(statements)
        if statement is None or len(_listed(statement["Action"])) < 2:
            return self._deny(statements)
        kept = _listed(statement["Action"])
        kept.remove(self.random.choice(kept))
        statement["Action"] = kept
        return "an action removed", "shrinks"

    def _split(self, statements: list[Document]) -> tuple[str, Direction]:
        statement = self._allow(statements)
        if statement is None:
            return self._deny(statements)
        actions = _listed(statement["Action"])
        half = len(actions) // 2
        if half:
            statement["Action"] = actions[half:]
            other = copy.deepcopy(statement) | {"Action": actions[:half]}
            other.pop("Sid", None)
            statements.append(other)
        return "a statement split", "same"

    def _condition(self, statements: list[Document]) -> tuple[str, Direction]:
        statement = self._allow(statements)
        if statement is None or "Condition" in statement:
            return self._deny(statements)
        statement["Condition"] = {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}
        return "a condition added", "shrinks"

    def requests(self, step: Step, count: int) -> list[Request]:
        """Requests for actions that the versions name, on their resources."""
        statements = [*step.old["Statement"], *step.new["Statement"]]
        found = []
        for _ in range(count):
            statement = self.random.choice(statements)
            service = self.random.choice(self._services(statement))
            named = [t for t in _listed(statement.get("Action", [])) if catalogue.known(t)]
            action = self.random.choice([*named[-3:], *self._known(service, 2)] or ["ecr:PutImage"])
            context = {"aws:ResourceAccount": "123456789012", "aws:PrincipalAccount": "123456789012"}
            resource = self.random.choice(catalogue.resources(action) or ("*",))
            found.append(Request(action, resource, None, context if self.random.random() < 0.7 else {}))
        return found


def untrue(step: Step, found: Comparison) -> bool:
    """Whether a verdict claims what the step cannot have done."""
    gains, losses = bool(found.newly_allowed), bool(found.newly_refused)
    return (step.direction in ("shrinks", "same") and gains) or (step.direction in ("grows", "same") and losses)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]
