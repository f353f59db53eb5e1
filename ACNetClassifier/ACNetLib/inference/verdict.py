"""The verdict on a study, by its probability and by how unlike the training's hearts it is.

The limits are in the model's card: `uncertain_range`, 0.2 to 0.8 where it says nothing else, and `outside_limits`:
ACNetLib.inference.outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from statistics import fmean
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ACNetLib.models.card import ModelCard
    from ACNetLib.reference.t1 import ReferenceT1

Verdict = Literal["normal", "dcm", "uncertain", "outside"]
"""outside: the study's slices are unlike the hearts that the model was trained on, whatever its probability."""

LARGEST_MISSING = 0.15
"""Of the crops, outside the map or masked: of maps that miss more the answer moves too far (robustness.md)."""

SCOPE = "DCM against normal only. Any other disease may still be labelled DCM or normal."


def verdict(probability_dcm: float, uncertain_range: tuple[float, float]) -> Verdict:
    """`normal` below the range, `dcm` from its end on, `uncertain` within."""
    low, high = uncertain_range
    if probability_dcm >= high:
        return "dcm"
    return "normal" if probability_dcm < low else "uncertain"


def decimals_beside(probability: float, limits: Sequence[float], least: int) -> int:
    """So many decimals that the rounded probability has the verdict of the whole one: 0.7996 beside 0.8 is no 0.800."""
    return next(
        decimals
        for decimals in count(least)
        if all((round(probability, decimals) < limit) == (probability < limit) for limit in limits)
    )


def uncertain_range_of(card: ModelCard, reference: ReferenceT1 | None) -> tuple[float, float]:
    """The rule for a map that the model sees in the scale of its training, or the wider one for any other map."""
    if reference is not None and card.normal_t1_ms is not None:
        return card.uncertain_range
    return card.uncertain_range_without_reference or card.uncertain_range


def incomplete(missing_fractions: Sequence[float]) -> str:
    """What is said where more of the crops is missing than the answer is stable for; empty else.

    missing_fractions: of each slice's crop, outside the map or masked.
    """
    missing = fmean(missing_fractions) if missing_fractions else 0.0
    if missing <= LARGEST_MISSING:
        return ""
    return f"{missing:.0%} of the crops is missing or masked in the map, more than {LARGEST_MISSING:.0%}"
