"""A tiny training that several test files look at. PyTorch is imported where one is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ACNetTrainerLib.cases.library import CaseLibrary
    from tiny_training import Training


@pytest.fixture(scope="session")
def tiny_recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny_training import write_recipe

    return write_recipe(tmp_path_factory.mktemp("recipe") / "tiny.toml")


@pytest.fixture(scope="session")
def training(middle_library: CaseLibrary, tiny_recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """One that nobody interrupted."""
    from ACNetTrainerLib.training.loop import Place
    from ACNetTrainerLib.training.recipe import read_recipe
    from ACNetTrainerLib.training.train import train
    from tiny_training import CPU, Training

    folder = tmp_path_factory.mktemp("training") / "tiny.training"
    return Training(train(middle_library, read_recipe(str(tiny_recipe_file)), "tiny", Place(folder, CPU)), folder)
