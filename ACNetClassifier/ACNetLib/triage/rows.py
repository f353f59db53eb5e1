"""A line of the reading list, the order of the lines, and the list as a table for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from ACNetLib.errors import ACNetError
from ACNetLib.files import harmless_cell
from ACNetLib.inference.verdict import decimals_beside

DECIMALS = 4
Answer = Literal["dcm", "outside", "uncertain", "no answer", "normal", "no T1 map"]
ANSWERS: tuple[Answer, ...] = ("dcm", "outside", "uncertain", "no answer", "normal", "no T1 map")
"""In the order in which they are read: a study that the software could not answer waits for a reader all the same."""
ANSWER_WORDS: dict[Answer, str] = {
    "dcm": "DCM",
    "outside": "unlike the training's hearts",
    "uncertain": "uncertain",
    "no answer": "no answer",
    "normal": "normal",
    "no T1 map": "no T1 map",
}

Identify = Literal["none", "id", "name"]
"""What a row shows of its patient."""
IDENTIFY: tuple[Identify, ...] = ("none", "id", "name")
NUMBERS = ("probability_dcm", "low", "high", "septal_t1_ms", "septal_z")
LIMITS = ("uncertain_from", "uncertain_to")
"""Of a row, where they are known."""
SHOWN = ("patient", "study_date", "read")
"""Of a row, what lies not in its study's folder but in the images and in a file of its own there."""


@dataclass(frozen=True)
class Row:
    """One study of the list.

    study: the name of its folder in the list. patient: what the user chose to show. low, high: the probability's
    stability. slices: how many were classified. septal_z: None without a reference. reason: why there is no answer,
    or why it is uncertain. seconds: that it took. read: whether a reader has marked it so. study_date: shown where the
    patient is. uncertain_from, uncertain_to: the limits of the verdict.
    """

    study: str
    answer: Answer
    probability_dcm: float | None = None
    low: float | None = None
    high: float | None = None
    septal_t1_ms: float | None = None
    septal_z: float | None = None
    slices: int = 0
    simulated: bool = False
    warnings: tuple[str, ...] = ()
    reason: str = ""
    seconds: float = 0.0
    patient: str = ""
    read: bool = False
    study_date: str = ""
    uncertain_from: float | None = None
    uncertain_to: float | None = None

    @property
    def limits(self) -> tuple[float, ...]:
        return tuple(limit for limit in (self.uncertain_from, self.uncertain_to) if limit is not None)

    def values(self) -> dict[str, Any]:
        """As plain values for the study's folder: without the patient and the reader's mark, which is a file there."""
        return {name: value for name, value in asdict(self).items() if name not in SHOWN}

    @staticmethod
    def of(values: dict[str, Any]) -> Row:
        """From `values`. Raises KeyError or TypeError for others."""
        return Row(**{**values, "warnings": tuple(values["warnings"])})


def in_reading_order(rows: Iterable[Row]) -> list[Row]:
    """By the answer, each of them by probability from high to low."""
    return sorted(rows, key=lambda row: (ANSWERS.index(row.answer), -(row.probability_dcm or 0.0), row.study))


def in_one_text(notes: Sequence[str]) -> str:
    """Sentences, not all of which end with a full stop."""
    return "; ".join([*(note.removesuffix(".") for note in notes[:-1]), *notes[-1:]])


def worklist_csv(rows: Sequence[Row]) -> str:
    """The rows in their order; a spreadsheet computes no text of them."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    names = [field.name for field in fields(Row)]
    writer.writerow(["rank", *names])
    for rank, row in enumerate(rows, start=1):
        values = asdict(row) | {"warnings": in_one_text(row.warnings)}
        if row.probability_dcm is not None:
            decimals = decimals_beside(row.probability_dcm, row.limits, DECIMALS)
            values["probability_dcm"] = f"{row.probability_dcm:.{decimals}f}"
        writer.writerow([rank, *(_cell(values[name]) for name in names)])
    return file.getvalue()


def _cell(value: object) -> object:
    return round(value, DECIMALS) if isinstance(value, float) else harmless_cell(value)


def read_worklist_csv(path: Path) -> list[Row]:
    """The rows of `worklist_csv`, numbers rounded and warnings as one text, with a byte-order mark or, as earlier
    versions wrote it, without. Raises ACNetError for another table."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [_row_of(cells) for cells in csv.DictReader(file)]
    except OSError as error:
        raise ACNetError(f"{path}: it can't be read ({error.strerror}).") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ACNetError(
            f"{path}: it is damaged ({type(error).__name__}: {error}); expected the table of a reading list. Bring the "
            "list up to date."
        ) from error


def _row_of(cells: dict[str, str]) -> Row:
    """Raises KeyError, TypeError or ValueError for cells that are no row's."""
    values: dict[str, Any] = {name: cells[name] for name in ("study", "reason", "patient")}
    values["study_date"] = cells.get("study_date") or ""  # tables of earlier versions have neither it nor limits
    values |= {name: float(cells[name]) if cells[name] else None for name in NUMBERS}
    values |= {name: float(cells[name]) if cells.get(name) else None for name in LIMITS}
    values |= {name: cells[name] == "True" for name in ("simulated", "read")}
    values["warnings"] = (cells["warnings"],) if cells["warnings"] else ()
    values["answer"] = ANSWERS[ANSWERS.index(cells["answer"])]
    return Row(**values, slices=int(cells["slices"]), seconds=float(cells["seconds"]))
