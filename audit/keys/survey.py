"""Every access key of an account: age, last use, state, and where it is published.

API: IAM ListUsers, ListAccessKeys, GetAccessKeyLastUsed; STS GetAccessKeyInfo; Azure DevOps
distributedtask/variablegroups. Limits: CIS AWS Foundations 1.12 and 1.14, Security Hub IAM.3 and IAM.22.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from audit.clouds import Gone, NotOffered, Refused
from audit.clouds.aws import Aws
from audit.clouds.azure_devops import GLOBAL_ENDS, AzureDevOps
from audit.keys import lost
from audit.keys.key import Key, Publication
from audit.model import Finding
from audit.report.catalogue import RULES
from audit.report.model import Report, Status, Table, TableRow
from audit.state import Resource, StackState

KEY_ID = re.compile(r"AKIA[A-Z0-9]{12,124}")
GROUPS_READ = "Variable Groups (Read)"
COLUMNS = ("User", "Key", "State", "Age (days)", "Last used", "Recorded by", "Published in")


@dataclass(slots=True)
class Inventory:
    """What is looked at. `devops` is None where Azure DevOps is not part of it; `users` empty means all."""

    aws: Aws
    devops: AzureDevOps | None
    state: StackState | None
    now: datetime
    users: Sequence[str] = ()
    projects: Sequence[str] = ()
    max_age_days: int = 90
    max_unused_days: int = 45
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def refused(self, refusal: Refused) -> None:
        """Notes a look-up that was refused."""
        self.findings.append(Finding("look-up-refused", "account", f"{refusal}.", refusal.details, proved=False))


def survey(inventory: Inventory) -> Report:
    """The survey of keys; nothing in it is redacted yet. Raises AuditError where a cloud cannot be asked at all."""
    return report(inventory, judged(inventory))


def judged(inventory: Inventory) -> list[Key]:
    """The keys, each with its findings; findings about something else are the inventory's. Raises as `survey` does."""
    keys = _keys(inventory)
    publications = _publications(inventory)
    by_id = {key.id: key for key in keys}
    for key_id, publication in publications or ():
        if key_id in by_id:
            by_id[key_id].published.append(publication)
        else:
            _gone(inventory, key_id, publication)
    for key in keys:
        _judge(key, inventory, published_known=publications is not None)
    _overlaps(keys)
    return keys


def report(inventory: Inventory, keys: list[Key]) -> Report:
    """What is written of judged keys."""
    rows = [TableRow(_cells(key, inventory.now), "differs" if key.findings else "same") for key in keys]
    status: Status = "differs" if any(row.status != "same" for row in rows) else "same"
    return Report(
        catalogue=RULES,
        sides=("Recorded", "Real"),
        command="keys",
        project=inventory.state.project if inventory.state else "",
        stack=inventory.state.stack if inventory.state else "",
        tables=[Table("Access keys", COLUMNS, rows, status=status)],
        findings=[*inventory.findings, *(finding for key in keys for finding in key.findings)],
        counts={"keys": len(keys), "active": sum(key.active for key in keys), "users": len({key.user for key in keys})},
        notes=inventory.notes,
        data={"asOf": inventory.now.isoformat(), "keys": [_data(key, inventory.now) for key in keys]},
    )


# --- looking


def _keys(inventory: Inventory) -> list[Key]:
    recorded = (
        {item.id: item for item in inventory.state.of("aws:iam:AccessKey")} if inventory.state is not None else {}
    )
    found = []
    for user in _users(inventory, recorded):
        try:
            listed = inventory.aws.pages("iam", "ListAccessKeys", "AccessKeyMetadata", UserName=user)
        except Refused as refusal:
            inventory.refused(refusal)
            continue
        except Gone:
            inventory.notes.append(f"There is no user '{user}'.")
            continue
        for item in listed:
            key = Key(user, item["AccessKeyId"], item["Status"] == "Active", item["CreateDate"])
            if key.id in recorded:
                key.recorded = recorded[key.id].name
            _last_use(key, inventory)
            found.append(key)
    return sorted(found, key=lambda key: (key.user, key.created))


def _users(inventory: Inventory, recorded: dict[str, Resource]) -> list[str]:
    if inventory.users:
        return list(dict.fromkeys(inventory.users))
    try:
        return [str(item["UserName"]) for item in inventory.aws.pages("iam", "ListUsers", "Users")]
    except Refused as refusal:
        inventory.refused(refusal)
        return sorted({str(item.get("user")) for item in recorded.values()})


def _last_use(key: Key, inventory: Inventory) -> None:
    try:
        answer = inventory.aws.call("iam", "GetAccessKeyLastUsed", AccessKeyId=key.id)
    except Refused as refusal:
        inventory.refused(refusal)
        key.used_known = False
        return
    except Gone:  # deleted between two look-ups
        return
    used = answer.get("AccessKeyLastUsed") or {}
    key.last_used = used.get("LastUsedDate")
    key.last_service = used.get("ServiceName") or ""


