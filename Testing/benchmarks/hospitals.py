"""What a hospital gains by training on its own cases: fine-tuned, from scratch, and the shipped model as it is.

python Testing/benchmarks/hospitals.py FOLDER OUTPUT.json [--slices 60 120 485] [--hospitals N] [--field T]

Each simulated hospital has one scanner of the second simulation, which multiplies every T1 by a factor of its own, one
slice a patient, and the paper's imbalance of 36 normal to 449 with DCM; a smaller library is part of a larger one. All
models are evaluated on the same 300 fresh patients of that scanner. Nothing that is shipped is trained or chosen so.
FOLDER keeps cases and models: the same command goes on where it ended, also with more hospitals or slices, and
`acnet-train cross-validate FOLDER/hospital1-1.5T/60-slices` says what the hospital itself would have found.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ACNetLib.files import atomic_folder, write_json
from ACNetLib.inference.device import choose_device
from ACNetLib.models.model import Model, load_model, save_model
from ACNetLib.models.store import model_for_field
from ACNetLib.t1map.field_strength import FIELD_STRENGTHS_TESLA
from ACNetTrainerLib.abroad.cohort import Cohort, simulate_abroad
from ACNetTrainerLib.abroad.hearts import Kind
from ACNetTrainerLib.cases.library import LABELS, CaseLibrary, read_case_library, write_case_table
from ACNetTrainerLib.evaluation.metrics import auroc, bootstrap_all, bootstrap_difference, threshold_metrics
from ACNetTrainerLib.evaluation.provenance import provenance
from ACNetTrainerLib.evaluation.scores import score_patients
from ACNetTrainerLib.training.fine_tuning import FineTuning
from ACNetTrainerLib.training.loop import Place
from ACNetTrainerLib.training.progress import UNWATCHED
from ACNetTrainerLib.training.recipe import read_recipe
from ACNetTrainerLib.training.train import train

NORMAL_SHARE = 36 / 485
FEWEST_NORMAL = 5
FRESH = {"normal": 150, "dcm": 150}
FIRST_SEED = 7000
"""Of the hospitals; no other cohort of the second simulation in this repository has such a one."""
SHIPPED, SCRATCH, FINE_TUNED = "shipped as it is", "from scratch", "fine-tuned"
CPU = choose_device("cpu")


class Hospital:
    """A scanner, the cases of its hospital, and fresh patients of the same scanner."""

    def __init__(self, folder: Path, number: int, field: float) -> None:
        self.folder = folder / f"hospital{number}-{field:g}T"
        self._field, self._seed = field, FIRST_SEED + 10 * number
        self.factor = Cohort(1, field, self._seed).factor

    def library(self, slices: int) -> CaseLibrary:
        normal = max(FEWEST_NORMAL, round(slices * NORMAL_SHARE))
        return self._cases(f"{slices}-slices", {"normal": normal, "dcm": slices - normal}, self._seed)

    def fresh(self) -> CaseLibrary:
        return self._cases("fresh", FRESH, self._seed + len(LABELS))

    def _cases(self, name: str, counts: dict[str, int], seed: int) -> CaseLibrary:
        """The middle slice of so many patients of each class; a patient stays the same in a larger cohort."""
        folder = self.folder / name
        if not folder.exists():
            with atomic_folder(folder) as unfinished, tempfile.TemporaryDirectory() as room:
                cases = []
                (unfinished / "images").mkdir()
                for number, (label, count) in enumerate(counts.items()):
                    kind: Kind = "dcm" if label == "dcm" else "normal"
                    cohort = Cohort(count, self._field, seed + number, kind, self.factor)
                    simulate_abroad(cohort, Path(room) / label)
                    whole = read_case_library(Path(room) / label)
                    for case in whole.cases:
                        if case.case.endswith("-mid"):
                            shutil.copy(whole.path(case), unfinished / case.file)
                            cases.append(replace(case, turn_degrees=whole.turn_degrees(case, whole.t1_map(case))))
                write_case_table(unfinished, cases)
        return read_case_library(folder)

    def model(self, way: str, slices: int, shipped: Model) -> Model:
        """Trained by the shipped recipe of that way on so many slices."""
        if way == SHIPPED:
            return shipped
        file = self.folder / f"{way.replace(' ', '-')}-{slices}.safetensors"
        if not file.is_file():
            fine_tuning = FineTuning(shipped) if way == FINE_TUNED else None
            recipe = read_recipe("recommended" if fine_tuning is None else "fine-tune")
            # In one precision everywhere, so that a run says the same on every processor.
            recipe = replace(recipe, optimization=replace(recipe.optimization, precision="32-true"))
            work_folder = file.with_suffix(".training")
            trained = train(self.library(slices), recipe, file.stem, Place(work_folder, CPU, UNWATCHED), fine_tuning)
            save_model(trained, file)
            shutil.rmtree(work_folder)
        return load_model(file)


def outcome(hospital: Hospital, slices: int, shipped: Model) -> dict[str, Any]:
    """Measures of the three ways on the same fresh patients, and their differences in AUROC, with intervals."""
    library, fresh = hospital.library(slices), hospital.fresh()
    labels = [case.label for case in library.cases]
    found: dict[str, Any] = {
        "scanner_factor": round(hospital.factor, 4),
        "training": {label: labels.count(label) for label in LABELS},
        "fresh": FRESH,
    }
    scores = {}
    for way in (SHIPPED, SCRATCH, FINE_TUNED):
        model = hospital.model(way, slices, shipped)
        said = scores[way] = score_patients(model, fresh, CPU)
        at_threshold = threshold_metrics(model.card.decision_threshold)
        chosen = {name: at_threshold[name] for name in ("balanced_accuracy", "recall_dcm", "recall_normal")}
        measures = bootstrap_all({"auroc": auroc, **chosen}, said.log_odds, said.is_dcm)
        found[way] = {name: asdict(value.rounded()) for name, value in measures.items()}
    for first, second in ((FINE_TUNED, SHIPPED), (SCRATCH, SHIPPED), (FINE_TUNED, SCRATCH)):
        one, other = scores[first], scores[second]
        difference = bootstrap_difference(one.log_odds, other.log_odds, one.is_dcm)
        found[f"AUROC, {first} less {second}"] = asdict(difference.rounded())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--slices", type=int, nargs="+", default=[60, 120])
    parser.add_argument("--hospitals", type=int, default=3)
    parser.add_argument("--field", type=float, choices=FIELD_STRENGTHS_TESLA, default=1.5)
    options = parser.parse_args()
    torch.set_num_threads(1)  # a sum in one order gives the same network on every computer
    shipped = load_model(model_for_field(options.field))
    made_by = provenance(" ".join(["python", *sys.argv]), shipped.card)
    record: dict[str, Any] = {**made_by, "simulated": True, "field_strength_tesla": options.field, "slices": {}}
    for slices in options.slices:
        hospitals = record["slices"][str(slices)] = {}
        for number in range(1, options.hospitals + 1):
            found = hospitals[str(number)] = outcome(Hospital(options.folder, number, options.field), slices, shipped)
            said = {way: found[way]["auroc"]["value"] for way in (SHIPPED, SCRATCH, FINE_TUNED)}
            print(f"{slices} slices, hospital {number}: AUROC {said}", flush=True)
            write_json(options.output, record, indent=1)
        for way in (SHIPPED, SCRATCH, FINE_TUNED):
            values = [found[way]["auroc"]["value"] for found in hospitals.values()]
            print(f"{slices} slices, {way}: mean AUROC {np.mean(values):.3f}", flush=True)


if __name__ == "__main__":
    main()
