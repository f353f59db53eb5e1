"""The verdict on a study, by its probability and by how unlike the training's hearts it is.

The limits are in the model's card: `uncertain_range`, 0.2 to 0.8 where it says nothing else, and `outside_limits`:
ACNetLib.inference.outside.
"""

from __future__ import annotations

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
