"""What a short-axis plane cuts of a simulated heart: which tissue is where, and what the heart's walls are.

Everything is drawn in the heart's own frame: millimetres from the centre of the left ventricle, x towards the lateral
wall, y down (the inferior wall), angles from x towards y. The right ventricle lies at 180 degrees. Contours are given
by their radius in each direction, sums of harmonics as they were measured on real hearts: Documentation/simulation.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from .tissues import Tissue

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
RealArray = NDArray[np.floating]
LabelArray = NDArray[np.uint8]

SEPTUM_ANGLE_RAD = np.pi
SLICE_THICKNESS_MM = 8.0
SUBSLICES = 5
HEART_REACH_MM = 128.0
"""No part of any simulated heart lies farther than this from the centre of its left ventricle."""
HARMONIC_ORDERS = (2, 3, 4, 5, 6)
BASE, MID, APEX = 0.2, 0.5, 0.8
"""Levels of the measured slices, as parts of the length along which the cavity is closed by wall: 0 base, 1 apex."""
DIRECTIONS = 1440
"""Contours are tabulated at so many angles: 0.25 degrees, a tenth of a millimetre at the epicardium."""
_ANGLES = np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS)
FULLNESS_SCALES = (1.55, 1.05, 2.2)
"""At BASE, MID and APEX. The right ventricle's area over its hull's is 0.85, 0.82 and 0.86 there."""

Harmonics = tuple[tuple[float, float], ...]
"""Amplitude in mm and phase in radians for each of HARMONIC_ORDERS."""


@dataclass(frozen=True)
class Sector:
    """A part of the left ventricle's circumference with soft ends: its middle and half its width, in radians."""

    centre: float
    half_width: float

    def share(self, angle: RealArray) -> RealArray:
        """How far each angle belongs to it: 1 in the middle, 1/e half a width away, 0 beyond."""
        along = np.angle(np.exp(1j * (angle - self.centre))) / self.half_width
        return np.exp(-(along**4))


@dataclass(frozen=True)
class RegionalWall:
    """A sector of the wall that is `factor` times as thick in its middle: hypertrophy above 1, thinning below."""

    sector: Sector
    factor: float


@dataclass(frozen=True)
class Effusion:
    """Fluid around the whole heart: how thick where it has pooled most, in that direction, and opposite as a share.

    The pericardium spans the grooves between the ventricles, so that more fluid lies there.
    """

    thickness_mm: float
    pooled_at: float
    least: float

    def outline(self, fat: FloatArray) -> FloatArray:
        """Of the fluid around the heart's outline, both mm from the LV centre at DIRECTIONS angles."""
        spanned = gaussian_filter1d(maximum_filter1d(fat, 101, mode="wrap"), 30, mode="wrap")
        share = self.least + (1 - self.least) * (1 + np.cos(_ANGLES - self.pooled_at)) / 2
        return (np.maximum(spanned, fat) + self.thickness_mm * share).astype(np.float32)


@dataclass(frozen=True)
class PapillaryMuscle:
    """An ellipse in the cavity: its direction, the gap to the wall, and its radial and other half axis in mm."""

    angle: float
    gap_mm: float
    radial_mm: float
    across_mm: float


