"""The real pipeline files are clean, by Microsoft's schema and by our lint; and our lint sees each seeded defect."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import check_jsonschema
import pytest

import pipelines.rules
from azure_pipelines.lint import WAYS, check as lint, findings, opener
from azure_pipelines.model import Pipeline, read as read_pipeline
from pipelines.rules import project
from pipelines.rules.declared import Context, declared
from pipelines.rules.order import runs
from pipelines.rules.secrets import NEEDS
from pipelines.rules.structure import option
from pipelines.surroundings import UNSETTABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azure_pipelines.rules import Finding

CHECKOUT = Path(__file__).resolve().parents[3]
PIPELINE = "azure-pipelines.yml"
RUN = "pipelines/templates/run.yml"
TEMPLATES = sorted((CHECKOUT / "pipelines/templates").glob("*.yml"))
LINT = ("azure_pipelines", "lint", "--rules", "pipelines.rules")
STAGES = "pipelines/templates/stages.yml"
RULES = [*sorted(Path(pipelines.rules.__file__).parent.glob("*.py")), CHECKOUT / "azure_pipelines/rules.py"]
THREE = "".join(
    f"""        - name: {name}
          stack: {name}-image
          foundation: {name}
          environment: app-one-{name}
          group: {group}
          connection: {group}-push
          reader: {group}-reader
          state: app-one-state
          identity: {identity}
          region: us-east-2
          preview: {preview}
          severity: HIGH
          findings: all
          after: '{after}'
"""
    for name, group, identity, preview, after in (
        ("dev", "app-one", "key", "app-one-dev-preview", ""),
        ("test", "app-one-test", "oidc", "app-one-test-preview", "dev"),
        ("prod", "app-one-prod", "oidc", "''", "test"),
    )
)


def read(root: Path, file: str, given: Mapping[str, str], chosen: Mapping[str, str]) -> Pipeline:
    """A pipeline as it would be if its checkout were main."""
    return read_pipeline(root, file, given, chosen, opener({}, root))


def check(root: Path, file: str) -> list[Finding]:
    """What the language's rules and ours find."""
    return lint(root, file, [project])


def copied(folder: Path) -> Path:
    """The pipeline's files in another folder, with previews of pull requests, to be changed there."""
    for name in (PIPELINE, "Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.dev-image.yaml"):
        shutil.copy(CHECKOUT / name, folder)
    (folder / "pipelines").mkdir()
    for entry in (CHECKOUT / "pipelines").iterdir():
        if entry.name == "templates":
            shutil.copytree(entry, folder / "pipelines" / entry.name)
        else:  # what nobody changes here
            (folder / "pipelines" / entry.name).symlink_to(entry)
    file = folder / RUN
    text = file.read_text(encoding="utf-8")
    assert "preview: ''" in text
    file.write_text(text.replace("preview: ''", "preview: app-one-dev-preview"), encoding="utf-8")
    return folder


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """The pipeline's files with three stacks, one after another."""
    file = copied(tmp_path) / RUN
    head, list_of_stacks, _ = file.read_text(encoding="utf-8").partition("      stacks:\n")
    assert list_of_stacks
    file.write_text(head + list_of_stacks + THREE, encoding="utf-8")
    for name in ("test", "prod"):
        own = {
            "app-one:variableGroupName": f"app-one-{name}",
            "app-one:pipelineEnvironment": f"app-one-{name}",
            "app-one:pushRoleName": f"app-one-{name}-push",
            "app-one:readerName": f"app-one-{name}-reader",
        }
        (tmp_path / f"Pulumi.{name}.yaml").write_text(json.dumps({"config": own}), encoding="utf-8")
        image = {"app-one:declares": "image"}
        (tmp_path / f"Pulumi.{name}-image.yaml").write_text(json.dumps({"config": image}), encoding="utf-8")
    return tmp_path


MICROSOFTS = ("--builtin-schema", "vendor.azure-pipelines")


