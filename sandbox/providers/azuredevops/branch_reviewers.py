"""azuredevops.BranchPolicyMinReviewers: a pull request needs votes of people who did not write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sandbox.providers.azuredevops.pipelines import BranchPolicyBuildValidation
from sandbox.providers.schema import Fields, at_least, block, flag, number

if TYPE_CHECKING:
    from sandbox.providers.azuredevops.client import Json
    from sandbox.providers.protocol import Properties

_FLAGS = {
    "allowCompletionWithRejectsOrWaits": "allowDownvotes",
    "lastPusherCannotApprove": "blockLastPusherVote",
    "onEachIterationRequireVote": "requireVoteOnEachIteration",
    "onLastIterationRequireVote": "requireVoteOnLastIteration",
    "onPushResetAllVotes": "resetRejectionsOnSourcePush",
    "onPushResetApprovedVotes": "resetOnSourcePush",
    "submitterCanVote": "creatorVoteCounts",
}
"""The plugin's names of the settings, and the service's."""


class BranchPolicyMinReviewers(BranchPolicyBuildValidation):
    """Its scopes and its life are those of every branch policy; only its settings are its own."""

    token = "azuredevops:index/branchPolicyMinReviewers:BranchPolicyMinReviewers"  # noqa: S105 - a type token
    kind = "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd"
    fields: ClassVar[Fields] = {
        **BranchPolicyBuildValidation.fields,
        "settings": block(
            {
                "reviewerCount": number(rule=at_least(1)),
                **{name: flag(default=False) for name in _FLAGS},
                "scopes": BranchPolicyBuildValidation.fields["settings"].fields["scopes"],
            },
            required=True,
        ),
    }

    def validate(self, inputs: Properties) -> list[str]:
        """Votes are reset in one of two ways."""
        settings = inputs.get("settings") or {}
        if settings.get("onPushResetAllVotes") and settings.get("onPushResetApprovedVotes"):
            return ["on_push_reset_all_votes conflicts with on_push_reset_approved_votes"]
        return []

    def to_service(self, settings: Properties) -> Json:
        return {
            "minimumApproverCount": settings.get("reviewerCount", 0),
            **{theirs: settings.get(ours, False) for ours, theirs in _FLAGS.items()},
        }

    def from_service(self, settings: Json) -> dict[str, Any]:
        return {
            "reviewerCount": int(settings.get("minimumApproverCount", 0)),
            **{ours: bool(settings.get(theirs)) for ours, theirs in _FLAGS.items()},
        }
