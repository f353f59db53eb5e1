"""`acnet-train train-localizer` and `evaluate-localizer`: the network that finds the left ventricle."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ACNetLib.files import require_writable

from ..measuring import UNSEEN_CASES, add_results_arguments, write_results
from ..training import (
    DEVICES,
    FIRST_PATIENTS,
    WHEN_STOPPED,
    check_count,
    check_new_model,
    exit_when_stopped,
    first_patients,
)


def add_localizer_commands(commands: argparse._SubParsersAction[Any]) -> None:
    """Add them to the subcommands of `acnet-train`."""
    train_localizer = commands.add_parser(
        "train-localizer", help="train the network that finds the left ventricle, on simulated case libraries"
    )
    train_localizer.add_argument("cases", type=Path, nargs="+", help="folders of simulated case libraries")
    train_localizer.add_argument("--patients", type=int, default=700, help="patients of each library (default 700)")
    train_localizer.add_argument("--output", type=Path, required=True, help="localizer file to write (.safetensors)")
    train_localizer.add_argument("--device", default="auto", help=DEVICES)
    train_localizer.set_defaults(run=_train_localizer, when_stopped=WHEN_STOPPED)

    evaluating = commands.add_parser("evaluate-localizer", help="evaluate a localizer on simulated cases")
    evaluating.add_argument("localizer", type=Path, help="localizer file")
    evaluating.add_argument("cases", type=Path, nargs="+", help="folders, one library a field strength")
    add_results_arguments(evaluating)
    evaluating.add_argument("--save-model", type=Path, help="write the localizer with these metrics to this file")
    evaluating.set_defaults(run=_evaluate_localizer)

    facts = commands.add_parser("facts", help="measure how right septal T1, wall and segments are, on simulated cases")
    facts.add_argument("localizer", type=Path, help="localizer file")
    facts.add_argument("cases", type=Path, help=UNSEEN_CASES)
    facts.add_argument("--patients", type=int, help=FIRST_PATIENTS)
    add_results_arguments(facts)
    facts.set_defaults(run=_facts)


def _train_localizer(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import choose_device
    from ACNetLib.networks.localizer import save_localizer

    from ...cases.library import read_case_library
    from ...localization.training import FEWEST_PATIENTS, train_localizer
    from ...training.loop import Place
    from ...training.progress import Watch, print_ends

    check_count("--patients", options.patients, FEWEST_PATIENTS)
    check_new_model(options.output)
    work_folder = options.output.with_suffix(".training")
    watch = Watch(bar=sys.stderr.isatty(), report=print_ends)
    with exit_when_stopped(watch):
        model = train_localizer(
            [read_case_library(folder) for folder in options.cases],
            options.patients,
            options.output.stem,
            Place(work_folder, choose_device(options.device), watch),
        )
    save_localizer(model, options.output)
    print(f"localizer {options.output}; metrics of each epoch in {work_folder / 'metrics.csv'}")


def _evaluate_localizer(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import choose_device
    from ACNetLib.networks.localizer import LocalizerModel, load_localizer, save_localizer

    from ...cases.library import read_case_library
    from ...localization.evaluation import evaluate_localizer

    require_writable(options.output, options.save_model)
    model = load_localizer(options.localizer)
    libraries = [read_case_library(folder) for folder in options.cases]
    metrics = evaluate_localizer(model, libraries, choose_device(options.device))
    write_results(options, model.card, metrics)
    if options.save_model:
        save_localizer(LocalizerModel(model.network, replace(model.card, metrics=metrics)), options.save_model)
    for library in libraries:
        field = f"{library.cases[0].field_strength_tesla:g} T"
        values = metrics[field]
        print(
            f"{field}: not found in {values['not_found_fraction']:.1%} of {values['sections']} sections of simulated "
            f"patients; centre error median {values['center_error_median_mm']} mm, 99th percentile "
            f"{values['center_error_p99_mm']} mm; all in {options.output}"
        )


def _facts(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import choose_device
    from ACNetLib.networks.localizer import load_localizer

    from ...cases.library import read_case_library
    from ...localization.facts import judge_facts

    require_writable(options.output)
    model = load_localizer(options.localizer)
    library = first_patients(read_case_library(options.cases), options.patients)
    found = judge_facts(model, library, choose_device(options.device))
    simulated, field = all(case.is_simulated for case in library.cases), library.cases[0].field_strength_tesla
    write_results(options, model.card, {"simulated": simulated, "field_strength_tesla": field, **found})
    septum, wall = found["septal_t1_ms"]["outlines"], found["wall_thickness_mm"]["outlines"]
    print(
        f"Median errors on simulated patients: septal T1 {septum['median']:.1f} ms, wall {wall['median']:.2f} mm; all "
        f"in {options.output}"
    )
