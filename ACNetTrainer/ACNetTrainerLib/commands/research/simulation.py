"""`acnet-train simulate` and its kin: simulated case libraries, how real they are, and the samples that ship."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ACNetLib.commands.parser import seed
from ACNetLib.errors import ACNetError
from ACNetLib.files import atomic_folder, require_writable, write_json
from ACNetLib.t1map.field_strength import FIELD_STRENGTHS_TESLA

from ...simulation.dicom import FLAVOURS
from ..training import check_count


def add_simulation_commands(commands: argparse._SubParsersAction[Any]) -> None:
    """Add them to the subcommands of `acnet-train`."""
    simulate = commands.add_parser("simulate", help="write a case library of simulated patients")
    simulate.add_argument("--patients", type=int, required=True)
    simulate.add_argument("--normal-fraction", type=float, default=0.5, help="share of normal patients (default 0.5)")
    simulate.add_argument("--field", type=float, choices=FIELD_STRENGTHS_TESLA, default=1.5, help="in tesla")
    simulate.add_argument("--seed", type=seed, default=1)
    simulate.add_argument(
        "--varied-walls",
        action="store_true",
        help="walls thinner and thicker, as in other populations, in both classes",
    )
    simulate.add_argument("--output", type=Path, required=True, help="new or empty folder")
    simulate.add_argument(
        "--dicom",
        nargs="?",
        const="siemens",
        choices=FLAVOURS,
        help="write DICOM too, as this maker's scanners do (siemens when none is named)",
    )
    simulate.set_defaults(run=_simulate)

    validation = commands.add_parser(
        "validate-simulation", help="measure how hard simulated patients are to tell apart and how real their maps look"
    )
    validation.add_argument("--patients", type=int, default=400, help="patients of each class (default 400)")
    validation.add_argument("--field", type=float, choices=FIELD_STRENGTHS_TESLA, default=1.5, help="in tesla")
    validation.add_argument("--seed", type=seed, default=77)
    validation.add_argument("--output", type=Path, required=True, help="results file to write (.json)")
    validation.set_defaults(run=_validate_simulation)

    gallery = commands.add_parser("gallery", help="draw sections of each class of a case library")
    gallery.add_argument("cases", type=Path, help="folder of the case library")
    gallery.add_argument("--sections", type=int, default=12, help="sections of each class (default 12)")
    gallery.add_argument("--output", type=Path, required=True, help="picture to write (.png)")
    gallery.set_defaults(run=_gallery)

    sample = commands.add_parser("sample-data", help="write the sample that ships with the classifier")
    sample.add_argument("--output", type=Path, required=True, help="new or empty folder")
    sample.add_argument("--thumbnails", type=Path, required=True, help="folder for a picture of each patient (.png)")
    sample.set_defaults(run=_sample_data)

    sample_cases = commands.add_parser("sample-cases", help="write the case library that ships with the trainer")
    sample_cases.add_argument("--output", type=Path, required=True, help="new or empty folder")
    sample_cases.set_defaults(run=_sample_cases)


def _simulate(options: argparse.Namespace) -> None:
    from ...simulation.cohort import Cohort, simulate_cohort

    check_count("--patients", options.patients, 1)
    if not 0 <= options.normal_fraction <= 1:
        raise ACNetError(f"--normal-fraction: found {options.normal_fraction:g}; expected 0 to 1.")
    cohort = Cohort(options.patients, options.normal_fraction, options.field, options.seed, options.varied_walls)
    with atomic_folder(options.output) as folder:
        simulate_cohort(cohort, folder, options.dicom)
    print(f"{options.patients} simulated patients in {options.output}")


def _validate_simulation(options: argparse.Namespace) -> None:
    from ...evaluation.provenance import provenance
    from ...simulation.validation import FEWEST_PATIENTS_PER_CLASS, validate

    require_writable(options.output)
    check_count("--patients", options.patients, FEWEST_PATIENTS_PER_CLASS)
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
    from ...cases.library import read_case_library
    from ...evaluation.drawing import section_gallery

    require_writable(options.output)
    check_count("--sections", options.sections, 1)
    section_gallery(read_case_library(options.cases), options.sections, options.output)
    print(f"{options.sections} slices of each class in {options.output}")


def _sample_cases(options: argparse.Namespace) -> None:
    from ...simulation.sample_data import write_sample_cases

    with atomic_folder(options.output) as folder:
        write_sample_cases(folder)
    print(f"sample cases in {options.output}")


def _sample_data(options: argparse.Namespace) -> None:
    from ...simulation.sample_data import write_sample_data

    require_writable(options.thumbnails / "thumbnail.png")
    with atomic_folder(options.output) as folder:
        write_sample_data(folder, options.thumbnails)
    print(f"sample data in {options.output}, its pictures in {options.thumbnails}")
