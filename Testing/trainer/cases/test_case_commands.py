"""`acnet-train cases`, from an empty folder to a checked library, and what users get wrong."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pydicom
import pytest

from ACNetLib.t1map.t1_map import read_t1_map
from ACNetTrainerLib.cases.library import read_case_library
from ACNetTrainerLib.commands import main as cli
from ACNetTrainerLib.simulation.cohort import Cohort, simulate_cohort
from conftest import acnet_train
from dicom_files import PATIENT_ID, RAW_TYPE, write_section
from exam_files import write_exam
from made_up_maps import content_of, made_up_map, write_map

ABOVE = f"--center={','.join(map(str, made_up_map(1).center + 54 * made_up_map(1).normal))}"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    assert cli.main(["cases", "create", str(tmp_path / "library")]) == 0
    return tmp_path / "library"


def cases(action: str, library: Path, *arguments: object) -> int:
    """The exit code of `acnet-train cases`."""
    return cli.main(["cases", action, str(library), *map(str, arguments)])


def at_center_of(path: Path) -> str:
    return f"--center={','.join(map(str, read_t1_map(path).center))}"


def test_a_library_grows_by_file_and_table_and_is_edited_and_checked(
    library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = write_map(made_up_map(1), tmp_path / "sources" / "Doe.nrrd")
    write_map(made_up_map(2, sections=2), tmp_path / "sources" / "second.nrrd")
    table = tmp_path / "sources" / "rows.csv"
    center = ",".join(map(str, made_up_map(2).center))
    table.write_text(
        f"path,patient,label,center_l_mm,center_p_mm,center_s_mm\nsecond.nrrd,Joan,normal,{center}\n", encoding="utf-8"
    )
    sources = content_of(tmp_path / "sources")
    place = at_center_of(first)
    assert cases("add", library, first, "--label", "dcm", "--patient", "Doe^Jane", place, "--date", "2021-05-31") == 0
    assert cases("import-csv", library, table, "--column", "file=path", "--source", "ward 3") == 0
    jane, joan, _ = read_case_library(library).cases
    assert jane.acquisition_quarter is not None
    assert joan.source == "ward 3"
    assert cases("edit", library, jane.case, "--label", "other:amyloidosis") == 0
    assert "other:amyloidosis, patient" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cases("edit", library, jane.case, "--label", "amyloidosis")
    assert "found 'amyloidosis'; expected one of normal, dcm, or other: and a disease" in capsys.readouterr().err
    assert cases("edit", library, jane.case, "--label", "normal") == 0
    assert cases("remove", library, joan.case) == 0
    capsys.readouterr()
    assert cases("check", library) == 0
    said = capsys.readouterr().out
    assert "2 patients, 2 slices\n" in said
    assert "\n1.5 T  normal  2         2\n" in said
    assert "Warning: Patients who are dcm: 0;" in said
    assert content_of(tmp_path / "sources") == sources


def test_a_dicom_map_tells_its_patient_and_date_itself(
    library: Path, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cases("add", library, study, "--label", "dcm", at_center_of(study)) == 0
    single = write_section(
        study.parent / "one.dcm", made_up_map(4).array[0].astype("uint16"), series=8, AcquisitionDate="20210531"
    )
    assert cases("add", library, single, "--label", "dcm", at_center_of(single)) == 0
    added = read_case_library(library).cases
    assert len(added) == 4
    assert len({case.patient for case in added}) == 1
    assert [case.acquisition_quarter is None for case in added] == [True] * 3 + [False]
    pixels = made_up_map(3).array[0].astype("uint16")
    write_section(
        study / "cine.dcm", pixels, series=9, PatientID="ID-4712", SeriesDescription="cine", ImageType=RAW_TYPE
    )
    assert cases("add", library, study, "--label", "dcm", at_center_of(study)) == 2
    captured = capsys.readouterr()
    assert "study: found 2 different PatientID in its files; expected one" in captured.err
    assert PATIENT_ID not in captured.out + captured.err


def test_an_exam_whose_slices_were_planned_one_by_one_is_added_as_one_patient(
    library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exam = write_exam(tmp_path / "exam")
    assert cases("add", library, exam, "--label", "dcm") == 0
    added = read_case_library(library).cases
    assert len(added) == 3
    assert len({case.patient for case in added}) == 1
    heights = [np.dot(case.center_mm, read_t1_map(exam / "series-3.dcm").normal) for case in added]
    assert np.abs(np.diff(heights)) == pytest.approx([14, 18], abs=1.0)
    assert "Cases added: 3, patients: 1, centres that the localizer found: 3." in capsys.readouterr().out


def test_a_map_of_an_exam_whose_ventricle_lies_elsewhere_is_left_out_as_by_the_classifier(
    library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exam = write_exam(tmp_path / "exam")
    apex = pydicom.dcmread(exam / "series-7.dcm")
    along_row = 40 * np.array(apex.ImageOrientationPatient[:3], float)
    apex.ImagePositionPatient = (np.array(apex.ImagePositionPatient, float) + along_row).tolist()
    apex.save_as(exam / "series-7.dcm")
    labels = tmp_path / "labels.csv"
    labels.write_text(f"PatientID,label\n{PATIENT_ID},dcm\n", encoding="utf-8")
    cases("create", tmp_path / "another")
    another = tmp_path / "another"
    cases("create", another)
    for action, folder, arguments in (
        ("add", library, ("--label", "dcm")),
        ("import-dicom", another, ("--labels", labels)),
    ):
        assert cases(action, folder, exam, *arguments) == 0
        said = capsys.readouterr().out
        assert re.search(r"Note: Left out: .*series 7: its ventricle lies \d\d mm from that of the other maps\.", said)
        assert "Cases added: 2, patients: 1" in said


def test_two_maps_of_one_slice_are_listed_and_no_option_is_named_that_the_command_lacks(
    library: Path, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_section(study / "again.dcm", made_up_map(4).array[0].astype("uint16"), series=9)
    assert cases("add", library, study, "--label", "dcm") == 2
    error = capsys.readouterr().err
    assert re.search(r"Found series 3 \(.*; series 9 \(.*: give the folder of one series\.$", error, re.DOTALL)
    assert "--" not in error


def test_dicom_studies_are_imported_with_the_shipped_localizer_by_the_real_command(
    library: Path, tmp_path: Path
) -> None:
    simulate_cohort(Cohort(2, 0.5, 1.5, seed=8), tmp_path / "cohort", dicom="siemens", levels=("mid",))
    truth = read_case_library(tmp_path / "cohort").cases
    rows = [f"{case.patient},{case.label},{case.patient}" for case in truth]
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(["folder,label,patient", *rows]), encoding="utf-8")
    code, said, error = acnet_train(
        ["cases", "import-dicom", library, tmp_path / "cohort" / "dicom", "--labels", labels]
    )
    assert code == 0, error
    assert "Cases added: 2, patients: 2, centres that the localizer found: 2." in said
    found = read_case_library(library).cases
    assert [(case.label, case.source) for case in found] == [(case.label, "simulated") for case in truth]
    for case, true in zip(found, truth, strict=True):
        assert case.center_mm == pytest.approx(true.center_mm, abs=10.0)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["add", "LIBRARY", "MAP", "--label", "dcm"], "--patient: a.nrrd does not say whose it is"),
        (["add", "LIBRARY", "MAP", "--label", "dcm", "--patient", "Jane", "--date", "May"], "--date is no date"),
        (["add", "LIBRARY", "MAP", "--label", "dcm", "--patient", "Jane", "--field", "3"], "its header says 1.5 T"),
        (["add", "LIBRARY", "MAP", "--label", "dcm", "--patient", "Jane"], "not found on any slice"),
        (["add", "LIBRARY", "MAP", "--label", "dcm", "--patient", "Jane", "--center=0,0,0"], "lies outside of the map"),
        (["edit", "LIBRARY", "case-1"], "nothing to change"),
        (["add", "LIBRARY", "MAP", "--label", "dcm", "--patient", "J", "--date", "2999-05-31"], "is still to come"),
        (["add", "LIBRARY", "MAP", "--label", "dcm", "--patient", "J", ABOVE], "mm above or below"),
        (["remove", "LIBRARY", "case-1"], "found 0 cases named 'case-1'"),
        (["import-csv", "LIBRARY", "FOLDER/none.csv"], "none.csv: it can't be read"),
        (["import-dicom", "LIBRARY", "FOLDER", "--labels", "FOLDER/none.csv"], "found no DICOM image"),
        (["create", "FOLDER"], "not an empty folder"),
        (["check", "FOLDER"], "no cases.csv found"),
        (["check", "LIBRARY"], "no cases; expected at least one row"),
    ],
)
def test_what_the_command_can_not_do_is_one_line_and_changes_nothing(
    library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    places = {"LIBRARY": library, "MAP": write_map(made_up_map(1), tmp_path / "a.nrrd"), "FOLDER": tmp_path}
    for name, place in places.items():
        arguments = [argument.replace(name, str(place)) for argument in arguments]
    before = content_of(tmp_path)
    capsys.readouterr()
    assert cli.main(["cases", *arguments]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert reason in error
    assert content_of(tmp_path) == before
