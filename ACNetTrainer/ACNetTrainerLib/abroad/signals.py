"""From tissues to a T1 map: recovery curves of each pixel's mixture, a blurred and noisy series, and its fit.

The curves are analytic: S = A (1 - B exp(-t / T1)) with the apparent T1 of each tissue. So there is no readout, no
k-space and no correction, only what any of the sequences would show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, shift

from .hearts import FloatArray, Kind
from .surroundings import Tissue

Image = NDArray[np.float32]
LARGEST_T1_MS = 3900.0

APPARENT_T1_MS: dict[Tissue, dict[float, tuple[float, float]]] = {
    # (mean, SD between subjects) at 1.5 and 3 T: Granitz 2019, de Bazelaire 2004, maps of UK Biobank and in vivo at 3 T
    Tissue.AIR: {1.5: (800, 0), 3.0: (800, 0)},
    Tissue.LUNG: {1.5: (1150, 80), 3.0: (1270, 90)},
    Tissue.FAT: {1.5: (320, 30), 3.0: (370, 30)},
    Tissue.MUSCLE: {1.5: (950, 50), 3.0: (1060, 70)},
    Tissue.MARROW: {1.5: (480, 60), 3.0: (570, 70)},
    Tissue.LIVER: {1.5: (590, 55), 3.0: (830, 70)},
    Tissue.SPLEEN: {1.5: (1060, 60), 3.0: (1320, 60)},
    Tissue.STOMACH: {1.5: (1700, 350), 3.0: (1900, 350)},
    Tissue.BOWEL: {1.5: (950, 200), 3.0: (1150, 220)},
    Tissue.BLOOD: {1.5: (1530, 60), 3.0: (1770, 60)},
    Tissue.LV_BLOOD: {1.5: (1550, 50), 3.0: (1800, 50)},
}
MYOCARDIAL_T1_MS: dict[Kind, dict[float, tuple[float, float]]] = {
    # As measured, normal is 996 (SD 31) and 1184 (37), DCM 45 (SD 31) and 82 (69) more, which is an AUC of 0.85:
    # Granitz 2019, Minegishi 2019, van den Boomen 2018. Blood at the border adds some ms, more to the thinner wall.
    "normal": {1.5: (991, 31), 3.0: (1178, 37)},
    "dcm": {1.5: (1040, 31), 3.0: (1262, 69)},
    "hcm": {1.5: (1030, 34), 3.0: (1240, 50)},
    "infarct": {1.5: (1005, 33), 3.0: (1195, 42)},
    "rv": {1.5: (1005, 32), 3.0: (1200, 42)},
}
BRIGHTNESS = np.array([0.0, 0.14, 1.0, 0.6, 0.75, 0.65, 0.8, 0.85, 0.7, 0.95, 0.72, 1.0, 0.7, 0.72])
"""Of each tissue, in the order of `Tissue`, relative to the left ventricle's blood."""
SMOOTH_TEXTURE = 0.03
"""SD of T1 over a few mm within a tissue, relative."""


@dataclass(frozen=True)
class Sequence:
    """times_ms: after the inversion or saturation. blur: SD in pixels along rows and columns. noise: SD, blood = 1.

    fat: its brightness, below 0 where the readout turns
    it against water. motion: SD in pixels of what registration leaves. ghost:
    brightness of the image's copy half a field of view away. zeroes_failures: what doesn't fit becomes 0.
    """

    inverts: bool
    heartbeat_ms: float
    times_ms: FloatArray
    efficiency: float
    blur: tuple[float, float]
    noise: float
    fat: float
    motion: float
    ghost: float
    wraps: bool
    zeroes_failures: bool


def draw_sequence(field_strength_tesla: float, random: np.random.Generator) -> Sequence:
    inverts = bool(random.random() < 0.6)
    count = int(random.integers(5, 12))
    heartbeat = float(np.clip(random.normal(900, 130), 600, 1300))
    if inverts:
        # Over about four heartbeats, or blood would not have recovered.
        times = random.uniform(90, 180) + np.linspace(0, 4 * heartbeat * random.uniform(0.8, 1.1), count)
    else:
        # Saturations spread over a heartbeat and some images without.
        times = np.append(np.linspace(100, heartbeat * 0.85, count - 2), [5000.0, 5000.0])
    return Sequence(
        inverts,
        heartbeat,
        times,
        float(random.uniform(1.8, 1.98) if inverts else random.uniform(0.96, 1.0)),
        (float(random.uniform(0.35, 0.75)), float(random.uniform(0.35, 0.55))),
        float((0.012 if inverts else 0.008) * np.exp(random.normal(0, 0.2)) * (1 if field_strength_tesla < 2 else 0.8)),
        float(random.uniform(0.3, 1.0) if random.random() < 0.85 else random.uniform(-0.5, 0.0)),
        float(random.uniform(0, 0.35)),
        float(random.uniform(0.01, 0.05) if random.random() < 0.15 else 0.0),
        bool(random.random() < 0.15),
        bool(random.random() < 0.75),
    )


