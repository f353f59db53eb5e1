"""What the classifier's training gains by choices that are not obvious, at home and abroad.

python Testing/benchmarks/training_choices.py TRAINING_CASES ABROAD_CASES OUTPUT.json

Trains the same network on the same patients: with every turn of the slice; with the septum to the left, within 20
degrees (by its true direction: the best that a localizer could do); and from every turn on, with the T1 of a third of
the slices exchanged along random curves, as the localizer is trained, and with the bias of sites. Each is evaluated on
patients of the same simulation and of the one abroad, with T1 as it is and 6 % too long.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ACNetLib.inference.device import choose_device
from ACNetLib.t1map.section import INTENSITY_MAX, to_intensity
from ACNetTrainerLib.cases.library import CaseLibrary, read_case_library
from ACNetTrainerLib.evaluation.metrics import auroc, bootstrap
from ACNetTrainerLib.evaluation.provenance import provenance
from ACNetTrainerLib.localization.training import with_other_contrast
from ACNetTrainerLib.training.batches import EpochBatches, InOrder
from ACNetTrainerLib.training.dataset import CaseDataset, EpochSampler, RandomChanges, SampleKey
from ACNetTrainerLib.training.loop import Place, fit
from ACNetTrainerLib.training.network import build_network
from ACNetTrainerLib.training.progress import UNWATCHED
from ACNetTrainerLib.training.recipe import read_recipe
from ACNetTrainerLib.training.split import split_patients
from ACNetTrainerLib.training.task import TrainingTask
from ACNetTrainerLib.training.train import predict

PATIENTS, HELD_OUT, EPOCHS, SEPTUM_TURN_DEGREES = 300, 250, 5, 20.0
FREE_CONTRAST_SHARE, SITE_SD, SITE_FACTOR = 1 / 3, 0.04, 1.06


class FreeContrastDataset(CaseDataset):
    """Cases of which a share have any T1 in each tissue."""

    def __getitem__(self, key: SampleKey) -> tuple[Tensor, ...]:
        section, *rest = super().__getitem__(key)
        if self._changes is None:
            return section, *rest
        rng = np.random.default_rng([self._changes.seed, *key, 1])
        if rng.random() < FREE_CONTRAST_SHARE:
            scale = np.float32(self._intensity.high_ms / INTENSITY_MAX)
            exchanged = with_other_contrast(scale * section[0].numpy(), rng)
            section = torch.from_numpy(to_intensity(exchanged, self._intensity))[None]
        return section, *rest


def main() -> None:
    training_folder, abroad_folder, output = map(Path, sys.argv[1:4])
    recipe = read_recipe("recommended")
    settings = replace(recipe.optimization, epochs=EPOCHS)
    whole = read_case_library(training_folder)
    chosen = set(whole.patients[:PATIENTS])
    held_out = set(whole.patients[PATIENTS : PATIENTS + HELD_OUT])
    library = CaseLibrary(whole.folder, tuple(case for case in whole.cases if case.patient in chosen))
    home = [case for case in whole.cases if case.patient in held_out]
    abroad = read_case_library(abroad_folder)
    training_cases, validation_cases = split_patients(library, settings.validation_fraction, settings.seed)
    device = choose_device("cpu")
    result: dict[str, dict[str, dict[str, Any]]] = {}
    every_turn = replace(recipe.augmentation, rotation_degrees=180.0, mirror=0.0, t1_scale=0.0)
    for name, kind, augmentation in (
        ("every turn trained", CaseDataset, every_turn),
        ("turned by the septum", CaseDataset, replace(every_turn, rotation_degrees=SEPTUM_TURN_DEGREES)),
        ("free contrast in a third", FreeContrastDataset, every_turn),
        ("bias of sites, SD 4 %", CaseDataset, replace(every_turn, t1_scale=SITE_SD)),
    ):
        training = kind(library, training_cases, recipe.intensity, RandomChanges(augmentation, settings.seed))
        sampler = EpochSampler([case.is_dcm for case in training_cases], settings.seed, balanced=True)
        batches = EpochBatches(training, settings.batch_size, sampler)
        torch.manual_seed(settings.seed)
        network = build_network(**asdict(recipe.network))
        with tempfile.TemporaryDirectory() as folder:
            validation = InOrder(kind(library, validation_cases, recipe.intensity))
            fit(TrainingTask(network, settings), batches, validation, Place(Path(folder), device, UNWATCHED))
        result[name] = {}
        for place, where, cases in (("at home", whole, home), ("abroad", abroad, abroad.cases)):
            seen = kind(where, cases, recipe.intensity)
            for site, dataset in ((place, seen), (f"{place}, T1 6 % too long", seen.with_t1_times(SITE_FACTOR))):
                _, log_odds, is_dcm = predict(network, dataset, device).by_patient()
                result[name][site] = {
                    "auroc": asdict(bootstrap(auroc, log_odds, is_dcm, 0).rounded()),
                    "recall_normal": round(float((log_odds[~is_dcm] < 0).mean()), 3),
                    "recall_dcm": round(float((log_odds[is_dcm] >= 0).mean()), 3),
                }
        print(name, result[name], flush=True)
    record = {
        **provenance(" ".join(["python", *sys.argv])),
        "simulated": True,
        "patients": PATIENTS,
        "epochs": EPOCHS,
        "choices": result,
    }
    output.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
