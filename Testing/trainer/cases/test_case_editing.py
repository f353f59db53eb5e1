"""Changing a case library: every change is whole or not there, and no file but the library's own is touched."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ACNetLib.errors import ACNetError
from ACNetLib.t1map.t1_map import Geometry, read_t1_map, t1_map_from_array
from ACNetLib.ventricle.labels import MYOCARDIUM_LABEL, SEPTUM_LABEL
from ACNetTrainerLib.cases import editing as case_editing
from ACNetTrainerLib.cases.checks import check_library
from ACNetTrainerLib.cases.editing import Edit, add_maps, create_case_library, edit_case, remove_cases
from ACNetTrainerLib.cases.library import Case, CaseLibrary, read_case_library
from ACNetTrainerLib.cases.maps import NewMap, at_point, in_segmentation, nothing_found
from conftest import Finder
from made_up_maps import content_of, made_up_map, made_up_ring, new_map, write_rows


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    create_case_library(folder)
    return folder


def cells_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "cases.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# All or nothing


def test_an_image_that_is_there_is_refused_and_its_case_is_named(library: Path) -> None:
    (case,) = add_maps(library, [new_map(1, "Jane")])
    before = content_of(library)
    again = new_map(1, "Jane")
    for patient, whose in (("Jane", "the same"), ("Joan", "another")):
        with pytest.raises(ACNetError, match=f"map-1: .* in the library already, as case '{case.case}' of {whose} pat"):
            add_maps(library, [new_map(2, patient), replace(again, patient=patient)])
    with pytest.raises(ACNetError, match="second: its image is added already, by first"):
        add_maps(library, [replace(new_map(3, "x"), place="first"), replace(new_map(3, "y"), place="second")])
    assert content_of(library) == before


def test_a_patient_with_both_labels_is_refused_without_being_named(library: Path) -> None:
    add_maps(library, [new_map(1, "Doe^Jane", "dcm")])
    before = content_of(library)
    with pytest.raises(ACNetError, match=r"map-2: patient 'p-\w{16}' is normal here and dcm in the library") as error:
        add_maps(library, [new_map(2, "Doe^Jane", "normal")])
    assert "Doe" not in str(error.value)
    with pytest.raises(ACNetError, match=r"map-4: patient .* is dcm here and normal by map-3"):
        add_maps(library, [new_map(3, "Joan", "normal"), new_map(4, "Joan", "dcm")])
    assert content_of(library) == before


def test_ten_sections_of_which_one_can_not_be_written_leave_nothing_behind(library: Path, tmp_path: Path) -> None:
    create_case_library(tmp_path / "other")
    new = new_map(1, "Jane", sections=10)
    in_the_way = library / add_maps(tmp_path / "other", [new])[6].file
    (in_the_way / "folder").mkdir(parents=True)
    before = content_of(library)
    with pytest.raises(ACNetError, match="it can't be changed"):
        add_maps(library, [new])
    assert content_of(library) == before
    (in_the_way / "folder").rmdir()
    in_the_way.rmdir()
    assert len(add_maps(library, [new])) == 10


def test_a_table_that_another_program_holds_leaves_the_library_as_it_was(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows a spreadsheet keeps its file from being replaced."""
    new = new_map(1, "Jane", sections=2)
    (case,) = add_maps(
        library, [replace(new, located=in_segmentation(new.t1_map, made_up_ring(1), nothing_found(new.t1_map)))]
    )
    before = content_of(library)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(case_editing, "write_table", refuse)
    segmentation = made_up_ring(1)
    segmentation[0, 0, 1] = MYOCARDIUM_LABEL
    for change in (
        lambda: add_maps(library, [new_map(2, "Joan")]),
        lambda: edit_case(library, case.case, Edit(segmentation=segmentation)),
        lambda: remove_cases(library, [case.case]),
    ):
        with pytest.raises(ACNetError, match=r"can't be changed \(Permission denied\); close cases\.csv where it is"):
            change()
        assert content_of(library) == before


# Editing and removing


