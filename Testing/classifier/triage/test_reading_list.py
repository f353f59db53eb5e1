"""A folder of studies of every kind becomes a reading list, the one with DCM first."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from filelock import FileLock

from ACNetLib.commands.main import main
from ACNetLib.errors import ACNetError
from ACNetLib.inference.result import StudyResult
from ACNetLib.report.files import write_result
from ACNetLib.sample_data import SampleCase, sample_cases
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetLib.triage import answer
from ACNetLib.triage.answer import Choices
from ACNetLib.triage.reading_list import LOCK_FILE, ReadingList, exam_of, mark_study
from ACNetLib.triage.rows import read_worklist_csv, worklist_csv
from ACNetLib.triage.studies import find_studies
from ACNetLib.triage.study_folder import read_study, write_t1_maps
from ACNetLib.triage.study_marks import is_read, mark_read
from dicom_files import RAMP, RAW_TYPE, write_section
from exam_files import write_exam, write_sample

NORMAL, DCM = sample_cases()


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two patients whose images lie in one folder, an exam planned slice by slice, volume files, and what is no T1 map
    or can't be read.
    """
    root = tmp_path_factory.mktemp("hospital")
    write_sample(root / "inbox", NORMAL.folder, "patient-1")
    write_sample(root / "inbox", DCM.folder, "patient-2")
    write_exam(root / "by slices", PatientID="patient-3")
    t1_map = read_t1_map(NORMAL.folder)
    sitk.WriteImage(t1_map.image, str(root / "Anna Other.nrrd"))  # its field strength is not told
    (root / "no heart").mkdir()
    noise = sitk.GetImageFromArray(np.random.default_rng(1).normal(1000, 30, (1, 128, 128)).astype(np.float32))
    noise.SetSpacing((1.4, 1.4, 8.0))
    noise.SetMetaData("ACNet_field_strength_tesla", "1.5")
    sitk.WriteImage(noise, str(root / "no heart" / "map.nrrd"))
    write_section(root / "cine" / "a.dcm", RAMP, PatientID="p4", ImageType=RAW_TYPE, SeriesDescription="cine")
    write_section(root / "ct" / "a.dcm", RAMP, PatientID="p5", Modality="CT")
    whole = write_section(root / "torn" / "a.dcm", RAMP, PatientID="p6", StudyInstanceUID="1.2.6").read_bytes()
    (root / "torn" / "a.dcm").write_bytes(whole[: len(whole) - 900])
    (root / "notes.txt").write_text("Anna")
    return root


def triage(folder: Path, output: Path, *options: str) -> list[dict[str, str]]:
    assert main(["triage", str(folder), "--output", str(output), "--device", "cpu", *options]) == 0
    return list(csv.DictReader((output / "worklist.csv").open(encoding="utf-8-sig")))


