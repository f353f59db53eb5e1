"""A heart's surfaces: periodic cubic splines through knots at three levels, joined along the axis by parabolas.

Positions are mm in the plane, (x, y) from the left ventricle's axis; x points to the right ventricle's centre, y a
quarter turn clockwise on the screen from it, to the anterior wall. Outlines are radii at `ANGLES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from scipy.interpolate import CubicSpline, PchipInterpolator

from .hearts import FloatArray, Heart

ANGLES = np.radians(np.arange(-180.0, 180.0, 2.0))
KNOTS = 14
"""Knots round the ring: enough for the sixth harmonic."""
HARMONICS = np.arange(2, 7)
TOGETHER = np.array([0.8, 0.7, 0.6, 0.5, 0.5])
"""How much the epicardium's harmonics 2 to 6 follow the endocardium's: leaves a wall of uneven thickness."""
MEAN_OF_RAYLEIGH = np.sqrt(np.pi / 2)
RING_WOBBLE_MM = 0.7
"""SD of half the difference between the anterior and the inferior wall."""

RV_POSITIONS = np.array([-1.0, -0.85, -0.65, -0.4, -0.12, 0.15, 0.42, 0.68, 0.88, 1.0])
RV_PROFILE = np.array([0.15, 0.46, 0.77, 0.99, 0.94, 0.82, 0.64, 0.42, 0.25, 0.13])
"""How far the right ventricle reaches beyond the epicardium, from its inferior to its anterior end, relative to the
most: blunt on one side and drawn out on the other, as measured along rays."""


@dataclass(frozen=True)
class Outlines:
    """One plane: radii (180,) at `ANGLES` of endocardium, epicardium and the right ventricle's far side.

    rv: as the epicardium where there is no right ventricle. insertion_angles: anterior, inferior.
    """

    endocardium: FloatArray
    epicardium: FloatArray
    rv: FloatArray
    insertion_angles: tuple[float, float]

    @property
    def insertion_points(self) -> FloatArray:
        """(2, 2), (x, y) of the anterior and the inferior point on the epicardium."""
        return np.array(
            [
                np.interp(angle, ANGLES, self.epicardium, period=2 * np.pi) * np.array([np.cos(angle), np.sin(angle)])
                for angle in self.insertion_angles
            ]
        )


class Surfaces(Protocol):
    """A heart's surfaces: the drawn ones, those of a mesh, or traced ones."""

    @property
    def levels(self) -> tuple[Outlines, ...]: ...

    def at(self, level: int, towards_apex_mm: float = 0.0) -> Outlines: ...


@dataclass(frozen=True)
class HeartSurfaces:
    """The outlines at base, mid and apex; `at` gives those between and a little beyond."""

    levels: tuple[Outlines, ...]
    level_distance_mm: float

    def at(self, level: int, towards_apex_mm: float = 0.0) -> Outlines:
        """The outlines so far from a level along the heart's axis."""
        place = level + towards_apex_mm / self.level_distance_mm
        # Lagrange's weights: the one parabola through the three levels.
        weights = np.array(
            [(place - 1) * (place - 2) / 2, -place * (place - 2), place * (place - 1) / 2],
        )

        def blend(name: str) -> FloatArray:
            return np.asarray(weights @ np.array([getattr(outlines, name) for outlines in self.levels]))

        endocardium = np.maximum(blend("endocardium"), 3.0)
        epicardium = np.maximum(blend("epicardium"), endocardium + 2.0)
        beyond = weights @ np.array([outlines.rv - outlines.epicardium for outlines in self.levels])
        # The right ventricle's ends stay those of the level, or a parabola would leave slivers beside them.
        open_angles = self.levels[level].rv > self.levels[level].epicardium
        ends = self.levels[level].insertion_angles
        return Outlines(endocardium, epicardium, epicardium + np.where(open_angles, np.maximum(beyond, 0), 0), ends)


def draw_surfaces(heart: Heart, random: np.random.Generator) -> HeartSurfaces:
    rings = [_draw_ring_knots(heart, random) for _ in range(4)]
    skew, bumps = random.normal(0, 0.12), random.normal(0, 0.05, len(RV_POSITIONS))
    power = float(np.exp(random.normal(0, 0.22)))
    levels = []
    for level in range(3):
        # The first ring's deviations run through the whole heart.
        knots = np.sqrt(0.7) * rings[0] + np.sqrt(0.3) * rings[1 + level]
        endocardium, epicardium = _walls(heart, level, knots, random)
        levels.append(_with_rv(heart, level, endocardium, epicardium, power, skew, bumps))
    return HeartSurfaces(tuple(levels), heart.level_distance)


