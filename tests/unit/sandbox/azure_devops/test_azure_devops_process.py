"""The Azure DevOps service as a process: what survives a restart, where secrets lie, and how it starts and stops."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from sandbox.azure_devops.__main__ import main
from sandbox.azure_devops.store import Store, StoreError
from sandbox.files import write
from tests.unit.sandbox.azure_devops.service import CHECKOUT, Service, definition_body, group_body, push

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service that is not started yet; nothing of it is left running."""
    one = Service(tmp_path)
    yield one
    one.abandon()


SECRETS = ("s3cr3t-of-a-group", "s3cr3t-of-a-pipeline", "s3cr3t-that-was-replaced")


def fill(service: Service) -> list[str]:
    """Put one of everything in and return all secret values and tokens that went in or came out."""
    project = service.project_id()
    secret = {"value": SECRETS[2], "isSecret": True}
    group = service.post("_apis/distributedtask/variablegroups", group_body(project, key=secret))
    body = group_body(project, key={"value": SECRETS[0], "isSecret": True})
    service.put(f"_apis/distributedtask/variablegroups/{group['id']}", body)
    push(service, {"/azure-pipelines.yml": "variables:\n- group: app-one\n"})
    variables = {"key": {"value": SECRETS[1], "isSecret": True}}
    pipeline = service.post("app-one/_apis/build/definitions", definition_body(service, variables=variables))
    permission = {"pipelines": [{"id": pipeline["id"], "authorized": True}]}
    service.patch(f"app-one/_apis/pipelines/pipelinePermissions/variablegroup/{group['id']}", permission)
    service.post("app-one/_apis/distributedtask/environments", {"name": "dev"})
    build = service.post("app-one/_apis/build/builds", {"definition": {"id": pipeline["id"]}})
    token = service.post(f"app-one/_apis/sandbox/agent/jobs/{build['id']}")["accessToken"]
    service.get("app-one/_apis/sandbox/agent/variablegroups/app-one", token=token)
    return [*SECRETS, token, service.issue("vso.code"), service.token]


PATHS = (
    "_apis/projects/app-one",
    "app-one/_apis/distributedtask/variablegroups",
    "app-one/_apis/build/definitions/1",
    "app-one/_apis/build/builds",
    "app-one/_apis/pipelines/pipelinePermissions/variablegroup/1",
    "app-one/_apis/distributedtask/environments",
    "app-one/_apis/git/repositories",
)


def test_everything_survives_a_restart_even_a_kill(service: Service) -> None:
    service.start()
    fill(service)
    before = [service.get(path) for path in PATHS]
    service.stop(signal.SIGKILL)
    service.start()
    assert [service.get(path) for path in PATHS] == before
    build = service.get("app-one/_apis/build/builds")["value"][0]["id"]
    token = service.post(f"app-one/_apis/sandbox/agent/jobs/{build}")["accessToken"]
    given = service.get("app-one/_apis/sandbox/agent/variablegroups/app-one", token=token)
    assert given["variables"]["key"]["value"] == SECRETS[0]
    assert service.stop() == 0


def test_files_put_in_place_of_its_own_are_served_at_once(service: Service) -> None:
    service.start()
    files = [service.keys / "azure-devops-state.json", service.folder / "state.json"]
    empty = [file.read_bytes() if file.exists() else b"{}" for file in files]
    shutil.copytree(service.folder / "git", service.root / "git")
    before = [service.get("_apis/projects"), service.get("app-one/_apis/distributedtask/variablegroups")]
    fill(service)
    assert service.get("app-one/_apis/distributedtask/variablegroups")["count"] > 0
    for file, content in zip(files, empty, strict=True):
        write(file, content, mode=0o600)
    shutil.rmtree(service.folder / "git")
    shutil.copytree(service.root / "git", service.folder / "git")
    assert [service.get("_apis/projects"), service.get("app-one/_apis/distributedtask/variablegroups")] == before
    fill(service)
    assert service.stop() == 0


