"""audit.pyz: one file that runs anywhere, and the examples of docs/audit-everywhere.md, run with it in an empty folder
and an empty environment."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import check_jsonschema
import pytest
import yaml

from tests.audit.scenarios import GOLDEN

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENT = CHECKOUT / "docs" / "audit-everywhere.md"
PREVIEW = GOLDEN / "broadened-policy.json"
TOKEN = "pul-0123456789"


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file as `make audit.pyz` builds it."""
    path = tmp_path_factory.mktemp("pyz") / "audit.pyz"
    build(path)
    return path


def build(path: Path) -> str:
    command = [sys.executable, "-m", "audit.build_pyz", str(path)]
    return subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def empty(pyz: Path, tmp_path: Path) -> Path:
    """A folder with nothing but the file, and a home of its own beside it."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(pyz, folder)
    return folder


@pytest.fixture(scope="module")
def unpacked(pyz: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the file has run, and unpacked itself: that is most of a first run."""
    folder = tmp_path_factory.mktemp("unpacked")
    shutil.copy(pyz, folder)
    assert run(folder, "--help", HOME=str(folder / "home")).returncode == 0
    return folder / "home"


@pytest.fixture
def again(empty: Path, unpacked: Path) -> Path:
    """A folder with nothing but the file, where it is not its first run."""
    (empty.parent / "home").symlink_to(unpacked)
    return empty


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the file with the machine's Python, which knows none of this project's packages."""
    python = Path(sys.base_prefix, "bin", "python3")
    return shell(folder, f'exec "{python}" "$@"', "audit.pyz", *arguments, **environment)


def shell(folder: Path, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A script in an environment that holds a PATH, a home and what is given."""
    bare = {"PATH": os.defpath, "HOME": str(folder.parent / "home"), "LANG": "C.UTF-8", **environment}
    return subprocess.run(
        ["/bin/bash", "-eo", "pipefail", "-c", script, "bash", *arguments],
        cwd=folder,
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )


def test_two_builds_are_the_same_bytes_and_the_sum_is_printed(pyz: Path, tmp_path: Path) -> None:
    said = build(tmp_path / "audit.pyz")
    assert (tmp_path / "audit.pyz").read_bytes() == pyz.read_bytes()
    assert said == f"{hashlib.sha256(pyz.read_bytes()).hexdigest()}  audit.pyz\n"


