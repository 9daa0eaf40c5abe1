"""A person's checkout of the program, and the sandbox it works against, as tests use them."""

from __future__ import annotations

import base64
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from sandbox import saves, services, stack
from sandbox.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

CHECKOUT = Path(__file__).resolve().parents[1]
RESOURCES = int(re.findall(r"`make up` makes (\d+) resources", (CHECKOUT / "README.md").read_text(encoding="utf-8"))[0])
"""That a first `make up` makes, as README says."""
STACK = "pulumi:pulumi:Stack"
"""The type of the resource whose outputs are the stack's."""
SECRET = ("4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270")
"""Name and value by which a checkpoint marks a secret (`sdk/go/common/resource/sig`)."""
LEFT_OUT = ("benchmarks/", "docs/", "tests/")
"""Half of a checkout that no command of a workstation reads: each test would copy it, and search it for secrets."""
EMPTY = "empty"
"""The state of a sandbox in which nothing was done but `up`."""


def forms(value: str) -> set[bytes]:
    """How a value may stand in an output or a file: as it is, quoted for a URL or in JSON, and in base64.

    The base64 forms hold only the characters that the value alone decides, for each of the three places where it may
    begin in a group: so it is found within a longer text too, as in the `AWS:<token>` of an Authorization header.
    """
    content = value.encode()
    found = {content, urllib.parse.quote(value, safe="").encode(), json.dumps(value)[1:-1].encode()}
    for before, shared in ((0, 0), (1, 2), (2, 3)):
        whole = (before + len(content)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(bytes(before) + content)[shared:whole])
    return found


@functools.cache
def _boto3() -> Any:
    """One session for all clients: it reads the service models once."""
    import boto3

    return boto3.session.Session()


def with_children(pids: set[int]) -> set[int]:
    """The processes, and all that they or their children started and that still runs."""
    found: set[int] = set()
    while pids:
        found |= pids
        pids = set().union(*map(_children, pids)) - found
    return found


def _children(pid: int) -> set[int]:
    """Those of all threads of a process; of one that ends meanwhile, some or none."""
    found: set[int] = set()
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in list(Path(f"/proc/{pid}/task").iterdir()):
            with suppress(FileNotFoundError, ProcessLookupError):
                found |= {int(child) for child in (thread / "children").read_text(encoding="utf-8").split()}
    return found


def _is_secret(value: object) -> bool:
    return isinstance(value, dict) and SECRET in value.items()


