"""What CI runs owes nothing to the machine but its settings of proxies, certificates and registries, and the engine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SHOWS = """\
test:
\t@env | sort
\t@echo "files: $$(cd "$$HOME" && find . ! -type d | sort | tr '\\n' ' ')"
\t@cat "$$HOME/.npmrc" "$$HOME/.cache/app-one-sandbox/engine/v1/pulumi"
\t@cat
\t@echo last; exit $${STATUS_OF_MACHINE-3}
"""
SETTINGS = {
    "https_proxy": "http://user:it's@proxy:3128",
    "NO_PROXY": "localhost, 127.0.0.1",
    "NODE_EXTRA_CA_CERTS": "/etc/company.pem",
    "SSL_CERT_FILE": "/etc/company.pem",
    "PIP_INDEX_URL": "https://packages.example/simple",
    "UV_DEFAULT_INDEX": "https://packages.example/simple",
    "GOPROXY": "https://go.example,direct",
    "npm_config_registry": "https://npm.example/",
}
OTHERS = {
    "AWS_PROFILE": "mine",
    "DOCKER_HOST": "tcp://192.0.2.1:2375",
    "GOFLAGS": "-mod=mod",
    "PULUMI_ACCESS_TOKEN": "mine",
    "PYTHONPATH": "/opt/mine",
    "STATUS_OF_MACHINE": "0",
    "UV_CACHE_DIR": "/mine/uv",
    "VIRTUAL_ENV": "/mine",
    "npm_config_cache": "/mine/npm",
    "two_lines": "one\nHTTP_PROXY=not a setting",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout whose `make test` shows what it finds."""
    folder = tmp_path / "project"
    (folder / ".ci").mkdir(parents=True)
    shutil.copy(CHECKOUT / ".ci" / "run", folder / ".ci")
    (folder / "Makefile").write_text(SHOWS, encoding="utf-8")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's folder with settings, tools, and an engine in the cache beside other things."""
    folder = tmp_path / "home"
    for name in (".npmrc", ".config/go/env", ".bashrc", ".local/bin/uv", ".cache/uv/x", ".aws/credentials"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name} of the user\n", encoding="utf-8")
    cache = folder / ".cache" / "app-one-sandbox"
    for name in ("engine/v1/pulumi", "packages/x/root", "pulumi-passphrase"):
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_text("kept\n", encoding="utf-8")
    return folder


def run(project: Path, home: Path, *by: str) -> subprocess.CompletedProcess[str]:
    temporary = project.parent / "temporary"
    temporary.mkdir(exist_ok=True)
    environment = {**SETTINGS, **OTHERS, "HOME": str(home), "TMPDIR": str(temporary)}
    environment["PATH"] = f"{home}/.local/bin:/usr/bin:/bin"
    return subprocess.run(
        [*by, project / ".ci" / "run"],
        cwd="/",
        env=environment,
        input="typed",
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("by", [(), ("sh",), ("bash",)], ids=["itself", "sh", "bash"])
def test_the_environment_is_made_anew_but_for_settings(project: Path, home: Path, by: tuple[str, ...]) -> None:
    done = run(project, home, *by)
    assert done.stderr.count("\n") == 1, done.stderr  # make's line of a recipe that failed
    shown = dict(line.partition("=")[::2] for line in done.stdout.partition("files:")[0].splitlines() if "=" in line)
    assert {name: shown[name] for name in SETTINGS} == SETTINGS
    assert shown["PATH"] == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert shown["HOME"] != str(home)
    own = {"PATH", "HOME", "TMPDIR", "LANG", "TERM", "CI", "PWD", "OLDPWD", "SHLVL", "_"}
    of_make = {"MAKEFLAGS", "MAKELEVEL", "MAKE_TERMERR", "MAKE_TERMOUT", "MFLAGS"}
    assert not set(shown) - set(SETTINGS) - own - of_make


def test_the_home_holds_settings_of_registries_and_the_engine_alone(project: Path, home: Path) -> None:
    done = run(project, home)
    assert "files: ./.cache/app-one-sandbox/engine ./.config/go/env ./.npmrc \n" in done.stdout
    assert ".npmrc of the user\nkept\n" in done.stdout


def test_its_status_and_last_line_are_those_of_make_test_and_nothing_stays(project: Path, home: Path) -> None:
    done = run(project, home)
    assert done.returncode == 2, "make's status where a recipe failed"
    assert done.stdout.endswith("last\n")
    assert "typed" not in done.stdout
    assert list((project.parent / "temporary").iterdir()) == []
    assert (home / ".cache/app-one-sandbox/engine/v1/pulumi").read_text(encoding="utf-8") == "kept\n"


def test_a_machine_without_an_engine_keeps_the_one_that_is_built(project: Path, tmp_path: Path) -> None:
    (project / "Makefile").write_text('test:\n\techo built >"$$HOME/.cache/app-one-sandbox/engine/new"\n')
    done = run(project, tmp_path / "empty")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "empty/.cache/app-one-sandbox/engine/new").read_text(encoding="utf-8") == "built\n"
