"""`python -m sandbox pipeline run`: a run of the checkout's pipeline on this machine, from the push to its result.

What an operator has by docs/azure-devops.md is made first. Then HEAD is pushed to the sandbox's Azure Repos, the run is
queued as the service would do it by itself for the developer, and an agent takes its jobs here.
"""

from __future__ import annotations

import base64
import difflib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azure_pipelines import lint
from azure_pipelines.conditions import FAILED, FINE
from azure_pipelines.documents import PipelineError
from azure_pipelines.model import read
from sandbox import environment, layout as names, pipeline_foundation, ports
from sandbox.agent import alone, tasks
from sandbox.agent.channel import ChannelError, Organization
from sandbox.agent.listener import Agent
from sandbox.agent.results import Machine, of_an_agent
from sandbox.console import invitation
from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.agent.job import JobRun
    from sandbox.agent.results import StepResult
    from sandbox.layout import Layout
    from sandbox.pipeline_screen import Screen

EXPANDED = {
    "pull-request": lint.WAYS["pull request"],
    "main": lint.WAYS["push to main"],
    "nightly": lint.WAYS["nightly"],
}
"""What templates see of a run of each way."""
WAYS = {"pull-request": "pullRequest", "main": "individualCI", "nightly": "schedule"}
MAIN = "refs/heads/main"
WIRING = "pipelines/templates/run.yml"
"""What azure-pipelines.yml extends, as it is on the branch `trusted`."""
TRUSTED = "refs/heads/trusted"
TOPIC = "refs/heads/pipeline-run"
"""The branch of the pull request that `--as pull-request` keeps open."""
EXIT = {"succeeded": 0, "partiallySucceeded": 0, "failed": 1, "canceled": 130}


def _macros(title: str) -> re.Pattern[str]:
    parts = re.split(r"\$\([^()]+\)", title)
    return re.compile(".*".join(map(re.escape, parts)), re.IGNORECASE)


@dataclass(frozen=True)
class Options:
    """What a person chose. answer: of an approval, None to ask. again: a run whose failed stage is run again."""

    way: str
    stop_at: str = ""
    answer: str | None = None
    again: int | None = None


class Undecided(Exception):  # noqa: N818 (it says what is missing, not what broke)
    """An approval is due and nobody is there to give it."""


