"""A list is brought up to date again: with a disk that is gone, files that can't be read, and other studies."""

from __future__ import annotations

import errno
import html
import json
import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import generate_uid

from ACNetLib.commands.main import main
from ACNetLib.errors import ACNetError, NotNow
from ACNetLib.files import write_json
from ACNetLib.models.store import find_model
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.sample_data import sample_cases
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetLib.triage import reading_list, studies, workers
from ACNetLib.triage.answer import Choices
from ACNetLib.triage.look import HOW_TO_READ
from ACNetLib.triage.reading_list import ReadingList, mark_study
from ACNetLib.triage.rows import Identify, Row, read_worklist_csv
from ACNetLib.triage.studies import find_studies
from ACNetLib.triage.study_marks import is_read
from ACNetLib.triage.workers import Workers
from dicom_files import RAMP, RAW_TYPE, write_section
from disks import disconnected
from exam_files import write_sample

DCM = sample_cases()[1]
PATIENT_ID_TAG = b"\x10\0\x20\0LO"


@contextmanager
def one_thread() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


ONE_THREAD = Workers(one_thread, 1)


@pytest.fixture(autouse=True)
def without_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "get_ready", lambda: None)


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    """Three patients' images that are no T1 maps, which are soon answered."""
    for patient in ("a", "b", "c"):
        write_cine(tmp_path / "ward" / patient / "1.dcm", patient)
    return tmp_path / "ward"


def write_cine(file: Path, patient: str) -> Path:
    exam = generate_uid(entropy_srcs=[patient])
    return write_section(
        file, RAMP, PatientID=patient, StudyInstanceUID=exam, ImageType=RAW_TYPE, SeriesDescription="cine"
    )


def updated(source: Path, output: Path, identify: Identify = "id") -> tuple[list[Row], list[str]]:
    """The list's rows, and what was told."""
    told: list[str] = []
    made = ReadingList(source, output, identify)
    return made.update(Choices(output / "studies"), ONE_THREAD, lambda *_progress: None, told.append), told


def patients(rows: list[Row]) -> list[str]:
    return sorted(row.patient for row in rows)


def content(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.name != "list.lock"}


def test_a_list_stays_as_it_is_while_the_disk_of_its_studies_is_gone(ward: Path, tmp_path: Path) -> None:
    output = tmp_path / "list"
    updated(ward, output)
    before = content(output)
    with disconnected(ward), pytest.raises(NotNow, match="ward: it can't be looked through"):
        updated(ward, output)
    ward.rename(tmp_path / "away")
    with pytest.raises(NotNow, match=r"it can't be looked through \(No such file"):
        updated(ward, output)
    ward.mkdir()  # where the disk was
    with pytest.raises(NotNow, match=r"no studies found in this folder, but the list has 3; it stays as it is"):
        updated(ward, output)
    assert content(output) == before


