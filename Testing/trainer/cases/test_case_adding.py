"""What enters a case library: checked sections, and nothing that names the patient."""

from __future__ import annotations

import os
import zlib
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from ACNetLib.errors import ACNetError
from ACNetLib.inference.settings import Settings
from ACNetLib.inference.ventricle_choice import choose_ventricles
from ACNetLib.t1map.section import IntensityScaling
from ACNetLib.t1map.t1_map import FIELD_STRENGTH_KEY, SIMULATED_KEY, Geometry, T1Map, t1_map_from_array
from ACNetLib.ventricle.labels import SEPTUM_LABEL, Ventricle, septum_turn_degrees
from ACNetTrainerLib.cases.editing import Edit, add_maps, create_case_library, edit_case
from ACNetTrainerLib.cases.library import read_case_library
from ACNetTrainerLib.cases.maps import Located, at_point, by_localizer, in_segmentation, nothing_found
from ACNetTrainerLib.training.dataset import CaseDataset
from conftest import Finder, label_image, ring
from made_up_maps import content_of, made_up_map, made_up_ring, new_map
from made_up_networks import found_by_localizer

NAMES = ("Doe^Jane", "ID-4711", "1961-03-14")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    create_case_library(folder)
    return folder


# What enters


def test_a_map_becomes_a_row_and_a_file_a_section_that_training_can_read(library: Path) -> None:
    new = new_map(1, "Jane", sections=2)
    cases = add_maps(library, [replace(new, source="ward 3")])
    assert read_case_library(library).cases == cases
    assert len({case.patient for case in cases}) == 1
    for section, case in enumerate(cases):
        assert (case.label, case.source, case.center_source, case.field_strength_tesla) == (
            "dcm",
            "ward 3",
            "given",
            1.5,
        )
        assert case.center_mm == pytest.approx(new.t1_map.project(new.t1_map.center, section), abs=1e-3)
        image = sitk.ReadImage(str(library / case.file))
        original = new.t1_map.image[:, :, section : section + 1]
        assert image.GetPixelID() == sitk.sitkUInt16, "whole ms"
        assert np.array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(original))
        assert image.GetSpacing() == pytest.approx(original.GetSpacing())
        assert image.GetOrigin() == pytest.approx(original.GetOrigin())
        assert image.GetDirection() == pytest.approx(original.GetDirection())
    dataset = CaseDataset(read_case_library(library), cases, IntensityScaling())
    assert dataset[0, 1, 0][1] == 1


def test_fractions_of_ms_and_being_simulated_are_kept(library: Path) -> None:
    new = new_map(1, "Jane")
    t1_map = replace(new.t1_map, image=new.t1_map.image + 0.25, simulated=True)
    (case,) = add_maps(library, [replace(new, t1_map=t1_map)])
    image = sitk.ReadImage(str(library / case.file))
    assert np.array_equal(sitk.GetArrayFromImage(image), t1_map.array)
    assert case.is_simulated
    assert image.GetMetaData(SIMULATED_KEY) == "1"


def test_a_map_whose_pixels_were_told_to_measure_1_mm_is_a_case_with_its_masks(library: Path) -> None:
    """Of another file that says so along the axes of the body the spacing is asked for."""
    made_up = made_up_map(1, sections=2)
    t1_map = t1_map_from_array(
        made_up.array, Geometry((1.0, 1.0, 1.0)), name="1 mm", field_strength_tesla=made_up.field_strength_tesla
    )
    ring = sitk.GetImageFromArray(sitk.GetArrayFromImage(made_up_ring(section=1)))
    located = in_segmentation(t1_map, ring, nothing_found(t1_map))
    (case,) = add_maps(library, [replace(new_map(1, "Jane"), t1_map=t1_map, located=located)])
    again = read_case_library(library)
    assert again.t1_map(case).image.GetSpacing() == (1.0, 1.0, 1.0)
    assert again.masks(case) is not None


def test_the_field_strength_that_a_scanner_writes_becomes_the_models(library: Path) -> None:
    new = new_map(1, "Jane")
    (case,) = add_maps(library, [replace(new, t1_map=replace(new.t1_map, field_strength_tesla=2.8936))])
    assert case.field_strength_tesla == 3.0
    unknown = replace(new, t1_map=replace(new.t1_map, field_strength_tesla=None))
    with pytest.raises(ACNetError, match="map-1: its field strength is not in its header; give it"):
        add_maps(library, [unknown])


def test_a_segmentation_gives_the_centre_and_stays_beside_the_section_that_it_reaches(library: Path) -> None:
    new = new_map(1, "Jane", sections=2)
    new = replace(new, located=in_segmentation(new.t1_map, made_up_ring(section=1), nothing_found(new.t1_map)))
    (case,) = add_maps(library, [new])
    assert case.center_source == "segmentation"
    assert case.center_mm == pytest.approx(
        new.t1_map.image.TransformContinuousIndexToPhysicalPoint((12.5, 14.5, 1.0)), abs=1e-3
    )
    path = read_case_library(library).masks_path(case)
    assert path is not None
    masks = sitk.ReadImage(str(path))
    assert np.array_equal(sitk.GetArrayFromImage(masks)[0], sitk.GetArrayFromImage(made_up_ring(section=1))[1])
    assert masks.GetOrigin() == pytest.approx(sitk.ReadImage(str(library / case.file)).GetOrigin())
    assert "no ventricle on slice 0" in new.notes[0]


