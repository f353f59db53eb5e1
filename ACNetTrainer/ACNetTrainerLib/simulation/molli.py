"""The MOLLI 5(3)3 acquisition and its T1 fit.

Signals: inversion, then single-shot balanced SSFP images in successive heart beats, five, a pause of three beats, three
(Messroghli 2004; Kellman and Hansen 2014). During a readout the magnetization moves towards the SSFP steady state with
1/T1* = cos^2(a/2)/T1 + sin^2(a/2)/T2 (Schmitt 2004): that is where MOLLI's underestimation of T1 comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

FloatArray = NDArray[np.float32]

FLIP_ANGLE_RAD = np.deg2rad(35.0)
READOUT_DURATION_MS = 175.0
INVERSION_EFFICIENCY = 0.96
INVERSION_FACTOR = 1.0365
"""What scanners multiply the Look-Locker T1 with to make up for the imperfect inversion (1.036 to 1.044 in vivo)."""
SECOND_INVERSION_OFFSET_MS = 80.0
BEATS_BEFORE_PAUSE, BEATS_AFTER_PAUSE, PAUSE_BEATS = 5, 3, 3
REFERENCE_HEART_RATE_BPM = 65.0
LARGEST_T1_MS = 4095.0
"""Maps are stored in 12 bits; a fit that gives more is clipped there, one that fails is stored as 0."""


@dataclass(frozen=True)
class MolliTiming:
    """When the images of a MOLLI 5(3)3 scan are taken.

    first_inversion_time_ms: from the first inversion to the centre of its first readout.
    """

    heart_rate_bpm: float = REFERENCE_HEART_RATE_BPM
    first_inversion_time_ms: float = 120.0

    @property
    def beat_ms(self) -> float:
        return 60_000.0 / self.heart_rate_bpm

    @property
    def inversion_times_ms(self) -> NDArray[np.float64]:
        """(8,) inversion times in the order of acquisition: five of the first inversion, three of the second."""
        first = self.first_inversion_time_ms + self.beat_ms * np.arange(BEATS_BEFORE_PAUSE)
        second_start = self.first_inversion_time_ms + SECOND_INVERSION_OFFSET_MS
        return np.concatenate([first, second_start + self.beat_ms * np.arange(BEATS_AFTER_PAUSE)])


def molli_signals(
    t1_ms: FloatArray,
    t2_ms: FloatArray | float,
    timing: MolliTiming,
    flip_angle_rad: float = FLIP_ANGLE_RAD,
    inversion_efficiency: float = INVERSION_EFFICIENCY,
) -> FloatArray:
    """Signed signal at the centre of each of the eight readouts, as a fraction of the fully relaxed signal.

    t1_ms: any shape (true relaxation times); returns (8, *shape). A flip angle near 0 leaves the recovery undisturbed.
    """
    t1 = np.asarray(t1_ms, np.float32)
    t2 = np.asarray(t2_ms, np.float32)
    half_readout = READOUT_DURATION_MS / 2
    cos_half, sin_half = np.cos(flip_angle_rad / 2), np.sin(flip_angle_rad / 2)
    ratio = t1 / t2
    cos_flip = np.cos(flip_angle_rad)
    steady = (2 * cos_half / ((ratio + 1) - cos_flip * (ratio - 1))).astype(np.float32)
    half_decay = np.exp(-half_readout * (cos_half**2 / t1 + sin_half**2 / t2)).astype(np.float32)

    second_inversion_time = timing.first_inversion_time_ms + SECOND_INVERSION_OFFSET_MS
    pause = (PAUSE_BEATS + 1) * timing.beat_ms - half_readout - second_inversion_time

    def free_decay(duration_ms: float) -> FloatArray:
        return np.exp(-np.float32(max(duration_ms, 0.0)) / t1)

    between_beats = free_decay(timing.beat_ms - READOUT_DURATION_MS)
    magnetization = np.ones_like(t1)
    signals = np.empty((BEATS_BEFORE_PAUSE + BEATS_AFTER_PAUSE, *t1.shape), np.float32)
    image = 0
    for beats, inversion_time, before_inversion in (
        (BEATS_BEFORE_PAUSE, timing.first_inversion_time_ms, None),
        (BEATS_AFTER_PAUSE, second_inversion_time, free_decay(pause)),
    ):
        if before_inversion is not None:
            magnetization = 1 - (1 - magnetization) * before_inversion
        decay = free_decay(inversion_time - half_readout)
        magnetization = 1 - (1 + inversion_efficiency * magnetization) * decay
        for beat in range(beats):
            if beat > 0:
                magnetization = 1 - (1 - magnetization) * between_beats
            at_centre = steady + (magnetization - steady) * half_decay
            signals[image] = at_centre
            magnetization = steady + (at_centre - steady) * half_decay
            image += 1
    return signals


@dataclass(frozen=True)
class Acquisition:
    """How one section is acquired; nothing here may depend on the patient's diagnosis.

    rows, columns: reconstructed matrix, at `pixel_mm`. phase_resolution_mm: acquired resolution along the rows.
    noise: standard deviation in the real and imaginary part of the images, as a fraction of the fully relaxed signal.
    shifts_mm: (8, 2) residual motion (x, y) of each image after motion correction.
    """

    timing: MolliTiming
    rows: int
    columns: int
    pixel_mm: float
    phase_resolution_mm: float
    noise: float
    shifts_mm: NDArray[np.float64]


def acquire(fine_signals: FloatArray, acquisition: Acquisition, rng: np.random.Generator) -> NDArray[np.complex64]:
    """Sample k-space of images on a grid twice as fine, add noise, and reconstruct by zero filling.

    fine_signals: (8, 2 * rows, 2 * columns), signed; returns complex images (8, rows, columns).
    """
    rows, columns = acquisition.rows, acquisition.columns
    lines = min(rows, 2 * round(rows * acquisition.pixel_mm / acquisition.phase_resolution_mm / 2))
    # A reconstructed pixel covers 2 x 2 fine ones: its centre lies half a fine pixel after the first one's.
    half_fine_pixel_mm = acquisition.pixel_mm / 4
    frequency_y = fft.fftfreq(2 * rows, acquisition.pixel_mm / 2)[_lowest(2 * rows, lines)]
    frequency_x = fft.fftfreq(2 * columns, acquisition.pixel_mm / 2)[_lowest(2 * columns, columns)]
    filter_y, filter_x = _raised_cosine(lines), _raised_cosine(columns)
    apodization = filter_y[:, None] * filter_x
    k_space_noise = acquisition.noise * rows * columns / np.sqrt(np.sum(np.square(apodization)))

    images = np.empty((len(fine_signals), rows, columns), np.complex64)
    for index, (signal, (shift_x, shift_y)) in enumerate(zip(fine_signals, acquisition.shifts_mm, strict=True)):
        k_space = fft.fft2(signal)[_lowest(2 * rows, lines)][:, _lowest(2 * columns, columns)] / 4
        ramp_y = np.exp(2j * np.pi * frequency_y * (half_fine_pixel_mm - shift_y))
        ramp_x = np.exp(2j * np.pi * frequency_x * (half_fine_pixel_mm - shift_x))
        noise = rng.standard_normal((2, lines, columns), np.float32) * np.float32(k_space_noise)
        filled = np.zeros((rows, columns), np.complex64)
        filled[_lowest(rows, lines)] = (k_space * (ramp_y[:, None] * ramp_x) + noise[0] + 1j * noise[1]) * apodization
        images[index] = fft.ifft2(filled)
    return images


def _lowest(length: int, count: int) -> NDArray[np.int64]:
    """Indices, in FFT order, of the `count` lowest of `length` frequencies."""
    return np.r_[0 : (count + 1) // 2, length - count // 2 : length]


def _raised_cosine(count: int) -> FloatArray:
    """The apodization that scanners apply against ringing, in FFT order: flat over the inner half."""
    position = np.abs(fft.fftfreq(count)) * 2
    return np.where(position < 0.5, 1.0, 0.5 + 0.5 * np.cos(np.pi * (position - 0.5) / 0.5)).astype(np.float32)


def restore_polarity(images: NDArray[np.complex64], timing: MolliTiming) -> FloatArray:
    """Signed images from complex ones: the part in phase with the image of the longest inversion time."""
    reference = images[np.argmax(timing.inversion_times_ms)]
    phase = np.conj(reference) / np.maximum(np.abs(reference), 1e-12)
    return (images * phase).real.astype(np.float32)


_CANDIDATES_MS = np.geomspace(80.0, 2500.0, 60)
_LARGEST_CORRECTION = 2.0
"""Look-Locker factors (B / A - 1) above this occur in noise only; a readout cannot shorten the recovery so much."""


def fit_t1(
    signed_images: FloatArray, inversion_times_ms: NDArray[np.float64], inversion_factor: float = INVERSION_FACTOR
) -> FloatArray:
    """Three-parameter fit S = A - B exp(-TI / T1*), then T1 = T1* (B / A - 1) times the inversion factor.

    A and B follow linearly from T1*, so the fit searches T1* alone: on a grid, then between its points by a parabola
    through the three lowest residuals. (8, *shape) -> shape, ms; a failed fit gives 0.
    """
    shape = signed_images.shape[1:]
    signals = signed_images.reshape(len(signed_images), -1).astype(np.float32)
    explained = np.empty((len(_CANDIDATES_MS), signals.shape[1]), np.float32)
    for row, candidate in zip(explained, _CANDIDATES_MS, strict=True):
        orthogonal, _ = np.linalg.qr(_design(candidate, inversion_times_ms))
        np.sum(np.square(orthogonal.T.astype(np.float32) @ signals), axis=0, out=row)
    best = np.clip(np.argmax(explained, axis=0), 1, len(_CANDIDATES_MS) - 2)
    pixels = np.arange(signals.shape[1])
    below, peak, above = (explained[best + offset, pixels] for offset in (-1, 0, 1))
    curvature = below - 2 * peak + above
    with np.errstate(divide="ignore", invalid="ignore"):
        vertex = np.where(curvature < 0, 0.5 * (below - above) / curvature, 0.0)
    log_step = np.log(_CANDIDATES_MS[1] / _CANDIDATES_MS[0])
    t1_star = _CANDIDATES_MS[best] * np.exp(np.clip(vertex, -1, 1) * log_step)
    return _look_locker(signals, inversion_times_ms, t1_star, inversion_factor).reshape(shape)


def _design(t1_star_ms: float, inversion_times_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([np.ones_like(inversion_times_ms), -np.exp(-inversion_times_ms / t1_star_ms)], axis=1)


def _look_locker(
    signals: FloatArray, inversion_times_ms: NDArray[np.float64], t1_star: NDArray[np.float64], inversion_factor: float
) -> FloatArray:
    """A and B by linear regression on the decay for each pixel's T1*, and the Look-Locker correction."""
    decay = np.exp(-inversion_times_ms[:, None] / t1_star).astype(np.float32)
    mean_decay, mean_signal = decay.mean(axis=0), signals.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = ((decay - mean_decay) * (signals - mean_signal)).sum(axis=0) / np.square(decay - mean_decay).sum(axis=0)
        b = -slope
        a = mean_signal + b * mean_decay
        t1 = t1_star * np.minimum(b / a - 1, _LARGEST_CORRECTION) * inversion_factor
    valid = np.isfinite(t1) & (t1 > 0)
    return np.where(valid, np.minimum(t1, LARGEST_T1_MS), 0).astype(np.float32)


@lru_cache(maxsize=64)
def _apparent_t1_table(t2_ms: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    timing = MolliTiming()
    true = np.geomspace(150.0, 4000.0, 400)
    signals = molli_signals(true.astype(np.float32), t2_ms, timing)
    return fit_t1(signals, timing.inversion_times_ms).astype(np.float64), true


def true_t1_ms(apparent_t1_ms: FloatArray | float, t2_ms: float) -> FloatArray:
    """The relaxation time of a tissue whose noise-free reading is `apparent_t1_ms` at the reference heart rate."""
    apparent, true = _apparent_t1_table(t2_ms)
    return np.asarray(np.interp(apparent_t1_ms, apparent, true), np.float32)
