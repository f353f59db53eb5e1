"""A comparison of networks: its trainings, then its tables, figures and report, which need no training.

The output folder holds `runs.json`, what was done; `runs/`, a folder of small files a training; and what is made of
these: `comparison.json`, pictures and `report.html`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logit

from ACNetLib.files import write_json

from ..cases.library import Case, CaseLibrary
from ..evaluation.baselines import BASELINES, baseline_probabilities
from ..evaluation.metrics import FloatArray, youden_threshold
from ..evaluation.truth_table import has_truth_table
from ..training.predictions import Predictions
from ..training.split import split_patients
from ..training.train import count_cases
from . import HONEST
from .cache import run_folder
from .files import RUNS_FILE, RUNS_FOLDER, is_done, write_outcome
from .protocols import Request, leaks, plan
from .training import Outcome, Run
from .workers import Workers, complete_all

BASELINE = "baseline"
SMALLEST_PROBABILITY = 1e-6


def compare(
    library: CaseLibrary,
    request: Request,
    output: Path,
    workers: Workers,
    made_by: Mapping[str, Any],
) -> None:
    """Do the trainings that are not done and write `runs.json`. made_by: of `provenance`.

    Raises ACNetError like `plan` and `train`.
    """
    runs = plan(library, request)
    runs_folder = output / RUNS_FOLDER
    to_do = [run for run in runs if not is_done(run_folder(runs_folder, run))]
    workers.say(f"{len(runs)} trainings, {len(runs) - len(to_do)} of them done before")
    if to_do:
        complete_all(to_do, runs_folder, workers)
    entries = [
        {"network": run.network, "number": run.number, "folder": run_folder(runs_folder, run).name} for run in runs
    ]
    if request.protocol == HONEST:
        entries += _baselines([run for run in runs if run.network == runs[0].network], runs_folder)
    first = runs[0]
    record = {
        **made_by,
        "protocol": request.protocol,
        "simulated": any(case.is_simulated for case in (*first.training, *first.test)),
        "field_strength_tesla": first.test[0].field_strength_tesla,
        "request": _cuts(request, runs),
        "training": count_cases(first.training),
        "test": count_cases(first.test),
        "leaks": asdict(leaks(runs)),
        "runs": entries,
    }
    write_json(output / RUNS_FILE, record, indent=1)


def _cuts(request: Request, runs: Sequence[Run]) -> dict[str, Any]:
    return {
        "numbers": sorted({run.number for run in runs}),
        "epochs": runs[0].recipe.optimization.epochs,
        "patients": request.patients or "all",
        "middle_sections": request.middle_sections,
        "fresh_test_library": request.test_library is not None,
    }


def _baselines(runs: Sequence[Run], runs_folder: Path) -> list[dict[str, Any]]:
    """The simple baselines on the same patients: fitted to those that the networks are fitted to, the threshold chosen
    on those that theirs is chosen on. Those that need measures are left out where the cases have none."""
    entries = []
    for run in runs:
        training = CaseLibrary(run.training_folder, run.training)
        test = CaseLibrary(run.test_folder, run.test)
        settings = run.recipe.optimization
        fitted, held_back = split_patients(training, settings.validation_fraction, settings.seed)
        for name, measures in BASELINES.items():
            if measures and not all(has_truth_table(each.folder) for each in (training, test)):
                continue
            validation = Predictions(held_back, _log_odds(name, training, fitted, training, held_back))
            _, patient_log_odds, is_dcm = validation.by_patient()
            folder = f"{BASELINE}-{name}-seed{run.number}"
            outcome = Outcome(
                log_odds=_log_odds(name, training, fitted, test, run.test),
                temperatures=(1.0,),
                training_prior_dcm=0.5,
                decision_threshold=youden_threshold(patient_log_odds, is_dcm) if measures else 0.5,
                best_epoch=0,
            )
            write_outcome(runs_folder / folder, run.test, outcome)
            entries.append({"network": f"{BASELINE}-{name}", "number": run.number, "folder": folder})
    return entries


def _log_odds(
    name: str, training: CaseLibrary, fitted: Sequence[Case], library: CaseLibrary, cases: Sequence[Case]
) -> FloatArray:
    probability = baseline_probabilities(name, training, fitted, cases, library)
    return np.asarray(logit(np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)))