@dataclass
class Local:
    """The pipeline of a sandbox. variables: what the sandbox gives an operator."""

    layout: Layout
    variables: Mapping[str, str] = field(repr=False)
    screen: Screen

    @property
    def organization(self) -> Organization:
        """The sandbox's Azure DevOps, as its operator."""
        return Organization(self.variables["AZDO_ORG_SERVICE_URL"], self.variables["AZDO_PERSONAL_ACCESS_TOKEN"])

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """A request below the project."""
        return self.organization.ask(method, f"{names.PROJECT}/{path}", body)

    def run(self, options: Options) -> int:
        """Make a run and follow it to its end; the exit code is the run's."""
        try:
            if options.stop_at and not options.again:
                self._known(options.stop_at, options.way)
            build = self._again(options.again) if options.again else self._queue(options.way)
            return self._follow(build, options)
        except ChannelError as error:
            raise SandboxError(f"the sandbox's Azure DevOps refuses: {error}") from None

    def _known(self, title: str, way: str) -> None:
        """Refuse a title that no step of such a run has, before anything is made."""
        try:
            own = self.layout.checkout
            pipeline = read(own, "azure-pipelines.yml", EXPANDED[way], {}, lambda _: own)
        except PipelineError as error:
            raise SandboxError(f"the pipeline cannot be expanded: {error}") from None
        titles = [step.title for _, job in pipeline.jobs() for step in tasks.with_defaults(job)]
        # What a macro stands for is known in the run only.
        if not any(_macros(one).fullmatch(title) for one in titles):
            near = dict.fromkeys(difflib.get_close_matches(title, titles, len(titles), 0.0))
            raise SandboxError(f"--stop-at {title}: no step of a run as {way} has this title of: {', '.join(near)}")

    def _queue(self, way: str) -> dict[str, Any]:
        pipeline_foundation.make(self.layout, self.variables, self.screen.say)
        found = self.ask("GET", f"_apis/build/definitions?name={names.PROJECT}")["value"]
        if not found:
            raise SandboxError("the checkout's stack declares no pipeline: pipelineEnabled in Pulumi.dev.yaml does")
        if self._git("status", "--porcelain"):
            self.screen.say("what is not committed is not part of the run: it is of HEAD")
        self._trust(way)
        self._push(MAIN if way != "pull-request" else TOPIC)
        branch = f"refs/pull/{self._pull_request()}/merge" if way == "pull-request" else MAIN
        body = {"reason": WAYS[way], "sourceBranch": branch}
        return dict(self.ask("POST", f"_apis/sandbox/triggers/{found[0]['id']}", body))

    def _again(self, number: int) -> dict[str, Any]:
        known = dict(self.ask("GET", f"_apis/build/builds/{number}"))
        if known["status"] == "completed":
            stages = [row for row in self._records(number) if row["type"] == "Stage"]
            failed = [row for row in stages if row["result"] in ("failed", "canceled")]
            if not failed:
                raise SandboxError(f"run {number} has nothing that failed: there is nothing to run again")
            self.ask("PATCH", f"_apis/build/builds/{number}/stages/{failed[0]['identifier']}", {"state": "retry"})
        return known

    def _records(self, number: int) -> list[dict[str, Any]]:
        return list(self.ask("GET", f"_apis/build/builds/{number}/timeline")["records"])

    def _trust(self, way: str) -> None:
        """Move the branch of wiring and steps as operators would: for a run of main to HEAD.

        A pull request's run takes them as they are; where there are none yet, from the commit before HEAD.
        """
        path = f"_apis/git/repositories/{names.PROJECT}/refs?filter=heads/trusted"
        known = {one["name"]: one["objectId"] for one in self.ask("GET", path)["value"]}
        if way != "pull-request" or TRUSTED not in known:
            known[TRUSTED] = (self._before() if way == "pull-request" else "") or self._git("rev-parse", "HEAD")
            self._push(TRUSTED, known[TRUSTED])
        self.screen.say(f"Wiring, and steps with rights, are those of trusted at {known[TRUSTED][:12]}")

    def _before(self) -> str:
        """The commit before HEAD, if there is one and it has the wiring; else nothing."""
        before = self._git("rev-parse", "--verify", "--quiet", "HEAD^", fails=True)
        return before if before and self._git("ls-tree", "--name-only", before, "--", WIRING) else ""

    def _push(self, branch: str, commit: str = "HEAD") -> None:
        """Push a commit, whatever is there: the repository is the sandbox's own."""
        token = base64.b64encode(f":{self.organization.token}".encode()).decode()
        signed = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraheader"}
        signed["GIT_CONFIG_VALUE_0"] = f"Authorization: Basic {token}"
        url = f"{self.organization.url}/{names.PROJECT}/_git/{names.PROJECT}"
        self._git("push", "--quiet", "--force", url, f"{commit}:{branch}", env=signed)

    def _git(self, *arguments: str, env: Mapping[str, str] | None = None, fails: bool = False) -> str:
        """What git printed in the checkout; nothing where it failed and may."""
        given = environment.full(dict(self.variables)) | dict(env or {})
        command = ["git", "-C", str(self.layout.checkout), *arguments]
        done = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
        if done.returncode and not fails:
            raise SandboxError(
                f"git {arguments[0]} failed: {done.stderr.strip()}; a run is of a commit of this checkout"
            )
        return done.stdout.strip()

    def _pull_request(self) -> int:
        path = f"_apis/git/repositories/{names.PROJECT}/pullrequests"
        for one in self.ask("GET", f"{path}?searchCriteria.sourceRefName={TOPIC}")["value"]:
            return int(one["pullRequestId"])
        title = self._git("log", "-1", "--format=%s")
        body = {"sourceRefName": TOPIC, "targetRefName": MAIN, "title": title}
        return int(self.ask("POST", path, body)["pullRequestId"])

    def _follow(self, build: Mapping[str, Any], options: Options) -> int:
        number = int(build["id"])
        ended = self.layout.home / "pipeline" / str(number)
        attempt = 1 + len(list(ended.glob("*"))) if ended.exists() else 1
        ended = ended / str(attempt)
        machine = self._machine(ended)
        agent = Agent(self.organization, machine, on_step=self._watch(number, options))
        what = f"{build['sourceBranch']} at {build['sourceVersion'][:12]}, for {build['requestedFor']['displayName']}"
        self.screen.say(f"Run {build['buildNumber']} (number {number}) of {what}")
        try:
            agent.work(number, lambda approval: self._decide(approval, options))
        except Undecided:
            self.screen.say("An approval is due. With a person's answer it goes on:")
            self.screen.say(f"  python -m sandbox pipeline run --run {number} --approve    (or --reject)")
            self._invite(number)
            return 1
        return self._end(number, agent, ended)

    def _machine(self, ended: Path) -> Machine:
        (ended / "home").mkdir(parents=True, exist_ok=True)
        given = of_an_agent(environment.full(dict(self.variables)), ended / "home")
        asked = [sys.executable, "-m", "uv", "cache", "dir"]
        cache = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        tools = {"pulumi/plugins": Path(self.variables["PULUMI_HOME"]) / "plugins"}
        work = self.layout.home / "pipeline" / "work"
        return Machine(work, ended, given, Path(sys.executable).parent, {"uv": Path(cache)}, tools)

    def step(self, number: int, title: str) -> int:
        """Run a failed step of an ended run alone; 0 if it succeeds now, else 1."""
        try:
            failed, folder = alone.find(self.layout.home / "pipeline" / str(number), title)
            result = alone.run(failed, folder, self.organization, self._machine(folder.parent), self.screen.say)
        except alone.AloneError as error:
            raise SandboxError(str(error)) from None
        except ChannelError as error:
            raise SandboxError(f"the sandbox's Azure DevOps refuses: {error}") from None
        self.screen.say(f"{failed.title}: {result}")
        return 0 if result in FINE else 1

    def _watch(self, number: int, options: Options) -> Any:
        def watch(job: JobRun, row: StepResult | None) -> None:
            title = job.results.steps[-1].title
            if row is not None:
                self.screen.ended(row)
                if row.result == FAILED:
                    self.screen.say(f"      python -m sandbox pipeline step --run {number} {shlex.quote(title)}")
                    self.screen.say("      runs this step alone again, when the run has ended")
                return
            if options.stop_at and title.lower() == options.stop_at.lower():
                self.ask("PATCH", f"_apis/build/builds/{number}", {"status": "cancelling"})
                job.cancellation.request()
            self.screen.began(job.assignment.stage, job.assignment.job.id, title)

        return watch

    def _decide(self, approval: Mapping[str, Any], options: Options) -> None:
        what = f"{approval['resource']} asks for an approval before the stage {approval['stage']}"
        answer = options.answer or self.screen.ask(f"{what}: approve? [y/n] ")
        if answer is None:
            raise Undecided
        self.screen.say(f"{what}: {answer}")
        body = [{"approvalId": approval["id"], "status": answer, "comment": "pipeline run"}]
        self.ask("PATCH", "_apis/pipelines/approvals", body)

    def _end(self, number: int, agent: Agent, ended: Path) -> int:
        build = self.ask("GET", f"_apis/build/builds/{number}")
        for place, page in enumerate(agent.results.summaries, 1):
            (ended / f"summary-{place}.md").write_text(page, encoding="utf-8")
        for one in self.ask("GET", f"_apis/build/builds/{number}/artifacts")["value"]:
            self._unpack(number, one["name"], ended / "artifacts")
        tests = [{"run": run, "name": name, "passed": passed} for run, name, passed in agent.results.tests]
        (ended / "tests.json").write_text(json.dumps(tests, indent=2), encoding="utf-8")
        rows = sorted(
            (row for row in self._records(number) if row["type"] == "Stage"), key=lambda row: int(row["order"])
        )
        self.screen.stages(rows)
        for row in rows:
            for issue in row["issues"]:
                self.screen.say(f"{issue['type']}: {issue['message']}")
        if number_of_request := (build.get("triggerInfo") or {}).get("pr.number"):
            self._comments(int(number_of_request))
        self.screen.say(f"Result: {build['result']}. Summaries, artefacts, test results: {os.path.relpath(ended)}")
        if build["result"] in ("failed", "canceled"):
            self.screen.say(f"  python -m sandbox pipeline run --run {number}    runs what did not succeed again")
        self._invite(number)
        return EXIT.get(build["result"], 1)

    def _invite(self, number: int) -> None:
        """Say where the run is seen in the browser."""
        address = invitation.address(self.layout, ports.choose(self.layout.ports_file), f"/runs/{number}")
        self.screen.say(f"In the console, good for one browser, once: {address}")

    def _unpack(self, number: int, name: str, into: Path) -> None:
        import requests

        url = f"{self.organization.url}/{names.PROJECT}/_apis/build/builds/{number}/artifacts"
        given = {"artifactName": name, "$format": "zip"}
        answer = requests.get(url, params=given, auth=("", self.organization.token), timeout=60)
        zipfile.ZipFile(io.BytesIO(answer.content)).extractall(into)

    def _comments(self, number: int) -> None:
        path = f"_apis/git/repositories/{names.PROJECT}/pullRequests/{number}/threads"
        for thread in self.ask("GET", path)["value"]:
            for comment in thread["comments"]:
                if not comment.get("isDeleted"):
                    self.screen.say(f"Comment on pull request {number} ({thread['status']}):")
                    self.screen.page(comment["content"])
