"""Trainings of a comparison kept on disk: none is done twice, and what was interrupted resumes where it stopped."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path

import ACNetLib
from ACNetLib.errors import ACNetError
from ACNetLib.inference.device import DeviceChoice

from ..cases.library import Case, CaseLibrary
from .files import is_done, write_outcome
from .training import Run, train_and_test

CORE, TRAINER = Path(ACNetLib.__path__[0]), Path(__file__).parents[1]
ROOMS = (
    *(CORE / name for name in ("t1map", "volumes", "ventricle", "networks", "inference")),
    *(TRAINER / name for name in ("cases", "training", "networks")),
)
SOURCES = (*(path for room in ROOMS for path in sorted(room.rglob("*.py"))), TRAINER / "study" / "training.py")
"""What decides to what a training comes."""
LIBRARIES = ("torch", "monai", "numpy", "scipy", "SimpleITK")
KEY_DIGITS = 16


def run_folder(runs_folder: Path, run: Run) -> Path:
    """Where the outcome of this very training is kept."""
    return runs_folder / f"{run.name}-{run_key(run)}"


def run_key(run: Run) -> str:
    """A hash of what the outcome depends on: recipe, cases, images and masks, source files, versions of libraries."""
    text = json.dumps(
        {
            "recipe": asdict(run.recipe),
            "selection": run.selection,
            "training": _contents(run.training_folder, run.training),
            "tests": [[one.name, _contents(one.folder, one.cases), one.shown] for one in run.tests],
            "sources": _sources_hash(),
            "versions": {name: version(name) for name in LIBRARIES},
        }
    )
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]


def _contents(folder: Path, cases: Sequence[Case]) -> list[dict[str, object]]:
    """Masks turn a section and teach attention."""
    library = CaseLibrary(folder, tuple(cases))
    return [
        {**asdict(case), "image": _hash_of(folder / case.file), "masks": _hash_of(library.masks_path(case))}
        for case in cases
    ]


def _hash_of(path: Path | None) -> str | None:
    return None if path is None else _file_hash(path, path.stat().st_mtime_ns)


@cache
def _file_hash(path: Path, _modified: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def _sources_hash() -> str:
    digest = hashlib.sha256()
    for path in SOURCES:
        digest.update(f"{path.parent.name}/{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def complete(run: Run, folder: Path, device: DeviceChoice) -> float:
    """Do the training unless it is done, and keep its outcome in its `run_folder`. Returns the seconds that it took.

    Raises ACNetError like `train`, and when this computer would do another training than the one who asked.
    """
    started = time.monotonic()
    if not is_done(folder):
        if run_folder(folder.parent, run) != folder:
            raise ACNetError(
                f"{run.name}: this worker has other source files, libraries or images than the computer that asked; "
                "expected the same everywhere. Install the same versions and start the workers again."
            )
        work_folder = folder / "training"
        outcome = train_and_test(run, work_folder, device)
        write_outcome(folder, run.tests, outcome)
        # The weights of five networks and five folds would fill a disk, and every table comes from the predictions.
        shutil.rmtree(work_folder, ignore_errors=True)
    return time.monotonic() - started
