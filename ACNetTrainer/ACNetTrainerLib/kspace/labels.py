"""Labels by a challenge's sheet of diseases.

Its columns are those that `evaluation-2025/Val_Score2025_v3.py` of CmrxRecon/CMRxRecon2025-snippets reads: Center,
Manufacturer (the scanner's folder), AnonPatientID and Disease1 to Disease4. Where a set has no centres, AnonPatientID
is enough.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ACNetLib.errors import ACNetError

from ..cases.library import OTHER
from ..cases.table import Row, Table, read_table
from .scans import Scan
from .workbook import read_workbook

PATIENT, CENTER, SCANNER = "AnonPatientID", "Center", "Manufacturer"
DISEASE = re.compile(r"Disease ?\d*")
LABELS_OF_DISEASES = {
    "dcm": "dcm",
    "dilated cardiomyopathy": "dcm",
    "i42.0": "dcm",
    "normal": "normal",
    "healthy": "normal",
    "healthy volunteer": "normal",
    "healthy control": "normal",
    "volunteer": "normal",
    "control": "normal",
    "hc": "normal",
    "hv": "normal",
}
"""What sheets may call the two classes, ICD-10 among it; every other name is another disease."""
LONGEST_NAME = 40


@dataclass(frozen=True)
class DiseaseSheet:
    """The rows of a sheet by what the folders of a scan are called."""

    path: Path
    labels: Mapping[tuple[str, ...], str]
    columns: tuple[str, ...]

    def label(self, scan: Scan) -> str | None:
        """The label of a scan's patient; None where the sheet names no such patient or no disease of it."""
        told = {CENTER: scan.center, SCANNER: scan.scanner, PATIENT: scan.patient}
        return self.labels.get(tuple(told[column].casefold() for column in self.columns))


def read_disease_sheet(path: Path) -> DiseaseSheet:
    """Raises ACNetError for what is no such sheet, and where two rows of a patient contradict each other."""
    table = (read_workbook if path.suffix.lower() == ".xlsx" else read_table)(path, [PATIENT])
    diseases = [column for column in table.columns if DISEASE.fullmatch(column)]
    if not diseases:
        raise ACNetError(f"{path}: it has no column of diseases; expected Disease1 and, if need be, Disease2 to 4.")
    columns = tuple(column for column in (CENTER, SCANNER, PATIENT) if column in table.columns)
    labels: dict[tuple[str, ...], str] = {}
    for row in table.rows:
        label = _label(table, row, diseases)
        key = tuple(row.cells[column].casefold() for column in columns)
        if label is not None and labels.setdefault(key, label) != label:
            raise ACNetError(f"{table.place(row)}: the patient is {label} here and {labels[key]} above; expected one.")
    return DiseaseSheet(path, labels, columns)


def _label(table: Table, row: Row, columns: list[str]) -> str | None:
    """DCM wins over other diseases, as a patient may have both; any disease over healthy. None for an empty row."""
    names = [name for column in columns if (name := _plain(row.cells[column]))]
    labels = [LABELS_OF_DISEASES.get(name, f"{OTHER}{name}") for name in names]
    if not all(len(name) <= LONGEST_NAME and name.isprintable() for name in names):
        raise ACNetError(f"{table.place(row)}: a disease's name is too long; expected at most {LONGEST_NAME} letters.")
    if "dcm" in labels:
        return "dcm"
    return next((label for label in labels if label != "normal"), labels[0] if labels else None)


def _plain(text: str) -> str:
    return " ".join(text.replace("_", " ").casefold().split())
