"""Each entry point of the pipeline does its job on a workstation too, and leaves with a documented exit code."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import signal
import stat
import subprocess
import sys
import tarfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines import (
    agent,
    cleanup,
    comment,
    gate,
    install_pulumi,
    install_python,
    plan,
    preview,
    registry,
    release,
    surroundings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHECKOUT = Path(__file__).resolve().parents[3]
ENTRY_POINTS = sorted(
    file.stem
    for file in (CHECKOUT / "pipelines").glob("*.py")
    if not file.stem.startswith("_") and 'if __name__ == "__main__"' in file.read_text(encoding="utf-8")
)
IMAGE = {
    "op": "update",
    "type": "docker:index/image:Image",
    "urn": "urn:pulumi:dev::app-one::docker:index/image:Image::image",
}
POLICY = {
    "op": "update",
    "type": "aws:iam/policy:Policy",
    "urn": "urn:pulumi:dev::app-one::aws:iam/policy:Policy::push",
}
STACK = {
    "op": "create",
    "type": "pulumi:pulumi:Stack",
    "urn": "urn:pulumi:dev::app-one::pulumi:pulumi:Stack::app-one-dev",
}


def entry_point(
    name: str, *arguments: str, cwd: Path = CHECKOUT, given: Mapping[str, str] | None = None, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run an entry point as a person does; given, changes: variables of its environment."""
    # Where a step runs, there are the rooms; a job takes no PYTHONPATH from its environment.
    elsewhere = {} if cwd == CHECKOUT else {"PYTHONPATH": str(CHECKOUT)}
    env = {"PATH": os.environ["PATH"], **elsewhere, **(given or {}), **changes}
    command = [sys.executable, "-m", f"pipelines.{name}", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def report(file: Path, *steps: dict[str, str]) -> Path:
    file.write_text(json.dumps({"fingerprint": "abc", "steps": list(steps)}), encoding="utf-8")
    return file


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_an_entry_point_says_what_it_does_and_its_exit_codes(name: str) -> None:
    done = entry_point(name, "--help")
    assert done.returncode == agent.OK
    assert "exit codes: 0 done, 1 failed, 2 wrong use" in done.stdout


def test_steps_are_run_by_their_folder_whatever_the_current_one_holds(tmp_path: Path) -> None:
    """As in a job with rights: the checkout that the run is about brings modules of the same names."""
    for name in ("pipelines", "audit", "argparse", "runpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a module of the current folder was run')")
    (tmp_path / "plan.json").write_text("{}", encoding="utf-8")
    folder = str(CHECKOUT / "pipelines")
    command = [sys.executable, folder, "approved", "--approved", "none.json", "--now", "plan.json"]
    env = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        agent.USAGE,
        "error: none.json is missing: it should be the JSON report of `python -m audit plan`\n",
    )
    run = f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); from pipelines import agent; agent.audit(['--version'])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", run], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert "of the current folder" not in done.stdout + done.stderr
    assert done.returncode == 0


def test_every_step_is_one_of_the_folder_and_nothing_else_is() -> None:
    command = [sys.executable, str(CHECKOUT / "pipelines")]
    for asked, code in (("--help", 0), ("words", agent.USAGE), ("../audit", agent.USAGE)):
        done = subprocess.run([*command, asked], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.strip().endswith(f"steps: {', '.join(ENTRY_POINTS)}")


def test_a_job_is_one_whatever_somebody_set_for_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_BUILD", raising=False)
    monkeypatch.setenv("GIT_DIR", "/theirs")
    assert not agent.on_agent()
    assert agent.environment()["GIT_DIR"] == "/theirs", "a person's own shell"
    monkeypatch.setenv("TF_BUILD", "False")
    monkeypatch.setenv("AGENT_JOBNAME", "deploy")
    assert agent.on_agent()
    assert "GIT_DIR" not in agent.environment()


@pytest.mark.parametrize(
    ("name", "value", "stays"),
    [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566", True),
        ("AWS_ENDPOINT_URL", "https://example.com", False),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1.example.com", False),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:4566", False),
        ("AWS_SHARED_CREDENTIALS_FILE", "/theirs", False),
        ("DOCKER_HOST", "unix:///run/docker.sock", True),
        ("DOCKER_HOST", "tcp://example.com:2375", False),
        ("PULUMI_OPTION_TARGET", "x", False),
        ("PULUMI_BACKEND_URL", "s3://state", True),
        ("GIT_SSH_COMMAND", "x", False),
        ("PYTHONPATH", "/theirs", False),
        ("PYTHONUNBUFFERED", "1", True),
        ("UV_CACHE_DIR", "/cache", True),
        ("BUILD_BUILDNUMBER", "7", True),
        ("LC_ALL", "C", True),
        ("PIPX_HOME", "/opt", False),
        ("npm_config_cache", "/cache", True),
        ("OPENSSL_CONF", "/theirs", False),
        ("SSLKEYLOGFILE", "/theirs", False),
        ("NODE_EXTRA_CA_CERTS", "/theirs", True),
        ("KEYS_AS_OF", "2020-01-01", False),
        ("SOMETHING_NEW", "x", False),
        *((name, "/theirs", False) for name in surroundings.OF_THE_MACHINE),
    ],
)
def test_a_step_keeps_what_it_was_given_and_what_acts_on_nothing(name: str, value: str, *, stays: bool) -> None:
    assert surroundings.stays(name, value) is stays


