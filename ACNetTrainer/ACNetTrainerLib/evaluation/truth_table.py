"""The table of measures of a library, `truth.csv`: that of a simulation, or one that a site has made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from ACNetLib.errors import ACNetError

from ..cases.library import TRUTH_TABLE_NAME, Case
from ..cases.table import Row, Table, read_table


def has_truth_table(folder: Path) -> bool:
    return (folder / TRUTH_TABLE_NAME).is_file()


def read_truth_table(folder: Path, columns: Sequence[str]) -> Table:
    """Raises ACNetError for a library without the table, and for one that is damaged or lacks a column."""
    if not has_truth_table(folder):
        raise ACNetError(f"{folder}: no {TRUTH_TABLE_NAME} found; expected a row of measures for each case.")
    return read_table(folder / TRUTH_TABLE_NAME, columns)


def rows_of_cases(table: Table, cases: Sequence[Case]) -> list[Row]:
    """The row of each case. Raises ACNetError for a case that has none."""
    rows = {row.cells["case"]: row for row in table.rows}
    for case in cases:
        if case.case not in rows:
            raise ACNetError(f"{table.path}: no row of case '{case.case}'; expected one for each case of the library.")
    return [rows[case.case] for case in cases]


def measure_in(table: Table, row: Row, name: str) -> float:
    """A measure, NaN where it is empty or says nan. Raises ACNetError for what is no number."""
    text = row.cells[name]
    try:
        value = float(text or "nan")
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise ACNetError(f"{table.place(row)}: {name} is '{text}'; expected a number with a decimal point, or nothing.")
    return value
