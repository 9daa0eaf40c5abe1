"""The tests' own PATH holds what a bare machine has: a tool that somebody installed is not found."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import bare

if TYPE_CHECKING:
    from pathlib import Path

DESCRIBED = """coreutils\tyes\trequired\tlibc6,
login\tno\trequired\tlibpam (>= 1) | libpam-other,
libc6\tno\toptional\t, libgcc-s1:any
libgcc-s1\tno\toptional\t,
libpam\tno\toptional\t,
git\tno\toptional\t, libcurl, perl | perl5
perl\tno\tstandard\tdpkg (>= 1.17.17),
nodejs\tno\toptional\t, libc6
"""


def test_a_bare_machine_has_what_is_essential_or_required_and_what_readme_asks_for_with_their_needs() -> None:
    found = bare.packages(DESCRIBED)
    assert found == {"coreutils", "login", "libc6", "libgcc-s1", "libpam", "git", "perl", *bare.START}


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="what a bare machine has is read from dpkg")
class TestThePath:
    def test_is_one_folder_with_what_readme_asks_for_and_the_systems_own(self) -> None:
        assert os.pathsep not in os.environ["PATH"]
        for name in ("python3", "git", "make", "sh", "awk", "tar", "env", "apt-get"):
            assert shutil.which(name), name
        shown = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout
        assert shown.startswith("git version")

    @pytest.mark.parametrize("name", ["uv", "node", "npm", "go", "docker", "pytest", "ruff", "crane", "aws", "jq"])
    def test_does_not_lead_to_what_a_person_installed(self, name: str) -> None:
        assert shutil.which(name) is None

    def test_leads_to_a_link_of_the_machine_only_if_a_package_of_a_bare_one_has_what_it_leads_to(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, target in (("mine", "/opt/mine"), ("cat2", shutil.which("cat") or "")):
            (tmp_path / name).symlink_to(target)
        monkeypatch.setattr(bare, "_FOLDERS", [tmp_path])
        assert set(bare.commands()) - {*bare.ALLOWED, "python3", "git", "make"} == {"cat2"}
