"""What is measured on a simulated patient's mid section to evaluate the simulator: see `validation`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from threadpoolctl import threadpool_limits

from ACNetLib.ventricle.measures import SectionMeasures

from ..evaluation.metrics import FloatArray
from .anatomy import LabelArray, heart_section
from .patient import Patient
from .section import SimulatedSection, heart_coordinates, measure_with_truth, simulate_section
from .surroundings import draw_surroundings
from .tissues import TISSUES, Tissue

SECTION_MM = 128.0
OUTSIDE_HEART_MM = 95.0
"""The background starts at this distance from the LV centre in everybody: a larger heart hides more lung."""
HISTOGRAM_BINS_MS = (0, 1, *range(200, 1300, 100), 1400, 1600, 1800, 2000, 2500, 3000, 4000, 5000)
EDGE_ANGLES_RAD = np.deg2rad(np.arange(-40, 41, 8))
EDGE_DISTANCES_PX = np.arange(-6.0, 3.01, 0.1)
TISSUE_MARGINS_PX = {
    Tissue.LEFT_BLOOD: 3,
    Tissue.RIGHT_BLOOD: 2,
    Tissue.LIVER: 3,
    Tissue.FAT: 2,
    Tissue.LUNG: 3,
}
"""How far from other tissues a pixel must lie to be counted as this one; myocardium has the margin below."""
MYOCARDIUM_MARGIN_PX = 1.5
READERS_MARGIN_PX = 1.5
"""How far within the wall a reader draws the contours."""
FEWEST_PIXELS = 20
UNUSUAL_T1 = 0.25


@dataclass(frozen=True)
class MeasuredSection:
    """What is kept of one patient's mid section.

    background: histogram and texture of the map outside the heart. appearance: tissue medians and the like, by name,
    NaN where the map does not show the tissue or where it has any T1. wall_spread: of T1 within the wall, in ms.
    """

    is_dcm: bool
    measures: SectionMeasures
    background: FloatArray
    appearance: dict[str, float]
    wall_spread: dict[str, float]


def measure_patient(patient: Patient) -> MeasuredSection:
    """Simulate the patient's mid section and measure it."""
    with threadpool_limits(1):
        section = simulate_section(patient, "mid")
        return MeasuredSection(
            patient.label == "dcm",
            measure_with_truth(section),
            _background_features(section),
            _appearance(section),
            _wall_spread(section),
        )


def _wall_spread(section: SimulatedSection) -> dict[str, float]:
    values = section.t1_ms[ndimage.distance_transform_edt(section.truth.myocardium) > READERS_MARGIN_PX]
    p10, p25, p75, p90 = np.percentile(values, [10, 25, 75, 90]).tolist()
    return {
        "standard deviation": float(values.std()),
        "interquartile range": p75 - p25,
        "10th to 90th percentile": p90 - p10,
    }


def _lv_offset_mm(section: SimulatedSection) -> FloatArray:
    rows, columns = section.t1_ms.shape
    middle = np.array([columns - 1, rows - 1]) / 2
    return (section.truth.lv_center - middle) * section.patient.scan.acquisition.pixel_mm


def _background_features(section: SimulatedSection) -> FloatArray:
    """Histogram, spread and texture of everything farther than OUTSIDE_HEART_MM from the LV centre."""
    t1_ms = section.t1_ms
    rows, columns = np.indices(t1_ms.shape)
    distance = np.hypot(columns - section.truth.lv_center[0], rows - section.truth.lv_center[1])
    outside = distance * section.patient.scan.acquisition.pixel_mm > OUTSIDE_HEART_MM
    values = t1_ms[outside]
    gradient = np.hypot(*np.gradient(t1_ms))[outside]
    smooth = ndimage.uniform_filter(t1_ms, 5)[outside]
    return np.concatenate(
        [
            np.histogram(values, HISTOGRAM_BINS_MS)[0] / values.size,
            np.percentile(values, [10, 25, 50, 75, 90]),
            np.percentile(gradient, [10, 25, 50, 75, 90]),
            np.percentile(smooth, [10, 50, 90]),
            [values.std(), smooth.std()],
        ]
    )


