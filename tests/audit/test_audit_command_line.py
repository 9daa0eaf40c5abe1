"""The command line: exit codes, reports, waivers, and one sentence for each mistake."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from audit.command import entry
from audit.report.catalogue import CLASSES
from tests.audit import previews as p

KEY = p.step(p.KEY, "key", None, {"user": "u"})
MUTABLE = p.step(
    p.REPOSITORY, "r", {"name": "a", "imageTagMutability": "IMMUTABLE"}, {"name": "a", "imageTagMutability": "MUTABLE"}
)
TAGS = p.step(p.USER, "u", {"name": "u"}, {"name": "u", "tags": {"a": "b"}})


@pytest.fixture
def preview(tmp_path: Path) -> Path:
    """A preview with one credential."""
    path = tmp_path / "p.json"
    path.write_text(json.dumps(p.digest(KEY)))
    return path


@pytest.mark.parametrize(
    ("step", "fail_on", "code"),
    [
        (KEY, "access", 3),
        (KEY, "credential-created", 3),
        (KEY, "change", 3),
        (KEY, "access-unknown", 0),
        (KEY, "guard-weakened", 3),
        (MUTABLE, "access", 0),
        (MUTABLE, "loss", 0),
        (MUTABLE, "exposure", 3),
        (MUTABLE, "change", 3),
        (TAGS, "exposure", 0),
        (TAGS, "change", 3),
        (None, "change", 0),
    ],
)
def test_fail_on_takes_a_class_or_a_family_and_everything_worse(
    tmp_path: Path, step: dict[str, object] | None, fail_on: str, code: int
) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(p.digest(*([step] if step else []))))
    assert entry(["plan", str(path), "--fail-on", fail_on]) == code


def test_explain_has_a_text_for_every_class_and_family(capsys: pytest.CaptureFixture[str]) -> None:
    for name in (*CLASSES.by_name, *CLASSES.families):
        assert entry(["plan", "--explain", name]) == 0
        output = capsys.readouterr().out
        assert "What" in output
        assert "Remedy" in output


def test_several_reports_are_written_at_once_and_whole(
    preview: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("terminal", "markdown", "html", "json", "sarif", "junit", "azure")
    reports = [f"--report={name}={tmp_path / name}" for name in names]
    assert entry(["plan", str(preview), *reports, "--format", "azure"]) == 0
    assert all((tmp_path / name).stat().st_size > 100 for name in names)
    assert sorted(item.name for item in tmp_path.iterdir()) == sorted([*names, "p.json"]), "no temporary file stays"
    assert f"##vso[task.uploadsummary]{tmp_path / 'markdown'}" in capsys.readouterr().out


@pytest.mark.parametrize("first", ["azure", "markdown"])
def test_the_azure_report_of_a_file_says_what_the_one_of_the_log_says(
    preview: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], first: str
) -> None:
    """Whichever way it is written, in whichever order: the result of --fail-on, and the summary of this run."""
    reports = {"azure": tmp_path / "azure.log", "markdown": tmp_path / "summary.md"}
    order = sorted(reports, key=lambda name: name != first)
    wanted = [f"--report={name}={reports[name]}" for name in order]
    assert entry(["plan", str(preview), *wanted, "--format", "azure", "--fail-on", "access"]) == 3
    log = capsys.readouterr().out
    assert "##vso[task.complete result=Failed;]" in log
    assert f"##vso[task.uploadsummary]{reports['markdown']}" in log
    assert reports["azure"].read_text(encoding="utf-8") == log


def test_a_summary_can_be_the_main_report(preview: Path, tmp_path: Path) -> None:
    summary, azure = tmp_path / "summary.md", tmp_path / "azure.log"
    assert entry(["plan", str(preview), "--format", "markdown", "-o", str(summary), "--report", f"azure={azure}"]) == 0
    assert f"##vso[task.uploadsummary]{summary}" in azure.read_text(encoding="utf-8")


def test_a_report_is_readable_as_the_umask_says(preview: Path, tmp_path: Path) -> None:
    assert entry(["plan", str(preview), "-o", str(tmp_path / "r")]) == 0
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "r").stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "a command is missing"),
        (["plan"], "PREVIEW is missing"),
        (["plan", "missing.json"], "cannot be read"),
        (["plan", "p.json", "--format", "pdf"], "invalid choice"),
        (["plan", "p.json", "--report", "html"], "must be FORMAT=FILE"),
        (["plan", "p.json", "--report", "pdf=x"], "must be FORMAT=FILE"),
        (["plan", "p.json", "--fail-on", "everything"], "no risk class and no family"),
        (["plan", "--explain", "nothing"], "no risk class and no family"),
        (["plan", "p.json", "--known-secrets", "NOT_SET_ANYWHERE"], "NOT_SET_ANYWHERE"),
        (["plan", "p.json", "--stack", "prod"], "is of stack 'dev'"),
        (["plan", "p.json", "--waivers", "missing.yaml"], "missing.yaml"),
        (["plan", "p.json", "-o", "no/such/folder/r"], "cannot be written"),
        (["plan", "p.json", "--max-bytes", "10"], "--max-bytes"),
        (["plan", "p.json", "--max-bytes", "-1"], "--max-bytes -1: must be a whole number of bytes, 1 or more"),
        (["plan", "p.json", "--max-bytes", "0"], "--max-bytes 0: must be a whole number of bytes, 1 or more"),
        (["compare", "p.json", "p.json", "--max-bytes", "1e3"], "--max-bytes 1e3: must be"),
        (["compare", "-", "-"], "only one"),
        (["compare", "p.json"], "NOW"),
        (["frobnicate"], "invalid choice"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    preview: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(preview.parent)
    assert entry(arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("audit: ")
    assert error.count("\n") == 1


def test_an_internal_error_shows_no_value(
    preview: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("the secret is hunter2")

    monkeypatch.setattr("audit.plan.report.from_file", fail)
    assert entry(["plan", str(preview)]) == 1
    error = capsys.readouterr().err
    assert "RuntimeError" in error
    assert "hunter2" not in error


def test_secrets_come_from_the_environment_and_never_from_arguments(
    preview: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    preview.write_text(
        json.dumps(p.digest(p.step(p.USER, "u", None, {"name": "my-hidden-name", "path": "second-line-secret"})))
    )
    monkeypatch.setenv("FIRST", "my-hidden-name")
    monkeypatch.setenv("SECOND", "something\nsecond-line-secret")
    assert entry(["plan", str(preview), "--known-secrets", "FIRST,SECOND"]) == 0
    output = capsys.readouterr().out
    assert "my-hidden-name" not in output
    assert "second-line-secret" not in output


@pytest.mark.parametrize(
    "name", ["AWS_SESSION_TOKEN", "AZDO_PERSONAL_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE", "SYSTEM_ACCESSTOKEN"]
)
def test_the_run_s_own_credentials_are_masked_unasked(
    preview: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other, saved = tmp_path / "other.json", tmp_path / "saved.json"
    for path, path_name in ((preview, "x-hunter2-x"), (other, "another")):
        path.write_text(json.dumps(p.digest(p.step(p.USER, "u", None, {"name": path_name}))))
    assert entry(["plan", str(preview), "--format", "json", "-o", str(saved)]) == 0
    assert "hunter2" in saved.read_text(encoding="utf-8")
    monkeypatch.setenv(name, "hunter2")
    assert entry(["plan", str(preview)]) == 0
    assert entry(["compare", str(preview), str(other)]) == 4
    assert entry(["compare", str(saved), str(other)]) == 4
    output = capsys.readouterr().out
    assert "x-[redacted]-x" in output
    assert "hunter2" not in output


def test_a_word_as_short_as_a_stack_s_name_is_not_masked_unasked(
    preview: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "dev")
    assert entry(["plan", str(preview), "--stack", "dev"]) == 0


def test_a_pipe_and_a_closed_reader_do_no_harm(preview: Path) -> None:
    command = [sys.executable, "-m", "audit", "plan", "-"]
    text = preview.read_bytes()
    done = subprocess.run(command, input=text, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    reader, writer = os.pipe()
    os.close(reader)
    closed = subprocess.run(command, input=text, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert b"Traceback" not in closed.stderr


def test_a_waiver_lets_one_finding_pass_until_its_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preview, waivers = tmp_path / "p.json", tmp_path / "w.yaml"
    preview.write_text(json.dumps(p.digest(MUTABLE)))
    text = (
        "waivers:\n- {rule: exposure-mutable-tags, urn: '*Repository::r', reason: moving, owner: platform, "
        "expires: %s}\n"
    )
    waivers.write_text(text % "2999-12-31")
    assert entry(["plan", str(preview), "--waivers", str(waivers), "--fail-on", "exposure"]) == 0
    assert "waived until 2999-12-31 by platform" in capsys.readouterr().out
    waivers.write_text(text % "2020-01-01")
    assert entry(["plan", str(preview), "--waivers", str(waivers), "--fail-on", "exposure"]) == 3
    assert "waiver-expired" in capsys.readouterr().out
    preview.write_text(json.dumps(p.digest(TAGS)))
    waivers.write_text(text % "2999-12-31")
    assert entry(["plan", str(preview), "--waivers", str(waivers), "--fail-on", "waiver"]) == 3
    assert "waiver-unused" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "one key `waivers`"),
        ("waivers: 1", "one key `waivers`"),
        ("a: [", "not YAML"),
        ("waivers: [1]", "waiver 1 is not a mapping"),
        ("waivers: [{rule: access, urn: '*', reason: r, owner: o, expires: 2999-01-01}]", "rule 'access'"),
        (
            "waivers: [{rule: preview-incomplete, urn: '*', reason: r, owner: o, expires: 2999-01-01}]",
            "no class that can be waived",
        ),
        ("waivers: [{rule: change, urn: '*', reason: '', owner: o, expires: 2999-01-01}]", "'reason'"),
        ("waivers: [{rule: change, urn: '*', reason: r, owner: o, expires: soon}]", "'expires'"),
        (
            "waivers: [{rule: change, urn: '*', reason: r, owner: o, expires: 2999-01-01, until: x}]",
            "'until' is unknown",
        ),
    ],
)
def test_a_wrong_waiver_file_names_the_entry_and_the_field(
    tmp_path: Path, preview: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "w.yaml"
    path.write_text(text)
    assert entry(["plan", str(preview), "--waivers", str(path)]) == 2
    assert said in capsys.readouterr().err


def test_a_report_is_written_into_a_pipe_and_through_a_link_and_takes_nothings_place(
    preview: Path, tmp_path: Path
) -> None:
    pipe, link, file = tmp_path / "pipe", tmp_path / "link", tmp_path / "file"
    os.mkfifo(pipe)
    link.symlink_to(file)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert entry(["plan", str(preview), "--format", "json", "-o", str(pipe)]) == 0
    reader.join(60)
    assert json.loads(read[0])["steps"]
    assert pipe.is_fifo()
    assert entry(["plan", str(preview), "--format", "json", "-o", str(link)]) == 0
    assert link.is_symlink()
    assert file.read_bytes() == read[0]
