"""A reading list's DICOM results: written beside each study, sent once, and passed over when they come back."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pydicom
import pytest
from pydicom.config import disable_value_validation

from ACNetLib.commands.main import main
from ACNetLib.files import write_json
from ACNetLib.sample_data import sample_cases
from ACNetLib.triage.rows import Row
from ACNetLib.triage.sending import send_new
from ACNetLib.triage.studies import find_studies
from dicom_servers import StandIn, a_stand_in
from exam_files import write_exam

DCM = sample_cases()[1]


def triage(folder: Path, output: Path, server: StandIn) -> int:
    options = ["--stow", server.url, "--identify", "id", "--device", "cpu", "--processes", "1"]
    return main(["triage", str(folder), "--output", str(output), *options])


def test_results_wait_for_a_server_are_sent_once_and_are_no_studies_when_they_come_back(
    server: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox, output = tmp_path / "inbox", tmp_path / "list"
    shutil.copytree(DCM.folder, inbox / "sample")
    write_exam(inbox / "by slices", PatientID="patient-3")  # its images tell no frame of reference
    shutil.copy(DCM.volume, inbox / "volume.nrrd")
    server.status = 503
    assert triage(inbox, output, server) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("acnet:")]
    assert "it answers 503 Service Unavailable" in line
    rows = {row["patient"]: row for row in csv.DictReader((output / "worklist.csv").open(encoding="utf-8-sig"))}
    assert len(rows) == 3
    (sample,) = {row["study"] for row in rows.values() if (output / "studies" / row["study"] / "dicom").is_dir()}
    assert rows["patient-3"]["answer"] != "no answer"
    assert "No DICOM objects: The images of" in rows["patient-3"]["warnings"]

    server.status = 0
    objects = sorted((output / "studies" / sample / "dicom").glob("*.dcm"))
    shutil.copytree(objects[0].parent, inbox / "back")  # as a server would that sends on what it gets
    row_file = output / "studies" / sample / "row.json"
    before = row_file.read_bytes(), row_file.stat().st_mtime_ns
    assert triage(inbox, output, server) == 0
    assert f"Sent to {server.url}: 1 study." in capsys.readouterr().out
    assert server.stored.keys() == {str(pydicom.dcmread(file).SOPInstanceUID) for file in objects}
    assert (row_file.read_bytes(), row_file.stat().st_mtime_ns) == before

    posts = server.posts
    assert triage(inbox, output, server) == 0
    assert server.posts == posts


def test_a_study_that_is_refused_does_not_stop_the_others_and_a_server_that_is_down_does(
    server: StandIn, tmp_path: Path
) -> None:
    rows = [Row(name, "dcm") for name in ("study-a", "study-b")]
    for row in rows:
        shutil.copytree(DCM.folder, tmp_path / row.study / "dicom")
    server.loses = True
    sent, failures = send_new(rows, tmp_path, server.url)
    assert (sent, [failure[:7] for failure in failures]) == (0, ["study-a", "study-b"])
    server.loses, server.status = False, 500
    sent, failures = send_new(rows, tmp_path, server.url)
    assert (sent, len(failures)) == (0, 1)
    server.status = 0
    assert send_new(rows, tmp_path, server.url) == (2, [])
    assert send_new(rows, tmp_path, server.url) == (0, [])


def test_a_study_with_an_odd_uid_holds_up_no_other_and_an_outdated_result_stays_here(
    server: StandIn, tmp_path: Path
) -> None:
    rows = [Row("study-a", "dcm"), Row("study-b", "dcm"), Row("study-c", "no answer")]
    for row in rows:
        shutil.copytree(DCM.folder, tmp_path / row.study / "dicom")
    for file in (tmp_path / "study-a" / "dicom").iterdir():
        with disable_value_validation():
            dataset = pydicom.dcmread(file)
            dataset.StudyInstanceUID = "ANON-0001"
            dataset.save_as(file)
    sent, (failure,) = send_new(rows, tmp_path, server.url)
    assert sent == 1
    assert failure.startswith("study-a: ")
    assert "ANON" not in failure
    assert [file.parent.name for file in tmp_path.rglob("sent.json")] == ["study-b"]


def test_a_result_of_ours_is_no_study(tmp_path: Path) -> None:
    for file in DCM.folder.iterdir():
        dataset = pydicom.dcmread(file)
        dataset.Manufacturer = "SlicerACNet"
        dataset.save_as(tmp_path / file.name)
    assert find_studies(tmp_path, tmp_path / "list") == []


def test_a_study_that_arrives_over_several_looks_is_sent_once_and_a_later_answer_names_the_report_before(
    server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox, output = tmp_path / "inbox", tmp_path / "list"
    inbox.mkdir()
    first, second, third = sorted(DCM.folder.iterdir())
    arriving = [first, second, None, None, third, None]
    """After each look; None where no image comes."""
    looks: list[tuple[int, str]] = []

    def sleep(_seconds: float) -> None:
        rows = list(csv.DictReader((output / "worklist.csv").open(encoding="utf-8")))
        looks.append((server.posts, "".join(row["slices"] for row in rows)))
        if not arriving:
            raise KeyboardInterrupt
        if (image := arriving.pop(0)) is not None:
            shutil.copy(image, inbox)

    monkeypatch.setattr("ACNetLib.commands.triage.time.sleep", sleep)
    options = ["--stow", server.url, "--device", "cpu", "--processes", "1", "--watch", "60"]
    assert main(["triage", str(inbox), "--output", str(output), *options]) == 3
    assert looks == [(0, ""), (0, "0"), (0, "0"), (1, "2"), (1, "2"), (1, "0"), (2, "3")]

    before, after = (dataset for dataset in server.stored.values() if dataset.Modality == "SR")
    assert "PredecessorDocumentsSequence" not in before
    (study,) = after.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (report,) = series.ReferencedSOPSequence
    assert study.StudyInstanceUID == before.StudyInstanceUID == after.StudyInstanceUID
    assert series.SeriesInstanceUID == before.SeriesInstanceUID != after.SeriesInstanceUID
    assert report.ReferencedSOPClassUID == before.SOPClassUID
    assert report.ReferencedSOPInstanceUID == before.SOPInstanceUID != after.SOPInstanceUID
    numbers = [dataset.SeriesNumber for dataset in server.stored.values()]
    assert len(set(numbers)) == len(numbers) == 8

    inbox.rename(tmp_path / "moved")
    with a_stand_in() as other:
        assert triage(tmp_path / "moved", output, server) == 0
        assert triage(tmp_path / "moved", output, other) == 0
        assert (server.posts, other.posts) == (2, 1)
        objects = [pydicom.dcmread(file).SOPInstanceUID for file in output.glob("studies/*/dicom/*.dcm")]
        assert other.stored.keys() == set(objects) < server.stored.keys()
        assert triage(tmp_path / "moved", output, server) == 0
        assert (server.posts, other.posts) == (2, 1)


def test_a_list_of_an_earlier_version_knows_its_server(server: StandIn, tmp_path: Path) -> None:
    shutil.copytree(DCM.folder, tmp_path / "study-a" / "dicom")
    write_json(tmp_path / "study-a" / "sent.json", {"server": f"{server.url}/"})
    assert send_new([Row("study-a", "dcm")], tmp_path, server.url) == (0, [])
