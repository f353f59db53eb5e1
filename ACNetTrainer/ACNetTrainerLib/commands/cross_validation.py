"""`acnet-train cross-validate`: how well a training on one library does on patients that it has not seen."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ACNetLib.files import require_writable

from .training import DEVICES, MODELS, check_count, exit_when_stopped, fine_tuning_of, recipe_of, say

WHEN_STOPPED = "Stopped. Run the same command again: finished folds are kept, the next one resumes from its checkpoint."


def add_cross_validation_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add it to the subcommands of `acnet-train`."""
    command = commands.add_parser(
        "cross-validate",
        help="evaluate a training on its own library, fold by fold, and train on all of it; resumes",
        description="Every patient is evaluated by a model that was trained without it; one more model is trained on "
        "all cases, its card says the outcome: see Documentation/cross-validation.md.",
    )
    command.add_argument("cases", type=Path, help="folder of the case library")
    command.add_argument("--folds", type=int, default=5, help="parts that the patients are shared out to (default 5)")
    command.add_argument("--repeats", type=int, default=1, help="times all of it is done with other folds (default 1)")
    command.add_argument(
        "--recipe", help="name of a shipped recipe, or a TOML file (default recommended, or fine-tune with --from)"
    )
    command.add_argument("--from", dest="parent", metavar="MODEL", help=f"fine-tune this: {MODELS}")
    command.add_argument("--output", type=Path, required=True, help="folder for the results; the model has its name")
    command.add_argument("--device", default="auto", help=DEVICES)
    command.set_defaults(run=_cross_validate, when_stopped=WHEN_STOPPED)


def _cross_validate(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import DeviceChoice, choose_device, work_on
    from ACNetLib.models.model import load_model
    from ACNetLib.models.store import model_for_field

    from ..cases.library import read_case_library
    from ..cross_validation.cross_validate import METRICS_FILE, Request, cross_validate, model_file
    from ..evaluation.provenance import provenance
    from ..training.progress import Watch, print_ends
    from ..training.train import only_field_strength

    check_count("--folds", options.folds, 2)
    check_count("--repeats", options.repeats, 1)
    file = model_file(options.output)
    require_writable(file)
    fine_tuning = fine_tuning_of(options.parent, options.recipe)
    recipe = recipe_of(options.recipe, fine_tuning)
    library = read_case_library(options.cases)
    present = fine_tuning.parent if fine_tuning else load_model(model_for_field(only_field_strength(library)))
    request = Request(recipe, options.folds, options.repeats, present, fine_tuning)
    watch = Watch(bar=sys.stderr.isatty(), report=print_ends)
    made_by = provenance(options.command_line)

    def validated_on(device: DeviceChoice) -> dict[str, Any]:
        return cross_validate(library, request, options.output, device, made_by, watch, say)

    with exit_when_stopped(watch):
        metrics = work_on(choose_device(options.device), validated_on, say)
    _print_outcome(metrics)
    print(f"model {file}; all measures in {options.output / METRICS_FILE}")


def _print_outcome(metrics: dict[str, Any]) -> None:
    counts, done = metrics["cases"], metrics["cross_validated"]
    kind = "simulated patients" if metrics["simulated"] else "patients"
    repeats = "1 repeat" if done["repeats"] == 1 else f"{done['repeats']} repeats"
    print(
        f"{counts['patients_dcm']} {kind} with DCM, {counts['patients_normal']} normal; {done['folds']} folds, "
        f"{repeats}; 95 % intervals over patients"
    )
    rows = {
        "retrained": metrics,
        f"{metrics['present_model']['name']} as it is": metrics["present_model"],
        "difference": metrics["retrained_minus_present"],
    }
    width = max(map(len, rows))
    names = {
        "auroc": "AUROC",
        "balanced_accuracy": "balanced accuracy",
        "recall_dcm": "sensitivity for DCM (recall_dcm)",
        "recall_normal": "specificity for DCM (recall_normal)",
    }
    for key, name in names.items():
        print(name)
        for model, measures in rows.items():
            estimate = measures[key]
            print(f"  {model:<{width}}  {estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})")
    if metrics["present_model"]["patients_unseen"] != "checked":
        name = metrics["present_model"]["name"]
        print(f"Whether {name} has seen these patients in training {metrics['present_model']['patients_unseen']}.")
