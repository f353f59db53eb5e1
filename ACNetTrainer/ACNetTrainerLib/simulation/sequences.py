"""T1 mapping sequences, the images they take, and the fit that makes a map of them.

MOLLI and its kin: inversion, then single-shot images in successive heart beats, a pause, and again (Messroghli 2004;
Kellman and Hansen 2014). During a balanced SSFP readout the magnetization moves towards the steady state with
1/T1* = cos^2(a/2)/T1 + sin^2(a/2)/T2 (Schmitt 2004), during a spoiled gradient echo (FLASH) readout with
1/T1* = 1/T1 - ln(cos a)/TR: that is where the underestimation of T1 comes from. SASHA saturates before every image and
reads T1 itself (Chow 2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import fft

FloatArray = NDArray[np.float32]

Sequence = Literal["MOLLI 5(3)3", "MOLLI 3(3)5", "MOLLI 4(1)3(1)2", "ShMOLLI", "SASHA", "FLASH MOLLI 5(3)3"]
SEQUENCES: tuple[Sequence, ...] = get_args(Sequence)
_GROUPS: dict[Sequence, tuple[int, ...]] = {
    "MOLLI 5(3)3": (5, 3),
    "MOLLI 3(3)5": (3, 5),
    "MOLLI 4(1)3(1)2": (4, 3, 2),
    "ShMOLLI": (5, 1, 1),
    "FLASH MOLLI 5(3)3": (5, 3),
}
"""Images after each inversion."""
_PAUSE_BEATS: dict[Sequence, int] = {"MOLLI 4(1)3(1)2": 1, "ShMOLLI": 1}
"""Between the last image and the next inversion; 3 for the others."""
FLIP_ANGLE_RAD = np.deg2rad(35.0)
FLASH_FLIP_ANGLE_RAD = np.deg2rad(8.0)
FLASH_REPETITION_MS = 3.6
READOUT_DURATION_MS = 175.0
INVERSION_EFFICIENCY = 0.96
INVERSION_FACTOR = 1.0365
"""What scanners multiply the Look-Locker T1 with to make up for the imperfect inversion (1.036 to 1.044 in vivo)."""
SECOND_INVERSION_OFFSET_MS = 80.0
SASHA_IMAGES = 10
REFERENCE_HEART_RATE_BPM = 65.0
LARGEST_T1_MS = 4095.0
"""Maps are stored in 12 bits; a fit that gives more is clipped there, one that fails is stored as 0."""


@dataclass(frozen=True)
class Timing:
    """When the images of a scan are taken.

    first_inversion_time_ms: from the first inversion to the centre of its first readout.
    """

    heart_rate_bpm: float = REFERENCE_HEART_RATE_BPM
    first_inversion_time_ms: float = 120.0
    sequence: Sequence = "MOLLI 5(3)3"

    @property
    def beat_ms(self) -> float:
        return 60_000.0 / self.heart_rate_bpm

    @property
    def inversion_times_ms(self) -> NDArray[np.float64]:
        """(images,) in the order of acquisition; of SASHA the times after saturation, the first image without one."""
        if self.sequence == "SASHA":
            longest = min(self.beat_ms - READOUT_DURATION_MS, 750.0)
            return np.array([1e5, *np.linspace(self.first_inversion_time_ms, longest, SASHA_IMAGES - 1)])
        return np.concatenate(
            [
                self.first_inversion_time_ms + group * SECOND_INVERSION_OFFSET_MS + self.beat_ms * np.arange(images)
                for group, images in enumerate(_GROUPS[self.sequence])
            ]
        )


def sequence_signals(
    t1_ms: FloatArray,
    t2_ms: FloatArray | float,
    timing: Timing,
    flip_angle_rad: float | None = None,
    inversion_efficiency: float = INVERSION_EFFICIENCY,
) -> FloatArray:
    """Signed signal at the centre of each readout, as a fraction of the fully relaxed signal.

    t1_ms: any shape (true relaxation times); returns (images, *shape). A flip angle near 0 leaves the recovery
    undisturbed; the default is the sequence's own.
    """
    t1 = np.asarray(t1_ms, np.float32)
    times = timing.inversion_times_ms
    if timing.sequence == "SASHA":
        return np.stack([1 - np.exp(np.float32(-time) / t1) for time in times])
    steady, readout_rate = _readout(t1, np.asarray(t2_ms, np.float32), timing.sequence, flip_angle_rad)
    half_readout = READOUT_DURATION_MS / 2
    half_decay = np.exp(-half_readout * readout_rate).astype(np.float32)

    def free_decay(duration_ms: float) -> FloatArray:
        return np.exp(-np.float32(max(duration_ms, 0.0)) / t1)

    between_beats = free_decay(timing.beat_ms - READOUT_DURATION_MS)
    pause_beats = _PAUSE_BEATS.get(timing.sequence, 3)
    magnetization = np.ones_like(t1)
    signals = np.empty((len(times), *t1.shape), np.float32)
    image = 0
    for group, images in enumerate(_GROUPS[timing.sequence]):
        inversion_time = times[image]
        if group > 0:
            pause = (pause_beats + 1) * timing.beat_ms - half_readout - inversion_time
            magnetization = 1 - (1 - magnetization) * free_decay(pause)
        magnetization = 1 - (1 + inversion_efficiency * magnetization) * free_decay(inversion_time - half_readout)
        for beat in range(images):
            if beat > 0:
                magnetization = 1 - (1 - magnetization) * between_beats
            at_centre = steady + (magnetization - steady) * half_decay
            signals[image] = at_centre
            magnetization = steady + (at_centre - steady) * half_decay
            image += 1
    return signals


def _readout(
    t1: FloatArray, t2: FloatArray, sequence: Sequence, flip_angle_rad: float | None
) -> tuple[FloatArray, FloatArray]:
    """The steady state of the readout and the rate (1/ms) at which magnetization moves towards it."""
    if sequence.startswith("FLASH"):
        flip = FLASH_FLIP_ANGLE_RAD if flip_angle_rad is None else flip_angle_rad
        rate = 1 / t1 - np.float32(np.log(np.cos(flip)) / FLASH_REPETITION_MS)
        return (1 / (t1 * rate)).astype(np.float32), rate.astype(np.float32)
    flip = FLIP_ANGLE_RAD if flip_angle_rad is None else flip_angle_rad
    cos_half, sin_half, cos_flip = np.cos(flip / 2), np.sin(flip / 2), np.cos(flip)
    ratio = t1 / t2
    steady = 2 * cos_half / ((ratio + 1) - cos_flip * (ratio - 1))
    return steady.astype(np.float32), (cos_half**2 / t1 + sin_half**2 / t2).astype(np.float32)


@dataclass(frozen=True)
class Acquisition:
    """How one section is acquired; nothing here may depend on the patient's diagnosis.

    rows, columns: reconstructed matrix, at `pixel_mm`. resolution_mm: acquired along the rows and along the columns;
    finer ones than the pixel are the pixel's. noise: standard deviation in the real and imaginary part of the images,
    as a fraction of the fully relaxed signal. shifts_mm: (images, 2) residual motion (x, y) of each image after motion
    correction.
    """

    timing: Timing
    rows: int
    columns: int
    pixel_mm: float
    resolution_mm: tuple[float, float]
    noise: float
    shifts_mm: NDArray[np.float64]


def acquire(fine_signals: FloatArray, acquisition: Acquisition, rng: np.random.Generator) -> NDArray[np.complex64]:
    """Sample k-space of images on a grid twice as fine, add noise, and reconstruct by zero filling.

    fine_signals: (images, 2 * rows, 2 * columns), signed; returns complex images (images, rows, columns).
    """
    rows, columns = acquisition.rows, acquisition.columns
    lines, samples = (
        min(length, 2 * round(length * acquisition.pixel_mm / resolution / 2))
        for length, resolution in zip((rows, columns), acquisition.resolution_mm, strict=True)
    )
    # A reconstructed pixel covers 2 x 2 fine ones: its centre lies half a fine pixel after the first one's.
    half_fine_pixel_mm = acquisition.pixel_mm / 4
    frequency_y = fft.fftfreq(2 * rows, acquisition.pixel_mm / 2)[_lowest(2 * rows, lines)]
    frequency_x = fft.fftfreq(2 * columns, acquisition.pixel_mm / 2)[_lowest(2 * columns, samples)]
    filter_y, filter_x = _raised_cosine(lines), _raised_cosine(samples)
    apodization = filter_y[:, None] * filter_x
    k_space_noise = acquisition.noise * rows * columns / np.sqrt(np.sum(np.square(apodization)))

    images = np.empty((len(fine_signals), rows, columns), np.complex64)
    for index, (signal, (shift_x, shift_y)) in enumerate(zip(fine_signals, acquisition.shifts_mm, strict=True)):
        # Along the columns first: of the other axis only the sampled frequencies are computed.
        by_column = fft.fft(signal, axis=1)[:, _lowest(2 * columns, samples)]
        k_space = fft.fft(by_column, axis=0)[_lowest(2 * rows, lines)] / 4
        ramp_y = np.exp(2j * np.pi * frequency_y * (half_fine_pixel_mm - shift_y))
        ramp_x = np.exp(2j * np.pi * frequency_x * (half_fine_pixel_mm - shift_x))
        noise = rng.standard_normal((2, lines, samples), np.float32) * np.float32(k_space_noise)
        filled = np.zeros((rows, columns), np.complex64)
        filled[np.ix_(_lowest(rows, lines), _lowest(columns, samples))] = (
            k_space * (ramp_y[:, None] * ramp_x) + noise[0] + 1j * noise[1]
        ) * apodization
        images[index] = fft.ifft2(filled)
    return images


def _lowest(length: int, count: int) -> NDArray[np.int64]:
    """Indices, in FFT order, of the `count` lowest of `length` frequencies."""
    return np.r_[0 : (count + 1) // 2, length - count // 2 : length]


def _raised_cosine(count: int) -> FloatArray:
    """The apodization that scanners apply against ringing, in FFT order: flat over the inner half."""
    position = np.abs(fft.fftfreq(count)) * 2
    return np.where(position < 0.5, 1.0, 0.5 + 0.5 * np.cos(np.pi * (position - 0.5) / 0.5)).astype(np.float32)


def restore_polarity(images: NDArray[np.complex64], timing: Timing) -> FloatArray:
    """Signed images from complex ones: the part in phase with the image of the longest inversion time."""
    reference = images[np.argmax(timing.inversion_times_ms)]
    phase = np.conj(reference) / np.maximum(np.abs(reference), 1e-12)
    return (images * phase).real.astype(np.float32)


_CANDIDATES_MS = np.geomspace(80.0, 3500.0, 64)
_SHMOLLI_RECOVERED_BEATS = (1.0, 0.4)
"""T1 in heart beats below which the sixth image, and the seventh too, belong to a recovery that starts from the full
magnetization."""
_LARGEST_CORRECTION = 2.0
"""Of Look-Locker factors (B / A - 1). By bSSFP larger ones occur in noise only; a long T1 at a fast heart has them by
FLASH, and reads too short here. ACNetLib.fitting has no such limit."""


def fit_t1(signed_images: FloatArray, timing: Timing, inversion_factor: float = INVERSION_FACTOR) -> FloatArray:
    """Three-parameter fit S = A - B exp(-TI / T1*); T1 = T1* (B / A - 1) times the inversion factor, for SASHA T1*.

    A and B follow linearly from T1*, so the fit searches T1* alone: on a grid, then between its points by a parabola
    through the three lowest residuals. ShMOLLI inverts again before slow tissue has recovered, and uses the images
    after the second and third inversion only where T1 is short (Piechnik 2010). (images, *shape) -> shape, ms; a failed
    fit gives 0.
    """
    if timing.sequence != "ShMOLLI":
        return _fit(signed_images, timing.inversion_times_ms, timing, inversion_factor)
    t1_ms, *with_more = (
        _fit(signed_images[:images], timing.inversion_times_ms[:images], timing, inversion_factor)
        for images in np.cumsum(_GROUPS["ShMOLLI"])
    )
    for shortest_beats, fitted in zip(_SHMOLLI_RECOVERED_BEATS, with_more, strict=True):
        t1_ms = np.where((t1_ms > 0) & (t1_ms < shortest_beats * timing.beat_ms), fitted, t1_ms)
    return t1_ms


def _fit(
    signed_images: FloatArray, inversion_times_ms: NDArray[np.float64], timing: Timing, inversion_factor: float
) -> FloatArray:
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
    if timing.sequence == "SASHA":
        recovers = signals[0] > signals[1]
        return np.where(recovers, np.minimum(t1_star, LARGEST_T1_MS), 0).astype(np.float32).reshape(shape)
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
    timing = Timing()
    true = np.geomspace(150.0, 4000.0, 400)
    return fit_t1(sequence_signals(true.astype(np.float32), t2_ms, timing), timing).astype(np.float64), true


def true_t1_ms(apparent_t1_ms: FloatArray | float, t2_ms: float) -> FloatArray:
    """The relaxation time of a tissue that MOLLI 5(3)3 reads as `apparent_t1_ms` at the reference heart rate."""
    apparent, true = _apparent_t1_table(t2_ms)
    return np.asarray(np.interp(apparent_t1_ms, apparent, true), np.float32)


@lru_cache(maxsize=4096)
def reading_relative_to_molli(timing: Timing, apparent_t1_ms: float, t2_ms: float) -> float:
    """What a scan reads of a tissue, relative to the `apparent_t1_ms` of MOLLI 5(3)3 at the reference heart rate."""
    true = np.array([true_t1_ms(apparent_t1_ms, t2_ms)], np.float32)
    return float(fit_t1(sequence_signals(true, t2_ms, timing), timing)[0]) / apparent_t1_ms
