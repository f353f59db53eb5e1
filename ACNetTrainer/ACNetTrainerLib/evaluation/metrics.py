"""How well a classifier tells DCM from normal, with intervals over patients. DCM is the positive class throughout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import binomtest, rankdata

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IndexArray = NDArray[np.int64]
Metric = Callable[[FloatArray, BoolArray], float]

BOOTSTRAP_SAMPLES, BOOTSTRAP_SEED = 2000, 0
CALIBRATION_BINS = 10
FURTHER_PATIENTS = 4
"""Where all n patients are right, Wilson's 95 % interval of the share begins at n / (n + 3.84): as if about four more
had come, all of them wrong."""
FAR_LOG_ODDS, SAME_LOG_ODDS = 1e6, 1e-3
NO_WIDTH = 1e-9


@dataclass(frozen=True)
class Resampling:
    """How an interval is drawn."""

    seed: int = BOOTSTRAP_SEED
    samples: int = BOOTSTRAP_SAMPLES


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    def rounded(self) -> Estimate:
        return Estimate(*(round(value, 4) for value in asdict(self).values()))


NO_DIFFERENCE = Estimate(0.0, 0.0, 0.0)


def share_estimate(count: int, of: int) -> Estimate:
    """A share with its Wilson 95 % interval."""
    interval = binomtest(count, of).proportion_ci(method="wilson")
    return Estimate(count / of, float(interval.low), float(interval.high)).rounded()


def threshold_metrics(threshold: float) -> dict[str, Metric]:
    """Measures of decisions at a probability threshold, as functions of log odds and truth."""
    cut = np.log(threshold / (1 - threshold))
    return {
        "recall_dcm": lambda scores, truth: float((scores[truth] >= cut).mean()),
        "recall_normal": lambda scores, truth: float((scores[~truth] < cut).mean()),
        "balanced_accuracy": lambda scores, truth: float(
            ((scores[truth] >= cut).mean() + (scores[~truth] < cut).mean()) / 2
        ),
        "mcc": lambda scores, truth: _correlation(scores >= cut, truth),
    }


def probability_metrics(prevalence_dcm: float) -> dict[str, Metric]:
    """Measures of the probabilities, as functions of log odds and truth, at the prevalence that these refer to.

    Brier score and expected calibration error, patients weighted to that prevalence. scikit-learn's Brier score is the
    same, and its checks are two thirds of the time of a bootstrap.
    """

    def brier(log_odds: FloatArray, truth: BoolArray) -> float:
        return float(np.average((expit(log_odds) - truth) ** 2, weights=prevalence_weights(truth, prevalence_dcm)))

    def ece(log_odds: FloatArray, truth: BoolArray) -> float:
        return expected_calibration_error(expit(log_odds), truth, prevalence_weights(truth, prevalence_dcm))

    return {"brier": brier, "ece": ece}


@dataclass(frozen=True)
class Reliability:
    """What is said and what is true, by bin: mean probability, share of DCM, and weight, (bins,) each."""

    said: FloatArray
    true: FloatArray
    weight: FloatArray


def reliability(
    probability_dcm: FloatArray, is_dcm: BoolArray, weights: FloatArray, bins: int = CALIBRATION_BINS
) -> Reliability:
    """All arrays (n,). Bins of equal weight, so that each has its say and none is nearly empty; empty ones are left
    out. Patients with the same probability have the share of DCM among them, in whatever order they come."""
    order = np.argsort(probability_dcm, kind="stable")
    said, weight = probability_dcm[order], weights[order] / weights.sum()
    _, tied = np.unique(said, return_inverse=True)
    truth = (np.bincount(tied, weight * is_dcm[order]) / np.bincount(tied, weight))[tied]
    number = np.minimum(((np.cumsum(weight) - weight / 2) * bins).astype(int), bins - 1)
    total = np.bincount(number, weight, bins).astype(np.float64)
    filled = total > 0
    mean_said, mean_true = (np.bincount(number, weight * part, bins)[filled] / total[filled] for part in (said, truth))
    return Reliability(mean_said, mean_true, total[filled])


def expected_calibration_error(
    probability_dcm: FloatArray, is_dcm: BoolArray, weights: FloatArray, bins: int = CALIBRATION_BINS
) -> float:
    """Mean distance between what is said and what is true, over bins that hold the same weight (Guo et al. 2017)."""
    found = reliability(probability_dcm, is_dcm, weights, bins)
    return float((found.weight * np.abs(found.said - found.true)).sum())


def prevalence_weights(is_dcm: BoolArray, prevalence_dcm: float) -> FloatArray:
    """What each patient must weigh (n,) for the share of DCM to be `prevalence_dcm`."""
    share = is_dcm.mean()
    return np.where(is_dcm, prevalence_dcm / share, (1 - prevalence_dcm) / (1 - share))


def auroc(scores: FloatArray, truth: BoolArray) -> float:
    """Share of the pairs of a DCM and a normal patient in the right order (a tie counts half), from the rank sum.

    Twenty times as fast as scikit-learn's, which counts in a bootstrap.
    """
    dcm, normal = int(truth.sum()), int((~truth).sum())
    return float((rankdata(scores)[truth].sum() - dcm * (dcm + 1) / 2) / (dcm * normal))


def auprc(scores: FloatArray, truth: BoolArray) -> float:
    """Average precision with DCM as the positive class; its chance level is the share of DCM among the cases.

    Those with the same score are called together. As scikit-learn's, whose checks are most of a bootstrap's time.
    """
    order = np.argsort(-scores, kind="stable")
    descending = scores[order]
    last = np.append(np.diff(descending) != 0, True)
    hits, called = np.cumsum(truth[order])[last], np.flatnonzero(last) + 1
    return float((np.diff(hits, prepend=0) * hits / called).sum() / truth.sum())


def _correlation(said: BoolArray, truth: BoolArray) -> float:
    """Matthews' correlation; 0 when the same is said of all."""
    return float(np.corrcoef(said, truth)[0, 1]) if said.any() and not said.all() else 0.0


