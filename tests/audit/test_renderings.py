"""What every format of every command looks like, held to texts that are kept (tests/audit/renderings)."""

import pytest

from tests.audit import renderings


@pytest.mark.parametrize("name", renderings.FILES)
def test_a_format_is_what_it_was(name: str) -> None:
    kept = (renderings.FOLDER / name).read_text(encoding="utf-8")
    assert renderings.written(name) == kept, "users see a change; if it is meant: python -m tests.audit.renderings"


def test_no_other_text_is_kept() -> None:
    assert {path.name for path in renderings.FOLDER.iterdir()} == set(renderings.FILES)
