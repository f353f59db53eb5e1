"""The learning rate of each network, chosen alike: the same five for every network, on patients who test nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ACNetLib.errors import ACNetError
from ACNetLib.files import damage_named, read_json, write_json

from ..cases.library import CaseLibrary
from ..cases.table import write_table
from ..evaluation.metrics import BoolArray, FloatArray, auroc
from ..training.patients import patients_record, recorded_patients
from ..training.predictions import fit_temperature
from ..training.recipe import ACNET
from ..training.task import balanced_log_loss
from ..training.train import count_cases
from . import VARIANTS
from .cache import run_folder
from .comparison import complete_missing
from .files import RUNS_FOLDER, read_numbers
from .protocols import Request, plan
from .summary import read_patients
from .training import Run
from .workers import Workers

LEARNING_RATES = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
TUNING_FILE, TUNED_FILE = "tuning.csv", "tuned.json"
"""What came of every training, and the learning rates that are chosen."""
COLUMNS = ("network", "learning_rate", "cross_entropy", "auroc", "best_epoch", "epochs")
TUNE_AGAIN = "Run acnet-train compare-tune once more."


def tune(
    library: CaseLibrary, request: Request, output: Path, workers: Workers, made_by: Mapping[str, Any]
) -> dict[str, float]:
    """Train every network once at each of LEARNING_RATES; returns and writes those of the lowest cross-entropy on the
    patients of the request's one test library, both classes counting the same.

    The request is of the honest protocol with one seed. Raises ACNetError like `plan` and `train`.
    """
    runs = [run for rate in LEARNING_RATES for run in _at(rate, library, request)]
    runs_folder = output / RUNS_FOLDER
    complete_missing(runs, runs_folder, workers)
    rows = sorted((_row(run, runs_folder) for run in runs), key=lambda row: request.networks.index(row["network"]))
    chosen = {
        network: min((row for row in rows if row["network"] == network), key=lambda row: row["cross_entropy"])
        for network in request.networks
    }
    rates: dict[str, float] = {network: row["learning_rate"] for network, row in chosen.items()}
    write_table(output / TUNING_FILE, COLUMNS, rows)
    first = runs[0]
    record = {
        **made_by,
        "seed": first.number,
        "epochs": first.recipe.optimization.epochs,
        "training": count_cases(first.training),
        "development": count_cases(first.tested),
        "development_patients": patients_record(request.test_libraries[0], None),
        "learning_rates": rates,
    }
    write_json(output / TUNED_FILE, record, indent=1)
    return rates


def _at(rate: float, library: CaseLibrary, request: Request) -> list[Run]:
    runs = plan(library, replace(request, learning_rates=dict.fromkeys(request.networks, rate)))
    return [
        replace(run, name=f"{run.network}-rate{rate:g}", tests=tuple(replace(one, shown=()) for one in run.tests))
        for run in runs
    ]


def _row(run: Run, runs_folder: Path) -> dict[str, Any]:
    folder = run_folder(runs_folder, run)
    entry = {"network": run.network, "number": run.number, "folder": folder.name}
    tested = read_patients(run.network, runs_folder, [entry], run.tests[0].name)
    settings = run.recipe.optimization
    return {
        "network": run.network,
        "learning_rate": settings.learning_rate,
        "cross_entropy": round(best_cross_entropy(tested.log_odds[0], tested.truth), 5),
        "auroc": round(auroc(tested.log_odds[0], tested.truth), 4),
        "best_epoch": read_numbers(folder)["best_epoch"],
        "epochs": settings.epochs,
    }


def best_cross_entropy(log_odds: FloatArray, is_dcm: BoolArray) -> float:
    """By the best temperature for these patients: how loud a network speaks is set afterwards, and a short training has
    too few patients held back to set it well."""
    return balanced_log_loss(log_odds / fit_temperature(log_odds, is_dcm), is_dcm)


def read_tuned(path: Path, networks: tuple[str, ...], tested: Sequence[CaseLibrary] = ()) -> dict[str, float]:
    """The chosen learning rate of each of these networks, of a variant ACNet's.

    tested: what these are to be tested on. Raises ACNetError when the file is damaged or lacks a network, and when
    patients of `tested` chose the rates.
    """
    values = read_json(path, TUNE_AGAIN)
    with damage_named(path, TUNE_AGAIN):
        bases = dict.fromkeys(ACNET if network in VARIANTS else network for network in networks)
        rates = {network: float(values["learning_rates"][network]) for network in bases}
        if not all(0 < rate < math.inf for rate in rates.values()):
            raise ValueError("a learning rate is not above 0")
        shared = {each.folder: recorded_patients(values["development_patients"], each)[0] for each in tested}
    for folder, patients in shared.items():
        if patients:
            raise ACNetError(
                f"{folder}: {len(patients)} of its patients chose the learning rates of {path}; expected others. "
                "Give other test cases."
            )
    return rates
