"""An image made here depends on its content alone."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

from sandbox.image_archive import Layer, write


def _members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: member for member in archive}


def _written(layer: Layer) -> tuple[str, bytes]:
    output = io.BytesIO()
    return write(output, "hello:1", layer, "amd64", {"Cmd": ["hello"]}), output.getvalue()


def test_the_order_of_adding_does_not_show() -> None:
    one, other = Layer(), Layer()
    one.file("a", b"1")
    one.file("b/c", b"2")
    other.file("b/c", b"2")
    other.file("a", b"1")
    assert _written(one) == _written(other)


def test_another_content_is_another_image() -> None:
    one, other = Layer(), Layer()
    one.file("a", b"1")
    other.file("a", b"2")
    assert _written(one)[0] != _written(other)[0]


def test_the_id_is_the_digest_of_the_config_which_names_the_layer() -> None:
    layer = Layer()
    layer.file("a", b"1")
    identifier, archive = _written(layer)
    with tarfile.open(fileobj=io.BytesIO(archive)) as parts:
        content = {member.name: parts.extractfile(member) for member in parts}
        read = {name: file.read() for name, file in content.items() if file}
    (manifest,) = json.loads(read["manifest.json"])
    config = read[manifest["Config"]]
    assert identifier == f"sha256:{hashlib.sha256(config).hexdigest()}"
    assert manifest["RepoTags"] == ["hello:1"]
    assert json.loads(config)["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(read['layer.tar']).hexdigest()}"]


def test_a_later_file_replaces_an_earlier_one() -> None:
    layer = Layer()
    layer.file("etc/passwd", b"old")
    layer.file("etc/passwd", b"new")
    assert layer.content("etc/passwd") == b"new"
    assert list(_members(layer.tar())).count("etc/passwd") == 1


def test_programs_of_packages_from_before_the_merge_land_in_usr() -> None:
    layer = Layer()
    layer.file("bin/sh", b"", mode=0o755)
    members = _members(layer.tar())
    assert "usr/bin/sh" in members
    assert members["bin"].issym()
    assert members["bin"].linkname == "usr/bin"
    assert "bin/sh" in layer


def test_folders_above_a_file_are_there_before_it() -> None:
    layer = Layer()
    layer.file("home/node/x/y", b"")
    names = list(_members(layer.tar()))
    assert names.index("home") < names.index("home/node") < names.index("home/node/x") < names.index("home/node/x/y")


def test_entries_carry_no_time_and_no_name_of_a_user() -> None:
    layer = Layer()
    layer.folder("home/node", owner=1000)
    layer.file("a", b"1")
    for member in _members(layer.tar()).values():
        assert (member.mtime, member.uname, member.gname) == (0, "", "")
    assert _members(layer.tar())["home/node"].uid == 1000
