"""The sandbox as a whole: what runs, in which order it starts, how it stops."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import (
    base_image,
    docker_engine,
    engine,
    environment as variables,
    files,
    keys,
    layout as names,
    plugins,
    ports,
    processes,
    registry,
    stack,
)
from sandbox.errors import SandboxError
from sandbox.layout import CHECKOUT
from sandbox.progress import say, step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.layout import Layout
    from sandbox.ports import Ports

PRIVATE_ENGINE = "docker"
OWN = ("aws", "azure-devops", "console", "fork-server")
"""Services that are programs of this checkout."""
SERVICES = ("registry", *OWN)
INTERPRETERS = ("PATH", "HOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE")
"""Variables that Python itself may need."""


def up(layout: Layout) -> dict[str, str]:
    """Start what is missing, and make the stack; the environment in which pulumi works."""
    files.own_folder(layout.home)
    with files.lock(layout.lock, say), step(f"Sandbox in {_short(layout.home)}"):
        return _up(layout)


def _up(layout: Layout) -> dict[str, str]:
    key_store, chosen = keys.make(layout), ports.choose(layout.ports_file)
    with ThreadPoolExecutor() as together:  # the engine may take minutes to build: everything else goes on beside it
        building = together.submit(engine.find, layout.cache, say)
        docker = together.submit(_docker, layout)
        serving = together.submit(_services, layout, chosen)
        results = [work.exception() for work in (building, docker, serving)]
    for error in filter(None, results):
        raise error
    pulumi = building.result()
    _link(layout.bin / "pulumi", pulumi)
    _docker_command(layout)
    used = plugins.install(layout.pulumi_home, pulumi, layout.fork_server)
    environment = variables.variables(layout, key_store, chosen, docker.result())
    complete = variables.full(environment)
    stack.unlock(layout, say)
    stack.init(layout, complete, say)
    say(used)
    return environment


def _docker(layout: Layout) -> str:
    """DOCKER_HOST of the engine that is there, or of a private one; with the base image in it."""
    private = docker_engine.host(layout.home)
    runs = processes.serving(layout.run, PRIVATE_ENGINE) is not None
    address = private if runs else docker_engine.find(layout.home)  # an engine that the user starts later is left alone
    if address is None:
        address = private
        root = docker_engine.prepare(layout.cache, say)
        processes.stop(layout.run, PRIVATE_ENGINE, at_once=True)  # of a start that was killed
        docker_engine.clean(layout.home)
        say("starting a Docker engine of our own")
        _start(layout, PRIVATE_ENGINE, docker_engine.argv(layout.home, root))
    files.write(layout.run / "docker-host", address)
    base_image.ensure(layout.checkout / "Dockerfile", address, layout.cache, say)
    return address


def _services(layout: Layout, chosen: Ports) -> None:
    """The registry, the two clouds, the console and the fork server: all are started before the first is waited for."""
    starting = []
    code, recorded = _code(), layout.run / "code"
    if not recorded.exists() or recorded.read_text(encoding="utf-8") != code:
        for name in processes.stop(layout.run, *OWN):
            say(f"{name} ran other code than is here now")
    for name, argv, ready in _commands(layout, chosen):
        if processes.serving(layout.run, name) is None:
            say(f"starting {name}")
            # A fork is given the environment of its client, and is to hold nobody else's secrets.
            kept = {each: value for each, value in os.environ.items() if name != "fork-server" or each in INTERPRETERS}
            environment = {**kept, "PYTHONPATH": str(CHECKOUT)}
            started = processes.start(name, argv, run=layout.run, logs=layout.logs, ready=ready, env=environment)
            starting.append(started)
    for each in starting:
        if each is not None:
            each.wait()
    files.write(recorded, code)


def _code() -> str:
    """A digest of what our own services are made of: after a change of it they are started anew."""
    digest = hashlib.sha256()
    for distribution in sorted(Path(sysconfig.get_path("purelib")).glob("*.dist-info")):  # their names hold versions
        digest.update(f"{distribution.name}\0".encode())
    for room in ("azure_pipelines", "iam", "sandbox"):
        for file in sorted((CHECKOUT / room).rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                digest.update(f"{file.relative_to(CHECKOUT)}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _commands(layout: Layout, chosen: Ports) -> Iterator[tuple[str, list[str], processes.Ready]]:
    keys_option = ["--keys", str(layout.keys)]
    aws = ["--folder", str(layout.aws), *keys_option, "--port", str(chosen.aws), "--registry-port", str(chosen.ecr)]
    aws += ["--upstream", f"http://127.0.0.1:{chosen.registry}", "--account", names.ACCOUNT, "--region", names.REGION]
    aws += ["--issuers", f"http://127.0.0.1:{chosen.azure_devops}/_issuers"]
    yield "aws", [sys.executable, "-m", "sandbox.aws", *aws], processes.ReadyPipe()
    azure = ["--folder", str(layout.azure_devops), *keys_option, "--port", str(chosen.azure_devops)]
    azure += ["--organization", names.ORGANIZATION, "--project", names.PROJECT]
    yield "azure-devops", [sys.executable, "-m", "sandbox.azure_devops", *azure], processes.ReadyPipe()
    console = ["--keys", str(layout.keys), "--states", str(layout.state), "--port", str(chosen.console)]
    console += ["--azure-devops", f"http://127.0.0.1:{chosen.azure_devops}/{names.ORGANIZATION}"]
    console += ["--project", names.PROJECT, "--aws", f"http://127.0.0.1:{chosen.aws}", "--region", names.REGION]
    yield "console", [sys.executable, "-m", "sandbox.console", *console], processes.ReadyPipe()
    forks = ["--socket", str(layout.fork_server)]
    yield "fork-server", [sys.executable, "-P", "-u", "-m", "sandbox.fork_server", *forks], processes.ReadyPipe()
    command = registry.prepare(layout.registry, layout.keys, chosen.registry, layout.cache, say)
    yield "registry", command, processes.ReadyPort(chosen.registry)


def _start(layout: Layout, name: str, argv: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    ready = processes.ReadyPipe()
    started = processes.start(name, argv, run=layout.run, logs=layout.logs, ready=ready, env=environment)
    if started is not None:
        started.wait()


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink() or link.readlink() != target:
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def _docker_command(layout: Layout) -> None:
    """Where no `docker` command of the machine builds with BuildKit, the sandbox's own comes first on its PATH."""
    link = layout.bin / "docker"
    path = os.pathsep.join(each for each in os.environ.get("PATH", "").split(os.pathsep) if each != str(layout.bin))
    found = shutil.which("docker", path=path)
    if found is None or not docker_engine.builds(found):
        _link(link, docker_engine.cli(layout.cache, say))


