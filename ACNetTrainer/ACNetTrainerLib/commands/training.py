"""`acnet-train train`, `evaluate` and `publish`: from cases to a model that the classifier offers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ACNetLib.commands.parser import STOPPED
from ACNetLib.errors import ACNetError
from ACNetLib.files import require_writable, write_json
from ACNetLib.inference import load_finder

from ..evaluation.wording import CHECKED, estimate_text

if TYPE_CHECKING:
    from ACNetLib.models.card import ModelCard
    from ACNetLib.models.model import Model

    from ..cases.library import CaseLibrary
    from ..training.fine_tuning import FineTuning
    from ..training.progress import Watch
    from ..training.recipe import Recipe

WORK_SUFFIX = ".training"
"""Of the folder beside a model."""
FINE_TUNE = "fine-tune"
"""The shipped recipe that trains a model on; it needs one."""
WHEN_STOPPED = "Stopped. Run the same command again to resume from the last checkpoint."
DEVICES = "auto, cuda, mps or cpu"
FIRST_PATIENTS = "the first of the library (default all)"
MODELS = "name of a model of the classifier's, or a model file"


def add_training_commands(commands: argparse._SubParsersAction[Any]) -> None:
    """Add them to the subcommands of `acnet-train`."""
    train = commands.add_parser("train", help="train a model on a case library; resumes if it was interrupted")
    train.add_argument("cases", type=Path, help="folder of the case library")
    train.add_argument("--recipe", help="name of a shipped recipe, or a TOML file (default recommended, or fine-tune)")
    train.add_argument("--network", help="another network than the recipe's, such as resnet50")
    train.add_argument("--output", type=Path, required=True, help="model file to write (.safetensors)")
    train.add_argument("--device", default="auto", help=DEVICES)
    train.add_argument("--from", dest="parent", metavar="MODEL", help=f"fine-tune this: {MODELS}")
    train.add_argument("--freeze-down-residual", action="store_true", help="fine-tune all but the down-residual module")
    add_progress_options(train)
    train.set_defaults(run=_train, when_stopped=WHEN_STOPPED)

    evaluate = commands.add_parser("evaluate", help="evaluate a model on cases that it has not seen")
    evaluate.add_argument("model", help=MODELS)
    evaluate.add_argument("cases", type=Path, help="folder of the case library")
    evaluate.add_argument("--output", type=Path, required=True, help="metrics file to write (.json)")
    evaluate.add_argument("--figures", type=Path, help="folder for ROC curves, reliability and attention (.png)")
    evaluate.add_argument(
        "--training-cases", type=Path, help="cases of the training, for the regression beside the model to learn from"
    )
    evaluate.add_argument("--save-model", type=Path, help="write the model with these metrics in its card to this file")
    evaluate.add_argument("--device", default="auto", help=DEVICES)
    evaluate.set_defaults(run=_evaluate)

    publish = commands.add_parser("publish", help="offer an evaluated model in the classifier")
    publish.add_argument("model", type=Path, help="model file, with metrics in its card")
    publish.add_argument("--name", help="another name than its card's")
    publish.add_argument("--replace", action="store_true", help="take the place of your own model of that name")
    publish.set_defaults(run=_publish)


def add_progress_options(command: argparse.ArgumentParser) -> None:
    """How a training is followed and stopped: see `followed`."""
    command.add_argument("--progress", choices=("text", "json"), default="text", help="json: one event a line")
    command.add_argument("--stop-file", type=Path, help="stop after the step in which this file appears")
    command.add_argument("--tensorboard", action="store_true", help="write event files for TensorBoard, too")


def _train(options: argparse.Namespace) -> None:
    with followed(options, options.output.with_suffix(WORK_SUFFIX)) as watch:
        _train_to_file(options, watch)


@contextmanager
def followed(options: argparse.Namespace, events_folder: Path) -> Iterator[Watch]:
    """The watch that the options ask for. An error is an event, too, and the stop file is removed at the end.

    events_folder: for the files of --tensorboard.
    """
    from ..training.progress import Watch, print_ends, print_json_line
    from ..training.tensorboard import in_tensorboard

    stop_file: Path | None = options.stop_file

    def stop() -> bool:
        return stop_file is not None and stop_file.exists()

    if options.progress == "json":
        watch = Watch(report=print_json_line, stop=stop)
    else:
        watch = Watch(bar=sys.stderr.isatty(), report=print_ends, stop=stop)
    try:
        with (
            exit_when_stopped(watch),
            in_tensorboard(watch, events_folder if options.tensorboard else None) as reported,
        ):
            yield reported
    except KeyboardInterrupt:  # outside of a training's own steps
        if options.progress == "json":
            watch.report({"event": "stopped", "message": options.when_stopped})
        raise
    except Exception as error:
        watch.report({"event": "error", "message": str(error) or type(error).__name__})
        raise
    finally:
        if stop_file is not None:
            stop_file.unlink(missing_ok=True)  # the next training would stop at once


@contextmanager
def exit_when_stopped(watch: Watch) -> Iterator[None]:
    """A training that was asked to stop ends the command with one line on how to resume."""
    from ..training.progress import TrainingStopped

    try:
        yield
    except TrainingStopped as stopped:
        message = f"{stopped} Run the same command again to resume from there."
        watch.report({"event": "stopped", "epoch": stopped.epoch, "step": stopped.step, "message": message})
        sys.exit(STOPPED)


def _train_to_file(options: argparse.Namespace, watch: Watch) -> None:
    from ACNetLib.inference.device import DeviceChoice, choose_device, work_on
    from ACNetLib.models.model import save_model
    from ACNetLib.report.wording import fitted_text

    from ..cases.library import read_case_library
    from ..cases.turns import with_turns
    from ..training.checkpoints import resumable_writes
    from ..training.loop import Place
    from ..training.recipe import with_network
    from ..training.train import train

    check_new_model(options.output)
    fine_tuning = fine_tuning_of(options.parent, options.recipe, options.freeze_down_residual)
    recipe = recipe_of(options.recipe, fine_tuning)
    if options.network:
        recipe = with_network(recipe, options.network)
    work_folder = options.output.with_suffix(WORK_SUFFIX)
    library = with_turns(read_case_library(options.cases), load_finder)

    def trained_on(device: DeviceChoice) -> Model:
        return train(library, recipe, options.output.stem, Place(work_folder, device, watch), fine_tuning)

    model = work_on(choose_device(options.device), trained_on, say)
    with resumable_writes(options.output):
        save_model(model, options.output)
    metrics = work_folder / "metrics.csv"
    best_epoch = model.card.training["best_epoch"]
    watch.report(
        {
            "event": "finished",
            "model": str(options.output),
            "metrics": str(metrics),
            "best_epoch": best_epoch,
            "fitted_on": model.card.training["fitted_on"],
        }
    )
    if options.progress == "text":
        print(f"model {options.output}; metrics of each epoch in {metrics}")
        print(f"Held back from it: {fitted_text(model.card)}.")
        recognized = model.card.training.get("parents_patients", CHECKED)
        if recognized != CHECKED:
            print(f"Whether the model that it starts from has learned from them {recognized}.")


def fine_tuning_of(parent: str | None, recipe: str | None, freeze_down_residual: bool = False) -> FineTuning | None:
    """What the options --from, --recipe and --freeze-down-residual ask for. Raises ACNetError for what needs --from."""
    from ..training.fine_tuning import FineTuning

    if parent is None:
        if recipe == FINE_TUNE:
            raise ACNetError(f"--recipe {FINE_TUNE}: found without --from; expected a model that is trained on.")
        if freeze_down_residual:
            raise ACNetError("--freeze-down-residual: found without --from; expected a model that is trained on.")
        return None
    return FineTuning(load_any_model(parent), freeze_down_residual)


def recipe_of(name_or_path: str | None, fine_tuning: FineTuning | None) -> Recipe:
    """What the option --recipe asks for, or the shipped one for such a training."""
    from ..training.recipe import read_recipe

    return read_recipe(name_or_path or ("recommended" if fine_tuning is None else FINE_TUNE))


def load_any_model(name_or_path: str) -> Model:
    """Networks that ACNet is compared with are models here as well."""
    from ACNetLib.models.model import load_model
    from ACNetLib.models.store import find_model

    from ..training.network import build_network

    return load_model(find_model(name_or_path), build_network)


def first_patients(library: CaseLibrary, count: int | None) -> CaseLibrary:
    """What the option --patients asks for, all without it. Raises ACNetError for none."""
    if count is None:
        return library
    check_count("--patients", count, 1)
    return library.first(count)


def check_count(option: str, count: int, fewest: int) -> None:
    """Raises ACNetError when it is lower."""
    if count < fewest:
        raise ACNetError(f"{option}: found {count}; expected at least {fewest}.")


def check_new_model(output: Path) -> None:
    """Raises ACNetError unless a model can be written there."""
    from ACNetLib.models.header import WEIGHTS_SUFFIX

    if output.suffix != WEIGHTS_SUFFIX:
        raise ACNetError(f"--output: found '{output}'; expected a file name that ends in {WEIGHTS_SUFFIX}.")
    if output.exists():
        raise ACNetError(f"{output}: exists already; give another output or remove it first.")
    require_writable(output)


def _with_metrics(card: ModelCard, metrics: dict[str, Any]) -> ModelCard:
    """The card with these metrics; what other commands measured of the same weights stays: attention, coverage."""
    from ACNetLib.models.attention_measures import MEASURED

    kept = {name: card.metrics[name] for name in ("coverage",) if name in card.metrics}
    attention = card.metrics.get("attention", {})
    if MEASURED in attention:
        kept["attention"] = attention
    return replace(card, metrics={**metrics, **kept})


def _evaluate(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import DeviceChoice, choose_device, work_on
    from ACNetLib.models.model import Model, save_model

    from ..cases.library import read_case_library
    from ..cases.turns import with_turns
    from ..evaluation.evaluate import Beside, evaluate
    from ..evaluation.provenance import provenance

    figures = None if options.figures is None else options.figures / "figure.png"
    require_writable(options.output, options.save_model, figures)
    model = load_any_model(options.model)
    library = with_turns(read_case_library(options.cases), load_finder)
    training_cases = read_case_library(options.training_cases) if options.training_cases else None

    def evaluated_on(device: DeviceChoice) -> dict[str, Any]:
        localizer = load_finder(device="cpu" if device.device == "cpu" else options.device)
        return evaluate(model, library, device, Beside(localizer, options.figures, training_cases))

    metrics = work_on(choose_device(options.device), evaluated_on, say)
    record = {**provenance(options.command_line, model.card), **metrics}
    write_json(options.output, record)
    if options.save_model:
        save_model(Model(model.network, _with_metrics(model.card, metrics)), options.save_model)
    simulated = " (simulated patients)" if metrics["simulated"] else ""
    print(f"AUROC {estimate_text(metrics['auroc'])}{simulated}; all in {options.output}")
    if metrics["patients_unseen"] != CHECKED:
        print(f"Whether the model has seen these patients in training {metrics['patients_unseen']}.")
    warn_of_few_patients(metrics)


def warn_of_few_patients(metrics: dict[str, Any]) -> None:
    """As `acnet-train cases check` does. metrics: of an evaluation, or of a card, which may lack the counts."""
    from ..cases.checks import few_patients

    match metrics.get("cases"):
        case {"patients_normal": int(normal), "patients_dcm": int(dcm)}:
            for warning in few_patients({"normal": normal, "dcm": dcm}):
                print(f"Warning: {warning}")


def say(text: str) -> None:
    """On standard error, beside what a command is asked for."""
    print(f"acnet-train: {text}", file=sys.stderr)


def _publish(options: argparse.Namespace) -> None:
    from ACNetLib.models.card import read_card

    from ..training.publishing import publish

    path = publish(options.model, options.name, options.replace)
    print(f"Published as {path.stem}, for the classifier and acnet --model:\n  {path}")
    warn_of_few_patients(read_card(path).metrics)
