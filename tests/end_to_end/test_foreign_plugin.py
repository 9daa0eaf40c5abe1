"""A state that names a plugin of somebody else's, from an address of theirs: nothing is fetched, let alone run."""

from __future__ import annotations

import http.server
import json
import threading
from typing import TYPE_CHECKING

import pytest

from tests.workstation import Workstation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.workstation import Sandbox

pytestmark = pytest.mark.e2e
FORBIDDEN = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """An address of somebody else's, and what it was asked for."""
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
            """Silence."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", paths
        server.shutdown()


def planted(state: dict[str, object], address: str) -> dict[str, object]:
    """The state with a resource of a provider that is to be fetched from the address."""
    urn = "urn:pulumi:dev::app-one"
    provider = f"{urn}::pulumi:providers:foreign::default_6_6_6"
    number = "6d1f7c2a-0000-4000-8000-000000000001"
    inputs = {"version": "6.6.6", "pluginDownloadURL": address, "__internal": {"pluginDownloadURL": address}}
    deployment = state["deployment"]
    assert isinstance(deployment, dict)
    deployment["resources"] = [
        *(deployment.get("resources") or []),
        {
            "urn": provider,
            "custom": True,
            "id": number,
            "type": "pulumi:providers:foreign",
            "inputs": inputs,
            "outputs": inputs,
        },
        {
            "urn": f"{urn}::foreign:index/thing:Thing::thing",
            "custom": True,
            "id": "thing",
            "type": "foreign:index/thing:Thing",
            "provider": f"{provider}::{number}",
        },
    ]
    return state


def test_a_state_with_a_foreign_plugin_fetches_nothing(
    sandbox: Sandbox, tmp_path: Path, asked: tuple[str, list[str]]
) -> None:
    address, paths = asked
    here = Workstation.make(tmp_path / "checkout", sandbox.empty())
    state = json.loads(here.pulumi("stack", "export").stdout)
    file = tmp_path / "state.json"
    file.write_text(json.dumps(planted(state, address)), encoding="utf-8")
    here.pulumi("stack", "import", "--file", str(file))
    assert here.sandbox.environment[FORBIDDEN] == "true"
    for command in (["preview"], ["refresh", "--yes"], ["destroy", "--yes"]):
        done = here.pulumi(*command, expect=None)
        assert done.returncode != 0
        assert "foreign" in done.stdout + done.stderr
        assert paths == [], command
    # Without it the engine does what the state says.
    here.pulumi("preview", expect=None, env={FORBIDDEN: "false"})
    assert any("pulumi-resource-foreign-v6.6.6" in path for path in paths)
