"""Measures of a classifier against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    matthews_corrcoef,
    recall_score,
    roc_auc_score,
)

from ACNetTrainerLib.evaluation.metrics import (
    Resampling,
    auprc,
    auroc,
    bootstrap,
    bootstrap_all,
    bootstrap_difference,
    expected_calibration_error,
    prevalence_weights,
    probability_metrics,
    reliability,
    share_estimate,
    threshold_metrics,
)

# Log odds of eight patients, four of them with DCM. At 0: 3 of 4 DCM and 2 of 4 normals are right.
SCORES = np.array([-2.0, -1.0, 0.5, 1.5, -0.5, 1.0, 2.0, 3.0])
IS_DCM = np.array([False] * 4 + [True] * 4)


def log_odds(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def test_the_measures_at_a_threshold_are_those_computed_by_hand() -> None:
    values = {name: metric(SCORES, IS_DCM) for name, metric in threshold_metrics(0.5).items()}
    true_dcm, false_normal, true_normal, false_dcm = 3, 1, 2, 2
    mcc = (true_dcm * true_normal - false_dcm * false_normal) / np.sqrt(5 * 4 * 4 * 3)
    assert values == pytest.approx(
        {"recall_dcm": 0.75, "recall_normal": 0.5, "balanced_accuracy": 0.625, "mcc": float(mcc)}
    )


def test_the_threshold_is_a_probability_and_a_patient_on_it_is_dcm() -> None:
    cut = 1 / (1 + np.exp(-1.0))  # the probability at log odds 1, where one DCM patient lies
    at, above = threshold_metrics(cut), threshold_metrics(cut + 1e-6)
    assert at["recall_dcm"](SCORES, IS_DCM) == 0.75
    assert above["recall_dcm"](SCORES, IS_DCM) == 0.5
    assert at["recall_normal"](SCORES, IS_DCM) == 0.75


def test_auroc_is_the_share_of_pairs_in_the_right_order() -> None:
    pairs = [dcm > normal for dcm in SCORES[IS_DCM] for normal in SCORES[~IS_DCM]]
    assert auroc(SCORES, IS_DCM) == pytest.approx(np.mean(pairs))
    assert auroc(SCORES, IS_DCM) == 13 / 16
    assert auroc(SCORES, ~IS_DCM) == 3 / 16
    assert auroc(np.array([1.0, 1.0, 2.0]), np.array([False, True, True])) == 0.75, "a tie counts half"


def test_the_measures_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    is_dcm = rng.random(300) < 0.3
    scores = np.round(rng.normal(is_dcm, 1.0), 1)  # with ties
    metrics = threshold_metrics(0.6)
    said = scores >= log_odds(0.6)
    assert auroc(scores, is_dcm) == pytest.approx(roc_auc_score(is_dcm, scores))
    assert auprc(scores, is_dcm) == pytest.approx(average_precision_score(is_dcm, scores), rel=1e-12)
    assert metrics["recall_dcm"](scores, is_dcm) == pytest.approx(recall_score(is_dcm, said))
    assert metrics["recall_normal"](scores, is_dcm) == pytest.approx(recall_score(~is_dcm, ~said))
    assert metrics["balanced_accuracy"](scores, is_dcm) == pytest.approx(balanced_accuracy_score(is_dcm, said))
    assert metrics["mcc"](scores, is_dcm) == pytest.approx(matthews_corrcoef(is_dcm, said))


@pytest.mark.parametrize("shift", [-99.0, 99.0])
def test_saying_the_same_of_all_patients_is_no_correlation(shift: float) -> None:
    assert threshold_metrics(0.5)["mcc"](SCORES + shift, IS_DCM) == 0


def test_the_bootstrap_interval_covers_the_truth_as_often_as_it_says() -> None:
    """AUROC of two normal distributions 1 SD apart is 0.760; about 95 of 100 intervals hold it."""
    rng = np.random.default_rng(1)
    is_dcm = np.arange(80) % 2 == 0
    covered = 0
    for study in range(100):
        estimate = bootstrap(auroc, rng.normal(is_dcm, 1.0), is_dcm, seed=study, samples=200)
        assert estimate.low <= estimate.value <= estimate.high
        covered += estimate.low <= 0.760 <= estimate.high
    assert 88 <= covered <= 99


@pytest.mark.parametrize(("dcm", "normal"), [(5, 5), (6, 30), (100, 40)])
def test_patients_who_are_all_right_leave_room_for_the_next_ones(dcm: int, normal: int) -> None:
    """About as Wilson's interval of a share, for an AUROC of the smaller class."""
    is_dcm = np.repeat([True, False], [dcm, normal])
    scores = np.where(is_dcm, 2.0, -2.0) + np.linspace(0, 1, dcm + normal)
    metrics = {"auroc": auroc, "auprc": auprc, **threshold_metrics(0.5)}
    found = bootstrap_all(metrics, scores, is_dcm, resampling=Resampling(samples=20))
    assert {each.value for each in found.values()} == {each.high for each in found.values()} == {1.0}
    for name, patients in {"recall_dcm": dcm, "recall_normal": normal, "auroc": min(dcm, normal)}.items():
        assert found[name].low == patients / (patients + 4)
        assert found[name].low == pytest.approx(share_estimate(patients, patients).low, abs=0.011)
    assert found["balanced_accuracy"].low == pytest.approx((1 + min(dcm, normal) / (min(dcm, normal) + 4)) / 2)
    assert found["auprc"].low < found["auroc"].low


