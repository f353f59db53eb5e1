"""Trainings that take seconds: the recommended recipe, dropout and augmentation included, on a few simulated cases."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.model import Model, save_model
from ACNetTrainerLib.cases.library import LABELS, CaseLibrary
from ACNetTrainerLib.training.progress import Event
from ACNetTrainerLib.training.recipe import Recipe, read_recipe, shipped_recipes

CPU = DeviceChoice("cpu", "asked for")
EPOCHS = 3


@dataclass(frozen=True)
class Training:
    """A finished training: its model and the folder that it worked in."""

    model: Model
    work_folder: Path


def write_recipe(path: Path, changes: dict[str, str] | None = None) -> Path:
    """The recommended recipe with three epochs of small batches, and these changes of its text."""
    text = shipped_recipes()["recommended"].read_text(encoding="utf-8")
    tiny = {
        "epochs = 10": f"epochs = {EPOCHS}",
        "batch_size = 32": "batch_size = 3",
        "least_steps = 100": "least_steps = 0",
        '"auto"': '"32-true"',
    }
    for old, new in {**tiny, **(changes or {})}.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


def tiny_recipe(folder: Path) -> Recipe:
    return read_recipe(str(write_recipe(folder / "tiny.toml")))


def changed(recipe: Recipe, **optimization: object) -> Recipe:
    return replace(recipe, optimization=replace(recipe.optimization, **optimization))  # type: ignore[arg-type]


def few_cases(library: CaseLibrary) -> CaseLibrary:
    """One section each of three patients a class."""
    middle = [case for case in library.cases if case.case.endswith("-mid")]
    normal, dcm = ([case for case in middle if case.label == label] for label in LABELS)
    return replace(library, cases=(*normal[:3], *dcm[:3]))


def rows_of(work_folder: Path) -> list[dict[str, str]]:
    with (work_folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def file_bytes(model: Model, folder: Path) -> bytes:
    """What the model's file holds."""
    save_model(model, folder / "saved.safetensors")
    return (folder / "saved.safetensors").read_bytes()


def after_steps(count: int) -> tuple[Callable[[Event], None], Callable[[], bool]]:
    """What a Watch reports to and asks, so that it stops a training after so many steps of its own."""
    seen: list[Event] = []
    return seen.append, lambda: sum(event["event"] == "step" for event in seen) >= count
