"""How often a verdict is given, how often it is wrong, and sets of classes that hold the true one as often as promised.

Split conformal prediction by class (Vovk 2012): of patients whom no training has seen a half sets the limits, one for
each class, and the others are judged by them. The promise holds for patients like those of that half; elsewhere it has
to be measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from scipy.special import expit

from ACNetLib.errors import ACNetError
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.model import Model

from ..cases.library import LABELS, CaseLibrary
from ..evaluation.metrics import BoolArray, FloatArray, share_estimate
from ..evaluation.scores import score_patients

LEVEL = 0.9
"""Of the patients of each class, so many shall have their class in the set."""
FEWEST_PATIENTS = 18
"""Of each class: a half of 9 is the smallest with so high a limit."""
CUT_OFFS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""A verdict where the probability of one class is at least so high; the model's own rule is among them."""


def judge_coverage(
    model: Model, library: CaseLibrary, others: Mapping[str, CaseLibrary], device: DeviceChoice
) -> dict[str, Any]:
    """`coverage` of a model on libraries, by the probabilities of studies at the model's own prior."""

    def scored(of_library: CaseLibrary) -> tuple[FloatArray, BoolArray]:
        scores = score_patients(model, of_library, device)
        return scores.log_odds, scores.is_dcm

    return coverage(*scored(library), {name: scored(other) for name, other in others.items()})


def coverage(
    log_odds: FloatArray, is_dcm: BoolArray, others: Mapping[str, tuple[FloatArray, BoolArray]]
) -> dict[str, Any]:
    """Limits by every other patient of each class; coverage and errors of their other half, "home", and of the others.

    log_odds: of DCM, (patients,). Raises ACNetError where a class has too few patients for its limit.
    """
    first = np.zeros(len(is_dcm), bool)
    for label_is_dcm in (False, True):  # each class is halved, however the table is sorted
        first[np.flatnonzero(is_dcm == label_is_dcm)[::2]] = True
    limits = {}
    for label in LABELS:
        of_class = first & (is_dcm == (label == "dcm"))
        if (count := int((is_dcm == (label == "dcm")).sum())) < FEWEST_PATIENTS:
            raise ACNetError(f"cases: {count} patients labelled {label}; expected {FEWEST_PATIENTS} or more.")
        limits[label] = _limit(_strangeness(expit(log_odds[of_class]), label == "dcm"))
    halves = {"home": (log_odds[~first], is_dcm[~first]), **others}
    return {
        "level": LEVEL,
        "limits": limits,
        **{name: _judged(expit(of_others), truth, limits) for name, (of_others, truth) in halves.items()},
    }


def _strangeness(probability_dcm: FloatArray, is_dcm: bool) -> FloatArray:
    """How strange each patient would be in a class."""
    return 1 - probability_dcm if is_dcm else probability_dcm


def _limit(strangeness: FloatArray) -> float:
    place = math.ceil(LEVEL * (len(strangeness) + 1))
    return float(np.sort(strangeness)[place - 1])


def _judged(probability_dcm: FloatArray, is_dcm: BoolArray, limits: Mapping[str, float]) -> dict[str, Any]:
    within = {label: _strangeness(probability_dcm, label == "dcm") <= limits[label] for label in LABELS}
    has_true = np.where(is_dcm, within["dcm"], within["normal"])
    count = within["dcm"].astype(int) + within["normal"]
    return {
        "patients": len(is_dcm),
        "coverage": _share(has_true),
        **{f"coverage_{label}": _share(has_true[is_dcm == (label == "dcm")]) for label in LABELS},
        "one_class": _share(count == 1),
        "both_classes": _share(count == 2),
        "no_class": _share(count == 0),
        "verdict_given_and_wrong": [_given_and_wrong(probability_dcm, is_dcm, cut_off) for cut_off in CUT_OFFS],
    }


def _given_and_wrong(probability_dcm: FloatArray, is_dcm: BoolArray, cut_off: float) -> dict[str, Any]:
    given = np.maximum(probability_dcm, 1 - probability_dcm) >= cut_off
    wrong = (probability_dcm >= 0.5) != is_dcm
    return {"cut_off": cut_off, "given": _share(given), "wrong_of_these": _share(wrong[given])}


def _share(chosen: BoolArray) -> dict[str, float] | None:
    """With the Wilson 95 % interval; None of nobody."""
    if not len(chosen):
        return None
    return asdict(share_estimate(int(chosen.sum()), len(chosen)))