def test_patients_who_are_all_wrong_leave_room_for_the_next_ones() -> None:
    scores = np.where(IS_DCM, -2.0, -3.0)
    found = bootstrap_all(threshold_metrics(0.5), scores, IS_DCM, resampling=Resampling(samples=20))
    assert (found["recall_dcm"].value, found["recall_dcm"].low, found["recall_dcm"].high) == (0, 0, 4 / 8)
    assert (found["recall_normal"].low, found["recall_normal"].high) == (4 / 8, 1)
    assert (found["balanced_accuracy"].low, found["balanced_accuracy"].high) == (0.25, 0.75)


def test_the_slices_of_a_few_patients_are_no_more_sure_than_the_patients() -> None:
    is_dcm, patients = np.repeat([True, False], 15), np.repeat(np.arange(10), 3)
    scores = np.where(is_dcm, 2.0, -2.0)
    found = bootstrap_all(threshold_metrics(0.5), scores, is_dcm, patients, Resampling(samples=20))
    assert found["recall_dcm"].low == pytest.approx(5 / 9)


def test_a_perfect_auroc_covers_the_truth_as_often_as_it_says() -> None:
    """AUROC of two normal distributions 1.8 SD apart is 0.898; one of five patients each is often 1."""
    rng = np.random.default_rng(7)
    is_dcm = np.arange(10) % 2 == 0
    estimates = [bootstrap(auroc, rng.normal(1.8 * is_dcm, 1.0), is_dcm, study, samples=100) for study in range(100)]
    assert sum(each.value == 1 for each in estimates) > 20
    assert sum(each.low <= 0.898 <= each.high for each in estimates) >= 93


def test_two_models_that_are_both_right_of_all_are_not_known_to_be_equally_good() -> None:
    scores = np.where(IS_DCM, 2.0, -2.0)
    difference = bootstrap_difference(scores, 2 * scores, IS_DCM)
    assert (difference.value, difference.low, difference.high) == (0, -0.5, 0.5)
    itself = bootstrap_difference(scores, scores, IS_DCM)
    assert (itself.value, itself.low, itself.high) == (0, 0, 0)
    better = bootstrap_difference(scores, np.where(IS_DCM, -2.0, 2.0), IS_DCM)
    assert (better.value, better.low, better.high) == (1, 0, 1)


def test_a_score_that_says_the_same_of_all_is_known_to_tell_nothing() -> None:
    estimate = bootstrap(auroc, np.zeros(8), IS_DCM, samples=20)
    assert (estimate.value, estimate.low, estimate.high) == (0.5, 0.5, 0.5)


def test_more_patients_give_a_narrower_interval() -> None:
    rng = np.random.default_rng(2)

    def width(patients: int) -> float:
        is_dcm = np.arange(patients) % 2 == 0
        estimate = bootstrap(auroc, rng.normal(is_dcm, 1.0), is_dcm, seed=1, samples=200)
        return estimate.high - estimate.low

    assert width(40) > 1.5 * width(400)


def test_each_class_is_resampled_by_itself() -> None:
    counts = []

    def count(scores: np.ndarray, truth: np.ndarray) -> float:
        counts.append((len(truth), int(truth.sum())))
        return float(scores.mean())

    estimate = bootstrap(count, SCORES, IS_DCM, seed=1, samples=20)
    assert set(counts) == {(8, 4)}
    assert estimate.low < estimate.high
    assert estimate == bootstrap(count, SCORES, IS_DCM, seed=1, samples=20)
    assert estimate != bootstrap(count, SCORES, IS_DCM, seed=2, samples=20)


