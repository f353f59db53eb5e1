"""Trainings of a shipped model's recipe that differ in one thing: what its attention's last two rows are measured with.

    python Testing/benchmarks/attention_seeds.py TRAINING_CASES FOLDER

Two other seeds, and the recipe's own seed with attention that is not taught where to lie. Their files go to
`acnet-train attention --other-seeds ... --untaught ...`: see `make validation`. Run it again to resume.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch

from ACNetLib.inference.device import choose_device
from ACNetLib.models.model import save_model
from ACNetLib.worker_pool import worker_pool
from ACNetTrainerLib.cases.library import read_case_library
from ACNetTrainerLib.training.loop import Place
from ACNetTrainerLib.training.progress import UNWATCHED
from ACNetTrainerLib.training.recipe import Recipe, read_recipe
from ACNetTrainerLib.training.train import train

OTHER_SEEDS = (2, 3)


def recipes() -> dict[str, Recipe]:
    """By the trainings' names."""
    shipped = read_recipe("simulated")
    settings = shipped.optimization
    return {
        "untaught": replace(shipped, optimization=replace(settings, mask_loss_weight=0.0)),
        **{f"seed-{seed}": replace(shipped, optimization=replace(settings, seed=seed)) for seed in OTHER_SEEDS},
    }


def train_to_file(name: str, cases: Path, folder: Path) -> None:
    file = folder / f"{name}.safetensors"
    if not file.is_file():
        torch.set_num_threads(1)
        place = Place(folder / name, choose_device("cpu"), UNWATCHED)
        save_model(train(read_case_library(cases), recipes()[name], name, place), file)


def main() -> None:
    cases, folder = map(Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    with worker_pool() as pool:
        for done in [pool.submit(train_to_file, name, cases, folder) for name in recipes()]:
            done.result()


if __name__ == "__main__":
    main()