def test_no_secret_lies_anywhere_but_in_the_key_store(service: Service) -> None:
    service.start()
    values = fill(service)
    service.ask("GET", "_apis/projects", token=SECRETS[0])
    assert service.stop() == 0
    outside = [service.log, *(file for file in service.folder.rglob("*") if file.is_file())]
    assert {file.name for file in outside} >= {"log", "state.json"}
    for file in outside:
        found = [value for value in values if value.encode() in file.read_bytes()]
        assert not found, file
    kept = (service.keys / "azure-devops-state.json").read_text()
    assert [value in kept for value in SECRETS] == [True, True, False]
    assert stat.S_IMODE((service.keys / "azure-devops-state.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((service.folder / "state.json").stat().st_mode) == 0o600


def test_a_stop_signal_ends_it_cleanly_and_frees_its_port(service: Service) -> None:
    for how in (signal.SIGTERM, signal.SIGINT):
        service.start()
        assert service.get("_apis/projects")["count"] == 1
        assert service.stop(how) == 0


def test_its_command_says_that_it_is_ready_serves_and_ends(service: Service) -> None:
    read, write = os.pipe()
    with subprocess.Popen(service.command(ready_fd=write), cwd=CHECKOUT, pass_fds=[write]) as process:
        try:
            os.close(write)
            with os.fdopen(read) as ready:
                assert ready.read() == "ready\n"
            assert service.get("_apis/projects")["count"] == 1
            process.terminate()
            assert process.wait(timeout=300) == 0
        finally:
            process.kill()


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs the command with other options, which it has to refuse; gives its exit code and what it says."""

    def run(service: Service, **options: object) -> tuple[int, str]:
        capsys.readouterr()
        try:
            code = main(service.command(**options)[3:])
        except SystemExit as stop:
            code = int(str(stop.code))
        return code, capsys.readouterr().err

    return run


def test_it_says_in_one_line_why_it_cannot_start(service: Service, refusal: Callable[..., tuple[int, str]]) -> None:
    for port in (0, 70000):
        code, said = refusal(service, port=port)
        assert (code, f"{port}: a port from 1 to 65535 is needed" in said) == (2, True)
    code, said = refusal(service, organization="a/b")
    assert (code, "--organization" in said) == (2, True)
    (service.keys / "azure-devops-pat").write_text("\n")
    code, said = refusal(service)
    assert (code, "azure-devops-pat: is empty" in said) == (2, True)
    (service.keys / "azure-devops-pat").unlink()
    code, said = refusal(service)
    assert (code, "azure-devops-pat: cannot be read" in said) == (2, True)


def test_a_second_process_on_the_same_folder_is_refused(
    service: Service, refusal: Callable[..., tuple[int, str]]
) -> None:
    service.start()
    code, said = refusal(service)
    assert (code, "another process serves" in said) == (2, True)
    assert service.stop() == 0


def test_a_port_in_use_is_named(service: Service, tmp_path: Path, refusal: Callable[..., tuple[int, str]]) -> None:
    service.start()
    code, said = refusal(service, folder=tmp_path / "other")
    assert (code, str(service.port) in said) == (2, True)
    assert service.stop() == 0


def test_a_broken_state_file_is_named_and_kept(service: Service, refusal: Callable[..., tuple[int, str]]) -> None:
    service.folder.mkdir()
    (service.folder / "state.json").write_text("{")
    code, said = refusal(service)
    assert (code, "state.json: is not JSON" in said) == (2, True)
    assert (service.folder / "state.json").read_text() == "{"


def test_a_change_that_fails_halfway_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    store = Store(tmp_path / "state", tmp_path / "keys")

    def fail() -> None:
        with store.change() as draft:
            draft.table("things")["1"] = {"secretId": draft.keep_secret("x")}
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert store.read().state == {"format": 1}
    assert not (tmp_path / "keys" / "azure-devops-state.json").exists()


def test_an_interruption_between_the_two_files_loses_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    store = Store(tmp_path / "state", keys)
    with store.change() as draft:
        draft.table("things")["1"] = {"secretId": draft.keep_secret("old")}
    write = Store._write

    def interrupted(file: Path, content: str) -> None:
        if file.name == "state.json":
            raise OSError
        write(file, content)

    def replace() -> None:
        with store.change() as draft:
            draft.table("things")["1"] = {"secretId": draft.keep_secret("new")}

    monkeypatch.setattr(Store, "_write", staticmethod(interrupted))
    with pytest.raises(OSError):  # noqa: PT011 - any: it is this test's own
        replace()
    monkeypatch.undo()
    again = Store(tmp_path / "state", keys)
    assert again.read().secret(again.read().table("things")["1"]["secretId"]) == "old"
    with again.change() as draft:
        draft.table("things")["2"] = {"secretId": draft.keep_secret("other")}
    assert sorted(json.loads((keys / "azure-devops-state.json").read_text()).values()) == ["old", "other"]


def test_a_state_whose_secrets_are_gone_is_refused(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    with Store(tmp_path / "state", keys).change() as draft:
        draft.table("things")["1"] = {"secretId": draft.keep_secret("x")}
    (keys / "azure-devops-state.json").unlink()
    with pytest.raises(StoreError, match=r"1 secrets that .* names are not in it"):
        Store(tmp_path / "state", keys)
