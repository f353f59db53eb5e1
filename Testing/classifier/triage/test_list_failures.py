"""Disks that are gone, full or broken for a while: what is done stays, and what was not done is tried again."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from ACNetLib.dicom import images as dicom_images
from ACNetLib.errors import ACNetError, NotNow
from ACNetLib.files import write_json
from ACNetLib.triage import answer as answers
from ACNetLib.triage.answer import STATE, Choices, answer, kept_row
from ACNetLib.triage.rows import Row
from ACNetLib.triage.studies import Study, find_studies
from ACNetLib.triage.study_marks import ROW_FILE, is_read, mark_read
from dicom_files import RAMP, RAW_TYPE, write_section
from disks import disconnected, files_of_at_most

NAME = "study-1"


@pytest.fixture
def a_study_of_files(tmp_path: Path) -> Study:
    """Of images that are no T1 map, which is soon answered."""
    write_section(tmp_path / "ward" / "a.dcm", RAMP, PatientID="p1", ImageType=RAW_TYPE, SeriesDescription="cine")
    (study,) = find_studies(tmp_path / "ward", tmp_path / "list")
    return study


@pytest.fixture
def done(tmp_path: Path, a_study_of_files: Study) -> Path:
    """The folder of the study's answer, read by somebody and sent."""
    folder = tmp_path / "list" / "studies" / NAME
    write_json(folder / ROW_FILE, {STATE: a_study_of_files.state(), "row": Row(NAME, "dcm", 0.97).values()})
    mark_read(folder, True)
    write_json(folder / "sent.json", {})
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_study_whose_disk_goes_while_it_is_looked_at_keeps_its_answer_mark_and_record_of_sending(
    a_study_of_files: Study, done: Path, tmp_path: Path
) -> None:
    before, choices = content(done), Choices(done.parent)
    with disconnected(tmp_path / "ward"):
        row = kept_row(a_study_of_files, NAME, Choices(done.parent))
        assert row is not None
        assert row.answer == "dcm"
        assert answer(a_study_of_files, NAME, choices).answer == "no answer"
    assert content(done) == before
    (tmp_path / "ward").rename(tmp_path / "away")
    assert kept_row(a_study_of_files, NAME, Choices(done.parent)) == row
    assert "can't be read" in answer(a_study_of_files, NAME, choices).reason
    assert content(done) == before


def test_an_answer_that_can_not_be_looked_at_is_not_taken_for_none(a_study_of_files: Study, done: Path) -> None:
    with disconnected(done.parent), pytest.raises(NotNow, match=r"row\.json: it can't be read"):
        kept_row(a_study_of_files, NAME, Choices(done.parent))


def failing(error: Exception) -> Any:
    def fail(*_arguments: Any, **_named: Any) -> Any:
        raise error

    return fail


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_what_fails_once_while_images_are_read_is_no_lasting_answer(
    a_study_of_files: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    studies = tmp_path / "list" / "studies"
    with monkeypatch.context() as broken:
        broken.setattr(dicom_images, "read_dataset", failing(OSError(number, os.strerror(number))))
        row = answer(a_study_of_files, NAME, Choices(studies))
    assert row.answer == "no answer"
    assert "can't be read" in row.reason
    assert kept_row(a_study_of_files, NAME, Choices(studies)) is None
    assert answer(a_study_of_files, NAME, Choices(studies)).answer == "no T1 map"
    kept = kept_row(a_study_of_files, NAME, Choices(studies))
    assert kept is not None
    assert kept.answer == "no T1 map"


def test_a_model_or_device_that_fails_is_no_lasting_answer(
    a_study_of_files: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_section(a_study_of_files.files[0], RAMP, PatientID="p1")
    monkeypatch.setattr(answers, "_classifier", failing(ACNetError("device: none.")))
    row = answer(a_study_of_files, NAME, Choices(tmp_path / "list" / "studies", model="a-model"))
    assert (row.answer, row.reason) == ("no answer", "device: none.")
    assert kept_row(a_study_of_files, NAME, Choices(tmp_path / "list" / "studies")) is None


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_a_full_disk_leaves_the_answer_before_and_is_tried_again(a_study_of_files: Study, done: Path) -> None:
    os.utime(a_study_of_files.files[0])  # changed, so that it is answered anew
    assert kept_row(a_study_of_files, NAME, Choices(done.parent)) is None
    before = content(done)
    with files_of_at_most(10):
        row = answer(a_study_of_files, NAME, Choices(done.parent))
    assert row.reason.startswith("Its folder in the list: it can't be written (File too large).")
    assert not is_read(done), "it was of other images"
    mark_read(done, True)
    assert content(done) == before
    assert [folder.name for folder in done.parent.iterdir()] == [NAME]
    assert answer(a_study_of_files, NAME, Choices(done.parent)).answer == "no T1 map"
    assert [file.name for file in done.iterdir()] == [ROW_FILE]
