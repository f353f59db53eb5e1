"""One simulated section: anatomy through the MOLLI acquisition and its fit to a T1 map, with its truth beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ACNetLib.measures import SectionMeasures, measure_section, septal_arc

from .anatomy import (
    HEART_REACH_MM,
    SLICE_THICKNESS_MM,
    SUBSLICES,
    BoolArray,
    FloatArray,
    LabelArray,
    draw_chest,
    heart_section,
    insertion_points,
)
from .molli import Acquisition, MolliTiming, acquire, fit_t1, molli_signals, restore_polarity, true_t1_ms
from .patient import Patient
from .tissues import TISSUES, Tissue

T1_LOSS_MS_PER_HZ2 = 20.0 / 62.0**2
"""MOLLI reads 20 ms less at 62 Hz off resonance, over 50 ms less at 125 Hz (Kellman 2013), at a T1 of about 1000 ms."""
LEVEL_NAMES = ("base", "mid", "apex")


@dataclass(frozen=True)
class SectionTruth:
    """What is known of a simulated section. Points are (column, row) in pixels of the map.

    myocardium, cavity: (rows, columns) of the left ventricle, papillary muscles counted as cavity. t1_ms: apparent T1
    before the acquisition. insertion_points: (2, 2), anterior then inferior.
    """

    lv_center: NDArray[np.float64]
    myocardium: BoolArray
    cavity: BoolArray
    insertion_points: NDArray[np.float64]
    t1_ms: FloatArray


@dataclass(frozen=True)
class SimulatedSection:
    """A T1 map of one section, (rows, columns) in ms, and its truth."""

    patient: Patient
    level: str
    t1_ms: FloatArray
    truth: SectionTruth


def simulate_section(patient: Patient, level: str) -> SimulatedSection:
    """The T1 map of `patient` at "base", "mid" or "apex"; depends on nothing but its arguments."""
    rng = np.random.default_rng([patient.seed, patient.index, 2, LEVEL_NAMES.index(level)])
    heart, scan, acquisition = patient.heart, patient.scan, patient.scan.acquisition
    plane = _draw_plane(patient, level, rng)
    section_level = patient.mid_level + plane.section_mm / heart.length_mm

    tables = _tissue_tables(patient.field_strength_tesla)
    apparent = tables.t1_ms[plane.chest] * plane.texture
    signals = _signals(apparent, plane.chest, tables, acquisition.timing)

    window = _heart_window(plane.x, plane.y)
    heart_x, heart_y, heart_texture = plane.x[window], plane.y[window], plane.texture[window]
    heart_signals = np.zeros((len(signals), *heart_x.shape), np.float32)
    reading = _off_resonance_reading(heart_x, heart_y, scan.off_resonance_hz)
    wall_texture = 10 * _smooth_noise(rng, heart_x.shape, 6)
    for position in (np.arange(SUBSLICES) - SUBSLICES // 2) / SUBSLICES:
        shift_mm = position * SLICE_THICKNESS_MM
        cut = heart_section(
            heart,
            heart_x - heart.tilt[0] * shift_mm,
            heart_y - heart.tilt[1] * shift_mm,
            section_level + shift_mm / heart.length_mm,
            plane.chest[window],
        )
        muscle = cut.tissue == Tissue.MYOCARDIUM
        t1 = tables.t1_ms[cut.tissue] * np.where(muscle, 1, heart_texture)
        t1[muscle] = patient.myocardium.at(cut.angle[muscle], cut.depth[muscle]) + wall_texture[muscle]
        t1 *= reading
        heart_signals += _signals(t1, cut.tissue, tables, acquisition.timing) / SUBSLICES
        if position == 0:
            middle, middle_t1 = cut, t1
    signals[(slice(None), *window)] = heart_signals
    apparent[window] = middle_t1
    t1_ms = _acquired_t1(signals, acquisition, rng)

    def on_map(mask: BoolArray) -> BoolArray:
        whole = np.zeros(plane.chest.shape, np.float32)
        whole[window] = mask
        return _halved(whole) >= 0.5

    def to_pixels(points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        cos, sin = np.cos(scan.rotation_rad), np.sin(scan.rotation_rad)
        image_mm = points_mm @ np.array([[cos, sin], [-sin, cos]]) + plane.lv_mm
        return image_mm / acquisition.pixel_mm + (np.array([acquisition.columns, acquisition.rows]) - 1) / 2

    truth = SectionTruth(
        lv_center=to_pixels(np.zeros((1, 2)))[0],
        myocardium=on_map(middle.cavity | middle.myocardium) & ~on_map(middle.cavity),
        cavity=on_map(middle.cavity),
        insertion_points=to_pixels(insertion_points(heart, section_level)),
        t1_ms=_halved(apparent),
    )
    return SimulatedSection(patient, level, t1_ms, truth)


def simulate_section_without_heart(patient: Patient, level: str) -> FloatArray:
    """The T1 map, (rows, columns) in ms, of a plane of the same body that does not cut the heart.

    Acquired and fitted as the section at `level` is, with noise of its own: where the heart would lie it shows what the
    chest has there, mostly lung with its vessels. Depends on nothing but its arguments.
    """
    rng = np.random.default_rng([patient.seed, patient.index, 3, LEVEL_NAMES.index(level)])
    plane = _draw_plane(patient, level, rng)
    tables = _tissue_tables(patient.field_strength_tesla)
    apparent = tables.t1_ms[plane.chest] * plane.texture
    window = _heart_window(plane.x, plane.y)
    apparent[window] *= _off_resonance_reading(plane.x[window], plane.y[window], patient.scan.off_resonance_hz)
    acquisition = patient.scan.acquisition
    return _acquired_t1(_signals(apparent, plane.chest, tables, acquisition.timing), acquisition, rng)


@dataclass(frozen=True)
class _Plane:
    """The chest in the plane of a section, on a grid twice as fine as the map's; arrays (2 * rows, 2 * columns).

    section_mm: from the mid section towards the apex. lv_mm: (x, y) of the LV centre from the image's. x, y: mm from
    the LV centre in the patient's axes. texture: what apparent T1 is multiplied by.
    """

    section_mm: float
    lv_mm: tuple[float, float]
    x: FloatArray
    y: FloatArray
    chest: LabelArray
    texture: FloatArray


def _draw_plane(patient: Patient, level: str, rng: np.random.Generator) -> _Plane:
    scan, acquisition = patient.scan, patient.scan.acquisition
    section_mm = (LEVEL_NAMES.index(level) - 1) * patient.section_distance_mm
    fine_mm = acquisition.pixel_mm / 2
    lv_x, lv_y = np.array(scan.lv_offset_mm) + np.array(patient.heart.tilt) * section_mm + rng.normal(0, 0.7, 2)
    x, y = patient_coordinates(2 * acquisition.rows, 2 * acquisition.columns, fine_mm, lv_x, lv_y, scan.rotation_rad)
    chest = draw_chest(scan.chest, x, y)
    texture = 1 + 0.02 * _smooth_noise(rng, chest.shape, 8)
    return _Plane(section_mm, (lv_x, lv_y), x, y, chest, texture)


def _acquired_t1(signals: FloatArray, acquisition: Acquisition, rng: np.random.Generator) -> FloatArray:
    """(8, 2 * rows, 2 * columns) signals through the scanner: the fitted T1 map, (rows, columns) in ms."""
    images = acquire(signals, acquisition, rng)
    return fit_t1(restore_polarity(images, acquisition.timing), acquisition.timing.inversion_times_ms)


def measure_with_truth(section: SimulatedSection) -> SectionMeasures:
    """What a reader with the true masks would measure on the fitted map."""
    truth, pixel_mm = section.truth, section.patient.scan.acquisition.pixel_mm
    septum = septal_arc(truth.cavity, truth.insertion_points)
    return measure_section(section.t1_ms, truth.myocardium, truth.cavity, septum, (pixel_mm, pixel_mm))


def patient_coordinates(
    rows: int, columns: int, pixel_mm: float, lv_x: float, lv_y: float, rotation_rad: float
) -> tuple[FloatArray, FloatArray]:
    """Position of each pixel from the LV centre, mm, in the patient's own axes."""
    image_x = ((np.arange(columns) - (columns - 1) / 2) * pixel_mm - lv_x).astype(np.float32)
    image_y = ((np.arange(rows) - (rows - 1) / 2) * pixel_mm - lv_y).astype(np.float32)[:, None]
    cos, sin = np.float32(np.cos(rotation_rad)), np.float32(np.sin(rotation_rad))
    return image_x * cos + image_y * sin, image_y * cos - image_x * sin


