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
from ..evaluation.metrics import FloatArray
from ..evaluation.truth_table import has_truth_table
from ..training.predictions import Predictions, fit_temperatures
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
    complete_missing(runs, runs_folder, workers)
    entries = [
        {"network": run.network, "number": run.number, "folder": run_folder(runs_folder, run).name} for run in runs
    ]
    if request.protocol == HONEST:
        entries += _baselines([run for run in runs if run.network == runs[0].network], runs_folder)
    first = runs[0]
    record = {
        **made_by,
        "protocol": request.protocol,
        "simulated": any(case.is_simulated for case in (*first.training, *first.tested)),
        "field_strength_tesla": first.tested[0].field_strength_tesla,
        "request": _cuts(request, runs),
        "learning_rates": {run.network: run.recipe.optimization.learning_rate for run in runs},
        "training": count_cases(first.training),
        "tests": {cohort.name: count_cases(cohort.cases) for cohort in first.tests},
        "leaks": asdict(leaks(runs)),
        "runs": entries,
    }
    write_json(output / RUNS_FILE, record, indent=1)


def complete_missing(runs: Sequence[Run], runs_folder: Path, workers: Workers) -> None:
    """Do the trainings that are not done. Raises ACNetError like `train`."""
    to_do = [run for run in runs if not is_done(run_folder(runs_folder, run))]
    workers.say(f"{len(runs)} trainings, {len(runs) - len(to_do)} of them done before")
    if to_do:
        complete_all(to_do, runs_folder, workers)


def _cuts(request: Request, runs: Sequence[Run]) -> dict[str, Any]:
    return {
        "numbers": sorted({run.number for run in runs}),
        "epochs": runs[0].recipe.optimization.epochs,
        "slices": request.slices or "all",
        "fresh_test_libraries": len(request.test_libraries),
    }


def _baselines(runs: Sequence[Run], runs_folder: Path) -> list[dict[str, Any]]:
    """The simple baselines on the same patients: fitted to those that the networks are fitted to, their temperatures
    on those that the networks' are. Those that need measures are left out where the cases have none."""
    entries = []
    for run in runs:
        training = CaseLibrary(run.training_folder, run.training)
        tests = [CaseLibrary(cohort.folder, cohort.cases) for cohort in run.tests]
        settings = run.recipe.optimization
        fitted, held_back = split_patients(training, settings.validation_fraction, settings.seed)
        for name, measures in BASELINES.items():
            if measures and not all(has_truth_table(each.folder) for each in (training, *tests)):
                continue
            validation = Predictions(held_back, _log_odds(name, training, fitted, training, held_back))
            folder = f"{BASELINE}-{name}-seed{run.number}"
            prior = float(np.mean([case.is_dcm for case in fitted]))
            outcome = Outcome(
                log_odds={
                    cohort.name: _log_odds(name, training, fitted, test, cohort.cases)
                    for cohort, test in zip(run.tests, tests, strict=True)
                },
                temperatures=fit_temperatures(validation, prior) if measures else (1.0,),
                training_prior_dcm=prior,
                decision_threshold=prior if measures else 0.5,
                best_epoch=0,
            )
            write_outcome(runs_folder / folder, run.tests, outcome)
            entries.append({"network": f"{BASELINE}-{name}", "number": run.number, "folder": folder})
    return entries


def _log_odds(
    name: str, training: CaseLibrary, fitted: Sequence[Case], library: CaseLibrary, cases: Sequence[Case]
) -> FloatArray:
    probability = baseline_probabilities(name, training, fitted, cases, library)
    return np.asarray(logit(np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)))
