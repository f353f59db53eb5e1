"""One simulated section: anatomy through the MOLLI acquisition and its fit to a T1 map, with its truth beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ACNetLib.ventricle.labels import ventricle_labels
from ACNetLib.ventricle.measures import SectionMeasures, measure_section, septal_arc

from .anatomy import (
    HEART_REACH_MM,
    SLICE_THICKNESS_MM,
    SUBSLICES,
    BoolArray,
    FloatArray,
    LabelArray,
    heart_section,
    insertion_points,
)
from .patient import T1_DISTRIBUTIONS, Patient, Scan
from .sequences import (
    LARGEST_T1_MS,
    Timing,
    acquire,
    fit_t1,
    reading_relative_to_molli,
    restore_polarity,
    sequence_signals,
    true_t1_ms,
)
from .surroundings import draw_surroundings
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

    @property
    def labels(self) -> LabelArray:
        return ventricle_labels(self.myocardium, self.cavity, self.insertion_points)


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
    section_level = patient.levels[LEVEL_NAMES.index(level)]

    tables = _tissue_tables(scan)
    apparent = tables.t1_ms[plane.body] * plane.texture
    signals = _signals(apparent, plane.body, tables, acquisition.timing)

    window = _heart_window(plane.x, plane.y)
    heart_x, heart_y, heart_texture = plane.x[window], plane.y[window], plane.texture[window]
    heart_signals = np.zeros((len(signals), *heart_x.shape), np.float32)
    reading = _off_resonance_reading(heart_x, heart_y, scan)
    wall_texture = scan.wall_texture_ms * _smooth_noise(rng, heart_x.shape, 3)
    for position in (np.arange(SUBSLICES) - SUBSLICES // 2) / SUBSLICES:
        shift_mm = position * SLICE_THICKNESS_MM
        cut_level = section_level + shift_mm / heart.length_mm
        cut = heart_section(
            heart,
            heart_x - heart.tilt[0] * shift_mm,
            heart_y - heart.tilt[1] * shift_mm,
            cut_level,
            plane.body[window],
        )
        muscle = cut.tissue == Tissue.MYOCARDIUM
        t1 = tables.t1_ms[cut.tissue] * np.where(muscle, 1, heart_texture)
        wall_t1 = patient.myocardium.at(cut.angle[muscle], cut.depth[muscle], cut_level)
        t1[muscle] = wall_t1 + wall_texture[muscle]
        t1 *= reading
        heart_signals += _signals(t1, cut.tissue, tables, acquisition.timing) / SUBSLICES
        if position == 0:
            middle, middle_t1 = cut, t1
    signals[(slice(None), *window)] = heart_signals
    apparent[window] = middle_t1
    t1_ms = _acquired_t1(signals, plane, patient, rng)

    def on_map(mask: BoolArray) -> BoolArray:
        whole = np.zeros(plane.body.shape, np.float32)
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
    body has there, mostly lung with its vessels. Depends on nothing but its arguments.
    """
    rng = np.random.default_rng([patient.seed, patient.index, 3, LEVEL_NAMES.index(level)])
    plane = _draw_plane(patient, level, rng)
    tables = _tissue_tables(patient.scan)
    apparent = tables.t1_ms[plane.body] * plane.texture
    window = _heart_window(plane.x, plane.y)
    apparent[window] *= _off_resonance_reading(plane.x[window], plane.y[window], patient.scan)
    signals = _signals(apparent, plane.body, tables, patient.scan.acquisition.timing)
    return _acquired_t1(signals, plane, patient, rng)


@dataclass(frozen=True)
class _Plane:
    """The body in the plane of a section, on a grid twice as fine as the map's; arrays (2 * rows, 2 * columns).

    lv_mm: (x, y) of the LV centre from the image's. x, y: mm from the LV centre in the heart's axes. texture: what
    apparent T1 is multiplied by. no_signal: where an implant is.
    """

    lv_mm: tuple[float, float]
    x: FloatArray
    y: FloatArray
    body: LabelArray
    texture: FloatArray
    no_signal: BoolArray | None


def _draw_plane(patient: Patient, level: str, rng: np.random.Generator) -> _Plane:
    scan, acquisition = patient.scan, patient.scan.acquisition
    drift_mm = np.array(patient.heart.tilt) * patient.distance_mm(LEVEL_NAMES.index(level))
    lv_mm = np.array(scan.lv_offset_mm) + drift_mm + rng.normal(0, 0.7, 2)
    shape = (2 * acquisition.rows, 2 * acquisition.columns)
    x, y = heart_coordinates(shape, acquisition.pixel_mm / 2, lv_mm, scan.rotation_rad)
    cos, sin = np.float32(np.cos(scan.heart_turn_rad)), np.float32(np.sin(scan.heart_turn_rad))
    body_x, body_y = x * cos - y * sin, x * sin + y * cos
    body = draw_surroundings(scan.surroundings, body_x, body_y)
    implant = scan.surroundings.implant
    texture = 1 + np.float32(scan.texture) * _smooth_noise(rng, body.shape, 7)
    no_signal = None if implant is None else implant.contains(body_x, body_y)
    return _Plane((lv_mm[0], lv_mm[1]), x, y, body, texture, no_signal)


