"""The simulated hearts and their place in the image against the measurements of real ones: see `real_hearts`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..evaluation.metrics import auroc
from .anatomy import APEX, BASE, MID
from .check import Check
from .hearts import Label
from .patient import Patient
from .real_hearts import (
    CORRELATIONS,
    CUES,
    HARMONICS,
    LV_OFFSET_SD_MM,
    MEASURES,
    PIXEL_MEDIAN_MM,
    RAYS_MM,
    RV_DIRECTION_DEG,
    SIZES,
)
from .shapes import RAY_ANGLES_DEG, HeartShape, measure_shape

LEVELS = {"base": BASE, "mid": MID, "apex": APEX}
SEVERE = 0.5
"""The DCM of the measurements are severe: they are held against the simulated ones of at least this severity."""
MEAN_BAND_SD = 0.75
"""How far a simulated mean may lie from the real one, in standard deviations between real patients."""
SD_BAND = (0.6, 1.6)
"""A simulated standard deviation between patients over the real one; some levels were measured in few patients."""
CORRELATION_BAND, HARMONIC_BAND, RAY_BAND = 0.3, 0.35, 0.25
DIRECTION_BAND_DEG, OFFSET_BAND_MM, PIXEL_BAND_MM = 12.0, 3.0, 0.1
Shapes = dict[str, list[HeartShape]]
FloatArray = NDArray[np.float64]


def anatomy_checks(patients: Sequence[Patient]) -> list[Check]:
    """Every row of the measurements, the cues that tell the classes apart, and how hearts lie in the image."""
    normal = [patient for patient in patients if patient.label == "normal"]
    dcm = [patient for patient in patients if patient.label == "dcm"]
    severe = [patient for patient in dcm if patient.severity >= SEVERE]
    shapes: dict[Label, Shapes] = {"normal": _shapes(normal), "dcm": _shapes(severe)}
    checks: list[Check] = []
    for label, by_level in shapes.items():
        for level, hearts in by_level.items():
            checks += _sizes(label, level, hearts)
        checks += _at_mid_level(label, by_level["mid"])
    mid = [measure_shape(patient.heart, MID) for patient in (*normal, *dcm)]
    is_dcm = np.array([False] * len(normal) + [True] * len(dcm))
    for cue, (value, reach) in CUES.items():
        score = auroc(_values(mid, cue), is_dcm)
        checks.append(Check("AUROC", _named(cue), score, value - reach, value + reach, f"{value:g} in real hearts"))
    return checks + _placement([*normal, *dcm], mid)


def _shapes(patients: Sequence[Patient]) -> Shapes:
    return {name: [measure_shape(patient.heart, level) for patient in patients] for name, level in LEVELS.items()}


def _values(shapes: Sequence[HeartShape], name: str) -> FloatArray:
    return np.array([getattr(shape, name) for shape in shapes], float)


def _named(measure: str) -> str:
    return measure.replace("_", " ").replace("rv", "RV")


def _sizes(label: Label, level: str, shapes: Sequence[HeartShape]) -> list[Check]:
    checks = []
    for name, (mean, sd) in zip(MEASURES, SIZES[label, level], strict=True):
        values = _values(shapes, name)
        group, named = f"{label} {level}", _named(name)
        reach = MEAN_BAND_SD * sd
        checks.append(Check(group, named, float(values.mean()), mean - reach, mean + reach, f"{mean:g}"))
        low, high = (factor * sd for factor in SD_BAND)
        checks.append(Check(group, f"{named}, SD", float(values.std()), low, high, f"{sd:g}"))
    return checks


def _at_mid_level(label: Label, shapes: Sequence[HeartShape]) -> list[Check]:
    checks = []
    group = f"{label} mid"
    for (one, other), expected in CORRELATIONS[label].items():
        value = float(np.corrcoef(_values(shapes, one), _values(shapes, other))[0, 1])
        low, high = expected - CORRELATION_BAND, min(1.0, expected + CORRELATION_BAND)
        checks.append(Check(group, f"{_named(one)} with {_named(other)}", value, low, high, f"{expected:g}"))
    for contour, amplitudes in HARMONICS[label].items():
        for order, (found, expected) in enumerate(
            zip(_values(shapes, contour).mean(axis=0), amplitudes, strict=True), start=2
        ):
            low, high = expected * (1 - HARMONIC_BAND), expected * (1 + HARMONIC_BAND)
            checks.append(Check(group, f"{contour}, harmonic {order}", float(found), low, high, f"{expected:g}"))
    rays = np.nanmean(_values(shapes, "rays"), axis=0)
    for angle, found, expected in zip(RAY_ANGLES_DEG, rays, RAYS_MM[label], strict=True):
        low, high = expected * (1 - RAY_BAND) - 1, expected * (1 + RAY_BAND) + 1
        checks.append(Check(group, f"RV reach at {angle} degrees", float(found), low, high, f"{expected:g}"))
    return checks


def _placement(patients: Sequence[Patient], shapes: Sequence[HeartShape]) -> list[Check]:
    directions = [
        np.rad2deg(patient.scan.rotation_rad + shape.rv_direction_rad) % 360
        for patient, shape in zip(patients, shapes, strict=True)
    ]
    offsets = np.array([patient.scan.lv_offset_mm for patient in patients])
    pixels = [patient.scan.acquisition.pixel_mm for patient in patients]
    checks = []
    for share, expected in RV_DIRECTION_DEG.items():
        low, high = expected - DIRECTION_BAND_DEG, expected + DIRECTION_BAND_DEG
        found = float(np.percentile(directions, share))
        checks.append(
            Check("placement", f"RV direction, {share}th percentile [degrees]", found, low, high, f"{expected:g}")
        )
    for axis, name in enumerate(("across", "down")):
        low, high = LV_OFFSET_SD_MM - OFFSET_BAND_MM, LV_OFFSET_SD_MM + OFFSET_BAND_MM
        found = float(offsets[:, axis].std())
        checks.append(Check("placement", f"LV centre {name}, SD [mm]", found, low, high, f"{LV_OFFSET_SD_MM:g}"))
    low, high = PIXEL_MEDIAN_MM - PIXEL_BAND_MM, PIXEL_MEDIAN_MM + PIXEL_BAND_MM
    checks.append(Check("placement", "pixel, median [mm]", float(np.median(pixels)), low, high, f"{PIXEL_MEDIAN_MM:g}"))
    return checks
