"""A model beside what the true measures of simulated patients say of the same patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from sklearn.model_selection import cross_val_predict

from ..cases.library import LABELS, CaseLibrary
from .baselines import MEASURES, measures_regression
from .metrics import BoolArray, FloatArray, IndexArray, auroc, bootstrap, bootstrap_difference
from .scores import PatientScores
from .truth_table import measure_in, read_truth_table

MATCHED_PAIR_TOLERANCE_SD = 0.1
FOLDS = 5
"""Of the regression; each class needs as many patients."""
CROSS_FITTED = "the other four fifths of these patients"
"""What the regression on the true measures is fitted to where the training's cases are not given."""


def against_measures(
    scores: PatientScores, library: CaseLibrary, training_library: CaseLibrary | None
) -> dict[str, Any]:
    """What regressions on the true measures say of the patients whose measures are known, and the model of the same.

    A real patient who was added to a simulated library has none. Where too few of a class are left, only the counts,
    and why. Raises ACNetError when a table of measures is damaged.
    """
    measures, known = known_measures(library, scores.patients)
    log_odds, truth = scores.log_odds[known], scores.is_dcm[known]
    counts = {"patients": int(known.sum()), "patients_without_measures": int((~known).sum())}
    if (reason := _too_few(truth, "to compare")) is not None:
        return {**counts, "not_compared": reason}
    if training_library is None:
        regression, fitted_to = measures_log_odds(measures, truth), CROSS_FITTED
    else:
        _, fitted_is_dcm = _training_measures(training_library)
        if (reason := _too_few(fitted_is_dcm, "among the training's cases")) is not None:
            return {**counts, "not_compared": reason}
        regression = trained_measures_log_odds(measures, training_library)
        fitted_to = f"the {len(fitted_is_dcm)} patients of the training"
    difference = bootstrap_difference(log_odds, regression, truth)
    size_matched = matched_patients(measures["cavity_area_mm2"], truth)
    t1_matched = matched_patients(measures["septal_t1_ms"], truth)
    return {
        **counts,
        "regression_fitted_to": fitted_to,
        "auroc_septal_t1": auroc(measures["septal_t1_ms"], truth),
        "auroc_cavity_area": auroc(measures["cavity_area_mm2"], truth),
        "auroc_logistic_regression": asdict(bootstrap(auroc, regression, truth).rounded()),
        "auroc_model_minus_regression": asdict(difference.rounded()),
        "size_matched": _subgroup(log_odds, regression, truth, size_matched),
        "t1_matched": _subgroup(log_odds, regression, truth, t1_matched),
    }


def _too_few(is_dcm: BoolArray, where: str) -> str | None:
    for label, count in zip(LABELS, ((~is_dcm).sum(), is_dcm.sum()), strict=True):
        if count < FOLDS:
            return f"true measures are known of {count} patients labelled {label} {where}; expected at least {FOLDS}"
    return None


def known_measures(library: CaseLibrary, patients: Sequence[str]) -> tuple[dict[str, FloatArray], BoolArray]:
    """Septal T1, cavity area and wall thickness of the mid slice of each patient that the table has, in the order of
    `patients`, and which these are (patients,). Raises ACNetError when the table is missing or damaged.
    """
    table = read_truth_table(library.folder, ("patient", "level", *MEASURES))
    mid = {row.cells["patient"]: row for row in table.rows if row.cells["level"] == "mid"}
    known = np.array([patient in mid for patient in patients], bool)
    of_known = [mid[patient] for patient in patients if patient in mid]
    measures = {name: np.array([measure_in(table, row, name) for row in of_known], np.float64) for name in MEASURES}
    return {name: _with_mean_for_nan(values) for name, values in measures.items()}, known


def _with_mean_for_nan(values: FloatArray) -> FloatArray:
    """A wall too thin for a mid-wall pixel has no septal T1; the mean says nothing for either class."""
    is_known = ~np.isnan(values)
    return np.where(is_known, values, values[is_known].mean() if is_known.any() else 0.0)


def _training_measures(training: CaseLibrary) -> tuple[dict[str, FloatArray], BoolArray]:
    """Of the training patients whose measures are known, and which of them have DCM."""
    measures, known = known_measures(training, training.patients)
    dcm = {case.patient for case in training.cases if case.is_dcm}
    return measures, np.array([patient in dcm for patient in training.patients], bool)[known]


def measures_log_odds(measures: Mapping[str, FloatArray], is_dcm: BoolArray) -> FloatArray:
    """Logistic regression on the three measures, each patient predicted by a fit to the other four fifths."""
    features = _features(measures)
    return np.asarray(cross_val_predict(measures_regression(), features, is_dcm, cv=FOLDS, method="decision_function"))


def trained_measures_log_odds(measures: Mapping[str, FloatArray], training: CaseLibrary) -> FloatArray:
    """Logistic regression on the three measures, fitted to the training patients."""
    fitted, is_dcm = _training_measures(training)
    regression = measures_regression().fit(_features(fitted), is_dcm)
    return np.asarray(regression.decision_function(_features(measures)))


def _features(measures: Mapping[str, FloatArray]) -> FloatArray:
    return np.stack([measures[name] for name in MEASURES], axis=1)


def matched_patients(values: FloatArray, is_dcm: BoolArray) -> IndexArray:
    """Indices of pairs, one patient of each class, whose values differ by at most a tenth of a standard deviation.

    Greedy, nearest first; each patient is used once.
    """
    dcm, normal = np.flatnonzero(is_dcm), np.flatnonzero(~is_dcm)
    distance = np.abs(values[dcm][:, None] - values[normal][None])
    tolerance = MATCHED_PAIR_TOLERANCE_SD * values.std()
    used_dcm, used_normal, chosen = set[int](), set[int](), list[int]()
    for flat in np.argsort(distance, axis=None):
        i, j = divmod(int(flat), len(normal))
        if distance[i, j] > tolerance:
            break
        if i in used_dcm or j in used_normal:
            continue
        used_dcm.add(i)
        used_normal.add(j)
        chosen += [int(dcm[i]), int(normal[j])]
    return np.array(sorted(chosen), dtype=int)


def _subgroup(log_odds: FloatArray, regression: FloatArray, is_dcm: BoolArray, index: IndexArray) -> dict[str, Any]:
    if not len(index):
        return {"patients": 0}
    truth = is_dcm[index]
    return {
        "patients": len(index),
        "auroc": asdict(bootstrap(auroc, log_odds[index], truth).rounded()),
        "auroc_logistic_regression": auroc(regression[index], truth),
    }
