"""The small files that a comparison keeps of each training: every table and figure is made of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ACNetLib.files import atomic_path, damage_named, read_json, write_json

from ..cases.library import Case
from ..cases.table import read_table, write_table

if TYPE_CHECKING:
    from .attention import Attention
    from .training import Cohort, Outcome

RUNS_FILE, SUMMARY_FILE, RUNS_FOLDER = "runs.json", "comparison.json", "runs"
"""What was done, what came of it, and a folder a training with the files below."""
OUTCOME_FILE, PREDICTIONS_FILE, ATTENTION_FILE = "outcome.json", "predictions-{}.csv", "attention-{}.npz"
"""The last two of each cohort, by its name."""
NEEDED = ("patient", "label", "log_odds")
COLUMNS = ("case", *NEEDED)
TRAIN_AGAIN = "Remove the folder of this training and run acnet-train compare once more."
MAP_PREFIX, RANGE_PREFIX, MAP_STEPS = "map_", "range_", 255
"""A map is kept in steps of its own range over the slices shown, for it may be nearly flat."""


def is_done(folder: Path) -> bool:
    return (folder / OUTCOME_FILE).is_file()


def write_outcome(folder: Path, tests: Sequence[Cohort], outcome: Outcome) -> None:
    """The file of the numbers comes last: where it is, all is."""
    folder.mkdir(parents=True, exist_ok=True)
    for cohort in tests:
        rows = _rows(cohort.cases, outcome.log_odds[cohort.name].tolist())
        write_table(folder / PREDICTIONS_FILE.format(cohort.name), COLUMNS, rows)
        attention = outcome.attention.get(cohort.name)
        if attention is not None and attention.cases:
            _write_attention(folder / ATTENTION_FILE.format(cohort.name), attention)
    numbers = {
        "temperatures": outcome.temperatures,
        "training_prior_dcm": outcome.training_prior_dcm,
        "decision_threshold": outcome.decision_threshold,
        "best_epoch": outcome.best_epoch,
        "epochs": outcome.epochs,
        "attention_enrichment": {name: attention.enrichment for name, attention in outcome.attention.items()},
    }
    write_json(folder / OUTCOME_FILE, numbers, indent=1)


def _write_attention(path: Path, attention: Attention) -> None:
    arrays: dict[str, Any] = {
        "cases": np.array(attention.cases),
        "sections": attention.sections.round().astype(np.uint8),
    }
    for name, maps in attention.maps.items():
        low, high = float(maps.min()), float(maps.max())
        arrays[RANGE_PREFIX + name] = np.array([low, high], dtype=np.float32)
        shares = (maps - low) / ((high - low) or 1.0)
        arrays[MAP_PREFIX + name] = (shares * MAP_STEPS).round().astype(np.uint8)
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def _rows(cases: Sequence[Case], log_odds: Iterable[float]) -> Iterator[dict[str, str]]:
    for case, value in zip(cases, log_odds, strict=True):
        yield {"case": case.case, "patient": case.patient, "label": case.label, "log_odds": f"{value:.5f}"}


def read_numbers(folder: Path) -> dict[str, Any]:
    """What OUTCOME_FILE holds. Raises ACNetError when it is damaged."""
    path = folder / OUTCOME_FILE
    numbers = read_json(path, TRAIN_AGAIN)
    with damage_named(path, TRAIN_AGAIN):
        temperatures = [float(value) for value in numbers["temperatures"]]
        shares = float(numbers["training_prior_dcm"]), float(numbers["decision_threshold"])
        if not temperatures or min(temperatures) <= 0 or not all(0 < share < 1 for share in shares):
            raise ValueError("a temperature, prior or threshold is out of range")
        _ = int(numbers["best_epoch"]), list(numbers["epochs"]), dict(numbers["attention_enrichment"])
    return numbers


def read_predictions(folder: Path, cohort: str) -> list[dict[str, str]]:
    """Rows of NEEDED at least. Raises ACNetError for a file that is none of ours."""
    return [row.cells for row in read_table(folder / PREDICTIONS_FILE.format(cohort), NEEDED).rows]


def read_attention(folder: Path, cohort: str) -> dict[str, Any]:
    """The shown cases, their sections (n, 128, 128) in [0, 255] and by name the maps, (n, 128, 128) each. Empty where
    none is kept."""
    path = folder / ATTENTION_FILE.format(cohort)
    if not path.is_file():
        return {}
    with damage_named(path, TRAIN_AGAIN), np.load(path) as arrays:
        maps = {}
        for name in (each.removeprefix(MAP_PREFIX) for each in arrays if each.startswith(MAP_PREFIX)):
            low, high = arrays[RANGE_PREFIX + name]
            maps[name] = low + arrays[MAP_PREFIX + name].astype(np.float32) * ((high - low) / MAP_STEPS)
        return {"cases": arrays["cases"].tolist(), "sections": arrays["sections"], "maps": maps}