def schema_check(file: Path, *schema: str) -> tuple[int, str]:
    """Exit code and output of check-jsonschema with Microsoft's schema, which it carries, or another.

    It runs in this process, since to start it takes longer than to check.

    The schema knows no task of the marketplace: the one that we use stands there as one that it knows.
    """
    text = file.read_text(encoding="utf-8").replace("AWSShellScript@1", "Bash@3")
    text = re.sub(r"^ +(awsCredentials|regionName|scriptType|inlineScript):.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r'"(awsCredentials|regionName|scriptType|inlineScript)": "[^"]*"(, )?', "", text)
    text = re.sub(r"^ +inputs:\n(?! +\w)", "", text, flags=re.MULTILINE)
    options = [*(schema or MICROSOFTS), "--data-transform", "azure-pipelines", "--regex-variant", "python"]
    with tempfile.TemporaryDirectory() as folder:
        checked = Path(folder, file.name)
        checked.write_text(text, encoding="utf-8")
        with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
            code: int = check_jsonschema.main([*options, str(checked)], standalone_mode=False)
        return code, said.getvalue()


@pytest.mark.parametrize(
    "file",
    [CHECKOUT / PIPELINE, *(file for file in TEMPLATES if file.name != "variables.yml")],
    ids=lambda file: file.name,
)
def test_a_real_file_is_valid_by_microsofts_schema(file: Path) -> None:
    code, said = schema_check(file)
    assert code == 0, said


def test_the_template_of_variables_is_valid_by_its_part_of_microsofts_schema(tmp_path: Path) -> None:
    """The schema's root knows templates of stages, jobs and steps; one of variables is a definition of its own."""
    text = files("check_jsonschema").joinpath("builtin_schemas/vendor/azure-pipelines.json").read_text(encoding="utf-8")
    definitions: dict[str, Any] = json.loads(text)["definitions"]
    used: dict[str, Any] = {}
    todo = ["variablesTemplate"]
    while todo:  # a schema of one's own is checked as a whole before it is used
        name = todo.pop()
        if name not in used:
            used[name] = definitions[name]
            todo += re.findall(r'"#/definitions/([^"]+)"', json.dumps(used[name]))
    part = tmp_path / "variables.schema.json"
    part.write_text(json.dumps({"definitions": used, "$ref": "#/definitions/variablesTemplate"}))
    code, said = schema_check(CHECKOUT / "pipelines/templates/variables.yml", "--schemafile", str(part))
    assert code == 0, said


@pytest.mark.parametrize("way", WAYS)
def test_what_a_real_file_expands_to_is_valid_by_microsofts_schema(way: str, three: Path) -> None:
    file = three / "expanded.yml"
    file.write_text(json.dumps(read(three, PIPELINE, WAYS[way], {}).raw), encoding="utf-8")
    code, said = schema_check(file)
    assert code == 0, said


def test_a_defect_of_the_form_is_seen_by_microsofts_schema(tmp_path: Path) -> None:
    file = tmp_path / PIPELINE
    text = (CHECKOUT / PIPELINE).read_text(encoding="utf-8")
    file.write_text(text.replace("lockBehavior: sequential", "lockBehavior: one after another"), encoding="utf-8")
    code, said = schema_check(file)
    assert code == 1
    assert "one after another" in said


def test_the_real_files_are_clean() -> None:
    assert check(CHECKOUT, PIPELINE) == []


def test_the_same_templates_are_clean_for_three_environments(three: Path) -> None:
    assert check(three, PIPELINE) == []


def test_on_main_each_environment_comes_after_the_one_before(three: Path) -> None:
    pipeline = read(three, PIPELINE, WAYS["push to main"], {})
    order = {stage.id: stage.depends_on for stage in pipeline.stages}
    assert order["preview_dev"] == ("checks",)
    assert order["preview_test"] == ("preview_dev", "deploy_dev")
    assert order["preview_prod"] == ("preview_test", "deploy_test")


def test_a_release_tells_of_what_was_approved_also_when_it_runs_again_and_nothing_is_left_to_do() -> None:
    steps = read(CHECKOUT, PIPELINE, WAYS["push to main"], {}).stages[-1].jobs[0].steps
    (step,) = (step for step in steps if "pipelines release " in step.argument)
    assert "--plan $(Pipeline.Workspace)/$(approved)/report.json" in step.argument


def test_the_comment_is_written_where_the_repository_is_in_azure_repos_and_nowhere_else(three: Path) -> None:
    stages = read(three, PIPELINE, WAYS["pull request"], {}).stages
    (stage,) = (stage for stage in stages if stage.id == "preview_dev")
    found = [step for step in stage.jobs[0].steps if "pipelines comment " in step.argument]
    assert ["--failed" in step.argument for step in found] == [True, False]
    for step in found:
        assert step.env["SYSTEM_ACCESSTOKEN"] == "$(System.AccessToken)"
        assert "eq(variables['Build.Repository.Provider'], 'TfsGit')" in step.condition


def groups_of(root: Path, way: str, stage: str) -> list[str]:
    (found,) = (row for row in read(root, PIPELINE, WAYS[way], {}).stages if row.id == stage)
    return [variable.group for variable in found.variables if variable.group]


def test_a_pull_request_gets_no_group_no_connection_and_no_token_by_default() -> None:
    pipeline = read(CHECKOUT, PIPELINE, WAYS["pull request"], {})
    assert [stage.id for stage in pipeline.stages] == ["checks", "build_dev"]
    for stage in pipeline.stages:
        for job in stage.jobs:
            assert not [row.group for row in (*stage.variables, *job.variables) if row.group]
            assert not [step.title for step in job.steps if step.env or "awsCredentials" in step.inputs]


def test_only_what_comes_after_the_approval_gets_the_group_that_pushes(three: Path) -> None:
    assert groups_of(three, "pull request", "preview_dev") == ["app-one-reader", "app-one-state"]
    assert groups_of(three, "push to main", "preview_dev") == ["app-one-reader", "app-one-state"]
    assert groups_of(three, "push to main", "deploy_dev") == ["app-one", "app-one-state"]


def test_what_checks_cannot_be_skipped_by_hand(three: Path) -> None:
    for way in ("pull request", "push to main"):
        stages = read(three, PIPELINE, WAYS[way], {}).stages
        checking = [stage for stage in stages if stage.id.partition("_")[0] in ("checks", "build", "deploy")]
        assert len(checking) == 4
        assert {stage.raw.get("isSkippable") for stage in checking} == {"false"}


def test_a_plan_without_changes_is_skipped_and_the_next_stack_goes_on(three: Path) -> None:
    pipeline = read(three, PIPELINE, WAYS["push to main"], {})
    stages = {stage.id: stage for stage in pipeline.stages}
    assert "ne(dependencies.preview_dev.outputs['preview.gate.changes'], '0')" in stages["deploy_dev"].condition
    assert stages["preview_test"].depends_on == ("preview_dev", "deploy_dev")
    assert "in(dependencies.deploy_dev.result, 'Succeeded', 'Skipped')" in stages["preview_test"].condition


def test_a_pull_request_whose_checks_failed_is_told_that_there_is_no_preview(three: Path) -> None:
    """Not a fork's, which gets no token, and not where the comments are not kept; and nothing of it on main."""
    given = {**WAYS["pull request"], "Build.Repository.Provider": "TfsGit", "System.PullRequest.IsFork": "False"}
    pipeline = read(three, PIPELINE, given, {})
    context = Context(three, pipeline, given, {}, {}, frozenset(), declared(three))
    told = [stage for stage in pipeline.stages if stage.id.startswith("unchecked_")]
    assert [option(stage.jobs[0].steps[-2], "--stack") for stage in told] == ["dev-image", "test-image"]
    for stage in told:
        (job,) = stage.jobs
        assert job.steps[-2].argument.endswith("--failed checks")
        assert stage.depends_on == ("checks",)
        assert runs(context, stage, job, "failed")
        assert not runs(context, stage, job, "succeeded")
        assert not runs(context, stage, job, "canceled")
        assert not runs(context, stage, job, "failed", System_PullRequest_IsFork="True")
        assert not runs(context, stage, job, "failed", Build_Repository_Provider="GitHub")
    assert not [stage for stage in read(three, PIPELINE, WAYS["push to main"], {}).stages if "unchecked" in stage.id]


def test_a_pull_request_builds_every_stack_previews_those_that_ask_for_it_and_deploys_none(three: Path) -> None:
    pipeline = read(three, PIPELINE, WAYS["pull request"], {})
    found = [stage.id for stage in pipeline.stages if not stage.id.startswith("unchecked_")]
    assert found == ["checks", "build_dev", "preview_dev", "build_test", "preview_test", "build_prod"]
    assert all(stage.depends_on == ("checks",) for stage in pipeline.stages[1:])


@dataclass(frozen=True)
class Seed:
    """A defect: in a file, `old` becomes `new`; the rule that has to see it."""

    rule: str
    file: str
    old: str
    new: str
    more: tuple[tuple[str, str, str], ...] = ()

    def also(self, file: str, old: str, new: str) -> Seed:
        """The same defect with one more change, made after the others."""
        return replace(self, more=(*self.more, (file, old, new)))


T = "pipelines/templates/"
SEEDS = {
    "the pipeline extends a file of its own commit": Seed("trusted", PIPELINE, "run.yml@trusted", "run.yml"),
    "the pipeline extends nothing": Seed(
        "trusted",
        PIPELINE,
        "extends:\n  template: pipelines/templates/run.yml@trusted\n  parameters:\n"
        "    stricter: ${{ parameters.stricter }}\n",
        "stages: []\n",
    ),
    "the template is of whatever branch": Seed("trusted", PIPELINE, "ref: refs/heads/trusted", "ref: trusted"),
    "the template is of a ref that a run can be of": Seed(
        "trusted", PIPELINE, "ref: refs/heads/trusted", "ref: refs/heads/main"
    ),
    "a job with rights runs what a pull request changed": Seed(
        "trusted", f"{T}plan.yml", "$(trusted)/pipelines preview", "pipelines preview"
    ),
    "a job with rights takes its steps by a name that a pull request declares": Seed(
        "trusted",
        f"{T}checkouts.yml",
        "git://app-one/app-one@refs/heads/trusted",
        "trusted",
    ),
    "a job with rights takes its steps from another branch": Seed(
        "trusted", f"{T}checkouts.yml", "app-one@refs/heads/trusted", "app-one@refs/heads/topic"
    ),
    "a job with rights has its own commit alone": Seed(
        "trusted", f"{T}drift.yml", "- template: checkouts.yml", "- {checkout: self, persistCredentials: 'false'}"
    ),
    "a pull request's checks run what is on main": Seed(
        "trusted", f"{T}checks.yml", "exec python3 pipelines checks", "exec python3 $(trusted)/pipelines checks"
    ),
    "a checkout is of a repository that nobody declares": Seed(
        "checkout", f"{T}checks.yml", "checkout: self", "checkout: tools"
    ),
    "dependsOn names no stage": Seed("depends-on", f"{T}deploy.yml", "dependsOn: preview_", "dependsOn: previews_"),
    "stages depend on each other": Seed("depends-on", f"{T}checks.yml", "dependsOn: []", "dependsOn: preview_dev"),
    "a template's path is wrong": Seed(
        "expands", f"{T}preview-steps.yml", "template: toolchain.yml", "template: tools.yml"
    ),
    "a template's parameter is misspelt": Seed("expands", f"{T}deploy.yml", "report: $(now)", "reports: $(now)"),
    "a template's parameter is missing": Seed("expands", STAGES, "              reader: ${{ stack.reader }}\n", ""),
    "a template expression does not parse": Seed("expands", STAGES, "${{ else }}:", "${{ elsif x }}:"),
    "a stage is there twice": Seed("unique", f"{T}deploy.yml", "- stage: deploy_", "- stage: preview_"),
    "a deployment has no strategy": Seed("expands", f"{T}deploy.yml", "          runOnce:", "          canary:"),
    "a deployment has steps for its failure": Seed(
        "expands",
        f"{T}deploy.yml",
        "          runOnce:\n",
        "          runOnce:\n            on: {failure: {steps: [{bash: exec env, env: {X: $(App-One.SecretKey)}}]}}\n",
    ),
    "a deployment has steps before its own": Seed(
        "expands",
        f"{T}deploy.yml",
        "          runOnce:\n",
        "          runOnce:\n            preDeploy: {steps: [{bash: exec python3 $(trusted)/pipelines commit}]}\n",
    ),
    "a deployment has no environment": Seed(
        "deployment", f"{T}deploy.yml", "        environment: ${{ parameters.environment }}\n", ""
    ),
    "waiting runs are cancelled": Seed(
        "deployment", f"{T}deploy.yml", "    lockBehavior: sequential", "    lockBehavior: runLatest"
    ),
    "a deployment checks nothing out": Seed("deployment", f"{T}checkouts.yml", "checkout: self", "checkout: none"),
    "a condition is not closed": Seed("condition", f"{T}unchecked.yml", "'TfsGit'),", "'TfsGit',"),
    "a condition calls no function": Seed("condition", f"{T}cleanup.yml", "always()", "allways()"),
    "a condition ignores failures": Seed(
        "condition",
        f"{T}deploy.yml",
        "and(succeeded('preview_${{ parameters.name }}'), eq(variables['Build.SourceBranch'], 'refs/heads/main'),",
        "and(eq(variables['Build.SourceBranch'], 'refs/heads/main'),",
    ),
    "a condition names a branch without its refs": Seed(
        "never",
        f"{T}deploy.yml",
        "eq(variables['Build.SourceBranch'], 'refs/heads/main')",
        "eq(variables['Build.SourceBranch'], 'main')",
    ),
    "a condition reads a variable that is not": Seed(
        "condition", f"{T}deploy.yml", "variables['Build.SourceBranch']", "variables['Build.Branch']"
    ),
    "a macro is defined nowhere": Seed("macro", f"{T}deploy.yml", "--into $(release)", "--into $(releases)"),
    "a group's name is not the program's": Seed("macro", f"{T}plan.yml", "$(App-One.AccessKey)", "$(AppOne.AccessKey)"),
    "a group's name is written in another case": Seed(
        "group-names", f"{T}plan.yml", "$(App-One.SecretKey)", "$(App-One.Secretkey)"
    ),
    "a group is given to every stage": Seed("groups", RUN, "\nvariables:\n", "\nvariables:\n  - group: app-one\n"),
    "a secret stands in a script": Seed(
        "secret", f"{T}deploy.yml", "pipelines registry login", "pipelines registry login $(App-One.SecretKey)"
    ),
    "a secret becomes a variable of the job": Seed(
        "secret", f"{T}drift.yml", "value: $(Build.ArtifactStagingDirectory)/drift", "value: $(App-One.SecretKey)"
    ),
    "a secret is mapped into a foreign step": Seed(
        "secret",
        f"{T}preview.yml",
        "            name: plan\n",
        "            name: plan\n            env:\n              KEY: $(App-One.SecretKey)\n",
    ),
    "the cleanup is gone": Seed("cleanup", f"{T}drift.yml", "          - template: cleanup.yml\n", ""),
    "the cleanup does not run after a failure": Seed("cleanup", f"{T}cleanup.yml", "always()", "succeeded()"),
    "a login has no logout": Seed("login", f"{T}deploy.yml", "                - template: cleanup.yml\n", ""),
    "docker logs out of the wrong registry": Seed(
        "login", f"{T}cleanup.yml", "exec python3 ${{ parameters.steps }} cleanup --private $(private)", "docker logout"
    ),
    "docker logs in by hand": Seed(
        "login",
        f"{T}deploy.yml",
        "exec python3 $(trusted)/pipelines registry login",
        "docker login -u AWS --password-stdin",
    ),
    "a fork gets secrets": Seed(
        "fork",
        f"{T}pull-request.yml",
        "eq(variables['System.PullRequest.IsFork'], 'False'), ",
        "",
    ),
    "a script has several lines": Seed(
        "script", f"{T}cleanup.yml", "- bash: exec", "- bash: |\n      set -e\n      exec"
    ),
    "an entry point is not there": Seed("script", f"{T}deploy.yml", "pipelines scan_gate", "pipelines scangate"),
    "a cancelled run's signal does not arrive": Seed(
        "script", f"{T}deploy.yml", "exec python3 $(trusted)/pipelines deploy", "python3 $(trusted)/pipelines deploy"
    ),
    "a task of the marketplace": Seed("task", f"{T}toolchain.yml", "task: Cache@2", "task: Pulumi@1"),
    "a script hides in a task": Seed(
        "task",
        f"{T}cleanup.yml",
        "bash: exec python3 ${{ parameters.steps }} cleanup --private $(private)",
        "{task: Bash@3, inputs: {script: env}}\n  - bash: exec python3 ${{ parameters.steps }} cleanup "
        "--private $(private)",
    ),
    "a task without a version": Seed("task", f"{T}toolchain.yml", "UsePythonVersion@0", "UsePythonVersion"),
    "a raw plan is published": Seed("artifact", f"{T}preview-steps.yml", "publish: $(report)", "publish: $(private)"),
    "an artefact's name is the same in the next attempt": Seed(
        "artifact", f"{T}drift.yml", "-$(System.StageAttempt)-$(System.JobAttempt)", ""
    ),
    "an output is of a step that is not there": Seed("output", f"{T}preview.yml", "name: plan\n", "name: plans\n"),
    "an output is of a job that is not there": Seed(
        "output", f"{T}deploy.yml", ".preview.outputs", ".previews.outputs"
    ),
    "a token stays in .git/config": Seed("checkout", f"{T}checkouts.yml", "    persistCredentials: 'false'\n", ""),
    "a failure is waved through": Seed(
        "checkout", f"{T}deploy.yml", "displayName: Log in to ECR", "continueOnError: 'true'"
    ),
    "a queued run could name another environment": Seed(
        "queue-time", PIPELINE, "\nparameters:\n", "\nparameters:\n  - {name: stacks, type: object, default: []}\n"
    ),
    "a queued run could hold a command": Seed(
        "queue-time", PIPELINE, "\nparameters:\n", "\nparameters:\n  - {name: operators, default: the team}\n"
    ),
    "a choice of a queued run becomes free text": Seed(
        "queue-time", PIPELINE, "    values: [as-configured, INFORMATIONAL, LOW, MEDIUM, HIGH]\n", ""
    ),
    "free text is part of a script": Seed(
        "free-text", f"{T}deploy.yml", '"$OPERATORS"', '"${{ parameters.operators }}"'
    ),
    "text of a literal is part of a script under another name": Seed(
        "free-text",
        f"{T}pull-request.yml",
        "--stack ${{ parameters.stack }} --failed",
        "--for ${{ parameters.operators }}",
    ),
    "a branch's name is part of a script": Seed(
        "free-text", f"{T}plan.yml", "--private $(private)", "--private $(private) --of $(Build.SourceBranchName)"
    ),
    "a branch's name is part of a script by a variable": Seed(
        "free-text",
        f"{T}variables.yml",
        "value: $(Agent.TempDirectory)/app-one\n",
        "value: $(Agent.TempDirectory)/app-one/$(Build.SourceBranchName)\n",
    ),
    "a branch's name is part of a script by the template": Seed(
        "free-text",
        f"{T}plan.yml",
        "--private $(private)",
        "--private $(private) --of ${{ variables['Build.SourceBranchName'] }}",
    ),
    "a group's text is part of a script": Seed(
        "free-text", f"{T}plan.yml", "--private $(private)", "--private $(private) --of $(Pulumi.Backend)"
    ),
    "the build number is no Docker tag": Seed("build-number", PIPELINE, "$(Rev:.r)", "/$(Rev:r)"),
    "the program's group has another name": Seed("stacks", RUN, "group: app-one\n", "group: app-two\n"),
    "the group is renamed in the program": Seed(
        "stacks", "Pulumi.dev.yaml", "config:\n", "config:\n  app-one:variableGroupName: app-two\n"
    ),
    "the reader is renamed in the program": Seed(
        "stacks", "Pulumi.dev.yaml", "config:\n", "config:\n  app-one:readerName: app-two-reader\n"
    ),
    "the connection is renamed in the program": Seed(
        "stacks", "Pulumi.dev.yaml", "config:\n", "config:\n  app-one:pushRoleName: app-two-push\n"
    ),
    "the group of the state is renamed in the program": Seed(
        "stacks", "Pulumi.dev.yaml", "config:\n", "config:\n  app-one:stateName: app-two-state\n"
    ),
    "the image's stack looks for another repository": Seed(
        "stacks", "Pulumi.dev-image.yaml", "config:\n", "config:\n  app-one:repositoryName: app-two\n"
    ),
    "a stack of everything is listed": Seed(
        "stacks", "Pulumi.dev-image.yaml", "app-one:declares: image", "app-one:declares: everything"
    ),
    "the operators' stack is listed": Seed("stacks", RUN, "stack: dev-image\n", "stack: dev\n"),
    "a run shows something else to AWS": Seed("stacks", RUN, "identity: key", "identity: password"),
    "a pull request is previewed behind the environment of deployments": Seed(
        "stacks", RUN, "preview: app-one-dev-preview", "preview: app-one-dev"
    ),
    "the environment is not the one with the approval": Seed(
        "stacks", RUN, "environment: app-one-dev", "environment: app-one-new"
    ),
    "the nightly run gets the key that pushes": Seed("stacks", RUN, "app-one-reader", "app-one"),
    "a stack's settings are not there": Seed("expands", RUN, "stack: dev-image\n", "stack: none\n"),
    "the preview gets the group that pushes": Seed(
        "groups", f"{T}preview.yml", "- group: ${{ parameters.reader }}", "- group: app-one"
    ),
    "a pull request's preview gets the group that pushes": Seed(
        "groups", f"{T}pull-request.yml", "- group: ${{ parameters.reader }}", "- group: app-one"
    ),
    "a pull request's preview waits for no approval": Seed(
        "groups", f"{T}pull-request.yml", "environment: ${{ parameters.environment }}", "environment: app-one-dev"
    ),
    "a pull request's build gets a group": Seed(
        "groups", f"{T}build.yml", "    jobs:\n", "    variables:\n      - group: app-one-reader\n    jobs:\n"
    ),
    "a job with a key names a service connection": Seed("groups", RUN, "identity: key", "identity: oidc").also(
        f"{T}deploy.yml", "identity: ${{ parameters.identity }}", "identity: key"
    ),
    "a job with tokens uses the connection of another party": Seed(
        "groups", RUN, "identity: key", "identity: oidc"
    ).also(f"{T}preview.yml", "connection: ${{ parameters.reader }}", "connection: app-one-push"),
    "a token is taken of another connection": Seed("secret", RUN, "identity: key", "identity: oidc").also(
        f"{T}plan.yml", "OIDC_CONNECTION: $(App-One.Connection)", "OIDC_CONNECTION: $(App-One.Role)"
    ),
    "a token is kept where others read it": Seed("secret", RUN, "identity: key", "identity: oidc").also(
        f"{T}plan.yml", "$(private)/identity", "$(report)/identity"
    ),
    "an update gets a key besides its token": Seed("secret", RUN, "identity: key", "identity: oidc").also(
        f"{T}plan.yml", "        PIPELINE_IDENTITY: oidc", "        AWS_ACCESS_KEY_ID: $(App-One.AccessKey)"
    ),
    "the drift gets the program's group": Seed(
        "groups", STAGES, "reader: ${{ stack.reader }}\n", "reader: ${{ stack.group }}\n"
    ),
    "a deployment has no group of the state": Seed(
        "groups", f"{T}deploy.yml", "      - group: ${{ parameters.state }}\n", ""
    ),
    "a preview has no group of the program": Seed(
        "groups", f"{T}preview.yml", "      - group: ${{ parameters.reader }}\n", ""
    ),
    "what no group of the stage holds is mapped": Seed(
        "macro", f"{T}drift.yml", "      - group: ${{ parameters.state }}\n", ""
    ),
    "the checks get a group": Seed(
        "groups", f"{T}checks.yml", "    dependsOn: []\n", "    dependsOn: []\n    variables: [{group: app-one}]\n"
    ),
    "a deployment goes to another environment": Seed(
        "groups", f"{T}deploy.yml", "environment: ${{ parameters.environment }}", "environment: app-one-free"
    ),
    "the key and its secret are swapped": Seed(
        "secret", f"{T}deploy.yml", "AWS_ACCESS_KEY_ID: $(App-One.AccessKey)", "AWS_ACCESS_KEY_ID: $(App-One.SecretKey)"
    ),
    "a token is taken for the passphrase": Seed(
        "secret",
        f"{T}plan.yml",
        "PULUMI_CONFIG_PASSPHRASE: ''",
        "PULUMI_CONFIG_PASSPHRASE: $(Pulumi.AccessToken)",
    ),
    "a secret has company": Seed(
        "secret",
        f"{T}plan.yml",
        "PULUMI_ACCESS_TOKEN: $(Pulumi.AccessToken)",
        "PULUMI_ACCESS_TOKEN: x$(Pulumi.AccessToken)",
    ),
    "a step gets no credential that it needs": Seed(
        "secret", f"{T}drift.yml", "              PULUMI_BACKEND_URL: $(Pulumi.Backend)\n", ""
    ),
    "a step gets a secret that it has no need of": Seed(
        "secret",
        f"{T}deploy.yml",
        "                    OPERATORS: ${{ parameters.operators }}\n",
        "                    OPERATORS: ${{ parameters.operators }}\n"
        "                    AWS_SECRET_ACCESS_KEY: $(App-One.SecretKey)\n",
    ),
    "a step gets a secret under a name that nothing reads": Seed(
        "secret",
        f"{T}cleanup.yml",
        "    condition: always()",
        "    env: {KEY: $(App-One.SecretKey)}\n    condition: always()",
    ),
    "a secret stands in a name": Seed(
        "secret", f"{T}deploy.yml", "displayName: Log in to ECR", "displayName: Log in as $(App-One.SecretKey)"
    ),
    "a secret stands in an input": Seed(
        "secret", f"{T}toolchain.yml", "versionSpec: $(pythonVersion)", "versionSpec: $(System.AccessToken)"
    ),
    "a secret stands in an input of the name env": Seed(
        "secret", f"{T}toolchain.yml", "versionSpec: $(pythonVersion)", "env: $(System.AccessToken)"
    ),
    "a secret is in a runtime expression": Seed(
        "secret",
        f"{T}drift.yml",
        "value: $(Build.ArtifactStagingDirectory)/drift",
        "value: $[ variables['App-One.SecretKey'] ]",
    ),
    "a secret is in a template expression of a script": Seed(
        "secret",
        f"{T}deploy.yml",
        "pipelines registry login",
        "pipelines registry login ${{ variables['App-One.SecretKey'] }}",
    ),
    "a secret is in a template expression with a dot": Seed(
        "secret",
        f"{T}deploy.yml",
        "displayName: Log in to ECR",
        "displayName: Log in ${{ variables.Pulumi.Passphrase }}",
    ),
    "a secret is in a condition": Seed(
        "secret",
        f"{T}pull-request.yml",
        "eq(variables['Build.Repository.Provider'], 'TfsGit')",
        "ne(variables['Pulumi.AccessToken'], '')",
    ),
    "a secret is in a template's condition": Seed(
        "secret",
        STAGES,
        "${{ if and(eq(variables['Build.Reason'], 'Schedule'), ",
        "${{ if and(variables['System.AccessToken'], ",
    ),
    "variables are read by a computed name": Seed(
        "secret",
        f"{T}deploy.yml",
        "displayName: Log in to ECR",
        "displayName: Log in ${{ variables[format('{0}', parameters.operators)] }}",
    ),
    "all variables are printed": Seed(
        "secret", f"{T}deploy.yml", "displayName: Log in to ECR", "displayName: Log in ${{ convertToJson(variables) }}"
    ),
    "Docker's configuration is published": Seed(
        "artifact", f"{T}preview-steps.yml", "publish: $(report)", "publish: $(DOCKER_CONFIG)"
    ),
    "Pulumi's credentials are published": Seed(
        "artifact", f"{T}preview-steps.yml", "publish: $(report)", "publish: $(PULUMI_CREDENTIALS_PATH)"
    ),
    "the job's whole folder is published": Seed(
        "artifact", f"{T}preview-steps.yml", "publish: $(report)", "publish: $(Pipeline.Workspace)"
    ),
    "the temporary folder is published by the task": Seed(
        "artifact",
        f"{T}drift.yml",
        "publish: $(report)\n",
        "task: PublishPipelineArtifact@1\n            inputs: {targetPath: $(Agent.TempDirectory)}\n",
    ),
    "the whole staging folder is published": Seed(
        "artifact", f"{T}preview-steps.yml", "publish: $(report)", "publish: $(Build.ArtifactStagingDirectory)"
    ),
    "what is published leaves the reports": Seed(
        "artifact", f"{T}preview-steps.yml", "publish: $(report)", "publish: $(report)/../../_temp"
    ),
    "a report's folder is the private one": Seed(
        "artifact", f"{T}drift.yml", "value: $(Build.ArtifactStagingDirectory)/drift", "value: $(private)"
    ),
    "an artefact is published by the older task": Seed(
        "task",
        f"{T}drift.yml",
        "publish: $(report)\n",
        "task: PublishBuildArtifacts@1\n            inputs: {PathtoPublish: $(private)}\n",
    ),
    "an artefact is uploaded by a command": Seed(
        "script", f"{T}preview.yml", "task.setvariable", "artifact.upload artifactname=x]$(private) task.setvariable"
    ),
    "credentials are cached": Seed("cache", f"{T}toolchain.yml", "path: $(pluginArchives)", "path: $(private)"),
    "plugins are cached as they were unpacked": Seed(
        "cache", f"{T}toolchain.yml", "path: $(pluginArchives)", "path: $(PULUMI_HOME)/plugins"
    ),
    "a cache takes what another key has": Seed(
        "cache", f"{T}toolchain.yml", "path: $(UV_CACHE_DIR)", "path: $(UV_CACHE_DIR)\n          restoreKeys: uv"
    ),
    "all jobs share a cache": Seed("cache", f"{T}toolchain.yml", "key: uv-${{ parameters.rights }}", "key: uv"),
    "the build of a pull request shares a cache with what pushes": Seed(
        "cache", f"{T}build.yml", "rights: none", "rights: push"
    ),
    "a deployment shares a cache with the checks": Seed("cache", f"{T}deploy.yml", "rights: push", "rights: none"),
    "a preview of main shares a cache with what pushes": Seed(
        "cache", f"{T}preview.yml", "rights: reader", "rights: push"
    ),
    "a pull request's job with rights restores what its checks may have written": Seed(
        "cache", f"{T}toolchain.yml", "- ${{ if ne(parameters.rights, 'pull-request') }}:", "- ${{ if true }}:"
    ),
    "the engine may fetch what a state names": Seed(
        "fixed", f"{T}variables.yml", "ACQUISITION\n    value: 'true'", "ACQUISITION\n    value: 'false'"
    ),
    "a stage lets the engine fetch what a state names": Seed(
        "fixed",
        f"{T}deploy.yml",
        "    variables:\n",
        "    variables:\n      - {name: PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION, value: 'false'}\n",
    ),
    "a run's variable is a script of every step": Seed(
        "fixed", f"{T}variables.yml", "  - name: BASH_ENV\n    value: ''\n", ""
    ),
    **{
        f"{what} starts with the {name} of a run": Seed("machine", f"{T}{file}", f"eq(variables['{name}'], '')", "true")
        for name in UNSETTABLE
        for what, file in {"a preview": "preview.yml", "a deployment": "deploy.yml", "a night": "drift.yml"}.items()
    },
    "a stage has a script of every step": Seed(
        "fixed", f"{T}deploy.yml", "    variables:\n", "    variables:\n      - {name: BASH_ENV, value: /tmp/x}\n"
    ),
    "the token is shown to whom a run's variable names": Seed(
        "secret", f"{T}unchecked.yml", "              SYSTEM_COLLECTIONURI: $(System.CollectionUri)\n", ""
    ),
    "the identity token is asked for where a run's variable says": Seed(
        "secret",
        f"{T}plan.yml",
        "$(System.OidcRequestUri)",
        "$(OidcRequestUri)",
        ((RUN, "identity: key", "identity: oidc"),),
    ),
    "nothing is said of what the engine may fetch": Seed(
        "fixed",
        f"{T}variables.yml",
        "  - name: PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION\n    value: 'true'\n",
        "",
    ),
    "any file counts as a test result": Seed(
        "artifact", f"{T}deploy.yml", "testResultsFiles: $(release)/scan.xml", "testResultsFiles: '**/*.xml'"
    ),
    "a raw plan is written among the reports": Seed(
        "private", f"{T}plan.yml", "--private $(private)", "--private $(Build.ArtifactStagingDirectory)/plan"
    ),
    "the private folder is left": Seed(
        "private", f"{T}deploy.yml", "options: --state $(private)/state", "options: --state $(private)/../state"
    ),
    "Docker's configuration is the agent's": Seed(
        "private", f"{T}variables.yml", "$(Agent.TempDirectory)/app-one/docker", "$(Agent.ToolsDirectory)/docker"
    ),
    "the guard against forks is inverted": Seed(
        "fork",
        f"{T}pull-request.yml",
        "eq(variables['System.PullRequest.IsFork']",
        "ne(variables['System.PullRequest.IsFork']",
    ),
    "the guard against forks is one of two ways": Seed(
        "fork", f"{T}pull-request.yml", "and(succeeded(), eq(variables", "or(succeeded(), eq(variables"
    ),
    "a fork's comment gets a token": Seed(
        "fork", f"{T}unchecked.yml", "eq(variables['System.PullRequest.IsFork'], 'False')", "true"
    ),
    "the guard against forks compares with another word": Seed(
        "fork", f"{T}pull-request.yml", "'False'), ", "'Yes'), "
    ),
    "a branch is deployed": Seed(
        "main", f"{T}deploy.yml", "eq(variables['Build.SourceBranch'], 'refs/heads/main'),", "true,"
    ),
    "a branch whose name begins like main's is deployed": Seed(
        "main", f"{T}deploy.yml", "eq(variables['Build.SourceBranch']", "startsWith(variables['Build.SourceBranch']"
    ),
    "a branch whose name ends like main's is deployed": Seed(
        "main", f"{T}deploy.yml", "eq(variables['Build.SourceBranch']", "endsWith(variables['Build.SourceBranch']"
    ),
    "all branches but main are deployed": Seed(
        "main", f"{T}deploy.yml", "eq(variables['Build.SourceBranch']", "ne(variables['Build.SourceBranch']"
    ),
    "a branch of the name main is deployed, and a tag": Seed(
        "main",
        f"{T}deploy.yml",
        "eq(variables['Build.SourceBranch'], 'refs/heads/main')",
        "eq(variables['Build.SourceBranchName'], 'main')",
    ),
    "main is deployed after a failure": Seed(
        "main", f"{T}deploy.yml", "and(succeeded('preview_${{ parameters.name }}'), eq(", "and(always(), eq("
    ),
    "a pull request is deployed": Seed(
        "main",
        STAGES,
        "          - ${{ else }}:\n              - template: preview.yml",
        "          - ${{ if true }}:\n              - template: preview.yml",
    ).also(f"{T}deploy.yml", "'refs/heads/main'", "variables['Build.SourceBranch']"),
    "on main the gate only marks": Seed("main", f"{T}preview.yml", "--mode refuse", "--mode mark"),
    "an update is no deployment": Seed(
        "main", f"{T}drift.yml", "exec python3 $(trusted)/pipelines drift", "exec python3 $(trusted)/pipelines deploy"
    ),
    "the comparison with what was approved is gone": Seed(
        "approved", f"{T}deploy.yml", "/pipelines approved", "/pipelines cleanup"
    ),
    "the second preview is gone": Seed("approved", f"{T}plan.yml", "/pipelines preview", "/pipelines drift"),
    "the comparison comes after the update": Seed("approved", f"{T}deploy.yml", "/pipelines deploy", "/pipelines later")
    .also(f"{T}deploy.yml", "/pipelines approved", "/pipelines deploy")
    .also(f"{T}deploy.yml", "/pipelines later", "/pipelines approved"),
    "the comparison may be left out": Seed(
        "approved",
        f"{T}deploy.yml",
        "displayName: Is it what was approved?",
        "displayName: Is it what was approved?\n                  condition: and(succeeded(), false)",
    ),
    "the comparison is switched off": Seed(
        "checkout",
        f"{T}deploy.yml",
        "displayName: Is it what was approved?",
        "displayName: Is it what was approved?\n                  enabled: 'false'",
    ),
    "what was approved is compared with itself": Seed(
        "approved",
        f"{T}deploy.yml",
        "--approved $(Pipeline.Workspace)/$(approved)/report.json",
        "--approved $(now)/report.json",
    ),
    "the update does not look at the state again": Seed(
        "approved", f"{T}deploy.yml", "$(private)/outputs.json --state $(private)/state", "$(private)/outputs.json"
    ),
    "nobody looks whether the update did what was previewed": Seed(
        "approved", f"{T}deploy.yml", "--previewed $(private)/previewed.json\n", "\n"
    ),
    "the update is held against another preview": Seed(
        "approved", f"{T}deploy.yml", "--previewed $(private)/previewed.json", "--previewed $(private)/another.json"
    ),
    "a queued run chooses fewer checks": Seed(
        "checks",
        PIPELINE,
        "\nparameters:\n",
        "\nparameters:\n  - {name: checks, type: string, default: lint, values: [lint, types]}\n",
    ).also(f"{T}checks.yml", "pipelines checks --junit", "pipelines checks --only yaml --junit"),
    "the tests are left out": Seed(
        "checks", f"{T}checks.yml", "pipelines checks --junit", "pipelines checks --no-tests --junit"
    ),
    "the checks are left out": Seed("checks", f"{T}checks.yml", "pipelines checks", "pipelines install_python"),
    "a deployment does not wait for the checks": Seed(
        "checks", f"{T}preview.yml", "dependsOn: checks", "dependsOn: []"
    ),
    "a job's failure is waved through": Seed(
        "key", f"{T}checks.yml", "      - job: checks\n", "      - job: checks\n        continueOnError: 'true'\n"
    ),
    "a script runs in another folder": Seed(
        "key", f"{T}cleanup.yml", "    condition: always()", "    condition: always()\n    workingDirectory: pipelines"
    ),
    "a job brings its own agents": Seed(
        "key", f"{T}drift.yml", "      - job: drift\n", "      - job: drift\n        pool: {name: mine}\n"
    ),
    "a deployment has a second strategy": Seed(
        "expands", f"{T}deploy.yml", "          runOnce:\n", "          rolling: {}\n          runOnce:\n"
    ),
    "a variable is a script for every shell": Seed(
        "variable", f"{T}variables.yml", "variables:\n", "variables:\n  - {name: BASH_FUNC, value: app/start}\n"
    ),
    "a step has a folder of modules": Seed(
        "variable", f"{T}cleanup.yml", "    condition: always()", "    env: {PYTHONPATH: app}\n    condition: always()"
    ),
    "a job is killed before it has stopped": Seed(
        "cancel", f"{T}deploy.yml", "cancelTimeoutInMinutes: '10'", "cancelTimeoutInMinutes: '4'"
    ),
    "a job has no time for the signals": Seed("cancel", f"{T}variables.yml", "value: '240000'", "value: '290000'"),
    "a schedule starts no drift": Seed("nightly", STAGES, "'Schedule'", "'Scheduled'"),
    "a push starts drift alone": Seed("nightly", STAGES, "and(eq(variables", "and(ne(variables"),
    "drift is never looked for": Seed(
        "nightly", f"{T}drift.yml", "and(succeeded(), eq(", "and(succeeded(), false, eq("
    ),
    "an output has another name": Seed("output", f"{T}preview.yml", "variable=artifact;", "variable=artefact;"),
    "an output that is read has another name": Seed("output", f"{T}deploy.yml", "'plan.artifact'", "'plan.artefact'"),
    "the scan gate is gone": Seed("released", f"{T}deploy.yml", "/pipelines scan_gate", "/pipelines cleanup"),
    "the scan gate may be left out": Seed(
        "released",
        f"{T}deploy.yml",
        "displayName: Wait for ECR's findings",
        "displayName: Wait for ECR's findings\n                  condition: and(succeeded(), false)",
    ),
    "the scan gate looks at another image": Seed(
        "released",
        f"{T}deploy.yml",
        "--outputs $(private)/outputs.json --severity",
        "--outputs $(private)/others.json --severity",
    ),
    "the severity is not the stack's": Seed(
        "released", f"{T}deploy.yml", "--severity ${{ parameters.severity }}", "--severity CRITICAL"
    ),
    "a queued run lowers the bar": Seed(
        "released", f"{T}deploy.yml", "--severity ${{ parameters.severity }}", "--severity ${{ parameters.stricter }}"
    ),
    "a stricter bar is not heard": Seed(
        "released", f"{T}deploy.yml", "--stricter ${{ parameters.stricter }}", "--stricter as-configured"
    ),
    "findings without a fix pass unasked": Seed(
        "released", f"{T}deploy.yml", "--findings ${{ parameters.findings }}", "--findings fixable"
    ),
    "a preview has no gate": Seed("judged", f"{T}preview.yml", "/pipelines gate", "/pipelines cleanup"),
    "a preview's gate may be left out": Seed(
        "judged",
        f"{T}preview.yml",
        "            name: gate\n",
        "            name: gate\n            condition: failed()\n",
    ),
    "a stack is not deployed": Seed(
        "judged", f"{T}deploy.yml", "pipelines deploy --stack ${{ parameters.stack }}", "pipelines deploy --stack none"
    ),
    "nothing is downloaded": Seed("fetched", f"{T}deploy.yml", "download: current", "download: none"),
    "another artefact is downloaded": Seed("fetched", f"{T}deploy.yml", "artifact: $(approved)", "artifact: plan"),
    "what was approved is of another job": Seed(
        "fetched",
        f"{T}deploy.yml",
        "stageDependencies.preview_${{ parameters.name }}.preview",
        "stageDependencies.checks.checks",
    ),
    "another artefact than the published one is named": Seed(
        "fetched", f"{T}preview.yml", "isOutput=true]plan-", "isOutput=true]plans-"
    ),
    "a preview runs whatever the checks say": Seed(
        "checks", f"{T}preview.yml", "    isSkippable: 'false'\n", "    isSkippable: 'false'\n    condition: always()\n"
    ),
    "a preview does not wait for the checks": Seed(
        "checks", f"{T}pull-request.yml", "dependsOn: checks", "dependsOn: []"
    ),
    "a push starts nothing": Seed(
        "starts", PIPELINE, "trigger:\n  batch: 'true'\n  branches:\n    include: [main]\n", "trigger: none\n"
    ),
    "a push of some files starts nothing": Seed(
        "starts", PIPELINE, "pr:\n  branches:\n", "pr:\n  paths: {exclude: [app]}\n  branches:\n"
    ),
    "the schedule is of another branch": Seed(
        "starts",
        PIPELINE,
        "    branches:\n      include: [main]\n    always",
        "    branches:\n      include: [topic]\n    always",
    ),
    "a quiet day has no night": Seed("starts", PIPELINE, "    always: 'true'\n", "    always: 'false'\n"),
    "there is no schedule": Seed("starts", PIPELINE, "schedules:\n  - cron: 17 3 * * *\n", "x:\n  - x: y\n"),
    "a schedule has four fields": Seed("schedule", PIPELINE, "cron: 17 3 * * *", "cron: 17 3 * *"),
    "a schedule has a minute too many": Seed("schedule", PIPELINE, "cron: 17 3 * * *", "cron: 60 3 * * *"),
    "a schedule has a month that is none": Seed("schedule", PIPELINE, "cron: 17 3 * * *", "cron: 17 3 * 0 *"),
    "a schedule has a step of nothing": Seed("schedule", PIPELINE, "cron: 17 3 * * *", "cron: '*/0 3 * * *'"),
    "a schedule goes back in time": Seed("schedule", PIPELINE, "cron: 17 3 * * *", "cron: 17 3 * * Fri-Mon"),
}


def defective(folder: Path, seed: Seed) -> Path:
    """The pipeline's files in another folder, with a defect."""
    copied(folder)
    for name, old, new in ((seed.file, seed.old, seed.new), *seed.more):
        file = folder / name
        assert file.resolve().is_relative_to(folder.resolve()), "the checkout's own, by a link"
        text = file.read_text(encoding="utf-8")
        assert old in text, "the seed has no place any more"
        file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


@pytest.mark.parametrize("defect", SEEDS)
def test_the_lint_sees_that(defect: str, tmp_path: Path) -> None:
    seed = SEEDS[defect]
    root = defective(tmp_path, seed)
    seen = any(finding.rule == seed.rule for finding in findings(root, PIPELINE, [project]))
    assert seen, [str(finding) for finding in check(root, PIPELINE)]


@pytest.mark.parametrize("rule", dict.fromkeys(seed.rule for seed in SEEDS.values()))
def test_the_lint_goes_on_to_the_last_way_and_choice_after_a_defect(rule: str, tmp_path: Path) -> None:
    """One of each rule: the test above looks no further than to the first finding."""
    seed = next(seed for seed in SEEDS.values() if seed.rule == rule)
    assert rule in {finding.rule for finding in check(defective(tmp_path, seed), PIPELINE)}


@pytest.mark.parametrize("cron", ["0 0 * * *", "*/15 8-17 1,15 * Mon-Fri", "59 23 31 12 6", "0 3 * Jan,Jul Sunday"])
def test_a_schedule_that_the_service_takes_is_no_defect(cron: str, tmp_path: Path) -> None:
    text = (copied(tmp_path) / PIPELINE).read_text(encoding="utf-8")
    (tmp_path / PIPELINE).write_text(text.replace("cron: 17 3 * * *", f"cron: '{cron}'"), encoding="utf-8")
    assert check(tmp_path, PIPELINE) == []


def test_every_rule_has_a_seeded_defect() -> None:
    named = set(re.findall(r'at\(\s*"([\w-]+)"', "".join(file.read_text() for file in RULES)))
    assert named <= {seed.rule for seed in SEEDS.values()}


def test_what_each_entry_point_needs_is_told_of_entry_points_that_are_there() -> None:
    assert all((CHECKOUT / f"{name.replace('.', '/')}.py").is_file() for name in NEEDS)


def test_the_command_names_file_line_and_remedy(tmp_path: Path) -> None:
    text = (copied(tmp_path) / PIPELINE).read_text(encoding="utf-8")
    (tmp_path / PIPELINE).write_text(text.replace("$(Rev:.r)", "/$(Rev:r)"), encoding="utf-8")
    command = [sys.executable, "-m", *LINT, str(tmp_path / PIPELINE)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "azure-pipelines.yml:" in done.stdout
    assert "build-number" in done.stdout


def test_the_documentation_names_what_has_to_be_made_by_hand() -> None:
    text = (CHECKOUT / "docs/azure-devops.md").read_text(encoding="utf-8")
    stack = read(CHECKOUT, PIPELINE, WAYS["push to main"], {}).stages[-1]
    groups = [variable.group for variable in stack.variables if variable.group]
    environment = stack.jobs[0].environment
    for name in (*declared(CHECKOUT).own_names, *declared(CHECKOUT).group_names, *groups, environment):
        assert name in text, f"docs/azure-devops.md does not say what {name} is"