@dataclass(frozen=True)
class RightVentricle:
    """A crescent on the septal side: how far it reaches beyond the left ventricle's epicardium in each direction.

    width_mm: the farthest, at mid level. inferior_rad, anterior_rad: from the septum's middle to where its cavity ends,
    at mid level. peak: where it reaches farthest, from 0 (inferior end) to 1 (anterior end). fullness: above 1 for a
    bulging outline. ripple: relative amplitude and phase of a wave along it. trabeculation_mm: depth of the trabeculae
    on its free wall. base_scale, apex_scale: of the width, relative to mid level. apex_span_scale: of the span.
    """

    width_mm: float
    inferior_rad: float
    anterior_rad: float
    peak: float
    fullness: float
    ripple: tuple[float, float]
    wall_mm: float
    trabeculation_mm: float
    base_scale: float
    apex_scale: float
    apex_span_scale: float

    def span(self, level: float) -> tuple[float, float]:
        """Angles from the septum's middle to the inferior and to the anterior end, in radians."""
        scale = float(
            np.interp(level, (BASE, MID, APEX, 1.0), (1.07, 1.0, self.apex_span_scale, 0.8 * self.apex_span_scale))
        )
        return self.inferior_rad * scale, self.anterior_rad * scale

    def reach_mm(self, angle: RealArray, level: float) -> FloatArray:
        """Beyond the epicardium, 0 where there is no right ventricle."""
        inferior, anterior = self.span(level)
        along = (np.angle(np.exp(1j * (angle - SEPTUM_ANGLE_RAD))) + inferior) / (inferior + anterior)
        fullness = self.fullness * float(np.interp(level, (BASE, MID, APEX), FULLNESS_SCALES))
        scale = PchipInterpolator(
            (0.0, BASE, MID, APEX, 1.0), (self.base_scale, self.base_scale, 1, self.apex_scale, 0.25)
        )
        amplitude, phase = self.ripple
        wave = 1 + amplitude * np.cos(2 * np.pi * along + phase)
        reach = self.width_mm * float(scale(np.clip(level, 0, 1))) * _crescent(self.peak, fullness)(along) * wave
        return np.where((along > 0) & (along < 1), np.maximum(reach, 0), 0).astype(np.float32)


def _crescent(peak: float, fullness: float) -> PchipInterpolator:
    """The measured profile: blunt at the inferior end, drawn out at the anterior one; its peak moved to `peak`."""
    along = np.array([0.0, 0.03, 0.10, 0.16, 0.24, 0.34, 0.42, 0.56, 0.69, 0.82, 0.93, 1.0])
    reach = np.array([0.0, 0.26, 0.50, 0.66, 0.89, 1.0, 0.96, 0.82, 0.60, 0.36, 0.19, 0.0])
    moved = np.where(along < 0.34, along / 0.34 * peak, peak + (along - 0.34) / 0.66 * (1 - peak))
    return PchipInterpolator(moved, reach ** (1 / fullness), extrapolate=False)


