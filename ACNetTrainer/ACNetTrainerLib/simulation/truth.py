"""What is known of simulated sections: a row of the table `truth.csv` beside `cases.csv`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tqdm import tqdm

from ..cases.library import TRUTH_TABLE_NAME, Case, write_case_table
from ..cases.table import write_table


@dataclass(frozen=True)
class TruthRow:
    """What is known of a simulated section, beside its images in `truth/`.

    Measures are taken on the fitted map with the true masks. Insertion points are LPS mm.
    """

    case: str
    patient: str
    level: str
    sex: str
    severity: float
    fibrosis_rise_ms: float
    heart_rate_bpm: float
    noise: float
    septal_t1_ms: float
    cavity_area_mm2: float
    wall_thickness_mm: float
    anterior_insertion_l_mm: float
    anterior_insertion_p_mm: float
    anterior_insertion_s_mm: float
    inferior_insertion_l_mm: float
    inferior_insertion_p_mm: float
    inferior_insertion_s_mm: float


def write_tables(folder: Path, written: Iterable[tuple[list[Case], list[TruthRow]]], patients: int) -> None:
    """The tables of so many patients, whose images are written meanwhile."""
    cases: list[Case] = []
    truth: list[TruthRow] = []
    for patient_cases, patient_truth in tqdm(written, total=patients, unit="patient", disable=None):
        cases += patient_cases
        truth += patient_truth
    write_table(folder / TRUTH_TABLE_NAME, [field.name for field in fields(TruthRow)], map(asdict, truth))
    # Last: a library without its table is recognized as unfinished.
    write_case_table(folder, cases)
