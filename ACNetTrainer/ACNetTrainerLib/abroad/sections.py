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
from .surroundings import LabelMap, Tissue

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
    outlines = [patient.surfaces.at(level, -plane) for plane in PLANES_MM]
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
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    part_mm = patient.scan.pixel_mm / PARTS
    z_mm = level * patient.heart.level_distance
    trabeculae = patient.wall_field.at(x, y, z_mm, coarse=3)
    planes = []
    surroundings: LabelMap | None = None
    for outline in outlines[1:2] + outlines[:1] + outlines[2:]:
        endocardium, epicardium, rv = (
            np.interp(angle, ANGLES, radii, period=2 * np.pi)
            for radii in (outline.endocardium, outline.epicardium, outline.rv)
        )
        in_rv = (radius < rv) & (radius >= epicardium)
        to_rv = distance_transform_edt(~in_rv) * part_mm
        in_rv_wall = (to_rv > 0) & (to_rv < patient.rv_wall_mm) & (radius >= epicardium)
        if surroundings is None:
            to_heart = distance_transform_edt((radius >= epicardium) & ~in_rv & ~in_rv_wall) * part_mm
            inferior_mm = float(np.interp(-np.pi / 2, ANGLES, outline.epicardium))
            surroundings = patient.body.paint(x, y, z_mm, level, to_heart, inferior_mm)
        tissues = surroundings.copy()
        tissues[in_rv_wall] = Tissue.RV_WALL
        from_free_wall = np.where(in_rv, rv - radius, np.inf)
        tissues[in_rv] = Tissue.BLOOD
        tissues[in_rv & (from_free_wall < 9) & (trabeculae > 1.7 - 0.1 * patient.trabeculae)] = Tissue.RV_WALL
        tissues[radius < epicardium] = Tissue.MYOCARDIUM
        tissues[radius < endocardium] = Tissue.LV_BLOOD
        in_wall_of_cavity = (radius < endocardium) & (endocardium - radius < patient.trabeculae * (1.5 + level))
        tissues[in_wall_of_cavity & (trabeculae > 0.9)] = Tissue.PAPILLARY
        if level > 0:
            _paint_papillary(tissues, patient, level, x, y, endocardium)
        planes.append(tissues)
    return np.array(planes)


def _paint_papillary(
    tissues: LabelMap, patient: Patient, level: int, x: FloatArray, y: FloatArray, endocardium: FloatArray
) -> None:
    size = float(np.sqrt((tissues == Tissue.LV_BLOOD).sum() / np.pi)) * patient.scan.pixel_mm / PARTS
    for turn, place, half_length, half_width in patient.papillary:
        outwards = np.array([np.cos(turn), np.sin(turn)])
        along = x * outwards[0] + y * outwards[1] - size * (place + 0.08 * (level - 1))
        across = -x * outwards[1] + y * outwards[0]
        inside = (along / half_length) ** 2 + (across / half_width) ** 2 < size**2
        tissues[inside & (np.hypot(x, y) < endocardium)] = Tissue.PAPILLARY


def _tissue_t1(
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
