"""What a reader measures on a short-axis T1 map: mid-wall septal T1, cavity area and wall thickness.

Mid-septal, mid-wall T1 is the consensus measure of diffuse disease (Messroghli 2017): the middle third of the wall
keeps the region away from blood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

SEPTAL_ARC_FRACTION = 0.6
"""The middle part of the arc between the insertion points that counts as septum."""
MID_WALL = (1 / 3, 2 / 3)
ROUNDING = 1e-6
"""On square pixels many lie at a third of the wall exactly; which of them count must not hang on the last digit of the
spacing, in which files of the same map differ."""


@dataclass(frozen=True)
class SectionMeasures:
    """T1 of the mid-wall third, of the septum and of the whole myocardium: NaN where no pixel of that has a value."""

    septal_t1_ms: float
    myocardial_t1_ms: float
    cavity_area_mm2: float
    wall_thickness_mm: float


def measure_section(
    t1_ms: NDArray[np.float32],
    myocardium: NDArray[np.bool_],
    cavity: NDArray[np.bool_],
    septum: NDArray[np.bool_],
    spacing_mm: tuple[float, float],
) -> SectionMeasures:
    """Measures of one section; all arrays (rows, columns). spacing_mm: of rows, of columns."""
    middle = mid_wall(myocardium, cavity, spacing_mm)
    pixel_mm2 = spacing_mm[0] * spacing_mm[1]
    cavity_area = float(cavity.sum()) * pixel_mm2
    whole_area = float((cavity | myocardium).sum()) * pixel_mm2
    return SectionMeasures(
        septal_t1_ms=_mean(t1_ms[middle & septum]),
        myocardial_t1_ms=_mean(t1_ms[middle]),
        cavity_area_mm2=cavity_area,
        # Between circles of the two areas: the mean thickness, unaffected by the pixels' size.
        wall_thickness_mm=float(np.sqrt(whole_area / np.pi) - np.sqrt(cavity_area / np.pi)),
    )


def mid_wall(
    myocardium: NDArray[np.bool_], cavity: NDArray[np.bool_], spacing_mm: tuple[float, float]
) -> NDArray[np.bool_]:
    """The middle third of the wall's thickness, (rows, columns): away from blood and fat."""
    near = surroundings(myocardium | cavity)
    depth = _wall_depth(myocardium[near], cavity[near], spacing_mm)
    middle = myocardium.copy()
    middle[near] &= (depth >= MID_WALL[0] - ROUNDING) & (depth <= MID_WALL[1] + ROUNDING)
    return middle


def surroundings(mask: NDArray[np.bool_], margin: int = 1) -> tuple[slice, ...]:
    """The rows and columns of a mask and so many pixels around them; all where it is empty. What is computed there
    alone takes a tenth of the time."""
    if not mask.any():
        return (slice(None),) * mask.ndim
    return tuple(slice(max(index.min() - margin, 0), index.max() + margin + 1) for index in np.nonzero(mask))


def septal_arc(cavity: NDArray[np.bool_], insertion_points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Pixels (rows, columns) in the middle part of the shorter arc between the insertion points.

    Seen from the cavity's centre. insertion_points: (2, 2), (column, row) in pixels, where the right ventricle's wall
    meets the left's. Measured arcs span 62 to 160 degrees: the shorter one is the septum, however the slice is stored.
    """
    center = np.array([points.mean() for points in np.nonzero(cavity)[::-1]])
    to_points = insertion_points - center
    first, second = np.arctan2(to_points[:, 1], to_points[:, 0])
    half_arc = float(np.angle(np.exp(1j * (second - first)))) / 2
    rows, columns = np.indices(cavity.shape)
    angle = np.arctan2(rows - center[1], columns - center[0])
    from_middle = np.angle(np.exp(1j * (angle - first - half_arc)))
    return np.abs(from_middle) <= SEPTAL_ARC_FRACTION * abs(half_arc)


def with_value(t1_ms: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which pixels have a T1: scanners and fits store 0 where there is none, and so does what reads padding."""
    return t1_ms > 0


def _mean(values: NDArray[np.float32]) -> float:
    known = values[with_value(values)]
    return float(known.mean()) if known.size else float("nan")


def _wall_depth(
    myocardium: NDArray[np.bool_], cavity: NDArray[np.bool_], spacing_mm: tuple[float, float]
) -> NDArray[np.float64]:
    """0 at the endocardium, 1 at the epicardium, from the distances to both."""
    from_cavity = distance_transform_edt(~cavity, sampling=spacing_mm)
    from_outside = distance_transform_edt(cavity | myocardium, sampling=spacing_mm)
    return from_cavity / (from_cavity + from_outside)
