"""Every step that a preview shows, found by what the families ask for; made once, so that a large plan stays linear."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from audit.model import Plan, Step, is_unknown, kind_of, target_of

AUTHORIZATIONS = ("azuredevops:index:PipelineAuthorization", "azuredevops:index:ResourceAuthorization")
RELEASES = frozenset(
    {
        "docker:index:Image",
        "docker:index:RegistryImage",
        "docker-build:index:Image",
        "docker-build:index:Index",
        "awsx:ecr:Image",
        "aws:ecr:Repository",
        "awsx:ecr:Repository",
        "aws:ecs:TaskDefinition",
    }
)
"""Types whose computed outputs name a release: an image, its repository, a task."""


def _kind(urn: str) -> str:
    parts = urn.split("::")
    return kind_of(parts[2].rpartition("$")[2]) if len(parts) >= 4 else ""


class Known:
    """An index over the steps of a redacted plan."""

    def __init__(self, plan: Plan) -> None:
        self.steps = plan.by_urn()
        self.shows_unchanged = plan.shows_unchanged
        self._below = Counter(plan.below)
        self._releases = plan.source == "events" and any(step.kind in RELEASES for step in plan.steps)
        self._moving: set[str] = set()
        self._policies: dict[str, Step] = {}
        self._authorizations: dict[str, list[Step]] = {}
        self._new_repositories: dict[str, Step] = {}
        for step in self.steps.values():
            if step.kind == "aws:iam:Policy":
                self._index_policy(step)
            elif step.kind in AUTHORIZATIONS and not step.deletes:
                self._index_authorization(step)
            elif step.kind.startswith("pulumi:providers:"):
                self._moving.add(step.urn)
            elif step.kind == "aws:ecr:Repository" and _starts_empty(step) and step.new is not None:
                self._new_repositories[str(step.new.inputs.get("name"))] = step
        if self._moving:
            self._below.update(target_of(side.provider) for step in plan.steps if (side := step.new or step.old))

    def _index_policy(self, step: Step) -> None:
        for side in (step.old, step.new):
            for arn in (side.outputs.get("arn"), side.id) if side is not None else ():
                if isinstance(arn, str) and arn and not is_unknown(arn):
                    self._policies[arn] = step

    def _index_authorization(self, step: Step) -> None:
        side = step.new or step.old
        if side is None:
            return
        resource = side.inputs.get("resourceId")
        for key in {*side.property_dependencies.get("resourceId", ()), resource if isinstance(resource, str) else ""}:
            if key:
                self._authorizations.setdefault(key, []).append(step)

    def stays(self, step: Step) -> bool:
        """Whether a deletion, or the one of a replacement, leaves the thing in the cloud: by its own retainOnDelete, or
        by that of what it would be deleted with."""
        if step.old is None or not (step.deletes or step.replaces):
            return False
        other = self.steps.get(str(step.old.options.get("deletedWith")))
        return step.old.retain_on_delete or (other is not None and other.old is not None and other.old.retain_on_delete)

    def below(self, provider: str) -> int:
        """How many resources of this preview a provider manages."""
        return self._below[provider]

    def releases(self, urns: Sequence[str]) -> bool:
        """Whether a value comes from nothing but images, their repositories and tasks of this plan. An event log does
        not say where a value comes from: there, one of them has to change."""
        return all(_kind(urn) in RELEASES for urn in urns) if urns else self._releases

    def policy(self, arn: Any, urns: Sequence[str]) -> Step | None:
        """The policy that an ARN means: by its recorded ARN, else the one policy among the URNs that it was computed
        from."""
        if isinstance(arn, str) and arn in self._policies:
            return self._policies[arn]
        found = [self.steps[urn] for urn in urns if urn in self.steps and self.steps[urn].kind == "aws:iam:Policy"]
        return found[0] if len(found) == 1 else None

    def authorizations(self, group: Step) -> list[Step]:
        """The authorisations of pipelines to use a variable group, by dependency or by id."""
        ids = [state.id for state in (group.old, group.new) if state is not None and state.id]
        found = {step.urn: step for key in (group.urn, *ids) for step in self._authorizations.get(key, ())}
        return list(found.values())

    def new_repository(self, name: Any, urns: Sequence[str]) -> bool:
        """Whether the repository that another resource names is created by this plan, or made anew."""
        repositories = [self.steps[urn] for urn in urns if urn in self.steps]
        if repositories:
            return all(_starts_empty(step) for step in repositories)
        return str(name) in self._new_repositories or (is_unknown(name) and bool(self._new_repositories))


def _starts_empty(repository: Step) -> bool:
    """A replaced repository loses its images by that, whatever is attached to it then."""
    return repository.creates or repository.replaces
