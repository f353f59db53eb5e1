"""How often a slice is marked as a reader would mark it: of scans as they are drawn, and of worse and worse ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ACNetLib.ventricle.quality import quality_marks
from ACNetLib.worker_pool import worker_pool

from ..evaluation.metrics import share_estimate
from ..simulation.cohort import Cohort
from ..simulation.patient import Patient, Scan
from ..simulation.section import SimulatedSection, simulate_section
from .robustness import DEGRADATIONS

AS_DRAWN = "as drawn"
STEPS: Mapping[str, tuple[float, ...]] = {
    "noise": (4,),
    "motion": (4, 8),
    "resolution": (4.2, 8.4),
    "off_resonance": (3,),
}
FOLDED_SHARE = 0.3
MARKS = ("septum", "scatter", "blur", "off_resonance")
LEVEL = "mid"


def judge_quality(patients: int, field_strength_tesla: float, seed: int) -> dict[str, Any]:
    """The share of mid slices with each mark, by what was done to the scan; walls by their true outlines."""
    cohort = Cohort(patients, 0.5, field_strength_tesla, seed)
    with worker_pool() as pool:
        found = list(tqdm(pool.map(_marks, cohort.draw()), total=patients, unit="patient", disable=None))
    return {condition: _shares([marks[condition] for marks in found]) for condition in found[0]}


def _marks(patient: Patient) -> dict[str, set[str]]:
    """By condition, the names of the marks."""
    drawn = replace(patient.scan, wrap=0.0)
    scans: dict[str, Scan] = {AS_DRAWN: drawn, f"folded, {FOLDED_SHARE:.0%}": replace(drawn, wrap=FOLDED_SHARE)}
    for key, steps in STEPS.items():
        degradation = DEGRADATIONS[key]
        for step in steps:
            name = f"{degradation.name}, {degradation.step_name.format(step)}"
            scans[name] = degradation.apply(drawn, step)
    with threadpool_limits(1):
        return {name: _marked(simulate_section(replace(patient, scan=scan), LEVEL)) for name, scan in scans.items()}


def _marked(section: SimulatedSection) -> set[str]:
    pixel_mm = section.patient.scan.acquisition.pixel_mm
    return set(quality_marks(section.t1_ms, section.truth.labels, (pixel_mm, pixel_mm)))


def _shares(marks: list[set[str]]) -> dict[str, dict[str, float]]:
    shares = {}
    for name in (*MARKS, "any"):
        count = sum(bool(found) if name == "any" else name in found for found in marks)
        shares[name] = asdict(share_estimate(count, len(marks)))
    return shares
