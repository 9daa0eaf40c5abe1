"""The agent runs the jobs of a run that the service gives it, as an agent of Azure Pipelines would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azure_pipelines import conditions as runs
from azure_pipelines.variables import Value
from tests.organization import PROJECT, REPOSITORY, Organization, Refused

if TYPE_CHECKING:
    from sandbox.agent.results import Results
    from tests.pipeline_run import PipelineRun
    from tests.unit.sandbox.agent.conftest import Start


def lines(results: Results, title: str) -> list[str]:
    return results.step(title).log


def test_templates_are_expanded_with_their_parameters(start: Start) -> None:
    run = start(
        """
        parameters:
          - {name: places, type: object, default: [one, two]}
        steps:
          - checkout: none
          - ${{ each place in parameters.places }}:
              - template: t/say.yml
                parameters:
                  place: ${{ place }}
                  ${{ if eq(place, 'two') }}:
                    loud: true
        """,
        templates={
            "t/say.yml": """
                parameters:
                  - {name: place, type: string}
                  - {name: loud, type: boolean, default: false}
                steps:
                  - bash: echo at ${{ parameters.place }}
                    displayName: ${{ parameters.place }}
                  - ${{ if parameters.loud }}:
                      - bash: echo LOUD
                        displayName: loud
                  - ${{ else }}:
                      - bash: echo quiet
                        displayName: quiet
            """
        },
    )
    results = run.start()
    assert [row.title for row in results.steps][1:] == ["one", "quiet", "two", "loud"]
    assert lines(results, "two") == ["at two"]


def test_macros_are_replaced_and_an_unknown_one_stays(start: Start) -> None:
    run = start(
        """
        variables:
          inner: deep
          outer: a $(inner) value
        steps:
          - checkout: none
          - bash: echo "$(outer) '\\$(nothing.here)' $OUTER"
            displayName: say
        """
    )
    assert lines(run.start(), "say") == ["a deep value '$(nothing.here)' a deep value"]


def test_a_secret_is_only_where_it_is_mapped_and_is_masked_there(start: Start) -> None:
    group = {"Key.Id": Value("AKIDPLAIN"), "Key.Secret": Value("s3cr3t-value", secret=True)}
    run = start(
        """
        variables:
          - group: keys
        steps:
          - checkout: none
          - bash: echo "[$KEY_ID] [$KEY_SECRET]"
            displayName: without
          - bash: test "$OWN" = s3cr3t-valu"e" && echo "it is $OWN"
            displayName: with
            env: {OWN: $(Key.Secret)}
        """,
        groups={"keys": group},
    )
    results = run.start()
    assert lines(results, "without") == ["[AKIDPLAIN] []"]
    assert lines(results, "with") == ["it is ***"]
    assert results.stages == {"stage": runs.SUCCEEDED}


def test_a_run_with_a_group_that_the_service_refuses_is_not_queued(start: Start) -> None:
    with pytest.raises(Refused, match="Variable group other was not found or is not authorized for use"):
        start("variables:\n  - group: other\nsteps:\n  - bash: echo ran\n")


def test_an_environment_that_the_service_refuses_fails_the_deployment(start: Start) -> None:
    job = "{deployment: d, environment: closed, strategy: {runOnce: {deploy: {steps: [{bash: echo ran}]}}}}"
    results = start(f"jobs:\n  - {job}\n").start()
    assert results.stages == {"stage": runs.FAILED}
    assert results.steps == []
    assert "Environment closed could not be found" in results.issues[0][1]


def test_logging_commands_are_carried_out_and_not_logged(start: Start, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# page", encoding="utf-8")
    run = start(
        f"""
        steps:
          - checkout: none
          - bash: |
              echo "##vso[task.setvariable variable=plain]a%3Bb"
              echo "##vso[task.setvariable variable=hidden;issecret=true]hid-den"
              echo "##vso[task.setsecret]derived"
              echo "##vso[task.uploadsummary]{page}"
              echo "##vso[task.logissue type=warning]mind derived"
              echo "##vso[task.prependpath]/somewhere/bin"
            displayName: set
          - bash: echo "$PLAIN [$HIDDEN] $(hidden) derived"; echo "${{PATH%%:*}}"
            displayName: see
        """
    )
    results = run.start()
    assert lines(results, "set") == ["##[warning]mind ***"]
    assert lines(results, "see") == ["a;b [] *** ***", "/somewhere/bin"]
    assert results.summaries == ["# page"]
    assert results.issues == [("warning", "mind ***")]


def test_what_scripts_wrote_is_kept_unmasked_but_for_the_secrets_that_they_told_the_agent_of(start: Start) -> None:
    run = start(
        """
        variables:
          - group: other-keys
        steps:
          - checkout: none
          - bash: |
              echo "before ##vso[task.setsecret]derived-value"
              echo "##vso[task.setvariable variable=hidden;issecret=true]hidden-value"
              echo "##vso[task.setvariable variable=plain]plain-value"
              echo "it is $OWN, and derived-value"
            displayName: say
            env: {OWN: $(Key.Secret)}
        """,
        groups={"other-keys": {"Key.Secret": Value("s3cr3t-value", secret=True)}},
    )
    results = run.start()
    assert lines(results, "say") == ["it is ***, and ***"]
    assert results.unmasked() == [
        ("say", "before ##vso[task.setsecret]"),
        ("say", "##vso[task.setvariable variable=hidden;issecret=true]"),
        ("say", "##vso[task.setvariable variable=plain]plain-value"),
        ("say", "it is s3cr3t-value, and derived-value"),
    ]


def test_a_command_anywhere_in_a_line_is_a_command(start: Start) -> None:
    run = start("steps:\n  - checkout: none\n  - bash: 'echo text \"##vso[task.complete result=Failed]\"'\n")
    assert run.start().stages == {"stage": runs.FAILED}


def test_steps_after_a_failure_run_by_their_conditions(start: Start) -> None:
    run = start(
        """
        steps:
          - checkout: none
          - {bash: exit 3, displayName: fails}
          - {bash: echo no, displayName: default}
          - {bash: echo yes, displayName: always, condition: always()}
          - {bash: echo yes, displayName: failed, condition: failed()}
          - {bash: echo yes, displayName: either, condition: succeededOrFailed()}
          - bash: echo no
            displayName: never
            condition: and(failed(), eq(variables['Build.Reason'], 'Schedule'))
        """
    )
    results = run.start()
    ran = {row.title: row.result for row in results.steps}
    assert ran["fails"] == runs.FAILED
    assert [ran[name] for name in ("default", "never")] == [runs.SKIPPED] * 2
    assert [ran[name] for name in ("always", "failed", "either")] == [runs.SUCCEEDED] * 3
    assert results.stages == {"stage": runs.FAILED}


def test_a_cancelled_step_gets_the_agents_signal_and_only_always_steps_run_after_it(start: Start) -> None:
    made: list[PipelineRun] = []

    def cancel(_stage: str, _step: str, line: str) -> None:
        if line == "working":
            made[0].cancel()

    run = start(
        """
        steps:
          - checkout: none
          - bash: |
              trap 'echo interrupted; kill $!; exit 1' TERM
              echo working
              sleep 600 & wait
            displayName: long
          - {bash: echo no, displayName: default}
          - {bash: echo no, displayName: either, condition: succeededOrFailed()}
          - {bash: echo cleaned, displayName: cleanup, condition: always()}
        """,
        on_line=cancel,
    )
    made.append(run)
    results = run.start()
    assert lines(results, "long")[:2] == ["working", "interrupted"]
    assert results.step("long").result == runs.CANCELED
    assert [results.step(name).result for name in ("default", "either")] == [runs.SKIPPED] * 2
    assert lines(results, "cleanup") == ["cleaned"]
    assert results.stages == {"stage": runs.CANCELED}


def test_a_step_that_ignores_the_first_signal_gets_the_second_after_the_grace_and_the_cleanup_runs(
    start: Start,
) -> None:
    made: list[PipelineRun] = []

    def cancel(_stage: str, _step: str, line: str) -> None:
        if line == "working":
            made[0].cancel()

    run = start(
        """
        variables:
          PROCESS_SIGINT_TIMEOUT: 600000
        steps:
          - checkout: none
          - bash: |
              trap '' INT
              trap 'echo terminated; exit 1' TERM
              echo working
              while :; do sleep 0.01; done
            displayName: stubborn
          - {bash: echo no, displayName: default}
          - {bash: echo cleaned, displayName: cleanup, condition: always()}
        """,
        on_line=cancel,
    )
    made.append(run)
    results = run.start()
    assert lines(results, "stubborn")[:2] == ["working", "terminated"]
    assert results.step("stubborn").result == runs.CANCELED
    assert results.step("default").result == runs.SKIPPED
    assert lines(results, "cleanup") == ["cleaned"]


STUBBORN_PULUMI = """#!{python}
import signal, sys
if sys.argv[1] != "up":
    sys.exit()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("updating", flush=True)
