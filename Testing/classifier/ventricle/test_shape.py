"""The wall and the right ventricle beside the left one's cavity, on drawn slices."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import median_filter

from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL
from ACNetLib.ventricle.shape import HeartShape, _most_near, measure_shape

BLOOD_MS, WALL_MS, LUNG_MS = 1600.0, 1000.0, 1150.0
CAVITY_MM, WALL_THICKNESS_MM = 24.0, 8.0


def a_slice(pixel_mm: float = 1.5, septal_mm: float = WALL_THICKNESS_MM, right_mm: float = 30.0) -> tuple:
    """T1 and labels: a round ventricle, its septum to the left, and beyond that a right ventricle of half a disk."""
    size = round(300 / pixel_mm)
    rows, columns = (np.indices((size, size)) - (size - 1) / 2) * pixel_mm
    radius, angle = np.hypot(rows, columns), np.abs(np.arctan2(rows, -columns))
    septal = angle < np.pi / 4
    outer = CAVITY_MM + np.where(septal, septal_mm, WALL_THICKNESS_MM)
    labels = np.zeros((size, size), np.uint8)
    labels[radius < outer] = MYOCARDIUM_LABEL
    labels[(radius < outer) & septal] = SEPTUM_LABEL
    labels[radius < CAVITY_MM] = CAVITY_LABEL
    t1_ms = np.full((size, size), LUNG_MS, np.float32)
    from_septum = np.hypot(rows, columns + CAVITY_MM + septal_mm)
    t1_ms[(from_septum < right_mm) & (labels == 0)] = BLOOD_MS
    t1_ms[labels != 0] = WALL_MS
    t1_ms[labels == CAVITY_LABEL] = BLOOD_MS
    return t1_ms, labels, (pixel_mm, pixel_mm)


def area_of(t1_ms: np.ndarray, labels: np.ndarray) -> float:
    return float(((t1_ms == BLOOD_MS) & (labels == 0)).sum() / (labels == CAVITY_LABEL).sum())


@pytest.mark.parametrize("pixel_mm", [1.0, 1.5, 2.1])
def test_both_are_those_of_the_drawing_whatever_the_pixels(pixel_mm: float) -> None:
    t1_ms, labels, spacing_mm = a_slice(pixel_mm)
    shape = measure_shape(t1_ms, labels, spacing_mm)
    assert shape.relative_wall == pytest.approx(WALL_THICKNESS_MM / CAVITY_MM, abs=0.04)
    assert shape.rv_to_lv == pytest.approx(area_of(t1_ms, labels), rel=0.1)


def test_a_thick_septum_counts_though_the_rest_of_the_wall_is_as_usual() -> None:
    assert measure_shape(*a_slice(septal_mm=20.0)).relative_wall == pytest.approx(20 / CAVITY_MM, abs=0.05)


def test_the_same_slice_turned_mirrored_or_in_another_t1_scale_has_the_same_shape() -> None:
    t1_ms, labels, spacing_mm = a_slice()
    plain = measure_shape(t1_ms, labels, spacing_mm)
    for change in (np.rot90, np.flipud, np.fliplr, np.transpose):
        changed = measure_shape(change(t1_ms), change(labels), spacing_mm)
        assert changed.relative_wall == pytest.approx(plain.relative_wall, abs=0.02)
        assert changed.rv_to_lv == pytest.approx(plain.rv_to_lv, abs=0.02)
    assert measure_shape(t1_ms * np.float32(1.2), labels, spacing_mm) == plain


def test_a_right_ventricle_as_large_as_they_get_is_measured() -> None:
    t1_ms, labels, spacing_mm = a_slice()
    rows, columns = (np.indices(labels.shape) - (len(labels) - 1) / 2) * spacing_mm[0]
    t1_ms[(np.hypot(rows / 30, (columns + 32) / 80) < 1) & (labels == 0)] = BLOOD_MS  # 112 mm from the centre
    shape = measure_shape(t1_ms, labels, spacing_mm)
    assert shape.rv_to_lv == pytest.approx(area_of(t1_ms, labels), rel=0.15)
    assert shape.rv_to_lv > 2


def test_without_blood_beyond_the_septum_the_right_ventricle_has_no_area() -> None:
    t1_ms, labels, spacing_mm = a_slice(right_mm=0.0)
    assert measure_shape(t1_ms, labels, spacing_mm).rv_to_lv == 0.0


def test_blood_that_runs_on_into_another_organ_is_not_measured() -> None:
    t1_ms, labels, spacing_mm = a_slice()
    middle = len(labels) // 2
    beyond = np.zeros(labels.shape, bool)
    beyond[middle - 10 : middle + 10, :middle] = True
    t1_ms[beyond & (labels == 0)] = BLOOD_MS
    shape = measure_shape(t1_ms, labels, spacing_mm)
    assert np.isnan(shape.rv_to_lv)
    assert shape.relative_wall == pytest.approx(WALL_THICKNESS_MM / CAVITY_MM, abs=0.04)


@pytest.mark.parametrize("spacing_mm", [(1.0, 2.2), (2.2, 1.0), (1.5, 1.5)])
@pytest.mark.parametrize(("gap_mm", "is_found"), [(3.0, True), (10.0, False)])
def test_how_near_blood_lies_to_the_septum_is_told_in_mm_along_rows_and_columns(
    spacing_mm: tuple[float, float], gap_mm: float, is_found: bool
) -> None:
    shape = tuple(round(300 / size) for size in spacing_mm)
    rows, columns = (
        (index - (count - 1) / 2) * size
        for index, count, size in zip(np.indices(shape), shape, spacing_mm, strict=True)
    )
    radius, outer_mm = np.hypot(rows, columns), CAVITY_MM + WALL_THICKNESS_MM
    labels = np.where(radius < outer_mm, MYOCARDIUM_LABEL, 0).astype(np.uint8)
    labels[(radius < outer_mm) & (np.abs(rows) < outer_mm / 2) & (columns < 0)] = SEPTUM_LABEL
    labels[radius < CAVITY_MM] = CAVITY_LABEL
    t1_ms = np.full(shape, LUNG_MS, np.float32)
    t1_ms[(np.abs(rows) < 20) & (columns < -outer_mm - gap_mm) & (columns > -outer_mm - gap_mm - 40)] = BLOOD_MS
    t1_ms[labels != 0] = WALL_MS
    t1_ms[labels == CAVITY_LABEL] = BLOOD_MS
    assert (measure_shape(t1_ms, labels, spacing_mm).rv_to_lv > 0) == is_found
    turned = measure_shape(t1_ms.T, labels.T, spacing_mm[::-1])
    assert turned.rv_to_lv == pytest.approx(measure_shape(t1_ms, labels, spacing_mm).rv_to_lv)


def test_pixels_without_a_value_are_neither_blood_nor_wall() -> None:
    t1_ms, labels, spacing_mm = a_slice()
    plain = measure_shape(t1_ms, labels, spacing_mm)
    middle = len(labels) // 2
    upper = np.arange(len(labels))[:, None] < middle - 4
    holes = t1_ms.copy()
    holes[(labels == MYOCARDIUM_LABEL) & upper] = 0  # more than half of the wall with the next line
    holes[(labels == SEPTUM_LABEL) & upper] = 0
    assert measure_shape(holes, labels, spacing_mm).rv_to_lv == pytest.approx(plain.rv_to_lv, rel=0.05)
    empty = np.where(labels == CAVITY_LABEL, 0, t1_ms).astype(np.float32)
    assert np.isnan(measure_shape(empty, labels, spacing_mm).rv_to_lv)


def test_without_a_known_septum_only_the_wall_is_measured() -> None:
    t1_ms, labels, spacing_mm = a_slice()
    labels[labels == SEPTUM_LABEL] = MYOCARDIUM_LABEL
    shape: HeartShape = measure_shape(t1_ms, labels, spacing_mm)
    assert np.isnan(shape.rv_to_lv)
    assert shape.relative_wall > 0.3


def test_what_holds_for_most_pixels_around_holds_for_their_median() -> None:
    t1_ms = np.random.default_rng(3).uniform(0, 2500, (60, 50)).astype(np.float32)
    np.testing.assert_array_equal(_most_near(t1_ms < 1300), median_filter(t1_ms, 3) < 1300)