def _draw_ring_knots(heart: Heart, random: np.random.Generator) -> FloatArray:
    """Relative deviations of the knots of endocardium and epicardium, (2, KNOTS)."""
    root = _root_of_knots_covariance(heart.table.endocardium, heart.table.epicardium)
    return np.reshape(root @ random.standard_normal(2 * KNOTS), (2, KNOTS))


@cache
def _root_of_knots_covariance(endocardium: tuple[float, ...], epicardium: tuple[float, ...]) -> FloatArray:
    """The symmetric root of the knots' covariance, (2 KNOTS, 2 KNOTS), from the measured mean amplitudes.

    A harmonic k contributes cos(k (angle - other angle)) times the variance of its sine and cosine part.
    """
    knots = np.arange(KNOTS) * 2 * np.pi / KNOTS
    waves = np.cos(HARMONICS[:, np.newaxis, np.newaxis] * (knots[:, np.newaxis] - knots))
    inner, outer = (np.array(amplitudes) / MEAN_OF_RAYLEIGH for amplitudes in (endocardium, epicardium))
    across = np.tensordot(inner * outer * TOGETHER, waves, 1)
    covariance = np.block([[np.tensordot(inner**2, waves, 1), across], [across, np.tensordot(outer**2, waves, 1)]])
    variances, directions = np.linalg.eigh(covariance)
    return np.asarray(directions * np.sqrt(np.maximum(variances, 0)) @ directions.T)


def _walls(
    heart: Heart, level: int, deviations: FloatArray, random: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Radii of endocardium and epicardium at `ANGLES`."""
    knots = np.arange(KNOTS) * 2 * np.pi / KNOTS
    radius = heart.diameter[level] / 2
    septal, lateral, mean = heart.septal_wall[level], heart.lateral_wall[level], heart.mean_wall[level]
    # A wall with these means over the septal and the lateral third and round the ring.
    one_sided = (septal - lateral) / 2 / 0.9
    two_sided = ((septal + lateral) / 2 - mean) / 0.8
    wall = mean + one_sided * np.cos(knots) + two_sided * np.cos(2 * knots)
    wall += random.normal(0, RING_WOBBLE_MM) * np.sin(knots)
    inner = radius * (1 + deviations[0])
    outer = inner + np.maximum(wall + (radius + mean) * deviations[1] - radius * deviations[0], 3.0)
    return _closed_spline(inner), _closed_spline(outer)


def _closed_spline(radii: FloatArray) -> FloatArray:
    """The curve through knots at these radii, a spline of x and y, as radii at `ANGLES`."""
    turn = np.append(np.arange(KNOTS), KNOTS) * 2 * np.pi / KNOTS
    points = np.append(radii, radii[0])[:, np.newaxis] * np.column_stack([np.cos(turn), np.sin(turn)])
    points[-1] = points[0]
    x, y = CubicSpline(turn, points, bc_type="periodic")(np.linspace(0, 2 * np.pi, 240, endpoint=False)).T
    angles = np.arctan2(y, x)
    order = np.argsort(angles)
    return np.asarray(np.interp(ANGLES, angles[order], np.hypot(x, y)[order], period=2 * np.pi))


def _with_rv(  # noqa: PLR0913  # the outlines so far, to which one is added
    heart: Heart,
    level: int,
    endocardium: FloatArray,
    epicardium: FloatArray,
    power: float,
    skew: float,
    bumps: FloatArray,
) -> Outlines:
    """The crescent whose far side is a spline from insertion to insertion, turned until its centre lies at angle 0."""
    half = heart.rv_span[level] / 2
    power *= heart.table.rv_leanness[level]
    profile = np.maximum(RV_PROFILE**power * (1 + bumps), 0.02)
    positions = np.sort(RV_POSITIONS + skew * (1 - RV_POSITIONS**2))
    curve = PchipInterpolator(positions, heart.rv_width[level] * profile / profile.max(), extrapolate=False)
    middle = 0.0
    for _ in range(3):
        beyond = np.nan_to_num(curve(np.angle(np.exp(1j * (ANGLES - middle))) / half))
        rv = epicardium + beyond
        moment = (rv**3 - epicardium**3) * np.exp(1j * ANGLES)
        middle -= float(np.angle(moment.sum()))
    beyond = np.nan_to_num(curve(np.angle(np.exp(1j * (ANGLES - middle))) / half))
    return Outlines(endocardium, epicardium, epicardium + beyond, (middle + half, middle - half))
