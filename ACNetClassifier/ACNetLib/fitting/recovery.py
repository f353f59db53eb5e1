"""The recovery S(t) = A - B exp(-t / T1*) after an inversion or a saturation, fitted to all pixels of a slice at once.

A and B follow linearly from T1* (variable projection, Golub and Pereyra 1973; for T1 Barral 2010), so only T1* is
searched: on a grid, for all pixels by one matrix product, then by Gauss-Newton steps within the grid's cell.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

LARGEST_T1_MS = 4095.0
"""Scanners store maps in 12 bits: a longer T1 is clipped there, a fit that fails is stored as 0."""
UNPREPARED_MS = 1e5
"""Stands for the time of an image without preparation: as if recovered for ever."""

_CANDIDATES_MS = np.geomspace(30.0, 6000.0, 72)
_LOG_STEP = float(np.log(_CANDIDATES_MS[1] / _CANDIDATES_MS[0]))
_NEWTON_STEPS = 5
_PIXELS_AT_ONCE = 4096
"""So that a block's numbers stay in the processor's cache."""


@dataclass(frozen=True)
class RecoveryModel:
    """Which recovery is fitted.

    ratio: B / A where it is taken as known (2 parameters): 2 after a perfect inversion, 1 after a perfect saturation;
    None where A and B are both free (3 parameters). look_locker: whether the readouts shorten the recovery, so that
    T1 = T1* (B / A - 1) (Deichmann and Haase 1992), by FLASH several times T1*; else T1 = T1*. factor: what T1 is
    multiplied with in the end.
    """

    ratio: float | None = None
    look_locker: bool = False
    factor: float = 1.0

    @property
    def parameters(self) -> int:
        return 3 if self.ratio is None else 2


@dataclass(frozen=True, eq=False)
class RecoveryFit:
    """Of each pixel, arrays of one shape: T1 and its standard deviation in ms, R2 (0 to 1), A, B and T1* in ms.

    Where no recovery is found T1, its standard deviation and R2 are 0. The standard deviation is that of the residuals,
    propagated by the fit's Jacobian (Kellman 2013); 0 with as many parameters as images.
    """

    t1_ms: FloatArray
    sd_ms: FloatArray
    r2: FloatArray
    a: FloatArray
    b: FloatArray
    t1_star_ms: FloatArray

    def signals(self, times_ms: ArrayLike) -> FloatArray:
        """What the fit says of the images at these times, signed: (images, *shape)."""
        times = _times(times_ms).reshape(-1, *(1,) * self.a.ndim)
        return self.a - self.b * np.exp(-times / self.t1_star_ms)

    def where(self, chosen: NDArray[np.bool_], other: RecoveryFit) -> RecoveryFit:
        """This fit's pixels where chosen, the other's elsewhere."""
        return RecoveryFit(
            *(np.where(chosen, getattr(self, each.name), getattr(other, each.name)) for each in fields(self))
        )


def fit_signed(images: ArrayLike, times_ms: ArrayLike, model: RecoveryModel) -> RecoveryFit:
    """The fit of signed images (images, *shape), such as PSIR images, at these times after the preparation in ms."""
    return _fit(images, times_ms, model, restore_polarity=False)


def fit_magnitude(images: ArrayLike, times_ms: ArrayLike, model: RecoveryModel) -> RecoveryFit:
    """The fit of magnitude images (images, *shape) after an inversion, their polarity restored.

    The signal rises from below zero: of each pixel, the images before the zero crossing are negative. Every place of
    the crossing is tried, and the one with the least squared residual is taken (Nekolla 1992; Xue 2013).
    """
    return _fit(images, times_ms, model, restore_polarity=True)


def signed_by_phase(magnitude: ArrayLike, phase_rad: ArrayLike, times_ms: ArrayLike) -> FloatArray:
    """Signed images (PSIR) from magnitude and phase (images, *shape): the part in phase with the latest image."""
    phase = np.asarray(phase_rad, np.float64)
    return np.asarray(magnitude, np.float64) * np.cos(phase - phase[np.argmax(_times(times_ms))])


def _times(times_ms: ArrayLike) -> FloatArray:
    return np.minimum(np.asarray(times_ms, np.float64), UNPREPARED_MS)


def _fit(images: ArrayLike, times_ms: ArrayLike, model: RecoveryModel, restore_polarity: bool) -> RecoveryFit:
    signals, times = np.asarray(images), _times(times_ms)
    if len(times) != len(signals) or len(times) < model.parameters:
        raise ValueError(f"{len(signals)} images, {len(times)} times and {model.parameters} parameters")
    order = np.argsort(times, kind="stable")
    times, shape = times[order], signals.shape[1:]
    signals = signals[order].reshape(len(times), -1)
    found = np.empty((len(fields(RecoveryFit)), signals.shape[1]))
    for start in range(0, signals.shape[1], _PIXELS_AT_ONCE):
        block = slice(start, start + _PIXELS_AT_ONCE)
        found[:, block] = _fit_block(signals[:, block].astype(np.float64), times, model, restore_polarity)
    return RecoveryFit(*(values.reshape(shape) for values in found))


def _fit_block(signals: FloatArray, times: FloatArray, model: RecoveryModel, restore_polarity: bool) -> FloatArray:
    signals = np.abs(signals) if restore_polarity else signals
    negatives, cell = _search(signals, times, model, len(times) if restore_polarity else 1)
    signals = np.where(np.arange(len(times))[:, None] < negatives, -signals, signals)
    t1_star = _refine(signals, times, model, _CANDIDATES_MS[cell])
    return np.stack(_estimates(signals, times, model, t1_star))


def _search(
    signals: FloatArray, times: FloatArray, model: RecoveryModel, crossings: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Of each pixel, how many of the first images are negative and which candidate explains it best.

    A crossing after which the signal would not rise from below zero, as A > 0 and B > A, counts where no other does.
    """
    basis, to_a_and_b = _bases(tuple(times), model.ratio)
    best = np.full(signals.shape[1], -np.inf, np.float32)
    negatives, cell = np.zeros((2, signals.shape[1]), np.intp)
    single = signals.astype(np.float32)
    energy = np.square(single).sum(axis=0)
    for count in range(crossings):
        sign = np.where(np.arange(len(times)) < count, np.float32(-1), np.float32(1))
        projected = ((basis * sign) @ single).reshape(len(_CANDIDATES_MS), -1, single.shape[1])
        explained = np.square(projected).sum(axis=1)
        candidate = explained.argmax(axis=0)
        value = np.take_along_axis(explained, candidate[None], axis=0)[0]
        if crossings > 1:
            chosen = np.take_along_axis(projected, candidate[None, None], axis=0)[0]
            a, b = np.einsum("pij,jp->ip", to_a_and_b[candidate], chosen)
            value = np.where((a > 0) & (b > a), value, value - energy)
        better = value > best
        best, negatives, cell = (
            np.where(better, value, best),
            np.where(better, count, negatives),
            np.where(better, candidate, cell),
        )
    return negatives, cell


