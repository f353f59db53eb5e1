"""The `acnet-train` command: simulate cases, train on cases, evaluate a model on cases."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import SimpleITK as sitk

from ACNetLib.commands.parser import CommandParser, add_version, run_command, seed
from ACNetLib.errors import ACNetError
from ACNetLib.files import atomic_folder, require_writable, write_json

from .abroad import add_abroad_commands
from .attention import add_attention_command
from .cases import add_case_commands
from .comparison import add_comparison_commands
from .training import (
    WHEN_STOPPED,
    add_training_commands,
    check_new_model,
    exit_when_stopped,
    quieten_lightning,
)

if TYPE_CHECKING:
    from ACNetLib.models.model import Model

DICOM_FLAVOURS = ("siemens", "philips", "shmolli", "ge", "parametric-map")  # simulation.dicom.FLAVOURS, not imported


def main(arguments: Sequence[str] | None = None) -> int:
    # Resampling sections of 128 x 128 pixels is several times faster when ITK wakes no threads for it, above all while
    # torch keeps every core busy.
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    return run_command(_parser(), arguments)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        "acnet-train", description="Retrain ACNet. Research only: not a medical device, not for diagnosis or treatment."
    )
    add_version(parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    simulate = commands.add_parser("simulate", help="write a case library of simulated patients")
    simulate.add_argument("--patients", type=int, required=True)
    simulate.add_argument("--normal-fraction", type=float, default=0.5, help="share of normal patients (default 0.5)")
    simulate.add_argument("--field", type=float, choices=(1.5, 3.0), default=1.5, help="field strength in tesla")
    simulate.add_argument("--seed", type=seed, default=1)
    simulate.add_argument("--output", type=Path, required=True, help="new or empty folder")
    simulate.add_argument(
        "--dicom",
        nargs="?",
        const="siemens",
        choices=DICOM_FLAVOURS,
        help="write DICOM too, as this maker's scanners do (siemens when none is named)",
    )
    simulate.set_defaults(run=_simulate)

    validation = commands.add_parser(
        "validate-simulation", help="measure how hard simulated patients are to tell apart and how real their maps look"
    )
    validation.add_argument("--patients", type=int, default=400, help="patients of each class (default 400)")
    validation.add_argument("--field", type=float, choices=(1.5, 3.0), default=1.5, help="field strength in tesla")
    validation.add_argument("--seed", type=seed, default=77)
    validation.add_argument("--output", type=Path, required=True, help="results file to write (.json)")
    validation.set_defaults(run=_validate_simulation)

    gallery = commands.add_parser("gallery", help="draw slices of each class of a case library")
    gallery.add_argument("cases", type=Path, help="folder of the case library")
    gallery.add_argument("--sections", type=int, default=12, help="slices of each class (default 12)")
    gallery.add_argument("--output", type=Path, required=True, help="picture to write (.png)")
    gallery.set_defaults(run=_gallery)

    sample = commands.add_parser("sample-data", help="write the sample that ships with the classifier")
    sample.add_argument("--output", type=Path, required=True, help="new or empty folder")
    sample.add_argument("--thumbnails", type=Path, required=True, help="folder for a picture of each patient (.png)")
    sample.set_defaults(run=_sample_data)

    sample_cases = commands.add_parser("sample-cases", help="write the case library that ships with the trainer")
    sample_cases.add_argument("--output", type=Path, required=True, help="new or empty folder")
    sample_cases.set_defaults(run=_sample_cases)

    train_localizer = commands.add_parser(
        "train-localizer", help="train the network that finds the left ventricle, on simulated case libraries"
    )
    train_localizer.add_argument("cases", type=Path, nargs="+", help="folders of simulated case libraries")
    train_localizer.add_argument("--patients", type=int, default=700, help="patients of each library (default 700)")
    train_localizer.add_argument("--output", type=Path, required=True, help="localizer file to write (.safetensors)")
    train_localizer.add_argument("--device", default="auto", help="auto, cuda, mps or cpu")
    train_localizer.set_defaults(run=_train_localizer, when_stopped=WHEN_STOPPED)

    evaluate_localizer = commands.add_parser("evaluate-localizer", help="evaluate a localizer on simulated cases")
    evaluate_localizer.add_argument("localizer", type=Path, help="localizer file")
    evaluate_localizer.add_argument("cases", type=Path, nargs="+", help="folders, one library a field strength")
    evaluate_localizer.add_argument("--output", type=Path, required=True, help="metrics file to write (.json)")
    evaluate_localizer.add_argument(
        "--save-model", type=Path, help="write the localizer with these metrics to this file"
    )
    evaluate_localizer.add_argument("--device", default="auto", help="auto, cuda, mps or cpu")
    evaluate_localizer.set_defaults(run=_evaluate_localizer)

    diseases = commands.add_parser("other-diseases", help="what a model says of simulated hearts that it does not know")
    diseases.add_argument("model", help="name of a shipped model, or a model file")
    diseases.add_argument("--patients", type=int, default=100, help="patients of each disease (default 100)")
    diseases.add_argument("--seed", type=seed, default=5)
    diseases.add_argument("--output", type=Path, required=True, help="results file to write (.json)")
    diseases.add_argument("--device", default="auto", help="auto, cuda, mps or cpu")
    diseases.set_defaults(run=_other_diseases)

    robustness = commands.add_parser("robustness", help="evaluate a model on simulated scans that get worse and worse")
    robustness.add_argument("model", help="name of a shipped model, or a model file")
    robustness.add_argument("--patients", type=int, default=200, help="half of them with DCM (default 200)")
    robustness.add_argument("--seed", type=seed, default=6)
    robustness.add_argument("--output", type=Path, required=True, help="results file to write (.json)")
    robustness.add_argument("--figure", type=Path, required=True, help="picture to write (.png)")
    robustness.add_argument("--device", default="auto", help="auto, cuda, mps or cpu")
    robustness.set_defaults(run=_robustness)

    add_case_commands(commands)
    add_training_commands(commands)
    add_attention_command(commands)
    add_comparison_commands(commands)
    add_abroad_commands(commands)
    return parser


def _simulate(options: argparse.Namespace) -> None:
    from ..simulation.cohort import Cohort, simulate_cohort

    if options.patients < 1:
        raise ACNetError(f"--patients: found {options.patients}; expected at least 1.")
    if not 0 <= options.normal_fraction <= 1:
        raise ACNetError(f"--normal-fraction: found {options.normal_fraction:g}; expected 0 to 1.")
    cohort = Cohort(options.patients, options.normal_fraction, options.field, options.seed)
    with atomic_folder(options.output) as folder:
        simulate_cohort(cohort, folder, options.dicom)
    print(f"{options.patients} simulated patients in {options.output}")


def _validate_simulation(options: argparse.Namespace) -> None:
    from ..evaluation.provenance import provenance
    from ..simulation.validation import FEWEST_PATIENTS_PER_CLASS, validate

    require_writable(options.output)
    if options.patients < FEWEST_PATIENTS_PER_CLASS:
        raise ACNetError(f"--patients: found {options.patients}; expected at least {FEWEST_PATIENTS_PER_CLASS}.")
    validation = validate(options.patients, options.field, options.seed)
    cohort = {
        "patients_per_class": options.patients,
        "field_strength_tesla": options.field,
        "seed": options.seed,
    }
    record = {**provenance(options.command_line), **cohort, **validation.to_json()}
    write_json(options.output, record)
    print(f"{validation.table()}\nall in {options.output}")


def _gallery(options: argparse.Namespace) -> None:
    from ..cases.library import read_case_library
    from ..evaluation.drawing import section_gallery

    require_writable(options.output)
    if options.sections < 1:
        raise ACNetError(f"--sections: found {options.sections}; expected at least 1.")
    section_gallery(read_case_library(options.cases), options.sections, options.output)
    print(f"{options.sections} slices of each class in {options.output}")


def _sample_cases(options: argparse.Namespace) -> None:
    from ..simulation.sample_data import write_sample_cases

    with atomic_folder(options.output) as folder:
        write_sample_cases(folder)
    print(f"sample cases in {options.output}")


def _sample_data(options: argparse.Namespace) -> None:
    from ..simulation.sample_data import write_sample_data

    require_writable(options.thumbnails / "thumbnail.png")
    with atomic_folder(options.output) as folder:
        write_sample_data(folder, options.thumbnails)
    print(f"sample data in {options.output}, its pictures in {options.thumbnails}")


def _train_localizer(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import choose_device
    from ACNetLib.networks.localizer import save_localizer

    from ..cases.library import read_case_library
    from ..localization.training import FEWEST_PATIENTS, train_localizer
    from ..training.progress import Watch, print_ends

    if options.patients < FEWEST_PATIENTS:
        raise ACNetError(f"--patients: found {options.patients}; expected at least {FEWEST_PATIENTS}.")
    check_new_model(options.output)
    quieten_lightning()
    work_folder = options.output.with_suffix(".training")
    watch = Watch(bar=sys.stderr.isatty(), report=print_ends)
    with exit_when_stopped(watch):
        model = train_localizer(
            [read_case_library(folder) for folder in options.cases],
            options.patients,
            options.output.stem,
            work_folder,
            choose_device(options.device),
            watch,
        )
    save_localizer(model, options.output)
    print(f"localizer {options.output}; metrics of each epoch in {work_folder / 'metrics.csv'}")


def _evaluate_localizer(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import choose_device
    from ACNetLib.networks.localizer import LocalizerModel, load_localizer, save_localizer

    from ..cases.library import read_case_library
    from ..evaluation.provenance import provenance
    from ..localization.evaluation import evaluate_localizer

    require_writable(options.output, options.save_model)
    model = load_localizer(options.localizer)
    libraries = [read_case_library(folder) for folder in options.cases]
    metrics = evaluate_localizer(model, libraries, choose_device(options.device))
    record = {
        "model": model.card.name,
        "weights_sha256": model.card.weights_sha256,
        **provenance(options.command_line),
        **metrics,
    }
    write_json(options.output, record)
    if options.save_model:
        save_localizer(LocalizerModel(model.network, replace(model.card, metrics=metrics)), options.save_model)
    for library in libraries:
        field = f"{library.cases[0].field_strength_tesla:g} T"
        values = metrics[field]
        print(
            f"{field}: not found in {values['not_found_fraction']:.1%} of {values['sections']} slices of simulated "
            f"patients; centre error median {values['center_error_median_mm']} mm, 99th percentile "
            f"{values['center_error_p99_mm']} mm; all in {options.output}"
        )


def _other_diseases(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import choose_device
    from ACNetLib.models.model import load_model
    from ACNetLib.models.store import find_model

    from ..evaluation.provenance import provenance
    from ..networks import build_network
    from ..study.other_diseases import judge_other_diseases, table

    require_writable(options.output)
    if options.patients < 1:
        raise ACNetError(f"--patients: found {options.patients}; expected at least 1.")
    model = load_model(find_model(options.model), build_network)
    result = judge_other_diseases(model, options.patients, options.seed, choose_device(options.device))
    _write_record(options.output, model, {**provenance(options.command_line), "seed": options.seed, **result})
    print(f"{table(result['groups'])}\nall in {options.output}")


def _robustness(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import choose_device
    from ACNetLib.models.model import load_model
    from ACNetLib.models.store import find_model

    from ..evaluation.drawing import robustness_figure
    from ..evaluation.provenance import provenance
    from ..networks import build_network
    from ..study.robustness import FEWEST_PATIENTS, judge_robustness, table

    require_writable(options.output, options.figure)
    if options.patients < FEWEST_PATIENTS:
        raise ACNetError(f"--patients: found {options.patients}; expected at least {FEWEST_PATIENTS}.")
    model = load_model(find_model(options.model), build_network)
    result = judge_robustness(model, options.patients, options.seed, choose_device(options.device))
    _write_record(options.output, model, {**provenance(options.command_line), "seed": options.seed, **result})
    robustness_figure(result, options.figure)
    print(f"{table(result['degradations'])}\nall in {options.output} and {options.figure}")


def _write_record(path: Path, model: Model, record: dict[str, Any]) -> None:
    about = {"model": model.card.name, "weights_sha256": model.card.weights_sha256}
    write_json(path, {**about, **record})


if __name__ == "__main__":
    sys.exit(main())
