"""Whether two classifiers differ on the same patients: DeLong's test of AUROCs, and Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from .metrics import NO_WIDTH, BoolArray, Estimate, FloatArray, auroc, bootstrap

Z_95 = float(norm.ppf(0.975))


@dataclass(frozen=True)
class PairedTest:
    """difference: of two AUROCs, with its 95 % interval. p_value: two-sided, of no difference."""

    difference: Estimate
    p_value: float


def delong_covariance(scores: FloatArray, truth: BoolArray) -> tuple[FloatArray, FloatArray]:
    """AUROCs (k,) of k classifiers and their covariance (k, k) over patients, by DeLong et al. (Biometrics 1988).

    scores: (k, n), higher for DCM. truth: (n,), some of each class, each patient once. The placements come from
    midranks, as X. Sun and W. Xu have it (IEEE Signal Processing Letters 2014), so that time grows with n log n.
    """
    dcm, normal = scores[:, truth], scores[:, ~truth]
    dcm_count, normal_count = dcm.shape[1], normal.shape[1]
    ranks = rankdata(scores, axis=1)
    # Of each DCM patient the share of normals ranked below, of each normal one the share of DCM ranked above.
    dcm_placements = (ranks[:, truth] - rankdata(dcm, axis=1)) / normal_count
    normal_placements = 1 - (ranks[:, ~truth] - rankdata(normal, axis=1)) / dcm_count
    covariance = sum(
        np.atleast_2d(np.cov(placements)) / placements.shape[1] for placements in (dcm_placements, normal_placements)
    )
    return dcm_placements.mean(axis=1), np.asarray(covariance)


def delong_test(first: FloatArray, second: FloatArray, truth: BoolArray) -> PairedTest:
    """AUROC of `first` less AUROC of `second`, scores (k, n) each: of several trainings the mean AUROC counts.

    The interval is over patients, the trainings being given: what another seed would have changed is not in it.
    Where every patient shows the same difference, as between a faultless order and none, it has no variance: then the
    p-value is that of a sign test of as many pairs of a DCM and a normal patient as share no patient, and the interval
    that of a bootstrap in which no draw differs.
    """
    scores = np.concatenate([first, second])
    aurocs, covariance = delong_covariance(scores, truth)
    contrast = np.concatenate([np.full(len(part), sign / len(part)) for part, sign in ((first, 1), (second, -1))])

    def mean_difference(drawn: FloatArray, is_dcm: BoolArray) -> float:
        return float(contrast @ [auroc(column, is_dcm) for column in drawn.T])

    difference = float(contrast @ aurocs)
    error = float(np.sqrt(max(contrast @ covariance @ contrast, 0.0)))
    if error < NO_WIDTH:
        pairs = min(int(truth.sum()), int((~truth).sum()))
        p_value = 1.0 if abs(difference) < NO_WIDTH else 2.0 ** (1 - pairs)
        return PairedTest(bootstrap(mean_difference, scores.T, truth), p_value)
    p_value = float(2 * norm.sf(abs(difference) / error))
    return PairedTest(Estimate(difference, difference - Z_95 * error, difference + Z_95 * error), p_value)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for their number (S. Holm, Scandinavian Journal of Statistics 1979)."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable").tolist()):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected
