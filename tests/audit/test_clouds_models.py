"""The descriptions of AWS's services, read without a look at those of others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import UnknownServiceError
from botocore.loaders import create_loader

from audit.clouds import models

if TYPE_CHECKING:
    from botocore.loaders import Loader


@pytest.fixture
def loader() -> Loader:
    """One that has read nothing yet."""
    return models.loader.__wrapped__(None)


@pytest.mark.parametrize("kind", ["service-2", "endpoint-rule-set-1", "paginators-1"])
def test_no_folder_of_another_service_is_looked_through(
    loader: Loader, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    listed, before = [], os.listdir

    def listdir(path: Any = ".") -> list[str]:
        listed.append(Path(path).name)
        return before(path)

    expected = create_loader(None).load_service_model("ecr", kind)
    monkeypatch.setattr(os, "listdir", listdir)
    assert loader.load_service_model("ecr", kind) == expected
    # As of Python 3.13 pathlib does not list a folder by os.listdir; "models" is of ~/.aws.
    assert {"ecr"} <= set(listed) <= {"data", "models", "ecr"}


def test_a_service_that_there_is_not_is_refused_as_botocore_does(loader: Loader) -> None:
    with pytest.raises(UnknownServiceError, match="no-such-service"):
        loader.load_service_model("no-such-service", "service-2")


def test_descriptions_of_ones_own_are_found(tmp_path: Path) -> None:
    (tmp_path / "own/2026-11-28").mkdir(parents=True)
    (tmp_path / "own/2026-11-28/service-2.json").write_text('{"metadata": {}}', encoding="utf-8")
    assert models.loader(str(tmp_path)).load_service_model("own", "service-2") == {"metadata": {}}
