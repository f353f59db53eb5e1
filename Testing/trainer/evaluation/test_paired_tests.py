"""DeLong's test and Holm's correction, against their definition and numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ACNetTrainerLib.evaluation.metrics import auroc
from ACNetTrainerLib.evaluation.paired_tests import delong_covariance, delong_test, holm


def by_definition(scores: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """DeLong's covariance from every pair of a DCM and a normal patient."""
    dcm, normal = scores[:, truth], scores[:, ~truth]
    wins = (dcm[:, :, None] > normal[:, None, :]) + 0.5 * (dcm[:, :, None] == normal[:, None, :])
    of_dcm, of_normal = wins.mean(axis=2), wins.mean(axis=1)
    covariance = np.cov(of_dcm) / of_dcm.shape[1] + np.cov(of_normal) / of_normal.shape[1]
    return wins.mean(axis=(1, 2)), covariance


@pytest.mark.parametrize("digits", [6, 0], ids=["without-ties", "with-ties"])
def test_the_covariance_is_that_of_the_definition(digits: int) -> None:
    rng = np.random.default_rng(3)
    truth = rng.random(90) < 0.3
    scores = (rng.normal(truth * 1.2, 1.0, (3, 90)) + rng.normal(size=90)).round(digits)
    aurocs, covariance = delong_covariance(scores, truth)
    expected_aurocs, expected = by_definition(scores, truth)
    np.testing.assert_allclose(aurocs, expected_aurocs)
    np.testing.assert_allclose(aurocs, [auroc(row, truth) for row in scores])
    np.testing.assert_allclose(covariance, expected, atol=1e-15)


def test_an_example_that_can_be_worked_out_on_paper() -> None:
    """The first wins 3 of 4 pairs: placements 1 and 1/2 in either class, whose variances are 1/8, so the variance of
    the AUROC is 1/8. The second wins all 4 and has none. z = -0.25 / sqrt(1/8) = -0.7071."""
    truth = np.array([True, True, False, False])
    first, second = np.array([[4.0, 2.0, 3.0, 1.0]]), np.array([[4.0, 3.0, 2.0, 1.0]])
    aurocs, covariance = delong_covariance(np.concatenate([first, second]), truth)
    np.testing.assert_allclose(aurocs, [0.75, 1.0])
    np.testing.assert_allclose(covariance, [[0.125, 0.0], [0.0, 0.0]])
    test = delong_test(first, second, truth)
    assert test.difference.value == pytest.approx(-0.25)
    assert test.difference.high == pytest.approx(-0.25 + 1.959964 * 0.3535534)
    assert test.p_value == pytest.approx(0.4795, abs=5e-5)


def test_the_p_value_holds_its_level_where_there_is_no_difference() -> None:
    rng = np.random.default_rng(5)
    truth = np.arange(80) % 2 == 0
    p_values = []
    for _ in range(600):
        patient = rng.normal(truth * 1.5, 1.0)
        first, second = (patient[None] + rng.normal(size=80) for _ in range(2))
        p_values.append(delong_test(first, second, truth).p_value)
    assert 0.03 < np.mean(np.array(p_values) < 0.05) < 0.08


def test_of_several_trainings_the_mean_auroc_is_compared() -> None:
    rng = np.random.default_rng(7)
    truth = np.arange(60) % 3 == 0
    good, poor = rng.normal(truth * 2.0, 1.0, (3, 60)), rng.normal(truth * 0.3, 1.0, (2, 60))
    test = delong_test(good, poor, truth)
    expected = np.mean([auroc(row, truth) for row in good]) - np.mean([auroc(row, truth) for row in poor])
    assert test.difference.value == pytest.approx(expected)
    assert 0 < test.difference.low < test.difference.value < test.difference.high
    assert test.p_value < 0.01
    opposite = delong_test(poor, good, truth)
    assert opposite.difference.value == pytest.approx(-expected)
    assert opposite.p_value == pytest.approx(test.p_value)


def test_equal_orders_do_not_differ() -> None:
    truth = np.arange(20) % 2 == 0
    scores = np.random.default_rng(1).normal(size=(1, 20))
    test = delong_test(scores, 3 * scores + 1, truth)
    assert test.p_value == 1
    assert test.difference.value == pytest.approx(0)


@pytest.mark.parametrize(("patients", "p_value"), [(2, 0.5), (5, 0.0625), (20, 2.0**-19)])
def test_a_difference_that_every_patient_shows_has_the_p_value_of_a_sign_test(patients: int, p_value: float) -> None:
    """A network that failed with one of three seeds, beside one without a mistake."""
    truth = np.arange(patients + 30) < patients  # the smaller class: of DCM
    faultless = np.where(truth, 2.0, -2.0) + np.linspace(0, 1, len(truth))
    failed_once = np.stack([faultless, np.zeros(len(truth)), faultless])
    test = delong_test(np.stack([faultless] * 3), failed_once, truth)
    assert test.difference.value == pytest.approx(1 / 6)
    assert test.difference.low < test.difference.value <= test.difference.high
    assert test.p_value == p_value


def test_two_orders_without_a_mistake_are_not_known_to_be_equally_good() -> None:
    truth = np.arange(20) % 2 == 0
    faultless, another = (np.where(truth, 2.0, -2.0) + np.random.default_rng(seed).random((1, 20)) for seed in (1, 2))
    test = delong_test(faultless, another, truth)
    assert test.p_value == 1
    assert (test.difference.value, test.difference.low, test.difference.high) == pytest.approx((0, -4 / 14, 4 / 14))


def test_holm_multiplies_the_smallest_by_the_number_of_tests_and_never_reorders() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