def _heart_window(x: FloatArray, y: FloatArray) -> tuple[slice, slice]:
    """The rows and columns that hold the whole heart."""
    near = np.hypot(x, y) < HEART_REACH_MM
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


@dataclass(frozen=True)
class _TissueTables:
    """Look-up tables over `Tissue`; true T1 follows apparent T1 along a straight line around the tissue's own value."""

    t1_ms: FloatArray
    true_t1_ms: FloatArray
    true_per_apparent: FloatArray
    t2_ms: FloatArray
    relative_signal: FloatArray


@lru_cache
def _tissue_tables(field_strength_tesla: float) -> _TissueTables:
    properties = [TISSUES[field_strength_tesla][tissue] for tissue in Tissue]
    true = [true_t1_ms(np.array([p.t1_ms - 50, p.t1_ms, p.t1_ms + 50]), p.t2_ms) for p in properties]
    return _TissueTables(
        np.array([p.t1_ms for p in properties], np.float32),
        np.array([t[1] for t in true], np.float32),
        np.array([(t[2] - t[0]) / 100 for t in true], np.float32),
        np.array([p.t2_ms for p in properties], np.float32),
        np.array([p.relative_signal for p in properties], np.float32),
    )


def _signals(apparent_t1_ms: FloatArray, tissue: LabelArray, tables: _TissueTables, timing: MolliTiming) -> FloatArray:
    true = tables.true_t1_ms[tissue] + tables.true_per_apparent[tissue] * (apparent_t1_ms - tables.t1_ms[tissue])
    return molli_signals(true, tables.t2_ms[tissue], timing) * tables.relative_signal[tissue]


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], coarseness: int) -> FloatArray:
    """Gaussian noise of about unit variance that changes over `coarseness` pixels."""
    coarse = rng.standard_normal([length // coarseness + 3 for length in shape], np.float32)
    fine = ndimage.zoom(coarse, coarseness, order=1)[: shape[0], : shape[1]]
    return np.float32(1.5) * fine


def _off_resonance_reading(x: FloatArray, y: FloatArray, peak_hz: float) -> FloatArray:
    """What MOLLI reads, off resonance, as a share of T1: least at the inferolateral wall, next to lung and the coronary
    vein, where the field is off by `peak_hz`."""
    squared_distance = (x - 28) ** 2 + (y - 28) ** 2
    field_hz = (peak_hz * (0.3 + 0.7 * np.exp(-squared_distance / (2 * 30.0**2)))).astype(np.float32)
    return (1 - T1_LOSS_MS_PER_HZ2 / 1000 * field_hz**2).astype(np.float32)


def _halved(fine: FloatArray) -> FloatArray:
    """Mean over 2 x 2 pixels."""
    rows, columns = fine.shape
    return fine.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3)).astype(np.float32)