@pytest.mark.parametrize(
    ("of", "said"), [("ward", "ward: it can't be looked through"), ("list", "list.json: there is no such file")]
)
def test_watching_goes_on_when_the_disk_is_back(
    of: str,
    said: str,
    ward: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(workers, "local_workers", lambda _processes: ONE_THREAD)
    disk, away = tmp_path / of, tmp_path / "away"
    page = tmp_path / "list" / "worklist.html"
    pages: list[str] = []
    steps = iter([lambda: None, lambda: disk.rename(away), lambda: away.rename(disk)])

    def sleep(_seconds: float) -> None:
        pages.append(page.read_text(encoding="utf-8") if page.is_file() else "")
        step = next(steps, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    monkeypatch.setattr("ACNetLib.commands.triage.time.sleep", sleep)
    output = tmp_path / "list"
    assert main(["triage", str(ward), "--output", str(output), "--device", "cpu", "--watch", "60"]) == 3
    printed = capsys.readouterr()
    counts = [line.partition(":")[0] for line in printed.out.splitlines()]
    assert counts == ["3 no answer", "3 no T1 map", "3 no T1 map"]
    assert said in printed.err
    time = re.compile(r"Studies as found on \d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d\.")
    times = [time.findall(each) for each in pages]
    assert all(len(found) == 1 for found in times if found)
    assert ['role="alert"' in each for each in pages] == [False, False, of == "ward", False]
    if of == "ward":
        assert said.partition(": ")[2] in html.unescape(pages[2])
        assert times[2] == times[1], "the last look that found studies"


def test_what_can_not_be_read_is_told_and_a_study_that_may_lack_it_keeps_its_answer(
    ward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "list"
    write_cine(ward / "a" / "2.dcm", "a")
    (row,) = [row for row in updated(ward, output)[0] if row.patient == "a"]
    mark_study(output, row.study, True)
    read, scandir = studies.read_first_of, os.scandir
    protected = {ward / "a" / "2.dcm"}

    def refuse(path: Any) -> None:
        if isinstance(path, str | Path) and Path(path) in protected:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

    def read_what_may_be(file: Path, tags: Any) -> Any:
        refuse(file)
        return read(file, tags)

    def scan_what_may_be(path: Any) -> Any:
        refuse(path)
        return scandir(path)

    monkeypatch.setattr(studies, "read_first_of", read_what_may_be)
    monkeypatch.setattr(os, "scandir", scan_what_may_be)
    rows, told = updated(ward, output)
    notes = {row.patient: (row.read, row.warnings) for row in rows}
    beside = "1 file beside its images can't be read: it may lack slices."
    assert notes == {"a": (True, (beside,)), "b": (False, ()), "c": (False, ())}
    assert told == [f"{ward}: 1 file or folder can't be read; no study leaves the list meanwhile. {HOW_TO_READ}"]

    protected.add(ward / "c")
    rows, told = updated(ward, output)
    assert patients(rows) == ["a", "b", "c"]
    assert "2 files or folders can't be read" in told[0]
    shutil.rmtree(output)
    assert {row.patient: row.warnings for row in updated(ward, output)[0]} == {"a": (beside,), "b": ()}


def test_a_selection_comes_in_addition_and_of_a_folder_studies_leave_and_that_is_told(
    ward: Path, tmp_path: Path
) -> None:
    output, selection = tmp_path / "list", tmp_path / "images.txt"
    selection.write_text("ward/a/1.dcm\nward/b/1.dcm\n", encoding="utf-8")
    rows, told = updated(selection, output)
    assert (patients(rows), told) == (["a", "b"], [])
    mark_study(output, rows[0].study, True)
    selection.write_text("ward/c/1.dcm\n", encoding="utf-8")
    rows, told = updated(selection, output)
    assert (patients(rows), told) == (["a", "b", "c"], [])
    assert [row.read for row in rows].count(True) == 1
    assert patients(updated(selection, output, "none")[0]) == ["", "", ""]
    assert patients(updated(selection, output)[0]) == ["", "", "c"], "whose they are is in their images alone"

    shutil.rmtree(ward / "a")
    rows, told = updated(ward, output)
    assert patients(rows) == ["b", "c"]
    assert told == [f"No longer in {ward}, so no longer in the list: 1 study. What was written of them stays."]
    write_cine(ward / "a" / "1.dcm", "a")
    assert patients(updated(ward, output)[0]) == ["a", "b", "c"]


def test_a_table_that_is_open_in_a_spreadsheet_ends_no_run(
    ward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output, replace = tmp_path / "list", Path.replace

    def refuse_the_table(self: Path, target: Path) -> Path:
        if Path(target).name == "worklist.csv":
            raise PermissionError(errno.EACCES, "Permission denied", str(self), None, str(target))
        return replace(self, target)

    monkeypatch.setattr("ACNetLib.files.SECONDS_TO_REPLACE", 0.1)
    monkeypatch.setattr(reading_list, "SECONDS_BETWEEN_PAGES", 0.0)
    monkeypatch.setattr(workers, "local_workers", lambda _processes: ONE_THREAD)
    with monkeypatch.context() as open_elsewhere:
        open_elsewhere.setattr(Path, "replace", refuse_the_table)
        assert main(["triage", str(ward), "--output", str(output), "--device", "cpu"]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("acnet:")]
    assert line.startswith(f"acnet: {output / 'worklist.csv'}: it can't be written (Permission denied). Close it where")
    assert len(list(output.glob("studies/*/row.json"))) == 3
    assert len(updated(ward, output)[0]) == 3
    with monkeypatch.context() as open_elsewhere:
        open_elsewhere.setattr(Path, "replace", refuse_the_table)
        study = read_worklist_csv(output / "worklist.csv")[0].study
        with pytest.raises(ACNetError, match=r"worklist\.csv: it can't be written .* answers and marks are kept"):
            mark_study(output, study, True)
    assert is_read(output / "studies" / study)


def test_other_lists_and_results_are_no_studies_and_what_killed_runs_left_is_removed(
    ward: Path, tmp_path: Path
) -> None:
    for folder, names in {
        "list": ("list.json", "studies/study-1/attention.nrrd"),
        "result": ("result.json", "report.html", "map-1/attention.nrrd"),
        "export": ("result.json", "map.nrrd"),
    }.items():
        for name in names:
            (ward / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (ward / folder / name).touch()
    assert [study.key for study in find_studies(ward, tmp_path) if not study.is_dicom] == ["export"]
    left = tmp_path / "list" / "studies" / ".writing-1"
    updated(ward, tmp_path / "list")
    left.mkdir()
    updated(ward, tmp_path / "list")
    assert not left.exists()


def updated_with(ward: Path, output: Path, **chosen: Any) -> list[Row]:
    choices = Choices(output / "studies", device="cpu", **chosen)
    return ReadingList(ward, output, "id").update(choices, ONE_THREAD, lambda *_progress: None)


def test_a_list_is_not_made_on_with_choices_that_give_its_answers_another_meaning(ward: Path, tmp_path: Path) -> None:
    output = tmp_path / "list"
    updated_with(ward, output, prevalence_dcm=0.2)
    before = content(output)
    for chosen, said in (
        ({"prevalence_dcm": 0.1}, "made with prevalence 0.2; found prevalence 0.1. "),
        ({}, "made with prevalence 0.2; found prevalence not given. "),
        ({"prevalence_dcm": 0.2, "reference": ReferenceT1(1012, 28)}, "found reference T1 1012,28 ms. "),
        (
            {"prevalence_dcm": 0.2, "model": str(find_model("acnet-simulated-3T"))},
            r"made with models acnet-simulated-1\.5T \(.{12}\), .*; found models acnet-simulated-3T \(.{12}\), loc",
        ),
    ):
        with pytest.raises(ACNetError, match=said) as refused:
            updated_with(ward, output, **chosen)
        assert refused.value.args[0].startswith(f"{output}: this list was made with ")
        assert content(output) == before
    updated_with(ward, output, prevalence_dcm=0.2, field_strength_tesla=1.5)
    updated_with(ward, output, prevalence_dcm=0.2)
    with pytest.raises(ACNetError, match=r"field strength 1\.5 T; found field strength 3 T"):
        updated_with(ward, output, prevalence_dcm=0.2, field_strength_tesla=3.0)

    values = json.loads((output / "list.json").read_text())
    del values["made_with"]  # as older versions made lists
    write_json(output / "list.json", values)
    assert len(updated_with(ward, output, prevalence_dcm=0.1)) == 3


def test_a_field_strength_that_was_not_told_and_dicom_objects_can_be_given_later_and_marks_stay(tmp_path: Path) -> None:
    ward, output = tmp_path / "ward", tmp_path / "list"
    write_sample(ward / "told", DCM.folder, "patient-1")
    sitk.WriteImage(read_t1_map(DCM.folder).image, str(ward / "untold.nrrd"))
    rows = updated_with(ward, output)
    assert {row.patient: row.answer for row in rows} == {"patient-1": "dcm", "untold.nrrd": "no answer"}
    for row in rows:
        mark_study(output, row.study, True)
    rows = updated_with(ward, output, field_strength_tesla=1.5, dicom="binary")
    assert {row.patient: (row.answer, row.read) for row in rows} == {
        "patient-1": ("dcm", True),
        "untold.nrrd": ("dcm", False),
    }
    (told,) = [row.study for row in rows if row.patient == "patient-1"]
    assert list((output / "studies" / told / "dicom").glob("*.dcm"))
    before = content(output / "studies")
    updated_with(ward, output, field_strength_tesla=1.5, dicom="binary")
    assert content(output / "studies") == before


def row_files(output: Path) -> dict[str, bytes]:
    return {file.parent.name: file.read_bytes() for file in output.glob("studies/*/row.json")}


def test_studies_that_are_moved_or_there_twice_keep_row_and_mark_and_a_rewritten_image_is_answered_anew(
    ward: Path, tmp_path: Path
) -> None:
    output, moved = tmp_path / "list", tmp_path / "moved"
    rows, _ = updated(ward, output)
    for row in rows:
        mark_study(output, row.study, True)
    before = row_files(output)
    ward.rename(moved)
    shutil.copytree(moved / "a", moved / "a again")
    assert [row.read for row in updated(moved, output)[0]] == [True, True, True]
    assert row_files(output) == before

    image = moved / "b" / "1.dcm"
    image.touch()  # as a backup that was restored without times
    assert [row.read for row in updated(moved, output)[0]] == [True, True, True]
    content, noted = image.read_bytes(), row_files(output)
    assert [row for row in noted if noted[row] != before[row]] == [row.study for row in rows if row.patient == "b"]
    updated(moved, output)
    assert row_files(output) == noted, "the image is read once"
    image.write_bytes(content[:-2] + b"??")
    assert {row.patient: row.read for row in updated(moved, output)[0]} == {"a": True, "b": False, "c": True}


def test_a_row_of_an_earlier_version_stays_and_its_study_can_be_moved_then(ward: Path, tmp_path: Path) -> None:
    output = tmp_path / "list"
    for row in updated(ward, output)[0]:
        mark_study(output, row.study, True)
    for name, study in ReadingList(ward, output, "id").studies().items():
        file = output / "studies" / name / "row.json"
        values = json.loads(file.read_text())
        del values["state_sha256"], values["content_sha256"]
        write_json(file, {**values, "files_sha256": study.former_state()})
    assert [row.read for row in updated(ward, output)[0]] == [True, True, True]
    ward.rename(tmp_path / "moved")
    assert [row.read for row in updated(tmp_path / "moved", output)[0]] == [True, True, True]


def test_no_study_with_a_damaged_image_beside_it_is_answered_until_that_is_put_right(
    ward: Path, tmp_path: Path
) -> None:
    content = (ward / "a" / "1.dcm").read_bytes()
    (ward / "a" / "2.dcm").write_bytes(content[: content.index(PATIENT_ID_TAG)])
    answers = {row.patient: (row.answer, row.reason) for row in updated(ward, tmp_path / "list")[0]}
    assert answers.keys() == {"a", "b", "c"}
    assert answers["a"][0] == "no answer"
    assert answers["a"][1].startswith("a/2.dcm: it has no SeriesInstanceUID")
    assert answers["b"][0] == "no T1 map"
    (ward / "a" / "2.dcm").unlink()
    assert {row.answer for row in updated(ward, tmp_path / "list")[0]} == {"no T1 map"}


def test_two_exams_of_a_patient_are_told_apart_by_their_dates_where_the_patient_is_shown(tmp_path: Path) -> None:
    for number, date in enumerate(("20240101", "20240301")):
        exam: dict[str, Any] = {"PatientID": "p1", "StudyInstanceUID": f"1.{number}", "StudyDate": date}
        write_section(tmp_path / "ward" / f"{number}.dcm", RAMP, ImageType=RAW_TYPE, SeriesDescription="cine", **exam)
    output, dates = tmp_path / "list", {"2024-01-01", "2024-03-01"}
    assert {row.study_date for row in updated(tmp_path / "ward", output)[0]} == dates
    page = (output / "worklist.html").read_text(encoding="utf-8")
    assert all(f"<td>p1, {date}</td>" in page for date in dates)
    assert {row.study_date for row in updated(tmp_path / "ward", output, "none")[0]} == {""}
    assert not any(date in file.read_text("utf-8") for date in ("2024-", "202401") for file in output.glob("work*"))


def test_an_exam_whose_images_have_two_patients_numbers_is_two_rows_that_say_so(ward: Path, tmp_path: Path) -> None:
    """As after a number was corrected for some of them."""
    exam = pydicom.dcmread(ward / "a" / "1.dcm").StudyInstanceUID
    write_section(ward / "a" / "2.dcm", RAMP, PatientID="0a", StudyInstanceUID=exam, ImageType=RAW_TYPE)
    rows, _ = updated(ward, tmp_path / "list", "id")
    said = {row.patient: "another PatientID: it may lack slices" in " ".join(row.warnings) for row in rows}
    assert said == {"a": True, "0a": True, "b": False, "c": False}
    (ward / "a" / "2.dcm").unlink()
    assert [row.warnings for row in updated(ward, tmp_path / "list")[0]] == [(), (), ()]
