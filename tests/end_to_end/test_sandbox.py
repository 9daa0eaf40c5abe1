"""The sandbox itself: idempotent, recovering, beside another, and gone after `down`."""

from __future__ import annotations

import io
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox import docker_engine, processes, stack, summary
from sandbox.errors import SandboxError
from tests.end_to_end.registry import login, pull, push
from tests.workstation import CHECKOUT, RESOURCES, Sandbox, Workstation, with_children

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e


LOOPBACK = socket.inet_aton("127.0.0.1")[::-1].hex().upper()


def run(command: str, home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SANDBOX_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "sandbox", command, *options],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def ids(home: Path) -> dict[str, int]:
    """The process of each service."""
    return {
        path.stem: int(json.loads(path.read_text(encoding="utf-8"))["pid"]) for path in (home / "run").glob("*.json")
    }


def listening(pids: set[int]) -> set[str]:
    """The local addresses, in /proc/net/tcp's hexadecimal, on which processes listen."""
    inodes = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # it is closed meanwhile
                target = str(descriptor.readlink())
                if target.startswith("socket:["):
                    inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text(encoding="utf-8").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(fields[1].split(":")[0])
    return found


def test_a_second_up_starts_nothing_anew(sandbox: Sandbox) -> None:
    before = ids(sandbox.home)
    again = run("up", sandbox.home)
    assert again.returncode == 0, again.stderr
    assert ids(sandbox.home) == before
    assert run("status", sandbox.home).returncode == 0


def test_nobody_else_enters_the_sandboxs_folder(sandbox: Sandbox) -> None:
    assert sandbox.home.stat().st_mode & 0o777 == 0o700


def test_nothing_listens_beyond_the_loopback(sandbox: Sandbox) -> None:
    assert listening(with_children(set(ids(sandbox.home).values()))) == {LOOPBACK}


