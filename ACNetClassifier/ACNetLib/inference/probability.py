"""From a network's log odds to a probability that means something.

A network's log odds are those of DCM in the population that it was trained for, plus what it makes of the picture. A
temperature divides the second part, which so becomes the log likelihood ratio; by Bayes' rule another population
replaces the first part only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ACNetLib.errors import ACNetError


def sigmoid(log_odds: float) -> float:
    """The probability of log odds of any size."""
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    return math.exp(log_odds) / (1 + math.exp(log_odds))


def log_odds_of(probability: float) -> float:
    return math.log(probability / (1 - probability))


def calibrated(
    network_log_odds: float, sections: int, temperatures: Sequence[float], training_prior_dcm: float
) -> float:
    """Log odds at the training prior from the network's own, the mean over so many sections.

    temperatures: of one section, of two, ...; the last one also of more. Sections of one patient err together, so how
    much surer than one their mean is has to be measured.
    """
    prior = log_odds_of(training_prior_dcm)
    return prior + (network_log_odds - prior) / temperatures[min(sections, len(temperatures)) - 1]


def at_prevalence(log_odds: float, training_prior_dcm: float, prevalence_dcm: float) -> float:
    """Calibrated log odds for another share of DCM among those examined than the training's."""
    return log_odds - log_odds_of(training_prior_dcm) + log_odds_of(prevalence_dcm)


def check_prevalence(prevalence_dcm: float) -> None:
    """Raises ACNetError for what is no share of DCM among those examined."""
    if not 0 < prevalence_dcm < 1:
        raise ACNetError(
            f"prevalence: found {prevalence_dcm:g}; expected the share of DCM among those examined, "
            "above 0 and below 1."
        )
