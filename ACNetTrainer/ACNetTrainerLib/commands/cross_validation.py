"""`acnet-train cross-validate`: how well a training on one library does on patients that it has not seen."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ACNetLib.errors import ACNetError
from ACNetLib.files import require_writable
from ACNetLib.inference import load_finder

from ..evaluation.wording import CHECKED, estimate_text
from .training import (
    DEVICES,
    FINE_TUNE,
    MODELS,
    add_progress_options,
    check_count,
    followed,
    load_any_model,
    say,
    warn_of_few_patients,
)

if TYPE_CHECKING:
    from ..cases.library import CaseLibrary
    from ..cross_validation.starts import Request
    from ..training.progress import Watch

WHEN_STOPPED = "Stopped. Run the same command again: finished folds are kept, the next one resumes from its checkpoint."
BOTH, SCRATCH, FINE_TUNED = "both", "scratch", "fine-tuned"
MEASURES = {
    "auroc": "AUROC",
    "balanced_accuracy": "balanced accuracy",
    "recall_dcm": "sensitivity for DCM (recall_dcm)",
    "recall_normal": "specificity for DCM (recall_normal)",
}


def add_cross_validation_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add it to the subcommands of `acnet-train`."""
    command = commands.add_parser(
        "cross-validate",
        help="evaluate a training on its own library, fold by fold, and train on all of it; resumes",
        description="Every patient is evaluated by a model that was trained without it; one more model is trained on "
        "all cases, its card says the outcome: see Documentation/cross-validation.md.",
    )
    command.add_argument("cases", type=Path, help="folder of the case library")
    command.add_argument("--folds", type=int, default=5, help="groups that the patients are divided into (default 5)")
    command.add_argument("--repeats", type=int, default=1, help="times all of it is done with other folds (default 1)")
    command.add_argument(
        "--start", choices=(BOTH, SCRATCH, FINE_TUNED), default=BOTH, help="train so; both are compared (default both)"
    )
    command.add_argument("--recipe", help="from scratch: name of a recipe, or a TOML file (default recommended)")
    command.add_argument("--fine-tuning-recipe", help=f"of the fine-tuning (default {FINE_TUNE})")
    command.add_argument(
        "--from", dest="parent", metavar="MODEL", help=f"fine-tune this (default the shipped one): {MODELS}"
    )
    command.add_argument(
        "--learning-curve",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="train on a quarter and half of the patients, too: would more cases help?",
    )
    command.add_argument("--output", type=Path, required=True, help="folder for the results; the model has its name")
    command.add_argument("--device", default="auto", help=DEVICES)
    command.add_argument("--scheduler", metavar="ADDRESS", help="let the workers of a Dask cluster train")
    add_progress_options(command)
    command.set_defaults(run=_run, when_stopped=WHEN_STOPPED)


def _run(options: argparse.Namespace) -> None:
    if options.tensorboard and options.scheduler is not None:
        raise ACNetError("--tensorboard: found with --scheduler, whose workers tell of no epochs; leave one out.")
    with followed(options, options.output / "tensorboard") as watch:
        _cross_validate(options, watch)


def _cross_validate(options: argparse.Namespace, watch: Watch) -> None:
    from ACNetLib.inference.device import DeviceChoice, choose_device, work_on
    from ACNetLib.models.card import card_from_values
    from ACNetLib.models.header import read_card_values
    from ACNetLib.report.wording import fitted_text

    from ..cases.library import read_case_library
    from ..cases.turns import with_turns
    from ..cross_validation.cross_validate import METRICS_FILE, cross_validate, final_model_file
    from ..cross_validation.trainings import Work
    from ..evaluation.provenance import provenance

    check_count("--folds", options.folds, 2)
    check_count("--repeats", options.repeats, 1)
    file = final_model_file(options.output)
    require_writable(file)
    library = with_turns(read_case_library(options.cases), load_finder)
    request = _request(options, library)
    made_by = provenance(options.command_line)

    def validated_on(device: DeviceChoice) -> dict[str, Any]:
        work = Work(device, watch, scheduler=options.scheduler)
        if options.progress == "text":  # else the events say it, and standard error is for errors
            work = replace(work, say=say)
        return cross_validate(library, request, options.output, work, made_by)

    metrics = work_on(choose_device(options.device), validated_on, say)
    metrics_file = options.output / METRICS_FILE
    card = card_from_values(read_card_values(file, comparisons=True), file.name)
    finished = {"event": "finished", "model": str(file), "metrics": str(metrics_file)}
    watch.report({**finished, "fitted_on": card.training.get("fitted_on", {})})
    if options.progress == "text":
        _print_outcome(metrics)
        print(f"model {file}; all measures in {metrics_file}")
        if told := fitted_text(card):  # a model that an earlier version has trained does not say
            print(f"Held back from its training: {told}.")