for number in range(1, {ends_at} + 1):
    signal.sigwait([signal.SIGINT])
    print("interrupted", number, flush=True)
"""


@pytest.mark.parametrize(("ends_at", "patience"), [(1, 600_000), (2, 8_000), (3, 3_000)])
def test_a_cancelled_update_is_interrupted_then_interrupted_again_and_killed_with_the_job(
    start: Start, tmp_path: Path, ends_at: int, patience: int
) -> None:
    """Pulumi takes the first SIGINT as a request and the second as an order; one that heeds neither is killed.

    The agent's signal comes once; the second SIGINT is of the entry point, before the agent would go on without it.
    """
    pulumi = tmp_path / "bin" / "pulumi"
    pulumi.parent.mkdir()
    pulumi.write_text(STUBBORN_PULUMI.format(python=sys.executable, ends_at=ends_at), encoding="utf-8")
    pulumi.chmod(0o755)
    # The step's folder is a repository, as a checkout is; a commit has a date.
    sources = "git init -q . && git -c user.name=x -c user.email=x@example.com commit -q --allow-empty -m First"
    made: list[PipelineRun] = []

    def cancel(_stage: str, step: str, line: str) -> None:
        if step == "Update" and line == "updating":
            made[0].cancel()

    run = start(
        f"""
        variables:
          PROCESS_SIGINT_TIMEOUT: {patience}
          private: $(Agent.TempDirectory)/app-one
        steps:
          - checkout: none
          - bash: {sources}
          - bash: echo "##vso[task.prependpath]{pulumi.parent}"
          - bash: exec {sys.executable} -m pipelines.deploy --stack dev --outputs $(private)/outputs.json
            displayName: Update
            env: {{PYTHONPATH: {Path.cwd()}}}
          - bash: mkdir -p $(private) && exec {sys.executable} -m pipelines.cleanup --private $(private)
            displayName: Cleanup
            condition: always()
            env: {{PYTHONPATH: {Path.cwd()}}}
        """,
        on_line=cancel,
    )
    made.append(run)
    results = run.start()
    assert results.step("Update").result == runs.CANCELED
    said = lines(results, "Update")
    assert [line for line in said if line.startswith("interrupted")] == [
        f"interrupted {number}" for number in range(1, min(ends_at, 2) + 1)
    ]
    assert any(line.startswith("error: cancelled: pulumi up") for line in said) == (ends_at < 3)
    assert results.step("Cleanup").result == runs.SUCCEEDED
    orphans = [command for kind, command in results.issues if kind == "orphan"]
    assert any(str(pulumi) in command for command in orphans) == (ends_at == 3)


def test_a_process_that_ignores_signals_is_killed_and_its_children_with_the_job(start: Start) -> None:
    made: list[PipelineRun] = []

    def cancel(_stage: str, _step: str, line: str) -> None:
        if line == "working":
            made[0].cancel()

    run = start(
        """
        variables:
          PROCESS_SIGINT_TIMEOUT: 50
        steps:
          - checkout: none
          - bash: |
              trap '' INT TERM
              sleep 600 >/dev/null 2>&1 &
              until [ "$(cat /proc/$!/comm)" = sleep ]; do :; done
              echo working
              while :; do sleep 0.01; done
            displayName: stubborn
        """,
        on_line=cancel,
    )
    made.append(run)
    results = run.start()
    assert results.step("stubborn").result == runs.CANCELED
    orphans = [command for kind, command in results.issues if kind == "orphan"]
    assert "sleep 600" in orphans
    assert any(command.startswith("bash ") for command in orphans)


def test_outputs_reach_later_steps_jobs_and_stages(start: Start) -> None:
    run = start(
        """
        stages:
          - stage: first
            jobs:
              - job: a
                steps:
                  - checkout: none
                  - {name: give, bash: 'echo "##vso[task.setvariable variable=word;isOutput=true]hello"'}
                  - {bash: 'echo $(give.word)', displayName: same}
              - job: b
                dependsOn: a
                variables:
                  word: $[ dependencies.a.outputs['give.word'] ]
                steps:
                  - checkout: none
                  - {bash: 'echo $(word)', displayName: later}
          - stage: second
            condition: and(succeeded(), eq(dependencies.first.outputs['a.give.word'], 'hello'))
            variables:
              word: $[ stageDependencies.first.a.outputs['give.word'] ]
            jobs:
              - deployment: c
                environment: e
                strategy:
                  runOnce:
                    deploy:
                      steps:
                        - download: none
                        - {bash: 'echo $(word)', displayName: deployed}
          - stage: third
            condition: eq(dependencies.first.outputs['a.give.word'], 'other')
            jobs:
              - job: d
                steps: []
        """
    )
    results = run.start()
    assert [lines(results, name) for name in ("same", "later", "deployed")] == [["hello"]] * 3
    assert results.stages == {"first": runs.SUCCEEDED, "second": runs.SUCCEEDED, "third": runs.SKIPPED}


def test_a_job_runs_for_each_leg_of_its_matrix_before_who_waits_for_it(start: Start) -> None:
    run = start(
        """
        jobs:
          - job: test
            variables: {version: none}
            strategy: {matrix: {old: {version: "1"}, new: {version: "2"}}}
            steps:
              - checkout: none
              - {bash: 'echo $(version) $VERSION', displayName: leg}
          - job: after
            dependsOn: test
            steps:
              - checkout: none
              - {bash: echo done, displayName: after}
        """
    )
    results = run.start()
    told = [(row.job, row.log) for row in results.steps if row.title in ("leg", "after")]
    assert told == [("test_old", ["1 1"]), ("test_new", ["2 2"]), ("after", ["done"])]
    assert set(results.stages.values()) == {runs.SUCCEEDED}


def test_a_stage_after_a_failed_one_is_skipped(start: Start) -> None:
    run = start(
        """
        stages:
          - {stage: a, jobs: [{job: j, steps: [{bash: exit 1}]}]}
          - {stage: b, jobs: [{job: j, steps: []}]}
          - {stage: c, condition: always(), jobs: [{job: j, steps: [{checkout: none}]}]}
        """
    )
    assert run.start().stages == {"a": runs.FAILED, "b": runs.SKIPPED, "c": runs.SUCCEEDED}


def test_artefacts_are_published_once_and_fetched_by_name(start: Start) -> None:
    run = start(
        """
        stages:
          - stage: make
            jobs:
              - job: j
                steps:
                  - checkout: none
                  - bash: mkdir $(Build.ArtifactStagingDirectory)/d && echo x > $(Build.ArtifactStagingDirectory)/d/f
                  - {publish: $(Build.ArtifactStagingDirectory)/d, artifact: things}
                  - {publish: $(Build.ArtifactStagingDirectory)/d, artifact: things, displayName: again}
          - stage: use
            condition: always()
            jobs:
              - job: j
                steps:
                  - checkout: none
                  - {download: current, artifact: things}
                  - {bash: cat $(Pipeline.Workspace)/things/f, displayName: show}
                  - {download: current, artifact: other, displayName: other}
        """
    )
    results = run.start()
    assert results.step("again").result == runs.FAILED
    assert lines(results, "show") == ["x"]
    assert "artifact 'other' is not of this run" in lines(results, "other")[0]


def test_a_rerun_runs_what_failed_in_a_new_attempt(start: Start, tmp_path: Path) -> None:
    run = start(
        f"""
        stages:
          - {{stage: a, jobs: [{{job: j, steps: [{{checkout: none}}]}}]}}
          - stage: b
            jobs:
              - job: j
                steps:
                  - checkout: none
                  - {{bash: 'echo $(System.StageAttempt); test -e {tmp_path}/mended', displayName: try}}
        """
    )
    assert run.start().stages["b"] == runs.FAILED
    (tmp_path / "mended").touch()
    results = run.rerun_failed()
    assert results.stages == {"a": runs.SUCCEEDED, "b": runs.SUCCEEDED}
    assert lines(results, "try") == ["2"]
    assert results.attempts == {"a": 1, "b": 2}


def test_the_checkout_is_a_clone_and_test_results_are_read(start: Start) -> None:
    run = start(
        """
        steps:
          - bash: git log --format=%s; ls
            displayName: look
          - task: PublishTestResults@2
            displayName: results
            inputs: {testResultsFiles: results.xml, testRunTitle: T}
        """,
        templates={
            "results.xml": '<testsuite><testcase name="a"/><testcase name="b"><failure/></testcase></testsuite>'
        },
    )
    results = run.start()
    assert lines(results, "look") == ["all", "pipeline.yml", "results.xml"]
    assert results.tests == [("T", "a", True), ("T", "b", False)]


def test_the_checkout_is_of_the_runs_commit_though_its_branch_moved_on_since(
    start: Start, organization: Organization, tmp_path: Path
) -> None:
    run = start("steps:\n  - {bash: git log --format=%s, displayName: look}\n")
    commit = ["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--allow-empty"]
    subprocess.run(["git", "-C", str(tmp_path / "sources"), *commit, "--message", "later"], check=True)
    branch = organization.build(run.build)["sourceBranch"]
    organization.git_push(tmp_path / "sources", f"HEAD:{branch}")
    assert lines(run.start(), "look") == ["all"]


def test_a_checkout_leaves_no_token_behind(start: Start) -> None:
    run = start("steps:\n  - {bash: 'cat .git/config; git fetch origin 2>&1 || echo refused', displayName: look}\n")
    said = "\n".join(lines(run.start(), "look"))
    assert "extraheader" not in said
    assert "refused" in said


def test_a_repository_that_is_not_there_is_no_checkout(start: Start, organization: Organization) -> None:
    run = start("steps:\n  - bash: echo\n")
    organization.give("PATCH", REPOSITORY, {"isDisabled": True})
    try:
        results = run.start()
    finally:
        number = organization.build(run.build)["repository"]["id"]
        organization.give("PATCH", f"{PROJECT}/_apis/git/repositories/{number}", {"isDisabled": False})
    assert results.stages == {"stage": runs.FAILED}
    assert "checkout failed" in results.log()


def test_a_task_that_the_runner_does_not_know_fails_by_name(start: Start) -> None:
    results = start("steps:\n  - task: Pulumi@1\n    displayName: foreign\n").start()
    assert lines(results, "foreign") == ["##[error]this agent does not know the task Pulumi@1"]
    assert results.stages == {"stage": runs.FAILED}


def test_without_names_a_condition_asks_of_all_that_came_before_near_and_far(start: Start) -> None:
    """As measured at the service: https://github.com/MicrosoftDocs/azure-devops-docs/pull/12616."""
    run = start(
        """
        stages:
          - {stage: skipped, condition: "eq(1, 2)", jobs: [{job: a, steps: []}]}
          - {stage: runs, dependsOn: skipped, condition: "not(canceled())", jobs: [{job: b, steps: [{checkout: none}]}]}
          - {stage: plain, dependsOn: runs, jobs: [{job: c, steps: [{checkout: none}]}]}
          - {stage: named, dependsOn: runs, condition: succeeded('runs'), jobs: [{job: d, steps: [{checkout: none}]}]}
          - stage: far
            dependsOn: named
            condition: not(canceled())
            jobs:
              - job: e
                variables: {seen: "$[ stageDependencies.runs.b.result ]"}
                steps: [{checkout: none}, {bash: 'echo "[$(seen)]"', displayName: seen}]
        """
    )
    results = run.start()
    assert results.stages == {
        "skipped": runs.SKIPPED,
        "runs": runs.SUCCEEDED,
        "plain": runs.SKIPPED,
        "named": runs.SUCCEEDED,
        "far": runs.SUCCEEDED,
    }
    assert lines(results, "seen") == ["[]"]  # it does not depend on `runs` itself


