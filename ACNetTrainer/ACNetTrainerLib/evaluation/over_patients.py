"""Means over slices and measures of patients, with intervals over resampled patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from .metrics import BOOTSTRAP_SAMPLES, Estimate, bootstrap_difference, share_estimate

SEED = 1


class OverPatients:
    """Means over slices, and measures of log odds over patients, with 95 % intervals over resampled patients; each
    class is resampled by itself, once for all measures.
    """

    def __init__(self, patients: Sequence[str], is_dcm: NDArray[np.bool_]) -> None:
        _, self._number = np.unique(patients, return_inverse=True)
        self.is_dcm = is_dcm
        self._patient_is_dcm = np.bincount(self._number, is_dcm) > 0
        rng = np.random.default_rng(SEED)
        self._drawn = np.zeros((BOOTSTRAP_SAMPLES, len(self._patient_is_dcm)))
        for of_class in (self._patient_is_dcm, ~self._patient_is_dcm):
            count = int(of_class.sum())
            if count:
                self._drawn[:, of_class] = rng.multinomial(count, np.full(count, 1 / count), BOOTSTRAP_SAMPLES)

    def mean(self, values: NDArray[np.floating], chosen: NDArray[np.bool_] | None = None) -> dict[str, float]:
        """Of the slices that are chosen and whose value is known."""
        known = np.isfinite(values) if chosen is None else np.isfinite(values) & chosen
        return self.ratio(np.stack([np.where(known, values, 0), known], axis=1))

    def share(self, chosen: NDArray[np.bool_]) -> dict[str, float]:
        """Of the slices. Where all are chosen, or none, no draw differs: it is then Wilson's of as many patients."""
        if chosen.any() and not chosen.all():
            return self.mean(chosen.astype(np.float64))
        patients = len(self._patient_is_dcm)
        return asdict(share_estimate(patients if chosen.all() else 0, patients))

    def ratio(self, values: NDArray[np.floating]) -> dict[str, float]:
        """Of the sums of the two columns (n, 2)."""
        above, below = (np.bincount(self._number, column.astype(np.float64)) for column in values.T)
        drawn_below = self._drawn @ below
        drawn = (self._drawn @ above)[drawn_below > 0] / drawn_below[drawn_below > 0]
        low, high = np.percentile(drawn, [2.5, 97.5])
        return asdict(Estimate(float(above.sum() / below.sum()), float(low), float(high)).rounded())

    def auroc_difference(self, log_odds: NDArray[np.float64], other: NDArray[np.float64]) -> dict[str, float]:
        def of_patients(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.bincount(self._number, values) / np.bincount(self._number)

        found = bootstrap_difference(of_patients(log_odds), of_patients(other), self._patient_is_dcm, SEED)
        return asdict(found.rounded())