def _request(options: argparse.Namespace, library: CaseLibrary) -> Request:
    """Raises ACNetError for an option of a start that is not asked for."""
    from ACNetLib.models.store import model_for_field

    from ..cross_validation.starts import Request, Start
    from ..training.fine_tuning import FineTuning
    from ..training.recipe import read_recipe
    from ..training.train import only_field_strength

    for option, value, start in (
        ("--recipe", options.recipe, SCRATCH),
        ("--fine-tuning-recipe", options.fine_tuning_recipe, FINE_TUNED),
        ("--from", options.parent, FINE_TUNED),
    ):
        if value is not None and options.start not in (BOTH, start):
            raise ACNetError(f"{option}: found with --start {options.start}; expected --start {start} or {BOTH}.")
    if options.recipe == FINE_TUNE:
        raise ACNetError(f"--recipe {FINE_TUNE}: found for a training from scratch; give it as --fine-tuning-recipe.")
    present = load_any_model(options.parent or str(model_for_field(only_field_strength(library))))
    starts = {
        SCRATCH: lambda: Start(read_recipe(options.recipe or "recommended")),
        FINE_TUNED: lambda: Start(read_recipe(options.fine_tuning_recipe or FINE_TUNE), FineTuning(present)),
    }
    chosen = [make() for name, make in starts.items() if options.start in (BOTH, name)]
    return Request(chosen, options.folds, options.repeats, present, options.learning_curve)


def _print_outcome(metrics: dict[str, Any]) -> None:
    counts, done, present = metrics["cases"], metrics["cross_validated"], metrics["present_model"]
    kind = "simulated patients" if metrics["simulated"] else "patients"
    repeats = "1 repeat" if done["repeats"] == 1 else f"{done['repeats']} repeats"
    print(
        f"{counts['patients_dcm']} {kind} with DCM, {counts['patients_normal']} normal; {done['folds']} folds, "
        f"{repeats}; 95 % intervals over patients"
    )
    rows = {_spoken(start): found for start, found in metrics["starts"].items()}
    rows[f"{present['name']} as it is"] = present
    for start, found in metrics["starts"].items():
        rows[f"{_spoken(start)}, less as it is"] = found["minus_present"]
    if (both := metrics.get("fine_tuned_minus_from_scratch")) is not None:
        rows["fine-tuned, less from scratch"] = both
    width = max(map(len, rows))
    for key, name in MEASURES.items():
        print(name)
        for row, found in rows.items():
            print(f"  {row:<{width}}  {estimate_text(found[key])}")
    if len(metrics["starts"]) > 1:
        print(f"The model is {_spoken(done['start'])}, for it has the higher AUROC on these patients.")
    _print_learning_curve(metrics.get("learning_curve", {}))
    if present["patients_unseen"] != CHECKED:
        print(f"Whether {present['name']} has seen these patients in training {present['patients_unseen']}.")
    warn_of_few_patients(metrics)


def _print_learning_curve(curve: dict[str, Any]) -> None:
    for start, found in curve.items():
        for point in found["points"]:
            print(
                f"{_spoken(start)}, {point['patients']} patients in a training: AUROC {estimate_text(point['auroc'])}"
            )
        if (rise := found.get("rise_from_half")) is not None:
            print(f"  from half of them to all: {estimate_text(rise)}. More cases {found['more_cases']}.")


def _spoken(start: str) -> str:
    return start.replace("from-scratch", "from scratch")
