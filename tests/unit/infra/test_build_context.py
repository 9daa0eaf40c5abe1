"""The normalised build context: the same commit has the same inputs, whoever checks it out, wherever and however."""

import json
import os
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.build_context import BuildContext, BuildContextError, prepare_context
from infra.suspects import suspicious

FILES = {
    "Dockerfile": "FROM scratch\n",
    ".dockerignore": "*\n!app\napp/node_modules\n",
    "app/app.js": "one\n",
    "app/run.sh": "#!/bin/sh\n",
    "app/views/home.html": "<p>\n",
    "app/node_modules/left.js": "out\n",
    "secret.txt": "out\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return checkout(tmp_path / "project")


def checkout(folder: Path) -> Path:
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "app/run.sh").chmod(0o755)
    return folder


def prepare(project: Path, *, folder: str = ".", dockerfile: str = "Dockerfile") -> BuildContext:
    return prepare_context(project, folder=folder, dockerfile=dockerfile)


def listing(folder: Path) -> dict[str, str]:
    """Mode, modification time and content by path, of files and folders."""
    return {
        path.relative_to(folder).as_posix(): (
            f"{path.lstat().st_mode:o} {path.lstat().st_mtime:.0f} {'' if path.is_dir() else path.read_text()}"
        )
        for path in folder.rglob("*")
    }


def test_the_copy_holds_the_files_that_are_not_ignored_with_fixed_modes_and_times(project: Path) -> None:
    context = prepare(project)
    assert listing(project / context.path) == {
        "Dockerfile": "100644 0 FROM scratch\n",
        "app": "40755 0 ",
        "app/app.js": "100644 0 one\n",
        "app/run.sh": "100755 0 #!/bin/sh\n",
        "app/views": "40755 0 ",
        "app/views/home.html": "100644 0 <p>\n",
    }
    assert context.path == f".build/context/{context.digest[:12]}"
    assert context.dockerfile == f"{context.path}/Dockerfile"


def test_two_checkouts_under_different_umasks_give_the_same_inputs(tmp_path: Path) -> None:
    # A process each, since a umask belongs to a process; real checkouts, since git makes files by the umask.
    origin = checkout(tmp_path / "origin")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(origin)]
    for command in (["init", "-q"], ["add", "-f", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *command], check=True)
    program = (
        "import dataclasses, json, os, subprocess, sys; from pathlib import Path\n"
        "from infra.build_context import prepare_context\n"
        "origin, target, umask = sys.argv[1:]\n"
        "os.umask(int(umask, 8))\n"
        "subprocess.run(['git', 'clone', '-q', origin, target], check=True)\n"
        "context = prepare_context(Path(target), folder='.', dockerfile='Dockerfile')\n"
        "print(json.dumps(dataclasses.asdict(context)))\n"
    )
    answers = {}
    modes = {}
    for umask in ("022", "077", "002"):
        target = tmp_path / f"checkout-{umask}"
        done = subprocess.run(
            [sys.executable, "-c", program, str(origin), str(target), umask],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        answers[umask] = json.loads(done.stdout)
        modes[umask] = stat.S_IMODE((target / "app/app.js").stat().st_mode)
        if umask != "022":
            first = tmp_path / "checkout-022" / answers["022"]["path"]
            assert listing(target / answers[umask]["path"]) == listing(first)
    assert len(set(modes.values())) == 3, "the checkouts really differ"
    assert answers["022"] == answers["077"] == answers["002"]


def test_a_changed_file_changes_the_digest_and_an_ignored_one_does_not(project: Path) -> None:
    before = prepare(project)
    (project / "secret.txt").write_text("other")
    (project / "app/node_modules/new.js").write_text("new")
    assert prepare(project) == before
    (project / "app/app.js").write_text("two\n")
    assert prepare(project).digest != before.digest


def test_the_owners_execute_bit_counts_and_no_other(project: Path) -> None:
    before = prepare(project)
    (project / "app/app.js").chmod(0o654)
    assert prepare(project) == before
    (project / "app/app.js").chmod(0o744)
    assert prepare(project).digest != before.digest


def test_a_renamed_file_and_an_added_empty_one_change_the_digest(project: Path) -> None:
    before = prepare(project)
    (project / "app/empty").touch()
    added = prepare(project)
    (project / "app/empty").rename(project / "app/empty2")
    assert len({before.digest, added.digest, prepare(project).digest}) == 3


def test_empty_folders_do_not_count_since_git_keeps_none(project: Path) -> None:
    before = prepare(project)
    (project / "app/empty").mkdir()
    assert prepare(project) == before


def test_links_inside_the_context_are_kept(project: Path) -> None:
    (project / "app/current.js").symlink_to("app.js")
    (project / "app/templates").symlink_to("views")
    copy = project / prepare(project).path
    assert (copy / "app/current.js").readlink() == Path("app.js")
    assert (copy / "app/templates/home.html").read_text() == "<p>\n"


def test_a_link_that_points_elsewhere_inside_changes_the_digest(project: Path) -> None:
    link = project / "app/templates"
    link.symlink_to("views")
    before = prepare(project)
    link.unlink()
    link.symlink_to("../app")
    assert prepare(project).digest != before.digest


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("nowhere.js", "which the context does not have"),
        ("../secret.txt", "which the context does not have"),
        ("../../outside", "which is outside the build context"),
        ("/etc/hostname", "an absolute path"),
    ],
)
def test_a_link_that_leads_out_or_nowhere_is_an_error_that_names_it(project: Path, target: str, why: str) -> None:
    (project / "app/link").symlink_to(target)
    with pytest.raises(BuildContextError) as failed:
        prepare(project)
    assert str(failed.value).startswith(f"app/link links to {target}, {why}; point it to")


