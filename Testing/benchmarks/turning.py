"""Does it help to turn each slice by its septum before the classifier, instead of training every turn?

python Testing/benchmarks/turning.py TRAINING_CASES ABROAD_CASES OUTPUT.json

Trains the same network twice on the same patients: turned at random all the way, and turned so that the septum lies to
the left, within 20 degrees. The septum's direction is the true one: the second network sees the best that a localizer
could do. Both are evaluated on patients of the same simulation and of the one abroad.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ACNetLib.device import choose_device
from ACNetLib.section import IntensityScaling, SectionGrid, to_intensity
from ACNetTrainerLib.augmentation import random_grid, vary_t1
from ACNetTrainerLib.cases import Case, CaseLibrary, read_case_library
from ACNetTrainerLib.checkpoints import ResumableLoader
from ACNetTrainerLib.dataset import CaseDataset, EpochSampler, SampleKey
from ACNetTrainerLib.fitting import fit
from ACNetTrainerLib.folds import split_patients
from ACNetTrainerLib.metrics import auroc, bootstrap
from ACNetTrainerLib.networks import build_network
from ACNetTrainerLib.progress import UNWATCHED
from ACNetTrainerLib.provenance import provenance
from ACNetTrainerLib.recipe import Augmentation, read_recipe
from ACNetTrainerLib.simulation.truth import TRUTH_TABLE_NAME
from ACNetTrainerLib.training import evaluation_loader, predict
from ACNetTrainerLib.training_task import TrainingTask

PATIENTS, EPOCHS, SEPTUM_TURN_DEGREES = 500, 5, 20.0
POINTS = ("anterior", "inferior")


class TurnedDataset(CaseDataset):
    """Cases whose sections are turned by their septum before anything else."""

    def __init__(
        self,
        library: CaseLibrary,
        cases: Sequence[Case],
        intensity: IntensityScaling,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(library, cases, intensity, augmentation, seed)
        with (library.folder / TRUTH_TABLE_NAME).open(encoding="utf-8", newline="") as file:
            truth = {row["case"]: row for row in csv.DictReader(file)}
        self._septum_mm = [
            np.mean([[float(truth[case.case][f"{p}_insertion_{axis}_mm"]) for axis in "lps"] for p in POINTS], axis=0)
            for case in cases
        ]

    def __getitem__(self, key: SampleKey) -> tuple[Tensor, ...]:
        epoch, index, draw = key
        case, t1_map = self.cases[index], self._maps[index]
        grid = SectionGrid.around(t1_map, 0, case.center_mm)
        towards = self._septum_mm[index] - np.array(grid.center_mm)
        angle = np.arctan2(towards @ np.array(grid.column_axis), towards @ np.array(grid.row_axis))
        grid = grid.turned(float(np.rad2deg(angle)) - 180.0)
        rng = np.random.default_rng([self._seed, epoch, index, draw])
        if self._augmentation is not None:
            grid = random_grid(grid, self._augmentation, rng)
        t1_ms = grid.crop(t1_map).t1_ms
        if self._augmentation is not None:
            t1_ms = vary_t1(t1_ms, self._augmentation, rng)
        return torch.from_numpy(to_intensity(t1_ms, self._intensity))[None], torch.tensor(int(case.is_dcm))


def main() -> None:
    training_folder, abroad_folder, output = map(Path, sys.argv[1:4])
    recipe = read_recipe("recommended")
    settings = replace(recipe.optimization, epochs=EPOCHS)
    whole = read_case_library(training_folder)
    chosen = set(whole.patients[:PATIENTS])
    held_out = set(whole.patients[PATIENTS : PATIENTS + PATIENTS // 2])
    library = CaseLibrary(whole.folder, tuple(case for case in whole.cases if case.patient in chosen))
    home = [case for case in whole.cases if case.patient in held_out]
    abroad = read_case_library(abroad_folder)
    training_cases, validation_cases = split_patients(library, settings.validation_fraction, settings.seed)
    device = choose_device("cpu")
    result: dict[str, dict[str, dict[str, float]]] = {}
    for name, kind, degrees in (
        ("every turn trained", CaseDataset, 180.0),
        ("turned by the septum", TurnedDataset, SEPTUM_TURN_DEGREES),
    ):
        augmentation = replace(recipe.augmentation, rotation_degrees=degrees, mirror=0.0)
        training = kind(library, training_cases, recipe.intensity, augmentation, settings.seed)
        sampler = EpochSampler([case.is_dcm for case in training_cases], settings.seed, balanced=True)
        loader = ResumableLoader(training, settings.batch_size, sampler)
        torch.manual_seed(settings.seed)
        network = build_network(**asdict(recipe.network))
        with tempfile.TemporaryDirectory() as folder:
            validation = evaluation_loader(kind(library, validation_cases, recipe.intensity))
            fit(TrainingTask(network, settings, len(loader)), loader, validation, Path(folder), device, UNWATCHED)
        result[name] = {}
        for place, where, cases in (("at home", whole, home), ("abroad", abroad, abroad.cases)):
            _, log_odds, is_dcm = predict(network, kind(where, cases, recipe.intensity), device).by_patient()
            result[name][place] = asdict(bootstrap(auroc, log_odds, is_dcm, 0).rounded())
        print(name, result[name], flush=True)
    record = {**provenance("python"), "simulated": True, "patients": PATIENTS, "epochs": EPOCHS, "auroc": result}
    output.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
