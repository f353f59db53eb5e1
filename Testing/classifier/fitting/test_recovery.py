"""The fit of recoveries: against truth, against scipy, and what it says of its own precision."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from scipy.optimize import curve_fit

from ACNetLib.errors import ACNetError
from ACNetLib.fitting.recovery import (
    UNPREPARED_MS,
    RecoveryModel,
    fit_magnitude,
    fit_signed,
    signed_by_phase,
)
from ACNetLib.fitting.sequences import (
    INVERSION_FACTOR,
    Sequence,
    fit_sequence,
    inversion_groups,
    model_of,
    scheme_name,
)
from ACNetLib.fitting.times import sequence_of
from ACNetTrainerLib.simulation.sequences import Sequence as SimulatedSequence
from ACNetTrainerLib.simulation.sequences import Timing, fit_t1, sequence_signals

MOLLI_TIMES_MS = np.array([128.0, 881.0, 1628.0, 2381.0, 3131.0, 208.0, 951.0, 1711.0])
"""Of a scan of a patient, in the order of acquisition."""
LOOK_LOCKER = RecoveryModel(look_locker=True)


def recoveries(pixels: int, times_ms: np.ndarray, ratio: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Signed signals (images, pixels) and the true T1* of each, with any B / A of an inversion or a fixed one."""
    rng = np.random.default_rng(5)
    t1_star, a = rng.uniform(250, 1900, pixels), rng.uniform(100, 900, pixels)
    ratios = rng.uniform(1.7, 2.0, pixels) if ratio is None else ratio
    return a * (1 - ratios * np.exp(-times_ms[:, None] / t1_star)), t1_star


@pytest.mark.parametrize("ratio", [2.0, 1.0, None])
def test_without_noise_the_fit_finds_the_truth(ratio: float | None) -> None:
    signals, t1_star = recoveries(500, MOLLI_TIMES_MS, ratio)
    fit = fit_signed(signals, MOLLI_TIMES_MS, RecoveryModel(ratio))
    np.testing.assert_allclose(fit.t1_ms, t1_star, rtol=1e-6)
    np.testing.assert_allclose(fit.r2, 1, atol=1e-9)
    np.testing.assert_allclose(fit.signals(MOLLI_TIMES_MS), signals, atol=1e-3)


def test_an_image_without_preparation_is_the_recovered_signal() -> None:
    times = np.array([np.inf, 120.0, 250.0, 400.0, 600.0])
    signals, t1 = recoveries(200, np.minimum(times, UNPREPARED_MS), 1.0)
    np.testing.assert_allclose(fit_sequence(signals, times, "SASHA").t1_ms, t1, rtol=1e-6)


def test_the_fit_and_its_standard_deviation_are_those_of_scipy_s_curve_fit() -> None:
    signals, t1_star = recoveries(60, MOLLI_TIMES_MS)
    noisy = signals + np.random.default_rng(6).normal(0, 8, signals.shape)
    fit = fit_signed(noisy, MOLLI_TIMES_MS, LOOK_LOCKER)

    def recovery(times: np.ndarray, a: float, b: float, tau: float) -> np.ndarray:
        return a - b * np.exp(-times / tau)

    for pixel, start in enumerate(t1_star):
        top = noisy[:, pixel].max()
        (a, b, tau), covariance = curve_fit(recovery, MOLLI_TIMES_MS, noisy[:, pixel], p0=(top, 2 * top, start))
        gradient = np.array([-tau * b / a**2, tau / a, b / a - 1])
        assert fit.t1_ms[pixel] == pytest.approx(tau * (b / a - 1), rel=1e-4)
        assert fit.sd_ms[pixel] == pytest.approx(np.sqrt(gradient @ covariance @ gradient), rel=1e-2)


@pytest.mark.parametrize(("ratio", "sequence"), [(2.0, "inversion recovery"), (1.0, "saturation recovery")])
def test_the_standard_deviation_is_the_scatter_of_repeated_scans(ratio: float, sequence: Sequence) -> None:
    times = np.linspace(100, 3000, 12)
    signal = 500 * (1 - ratio * np.exp(-times / 1000))
    noisy = signal[:, None] + np.random.default_rng(7).normal(0, 5, (12, 4000))
    for parameters in (2, 3):
        fit = fit_sequence(noisy, times, sequence, signed=True, parameters=parameters)
        assert np.median(fit.sd_ms) == pytest.approx(fit.t1_ms.std(), rel=0.06)


def test_magnitude_images_are_fitted_as_signed_ones() -> None:
    signals, _ = recoveries(2000, MOLLI_TIMES_MS)
    signed, magnitude = (
        fit(images, MOLLI_TIMES_MS, LOOK_LOCKER)
        for fit, images in ((fit_signed, signals), (fit_magnitude, np.abs(signals)))
    )
    error_ms = np.abs(magnitude.t1_ms - signed.t1_ms)
    assert np.percentile(error_ms, 99) < 5
    assert np.median(error_ms) < 0.01


def test_phase_restores_the_sign_of_magnitude_images() -> None:
    signals, _ = recoveries(50, MOLLI_TIMES_MS)
    coil_rad = np.linspace(-3, 3, 50)
    phase_rad = np.angle(signals * np.exp(1j * coil_rad))
    np.testing.assert_allclose(signed_by_phase(np.abs(signals), phase_rad, MOLLI_TIMES_MS), signals, atol=1e-9)


