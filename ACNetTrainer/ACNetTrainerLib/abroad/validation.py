"""How near cohorts of this make come to what was measured on real hearts and maps: the numbers of the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from threadpoolctl import threadpool_limits

from ACNetLib.ventricle.measures import measure_section, septal_arc
from ACNetLib.worker_pool import worker_pool

from ..evaluation.metrics import auroc
from .cohort import Cohort, whole_ms
from .hearts import KINDS, LEVEL_NAMES, FloatArray
from .measuring import measure_hearts
from .sections import Section, draw_section

SEPARATING = ("cavity_area", "mean_wall", "septal_wall", "rv_area", "rv_width")
PAIRS = (
    ("diameter", "mean_wall"),
    ("diameter", "rv_area"),
    ("mean_wall", "rv_area"),
    ("septal_wall", "lateral_wall"),
    ("rv_area", "rv_width"),
    ("rv_area", "rv_span"),
)
MID = LEVEL_NAMES.index("mid")


def validate(hearts: int, patients: int, field_strength_tesla: float, seed: int) -> dict[str, Any]:
    """The measures of so many hearts of each kind, and of the mid-level maps of so many patients, half of them DCM."""
    cohort = Cohort(patients, field_strength_tesla, seed, scanner_factor=1.0)
    return {
        "hearts_per_kind": hearts,
        "patients": patients,
        "field_strength_tesla": field_strength_tesla,
        "seed": seed,
        "shapes": validate_shapes(hearts, seed),
        "maps": validate_maps(cohort),
    }


def validate_shapes(hearts: int, seed: int) -> dict[str, Any]:
    measured = {kind: measure_hearts(kind, hearts, seed) for kind in KINDS}
    normal, dcm = measured["normal"][MID], measured["dcm"][MID]
    is_dcm = np.repeat([False, True], hearts)
    return {
        "measures": {
            kind: {
                level: {name: _summary(values) for name, values in columns.items()}
                for level, columns in zip(LEVEL_NAMES, levels, strict=True)
            }
            for kind, levels in measured.items()
        },
        "larger_half_of_dcm_diameter": _summary(np.sort(dcm["diameter"])[hearts // 2 :]),
        "correlations": {
            kind: {
                f"{first}, {second}": round(float(np.corrcoef(columns[first], columns[second])[0, 1]), 2)
                for first, second in PAIRS
            }
            for kind, columns in (("normal", normal), ("dcm", dcm))
        },
        "auroc": {name: round(auroc(np.concatenate([normal[name], dcm[name]]), is_dcm), 3) for name in SEPARATING},
    }


def validate_maps(cohort: Cohort) -> dict[str, Any]:
    """Of the mid-level maps, with the true masks. mid_wall: the wall without its inner and outer fifth."""
    with worker_pool() as pool:
        count = cohort.patients
        rows = list(pool.map(_measure_map, [cohort] * count, range(count), chunksize=2))
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    is_dcm = columns.pop("is_dcm") > 0
    septal = columns.pop("septal_t1_ms")
    return {
        "septal_t1_ms": {"normal": _summary(septal[~is_dcm]), "dcm": _summary(septal[is_dcm])},
        "auroc": {
            "septal_t1_ms": round(auroc(septal, is_dcm), 3),
            "cavity_area_mm2": round(auroc(columns.pop("cavity_area_mm2"), is_dcm), 3),
        },
        "medians": {name: round(float(np.median(values)), 1) for name, values in columns.items()},
    }


def _measure_map(cohort: Cohort, index: int) -> dict[str, float]:
    patient = cohort.patient(index)
    with threadpool_limits(1):
        section = draw_section(patient, MID)
    t1_ms = whole_ms(section.t1_ms).astype(np.float32)
    spacing_mm = (patient.scan.pixel_mm, patient.scan.pixel_mm)
    septum = section.myocardium & septal_arc(section.cavity, section.insertion_points)
    measures = measure_section(t1_ms, section.myocardium, section.cavity, septum, spacing_mm)
    values = {
        "is_dcm": float(patient.heart.kind == "dcm"),
        "septal_t1_ms": measures.septal_t1_ms,
        "cavity_area_mm2": measures.cavity_area_mm2,
    }
    for name, inside in (("wall", section.myocardium), ("mid_wall", _without_borders(section))):
        values[f"{name}_sd_ms"] = float(t1_ms[inside].std())
        values[f"{name}_interquartile_range_ms"] = float(np.subtract(*np.percentile(t1_ms[inside], (75, 25))))
    for percent in (1, 99):
        values[f"map_percentile_{percent}_ms"] = float(np.percentile(t1_ms, percent))
    return values


def _without_borders(section: Section) -> NDArray[np.bool_]:
    from_cavity = distance_transform_edt(~section.cavity)
    from_outside = distance_transform_edt(section.cavity | section.myocardium)
    depth = from_cavity / (from_cavity + from_outside)
    return np.asarray(section.myocardium & (depth > 0.2) & (depth < 0.8))


def _summary(values: FloatArray | Sequence[float]) -> dict[str, float]:
    return {"mean": round(float(np.mean(values)), 3), "sd": round(float(np.std(values)), 3)}
