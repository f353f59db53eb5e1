"""How a slice is turned for its septum to lie to the left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.t1map.section import SectionGrid
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import (
    CAVITY_LABEL,
    MYOCARDIUM_LABEL,
    SEPTUM_LABEL,
    Ventricle,
    center_of_labels,
    septum_turn_degrees,
    ventricle_labels,
    ventricles_at_point,
    ventricles_from_segmentation,
)
from conftest import HEART_COLUMN, HEART_ROW, label_image, ring


@pytest.mark.parametrize("degrees", [-170.0, -60.0, 0.0, 45.0, 100.0, 180.0])
def test_a_slice_is_turned_until_its_septum_lies_to_the_left(an_oblique_t1_map: T1Map, degrees: float) -> None:
    labels = ring(degrees)
    turn_degrees = septum_turn_degrees(labels, an_oblique_t1_map)
    assert turn_degrees is not None
    assert -180 < turn_degrees <= 180
    center_mm = center_of_labels(labels, an_oblique_t1_map, 0)
    seen = SectionGrid.around(an_oblique_t1_map, 0, center_mm, turn_degrees).sample(
        label_image(labels, an_oblique_t1_map)
    )
    row, column = np.argwhere(seen == SEPTUM_LABEL).mean(axis=0) - 63.5
    assert column < -15
    assert abs(row) < 1


def test_the_turn_is_the_same_for_voxels_that_are_stored_backwards(an_oblique_t1_map: T1Map) -> None:
    labels = ring(70.0)
    flipped = sitk.Flip(an_oblique_t1_map.image, [True, False, False])
    backwards = replace(an_oblique_t1_map, image=flipped)
    assert septum_turn_degrees(np.ascontiguousarray(labels[:, ::-1]), backwards) == pytest.approx(
        septum_turn_degrees(labels, an_oblique_t1_map), abs=1e-6
    )


def test_without_a_septum_or_a_cavity_the_turn_is_not_known(an_oblique_t1_map: T1Map) -> None:
    for missing in (SEPTUM_LABEL, CAVITY_LABEL):
        labels = ring(0.0)
        labels[labels == missing] = 0
        assert septum_turn_degrees(labels, an_oblique_t1_map) is None
    assert septum_turn_degrees(None, an_oblique_t1_map) is None


def test_the_labels_of_masks_have_the_septum_between_the_insertion_points() -> None:
    labels = ring(180.0)
    angles = np.radians([180.0 - 60.0, 180.0 + 60.0])
    points = np.column_stack([HEART_COLUMN + 28 * np.cos(angles), HEART_ROW + 28 * np.sin(angles)])
    marked = ventricle_labels((labels == MYOCARDIUM_LABEL) | (labels == SEPTUM_LABEL), labels == CAVITY_LABEL, points)
    np.testing.assert_array_equal(marked > 0, labels > 0)
    rows, columns = np.nonzero(marked == SEPTUM_LABEL)
    assert columns.max() < HEART_COLUMN
    assert rows.mean() == pytest.approx(HEART_ROW, abs=0.5)


def test_a_given_point_takes_the_turn_of_the_ventricle_that_it_lies_in(an_oblique_t1_map: T1Map) -> None:
    center_mm = center_of_labels(ring(30.0), an_oblique_t1_map, 0)
    found = Ventricle(0, center_mm, 0.9, ring(30.0), turn_degrees=-25.0)
    (inside,) = ventricles_at_point(an_oblique_t1_map, center_mm, [found])
    (outside,) = ventricles_at_point(an_oblique_t1_map, center_mm + 60 * an_oblique_t1_map.row_axis, [found])
    assert (inside.turn_degrees, outside.turn_degrees) == (-25.0, 0.0)


def test_a_drawn_septum_counts_more_than_the_one_that_was_found(an_oblique_t1_map: T1Map) -> None:
    center_mm = center_of_labels(ring(30.0), an_oblique_t1_map, 0)
    found = [Ventricle(section, center_mm, 0.9, ring(30.0), turn_degrees=-25.0) for section in (0, 1)]
    drawn = ventricles_from_segmentation(an_oblique_t1_map, label_image(ring(140.0), an_oblique_t1_map), found)
    assert {each.turn_degrees for each in drawn} == {septum_turn_degrees(ring(140.0), an_oblique_t1_map)}
    whole = np.where(ring(140.0) > 0, 9, 0).astype(np.uint8)
    of_found = ventricles_from_segmentation(an_oblique_t1_map, label_image(whole, an_oblique_t1_map), found)
    assert {each.turn_degrees for each in of_found} == {-25.0}


def test_a_ventricle_that_was_found_elsewhere_tells_nothing_of_a_drawn_septum(an_oblique_t1_map: T1Map) -> None:
    elsewhere = np.roll(ring(180.0), 60, axis=1)
    center_mm = center_of_labels(elsewhere, an_oblique_t1_map, 0)
    found = [Ventricle(section, center_mm, 0.9, elsewhere, turn_degrees=-25.0) for section in (0, 1)]
    segmentation = label_image(ring(septum=False), an_oblique_t1_map)
    for drawn in ventricles_from_segmentation(an_oblique_t1_map, segmentation, found):
        assert drawn.labels is not None
        assert not (drawn.labels == SEPTUM_LABEL).any()
        assert drawn.turn_degrees == 0.0