def test_a_link_through_a_linked_folder_leads_where_the_kernel_leads_it(project: Path) -> None:
    (project / "app/deep/sub").mkdir(parents=True)
    (project / "app/deep/file.js").write_text("deep\n")
    (project / "app/deep/sub/file.js").write_text("sub\n")
    (project / "app/linked").symlink_to("deep/sub")
    (project / "app/through.js").symlink_to("linked/file.js")
    (project / "app/above.js").symlink_to("linked/../file.js")
    copy = project / prepare(project).path
    assert (copy / "app/through.js").read_text() == "sub\n"
    assert (copy / "app/above.js").read_text() == "deep\n"


def test_links_in_a_circle_are_an_error(project: Path) -> None:
    (project / "app/one").symlink_to("two")
    (project / "app/two").symlink_to("one")
    with pytest.raises(BuildContextError, match=r"^app/one links to two, which leads in a circle; point it to"):
        prepare(project)


def test_a_link_that_takes_a_file_for_a_folder_is_an_error(project: Path) -> None:
    (project / "app/link").symlink_to("app.js/../run.sh")
    with pytest.raises(BuildContextError, match=r"^app/link links to app.js/../run.sh, which the context does not"):
        prepare(project)


def test_a_name_that_is_not_utf_8_is_an_error_that_names_it_in_utf_8(project: Path) -> None:
    bad = project / os.fsdecode(b"app/caf\xe9.js")
    bad.touch()
    with pytest.raises(BuildContextError, match=r"^app/caf\\xe9\.js has a name that is not UTF-8; rename it or add it"):
        prepare(project)
    bad.unlink()
    (project / "app/link").symlink_to(os.fsdecode(b"caf\xe9.js"))
    with pytest.raises(BuildContextError, match=r"^app/link links to caf\\xe9\.js, which is not UTF-8; point it"):
        prepare(project)


def test_a_dockerignore_that_cannot_be_read_is_an_error_that_names_its_line(project: Path) -> None:
    for line in ("\\", "!app\\", "[z-a]"):
        (project / ".dockerignore").write_text(f"*\n!app\n{line}\n")
        with pytest.raises(BuildContextError) as failed:
            prepare(project)
        assert str(failed.value).startswith(f".dockerignore, line 3: {line!r} is no pattern, ")
        assert failed.value.__suppress_context__
    (project / ".dockerignore").write_bytes(b"caf\xe9\n")
    with pytest.raises(BuildContextError, match=r"^\.dockerignore is not UTF-8; save it as UTF-8"):
        prepare(project)