@dataclass(frozen=True)
class Heart:
    """One patient's heart at end-diastole.

    cavity_diameter_mm: of the circle of the cavity's area at mid level, papillary muscles counted as cavity. wall_mm:
    mean at mid level. septal_excess_mm: half of what the septal wall is thicker than the lateral one there, and
    inferior_excess_mm likewise for the inferior and the anterior wall. base_scale, apex_scale: the cavity's diameter
    relative to mid level; wall_scales: the wall's. endocardium, epicardium: shape at mid level; turning along the axis
    by `twist` radians from base to apex. tilt: sideways drift (x, y) of the long axis in mm per mm. regional_wall:
    where one part of the wall differs from the rest; nowhere in normal hearts and DCM. outflow: the part of the ring
    that is open in slices above the base, or None. effusion: fluid in the pericardium; in no normal heart and no DCM.
    """

    cavity_diameter_mm: float
    wall_mm: float
    septal_excess_mm: float
    inferior_excess_mm: float
    length_mm: float
    base_scale: float
    apex_scale: float
    wall_scales: tuple[float, float]
    endocardium: Harmonics
    epicardium: Harmonics
    twist: float
    right_ventricle: RightVentricle
    fat_mm: float
    fat_sectors: tuple[tuple[Sector, float], ...]
    papillary_muscles: tuple[PapillaryMuscle, ...]
    tilt: tuple[float, float]
    trabeculation_mm: float
    trabecula_phases: tuple[float, ...]
    regional_wall: RegionalWall | None = None
    outflow: Sector | None = None
    effusion: Effusion | None = None

    def cavity_scale(self, level: float) -> float:
        """Cavity diameter relative to mid level at `level`: 0 base, 1 apex."""
        at = PchipInterpolator(
            (-0.1, BASE, MID, APEX, 0.95, 1.03),
            (self.base_scale - 0.02, self.base_scale, 1.0, self.apex_scale, 0.6 * self.apex_scale, 0.03),
        )
        return float(at(np.clip(level, -0.1, 1.03)))

    def endocardial_radius_mm(self, angle: RealArray, level: float) -> FloatArray:
        scale = self.cavity_scale(level)
        radius = self.cavity_diameter_mm / 2 + self._shape(self.endocardium, angle, level)
        return (scale * radius).astype(np.float32)

    def trabecular_depth_mm(self, angle: RealArray, level: float) -> FloatArray:
        """How far trabeculae reach into the cavity. Their pattern turns along the axis: thick slices see it graded."""
        turn = 14.0 * level
        ripple = sum(
            np.cos(order * (angle + turn) + phase)
            for order, phase in zip((9, 13, 17), self.trabecula_phases, strict=True)
        )
        return (self.trabeculation_mm * np.clip(ripple, 0.0, None)).astype(np.float32)

    def wall_thickness_mm(self, angle: RealArray, level: float) -> FloatArray:
        base_scale, apex_scale = self.wall_scales
        scale = float(
            np.interp(level, (0.0, BASE, MID, APEX, 1.0), (base_scale, base_scale, 1.0, apex_scale, apex_scale))
        )
        # The septum is the thicker wall at the base and the thinner one at the apex.
        septal = self.septal_excess_mm + float(np.interp(level, (BASE, MID, APEX), (0.2, 0.0, -0.5)))
        shape = self._shape(self.epicardium, angle, level) - self._shape(self.endocardium, angle, level)
        wall = (
            self.wall_mm * scale
            + septal * np.cos(angle - SEPTUM_ANGLE_RAD)
            + self.inferior_excess_mm * np.sin(angle)
            + 0.3 * np.cos(2 * angle)
            + shape * min(1.0, self.cavity_scale(level))
        )
        if self.regional_wall is not None:
            wall = wall * (1 + (self.regional_wall.factor - 1) * self.regional_wall.sector.share(angle))
        return np.maximum(wall, 2.5).astype(np.float32)

    def _shape(self, harmonics: Harmonics, angle: RealArray, level: float) -> RealArray:
        turn = self.twist * (level - MID)
        return np.sum(
            [
                amplitude * np.cos(order * (angle - turn) - phase)
                for order, (amplitude, phase) in zip(HARMONIC_ORDERS, harmonics, strict=True)
            ],
            axis=0,
        )


@dataclass(frozen=True)
class Outlines:
    """The heart's contours at one level, mm from the LV centre at DIRECTIONS angles (from x towards y).

    right: the right ventricle's cavity, not above `epicardium` where there is none; right_wall and fat: what covers it
    and the whole heart; fluid: what lies around all of it, as far as `fat` where there is none. trabeculae: how far the
    cavity is free of them. in_ring: where the wall is muscle, not outflow.
    """

    endocardium: FloatArray
    epicardium: FloatArray
    right: FloatArray
    right_wall: FloatArray
    fat: FloatArray
    fluid: FloatArray
    trabeculae: FloatArray
    in_ring: BoolArray


def outlines(heart: Heart, level: float) -> Outlines:
    right = heart.right_ventricle
    endocardium = heart.endocardial_radius_mm(_ANGLES, level)
    epicardium = endocardium + heart.wall_thickness_mm(_ANGLES, level)
    reach = np.minimum(epicardium + right.reach_mm(_ANGLES, level), HEART_REACH_MM - right.wall_mm)
    has_right = reach > epicardium
    # A wall of even thickness around the cavity's ends, not along the rays only.
    about = max(1, round(right.wall_mm / float(epicardium.mean()) / (2 * np.pi) * DIRECTIONS))
    widened = maximum_filter1d(np.where(has_right, reach, 0), 2 * about + 1, mode="wrap")
    right_wall = np.where(widened > 0, widened + right.wall_mm, 0)
    amount = np.float32(heart.fat_mm) * np.ones(DIRECTIONS, np.float32)
    for sector, more_mm in heart.fat_sectors:
        amount += (more_mm * sector.share(_ANGLES)).astype(np.float32)
    fat = maximum_filter1d(np.maximum(right_wall, epicardium), 2 * about + 1, mode="wrap") + amount
    fluid = fat if heart.effusion is None else heart.effusion.outline(fat)
    open_ring = np.zeros(DIRECTIONS, bool) if heart.outflow is None else heart.outflow.share(_ANGLES) > 0.5
    return Outlines(
        endocardium,
        epicardium,
        reach.astype(np.float32),
        right_wall.astype(np.float32),
        np.minimum(fat, HEART_REACH_MM).astype(np.float32),
        np.minimum(fluid, HEART_REACH_MM).astype(np.float32),
        endocardium - heart.trabecular_depth_mm(_ANGLES, level),
        ~open_ring if level < BASE else np.ones(DIRECTIONS, bool),
    )


