"""What a variable group or a service connection lets a run do in AWS, followed through the resources of a stack."""

from collections.abc import Iterator, Sequence

import iam
from policies.rule import Resource

GROUP = "azuredevops:index/variableGroup:VariableGroup"
CONNECTION = "azuredevops:index/serviceEndpointAws:ServiceEndpointAws"
_GIVES = {GROUP: "aws:iam/accessKey:AccessKey", CONNECTION: "aws:iam/role:Role"}
"""What each hands to a run: a group that only names a role hands out nothing."""
_LINKS = (
    "aws:iam/userGroupMembership:UserGroupMembership",
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:iam/userPolicyAttachment:UserPolicyAttachment",
)
_POLICY = "aws:iam/policy:Policy"
_PUSH = "ecr:PutImage"


def may_push(given: Resource, resources: Sequence[Resource]) -> bool:
    """Whether a policy that is held through `given` allows to put images; one that is not known raises."""
    return any(_allows_push(policy.properties["policy"]) for policy in _policies(given, resources))


def _policies(given: Resource, resources: Sequence[Resource]) -> Iterator[Resource]:
    by_urn = {each.urn: each for each in resources}
    first = [urn for urn in _sources(given) if urn in by_urn and by_urn[urn].type == _GIVES[given.type]]
    held = set(first).union(*(_sources(by_urn[urn]) for urn in first))
    for kind in _LINKS:  # in this order: from the user to the group, from either to the policy
        for each in resources:
            if each.type == kind and held & _sources(each):
                held |= _sources(each)
    return (by_urn[urn] for urn in held if urn in by_urn and by_urn[urn].type == _POLICY)


def _sources(resource: Resource) -> frozenset[str]:
    return frozenset().union(*resource.uses.values())


def _allows_push(text: str) -> bool:
    try:
        policy = iam.parse(text)
    except iam.PolicyError:
        return False  # iam-exact-policy says so
    for statement in policy.statements:
        named = any(glob.matches(_PUSH, {}) is not False for glob in statement.actions.patterns)
        if statement.effect == "Allow" and named != statement.actions.negated:
            return True
    return False
