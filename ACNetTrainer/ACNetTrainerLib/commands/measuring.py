"""What the commands that measure a model have in common: its arguments, and the file of its results."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ACNetLib.files import write_json

from .training import DEVICES, MODELS, first_patients

if TYPE_CHECKING:
    from ACNetLib.models.card import ModelCard
    from ACNetLib.models.model import Model
    from ACNetLib.networks.localizer import LocalizerCard

    from ..cases.library import CaseLibrary

UNSEEN_CASES = "folder of a simulated case library that no training has seen"


def add_measuring_arguments(command: argparse.ArgumentParser, cases: str | None = UNSEEN_CASES) -> None:
    """A model, the cases that it is measured on, the results file and the device. cases: None where it needs none."""
    command.add_argument("model", help=MODELS)
    if cases is not None:
        command.add_argument("cases", type=Path, help=cases)
    add_results_arguments(command)


def add_results_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--output", type=Path, required=True, help="results file to write (.json)")
    command.add_argument("--device", default="auto", help=DEVICES)


def write_results(
    options: argparse.Namespace, card: ModelCard | LocalizerCard | None, results: Mapping[str, Any]
) -> None:
    """To the file of --output, after which command and commit made them, of which model."""
    from ..evaluation.provenance import provenance

    write_json(options.output, {**provenance(options.command_line, card), **results})


def unseen_cases(model: Model, folder: Path, patients: int | None = None) -> CaseLibrary:
    """The cases that a model is measured on, those of so many patients. Raises ACNetError when it has learned from some
    of them."""
    from ..cases.library import read_case_library
    from ..evaluation.evaluate import check_unseen

    library = first_patients(read_case_library(folder), patients)
    check_unseen(model, library)
    return library
