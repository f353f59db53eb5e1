"""Cross-validation of a recipe on a case library, and a model trained on all of it whose card says the outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ACNetLib.errors import ACNetError
from ACNetLib.files import require_empty_folder, write_json
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.header import WEIGHTS_SUFFIX
from ACNetLib.models.model import Model, save_model
from ACNetLib.models.store import MODEL_NAMES, is_model_name

from ..cases.library import CaseLibrary
from ..evaluation.evaluate import check_unseen
from ..training.checkpoints import resumable_writes
from ..training.fine_tuning import FineTuning, check_parent
from ..training.progress import Watch
from ..training.recipe import Recipe
from ..training.train import cases_record
from ..training.work_folder import SETTINGS_FILE, claim_folder, only_process
from .folds import draw_folds
from .mistakes import draw_mistakes, find_mistakes
from .predictions import OutOfFold, predict_library, write_predictions
from .summary import BY_SOURCE, summarize
from .trainings import Say, Trainings

METRICS_FILE = "metrics.json"
FINAL = "all-cases"
"""The training without a fold."""


@dataclass(frozen=True)
class Request:
    """What is asked for. present: the model that would be used without retraining, the parent when fine-tuning."""

    recipe: Recipe
    folds: int
    repeats: int
    present: Model
    fine_tuning: FineTuning | None = None


def model_file(output: Path) -> Path:
    """Where the final model is written, named after the folder. Raises ACNetError when no model can be named so."""
    name = output.resolve().name
    if not is_model_name(name):
        raise ACNetError(f"--output: found '{output}', after which the model is named; expected {MODEL_NAMES}.")
    return output / f"{name}{WEIGHTS_SUFFIX}"


def cross_validate(
    library: CaseLibrary,
    request: Request,
    output: Path,
    device: DeviceChoice,
    made_by: Mapping[str, Any],
    watch: Watch,
    say: Say,
) -> dict[str, Any]:
    """Train each fold's model and evaluate it on the patients left out, then train on all cases; returns the metrics.

    Tables, metrics and picture are in `output` before the last training begins. What is finished there is not done
    again, also when more repeats are asked for. made_by: of `provenance`.

    Raises ACNetError when a class has too few patients, the present model has learned from some of them, or the folder
    holds other files or a cross-validation of other cases or another recipe; TrainingStopped at the wish of `watch`.
    """
    file = model_file(output)
    recipe, fine_tuning = request.recipe, request.fine_tuning
    if fine_tuning is not None:
        check_parent(fine_tuning, recipe)
    folds = draw_folds(library, recipe, request.folds, request.repeats)
    unseen = check_unseen(request.present, library)
    present = predict_library(request.present, library, device)
    if not (output / SETTINGS_FILE).is_file():
        require_empty_folder(output)
    lineage = {"parent": fine_tuning.record} if fine_tuning is not None else {}
    claim_folder(output, {"recipe": asdict(recipe), **cases_record(library.cases), **lineage})
    with only_process(output):
        names = (*(fold.name for fold in folds), FINAL)
        trainings = Trainings(output, names, device, fine_tuning, watch, say)
        found = []
        for fold in folds:
            model = trainings.model(fold.name, fold.training, fold.recipe)
            found.append(OutOfFold(fold, predict_library(model, fold.left_out, device)))
        metrics = summarize(library, found, present, request.present.card)
        metrics["present_model"]["patients_unseen"] = unseen
        write_predictions(found, present, output)
        write_json(output / METRICS_FILE, {**made_by, **metrics})
        draw_mistakes(library, find_mistakes(library, found), output)
        final = trainings.model(FINAL, library, recipe)
        # The names of sources, such as hospitals, stay here: a model is handed on.
        on_card = {name: value for name, value in metrics.items() if name != BY_SOURCE}
        card = replace(final.card, name=file.stem, metrics=on_card)
        with resumable_writes(file):
            save_model(Model(final.network, card), file)
    return metrics
