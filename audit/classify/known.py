"""Every step that a preview shows, found by what the families ask for; made once, so that a large plan stays linear."""

from collections.abc import Sequence
from typing import Any

from audit.model import Plan, Step, is_unknown

AUTHORIZATIONS = ("azuredevops:index:PipelineAuthorization", "azuredevops:index:ResourceAuthorization")


class Known:
    """An index over the steps of a redacted plan."""

    def __init__(self, plan: Plan) -> None:
        self.steps = plan.by_urn()
        self.shows_unchanged = plan.shows_unchanged
        self._policies: dict[str, Step] = {}
        self._authorizations: dict[str, list[Step]] = {}
        self._new_repositories: dict[str, Step] = {}
        for step in self.steps.values():
            if step.kind == "aws:iam:Policy":
                self._index_policy(step)
            elif step.kind in AUTHORIZATIONS and not step.deletes:
                self._index_authorization(step)
            elif step.kind == "aws:ecr:Repository" and _starts_empty(step) and step.new is not None:
                self._new_repositories[str(step.new.inputs.get("name"))] = step

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