def test_proxies_and_certificates_are_the_machines_and_no_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in surroundings.OF_THE_MACHINE:
        monkeypatch.delenv(name.lower(), raising=False)
        monkeypatch.setenv(name, "/theirs")
    monkeypatch.setenv("ssl_cert_file", "/machine/certificates.pem")
    monkeypatch.setenv("https_proxy", "http://machine:3128")
    monkeypatch.delenv("TF_BUILD", raising=False)
    assert agent.environment()["SSL_CERT_FILE"] == "/theirs", "a person's own shell"
    monkeypatch.setenv("TF_BUILD", "True")
    given = agent.environment()
    assert given["SSL_CERT_FILE"] == "/machine/certificates.pem"
    assert given["HTTPS_PROXY"] == given["https_proxy"] == "http://machine:3128"
    assert not given.keys() & (set(surroundings.OF_THE_MACHINE) - {"SSL_CERT_FILE", "HTTPS_PROXY"})


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_no_entry_point_sees_what_it_was_not_given(name: str) -> None:
    """In a job each entry point of the pipeline says by name what it did not take, before anything else."""
    set_ = {"GIT_DIR": "/theirs", "SSL_CERT_FILE": "/theirs", "HTTPS_PROXY": "http://theirs", "AWS_PROFILE": "x"}
    done = entry_point(name, "--help", TF_BUILD="True", given=set_ | {"MINE": "1", "https_proxy": "http://machine"})
    first = done.stdout.splitlines()[0]
    assert first == "not taken from the environment: AWS_PROFILE, GIT_DIR, HTTPS_PROXY, MINE, SSL_CERT_FILE"


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_an_entry_point_used_wrongly_ends_with_2_and_no_traceback(name: str) -> None:
    done = entry_point(name, "--no-such-option")
    assert done.returncode == agent.USAGE
    assert "Traceback" not in done.stderr


def test_a_derived_secret_is_masked_whole_by_line_by_leaf_and_encoded(capsys: pytest.CaptureFixture[str]) -> None:
    secret = json.dumps({"auth": {"user": "AWS", "password": "pa;ss%word"}}, indent=1)
    assert "pa;ss%word" in agent.leaves(secret)
    assert "first-line" in agent.leaves("first-line\nsecond-line")
    assert all(len(leaf) > 3 for leaf in agent.leaves(secret))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF_BUILD", "True")
        agent.set_secret("pa;ss%word")
    assert "##vso[task.setsecret]pa;ss%AZP25word\n" in capsys.readouterr().out


def test_no_secret_is_printed_where_no_agent_reads(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_BUILD", raising=False)
    agent.set_secret("password-value")
    assert capsys.readouterr().out == ""


def test_a_macro_that_the_agent_did_not_find_is_a_missing_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "$(Pulumi.AccessToken)")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    assert agent.optional("PULUMI_ACCESS_TOKEN") is None
    assert "PULUMI_ACCESS_TOKEN" not in agent.environment()
    assert agent.environment()["PULUMI_BACKEND_URL"] == "s3://bucket"
    with pytest.raises(agent.Stop, match="is not set: map it"):
        agent.setting("PULUMI_ACCESS_TOKEN", "map it")


def test_a_credential_that_is_empty_or_no_value_at_all_reaches_no_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = {"AWS_SESSION_TOKEN": "", "PULUMI_ACCESS_TOKEN": "", "AZDO_PERSONAL_ACCESS_TOKEN": "$(X)", "NO_COLOR": ""}
    for name, value in (empty | {"PULUMI_CONFIG_PASSPHRASE": ""}).items():
        monkeypatch.setenv(name, value)
    given = agent.environment(MORE="1")
    assert not {"AWS_SESSION_TOKEN", "PULUMI_ACCESS_TOKEN", "AZDO_PERSONAL_ACCESS_TOKEN"} & set(given)
    # A stack may have an empty passphrase; and what is of no service keeps the meaning that empty has there.
    assert (given["PULUMI_CONFIG_PASSPHRASE"], given["NO_COLOR"], given["MORE"]) == ("", "", "1")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "$(Pulumi.Passphrase)")
    assert "PULUMI_CONFIG_PASSPHRASE" not in agent.environment()


def test_no_such_credential_reaches_the_libraries_of_an_entry_point_either() -> None:
    code = "import os; from pipelines import agent; agent.run(lambda: print(sorted(os.environ)))"
    env = {"PYTHONPATH": str(CHECKOUT), "AWS_ACCESS_KEY_ID": "$(App-One.AccessKey)", "AWS_PROFILE": ""}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "PYTHONPATH" in done.stdout
    assert "AWS_" not in done.stdout


