"""The folder of a training beside its model: whose it is, that one process works in it, and its table of metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ACNetLib.errors import ACNetError
from ACNetLib.files import damage_named, read_json, write_text_atomically

from ..cases.table import read_table, write_table
from .background import LOCK_FILE
from .checkpoints import TRAIN_ANEW, resumable_writes

SETTINGS_FILE, METRICS_FILE = "settings.json", "metrics.csv"
MASKS_SHA256 = "masks_sha256"
"""A training that was begun before this was recorded is resumed without asking."""


def claim_folder(work_folder: Path, settings: dict[str, Any]) -> None:
    """Make the folder this training's, or check that it is. Raises ACNetError when it holds another's."""
    text = json.dumps(settings, indent=1)
    file = work_folder / SETTINGS_FILE
    if file.is_file():
        begun, asked = read_json(file, TRAIN_ANEW), json.loads(text)
        if MASKS_SHA256 not in begun:
            asked.pop(MASKS_SHA256, None)
        if _without_precision(begun) != _without_precision(asked):
            raise ACNetError(
                f"{work_folder}: holds an unfinished training of other cases, other masks or another recipe, or of an "
                "earlier version; remove the folder or give another output."
            )
    else:
        with resumable_writes(file):
            write_text_atomically(file, text)


def _without_precision(settings: Any) -> Any:
    """Precision is the device's affair: on another one a training goes on in another."""
    if isinstance(settings, dict):
        return {key: _without_precision(value) for key, value in settings.items() if key != "precision"}
    return settings


@contextmanager
def only_process(work_folder: Path) -> Iterator[None]:
    """Raises ACNetError when another process trains in the folder."""
    try:
        lock = FileLock(work_folder / LOCK_FILE, timeout=0).acquire()
    except Timeout as error:
        raise ACNetError(
            f"{work_folder}: another process trains in this folder; wait for its end, or give another output."
        ) from error
    with lock:
        for half_written in work_folder.glob(".writing-*"):  # by a process that was killed
            half_written.unlink()
        yield


def write_rows(path: Path, values_of_epochs: Mapping[int, Mapping[str, float]]) -> None:
    """One row an epoch in metrics.csv; a resumed training goes on in the same table. Raises OSError."""
    rows: list[dict[str, Any]] = []
    if path.is_file():
        first = min(values_of_epochs)
        with damage_named(path, TRAIN_ANEW):
            rows = [row.cells for row in read_table(path, ["epoch"]).rows if int(row.cells["epoch"]) < first]
    for epoch, values in values_of_epochs.items():
        rows.append({"epoch": epoch, **{name: f"{value:.5f}" for name, value in values.items()}})
    write_table(path, rows[-1], rows)