def test_all_sections_of_a_patient_are_drawn_together() -> None:
    patients = np.array([0, 0, 1, 2, 2, 2, 3])
    truth = np.array([True, True, False, False, False, False, True])
    scores = np.array([1.0, 2.0, 10.0, 20.0, 21.0, 22.0, 30.0])
    drawn: list[list[float]] = []

    def collect(values: np.ndarray, is_dcm: np.ndarray) -> float:
        assert np.array_equal(is_dcm, np.isin(values, scores[truth]))
        drawn.append(sorted(values.tolist()))
        return float(values.mean())

    estimate = bootstrap_all({"": collect}, scores, truth, patients, Resampling(seed=1, samples=60))[""]
    assert estimate.value == scores.mean()
    dcm = ([1, 1, 2, 2], [1, 2, 30], [30, 30])
    normal = ([10, 10], [10, 20, 21, 22], [20, 20, 21, 21, 22, 22])
    assert {tuple(values) for values in drawn[:-1]} == {tuple(sorted([*d, *n])) for d in dcm for n in normal}


def test_one_section_a_patient_gives_the_interval_of_patients() -> None:
    alone = bootstrap(auroc, SCORES, IS_DCM, seed=3, samples=50)
    both = bootstrap_all({"auroc": auroc, "auprc": auprc}, SCORES, IS_DCM, np.arange(8), Resampling(seed=3, samples=50))
    assert both == {"auroc": alone, "auprc": bootstrap(auprc, SCORES, IS_DCM, seed=3, samples=50)}


def test_the_brier_score_and_calibration_error_are_taken_at_the_prevalence_of_the_probabilities() -> None:
    log_odds, is_dcm = np.array([0.0, 0.0, 0.0, np.log(3)]), np.array([False, False, False, True])
    values = {name: metric(log_odds, is_dcm) for name, metric in probability_metrics(0.5).items()}
    assert values["brier"] == pytest.approx((0.5**2 + 0.25**2) / 2)
    assert probability_metrics(0.25)["brier"](log_odds, is_dcm) == pytest.approx((3 * 0.5**2 + 0.25**2) / 4)
    assert values["ece"] == pytest.approx((0.5 + 0.25) / 2)


def test_reliability_sets_what_is_said_beside_what_is_true_and_leaves_empty_bins_out() -> None:
    probability = np.array([0.2, 0.1, 0.9, 0.7])
    found = reliability(probability, np.array([False, False, True, False]), np.ones(4), bins=2)
    assert found.said == pytest.approx([0.15, 0.8])
    assert found.true == pytest.approx([0, 0.5])
    assert found.weight == pytest.approx([0.5, 0.5])
    assert len(reliability(probability, np.array([False, False, True, False]), np.ones(4), bins=10).said) == 4


def test_probabilities_that_come_true_have_hardly_any_calibration_error_at_any_prevalence() -> None:
    rng = np.random.default_rng(5)
    probability = rng.beta(0.5, 0.5, 20_000)
    is_dcm = rng.random(20_000) < probability
    assert expected_calibration_error(probability, is_dcm, np.ones(20_000)) < 0.015
    odds = probability / (1 - probability) * (0.2 / 0.8) / (is_dcm.mean() / (1 - is_dcm.mean()))
    rarer = odds / (1 + odds)
    assert expected_calibration_error(rarer, is_dcm, prevalence_weights(is_dcm, 0.2)) < 0.015
    assert expected_calibration_error(probability, is_dcm, prevalence_weights(is_dcm, 0.2)) > 0.1


def test_the_calibration_error_is_the_distance_between_what_is_said_and_what_is_true() -> None:
    probability, is_dcm = np.full(1000, 0.9), np.arange(1000) % 10 < 6
    assert expected_calibration_error(probability, is_dcm, np.ones(1000), bins=1) == pytest.approx(0.3)
    two_groups = np.repeat([0.1, 0.9], 500)
    truth = np.concatenate([np.arange(500) % 10 < 3, np.arange(500) % 10 < 6])
    assert expected_calibration_error(two_groups, truth, np.ones(1000)) == pytest.approx((0.2 + 0.3) / 2)


def test_one_probability_for_all_has_the_same_calibration_error_however_the_patients_are_sorted() -> None:
    is_dcm = np.repeat([False, True], [60, 40])
    for truth in (is_dcm, is_dcm[::-1], np.random.default_rng(2).permutation(is_dcm)):
        assert expected_calibration_error(np.full(100, 0.5), truth, np.ones(100)) == pytest.approx(0.1)
        weights = prevalence_weights(truth, 0.5)
        assert expected_calibration_error(np.full(100, 0.5), truth, weights) == pytest.approx(0, abs=1e-12)


def test_weights_give_the_wanted_share_of_dcm() -> None:
    weights = prevalence_weights(IS_DCM, 0.2)
    assert weights[IS_DCM].sum() / weights.sum() == pytest.approx(0.2)
    assert weights.sum() == pytest.approx(len(IS_DCM))
