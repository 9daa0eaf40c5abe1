"""Preview one stack and have the preview audited: raw plan in a private file, redacted reports in a folder.

A checkpoint that is not the program's is refused before an engine works on it (`python -m audit state`), and a preview
that breaks a mandatory rule of policies/ fails, with the rule, the resource and the remedy.

The raw plan holds settings in clear, so it is written with mode 0600 and removed as soon as the audit has read it; the
reports (report.json, .md, .html, .sarif, junit.xml) are safe to publish. The audit is `python -m audit plan`.
"""

from __future__ import annotations

import json
from pathlib import Path

from pipelines import agent, commit, identity, state

SECRETS = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZDO_PERSONAL_ACCESS_TOKEN",
    "PULUMI_ACCESS_TOKEN",
    "PULUMI_CONFIG_PASSPHRASE",
)
"""Variables whose values must not be in any report."""

POLICIES = str(agent.TOP / "policies")
"""The pack of rules that no stack may break, of the checkout that this code is of."""

REPORTS = {
    "json": "report.json",
    "markdown": "report.md",
    "html": "report.html",
    "sarif": "report.sarif",
    "junit": "junit.xml",
}


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    parser.add_argument("--stack", required=True, help="stack to preview; for Pulumi Cloud ORGANIZATION/STACK")
    parser.add_argument("--private", type=Path, required=True, help="folder for the raw plan; emptied by the cleanup")
    parser.add_argument("--report", type=Path, required=True, help="folder for the reports")
    parser.add_argument("--refresh", action="store_true", help="compare with the real resources, not the recorded ones")
    parser.add_argument("--summary", action="store_true", help="show the report on the run's page")
    parser.add_argument("--state", type=Path, help="file for the fingerprint that `pipelines.deploy` compares")
    parser.add_argument("--events", type=Path, help="private file for the preview's events, for `pipelines.deploy`")
    options = parser.parse_args()
    identity.take(options.stack)
    if options.state:
        # Before the preview: a change while it runs is then seen as well.
        state.write(options.stack, options.state)
    preview(options.stack, options.private, options.report, refresh=options.refresh, kept=options.events)
    if options.summary:
        agent.upload_summary(options.report / REPORTS["markdown"])


def preview(
    stack: str, private: Path, report: Path, *, refresh: bool = False, kept: Path | None = None, **changes: str
) -> None:
    """Preview and audit; `changes` are variables for pulumi. Raises Stop where either fails.

    kept: where the engine's events of a preview that succeeded stay; they hold settings in clear.
    """
    for name in SECRETS:
        if value := agent.optional(name):
            agent.set_secret(value)
    state.check(stack, report)
    raw, events = private / "plan.json", private / "events.json"
    # Without the steps of a replacement, what an interrupted update has left to delete is shown nowhere.
    command = ["pulumi", "preview", "--json", "--show-replacement-steps", "--non-interactive", "--stack", stack]
    # What the policies say is in the events alone, and those are written for whoever debugs the engine.
    command += ["--policy-pack", POLICIES, "--event-log", str(agent.private_file(events))]
    environment = agent.environment(**commit.date(), PULUMI_DEBUG_COMMANDS="true", **changes)
    try:
        code = agent.call([*command, *(["--refresh"] if refresh else [])], env=environment, output=raw)
        whole = _tell_policies(events)
        if code:
            raise agent.Stop(f"pulumi preview of {stack} failed with {code}:\n{_errors(raw)}")
        if not whole:
            raise agent.Stop(f"pulumi's event log of {stack}'s preview is not whole: run it again")
        _audit(stack, raw, report)
        if kept:
            agent.private_folder(kept.parent)
            events.replace(kept)
    finally:
        raw.unlink(missing_ok=True)
        events.unlink(missing_ok=True)


def _tell_policies(events: Path) -> bool:
    """Show what the rules of policies/ found: an error for each mandatory one that is broken, a warning for others.

    False where the log breaks off, as that of a killed engine does: a whole one has the engine's summary.
    """
    whole = False
    for line in events.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            return False
        whole |= "summaryEvent" in event
        if said := event.get("policyEvent"):
            resource = str(said.get("resourceUrn") or "the stack").rpartition("::")[2]
            kind = "error" if said["enforcementLevel"] == "mandatory" else "warning"
            agent.issue(f"{said['policyName']} of {resource}: {' '.join(said['message'].split())}", kind)
    return whole


def _audit(stack: str, raw: Path, report: Path) -> None:
    report.mkdir(parents=True, exist_ok=True)
    known = [name for name in SECRETS if agent.optional(name)]
    command = ["plan", str(raw), "--stack", stack.rpartition("/")[2]]
    for kind, file in REPORTS.items():
        command += ["--report", f"{kind}={report / file}"]
    if known:
        command += ["--known-secrets", *known]
    if code := agent.audit(command):
        raise agent.Stop(f"the audit of {stack}'s preview failed with {code}: see the log above")


def _errors(raw: Path) -> str:
    """What the engine said of a failed preview: with --json its messages are in the plan and nowhere else."""
    if not raw.stat().st_size:
        return "see the log above"
    plan = agent.read_json(raw, "what `pulumi preview --json` prints")
    said = [row["message"].strip() for row in plan.get("diagnostics") or [] if row.get("severity") == "error"]
    return "\n".join(said) or "see the log above"


if __name__ == "__main__":
    agent.run(main)