def test_label_and_patient_are_edited_for_all_sections_of_the_patient(library: Path) -> None:
    jane, *_ = add_maps(library, [new_map(1, "Jane", "dcm", sections=2), new_map(2, "Joan", "normal")])
    assert [case.label for case in edit_case(library, jane.case, Edit(label="normal")).cases] == ["normal"] * 3
    joan = read_case_library(library).cases[2]
    assert len(edit_case(library, jane.case, Edit(patient="JOAN")).patients) == 1
    assert {case.patient for case in read_case_library(library).cases} == {joan.patient}


def test_an_edit_that_would_give_a_patient_both_labels_is_refused(library: Path) -> None:
    jane, _ = add_maps(library, [new_map(1, "Jane", "dcm"), new_map(2, "Joan", "normal")])
    before = content_of(library)
    with pytest.raises(ACNetError, match=r"cases\.csv, row 3: column label: patient"):
        edit_case(library, jane.case, Edit(patient="Joan"))
    assert content_of(library) == before


def test_centre_and_segmentation_are_edited_for_the_case_alone(library: Path) -> None:
    first, second = add_maps(library, [new_map(1, "Jane", sections=2)])
    t1_map = made_up_map(1, sections=2)
    edit_case(library, first.case, Edit(center_mm=t1_map.section_center(1) + 3.0 * t1_map.row_axis))
    library_now = edit_case(library, second.case, Edit(segmentation=made_up_ring(section=1)))
    moved, drawn = library_now.cases
    assert moved.center_mm == pytest.approx(t1_map.section_center(0) + 3.0 * t1_map.row_axis, abs=1e-3)
    assert (moved.center_source, drawn.center_source) == ("given", "segmentation")
    assert [library_now.masks_path(case) is None for case in library_now.cases] == [True, False]
    assert read_case_library(library) == library_now
    with pytest.raises(ACNetError, match="lies outside of the map"):
        edit_case(library, first.case, Edit(center_mm=(500.0, 0.0, 0.0)))
    with pytest.raises(ACNetError, match="found 0 cases named 'nobody'"):
        edit_case(library, "nobody", Edit(label="dcm"))


def add_drawn(library: Path) -> tuple[Case, Path]:
    """A case with a drawn septum, and its masks."""
    new, ring = new_map(1, "Jane"), made_up_ring(0)
    for row in range(10, 20):
        ring[8, row, 0] = SEPTUM_LABEL
    (case,) = add_maps(library, [replace(new, located=in_segmentation(new.t1_map, ring, nothing_found(new.t1_map)))])
    masks = read_case_library(library).masks_path(case)
    assert masks is not None
    return case, masks


def turn_degrees(library: CaseLibrary) -> float | None:
    (case,) = library.cases
    return library.turn_degrees(case, library.t1_map(case))


def test_a_drawing_goes_when_the_new_centre_lies_outside_of_it(library: Path) -> None:
    case, masks = add_drawn(library)
    t1_map, drawn_mm = made_up_map(1), np.array(case.center_mm)
    drawn_degrees = turn_degrees(read_case_library(library))
    assert drawn_degrees is not None
    within = edit_case(library, case.case, Edit(center_mm=drawn_mm + 3 * t1_map.row_axis))
    assert (turn_degrees(within), within.warnings, masks.is_file()) == (drawn_degrees, (), True)
    outside = edit_case(library, case.case, Edit(center_mm=drawn_mm + 40 * t1_map.column_axis))
    assert (turn_degrees(outside), masks.is_file()) == (None, False)
    assert outside.warnings == (
        f"case '{case.case}': the masks that it had were drawn for another place; they were removed.",
    )


def test_a_drawing_goes_when_of_a_new_one_only_the_centre_is_used(library: Path) -> None:
    case, masks = add_drawn(library)
    edited = edit_case(library, case.case, Edit(segmentation=made_up_ring(0) * 100), Finder)
    assert (turn_degrees(edited), masks.is_file()) == (0.0, False)
    only_center, removed = edited.warnings
    assert only_center.startswith("Of the segmentation only the centre was used on slice 0: found label 100, 200")
    assert "were removed" in removed


