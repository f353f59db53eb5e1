"""The trainings of a cross-validation, one after the other: none is done twice, and an unfinished one is resumed."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.header import WEIGHTS_SUFFIX
from ACNetLib.models.model import Model, load_model, save_model

from ..cases.library import CaseLibrary
from ..training.checkpoints import resumable_writes
from ..training.fine_tuning import FineTuning
from ..training.network import build_network
from ..training.progress import Watch
from ..training.recipe import Recipe
from ..training.train import train

TRAININGS_FOLDER = "trainings"
"""With the model file of each training that is done, and the work folder of one that is not."""
Say = Callable[[str], None]


class Trainings:
    """Trains by name, says which of how many it is, and how long the rest will take by those before."""

    def __init__(
        self,
        output: Path,
        names: tuple[str, ...],
        device: DeviceChoice,
        fine_tuning: FineTuning | None,
        watch: Watch,
        say: Say,
    ) -> None:
        self._folder = output / TRAININGS_FOLDER
        self._names = names
        self._device, self._fine_tuning, self._watch, self._say = device, fine_tuning, watch, say
        self._seconds: list[float] = []

    def model(self, name: str, library: CaseLibrary, recipe: Recipe) -> Model:
        """The model of that name, trained if it is not there. Raises ACNetError and TrainingStopped like `train`."""
        file = self._file(name)
        work_folder = file.with_suffix(".training")
        if not file.is_file():
            self._announce(name)
            was_begun = work_folder.is_dir()
            started = time.monotonic()
            model = train(library, recipe, name, work_folder, self._device, self._watch, self._fine_tuning)
            with resumable_writes(file):
                save_model(model, file)
            if not was_begun:
                self._seconds.append(time.monotonic() - started)
        shutil.rmtree(work_folder, ignore_errors=True)  # checkpoints have several times the size of the model
        return load_model(file, build_network)

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}{WEIGHTS_SUFFIX}"

    def _announce(self, name: str) -> None:
        left = sum(not self._file(each).is_file() for each in self._names)
        text = f"Training {len(self._names) - left + 1} of {len(self._names)}: {name}"
        if self._seconds:
            minutes = math.ceil(left * sum(self._seconds) / len(self._seconds) / 60)
            text += f"; about {minutes} min left"
        self._say(text)