def test_of_a_segmentation_with_other_labels_the_centre_alone_is_kept_and_that_is_noted(library: Path) -> None:
    new = new_map(1, "Jane", sections=2)
    whole = sitk.Cast(made_up_ring(section=1) > 0, sitk.sitkUInt8) * 255
    new = replace(new, located=in_segmentation(new.t1_map, whole, nothing_found(new.t1_map)))
    (case,) = add_maps(library, [new])
    assert read_case_library(library).masks_path(case) is None
    assert "map-1: Of the segmentation only the centre was used on slice 1: found label 255" in new.notes[1]
    one = made_up_map(0, sections=2).image[:, :, 1:2]
    assert one.GetOrigin() == pytest.approx(sitk.ReadImage(str(library / case.file)).GetOrigin())
    (warning,) = edit_case(library, case.case, Edit(segmentation=whole)).warnings
    assert "only the centre was used on slice 0: found label 255" in warning


def test_the_localizer_leaves_out_what_it_does_not_find_and_its_labels_are_no_masks(library: Path) -> None:
    new = new_map(1, "Jane", sections=2)
    labels = np.ones((40, 30), np.uint8)
    found = tuple(
        Ventricle(section, new.t1_map.section_center(section), confidence, labels)
        for section, confidence in enumerate((0.9, 0.3))
    )
    (case,) = add_maps(library, [replace(new, located=by_localizer(new.t1_map, Finder(found)))])
    assert case.center_source == "localizer"
    assert read_case_library(library).masks_path(case) is None
    with pytest.raises(ACNetError, match=r"not found on any slice .* Give its centre or a seg"):
        by_localizer(new.t1_map, Finder(found, confidence=0.1, confidence_threshold=0.95))


def test_slices_that_the_classifier_would_leave_out_become_no_cases_and_are_noted(
    library: Path, three_slices: T1Map
) -> None:
    astray, middle, beyond = (found_by_localizer(three_slices, section, 0.9) for section in range(3))
    astray = replace(astray, center_mm=astray.center_mm + 60 * three_slices.row_axis, confidence=0.7)
    t1_ms = three_slices.array.copy()
    t1_ms[2] = np.minimum(t1_ms[2], 1020.0)
    image = sitk.GetImageFromArray(t1_ms)
    image.CopyInformation(three_slices.image)
    t1_map, finder = replace(three_slices, image=image), Finder((astray, middle, beyond))
    new = replace(new_map(1, "Jane"), t1_map=t1_map, located=by_localizer(t1_map, finder))
    (case,) = add_maps(library, [new])
    assert case.center_mm == pytest.approx(middle.center_mm, abs=1e-3)
    (note,) = new.notes
    assert "Slice 2 was left out: what was taken for its cavity has" in note
    assert "Slice 0 was left out: its ventricle lies 60 mm from that of the other slices." in note
    assert [each.section for each in choose_ventricles(finder, t1_map, Settings()).ventricles] == [1]


def test_a_map_without_patient_or_with_another_label_is_refused(library: Path) -> None:
    for patient, label, message in ((" ", "dcm", "map-1: no patient is named"), ("Jane", "hcm", "its label is 'hcm'")):
        with pytest.raises(ACNetError, match=message):
            add_maps(library, [new_map(1, patient, label)])
    assert read_case_library(library, may_be_empty=True).cases == ()


def test_a_centre_outside_of_the_map_is_refused() -> None:
    t1_map = made_up_map(1)
    with pytest.raises(ACNetError, match="map-1: the centre 500, 0, 0 lies outside of the map"):
        at_point(t1_map, (500.0, 0.0, 0.0), nothing_found(t1_map))


def test_a_case_keeps_how_its_septum_lies_until_its_centre_is_another(library: Path) -> None:
    new = new_map(1, "Jane", sections=2)
    found = [replace(each, turn_degrees=12.34 - 50 * each.section) for each in nothing_found(new.t1_map)]
    finder = Finder(tuple(replace(each, confidence=0.9) for each in found))
    add_maps(library, [replace(new, located=by_localizer(new.t1_map, finder))])
    cases = read_case_library(library).cases
    assert [case.turn_degrees for case in cases] == [12.3, -37.7]
    edit_case(library, cases[0].case, Edit(center_mm=new.t1_map.section_center(0) + new.t1_map.row_axis))
    assert [case.turn_degrees for case in read_case_library(library).cases] == [None, -37.7]