def _acquired_t1(signals: FloatArray, plane: _Plane, patient: Patient, rng: np.random.Generator) -> FloatArray:
    """(images, 2 * rows, 2 * columns) signals through the scanner: the fitted T1 map, (rows, columns) in ms.

    A scan that reads otherwise than MOLLI 5(3)3 at the reference heart rate is brought to its scale, as a site's own
    normal T1 would bring it.
    """
    scan = patient.scan
    acquisition, timing = scan.acquisition, scan.acquisition.timing
    if plane.no_signal is not None:
        signals[:, plane.no_signal] = 0
    if scan.wrap > 0:
        folded = round(scan.wrap * signals.shape[1])
        signals[:, -folded:] += signals[:, :folded]
    t1_ms = fit_t1(restore_polarity(acquire(signals, acquisition, rng), timing), timing)
    normal_ms = T1_DISTRIBUTIONS[patient.field_strength_tesla].normal_mean
    t2_ms = TISSUES[patient.field_strength_tesla][Tissue.MYOCARDIUM].t2_ms
    return np.minimum(t1_ms / np.float32(reading_relative_to_molli(timing, normal_ms, t2_ms)), LARGEST_T1_MS)


def measure_with_truth(section: SimulatedSection) -> SectionMeasures:
    """What a reader with the true masks would measure on the fitted map."""
    truth, pixel_mm = section.truth, section.patient.scan.acquisition.pixel_mm
    septum = septal_arc(truth.cavity, truth.insertion_points)
    return measure_section(section.t1_ms, truth.myocardium, truth.cavity, septum, (pixel_mm, pixel_mm))


def heart_coordinates(
    shape: tuple[int, ...], pixel_mm: float, lv_mm: NDArray[np.float64], rotation_rad: float
) -> tuple[FloatArray, FloatArray]:
    """Position of each pixel from the LV centre, mm, in the heart's own axes. lv_mm: (2,) from the picture's middle."""
    (rows, columns), (lv_x, lv_y) = shape, lv_mm
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


def _tissue_tables(scan: Scan) -> _TissueTables:
    properties = [scan.tissues[tissue] for tissue in Tissue]
    true = [true_t1_ms(np.array([p.t1_ms - 50, p.t1_ms, p.t1_ms + 50]), p.t2_ms) for p in properties]
    return _TissueTables(
        np.array([p.t1_ms for p in properties], np.float32),
        np.array([t[1] for t in true], np.float32),
        np.array([(t[2] - t[0]) / 100 for t in true], np.float32),
        np.array([p.t2_ms for p in properties], np.float32),
        np.array([p.relative_signal for p in properties], np.float32),
    )


def _signals(apparent_t1_ms: FloatArray, tissue: LabelArray, tables: _TissueTables, timing: Timing) -> FloatArray:
    true = tables.true_t1_ms[tissue] + tables.true_per_apparent[tissue] * (apparent_t1_ms - tables.t1_ms[tissue])
    true = np.maximum(true, np.float32(100))
    return sequence_signals(true, tables.t2_ms[tissue], timing) * tables.relative_signal[tissue]


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], coarseness: int) -> FloatArray:
    """Gaussian noise of about unit variance that changes over `coarseness` pixels."""
    coarse = rng.standard_normal([length // coarseness + 3 for length in shape], np.float32)
    fine = ndimage.zoom(coarse, coarseness, order=1)[: shape[0], : shape[1]]
    return np.float32(1.5) * fine


def _off_resonance_reading(x: FloatArray, y: FloatArray, scan: Scan) -> FloatArray:
    """What MOLLI reads, off resonance, as a share of T1: least near the inferolateral wall, next to lung and the
    coronary vein, where the field is off by the scan's peak."""
    middle_x, middle_y = scan.off_resonance_place_mm
    squared_distance = (x - middle_x) ** 2 + (y - middle_y) ** 2
    field_hz = (scan.off_resonance_hz * (0.3 + 0.7 * np.exp(-squared_distance / (2 * 30.0**2)))).astype(np.float32)
    return (1 - T1_LOSS_MS_PER_HZ2 / 1000 * field_hz**2).astype(np.float32)


def _halved(fine: FloatArray) -> FloatArray:
    """Mean over 2 x 2 pixels."""
    rows, columns = fine.shape
    return fine.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3)).astype(np.float32)