def bootstrap(
    metric: Metric, scores: FloatArray, truth: BoolArray, seed: int = BOOTSTRAP_SEED, samples: int = BOOTSTRAP_SAMPLES
) -> Estimate:
    """A measure with its interval over resampled patients, of one score and one truth a patient."""
    return bootstrap_all({"": metric}, scores, truth, resampling=Resampling(seed, samples))[""]


def say_the_same(first: FloatArray, second: FloatArray) -> bool:
    """Whether two models have the same log odds of every patient, but for rounding."""
    return np.allclose(first, second, rtol=0, atol=SAME_LOG_ODDS)


def bootstrap_difference(
    first: FloatArray, second: FloatArray, truth: BoolArray, seed: int = BOOTSTRAP_SEED
) -> Estimate:
    """AUROC of `first` less AUROC of `second`, (n,) each, on the same resampled patients.

    Two that say the same of every patient do not differ.
    """
    if say_the_same(first, second):
        return NO_DIFFERENCE

    def difference(pairs: FloatArray, is_dcm: BoolArray) -> float:
        return auroc(pairs[:, 0], is_dcm) - auroc(pairs[:, 1], is_dcm)

    return bootstrap(difference, np.stack([first, second], axis=1), truth, seed)


def bootstrap_all(
    metrics: Mapping[str, Metric],
    scores: FloatArray,
    truth: BoolArray,
    patients: IndexArray | None = None,
    resampling: Resampling = Resampling(),
) -> dict[str, Estimate]:
    """Measures with their percentile intervals over the same resampled patients; each class is resampled by itself.

    scores: (n,), or (n, k) for measures of several. truth: (n,). One row a patient or, with `patients` (n,), the number
    of the patient of each row: all rows of a patient are drawn together. Where no draw differs, as of patients who are
    all right, the interval is that of `_with_further_patients`, unless the scores say the same of all.
    """
    rng = np.random.default_rng(resampling.seed)
    groups = [np.array([index]) for index in range(len(truth))]
    if patients is not None:
        groups = [np.flatnonzero(patients == number) for number in range(patients.max() + 1)]
    is_dcm = np.array([truth[group[0]] for group in groups])
    dcm, normal = np.flatnonzero(is_dcm), np.flatnonzero(~is_dcm)
    values = []
    for _ in range(resampling.samples):
        drawn = np.concatenate([rng.choice(dcm, len(dcm)), rng.choice(normal, len(normal))])
        if patients is not None:
            drawn = np.concatenate([groups[number] for number in drawn])
        drawn_scores, drawn_truth = scores[drawn], truth[drawn]
        values.append([metric(drawn_scores, drawn_truth) for metric in metrics.values()])
    limits = np.percentile(values, [2.5, 97.5], axis=0).T.tolist()
    rows, tells = round(FURTHER_PATIENTS * len(truth) / len(groups)), bool(np.ptp(scores, axis=0).any())
    estimates = {}
    for (name, metric), (low, high) in zip(metrics.items(), limits, strict=True):
        if tells and high - low < NO_WIDTH:
            further = _with_further_patients(metric, scores, truth, rows)
            low, high = min(low, *further), max(high, *further)
        estimates[name] = Estimate(metric(scores, truth), low, high)
    return estimates


def _with_further_patients(metric: Metric, scores: FloatArray, truth: BoolArray, rows: int) -> list[float]:
    """What a measure would be with so many rows more of one class, scored below or above all others.

    Patients drawn from those who are all right are all right, too, so a bootstrap can't tell what the next ones would
    show. A share has Wilson's interval here, nearly. An AUROC of 1 has that of the smaller class: it puts as many pairs
    that share no patient in the right order. Of two models' scores, one's columns before the other's, the further
    patients are also scored above all others by the one and below by the other.
    """
    columns = scores.shape[-1] if scores.ndim > 1 else 1
    both = np.ones(columns)
    either = np.where(np.arange(columns) < columns / 2, 1.0, -1.0)
    return [
        metric(
            np.concatenate([scores, np.broadcast_to(FAR_LOG_ODDS * signs, (rows, *scores.shape[1:]))]),
            np.append(truth, np.full(rows, is_dcm)),
        )
        for is_dcm in (False, True)
        for signs in (both, -both, either, -either)
    ]
