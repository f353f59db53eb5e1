"""A short-axis section through a simulated chest: which tissue is where, and what the heart's walls are.

Everything is drawn in the patient's own frame: millimetres from the centre of the left ventricle, x towards the image's
right (the lateral wall), y down (the inferior wall), angles from x towards y. The septum and the right ventricle lie at
180 degrees. Dimensions and their sources: Documentation/simulation.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from .tissues import Tissue

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
RealArray = NDArray[np.floating]
LabelArray = NDArray[np.uint8]

SEPTUM_ANGLE_RAD = np.pi
SLICE_THICKNESS_MM = 8.0
SUBSLICES = 5
HEART_REACH_MM = 112.0
"""No part of any simulated heart lies farther than this from the centre of its left ventricle."""


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
class Heart:
    """One patient's heart at end-diastole.

    cavity_diameter_mm: LV, at the base, papillary muscles counted as cavity. wall_mm: mean at mid level; the septum is
    thicker by septal_excess_mm. apex_scale: cavity diameter at 80 % of the length, relative to the base. tilt: sideways
    drift (x, y) of the long axis in mm per mm. harmonics: relative amplitude and phase of the cavity's second and third
    shape harmonic. regional_wall: where one part of the wall differs from the rest; nowhere in normal hearts and DCM.
    """

    cavity_diameter_mm: float
    wall_mm: float
    septal_excess_mm: float
    length_mm: float
    apex_scale: float
    rv_width_mm: float
    rv_height_scale: float
    rv_wall_mm: float
    fat_mm: float
    papillary_mm: float
    tilt: tuple[float, float]
    harmonics: tuple[tuple[float, float], tuple[float, float]]
    trabeculation_mm: float
    trabecula_phases: tuple[float, ...]
    regional_wall: RegionalWall | None = None

    def cavity_scale(self, level: float) -> float:
        """Cavity diameter relative to the base at `level`: 0 base, 1 apex."""
        return float(_taper(self.apex_scale)(np.clip(level, 0.0, 1.0)))

    def endocardial_radius_mm(self, angle: RealArray, level: float) -> FloatArray:
        (second, second_phase), (third, third_phase) = self.harmonics
        shape = 1 + second * np.cos(2 * (angle - second_phase)) + third * np.cos(3 * (angle - third_phase))
        return (self.cavity_diameter_mm / 2 * self.cavity_scale(level) * shape).astype(np.float32)

    def trabecular_depth_mm(self, angle: FloatArray, level: float) -> FloatArray:
        """How far trabeculae reach into the cavity. Their pattern turns along the axis: thick slices see it graded."""
        turn = 14.0 * level
        ripple = sum(
            np.cos(order * (angle + turn) + phase)
            for order, phase in zip((9, 13, 17), self.trabecula_phases, strict=True)
        )
        return (self.trabeculation_mm * np.clip(ripple, 0.0, None)).astype(np.float32)

    def wall_thickness_mm(self, angle: RealArray, level: float) -> FloatArray:
        thinning = 1 - 0.12 * np.clip((level - 0.5) / 0.3, 0, 1.5)
        septal = self.septal_excess_mm * np.cos(angle - SEPTUM_ANGLE_RAD)
        wall = (self.wall_mm + septal) * thinning
        if self.regional_wall is not None:
            wall = wall * (1 + (self.regional_wall.factor - 1) * self.regional_wall.sector.share(angle))
        return wall.astype(np.float32)


def _taper(apex_scale: float) -> PchipInterpolator:
    return PchipInterpolator([0.0, 0.2, 0.5, 0.8, 1.0], [0.98, 1.0, 0.95, apex_scale, 0.05])


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
    endocardium = heart.endocardial_radius_mm(angle, level)
    wall = heart.wall_thickness_mm(angle, level)
    epicardium = endocardium + wall
    cavity = radius < endocardium
    myocardium = (radius < epicardium) & ~cavity

    in_rv = _right_ventricle(heart, level, x, y, 0.0)
    in_rv_wall = _right_ventricle(heart, level, x, y, heart.rv_wall_mm)
    fat_thickness = heart.fat_mm * (1 + 0.6 * np.cos(angle - np.deg2rad(-100)) + 0.5 * np.cos(2 * angle))
    fat_thickness = np.clip(fat_thickness, 0.8, None)
    in_fat = (radius < epicardium + fat_thickness) | _right_ventricle(
        heart, level, x, y, heart.rv_wall_mm + 1.3 * heart.fat_mm
    )

    tissue = background.copy()
    tissue[in_fat] = Tissue.FAT
    tissue[in_rv_wall] = Tissue.MYOCARDIUM
    tissue[in_rv] = Tissue.RIGHT_BLOOD
    tissue[myocardium] = Tissue.MYOCARDIUM
    tissue[cavity] = Tissue.LEFT_BLOOD
    tissue[cavity & (radius > endocardium - heart.trabecular_depth_mm(angle, level))] = Tissue.MYOCARDIUM
    for centre_angle in np.deg2rad([55.0, 125.0] if level < 0.65 else [60.0]):
        reach = heart.cavity_diameter_mm / 2 * heart.cavity_scale(level) - 0.7 * heart.papillary_mm
        distance = np.hypot(x - reach * np.cos(centre_angle), y - reach * np.sin(centre_angle))
        tissue[cavity & (distance < heart.papillary_mm)] = Tissue.MYOCARDIUM
    depth = (radius - endocardium) / wall
    return HeartSection(tissue, cavity, myocardium, depth.astype(np.float32), angle.astype(np.float32))


def _right_ventricle(heart: Heart, level: float, x: RealArray, y: RealArray, margin_mm: float) -> BoolArray:
    """Inside the ellipse of which the left ventricle covers the septal part, widened by `margin_mm`."""
    scale = heart.cavity_scale(level)
    epicardial_radius = heart.cavity_diameter_mm / 2 * scale + heart.wall_mm
    width = heart.rv_width_mm * (0.7 + 0.3 * scale)
    reach = epicardial_radius + width
    half_width = reach * 0.62
    half_height = epicardial_radius * heart.rv_height_scale
    return ((x + reach - half_width) / (half_width + margin_mm)) ** 2 + (
        (y + 0.12 * half_height) / (half_height + margin_mm)
    ) ** 2 < 1


def insertion_points(heart: Heart, level: float) -> NDArray[np.float64]:
    """Where the right ventricle's wall meets the left's: (2, 2) mm, anterior then inferior."""
    angle = np.linspace(0, 2 * np.pi, 1440, endpoint=False)
    epicardium = heart.endocardial_radius_mm(angle, level) + heart.wall_thickness_mm(angle, level)
    x, y = epicardium * np.cos(angle), epicardium * np.sin(angle)
    touching = np.flatnonzero(_right_ventricle(heart, level, x, y, heart.rv_wall_mm / 2))
    # Angles grow from x towards y (down): on the way through 180 degrees the inferior point comes first.
    inferior, anterior = touching[0], touching[-1]
    return np.array([[x[anterior], y[anterior]], [x[inferior], y[inferior]]])


@dataclass(frozen=True)
class Organ:
    """An ellipse of one tissue: centre and half axes in mm, rotation in radians, and the wobble of its outline."""

    tissue: Tissue
    centre: tuple[float, float]
    half_axes: tuple[float, float]
    rotation: float = 0.0
    wobble: float = 0.0
    wobble_phase: float = 0.0

    def contains(self, x: FloatArray, y: FloatArray) -> BoolArray:
        cos, sin = np.cos(self.rotation), np.sin(self.rotation)
        dx, dy = x - self.centre[0], y - self.centre[1]
        u = (dx * cos + dy * sin) / self.half_axes[0]
        v = (dy * cos - dx * sin) / self.half_axes[1]
        if self.wobble == 0:
            return u * u + v * v < 1
        angle = np.arctan2(v, u)
        edge = 1 + self.wobble * (np.cos(3 * angle + self.wobble_phase) + 0.6 * np.cos(5 * angle - self.wobble_phase))
        return np.hypot(u, v) < edge


@dataclass(frozen=True)
class Chest:
    """Everything around the heart, painted in order: later organs cover earlier ones."""

    organs: tuple[Organ, ...]


def draw_chest(chest: Chest, x: FloatArray, y: FloatArray) -> LabelArray:
    """Tissue labels of the chest without the heart, the shape of `x` and `y` (mm from the LV centre)."""
    tissue = np.full(x.shape, Tissue.AIR, np.uint8)
    for organ in chest.organs:
        reach = 1.6 * max(organ.half_axes)
        near = (np.abs(x - organ.centre[0]) < reach) & (np.abs(y - organ.centre[1]) < reach)
        inside = np.zeros_like(near)
        inside[near] = organ.contains(x[near], y[near])
        tissue[inside] = organ.tissue
    return tissue


def random_chest(rng: np.random.Generator) -> Chest:
    """A chest of random habitus; drawn without regard to the diagnosis."""

    def organ(tissue: Tissue, x: float, y: float, a: float, b: float, rotation: float, wobble: float) -> Organ:
        shift = rng.normal(0, 4, 2)
        size = rng.uniform(0.9, 1.12, 2)
        return Organ(
            tissue,
            (x + shift[0], y + shift[1]),
            (a * size[0], b * size[1]),
            rotation + rng.normal(0, 0.12),
            wobble,
            rng.uniform(0, 2 * np.pi),
        )

    width, height = rng.uniform(150, 172), rng.uniform(104, 122)
    centre = (-42 + rng.normal(0, 5), 4 + rng.normal(0, 5))
    skin_fat, muscle = rng.uniform(7, 24), rng.uniform(8, 14)

    def outline(tissue: Tissue, inset: float) -> Organ:
        return Organ(tissue, centre, (width - inset, height - inset), 0.0, 0.02, 0.8)

    organs = [
        outline(Tissue.FAT, 0.0),
        outline(Tissue.MUSCLE, skin_fat),
        outline(Tissue.LUNG, skin_fat + muscle),
    ]
    vessels = [
        Organ(Tissue.RIGHT_BLOOD, tuple(rng.normal(0, 1, 2) * (70, 50) + (-20, -20)), (size, size))
        for size in rng.uniform(1.0, 3.2, 45)
    ]
    organs += vessels
    mediastinum = rng.uniform(0.85, 1.1)
    organs += [
        organ(Tissue.FAT, -50, -70, 48 * mediastinum, 26, 0.3, 0.12),
        organ(Tissue.MUSCLE, -85, -84, 22, 9, 0.35, 0.0),
        organ(Tissue.MARROW, -85, -84, 17, 5, 0.35, 0.0),
        organ(Tissue.LIVER, -92, 82, 84, 50, -0.12, 0.05),
        organ(Tissue.LIVER, -28, 84, 44, 27, 0.2, 0.05),
        organ(Tissue.STOMACH, 34, 88, 34, 26, 0.3, 0.08),
        organ(Tissue.AIR, 38, 76, 17, 8, 0.1, 0.1),
        organ(Tissue.SPLEEN, 82, 70, 22, 36, 0.5, 0.06),
        organ(Tissue.MUSCLE, -16, 112, 56, 20, 0.0, 0.05),
        organ(Tissue.MARROW, -16, 104, 19, 16, 0.0, 0.05),
        organ(Tissue.LEFT_BLOOD, 16, 88, 11, 11, 0.0, 0.0),
        organ(Tissue.RIGHT_BLOOD, -58, 66, 12, 9, 0.3, 0.0),
    ]
    organs += [
        Organ(Tissue.RIGHT_BLOOD, tuple(rng.normal(0, 1, 2) * (35, 18) + (-90, 85)), (size, size * 1.4))
        for size in rng.uniform(1.5, 4.0, 9)
    ]
    return Chest(tuple(organs))
