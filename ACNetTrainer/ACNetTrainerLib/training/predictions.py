"""What a network says of cases, by section and by patient, and the temperatures that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from ACNetLib.inference.probability import calibrated, log_odds_of

from ..cases.library import Case
from .split import FEWEST_HELD_BACK
from .task import balanced_log_loss

MOST_SECTIONS = 4
"""Studies of so many sections, and of more, have one temperature."""
FEWEST_PATIENTS = 5
"""Of each class, to fit the temperature of so many sections: that of fewer sections is taken else, and 1 of one."""
LOG_TEMPERATURES = (-6.0, 6.0)
"""Wide: after a short training a deep network's log odds are as small as a hundredth of what its answers are worth."""


@dataclass(frozen=True)
class Predictions:
    """The network's own log odds of DCM, one a case, in the order of `cases`."""

    cases: tuple[Case, ...]
    log_odds: NDArray[np.float64]

    @property
    def is_dcm(self) -> NDArray[np.bool_]:
        return np.array([case.is_dcm for case in self.cases])

    def by_patient(
        self, temperatures: Sequence[float] = (1.0,), training_prior_dcm: float = 0.5
    ) -> tuple[list[str], NDArray[np.float64], NDArray[np.bool_]]:
        """Patients, the log odds of their studies, and whether they have DCM. Without temperatures the mean of the
        network's own."""
        patients, sections, is_dcm = self._sections()
        log_odds = [calibrated(each.mean(), len(each), temperatures, training_prior_dcm) for each in sections]
        return patients, np.array(log_odds), is_dcm

    def means_of(self, count: int) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
        """Mean log odds of every choice of so many of a patient's sections, of MOST_SECTIONS and more all at once.

        Whether the patient has DCM, and the weight of the choice: those of a patient have 1 together, for a whole
        stack has 165 choices of three and would outvote a hundred patients with three sections.
        """
        means: list[float] = []
        truth: list[bool] = []
        weights: list[float] = []
        for values, is_dcm in zip(*self._sections()[1:], strict=True):
            if count < MOST_SECTIONS:
                chosen = [float(np.mean(choice)) for choice in combinations(values, count)]
            else:
                chosen = [float(values.mean())] * (len(values) >= count)
            means += chosen
            truth += [bool(is_dcm)] * len(chosen)
            weights += [1 / len(chosen)] * len(chosen) if chosen else []
        return np.array(means), np.array(truth, bool), np.array(weights)

    def patients_with(self, count: int) -> tuple[int, int]:
        """How many normal and how many DCM patients have at least so many sections."""
        _, sections, is_dcm = self._sections()
        enough = np.array([len(each) >= count for each in sections])
        return int((enough & ~is_dcm).sum()), int((enough & is_dcm).sum())

    def _sections(self) -> tuple[list[str], list[NDArray[np.float64]], NDArray[np.bool_]]:
        """Patients, the log odds of the sections of each, and whether they have DCM."""
        values: dict[str, list[float]] = {}
        for case, log_odds in zip(self.cases, self.log_odds.tolist(), strict=True):
            values.setdefault(case.patient, []).append(log_odds)
        with_dcm = {case.patient for case in self.cases if case.is_dcm}
        return list(values), [np.array(each) for each in values.values()], np.array([p in with_dcm for p in values])


def fit_temperatures(predictions: Predictions, training_prior_dcm: float) -> tuple[float, ...]:
    """Of one section, of the mean over two, over three, and over more, as far as there are patients with so many.

    Fewer than FEWEST_HELD_BACK of a class make the network no surer than it is, or than fewer sections make it. Fewer
    than FEWEST_PATIENTS change nothing: one who is a little wrong would make it almost silent.
    """
    prior = log_odds_of(training_prior_dcm)
    temperatures: list[float] = []
    for count in range(1, MOST_SECTIONS + 1):
        if min(predictions.patients_with(count)) < FEWEST_PATIENTS:
            break
        means, is_dcm, weights = predictions.means_of(count)
        lowest = 0.0 if _are_enough(predictions, count) else min([1.0, *temperatures])
        temperatures.append(max(lowest, fit_temperature(means - prior, is_dcm, weights)))
    return tuple(temperatures) or (1.0,)


def fitted_on(predictions: Predictions, temperatures: Sequence[float]) -> dict[str, Any]:
    """What the card's `training` says as "fitted_on": on how many patients the temperatures were chosen.

    fitted: false where these were too few to decide alone.
    """

    def with_sections(count: int) -> dict[str, Any]:
        normal, dcm = predictions.patients_with(count)
        return {"fitted": _are_enough(predictions, count), "patients_normal": normal, "patients_dcm": dcm}

    return {"temperatures": [with_sections(count) for count in range(1, len(temperatures) + 1)]}


def _are_enough(predictions: Predictions, count: int) -> bool:
    return min(predictions.patients_with(count)) >= FEWEST_HELD_BACK


def fit_temperature(
    evidence: NDArray[np.float64], is_dcm: NDArray[np.bool_], weights: NDArray[np.float64] | None = None
) -> float:
    """What to divide evidence by, log odds without those of the training prior, to make it log likelihood ratios.

    Both classes weigh the same: evidence refers to neither share of DCM, so it is measured where both are as frequent.
    1 where all evidence is for the right class, as of few patients it can be: it has no largest likelihood there, for
    the surer all of it is said, the likelier it is.
    """
    if (evidence[is_dcm] >= 0).all() and (evidence[~is_dcm] <= 0).all():
        return 1.0
    result = minimize_scalar(
        lambda log_t: balanced_log_loss(evidence / np.exp(log_t), is_dcm, weights),
        bounds=LOG_TEMPERATURES,
        method="bounded",
    )
    return float(np.exp(result.x))