def test_the_ignore_file_named_after_the_dockerfile_wins(project: Path) -> None:
    (project / "prod.Dockerfile").write_text("FROM scratch\n")
    (project / "prod.Dockerfile.dockerignore").write_text("*\n!secret.txt\n")
    copy = project / prepare(project, dockerfile="prod.Dockerfile").path
    assert sorted(path.name for path in copy.iterdir()) == ["prod.Dockerfile", "secret.txt"]
    assert not (project / prepare(project).path / "secret.txt").exists(), "the other Dockerfile has the other"


def test_an_ignore_file_that_was_not_read_here_is_not_left_for_the_provider_to_read(project: Path) -> None:
    (project / "prod.Dockerfile").write_text("FROM scratch\n")
    (project / "prod.Dockerfile.dockerignore").write_text("*\n!app\n!.dockerignore\n")
    (project / ".dockerignore").write_text("app\n")
    copy = project / prepare(project, dockerfile="prod.Dockerfile").path
    assert not (copy / ".dockerignore").exists()
    (project / ".dockerignore").write_text("docs\n")
    assert (project / prepare(project, dockerfile="prod.Dockerfile").path / ".dockerignore").exists()


def test_an_ignore_file_that_the_provider_reads_otherwise_is_not_left_for_it(project: Path) -> None:
    # It makes its archive by the classic builder's rules: no wildcard brings back what lies in an excluded folder.
    (project / ".dockerignore").write_text("app/views\n!**/*.html\n")
    copy = project / prepare(project).path
    assert (copy / "app/views/home.html").exists()
    assert not (copy / ".dockerignore").exists()


NEVER = [
    ".git/config",
    ".sandbox/keys/aws",
    ".venv/bin/python",
    ".pulumi/stacks/dev.json",
    "Pulumi.dev.yaml",
    "Pulumi.prod.yml",
    "Pulumi.eu.json",
    "app/.git",
    "app/config/Pulumi.dev.yaml",
]


@pytest.mark.parametrize("text", [None, "", "!.git\n!**/Pulumi*\n!.sandbox/keys\n!**\n"])
def test_history_state_keys_and_tools_never_reach_a_build(project: Path, text: str | None) -> None:
    (project / ".dockerignore").unlink()
    if text is not None:
        (project / ".dockerignore").write_text(text)
    for name in NEVER:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("never\n")
    (project / "Pulumi.yaml").write_text("name: x\n")
    first = prepare(project)
    names = {path.relative_to(project / first.path).as_posix() for path in (project / first.path).rglob("*")}
    assert not {name for name in names if name.startswith((".git", ".sandbox", ".venv", ".pulumi", ".build"))}
    assert not names & set(NEVER)
    assert {"Pulumi.yaml", "secret.txt", "app/node_modules/left.js"} <= names
    assert prepare(project) == first, "and so another run has the same tag"


SUSPECTS = {
    "app/.env": "A=1\n",
    "app/.env.production": "A=1\n",
    "app/conf/prod.env": "A=1\n",
    "app/id_ed25519": "x\n",
    "app/key.pem": "-----BEGIN RSA PRIVATE KEY-----\n",
    "app/aws/credentials": "[default]\n",
    "app/.npmrc": "//registry.example.com/:_authToken=abc\n",
    "app/service.json": '{"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----"}',
    "app/.envrc": "export A=1\n",
    "app/PROD.ENV": "A=1\n",
    "app/ci_accessKeys.csv": "Access key ID,Secret access key\n",
    "app/run/start.sh": f"export AWS_SECRET_ACCESS_KEY='{'Ab1/' * 10}'\n",
    "app/aws.ini": "[default]\naws_secret_access_key = x\n",
    "app/gcloud/application_default_credentials.json": "{}",
}
INNOCENT = {
    "app/.env.example": "A=\n",
    "app/ca.pem": "-----BEGIN CERTIFICATE-----\n",
    "app/.npmrc.sample": "//registry.example.com/:_authToken=${NPM_TOKEN}\n",
    "app/environment.js": "x\n",
    "app/run/ci.sh": 'export AWS_SECRET_ACCESS_KEY="$SECRET"\n',
    "app/credentials.js": "x\n",
    "app/client.py": "client(\n    aws_secret_access_key=environment['KEY'],\n)\n",
}


