"""Simulated patients: who they are, what their hearts are like, and how they happen to be scanned.

The overlap of the classes is set so that single measures separate simulated patients as well as they separate real ones
(native T1: standardised difference 1.48, van den Boomen 2018): small women with DCM and large athletic men exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .anatomy import SEPTUM_ANGLE_RAD, Chest, FloatArray, Heart, Sector, random_chest
from .molli import Acquisition, MolliTiming
from .tissues import FIELD_STRENGTHS_TESLA

Label = Literal["normal", "dcm"]
Disease = Literal["hcm", "amyloidosis", "athlete", "infarct", "myocarditis"]
"""What no model is trained on and no case library holds: see `diseases`."""
Sex = Literal["female", "male"]
FloatMatrix = NDArray[np.float64]

PIXEL_MM = 360.0 / 256
COLUMNS = 256
LARGEST_OFFSET_MM = 45.0
FIBROSIS_FRACTION = 1 / 3
SECTION_DISTANCE_FRACTION = 0.26
"""Distance of neighbouring sections as a fraction of the ventricle's length: base, mid level and apex."""


@dataclass(frozen=True)
class T1Distribution:
    """Apparent (MOLLI) T1 of the myocardium over patients, in ms; standard deviations between patients."""

    normal_mean: float
    normal_sd: float
    dcm_rise: float
    dcm_sd: float
    off_resonance_hz: tuple[float, float]


T1_DISTRIBUTIONS = {
    1.5: T1Distribution(992.0, 22.5, 32.0, 22.5, (62.0, 15.5)),
    3.0: T1Distribution(1192.0, 31.0, 61.0, 58.0, (125.0, 40.6)),
}
FEMALE_T1_RISE_MS = 22.0


@dataclass(frozen=True)
class Lesion:
    """A sector of the wall whose T1 is raised from the depth `inner` to `outer`: 0 endocardium, 1 epicardium."""

    sector: Sector
    inner: float
    outer: float
    rise_ms: float

    def rise_at(self, angle: FloatArray, depth: FloatArray) -> FloatArray:
        within = (depth >= self.inner) & (depth <= self.outer)
        return (self.rise_ms * self.sector.share(angle) * within).astype(np.float32)


@dataclass(frozen=True)
class MyocardialT1:
    """Apparent T1 of one patient's myocardium, in ms.

    regional: amplitude and phase of the first three angular harmonics. fibrosis: extra T1 in the middle of the septal
    wall (0 without fibrosis), its centre (rad) and half width (rad). lesion: none in normal hearts and DCM.
    """

    mean: float
    regional: tuple[tuple[float, float], ...]
    fibrosis: tuple[float, float, float]
    lesion: Lesion | None = None

    def at(self, angle: FloatArray, depth: FloatArray) -> FloatArray:
        rise, centre, half_width = self.fibrosis
        t1 = np.full(angle.shape, self.mean, np.float32)
        for order, (amplitude, phase) in enumerate(self.regional, start=1):
            t1 += np.float32(amplitude) * np.cos(order * angle - phase)
        if rise > 0:
            along = np.angle(np.exp(1j * (angle - centre))) / half_width
            t1 += rise * np.exp(-(along**4)) * np.exp(-(((depth - 0.5) / 0.28) ** 2))
        if self.lesion is not None:
            t1 += self.lesion.rise_at(angle, depth)
        return t1.astype(np.float32)


@dataclass(frozen=True)
class Scan:
    """How a patient is scanned; drawn without regard to the diagnosis.

    lv_offset_mm: the ventricle's centre from the image's, (x, y). rotation_rad: of the chest in the image. axes: (3, 3)
    LPS directions of the columns' and rows' increasing index and of their normal, as columns. center_mm: LPS position
    of the mid section's centre.
    """

    acquisition: Acquisition
    lv_offset_mm: tuple[float, float]
    rotation_rad: float
    off_resonance_hz: float
    chest: Chest
    axes: FloatMatrix
    center_mm: tuple[float, float, float]


@dataclass(frozen=True)
class Patient:
    """A simulated patient: everything that a section of them is made from."""

    index: int
    label: Label | Disease
    sex: Sex
    severity: float
    field_strength_tesla: float
    heart: Heart
    myocardium: MyocardialT1
    scan: Scan
    mid_level: float
    seed: int

    @property
    def name(self) -> str:
        return f"sim{self.seed:04d}-{self.index:05d}"

    @property
    def section_distance_mm(self) -> float:
        return SECTION_DISTANCE_FRACTION * self.heart.length_mm


def draw_patient(seed: int, index: int, label: Label, field_strength_tesla: float) -> Patient:
    """Patient `index` of the cohort `seed`: always the same one, whatever else is drawn."""
    if field_strength_tesla not in FIELD_STRENGTHS_TESLA:
        raise ValueError(f"field strength {field_strength_tesla} T, expected one of {FIELD_STRENGTHS_TESLA}")
    # The scan has its own random stream, so it cannot depend on what was drawn for the heart.
    heart_rng, scan_rng = (np.random.default_rng([seed, index, stream]) for stream in (0, 1))
    sex: Sex = "female" if heart_rng.random() < 0.5 else "male"
    severity = float(heart_rng.random())
    return Patient(
        index=index,
        label=label,
        sex=sex,
        severity=severity if label == "dcm" else 0.0,
        field_strength_tesla=field_strength_tesla,
        heart=_draw_heart(heart_rng, label, sex, severity),
        myocardium=_draw_t1(heart_rng, label, sex, severity, T1_DISTRIBUTIONS[field_strength_tesla]),
        scan=_draw_scan(scan_rng, field_strength_tesla),
        mid_level=float(scan_rng.uniform(0.46, 0.54)),
        seed=seed,
    )


