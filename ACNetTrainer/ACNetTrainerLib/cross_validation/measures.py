"""Measures of what models say of patients, with 95 % intervals over patients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ..cases.library import CaseLibrary
from ..evaluation.metrics import (
    NO_DIFFERENCE,
    BoolArray,
    FloatArray,
    Metric,
    auroc,
    bootstrap_all,
    say_the_same,
    threshold_metrics,
)
from ..training.publishing import METRICS
from .predictions import OutOfFold, Said

LOG_ODDS, MARGIN = 0, 1
"""What is known of a patient. AUROC goes by the first, decisions by the second: each fold has its own threshold."""


def said_by_repeat(found: Iterable[OutOfFold]) -> list[dict[str, Said]]:
    """What is said of each patient, a dictionary a repeat."""
    said: dict[int, dict[str, Said]] = {}
    for each in found:
        said.setdefault(each.fold.repeat, {}).update(each.said.patients)
    return [said[repeat] for repeat in sorted(said)]


def scores_of(patients: Sequence[str], said: Sequence[Mapping[str, Said]]) -> FloatArray:
    """(patients, repeats, 2): log odds and margins."""
    return np.array([[(each[patient].log_odds, each[patient].margin) for each in said] for patient in patients])


def truth_of(patients: Sequence[str], library: CaseLibrary) -> BoolArray:
    """Whether each has DCM."""
    is_dcm = {case.patient: case.is_dcm for case in library.cases}
    return np.array([is_dcm[patient] for patient in patients])


def measures(scores: FloatArray, truth: BoolArray) -> dict[str, Any]:
    """Of scores (patients, repeats, 2): the mean over the repeats, and intervals over patients, each with all its
    repeats."""
    return _bootstrapped(_MEASURES, scores, truth)


def differences(one: FloatArray, other: FloatArray, truth: BoolArray) -> dict[str, Any]:
    """Measures of the one less those of the other, on the same resampled patients; 0 where they say the same of all."""
    if say_the_same(one, other):
        return dict.fromkeys(_DIFFERENCES, asdict(NO_DIFFERENCE))
    return _bootstrapped(_DIFFERENCES, np.concatenate([one, other], axis=2), truth)


def _bootstrapped(metrics: Mapping[str, Metric], scores: FloatArray, truth: BoolArray) -> dict[str, Any]:
    return {name: asdict(value.rounded()) for name, value in bootstrap_all(metrics, scores, truth).items()}


def _mean_over_repeats(metric: Metric, quantity: int) -> Metric:
    return lambda scores, is_dcm: float(np.mean([metric(values, is_dcm) for values in scores[:, :, quantity].T]))


def _difference(metric: Metric) -> Metric:
    """Of two models' scores one after the other, (patients, repeats, 4)."""
    return lambda scores, is_dcm: metric(scores[:, :, :2], is_dcm) - metric(scores[:, :, 2:], is_dcm)


_AT_THRESHOLD = threshold_metrics(0.5)  # whose log odds are 0, where margins begin
_MEASURES = {
    name: _mean_over_repeats(auroc, LOG_ODDS) if name == "auroc" else _mean_over_repeats(_AT_THRESHOLD[name], MARGIN)
    for name in METRICS
}
_DIFFERENCES = {name: _difference(metric) for name, metric in _MEASURES.items()}
