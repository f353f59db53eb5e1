"""Names with other letters than ASCII in a list, and files whose names are no text, as of a Windows archive that was
unpacked on Linux.
"""

from __future__ import annotations

import csv
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.commands.main import main
from ACNetLib.sample_data import sample_cases
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetLib.triage.reading_list import write_rows
from ACNetLib.triage.rows import Row, read_worklist_csv
from ACNetLib.triage.studies import find_studies

MUELLER = b"M\xfcller".decode("utf-8", "surrogateescape")
NORMAL = sample_cases()[0]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A map of that name, and the beginning of one."""
    if sys.platform != "linux":
        pytest.skip("the system has no such names")
    folder = tmp_path / "inbox"
    folder.mkdir()
    shutil.copy(NORMAL.volume, folder / f"{MUELLER}.nrrd")
    (folder / "other.nrrd").write_bytes(NORMAL.volume.read_bytes()[:200])
    return folder


def test_a_name_that_is_no_text_is_shown_with_question_marks(inbox: Path, tmp_path: Path) -> None:
    output = tmp_path / "list"
    assert main(["triage", str(inbox), "--output", str(output), "--device", "cpu", "--identify", "id"]) == 0
    rows = {row["patient"]: row for row in csv.DictReader((output / "worklist.csv").open(encoding="utf-8-sig"))}
    assert {patient: row["answer"] for patient, row in rows.items()} == {
        "M?ller.nrrd": "normal",
        "other.nrrd": "no answer",
    }
    assert "M?ller.nrrd" in (output / "worklist.html").read_text(encoding="utf-8")
    assert read_t1_map(inbox / f"{MUELLER}.nrrd").name == "M?ller.nrrd"


def test_what_is_said_of_such_a_study_names_it_to_nobody_else(inbox: Path) -> None:
    study = next(study for study in find_studies(inbox, inbox / "list") if study.patient("id") == "M?ller.nrrd")
    said = "M?ller.nrrd: there is no slice 7."
    assert study.without_names(said) == "file 1 of 1: there is no slice 7."
    assert study.with_names("file 1 of 1", inbox) == "M?ller.nrrd"


def test_no_name_of_a_file_that_is_read_with_a_volume_is_in_a_list_that_shows_no_patient(tmp_path: Path) -> None:
    """A damaged JSON file beside the one, pixels of the other that are not there, or are said to be elsewhere."""
    inbox, output = tmp_path / "inbox", tmp_path / "list"
    inbox.mkdir()
    shutil.copy(NORMAL.volume, inbox / "DoeJane.nrrd")
    (inbox / "DoeJane.json").write_text("{")
    for name, pixels in (("1", "DoeJane.raw"), ("2", "/DoeJane/map.raw")):
        sitk.WriteImage(sitk.GetImageFromArray(np.ones((3, 20, 20), np.int16)), str(inbox / f"{name}.mhd"))
        header = (inbox / f"{name}.mhd").read_text()
        (inbox / f"{name}.mhd").write_text(header.replace(f"{name}.raw", pixels))
    assert main(["triage", str(inbox), "--output", str(output), "--device", "cpu", "--processes", "1"]) == 0
    rows = read_worklist_csv(output / "worklist.csv")
    assert [row.answer for row in rows] == ["no answer", "no answer", "normal"]
    assert "The JSON file beside it can't be read" in rows[2].warnings[0]
    assert [file for file in output.rglob("*") if file.is_file() and b"DoeJane" in file.read_bytes()] == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_table_is_read_with_the_mark_that_excel_wants_and_as_earlier_versions_wrote_it(
    tmp_path: Path, encoding: str
) -> None:
    (row,) = write_rows(tmp_path, [Row("study-1", "dcm", 0.9, patient="Müller")])
    content = (tmp_path / "worklist.csv").read_bytes()
    assert content.startswith("\ufeffrank,study".encode())
    (tmp_path / "worklist.csv").write_text(content.decode("utf-8-sig"), encoding=encoding)
    assert read_worklist_csv(tmp_path / "worklist.csv") == [row]


def test_an_output_whose_name_is_no_text_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = str(tmp_path / MUELLER)
    for arguments in (["triage", str(tmp_path)], ["classify", "no map"]):
        assert main([*arguments, "--output", output]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "bytes in it are no text; expected a path in UTF-8. Rename it, or give another." in line
    assert list(tmp_path.iterdir()) == []