def _draw_heart(rng: np.random.Generator, label: Label, sex: Sex, severity: float) -> Heart:
    male = sex == "male"
    dcm = label == "dcm"
    diameter = rng.normal(52.5 if male else 49.0, 4.6)
    wall = rng.normal(7.6 if male else 6.9, 1.0)
    rv_width = rng.normal(35, 3)
    apex_scale = rng.normal(0.56, 0.04)
    length = rng.normal(94 if male else 86, 6)
    if dcm:
        diameter += 7.3 + 7.6 * severity + rng.normal(0, 4.0)
        wall += -0.45 - 0.5 * severity + rng.normal(0, 0.9)
        rv_width += 1.0 + 5.0 * severity + rng.normal(0, 2.5)
        apex_scale += 0.02 + 0.05 * severity + rng.normal(0, 0.02)
        length += 3.0 + 6.0 * severity
    return Heart(
        cavity_diameter_mm=float(np.clip(diameter, 38, 84)),
        wall_mm=float(np.clip(wall, 4.5, 11.5)),
        septal_excess_mm=float(rng.normal(0.6, 0.3)),
        length_mm=float(length),
        apex_scale=float(np.clip(apex_scale, 0.42, 0.75)),
        rv_width_mm=float(np.clip(rv_width, 26, 48)),
        rv_height_scale=float(rng.uniform(0.98, 1.16)),
        rv_wall_mm=float(rng.uniform(2.2, 3.4)),
        fat_mm=float(rng.uniform(1.5, 5.0)),
        papillary_mm=float(rng.uniform(3.6, 5.2)),
        tilt=(float(rng.normal(0, 0.2)), float(rng.normal(0, 0.2))),
        harmonics=(
            (float(np.abs(rng.normal(0, 0.035))), float(rng.uniform(0, 2 * np.pi))),
            (float(np.abs(rng.normal(0, 0.015))), float(rng.uniform(0, 2 * np.pi))),
        ),
        trabeculation_mm=float(rng.uniform(1.2, 2.4)),
        trabecula_phases=tuple(rng.uniform(0, 2 * np.pi, 3).tolist()),
    )


def _draw_t1(
    rng: np.random.Generator, label: Label, sex: Sex, severity: float, distribution: T1Distribution
) -> MyocardialT1:
    regional = tuple((float(rng.normal(0, sd)), float(rng.uniform(0, 2 * np.pi))) for sd in (16.0, 12.0, 8.0))
    diffuse = rng.standard_normal()
    has_fibrosis = rng.random() < FIBROSIS_FRACTION
    fibrosis = (
        float(rng.uniform(60, 90)),
        float(rng.normal(SEPTUM_ANGLE_RAD, 0.25)),
        float(rng.uniform(0.35, 0.8)),
    )
    sex_rise = FEMALE_T1_RISE_MS * (0.5 if sex == "female" else -0.5)
    if label == "normal":
        mean = distribution.normal_mean + sex_rise + distribution.normal_sd * diffuse
        return MyocardialT1(mean, regional, (0.0, SEPTUM_ANGLE_RAD, 1.0))
    # Of the rise that the literature reports, fibrosis makes a part in those who have it.
    rise = distribution.dcm_rise * (0.75 + 0.5 * severity) - (22.0 if has_fibrosis else -11.0)
    mean = distribution.normal_mean + sex_rise + rise + distribution.dcm_sd * diffuse
    return MyocardialT1(mean, regional, fibrosis if has_fibrosis else (0.0, SEPTUM_ANGLE_RAD, 1.0))


def _draw_scan(rng: np.random.Generator, field_strength_tesla: float) -> Scan:
    heart_rate = float(np.clip(rng.normal(68, 11), 46, 102))
    timing = MolliTiming(heart_rate, float(rng.uniform(102, 140)))
    motion_mm = rng.uniform(0.2, 1.2)
    mean_hz, sd_hz = T1_DISTRIBUTIONS[field_strength_tesla].off_resonance_hz
    acquisition = Acquisition(
        timing=timing,
        rows=int(rng.choice([192, 200, 208, 216, 224])),
        columns=COLUMNS,
        pixel_mm=PIXEL_MM,
        phase_resolution_mm=float(rng.uniform(PIXEL_MM, 2.1)),
        noise=float(rng.uniform(1 / 46, 1 / 23)),
        shifts_mm=rng.normal(0, motion_mm, (len(timing.inversion_times_ms), 2)),
    )
    offset = rng.uniform(-LARGEST_OFFSET_MM, LARGEST_OFFSET_MM, 2)
    return Scan(
        acquisition=acquisition,
        lv_offset_mm=(float(offset[0]), float(offset[1])),
        rotation_rad=float(np.deg2rad(rng.uniform(-22, 22))),
        off_resonance_hz=float(max(10.0, rng.normal(mean_hz, sd_hz))),
        chest=random_chest(rng),
        axes=_short_axis_directions(rng),
        center_mm=tuple(rng.normal(0, 15, 3).tolist()),
    )


def _short_axis_directions(rng: np.random.Generator) -> FloatMatrix:
    """A double-oblique short-axis plane: columns run towards left and posterior, rows down; the normal to the base."""
    towards_apex = np.array([0.62, -0.60, -0.50])
    columns = np.array([0.69, 0.71, 0.01])
    tilt = Rotation.from_rotvec(np.deg2rad(rng.normal(0, 6, 3)))
    normal = tilt.apply(-towards_apex / np.linalg.norm(towards_apex))
    across = tilt.apply(columns)
    across -= across @ normal * normal
    across /= np.linalg.norm(across)
    return np.stack([across, np.cross(normal, across), normal], axis=1)
