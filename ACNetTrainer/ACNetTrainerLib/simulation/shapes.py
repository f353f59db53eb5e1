"""What can be measured on the outlines of a simulated heart, as it was measured on the masks of real ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from .anatomy import DIRECTIONS, HARMONIC_ORDERS, SEPTUM_ANGLE_RAD, Heart, outlines

RAY_ANGLES_DEG = (-45, -30, -15, 0, 15, 30, 45, 60)
"""From the LV centre, clockwise on the screen from the direction of the right ventricle's centre."""
LEAST_REACH_MM = 0.5
"""A ray that goes through less of the right ventricle does not meet it."""
_STEP = 2 * np.pi / DIRECTIONS
_ANGLES = np.arange(DIRECTIONS) * _STEP
_SECTOR_RAD = np.deg2rad(30)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class HeartShape:
    """Lengths in mm, areas in cm2, angles in degrees.

    rv_hull: area of the right ventricle over that of its convex hull. endocardium, epicardium: relative amplitude of
    HARMONIC_ORDERS. rays: how far the right ventricle reaches beyond the epicardium at RAY_ANGLES_DEG, NaN where a ray
    does not meet it. rv_direction_rad: from the LV centre to the right ventricle's, in the heart's frame.
    """

    cavity_diameter: float
    wall: float
    septal_wall: float
    lateral_wall: float
    wall_variation: float
    rv_area: float
    rv_width: float
    rv_span: float
    rv_hull: float
    endocardium: tuple[float, ...]
    epicardium: tuple[float, ...]
    rays: tuple[float, ...]
    rv_direction_rad: float


def measure_shape(heart: Heart, level: float) -> HeartShape:
    lines = outlines(heart, level)
    inner, outer, right = (values.astype(float) for values in (lines.endocardium, lines.epicardium, lines.right))
    wall, reach = outer - inner, right - outer
    in_rv = reach > 0
    towards = np.arctan2(*(((right**3 - outer**3)[in_rv] * f(_ANGLES[in_rv])).sum() for f in (np.sin, np.cos)))
    area = (right**2 - outer**2)[in_rv].sum() * _STEP / 2
    contour = np.concatenate([_points(radius[in_rv], _ANGLES[in_rv]) for radius in (right, outer)])
    rays = reach[np.rint((towards + np.deg2rad(RAY_ANGLES_DEG)) / _STEP).astype(int) % DIRECTIONS]
    return HeartShape(
        cavity_diameter=float(2 * np.sqrt(np.mean(inner**2))),
        wall=float(wall.mean()),
        septal_wall=float(wall[_near(SEPTUM_ANGLE_RAD)].mean()),
        lateral_wall=float(wall[_near(0.0)].mean()),
        wall_variation=float(wall.std()),
        rv_area=float(area) / 100,
        rv_width=float(reach.max()),
        rv_span=float(np.rad2deg(in_rv.sum() * _STEP)),
        rv_hull=float(area / ConvexHull(contour).volume),
        endocardium=_harmonics(inner),
        epicardium=_harmonics(outer),
        rays=tuple(np.where(rays > LEAST_REACH_MM, rays, np.nan).tolist()),
        rv_direction_rad=float(towards),
    )


def _points(radius: FloatArray, angle: FloatArray) -> FloatArray:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _near(angle_rad: float) -> NDArray[np.bool_]:
    return np.abs(np.angle(np.exp(1j * (_ANGLES - angle_rad)))) < _SECTOR_RAD


def _harmonics(radius: FloatArray) -> tuple[float, ...]:
    return tuple(
        float(2 * abs(np.mean(radius * np.exp(-1j * order * _ANGLES))) / radius.mean()) for order in HARMONIC_ORDERS
    )
