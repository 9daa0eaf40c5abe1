"""What a .dockerignore excludes, case by case; tests/end_to_end/test_ignore_files.py asks the docker command."""

from pathlib import Path

import pytest

from infra.dockerignore import Ignore, IgnoreError


@pytest.mark.parametrize(
    ("text", "out", "stays"),
    [
        ("", [], ["a"]),
        ("*", ["a", "a/b", ".a"], []),
        ("*\n!app", ["a", "b/app"], ["app", "app/x"]),
        ("*\n!app\napp/sub", ["app/sub/x"], ["app/x"]),
        ("app\n!app/sub/c.txt", ["app/x"], ["app/sub/c.txt"]),
        ("!app\napp", ["app/x"], []),
        ("app\n!**/app", [], ["app/x"]),
        ("*.md", ["a.md"], ["a/b.md"]),
        ("**/*.md", ["a.md", "a/b/c.md"], ["a.md5"]),
        ("a/**", ["a/b", "a/b/c"], ["a"]),
        ("a/**/b", ["a/b", "a/x/y/b", "a/x/b/c"], ["b"]),
        ("**", ["a", "a/b"], []),
        # ** before a plain text is any beginning, whatever comes between; before a wildcard only whole folders
        ("**.env", [".env", "prod.env", "app/conf/prod.env"], [".env.example"]),
        ("src/**.test.js", ["src/.test.js", "src/a/.test.js"], ["src/a.test.js"]),
        ("**.DS_Store", ["a/b/.DS_Store"], []),
        ("**.en?", [".env", "a/.env"], ["prod.env"]),
        ("a**", ["a", "ab", "ab/c"], ["b/a"]),
        ("***", ["a", "a/b"], []),
        # classes: ^ is the only negation, and it takes in the slash
        ("[!v]1.txt", ["v1.txt", "!1.txt"], ["a1.txt"]),
        ("[^v]1.txt", ["a1.txt", "/1.txt"], ["v1.txt"]),
        ("[a-c]x", ["bx"], ["dx"]),
        ("[\\]]x", ["]x"], ["\\x"]),
        ("[[:digit:]]", ["7"], ["x"]),
        ("a*[-_]old", ["a-old", "ab_old"], ["a.old"]),
        # a backslash takes a meaning away; before a letter it is one of Go's expressions
        ("\\*", ["*"], ["a"]),
        ("a\\\\b", ["a\\b"], ["ab"]),
        ("\\d.txt", ["1.txt"], ["d.txt"]),
        # characters with a meaning in regular expressions only
        ("a+b(c)$", ["a+b(c)$"], ["aab(c)"]),
        ("*.{js,md}", ["a.{js,md}"], ["a.js"]),
        # lines
        ("# app\n\n   .env   ", [".env"], ["app"]),
        (" # app", ["# app"], ["app"]),
        ("/app/", ["app/x"], ["a/app"]),
        ("/ app\n./\tb\nc /", ["app", "b", "c"], [" app", "c "]),
        ("*\n/ !app\n!/ b", ["b"], ["app", " b"]),
        ("a\n/ /", ["a"], ["b", " "]),
        ("./app//sub/../sub", ["app/sub/x"], ["app/x"]),
        ("app\n!  app/x", ["app/y"], ["app/x"]),
        (".", [], ["a"]),
        ("..", [], ["a"]),
        ("/", [], ["a"]),
        ("a\r\nb\r\n", ["a", "b"], []),
        ("a\x0bb\x1cc\x85d", ["a\x0bb\x1cc\x85d"], ["b"]),
        ("\u00a0a\u3000", ["a"], []),
        ("\x1ca", ["\x1ca"], ["a"]),
        ("\ufeff.env", [".env"], []),
    ],
)
def test_patterns_mean_what_docker_makes_of_them(text: str, out: list[str], stays: list[str]) -> None:
    ignore = Ignore(text)
    assert {path: ignore.excludes(path) for path in out + stays} == dict.fromkeys(out, True) | dict.fromkeys(
        stays, False
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("[x", r"a \[ has no \]"),
        ("[]", r"\[ \] holds single characters"),
        ("[a-]*", r"\[ \] holds single characters"),
        ("[-x]", r"\[ \] holds single characters"),
        ("[z-a]", "the range z-a is empty"),
        ("a*[", r"a \[ has no \]"),
        ("a\\", "it ends with a backslash"),
        ("\\q", "a backslash has no meaning before q"),
        ("!", "an exception needs a path"),
        ("!/", "an exception needs a path"),
        ("!/ /", "an exception needs a path"),
        ("a\\ /", "it ends with a backslash"),
        ("[[:digits:]]", r"\[:digits:\] is no class"),
        ("a" * 65536, "it is longer than 64 KiB"),
    ],
)
def test_a_bad_pattern_is_an_error_with_its_file_line_and_remedy(line: str, why: str) -> None:
    with pytest.raises(
        IgnoreError, match=rf"^name, line 2: '.*' is no pattern, .*{why}.*; see https://.*remove the line"
    ):
        Ignore(f"*\n{line}\n", "name")


def test_an_excluded_folder_is_looked_into_where_an_exception_may_bring_something_back() -> None:
    assert not Ignore("*\n!app").may_return("docs")
    assert Ignore("*\n!app/x/y").may_return("app")
    assert Ignore("*\n!app/*").may_return("app")
    assert Ignore("*\n!**/x").may_return("docs")


def test_in_an_archive_nothing_comes_back_by_a_wildcard() -> None:
    ignore = Ignore("docs\n!**/x\n!docs/y")
    assert not ignore.excludes("docs/sub/x")
    assert ignore.archive_lacks("docs/sub/x")
    assert not ignore.archive_lacks("docs/x"), "the other exception begins with docs"
    assert Ignore("docs\n!**/x").archive_lacks("docs/x")
    assert not Ignore("docs\n!**/x").excludes("docs/x")


def test_what_is_no_readable_file_is_an_error_and_what_is_not_there_is_none(tmp_path: Path) -> None:
    assert Ignore.of(tmp_path) is None
    (tmp_path / ".dockerignore").write_text("a")
    found = Ignore.of(tmp_path)
    assert found
    assert found.excludes("a")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IgnoreError, match=r"^folder is no file; make it a file with a pattern a line, or remove it$"):
        Ignore.of(tmp_path, "folder")
    (tmp_path / "bytes").write_bytes(b"caf\xe9\n")
    with pytest.raises(IgnoreError, match=r"^bytes is not UTF-8; save it as UTF-8$"):
        Ignore.of(tmp_path, "bytes")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(IgnoreError, match=r"^link is a link to nothing; point it to a file, or remove it$"):
        Ignore.of(tmp_path, "link")
