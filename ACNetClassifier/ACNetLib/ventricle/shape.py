"""How thick the wall and how large the right ventricle are beside the left ventricle's cavity.

In normal and in dilated hearts both stay within limits; a hypertrophic wall and an overloaded right ventricle leave
them. Both are ratios of lengths and areas on one slice: no scanner's T1 scale is in them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_opening, distance_transform_edt, label

from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import CAVITY_LABEL, SEPTUM_LABEL, LabelArray, Ventricle, is_myocardium
from ACNetLib.ventricle.measures import with_value

SECTORS = 12
"""Around the cavity; the wall is measured over two of them at a time, a sixth of its turn."""
BLOOD_CONTRAST = 0.5
"""Blood is what differs from the left ventricle's by less than this share of that one's difference from the wall."""
OPENING_MM = 4.0
"""What is narrower than twice this is not followed: vessels, and bridges of blurred pixels to what lies around."""
BEYOND_SEPTUM_MM = 6.0
"""So near to the septum, and within two pixels at least, the right ventricle's blood begins."""
FARTHEST_MM = 120.0
WIDEST_RAD, LEAK_RAD = np.deg2rad(80), np.deg2rad(100)
"""How far a right ventricle reaches from the left's centre, and to both sides of the septum's middle."""
LARGEST_LEAK = 0.05
"""Where more of the blood lies beyond, it is another organ's, or none: nothing is measured."""

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class HeartShape:
    """Of one slice, each NaN where it can't be told.

    relative_wall: the thickest sixth of the wall over the cavity's radius. rv_to_lv: the area of the right ventricle's
    blood over that of the left ventricle's cavity, 0 where no blood is seen beyond the septum.
    """

    relative_wall: float
    rv_to_lv: float


def shape_of(t1_map: T1Map, ventricle: Ventricle) -> HeartShape:
    """Of the ventricle's section; NaN where the wall is not known."""
    if ventricle.labels is None or not ventricle.has_wall:
        return HeartShape(float("nan"), float("nan"))
    column_mm, row_mm, _ = t1_map.image.GetSpacing()
    return measure_shape(t1_map.array[ventricle.section], ventricle.labels, (row_mm, column_mm))


def measure_shape(t1_ms: NDArray[np.float32], labels: LabelArray, spacing_mm: tuple[float, float]) -> HeartShape:
    """Of a slice whose cavity and wall are known; all arrays (rows, columns). spacing_mm: of rows, of columns."""
    cavity = labels == CAVITY_LABEL
    pixel_mm2 = spacing_mm[0] * spacing_mm[1]
    radius_mm = float(np.sqrt(cavity.sum() * pixel_mm2 / np.pi))
    angles, _ = _around(cavity, spacing_mm)
    thickest_mm = _thickest_sixth(cavity, cavity | is_myocardium(labels), angles, pixel_mm2)
    right = right_ventricle(t1_ms, labels, spacing_mm)
    return HeartShape(thickest_mm / radius_mm, float("nan") if right is None else float(right.sum() / cavity.sum()))


def right_ventricle(
    t1_ms: NDArray[np.float32], labels: LabelArray, spacing_mm: tuple[float, float]
) -> BoolArray | None:
    """The right ventricle's blood (rows, columns), on a slice as for `measure_shape`.

    None where the septum is not known, where cavity or wall have no T1, and where the blood beyond the septum runs on
    into something else.
    """
    septum = labels == SEPTUM_LABEL
    if not septum.any():
        return None
    angles, distances_mm = _around(labels == CAVITY_LABEL, spacing_mm)
    blood = _blood(t1_ms, labels, spacing_mm)
    if blood is None:
        return None
    to_septum_mm = distance_transform_edt(~septum, sampling=spacing_mm)
    right = _largest_part(blood, to_septum_mm <= max(BEYOND_SEPTUM_MM, 2 * max(spacing_mm)))
    middle = np.angle(np.exp(1j * angles[septum]).mean())
    from_septum = np.abs(np.angle(np.exp(1j * (angles - middle))))
    leaked = right & ((distances_mm > FARTHEST_MM) | (from_septum > LEAK_RAD))
    return None if leaked.sum() > LARGEST_LEAK * right.sum() else right & (from_septum < WIDEST_RAD)


def _around(cavity: BoolArray, spacing_mm: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    """Of each pixel, as seen from the cavity's centre: its angle, and its distance in mm."""
    rows, columns = np.indices(cavity.shape)
    middle_row, middle_column = (float(index.mean()) for index in np.nonzero(cavity))
    down_mm, across_mm = (rows - middle_row) * spacing_mm[0], (columns - middle_column) * spacing_mm[1]
    return np.arctan2(down_mm, across_mm), np.hypot(down_mm, across_mm)


def _thickest_sixth(cavity: BoolArray, whole: BoolArray, angles: FloatArray, pixel_mm2: float) -> float:
    """In mm, between arcs of the areas of cavity and wall in a sixth of a turn: steadier than single rays."""
    sectors = np.floor((angles / (2 * np.pi) % 1.0) * SECTORS).astype(int) % SECTORS
    areas = [np.bincount(sectors[mask], minlength=SECTORS) * pixel_mm2 for mask in (cavity, whole)]
    sixths = [area + np.roll(area, 1) for area in areas]
    inner_mm, outer_mm = (np.sqrt(2 * area * SECTORS / (2 * 2 * np.pi)) for area in sixths)
    return float((outer_mm - inner_mm).max())


def _blood(t1_ms: NDArray[np.float32], labels: LabelArray, spacing_mm: tuple[float, float]) -> BoolArray | None:
    """Where T1 is as in the left ventricle's cavity, outside of it, in parts wide enough to be a ventricle's.

    None where cavity or wall have no T1.
    """
    known = with_value(t1_ms)
    cavity, wall = (t1_ms[region & known] for region in (labels == CAVITY_LABEL, is_myocardium(labels)))
    if not cavity.size or not wall.size:
        return None
    blood_ms, wall_ms = float(np.median(cavity)), float(np.median(wall))
    reach_ms = BLOOD_CONTRAST * abs(blood_ms - wall_ms)
    alike = known & _most_near(t1_ms > blood_ms - reach_ms) & _most_near(t1_ms < blood_ms + reach_ms)
    reach = int(np.ceil(OPENING_MM / min(spacing_mm)))
    down, across = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = np.hypot(down * spacing_mm[0], across * spacing_mm[1]) <= OPENING_MM
    opened: BoolArray = binary_opening(alike & (labels == 0), disk)
    return opened


def _most_near(holds: BoolArray) -> BoolArray:
    """Where something holds for most of the 3 x 3 pixels around, so for their median: sorting them takes longer."""
    around = np.pad(holds, 1, mode="symmetric").astype(np.uint8)
    of_columns = around[:-2] + around[1:-1] + around[2:]
    count = of_columns[:, :-2] + of_columns[:, 1:-1] + of_columns[:, 2:]
    return np.asarray(count > 9 // 2)


def _largest_part(blood: BoolArray, beside: BoolArray) -> BoolArray:
    """The largest connected part of the blood that lies beside the septum with a pixel at least."""
    parts, _ = label(blood)
    sizes = np.bincount(parts.ravel(), minlength=1)
    candidates = np.unique(parts[beside & (parts > 0)])
    if not candidates.size:
        return np.zeros_like(blood)
    return np.asarray(parts == candidates[sizes[candidates].argmax()])
