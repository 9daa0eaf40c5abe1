"""Rules on who may do what: policies, trusts, users.

Sources: Security Hub's IAM controls; checkov's and trivy's checks of IAM.
"""

from collections.abc import Iterator, Sequence

import iam
from policies.documents import lets_everybody_in, parsed
from policies.rule import Properties, Resource, ResourceRule, StackRule

_DOCUMENTS = {
    "aws:iam/policy:Policy": "policy",
    "aws:iam/groupPolicy:GroupPolicy": "policy",
    "aws:iam/rolePolicy:RolePolicy": "policy",
    "aws:iam/userPolicy:UserPolicy": "policy",
}
ROLE = "aws:iam/role:Role"
ISSUER = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
ACCESS_KEY = "aws:iam/accessKey:AccessKey"
_ATTACHMENTS = (
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment",
    "aws:iam/policyAttachment:PolicyAttachment",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:iam/userPolicyAttachment:UserPolicyAttachment",
)
_WIDE = ("inexact-action", "every-resource", "inexact-resource")
_ADMINISTRATORS = ("AdministratorAccess", "PowerUserAccess", "IAMFullAccess")


def _exact(type_: str, properties: Properties) -> Iterator[str]:
    if type_ == ROLE:  # it can hold policies of its own besides what is attached to it
        for inline in properties.get("inlinePolicies") or ():
            if inline.get("policy"):
                yield from _document(inline["policy"])
        return
    yield from _document(properties[_DOCUMENTS[type_]])


def _document(text: str) -> Iterator[str]:
    policy = parsed(text)
    if isinstance(policy, str):
        yield policy
        return
    for finding in iam.exact(policy):
        wide = finding.rule in _WIDE and finding.statement is not None
        if not (wide and policy.statements[finding.statement or 0].effect == "Deny"):  # a wide Deny is a narrow policy
            yield finding.message


def _trusts(_: str, properties: Properties) -> Iterator[str]:
    policy = parsed(properties["assumeRolePolicy"])
    if isinstance(policy, str):
        yield policy
        return
    for statement in policy.statements:
        if statement.effect != "Allow":
            continue
        named = statement.principals
        if lets_everybody_in(statement):
            yield f"{statement.name}: everybody is trusted"
        if any(kind == "Federated" for kind, _ in (named.entries if named else ())):
            exact = {
                condition.key.rpartition(":")[2]
                for condition in statement.conditions
                if condition.operator == "StringEquals" and not condition.qualifier and not condition.if_exists
            }
            for part in sorted({"aud", "sub"} - exact):
                yield f"{statement.name}: identity tokens of any `{part}` are trusted"


def _no_administrator(type_: str, properties: Properties) -> Iterator[str]:
    for arn in (properties.get("managedPolicyArns") or ()) if type_ == ROLE else (properties["policyArn"],):
        name = str(arn).rpartition("/")[2]
        if name in _ADMINISTRATORS:
            yield f"{name} is attached, which allows nearly everything"


def _not_on_users(type_: str, properties: Properties) -> Iterator[str]:
    if type_ != "aws:iam/policyAttachment:PolicyAttachment" or properties.get("users"):
        yield "a policy hangs on a user"


def _no_user(_: str, properties: Properties) -> Iterator[str]:
    yield f"the user {properties.get('name') or '(named by the provider)'} holds a key that does not end by itself"


def _key_beside_tokens(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    if any(each.type == ISSUER for each in resources):
        for each in resources:
            if each.type == ACCESS_KEY:
                yield each, "an access key is kept although runs have identity tokens"


def _no_password(_: str, __: Properties) -> Iterator[str]:
    yield "a user of a pipeline gets a password for the console"


RULES = (
    ResourceRule(
        id="iam-exact-policy",
        title="A policy names the actions and the resources that it allows",
        severity="critical",
        level="mandatory",
        types=(*_DOCUMENTS, ROLE),
        check=_exact,
        remedy="Name each action, and the ARN of each resource where the action has one",
        met="infra/policy.py, at the place that declares it",
        controls=(
            "Security Hub IAM.1",
            "Security Hub IAM.21",
            *(f"checkov CKV_AWS_{number}" for number in (62, 63, 286, 287, 288, 289, 290, 355)),
        ),
    ),
    ResourceRule(
        id="iam-exact-trust",
        title="A role trusts whom it names: identity tokens by audience and subject, exactly",
        severity="critical",
        level="mandatory",
        types=(ROLE,),
        check=_trusts,
        remedy="Compare both :aud and :sub of the issuer by StringEquals, and name no * as a principal",
        met="infra/access.py",
    ),
    ResourceRule(
        id="iam-no-administrator",
        title="No policy that allows nearly everything is attached",
        severity="critical",
        level="mandatory",
        types=(*_ATTACHMENTS, ROLE),
        check=_no_administrator,
        remedy="Attach a policy that names what is needed",
        met="infra/access.py",
        controls=("checkov CKV_AWS_274",),
    ),
    ResourceRule(
        id="iam-policy-by-group",
        title="No policy hangs on a user",
        severity="medium",
        level="mandatory",
        types=(
            "aws:iam/userPolicy:UserPolicy",
            "aws:iam/userPolicyAttachment:UserPolicyAttachment",
            "aws:iam/policyAttachment:PolicyAttachment",
        ),
        check=_not_on_users,
        remedy="Attach it to a group, and make the user a member",
        met="infra/access.py",
        controls=("Security Hub IAM.2", "checkov CKV_AWS_40", "trivy AWS-0143"),
    ),
    ResourceRule(
        id="iam-no-long-lived-key",
        title="Nobody holds a key that does not end by itself",
        severity="medium",
        level="advisory",
        types=("aws:iam/user:User",),
        check=_no_user,
        remedy="Set app-one:pipelineIdentity oidc (docs/azure-devops.md)",
        met="app-one:pipelineIdentity oidc",
        controls=("checkov CKV_AWS_273",),
    ),
    StackRule(
        id="iam-no-key-beside-tokens",
        title="Where runs have identity tokens no access key is kept, but while one takes the place of the other",
        severity="medium",
        level="advisory",
        check=_key_beside_tokens,
        remedy="Set app-one:keepAccessKey false as soon as every run takes a token (docs/azure-devops.md)",
        met="infra/foundation.py; app-one:keepAccessKey is false by default",
    ),
    ResourceRule(
        id="iam-no-password",
        title="A user of a pipeline has no password",
        severity="high",
        level="mandatory",
        types=("aws:iam/userLoginProfile:UserLoginProfile",),
        check=_no_password,
        remedy="Leave the login profile out",
        met="the program declares none",
    ),
)