def test_a_childs_child_is_among_those_that_are_looked_at() -> None:
    serve = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(flush=True); input()"
    nest = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {serve!r}])"
    with subprocess.Popen([sys.executable, "-c", nest], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert listening({process.pid}) == set()
        assert listening(with_children({process.pid})) == {LOOPBACK}
        process.communicate(b"\n")


@pytest.fixture
def engine(sandbox: Sandbox) -> Iterator[Any]:
    """A client of the sandbox's Docker engine."""
    with docker_engine.client(sandbox.environment["DOCKER_HOST"]) as client:
        yield client


def small_image(content: bytes) -> bytes:
    """One layer with one file, as `docker import` takes it."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        member = tarfile.TarInfo("content")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return layer.getvalue()


def test_services_of_code_that_has_changed_since_are_started_anew_and_no_others(sandbox: Sandbox) -> None:
    """As after a `git pull`: an agent of today does not understand a service of yesterday."""
    before = ids(sandbox.home)
    assert run("up", sandbox.home).returncode == 0
    assert ids(sandbox.home) == before
    (sandbox.home / "run/code").write_text("another", encoding="utf-8")
    done = run("up", sandbox.home)
    assert done.returncode == 0, done.stderr
    changed = {name for name, pid in ids(sandbox.home).items() if pid != before[name]}
    assert changed == {"aws", "azure-devops", "console", "fork-server"}
    assert "aws ran other code than is here now" in done.stdout + done.stderr


def test_the_summary_of_a_foundation_leaves_the_image_to_the_pipeline(sandbox: Sandbox, tmp_path: Path) -> None:
    """As of a checkout that docs/azure-devops.md was followed in."""
    deployed = Workstation.deployed(tmp_path / "deployed", sandbox)
    outputs = json.loads(deployed.pulumi("stack", "output", "--json").stdout)
    del outputs["image_by_digest"]
    said = list(summary.lines(outputs, sandbox.environment))
    assert "the pipeline releases it" in said[0]
    assert any(line.startswith("Variable group") for line in said)
    assert not any("The app says" in line for line in said)


@pytest.mark.parametrize("name", ["dev", "dev-image"])
def test_the_salt_of_a_checkouts_stack_file_is_the_salt_of_the_next_stack_too(
    sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    """After `pulumi` in the sandbox's shell, or a commit of its salt, `make down` and `make up`."""
    file, state = tmp_path / f"Pulumi.{name}.yaml", tmp_path / "state"
    layout = replace(sandbox.layout, checkout=tmp_path)
    given = {**sandbox.environment, "PULUMI_BACKEND_URL": state.as_uri(), "PULUMI_STACK": name}
    shutil.copy(CHECKOUT / "Pulumi.yaml", tmp_path)
    committed = (CHECKOUT / file.name).read_text(encoding="utf-8").splitlines(keepends=True)
    # The checkout that the tests run in may have a salt, and a key, of its own.
    before = "".join(
        line for line in committed if not line.startswith(("encryptionsalt:", "secretsprovider:", "encryptedkey:"))
    )
    file.write_text(before, encoding="utf-8")

    def made() -> str:
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir()
        stack.make(layout, name, given)
        kept = json.loads((state / f".pulumi/stacks/app-one/{name}.json").read_text(encoding="utf-8"))
        return str(kept["checkpoint"]["latest"]["secrets_providers"]["state"]["salt"])

    salt = made()
    assert made() != salt
    assert file.read_text(encoding="utf-8") == before
    # With the key of the team's own stack beside it, which the sandbox's KMS does not have.
    key = "secretsprovider: awskms://alias/pulumi?region=us-east-2&awssdk=v2\nencryptedkey: AAAA\n"
    file.write_text(f"{key}{before}encryptionsalt: {salt}\n", encoding="utf-8")
    assert made() == salt
    audited = re.search(r"-m (audit state .*) \$\(STATE\)", (CHECKOUT / "Makefile").read_text(encoding="utf-8"))
    assert audited is not None
    expected = [sys.executable, "-m", *audited[1].split(), "--program", str(tmp_path)]
    done = subprocess.run(expected, cwd=CHECKOUT, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    given = {key: value for key, value in given.items() if key != "PULUMI_CONFIG_PASSPHRASE_FILE"}
    given["PULUMI_CONFIG_PASSPHRASE"] = "another"
    with pytest.raises(SandboxError, match=f"The encryptionsalt in {file.name} is of another passphrase: take that"):
        made()


def test_what_the_engine_starts_as_a_plugin_is_a_fork_of_the_fork_server(sandbox: Sandbox) -> None:
    (script,) = sandbox.home.glob("pulumi-home/plugins/language-python-*/pulumi-language-python")
    with subprocess.Popen(
        [script, "127.0.0.1:1"], env=sandbox.environment, stdout=subprocess.PIPE, text=True
    ) as plugin:
        assert plugin.stdout is not None
        listens = int(plugin.stdout.readline())
        server = ids(sandbox.home)["fork-server"]
        assert listens in set().union(*(processes.listening(fork) for fork in with_children({server})))
        plugin.terminate()
    assert plugin.returncode == 0


@pytest.mark.parametrize("name", ["aws", "azure-devops", "registry", "console", "fork-server"])
def test_a_killed_service_is_missed_by_status_and_comes_back_with_its_state(
    sandbox: Sandbox, engine: Any, name: str
) -> None:
    iam, ecr = sandbox.client("iam"), sandbox.client("ecr")
    iam.create_user(UserName="survivor")
    image = f"{ecr.create_repository(repositoryName='survivor')['repository']['repositoryUri']}:kept"
    engine.api.import_image_from_data(small_image(name.encode()), *image.rsplit(":", 1))
    assert push(engine, image, login(sandbox)) == ""
    pushed = engine.images.get(image).id
    engine.images.remove(image)
    project = sandbox.azure_devops("GET", "_apis/projects/app-one?api-version=7.1").json()
    reference = {"id": project["id"], "name": project["name"]}
    group = {
        "name": "survivor",
        "type": "Vsts",
        "variables": {"a": {"value": "b"}, "s": {"value": "hidden", "isSecret": True}},
        "variableGroupProjectReferences": [{"name": "survivor", "projectReference": reference}],
    }
    path = "_apis/distributedtask/variablegroups"
    made = sandbox.azure_devops("POST", f"{path}?api-version=7.1", json=group).json()
    pid = ids(sandbox.home)[name]
    os.kill(pid, signal.SIGKILL)
    _wait_gone(pid)
    status = run("status", sandbox.home)
    assert status.returncode == 3
    assert f"{name:<15} does not run" in status.stdout
    again = run("up", sandbox.home)
    assert again.returncode == 0, again.stderr
    assert iam.get_user(UserName="survivor")
    answer = sandbox.azure_devops("GET", f"app-one/{path}/{made['id']}?api-version=7.1").json()
    assert answer["variables"]["a"]["value"] == "b"
    assert pull(engine, image, login(sandbox)) == ""
    assert engine.images.get(image).id == pushed
    (listed,) = ecr.describe_images(repositoryName="survivor")["imageDetails"]
    assert listed["imageTags"] == ["kept"]
    assert f"{image.rpartition(':')[0]}@{listed['imageDigest']}" in engine.images.get(image).attrs["RepoDigests"]
    engine.images.remove(image)


def _wait_gone(pid: int) -> None:
    """Wait for a process that is not ours."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    select.select([descriptor], [], [])
    os.close(descriptor)


def test_another_sandbox_works_beside_keeps_its_state_when_asked_and_leaves_nothing(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    # Over 10 s: a whole second sandbox starts, twice.
    home = tmp_path / "second"
    up = run("up", home)
    assert up.returncode == 0, up.stderr
    try:
        second = Sandbox.of(home)
        assert second.environment["AWS_ENDPOINT_URL"] != sandbox.environment["AWS_ENDPOINT_URL"]
        second.client("ecr").create_repository(repositoryName="only-here")
        here = sandbox.client("ecr").describe_repositories()["repositories"]
        assert "only-here" not in [repository["repositoryName"] for repository in here]
        assert run("down", home, "--keep").returncode == 0
        assert run("up", home).returncode == 0
        found = Sandbox.of(home).client("ecr").describe_repositories()["repositories"]
        assert [repository["repositoryName"] for repository in found] == ["only-here"]
        started = ids(home)
    finally:
        down = run("down", home)
    assert down.returncode == 0, down.stderr
    assert not home.exists()
    assert not [name for name, pid in started.items() if processes._start_time(pid)]
    assert run("status", sandbox.home).returncode == 0


def test_what_was_saved_comes_back_while_everything_runs_and_after_a_restart(sandbox: Sandbox, engine: Any) -> None:
    # Over 10 s: the sandbox stops and starts twice.
    ecr, iam = sandbox.client("ecr"), sandbox.client("iam")
    image = f"{ecr.create_repository(repositoryName='kept')['repository']['repositoryUri']}:1"
    engine.api.import_image_from_data(small_image(b"kept"), *image.rsplit(":", 1))
    assert push(engine, image, login(sandbox)) == ""
    iam.create_user(UserName="kept")
    assert run("save", sandbox.home, "before").returncode == 0
    before = ids(sandbox.home)

    ecr.delete_repository(repositoryName="kept", force=True)
    iam.delete_user(UserName="kept")
    iam.create_user(UserName="later")
    project = sandbox.azure_devops("GET", "_apis/projects/app-one?api-version=7.1").json()
    repository = {"name": "later", "project": {"id": project["id"]}}
    made = sandbox.azure_devops("POST", "app-one/_apis/git/repositories?api-version=7.1", json=repository)
    assert made.status_code == 201, made.text
    done = run("restore", sandbox.home, "before")
    assert (done.returncode, done.stderr) == (0, "")

    assert ids(sandbox.home) == before, "what runs goes on running"
    for _ in range(2):
        assert [user["UserName"] for user in iam.list_users()["Users"]] == ["kept"]
        found = sandbox.azure_devops("GET", "app-one/_apis/git/repositories?api-version=7.1").json()["value"]
        assert [one["name"] for one in found] == ["app-one"]
        engine.images.remove(image, force=True)
        assert pull(engine, image, login(sandbox)) == ""
        assert run("down", sandbox.home, "--keep").returncode == 0
        assert run("up", sandbox.home).returncode == 0


@pytest.mark.parametrize("command", ["env", "shell", "summary", "pulumi"])
def test_a_command_without_a_sandbox_says_how_to_start_one(tmp_path: Path, command: str) -> None:
    done = run(command, tmp_path / "none")
    assert done.returncode == 1
    assert done.stderr == "error: the sandbox is not up: start it with `python -m sandbox up` (or `make up`)\n"


# --- `make up`, in this checkout


def test_the_summary_of_an_empty_stack_says_how_to_make_an_image(sandbox: Sandbox) -> None:
    done = run("summary", sandbox.home)
    assert (done.returncode, done.stderr) == (1, "error: the stack has no image yet: `make up` makes one\n")


@pytest.fixture
def made_up(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """What a first `make up` printed, and what git said before and after it."""
    Workstation.deployed(tmp_path / "made-up", sandbox)
    return dict(json.loads((tmp_path / "made-up" / "make-up.json").read_text(encoding="utf-8")))


def test_git_sees_no_change_after_make_up(made_up: dict[str, str]) -> None:
    assert made_up["after"] == made_up["before"]


def test_make_up_ends_with_what_the_services_say(sandbox: Sandbox, made_up: dict[str, str]) -> None:
    (image,) = sandbox.client("ecr").describe_images(repositoryName="app-one")["imageDetails"]
    (key,) = sandbox.client("iam").list_access_keys(UserName="app-one-push")["AccessKeyMetadata"]
    (group,) = sandbox.azure_devops("GET", "app-one/_apis/distributedtask/variablegroups").json()["value"]
    (pipeline,) = sandbox.azure_devops("GET", "app-one/_apis/build/definitions").json()["value"]
    registry = sandbox.client("ecr").describe_repositories()["repositories"][0]["repositoryUri"]
    assert f"    + {RESOURCES} created\n" in made_up["printed"]
    summary = made_up["printed"].partition("\nImage ")[2].splitlines()
    assert summary[0].strip() == f"{registry}@{image['imageDigest']}"
    assert summary[1].split() == ["in", "ECR", *image["imageTags"], image["imageDigest"], *summary[1].split()[-2:]]
    assert summary[2:7] == [
        f"Variable group app-one ({group['id']})",
        f"  App-One.AccessKey = {key['AccessKeyId']}",
        "  App-One.SecretKey = (secret)",
        "  aws_account_number = 123456789012",
        f"Pipeline       app-one ({pipeline['id']}) on azure-pipelines.yml",
    ]
    assert re.fullmatch(r"The app says   Hello from app-one Served by [0-9a-f]{12}", summary[7])
    assert re.match(r"Console        http://127\.0\.0\.1:\d+/runs\?token=\S{43} ", summary[8])
    assert not sandbox.leaks()


@pytest.mark.usefixtures("made_up")
def test_a_second_make_up_changes_nothing_and_shows_the_same(sandbox: Sandbox, engine: Any) -> None:
    first, second = run("summary", sandbox.home), sandbox.make_up()
    assert first.returncode == 0, first.stderr
    assert f"\n    {RESOURCES} unchanged\n" in second, second
    *shown, app, console = first.stdout.splitlines()
    assert "\n".join(shown) in second
    assert app.startswith("The app says   Hello from app-one")
    replaced, good = (text.splitlines()[-1].split()[1] for text in (console, second))
    answers = [requests.get(address, timeout=60).status_code for address in (replaced, good, good)]
    assert answers == [403, 200, 403], "the newest address, and that once"
    assert engine.containers.list(all=True, filters={"label": "app-one-sandbox=summary"}) == []


@pytest.mark.usefixtures("made_up")
@pytest.mark.parametrize(
    ("table", "said"), [("build/definitions", "the pipeline"), ("distributedtask/variablegroups", "the variable group")]
)
def test_what_was_deleted_by_hand_is_named_by_the_summary(sandbox: Sandbox, table: str, said: str) -> None:
    (gone,) = sandbox.azure_devops("GET", f"app-one/_apis/{table}").json()["value"]
    project = sandbox.azure_devops("GET", "_apis/projects/app-one").json()["id"]
    where = f"app-one/_apis/{table}" if said == "the pipeline" else f"_apis/{table}"
    deleted = sandbox.azure_devops("DELETE", f"{where}/{gone['id']}?projectIds={project}&api-version=7.1")
    assert deleted.status_code == 204, deleted.text
    done = run("summary", sandbox.home)
    assert done.returncode == 1
    remedy = "`pulumi refresh`, then `make up` makes it again"
    assert done.stderr == f"error: {said} {gone['id']} is gone: {remedy}\n"
