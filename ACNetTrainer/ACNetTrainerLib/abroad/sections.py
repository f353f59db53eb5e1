"""One section of a patient: its planes painted, mixed into pixels, imaged and fitted, with its truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from .hearts import FloatArray
from .outlines import ANGLES, Outlines
from .patients import Patient
from .scan import SLICE_THICKNESS_MM
from .signals import SMOOTH_TEXTURE, acquire, fit_t1, with_noise
from .surroundings import LabelMap, Plane, Tissue

PARTS = 2
"""Squares of a pixel each way, and the planes of a slice, that are painted."""
PLANES_MM = np.array([-1, 0, 1]) * SLICE_THICKNESS_MM / 3
WRAP_SHARE = 0.12
"""Of the rows, those beyond either edge that fold into an image that wraps."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Section:
    """Arrays (rows, columns). t1_ms: as fitted; true_t1_ms: the mixture's mean, without blur and noise.

    cavity: with the papillary muscles. insertion_points: (2, 2), (column, row) of the anterior and the inferior one.
    """

    t1_ms: FloatArray
    true_t1_ms: FloatArray
    myocardium: Mask
    cavity: Mask
    insertion_points: FloatArray


def draw_section(patient: Patient, level: int) -> Section:
    scan, sequence = patient.scan, patient.sequence
    random = np.random.default_rng([*patient.seed, level, 1])
    margin = round(WRAP_SHARE * scan.rows) if sequence.wraps else 0
    x, y = scan.heart_positions(level, PARTS, margin)
    outlines = [patient.surfaces.at(level, plane) for plane in PLANES_MM]
    planes = _paint(patient, level, x, y, outlines)

    rows, columns = scan.rows + 2 * margin, scan.columns
    fractions = np.empty((len(Tissue), rows, columns), np.float32)
    for tissue in Tissue:
        fractions[tissue] = _mean_of_parts((planes == tissue).mean(axis=0, dtype=np.float32))
    center_x, center_y = scan.heart_positions(level, 1, margin)
    t1_ms = _tissue_t1(patient, level, center_x, center_y, outlines[1], random)
    series = acquire(fractions, t1_ms, _sensitivity(center_x, center_y, random), sequence, random)
    kept = slice(margin, rows - margin)
    if margin:
        top, bottom = series[:, :margin].copy(), series[:, -margin:].copy()
        series = series[:, kept].copy()
        series[:, :margin] += bottom
        series[:, -margin:] += top
    fitted = fit_t1(with_noise(series, sequence, random), sequence)

    fractions, t1_ms = fractions[:, kept], t1_ms[:, kept]
    cavity = fractions[Tissue.LV_BLOOD] + fractions[Tissue.PAPILLARY]
    ventricle = cavity + fractions[Tissue.MYOCARDIUM]
    return Section(
        fitted,
        np.asarray((fractions[1:] * t1_ms[1:]).sum(axis=0)),
        (ventricle >= 0.5) & (cavity < 0.5),
        cavity >= 0.5,
        scan.pixels(outlines[1].insertion_points, level),
    )


