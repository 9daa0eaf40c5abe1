"""`python -m azure_pipelines` works from any folder on any file, and says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[3]
PIPELINE = CHECKOUT / "azure-pipelines.yml"


def run(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a person runs it, from another folder."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "azure_pipelines", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [(), ("lint",), ("expand",)])
def test_help_says_what_it_does_and_its_exit_codes(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = run(tmp_path, *arguments, "--help")
    assert done.returncode == 0
    assert "exit codes:" in done.stdout


def test_our_own_pipeline_is_clean_from_an_empty_folder(tmp_path: Path) -> None:
    done = run(tmp_path, "lint", str(PIPELINE), "--rules", "pipelines.rules")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("way", ["pull request", "push to main", "nightly"])
def test_our_own_pipeline_expands_from_an_empty_folder_to_yaml_without_templates(way: str, tmp_path: Path) -> None:
    done = run(tmp_path, "expand", str(PIPELINE), "--way", way)
    assert (done.returncode, done.stderr) == (0, "")
    stages = [stage["stage"] for stage in yaml.safe_load(done.stdout)["stages"]]
    expected = {
        "pull request": ["checks", "build_dev"],
        "push to main": ["checks", "preview_dev", "deploy_dev"],
        "nightly": ["drift_dev"],
    }
    assert stages == expected[way]
    assert "${{" not in done.stdout
    assert "template:" not in done.stdout


def test_what_is_found_is_a_line_with_file_line_rule_and_remedy(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text("steps:\n  - bash: echo\n    condition: eq(variables['x.y'], 1)\n")
    done = run(tmp_path, "lint", "p.yml")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "p.yml:2: condition: \"eq(variables['x.y'], 1)\" runs whatever failed before: begin with and(succeeded(), ...)",
        "p.yml:2: condition: no variable x.y is defined: it would be empty",
    ]


def test_a_condition_may_ask_whether_a_variable_is_there(tmp_path: Path) -> None:
    asked = (
        "and(succeeded(), eq(variables['PATH'], ''), ne('', variables['HOME']), eq(variables['x.y'], variables['z']))"
    )
    (tmp_path / "p.yml").write_text(f"steps:\n  - bash: echo\n    condition: {asked}\n")
    done = run(tmp_path, "lint", "p.yml")
    assert [line.partition("no variable ")[2].split()[0] for line in done.stdout.splitlines()] == ["x.y", "z"]


def test_names_that_the_yaml_does_not_define_can_be_told(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(
        "variables:\n  - group: keys\nsteps:\n  - bash: run\n    env: {A: $(Key.Id), B: $(Own), C: $(Key.Idd)}\n"
    )
    assert run(tmp_path, "lint", "p.yml").returncode == 0  # nobody said what the group holds
    done = run(tmp_path, "lint", "p.yml", "--group", "KEYS=Key.Id,Key.Secret", "--variable", "own")
    assert done.stdout.splitlines() == ["p.yml:4: macro: $(Key.Idd) is defined nowhere: it would stay as it is"]


def test_a_parameter_is_given_in_yaml_and_has_its_type(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(
        "parameters:\n  - {name: places, type: object, default: []}\nsteps:\n"
        "  - ${{ each place in parameters.places }}:\n      - bash: echo ${{ place }}\n"
    )
    done = run(tmp_path, "expand", "p.yml", "--parameter", "places=[north, 'south']")
    assert yaml.safe_load(done.stdout) == {"steps": [{"bash": "echo north"}, {"bash": "echo south"}]}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("lint", "none.yml"), 2, "none.yml does not exist"),
        (("lint", "."), 2, "is no file"),
        (("expand", "none.yml"), 2, "none.yml does not exist"),
        (("expand", "open.yml"), 1, "open.yml is no YAML"),
        (("expand", "list.yml"), 1, "list.yml is no mapping"),
        (("expand", "bytes.yml"), 1, "it is no UTF-8"),
        (("expand", "good.yml", "--parameter", "a"), 2, "should be NAME=VALUE"),
        (("expand", "good.yml", "--parameter", "a=["), 2, "--parameter a is no YAML"),
        (("expand", "good.yml", "--parameter", "a=b"), 1, "good.yml has no parameter a"),
        (("lint", "good.yml", "--rules", "not.there"), 2, "name a module that can be imported"),
        (("lint", "good.yml", "--rules", "json"), 2, "no function project"),
    ],
)
def test_what_cannot_be_used_is_one_line_that_names_it(
    arguments: tuple[str, ...], code: int, message: str, tmp_path: Path
) -> None:
    (tmp_path / "open.yml").write_text("steps: [")
    (tmp_path / "list.yml").write_text("- a")
    (tmp_path / "bytes.yml").write_bytes(b"steps: \xff")
    (tmp_path / "good.yml").write_text("steps: []")
    done = run(tmp_path, *arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert done.stderr.startswith("azure_pipelines: ")
    assert "Traceback" not in done.stderr


def test_templates_from_the_repositorys_top_are_found_from_a_file_below_it(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    for name, text in {"t/steps.yml": "steps: [{bash: deep}]", "ci/p.yml": "steps: [{template: /t/steps.yml}]"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    done = run(tmp_path, "expand", "ci/p.yml")
    assert yaml.safe_load(done.stdout) == {"steps": [{"bash": "deep"}]}


def test_templates_of_another_repository_are_read_from_a_checkout_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/t.yml").write_text("steps: [{bash: echo of the template, condition: [}]\n")
    (tmp_path / "p.yml").write_text(
        "resources: {repositories: [{repository: s, type: git, name: shared}]}\nsteps: [{template: t.yml@s}]\n"
    )
    named = ("--repository", f"s={tmp_path / 'shared'}")
    done = run(tmp_path, "expand", "p.yml")
    assert done.returncode == 1
    assert "p.yml:2: s is another repository: name a checkout of it, --repository s=FOLDER" in done.stderr
    done = run(tmp_path, "expand", "p.yml", *named)
    assert done.returncode == 1
    assert "t.yml@s is no YAML" in done.stderr
    (tmp_path / "shared/t.yml").write_text("steps: [{bash: echo of the template}]\n")
    assert "echo of the template" in run(tmp_path, "expand", "p.yml", *named).stdout
    assert run(tmp_path, "lint", "p.yml", *named).returncode == 0
    done = run(tmp_path, "lint", "p.yml", "--repository", "s=none")
    assert (done.returncode, done.stderr) == (2, "azure_pipelines: --repository s=none: there is no such folder\n")
