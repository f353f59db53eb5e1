"""Importing the T1 maps that a table names: whatever its columns are called, all or none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.dicom.volumes import read_dicom_volume
from ACNetLib.errors import ACNetError
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, Ventricle
from ACNetTrainerLib.cases.csv_import import import_csv
from ACNetTrainerLib.cases.editing import add_maps, create_case_library
from ACNetTrainerLib.cases.library import read_case_library
from ACNetTrainerLib.cases.maps import nothing_found
from conftest import Finder
from dicom_files import PATIENT_ID, write_section, write_study
from made_up_maps import content_of, made_up_map, new_map, write_map, write_rows

HOSPITAL_COLUMNS = {
    "file": "Path",
    "patient": "MRN",
    "label": "Diagnosis",
    "segmentation": "ROI",
    "field_strength_tesla": "B0",
    "acquisition_date": "Scanned",
}


PLANE = "The plane is 68 degrees from a usual short axis"
"""Every made-up map lies so, and its note says it."""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    create_case_library(tmp_path / "library")
    return tmp_path / "library"


@pytest.fixture
def hospital(tmp_path: Path, stored: np.ndarray) -> Path:
    """A folder of T1 maps as NRRD and DICOM and a segmentation, and the table that names them."""
    folder = tmp_path / "hospital"
    t1_map = made_up_map(1)
    write_map(t1_map, folder / "maps" / "Doe_Jane.nrrd")
    labels = np.zeros(t1_map.array.shape, np.uint8)
    labels[0, 10:20, 8:18] = MYOCARDIUM_LABEL
    labels[0, 13:17, 11:15] = CAVITY_LABEL
    segmentation = sitk.GetImageFromArray(labels)
    segmentation.CopyInformation(t1_map.image)
    sitk.WriteImage(segmentation, str(folder / "maps" / "roi.nrrd"))
    write_study(folder / "study", stored)
    sitk.WriteImage(made_up_map(2).image, str(folder / "maps" / "without-field.nrrd"))
    write_rows(
        folder / "patients.csv",
        ["MRN", "Path", "Diagnosis", "ROI", "B0", "Scanned", "section", "scanner", "sequence"],
        [PATIENT_ID, "maps/Doe_Jane.nrrd", "DCM", "maps/roi.nrrd", "", "2021-05-31", "", "Philips Ingenia", "SASHA"],
        ["4712", "study", "normal", "", "1.5", "", "1", "", ""],
        [PATIENT_ID, "maps/without-field.nrrd", "dcm", "", "3", "2023-05-31", "", "", ""],
    )
    return folder


# Tables


def test_a_table_with_columns_of_its_own_is_imported(library: Path, hospital: Path) -> None:
    before = content_of(hospital)
    imported = import_csv(library, hospital / "patients.csv", HOSPITAL_COLUMNS, Finder, "ward 3")
    drawn, of_study, found = imported.cases
    assert read_case_library(library).cases == imported.cases
    assert [case.label for case in imported.cases] == ["dcm", "normal", "dcm"]
    assert [case.center_source for case in imported.cases] == ["segmentation", "localizer", "localizer"]
    assert [case.field_strength_tesla for case in imported.cases] == [1.5, 1.5, 3.0]
    assert {case.source for case in imported.cases} == {"ward 3"}
    assert (drawn.manufacturer, drawn.sequence) == ("PHILIPS", "SASHA")
    assert (found.manufacturer, found.sequence) == ("", "")
    assert drawn.patient == found.patient != of_study.patient
    assert (found.acquisition_quarter or 0) - (drawn.acquisition_quarter or 0) == pytest.approx(730 / 91, abs=1)
    volume = read_dicom_volume(hospital / "study").image
    written = read_t1_map(library / of_study.file)
    assert np.array_equal(written.array[0], sitk.GetArrayFromImage(volume)[1]), "the slice that the row names"
    assert content_of(hospital) == before


def test_a_centre_for_each_section_of_a_stack_comes_from_its_row(library: Path, tmp_path: Path) -> None:
    t1_map = made_up_map(1, sections=2)
    write_map(t1_map, tmp_path / "stack.nrrd")
    centers = [t1_map.section_center(section) + 4 * section * t1_map.row_axis for section in range(2)]
    columns = ["file", "patient", "label", "section", "center_l_mm", "center_p_mm", "center_s_mm"]
    rows = [["stack.nrrd", "Jane", "dcm", str(n), *map(str, center)] for n, center in enumerate(centers)]
    table = write_rows(tmp_path / "rows.csv", columns, *rows, delimiter=";")
    imported = import_csv(library, table, {}, Finder)
    assert np.array([case.center_mm for case in imported.cases]) == pytest.approx(np.array(centers), abs=1e-3)
    assert len(read_case_library(library).patients) == 1
    assert all(PLANE in note for note in imported.notes)


def test_a_centre_where_the_localizer_sees_no_heart_is_noted_for_its_row_and_slice(
    library: Path, tmp_path: Path
) -> None:
    t1_map = made_up_map(1, sections=2)
    write_map(t1_map, tmp_path / "stack.nrrd")
    centers = [t1_map.section_center(section) for section in range(2)]
    table = write_rows(
        tmp_path / "rows.csv",
        ["file", "patient", "label", "section", "center_l_mm", "center_p_mm", "center_s_mm"],
        *(["stack.nrrd", "Jane", "dcm", str(section), *map(str, center)] for section, center in enumerate(centers)),
    )
    finder = Finder((Ventricle(0, centers[0], 0.9), Ventricle(1, centers[1], 0.1)))
    (note,) = (each for each in import_csv(library, table, {}, lambda: finder).notes if PLANE not in each)
    assert "row 3: The localizer sees no heart at the given centre on slice 1:" in note


def test_a_centre_far_above_every_slice_is_refused_with_its_row(library: Path, tmp_path: Path) -> None:
    """As one in RAS instead of LPS, or of another slice: it would be moved onto the map without a word."""
    t1_map = made_up_map(1)
    write_map(t1_map, tmp_path / "map.nrrd")
    columns = ["file", "patient", "label", "center_l_mm", "center_p_mm", "center_s_mm"]
    above = t1_map.section_center(0) + 60 * t1_map.normal
    table = write_rows(tmp_path / "rows.csv", columns, ["map.nrrd", "Jane", "dcm", *map(str, above)])
    with pytest.raises(ACNetError, match=r"row 2: column center_l_mm: .*lies 60 mm above or below its nearest slice"):
        import_csv(library, table, {}, Finder)


def test_a_row_that_names_a_slice_hears_of_the_others_only_where_its_own_was_left_out(
    library: Path, tmp_path: Path
) -> None:
    t1_map = made_up_map(1, sections=2)
    write_map(t1_map, tmp_path / "stack.nrrd")
    first, second = nothing_found(t1_map)
    finder = Finder((replace(first, confidence=0.9), replace(second, confidence=0.1)))
    columns = ["file", "patient", "label", "section"]
    table = write_rows(tmp_path / "rows.csv", columns, ["stack.nrrd", "Jane", "dcm", "1"])
    with pytest.raises(ACNetError, match=r"column section is 1; expected one of 0, .*Slice 1 was left out: the left"):
        import_csv(library, table, {}, lambda: finder)
    table = write_rows(tmp_path / "rows.csv", columns, ["stack.nrrd", "Jane", "dcm", "0"])
    imported = import_csv(library, table, {}, lambda: finder)
    assert len(imported.cases) == 1
    assert all(PLANE in note for note in imported.notes)


def test_every_row_with_a_problem_is_named_by_column_and_nothing_is_imported(library: Path, hospital: Path) -> None:
    write_map(made_up_map(3), hospital / "good.nrrd")
    table = write_rows(
        hospital / "patients.csv",
        ["MRN", "Path", "Diagnosis", "ROI", "B0", "Scanned", "section", "center_l_mm"],
        ["1", "good.nrrd", "dcm", "", "", "", "", ""],
        ["2", "nowhere.nrrd", "dcm", "", "", "", "", ""],
        ["3", "good.nrrd", "HCM", "", "", "", "", ""],
        ["", "good.nrrd", "dcm", "", "", "", "", ""],
        ["5", "good.nrrd", "dcm", "", "", "31.5.2021", "", ""],
        ["6", "good.nrrd", "dcm", "", "3", "", "", ""],
        ["7", "good.nrrd", "dcm", "", "", "", "4", ""],
        ["8", "good.nrrd", "dcm", "", "", "", "", "12"],
        ["9", "good.nrrd", "dcm", "good.nrrd", "7", "", "", ""],
    )
    before = content_of(library)
    with pytest.raises(ACNetError) as error:
        import_csv(library, table, HOSPITAL_COLUMNS, Finder)
    for problem in (
        "Nothing was added",
        "row 3: column Path: ",
        "row 4: column Diagnosis is 'HCM'; expected one of normal, dcm",
        "row 5: column MRN is empty",
        "row 6: column Scanned is no date; expected one such as 2024-05-31",
        "row 7: column Path: good.nrrd: its header says 1.5 T, you say 3 T",
        "row 8: column section is 4; expected one of 0",
        "row 9: column center_p_mm is ''; expected a number",
        "row 10: column Path: good.nrrd: its field strength is 7 T",
    ):
        assert problem in str(error.value)
    assert "row 2" not in str(error.value)
    assert content_of(library) == before


def test_a_row_that_fails_when_it_is_added_is_named_beside_those_that_can_not_be_read(
    library: Path, tmp_path: Path
) -> None:
    add_maps(library, [new_map(1, "Jane")])
    for seed in (1, 2, 3, 4):
        write_map(made_up_map(seed), tmp_path / f"{seed}.nrrd")
    sitk.WriteImage(made_up_map(5).image, str(tmp_path / "without-field.nrrd"))
    table = write_rows(
        tmp_path / "rows.csv",
        ["file", "patient", "label"],
        ["1.nrrd", "Jane", "dcm"],
        ["2.nrrd", "Joan", "dcm"],
        ["3.nrrd", "joan ", "normal"],
        ["without-field.nrrd", "Jim", "dcm"],
        ["nowhere.nrrd", "Jack", "dcm"],
        ["4.nrrd", "Jill", "dcm"],
    )
    before = content_of(library)
    with pytest.raises(ACNetError) as error:
        import_csv(library, table, {}, Finder)
    first, *problems = error.value.lines
    assert first == "Nothing was added."
    expected = {
        "row 6: column file: ": "nowhere.nrrd: there is no such file",
        "row 5: ": "its field strength is not in its header; give it, 1.5 or 3 T",
        "row 2: ": "its image is in the library already, as case",
        "row 4: ": "is normal here and dcm by",
    }
    assert len(problems) == len(expected)
    for (row, reason), problem in zip(expected.items(), problems, strict=True):
        assert f"rows.csv, {row}" in problem
        assert reason in problem
    assert content_of(library) == before


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"center_l_mm": "-12,5", "center_p_mm": "1", "center_s_mm": "1"}, "center_l_mm is '-12,5'; expected a number"),
        (
            {"acquisition_date": "2999-05-31"},
            "acquisition_date is 2999-05-31, which is still to come; expected the day",
        ),
        ({"label": "other: "}, "label is 'other:'; expected one of normal, dcm, or other: and a disease"),
    ],
)
def test_what_is_wrong_in_a_row_is_said_once_with_its_column(
    library: Path, tmp_path: Path, cells: dict[str, str], said: str
) -> None:
    write_map(made_up_map(1), tmp_path / "a.nrrd")
    row = {"file": "a.nrrd", "patient": "Jane", "label": "dcm", **cells}
    table = write_rows(tmp_path / "rows.csv", list(row), list(row.values()))
    with pytest.raises(ACNetError) as error:
        import_csv(library, table, {}, Finder)
    assert f"rows.csv, row 2: column {said}" in str(error.value)
    assert str(error.value).count("row 2") == 1


def test_another_disease_is_imported_to_evaluate_on(library: Path, tmp_path: Path) -> None:
    write_map(made_up_map(1), tmp_path / "a.nrrd")
    write_map(made_up_map(2), tmp_path / "b.nrrd")
    table = write_rows(
        tmp_path / "rows.csv",
        ["file", "patient", "label"],
        ["a.nrrd", "Jane", "Other: amyloidosis"],
        ["b.nrrd", "Joan", "DCM"],
    )
    assert [case.label for case in import_csv(library, table, {}, Finder).cases] == ["other:amyloidosis", "dcm"]
    assert [case.label for case in read_case_library(library).others] == ["other:amyloidosis"]


def test_the_same_image_in_two_rows_is_found_though_one_is_dicom(library: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(5).integers(200, 1900, (40, 30)).astype(np.uint16)
    write_section(tmp_path / "study" / "a.dcm", noise)
    sitk.WriteImage(sitk.Flip(read_t1_map(tmp_path / "study").image, (False, True, False)), str(tmp_path / "e.nii.gz"))
    table = write_rows(
        tmp_path / "rows.csv",
        ["file", "patient", "label", "field_strength_tesla"],
        ["study", "Jane", "dcm", ""],
        ["e.nii.gz", "Joan", "normal", "1.5"],
    )
    with pytest.raises(ACNetError, match=r"row 3: its image is added already, by .*row 2, of another patient"):
        import_csv(library, table, {}, Finder)


def test_a_column_that_the_table_has_not_is_named(library: Path, hospital: Path) -> None:
    with pytest.raises(ACNetError, match=r"patients\.csv: columns patient are missing"):
        import_csv(library, hospital / "patients.csv", {"file": "Path", "label": "Diagnosis"}, Finder)
    named = {"file": "Path", "patient": "MRN", "label": "Result"}
    with pytest.raises(ACNetError, match=r"columns Result are missing; expected Path, MRN, Result\.$"):
        import_csv(library, hospital / "patients.csv", named, Finder)
    with pytest.raises(ACNetError, match="column colour: there is no such field; expected one of file, patient"):
        import_csv(library, hospital / "patients.csv", {"colour": "Path"}, Finder)
