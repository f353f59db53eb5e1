"""A model where image quality is poor, beside a regression on what a reader measures.

Simulated patients are acquired worse and worse in one respect at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.model import Model
from ACNetLib.t1map.section import INTENSITY_MAX, SECTION_SIZE, SECTION_SPACING_MM, IntensityScaling, to_intensity
from ACNetLib.worker_pool import worker_pool

from ..evaluation.baselines import MEASURES, measures_regression
from ..evaluation.metrics import BoolArray, FloatArray, auroc, bootstrap, bootstrap_difference
from ..evaluation.true_measures import FOLDS
from ..evaluation.wording import estimate_text
from ..simulation.cohort import Cohort
from ..simulation.patient import Patient, Scan
from ..simulation.section import measure_with_truth, simulate_section
from .simulated_crops import MapArray, crop_around_truth, log_odds_dcm

FEWEST_PATIENTS = 2 * FOLDS
"""As many of each class as the regression has folds."""
BAND_HZ = 185.0
"""Half of 1 / (2.7 ms), the repetition time. Farther off resonance balanced SSFP shows dark bands: not simulated."""
MIDDLE_MM = 30.0
"""The left ventricle and little else: in the whole crop, lung, whose signal is too low for a fit, makes most of the
error of any scan."""


@dataclass(frozen=True)
class Degradation:
    """One respect in which a scan gets worse. steps: the first leaves every scan as it was drawn.

    level: of a scan, in `unit`. apply: the scan at a step.
    """

    name: str
    unit: str
    step_name: str
    steps: tuple[float, ...]
    level: Callable[[Scan], float]
    apply: Callable[[Scan, float], Scan]


def _reacquired(scan: Scan, **changes: Any) -> Scan:
    return replace(scan, acquisition=replace(scan.acquisition, **changes))


DEGRADATIONS: dict[str, Degradation] = {
    "noise": Degradation(
        name="noise relative to the relaxed signal",
        unit="%",
        step_name="{:g} x",
        steps=(1, 2, 4, 6, 10),
        level=lambda scan: 100 * scan.acquisition.noise,
        apply=lambda scan, step: _reacquired(scan, noise=step * scan.acquisition.noise),
    ),
    "motion": Degradation(
        name="residual motion, root mean square",
        unit="mm",
        step_name="{:g} x",
        steps=(1, 2, 4, 6, 8),
        level=lambda scan: float(np.sqrt(np.mean(scan.acquisition.shifts_mm**2))),
        apply=lambda scan, step: _reacquired(scan, shifts_mm=step * scan.acquisition.shifts_mm),
    ),
    "resolution": Degradation(
        name="acquired resolution down the rows",
        unit="mm",
        step_name="{:.1f} mm or more",
        steps=(1.4, 2.1, 2.8, 4.2, 8.4),
        level=lambda scan: scan.acquisition.resolution_mm[0],
        apply=lambda scan, step: _reacquired(
            scan, resolution_mm=(max(step, scan.acquisition.resolution_mm[0]), scan.acquisition.resolution_mm[1])
        ),
    ),
    "off_resonance": Degradation(
        name="off-resonance at the lateral wall",
        unit="Hz",
        step_name="{:g} x",
        steps=(1, 1.5, 2, 3),
        level=lambda scan: scan.off_resonance_hz,
        apply=lambda scan, step: replace(
            scan, off_resonance_hz=max(scan.off_resonance_hz, min(step * scan.off_resonance_hz, BAND_HZ))
        ),
    ),
}

Condition = tuple[str, float]
"""A degradation by its key, and the step."""


@dataclass(frozen=True)
class _Acquired:
    """A patient's mid section, acquired once under each of C conditions.

    crops_ms: (C, 128, 128). measures: (C, 3), in the order of MEASURES; septal T1 is NaN where the wall is too thin.
    psnr_db: (C, 2), of the crop and of its middle. level: (C,).
    """

    crops_ms: MapArray
    measures: FloatArray
    psnr_db: FloatArray
    level: FloatArray


def judge_robustness(model: Model, patients: int, seed: int, device: DeviceChoice) -> dict[str, Any]:
    """AUROC on the mid sections of `patients` simulated patients, half of them with DCM, by degradation and step.

    The model sees the crop around the true centre. The regression measures the degraded map with the true masks and was
    fitted to undegraded maps of other patients. Takes FEWEST_PATIENTS or more.
    """
    cohort = Cohort(patients, 0.5, model.card.field_strength_tesla, seed)
    is_dcm = np.array([label == "dcm" for label in cohort.labels()])
    conditions = [(key, step) for key, degradation in DEGRADATIONS.items() for step in degradation.steps]
    log_odds, measures, psnr_db, level = [], [], [], []
    with worker_pool() as pool:
        jobs = ((patient, conditions, model.card.intensity) for patient in cohort.draw())
        for acquired in tqdm(
            pool.map(_acquire, *zip(*jobs, strict=True)), total=patients, unit="patient", disable=None
        ):
            log_odds.append(log_odds_dcm(model, acquired.crops_ms, device))
            measures.append(acquired.measures)
            psnr_db.append(acquired.psnr_db)
            level.append(acquired.level)
    return {
        "simulated": True,
        "field_strength_tesla": model.card.field_strength_tesla,
        "patients_normal": int((~is_dcm).sum()),
        "patients_dcm": int(is_dcm.sum()),
        "degradations": _results(
            conditions, np.stack(log_odds), np.stack(measures), np.stack(psnr_db), np.stack(level), is_dcm
        ),
    }


def _acquire(patient: Patient, conditions: list[Condition], intensity: IntensityScaling) -> _Acquired:
    with threadpool_limits(1):
        as_drawn = simulate_section(patient, "mid")
        true_crop = crop_around_truth(as_drawn, as_drawn.truth.t1_ms)
        crops, measures, psnr_db, level = [], [], [], []
        for key, step in conditions:
            degradation = DEGRADATIONS[key]
            scan = degradation.apply(patient.scan, step)
            first = step == degradation.steps[0]
            section = as_drawn if first else simulate_section(replace(patient, scan=scan), "mid")
            crops.append(crop_around_truth(section))
            measured = measure_with_truth(section)
            measures.append([getattr(measured, name) for name in MEASURES])
            error = to_intensity(crops[-1], intensity) - to_intensity(true_crop, intensity)
            psnr_db.append([peak_signal_to_noise_db(part) for part in (error, error[_in_middle()])])
            level.append(degradation.level(scan))
    return _Acquired(np.stack(crops), np.array(measures), np.array(psnr_db), np.array(level))


def peak_signal_to_noise_db(error: MapArray) -> float:
    """20 log10(255 / root mean square error), of sections as the network gets them, in [0, 255].

    The error is counted from the apparent T1 of the same pixels before the acquisition, of the scan as it was drawn.
    """
    return float(20 * np.log10(INTENSITY_MAX / np.sqrt(np.mean(np.square(error, dtype=np.float64)))))


def _in_middle() -> BoolArray:
    """The pixels of a crop within MIDDLE_MM of its centre."""
    row, column = np.indices((SECTION_SIZE, SECTION_SIZE)) - (SECTION_SIZE - 1) / 2
    return np.hypot(row, column) * SECTION_SPACING_MM < MIDDLE_MM


def regression_log_odds(as_drawn: FloatArray, degraded: FloatArray, is_dcm: BoolArray) -> FloatArray:
    """Logistic regression on measures (patients, 3): each patient's degraded ones, by a fit to the undegraded ones of
    the other four fifths."""
    log_odds = np.empty(len(is_dcm))
    for fitted, held_out in StratifiedKFold(FOLDS).split(as_drawn, is_dcm):
        regression = measures_regression().fit(as_drawn[fitted], is_dcm[fitted])
        log_odds[held_out] = regression.decision_function(degraded[held_out])
    return log_odds


def _results(  # noqa: PLR0913  # arrays of the same conditions
    conditions: list[Condition],
    log_odds: FloatArray,
    measures: FloatArray,
    psnr_db: FloatArray,
    level: FloatArray,
    is_dcm: BoolArray,
) -> dict[str, Any]:
    """By degradation one entry a step. log_odds, level: (patients, conditions); measures, psnr_db: one axis more."""
    results: dict[str, Any] = {
        key: {"name": degradation.name, "unit": degradation.unit, "steps": []}
        for key, degradation in DEGRADATIONS.items()
    }
    for index, (key, step) in enumerate(conditions):
        model = log_odds[:, index]
        # The first condition, as any first step, is the scan as it was drawn.
        regression = regression_log_odds(measures[:, 0], measures[:, index], is_dcm)
        steps = results[key]["steps"]
        steps.append(
            {
                "step": DEGRADATIONS[key].step_name.format(step) if steps else "as drawn",
                "level": round(float(level[:, index].mean()), 3),
                "psnr_crop_db": round(float(psnr_db[:, index, 0].mean()), 2),
                "psnr_middle_db": round(float(psnr_db[:, index, 1].mean()), 2),
                "mean_log_odds_normal": round(float(model[~is_dcm].mean()), 3),
                "mean_log_odds_dcm": round(float(model[is_dcm].mean()), 3),
                "auroc_model": asdict(bootstrap(auroc, model, is_dcm).rounded()),
                "auroc_regression": asdict(bootstrap(auroc, regression, is_dcm).rounded()),
                "auroc_model_minus_regression": asdict(bootstrap_difference(model, regression, is_dcm).rounded()),
            }
        )
    return results


def table(degradations: dict[str, Any]) -> str:
    """The result as Markdown: one line a degradation and step, AUROCs with their 95 % intervals."""
    columns = [
        "simulated scans",
        "step",
        "level",
        "PSNR, crop [dB]",
        "PSNR, middle [dB]",
        "log odds, normal",
        "log odds, DCM",
        "AUROC, ACNet",
        "AUROC, regression",
        "difference",
    ]
    head = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    rows = [
        _row(degradation["name"], degradation["unit"], step)
        for degradation in degradations.values()
        for step in degradation["steps"]
    ]
    return "\n".join([*head, *rows])


def _row(name: str, unit: str, step: dict[str, Any]) -> str:
    estimates = [
        estimate_text(step[estimate])
        for estimate in ("auroc_model", "auroc_regression", "auroc_model_minus_regression")
    ]
    numbers = ("psnr_crop_db", "psnr_middle_db", "mean_log_odds_normal", "mean_log_odds_dcm")
    cells = [name, step["step"], f"{step['level']:.3g} {unit}", *(f"{step[name]:.1f}" for name in numbers), *estimates]
    return f"| {' | '.join(cells)} |"
