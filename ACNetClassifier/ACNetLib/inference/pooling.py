"""How the log odds of a study's sections become one probability and a verdict.

It needs no torch: a result that was opened with a scene can be pooled again where the network can't run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from ACNetLib.errors import ACNetError
from ACNetLib.inference.probability import at_prevalence, calibrated, sigmoid
from ACNetLib.inference.verdict import Verdict, uncertain_range_of, verdict
from ACNetLib.models.card import ModelCard
from ACNetLib.reference.t1 import ReferenceT1


@dataclass(frozen=True)
class Pooling:
    """What turns the log odds of sections into the probability of their study."""

    temperatures: tuple[float, ...]
    training_prior_dcm: float
    prevalence_dcm: float
    uncertain_range: tuple[float, float]

    def log_odds(self, network_log_odds: Sequence[float]) -> float:
        """Calibrated, at the prevalence, from the network's own log odds of the sections."""
        prior = self.training_prior_dcm
        at_prior = calibrated(fmean(network_log_odds), len(network_log_odds), self.temperatures, prior)
        return at_prevalence(at_prior, prior, self.prevalence_dcm)


@dataclass(frozen=True)
class Pooled:
    """A study's probability, its lowest and highest value when the slices are moved and turned, and the verdict."""

    probability_dcm: float
    stability: tuple[float, float]
    verdict: Verdict


def pool(network_log_odds: Sequence[Sequence[float]], pooling: Pooling) -> Pooled:
    """One probability from the mean log odds of the sections, one sequence each as in SectionRecord.

    Of a single section it is that section's own.

    Raises ACNetError when no section is left.
    """
    if not network_log_odds:
        raise ACNetError("sections: all are left out; expected at least one that counts.")
    log_odds, *around = (pooling.log_odds(each) for each in zip(*network_log_odds, strict=True))
    probability = sigmoid(log_odds)
    return Pooled(
        probability,
        (sigmoid(min(log_odds, *around)), sigmoid(max(log_odds, *around))),
        verdict(probability, pooling.uncertain_range),
    )


def pooling_of(card: ModelCard, prevalence_dcm: float, reference: ReferenceT1 | None) -> Pooling:
    uncertain_range = uncertain_range_of(card, reference)
    return Pooling(card.temperatures, card.training_prior_dcm, prevalence_dcm, uncertain_range)


def is_called_dcm(network_log_odds: Sequence[float], card: ModelCard) -> bool:
    """What a study is called where two classes must be told apart, whatever the share of DCM among those examined."""
    prior = card.training_prior_dcm
    log_odds = calibrated(fmean(network_log_odds), len(network_log_odds), card.temperatures, prior)
    return sigmoid(log_odds) >= card.decision_threshold


def t1_factor(card: ModelCard, reference: ReferenceT1 | None) -> float:
    """What brings T1 of the reference's scanner to that of the model's training; 1 where a normal is not known."""
    if reference is None or card.normal_t1_ms is None:
        return 1.0
    return card.normal_t1_ms[0] / reference.mean_ms


def median_of_known(values: Iterable[float]) -> float:
    """NaN where none is known. Of the slices of a study: base and apex, which see more blood, have no say alone."""
    known = [value for value in values if not math.isnan(value)]
    return median(known) if known else math.nan