def environment(layout: Layout) -> dict[str, str]:
    """The environment of a sandbox that is up, with all that belongs to it."""
    running = _running(layout)
    missing = sorted(name for name, pid in running.items() if pid is None)
    if not _docker_host(layout) or missing:
        what = (
            f"the sandbox's {' and '.join(missing)} does not run" if _docker_host(layout) else "the sandbox is not up"
        )
        raise SandboxError(f"{what}: start it with `python -m sandbox up` (or `make up`)")
    chosen = ports.choose(layout.ports_file)
    return variables.variables(layout, keys.make(layout), chosen, _docker_host(layout))


def _docker_host(layout: Layout) -> str:
    """DOCKER_HOST as the last `up` recorded it, or an empty text."""
    recorded = layout.run / "docker-host"
    return recorded.read_text(encoding="utf-8") if recorded.exists() else ""


def _running(layout: Layout) -> dict[str, int | None]:
    """The process of each service that should run; None where it does not."""
    private = _docker_host(layout) == docker_engine.host(layout.home)
    expected = (*SERVICES, PRIVATE_ENGINE) if private else SERVICES
    return {name: processes.pid(layout.run, name) for name in expected}


def status(layout: Layout) -> tuple[list[str], bool]:
    """A line for each process, and whether everything that should run does."""
    running, address = _running(layout), _docker_host(layout)
    lines = [f"sandbox         {_short(layout.home)}"]
    if address and PRIVATE_ENGINE not in running:
        lines.append(f"{'docker':<15} the machine's own, {address}")
    lines += [f"{name:<15} {f'runs, process {pid}' if pid else 'does not run'}" for name, pid in running.items()]
    return lines, bool(address) and all(running.values())


def down(layout: Layout, *, keep: bool) -> None:
    """Stop every process of this sandbox; unless `keep`, remove its folder, and with it the stack and the clouds."""
    if not layout.home.exists():
        say("there is no sandbox here")
        return
    with files.lock(layout.lock, say), step("Stopping the sandbox"):
        # What is about to be removed need not be saved first.
        for name in processes.stop(layout.run, *SERVICES, PRIVATE_ENGINE, at_once=not keep):
            say(f"stopped {name}")
        docker_engine.clean(layout.home)
        if not keep:
            _leave_users_engine(layout)
            try:
                files.remove(layout.home)
            except OSError as error:
                raise SandboxError(
                    f"{error.filename} could not be removed ({(error.strerror or str(error)).lower()}): "
                    f"remove {_short(layout.home)} as the user who made it, or as root"
                ) from None


def _leave_users_engine(layout: Layout) -> None:
    """Take our images out of an engine that is the user's; a private one goes with its folder."""
    address = _docker_host(layout)
    if not address or address == docker_engine.host(layout.home):
        return
    import docker.errors

    try:
        base_image.forget(address, base_image.reference(layout.checkout / "Dockerfile"))
        registry_host = f"127.0.0.1:{ports.choose(layout.ports_file).ecr}/"
        with docker_engine.client(address) as client:
            for image in client.images.list():
                for name in filter(lambda name: name.startswith(registry_host), image.tags):
                    client.images.remove(name)
    except (docker.errors.DockerException, OSError) as error:
        say(f"the images of the sandbox stay in the Docker engine at {address}, which does not answer: {error}")


def _short(path: Path) -> str:
    with suppress(ValueError):
        return str(path.relative_to(CHECKOUT))
    return str(path)