def test_a_childs_output_goes_to_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert agent.call([sys.executable, "-c", "print('plan')"], output=tmp_path / "private" / "plan.json") == 0
        agent.private_folder(tmp_path / "job" / "docker")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "private" / "plan.json").stat().st_mode) == 0o600
    for folder in ("private", "job", "job/docker"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700


def test_a_cancelled_entry_point_passes_the_signal_on_and_waits_for_its_child() -> None:
    # Awaited with the signal blocked: one that came before a pause began would not end it.
    child = "import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n"
    child += "os.write(1, b'working\\n')\nsignal.sigwait([signal.SIGINT])\nos.write(1, b'lock given back\\n')"
    code = f"from pipelines import agent\nagent.run(lambda: agent.call([{sys.executable!r}, '-c', {child!r}]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "lock given back\n"
        assert "cancelled" in process.stderr.read()
    assert process.returncode == agent.CANCELLED


def test_a_plan_within_the_pipelines_rights_passes_and_any_other_is_refused(tmp_path: Path) -> None:
    image = report(tmp_path / "image.json", IMAGE, STACK)
    assert entry_point("gate", "--stack", "dev", "--plan", str(image), "--mode", "refuse").returncode == agent.OK
    policy = report(tmp_path / "policy.json", IMAGE, POLICY)
    arguments = ("--stack", "dev", "--plan", str(policy), "--operators", "the team X")
    refused = entry_point("gate", *arguments, "--mode", "refuse", BUILD_SOURCEVERSION="1f3e2d4")
    assert refused.returncode == agent.REFUSED
    for part in ("update `aws:iam/policy:Policy` `push`", "the team X", "git checkout 1f3e2d4, look where"):
        assert part in refused.stderr
    asked = entry_point("gate", *arguments, "--mode", "mark", BUILD_SOURCEVERSION="1f3e2d4", BUILD_REASON="PullRequest")
    assert "after the merge, git checkout main && git pull, look where" in asked.stderr
    assert "1f3e2d4" not in asked.stderr
    named = POLICY | {"urn": f"{POLICY['urn']}`\n\n# Approved\u2028by\x1b[31m the `team`"}
    odd = report(tmp_path / "odd.json", named)
    told = entry_point("gate", "--stack", "dev", "--plan", str(odd), "--mode", "refuse").stderr
    assert "- update `aws:iam/policy:Policy` `push' # Approved\\u2028by\\x1b[31m the 'team'`\n" in told
    marked = entry_point("gate", *arguments, "--mode", "mark", TF_BUILD="True")
    assert marked.returncode == agent.OK
    assert "##vso[task.logissue type=warning]" in marked.stdout


@pytest.mark.parametrize("content", ["", "[]", '{"steps": [{}], "fingerprint": "a"}', '{"steps": []}', '{"steps": 1}'])
def test_a_report_that_is_none_is_an_error_of_its_user(content: str, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(agent.Stop, match=r"report\.json") as stop:
        plan.read(file)
    assert stop.value.code == agent.USAGE


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of the real audit: one plan twice, another one, and one without changes."""
    folder = tmp_path_factory.mktemp("audited")
    found = {}
    for name, tag in {"approved": "1.1", "same": "1.1", "other": "1.2", "empty": None}.items():
        sides = {"oldState": _state("1.0"), "newState": _state(tag or "1.0")}
        step = {"op": "update" if tag else "same", "urn": IMAGE["urn"], **sides}
        raw = folder / f"{name}.raw.json"
        raw.write_text(json.dumps({"config": {}, "steps": [step], "changeSummary": {step["op"]: 1}}), encoding="utf-8")
        found[name] = folder / f"{name}.json"
        command = [sys.executable, "-m", "audit", "plan", str(raw), "--report", f"json={found[name]}"]
        subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    return found


def _state(tag: str) -> dict[str, Any]:
    inputs = {"imageName": f"registry/app-one:{tag}"}
    return {"urn": IMAGE["urn"], "custom": True, "id": "i", "type": IMAGE["type"], "inputs": inputs, "outputs": inputs}


@pytest.mark.parametrize(("now", "code"), [("same", agent.OK), ("other", agent.REFUSED), ("empty", agent.OK)])
def test_only_what_was_approved_or_nothing_at_all_goes_on(audited: dict[str, Path], now: str, code: int) -> None:
    done = entry_point("approved", "--approved", str(audited["approved"]), "--now", str(audited[now]))
    assert done.returncode == code, done.stdout + done.stderr
    assert ("nothing was changed" in done.stderr) == (code == agent.REFUSED)


def test_a_failed_preview_says_what_the_engine_said_and_leaves_no_raw_plan(tmp_path: Path) -> None:
    pulumi = tmp_path / "bin" / "pulumi"
    pulumi.parent.mkdir()
    row = {"severity": "error", "message": "the project is unknown ##vso[task.complete]"}
    pulumi.write_text(
        f"#!/bin/sh\necho '{json.dumps({'diagnostics': [row], 'steps': []})}'\nexit 1\n", encoding="utf-8"
    )
    pulumi.chmod(0o755)
    arguments = ("--stack", "dev", "--private", str(tmp_path / "private"), "--report", str(tmp_path / "report"))
    given = checkpoint(tmp_path, {})
    path = f"{pulumi.parent}:{os.environ['PATH']}"
    done = entry_point("preview", *arguments, given=given, PATH=path, TF_BUILD="True")
    assert done.returncode == agent.FAILED
    assert "the project is unknown" in done.stderr
    assert "##vso[task.complete" not in done.stdout + done.stderr
    assert not list((tmp_path / "private").iterdir())


@pytest.mark.parametrize(
    ("level", "code", "kind"), [("mandatory", agent.FAILED, "error"), ("advisory", agent.OK, "warning")]
)
def test_a_rule_that_a_stack_breaks_is_shown_with_its_resource_and_remedy(
    level: str, code: int, kind: str, tmp_path: Path, pulumi: dict[str, str]
) -> None:
    broken = {
        "policyName": "ecr-immutable-tags",
        "resourceUrn": "urn:pulumi:dev::app-one::aws:ecr/repository:Repository::repository",
        "enforcementLevel": level,
        "message": "Tags can be moved.\nSet app-one:imageTagMutability IMMUTABLE. ##vso[task.complete]",
    }
    events = [{"sequence": 1}, {"policyEvent": broken}, {"summaryEvent": {}}]
    (tmp_path / "bin/events").write_text("\n".join(map(json.dumps, events)))
    script = tmp_path / "bin/pulumi"
    # As the engine does: what a policy says is in the event log, and a mandatory one ends the preview.
    ends = f'cat {tmp_path}/bin/events > "$log"; cat {tmp_path}/bin/plan; exit {int(level == "mandatory")}'
    script.write_text(
        '#!/bin/sh\nlog=; for word; do [ "$log" = next ] && log=$word; [ "$word" = --event-log ] && log=next; done\n'
        f'case "$*" in preview*) {ends};; *) cat {tmp_path}/bin/state;; esac\n',
        encoding="utf-8",
    )
    arguments = ("--stack", "dev", "--private", str(tmp_path / "private"), "--report", str(tmp_path / "report"))
    done = entry_point("preview", *arguments, given=pulumi, TF_BUILD="True")
    assert done.returncode == code, done.stderr
    said = "ecr-immutable-tags of repository: Tags can be moved. Set app-one:imageTagMutability IMMUTABLE."
    assert f"##vso[task.logissue type={kind}]{said}" in done.stdout
    assert "##vso[task.complete" not in done.stdout + done.stderr
    assert not list((tmp_path / "private").iterdir())


@pytest.mark.parametrize(("ends", "said"), [("kill -9 $$", "failed with -9"), ("exit 0", "event log of dev's preview")])
@pytest.mark.parametrize("log", ['{"policyEv', "", '{"sequence": 1}', '{"cancelEvent": {}}'])
def test_a_preview_whose_event_log_breaks_off_fails_with_the_reason(
    log: str, ends: str, said: str, tmp_path: Path, pulumi: dict[str, str]
) -> None:
    (tmp_path / "bin/pulumi").write_text(
        '#!/bin/sh\nlog=; for word; do [ "$log" = next ] && log=$word; [ "$word" = --event-log ] && log=next; done\n'
        f'case "$*" in preview*) printf %s \'{log}\' > "$log"; {ends};; *) cat {tmp_path}/bin/state;; esac\n',
        encoding="utf-8",
    )
    arguments = ("--stack", "dev", "--private", str(tmp_path / "private"), "--report", str(tmp_path / "report"))
    done = entry_point("preview", *arguments, given=pulumi)
    assert done.returncode == agent.FAILED
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def recorded(time: str) -> str:
    """The state of a stack without resources of its own, as it was at a time."""
    stack = {"urn": STACK["urn"], "type": STACK["type"], "custom": False}
    return json.dumps({"version": 3, "deployment": {"manifest": {"time": time}, "resources": [stack]}})


@pytest.fixture
def pulumi(tmp_path: Path) -> dict[str, str]:
    """A PATH with a pulumi that answers with what files in its folder hold, and writes down what it was asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "pulumi"
    script.write_text(
        f'#!/bin/sh\ncd {folder} && echo "$*" >> asked\n'
        'log=; for word; do [ "$log" = next ] && log=$word; [ "$word" = --event-log ] && log=next; done\n'
        'case "$*" in\n  "stack export"*) cat state;;\n  "stack output"*) cat outputs;;\n'
        '  preview*) cat plan; echo \'{"summaryEvent": {}}\' > "$log";;\nesac\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    (folder / "state").write_text(recorded("2026-01-01"), encoding="utf-8")
    (folder / "plan").write_text('{"config": {}, "steps": [], "changeSummary": {}}', encoding="utf-8")
    outputs = {"image_tag": "1.1", "user_name": "push", "token": "[secret]"}
    (folder / "outputs").write_text(json.dumps(outputs), encoding="utf-8")
    return {"PATH": f"{folder}:{os.environ['PATH']}", **checkpoint(tmp_path, {})}


def checkpoint(tmp_path: Path, deployment: dict[str, Any]) -> dict[str, str]:
    """A backend with the stack `dev`: nothing in it, as `pulumi stack init` leaves it, or more; the variable for it."""
    stacks = tmp_path / "backend/.pulumi/stacks/app-one"
    stacks.mkdir(parents=True, exist_ok=True)
    content = {"version": 3, "checkpoint": {"stack": "organization/app-one/dev", "latest": deployment}}
    (stacks / "dev.json").write_text(json.dumps(content), encoding="utf-8")
    return {"PULUMI_BACKEND_URL": f"file://{tmp_path}/backend"}


def previewed_and_deployed(
    tmp_path: Path, pulumi: dict[str, str], *, meanwhile: str
) -> subprocess.CompletedProcess[str]:
    """A preview, then an update of a stack whose state is another one meanwhile."""
    private, report, state = tmp_path / "private", tmp_path / "report", tmp_path / "private" / "state"
    arguments = ("--stack", "dev", "--private", str(private), "--report", str(report), "--state", str(state))
    done = entry_point("preview", *arguments, given=pulumi)
    assert done.returncode == agent.OK, done.stderr
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    (tmp_path / "bin" / "state").write_text(meanwhile, encoding="utf-8")
    return entry_point(
        "deploy", "--stack", "dev", "--outputs", str(private / "outputs.json"), "--state", str(state), given=pulumi
    )


def test_a_stack_that_nobody_changed_since_its_preview_is_updated(tmp_path: Path, pulumi: dict[str, str]) -> None:
    done = previewed_and_deployed(tmp_path, pulumi, meanwhile=recorded("2026-01-01"))
    assert done.returncode == agent.OK, done.stderr
    asked = (tmp_path / "bin" / "asked").read_text(encoding="utf-8").splitlines()
    assert [line.split(" --")[0] for line in asked] == ["stack export", "preview", "stack export", "up", "stack output"]
    outputs = tmp_path / "private" / "outputs.json"
    assert stat.S_IMODE(outputs.stat().st_mode) == 0o600
    assert json.loads(outputs.read_text(encoding="utf-8")) == {"image_tag": "1.1", "user_name": "push"}


def test_a_stack_that_somebody_changed_since_its_preview_is_left_alone(tmp_path: Path, pulumi: dict[str, str]) -> None:
    done = previewed_and_deployed(tmp_path, pulumi, meanwhile=recorded("2026-01-02"))
    assert done.returncode == agent.REFUSED
    assert "somebody changed the stack dev" in done.stderr
    assert "\nup " not in (tmp_path / "bin" / "asked").read_text(encoding="utf-8")
    assert not (tmp_path / "private" / "outputs.json").exists()


LOGGED = {
    "what was previewed": ("1.1", agent.OK, ""),
    "another tag": ("1.2", agent.REFUSED, "did something else than was previewed and approved"),
    "nothing": (None, agent.REFUSED, "did something else than was previewed and approved"),
    "half a log": ("", agent.FAILED, "could not be held against its preview"),
}


@pytest.mark.parametrize(("tag", "code", "said"), LOGGED.values(), ids=LOGGED)
def test_an_update_is_held_against_its_preview_and_its_log_is_gone_whatever_came_of_it(
    tmp_path: Path, pulumi: dict[str, str], tag: str | None, code: int, said: str
) -> None:
    def log(*tags: str, ended: bool = True) -> str:
        lines: list[dict[str, Any]] = [{"preludeEvent": {"config": {}}}]
        for each in tags:
            step = {"op": "update", "urn": IMAGE["urn"], "old": _state("1.0"), "new": _state(each)}
            lines.append({"resourcePreEvent": {"metadata": step}})
        if ended:
            lines.append({"summaryEvent": {"resourceChanges": {"update": len(tags)}, "result": "succeeded"}})
        return "".join(json.dumps(line) + "\n" for line in lines)

    previewed, outputs = tmp_path / "previewed.json", tmp_path / "private" / "outputs.json"
    previewed.write_text(log("1.1"), encoding="utf-8")
    (tmp_path / "bin" / "events").write_text(log(*[tag] if tag else [], ended=tag != ""), encoding="utf-8")
    script = tmp_path / "bin" / "pulumi"
    logs = 'case "$*" in up*) while [ "$1" != --event-log ]; do shift; done; cat events > "$2"; exit;; esac\n'
    script.write_text(script.read_text(encoding="utf-8").replace("case", f"{logs}case", 1), encoding="utf-8")
    arguments = ("--stack", "dev", "--outputs", str(outputs), "--previewed", str(previewed))
    done = entry_point("deploy", *arguments, given=pulumi)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stderr
    assert [file.name for file in outputs.parent.iterdir()] == (["outputs.json"] if code == agent.OK else [])


def test_an_update_that_is_cancelled_before_the_engine_listens_gives_the_lock_back(
    tmp_path: Path, pulumi: dict[str, str]
) -> None:
    """Between the stack's lock and its handler of signals the engine just dies."""
    script = tmp_path / "bin" / "pulumi"
    listening = 'case "$*" in up*) echo Updating; exec sleep 600;; esac\n'
    script.write_text(script.read_text(encoding="utf-8").replace("case", f"{listening}case", 1), encoding="utf-8")
    command = [sys.executable, "-m", "pipelines.deploy", "--stack", "dev", "--outputs", str(tmp_path / "outputs.json")]
    with subprocess.Popen(
        command, cwd=CHECKOUT, env={**os.environ, **pulumi}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "Updating\n"
        process.send_signal(signal.SIGTERM)
        assert "cancelled: pulumi up was asked to stop" in process.stderr.read()
    assert process.returncode == agent.CANCELLED
    asked = (tmp_path / "bin" / "asked").read_text(encoding="utf-8").splitlines()
    assert asked[1:] == ["cancel dev --yes --non-interactive"]


def test_an_update_without_the_fingerprint_that_it_should_compare_is_none(
    tmp_path: Path, pulumi: dict[str, str]
) -> None:
    arguments = ("--stack", "dev", "--outputs", str(tmp_path / "outputs.json"), "--state", str(tmp_path / "none"))
    done = entry_point("deploy", *arguments, given=pulumi)
    assert done.returncode == agent.USAGE
    assert "run `pipelines.preview --state" in done.stderr
    assert not (tmp_path / "bin" / "asked").exists()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """An AWS that answers on the wire, with the user `push`, and the environment of who asks it with push's key."""
    import moto.server
    import werkzeug.serving

    monkeypatch.setattr(werkzeug.serving.WSGIRequestHandler, "log", lambda *_: None)
    with moto.mock_aws():
        pass  # forget what another test has made
    server = moto.server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        yield {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.get_host_and_port()[1]}", "AWS_REGION": "us-east-2"}
    finally:
        server.stop()


@pytest.mark.parametrize(("days", "code"), [(90, agent.OK), (91, agent.REFUSED)])
def test_a_night_with_a_key_older_than_90_days_fails_and_its_summary_says_which(
    tmp_path: Path, pulumi: dict[str, str], aws: dict[str, str], days: int, code: int
) -> None:
    import boto3
    from moto.iam import models

    maker: Any = boto3.client(
        "iam",
        endpoint_url=aws["AWS_ENDPOINT_URL"],
        region_name="us-east-2",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    maker.create_user(UserName="push")
    key = maker.create_access_key(UserName="push")["AccessKey"]
    backend = models.iam_backends["123456789012"]["aws"]
    # As IAM answers of a key that was made then; its use is noted as the run asks with it.
    backend.users["push"].access_keys[0].create_date = (datetime.now(UTC) - timedelta(days=days, hours=1)).replace(
        tzinfo=None
    )
    arguments = ("--stack", "dev", "--private", str(tmp_path / "private"), "--report", str(tmp_path / "report"))
    credentials = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    done = entry_point("drift", *arguments, given=pulumi | aws | credentials, TF_BUILD="True", KEY_USERS="push")
    assert done.returncode == code, done.stdout + done.stderr
    summary = tmp_path / "report" / "keys.md"
    assert f"##vso[task.uploadsummary]{summary}\n" in done.stdout
    page = summary.read_text(encoding="utf-8")
    assert ("key-old" in page) == (code == agent.REFUSED), page
    assert key["SecretAccessKey"] not in page + done.stderr
    if code == agent.REFUSED:
        assert "dev: audit keys has findings. The summaries of this run say what." in done.stderr
        assert key["AccessKeyId"] in page
        assert "91 days" in page


def test_a_night_with_a_checkpoint_that_is_not_the_programs_starts_no_engine(
    tmp_path: Path, pulumi: dict[str, str]
) -> None:
    urn = "urn:pulumi:dev::app-one::pulumi:providers:aws::default_7_51_1"
    inputs = {"version": "7.51.1", "__internal": {"pluginDownloadURL": "https://evil.example"}}
    provider = {"urn": urn, "type": "pulumi:providers:aws", "custom": True, "id": "1", "inputs": inputs}
    checkpoint(tmp_path, {"secrets_providers": {"type": "passphrase"}, "resources": [provider]})
    arguments = ("--stack", "dev", "--private", str(tmp_path / "private"), "--report", str(tmp_path / "report"))
    done = entry_point("drift", *arguments, given=pulumi, TF_BUILD="True")
    assert done.returncode == agent.REFUSED, done.stdout + done.stderr
    assert "dev: its checkpoint is not what this program records. No engine has worked on it" in done.stderr
    assert f"##vso[task.uploadsummary]{tmp_path}/report/state.md" in done.stdout
    assert "pluginDownloadURL" in (tmp_path / "report" / "state.md").read_text(encoding="utf-8")
    asked = (tmp_path / "bin" / "asked").read_text(encoding="utf-8").splitlines()
    assert [line.split(" --")[0] for line in asked] == ["stack output"]


@pytest.mark.parametrize(
    ("variables", "seen"),
    [({"TF_BUILD": "True"}, "1764000000"), ({"TF_BUILD": "True", "SOURCE_DATE_EPOCH": "7"}, "7"), ({}, "")],
    ids=["the commit's on an agent", "the pipeline's own", "none on a workstation"],
)
@pytest.mark.parametrize("name", ["preview", "deploy"])
def test_the_program_gets_the_date_of_the_commit(
    tmp_path: Path, name: str, variables: dict[str, str], seen: str
) -> None:
    checkout, tools = tmp_path / "checkout", tmp_path / "tools"
    (tools / "pulumi").parent.mkdir()
    (tools / "pulumi").write_text(f'#!/bin/sh\necho "$SOURCE_DATE_EPOCH" > {tmp_path}/seen\nexit 1\n', encoding="utf-8")
    (tools / "pulumi").chmod(0o755)
    subprocess.run(["git", "init", "-q", str(checkout)], check=True)
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@t.example", "commit", "-q", "--allow-empty", "-m", "change"],
        cwd=checkout,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_COMMITTER_DATE": "1764000000 +0000"},
        check=True,
    )
    own = {
        "preview": ("--private", str(tmp_path / "private"), "--report", str(tmp_path / "report")),
        "deploy": ("--outputs", str(tmp_path / "outputs.json")),
    }[name]
    path = f"{tools}:{os.environ['PATH']}"
    for room in ("audit", "iam", "pipelines"):
        (checkout / room).symlink_to(CHECKOUT / room)
    (checkout / "infra").mkdir()
    for file in ("Pulumi.yaml", "infra/state.yml"):
        (checkout / file).write_bytes((CHECKOUT / file).read_bytes())
    given = {"PATH": path, **checkpoint(tmp_path, {}), **variables}
    done = entry_point(name, "--stack", "dev", *own, cwd=checkout, given=given)
    assert done.returncode == agent.FAILED, done.stderr
    assert (tmp_path / "seen").read_text(encoding="utf-8").strip() == seen


def test_secrets_of_a_preview_are_masked_before_it_begins(tmp_path: Path) -> None:
    arguments = ("--stack", "dev", "--private", str(tmp_path), "--report", str(tmp_path))
    given = {"PATH": "/nowhere", "SOURCE_DATE_EPOCH": "0", "PULUMI_CONFIG_PASSPHRASE": "pass phrase"}
    given |= checkpoint(tmp_path, {})
    done = entry_point("preview", *arguments, TF_BUILD="True", given=given)
    assert done.stdout.startswith("##vso[task.setsecret]")
    assert "##vso[task.setsecret]pass phrase\n" in done.stdout
    assert "pulumi is not on PATH" in done.stderr
    assert set(preview.REPORTS) == {"json", "markdown", "html", "sarif", "junit"}


def test_the_cleanup_logs_out_of_the_registry_of_the_login_and_removes_everything(tmp_path: Path) -> None:
    private = tmp_path / "private"
    (private / "docker").mkdir(parents=True)
    (private / "docker" / "registry").write_text("1234.dkr.ecr.example", encoding="utf-8")
    (private / "docker" / "config.json").write_text("{}", encoding="utf-8")
    (private / "plan.json").write_text("{}", encoding="utf-8")
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n', encoding="utf-8")
    docker.chmod(0o755)
    path = f"{docker.parent}:{os.environ['PATH']}"
    for _ in range(2):
        done = entry_point("cleanup", "--private", str(private), PATH=path, DOCKER_CONFIG=str(private / "docker"))
        assert done.returncode == agent.OK, done.stderr
        assert not private.exists()
    assert (tmp_path / "asked").read_text(encoding="utf-8") == "logout 1234.dkr.ecr.example\n"


def test_the_cleanup_removes_everything_even_when_the_logout_fails(tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.mkdir()
    (docker / "registry").write_text("1234.dkr.ecr.example", encoding="utf-8")
    done = entry_point("cleanup", "--private", str(docker), PATH="/nowhere", DOCKER_CONFIG=str(docker))
    assert done.returncode != agent.OK
    assert not docker.exists()


def test_the_cleanup_removes_everything_even_when_the_logout_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, docker = tmp_path / "private", tmp_path / "bin" / "docker"
    private.mkdir()
    (private / "registry").write_text("1234.dkr.ecr.example", encoding="utf-8")
    docker.parent.mkdir()
    docker.write_text("#!/bin/sh\nexec tail -f /dev/null\n", encoding="utf-8")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_CONFIG", str(private))
    monkeypatch.setattr(registry, "SECONDS", 0.2)
    monkeypatch.setattr(sys, "argv", ["cleanup", "--private", str(private)])
    with pytest.raises(agent.Stop, match=r"docker logout .* did not end"):
        cleanup.main()
    assert not private.exists()


def test_a_release_says_tag_digest_commit_and_changes(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps({"image_tag": "2.1", "image_by_tag": "r:2.1", "image_by_digest": "r@sha256:1"}))
    arguments = (
        "--plan",
        str(report(tmp_path / "plan.json", IMAGE)),
        "--outputs",
        str(outputs),
        "--into",
        str(tmp_path),
    )
    done = entry_point("release", "--stack", "dev", *arguments, BUILD_SOURCEVERSION="1f3e2d4", BUILD_BUILDNUMBER="2.1")
    assert done.returncode == agent.OK, done.stderr
    page = (tmp_path / "release.md").read_text(encoding="utf-8")
    for part in ("`2.1`", "`r@sha256:1`", "`1f3e2d4`", "- update `docker:index/image:Image` `image`"):
        assert part in page
    assert json.loads((tmp_path / "release.json").read_text(encoding="utf-8"))["digest"] == "r@sha256:1"
    assert "applied before" in release.markdown(
        {"stack": "dev", "tag": "", "digest": "", "commit": "", "build": "", "changes": []}
    )


@pytest.mark.parametrize("letter", ["x", "🔑"])
def test_a_comment_is_cut_to_what_the_service_takes(letter: str) -> None:
    """The service counts units of UTF-16: a letter beyond the first 65,536 is two."""
    text = comment.text("dev", letter * 200_000, None)
    assert comment.LIMIT - 2 < len(text.encode("utf-16-le")) / 2 <= comment.LIMIT
    assert text.endswith(f"{letter}\n\n(cut: the whole report is in the run's artefact)")


def test_a_comment_names_the_operator_before_the_report() -> None:
    found = plan.Plan((plan.Step("update", "aws:iam/policy:Policy", "push", "urn"),), "abc")
    assert "> This plan of stack dev holds more than the image." in comment.text(
        "dev", "report", gate.message(found, "dev", "X")
    )


def test_the_packages_are_installed_with_a_uv_that_is_locked_too(tmp_path: Path) -> None:
    done = entry_point("install_python", cwd=tmp_path)
    assert done.returncode == agent.USAGE
    assert "requirements.txt is missing" in done.stderr
    lock = (CHECKOUT / install_python.UV).read_text(encoding="utf-8")
    assert "uv==" in lock
    assert "--hash=sha256:" in lock


@pytest.fixture
def release_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A host of releases on this machine that serves a folder, with a release in it; no checksum is pinned."""
    folder = tmp_path / "host"
    folder.mkdir()
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        script = b"#!/bin/sh\necho v9.9.9\n"
        member = tarfile.TarInfo("pulumi/pulumi")
        member.size, member.mode = len(script), 0o755
        tar.addfile(member, io.BytesIO(script))
    name = install_pulumi.archive("9.9.9")
    (folder / name).write_bytes(content.getvalue())
    total = hashlib.sha256(content.getvalue()).hexdigest()
    (folder / "pulumi-9.9.9-checksums.txt").write_text(f"{total}  {name}\n", encoding="utf-8")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the library's name)
            """Silence."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        monkeypatch.setattr(install_pulumi, "RELEASE", f"http://127.0.0.1:{server.server_port}/{{file}}")
        pins = tmp_path / "pulumi.sha256"
        pins.write_text("# pins\n", encoding="utf-8")
        monkeypatch.setattr(install_pulumi, "PINS", pins)
        yield folder
        server.shutdown()


def test_a_version_that_is_not_pinned_is_refused_with_the_command_that_pins_it(
    release_host: Path, tmp_path: Path
) -> None:
    assert (release_host / install_pulumi.archive("9.9.9")).is_file()
    with pytest.raises(agent.Stop, match=r"`python -m pipelines\.install_pulumi --pin`") as stop:
        install_pulumi.install("9.9.9", tmp_path / "cli" / "9.9.9")
    assert stop.value.code == agent.USAGE
    assert not (tmp_path / "cli").exists()


def test_a_release_with_its_pinned_checksum_is_installed(release_host: Path, tmp_path: Path) -> None:
    assert release_host.is_dir()
    install_pulumi.pin("9.9.9")
    folder = install_pulumi.install("9.9.9", tmp_path / "cli" / "9.9.9")
    assert subprocess.run([folder / "pulumi"], capture_output=True, text=True, check=True).stdout == "v9.9.9\n"


def test_an_archive_that_is_not_what_was_published_or_pinned_is_refused(release_host: Path, tmp_path: Path) -> None:
    install_pulumi.pin("9.9.9")
    archive = release_host / install_pulumi.archive("9.9.9")
    archive.write_bytes(archive.read_bytes() + b"x")
    total = hashlib.sha256(archive.read_bytes()).hexdigest()
    (release_host / "pulumi-9.9.9-checksums.txt").write_text(f"{total}  {archive.name}\n", encoding="utf-8")
    with pytest.raises(agent.Stop, match="nothing was installed") as stop:
        install_pulumi.install("9.9.9", tmp_path / "cli" / "9.9.9")
    assert stop.value.code == agent.REFUSED
    assert not (tmp_path / "cli" / "9.9.9").exists()


def test_pinning_keeps_the_lists_comment_and_replaces_its_sums(release_host: Path) -> None:
    install_pulumi.PINS.write_text(
        "# what this is\n# and why\n0000  pulumi-v1.0.0-linux-x64.tar.gz\n", encoding="utf-8"
    )
    install_pulumi.pin("9.9.9")
    published = (release_host / "pulumi-9.9.9-checksums.txt").read_text(encoding="utf-8")
    assert install_pulumi.PINS.read_text(encoding="utf-8") == f"# what this is\n# and why\n{published}"


def test_a_release_out_of_reach_is_one_clear_error(release_host: Path, tmp_path: Path) -> None:
    install_pulumi.pin("9.9.9")
    (release_host / install_pulumi.archive("9.9.9")).unlink()
    with pytest.raises(agent.Stop, match="could not be read"):
        install_pulumi.install("9.9.9", tmp_path / "cli")


@pytest.fixture
def two_checkouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path, list[list[str]]]:
    """As in a job with rights: the checkout of the steps, that of a pull request, which is the current folder, and
    what is called. uv is not on PATH, and no package is fetched."""
    trusted, theirs = tmp_path / "trusted", tmp_path / "theirs"
    for checkout in (trusted, theirs):
        checkout.mkdir()
        (checkout / "requirements.txt").write_text("# the lock of both\n", encoding="utf-8")
    calls: list[list[str]] = []

    def called(argv: list[str], **_: object) -> int:
        calls.append([str(word) for word in argv])
        if "venv" not in argv:
            return 0
        done = subprocess.run(argv, cwd=theirs, capture_output=True, text=True, check=False)
        assert "of theirs" not in done.stderr
        return done.returncode

    monkeypatch.setattr(agent, "TOP", trusted)
    monkeypatch.setattr(agent, "call", called)
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.chdir(theirs)
    monkeypatch.setattr(sys, "argv", ["install_python"])
    return trusted, theirs, calls


def locks_installed(calls: list[list[str]]) -> list[str]:
    return [call[-1] for call in calls if "--no-build" in call]


def test_no_file_of_a_checkout_but_its_lock_has_a_say_in_what_is_installed(
    two_checkouts: tuple[Path, Path, list[list[str]]],
) -> None:
    trusted, theirs, calls = two_checkouts
    for name in ("pip", "uv"):
        (theirs / name).mkdir()
        (theirs / name / "__init__.py").write_text("", encoding="utf-8")
        (theirs / name / "__main__.py").write_text("raise SystemExit('a module of theirs was run')", encoding="utf-8")
    (theirs / "uv.toml").write_text("a setting of theirs: no TOML at all", encoding="utf-8")
    (theirs / "requirements.txt").write_text("# a lock of theirs\n", encoding="utf-8")
    install_python.main()
    tool = [sys.executable, "-P", "-m", "uv", "--directory", str(trusted)]
    assert [call[: len(tool)] for call in calls[1:]] == [tool] * 4
    installs = [call for call in calls if call[len(tool) : len(tool) + 2] == ["pip", "install"]]
    assert [call[-1] for call in installs] == [str(one / "requirements.txt") for one in (trusted, theirs)]
    assert all({"--require-hashes", "--no-build"} <= set(call) for call in installs)
    assert (trusted / ".venv/bin/python").exists()


def test_two_checkouts_of_one_lock_have_its_packages_once(two_checkouts: tuple[Path, Path, list[list[str]]]) -> None:
    trusted, theirs, calls = two_checkouts

    def found_by(checkout: Path) -> str:
        script = "import importlib.util as u; print(getattr(u.find_spec('installed'), 'origin', None))"
        done = subprocess.run([checkout / ".venv/bin/python", "-c", script], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    install_python.main()
    (packages,) = (trusted / ".venv").glob("lib/python*/site-packages")
    (packages / "installed.py").write_text("", encoding="utf-8")
    assert locks_installed(calls) == [str(trusted / "requirements.txt")]
    assert found_by(theirs) == found_by(trusted) == str(packages / "installed.py")

    # Another lock, and one that is the same once more: packages of its own stay its own.
    (theirs / "requirements.txt").write_text("# another lock\n", encoding="utf-8")
    install_python.main()
    assert locks_installed(calls)[1:] == [str(one / "requirements.txt") for one in (trusted, theirs)]
    assert found_by(theirs) == "None"
    (own,) = (theirs / ".venv").glob("lib/python*/site-packages")
    (own / "installed-1.dist-info").mkdir()
    (theirs / "requirements.txt").write_text("# the lock of both\n", encoding="utf-8")
    install_python.main()
    assert locks_installed(calls)[3:] == [str(one / "requirements.txt") for one in (trusted, theirs)]
    assert found_by(theirs) == "None"


WITH_UV = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
"""A PATH that has uv, which is installed first where there is none."""


def test_an_environment_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("", encoding="utf-8")
    (tmp_path / ".venv").symlink_to(tmp_path / "other")
    done = entry_point("install_python", cwd=tmp_path, PATH=WITH_UV)
    assert done.returncode == agent.REFUSED
    assert ".venv is a link, which could lead into another checkout: remove it" in done.stderr


@pytest.mark.parametrize("what", ["bin/python", "lib", "pyvenv.cfg", ""], ids=["program", "link", "file", "whole"])
def test_an_environment_that_is_committed_is_refused_before_anything_of_it_is_used(tmp_path: Path, what: str) -> None:
    (tmp_path / "requirements.txt").write_text("", encoding="utf-8")
    path = tmp_path / ".venv" / what
    path.parent.mkdir(parents=True, exist_ok=True)
    if what in ("lib", ""):
        path.symlink_to(tmp_path / "trusted")
    else:
        path.write_text("#!/bin/sh\ntouch ran\n", encoding="utf-8")
        path.chmod(0o755)
    for command in (["init", "-q"], ["add", "--force", ".venv"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    done = entry_point("install_python", cwd=tmp_path, PATH=WITH_UV)
    assert done.returncode == agent.REFUSED
    assert ".venv is committed: its programs would be run" in done.stderr
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "trusted").exists()
