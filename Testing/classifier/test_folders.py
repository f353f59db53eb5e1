"""Files in folders, wherever links lead."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ACNetLib.folders import files_in
from ACNetLib.inference.exam_input import read_exam
from ACNetLib.sample_data import sample_cases
from ACNetLib.triage.look import PassedOver
from ACNetLib.triage.studies import find_studies


def link(place: Path, target: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.symlink_to(target, target_is_directory=target.is_dir())
    except OSError:
        pytest.skip("this user may make no links")
    return place


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A study elsewhere."""
    return Path(shutil.copytree(sample_cases()[1].folder, tmp_path / "archive" / "exam"))


def test_a_linked_study_is_a_study(tmp_path: Path, archive: Path) -> None:
    link(tmp_path / "inbox" / "exam", archive)
    (study,) = find_studies(tmp_path / "inbox", tmp_path / "list")
    assert [file.parent for file in study.files] == [tmp_path / "inbox" / "exam"] * 3
    (t1_map,) = read_exam([tmp_path / "inbox"])
    assert t1_map.section_count == 3


def test_files_that_are_links_one_by_one_are_a_study(tmp_path: Path, archive: Path) -> None:
    for file in archive.iterdir():
        link(tmp_path / "inbox" / file.name, file)
    (study,) = find_studies(tmp_path / "inbox", tmp_path / "list")
    assert len(study.files) == 3


def test_what_is_reached_several_times_counts_once_by_the_path_without_a_link(tmp_path: Path, archive: Path) -> None:
    folder = archive.parent
    link(folder / "a link to the exam", archive)
    link(folder / "another", archive)
    link(folder / "a file.dcm", next(archive.iterdir()))
    link(archive / "up", folder)  # an endless way
    link(archive / "self", archive)
    assert sorted(files_in(folder)) == sorted(file for file in archive.iterdir() if file.suffix == ".dcm")
    (study,) = find_studies(folder, tmp_path / "list")
    assert len(study.files) == 3


def test_a_link_that_leads_nowhere_is_told_and_ends_nothing(tmp_path: Path, archive: Path) -> None:
    nowhere = link(archive / "nowhere.dcm", tmp_path / "gone.dcm")
    passed = PassedOver()
    (study,) = find_studies(archive, tmp_path / "list", passed=passed)
    assert (len(study.files), passed.unread) == (3, [nowhere])
    (t1_map,) = read_exam([archive])
    assert t1_map.section_count == 3


def test_hidden_files_and_what_is_chosen_against_are_left_out(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", ".hidden.txt", ".git/c.txt", "out/d.txt", "in/e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = files_in(tmp_path, lambda _place, folders, _files: folders.remove("out") if "out" in folders else None)
    assert [file.name for file in found] == ["a.txt", "b.txt", "e.txt"]
