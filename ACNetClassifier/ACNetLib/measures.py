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


@dataclass(frozen=True)
class SectionMeasures:
    """septal_t1_ms is NaN when the septum has no mid-wall pixel."""

    septal_t1_ms: float
    cavity_area_mm2: float
    wall_thickness_mm: float


def measure_section(
    t1_ms: NDArray[np.float32],
    myocardium: NDArray[np.bool_],
    cavity: NDArray[np.bool_],
    insertion_points: NDArray[np.float64],
    pixel_mm: float,
) -> SectionMeasures:
    """Measures of one section; all arrays (rows, columns), isotropic pixels.

    insertion_points: (2, 2), (column, row) in pixels, where the right ventricle's wall meets the left's: anterior, then
    inferior.
    """
    center = np.array([points.mean() for points in np.nonzero(cavity)[::-1]])
    septum = _septal_arc(t1_ms.shape, center, insertion_points)
    depth = _wall_depth(myocardium, cavity)
    mid_wall = myocardium & (depth >= MID_WALL[0]) & (depth <= MID_WALL[1])
    values = t1_ms[mid_wall & septum]
    cavity_area = float(cavity.sum()) * pixel_mm**2
    whole_area = float((cavity | myocardium).sum()) * pixel_mm**2
    return SectionMeasures(
        septal_t1_ms=float(values.mean()) if values.size else float("nan"),
        cavity_area_mm2=cavity_area,
        # Between circles of the two areas: the mean thickness, unaffected by the pixels' size.
        wall_thickness_mm=float(np.sqrt(whole_area / np.pi) - np.sqrt(cavity_area / np.pi)),
    )


def _wall_depth(myocardium: NDArray[np.bool_], cavity: NDArray[np.bool_]) -> NDArray[np.float64]:
    """0 at the endocardium, 1 at the epicardium, from the distances to both."""
    from_cavity = distance_transform_edt(~cavity)
    from_outside = distance_transform_edt(cavity | myocardium)
    return from_cavity / (from_cavity + from_outside)


def _septal_arc(
    shape: tuple[int, ...], center: NDArray[np.float64], insertion_points: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Pixels in the middle part of the arc from the inferior to the anterior insertion point, seen from `center`.

    In a short-axis picture as it is usually shown that arc runs clockwise, and it may exceed half a turn.
    """
    to_points = insertion_points - center
    anterior, inferior = np.arctan2(to_points[:, 1], to_points[:, 0])
    half_arc = ((anterior - inferior) % (2 * np.pi)) / 2
    rows, columns = np.indices(shape)
    angle = np.arctan2(rows - center[1], columns - center[0])
    from_middle = np.angle(np.exp(1j * (angle - inferior - half_arc)))
    return np.abs(from_middle) <= SEPTAL_ARC_FRACTION * half_arc
