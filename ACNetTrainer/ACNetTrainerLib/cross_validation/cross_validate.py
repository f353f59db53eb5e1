"""Cross-validation of trainings on a case library, and a model trained on all of it whose card says the outcome."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ACNetLib.errors import ACNetError
from ACNetLib.files import require_empty_folder, write_json
from ACNetLib.models.header import WEIGHTS_SUFFIX
from ACNetLib.models.model import Model, save_model
from ACNetLib.models.store import MODEL_NAMES, is_model_name

from ..cases.library import CaseLibrary
from ..evaluation.evaluate import check_unseen
from ..training.checkpoints import resumable_writes
from ..training.patients import known_patients
from ..training.train import cases_record
from ..training.work_folder import SETTINGS_FILE, claim_folder, only_process
from .folds import Fold, check_splits, draw_folds
from .learning_curve import SHARES, Point, draw_learning_curve, learning_curve, part_of, shares_for
from .mistakes import draw_mistakes, find_mistakes
from .predictions import OutOfFold, Predictions, predict_library, write_predictions
from .starts import Request, Start
from .summary import GROUPS, summarize
from .trainings import TRAININGS_FOLDER, Job, Trainings, Work

METRICS_FILE = "metrics.json"
FINAL, ALL = "all-cases", "all"
"""The training without a fold; the share of the patients that a fold trains on."""
LEARNING_CURVE = "learning_curve"


def final_model_file(output: Path) -> Path:
    """Where the final model is written, named after the folder. Raises ACNetError when no model can be named so."""
    name = output.resolve().name
    if not is_model_name(name):
        raise ACNetError(f"--output: found '{output}', after which the model is named; expected {MODEL_NAMES}.")
    return output / f"{name}{WEIGHTS_SUFFIX}"


def cross_validate(
    library: CaseLibrary, request: Request, output: Path, work: Work, made_by: Mapping[str, Any]
) -> dict[str, Any]:
    """Train each fold's models and evaluate them on the patients left out, then train on all cases by the start that
    does best; returns the metrics.

    Tables, metrics and picture are in `output` before the training on all cases begins, and once more with the learning
    curve, which comes last. What is finished there is not done again, also when more repeats or starts are asked for.
    made_by: of `provenance`.

    Raises ACNetError when a class has too few patients, the present model has learned from some of them, or the folder
    holds other files or a cross-validation of other cases or another recipe; TrainingStopped at the wish of the watch.
    """
    file = final_model_file(output)
    folds = draw_folds(library, request.folds, request.repeats)
    for start in request.starts:
        start.check()
        check_splits(folds, start.recipe)
    unseen = check_unseen(request.present, library)
    present = predict_library(request.present, library, work.device)
    _claim(output, library, request.starts)
    with only_process(output):
        plan = _Plan(library, request, folds)
        trainings = Trainings(output, work, (*plan.whole, *plan.parts, plan.final(request.starts[0])))
        said = plan.predictions(trainings, plan.whole, work)
        found = {start.name: plan.found(said, start, ALL, folds) for start in request.starts}
        metrics = summarize(library, found, present, request.present.card)
        metrics["present_model"]["patients_unseen"] = unseen
        chosen = metrics["cross_validated"]["start"]
        write_predictions(found, present, output)
        write_json(output / METRICS_FILE, {**made_by, **metrics})
        draw_mistakes(library, find_mistakes(library, found[chosen]), output)

        start = next(start for start in request.starts if start.name == chosen)
        for _, trained in trainings.models([plan.final(start)]):
            # The names of groups, such as hospitals, stay here: a model is handed on.
            on_card = {name: value for name, value in metrics.items() if name not in GROUPS}
            with resumable_writes(file):
                save_model(Model(trained.network, replace(trained.card, name=file.stem, metrics=on_card)), file)
        if plan.parts:
            said |= plan.predictions(trainings, plan.parts, work)
            metrics[LEARNING_CURVE] = learning_curve(library, plan.points(said))
            write_json(output / METRICS_FILE, {**made_by, **metrics})
            kind = "simulated patients" if metrics["simulated"] else "patients"
            title = f"{file.stem}: {len(library.patients)} {kind}"
            draw_learning_curve(metrics[LEARNING_CURVE], metrics["present_model"], title, output)
    return metrics


def _claim(output: Path, library: CaseLibrary, starts: Sequence[Start]) -> None:
    """Raises ACNetError when the folder holds something else."""
    if not (output / SETTINGS_FILE).is_file():
        require_empty_folder(output)
    claim_folder(output, cases_record(library))
    for start in starts:
        claim_folder(output / TRAININGS_FOLDER / start.name, start.record)


class _Plan:
    """The trainings of a cross-validation: those of the folds, those on parts of them, and the final one."""

    def __init__(self, library: CaseLibrary, request: Request, folds: Sequence[Fold]) -> None:
        self._library, self._starts = library, request.starts
        self._first_repeat = [fold for fold in folds if fold.repeat == 1]
        self._fold: dict[str, Fold] = {}
        self._shares: tuple[str, ...] = ()
        if request.learning_curve:
            self._shares = shares_for(self._first_repeat, [start.recipe for start in request.starts])
        self.whole = tuple(self._job(start, fold, ALL) for start in self._starts for fold in folds)
        self.parts = tuple(
            self._job(start, fold, share)
            for start in self._starts
            for share in self._shares
            for fold in self._first_repeat
        )

    def final(self, start: Start) -> Job:
        return Job(FINAL, start, self._library, start.recipe)

    def _job(self, start: Start, fold: Fold, share: str) -> Job:
        name = _name(fold, share)
        self._fold[name] = fold
        cases = fold.training if share == ALL else part_of(fold, SHARES[share])
        return Job(name, start, cases, fold.recipe(start.recipe))

    def predictions(self, trainings: Trainings, jobs: Sequence[Job], work: Work) -> dict[tuple[str, str], Predictions]:
        """Of the patients left out, by start and job. Raises ACNetError for a model that has learned from some of them:
        a file of another fold, or one whose folds were drawn otherwise."""
        said = {}
        for job, model in trainings.models(jobs):
            known, _ = known_patients(model.card, self._fold[job.name].left_out)
            if known:
                raise ACNetError(
                    f"{job.start.name}, {job.name}: its model was trained on {len(known)} of the patients whom it is "
                    "to be evaluated on; expected none. Give another output."
                )
            said[job.start.name, job.name] = predict_library(model, self._fold[job.name].left_out, work.device)
        return said

    def found(
        self, said: Mapping[tuple[str, str], Predictions], start: Start, share: str, folds: Sequence[Fold]
    ) -> tuple[OutOfFold, ...]:
        return tuple(OutOfFold(fold, said[start.name, _name(fold, share)]) for fold in folds)

    def points(self, said: Mapping[tuple[str, str], Predictions]) -> dict[str, list[Point]]:
        points = defaultdict[str, list[Point]](list)
        for start in self._starts:
            for share in (*self._shares, ALL):
                found = self.found(said, start, share, self._first_repeat)
                points[start.name].append(Point(SHARES.get(share, 1.0), found))
        return points


def _name(fold: Fold, share: str) -> str:
    return fold.name if share == ALL else f"{fold.name}-{share}"
