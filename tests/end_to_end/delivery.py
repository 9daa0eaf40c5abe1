"""A team's delivery on the sandbox: the operators' foundation, a repository, a pipeline in its organisation, agents.

The foundation's state is in one bucket, its secrets encrypted by KMS; that of the image is in another, and holds none.
The operator has run `pulumi up` once, which declares the pipeline, its groups and what guards them. A run takes its
credentials from the service, and every AWS call, to the state too, is authorised by its policies.
"""

from __future__ import annotations

import json
import os
import py_compile
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azure_pipelines.conditions import SUCCEEDED
from sandbox.agent.channel import Organization as Service
from sandbox.agent.job import WORKSPACE
from sandbox.agent.listener import Agent
from sandbox.agent.results import Machine, of_an_agent
from tests.organization import Organization
from tests.pipeline_run import PipelineRun
from tests.workstation import CHECKOUT, Workstation, forms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.workstation import Sandbox

MAIN = "refs/heads/main"
BUCKET, IMAGE_BUCKET, PREFIX, KEY = "pulumi-state", "image-state", "app-one", "pulumi"
STACKS = "pipelines/templates/run.yml"
"""Where the pipeline lists its stacks."""
ROOMS = ("audit", "azure_pipelines", "iam", "infra", "pipelines", "policies")
"""Whose code the jobs import from their checkouts."""
LARGE = 4 * 1024**3
"""Bytes of a cache that is not copied."""
CHECKS = ("checks",)
CHECKS_OF_PULL_REQUEST = ("checks", "build_dev", "unchecked_dev")