def test_a_drawing_of_another_place_stays_when_the_table_can_not_be_written(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, _ = add_drawn(library)
    before = content_of(library)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(case_editing, "write_table", refuse)
    with pytest.raises(ACNetError, match=r"can't be changed \(Permission denied\)"):
        edit_case(library, case.case, Edit(center_mm=np.array(case.center_mm) + 40 * made_up_map(1).column_axis))
    assert content_of(library) == before


@pytest.mark.parametrize("mm", [-54.0, 11.0])
def test_a_centre_far_above_or_below_the_slice_is_refused_and_not_moved_onto_it(library: Path, mm: float) -> None:
    (case,) = add_maps(library, [new_map(1, "Jane")])
    t1_map = made_up_map(1)
    beside = t1_map.center + 5 * t1_map.row_axis
    before = content_of(library)
    with pytest.raises(ACNetError, match=rf"lies {abs(mm):.0f} mm above or below .*; expected at most 10 mm, for"):
        edit_case(library, case.case, Edit(center_mm=beside + mm * t1_map.normal))
    assert content_of(library) == before
    (edited,) = edit_case(library, case.case, Edit(center_mm=beside + 9.0 * t1_map.normal)).cases
    assert edited.center_mm == pytest.approx(beside, abs=1e-3)


def test_a_patient_gets_another_disease_and_a_label_that_is_none_is_refused(library: Path) -> None:
    (case,) = add_maps(library, [new_map(1, "Jane")])
    edited = edit_case(library, case.case, Edit(label="other:amyloidosis"))
    assert ([each.label for each in edited.others], edited.cases) == (["other:amyloidosis"], ())
    with pytest.raises(ACNetError, match="the label is 'other:'; expected one of normal, dcm, or other: and a disease"):
        edit_case(library, case.case, Edit(label="other:"))
    assert edit_case(library, case.case, Edit(label="dcm")).cases[0].label == "dcm"


def test_what_a_person_wrote_into_the_table_is_kept(library: Path) -> None:
    (case,) = add_maps(library, [new_map(1, "Jane")])
    table = library / "cases.csv"
    header, row = table.read_text(encoding="utf-8").splitlines()
    table.write_text(f'{header},remark\n{row},"good, sharp"\n', encoding="utf-8")
    add_maps(library, [new_map(2, "Joan")])
    edit_case(library, case.case, Edit(label="normal"))
    assert [cells["remark"] for cells in cells_of(library)] == ["good, sharp", ""]


def test_a_refused_library_is_put_right_by_editing_or_removing(library: Path) -> None:
    _, second = add_maps(library, [new_map(1, "Jane", "dcm"), new_map(2, "Joan", "dcm")])
    table = library / "cases.csv"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace(f"{second.file},dcm", f"{second.file},DCM"), encoding="utf-8")
    assert len(edit_case(library, second.case, Edit(label="dcm")).cases) == 2
    (library / second.file).unlink()
    with pytest.raises(ACNetError, match="row 3: column file"):
        read_case_library(library)
    remove_cases(library, [second.case])
    assert len(read_case_library(library).cases) == 1


def test_removed_cases_take_their_files_along_and_no_others(library: Path, tmp_path: Path) -> None:
    new = new_map(1, "Jane", sections=2)
    first, second = add_maps(
        library,
        [
            replace(
                new, located=in_segmentation(new.t1_map, made_up_ring(0) + made_up_ring(1), nothing_found(new.t1_map))
            )
        ],
    )
    someones = tmp_path / "someones.nrrd"
    someones.write_bytes(b"precious")
    table = library / "cases.csv"
    rows = table.read_text(encoding="utf-8").splitlines()
    # Rows that a person wrote: one shares the second case's file, one names a file outside.
    rows += [
        rows[2].replace(second.case, "copy", 1),
        rows[2].replace(second.file, "../someones.nrrd").replace(second.case, "out"),
    ]
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    remove_cases(library, [first.case, second.case, "out"])
    assert someones.read_bytes() == b"precious"
    assert set(content_of(library)) == {"cases.csv", "patient-salt", second.file}
    assert [case.case for case in read_case_library(library).cases] == ["copy"]


