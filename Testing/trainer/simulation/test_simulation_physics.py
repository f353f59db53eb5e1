"""The MOLLI acquisition and its fit against what physics says, with numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ACNetTrainerLib.simulation.sequences import (
    INVERSION_EFFICIENCY,
    INVERSION_FACTOR,
    SEQUENCES,
    Acquisition,
    Sequence,
    Timing,
    acquire,
    fit_t1,
    reading_relative_to_molli,
    restore_polarity,
    sequence_signals,
    true_t1_ms,
)
from ACNetTrainerLib.simulation.tissues import TISSUES, Tissue

ROWS, COLUMNS, PIXEL_MM = 192, 256, 360 / 256
STILL = np.zeros((8, 2))
QUIET = Acquisition(Timing(), ROWS, COLUMNS, PIXEL_MM, resolution_mm=(2.1, 1.0), noise=0.0, shifts_mm=STILL)


def reading(
    t1_ms: float,
    t2_ms: float = 50.0,
    flip_angle_degrees: float = 35.0,
    inversion_efficiency: float = 1.0,
    inversion_factor: float = 1.0,
    heart_rate_bpm: float = 65.0,
) -> float:
    """What a noise-free MOLLI map shows of a uniform tissue."""
    timing = Timing(heart_rate_bpm)
    flip = np.deg2rad(flip_angle_degrees)
    signals = sequence_signals(np.array([t1_ms], np.float32), t2_ms, timing, flip, inversion_efficiency)
    return float(fit_t1(signals, timing, inversion_factor)[0])


def acquired(fine: NDArray[np.float64], acquisition: Acquisition = QUIET, seed: int = 0) -> NDArray[np.complex64]:
    """Eight images of the same object, (2 * ROWS, 2 * COLUMNS)."""
    signals = np.broadcast_to(fine, (8, 2 * ROWS, 2 * COLUMNS)).astype(np.float32)
    return acquire(signals, acquisition, np.random.default_rng(seed))


def grating(waves: int, axis: int) -> NDArray[np.float64]:
    """A fine object that varies along one axis with so many waves over the field of view."""
    lengths = (2 * ROWS, 2 * COLUMNS)
    wave = np.cos(2 * np.pi * waves * np.arange(lengths[axis]) / lengths[axis])
    return np.broadcast_to(wave[:, None] if axis == 0 else wave, lengths)


def blob(row: float, column: float) -> NDArray[np.float64]:
    rows, columns = np.mgrid[: 2 * ROWS, : 2 * COLUMNS]
    return np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * 12.0**2))


@pytest.mark.parametrize("heart_rate_bpm", [46, 65, 102])
def test_the_fit_returns_the_analytic_look_locker_value(heart_rate_bpm: float) -> None:
    timing = Timing(heart_rate_bpm)
    times = timing.inversion_times_ms
    t1_star, a, b_per_a = np.meshgrid(
        np.geomspace(120, 1800, 50), [0.05, 1.0, 700.0], [1.3, 1.6, 1.8, 2.0], indexing="ij"
    )
    signals = a - a * b_per_a * np.exp(-times[:, None, None, None] / t1_star)
    fitted = fit_t1(signals.astype(np.float32), timing, inversion_factor=1.0)
    np.testing.assert_allclose(fitted, t1_star * (b_per_a - 1), rtol=0.005)


def test_the_inversion_factor_multiplies_the_fitted_value() -> None:
    assert reading(1000, inversion_factor=INVERSION_FACTOR) / reading(1000) == pytest.approx(1.0365, abs=1e-4)


@pytest.mark.parametrize("t1_ms", [600, 1000, 1400])
def test_a_vanishing_flip_angle_with_perfect_inversion_and_full_recovery_gives_the_true_t1(t1_ms: float) -> None:
    assert reading(t1_ms, flip_angle_degrees=0.1, heart_rate_bpm=35) == pytest.approx(t1_ms, rel=0.002)


@pytest.mark.parametrize("t1_ms", [600, 1000, 1400])
def test_the_underestimation_grows_with_the_flip_angle_of_the_readout(t1_ms: float) -> None:
    readings = [reading(t1_ms, flip_angle_degrees=angle) for angle in (0.1, 10, 20, 35, 50)]
    assert np.all(np.diff(readings) < 0)
    assert 0.91 < readings[3] / t1_ms < 0.97  # 35 degrees


@pytest.mark.parametrize("t1_ms", [600, 1000, 1400])
def test_the_underestimation_grows_with_shorter_t2(t1_ms: float) -> None:
    readings = [reading(t1_ms, t2_ms=t2) for t2 in (300, 100, 50, 30)]
    assert np.all(np.diff(readings) < 0)


def test_an_imperfect_inversion_shortens_the_reading_in_proportion() -> None:
    perfect, real = (reading(1000, flip_angle_degrees=0.1, inversion_efficiency=e, heart_rate_bpm=35) for e in (1, 0.9))
    assert real / perfect == pytest.approx(0.9, abs=0.002)


def test_blood_reads_less_at_a_high_heart_rate_because_it_recovers_less_in_the_pause() -> None:
    assert reading(1800, t2_ms=200, heart_rate_bpm=100) < reading(1800, t2_ms=200, heart_rate_bpm=50) - 10


@pytest.mark.parametrize("heart_rate_bpm", [46.0, 60.0, 102.0])
def test_inversion_times_follow_the_heart_rate(heart_rate_bpm: float) -> None:
    times = Timing(heart_rate_bpm, first_inversion_time_ms=128).inversion_times_ms
    beat = 60_000 / heart_rate_bpm
    expected = [128 + beat * n for n in range(5)] + [208 + beat * n for n in range(3)]
    np.testing.assert_allclose(times, expected)


@pytest.mark.parametrize("field_strength_tesla", TISSUES)
def test_true_t1_is_the_relaxation_time_whose_reading_is_the_tissue_table(field_strength_tesla: float) -> None:
    for tissue in Tissue:
        expected = TISSUES[field_strength_tesla][tissue]
        true = float(true_t1_ms(expected.t1_ms, expected.t2_ms))
        shown = reading(true, expected.t2_ms, 35, INVERSION_EFFICIENCY, INVERSION_FACTOR)
        assert shown == pytest.approx(expected.t1_ms, abs=1), tissue.name
        assert true > expected.t1_ms, tissue.name


def test_a_uniform_object_is_acquired_at_its_own_signal() -> None:
    np.testing.assert_allclose(acquired(np.full((2 * ROWS, 2 * COLUMNS), 0.7)), 0.7, atol=1e-5)


@pytest.mark.parametrize("noise", [1 / 40, 1 / 20])
def test_the_measured_noise_is_the_stated_one(noise: float) -> None:
    images = acquired(np.zeros((2 * ROWS, 2 * COLUMNS)), replace(QUIET, noise=noise))
    assert images.real.std() == pytest.approx(noise, rel=0.01)
    assert images.imag.std() == pytest.approx(noise, rel=0.01)
    assert abs(images.mean()) < 0.01 * noise


def test_a_shift_by_one_pixel_moves_the_image_by_one_pixel() -> None:
    shifts = np.zeros((8, 2))
    shifts[1], shifts[2] = (PIXEL_MM, 0), (0, PIXEL_MM)
    images = acquired(blob(200, 260), replace(QUIET, shifts_mm=shifts))
    np.testing.assert_allclose(images[1], np.roll(images[0], 1, axis=1), atol=1e-4)
    np.testing.assert_allclose(images[2], np.roll(images[0], 1, axis=0), atol=1e-4)


def test_a_pixel_lies_in_the_middle_of_its_four_fine_pixels() -> None:
    image = acquired(blob(200.5, 260.5))[0].real
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    assert (image * rows).sum() / image.sum() == pytest.approx(100, abs=0.01)
    assert (image * columns).sum() / image.sum() == pytest.approx(130, abs=0.01)


def test_k_space_is_cut_at_the_acquired_resolution_of_each_axis() -> None:
    """2.1 mm down the rows: cut at 0.238 per mm; one pixel along them: cut at 0.356 per mm."""

    def contrast(waves: int, axis: int) -> float:
        return float(np.abs(acquired(grating(waves, axis))[0]).max())

    field_of_view_mm = (ROWS * PIXEL_MM, COLUMNS * PIXEL_MM)
    fine, coarse = 0.25, 0.1  # waves per mm
    assert contrast(round(fine * field_of_view_mm[0]), axis=0) < 1e-5
    assert contrast(round(fine * field_of_view_mm[1]), axis=1) == pytest.approx(0.66, abs=0.05)  # raised cosine
    assert contrast(round(coarse * field_of_view_mm[0]), axis=0) == pytest.approx(1, abs=0.01)
    assert contrast(round(coarse * field_of_view_mm[1]), axis=1) == pytest.approx(1, abs=0.01)


def test_the_sign_that_an_image_loses_in_its_phase_comes_back() -> None:
    timing = Timing()
    signals = sequence_signals(np.array([996, 586, 1560], np.float32), 50.0, timing)
    turned = signals * np.exp(1j * np.array([0.3, -2.0, 3.0]))
    np.testing.assert_allclose(restore_polarity(turned.astype(np.complex64), timing), signals, atol=1e-5)
    assert signals[0].max() < 0 < signals[4].min()


def test_a_fit_that_fails_gives_zero_and_one_that_is_too_long_is_clipped_at_twelve_bits() -> None:
    timing = Timing()
    times = timing.inversion_times_ms
    falling = 1 + np.exp(-times / 500)
    slow = 1 - 2.9 * np.exp(-times / 2400)
    np.testing.assert_array_equal(fit_t1(np.stack([falling, slow], axis=1).astype(np.float32), timing), [0, 4095])


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_every_sequence_has_a_fit_that_grows_with_t1(sequence: Sequence) -> None:
    timing = Timing(sequence=sequence)
    true = np.array([600, 1000, 1200, 1500, 1900], np.float32)
    signals = sequence_signals(true, 50.0, timing)
    assert len(signals) == len(timing.inversion_times_ms)
    readings = fit_t1(signals, timing)
    assert (np.diff(readings) > 60).all()
    # Short pauses leave long T1 unrecovered: those sequences read far less of blood than of the wall.
    np.testing.assert_allclose(readings, true, rtol=0.3)


def test_sasha_reads_t1_itself_and_so_about_100_ms_more_than_molli() -> None:
    sasha = Timing(sequence="SASHA")
    true = np.array([1000, 1200, 1500], np.float32)
    np.testing.assert_allclose(fit_t1(sequence_signals(true, 50.0, sasha), sasha), true, rtol=0.01)
    assert 90 < 1184 * (reading_relative_to_molli(sasha, 1184.0, 51.6) - 1) < 200


def test_molli_at_the_reference_heart_rate_reads_as_molli() -> None:
    assert reading_relative_to_molli(Timing(), 996.0, 55.8) == pytest.approx(1, abs=1e-3)