@pytest.fixture(scope="module")
def a_list(hospital: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("lists") / "list"
    triage(hospital, output, "--identify", "id")
    return output


def rows_of(output: Path) -> dict[str, dict[str, str]]:
    return {row["patient"]: row for row in csv.DictReader((output / "worklist.csv").open(encoding="utf-8-sig"))}


def test_every_study_has_one_row_and_dcm_comes_first(a_list: Path) -> None:
    rows = rows_of(a_list)
    assert {patient: row["answer"] for patient, row in rows.items()} == {
        "patient-2": "dcm",
        "patient-3": "dcm",
        "Anna Other.nrrd": "no answer",
        "no heart": "no answer",
        "p6": "no answer",
        "patient-1": "normal",
        "p4": "no T1 map",
    }
    assert [row["rank"] for row in rows.values()] == list("1234567")
    order = [row["answer"] for row in rows.values()]
    assert order == ["dcm", "dcm", "no answer", "no answer", "no answer", "normal", "no T1 map"]
    assert float(rows["patient-2"]["probability_dcm"]) > 0.9


def test_a_row_without_answer_says_why_and_names_nobody(a_list: Path) -> None:
    rows = rows_of(a_list)
    assert "field strength" in rows["Anna Other.nrrd"]["reason"]
    assert "Anna" not in rows["Anna Other.nrrd"]["reason"]
    not_found = rows["no heart"]["reason"]
    assert "the left ventricle was not found" in not_found
    assert not_found.endswith("Classify it alone with acnet classify. Give its centre: --center=L,P,S.")
    assert "can't be read" in rows["p6"]["reason"]
    assert "none of its 1 DICOM images is a native T1 map" in rows["p4"]["reason"]


@pytest.mark.parametrize(("sample", "patient"), [(NORMAL, "patient-1"), (DCM, "patient-2")], ids=["normal", "dcm"])
def test_a_study_has_the_answer_of_acnet_classify_and_its_files(
    a_list: Path, sample: SampleCase, patient: str, tmp_path: Path
) -> None:
    assert main(["classify", str(sample.folder), "--output", str(tmp_path / "alone"), "--device", "cpu"]) == 0
    alone = json.loads((tmp_path / "alone" / "result.json").read_text())
    row = rows_of(a_list)[patient]
    folder = a_list / "studies" / row["study"]
    result = json.loads((folder / "result.json").read_text())
    assert row["answer"] == alone["verdict"]
    assert float(row["probability_dcm"]) == pytest.approx(alone["probability_dcm"], abs=1e-3)
    assert result["probability_dcm"] == pytest.approx(alone["probability_dcm"], abs=1e-4)
    assert float(row["septal_t1_ms"]) == pytest.approx(alone["septal_t1_ms"], abs=0.5)
    assert {"report.html", "thumbnail.png", "attention-label.nrrd"} <= {file.name for file in folder.iterdir()}


def test_a_study_opens_from_its_folder_as_it_was_classified(a_list: Path) -> None:
    folders = {patient: a_list / "studies" / row["study"] for patient, row in rows_of(a_list).items()}
    study = read_study(folders["patient-2"])
    (images,) = study.images
    assert np.array_equal(images.t1_map.array, read_t1_map(DCM.folder).array)
    assert images.t1_map.row_axis == pytest.approx(read_t1_map(DCM.folder).row_axis)
    assert (images.t1_map.simulated, images.t1_map.field_strength_tesla) == (True, 1.5)
    assert set(np.unique(images.bands["combined"])) <= set(range(6))
    assert len(read_study(folders["patient-3"]).images) == 3  # slices planned one by one
    (folders["patient-1"] / "attention.nrrd").rename(folders["patient-1"] / "away.nrrd")
    with pytest.raises(ACNetError, match=r"attention\.nrrd: there is no such file.*bring the list up to date"):
        read_study(folders["patient-1"])
    (folders["patient-1"] / "away.nrrd").rename(folders["patient-1"] / "attention.nrrd")


def test_a_study_keeps_what_the_headers_told_of_its_map(a_study: Callable[..., StudyResult], tmp_path: Path) -> None:
    warnings = ("It is a child's.", "Another thing.")
    t1_map = replace(read_t1_map(DCM.folder), sequence="SASHA", fitted="SASHA, 10 images", warnings=warnings)
    study = a_study(t1_map)
    write_result(study, tmp_path / "study")
    write_t1_maps(study, tmp_path / "study")
    again = read_study(tmp_path / "study").images[0].t1_map
    assert (again.sequence, again.fitted, again.warnings) == ("SASHA", "SASHA, 10 images", t1_map.warnings)
    assert read_t1_map(tmp_path / "study" / "t1-map.nrrd").sequence == "SASHA"


def test_a_study_that_is_marked_as_read_stays_so_until_it_is_answered_anew(hospital: Path, tmp_path: Path) -> None:
    folder, output = Path(shutil.copytree(hospital / "cine", tmp_path / "hospital")), tmp_path / "list"
    (row,) = triage(folder, output)
    assert row["read"] == "False"
    mark_read(output / "studies" / row["study"], True)
    assert [each["read"] for each in triage(folder, output)] == ["True"]
    assert "no T1 map, read" in (output / "worklist.html").read_text(encoding="utf-8")
    write_section(folder / "b.dcm", RAMP, PatientID="p4", ImageType=RAW_TYPE, SeriesDescription="cine")
    assert [each["read"] for each in triage(folder, output)] == ["False"]


def test_a_mark_that_comes_while_a_study_is_answered_anew_is_of_the_answer_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sample(tmp_path / "studies", NORMAL.folder, "patient-1")
    (study,) = find_studies(tmp_path / "studies", tmp_path / "list")
    read = answer._read

    def read_while_a_reader_marks(*what: Any) -> Any:
        mark_read(tmp_path / "list" / "studies" / "a-study", True)
        return read(*what)

    monkeypatch.setattr(answer, "_read", read_while_a_reader_marks)
    row = answer.answer(study, "a-study", Choices(tmp_path / "list" / "studies", device="cpu"))
    assert (row.answer, row.reason) == ("normal", "")
    assert not is_read(tmp_path / "list" / "studies" / "a-study")


def test_a_list_that_another_process_brings_up_to_date_is_refused_and_left_as_it_is(
    hospital: Path, a_list: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = Path(shutil.copytree(a_list, tmp_path / "list"))
    before = {file: file.stat().st_mtime_ns for file in output.rglob("*") if file.name != LOCK_FILE}
    arguments = ["triage", str(hospital / "cine"), "--output", str(output), "--device", "cpu"]
    with FileLock(output / LOCK_FILE):
        assert main(arguments) == 2
        assert "another process is bringing this list up to date" in capsys.readouterr().err
        assert {file: file.stat().st_mtime_ns for file in before} == before
        row = read_worklist_csv(output / "worklist.csv")[0]
        mark_study(output, row.study, True)  # the table is the other process's
        assert is_read(output / "studies" / row.study)
    assert main(arguments) == 0


def test_a_mark_leaves_the_studies_in_the_list_that_came_meanwhile(a_list: Path, tmp_path: Path) -> None:
    output = Path(shutil.copytree(a_list, tmp_path / "list"))
    study = read_worklist_csv(output / "worklist.csv")[2].study
    mark_study(output, study, True)
    rows = read_worklist_csv(output / "worklist.csv")
    assert [row.read for row in rows] == [row.study == study for row in rows]
    assert len(rows) == 7
    mark_study(output, study, False)
    assert not any(row.read for row in read_worklist_csv(output / "worklist.csv"))


def test_a_list_whose_folder_is_gone_or_empty_is_not_made_by_reading_it(tmp_path: Path) -> None:
    empty = tmp_path / "where a disk was"
    empty.mkdir()
    for folder in (empty, tmp_path / "gone"):
        with pytest.raises(ACNetError, match=r"list\.json: there is no such file.*Is its disk connected"):
            exam_of("study-1", folder, [("a", "1.2")])
        with pytest.raises(ACNetError, match="there is no such file"):
            ReadingList(tmp_path, folder, "none").studies()
        with pytest.raises(ACNetError, match="there is no such file"):
            mark_study(folder, "study-1", True)
    assert list(tmp_path.rglob("*")) == [empty]


def test_the_table_is_read_as_it_was_written(a_list: Path, tmp_path: Path) -> None:
    rows = read_worklist_csv(a_list / "worklist.csv")
    assert worklist_csv(rows) == (a_list / "worklist.csv").read_text(encoding="utf-8-sig")
    for text in ("rank,study\n1,a\n", (a_list / "worklist.csv").read_text("utf-8").replace("dcm", "what", 1)):
        (tmp_path / "worklist.csv").write_text(text)
        with pytest.raises(ACNetError, match=r"worklist\.csv: it is damaged"):
            read_worklist_csv(tmp_path / "worklist.csv")


def test_the_images_of_a_text_file_are_listed_wherever_they_lie_and_progress_is_told_as_events(
    hospital: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = [*sorted((hospital / "cine").iterdir()), hospital / "torn" / "a.dcm", hospital / "Anna Other.nrrd"]
    (tmp_path / "images.txt").write_text("\n".join(map(str, images)), encoding="utf-8")
    rows = triage(tmp_path / "images.txt", tmp_path / "list", "--identify", "id", "--progress", "json")
    assert {row["patient"] for row in rows} == {"p4", "p6"}
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(event["event"], event["done"], event["of"]) for event in events] == [("studies", n, 2) for n in range(3)]
    (tmp_path / "images.txt").write_bytes(b"\xff")
    arguments = ["triage", str(tmp_path / "images.txt"), "--output", str(tmp_path / "list"), "--device", "cpu"]
    assert main(arguments) == 2
    assert "images.txt: it can't be read as a list" in capsys.readouterr().err


def test_of_a_list_of_paths_those_that_lead_nowhere_are_told_and_relative_ones_begin_at_the_list(
    hospital: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(hospital / "cine", tmp_path / "images")
    listed = "\ufeffimages/a.dcm\r\n\nimages/gone.dcm\n/nowhere/b.dcm\n"
    (tmp_path / "images.txt").write_text(listed, encoding="utf-8")
    rows = triage(tmp_path / "images.txt", tmp_path / "list", "--identify", "id")
    assert [row["patient"] for row in rows] == ["p4"]
    said = capsys.readouterr().out
    expected = "images.txt: 2 paths lead to no file, so a study may lack slices."
    assert f"Note: {expected} The first is {tmp_path}/images/gone.dcm; relative paths begin at" in said
    page = (tmp_path / "list" / "worklist.html").read_text(encoding="utf-8")
    assert expected in page
    assert "gone.dcm" not in page
    triage(tmp_path / "images.txt", tmp_path / "list", "--progress", "json")
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (note,) = [event["message"] for event in events if event["event"] == "note"]
    assert note.split(";")[0] == said.split("Note: ")[1].split(";")[0]


def test_the_file_that_can_not_be_read_is_shown_to_those_alone_who_may_know_names(
    hospital: Path, a_list: Path, tmp_path: Path
) -> None:
    """One is torn in its pixels, the other in its header, so that nothing tells its patient."""
    folder = tmp_path / "hospital"
    shutil.copytree(hospital / "torn", folder / "Doe" / "torn")
    whole = write_section(folder / "Doe" / "b.dcm", RAMP).read_bytes()
    (folder / "Doe" / "c d.dcm").write_bytes(whole[:900])
    (folder / "Doe" / "b.dcm").unlink()
    for identify in ("id", "name", "none"):
        rows = triage(folder, tmp_path / "list", "--identify", identify)
        reasons = sorted(row["reason"].split(":")[0] for row in rows)
        page = (tmp_path / "list" / "worklist.html").read_text(encoding="utf-8")
        if identify == "none":
            assert reasons == ["file 1 of 1"] * 2
            assert not any(name in page for name in ("Doe", "a.dcm", "c d.dcm"))
        else:
            assert reasons == ["Doe/c d.dcm", "Doe/torn/a.dcm"]
            assert "Doe/torn/a.dcm: it can&#39;t be read" in page.replace("&#x27;", "&#39;")
    for file in (tmp_path / "list" / "studies").rglob("*.*"):
        assert not any(name in file.read_text(encoding="utf-8") for name in ("Doe", "a.dcm", "c d.dcm")), file


def test_no_file_of_the_list_names_a_patient_unless_the_user_wants_it(hospital: Path, a_list: Path) -> None:
    def named_in(file: Path) -> list[str]:
        """Without what a page embeds: a picture's letters may happen to be a name."""
        text = re.sub('base64,[^"]*', "", file.read_text(encoding="utf-8"))
        return [each for each in ("patient-1", "Anna") if each in text]

    for file in (a_list / "studies").rglob("*"):
        if file.suffix in {".json", ".html"}:
            assert named_in(file) == [], file.name
    unnamed = triage(hospital, a_list)
    assert {row["patient"] for row in unnamed} == {""}
    for name in ("worklist.csv", "worklist.html"):
        assert named_in(a_list / name) == []
    named = triage(hospital, a_list, "--identify", "name")
    assert "patient-2^Anna" in {row["patient"] for row in named}


def test_studies_that_are_done_are_kept_new_ones_added_and_changed_ones_answered_anew(
    hospital: Path, tmp_path: Path
) -> None:
    folder, output = Path(shutil.copytree(hospital, tmp_path / "hospital")), tmp_path / "list"
    for name in ("inbox", "by slices", "no heart", "ct", "Anna Other.nrrd"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "Anna Other.nrrd").unlink(missing_ok=True)
    first = triage(folder, output)
    assert {row["answer"] for row in first} == {"no answer", "no T1 map"}
    kept = {file: file.stat().st_mtime_ns for file in output.glob("studies/*/row.json")}
    write_section(folder / "torn" / "a.dcm", RAMP, PatientID="p6", StudyInstanceUID="1.2.6")
    write_sample(folder / "inbox", NORMAL.folder, "patient-1")
    again = triage(folder, output, "--identify", "id")
    assert {row["patient"]: row["answer"] for row in again}["patient-1"] == "normal"
    changed = {file for file in kept if file.stat().st_mtime_ns != kept[file]}
    torn = {row["patient"]: row["study"] for row in again}["p6"]
    assert {file.parent.name for file in changed} == {torn}


def test_the_page_shows_the_rows_in_their_order_and_needs_no_network(a_list: Path) -> None:
    page = (a_list / "worklist.html").read_text(encoding="utf-8")
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("<tr data-answer=") == 7
    places = [page.index(f'data-answer="{answer}"') for answer in ("dcm", "no answer", "normal", "no T1 map")]
    assert places == sorted(places)
    for link in ("report.html", "thumbnail.png"):
        names = {part.rpartition('"')[2] for part in page.split(f"/{link}")[:-1]}
        assert all((a_list / name / link).is_file() for name in names)
        assert len(names) == 3
    assert "Simulated" in page or "simulated" in page
    assert "Any other disease may still be labelled DCM or normal" in page


@pytest.mark.parametrize(
    ("output", "said"), [("taken", "holds no reading list"), ("damaged", "list.json: it is damaged")]
)
def test_a_folder_that_holds_something_else_is_refused(
    output: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "a").write_text("mine")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "list.json").write_text("{}")
    (tmp_path / "studies").mkdir()
    arguments = ["triage", str(tmp_path / "studies"), "--output", str(tmp_path / output), "--device", "cpu"]
    assert main(arguments) == 2
    assert said in capsys.readouterr().err
    assert (tmp_path / "taken" / "a").read_text() == "mine"


def test_a_missing_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["triage", str(tmp_path / "none"), "--output", str(tmp_path / "list")]) == 2
    assert "none: there is no such folder; expected one with studies, or a .txt file that" in capsys.readouterr().err
    (tmp_path / "a.dcm").write_bytes(b"")
    assert main(["triage", str(tmp_path / "a.dcm"), "--output", str(tmp_path / "list")]) == 2
    assert "a.dcm: it is no folder; expected one with studies" in capsys.readouterr().err
    assert not (tmp_path / "list").exists()


def test_on_the_processor_the_command_itself_imports_no_pytorch(tmp_path: Path) -> None:
    """Its workers do, each for itself: the first row would wait for one more import."""
    (tmp_path / "empty").mkdir()
    arguments = ["triage", str(tmp_path / "empty"), "--output", str(tmp_path / "list"), "--device", "cpu"]
    code = f"import sys; from ACNetLib.commands.main import main; print(main({arguments!r}), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False"


def test_no_image_library_is_loaded_before_the_processes_start() -> None:
    """They wait for it, and load the same for themselves."""
    code = (
        "import sys, ACNetLib.commands.main, ACNetLib.triage.reading_list, ACNetLib.triage.workers; "
        "print(sorted({'PIL', 'SimpleITK', 'pydicom', 'scipy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
