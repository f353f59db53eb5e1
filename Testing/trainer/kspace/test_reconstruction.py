"""Images and T1 out of simulated multi-coil k-space, whole and with lines left out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.kspace.reconstruction import reconstruct
from ACNetTrainerLib.kspace.t1_slices import fit_t1
from cmrxrecon_files import CENTRAL_LINES, HEART, OVERSAMPLING, SimulatedScan, lines_of, simulate_scan, undersampled

LARGEST_DIFFERENCE_MS = 15.0


@pytest.fixture(scope="module")
def scan() -> SimulatedScan:
    """8 coils and noise, the heart and what lies around it."""
    return simulate_scan(0, "normal", view=HEART)


def t1_of(scan: SimulatedScan, k_space: NDArray[np.complex64]) -> NDArray[np.float32]:
    return fit_t1(reconstruct(k_space[:, 0], scan.times_ms, OVERSAMPLING, "a scan"), scan.times_ms)


def test_whole_k_space_gives_the_t1_that_the_images_have(scan: SimulatedScan) -> None:
    """Against the fit of noiseless images: the sum over coils changes no T1."""
    noiseless = simulate_scan(0, "normal", coils=1, noise=0.0, view=HEART)
    muscle = scan.myocardium()
    expected, found = t1_of(noiseless, noiseless.k_space), t1_of(scan, scan.k_space)
    assert found.shape == muscle.shape, "without what the readout covers beyond the field of view"
    assert found[muscle].mean() == pytest.approx(expected[muscle].mean(), abs=5)
    assert 1000 < np.median(expected[muscle]) < 1250


@pytest.mark.parametrize("acceleration", [4, 8])
def test_t1_of_the_myocardium_stays_where_each_image_lacks_other_lines(scan: SimulatedScan, acceleration: int) -> None:
    muscle = scan.myocardium()
    lines = lines_of(scan, acceleration, interleaved=True)
    assert lines.mean() < 1 / acceleration + CENTRAL_LINES / lines.shape[1]
    found, whole = t1_of(scan, undersampled(scan, lines)), t1_of(scan, scan.k_space)
    assert abs(float(found[muscle].mean() - whole[muscle].mean())) < LARGEST_DIFFERENCE_MS


@pytest.mark.parametrize("acceleration", [4, 8])
def test_images_that_all_lack_the_same_lines_are_refused(scan: SimulatedScan, acceleration: int) -> None:
    with pytest.raises(ACNetError, match=r"a scan: its images together have \d\d% of k-space; expected 60% or more"):
        t1_of(scan, undersampled(scan, lines_of(scan, acceleration)))


def test_points_that_are_left_out_in_both_directions_are_no_lines(scan: SimulatedScan) -> None:
    """As ktRadial leaves them out: the readout can't be cut before."""
    k_space = scan.k_space[..., ::4, ::4]
    rng = np.random.default_rng(2)
    points = rng.random((len(k_space), *k_space.shape[3:])) < 0.5
    middle, readout = (length // 2 for length in points.shape[1:])
    points[:, middle - 8 : middle + 8, readout - 8 : readout + 8] = True
    images = reconstruct(k_space[:, 0] * points[:, None], scan.times_ms, OVERSAMPLING, "a scan")
    whole = reconstruct(k_space[:, 0], scan.times_ms, OVERSAMPLING, "a scan")
    assert images.shape == whole.shape
    assert np.corrcoef(np.abs(images).ravel(), np.abs(whole).ravel())[0, 1] > 0.9


def test_lines_missing_at_an_end_alone_are_no_reason_for_sense(scan: SimulatedScan) -> None:
    """As after a partial Fourier acquisition."""
    k_space, muscle = scan.k_space.copy(), scan.myocardium()
    k_space[:, :, :, : k_space.shape[3] // 6] = 0
    found, whole = t1_of(scan, k_space), t1_of(scan, scan.k_space)
    assert found[muscle].mean() == pytest.approx(whole[muscle].mean(), abs=LARGEST_DIFFERENCE_MS)


def test_k_space_without_central_lines_is_refused(scan: SimulatedScan) -> None:
    k_space = scan.k_space.copy()
    k_space[:, :, :, k_space.shape[3] // 2] = 0
    with pytest.raises(ACNetError, match="a scan: 0 central lines were measured without a gap; expected 8 or more"):
        t1_of(scan, k_space)