def _appearance(section: SimulatedSection) -> dict[str, float]:
    t1_ms, truth = section.t1_ms, section.truth
    tissue = _tissues(section)
    inner_wall = ndimage.distance_transform_edt(truth.myocardium) > MYOCARDIUM_MARGIN_PX
    values = {
        kind: t1_ms[ndimage.binary_erosion(tissue == kind, iterations=n)] for kind, n in TISSUE_MARGINS_PX.items()
    }
    low, high = np.percentile(_heart_square(section), [1, 99])
    typical = TISSUES[section.patient.field_strength_tesla]
    for kind in (Tissue.LIVER, Tissue.FAT, Tissue.LUNG):
        # In some patients the tissues around the heart have any T1: they are not meant to look real.
        if abs(section.patient.scan.tissues[kind].t1_ms / typical[kind].t1_ms - 1) > UNUSUAL_T1:
            values[kind] = values[kind][:0]
    return {
        "myocardium, median [ms]": _median(t1_ms[inner_wall]),
        "LV blood, median [ms]": _median(values[Tissue.LEFT_BLOOD]),
        "RV blood, median [ms]": _median(values[Tissue.RIGHT_BLOOD]),
        "liver, median [ms]": _median(values[Tissue.LIVER]),
        "fat, median [ms]": _median(values[Tissue.FAT]),
        "lung, median [ms]": _median(values[Tissue.LUNG]),
        "lung, standard deviation [ms]": float(values[Tissue.LUNG].std())
        if values[Tissue.LUNG].size >= FEWEST_PIXELS
        else float("nan"),
        "endocardial edge, 10-90 % [pixels]": _edge_width_px(section),
        "section, 1st percentile [ms]": float(low),
        "section, 99th percentile [ms]": float(high),
    }


def _median(values: NDArray[np.float32]) -> float:
    return float(np.median(values)) if values.size >= FEWEST_PIXELS else float("nan")


def _tissues(section: SimulatedSection) -> LabelArray:
    """What lies at each pixel's centre, drawn from the patient's anatomy."""
    patient, scan = section.patient, section.patient.scan
    pixel_mm = scan.acquisition.pixel_mm
    x, y = heart_coordinates(section.t1_ms.shape, pixel_mm, _lv_offset_mm(section), scan.rotation_rad)
    cos, sin = np.float32(np.cos(scan.heart_turn_rad)), np.float32(np.sin(scan.heart_turn_rad))
    body = draw_surroundings(scan.surroundings, x * cos - y * sin, x * sin + y * cos)
    return heart_section(patient.heart, x, y, patient.mid_level, body).tissue


def _heart_square(section: SimulatedSection) -> NDArray[np.float32]:
    """The map's own pixels in a square of SECTION_MM around the LV centre, as far as the map reaches."""
    half = SECTION_MM / section.patient.scan.acquisition.pixel_mm / 2
    column, row = section.truth.lv_center
    rows, columns = (slice(max(round(middle - half), 0), round(middle + half) + 1) for middle in (row, column))
    return section.t1_ms[rows, columns]


def _edge_width_px(section: SimulatedSection) -> float:
    """From 90 to 10 % of the fall from blood to septum, on the mean profile of rays aligned at the true endocardium."""
    center = section.truth.lv_center
    to_septum = (section.truth.insertion_points - center).mean(axis=0)
    angles = np.arctan2(to_septum[1], to_septum[0]) + EDGE_ANGLES_RAD[:, None]
    radius = np.arange(5, 45, 0.25)
    places = [center[1] + radius * np.sin(angles), center[0] + radius * np.cos(angles)]
    values = ndimage.map_coordinates(section.t1_ms, places, order=1)
    in_cavity = ndimage.map_coordinates(section.truth.cavity.astype(np.uint8), places, order=0)
    profiles = [
        np.interp(EDGE_DISTANCES_PX, radius - radius[np.flatnonzero(inside)[-1]], ray)
        for ray, inside in zip(values, in_cavity, strict=True)
    ]
    profile = np.mean(profiles, axis=0)
    lowest = int(np.argmin(profile))
    blood = profile[EDGE_DISTANCES_PX[0] + 1.5 > EDGE_DISTANCES_PX].mean()
    fall = (profile[: lowest + 1] - profile[lowest]) / (blood - profile[lowest])
    return float(EDGE_DISTANCES_PX[np.flatnonzero(fall < 0.1)[0]] - EDGE_DISTANCES_PX[np.flatnonzero(fall > 0.9)[-1]])
