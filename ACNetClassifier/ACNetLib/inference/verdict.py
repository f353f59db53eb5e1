"""The verdict on a study, by its probability and by how unlike the training's hearts it is.

The limits are in the model's card: `uncertain_range`, 0.2 to 0.8 where it says nothing else. Those of the outside score
are in its weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Literal

from ACNetLib.models.card import ModelCard
from ACNetLib.reference.t1 import ReferenceT1

Verdict = Literal["normal", "dcm", "uncertain", "outside"]
"""outside: the study's slices are unlike the hearts that the model was trained on, whatever its probability."""

SCOPE = "DCM against normal only. Any other disease may still be labelled DCM or normal."


def verdict(probability_dcm: float, uncertain_range: tuple[float, float]) -> Verdict:
    """`normal` below the range, `dcm` from its end on, `uncertain` within."""
    low, high = uncertain_range
    if probability_dcm >= high:
        return "dcm"
    return "normal" if probability_dcm < low else "uncertain"


def uncertain_range_of(card: ModelCard, reference: ReferenceT1 | None) -> tuple[float, float]:
    """The rule for a map that the model sees in the scale of its training, or the wider one for any other map."""
    if reference is not None and card.normal_t1_ms is not None:
        return card.uncertain_range
    return card.uncertain_range_without_reference or card.uncertain_range


def is_outside(scores: Sequence[float], limits: Sequence[float]) -> bool:
    """Whether the slices of a study are together unlike the training's hearts; never where the model can't tell.

    limits: for the mean of one score, of two, ...; the last one also of more.
    """
    if not limits or any(map(math.isnan, scores)):
        return False
    return fmean(scores) > outside_limit(len(scores), limits)


def outside_limit(count: int, limits: Sequence[float]) -> float:
    """For the mean of so many scores."""
    return limits[min(count, len(limits)) - 1]
