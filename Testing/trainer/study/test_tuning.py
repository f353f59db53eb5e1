"""By what the learning rates of the comparison are chosen."""

from __future__ import annotations

import numpy as np

from ACNetTrainerLib.evaluation.metrics import auroc
from ACNetTrainerLib.study.tuning import best_cross_entropy


def test_a_learning_rate_is_chosen_for_telling_patients_apart_and_not_for_being_loud() -> None:
    is_dcm = np.arange(400) < 200
    noise = np.random.default_rng(1).normal(0, 1, 400)
    better_and_quiet = 0.1 * (2.0 * np.where(is_dcm, 1.0, -1.0) + 2.0 * noise)
    worse_and_calibrated = 1.2 * (1.2 * np.where(is_dcm, 0.6, -0.6) + 1.2 * noise)
    assert auroc(better_and_quiet, is_dcm) > auroc(worse_and_calibrated, is_dcm) + 0.05
    assert best_cross_entropy(better_and_quiet, is_dcm) < best_cross_entropy(worse_and_calibrated, is_dcm) - 0.05