@lru_cache(maxsize=32)
def _bases(times: tuple[float, ...], ratio: float | None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Orthonormal bases of what each candidate can explain, their rows below each other (rows, images), and what makes
    A and B of the projections onto them (candidates, 2, 1 or 2).
    """
    decays = np.exp(-np.array(times) / _CANDIDATES_MS[:, None])
    if ratio is not None:
        shapes = 1 - ratio * decays
        norms = np.linalg.norm(shapes, axis=1, keepdims=True)
        to_a_and_b = np.array([[1.0], [ratio]]) / norms[:, :, None]
        return (shapes / norms).astype(np.float32), to_a_and_b.astype(np.float32)
    orthogonal, triangle = np.linalg.qr(np.stack([np.ones_like(decays), -decays], axis=2))
    rows = np.ascontiguousarray(orthogonal.transpose(0, 2, 1)).reshape(-1, len(times))
    return rows.astype(np.float32), np.linalg.inv(triangle).astype(np.float32)


def _refine(signals: FloatArray, times: FloatArray, model: RecoveryModel, coarse_ms: FloatArray) -> FloatArray:
    """T1* by Gauss-Newton steps in log T1*, which stay within the cells beside the best candidate."""
    low, high = np.log(coarse_ms) - _LOG_STEP, np.log(coarse_ms) + _LOG_STEP
    log_t1_star = np.log(coarse_ms)
    for _ in range(_NEWTON_STEPS):
        linear = _linear(signals, times, model, np.exp(log_t1_star))
        with np.errstate(divide="ignore", invalid="ignore"):
            step = (linear.slope * linear.residual).sum(axis=0) / linear.curvature
        log_t1_star = np.clip(log_t1_star + np.nan_to_num(step, posinf=0.0, neginf=0.0), low, high)
    return np.exp(log_t1_star)


@dataclass(frozen=True, eq=False)
class _Linear:
    """The best A and B for a T1* of each pixel, and the model there.

    slope: by log T1*, (images, pixels); curvature: its square sum where A and B follow. gain: how A and B follow log
    T1*. inverse: of the normal matrix, as its elements (AA, AB, BB).
    """

    a: FloatArray
    b: FloatArray
    residual: FloatArray
    slope: FloatArray
    curvature: FloatArray
    gain: tuple[FloatArray, FloatArray]
    inverse: tuple[FloatArray, FloatArray, FloatArray]


def _linear(signals: FloatArray, times: FloatArray, model: RecoveryModel, t1_star: FloatArray) -> _Linear:
    relative = times[:, None] / t1_star
    decay = np.exp(-relative)
    with np.errstate(divide="ignore", invalid="ignore"):
        if model.ratio is not None:
            shape = 1 - model.ratio * decay
            norm = np.square(shape).sum(axis=0)
            a = (shape * signals).sum(axis=0) / norm
            b = model.ratio * a
            slope = -b * decay * relative
            gain = (shape * slope).sum(axis=0) / norm
            free = slope - gain * shape
            inverse, ratio = 1 / norm, model.ratio
            return _Linear(
                a,
                b,
                signals - a * shape,
                free,
                np.square(free).sum(axis=0),
                (gain, ratio * gain),
                (inverse, ratio * inverse, ratio**2 * inverse),
            )
        mean_decay, mean_signal = decay.mean(axis=0), signals.mean(axis=0)
        centered = decay - mean_decay
        spread = np.square(centered).sum(axis=0)
        b = -(centered * signals).sum(axis=0) / spread
        a = mean_signal + b * mean_decay
        slope = -b * decay * relative
        gain_b = -(centered * slope).sum(axis=0) / spread
        gain_a = slope.mean(axis=0) + gain_b * mean_decay
        free = slope - gain_a + gain_b * decay
        return _Linear(
            a,
            b,
            signals - a + b * decay,
            free,
            np.square(free).sum(axis=0),
            (gain_a, gain_b),
            (1 / len(times) + mean_decay**2 / spread, mean_decay / spread, 1 / spread),
        )


def _estimates(
    signals: FloatArray, times: FloatArray, model: RecoveryModel, t1_star: FloatArray
) -> tuple[FloatArray, ...]:
    """In the order of the fields of RecoveryFit."""
    linear = _linear(signals, times, model, t1_star)
    a, b = linear.a, linear.b
    squares = np.square(linear.residual).sum(axis=0)
    total = np.square(signals - signals.mean(axis=0)).sum(axis=0)
    freedom = len(times) - model.parameters
    with np.errstate(divide="ignore", invalid="ignore"):
        correction = b / a - 1 if model.look_locker else np.ones_like(a)
        t1 = t1_star * correction * model.factor
        # By A and B, and by log T1* with A and B following it.
        by_a, by_b = (-t1_star * b / a**2, t1_star / a) if model.look_locker else (0.0 * a, 0.0 * a)
        along = t1 / model.factor - by_a * linear.gain[0] - by_b * linear.gain[1]
        aa, ab, bb = linear.inverse
        variance = by_a**2 * aa + 2 * by_a * by_b * ab + by_b**2 * bb + along**2 / linear.curvature
        noise = squares / freedom if freedom else np.zeros_like(squares)
        sd = np.sqrt(noise * variance) * model.factor
        r2 = 1 - squares / total
    valid = np.isfinite(t1) & (t1 > 0) & (a > 0) & (b > 0)
    return (
        np.where(valid, np.minimum(t1, LARGEST_T1_MS), 0.0),
        np.where(valid & np.isfinite(sd), np.minimum(sd, LARGEST_T1_MS), 0.0),
        np.where(valid, np.clip(np.nan_to_num(r2), 0.0, 1.0), 0.0),
        np.nan_to_num(a),
        np.nan_to_num(b),
        t1_star,
    )
