"""Shares and means over slices, with intervals over patients."""

from __future__ import annotations

import numpy as np
import pytest

from ACNetTrainerLib.evaluation.over_patients import OverPatients

PATIENTS = [f"p{number}" for number in range(20) for _ in range(3)]
IS_DCM = np.repeat(np.arange(20) < 8, 3)


@pytest.mark.parametrize(("all_or_none", "low", "high"), [(True, 0.8389, 1.0), (False, 0.0, 0.1611)])
def test_a_share_of_all_slices_or_none_leaves_room_for_the_next_patients(
    all_or_none: bool, low: float, high: float
) -> None:
    """Wilson's interval of 20 of 20 patients, however many slices they have."""
    found = OverPatients(PATIENTS, IS_DCM).share(np.full(60, all_or_none))
    assert (found["value"], found["low"], found["high"]) == (float(all_or_none), low, high)


def test_a_share_of_some_slices_is_their_mean_over_resampled_patients() -> None:
    over_patients, chosen = OverPatients(PATIENTS, IS_DCM), np.arange(60) % 4 > 0
    assert over_patients.share(chosen) == over_patients.mean(chosen.astype(float))
    assert over_patients.share(chosen)["value"] == 0.75