@dataclass(frozen=True)
class HeartSection:
    """What a plane at one level cuts, sampled on some pixels (every array has their shape)."""

    tissue: LabelArray
    cavity: BoolArray
    myocardium: BoolArray
    depth: FloatArray
    """0 at the endocardium, 1 at the epicardium; meaningful where `myocardium` is True."""
    angle: FloatArray


def heart_section(heart: Heart, x: FloatArray, y: FloatArray, level: float, background: LabelArray) -> HeartSection:
    """Draw the heart at `level` over `background`. x, y: mm from the LV centre, the same shape as `background`."""
    radius = np.hypot(x, y)
    angle = np.arctan2(y, x)
    direction = np.rint(angle * np.float32(DIRECTIONS / (2 * np.pi))).astype(np.int32) % DIRECTIONS
    lines = outlines(heart, level)
    endocardium, epicardium = lines.endocardium[direction], lines.epicardium[direction]
    cavity = radius < endocardium
    wall = (radius < epicardium) & ~cavity
    myocardium = wall & lines.in_ring[direction]
    right = lines.right[direction]
    in_right = (radius < right) & (right > epicardium)

    tissue = background.copy()
    tissue[radius < lines.fluid[direction]] = Tissue.FLUID
    tissue[radius < lines.fat[direction]] = Tissue.FAT
    tissue[radius < lines.right_wall[direction]] = Tissue.MYOCARDIUM
    tissue[in_right] = Tissue.RIGHT_BLOOD
    ripple = heart.right_ventricle.trabeculation_mm * (1 + np.cos(21 * angle + 9 * level))
    tissue[in_right & (radius > right - ripple)] = Tissue.MYOCARDIUM
    tissue[wall] = Tissue.LEFT_BLOOD
    tissue[myocardium] = Tissue.MYOCARDIUM
    tissue[cavity] = Tissue.LEFT_BLOOD
    tissue[cavity & (radius > lines.trabeculae[direction])] = Tissue.MYOCARDIUM
    for muscle in heart.papillary_muscles:
        at = lines.endocardium[round(muscle.angle / (2 * np.pi) * DIRECTIONS) % DIRECTIONS]
        middle = at - muscle.gap_mm - muscle.radial_mm
        cos, sin = np.cos(muscle.angle), np.sin(muscle.angle)
        inward, across = x * cos + y * sin - middle, y * cos - x * sin
        inside = (inward / muscle.radial_mm) ** 2 + (across / muscle.across_mm) ** 2 < 1
        tissue[cavity & inside] = Tissue.MYOCARDIUM
    depth = (radius - endocardium) / (epicardium - endocardium)
    return HeartSection(tissue, cavity, myocardium, depth.astype(np.float32), angle.astype(np.float32))


def insertion_points(heart: Heart, level: float) -> NDArray[np.float64]:
    """Where the right ventricle's wall meets the left's: (2, 2) mm, anterior then inferior."""
    inferior, anterior = heart.right_ventricle.span(level)
    angle = np.array([SEPTUM_ANGLE_RAD + anterior, SEPTUM_ANGLE_RAD - inferior])
    epicardium = heart.endocardial_radius_mm(angle, level) + heart.wall_thickness_mm(angle, level)
    return np.stack([epicardium * np.cos(angle), epicardium * np.sin(angle)], axis=1).astype(np.float64)
