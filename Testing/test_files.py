"""Files are either whole or not there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ACNetLib.errors import ACNetError
from ACNetLib.files import atomic_path, require_empty_folder, write_text_atomically


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