@pytest.mark.parametrize(
    ("simulated", "sequence", "scheme"),
    [
        ("MOLLI 5(3)3", "MOLLI", "MOLLI 5(3)3"),
        ("MOLLI 3(3)5", "MOLLI", "MOLLI 3(3)5"),
        ("MOLLI 4(1)3(1)2", "MOLLI", "MOLLI 4(1)3(1)2"),
        ("ShMOLLI", "ShMOLLI", "ShMOLLI 5(1)1(1)1"),
        ("SASHA", "SASHA", "SASHA, 10 images"),
        ("FLASH MOLLI 5(3)3", "MOLLI", "MOLLI 5(3)3"),
    ],
)
@pytest.mark.parametrize("heart_rate_bpm", [50.0, 80.0])
def test_simulated_sequences_are_recognized_and_fitted_as_the_simulation_does(
    simulated: SimulatedSequence, sequence: Sequence, scheme: str, heart_rate_bpm: float
) -> None:
    timing = Timing(heart_rate_bpm, sequence=simulated)
    t1_ms = np.linspace(400, 1900, 300, dtype=np.float32)
    signals = sequence_signals(t1_ms, 48.0, timing)
    times = timing.inversion_times_ms
    assert scheme_name(sequence, times) == scheme
    fit = fit_sequence(signals, times, sequence, signed=True)
    expected = fit_t1(signals, timing)
    assert np.abs(fit.t1_ms - expected).max() < 4  # the simulation's search is coarser
    shuffled = np.random.default_rng(1).permutation(len(times))
    again = fit_sequence(signals[shuffled], times[shuffled], sequence, signed=True)
    np.testing.assert_allclose(again.t1_ms, fit.t1_ms, rtol=1e-5)


def test_irregular_beats_leave_each_image_with_its_inversion() -> None:
    groups = inversion_groups(MOLLI_TIMES_MS)
    assert [list(group) for group in groups] == [[0, 1, 2, 3, 4], [5, 6, 7]]
    assert [len(group) for group in inversion_groups([100, 200, 300, 400, 500])] == [5], "no MOLLI"


def test_a_short_t1_makes_shmolli_use_all_its_images() -> None:
    timing = Timing(60, sequence="ShMOLLI")
    signals = sequence_signals(np.array([250.0, 1500.0], np.float32), 45.0, timing)
    spoiled = signals.copy()
    spoiled[5:] *= 0.5  # the images after the later inversions
    times = timing.inversion_times_ms
    whole, changed = (fit_sequence(each, times, "ShMOLLI", signed=True).t1_ms for each in (signals, spoiled))
    assert changed[1] == whole[1]
    assert changed[0] != whole[0]


def test_where_nothing_recovers_the_map_is_zero() -> None:
    falling = np.stack([100.0 - MOLLI_TIMES_MS / 40, np.zeros(8), np.full(8, 50.0)], axis=1)
    fit = fit_signed(falling, MOLLI_TIMES_MS, LOOK_LOCKER)
    for values in (fit.t1_ms, fit.sd_ms, fit.r2):
        assert not values.any()


def test_look_locker_takes_three_parameters_and_makes_up_for_the_inversion() -> None:
    assert model_of("MOLLI") == RecoveryModel(look_locker=True, factor=INVERSION_FACTOR)
    with pytest.raises(ACNetError, match="found 2 for MOLLI; expected 3"):
        model_of("MOLLI", parameters=2)
    with pytest.raises(ACNetError, match="found images at 2 different times; expected at least 3"):
        fit_sequence(np.ones((3, 4)), [100, 100, 200], "MOLLI")
    with pytest.raises(ACNetError, match=r"found 5 \+ 3 images after ShMOLLI's inversions"):
        fit_sequence(np.ones((8, 4)), MOLLI_TIMES_MS, "ShMOLLI")


@pytest.mark.parametrize(
    ("described", "sequence"), [("SMART1Map", "saturation recovery"), ("SAPPHIRE", None), ("T1 map", "MOLLI")]
)
def test_images_are_fitted_by_the_sequence_that_they_name_and_else_by_their_times(
    described: str, sequence: Sequence | None
) -> None:
    header = pydicom.Dataset()
    header.SeriesDescription = described
    assert sequence_of([header] * 8, MOLLI_TIMES_MS) == sequence


def flash_signals(t1_ms: float, flip_degrees: float, tr_ms: float, segments: int) -> tuple[np.ndarray, np.ndarray]:
    """Of continuous FLASH after a perfect inversion, by the Bloch equations: an image is the middle of eight pulses."""
    cosine, decay = np.cos(np.radians(flip_degrees)), np.exp(-tr_ms / t1_ms)
    along, signals = 1 - 2 * np.exp(-15.0 / t1_ms), []
    for _ in range(8 * segments):
        signals.append(along)
        along = 1 - (1 - along * cosine) * decay
    return np.array(signals[4::8]), 15.0 + tr_ms * np.arange(4, 8 * segments, 8)


@pytest.mark.parametrize(("flip_degrees", "expected_ms"), [(5, 1203), (8, 1221), (10, 1239)])
def test_a_readout_that_shortens_the_recovery_much_is_made_up_for(flip_degrees: float, expected_ms: float) -> None:
    """T1 of 1150 ms; T1* is 2 to 5 times shorter, and what is left is the bias of the correction's approximation."""
    signals, times_ms = flash_signals(1150, flip_degrees, tr_ms=5.0, segments=60)
    for signed, images in ((True, signals), (False, np.abs(signals))):
        fit = fit_sequence(images[:, None], times_ms, "Look-Locker", signed=signed)
        assert fit.t1_ms[0] == pytest.approx(expected_ms, abs=10)


def test_molli_by_flash_reads_a_long_t1_at_a_fast_heart() -> None:
    timing = Timing(110, sequence="FLASH MOLLI 5(3)3")
    t1_ms = np.array([1200.0, 1850.0], np.float32)
    fit = fit_sequence(sequence_signals(t1_ms, 200.0, timing), timing.inversion_times_ms, "MOLLI", signed=True)
    np.testing.assert_allclose(fit.t1_ms, (1048, 1514), atol=5)
