"""Measuring the simulator: how hard its patients are to tell apart, what gives the class away, how real its maps look.

Everything is measured on the fitted map of each patient's mid section, in one pass over the patients. What the bands
mean: Documentation/simulation.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from ACNetLib.worker_pool import worker_pool

from ..evaluation.baselines import measures_regression
from ..evaluation.metrics import BoolArray, Estimate, FloatArray, auroc, bootstrap
from .anatomy_checks import anatomy_checks
from .check import Check
from .cohort import Cohort
from .measurement import MeasuredSection, measure_patient
from .real_hearts import WALL_T1_SPREAD_MS

FEWEST_PATIENTS_PER_CLASS = 10
SEED = 0
"""Of the resampling, the folds and the lots below; the patients have their own."""
LEAK_REPEATS = 4
LEAK_LOTS = 50
AS_AT_3_T = "as at 3 T"


Band = tuple[float, float, str]

DIFFICULTY_BANDS: dict[str, Band] = {
    "septal T1": (0.82, 0.88, "standardised difference 1.48 (van den Boomen 2018): 0.85"),
    "cavity area": (0.88, 0.92, "set: mild DCM and large healthy hearts overlap"),
    "regression on T1, area, wall": (0.94, 0.97, "set: both signs together"),
}
LEAK_BAND: Band = (0.45, 0.55, "0.5: no knowledge of the class")
# 3 T: measured on three in-vivo native short-axis maps. 1.5 T: no map was at hand, the literature where it has figures.
REALISM_BANDS: dict[float, dict[str, Band]] = {
    1.5: {
        "myocardium, median [ms]": (970, 1060, "normal 996 (Granitz 2019), DCM 45 more (Minegishi 2019)"),
        "LV blood, median [ms]": (1480, 1620, "1538 to 1550"),
        "RV blood, median [ms]": (1480, 1620, "1538 to 1550"),
        "liver, median [ms]": (550, 620, "586"),
        "fat, median [ms]": (300, 390, "343"),
        "lung, median [ms]": (1000, 1500, AS_AT_3_T),
        "lung, standard deviation [ms]": (450, 650, AS_AT_3_T),
        "endocardial edge, 10-90 % [pixels]": (3.0, 4.0, AS_AT_3_T),
        "section, 1st percentile [ms]": (0, 150, AS_AT_3_T),
        "section, 99th percentile [ms]": (1550, 2600, AS_AT_3_T),
    },
    3.0: {
        "myocardium, median [ms]": (1150, 1290, "1166 to 1266"),
        "LV blood, median [ms]": (1720, 1870, "1750 to 1832"),
        "RV blood, median [ms]": (1700, 1860, "1730 to 1834"),
        "liver, median [ms]": (800, 890, "828 to 864"),
        "fat, median [ms]": (310, 430, "330 to 410"),
        "lung, median [ms]": (1050, 1500, "1092 to 1478"),
        "lung, standard deviation [ms]": (450, 650, "480 to 620"),
        "endocardial edge, 10-90 % [pixels]": (3.0, 4.0, "3 to 4"),
        "section, 1st percentile [ms]": (0, 150, "72"),
        "section, 99th percentile [ms]": (1550, 2600, "2075"),
    },
}


@dataclass(frozen=True)
class Validation:
    """The checks, and what stands beside them.

    classes: mean and SD of each measure by class. intervals: of the AUROCs, over patients. leak_by_lot: mean and SD of
    the same leak measure where the patients' labels are drawn by lot.
    """

    checks: tuple[Check, ...]
    classes: dict[str, dict[str, dict[str, float]]]
    intervals: dict[str, Estimate]
    leak_by_lot: dict[str, float]

    def table(self) -> str:
        """The checks as text, one a line; ! marks a value outside its band."""
        head = f"{'':52}{'measured':>9}    {'band':18} from life, or set"
        lines = [
            f"{c.group:12}{c.name:40}{c.value:9.4g}  {' ' if c.within else '!'} "
            f"{f'{c.low:.4g} to {c.high:.4g}':18} {c.reference}"
            for c in self.checks
        ]
        return "\n".join([head, *lines])

    def to_json(self) -> dict[str, Any]:
        return {"simulated": True, **asdict(self), "checks": [check.to_json() for check in self.checks]}


def validate(patients_per_class: int, field_strength_tesla: float, seed: int) -> Validation:
    """Simulate as many patients of each class and measure them; the same arguments always give the same numbers."""
    cohort = Cohort(2 * patients_per_class, 0.5, field_strength_tesla, seed)
    patients = list(cohort.draw())
    with worker_pool() as pool:
        results = pool.map(measure_patient, patients, chunksize=4)
        sections = list(tqdm(results, total=cohort.patients, unit="patient", disable=None))
    is_dcm = np.array([section.is_dcm for section in sections])
    scores = _difficulty_scores(sections, is_dcm)
    background = np.stack([section.background for section in sections])
    return Validation(
        checks=(
            *(Check("AUROC", name, auroc(scores[name], is_dcm), *band) for name, band in DIFFICULTY_BANDS.items()),
            Check("AUROC", "map outside the heart", leak_auroc(background, is_dcm), *LEAK_BAND),
            *_realism(sections, field_strength_tesla),
            *_wall_spread(sections),
            *anatomy_checks(patients),
        ),
        classes={label: _statistics(sections, is_dcm == dcm) for label, dcm in (("normal", False), ("dcm", True))},
        intervals={name: bootstrap(auroc, values, is_dcm).rounded() for name, values in scores.items()},
        leak_by_lot=_leak_by_lot(background, is_dcm),
    )


def _measures(sections: Sequence[MeasuredSection]) -> dict[str, FloatArray]:
    return {name: np.array([getattr(s.measures, name) for s in sections]) for name in asdict(sections[0].measures)}


def _difficulty_scores(sections: Sequence[MeasuredSection], is_dcm: BoolArray) -> dict[str, FloatArray]:
    """For each name in DIFFICULTY_BANDS one score a patient, higher for DCM."""
    measures = _measures(sections)
    # A wall too thin for a mid-wall pixel has no septal T1; the mean says nothing for either class.
    t1 = np.nan_to_num(measures["septal_t1_ms"], nan=float(np.nanmean(measures["septal_t1_ms"])))
    area, wall = measures["cavity_area_mm2"], measures["wall_thickness_mm"]
    features = np.stack([t1, area, wall], axis=1)
    regression = cross_val_predict(measures_regression(), features, is_dcm, cv=5, method="decision_function")
    return dict(zip(DIFFICULTY_BANDS, (t1, area, regression), strict=True))


def leak_auroc(features: FloatArray, is_dcm: BoolArray) -> float:
    """AUROC of a logistic regression on `features`, (patients, features), in patients that it was not fitted to.

    The mean over held-out folds: each fold's patients are independent of its fit, so pure chance gives 0.5 on average.
    (Scores pooled over folds would give less: a fold's intercept leans away from the labels that were left out.)
    """
    folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=LEAK_REPEATS, random_state=SEED)
    regression = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    return float(cross_val_score(regression, features, is_dcm, cv=folds, scoring="roc_auc").mean())


def _leak_by_lot(features: FloatArray, is_dcm: BoolArray) -> dict[str, float]:
    rng = np.random.default_rng(SEED)
    values = [leak_auroc(features, rng.permutation(is_dcm)) for _ in range(LEAK_LOTS)]
    return {"mean": round(float(np.mean(values)), 4), "sd": round(float(np.std(values, ddof=1)), 4)}


def _realism(sections: Sequence[MeasuredSection], field_strength_tesla: float) -> list[Check]:
    """Means over patients of each patient's value; organs that a map does not show are left out."""
    return [
        Check("realism", name, float(np.nanmean([section.appearance[name] for section in sections])), *band)
        for name, band in REALISM_BANDS[field_strength_tesla].items()
    ]


def _wall_spread(sections: Sequence[MeasuredSection]) -> list[Check]:
    """Means over patients of how T1 is spread within one patient's wall."""
    return [
        Check(
            "realism",
            f"wall, {name} [ms]",
            float(np.nanmean([section.wall_spread[name] for section in sections])),
            mean - sd,
            mean + sd,
            f"{mean:g} ({sd:g})",
        )
        for name, (mean, sd) in WALL_T1_SPREAD_MS.items()
    ]


def _statistics(sections: Sequence[MeasuredSection], chosen: BoolArray) -> dict[str, dict[str, float]]:
    return {
        name: {"mean": round(float(np.nanmean(values[chosen])), 2), "sd": round(float(np.nanstd(values[chosen])), 2)}
        for name, values in _measures(sections).items()
    }