def test_nothing_is_removed_when_a_name_is_unknown(library: Path) -> None:
    (case,) = add_maps(library, [new_map(1, "Jane")])
    before = content_of(library)
    with pytest.raises(ACNetError, match="found 0 cases named 'case-0'; expected one"):
        remove_cases(library, [case.case, "case-0"])
    assert content_of(library) == before


def test_a_library_is_created_in_an_empty_folder_only(library: Path) -> None:
    before = content_of(library)
    with pytest.raises(ACNetError, match="not an empty folder"):
        create_case_library(library)
    assert content_of(library) == before
    with pytest.raises(ACNetError, match="no cases; expected at least one row"):
        read_case_library(library)


def test_a_folder_that_is_no_library_is_left_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(ACNetError, match=r"no cases\.csv found"):
        add_maps(tmp_path, [new_map(1, "Jane")])
    assert list(tmp_path.iterdir()) == []


def test_a_simulated_library_from_before_can_be_added_to(simulated_library: CaseLibrary, tmp_path: Path) -> None:
    folder = tmp_path / "grown"
    for file, data in content_of(simulated_library.folder).items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(data)
    add_maps(folder, [new_map(1, "Jane")])
    *old, new = read_case_library(folder).cases
    assert [replace(case, pixel_hash="") for case in old] == list(simulated_library.cases)
    assert not new.is_simulated
    assert read_case_library(folder).masks_path(old[0]) is not None


def a_short_axis_slice(heart_px: float, rng: np.random.Generator) -> np.ndarray:
    """T1 of a body with much fat and liver around a heart of this radius."""
    y, x = np.mgrid[:160, :160] - 80.0
    t1_ms = rng.uniform(0, 3000, x.shape)
    t1_ms[np.hypot(x / 75, y / 60) < 1] = 330
    t1_ms[np.hypot((x + 38) / 26, (y - 15) / 34) < 1] = 590
    t1_ms[np.hypot((x - 45) / 22, (y - 5) / 40) < 1] = 250
    radius = np.hypot(x - 10, y + 5)
    t1_ms[radius < heart_px] = 1000
    t1_ms[radius < max(heart_px - 10, 3)] = 1600
    return (t1_ms + rng.normal(0, 12, x.shape)).clip(1)


def test_an_apical_slice_that_looks_as_after_contrast_by_itself_stays_a_case_of_its_native_map(library: Path) -> None:
    rng = np.random.default_rng(0)
    stack = np.stack([a_short_axis_slice(radius, rng) for radius in (34, 30, 9)]).round()
    t1_map = t1_map_from_array(
        stack.astype(np.float32), Geometry((1.8, 1.8, 8.0)), name="map", field_strength_tesla=1.5
    )
    add_maps(library, [NewMap(t1_map, "dcm", "Jane", at_point(t1_map, t1_map.center, nothing_found(t1_map)))])
    *_, apex = read_case_library(library).cases
    with pytest.raises(ACNetError, match="as after contrast"):
        read_t1_map(library / apex.file)
    check_library(read_case_library(library))
    left, posterior, superior = apex.center_mm
    edit_case(library, apex.case, Edit(center_mm=(left + 3, posterior, superior)))
    rows = cells_of(library)
    write_rows(library / "cases.csv", list(rows[0]), *([*{**row, "pixel_hash": ""}.values()] for row in rows))
    assert [case.case for case in read_case_library(library).cases][-1] == apex.case
    rows[-1] = {**rows[-1], "case": "typed", "pixel_hash": ""}
    write_rows(library / "cases.csv", list(rows[0]), *([*row.values()] for row in rows))
    with pytest.raises(ACNetError, match="as after contrast"):
        read_case_library(library)
