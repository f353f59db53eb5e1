"""Trainings of a comparison kept on disk: none is done twice, and what was interrupted goes on where it stopped."""

from __future__ import annotations

import ast
import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ACNetLib.device import DeviceChoice
from ACNetLib.files import atomic_path, write_text_atomically

from . import comparison_training
from .cases import Case
from .comparison_attention import Attention
from .comparison_training import Outcome, Run, train_and_test
from .csv_table import read_table, write_table

OUTCOME_FILE, PREDICTIONS_FILE, ATTENTION_FILE = "outcome.json", "predictions.csv", "attention.npz"
COLUMNS = ("case", "patient", "label", "log_odds")
PACKAGES = {"ACNetLib": Path(comparison_training.__file__).parents[2] / "ACNetClassifier" / "ACNetLib"}
LIBRARIES = ("torch", "lightning", "monai", "numpy", "scipy", "SimpleITK")
KEY_DIGITS = 16


def run_folder(runs_folder: Path, run: Run) -> Path:
    """Where the outcome of this very training is kept."""
    return runs_folder / f"{run.name}-{run_key(run)}"


def run_key(run: Run) -> str:
    """A hash of all that the outcome depends on: recipe, cases and images, source files, versions of libraries."""
    text = json.dumps(
        {
            "recipe": asdict(run.recipe),
            "selection": run.selection,
            "training": [_content(run.training_folder, case) for case in run.training],
            "test": [_content(run.test_folder, case) for case in run.test],
            "shown": run.shown,
            "sources": _sources_hash(),
            "versions": {name: version(name) for name in LIBRARIES},
        }
    )
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]


def _content(folder: Path, case: Case) -> dict[str, object]:
    path = folder / case.file
    return {**asdict(case), "image": _file_hash(path, path.stat().st_mtime_ns)}


@cache
def _file_hash(path: Path, _modified: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def _sources_hash() -> str:
    digest = hashlib.sha256()
    for path in source_files(Path(comparison_training.__file__)):
        digest.update(f"{path.parent.name}/{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def source_files(start: Path) -> tuple[Path, ...]:
    """This file and those of our packages that it imports, and they import, in order."""
    found: set[Path] = set()
    to_read = [start]
    while to_read:
        path = to_read.pop()
        if path not in found:
            found.add(path)
            to_read += _imported(path)
    return tuple(sorted(found))


def _imported(path: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        package, *rest = (node.module or "").split(".")
        if node.level:
            folder = path.parents[node.level - 1].joinpath(*filter(None, [package, *rest]))
        elif package in PACKAGES:
            folder = PACKAGES[package].joinpath(*rest)
        else:
            continue
        # What is imported is a module, or a name out of one, or out of a package.
        for candidate in (folder, *(folder / alias.name for alias in node.names)):
            for file in (candidate.with_suffix(".py"), candidate / "__init__.py"):
                if file.is_file():
                    yield file


def is_done(folder: Path) -> bool:
    return (folder / OUTCOME_FILE).is_file()


def complete(run: Run, runs_folder: Path, device: DeviceChoice) -> float:
    """Do the training unless it is done, and keep its outcome. Returns the seconds that it took here."""
    folder = run_folder(runs_folder, run)
    started = time.monotonic()
    if not is_done(folder):
        work_folder = folder / "training"
        outcome = train_and_test(run, work_folder, device)
        write_outcome(folder, run.test, outcome)
        # The weights of five networks and five folds would fill a disk, and every table comes from the predictions.
        shutil.rmtree(work_folder, ignore_errors=True)
    return time.monotonic() - started


def write_outcome(folder: Path, test: Sequence[Case], outcome: Outcome) -> None:
    """The file of the numbers comes last: where it is, all is."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / PREDICTIONS_FILE, COLUMNS, _rows(test, outcome.log_odds.tolist()))
    attention = outcome.attention
    if attention.maps:
        with atomic_path(folder / ATTENTION_FILE) as temporary:
            maps = {f"map_{name}": values.astype(np.float16) for name, values in attention.maps.items()}
            sections = attention.sections.round().astype(np.uint8)
            np.savez_compressed(temporary, cases=np.array(attention.cases), sections=sections, **maps)
    numbers = {
        "section_temperature": outcome.section_temperature,
        "study_temperature": outcome.study_temperature,
        "decision_threshold": outcome.decision_threshold,
        "best_epoch": outcome.best_epoch,
        "epochs": outcome.epochs,
        "attention_enrichment": attention.enrichment,
    }
    write_text_atomically(folder / OUTCOME_FILE, json.dumps(numbers, indent=1) + "\n")


def _rows(test: Sequence[Case], log_odds: Iterable[float]) -> Iterator[dict[str, str]]:
    for case, value in zip(test, log_odds, strict=True):
        yield {"case": case.case, "patient": case.patient, "label": case.label, "log_odds": f"{value:.5f}"}


def read_numbers(folder: Path) -> dict[str, object]:
    numbers: dict[str, object] = json.loads((folder / OUTCOME_FILE).read_text(encoding="utf-8"))
    return numbers


def read_attention(folder: Path) -> Attention | None:
    """The pictures alone. None for a network without attention."""
    path = folder / ATTENTION_FILE
    if not path.is_file():
        return None
    with np.load(path) as arrays:
        maps = {name.removeprefix("map_"): arrays[name].astype(np.float32) for name in arrays if name[:4] == "map_"}
        cases = tuple(str(case) for case in arrays["cases"])
        return Attention(cases, arrays["sections"].astype(np.float32), maps)


def read_predictions(folder: Path) -> list[dict[str, str]]:
    """Rows of COLUMNS. Raises ACNetError for a file that is none of ours."""
    return [row.cells for row in read_table(folder / PREDICTIONS_FILE, COLUMNS).rows]
