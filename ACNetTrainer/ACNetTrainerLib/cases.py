"""The case library: a folder with `cases.csv`, one row a section, and the T1 maps that it names.

A person can read and edit the table in a spreadsheet; every row is checked when it is read.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import get_type_hints

from ACNetLib.errors import ACNetError
from ACNetLib.files import write_text_atomically

TABLE_NAME = "cases.csv"
LABELS = ("normal", "dcm")
"""The index of a label is its class in the network's output."""


@dataclass(frozen=True)
class Case:
    """One section of one patient. file: its T1 map, relative to the library. center_*_mm: of the LV, LPS."""

    case: str
    patient: str
    file: str
    label: str
    center_l_mm: float
    center_p_mm: float
    center_s_mm: float
    field_strength_tesla: float
    source: str

    @property
    def center_mm(self) -> tuple[float, float, float]:
        return self.center_l_mm, self.center_p_mm, self.center_s_mm

    @property
    def is_dcm(self) -> bool:
        return self.label == "dcm"

    @property
    def is_simulated(self) -> bool:
        return self.source == "simulated"


COLUMNS = tuple(field.name for field in fields(Case))
_NUMBERS = tuple(name for name, kind in get_type_hints(Case).items() if kind is float)


@dataclass(frozen=True)
class CaseLibrary:
    """Checked cases and the folder that their files are relative to."""

    folder: Path
    cases: tuple[Case, ...]

    @property
    def patients(self) -> tuple[str, ...]:
        """Every patient once, in the order of the table."""
        return tuple(dict.fromkeys(case.patient for case in self.cases))

    def path(self, case: Case) -> Path:
        return self.folder / case.file


def read_case_library(folder: Path) -> CaseLibrary:
    """Read and check `folder`/cases.csv. Raises ACNetError that names the row and the column."""
    table = Path(folder) / TABLE_NAME
    if not table.is_file():
        raise ACNetError(f"{folder}: no {TABLE_NAME} found; expected the folder of a case library.")
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ACNetError(f"{table}: not UTF-8 text; save it as 'CSV UTF-8'.") from error
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ACNetError(f"{table}: columns {', '.join(missing)} are missing; expected {', '.join(COLUMNS)}.")
    library = CaseLibrary(
        Path(folder), tuple(_case(row, f"{table}, row {number}") for number, row in enumerate(reader, start=2))
    )
    _check_together(library, table)
    return library


def _case(row: dict[str, str], place: str) -> Case:
    values: dict[str, str | float] = {}
    for name in COLUMNS:
        text = (row[name] or "").strip()
        if not text:
            raise ACNetError(f"{place}: column {name} is empty.")
        if name in _NUMBERS:
            values[name] = _number(text, f"{place}: column {name}")
        else:
            values[name] = text
    if values["label"] not in LABELS:
        raise ACNetError(f"{place}: column label is '{values['label']}'; expected one of {', '.join(LABELS)}.")
    return Case(**values)  # type: ignore[arg-type]  # the loop above made each value of its column's type


def _number(text: str, place: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ACNetError(f"{place} is '{text}'; expected a number with a decimal point.")
    return number


def _check_together(library: CaseLibrary, table: Path) -> None:
    if not library.cases:
        raise ACNetError(f"{table}: no cases; expected at least one row below the header.")
    names: set[str] = set()
    labels: dict[str, str] = {}
    for number, case in enumerate(library.cases, start=2):
        if case.case in names:
            raise ACNetError(f"{table}, row {number}: case '{case.case}' is there twice; names must differ.")
        names.add(case.case)
        if labels.setdefault(case.patient, case.label) != case.label:
            raise ACNetError(
                f"{table}, row {number}: patient '{case.patient}' is {case.label} here and "
                f"{labels[case.patient]} above; expected one label a patient."
            )
        if not library.path(case).is_file():
            raise ACNetError(f"{table}, row {number}: file '{case.file}' does not exist in {library.folder}.")


def write_case_table(folder: Path, cases: Iterable[Case]) -> None:
    """Write `folder`/cases.csv, in one piece."""
    write_table(folder / TABLE_NAME, COLUMNS, (asdict(case) for case in cases))


def write_table(path: Path, columns: Iterable[str], rows: Iterable[dict[str, object]]) -> None:
    """Write a CSV file in one piece."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text_atomically(path, text.getvalue())
