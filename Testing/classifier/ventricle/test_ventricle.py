"""The left ventricle from a person's point or segmentation, and what is measured on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from ACNetLib.errors import ACNetError
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import (
    CAVITY_LABEL,
    MYOCARDIUM_LABEL,
    SEPTUM_LABEL,
    Ventricle,
    agreeing_ventricles,
    measure_ventricle,
    only_centers_used,
    ventricles_at_point,
    ventricles_from_segmentation,
)
from ACNetLib.ventricle.segments import read_segmentation
from conftest import HEART_COLUMN, HEART_ROW, label_image, ring


def found(t1_map: T1Map) -> tuple[Ventricle, ...]:
    return tuple(Ventricle(section, t1_map.section_center(section), 0.9, ring()) for section in (0, 1))


def heart(t1_map: T1Map, section: int) -> NDArray[np.float64]:
    return np.array(t1_map.image.TransformIndexToPhysicalPoint((HEART_COLUMN, HEART_ROW, section)))


def test_a_segmentation_gives_the_centre_and_the_regions_of_the_sections_it_reaches(an_oblique_t1_map: T1Map) -> None:
    labels = np.stack([np.zeros((150, 170), np.uint8), ring(septum=False)])
    (ventricle,) = ventricles_from_segmentation(
        an_oblique_t1_map, label_image(labels, an_oblique_t1_map), found(an_oblique_t1_map)
    )
    assert ventricle.section == 1
    assert ventricle.confidence == 1
    np.testing.assert_allclose(ventricle.center_mm, heart(an_oblique_t1_map, 1), atol=1e-6)
    assert ventricle.labels is not None
    np.testing.assert_array_equal(ventricle.labels > 0, labels[1] > 0)
    np.testing.assert_array_equal(ventricle.labels == CAVITY_LABEL, labels[1] == CAVITY_LABEL)


def test_the_septum_of_a_segmentation_lies_where_it_was_found(an_oblique_t1_map: T1Map) -> None:
    labels = np.stack([ring(septum=False), ring(septum=False)])
    ventricles = ventricles_from_segmentation(
        an_oblique_t1_map, label_image(labels, an_oblique_t1_map), found(an_oblique_t1_map)
    )
    for ventricle in ventricles:
        assert ventricle.labels is not None
        wrong = (ventricle.labels == SEPTUM_LABEL) != (ring() == SEPTUM_LABEL)
        assert wrong.sum() < 0.03 * (labels[0] == MYOCARDIUM_LABEL).sum()


def test_a_segmentation_on_a_grid_of_its_own_is_brought_onto_the_map(an_oblique_t1_map: T1Map) -> None:
    fine = sitk.Resample(
        label_image(ring(), an_oblique_t1_map),
        [340, 300, 2],
        sitk.Transform(),
        sitk.sitkNearestNeighbor,
        an_oblique_t1_map.image.GetOrigin(),
        [0.7, 0.8, 8.0],
        an_oblique_t1_map.image.GetDirection(),
    )
    ventricles = ventricles_from_segmentation(an_oblique_t1_map, fine, found(an_oblique_t1_map))
    assert len(ventricles) == 2
    for ventricle in ventricles:
        assert np.linalg.norm(ventricle.center_mm - heart(an_oblique_t1_map, ventricle.section)) < 1


def test_other_labels_give_the_centre_of_what_they_enclose_and_no_measures(an_oblique_t1_map: T1Map) -> None:
    outline = np.where(np.isin(ring(), (MYOCARDIUM_LABEL, SEPTUM_LABEL)), 7, 0).astype(np.uint8)
    ventricles = ventricles_from_segmentation(
        an_oblique_t1_map, label_image(outline, an_oblique_t1_map), found(an_oblique_t1_map)
    )
    for ventricle in ventricles:
        np.testing.assert_allclose(ventricle.center_mm, heart(an_oblique_t1_map, ventricle.section), atol=1e-6)
        assert ventricle.labels is None
        assert measure_ventricle(an_oblique_t1_map, ventricle) is None


def test_values_of_0_and_below_are_background(an_oblique_t1_map: T1Map) -> None:
    drawn = np.stack([np.zeros((150, 170)), ring(septum=False)])
    below = np.where(drawn == 0, np.array([-1.0, np.nan])[np.arange(170) % 2], drawn)
    images = [label_image(labels.astype(np.float32), an_oblique_t1_map) for labels in (drawn, below)]
    ((plain,), (other,)) = (
        ventricles_from_segmentation(an_oblique_t1_map, image, found(an_oblique_t1_map)) for image in images
    )
    assert other.section == 1
    np.testing.assert_array_equal(other.center_mm, plain.center_mm)
    assert other.labels is not None
    np.testing.assert_array_equal(other.labels, plain.labels)
    assert only_centers_used([other], images[1]) == ""


@pytest.mark.parametrize(
    ("labels", "listed"),
    [([5, 7], "5, 7"), ([255], "255"), ([CAVITY_LABEL], "2"), ([*range(3, 14)], "3, 4, 5, 6, 7, 8, 9, 10, 3 more")],
)
def test_labels_that_tell_no_wall_and_cavity_are_named_and_what_was_expected(
    an_oblique_t1_map: T1Map, labels: list[int], listed: str
) -> None:
    drawn = np.where(ring() > 0, np.resize(labels, 170), 0).astype(np.uint8)
    image = label_image(np.stack([0 * drawn, drawn]), an_oblique_t1_map)
    ventricles = ventricles_from_segmentation(an_oblique_t1_map, image, found(an_oblique_t1_map))
    assert [each.has_wall for each in ventricles] == [False]
    expected = f"only the centre was used on slice 1: found label {listed}; expected 1 (myocardium), 2 (cavity) and no"
    assert expected in only_centers_used(ventricles, image)


def test_a_segmentation_beside_the_map_is_refused(an_oblique_t1_map: T1Map) -> None:
    image = label_image(ring(), an_oblique_t1_map)
    image.SetOrigin((2000.0, 0.0, 0.0))
    with pytest.raises(ACNetError, match=r"^segmentation: none of its labels lies on a slice of short axis"):
        ventricles_from_segmentation(an_oblique_t1_map, image, found(an_oblique_t1_map))


def test_a_colour_image_is_no_segmentation(an_oblique_t1_map: T1Map) -> None:
    image = sitk.GetImageFromArray(np.zeros((2, 150, 170, 3), np.uint8), isVector=True)
    with pytest.raises(ACNetError, match=r"^segmentation: found a 3-D image with 3 values a pixel"):
        ventricles_from_segmentation(an_oblique_t1_map, image, found(an_oblique_t1_map))


@pytest.mark.parametrize("content", [None, b"no image"])
def test_a_segmentation_file_that_is_missing_or_no_image_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "labels.nrrd"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ACNetError, match=r"labels\.nrrd: .*expected a segmentation"):
        read_segmentation(path)


@pytest.mark.parametrize(("away", "known"), [(0, True), (25, True), (35, False)])
def test_a_point_takes_over_the_regions_that_it_lies_in(an_oblique_t1_map: T1Map, away: int, known: bool) -> None:
    point = an_oblique_t1_map.image.TransformIndexToPhysicalPoint((HEART_COLUMN + away, HEART_ROW, 0))
    for ventricle in ventricles_at_point(an_oblique_t1_map, point, found(an_oblique_t1_map)):
        assert ventricle.confidence == 1
        np.testing.assert_allclose(ventricle.center_mm, an_oblique_t1_map.project(point, ventricle.section))
        assert (ventricle.labels is not None) == known


def test_a_point_outside_of_the_map_takes_over_nothing(an_oblique_t1_map: T1Map) -> None:
    for ventricle in ventricles_at_point(an_oblique_t1_map, (5000.0, 0.0, 0.0), found(an_oblique_t1_map)):
        assert ventricle.labels is None


def test_a_section_without_cavity_is_not_measured(an_oblique_t1_map: T1Map) -> None:
    wall_only = np.where(ring() == CAVITY_LABEL, 0, ring()).astype(np.uint8)
    ventricle = Ventricle(0, heart(an_oblique_t1_map, 0), labels=wall_only)
    assert measure_ventricle(an_oblique_t1_map, ventricle) is None


def test_measures_are_taken_on_the_ventricles_own_section_with_pixels_of_any_shape(an_oblique_t1_map: T1Map) -> None:
    measures = measure_ventricle(an_oblique_t1_map, Ventricle(1, heart(an_oblique_t1_map, 1), labels=ring()))
    assert measures is not None
    assert measures.cavity_area_mm2 == pytest.approx(np.pi * 20**2 * 1.4 * 1.6, rel=0.02)
    assert measures.wall_thickness_mm == pytest.approx(8 * np.sqrt(1.4 * 1.6), rel=0.05)
    assert measures.septal_t1_ms == pytest.approx(900, abs=20)
    assert measures.myocardial_t1_ms == pytest.approx(900, abs=20)


def stack_with_hearts_at(
    t1_map: T1Map, columns: Sequence[float], confidences: Sequence[float]
) -> tuple[tuple[int, ...], dict[int, float]]:
    """Which slices of a stack agree when their hearts lie so many mm along the rows, and how far the others lie off."""
    hearts = [
        Ventricle(
            section,
            heart(t1_map, 0) + along * t1_map.row_axis + 8 * section * t1_map.normal,  # a stack along the heart's axis
            confidence,
        )
        for section, (along, confidence) in enumerate(zip(columns, confidences, strict=True))
    ]
    kept, left_out = agreeing_ventricles(hearts, t1_map)
    return tuple(each.section for each in kept), left_out


@pytest.mark.parametrize(
    ("columns", "confidences", "kept", "left_out"),
    [
        ((0,), (0.7,), (0,), {}),
        ((0, 24), (0.9, 0.7), (0, 1), {}),
        ((0, 26), (0.7, 0.9), (1,), {0: 26.0}),
        ((0, 26), (0.9, 0.7), (0,), {1: 26.0}),
        ((0, 5, 29), (0.9, 0.9, 0.9), (0, 1, 2), {}),
        ((0, 5, 31), (0.7, 0.7, 0.99), (0, 1), {2: 26.0}),
        ((0, 60, 2, 90), (0.9, 0.9, 0.9, 0.9), (0, 2), {3: 59.0, 1: 58.0}),
        ((0, 1, 80, 81), (0.9, 0.9, 0.8, 0.7), (0, 1), {3: 40.5, 2: 79.0}),
    ],
)
def test_slices_whose_hearts_do_not_lie_in_a_line_are_left_out(
    an_oblique_t1_map: T1Map,
    columns: tuple[float, ...],
    confidences: tuple[float, ...],
    kept: tuple[int, ...],
    left_out: dict[int, float],
) -> None:
    found_kept, found_left_out = stack_with_hearts_at(an_oblique_t1_map, columns, confidences)
    assert found_kept == kept
    assert found_left_out == pytest.approx(left_out)