def _publications(inventory: Inventory) -> list[tuple[str, Publication]] | None:
    """Every variable that holds a key's id; None where it is not known where keys are published."""
    devops = inventory.devops
    if devops is None:
        inventory.notes.append(
            "Where keys are published was not looked at: set AZDO_ORG_SERVICE_URL, and sign in with `az login` or set "
            "AZDO_PERSONAL_ACCESS_TOKEN."
        )
        return None
    if devops.personal:
        inventory.notes.append(GLOBAL_ENDS)
    try:
        projects = list(inventory.projects)
        if not projects:
            listed = devops.values("_apis/projects", "Project and Team (Read)")
            projects = [str(item["name"]) for item in listed]
        found: list[tuple[str, Publication]] = []
        for project in projects:
            try:
                for group in devops.values(f"{project}/_apis/distributedtask/variablegroups", GROUPS_READ):
                    found.extend(_in_group(project, group))
            except Gone:
                inventory.notes.append(f"There is no project '{project}'.")
    except Refused as refusal:
        inventory.refused(refusal)
        return None
    return found


def _in_group(project: str, group: dict[str, Any]) -> Iterator[tuple[str, Publication]]:
    for name, item in (group.get("variables") or {}).items():
        value = item.get("value")
        if isinstance(value, str) and KEY_ID.fullmatch(value) and not item.get("isSecret"):
            yield value, Publication(project, str(group.get("name")), str(group.get("id")), name)


# --- judging


def _days(since: datetime, now: datetime) -> int:
    return max(0, (now - since).days)


def _judge(key: Key, inventory: Inventory, *, published_known: bool) -> None:
    if inventory.state is not None and (name := lost.made_for(key, inventory.state)):
        of = f"Access key {key.id} of '{key.user}'"
        if doubt := lost.doubt(key, inventory.now, published_known=published_known):
            inventory.notes.append(f"{of} may be lost by an update that was interrupted ('{name}'), but {doubt}.")
        else:
            key.lost = True
            key.find(
                "key-lost", f"{of} was made for '{name}' by an update that was interrupted, and nobody has its secret."
            )
            return
    if not key.active:
        key.find("key-inactive", f"Access key {key.id} of '{key.user}' is inactive and still exists.")
        for publication in key.published:
            key.find("key-published-but-gone", f"{publication} publishes {key.id}, which is inactive.")
        return
    age = _days(key.created, inventory.now)
    if age > inventory.max_age_days:
        key.find(
            "key-old", f"Access key {key.id} of '{key.user}' is {age} days old; allowed are {inventory.max_age_days}."
        )
    idle = _days(key.last_used or key.created, inventory.now)
    if key.used_known and idle > inventory.max_unused_days:
        since = f"has not been used for {idle} days" if key.last_used else f"was never used in its {idle} days"
        key.find(
            "key-unused",
            f"Access key {key.id} of '{key.user}' {since}; allowed are {inventory.max_unused_days}.",
        )
    if published_known and not key.published:
        owner = f"The stack records it as '{key.recorded}'." if key.recorded else "The stack does not record it."
        details = [owner] if inventory.state is not None else []
        key.find("key-not-published", f"Access key {key.id} of '{key.user}' is active and published nowhere.", *details)


def _overlaps(keys: list[Key]) -> None:
    """Users with two active keys: said once, at the older one, which is to go."""
    by_user: dict[str, list[Key]] = {}
    for key in keys:
        if key.active and not key.lost:
            by_user.setdefault(key.user, []).append(key)
    for user, active in by_user.items():
        if len(active) > 1:
            older, newer = active[0], active[-1]
            older.find(
                "key-two-active",
                f"'{user}' has {len(active)} active access keys: a rotation is not finished.",
                f"The older one is {older.id}, the newer one {newer.id}.",
            )


def _gone(inventory: Inventory, key_id: str, publication: Publication) -> None:
    """A variable holds the id of a key that none of the users looked at has."""
    if inventory.users:
        return
    try:
        info = inventory.aws.call("sts", "GetAccessKeyInfo", AccessKeyId=key_id)
        account, own = str(info.get("Account") or ""), inventory.aws.account()
    except (Gone, Refused, NotOffered):
        account = own = ""
    subject = f"{publication.project}/{publication.group}"
    if account != own:
        inventory.notes.append(
            f"{publication} publishes {key_id}, a key of account {account}, which was not looked at."
        )
        return
    refused = any(finding.risk == "look-up-refused" for finding in inventory.findings)
    inventory.findings.append(
        Finding(
            "key-published-but-gone",
            subject,
            f"{publication} publishes {key_id}, which no user of the account has.",
            proved=not refused,
        )
    )


# --- showing


def _used(key: Key) -> str:
    if not key.used_known:
        return "unknown"
    if key.last_used is None:
        return "never"
    return f"{key.last_used:%Y-%m-%d} {key.last_service}".strip()


def _cells(key: Key, now: datetime) -> list[Any]:
    published = [str(item) for item in key.published] or None
    state = "Active" if key.active else "Inactive"
    return [key.user, key.id, state, _days(key.created, now), _used(key), key.recorded or None, published]


def _data(key: Key, now: datetime) -> dict[str, Any]:
    return {
        "user": key.user,
        "id": key.id,
        "active": key.active,
        "created": key.created.isoformat(),
        "ageDays": _days(key.created, now),
        "lastUsed": key.last_used.isoformat() if key.last_used else None,
        "lastUsedKnown": key.used_known,
        "lastService": key.last_service,
        "recordedBy": key.recorded,
        "publishedIn": [
            {"project": item.project, "group": item.group, "groupId": item.group_id, "variable": item.variable}
            for item in key.published
        ],
    }
