"""Simulated patients: who they are, what their hearts are like, and how they happen to be scanned.

The overlap of the classes is set so that single measures separate simulated patients as well as they separate real ones
(native T1: standardised difference 1.48, van den Boomen 2018): small women with DCM and large athletic men exist.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ACNetLib.t1map.field_strength import FIELD_STRENGTHS_TESLA

from .anatomy import APEX, BASE, MID, SEPTUM_ANGLE_RAD, FloatArray, Heart, Sector
from .hearts import Label, Sex, draw_heart
from .sequences import SEQUENCES, Acquisition, Sequence, Timing
from .surroundings import Surroundings, random_surroundings, random_tissues
from .tissues import Tissue, TissueProperties

Disease = Literal["hcm", "amyloidosis", "athlete", "infarct", "myocarditis", "rv", "effusion", "takotsubo"]
"""What no model is trained on and no case library holds: see `diseases`."""
FloatMatrix = NDArray[np.float64]

FIBROSIS_FRACTION = 1 / 3
LANDSCAPE_SHARE = 0.25
"""Of the scans, planned with the longer side of the matrix along the rows; they turn the heart the other way."""
PORTRAIT_TURN_DEG, LANDSCAPE_TURN_DEG = (-33.0, 12.0), (36.0, 12.0)
"""How the body is turned in the image: mean and standard deviation, from the measured directions of the septum."""
HEART_TURN_SD_DEG = 8.0
"""How the heart is turned in the body."""
WALL_FACTORS = (0.9, 1.4)
"""Of wall thickness between populations and readers: 7.0 mm, SD 1.0, in the normal hearts of ACDC, 8.7 mm, SD 1.6, in
498 volunteers of the Cardiac Atlas Project, measured at the same level (Documentation/trace_volunteers.py)."""
OFFSET_SD_MM, LARGEST_OFFSET_MM = 16.0, 50.0
SEQUENCE_SHARES: dict[Sequence, float] = {
    "MOLLI 5(3)3": 0.5,
    "MOLLI 3(3)5": 0.1,
    "MOLLI 4(1)3(1)2": 0.1,
    "ShMOLLI": 0.1,
    "SASHA": 0.1,
    "FLASH MOLLI 5(3)3": 0.1,
}


@dataclass(frozen=True)
class T1Distribution:
    """Apparent (MOLLI) T1 of the myocardium over patients, in ms; standard deviations between patients."""

    normal_mean: float
    normal_sd: float
    dcm_rise: float
    dcm_sd: float
    off_resonance_hz: tuple[float, float]


T1_DISTRIBUTIONS = {
    1.5: T1Distribution(994.0, 18.0, 35.0, 18.0, (62.0, 15.5)),
    3.0: T1Distribution(1192.0, 26.0, 63.0, 55.0, (125.0, 40.6)),
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
class ApicalOedema:
    """T1 that rises all around towards the apex: not at all above the level `begins`, by `rise_ms` from `full` on."""

    begins: float
    full: float
    rise_ms: float

    def rise_at(self, level: float) -> float:
        return self.rise_ms * float(np.clip((level - self.begins) / (self.full - self.begins), 0, 1))


@dataclass(frozen=True)
class MyocardialT1:
    """Apparent T1 of one patient's myocardium, in ms.

    regional: amplitude and phase of the first three angular harmonics. fibrosis: extra T1 in the middle of the septal
    wall (0 without fibrosis), its centre (rad) and half width (rad). lesions and oedema: none in normal hearts and DCM.
    """

    mean: float
    regional: tuple[tuple[float, float], ...]
    fibrosis: tuple[float, float, float]
    lesions: tuple[Lesion, ...] = ()
    oedema: ApicalOedema | None = None

    def at(self, angle: FloatArray, depth: FloatArray, level: float) -> FloatArray:
        rise, centre, half_width = self.fibrosis
        t1 = np.full(angle.shape, self.mean, np.float32)
        for order, (amplitude, phase) in enumerate(self.regional, start=1):
            t1 += np.float32(amplitude) * np.cos(order * angle - phase)
        if rise > 0:
            along = np.angle(np.exp(1j * (angle - centre))) / half_width
            t1 += rise * np.exp(-(along**4)) * np.exp(-(((depth - 0.5) / 0.28) ** 2))
        for lesion in self.lesions:
            t1 += lesion.rise_at(angle, depth)
        if self.oedema is not None:
            # The papillary muscles (below 0) swell with the wall, that of the right ventricle (above 1) does not.
            t1 += np.float32(self.oedema.rise_at(level)) * (depth <= 1)
        return t1.astype(np.float32)


@dataclass(frozen=True)
class Scan:
    """How a patient is scanned; drawn without regard to the diagnosis.

    lv_offset_mm: the ventricle's centre from the image's, (x, y). rotation_rad: of the heart in the image.
    heart_turn_rad: of the heart in the body. axes: (3, 3) LPS directions of the columns' and rows' increasing index and
    of their normal, as columns. center_mm: LPS position of the mid section's centre. texture: relative spread of T1
    within tissues, wall_texture_ms: within the wall. wrap: how much of the image's rows is folded over the opposite
    edge; 0 in most.
    """

    acquisition: Acquisition
    lv_offset_mm: tuple[float, float]
    rotation_rad: float
    heart_turn_rad: float
    off_resonance_hz: float
    off_resonance_place_mm: tuple[float, float]
    surroundings: Surroundings
    tissues: dict[Tissue, TissueProperties]
    texture: float
    wall_texture_ms: float
    wrap: float
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
    levels: tuple[float, float, float]
    seed: int

    @property
    def name(self) -> str:
        return f"sim{self.seed:04d}-{self.index:05d}"

    @property
    def mid_level(self) -> float:
        return self.levels[1]

    def as_one_series(self) -> Patient:
        """The same patient with slices at even distances, as they are planned in one series."""
        base, mid, apex = self.levels
        half = (apex - base) / 2
        return replace(self, levels=(mid - half, mid, mid + half))

    def distance_mm(self, section: int) -> float:
        """Of a section (0 base, 1 mid, 2 apex) from the mid section, towards the apex."""
        return (self.levels[section] - self.levels[1]) * self.heart.length_mm


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
        heart=draw_heart(heart_rng, label, sex, severity),
        myocardium=_draw_t1(heart_rng, label, sex, severity, T1_DISTRIBUTIONS[field_strength_tesla]),
        scan=_draw_scan(scan_rng, field_strength_tesla),
        levels=_draw_levels(scan_rng),
        seed=seed,
    )


def with_walls_of_another_population(patient: Patient) -> Patient:
    """The patient with all walls thinner or thicker by one factor, drawn without regard to the diagnosis."""
    factor = np.random.default_rng([patient.seed, patient.index, 5]).uniform(*WALL_FACTORS)
    heart = patient.heart
    thicker = {name: factor * getattr(heart, name) for name in ("wall_mm", "septal_excess_mm", "inferior_excess_mm")}
    return replace(patient, heart=replace(heart, **thicker))


def _draw_levels(rng: np.random.Generator) -> tuple[float, float, float]:
    """Where base, mid and apex are planned: around the measured levels, some too basal and some too apical."""
    mid = float(np.clip(rng.normal(MID, 0.035), 0.4, 0.6))
    base = float(np.clip(rng.normal(BASE, 0.06), 0.05, mid - 0.15))
    apex = float(np.clip(rng.normal(APEX, 0.05), mid + 0.15, 0.9))
    return base, mid, apex


def _draw_t1(
    rng: np.random.Generator, label: Label, sex: Sex, severity: float, distribution: T1Distribution
) -> MyocardialT1:
    regional = tuple((float(rng.normal(0, sd)), float(rng.uniform(0, 2 * np.pi))) for sd in (12.0, 9.0, 7.0))
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
    sequence = SEQUENCES[int(rng.choice(len(SEQUENCES), p=[SEQUENCE_SHARES[name] for name in SEQUENCES]))]
    timing = Timing(heart_rate, float(rng.uniform(102, 140)), sequence)
    motion_mm = rng.uniform(0.2, 1.1)
    mean_hz, sd_hz = T1_DISTRIBUTIONS[field_strength_tesla].off_resonance_hz
    landscape = bool(rng.random() < LANDSCAPE_SHARE)
    rows, columns, pixel_mm = _draw_matrix(rng, landscape)
    acquisition = Acquisition(
        timing=timing,
        rows=rows,
        columns=columns,
        pixel_mm=pixel_mm,
        resolution_mm=(float(rng.uniform(1.4, 2.2)), float(rng.uniform(1.2, 1.8))),
        noise=float(rng.uniform(1 / 46, 1 / 23)),
        shifts_mm=rng.normal(0, motion_mm, (len(timing.inversion_times_ms), 2)),
    )
    offset = np.clip(rng.normal(-1, OFFSET_SD_MM, 2), -LARGEST_OFFSET_MM, LARGEST_OFFSET_MM)
    heart_turn = float(np.deg2rad(rng.normal(0, HEART_TURN_SD_DEG)))
    body_turn = float(np.deg2rad(rng.normal(*(LANDSCAPE_TURN_DEG if landscape else PORTRAIT_TURN_DEG))))
    return Scan(
        acquisition=acquisition,
        lv_offset_mm=(float(offset[0]), float(offset[1])),
        rotation_rad=body_turn + heart_turn,
        heart_turn_rad=heart_turn,
        off_resonance_hz=float(max(10.0, rng.normal(mean_hz, sd_hz))),
        off_resonance_place_mm=(float(rng.normal(28, 10)), float(rng.normal(28, 10))),
        surroundings=random_surroundings(rng),
        tissues=random_tissues(rng, field_strength_tesla),
        texture=float(rng.uniform(0.01, 0.07)),
        wall_texture_ms=float(rng.uniform(18, 44)),
        wrap=float(rng.uniform(0.05, 0.2)) if rng.random() < 0.1 else 0.0,
        axes=_turned(_short_axis_directions(rng), body_turn),
        center_mm=tuple(rng.normal(0, 15, 3).tolist()),
    )


def _draw_matrix(rng: np.random.Generator, landscape: bool) -> tuple[int, int, float]:
    """Rows, columns and pixel in mm of a field of view that holds the chest; the median pixel is 1.5 mm."""
    pixel_mm = float(np.clip(rng.normal(1.5, 0.22), 1.0, 2.1))
    longer_mm = rng.uniform(310, 400)
    shorter_mm = longer_mm * rng.uniform(0.72, 1.0)
    longer, shorter = (2 * round(length / pixel_mm / 2) for length in (longer_mm, shorter_mm))
    return (shorter, longer, pixel_mm) if landscape else (longer, shorter, pixel_mm)


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


def _turned(body_axes: FloatMatrix, turn_rad: float) -> FloatMatrix:
    """Axes of an image in which the body is turned by an angle, from rows to columns: the body stays in place."""
    cos, sin = np.cos(turn_rad), np.sin(turn_rad)
    across, down, normal = body_axes.T
    return np.stack([cos * across - sin * down, sin * across + cos * down, normal], axis=1)
