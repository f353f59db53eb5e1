"""Studies in folders, the rows that they become, and the page that sorts these."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.commands.main import main
from ACNetLib.triage.look import PassedOver
from ACNetLib.triage.page import worklist_page
from ACNetLib.triage.rows import Row, in_reading_order, read_worklist_csv, worklist_csv
from ACNetLib.triage.studies import Study, find_studies
from ACNetLib.triage.template import SCRIPT
from dicom_files import PATIENT_ID, RAMP, write_section, write_study

PIXELS = b"\xe0\x7f\x10\0"
"""Where the pixel data begin."""


def test_files_are_numbered_in_what_is_said_of_a_study_and_named_again_for_its_reader() -> None:
    files = tuple(Path("/ward/Doe\nJane", *parts) for parts in (("1.dcm",), ("x", "a.dcm"), ("y", "a.dcm")))
    study = Study("key", files, True, "", "")
    for said, unnamed, named in (
        ("1.dcm: it can't be read.", "file 1 of 3: it can't be read.", "Doe\\nJane/1.dcm: it can't be read."),
        ("x/a.dcm and y/a.dcm differ", "file 2 of 3 and file 3 of 3 differ", None),
        ("a.dcm: found file 7 of 9", "...: found file 7 of 9", "...: found file 7 of 9"),
        ("/ward/Doe\\nJane/y: gone", "...: gone", "...: gone"),
    ):
        assert study.without_names(said) == unnamed
        if named is not None:
            assert study.with_names(unnamed, Path("/ward")) == named
    assert study.with_names("file 2 of 3", Path("/other")) == "/ward/Doe\\nJane/x/a.dcm"


def test_rows_are_in_the_order_in_which_they_are_read_and_no_cell_is_computed() -> None:
    rows = [
        Row("a", "no T1 map", reason="=1+1"),
        Row("b", "normal", 0.1),
        Row("c", "uncertain", 0.4),
        Row("d", "dcm", 0.8, patient="@who", warnings=("20% of the crop lies outside the map", "One.", "Two.")),
        Row("e", "no answer"),
        Row("f", "dcm", 0.99, septal_z=-1.25),
    ]
    ordered = in_reading_order(rows)
    assert "".join(row.study for row in ordered) == "fdceba"
    table = list(csv.DictReader(worklist_csv(ordered).splitlines()))
    assert table[0]["septal_z"] == "-1.25"
    assert table[1]["patient"] == "'@who"
    assert table[1]["warnings"] == "20% of the crop lies outside the map; One; Two."
    assert table[5]["reason"] == "'=1+1"
    assert [Row.of(json.loads(json.dumps(row.values()))) for row in rows[:3]] == rows[:3]


def test_no_probability_is_rounded_across_a_limit_of_the_verdict(tmp_path: Path) -> None:
    rows = [Row("a", "uncertain", 0.79996, uncertain_from=0.2, uncertain_to=0.8), Row("b", "dcm", 0.8)]
    (tmp_path / "worklist.csv").write_text(worklist_csv(rows), encoding="utf-8")
    read = read_worklist_csv(tmp_path / "worklist.csv")
    assert [row.probability_dcm for row in read] == [0.79996, 0.8]
    assert '<td data-order="0.799960">0.79996</td>' in worklist_page(read, "studies")


def test_studies_are_told_by_patient_and_exam_wherever_their_files_lie(tmp_path: Path, stored: np.ndarray) -> None:
    write_study(tmp_path / "one", stored)
    for number in range(2):
        write_section(tmp_path / str(number) / "a.dcm", RAMP, PatientID="same", StudyInstanceUID=f"1.{number}")
        write_section(tmp_path / "other" / f"{number}.dcm", RAMP, PatientID=f"other {number}", StudyInstanceUID="1.0")
    write_section(tmp_path / "list" / "a.dcm", RAMP, PatientID="in the list")
    (tmp_path / ".hidden.nrrd").write_bytes(b"")
    studies = find_studies(tmp_path, tmp_path / "list")
    assert [(study.patient_id, len(study.files)) for study in studies] == [
        ("same", 1),
        ("same", 1),
        (PATIENT_ID, 3),
        ("other 0", 1),
        ("other 1", 1),
    ]


SORTED_AND_FILTERED = """
import sys
from PySide6.QtCore import QCoreApplication
from PySide6.QtQml import QJSEngine

application, engine = QCoreApplication([]), QJSEngine()
print(engine.evaluate(sys.stdin.read()).toString())
"""
A_BROWSER = """
const told = [["1", "0.9", "dcm"], ["2", "0.95", "normal"], ["3", "-1", "no answer"]];
const studies = told.map(([rank, order, answer]) => ({
  dataset: {answer, read: rank === "2" ? "yes" : "no"}, hidden: false, textContent: "study " + rank,
  cells: [{dataset: {order: rank}}, {}, {}, {dataset: {order}}]}));