def uncommitted() -> str:
    """What git would commit in this checkout."""
    command = ["git", "status", "--porcelain"]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox: its folder, the environment that `python -m sandbox env` prints, and what was done with it.

    printed: all output of pulumi and of the sandbox's commands; checkouts: the folders of all workstations;
    made: the secrets that came to be meanwhile, by name.
    """

    home: Path
    # Not in the text that pytest prints of a failed test: they hold secrets.
    environment: dict[str, str] = field(repr=False)
    printed: list[str] = field(default_factory=list, repr=False)
    checkouts: list[Path] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict, repr=False)
    restored: ClassVar[Counter[Path]] = Counter()
    """By its folder, how often a sandbox was brought into another state: what was made before that is gone."""

    @classmethod
    def of(cls, home: Path) -> Sandbox:
        """The sandbox in a folder, asked as a user would: by `eval` in a shell."""
        script = 'eval "$("$0" -m sandbox env)" && exec "$0" -c "import json, os; print(json.dumps(dict(os.environ)))"'
        answer = subprocess.run(
            ["/bin/sh", "-c", script, sys.executable],
            cwd=CHECKOUT,
            env={**os.environ, "SANDBOX_HOME": str(home)},
            capture_output=True,
            text=True,
            check=True,
        )
        return cls(home, json.loads(answer.stdout))

    @classmethod
    @contextmanager
    def running(cls, home: Path) -> Iterator[Sandbox]:
        """A sandbox of its own in a folder, up for the block; fails with the reason where there can be none."""
        environment = {**os.environ, "SANDBOX_HOME": str(home)}
        command = [sys.executable, "-m", "sandbox"]
        up = subprocess.run(
            [*command, "up"], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
        )
        if up.returncode:
            pytest.fail(f"the end-to-end tests need the sandbox, and it did not start:\n{up.stderr}", pytrace=False)
        try:
            started = cls.of(home)
            started.printed.extend((up.stdout, up.stderr))
            saves.save(started.layout, EMPTY)
            yield started
        finally:
            subprocess.run([*command, "down"], cwd=CHECKOUT, env=environment, check=True, capture_output=True)

    @property
    def layout(self) -> Layout:
        """Where this sandbox keeps things."""
        return replace(Layout.find(), home=self.home)

    def empty(self) -> Sandbox:
        """The sandbox as its first `up` left it, whatever was done to it since; nothing is printed or made yet."""
        self._put_back(EMPTY)
        return Sandbox(self.home, self.environment)

    def begin(self, state: str, folder: Path, make: Callable[[Path], object]) -> None:
        """Bring the sandbox, and a folder of checkouts, into a state that several tests start from.

        The first time `make(folder)` makes both, from the empty sandbox; they are kept under the name `state`, and
        later put back, which takes a tenth of a second:

            def deployed(sandbox: Sandbox, tmp_path: Path) -> Workstation:
                sandbox.begin("deployed", tmp_path / "first", lambda folder: Workstation.make(folder, sandbox).up())
                return Workstation(tmp_path / "first", sandbox)

        So a test may leave behind what it likes. What `make` learns and cannot be found in the folder or asked of the
        services has to be written into the folder. Docker's images and caches are not put back. Each worker of
        pytest-xdist has a sandbox of its own.
        """
        seed = self.home.with_name(f"{self.home.name}-seeds") / state
        if state in saves.names(self.layout):
            self._put_back(state)
            shutil.copytree(seed, folder, symlinks=True)
        else:
            self._put_back(EMPTY)
            make(folder)
            shutil.copytree(folder, seed, symlinks=True, dirs_exist_ok=True)
            saves.save(self.layout, state)

    def _put_back(self, state: str) -> None:
        """Restore a save; what a test before has stopped or left locked is first started and unlocked."""
        locks = self.layout.state / ".pulumi" / "locks"
        if not services.status(self.layout)[1] or any(locks.rglob("*.json")):
            self.up()
        saves.restore(self.layout, state)
        self.restored[self.home] += 1

    def up(self) -> None:
        """`python -m sandbox up` once more: it starts what is not running."""
        done = subprocess.run(
            [sys.executable, "-m", "sandbox", "up"],
            cwd=CHECKOUT,
            env={**self.environment, "SANDBOX_HOME": str(self.home)},
            capture_output=True,
            text=True,
            check=False,
        )
        self.printed.extend((done.stdout, done.stderr))
        assert done.returncode == 0, done.stderr

    def make_up(self) -> str:
        """What `make up` in this checkout prints, with the interpreter of the tests; it must succeed."""
        done = subprocess.run(
            ["make", "--old-file=venv", f"python={sys.executable}", "up"],
            cwd=CHECKOUT,
            env={**os.environ, "SANDBOX_HOME": str(self.home)},
            capture_output=True,
            text=True,
            check=False,
        )
        self.printed.extend((done.stdout, done.stderr))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def client(self, service: str, **credentials: str) -> Any:
        """A boto3 client of the operator, or of the credentials given."""
        chosen = credentials or {
            "aws_access_key_id": self.environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": self.environment["AWS_SECRET_ACCESS_KEY"],
        }
        return _boto3().client(
            service,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name=self.environment["AWS_REGION"],
            **chosen,
        )

    def azure_devops(self, method: str, path: str, token: str | None = None, **arguments: Any) -> Any:
        """The answer of a call below the organisation, as the operator or by another token."""
        import requests

        return requests.request(
            method,
            f"{self.environment['AZDO_ORG_SERVICE_URL']}/{path}",
            auth=("", token or self.environment["AZDO_PERSONAL_ACCESS_TOKEN"]),
            timeout=300,
            allow_redirects=False,
            **arguments,
        )

    def secrets(self) -> dict[str, str]:
        """Every secret value that must not be found in clear outside of the key store, by name."""
        keys = self.home / "keys"
        named = {
            name: (keys / name).read_text() for name in ("azure-devops-pat", "pulumi-passphrase", "registry-password")
        }
        admin = json.loads((keys / "aws-admin.json").read_text())
        return named | {"the operator's secret key": admin["SecretAccessKey"]} | self.made

    def places(self) -> Iterator[tuple[str, bytes]]:
        """Where a secret must not be, and what is there: the outputs, checkouts, the folder without the key store."""
        yield from self._outputs()
        for folder in self._folders():
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not path.is_symlink() and not path.is_relative_to(self.home / "keys"):
                    with suppress(FileNotFoundError):  # the Docker engine clears up meanwhile
                        yield str(path), path.read_bytes()

    def _outputs(self) -> Iterator[tuple[str, bytes]]:
        for number, text in enumerate(self.printed):
            yield f"output {number}", text.encode()

    def _folders(self) -> set[Path]:
        # What `docker login` writes is in the key store; it would be searched wherever else the environment sent it.
        configured = filter(None, [self.environment.get("DOCKER_CONFIG")])
        return {self.home, *map(Path, configured), *self.checkouts}

    def leaks(self, folders: Iterable[Path] | None = None) -> list[str]:
        """`secret in place` for every secret that is where it must not be; values are never shown.

        folders: what is searched besides the outputs, by default all of `places`.
        """
        wanted = {name: forms(value) for name, value in self.secrets().items()}
        needles = {form for its_forms in wanted.values() for form in its_forms}
        found = [
            f"{name} in {place}"
            for place, content in self._outputs()
            for name, its_forms in wanted.items()
            if any(form in content for form in its_forms)
        ]
        for path in self._holding(needles, self._folders() if folders is None else set(folders)):
            content = path.read_bytes() if path.exists() else b""
            names = [name for name, its_forms in wanted.items() if any(form in content for form in its_forms)]
            found += [f"{name} in {path}" for name in names or ["a secret"]]
        return found

    def _holding(self, needles: set[bytes], folders: set[Path]) -> list[Path]:
        """The files that hold any of the needles, the key store left out; links are not followed.

        By grep: a session ends with hundreds of needles and half a gigabyte, for which Python takes half a minute.
        """
        assert not any(b"\n" in needle for needle in needles), "grep takes a needle a line"
        assert all(needles), "nothing is everywhere"
        keys = self.home / "keys"
        tops = {top for folder in folders for top in (folder.iterdir() if keys.parent == folder else [folder])}
        tops = {top for top in tops if top.exists() and not top.is_symlink() and not top.is_relative_to(keys)}
        if not tops:
            return []
        how = ["--recursive", "--files-with-matches", "--null", "--text", "--fixed-strings", "--devices=skip"]
        done = subprocess.run(
            ["grep", *how, "--file=-", "--", *sorted(map(str, tops))],
            input=b"\n".join(sorted(needles)),
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            capture_output=True,
            check=False,
        )
        # The Docker engine clears up meanwhile.
        failed = [line for line in done.stderr.splitlines() if not line.endswith(b": No such file or directory")]
        assert not failed, failed
        assert done.returncode in (0, 1) or done.stderr, done.returncode
        paths = {Path(os.fsdecode(name)) for name in done.stdout.split(b"\0") if name}
        return sorted(path for path in paths if not path.is_relative_to(keys))


@dataclass
class Workstation:
    """One checkout with one stack: `pulumi` runs in it as a person would run it."""

    folder: Path
    sandbox: Sandbox
    umask: int = 0o022
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Its folder is one of those to be searched for secrets."""
        self.sandbox.checkouts.append(self.folder)

    @classmethod
    def make(cls, folder: Path, sandbox: Sandbox, *, umask: int = 0o022) -> Workstation:
        """Copy what git tracks or would add, each file anew under the umask, as `git clone` does; not LEFT_OUT."""
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
        previous = os.umask(umask)
        try:
            for name in filter(None, listed.split("\0")):
                source, target = CHECKOUT / name, folder / name
                if name.startswith(LEFT_OUT) or not source.is_file():
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                if re.fullmatch(r"Pulumi\..+\.yaml", name):  # a team's may name the key of its own stack
                    target.write_text(stack.settings(source), encoding="utf-8")
                else:
                    shutil.copyfile(source, target)
                target.chmod((0o777 if os.access(source, os.X_OK) else 0o666) & ~umask)
        finally:
            os.umask(previous)
        # The official language host would make the one that Pulumi.yaml names, and install all into it: a minute each.
        (folder / ".venv").symlink_to(sys.prefix)
        return cls(folder, sandbox, umask)

    @classmethod
    def deployed(cls, folder: Path, sandbox: Sandbox) -> Workstation:
        """A checkout after the first `make up` has made everything; what that printed is in folder/make-up.json.

        The first test of a worker that begins here takes over 10 s: it starts the sandbox, builds and pushes.
        """

        def make(folder: Path) -> None:
            cls.make(folder / "checkout", sandbox)
            before = uncommitted()
            told = {"printed": sandbox.make_up(), "before": before, "after": uncommitted()}
            (folder / "make-up.json").write_text(json.dumps(told), encoding="utf-8")

        sandbox.begin("deployed", folder, make)
        return cls(folder / "checkout", sandbox)

    def pulumi(
        self, *arguments: str, expect: int | None = 0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run pulumi here; fail if its exit status is not the expected one (None: any).

        All output is remembered, to be searched for secrets, but for that which shows them on purpose.
        """
        done = subprocess.run(
            ["pulumi", *arguments],
            cwd=self.folder,
            env=self.sandbox.environment | self.extra | (env or {}),
            capture_output=True,
            text=True,
            check=False,
            umask=self.umask,
        )
        if "--show-secrets" not in arguments:
            self.sandbox.printed.extend((done.stdout, done.stderr))
        if expect is not None:
            assert done.returncode == expect, (
                f"pulumi {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done

    def up(
        self, *arguments: str, expect: int | None = 0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`pulumi up` without questions."""
        return self.pulumi("up", "--yes", "--skip-preview", *arguments, expect=expect, env=env)

    def small_image(self) -> None:
        """From now on the image holds the app's files alone: for tests that neither run it nor look into it.

        The base image is 200 MB, which the Docker engine packs anew for each repository that lacks it: six seconds of
        CPU at every push into one that is new, emptied or replaced. `npm ci` comes on top.
        """
        (self.folder / "Dockerfile").write_text("FROM scratch\nCOPY app/ /\n", encoding="utf-8")

    def audit_state(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Hold what the stack's backend has against what the program may record, as an operator does before a run."""
        done = subprocess.run(
            [sys.executable, "-m", "audit", "state", "--expect", "infra/state.yml", *arguments],
            cwd=self.folder,
            env=self.sandbox.environment | self.extra,
            capture_output=True,
            text=True,
            check=False,
        )
        self.sandbox.printed.extend((done.stdout, done.stderr))
        return done

    def audit_keys(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`pulumi stack export | python -m audit keys --state - ...`, which must succeed."""
        done = subprocess.run(
            [sys.executable, "-m", "audit", "keys", "--state", "-", *arguments],
            cwd=self.folder,
            env=self.sandbox.environment | self.extra,
            input=self.pulumi("stack", "export").stdout,
            capture_output=True,
            text=True,
            check=False,
        )
        self.sandbox.printed.extend((done.stdout, done.stderr))
        assert done.returncode == 0, done.stderr
        return done

    def steps(self, *arguments: str, env: dict[str, str] | None = None) -> dict[str, list[str]]:
        """What a preview would do: operation -> names of the resources, without those that stay."""
        plan = json.loads(self.pulumi("preview", "--json", *arguments, env=env).stdout)
        found: dict[str, list[str]] = {}
        for step in plan["steps"]:
            if step["op"] != "same":
                found.setdefault(step["op"], []).append(step["urn"].rpartition("::")[2])
        return found

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secret ones as `[secret]`: what `pulumi stack output --json` prints."""
        outputs: dict[str, Any] = next((row.get("outputs", {}) for row in self.resources() if row["type"] == STACK), {})
        return {name: "[secret]" if _is_secret(value) else value for name, value in outputs.items()}

    def resources(self) -> list[dict[str, Any]]:
        """The resources in the state, secrets encrypted: what `pulumi stack export` prints.

        Read where the backend keeps them: tests look so often that a command for each took seconds in all.
        """
        given = self.sandbox.environment | self.extra
        backend, name = urllib.parse.urlsplit(given["PULUMI_BACKEND_URL"]), f"{given['PULUMI_STACK']}.json"
        place = f"{backend.path}/.pulumi/stacks/app-one/{name}"
        if backend.scheme == "s3":
            found = self.sandbox.client("s3").get_object(Bucket=backend.netloc, Key=place.lstrip("/"))
            text = found["Body"].read().decode()
        else:
            text = Path(place).read_text(encoding="utf-8")
        self.sandbox.printed.append(text)
        return list(json.loads(text)["checkpoint"]["latest"].get("resources") or [])

    def record(self) -> list[tuple[str, str, str]]:
        """URN, id and time of the last change of each resource: what a failed update must leave as it is."""
        return [(each["urn"], each.get("id", ""), each.get("modified", "")) for each in self.resources()]

    def config(self, **settings: str) -> None:
        """Set settings of the program, with one `pulumi config set-all`."""
        given = [part for name, value in settings.items() for part in ("--plaintext", f"app-one:{name}={value}")]
        self.pulumi("config", "set-all", *given)