def acquire(
    fractions: Image, t1_ms: FloatArray, sensitivity: FloatArray, sequence: Sequence, random: np.random.Generator
) -> Image:
    """The series of images (times, rows, columns), inversions with their sign.

    fractions and t1_ms: (tissues, rows, columns), of each pixel. sensitivity: (rows, columns), of the coils.
    """
    brightness = BRIGHTNESS.copy()
    brightness[[Tissue.FAT, Tissue.MARROW]] *= sequence.fat
    series = np.zeros((len(sequence.times_ms), *sensitivity.shape), np.float32)
    for tissue in range(1, len(fractions)):
        there = fractions[tissue] > 0
        if not there.any():
            continue
        amount = (brightness[tissue] * fractions[tissue][there]).astype(np.float32)
        rates = (1 / t1_ms[tissue][there]).astype(np.float32)
        decay = np.exp(-sequence.times_ms[:, np.newaxis].astype(np.float32) * rates)
        series[:, there] += amount * (1 - np.float32(sequence.efficiency) * decay)
    series *= sensitivity.astype(np.float32)
    for image in series:
        image[:] = gaussian_filter(image, sequence.blur)
        image[:] = shift(image, random.normal(0, sequence.motion, 2), order=1, mode="nearest")
        if sequence.ghost:
            image += sequence.ghost * random.normal() * np.roll(image, len(image) // 2, axis=0)
    return series


def with_noise(series: Image, sequence: Sequence, random: np.random.Generator) -> Image:
    """Magnitudes of the noisy complex images; of inversions, with the sign that the last image's phase gives."""
    noisy = series + sequence.noise * random.standard_normal(series.shape, np.float32)
    imaginary = sequence.noise * random.standard_normal(series.shape, np.float32)
    if not sequence.inverts:
        return np.asarray(np.hypot(noisy, imaginary))
    reference = noisy[-1] + 1j * imaginary[-1]
    phase = reference / np.maximum(np.abs(reference), 1e-12)
    return np.asarray((noisy + 1j * imaginary) * np.conj(phase)).real.astype(np.float32)


def fit_t1(series: Image, sequence: Sequence) -> FloatArray:
    """T1 in ms (rows, columns) of three-parameter recovery curves, 0 where the fit fails.

    For every T1 of a list the other two parameters are a linear fit; the best of the list is refined by a parabola.
    """
    times = sequence.times_ms
    candidates = np.geomspace(60, LARGEST_T1_MS, 56)
    signals = series.reshape(len(times), -1)
    explained = np.empty((len(candidates), signals.shape[1]), np.float32)
    mean = signals.mean(axis=0)
    centered = signals - mean
    for number, t1 in enumerate(candidates):
        decay = np.exp(-times / t1)
        decay -= decay.mean()
        explained[number] = ((decay / np.linalg.norm(decay)).astype(np.float32) @ centered) ** 2
    best = explained.argmax(axis=0)
    inside = np.clip(best, 1, len(candidates) - 2)
    before, at, after = (np.take_along_axis(explained, (inside + step)[np.newaxis], 0)[0] for step in (-1, 0, 1))
    curvature = before - 2 * at + after
    offset = np.where(curvature < 0, (before - after) / (2 * np.minimum(curvature, -1e-12)), 0).clip(-1, 1)
    ratio = candidates[1] / candidates[0]
    t1 = candidates[inside] * ratio**offset
    t1 = np.where(best == 0, 0.0, np.where(best == len(candidates) - 1, LARGEST_T1_MS, t1))
    if sequence.zeroes_failures:
        t1[explained.max(axis=0) < (5 * sequence.noise) ** 2] = 0.0
        t1[best == len(candidates) - 1] = 0.0
    return np.asarray(t1.reshape(series.shape[1:]), dtype=float)
