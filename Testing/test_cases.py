"""The case library: what is written is read again, and every error names its row and column."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.cases import COLUMNS, Case, read_case_library, write_case_table, write_table

FIRST = Case("a-mid", "a", "images/a.nrrd", "normal", 1.5, -2.25, 300.125, 1.5, "simulated")
SECOND = Case("b-mid", "b", "images/b.nrrd", "dcm", 0.0, 0.0, -0.001, 3.0, "hospital, ward 3")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A library of two cases; what their files hold does not matter here."""
    (tmp_path / "images").mkdir()
    for case in (FIRST, SECOND):
        (tmp_path / case.file).touch()
    write_case_table(tmp_path, [FIRST, SECOND])
    return tmp_path


def with_values(folder: Path, **values: str) -> Path:
    """The library with some columns of its second case (row 3 of the table) changed."""
    write_table(folder / "cases.csv", COLUMNS, [asdict(FIRST), {**asdict(SECOND), **values}])
    return folder


def test_a_written_library_reads_back_as_it_was(folder: Path) -> None:
    library = read_case_library(folder)
    assert library.cases == (FIRST, SECOND)
    assert library.folder == folder
    assert library.patients == ("a", "b")
    assert library.path(SECOND) == folder / "images" / "b.nrrd"


def test_a_case_tells_its_class_its_centre_and_whether_it_is_simulated() -> None:
    assert FIRST.center_mm == (1.5, -2.25, 300.125)
    assert (FIRST.is_dcm, SECOND.is_dcm) == (False, True)
    assert (FIRST.is_simulated, SECOND.is_simulated) == (True, False)


def test_patients_are_listed_once_in_the_order_of_the_table(folder: Path) -> None:
    write_case_table(folder, [SECOND, FIRST, replace(SECOND, case="b-apex")])
    assert read_case_library(folder).patients == ("b", "a")


def test_a_table_saved_by_a_spreadsheet_is_read(folder: Path) -> None:
    """With a byte-order mark, Windows line ends, columns in another order, one more column, and stray blanks."""
    names = [*reversed(COLUMNS), "remark"]
    values = {**asdict(FIRST), "label": " normal ", "remark": "good"}
    lines = [",".join(names), ",".join(str(values[name]) for name in names)]
    (folder / "cases.csv").write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    assert read_case_library(folder).cases == (FIRST,)


@pytest.mark.parametrize("column", COLUMNS)
def test_an_empty_cell_is_named_by_row_and_column(folder: Path, column: str) -> None:
    with pytest.raises(ACNetError, match=rf"cases\.csv, row 3: column {column} is empty"):
        read_case_library(with_values(folder, **{column: " "}))


@pytest.mark.parametrize("column", ["center_l_mm", "center_p_mm", "center_s_mm", "field_strength_tesla"])
@pytest.mark.parametrize("text", ["left", "1,5", "nan", "inf"])
def test_a_cell_that_is_no_number_is_named_by_row_and_column(folder: Path, column: str, text: str) -> None:
    with pytest.raises(ACNetError, match=rf"cases\.csv, row 3: column {column} is '{text}'; expected a number"):
        read_case_library(with_values(folder, **{column: text}))


def test_an_unknown_label_is_named_by_row_and_column(folder: Path) -> None:
    with pytest.raises(ACNetError, match=r"row 3: column label is 'DCM'; expected one of normal, dcm"):
        read_case_library(with_values(folder, label="DCM"))


def test_a_row_with_too_few_cells_is_named(folder: Path) -> None:
    table = folder / "cases.csv"
    table.write_text(table.read_text(encoding="utf-8") + "c-mid,c\n", encoding="utf-8")
    with pytest.raises(ACNetError, match="row 4: column file is empty"):
        read_case_library(folder)


def test_a_case_name_that_is_there_twice_is_named_with_its_row(folder: Path) -> None:
    with pytest.raises(ACNetError, match="row 3: case 'a-mid' is there twice"):
        read_case_library(with_values(folder, case="a-mid"))


def test_two_labels_of_one_patient_are_named_with_the_row(folder: Path) -> None:
    with pytest.raises(ACNetError, match="row 3: patient 'a' is dcm here and normal above"):
        read_case_library(with_values(folder, patient="a"))


def test_a_file_that_is_not_there_is_named_with_its_row(folder: Path) -> None:
    with pytest.raises(ACNetError, match=r"row 3: file 'images/c\.nrrd' does not exist"):
        read_case_library(with_values(folder, file="images/c.nrrd"))


def test_missing_columns_are_named(folder: Path) -> None:
    (folder / "cases.csv").write_text("case,patient,label\n", encoding="utf-8")
    with pytest.raises(ACNetError, match=r"columns file, center_l_mm, .*source are missing"):
        read_case_library(folder)


def test_a_table_without_cases_is_refused(folder: Path) -> None:
    write_case_table(folder, [])
    with pytest.raises(ACNetError, match="no cases; expected at least one row"):
        read_case_library(folder)


def test_a_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ACNetError, match=r"no cases\.csv found"):
        read_case_library(tmp_path)


def test_a_table_in_another_encoding_is_refused_with_the_remedy(folder: Path) -> None:
    (folder / "cases.csv").write_bytes("case,Größe\n".encode("latin-1"))
    with pytest.raises(ACNetError, match="save it as 'CSV UTF-8'"):
        read_case_library(folder)
