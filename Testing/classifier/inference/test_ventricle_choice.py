"""Which ventricles are classified: found, pointed at or drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetLib.inference.settings import Settings
from ACNetLib.models.model import Model
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.t1map.checks import POST_CONTRAST_WARNING
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL, Ventricle, turned_alike
from conftest import Finder
from made_up_networks import (
    NORMAL_MS,
    a_classifier,
    finder_of_the_heart,
    flat,
    found_by_localizer,
    heart_of,
    sigmoid,
)


def test_a_given_centre_is_the_centre_of_every_crop(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    heart = heart_of(an_oblique_t1_map)
    finder = Finder(tuple(found_by_localizer(an_oblique_t1_map, section, 0.9) for section in (0, 1)))
    study = a_classifier(a_model, flat(0.5), finder).classify(an_oblique_t1_map, Settings(center_mm=heart.tolist()))
    assert study.maps[0].center_source == "point"
    assert study.warnings == ()
    for section in study.sections:
        assert section.confidence == 1
        np.testing.assert_allclose(section.center_lps_mm, an_oblique_t1_map.project(heart, section.section))


def spaced(t1_map: T1Map, distance_mm: float) -> T1Map:
    image = sitk.Image(t1_map.image)
    image.SetSpacing((*image.GetSpacing()[:2], distance_mm))
    return replace(t1_map, image=image)


def repeated(t1_map: T1Map, sections: list[int]) -> T1Map:
    image = sitk.GetImageFromArray(t1_map.array[sections])
    image.SetSpacing(t1_map.image.GetSpacing())
    image.SetDirection(t1_map.image.GetDirection())
    return replace(t1_map, image=image)


def test_slices_with_the_same_pixels_count_once(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    study = a_classifier(a_model, flat(0.5)).classify(repeated(an_oblique_t1_map, [0, 1, 1, 0]))
    assert [section.section for section in study.sections] == [0, 1]
    assert study.warnings == (
        "Slice 2 was left out: it has the pixels of slice 1, and every slice counts once.",
        "Slice 3 was left out: it has the pixels of slice 0, and every slice counts once.",
    )


def test_slices_within_one_place_are_refused_and_close_ones_are_warned_of(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    classifier = a_classifier(a_model, flat(0.5))
    with pytest.raises(ACNetError, match=r"its slices 0, 1 lie within 3\.9 mm; expected slices of several places"):
        classifier.classify(spaced(an_oblique_t1_map, 3.9))
    assert len(classifier.classify(spaced(an_oblique_t1_map, 3.9), Settings(sections=[1])).sections) == 1
    assert classifier.classify(spaced(an_oblique_t1_map, 4.0)).warnings == ()
    noise = np.random.default_rng(2).normal(0.0, 20.0, (20, 150, 170)).astype(np.float32)
    phases = repeated(an_oblique_t1_map, [0] * 20)
    image = sitk.GetImageFromArray(phases.array + noise)
    image.CopyInformation(phases.image)
    (warning,) = classifier.classify(spaced(replace(phases, image=image), 1.0)).warnings
    assert warning.startswith("Its slices lie 1.0 mm apart, as in a 3-D map. If they are one slice at several times")


def test_a_slice_without_a_septum_is_turned_as_the_nearest_one_with_it() -> None:
    turned = [
        Ventricle(section, np.zeros(3), turn_degrees=degrees) for section, degrees in enumerate((0.0, 40.0, 50.0, 0.0))
    ]
    assert [each.turn_degrees for each in turned_alike(turned)] == [40.0, 40.0, 50.0, 50.0]
    assert [each.turn_degrees for each in turned_alike(turned[:1])] == [0.0]


def test_without_a_centre_each_section_is_cut_where_the_localizer_found_its_ventricle(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    places = [heart_of(an_oblique_t1_map, section) + section * an_oblique_t1_map.row_axis for section in (0, 1)]
    finder = Finder(tuple(Ventricle(section, place, 0.8) for section, place in enumerate(places)))
    study = a_classifier(a_model, flat(0.5), finder).classify(an_oblique_t1_map)
    assert study.maps[0].center_source == "localizer"
    assert study.localizer == "stand-in"
    for section, place in zip(study.sections, places, strict=True):
        assert section.confidence == 0.8
        np.testing.assert_allclose(section.center_lps_mm, place)


def test_a_section_whose_ventricle_was_not_found_counts_for_nothing_and_is_named(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    finder = Finder((found_by_localizer(an_oblique_t1_map, 0, 0.3), found_by_localizer(an_oblique_t1_map, 1, 0.9)))
    study = a_classifier(a_model, flat(0.5, log_odds=1.0), finder).classify(an_oblique_t1_map)
    assert [section.section for section in study.sections] == [1]
    assert study.probability_dcm == pytest.approx(sigmoid(1.0))
    assert len(study.warnings) == 1
    assert study.warnings[0].startswith("Slice 0 was left out")
    for values in (study.images[0].attention["combined"], study.images[0].bands["combined"], study.images[0].ventricle):
        assert not values[0].any()
        assert values[1].any()


def test_a_map_without_any_ventricle_found_is_refused_and_a_point_asked_for(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    classifier = a_classifier(a_model, flat(0.5), Finder(confidence=0.59))
    with pytest.raises(ACNetError, match=r"^short axis: .*not found on any slice.*0\.59.*0\.60.*--center"):
        classifier.classify(an_oblique_t1_map)
    assert len(classifier.classify(an_oblique_t1_map, Settings(center_mm=heart_of(an_oblique_t1_map))).sections) == 2


def test_a_section_is_measured_with_the_regions_that_were_found(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    finder = Finder(tuple(found_by_localizer(an_oblique_t1_map, section, 0.9) for section in (0, 1)))
    study = a_classifier(a_model, flat(0.5), finder).classify(an_oblique_t1_map)
    for section in study.sections:
        assert section.measures is not None
        assert section.measures.septal_t1_ms == pytest.approx(900, abs=20)  # outside conftest's bright heart
        assert section.measures.cavity_area_mm2 == pytest.approx(np.pi * 20**2 * 1.4 * 1.6, rel=0.02)
    assert set(np.unique(study.images[0].ventricle)) == {0, MYOCARDIUM_LABEL, CAVITY_LABEL, SEPTUM_LABEL}


def test_a_slice_whose_cavity_holds_muscle_is_left_out(a_model: Model, three_slices: T1Map) -> None:
    """Beyond the tip of the cavity the wall is a disc, which may be taken for a cavity within the fat around it."""
    found = Finder(tuple(found_by_localizer(three_slices, section, 0.9) for section in (0, 1, 2)))
    apex = three_slices.array.copy()
    apex[2] = np.minimum(apex[2], 1020.0)
    image = sitk.GetImageFromArray(apex)
    image.CopyInformation(three_slices.image)
    study = a_classifier(a_model, flat(0.5), found).classify(replace(three_slices, image=image))
    assert [section.section for section in study.sections] == [0, 1]
    (warning,) = study.warnings
    assert warning.startswith("Slice 2 was left out: what was taken for its cavity has only 64% of the cavity's T1 on")


def test_pixels_without_a_value_are_no_blood_after_contrast(a_model: Model, three_slices: T1Map) -> None:
    ventricles = tuple(found_by_localizer(three_slices, section, 0.9) for section in (0, 1, 2))
    values = three_slices.array.copy()
    rows, columns = np.indices(values.shape[1:])
    for each in ventricles:
        values[each.section, (each.labels == CAVITY_LABEL) & ((rows % 2 == 0) | (columns % 2 == 0))] = 0.0
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(three_slices.image)
    classifier = a_classifier(a_model, flat(0.5), Finder(ventricles))
    assert len(classifier.classify(replace(three_slices, image=image)).sections) == 3


@pytest.mark.parametrize(("column", "measured"), [(60, True), (100, False)])
def test_found_regions_are_used_only_where_a_given_point_lies_within_them(
    a_model: Model, an_oblique_t1_map: T1Map, column: int, measured: bool
) -> None:
    finder = Finder(tuple(found_by_localizer(an_oblique_t1_map, section, 0.9) for section in (0, 1)))
    point = an_oblique_t1_map.image.TransformIndexToPhysicalPoint((column, 80, 0))
    study = a_classifier(a_model, flat(0.5), finder).classify(an_oblique_t1_map, Settings(center_mm=point))
    assert [section.measures is not None for section in study.sections] == [measured] * 2
    for section in study.sections:
        np.testing.assert_allclose(section.center_lps_mm, an_oblique_t1_map.project(point, section.section))


def test_a_segmentation_that_reaches_none_of_the_chosen_sections_is_refused(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    labels = np.zeros(an_oblique_t1_map.array.shape, np.uint8)
    labels[0, 60:100, 40:80] = MYOCARDIUM_LABEL
    labels[0, 70:90, 50:70] = CAVITY_LABEL
    segmentation = sitk.GetImageFromArray(labels)
    segmentation.CopyInformation(an_oblique_t1_map.image)
    with pytest.raises(ACNetError, match="it covers the slices 0 of short axis; expected one of those to classify, 1"):
        a_classifier(a_model).classify(an_oblique_t1_map, Settings(segmentation=segmentation, sections=[1]))


def test_of_labels_that_tell_no_wall_the_centre_is_used_and_that_is_said(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    labels = np.full(an_oblique_t1_map.array.shape, -1, np.int16)
    labels[:, 60:100, 40:80] = 5
    labels[:, 70:90, 50:70] = 7
    segmentation = sitk.GetImageFromArray(labels)
    segmentation.CopyInformation(an_oblique_t1_map.image)
    study = a_classifier(a_model).classify(an_oblique_t1_map, Settings(segmentation=segmentation, sections=[0, 1]))
    for section in study.sections:
        middle = an_oblique_t1_map.image.TransformContinuousIndexToPhysicalPoint((59.5, 79.5, float(section.section)))
        np.testing.assert_allclose(section.center_lps_mm, middle)
        assert section.measures is None
    (warning,) = study.warnings
    assert "only the centre was used on slice 0, 1: found label 5, 7; expected 1 (myocardium), 2" in warning


def test_a_slice_whose_ventricle_lies_elsewhere_is_named_and_counts_for_nothing(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    elsewhere = heart_of(an_oblique_t1_map, 1) + 40 * an_oblique_t1_map.row_axis
    finder = Finder((found_by_localizer(an_oblique_t1_map, 0, 0.9), Ventricle(1, elsewhere, 0.7)))
    study = a_classifier(a_model, flat(0.5), finder).classify(an_oblique_t1_map)
    assert [section.section for section in study.sections] == [0]
    assert study.warnings == ("Slice 1 was left out: its ventricle lies 40 mm from that of the other slices.",)


@pytest.mark.parametrize(
    ("confidences", "columns", "doubted"),
    [((0.9, 0.9), 20, ""), ((0.9, 0.3), 0, "1"), ((0.9, 0.9), 22, "0, 1"), ((0.3, 0.3), 0, "0, 1")],
)
def test_a_given_centre_where_the_localizer_sees_no_heart_is_warned_of(
    a_model: Model, an_oblique_t1_map: T1Map, confidences: tuple[float, float], columns: int, doubted: str
) -> None:
    """A column is 1.4 mm wide: 20 are 28 mm, 22 are 30.8."""
    center = heart_of(an_oblique_t1_map) + 1.4 * columns * an_oblique_t1_map.row_axis
    classifier = a_classifier(a_model, flat(0.5), finder_of_the_heart(an_oblique_t1_map, confidences))
    study = classifier.classify(an_oblique_t1_map, Settings(center_mm=center))
    assert len(study.sections) == 2
    sentence = f"The localizer sees no heart at the given centre on slice {doubted}: does it lie in the ventricle?"
    assert study.warnings == ((sentence,) if doubted else ())


def with_blood_of(t1_map: T1Map, blood_ms: float) -> T1Map:
    """Conftest's map with another T1 in its bright heart."""
    t1_ms = np.where(t1_map.array > 1300, np.float32(blood_ms), t1_map.array)
    image = sitk.GetImageFromArray(t1_ms)
    image.CopyInformation(t1_map.image)
    return replace(t1_map, image=image)


def test_a_ventricle_filled_with_blood_after_contrast_is_refused_unless_insisted_on(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    classifier = a_classifier(a_model, flat(0.5), finder_of_the_heart(an_oblique_t1_map))
    t1_map = with_blood_of(an_oblique_t1_map, 1050.0)
    with pytest.raises(ACNetError, match="short axis: blood in its left ventricle has a T1 of 1050 ms"):
        classifier.classify(t1_map)
    insisted = replace(t1_map, warnings=(POST_CONTRAST_WARNING,))
    assert len(classifier.classify(insisted).sections) == 2


def test_blood_is_judged_in_the_scale_of_the_training(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    finder = finder_of_the_heart(an_oblique_t1_map)
    classifier = a_classifier(a_model, flat(0.5), finder, normal_t1_ms=NORMAL_MS)
    t1_map = with_blood_of(an_oblique_t1_map, 1050.0)
    assert len(classifier.classify(t1_map, Settings(reference=ReferenceT1(900.0))).sections) == 2  # 1155 ms there