def test_it_holds_sources_that_run_on_every_python_and_tell_of_no_machine(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as archive:
        names = archive.namelist()
        assert {"audit", "iam", "boto3", "jinja2", "junitparser", "rich"} <= {
            name.split("/")[1] for name in names if name.startswith("site-packages/")
        }
        assert [name for name in names if name.endswith((".so", ".pyc", ".pyd"))] == []
        ours = [name for name in names if name.startswith(("site-packages/audit/", "site-packages/iam/"))]
        assert not any(str(CHECKOUT).encode() in archive.read(name) for name in ours)
        assert not any(name.endswith("build_pyz.py") for name in names)


def test_a_plan_is_judged_in_every_format_in_an_empty_folder(empty: Path) -> None:
    shutil.copy(PREVIEW, empty / "preview.json")
    names = ("markdown", "html", "json", "sarif", "junit", "azure")
    done = run(empty, "plan", "preview.json", *(f"--report={name}={name}" for name in names), "--fail-on", "access")
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("app-one / dev: Worst: access-broadened.")
    assert all((empty / name).stat().st_size > 100 for name in names)
    assert {path.name for path in empty.iterdir()} == {"audit.pyz", "preview.json", *names}, "nothing else is written"


def test_every_command_starts_and_says_what_it_lacks(again: Path) -> None:
    said = {
        "compare": "NOW",
        "drift": "STATE is missing",
        "history": "BACKEND is missing",
        "frobnicate": "invalid choice",
    }
    for command, words in said.items():
        done = run(again, command, *(["one"] if command == "compare" else []))
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    aws = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-2"}
    keys = run(again, "keys", **aws, AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1")
    assert keys.returncode == 2
    assert "cannot be reached" in keys.stderr, "the SDK and its data are in the file"
    assert "python audit.pyz" in run(again, "--help").stdout


def examples() -> list[dict[str, Any]]:
    """The two pipelines of the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)]


def steps(pipeline: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The scripts of a pipeline, by name."""
    listed = pipeline["jobs"]["preview"]["steps"] if "jobs" in pipeline else pipeline["steps"]
    return {step.get("name") or step["displayName"]: step for step in listed if "run" in step or "script" in step}


def script(step: dict[str, Any], values: dict[str, str]) -> str:
    """The script with the values that the service puts in."""
    text = str(step.get("run") or step["script"])
    for name, value in values.items():
        text = text.replace(name, value)
    assert "$(" not in text
    assert "${{" not in text
    return text


@pytest.mark.parametrize("number", [0, 1], ids=["GitHub Actions", "Azure Pipelines"])
def test_an_example_of_the_document_does_what_it_says(again: Path, pyz: Path, number: int) -> None:
    scripts = steps(examples()[number])
    temporary, staging, fetched = (again.parent / name for name in ("temporary", "staging", "fetched"))
    for folder in (temporary, fetched):
        folder.mkdir()
    # What `Preview` would have left; the audit reads the file that it names.
    preview = temporary / "preview.json"
    shutil.copy(PREVIEW, preview)
    values = {
        "${{ vars.AUDIT_URL }}": pyz.as_uri(),
        "${{ vars.AUDIT_SHA256 }}": hashlib.sha256(pyz.read_bytes()).hexdigest(),
        "$(auditUrl)": pyz.as_uri(),
        "$(auditSha256)": hashlib.sha256(pyz.read_bytes()).hexdigest(),
        "$(Agent.TempDirectory)": str(temporary),
        "$(Build.ArtifactStagingDirectory)": str(staging),
        "python audit.pyz": f"{Path(sys.base_prefix, 'bin', 'python3')} audit.pyz",
    }
    fetch, check = script(scripts["Fetch the audit"], values).splitlines()
    assert fetch.startswith("curl ")
    assert fetch.endswith(f'--output audit.pyz "{pyz.as_uri()}"')
    shutil.copy(pyz, fetched)
    assert shell(fetched, check).returncode == 0
    (fetched / "audit.pyz").write_bytes(b"another")
    assert shell(fetched, check).returncode != 0
    redirect = script(scripts["Preview"], values).rpartition("> ")[2].strip()
    environment = {"RUNNER_TEMP": str(temporary), "GITHUB_STEP_SUMMARY": str(again / "summary.md")}
    assert shell(again, f"echo {redirect}", **environment).stdout.strip() == str(preview)
    done = shell(again, script(scripts["Audit"], values), PULUMI_ACCESS_TOKEN=TOKEN, **environment)
    assert done.returncode == 3, done.stderr
    assert done.stderr == ""
    if number == 0:
        assert (again / "summary.md").read_text(encoding="utf-8").startswith("## Audit of")
        reports = [again / "audit.html", again / "audit.sarif"]
    else:
        assert "##vso[task.complete result=Failed;]" in done.stdout
        assert f"##vso[task.uploadsummary]{staging}/audit/audit.md" in done.stdout
        reports = [staging / "audit" / name for name in ("audit.md", "audit.html", "audit.xml")]
    assert all("access-broadened" in path.read_text(encoding="utf-8") for path in reports)


@pytest.mark.parametrize(
    ("number", "schema"), [(0, "vendor.github-workflows"), (1, "vendor.azure-pipelines")], ids=["GitHub", "Azure"]
)
def test_an_example_is_valid_by_its_service_s_schema(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int, schema: str
) -> None:
    path = tmp_path / "pipeline.yml"
    text = re.findall(r"^```yaml\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)[number]
    path.write_text(text, encoding="utf-8")
    options = ["--builtin-schema", schema]
    options += ["--data-transform", "azure-pipelines", "--regex-variant", "python"] if "azure" in schema else []
    assert check_jsonschema.main([*options, str(path)], standalone_mode=False) == 0, capsys.readouterr().out
