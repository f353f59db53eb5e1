"""The sign of recovery images by their phase, in whatever scale it is stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.fitting.images import UNREAD_PHASE, read_recovery_images
from ACNetLib.fitting.maps import fit_maps
from ACNetTrainerLib.simulation.sequences import Timing
from recovery_files import a_phantom, recovery_images, write_phase, write_recovery

MOLLI = Timing(heart_rate_bpm=70)


@pytest.mark.parametrize("half_turn", [3141.6, 4095.0, 3.1416])
def test_phase_in_an_unknown_scale_is_not_used_and_said(half_turn: float, tmp_path: Path) -> None:
    """Signed thousandths of a radian, 13 bits, or radians that were rounded."""
    images, times_ms = recovery_images(MOLLI)
    write_recovery(tmp_path, images, times_ms)
    alone = fit_maps(read_recovery_images(tmp_path), correct=False)
    write_phase(tmp_path, images, times_ms, half_turn=half_turn)
    maps = fit_maps(read_recovery_images(tmp_path), correct=False)
    assert {*maps.warnings} - {*alone.warnings} == {UNREAD_PHASE.format(series="4")}
    t1_ms, expected_ms = (sitk.GetArrayFromImage(each.images["t1_ms"])[0] for each in (maps, alone))
    np.testing.assert_array_equal(t1_ms, expected_ms)
    assert 1000 < np.median(t1_ms[a_phantom().of("wall")]) < 1150
