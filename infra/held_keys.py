"""What IAM has of a user's access keys, and what the user's tag records about them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pulumi
import pulumi_aws as aws

from infra.key_rotation import RECORD, Held, RecordError, Rule, Wanted, wanted
from infra.lookup import LookUpError, look_up


@dataclass(frozen=True, kw_only=True)
class HeldKeys:
    """A user's keys; of a user that is not there yet, none."""

    user: str
    keys: Sequence[Held]
    record: str

    @classmethod
    def look_up(cls, user: str, *, needed: bool) -> "HeldKeys":
        """Asks IAM at once; raises `LookUpError`.

        needed: by a setting that ends keys. Where there is none, who may not ask (the key that only pushes) need not:
        the keys are then those of the settings, as they are of a user that nothing is recorded of.
        """
        try:
            return look_up(
                f"the access keys of the IAM user {user!r}",
                "Whoever runs this stack may manage the user: iam:ListUsers, iam:GetUser and iam:ListAccessKeys are "
                "asked.",
                lambda: cls._ask(user),
            )
        except LookUpError as error:
            if needed or "AccessDenied" not in str(error):
                raise
            pulumi.log.info(f"The access keys of {user} may not be looked up here: they are taken to be as declared.")
            return cls(user=user, keys=(), record="")

    @classmethod
    def _ask(cls, user: str) -> "HeldKeys":
        # A user that is missing is an answer here, and an error of the other two look-ups.
        if user not in aws.iam.get_users(name_regex=f"^{re.escape(user)}$").names:
            return cls(user=user, keys=(), record="")
        keys = [
            Held(
                id=key.access_key_id,
                created=datetime.fromisoformat(key.create_date),
                active=key.status == "Active",
            )
            for key in aws.iam.get_access_keys(user=user).access_keys or []
        ]
        return cls(user=user, keys=keys, record=(aws.iam.get_user(user_name=user).tags or {}).get(RECORD, ""))

    def wanted(self, rule: Rule, as_of: datetime | None) -> Wanted:
        """The keys to declare, as of a moment; None for now. Raises `LookUpError` for a record that is no record."""
        try:
            return wanted(rule, self.keys, self.record, as_of or datetime.now(UTC))
        except RecordError as error:
            raise LookUpError(
                f"the tag {RECORD} of the IAM user {self.user!r} is unknown: {error}\n"
                "It says which key is which: put it back as `pulumi stack export` has it."
            ) from None
