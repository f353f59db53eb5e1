"""What is known of simulated sections: a row of the table `truth.csv` beside `cases.csv`."""

from __future__ import annotations

from dataclasses import dataclass


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