def test_a_job_whose_condition_cannot_be_evaluated_is_abandoned_which_no_failure_is(start: Start) -> None:
    run = start(
        """
        jobs:
          - {job: broken, condition: "gt(1, 'much')", steps: [{checkout: none}]}
          - {job: failure, dependsOn: broken, condition: failed(), steps: [{checkout: none}]}
          - {job: any, dependsOn: broken, condition: always(), steps: [{checkout: none}]}
        """
    )
    results = run.start()
    assert [row.job for row in results.steps] == ["any"]
    records = {row["identifier"]: row for row in run.organization.records(run.build, "Job")}
    assert {name: row["result"] for name, row in records.items()} == {
        "broken": "abandoned",
        "failure": "skipped",
        "any": "succeeded",
    }
    assert "'much' is no number" in records["broken"]["issues"][0]["message"]


def test_a_counter_counts_the_runs_of_a_pipeline_by_its_prefix(start: Start, organization: Organization) -> None:
    run = start(
        """
        variables: {number: "$[ counter('a', 7) ]"}
        stages:
          - {stage: one, jobs: [{job: a, steps: [{checkout: none}, {bash: echo $(number), displayName: one}]}]}
          - {stage: two, jobs: [{job: b, steps: [{checkout: none}, {bash: echo $(number), displayName: two}]}]}
        """
    )
    results = run.start()
    assert [lines(results, title) for title in ("one", "two")] == [["7"], ["7"]]
    known = organization.build(run.build)
    run.build = organization.queue(known["definition"]["id"], known["sourceBranch"])
    assert lines(run.start(), "two") == ["8"]


