"""A comparison for TensorBoard, from the files that its trainings left: their curves, and measures by network."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..training.tensorboard import check_tensorboard, event_writer, write_epoch
from . import HONEST
from .files import RUNS_FOLDER, read_numbers
from .summary import DECISIONS, read_runs

EVENTS_FOLDER = "tensorboard"


def write_events(summary: Mapping[str, Any], folder: Path) -> Path:
    """Write event files beside the report; returns their folder. summary: of `summarize`, for the output folder.

    Below it each network has a row of its measures among the hyperparameters, and each of its trainings its curves.
    Raises ACNetError when the extra is missing.
    """
    check_tensorboard()
    events = folder / EVENTS_FOLDER
    shutil.rmtree(events, ignore_errors=True)  # files are added to, and an earlier run's would be shown beside
    kind = "seed" if summary["protocol"] == HONEST else "fold"
    for entry in read_runs(folder)["runs"]:
        rows = read_numbers(folder / RUNS_FOLDER / entry["folder"])["epochs"]
        if rows:  # simple baselines have none
            with event_writer(events / entry["network"] / f"{kind}{entry['number']}") as writer:
                for row in rows:
                    values = {name: value for name, value in row.items() if name != "epoch"}
                    write_epoch(writer, int(row["epoch"]), values)
    cohorts = summary["cohorts"]
    for network in next(iter(cohorts.values()))["networks"]:
        measures = {
            f"{cohort}/{name}": values["networks"][network][name]["value"]
            for cohort, values in cohorts.items()
            for name in DECISIONS
        }
        with event_writer(events / network) as writer:
            writer.add_hparams({"network": network, "protocol": summary["protocol"]}, measures, run_name=".")
    return events