def test_what_looks_like_a_secret_is_a_warning_with_its_path(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(project)
    assert capsys.readouterr().err == ""
    for name, text in {**SUSPECTS, **INNOCENT}.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    prepare(project)
    said = capsys.readouterr().err
    assert said.count("the build context holds what looks like a secret: ") == 1
    assert "; add it to .dockerignore" in said
    named = said.partition("secret: ")[2].partition(";")[0]
    assert named.endswith(f" and {len(SUSPECTS) - 10} more")
    assert set(named.partition(" and ")[0].split(", ")) < set(SUSPECTS)
    assert set(suspicious(project, [*SUSPECTS, *INNOCENT])) == set(SUSPECTS)
    (project / ".dockerignore").write_text("*\n!app/app.js\n")
    prepare(project)
    assert capsys.readouterr().err == ""


UNPRIVILEGED = """
import sys
from pathlib import Path
from infra.build_context import BuildContextError, prepare_context
try:
    prepare_context(Path(sys.argv[1]), folder=".", dockerfile="Dockerfile")
except BuildContextError as error:
    print(error, end="")
"""


def message(project: Path) -> str:
    """What a user without root's right to read and write everything is told."""
    without = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*without, sys.executable, "-c", UNPRIVILEGED, str(project)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.stderr == ""
    return done.stdout


WRITABLE = (
    "the build context is copied to .build/context of the project: let this user write there, with room for the copy"
)


@pytest.mark.parametrize(
    ("name", "mode", "expected"),
    [
        ("app/app.js", 0, "app/app.js cannot be read (permission denied); let this user read it, or add it to IGNORE"),
        ("app/views", 0, "app/views cannot be read (permission denied); let this user read it, or add it to IGNORE"),
        (".", 0o300, ". cannot be read (permission denied); let this user read it"),
        ("Dockerfile", 0, "Dockerfile cannot be read (permission denied); let this user read it"),
        (".dockerignore", 0, "IGNORE cannot be read (permission denied); let this user read it, or remove it"),
        ("app/node_modules", 0, ""),
        (".", 0o500, f"PROJECT/.build cannot be written (permission denied); {WRITABLE}"),
    ],
)
def test_what_cannot_be_read_or_written_is_one_error_with_its_path_and_a_remedy(
    project: Path, name: str, mode: int, expected: str
) -> None:
    before = (project / name).stat().st_mode
    (project / name).chmod(mode)
    try:
        assert message(project).replace(str(project), "PROJECT").replace(".dockerignore", "IGNORE") == expected
    finally:
        (project / name).chmod(before)


def test_a_dockerfile_or_an_ignore_file_that_is_a_folder_or_a_pipe_is_an_error(project: Path) -> None:
    (project / "Folder").mkdir()
    with pytest.raises(BuildContextError, match=r'^app-one:dockerfile = "Folder": must be a file'):
        prepare(project, dockerfile="Folder")
    (project / "Loop").symlink_to("Loop")
    with pytest.raises(BuildContextError, match=r'^app-one:dockerfile = "Loop": must be a file'):
        prepare(project, dockerfile="Loop")
    for make in (Path.mkdir, os.mkfifo):
        (project / "Dockerfile.dockerignore").unlink(missing_ok=True)
        make(project / "Dockerfile.dockerignore")
        with pytest.raises(BuildContextError, match=r"^Dockerfile.dockerignore is no file; make it a file"):
            prepare(project)
        if make is Path.mkdir:
            (project / "Dockerfile.dockerignore").rmdir()


def test_an_ignored_link_may_lead_anywhere(project: Path) -> None:
    (project / "app/node_modules/link").symlink_to("/nowhere")
    prepare(project)


def test_a_socket_or_pipe_is_an_error_that_names_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(project / "app/pipe")
    with pytest.raises(BuildContextError, match=r"^app/pipe is no file, folder or link; remove it or add it to"):
        prepare(project)
    (project / "app/pipe").unlink()
    monkeypatch.chdir(project / "app")  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        with pytest.raises(BuildContextError, match=r"^app/socket is no file"):
            prepare(project)


def test_a_missing_folder_or_dockerfile_is_an_error_that_names_the_setting(project: Path) -> None:
    with pytest.raises(BuildContextError, match=r'^app-one:buildContext = "web": must be a folder .*; for example \.$'):
        prepare(project, folder="web")
    with pytest.raises(BuildContextError) as failed:
        prepare(project, dockerfile="Containerfile")
    assert str(failed.value) == (
        'app-one:dockerfile = "Containerfile": must be a file of app-one:buildContext, which is "."; '
        "for example Dockerfile"
    )


@pytest.mark.parametrize("folder", [".sandbox/keys", ".git", "app/.venv", ".build/context", "./.build"])
def test_a_folder_that_never_reaches_a_build_is_no_context(project: Path, folder: str) -> None:
    (project / folder).mkdir(parents=True)
    (project / folder / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(
        BuildContextError, match=r'^app-one:buildContext = ".*": .* never reach a build; for example \.$'
    ):
        prepare(project, folder=folder)


def test_a_context_that_a_link_leads_to_is_one_of_the_project(project: Path, tmp_path: Path) -> None:
    (project / "here").symlink_to(".")
    (project / "keys").symlink_to(".sandbox")
    (project / "out").symlink_to(tmp_path)
    (project / ".sandbox").mkdir()
    for folder in (tmp_path, project / ".sandbox"):
        (folder / "Dockerfile").write_text("FROM scratch\n")
    assert prepare(project, folder="here").digest == prepare(project, folder="here").digest
    with pytest.raises(BuildContextError, match=r'^app-one:buildContext = "out": must be a folder of the project'):
        prepare(project, folder="out")
    with pytest.raises(BuildContextError, match=r'^app-one:buildContext = "keys": .* never reach a build'):
        prepare(project, folder="keys")


def test_the_dockerfile_is_there_even_where_it_or_its_folder_is_ignored(project: Path) -> None:
    (project / "docker/build").mkdir(parents=True)
    (project / "docker/build/Dockerfile").write_text("FROM scratch\n")
    context = prepare(project, dockerfile="docker/build/Dockerfile")
    assert (project / context.dockerfile).read_text() == "FROM scratch\n"


def test_the_context_may_be_a_folder_of_its_own_with_its_own_dockerignore(project: Path) -> None:
    (project / "app/Dockerfile").write_text("FROM scratch\n")
    (project / "app/.dockerignore").write_text("node_modules\n")
    copy = project / prepare(project, folder="app").path
    assert sorted(path.name for path in copy.iterdir()) == [".dockerignore", "Dockerfile", "app.js", "run.sh", "views"]


def test_the_store_is_no_part_of_the_context_and_git_does_not_see_it(project: Path) -> None:
    (project / ".dockerignore").unlink()
    first = prepare(project)
    assert prepare(project) == first
    assert not (project / first.path / ".build").exists()
    subprocess.run(["git", "-C", str(project), "init", "-q"], check=True)
    status = subprocess.run(
        ["git", "-C", str(project), "status", "--short"], check=True, capture_output=True, text=True
    ).stdout
    assert ".build" not in status


def test_a_second_run_uses_the_copy_that_is_there(project: Path) -> None:
    copy = project / prepare(project).path
    inode = copy.stat().st_ino
    prepare(project)
    assert copy.stat().st_ino == inode
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_a_copy_that_somebody_wrote_into_is_made_anew(project: Path) -> None:
    copy = project / prepare(project).path
    (copy / "app/app.js").write_text("changed")
    (copy / "app/extra.js").write_text("extra")
    prepare(project)
    assert (copy / "app/app.js").read_text() == "one\n"
    assert not (copy / "app/extra.js").exists()


def test_runs_at_the_same_time_do_not_hurt_each_other(project: Path) -> None:
    with ThreadPoolExecutor(max_workers=8) as pool:
        contexts = list(pool.map(lambda _: prepare(project), range(32)))
    assert len(set(contexts)) == 1
    copy = project / contexts[0].path
    assert (copy / "app/app.js").read_text() == "one\n"
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_copies_that_no_run_used_for_a_day_are_removed_and_younger_ones_stay(project: Path) -> None:
    old = project / prepare(project).path
    (project / "app/app.js").write_text("two\n")
    young = project / prepare(project).path
    (project / "app/app.js").write_text("three\n")
    half = old.parent / "new-interrupted"
    half.mkdir()
    for path in (old, half):
        os.utime(path, (0, 0))
    newest = project / prepare(project).path
    assert sorted(old.parent.iterdir()) == sorted([young, newest])