def test_a_drawing_for_a_case_that_the_localizer_misplaced_gets_septum_and_turn_from_where_it_was_drawn(
    library: Path, an_oblique_t1_map: T1Map
) -> None:
    heart = found_by_localizer(an_oblique_t1_map, 0, 0.9)
    assert heart.labels is not None
    liver_mm = heart.center_mm + 84 * an_oblique_t1_map.row_axis
    liver = Ventricle(0, liver_mm, 0.9, np.roll(heart.labels, 60, axis=1), turn_degrees=137.0)
    located = Located((replace(liver, labels=None),), "localizer")
    (case,) = add_maps(library, [replace(new_map(1, "Jane"), t1_map=an_oblique_t1_map, located=located)])
    segmentation = label_image(ring(septum=False), an_oblique_t1_map)[:, :, :1]

    def drawn_where(found: Ventricle) -> tuple[float | None, NDArray[np.uint8]]:
        edited = edit_case(library, case.case, Edit(segmentation=segmentation), lambda: Finder((found,)))
        masks = edited.masks(edited.cases[0])
        assert masks is not None
        return edited.cases[0].turn_degrees, sitk.GetArrayFromImage(masks)[0]

    degrees, labels = drawn_where(liver)
    assert degrees == 0.0
    assert np.array_equal(labels, ring(septum=False))
    degrees, labels = drawn_where(heart)
    assert (labels == SEPTUM_LABEL).any()
    assert degrees == pytest.approx(septum_turn_degrees(labels, an_oblique_t1_map), abs=0.05)


# Nothing names the patient


def test_no_byte_of_the_library_tells_name_number_or_date(library: Path) -> None:
    name, number, day = NAMES
    new = replace(new_map(1, name), acquired=date.fromisoformat(day))
    new.t1_map.image.SetMetaData("0010|0020", number)
    (case,) = add_maps(library, [new])
    edit_case(library, case.case, Edit(patient=number))
    add_maps(library, [new_map(2, f" {number} ")])
    content = content_of(library)
    assert set(content) == {"cases.csv", "patient-salt", *(c.file for c in read_case_library(library).cases)}
    for file, data in content.items():
        if file.endswith(".nrrd"):
            keys = sitk.ReadImage(str(library / file)).GetMetaDataKeys()
            assert {key for key in keys if not key.startswith(("NRRD_", "ITK_"))} == {FIELD_STRENGTH_KEY}
            header, _, pixels = data.partition(b"\n\n")
            data = header + zlib.decompress(pixels, wbits=zlib.MAX_WBITS | 16)
        for text in (*NAMES, "Jane", "19610314"):
            assert text.lower().encode() not in data.lower()
            assert text.lower() not in file.lower()


def test_a_patient_is_the_same_within_a_library_and_another_in_another(library: Path, tmp_path: Path) -> None:
    create_case_library(tmp_path / "other")
    (first,) = add_maps(library, [new_map(1, "Doe^Jane")])
    (second,) = add_maps(library, [new_map(2, " doe^JANE")])
    (elsewhere,) = add_maps(tmp_path / "other", [new_map(1, "Doe^Jane")])
    assert first.patient == second.patient != elsewhere.patient
    (third,) = add_maps(library, [new_map(3, first.patient)])
    assert third.patient == first.patient, "a patient of the library stands for itself"
    if os.name == "posix":
        assert (library / "patient-salt").stat().st_mode & 0o777 == 0o600


def test_a_patient_whom_a_person_named_in_the_table_is_the_same_in_another_spelling(library: Path) -> None:
    (first,) = add_maps(library, [new_map(1, "Jane")])
    table = library / "cases.csv"
    table.write_text(table.read_text(encoding="utf-8").replace(first.patient, "Volunteer 7"), encoding="utf-8")
    (second,) = add_maps(library, [new_map(2, "volunteer  7")])
    assert second.patient == "Volunteer 7"
    assert read_case_library(library).patients == ("Volunteer 7",)


def test_dates_are_kept_as_quarters_from_a_secret_day(library: Path, tmp_path: Path) -> None:
    days = (date(2021, 5, 31), date(2021, 5, 31), date(2023, 5, 31))
    maps = [replace(new_map(seed, "Jane"), acquired=day) for seed, day in enumerate(days)]
    quarters = [case.acquisition_quarter or 0 for case in add_maps(library, maps)]
    assert quarters[0] == quarters[1]
    assert quarters[2] - quarters[1] == pytest.approx(730 / 91, abs=1)
    others = []
    for name in "abc":
        create_case_library(tmp_path / name)
        others.append(add_maps(tmp_path / name, maps)[0].acquisition_quarter)
    assert len({quarters[0], *others}) > 1


def test_without_its_salt_a_library_takes_no_more_patients(library: Path) -> None:
    add_maps(library, [new_map(1, "Jane")])
    salt = library / "patient-salt"
    salt.write_text("12")
    with pytest.raises(ACNetError, match="patient-salt: it is damaged"):
        add_maps(library, [new_map(2, "Jane")])
    salt.unlink()
    with pytest.raises(ACNetError, match=r"patient-salt is missing.*Restore it from a backup"):
        add_maps(library, [new_map(2, "Jane")])
