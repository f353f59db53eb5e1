"""Sets of classes hold the true class as often as promised, and limits take enough patients."""

from __future__ import annotations

import numpy as np
import pytest

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.evaluation.metrics import BoolArray, FloatArray
from ACNetTrainerLib.study.coverage import coverage

RANDOM = np.random.default_rng(8)


def patients(count: int, apart: float) -> tuple[FloatArray, BoolArray]:
    """Log odds of patients, half of them with DCM."""
    is_dcm = np.arange(count) % 2 == 0
    return RANDOM.normal(np.where(is_dcm, apart, -apart)), is_dcm


def test_the_promise_holds_for_each_class_of_patients_of_the_same_kind() -> None:
    found = coverage(*patients(4000, 0.8), {})["home"]
    for name in ("coverage", "coverage_normal", "coverage_dcm"):
        assert found[name]["value"] == pytest.approx(0.9, abs=0.02)
    assert found["one_class"]["value"] + found["both_classes"]["value"] + found["no_class"]["value"] == pytest.approx(1)
    assert found["both_classes"]["value"] > 0.2


def test_it_breaks_for_patients_of_another_kind_and_the_numbers_say_so() -> None:
    assert coverage(*patients(2000, 2.0), {"abroad": patients(2000, 0.3)})["abroad"]["coverage"]["value"] < 0.7


def test_the_surer_a_verdict_has_to_be_the_fewer_are_given_and_wrong() -> None:
    rows = coverage(*patients(4000, 1.0), {})["home"]["verdict_given_and_wrong"]
    given = [row["given"]["value"] for row in rows]
    wrong = [row["wrong_of_these"]["value"] for row in rows]
    assert given == sorted(given, reverse=True)
    assert wrong[0] > 2 * wrong[2] > 2 * wrong[-1]


def test_too_few_patients_set_no_limit() -> None:
    with pytest.raises(ACNetError, match="17 patients labelled normal; expected 18 or more"):
        coverage(*patients(35, 1.0), {})
    assert coverage(*patients(36, 1.0), {})["home"]["patients"] == 18
