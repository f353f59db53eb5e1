"""The case library: what is written is read again, and every error names its row and column."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.cases.library import (
    COLUMNS,
    REQUIRED_COLUMNS,
    Case,
    read_case_library,
    write_case_table,
    write_table,
)
from ACNetTrainerLib.cases.table import read_table
from made_up_maps import made_up_map, write_map

FIRST = Case("a-mid", "a", "images/a.nrrd", "normal", 1.5, -2.25, 300.125, 1.5, "simulated")
PLACE = ("dcm", 0.0, 0.0, -0.001, 3.0, "hospital, ward 3")
SECOND = Case("b-mid", "b", "images/b.nrrd", *PLACE, "given", 97, "sha256-12e45")


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
    names = [*reversed(REQUIRED_COLUMNS), "remark"]
    values = {**asdict(FIRST), "label": " normal ", "remark": "good"}
    for separator in ",;":
        lines = [separator.join(names), separator.join(str(values[name]) for name in names)]
        (folder / "cases.csv").write_bytes("\r\n".join(lines).encode("utf-8-sig"))
        assert read_case_library(folder).cases == (FIRST,)


def test_a_table_of_simulated_cases_has_no_columns_beyond_the_required(folder: Path) -> None:
    write_case_table(folder, [FIRST])
    header = (folder / "cases.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == "case,patient,file,label,center_l_mm,center_p_mm,center_s_mm,field_strength_tesla,source"


@pytest.mark.parametrize("column", REQUIRED_COLUMNS)
def test_an_empty_cell_is_named_by_row_and_column(folder: Path, column: str) -> None:
    with pytest.raises(ACNetError, match=rf"cases\.csv, row 3: column {column} is empty"):
        read_case_library(with_values(folder, **{column: " "}))


@pytest.mark.parametrize("column", ["center_l_mm", "center_p_mm", "center_s_mm", "field_strength_tesla"])
@pytest.mark.parametrize("text", ["left", "1,5", "nan", "inf"])
def test_a_cell_that_is_no_number_is_named_by_row_and_column(folder: Path, column: str, text: str) -> None:
    with pytest.raises(ACNetError, match=rf"cases\.csv, row 3: column {column} is '{text}'; expected a number"):
        read_case_library(with_values(folder, **{column: text}))


@pytest.mark.parametrize(("written", "nominal"), [("1.494", 1.5), ("2.8936", 3.0), ("15000", 1.5)])
def test_a_field_strength_as_scanners_write_it_is_the_nominal_one(folder: Path, written: str, nominal: float) -> None:
    cases = read_case_library(with_values(folder, field_strength_tesla=written)).cases
    assert cases[1].field_strength_tesla == nominal


@pytest.mark.parametrize(
    ("column", "text", "said"),
    [
        ("case", "a-mid", ": 'a-mid' is there twice"),
        ("label", "DCM", " is 'DCM'; expected one of normal, dcm"),
        ("field_strength_tesla", "7", r" is 7; expected 1\.5 or 3"),
        ("center_source", "guess", " is 'guess'; expected one of given, segmentation, localizer, or nothing"),
        ("acquisition_quarter", "2024-05-31", " is '2024-05-31'; expected a number with a decimal point"),
        ("acquisition_quarter", "97.5", r" is '97\.5'; expected a whole number, or nothing"),
        ("file", "images/c.nrrd", r": 'images/c\.nrrd' does not exist"),
        ("file", "../b.nrrd", r" is '\.\./b\.nrrd'; expected a path within the library's folder"),
        ("file", "/tmp/b.nrrd", r" is '/tmp/b\.nrrd'; expected a path within the library's folder"),
    ],
)
def test_a_cell_that_can_not_be_is_named_by_row_and_column(folder: Path, column: str, text: str, said: str) -> None:
    with pytest.raises(ACNetError, match=rf"cases\.csv, row 3: column {column}{said}"):
        read_case_library(with_values(folder, **{column: text}))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("300.125", "300,125", "row 2: found 13 cells; expected 12.*decimals have a point"),
        ("\n", "\nc-mid,c\n", "row 2: column file is empty"),
    ],
)
def test_a_row_with_too_many_or_too_few_cells_is_named(folder: Path, old: str, new: str, said: str) -> None:
    table = folder / "cases.csv"
    table.write_text(table.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ACNetError, match=said):
        read_case_library(folder)


@pytest.mark.parametrize("name", ["../../x", "a/b", "a\\b", "C:x", ".x", "-x", "con", "a\u202eb", "x" * 101])
def test_a_case_whose_name_would_lead_elsewhere_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(ACNetError, match=r"row 3: column case is .*expected a plain name"):
        read_case_library(with_values(folder, case=name))


@pytest.mark.parametrize("text", ["=1+1", "+x", "-x", "@SUM(A1)", "=HYPERLINK(1)"])
def test_a_text_that_a_spreadsheet_would_compute_is_harmless_and_comes_back(folder: Path, text: str) -> None:
    cases = read_case_library(with_values(folder, source=text)).cases
    assert cases[1].source == text
    write_case_table(folder, cases)
    assert f",'{text}" in (folder / "cases.csv").read_text(encoding="utf-8")
    assert read_case_library(folder).cases == cases


def test_a_row_is_named_by_the_number_that_a_spreadsheet_gives_it(folder: Path) -> None:
    table = folder / "cases.csv"
    header, first, second = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([header, "", first, "," * (len(COLUMNS) - 1), second.replace("dcm", "?")]))
    with pytest.raises(ACNetError, match="row 5: column label"):
        read_case_library(folder)


def test_two_labels_of_one_patient_are_named_with_the_row(folder: Path) -> None:
    with pytest.raises(ACNetError, match="row 3: column label: patient 'a' is dcm here and normal above"):
        read_case_library(with_values(folder, patient="a"))


@pytest.mark.parametrize("patient", ["A", "\uff21"], ids=["capitals", "wide"])
def test_two_spellings_of_one_patient_are_named_with_the_row(folder: Path, patient: str) -> None:
    with pytest.raises(ACNetError, match=f"row 3: column patient is '{patient}', which is 'a' above"):
        read_case_library(with_values(folder, patient=patient))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (b"case,patient,label\n", r"columns file, center_l_mm, .*source are missing"),
        (",".join(REQUIRED_COLUMNS).encode(), "no cases; expected at least one row"),
        (None, r"no cases\.csv found"),
        ("case,Größe\n".encode("latin-1"), "save it as 'CSV UTF-8'"),
    ],
    ids=["columns", "cases", "table", "encoding"],
)
def test_a_table_that_lacks_something_is_refused_with_what_it_is(
    tmp_path: Path, table: bytes | None, said: str
) -> None:
    if table is not None:
        (tmp_path / "cases.csv").write_bytes(table)
    with pytest.raises(ACNetError, match=said):
        read_case_library(tmp_path)


# Rows that a person wrote: their images are read, for the table can't tell what they show.


@pytest.fixture
def by_hand(tmp_path: Path) -> Path:
    """Two patients of a table without hashes: their files differ in name, header and orientation, not in pixels."""
    t1_map = made_up_map(1)
    write_map(t1_map, tmp_path / "images" / "a.nrrd")
    mirrored = sitk.Flip(t1_map.image, (True, False, False))
    sitk.WriteImage(sitk.PermuteAxes(mirrored, (1, 0, 2)) / 1000.0, str(tmp_path / "images" / "b.nii.gz"))
    write_case_table(tmp_path, [Case("a", "a", "images/a.nrrd", *PLACE), Case("b", "b", "images/b.nii.gz", *PLACE)])
    return tmp_path


def test_the_same_image_under_two_patients_is_refused_and_both_cases_are_named(by_hand: Path) -> None:
    with pytest.raises(ACNetError, match=r"row 3: column file: case 'b' has the image of case 'a', .* another patient"):
        read_case_library(by_hand)


def test_the_same_image_twice_of_one_patient_is_reported(by_hand: Path) -> None:
    table = by_hand / "cases.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("b,b,", "b,a,"), encoding="utf-8")
    library = read_case_library(by_hand)
    assert len(library.cases) == 2
    assert len(library.warnings) == 1
    assert "row 3: case 'b' has the image of case 'a' of the same patient" in library.warnings[0]


def test_different_images_are_not_reported(by_hand: Path) -> None:
    write_map(made_up_map(2), by_hand / "images" / "a.nrrd")
    library = read_case_library(by_hand)
    assert library.warnings == ()
    assert len({case.pixel_hash for case in library.cases}) == 2


def test_one_file_for_two_simulated_patients_is_refused(folder: Path) -> None:
    write_case_table(folder, [FIRST, replace(FIRST, case="c-mid", patient="c")])
    with pytest.raises(ACNetError, match=r"row 3: .*has the image of case 'a-mid'"):
        read_case_library(folder)


def test_an_image_that_is_no_section_of_a_t1_map_is_named_by_row_and_column(by_hand: Path) -> None:
    for content, message in ((made_up_map(3, sections=2), "found 2 slices; expected one"), (None, "can't be read")):
        if content:
            write_map(content, by_hand / "images" / "a.nrrd")
        else:
            (by_hand / "images" / "a.nrrd").write_bytes(b"NRRD0004")
        with pytest.raises(ACNetError, match=rf"row 2: column file: a\.nrrd: .*{message}"):
            read_case_library(by_hand)


@pytest.mark.parametrize(
    "row", ['"a,b,c', 'a,"b"c,d', '"' + "x" * 200_000], ids=["unclosed", "in a cell", "without end"]
)
def test_a_quote_that_is_not_closed_is_one_line(tmp_path: Path, row: str) -> None:
    (tmp_path / "table.csv").write_text(f"one,two,three\n1,2,3\n{row}\n4,5,6\n")
    with pytest.raises(ACNetError, match=r"table\.csv, line [345]: no CSV \(.*quote before it is not closed") as error:
        read_table(tmp_path / "table.csv")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("centre", "start"), [("Zürich", b"\xef\xbb\xbfcentre"), ("Zurich", b"centre")])
def test_letters_beyond_ascii_are_written_so_that_excel_knows_them(tmp_path: Path, centre: str, start: bytes) -> None:
    write_table(tmp_path / "table.csv", ["centre"], [{"centre": centre}])
    assert (tmp_path / "table.csv").read_bytes().startswith(start)
    assert read_table(tmp_path / "table.csv").rows[0].cells == {"centre": centre}