const table = {rows: studies, append: (...sorted) => { table.rows = sorted; }};
const listened = {};
const listening = (name, more) => Object.assign(more, {addEventListener: (_, call) => { listened[name] = call; }});
const inputs = told.map(([rank, order, value]) => listening(value, {value, checked: true}));
const search = listening("find", {value: ""}), box = listening("unread", {checked: false});
const buttons = [0, 3].map(column => listening(column, {dataset: {column}}));
const document = {
  querySelector: () => table, getElementById: id => id === "find" ? search : box,
  querySelectorAll: what => what.startsWith("th") ? buttons : inputs};
const seen = () => table.rows.filter(row => !row.hidden).map(row => row.textContent.slice(-1)).join("");
"""


def test_the_page_is_sorted_and_filtered_in_the_browser() -> None:
    pytest.importorskip("PySide6.QtQml")
    steps = """
    const found = [seen()];
    listened[3](); found.push(seen());
    listened[3](); found.push(seen());
    listened[0](); found.push(seen());
    box.checked = true; listened["unread"](); found.push(seen());
    box.checked = false; listened["unread"](); found.push(seen());
    inputs[1].checked = false; listened["normal"](); found.push(seen());
    search.value = " STUDY 3"; listened["find"](); found.push(seen());
    return found.join(" ");
    """
    program = f"(function() {{{A_BROWSER}{SCRIPT}{steps}}})()"
    ran = subprocess.run(
        [sys.executable, "-c", SORTED_AND_FILTERED], input=program, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "123 213 312 123 13 123 13 3"


def told_by(studies: list[Study]) -> dict[str, list[str]]:
    return {study.patient_id or study.patient_name: [file.name for file in study.files] for study in studies}


def test_a_damaged_file_counts_as_one_of_each_study_that_it_may_be_of(tmp_path: Path) -> None:
    exams: dict[str, dict[str, Any]] = {
        "p1": {"StudyInstanceUID": "1.1", "StudyDate": "20240101"},
        "p2": {"StudyInstanceUID": "1.2", "StudyDate": "20240202"},
    }
    for patient, exam in exams.items():
        write_section(tmp_path / "ward" / f"{patient}.dcm", RAMP, PatientID=patient, **exam)
    elsewhere = write_section(tmp_path / "away" / "cut.dcm", RAMP, PatientID="p2", **exams["p2"])
    content = elsewhere.read_bytes()
    elsewhere.write_bytes(content[: content.index(b"p2") + 2])  # it tells its patient, and not its exam
    assert told_by(find_studies(tmp_path, tmp_path / "list")) == {"p1": ["p1.dcm"], "p2": ["p2.dcm", "cut.dcm"]}

    beside = tmp_path / "ward" / "cut.dcm"
    elsewhere.rename(beside)
    beside.write_bytes(content[: content.index(b"20240202") + 6])  # 202402 is not of January
    assert told_by(find_studies(tmp_path, tmp_path / "list")) == {"p1": ["p1.dcm"], "p2": ["p2.dcm", "cut.dcm"]}
    beside.write_bytes(content[: content.index(b"1.2", content.index(b"p2")) + 2])  # in its StudyInstanceUID
    assert told_by(find_studies(tmp_path, tmp_path / "list")) == {"p1": ["p1.dcm"], "p2": ["p2.dcm", "cut.dcm"]}
    beside.write_bytes(bytes(8192))
    passed = PassedOver()
    alone = {**{patient: [f"{patient}.dcm"] for patient in exams}, "": ["cut.dcm"]}
    assert told_by(find_studies(tmp_path, tmp_path / "list", passed=passed)) == alone, "nothing says whose it is"
    assert passed.unread == [beside], "so it is told beside both"
    beside.write_text("no image")
    both = {patient: [f"{patient}.dcm", "cut.dcm"] for patient in exams}
    assert told_by(find_studies(tmp_path, tmp_path / "list", passed=passed)) == both, "each says that it is no image"
    assert passed.unread == [beside], "nothing is missing for it"
    beside.write_bytes(bytes(8192))

    (tmp_path / "alone").mkdir()
    beside.rename(tmp_path / "alone" / "cut.dcm")
    assert told_by(find_studies(tmp_path, tmp_path / "list"))[""] == ["cut.dcm"]
    write_section(tmp_path / "alone" / "DICOMDIR", RAMP, PatientID="", SeriesInstanceUID=None, StudyInstanceUID=None)
    (tmp_path / "alone" / "cut.dcm").write_text("no image")
    assert told_by(find_studies(tmp_path, tmp_path / "list")).keys() == exams.keys(), "neither is damaged"


def test_an_image_that_breaks_off_behind_its_uids_is_one_of_its_study(tmp_path: Path) -> None:
    for name in ("whole", "cut"):
        write_section(tmp_path / f"{name}.dcm", RAMP, PatientID="p1", StudyInstanceUID="1.1")
    content = (tmp_path / "cut.dcm").read_bytes()
    (tmp_path / "cut.dcm").write_bytes(content[: content.index(PIXELS) - 30])
    passed = PassedOver()
    assert told_by(find_studies(tmp_path, tmp_path / "list", passed=passed)) == {"p1": ["cut.dcm", "whole.dcm"]}
    assert passed.unread == []


def test_a_file_whose_attributes_are_out_of_order_is_one_of_its_study(tmp_path: Path) -> None:
    for name in ("usual", "odd"):
        write_section(tmp_path / f"{name}.dcm", RAMP, PatientID="patient1", StudyInstanceUID="1.1")
    content = (tmp_path / "odd.dcm").read_bytes()
    patient = b"\x10\0\x20\0LO\x08\0patient1"
    without = content.replace(patient, b"")
    place = without.index(PIXELS)
    (tmp_path / "odd.dcm").write_bytes(without[:place] + patient + without[place:])
    assert told_by(find_studies(tmp_path, tmp_path / "list")) == {"patient1": ["odd.dcm", "usual.dcm"]}


def test_two_patients_without_number_and_exam_are_two_studies(tmp_path: Path) -> None:
    untold: dict[str, Any] = {"PatientID": "", "StudyInstanceUID": None}
    for number, (name, born) in enumerate((("A^A", ""), ("a^a^", ""), ("B^B", ""), ("B^B", "19570301"))):
        write_section(tmp_path / f"{number}.dcm", RAMP, PatientName=name, PatientBirthDate=born, **untold)
    studies = find_studies(tmp_path, tmp_path / "list")
    assert [[file.stem for file in study.files] for study in studies] == [["0", "1"], ["2"], ["3"]]


def test_images_are_the_same_where_they_are_moved_or_copied_and_others_when_their_bytes_change(tmp_path: Path) -> None:
    def of(folder: str) -> tuple[str, str]:
        (study,) = find_studies(tmp_path / folder, tmp_path / "list")
        return study.state(), study.content()

    untold: dict[str, Any] = {"PatientID": "", "StudyInstanceUID": None}
    for name in ("a", "b"):
        write_section(tmp_path / "ward" / "x" / f"{name}.dcm", RAMP, **untold)
    (key,) = [study.key for study in find_studies(tmp_path / "ward", tmp_path / "list")]
    state, content = of("ward")
    (tmp_path / "ward").rename(tmp_path / "moved")
    assert of("moved") == (state, content)
    assert [study.key for study in find_studies(tmp_path / "moved", tmp_path / "list")] == [key]
    again = Path(shutil.copy(tmp_path / "moved" / "x" / "a.dcm", tmp_path / "moved" / "x" / "c.dcm"))
    assert of("moved")[1] == content
    again.write_bytes(again.read_bytes()[:-2] + b"??")
    assert of("moved")[1] != content


def test_volumes_are_others_when_the_json_file_beside_them_or_the_pixels_that_lie_apart_change(tmp_path: Path) -> None:
    (tmp_path / "ward").mkdir()
    header, pixels, sidecar = (tmp_path / "ward" / name for name in ("map.mhd", "map.raw", "map.json"))
    sitk.WriteImage(sitk.GetImageFromArray(np.ones((3, 20, 20), np.int16)), str(header))

    def now() -> tuple[str, str]:
        (study,) = find_studies(tmp_path / "ward", tmp_path / "list")
        assert study.files == (header,)
        return study.state(), study.content()

    seen = [now()]
    sidecar.write_text('{"MagneticFieldStrength": 1.5}')
    seen.append(now())
    pixels.write_bytes(b"\2" + pixels.read_bytes()[1:])
    os.utime(pixels, (1, 1))
    seen.append(now())
    pixels.unlink()
    seen.append(now())
    states, contents = zip(*seen, strict=True)
    assert len(set(states)) == len(set(contents)) == 4


def test_images_of_other_modalities_are_counted_and_told_by_their_modality(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, modality in (("a", "CT"), ("b", "CT"), ("c", "US")):
        write_section(tmp_path / "ward" / f"{name}.dcm", RAMP, PatientID=name, Modality=modality)
    passed = PassedOver()
    assert find_studies(tmp_path / "ward", tmp_path / "list", passed=passed) == []
    assert passed == PassedOver(others=Counter({"CT": 2, "US": 1}))
    assert main(["triage", str(tmp_path / "ward"), "--output", str(tmp_path / "list"), "--device", "cpu"]) == 0
    expected = f"Note: {tmp_path}/ward: DICOM images of other modalities than MR were passed over (2 of CT, 1 of US)."
    assert expected in capsys.readouterr().out.replace("\n", " ")
