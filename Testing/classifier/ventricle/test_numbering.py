"""A person's label image: our numbers of wall, cavity and septum are taken, those of others are refused."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from ACNetLib.errors import ACNetError
from ACNetLib.t1map.t1_map import Geometry, T1Map, t1_map_from_array
from ACNetLib.ventricle.labels import Ventricle, ventricles_from_segmentation
from ACNetLib.ventricle.measures import mid_wall
from conftest import SHORT_AXIS

FIELD_MM = 160
HEARTS = {
    "thin wall": (30.0, 4.0, 4.0),
    "usual": (22.0, 8.0, 8.0),
    "thick wall": (16.0, 16.0, 16.0),
    "thick septum": (18.0, 9.0, 24.0),
    "apical": (7.0, 8.0, 8.0),
}
"""Radius of the cavity, thickness of the wall and of the septum, in mm."""
OTHERS = {
    "ACDC": ({"right": 1, "wall": 2, "septum": 2, "cavity": 3}, "label 2 encloses label 3"),
    "M&Ms": ({"cavity": 1, "wall": 2, "septum": 2, "right": 3}, "label 2 encloses label 1"),
    "ours with a right ventricle": (
        {"wall": 1, "septum": 1, "cavity": 2, "right": 3},
        "label 3 lies outside of the wall",
    ),
    "exchanged": ({"cavity": 1, "wall": 2, "septum": 3}, "label 2 encloses label 1"),
}


def parts_of(heart: str, pixel_mm: float) -> dict[str, NDArray[np.bool_]]:
    """Where the wall, its septal third to the left, the cavity and the right ventricle beside it are."""
    radius_mm, wall_mm, septum_mm = HEARTS[heart]
    axis = (np.arange(int(FIELD_MM / pixel_mm)) + 0.5) * pixel_mm - FIELD_MM / 2
    x, y = np.meshgrid(axis - 10, axis)
    distance, angle = np.hypot(x, y), np.abs(np.arctan2(y, -x))
    thickness = np.interp(angle, [0, np.pi / 3, np.pi / 2], [septum_mm, septum_mm, wall_mm])
    cavity, ring = distance < radius_mm, distance < radius_mm + thickness
    middle = -radius_mm - septum_mm - 8
    right = (((x - middle) / 24) ** 2 + (y / 32) ** 2 < 1) & ~ring & (x < 0)
    septum = ring & ~cavity & (angle < np.pi / 4)
    return {"cavity": cavity, "septum": septum, "wall": ring & ~cavity & ~septum, "right": right}


def drawn(labels: NDArray[np.int_], pixel_mm: float) -> Ventricle:
    geometry = Geometry((pixel_mm, pixel_mm, 8.0), (0.0, 0.0, 0.0), SHORT_AXIS)
    t1_map = t1_map_from_array(
        np.random.default_rng(1).uniform(900, 1100, (1, *labels.shape)),
        geometry,
        name="a map",
        field_strength_tesla=1.5,
    )
    segmentation = sitk.GetImageFromArray(labels[None].astype(np.uint8))
    segmentation.CopyInformation(t1_map.image)
    (ventricle,) = ventricles_from_segmentation(t1_map, segmentation, nothing_found(t1_map))
    return ventricle


def nothing_found(t1_map: T1Map) -> list[Ventricle]:
    return [Ventricle(0, t1_map.section_center(0), 0.0)]


@pytest.mark.parametrize("heart", ["thin wall", "usual", "thick wall"])
@pytest.mark.parametrize("convention", OTHERS)
def test_the_numbers_of_another_convention_are_refused_however_large_the_ventricle(heart: str, convention: str) -> None:
    numbers, found = OTHERS[convention]
    parts = parts_of(heart, 1.4)
    labels = sum(number * parts[part] for part, number in numbers.items())
    message = re.escape(f"segmentation: on slice 0 {found}") + r".*; expected 1 for the myocardium, 2 for the cavity"
    with pytest.raises(ACNetError, match=message):
        drawn(np.asarray(labels), 1.4)


@pytest.mark.parametrize("heart", HEARTS)
@pytest.mark.parametrize("pixel_mm", [1.0, 1.4, 2.5])
def test_our_own_numbers_are_taken_wherever_in_the_wall_the_septum_is_drawn(heart: str, pixel_mm: float) -> None:
    parts = parts_of(heart, pixel_mm)
    labels = parts["wall"] + 2 * parts["cavity"] + 3 * parts["septum"]
    septum, beside = labels == 3, binary_dilation(labels == 2, np.ones((3, 3)))
    middle = mid_wall(np.isin(labels, (1, 3)), labels == 2, (pixel_mm, pixel_mm))
    for left_out, between in product((beside, ~middle, np.zeros_like(middle)), (0, 1)):
        ours = np.where(septum & left_out, between, labels)
        np.testing.assert_array_equal(drawn(ours, pixel_mm).labels, ours)
