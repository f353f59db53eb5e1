"""What a model must know to be used in a site's own scale of T1: the normal of its training, and what it costs not to
know that of the site."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from ACNetLib.inference.pooling import median_of_known
from ACNetLib.inference.verdict import uncertain_range_of
from ACNetLib.models.card import UNCERTAIN_RANGE, ModelCard, read_card
from ACNetLib.models.store import model_for_field
from ACNetLib.ventricle.labels import Ventricle, measure_ventricle, ventricles_at_point

from ..cases.library import Case, CaseLibrary
from ..evaluation.metrics import BoolArray, FloatArray, auroc
from ..evaluation.truth_table import has_truth_table, measure_in, read_truth_table
from .split import FEWEST_HELD_BACK

if TYPE_CHECKING:
    from ..cases.maps import LoadLocalizer

FEWEST_PATIENTS = 5
"""Of normal ones whose septal T1 is known, for their mean and standard deviation to be anybody's normal."""

T1_FACTOR_SD = 0.04
"""How far scanners and sequences of one kind lie apart in T1."""
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
T1_FACTORS, FACTOR_WEIGHTS = 1 + T1_FACTOR_SD * _NODES, _WEIGHTS / _WEIGHTS.sum()
"""Five factors that stand for all, and how many sites each stands for (Gauss-Hermite quadrature)."""

LIMITS = tuple(percent / 100 for percent in range(round(100 * UNCERTAIN_RANGE[0]), 1, -1))
"""Lower ends of the uncertain range that are tried, from the usual one down to 0.02."""


@dataclass(frozen=True)
class CostOfUnknownReference:
    """What an unknown factor on T1 does to a model, on validation patients.

    wrong, wrong_with_bias: share of patients with a wrong verdict, both classes weighing the same. lower_limit: of the
    narrowest uncertain range with which that share is no larger than where the factor is known.
    """

    t1_factor_sd: float
    auroc: float
    auroc_with_bias: float
    wrong: float
    wrong_with_bias: float
    lower_limit: float

    @property
    def uncertain_range(self) -> tuple[float, float]:
        return self.lower_limit, round(1 - self.lower_limit, 2)


def cost_of_unknown_reference(log_odds_at: Callable[[float], FloatArray], is_dcm: BoolArray) -> CostOfUnknownReference:
    """log_odds_at: the calibrated log odds of the patients (n,) when all their T1 is multiplied by a factor."""
    biased = np.stack([log_odds_at(float(factor)) for factor in T1_FACTORS])  # (factors, n)
    known = biased[len(T1_FACTORS) // 2]
    wrong = _share_wrong(known[np.newaxis], np.ones(1), is_dcm, LIMITS[0])
    wrong_by_limit = {limit: _share_wrong(biased, FACTOR_WEIGHTS, is_dcm, limit) for limit in LIMITS}
    auroc_with_bias = roc_auc_score(
        np.tile(is_dcm, len(T1_FACTORS)), biased.ravel(), sample_weight=np.repeat(FACTOR_WEIGHTS, len(is_dcm))
    )
    return CostOfUnknownReference(
        t1_factor_sd=T1_FACTOR_SD,
        auroc=round(auroc(known, is_dcm), 4),
        auroc_with_bias=round(float(auroc_with_bias), 4),
        wrong=round(wrong, 4),
        wrong_with_bias=round(wrong_by_limit[LIMITS[0]], 4),
        lower_limit=next((limit for limit, share in wrong_by_limit.items() if share <= wrong), LIMITS[-1]),
    )


def range_without_reference(
    cost: CostOfUnknownReference, is_dcm: BoolArray, parent: ModelCard | None, field_strength_tesla: float
) -> tuple[tuple[float, float], str]:
    """Where a model is uncertain that is given no reference T1, and whose range that is, "" for its own.

    Of fewer patients of a class than FEWEST_HELD_BACK it is the parent's, else that of the shipped model for the field
    strength: that of a few would be the narrowest or the widest by chance.
    """
    if min(is_dcm.sum(), (~is_dcm).sum()) >= FEWEST_HELD_BACK:
        return cost.uncertain_range, ""
    lender = parent
    if lender is None or lender.uncertain_range_without_reference is None:
        lender = read_card(model_for_field(field_strength_tesla))
    return uncertain_range_of(lender, reference=None), lender.name


def _share_wrong(log_odds: FloatArray, weights: FloatArray, is_dcm: BoolArray, limit: float) -> float:
    """The share of patients with a wrong verdict by the range from `limit` to 1 - `limit`; log_odds: (factors, n)."""
    probability = expit(log_odds)
    wrong = weights @ np.where(is_dcm, probability < limit, probability >= 1 - limit)
    return float((wrong[is_dcm].mean() + wrong[~is_dcm].mean()) / 2)


def normal_t1_ms(library: CaseLibrary, cases: Sequence[Case]) -> tuple[float, float] | None:
    """Mean and standard deviation of the normal patients' septal T1 in ms; None where too few are known.

    A patient's is the median over the sections, as of a study that is classified.
    """
    measured = _measured_septal_t1(library)
    return _mean_and_sd(cases, lambda case: measured[case.case] if case.case in measured else _septal_t1(library, case))


def normal_t1_as_found(
    library: CaseLibrary, cases: Sequence[Case], load_localizer: LoadLocalizer
) -> tuple[tuple[float, float] | None, str]:
    """The same within the wall that the localizer finds around the cases' centres, as the classifier measures it: for a
    library without masks. With the localizer's name, "" where it was not asked."""
    if len({case.patient for case in cases if not case.is_dcm}) < FEWEST_PATIENTS:
        return None, ""
    localizer = load_localizer()

    def septal_t1(case: Case) -> float:
        t1_map = library.t1_map(case)
        (ventricle,) = ventricles_at_point(t1_map, case.center_mm, localizer.locate(t1_map))
        measures = measure_ventricle(t1_map, ventricle)
        return math.nan if measures is None else measures.septal_t1_ms

    return _mean_and_sd(cases, septal_t1), localizer.name


def _mean_and_sd(cases: Sequence[Case], septal_t1: Callable[[Case], float]) -> tuple[float, float] | None:
    patients = defaultdict[str, list[float]](list)
    for case in cases:
        if not case.is_dcm:
            patients[case.patient].append(septal_t1(case))
    known = [value for value in map(median_of_known, patients.values()) if not math.isnan(value)]
    if len(known) < FEWEST_PATIENTS:
        return None
    return round(float(np.mean(known)), 1), round(float(np.std(known, ddof=1)), 1)


def _measured_septal_t1(library: CaseLibrary) -> dict[str, float]:
    """What the table of a simulated library says of each of its cases; empty without one."""
    if not has_truth_table(library.folder):
        return {}
    table = read_truth_table(library.folder, ("case", "septal_t1_ms"))
    return {row.cells["case"]: measure_in(table, row, "septal_t1_ms") for row in table.rows}


def _septal_t1(library: CaseLibrary, case: Case) -> float:
    """Measured within the masks that a person drew; NaN without masks or where they don't tell the septum."""
    masks = library.masks(case)
    if masks is None:
        return math.nan
    t1_map = library.t1_map(case)
    masks = sitk.Resample(masks, t1_map.image, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0)
    labels = sitk.GetArrayFromImage(masks)[0].astype(np.uint8)
    measures = measure_ventricle(t1_map, Ventricle(0, np.array(case.center_mm), labels=labels))
    return math.nan if measures is None else measures.septal_t1_ms
