"""How far the answer moves where a map ends, or was set to 0, close to the heart, on simulated patients.

python Testing/benchmarks/cut_maps.py OUTPUT.json

Each patient's maps are cut to a square, cut at one side or masked with a disk, around the ventricle that the localizer
finds on the whole map. The network's log odds there, with what lies outside the map as 0, as the median of the rest of
the crop, and mirrored (SectionGrid.filled), are held against those of the whole maps; so is the answer of the whole
software, which finds the ventricle on what is left.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from tqdm import tqdm

from ACNetLib.files import write_json
from ACNetLib.inference.device import choose_device
from ACNetLib.inference.pipeline import load_finder, load_pipeline
from ACNetLib.inference.pooling import pooling_of
from ACNetLib.inference.probability import log_odds_of
from ACNetLib.models.card import read_card
from ACNetLib.models.model import load_model
from ACNetLib.models.store import model_for_field
from ACNetLib.t1map.field_strength import FIELD_STRENGTHS_TESLA
from ACNetLib.t1map.section import SectionGrid
from ACNetLib.t1map.t1_map import T1Map
from ACNetTrainerLib.abroad.cohort import Cohort as CohortAbroad
from ACNetTrainerLib.abroad.cohort import simulate_abroad
from ACNetTrainerLib.cases.library import read_case_library
from ACNetTrainerLib.evaluation.provenance import provenance
from ACNetTrainerLib.simulation.cohort import Cohort, simulate_cohort
from ACNetTrainerLib.study.answers import answer, maps_of_patients
from ACNetTrainerLib.study.simulated_crops import log_odds_dcm

PATIENTS, SEED = 6, 92
"""Of each of the two simulations at each field strength, half of them normal."""
SIDES, FAR_MM = ("left", "right", "upper", "lower"), 400.0

Change = Callable[[T1Map, np.ndarray], T1Map]
"""A map around a point (LPS mm)."""
Fill = Callable[[SectionGrid, T1Map], np.ndarray]
"""A section on its grid as the network gets it."""


def box(left: float, right: float, top: float, bottom: float) -> Change:
    """The map within so many mm of the point, along its rows and columns."""

    def change(t1_map: T1Map, point_mm: np.ndarray) -> T1Map:
        spacing = np.array(t1_map.image.GetSpacing()[:2])
        place = np.array(t1_map.image.TransformPhysicalPointToContinuousIndex(point_mm.tolist())[:2])
        first = np.maximum(np.rint(place - (left, top) / spacing), 0).astype(int)
        last = np.rint(place + (right, bottom) / spacing).astype(int)
        return replace(t1_map, image=t1_map.image[first[0] : last[0], first[1] : last[1], :])

    return change


def disk(radius_mm: float) -> Change:
    """The map with 0 farther from the point than this."""

    def change(t1_map: T1Map, point_mm: np.ndarray) -> T1Map:
        width, height, _ = t1_map.image.GetSpacing()
        column, row, _ = t1_map.image.TransformPhysicalPointToContinuousIndex(point_mm.tolist())
        rows, columns = np.indices(t1_map.array.shape[1:])
        beside = np.hypot((columns - column) * width, (rows - row) * height) > radius_mm
        image = sitk.GetImageFromArray(np.where(beside, np.float32(0), t1_map.array))
        image.CopyInformation(t1_map.image)
        return replace(t1_map, image=image)

    return change


CHANGES: dict[str, Change] = {
    **{f"square of {2 * half} mm": box(half, half, half, half) for half in (64, 59, 55, 50, 46)},
    **{
        f"{side} edge 40 mm from the centre": box(*(40 if each == side else FAR_MM for each in SIDES)) for side in SIDES
    },
    **{f"masked beyond {radius} mm": disk(radius) for radius in (75, 70, 65, 60)},
}


def as_zero(grid: SectionGrid, t1_map: T1Map) -> np.ndarray:
    return grid.crop(t1_map).t1_ms


def as_median(grid: SectionGrid, t1_map: T1Map) -> np.ndarray:
    crop = grid.crop(t1_map)
    return np.where(crop.outside, np.median(crop.t1_ms[~crop.outside]), crop.t1_ms).astype(np.float32)


FILLS: dict[str, Fill] = {"zero": as_zero, "median": as_median, "mirrored": SectionGrid.filled}


def measure(field_strength_tesla: float, patients: list[list[T1Map]]) -> list[dict[str, Any]]:
    """One row a patient and change."""
    file = model_for_field(field_strength_tesla)
    device = choose_device("cpu")
    model, finder, classifier = load_model(file), load_finder(device="cpu"), load_pipeline(file, device="cpu")
    pooling = pooling_of(model.card, 0.5, None)
    rows = []
    for t1_maps in tqdm(patients, unit="patient", disable=None):
        found = [finder.locate(t1_map)[0] for t1_map in t1_maps]
        grids = [
            SectionGrid.around(t1_map, 0, each.center_mm, each.turn_degrees)
            for t1_map, each in zip(t1_maps, found, strict=True)
        ]

        def log_odds(fill: Fill, maps: list[T1Map], grids: Any = grids) -> float:
            crops = np.stack([fill(grid, t1_map) for grid, t1_map in zip(grids, maps, strict=True)])
            return pooling.log_odds(log_odds_dcm(model, crops, device).tolist())

        whole, answered = log_odds(as_zero, t1_maps), answer(classifier, t1_maps)
        for name, change in CHANGES.items():
            changed = [change(t1_map, each.center_mm) for t1_map, each in zip(t1_maps, found, strict=True)]
            software = answer(classifier, changed)
            missing = [grid.sample(each.image) == 0 for grid, each in zip(grids, changed, strict=True)]
            row: dict[str, Any] = {
                "change": name,
                "missing": float(np.mean(missing)),
                **{fill: log_odds(by, changed) - whole for fill, by in FILLS.items()},
                "verdicts": f"{answered.verdict if answered else '-'} to {software.verdict if software else '-'}",
            }
            if answered and software:
                row["software"] = log_odds_of(software.probability_dcm) - log_odds_of(answered.probability_dcm)
            rows.append(row)
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and largest change of the log odds of DCM by what was done, and what became of the verdicts."""
    changes: dict[str, Any] = {}
    for name in CHANGES:
        of_change = [row for row in rows if row["change"] == name]
        moved = {key: [row[key] for row in of_change if key in row] for key in (*FILLS, "software")}
        changes[name] = {
            "missing": round(float(np.mean([row["missing"] for row in of_change])), 3),
            "log_odds": {key: _moved(values) for key, values in moved.items() if values},
            "verdicts": dict(sorted(Counter(row["verdicts"] for row in of_change).items())),
        }
    return changes


def _moved(changes: list[float]) -> dict[str, float]:
    return {"mean": round(float(np.mean(changes)), 2), "largest": round(changes[int(np.argmax(np.abs(changes)))], 2)}


def main() -> None:
    (output,) = map(Path, sys.argv[1:])
    rows = []
    for field in FIELD_STRENGTHS_TESLA:
        patients = []
        for simulate in (
            partial(simulate_cohort, Cohort(PATIENTS, 0.5, field, SEED)),
            partial(simulate_abroad, CohortAbroad(PATIENTS, field, SEED, scanner_factor=1.0)),
        ):
            with tempfile.TemporaryDirectory() as room:
                simulate(Path(room))
                patients += list(maps_of_patients(read_case_library(Path(room))))
        rows += measure(field, patients)
    cards = [read_card(model_for_field(field)) for field in FIELD_STRENGTHS_TESLA]
    record = {
        **provenance(" ".join(["python", *sys.argv])),
        "models": {card.name: card.weights_sha256 for card in cards},
        "simulated": True,
        "seed": SEED,
        "patients": 4 * PATIENTS,
        "changes": summary(rows),
    }
    write_json(output, record)


if __name__ == "__main__":
    main()
