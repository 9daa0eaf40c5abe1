"""As whom is asked: the holder itself, by a temporary key, role or profile, or two users made for one finding, who have
its documents and nothing else. Whatever is made is removed at the end, also of a run that fails."""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import iam
from audit.clouds import Gone, NotOffered, Refused
from audit.clouds.aws import Aws
from audit.errors import AuditError
from audit.model import holds_unknown, is_hidden, strings
from audit.prove.requests import CannotAsk, Witness

PATH = "/audit-rehearsal/"
"""Path of the users and policies that are made here, by which one that stayed behind is found."""
KINDS = ("user", "role", "profile")


@dataclass(frozen=True, slots=True)
class Caller:
    """One who asks. `entity`: the ARN of the user or role, whose policies the simulator judges."""

    name: str
    aws: Aws
    arn: str
    entity: str


@dataclass(slots=True)
class Operator:
    """One who may make and remove keys, users and policies. `learn` is told every secret that comes to be."""

    aws: Aws
    learn: Callable[[str], None]
    made: ExitStack

    def do(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """One call. Raises AuditError where it is not permitted or the thing is not there, CannotAsk where it is
        refused for what it holds."""
        try:
            return self.aws.call(service, operation, **parameters)
        except Refused as refusal:
            if refusal.permission:
                raise AuditError(
                    f"{operation} is refused ({refusal.why}): the operator needs {refusal.permission}"
                ) from None
            raise CannotAsk(f"{operation} is refused ({refusal.why})") from None
        except Gone as gone:
            raise AuditError(f"{gone}: is not there") from None
        except NotOffered as refusal:
            raise AuditError(str(refusal)) from None

    def undo(self, operation: str, **parameters: Any) -> None:
        """Has the IAM call made at the end."""

        def remove() -> None:
            try:
                self.do("iam", operation, **parameters)
            except (AuditError, CannotAsk) as error:
                raise AuditError(f"{error}; remove what is left under {PATH} by hand") from None

        self.made.callback(remove)

    def key_of(self, user: str) -> Aws:
        """A temporary access key of the user, for the time of the run."""
        key = self.do("iam", "CreateAccessKey", UserName=user)["AccessKey"]
        self.undo("DeleteAccessKey", UserName=user, AccessKeyId=key["AccessKeyId"])
        holder = self._with(key)
        holder.wait_until_known()
        return holder

    def session_of(self, role: str) -> Aws:
        """A session of the role, for 15 minutes."""
        answer = self.do("sts", "AssumeRole", RoleArn=role, RoleSessionName="audit-rehearsal", DurationSeconds=900)
        return self._with(answer["Credentials"])

    def _with(self, key: Mapping[str, str]) -> Aws:
        for name in ("SecretAccessKey", "SessionToken"):
            if key.get(name):
                self.learn(key[name])
        return Aws(key={name: key[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken") if name in key})


@contextmanager
def operator(aws: Aws, learn: Callable[[str], None]) -> Iterator[Operator]:
    """The operator, who removes at the end what was made."""
    with ExitStack() as made:
        yield Operator(aws, learn, made)


def holder(name: str, by: Operator, *, keyless: bool) -> Caller:
    """The caller that --holder names; `keyless`: none of its keys is needed. Raises AuditError."""
    kind, slash, rest = name.partition("/")
    if kind not in KINDS or not slash or not rest:
        raise AuditError(f"--holder {name[:80]}: must be user/NAME, role/NAME or profile/NAME")
    short = rest.rpartition("/")[2]
    if kind == "profile":
        aws = by.aws
        arn = str(aws.call("sts", "GetCallerIdentity", region=aws.region())["Arn"])
        return Caller(name, aws, arn, _entity(arn))
    try:
        if kind == "user":
            arn = str(by.do("iam", "GetUser", UserName=short)["User"]["Arn"])
            return Caller(name, by.aws if keyless else by.key_of(short), arn, arn)
        arn = str(by.do("iam", "GetRole", RoleName=short)["Role"]["Arn"])
        return Caller(name, by.aws if keyless else by.session_of(arn), arn, arn)
    except CannotAsk as refusal:
        raise AuditError(f"--holder {name}: {refusal}; a user can have two keys at most") from None


def _entity(arn: str) -> str:
    """A session's role; the path of a role is not in the session's ARN."""
    if ":assumed-role/" not in arn:
        return arn
    return arn.rpartition("/")[0].replace(":sts:", ":iam:").replace(":assumed-role/", ":role/")


def stand_ins(by: Operator, policy: Mapping[str, Any], witnesses: Sequence[Witness], *, keyless: bool) -> list[Caller]:
    """Two users, one with the document as it is, one as it will be. Raises CannotAsk and AuditError."""
    documents = {"before": policy["old"], "after": policy["new"]}
    for document in documents.values():
        _check(document)
    given = _given(policy["old"], policy["new"], witnesses)
    return [_made(by, side, document, given, keyless=keyless) for side, document in documents.items()]


def _check(document: Any) -> None:
    if document is None:
        return
    if not isinstance(document, dict):
        raise CannotAsk("its document is not known")
    if any(is_hidden(text) for text in strings(document)) or holds_unknown(document):
        raise CannotAsk("a part of its document is not known")
    try:
        parsed = iam.parse(json.dumps(document))
    except iam.PolicyError as error:
        raise CannotAsk(f"its document is none of IAM: {error}") from None
    if any(statement.principals is not None for statement in parsed.statements):
        raise CannotAsk("its document is a resource's own, which counts only where it is: ask with --holder")


def _given(old: Any, new: Any, witnesses: Sequence[Witness]) -> list[dict[str, Any]]:
    """What another policy has to allow for it to show: where a Deny is lifted, and the document itself allows
    nothing."""
    before, after = ([iam.parse(json.dumps(item))] if item is not None else [] for item in (old, new))
    given = []
    for item in witnesses:
        try:
            request = iam.Request(item["action"], item["resource"], None, item["context"])
        except iam.RequestError as error:
            raise CannotAsk(f"it is no request: {error}") from None
        if [iam.decide(side, request).effect for side in (before, after)] == ["explicit_deny", "implicit_deny"]:
            given.append({"Effect": "Allow", "Action": item["action"], "Resource": item["resource"]})
    return given


def _made(by: Operator, side: str, document: Any, given: list[dict[str, Any]], *, keyless: bool) -> Caller:
    name = f"audit-rehearsal-{side}-{secrets.token_hex(6)}"
    arn = str(by.do("iam", "CreateUser", UserName=name, Path=PATH)["User"]["Arn"])
    by.undo("DeleteUser", UserName=name)
    more = {"Version": "2012-10-17", "Statement": given}
    # IAM takes no document without statements, and one says nothing.
    for number, item in enumerate(item for item in (document, more) if item and item["Statement"]):
        text = json.dumps(item, separators=(",", ":"))
        policy = by.do("iam", "CreatePolicy", PolicyName=f"{name}-{number}", Path=PATH, PolicyDocument=text)
        policy_arn = policy["Policy"]["Arn"]
        by.undo("DeletePolicy", PolicyArn=policy_arn)
        by.do("iam", "AttachUserPolicy", UserName=name, PolicyArn=policy_arn)
        by.undo("DetachUserPolicy", UserName=name, PolicyArn=policy_arn)
    return Caller("stand-in", by.aws if keyless else by.key_of(name), arn, arn)