def test_a_step_that_asks_of_another_job_fails_and_says_so(start: Start) -> None:
    run = start(
        """
        steps:
          - checkout: none
          - {bash: echo, displayName: asks, condition: succeeded('other')}
        """
    )
    assert "takes no name, such as 'other'" in lines(run.start(), "asks")[0]


def test_a_command_that_cannot_be_carried_out_fails_its_step_and_the_lines_after_it_count(start: Start) -> None:
    run = start(
        """
        steps:
          - checkout: none
          - bash: |
              echo '##vso[artifact.upload artifactname=a]none.txt'
              echo after
            displayName: upload
        """
    )
    results = run.start()
    assert results.step("upload").result == runs.FAILED
    assert "there is nothing to publish as a" in lines(results, "upload")[0]
    assert lines(results, "upload")[1] == "after"


def test_a_pipeline_extends_a_template_of_another_repository_at_its_tag(
    start: Start, organization: Organization, tmp_path: Path
) -> None:
    project = organization.give("GET", f"_apis/projects/{PROJECT}")["id"]
    organization.give("POST", f"{PROJECT}/_apis/git/repositories", {"name": "shared", "project": {"id": project}})
    templates = tmp_path / "templates"
    for name, text in {
        "stages/build.yml": """
            parameters: [{name: steps, type: stepList}]
            stages:
              - stage: build
                jobs: [{job: a, steps: [{template: ../steps/first.yml}, "${{ parameters.steps }}"]}]
        """,
        "steps/first.yml": """
            steps: [{checkout: none}, {bash: echo pinned, displayName: first}, {template: own.yml@self}]
        """,
    }.items():
        (templates / name).parent.mkdir(parents=True, exist_ok=True)
        (templates / name).write_text(text, encoding="utf-8")
    git = ["git", "-C", str(templates), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for step in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "one"], ["tag", "v1"]):
        subprocess.run([*git, *step], check=True)
    (templates / "steps/first.yml").write_text("steps: [{bash: echo moved, displayName: first}]", encoding="utf-8")
    subprocess.run([*git, "commit", "--quiet", "--all", "-m", "two"], check=True)
    organization.git_push(templates, "HEAD:refs/heads/main", "refs/tags/v1", repository="shared")
    run = start(
        """
        resources:
          repositories: [{repository: Common, type: git, name: shared, ref: refs/tags/v1}]
        extends:
          template: stages/build.yml@common
          parameters:
            steps: [{bash: echo given, displayName: given}]
        """,
        templates={"own.yml": "steps: [{bash: echo own, displayName: own}]"},
    )
    results = run.start()
    assert [(row.title, row.log) for row in results.steps[1:]] == [
        ("first", ["pinned"]),
        ("own", ["own"]),
        ("given", ["given"]),
    ]


def test_a_path_of_the_run_without_bash_fails_the_step_and_says_so(start: Start) -> None:
    run = start(
        """
        variables: {PATH: /none}
        steps:
          - checkout: none
          - {bash: echo, displayName: shell}
        """
    )
    assert lines(run.start(), "shell") == ["##[error]bash cannot be started: No such file or directory"]
