"""The .dockerignore is read as Docker reads it: compared with the Docker SDK's own matcher."""

import tempfile
from pathlib import Path

import pytest
from docker.utils.build import exclude_paths
from hypothesis import assume, given, settings, strategies as st

from infra.dockerignore import Ignore

TREE = ["Dockerfile", "README.md", "app/a.js", "app/b.md", "app/sub/a.js", "app/sub/c.txt", "docs/README.md", ".env"]


def kept(text: str) -> set[str]:
    """The files of TREE that stay, walked as the build context does."""
    ignore = Ignore(text)

    def reached(path: str) -> bool:
        parts = path.split("/")[:-1]
        return not any(ignore.whole_folder("/".join(parts[: depth + 1])) for depth in range(len(parts)))

    return {path for path in TREE if reached(path) and not ignore.file(path)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", set(TREE)),
        ("*\n!app\n", {"app/a.js", "app/b.md", "app/sub/a.js", "app/sub/c.txt"}),
        ("*\n!app\napp/sub\n", {"app/a.js", "app/b.md"}),
        ("app\n!app/sub/c.txt\n", {"Dockerfile", "README.md", "app/sub/c.txt", "docs/README.md", ".env"}),
        ("*.md\n", set(TREE) - {"README.md"}),
        ("**/*.md\n", set(TREE) - {"README.md", "app/b.md", "docs/README.md"}),
        ("/app/\n", {"Dockerfile", "README.md", "docs/README.md", ".env"}),
        ("./app//sub/../sub\n", set(TREE) - {"app/sub/a.js", "app/sub/c.txt"}),
        ("# app\n\n   .env   \n", set(TREE) - {".env"}),
        ("a.js\n", set(TREE)),
        ("app/?.js\n", set(TREE) - {"app/a.js"}),
        ("!app\napp\n", {"Dockerfile", "README.md", "docs/README.md", ".env"}),
        ("app\n!**/app\n", set(TREE)),
        (".\n", set(TREE)),
    ],
)
def test_patterns_mean_what_docker_says(text: str, expected: set[str]) -> None:
    assert kept(text) == expected


pieces = st.sampled_from(["app", "sub", "docs", "*", "**", "*.md", "a.js", "?.js", "README.md", "[ab].*", ".env"])
lines = st.builds(
    lambda exception, parts: ("!" if exception else "") + "/".join(parts),
    st.booleans(),
    st.lists(pieces, min_size=1, max_size=3),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(lines, max_size=5))
def test_any_patterns_mean_what_the_docker_sdk_makes_of_them(patterns: list[str]) -> None:
    # The SDK does not see that such an exception names a folder above a file, as the engine's own matcher does
    # (github.com/moby/patternmatcher, MatchesOrParentMatches).
    assume(not any(pattern.startswith("!") and "**/" in pattern for pattern in patterns))
    with tempfile.TemporaryDirectory() as folder:
        for path in TREE:
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        reference = {path for path in exclude_paths(folder, patterns) if Path(folder, path).is_file()}
    # The SDK keeps the Dockerfile and .dockerignore by itself, whatever the patterns say.
    assert kept("\n".join(patterns)) - {"Dockerfile"} == reference - {"Dockerfile", ".dockerignore"}


def test_a_missing_dockerignore_excludes_nothing(tmp_path: Path) -> None:
    assert not Ignore.of(tmp_path).file("app/a.js")


def test_a_byte_order_mark_is_not_part_of_the_first_pattern(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("\ufeff.env\n", encoding="utf-8")
    assert Ignore.of(tmp_path).file(".env")