def _mean_of_parts(values: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, columns = (length // PARTS for length in values.shape)
    return np.asarray(values.reshape(rows, PARTS, columns, PARTS).mean(axis=(1, 3)))


def _paint(patient: Patient, level: int, x: FloatArray, y: FloatArray, outlines: list[Outlines]) -> LabelMap:
    """Tissues (planes, rows, columns) of all planes of the slice; the surroundings are those of its middle."""
    z_mm = level * patient.heart.level_distance
    trabeculae = patient.wall_field.at(x, y, z_mm, coarse=3)
    parts = [_heart_parts(patient, x, y, plane) for plane in outlines]
    middle, part_mm = parts[len(parts) // 2], patient.scan.pixel_mm / PARTS
    to_heart = distance_transform_edt(~(middle.rv | middle.rv_wall | (middle.radius < middle.epicardium))) * part_mm
    inferior_mm = float(np.interp(-np.pi / 2, ANGLES, outlines[len(parts) // 2].epicardium))
    surroundings = patient.body.paint(Plane(x, y, z_mm, level), to_heart, inferior_mm)
    planes = []
    for heart in parts:
        tissues = surroundings.copy()
        tissues[heart.rv_wall] = Tissue.RV_WALL
        tissues[heart.rv] = Tissue.BLOOD
        tissues[heart.rv & (heart.from_free_wall < 9) & (trabeculae > 1.7 - 0.1 * patient.trabeculae)] = Tissue.RV_WALL
        tissues[heart.radius < heart.epicardium] = Tissue.MYOCARDIUM
        tissues[heart.radius < heart.endocardium] = Tissue.LV_BLOOD
        from_wall = heart.endocardium - heart.radius
        near_wall = (from_wall > 0) & (from_wall < patient.trabeculae * (1.5 + level))
        tissues[near_wall & (trabeculae > 0.9)] = Tissue.PAPILLARY
        if level > 0:
            tissues[_in_papillary_muscles(patient, level, x, y) & (from_wall > 0)] = Tissue.PAPILLARY
        planes.append(tissues)
    return np.array(planes)


@dataclass(frozen=True, eq=False)
class _HeartParts:
    """At each position of a plane: the distance from the left ventricle's axis, the wall's borders in its direction,
    whether it lies in the right ventricle or its wall, and how far within the free wall. Lengths in mm."""

    radius: FloatArray
    endocardium: FloatArray
    epicardium: FloatArray
    rv: Mask
    rv_wall: Mask
    from_free_wall: FloatArray


def _heart_parts(patient: Patient, x: FloatArray, y: FloatArray, outlines: Outlines) -> _HeartParts:
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    endocardium, epicardium, far_side = (
        np.interp(angle, ANGLES, radii, period=2 * np.pi)
        for radii in (outlines.endocardium, outlines.epicardium, outlines.rv)
    )
    rv = (radius < far_side) & (radius >= epicardium)
    to_rv = distance_transform_edt(~rv) * patient.scan.pixel_mm / PARTS
    rv_wall = ~rv & (to_rv < patient.rv_wall_mm) & (radius >= epicardium)
    return _HeartParts(radius, endocardium, epicardium, rv, rv_wall, far_side - radius)


def _in_papillary_muscles(patient: Patient, level: int, x: FloatArray, y: FloatArray) -> Mask:
    size = patient.heart.diameter[level] / 2
    inside = np.zeros(x.shape, bool)
    for turn, place, half_length, half_width in patient.papillary:
        along = x * np.cos(turn) + y * np.sin(turn) - size * (place + 0.08 * (level - 1))
        across = y * np.cos(turn) - x * np.sin(turn)
        inside |= (along / half_length) ** 2 + (across / half_width) ** 2 < size**2
    return inside


def _tissue_t1(  # noqa: PLR0913  # where, and of whom, each pixel is
    patient: Patient, level: int, x: FloatArray, y: FloatArray, outlines: Outlines, random: np.random.Generator
) -> FloatArray:
    """Apparent T1 of each tissue in each pixel, (tissues, rows, columns): its mean, its texture, what field and disease
    do to it."""
    smooth, fine = (
        gaussian_filter(random.standard_normal(x.shape), width_mm / patient.scan.pixel_mm) for width_mm in (8.0, 2.5)
    )
    texture = SMOOTH_TEXTURE * (0.6 * smooth / smooth.std() + 0.8 * fine / fine.std())
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    inferolateral = np.cos(angle - np.radians(-140))
    off_resonance = patient.off_resonance * np.clip(inferolateral, 0, 1) ** 2 * np.exp(-(((radius - 40) / 30) ** 2))
    t1_ms = patient.tissue_t1_ms[:, np.newaxis, np.newaxis] * ((1 + texture) * (1 - off_resonance))
    endocardium, epicardium = (
        np.interp(angle, ANGLES, radii, period=2 * np.pi) for radii in (outlines.endocardium, outlines.epicardium)
    )
    depth = (radius - endocardium) / (epicardium - endocardium)
    from_focus = np.angle(np.exp(1j * (angle - patient.focus_angle))) / patient.focus_width
    focus = np.exp(-(from_focus**4) - ((depth - patient.focus_depth) / 0.35) ** 2)
    t1_ms[Tissue.MYOCARDIUM] += patient.level_t1_ms[level] + patient.focus_rise_ms * focus
    return np.asarray(np.maximum(t1_ms, 50.0))


def _sensitivity(x: FloatArray, y: FloatArray, random: np.random.Generator) -> FloatArray:
    """Of the coils: about 1 at the heart, more towards the chest wall."""
    slope = random.normal((0.0035, 0.001), 0.0015)
    return np.asarray(np.clip(1 + slope[0] * x + slope[1] * y, 0.45, 1.7))
