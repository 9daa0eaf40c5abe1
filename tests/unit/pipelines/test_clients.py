"""Clients of AWS's services for the pipeline's steps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import clients

if TYPE_CHECKING:
    import pytest


def test_a_client_is_made_without_a_look_through_the_folders_of_other_services(monkeypatch: pytest.MonkeyPatch) -> None:
    listed, before = [], os.listdir

    def listdir(path: Any = ".") -> list[str]:
        listed.append(Path(path).name)
        return before(path)

    clients._loader.cache_clear()
    monkeypatch.setattr(os, "listdir", listdir)
    client = clients.client("sts", "us-east-2")
    # As of Python 3.13 pathlib does not list a folder by os.listdir; "models" is of ~/.aws.
    assert {"sts"} <= set(listed) <= {"data", "models", "sts"}
    assert client.meta.region_name == "us-east-2"
    assert client.meta.service_model.operation_names
    listed.clear()
    clients.client("sts", "eu-west-1")
    assert not listed, "what is described is read once"
