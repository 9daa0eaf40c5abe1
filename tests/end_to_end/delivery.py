"""A team's whole delivery on the sandbox: an operator's stack, a repository, a pipeline in its organisation, agents.

The state is in S3, its secrets are encrypted by KMS. The operator has run `pulumi up` once, which declares the pipeline
and lets it use the variable group; the group that says where the state is was made by hand. A run takes the first
group's own key from the service, and every AWS call, to the state too, is authorised by its policies.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azure_pipelines.model import read
from azure_pipelines.variables import Value
from sandbox.agent.run import SUCCEEDED, Machine, Results, Run
from tests.organization import Job, Organization
from tests.workstation import Workstation, forms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.workstation import Sandbox

MAIN = "refs/heads/main"
PIPELINE = "azure-pipelines.yml"
BUCKET, PREFIX, KEY = "pulumi-state", "app-one", "pulumi"
STAGES_OF_MAIN = ("preview_dev", "deploy_dev")
NOT_OF_AN_AGENT = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "AZDO_ORG_SERVICE_URL",
    "AZDO_PERSONAL_ACCESS_TOKEN",
    "PULUMI_BACKEND_URL",
    "PULUMI_CONFIG_PASSPHRASE_FILE",
    "PULUMI_HOME",
    "PULUMI_STACK",
    "PYTHONPATH",
    "VIRTUAL_ENV",
)
"""What the sandbox gives an operator; an agent gets it from the pipeline, or not at all."""


@dataclass
class Delivery:
    """See the module.

    operator: their checkout, which is the git repository too. pipeline: its id. key_of_state: the KMS key's ARN.
    """

    sandbox: Sandbox = field(repr=False)
    root: Path
    operator: Workstation = field(repr=False)
    organization: Organization = field(repr=False)
    pipeline: int
    key_of_state: str
    derived: set[str] = field(default_factory=set, repr=False)
    """Secrets that steps derived, as they told the agent."""
    deployed: str = ""
    """The commit of the last run that deployed."""
    _runs: int = 0

    @classmethod
    def make(cls, sandbox: Sandbox, root: Path) -> Delivery:
        """Everything from a fresh sandbox to a pipeline that could run."""
        backend, key = _place_of_state(sandbox)
        operator = Workstation.make(root / "sources", sandbox)
        operator.extra["PULUMI_BACKEND_URL"] = backend
        # With its region: an agent has none in its environment.
        provider = f"awskms://alias/{KEY}?region={sandbox.environment['AWS_REGION']}&awssdk=v2"
        operator.pulumi("stack", "init", "dev", "--secrets-provider", provider)
        operator.config(stateBucket=BUCKET, statePrefix=PREFIX, stateKmsKeyArn=key, allowScanFindings="true")
        organization = Organization(
            sandbox.environment["AZDO_ORG_SERVICE_URL"], sandbox.environment["AZDO_PERSONAL_ACCESS_TOKEN"]
        )
        approver = organization.id_of("Project Administrators")
        operator.pulumi("config", "set", "--path", "app-one:pipelineApprovers[0]", approver)
        operator.up()
        made = cls(sandbox, root, operator, organization, organization.find_pipeline("app-one"), key)
        made.git("init", "--quiet", "--initial-branch=main")
        made._shorten_the_checks()
        made.commit("First")
        organization.push(made.yaml(), MAIN)
        # The program's group is authorised by the program; where the state is, it cannot declare.
        state = organization.create_group("app-one-state", {"Pulumi.Backend": Value(backend)})
        organization.authorize(state, made.pipeline)
        return made

    def _shorten_the_checks(self) -> None:
        """Leave out types and tests, which take minutes: `make test` makes them of these very files.

        In the entry point, not in the YAML: the lint among the checks refuses a pipeline that leaves one out.
        """
        file = self.operator.folder / "pipelines/checks.py"
        text = file.read_text(encoding="utf-8")
        every = 'MADE = [*CHECKS, "tests"]'
        assert every in text
        file.write_text(text.replace(every, 'MADE = ["lint", "format", "yaml", "pipeline"]'), encoding="utf-8")

    def git(self, *arguments: str) -> str:
        """Run git in the repository."""
        command = ["git", "-c", "user.name=operator", "-c", "user.email=operator@example.com", *arguments]
        done = subprocess.run(command, cwd=self.operator.folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        """Commit everything; the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def edit(self, file: str, change: Callable[[str], str]) -> str:
        """Change a file of the repository and commit it; the commit's id."""
        path = self.operator.folder / file
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
        return self.commit(f"Change {file}")

    def yaml(self) -> dict[str, str]:
        """The files that the service reads of a repository."""
        folder = self.operator.folder
        files = [folder / PIPELINE, *(folder / "pipelines/templates").glob("*.yml")]
        return {str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in files}

    def run(
        self,
        *stages: str,
        branch: str = MAIN,
        pipeline: int | None = None,
        on_line: Callable[[Run, str, str, str], None] | None = None,
        parameters: Mapping[str, Any] | None = None,
        predefined: Mapping[str, str] | None = None,
        reason: str = "individualCI",
    ) -> tuple[Run, Results]:
        """One run of the head of the repository by an agent of its own, told to the service from begin to end.

        on_line: called with the run, stage, step and each line. predefined: variables other than the service's.
        """
        job = self.organization.start(pipeline or self.pipeline, branch, reason=reason)
        given = {name: value.text for name, value in job.variables.items()}
        given |= {"Build.SourceVersion": self.git("rev-parse", "HEAD"), **(predefined or {})}
        made = read(self.operator.folder, PIPELINE, given, parameters or {})
        run = Run(made, self._machine(), job, given)

        def heard(stage: str, step: str, line: str) -> None:
            mark = "##vso[task.setsecret]"
            if mark in line:
                self.derived.add(line.partition(mark)[2].replace("%AZP25", "%"))
            if on_line:
                on_line(run, stage, step, line)

        run.on_line = heard
        self._secrets_of(job)
        results = run.start(*stages)
        return run, results

    def finish(self, run: Run) -> None:
        """Tell the service that a run ended; the agent's token ends too."""
        assert isinstance(run.service, Job)
        if run.results.stages.get("deploy_dev") == SUCCEEDED and any(
            row.stage == "deploy_dev" for row in run.results.steps
        ):
            self.deployed = run.predefined["Build.SourceVersion"]
        states = set(run.results.stages.values())
        run.service.complete("Failed" if "Failed" in states else "Canceled" if "Canceled" in states else "Succeeded")

    def _secrets_of(self, job: Job) -> None:
        self.derived.add(job.access_token)
        self.derived.add(self.operator_secret())

    def operator_secret(self) -> str:
        """The operator's secret key, which no agent may ever have seen."""
        return self.sandbox.environment["AWS_SECRET_ACCESS_KEY"]

    def _machine(self) -> Machine:
        self._runs += 1
        agent = self.root / "agent"
        ended = agent / "ended" / str(self._runs)
        home = ended / "home"
        home.mkdir(parents=True)
        environ = {key: value for key, value in self.sandbox.environment.items() if key not in NOT_OF_AN_AGENT}
        environ["HOME"] = str(home)
        # Each job makes its own environment at the same place: what it compiles of the SDKs the next one finds.
        environ["PYTHONPYCACHEPREFIX"] = str(self.root / "compiled")
        asked = [sys.executable, "-m", "uv", "cache", "dir"]
        cache = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        plugins = Path(self.sandbox.environment["PULUMI_HOME"]) / "plugins"
        caches = {"uv": Path(cache), "pulumi": plugins}
        return Machine(agent / "work", ended, environ, Path(sys.executable).parent, self.operator.folder, caches)

    def group_secret(self) -> str:
        """The secret key in the variable group, as an agent gets it."""
        job = self.organization.start(self.pipeline, MAIN)
        secret = job.group("app-one")["App-One.SecretKey"].text
        job.complete("Succeeded")
        return secret

    def traces(self, run: Run) -> list[str]:
        """Where a secret is found after a run: in what scripts wrote, summaries, artefacts, or on the agent's disk.

        What scripts wrote is searched as they wrote it: a secret that only a mask keeps out of the log counts.
        """
        secrets = {*self.derived, self.group_secret(), *self.sandbox.secrets().values()}
        wanted = [form for secret in secrets if len(secret.strip()) > 3 for form in forms(secret.strip())]
        results = run.results
        texts = [*results.unmasked(), ("the log", results.log()), ("the issues", str(results.issues))]
        texts += [("a summary", page) for page in results.summaries]
        found = [name for name, text in texts if any(form in text.encode() for form in wanted)]
        for file in _files(run.machine.ended):
            content = file.read_bytes()
            if any(form in content for form in wanted):
                found.append(str(file.relative_to(run.machine.ended)))
        return found

    def leftovers(self, run: Run) -> list[str]:
        """Private folders, raw plans and credential files that a run left on the agent's disk."""
        names = {"app-one", "plan.json", "config.json", "credentials.json", "credentials"}
        roots = [workspace / "_temp" for workspace in run.results.workspaces] + [run.machine.ended / "home"]
        return [str(file) for root in roots for file in root.rglob("*") if file.name in names]

    def tags(self) -> set[str]:
        """The tags that ECR has."""
        pages = self.sandbox.client("ecr").get_paginator("describe_images").paginate(repositoryName="app-one")
        return {tag for page in pages for image in page["imageDetails"] for tag in image.get("imageTags", [])}

    def access(self) -> dict[str, Any]:
        """Everything that IAM has: what the pipeline must never change."""
        answer = self.sandbox.client("iam").get_account_authorization_details()
        return {key: value for key, value in answer.items() if key.endswith(("List", "Policies"))}

    def state(self) -> dict[str, Any]:
        """Inputs and outputs of the stack's recorded resources by URN, without secrets: they are encrypted anew."""
        return {row["urn"]: _plain([row.get("inputs"), row.get("outputs")]) for row in self.operator.resources()}

    def image(self) -> Any:
        """The recorded image."""
        return next(value for urn, value in self.state().items() if "docker:index/image:Image::" in urn)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {key: _plain(part) for key, part in value.items() if key != "ciphertext"}


def _place_of_state(sandbox: Sandbox) -> tuple[str, str]:
    """Make bucket and key, as docs/azure-devops.md has an operator make them: the backend's URL and the key's ARN."""
    region, endpoint = sandbox.environment["AWS_REGION"], sandbox.environment["AWS_ENDPOINT_URL"]
    sandbox.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
    kms = sandbox.client("kms")
    key = kms.create_key(Description="Pulumi secrets")["KeyMetadata"]
    kms.create_alias(AliasName=f"alias/{KEY}", TargetKeyId=key["KeyId"])
    query = f"region={region}&endpoint={endpoint}&s3ForcePathStyle=true&awssdk=v2"
    return f"s3://{BUCKET}/{PREFIX}?{query}", str(key["Arn"])


def _files(folder: Path) -> Iterator[Path]:
    """Every file under a folder, links and packages left out."""
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".venv" and not Path(root, name).is_symlink()]
        for name in names:
            file = Path(root, name)
            if file.is_file() and not file.is_symlink():
                yield file
