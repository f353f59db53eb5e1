"""Files are either whole or not there."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from ACNetLib import files
from ACNetLib.errors import ACNetError
from ACNetLib.files import (
    atomic_folder,
    atomic_path,
    damage_named,
    read_json,
    require_empty_folder,
    require_writable,
    write_json,
    write_text_atomically,
)


def test_the_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "map.nii.gz"
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists()
        assert temporary.parent == path.parent, "on another disk it could not be moved in one step"
        assert temporary.suffixes == path.suffixes, "writers choose the format by it"
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_keeps_the_old_file_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")

    def write_half() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_before_the_first_byte_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="on purpose"), atomic_path(tmp_path / "result.json"):
        raise RuntimeError("on purpose")
    assert list(tmp_path.iterdir()) == []


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    with atomic_path(path) as first, atomic_path(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first", "the last one to finish"
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_the_same_bytes_on_every_system(tmp_path: Path) -> None:
    write_text_atomically(tmp_path / "text.csv", "Größe\nµm\n")
    assert (tmp_path / "text.csv").read_bytes() == "Größe\nµm\n".encode()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_others_may_read_what_the_folder_lets_them(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text_atomically(tmp_path / "shared.csv", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "shared.csv").stat().st_mode & 0o777 == 0o640


def test_only_a_new_or_an_empty_folder_counts_as_empty(tmp_path: Path) -> None:
    require_empty_folder(tmp_path / "new")
    require_empty_folder(tmp_path)
    (tmp_path / "file").touch()
    for taken in (tmp_path, tmp_path / "file"):
        with pytest.raises(ACNetError, match="nothing is overwritten"):
            require_empty_folder(taken)


def test_what_can_not_be_written_is_said_before_the_work_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    for path, reason in (
        (tmp_path / "file" / "below" / "model.safetensors", "Not a directory"),
        (tmp_path / f"{'x' * 300}.json", "File name too long"),
        (tmp_path / "new" / ("z" * 300) / "metrics.json", "File name too long"),
        (tmp_path / "/".join(["y" * 200] * 30) / "metrics.json", "File name too long"),
        (tmp_path, "it is a folder"),
    ):
        with pytest.raises(ACNetError, match=reason):
            require_writable(path)
        if path != tmp_path:
            with pytest.raises(ACNetError, match=reason):
                require_empty_folder(path)
    require_writable(tmp_path / "new" / "folder" / "metrics.json", None, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_an_output_whose_path_is_no_text_is_refused_before_the_work(tmp_path: Path) -> None:
    output = tmp_path / b"M\xfcller".decode("utf-8", "surrogateescape")  # as Python reads a Latin-1 name on Linux
    for ask in (require_empty_folder, require_writable):
        with pytest.raises(ACNetError, match=r"M\?ller: bytes in it are no text; expected a path in UTF-8\."):
            ask(output)


def test_commands_that_begin_together_do_not_take_each_others_new_folder(tmp_path: Path) -> None:
    """`make -j2 models` on a new machine: two commands, both below a folder that neither finds."""
    outputs = [tmp_path / "build" / "models" / name / "cases.csv" for name in ("training", "judging")]
    barrier = Barrier(len(outputs))

    def begin(output: Path) -> None:
        for _ in range(200):
            barrier.wait(timeout=10)
            require_writable(output)

    with ThreadPoolExecutor(len(outputs)) as pool:
        list(pool.map(begin, outputs))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="no such permissions for this user")
def test_a_folder_that_may_not_be_changed_is_said_before_the_work(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ACNetError, match="Permission denied"):
        require_writable(tmp_path / "metrics.json")


@pytest.mark.parametrize("is_there", [False, True], ids=["new", "empty"])
def test_a_folder_appears_only_when_it_is_whole(tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path / "result"
    if is_there:
        (folder / ".writing-of-a-killed-process").mkdir(parents=True)
    inode = folder.stat().st_ino if is_there else None
    with atomic_folder(folder) as room:
        (room / "b").write_text("first")
        (room / "images").mkdir()
        assert not (folder / "b").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["b", "images"]
    assert list(tmp_path.iterdir()) == [folder]
    if is_there:
        assert folder.stat().st_ino == inode, "it may be a mounted disk"


def test_a_folder_takes_its_place_when_all_its_files_are_on_the_disk_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed = list[int]()

    def fsync(descriptor: int, real: Callable[[int], None] = os.fsync) -> None:
        assert not (tmp_path / "result").exists()
        flushed.append(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with atomic_folder(tmp_path / "result") as room:
        write_json(room / "result.json", {})
        (room / "picture.jpg").write_bytes(b"picture")
        with atomic_folder(room / "inner") as inner:
            write_json(inner / "row.json", {})
        assert flushed == []
    files = [path.stat().st_ino for path in (tmp_path / "result").rglob("*") if path.is_file()]
    assert sorted(flushed) == sorted(files)


@pytest.mark.parametrize("is_there", [False, True], ids=["new", "empty"])
def test_of_a_folder_that_fails_nothing_is_left_and_it_can_be_made_again(tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path / "result"
    if is_there:
        folder.mkdir()

    def write_half() -> None:
        with atomic_folder(folder) as room:
            (room / "half").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert [*tmp_path.rglob("*")] == ([folder] if is_there else [])
    require_empty_folder(folder)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "it is damaged"),
        ("[1]", "found list, expected a table"),
        ('{"a": ' + "9" * 5000 + "}", "it is damaged"),
        ("[" * 100_000, "it is damaged"),
    ],
    ids=["cut off", "no table", "a number without end", "nested without end"],
)
def test_a_damaged_file_of_ours_is_one_line_with_the_remedy(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "runs.json").write_text(text)
    with pytest.raises(ACNetError, match=rf"runs\.json: .*{reason}.* Run it again\.$") as error:
        read_json(tmp_path / "runs.json", "Run it again.")
    assert "\n" not in str(error.value)


def test_a_wrong_value_in_a_file_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    said = r"a: a value in it is missing or wrong \(KeyError: 'runs'\)\. Again\."
    with pytest.raises(ACNetError, match=said), damage_named(Path("a"), "Again."):
        raise KeyError("runs")


def test_a_file_that_is_open_elsewhere_is_waited_for_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where no file is replaced that is open."""
    path, replace, refusals = tmp_path / "worklist.csv", Path.replace, [1, 1]

    def refuse_a_while(self: Path, target: Path) -> Path:
        if refusals and refusals.pop():
            raise PermissionError(errno.EACCES, "Permission denied", str(self), None, str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse_a_while)
    write_text_atomically(path, "new")
    assert path.read_text() == "new"
    monkeypatch.setattr(files, "SECONDS_TO_REPLACE", 0.1)
    refusals += [1] * 1000
    with pytest.raises(PermissionError) as refused:
        write_text_atomically(path, "newer")
    assert (refused.value.filename, refused.value.filename2) == (str(path), None)
    assert [file.name for file in tmp_path.iterdir()] == ["worklist.csv"]
    assert path.read_text() == "new"
