"""Whether trainings that differ in their seed alone attend to the same, and what teaching the attention costs.

    python Testing/benchmarks/attention_seeds.py TRAINING_CASES HOME_CASES ABROAD_CASES WORK_FOLDER OUTPUT.json

Four small trainings by the recipe of the shipped models: three seeds, and the first seed once more with attention that
is not taught where to lie. Then every measure of the first one's attention, beside the others, on patients of the same
simulation and of the one abroad. Run it again to resume.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ACNetLib.files import write_json
from ACNetLib.inference.device import choose_device
from ACNetLib.models.model import Model, load_model, save_model
from ACNetLib.worker_pool import worker_pool
from ACNetTrainerLib.cases.library import CaseLibrary, read_case_library
from ACNetTrainerLib.evaluation.attention_validation import validate_attention
from ACNetTrainerLib.evaluation.provenance import provenance
from ACNetTrainerLib.training.loop import Place
from ACNetTrainerLib.training.progress import UNWATCHED
from ACNetTrainerLib.training.recipe import Recipe, read_recipe
from ACNetTrainerLib.training.train import train

SEEDS, UNTAUGHT = (1, 2, 3), "untaught"
MEASURED_PATIENTS = 200


def recipes() -> dict[str, Recipe]:
    """By the trainings' names, the one that is measured first."""
    taught = read_recipe("simulated")
    settings = taught.optimization
    return {
        **{f"seed-{seed}": replace(taught, optimization=replace(settings, seed=seed)) for seed in SEEDS},
        UNTAUGHT: replace(taught, optimization=replace(settings, mask_loss_weight=0.0)),
    }


def trained(name: str, cases: Path, work_folder: Path) -> Path:
    """The model's file."""
    file = work_folder / f"{name}.safetensors"
    if not file.is_file():
        torch.set_num_threads(1)
        place = Place(work_folder / name, choose_device("cpu"), UNWATCHED)
        save_model(train(read_case_library(cases), recipes()[name], name, place), file)
    return file


def measured(models: dict[str, Model], cases: Path) -> dict[str, Any]:
    whole = read_case_library(cases)
    patients = set(whole.patients[:MEASURED_PATIENTS])
    library = CaseLibrary(whole.folder, tuple(case for case in whole.cases if case.patient in patients))
    first, *others = (model for name, model in models.items() if name != UNTAUGHT)
    return {
        "patients": len(patients),
        **validate_attention(first, library, choose_device("cpu"), others, models[UNTAUGHT]),
    }


def main() -> None:
    training, home, abroad, work_folder, output = map(Path, sys.argv[1:])
    work_folder.mkdir(parents=True, exist_ok=True)
    with worker_pool() as pool:
        files = pool.map(trained, recipes(), [training] * len(recipes()), [work_folder] * len(recipes()))
        models = {name: load_model(file) for name, file in zip(recipes(), files, strict=True)}
    torch.set_num_threads(1)
    record = {
        **provenance(" ".join(["python", *sys.argv])),
        "simulated": True,
        "training": models["seed-1"].card.training["training"],
        "at home": measured(models, home),
        "abroad": measured(models, abroad),
    }
    write_json(output, record)


if __name__ == "__main__":
    main()
