"""The measures of a cross-validation, beside those of the present model on the same patients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ACNetLib.models.card import ModelCard

from ..cases.library import LABELS, CaseLibrary
from ..evaluation.evaluate import FEWEST_PATIENTS
from ..evaluation.metrics import BoolArray, FloatArray, Metric, auroc, bootstrap_all, threshold_metrics
from ..training.publishing import METRICS
from ..training.train import count_cases
from .predictions import OutOfFold, Predictions, Said

BY_SOURCE = "by_source"
LOG_ODDS, MARGIN = 0, 1
"""What is known of a patient. AUROC goes by the first, decisions by the second: each fold has its own threshold."""


def summarize(
    library: CaseLibrary, found: Sequence[OutOfFold], present: Predictions, present_card: ModelCard
) -> dict[str, Any]:
    """Measures over patients with 95 % intervals, as the final model's card says them.

    A measure is that of each repeat, averaged over the repeats; the intervals are over resampled patients, each with
    what all repeats say of it. "by_source" is there where the library knows two sources or more.
    """
    is_dcm = {case.patient: case.is_dcm for case in library.cases}
    repeats = sorted({each.fold.repeat for each in found})
    said = [_of_repeat(found, repeat) for repeat in repeats]

    def measured(patients: Sequence[str]) -> dict[str, Any]:
        return _measures(_MEASURES, _scores(patients, said), _truth(patients, is_dcm))

    retrained, as_it_is = _scores(library.patients, said), _scores(library.patients, [present.patients] * len(said))
    truth = _truth(library.patients, is_dcm)
    return {
        "simulated": any(case.is_simulated for case in library.cases),
        "cases": count_cases(library.cases),
        "cross_validated": {"folds": found[0].fold.of, "repeats": len(repeats)},
        **measured(library.patients),
        "present_model": {"name": present_card.name, **_measures(_MEASURES, as_it_is, truth)},
        "retrained_minus_present": _measures(_DIFFERENCES, np.concatenate([retrained, as_it_is], axis=2), truth),
        **_by_source(library, is_dcm, measured),
    }


def _of_repeat(found: Iterable[OutOfFold], repeat: int) -> dict[str, Said]:
    return {
        patient: said for each in found if each.fold.repeat == repeat for patient, said in each.said.patients.items()
    }


def _scores(patients: Sequence[str], repeats: Sequence[Mapping[str, Said]]) -> FloatArray:
    """(patients, repeats, 2): log odds and margins."""
    return np.array([[(said[patient].log_odds, said[patient].margin) for said in repeats] for patient in patients])


def _truth(patients: Sequence[str], is_dcm: Mapping[str, bool]) -> BoolArray:
    return np.array([is_dcm[patient] for patient in patients])


def _mean_over_repeats(metric: Metric, quantity: int) -> Metric:
    """Of scores (patients, repeats, 2)."""
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


def _measures(metrics: Mapping[str, Metric], scores: FloatArray, is_dcm: BoolArray) -> dict[str, Any]:
    return {name: asdict(value.rounded()) for name, value in bootstrap_all(metrics, scores, is_dcm).items()}


def _by_source(
    library: CaseLibrary, is_dcm: Mapping[str, bool], measured: Callable[[Sequence[str]], dict[str, Any]]
) -> dict[str, Any]:
    """Measures of the patients of each source, such as a hospital; counts alone where a class is too small for them."""
    source: dict[str, str] = {}
    for case in library.cases:
        source.setdefault(case.patient, case.source)
    sources = sorted(set(source.values()))
    if len(sources) < 2:
        return {}
    groups = {}
    for name in sources:
        patients = [patient for patient in library.patients if source[patient] == name]
        dcm = sum(is_dcm[patient] for patient in patients)
        counts = dict(zip((f"patients_{label}" for label in LABELS), (len(patients) - dcm, dcm), strict=True))
        groups[name] = {**counts, **(measured(patients) if min(counts.values()) >= FEWEST_PATIENTS else {})}
    return {BY_SOURCE: groups}
