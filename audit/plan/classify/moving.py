"""Where resources are: the provider that manages them with its account, region, endpoint and plugin. A change there
moves everything below it, without any property of what is moved."""

from collections.abc import Iterator

from audit.model import Finding, Step, target_of
from audit.plan.changes import first_part
from audit.plan.classify.known import Known
from audit.plan.classify.words import both, finding, show, subject

PROVIDER = "pulumi:providers:"
WORDS = frozenset({"defaultTags", "retryMode", "maxRetries"})
"""Properties of providers that say nothing of where they are or with whose rights they act."""
PLAIN = WORDS | {
    "region",
    "profile",
    "version",
    "allowedAccountIds",
    "forbiddenAccountIds",
    "skipCredentialsValidation",
    "skipMetadataApiCheck",
    "skipRegionValidation",
    "skipRequestingAccountId",
}
"""Properties of a new provider that leave it where the program's credentials are, or are the SDK's own defaults."""


def judge(step: Step, known: Known) -> Iterator[Finding]:
    """The findings of one step."""
    if step.kind.startswith(PROVIDER):
        yield from _provider(step, known)
    elif step.old is not None and step.new is not None:
        old, new = step.old.provider, step.new.provider
        if old != new and old and new and target_of(old) != target_of(new):
            reason = f"{subject(step)} moves from provider {_name(target_of(old))} to {_name(target_of(new))}"
            detail = "Another provider can be another account, region, endpoint or plugin."
            yield finding(step, "provider-moved", reason, detail, proved=False)
        before, after = both(step, "region") if "region" in step.new.inputs else (None, None)
        if before is not None and after is not None and before != after:
            yield finding(step, "provider-moved", f"{subject(step)} moves from region {show(before)} to {show(after)}")


def _provider(step: Step, known: Known) -> Iterator[Finding]:
    if step.new is None:
        return
    if step.old is None:
        special = [change for change in step.changes if first_part(change.path) not in PLAIN]
        if special:
            details = [f"{change.path}: {show(change.new)}" for change in special[:10]]
            reason = f"Provider '{step.name}' is new, and acts elsewhere or as somebody else"
            yield finding(step, "provider-moved", reason, *details)
        return
    moving = [change for change in step.changes if first_part(change.path) not in WORDS]
    if not moving and not step.replaces:
        return
    below = known.below(step.urn)
    count = f"{below:,} of the resources of this preview" if below else "whatever it manages"
    names = ", ".join(dict.fromkeys(change.path for change in moving[:10])) or "all of it"
    more = ", and what does not change and is not shown" if below and not known.shows_unchanged else ""
    details = [f"{change.path}: {show(change.old)} becomes {show(change.new)}" for change in moving[:10]]
    yield finding(step, "provider-moved", f"Provider '{step.name}' changes ({names}): it moves {count}{more}", *details)


def _name(provider: str) -> str:
    """The package and name of a provider in its URN."""
    parts = provider.split("::")
    return f"{parts[2].rpartition(':')[2]} '{parts[-1]}'" if len(parts) >= 4 else provider