@dataclass
class Delivery:
    """See the module.

    operator: their checkout, which is the git repository too. image_stack: the same checkout with the stack of the
    image, to look at. pipeline: its id. key_of_state: the ARN of the KMS key of the foundation's state.
    """

    sandbox: Sandbox = field(repr=False)
    root: Path
    operator: Workstation = field(repr=False)
    image_stack: Workstation = field(repr=False)
    organization: Organization = field(repr=False)
    pipeline: int
    key_of_state: str
    derived: set[str] = field(default_factory=set, repr=False)
    """Secrets that steps derived, as they told the agent."""
    deployed: str = ""
    """The commit of the last run that deployed."""
    previews: bool = False
    """Whether pull requests are previewed, behind an environment with an approval."""
    _runs: int = 0

    @classmethod
    def make(cls, sandbox: Sandbox, root: Path) -> Delivery:
        """Everything from a fresh sandbox to a pipeline that could run."""
        backend, image_backend, key = _places_of_state(sandbox)
        operator = Workstation.make(root / "sources", sandbox)
        operator.extra["PULUMI_BACKEND_URL"] = backend
        provider = f"awskms://alias/{KEY}?region={sandbox.environment['AWS_REGION']}&awssdk=v2"
        operator.pulumi("stack", "init", "dev", "--secrets-provider", provider)
        operator.pulumi("config", "rm", "app-one:imageTagMutabilityExclusions")
        operator.config(declares="foundation", imageTagMutability="IMMUTABLE", imageBackend=image_backend)
        operator.up()
        # Made by an operator: the pipeline's rights begin with a stack that is there.
        own = {"PULUMI_BACKEND_URL": image_backend, "PULUMI_STACK": "dev-image", "PULUMI_CONFIG_PASSPHRASE": ""}
        image_stack = Workstation(operator.folder, sandbox, extra=own)
        image_stack.pulumi("stack", "init", "dev-image")
        organization = Organization(
            sandbox.environment["AZDO_ORG_SERVICE_URL"], sandbox.environment["AZDO_PERSONAL_ACCESS_TOKEN"]
        )
        pipeline = organization.find_pipeline("app-one")
        made = cls(sandbox, root, operator, image_stack, organization, pipeline, key)
        made.git("init", "--quiet", "--initial-branch=main")
        made._shorten_the_checks()
        made.commit("First")
        made._compile()
        return made

    def _shorten_the_checks(self) -> None:
        """Leave out types and tests, which take minutes: `make test` makes them of these very files.

        In the entry point, not in the YAML: the lint among the checks refuses a pipeline that leaves one out. A stage
        of checks or builds may be skipped here, as nobody may in the real files.
        """
        for template in ("checks.yml", "build.yml"):
            path = self.operator.folder / "pipelines/templates" / template
            text = path.read_text(encoding="utf-8")
            assert "    isSkippable: 'false'\n" in text
            path.write_text(text.replace("    isSkippable: 'false'\n", ""), encoding="utf-8")
        file = self.operator.folder / "pipelines/checks.py"
        text = file.read_text(encoding="utf-8")
        every = 'MADE = [*CHECKS, "tests"]'
        assert every in text
        short = 'MADE = [name for name in CHECKS if name != "types"]'
        file.write_text(text.replace(every, short), encoding="utf-8")

    def _compile(self) -> None:
        """Compile once what every job would: its checkouts have new dates, so that it counts what the files hold."""
        work = self.compiled / (self.root / "agent/work" / WORKSPACE).relative_to("/")
        ending = f".{sys.implementation.cache_tag}.pyc"
        for name in self.git("ls-files", *(f"{room}/*.py" for room in ROOMS)).splitlines():
            target = (work / "trusted" / name).with_suffix(ending)
            file = str(self.operator.folder / name)
            py_compile.compile(file, str(target), invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
        shutil.copytree(work / "trusted", work / "s")

    @property
    def compiled(self) -> Path:
        """Where the jobs' Pythons keep what they compile (PYTHONPYCACHEPREFIX)."""
        return self.root / "compiled"

    def git(self, *arguments: str) -> str:
        """Run git in the repository."""
        command = ["git", "-c", "user.name=operator", "-c", "user.email=operator@example.com", *arguments]
        done = subprocess.run(command, cwd=self.operator.folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        """Commit everything and push the branch; the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        self.push()
        return self.git("rev-parse", "HEAD")

    def push(self) -> None:
        """Push the branch that is checked out; with main goes the one that operators move, of wiring and steps."""
        branch = self.git("symbolic-ref", "HEAD")
        trusted = ["HEAD:refs/heads/trusted"] if branch == MAIN else []
        self.organization.git_push(self.operator.folder, f"HEAD:{branch}", *trusted)

    def revert(self, commit: str = "HEAD") -> None:
        """Take a commit back, and push."""
        self.git("revert", "--no-edit", commit)
        self.push()

    @contextmanager
    def branch(self, name: str) -> Iterator[str]:
        """Work on another branch for a while; its ref."""
        self.git("checkout", "--quiet", "-b", name)
        self.push()
        yield f"refs/heads/{name}"
        self.git("checkout", "--quiet", "main")

    def edit(self, file: str, change: Callable[[str], str]) -> str:
        """Change a file of the repository and commit it; the commit's id."""
        path = self.operator.folder / file
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
        return self.commit(f"Change {file}")

    def preview_pull_requests(self, *, on: bool) -> None:
        """Switch previews of pull requests on or off, as operators do: the foundation, and the list of stacks."""
        if self.previews == on:
            return
        self.operator.config(pullRequestPreview=str(on).lower())
        self.operator.up()
        off_and_on = ("preview: ''", "preview: app-one-dev-preview")
        self.edit(STACKS, lambda text: text.replace(*(off_and_on if on else off_and_on[::-1])))
        self.previews = on

    def run(
        self,
        *,
        branch: str = MAIN,
        pipeline: int | None = None,
        skip: Sequence[str] = (),
        on_line: Callable[[PipelineRun, str, str, str], None] | None = None,
        reason: str = "individualCI",
    ) -> PipelineRun:
        """Queue a run of a branch, whose jobs an agent of its own will take.

        skip: stages that are left out. on_line: called with the run, stage, step and each line.
        """
        build = self.organization.queue(pipeline or self.pipeline, branch, skip=skip, reason=reason)
        agent = Agent(Service(self.organization.url, self.organization.token), self._machine())
        run = PipelineRun(self.organization, agent, build)

        def heard(stage: str, step: str, line: str) -> None:
            mark = "##vso[task.setsecret]"
            if mark in line:
                self.derived.add(line.partition(mark)[2].replace("%AZP25", "%"))
            if on_line:
                on_line(run, stage, step, line)

        agent.on_line = heard
        agent.on_job = lambda job: self.derived.add(job.token)
        return run

    def finish(self, run: PipelineRun) -> None:
        """Note what a run has deployed."""
        outcome = run.outcome()
        if outcome.stages.get("deploy_dev") == SUCCEEDED:
            self.deployed = self.organization.build(run.build)["sourceVersion"]

    def _machine(self) -> Machine:
        self._runs += 1
        agent = self.root / "agent"
        ended = agent / "ended" / str(self._runs)
        home = ended / "home"
        home.mkdir(parents=True)
        environ = of_an_agent(self.sandbox.environment, home)
        # Each job makes its own environment at the same place: what it compiles of the SDKs the next one finds.
        environ["PYTHONPYCACHEPREFIX"] = str(self.compiled)
        tools = {"pulumi/plugins": Path(self.sandbox.environment["PULUMI_HOME"]) / "plugins"}
        return Machine(agent / "work", ended, environ, Path(sys.executable).parent, {"uv": self._packages()}, tools)

    def _packages(self) -> Path:
        """A cache of uv on the file system of the jobs, which link its files then, instead of copying them."""
        cache = self.root / "uv"
        if not cache.exists():
            # The uv of the tests' own environment: none is looked for on PATH.
            asked = [sys.executable, "-m", "uv", "cache", "dir"]
            own = Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())
            if not own.is_dir() or own.stat().st_dev == self.root.stat().st_dev or _size(own) > LARGE:
                return own
            part = cache.with_suffix(".part")
            subprocess.run(["cp", "--archive", "--", own, part], check=True)
            part.rename(cache)
        return cache

    def secrets(self) -> set[str]:
        """What no log, page, artefact or disk of an agent may hold: of the operator, of the groups, of the steps."""
        kept = json.loads((self.sandbox.home / "keys/azure-devops-state.json").read_text(encoding="utf-8"))
        operators = self.sandbox.environment["AWS_SECRET_ACCESS_KEY"]
        return {operators, *kept.values(), *self.derived, *self.sandbox.secrets().values()}

    def traces(self, run: PipelineRun) -> list[str]:
        """Where a secret is found after a run: in what scripts wrote, summaries, artefacts, or on the agent's disk.

        What scripts wrote is searched as they wrote it: a secret that only a mask keeps out of the log counts.
        """
        wanted = [form for secret in self.secrets() if len(secret.strip()) > 3 for form in forms(secret.strip())]
        results, ended = run.outcome(), run.agent.machine.ended
        texts = [*results.unmasked(), ("the log", results.log()), ("the issues", str(results.issues))]
        texts += [("a summary", page) for page in results.summaries]
        every = "\n".join(text for _, text in texts).encode()
        written = [form for form in wanted if form in every]
        found = [name for name, text in texts if any(form in text.encode() for form in written)]
        committed = self._committed()
        for file in _files(ended):
            content = file.read_bytes()
            if content not in committed and any(form in content for form in wanted):
                found.append(str(file.relative_to(ended)))
        return found

    def _committed(self) -> set[bytes]:
        """The contents of the operator's checkout, which every job has: they are searched there."""
        names = self.git("ls-files", "-z").split("\0")
        files = [self.operator.folder / name for name in names if name]
        return {file.read_bytes() for file in files if file.is_file()}

    def leftovers(self, run: PipelineRun) -> list[str]:
        """Private folders, raw plans and credential files that a run left on the agent's disk."""
        names = {"app-one", "plan.json", "config.json", "credentials.json", "credentials"}
        machine, workspaces = run.agent.machine, run.agent.results.workspaces
        roots = [workspace / "_temp" for workspace in workspaces] + [machine.ended / "home"]
        return [str(file) for root in roots for file in root.rglob("*") if file.name in names]

    def tags(self) -> set[str]:
        """The tags that ECR has."""
        pages = self.sandbox.client("ecr").get_paginator("describe_images").paginate(repositoryName="app-one")
        return {tag for page in pages for image in page["imageDetails"] for tag in image.get("imageTags", [])}

    def access(self) -> dict[str, Any]:
        """Everything that IAM has: what the pipeline must never change."""
        answer = self.sandbox.client("iam").get_account_authorization_details()
        return {key: value for key, value in answer.items() if key.endswith(("List", "Policies"))}

    def audit_states(self) -> None:
        """Both stacks' checkpoints hold what the program may record, and nothing else."""
        for stack, part in ((self.operator, "foundation"), (self.image_stack, "image")):
            done = stack.audit_state("--stack", "dev" if stack is self.operator else "dev-image", "--part", part)
            assert done.returncode == 0, done.stdout + done.stderr

    def state(self) -> dict[str, Any]:
        """Inputs and outputs of both stacks' recorded resources by URN, without secrets: they are encrypted anew."""
        return _by_urn([*self.operator.resources(), *self.image_stack.resources()])

    def image(self) -> Any:
        """The recorded image, None before the first release."""
        recorded = _by_urn(self.image_stack.resources())
        return next((value for urn, value in recorded.items() if "docker:index/image:Image::" in urn), None)


def _size(folder: Path) -> int:
    """Bytes of all that is in a folder."""
    told = subprocess.run(["du", "--summarize", "--block-size=1", "--", folder], capture_output=True, check=True)
    return int(told.stdout.split()[0])


def _by_urn(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {row["urn"]: _plain([row.get("inputs"), row.get("outputs")]) for row in rows}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {key: _plain(part) for key, part in value.items() if key != "ciphertext"}


def _places_of_state(sandbox: Sandbox) -> tuple[str, str, str]:
    """Make buckets and key, as docs/azure-devops.md has an operator make them: both backends' URLs, the key's ARN."""
    given = ["--foundation", BUCKET, "--image", IMAGE_BUCKET, "--prefix", PREFIX, "--key", f"alias/{KEY}", "--yes"]
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.state_store", *given],
        cwd=CHECKOUT,
        env=sandbox.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    sandbox.printed.extend((done.stdout, done.stderr))
    assert done.returncode == 0, done.stdout + done.stderr
    images, own = re.findall(r"pulumi login '(s3://[^']+)'", done.stdout)
    key = sandbox.client("kms").describe_key(KeyId=f"alias/{KEY}")["KeyMetadata"]
    return own, images, str(key["Arn"])


def _files(folder: Path) -> Iterator[Path]:
    """Every file under a folder, links and packages left out, and git's objects: they are compressed."""
    for root, folders, names in os.walk(folder):
        left_out = {".venv"} | ({"objects"} if Path(root).name == ".git" else set())
        folders[:] = [name for name in folders if name not in left_out and not Path(root, name).is_symlink()]
        for name in names:
            file = Path(root, name)
            if file.is_file() and not file.is_symlink():
                yield file
