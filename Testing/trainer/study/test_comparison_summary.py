"""What a comparison makes of the log odds that its trainings left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import logit

from ACNetTrainerLib.cases.library import Case
from ACNetTrainerLib.study.files import write_outcome
from ACNetTrainerLib.study.summary import read_patients
from ACNetTrainerLib.study.training import Cohort, Outcome


@pytest.mark.parametrize("share_of_dcm", [0.5, 449 / 485])
def test_probabilities_are_judged_at_one_half_whatever_the_share_of_dcm_in_training(
    tmp_path: Path, share_of_dcm: float
) -> None:
    """Decisions stay those at the training's share, where the threshold was chosen."""
    evidence = np.array([-1.5, 0.5, 2.0])
    cases = tuple(
        Case(f"c{n}", f"p{n}", "a.nrrd", label, 0.0, 0.0, 0.0, 1.5, "ward")
        for n, label in enumerate(("normal", "dcm", "dcm"))
    )
    at_training = evidence + logit(share_of_dcm)
    outcome = Outcome({"ward": at_training}, (1.0,), share_of_dcm, decision_threshold=0.8, best_epoch=1)
    write_outcome(tmp_path / "run", [Cohort("ward", tmp_path, cases)], outcome)
    tested = read_patients("acnet", tmp_path, [{"folder": "run", "number": 1}], "ward")
    np.testing.assert_allclose(tested.log_odds, [evidence], atol=1e-4)
    np.testing.assert_allclose(tested.margins, [at_training - logit(0.8)], atol=1e-4)
