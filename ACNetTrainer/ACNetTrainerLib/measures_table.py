"""The table of measures beside a case library: `truth.csv` of a simulated one, or what a reader has measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from ACNetLib.errors import ACNetError

from .cases import CaseLibrary
from .csv_table import read_table
from .simulation.truth import TRUTH_TABLE_NAME


def read_measures_table(library: CaseLibrary, columns: Sequence[str]) -> tuple[Path, list[dict[str, str]]]:
    """Where it is, and its rows. Raises ACNetError when it is missing, no table or without one of these columns."""
    table = library.folder / TRUTH_TABLE_NAME
    if not table.is_file():
        raise ACNetError(f"{library.folder}: no {TRUTH_TABLE_NAME} found; expected a row of measures for each case.")
    return table, [row.cells for row in read_table(table, columns).rows]


def measure_in(text: str, place: str) -> float:
    """NaN where the cell is empty or says nan. Raises ACNetError for what is no number."""
    try:
        value = float(text or "nan")
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise ACNetError(f"{place} is '{text}'; expected a number with a decimal point, or nothing.")
    return value
