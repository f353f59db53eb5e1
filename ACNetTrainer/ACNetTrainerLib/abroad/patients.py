"""A patient of this make: heart, body, tissues and scan, all from (seed, index)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .hearts import TABLES, FloatArray, Heart, Kind, draw_heart
from .mesh import HeartMesh, MeshSurfaces
from .outlines import Surfaces, draw_surfaces
from .scan import Scan, draw_scan
from .signals import APPARENT_T1_MS, MYOCARDIAL_T1_MS, Sequence, draw_sequence
from .surroundings import Body, Field, Tissue, draw_body
from .traced import TracedHeart, TracedSurfaces

SEX_MS = 10.0
MEASURING_SHARE = 0.022
"""The SD that noise, texture and partial volume add to a patient's septal T1, relative to it."""
FIBROSIS_SHARE = 0.35
"""Of DCM with a band of fibrosis in the septum's middle."""
FOCUS_IN_SEPTUM = 0.5
"""Of its rise is seen in the septum's mean: it counts into what is drawn for the patient, the other walls have less."""


@dataclass(frozen=True)
class Patient:
    """tissue_t1_ms: (tissues,) apparent. The rise of T1 by disease: ms in the focus, at these angles and this depth of
    the wall. off_resonance: relative loss of T1 at the inferolateral wall. papillary: (2, 4) of angle, place between
    centre and wall, half length and half width relative to the cavity's radius."""

    name: str
    seed: tuple[int, int]
    field_strength_tesla: float
    heart: Heart
    surfaces: Surfaces
    body: Body
    scan: Scan
    sequence: Sequence
    tissue_t1_ms: FloatArray
    level_t1_ms: FloatArray
    focus_rise_ms: float
    focus_angle: float
    focus_width: float
    focus_depth: float
    off_resonance: float
    rv_wall_mm: float
    papillary: FloatArray
    trabeculae: float
    wall_field: Field


def with_ventricles_of(mesh: HeartMesh, patient: Patient) -> Patient:
    """The patient with the mesh's ventricles, as large as the drawn ones: all else stays."""
    mean_mm = TABLES["normal"].diameter[0]
    size = float(patient.heart.diameter[1]) / mean_mm
    return _with_surfaces(patient, MeshSurfaces(mesh, size, patient.heart.level_distance))


def with_traced_ventricle(traced: TracedHeart, patient: Patient) -> Patient:
    """The patient with a real left ventricle in its own size: all else stays."""
    return _with_surfaces(patient, TracedSurfaces(traced, patient.surfaces))


def _with_surfaces(patient: Patient, surfaces: Surfaces) -> Patient:
    diameter = np.array([2 * outlines.endocardium.mean() for outlines in surfaces.levels])
    return replace(patient, heart=replace(patient.heart, diameter=diameter), surfaces=surfaces)


def draw_patient(seed: int, index: int, kind: Kind, field_strength_tesla: float, scanner_factor: float) -> Patient:
    random = np.random.default_rng([seed, index])
    heart = draw_heart(kind, random)
    tissue_t1_ms = np.zeros(len(Tissue))
    for tissue, by_field in APPARENT_T1_MS.items():
        tissue_t1_ms[tissue] = max(random.normal(*by_field[field_strength_tesla]), 200)
    mean, sd = MYOCARDIAL_T1_MS[kind][field_strength_tesla]
    sex_ms = SEX_MS if heart.is_female else -SEX_MS
    myocardium = mean + sex_ms + random.normal(0, np.sqrt(sd**2 - (MEASURING_SHARE * mean) ** 2 - SEX_MS**2))
    rise, angle, width, depth = _draw_focus(kind, random)
    if kind == "dcm":
        myocardium -= FOCUS_IN_SEPTUM * rise
    tissue_t1_ms[[Tissue.MYOCARDIUM, Tissue.PAPILLARY]] = myocardium
    tissue_t1_ms[Tissue.RV_WALL] = myocardium + random.normal(0, 20)
    papillary = np.column_stack(
        [
            np.radians(random.normal((118, -125), 12)),
            random.uniform(0.55, 0.78, 2),
            random.uniform(0.16, 0.26, 2),
            random.uniform(0.10, 0.17, 2),
        ]
    )
    surfaces = draw_surfaces(heart, random)
    return Patient(
        f"abroad{seed:04d}-{index:05d}",
        (seed, index),
        field_strength_tesla,
        heart,
        surfaces,
        draw_body(float(surfaces.levels[1].rv.max()), random),
        draw_scan(heart.level_distance, random),
        draw_sequence(field_strength_tesla, random),
        tissue_t1_ms * scanner_factor,
        random.normal((0, 0, 8), 8),
        rise,
        angle,
        width,
        depth,
        float(abs(random.normal(0, 0.02 if field_strength_tesla < 2 else 0.04))),
        float(random.uniform(2, 4)),
        papillary,
        float(random.uniform(0.6, 1.6)),
        Field.draw(float(random.uniform(8, 14)), random, waves=24),
    )


def _draw_focus(kind: Kind, random: np.random.Generator) -> tuple[float, float, float, float]:
    """Rise of T1 in ms, angle and half width in radians, depth in the wall (0 within, 1 without)."""
    if kind == "dcm":
        rise = float(random.uniform(60, 90)) if random.random() < FIBROSIS_SHARE else 0.0
        return rise, float(random.normal(0, 0.2)), float(random.uniform(0.4, 0.8)), 0.5
    if kind == "infarct":
        return float(random.uniform(100, 250)), float(random.choice([0.4, -1.4, np.pi])), 0.6, 0.15
    if kind == "hcm":
        return float(random.uniform(40, 120)), float(random.normal(0.6, 0.3)), 0.4, 0.5
    if kind == "rv":
        return float(random.uniform(30, 100)), float(random.choice([-0.9, 1.0])), 0.25, 0.6
    return 0.0, 0.0, 1.0, 0.5
