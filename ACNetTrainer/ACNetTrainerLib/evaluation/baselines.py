"""The simple baselines that every network has to beat: the majority class, and logistic regressions on what a reader
measures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ACNetLib.errors import ACNetError

from ..cases.library import TRUTH_TABLE_NAME, Case, CaseLibrary
from .metrics import FloatArray
from .truth_table import measure_in, read_truth_table, rows_of_cases

SEPTAL_T1 = ("septal_t1_ms",)
SIZE = ("cavity_area_mm2", "wall_thickness_mm")
MEASURES = SEPTAL_T1 + SIZE

BASELINES: dict[str, tuple[str, ...]] = {
    "majority-class": (),
    "septal-t1": SEPTAL_T1,
    "size": SIZE,
    "septal-t1-and-size": MEASURES,
}
"""Each baseline and the measures that it sees."""


def measures_regression() -> Pipeline:
    """Logistic regression on standardized measures.

    A missing one, as septal T1 where the wall is too thin for a mid-wall pixel, counts as the mean of the cases fitted
    to: it then says nothing for either class.
    """
    return make_pipeline(SimpleImputer(strategy="mean"), StandardScaler(), LogisticRegression())


def baseline_probabilities(
    name: str,
    library: CaseLibrary,
    training: Sequence[Case],
    test: Sequence[Case],
    test_library: CaseLibrary | None = None,
) -> FloatArray:
    """The probability of DCM (n,) of each test case by a baseline fitted to the training cases, some of each class.

    The test cases are of the same library where no other is given. The probability refers to the training cases' share
    of DCM, and for the majority class it is that share. Raises ACNetError when a library has no table of measures, or
    the table lacks a case or holds what is no number.
    """
    is_dcm = np.array([case.is_dcm for case in training])
    measures = BASELINES[name]
    if not measures:
        return np.full(len(test), is_dcm.mean())
    fitted = read_measures(library, training, measures)
    for measure, values in zip(measures, fitted.T, strict=True):
        if np.isnan(values).all():
            raise ACNetError(
                f"{library.folder / TRUTH_TABLE_NAME}: none of {len(training)} training cases has a {measure}."
            )
    regression = measures_regression().fit(fitted, is_dcm)
    return np.asarray(regression.predict_proba(read_measures(test_library or library, test, measures))[:, 1])


def read_measures(library: CaseLibrary, cases: Sequence[Case], measures: Sequence[str]) -> FloatArray:
    """What the library's table of measures has of these cases, (cases, measures); NaN where it is empty or says nan.

    Raises ACNetError like `baseline_probabilities`.
    """
    table = read_truth_table(library.folder, ("case", *measures))
    rows = rows_of_cases(table, cases)
    values = [[measure_in(table, row, name) for name in measures] for row in rows]
    return np.array(values, np.float64).reshape(len(cases), len(measures))
