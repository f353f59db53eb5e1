"""Motion between the images: found, corrected, and its rest measured."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from ACNetLib.fitting.motion import Motion, correct_motion, measure_motion
from ACNetLib.fitting.sequences import fit_sequence
from ACNetTrainerLib.simulation.sequences import Timing
from recovery_files import PIXEL_MM, TISSUES, a_phantom, recovery_images

TIMING = Timing(heart_rate_bpm=70)
SHIFTS_PX = np.array([[0, 1.5], [2, 0], [-1, -1], [3, 2], [0, 0], [-2, 1], [1, -2.5], [0, 3]])
SPACING_MM = (PIXEL_MM, PIXEL_MM)


def modelled(images: np.ndarray) -> np.ndarray:
    return fit_sequence(images, TIMING.inversion_times_ms, "MOLLI").signals(TIMING.inversion_times_ms)


def t1_of(images: np.ndarray) -> np.ndarray:
    return fit_sequence(images, TIMING.inversion_times_ms, "MOLLI").t1_ms


@cache
def moving() -> tuple[np.ndarray, Motion]:
    images = np.abs(recovery_images(TIMING, SHIFTS_PX)[0]).astype(np.float32)
    latest = int(np.argmax(TIMING.inversion_times_ms))
    return images, correct_motion(images, SPACING_MM, latest, modelled)


def test_the_shift_of_each_image_is_found() -> None:
    _, motion = moving()
    expected_mm = (SHIFTS_PX - SHIFTS_PX[4])[:, ::-1] * PIXEL_MM
    assert np.linalg.norm(motion.shifts_mm - expected_mm, axis=1).max() < 0.6


def test_the_residual_tells_how_much_motion_there_was_and_is_left() -> None:
    images, motion = moving()
    assert motion.before_mm > 0.8
    assert motion.residual_mm < 0.3
    assert measure_motion(images, SPACING_MM, modelled).residual_mm == pytest.approx(motion.before_mm)


def test_the_map_of_corrected_images_is_nearly_that_of_still_ones() -> None:
    images, motion = moving()
    still = t1_of(np.abs(recovery_images(TIMING)[0]).astype(np.float32))
    blood = a_phantom().tissue == [*TISSUES].index("blood")  # with its edge
    before, after = (np.mean(np.abs(t1_of(each) - still)[blood] > 100) for each in (images, motion.images))
    assert after < before / 3


def test_still_images_are_left_as_they_are_when_moving_them_does_not_help() -> None:
    images = np.abs(recovery_images(TIMING)[0]).astype(np.float32)
    motion = correct_motion(images, SPACING_MM, int(np.argmax(TIMING.inversion_times_ms)), modelled)
    assert motion.residual_mm <= motion.before_mm
    assert np.linalg.norm(motion.shifts_mm, axis=1).max() < 0.4


def test_images_without_any_edge_are_left_alone() -> None:
    flat = np.full((8, 60, 60), 100, np.float32)
    motion = correct_motion(flat, SPACING_MM, 4, modelled)
    np.testing.assert_array_equal(motion.images, flat)
