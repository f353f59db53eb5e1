"""`acnet-train compare` and `compare-tables`: the paper's comparison of five networks, and its tables once more."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ACNetLib.errors import ACNetError
from ACNetLib.files import require_writable

from ...study import HONEST, PROTOCOLS
from ..training import DEVICES

WHEN_STOPPED = "Stopped. Run the same command again: what is done is kept, the rest resumes from its checkpoints."


def add_comparison_commands(commands: argparse._SubParsersAction[Any]) -> None:
    """Add them to the subcommands of `acnet-train`."""
    compare = commands.add_parser("compare", help="train and compare networks; resumes if it was interrupted")
    compare.add_argument("cases", type=Path, help="folder of the case library")
    compare.add_argument("--protocol", choices=PROTOCOLS, required=True, help="what is trained and tested on what")
    compare.add_argument("--networks", nargs="+", help="some of the five (default all)")
    compare.add_argument("--folds", type=int, nargs="+", default=(), help="paper-1 and paper-2: some of 1 to 5")
    compare.add_argument("--seeds", type=int, nargs="+", default=(), help="honest: a training each (default 1 2 3)")
    compare.add_argument("--epochs", type=int, help="of every training (default: the recipe's)")
    compare.add_argument("--patients", type=int, help="honest: how many patients of CASES take part (default all)")
    compare.add_argument("--middle-sections", action="store_true", help="honest: only the middle slice of a patient")
    compare.add_argument(
        "--test-cases", type=Path, help="honest: library of fresh patients to test on (default: a quarter of CASES')"
    )
    compare.add_argument("--scheduler", metavar="ADDRESS", help="let the workers of a Dask cluster train")
    compare.add_argument("--output", type=Path, required=True, help="folder for the results")
    compare.add_argument("--device", default="auto", help=DEVICES)
    compare.set_defaults(run=_compare, when_stopped=WHEN_STOPPED)

    tables = commands.add_parser("compare-tables", help="make a comparison's tables, figures and report once more")
    tables.add_argument("folder", type=Path, help="output folder of compare")
    tables.add_argument("--tensorboard", action="store_true", help="write event files for TensorBoard, too")
    tables.set_defaults(run=_tables)


def _compare(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import choose_device

    from ...evaluation.provenance import provenance
    from ...study.comparison import compare
    from ...study.files import RUNS_FILE
    from ...study.workers import Workers

    require_writable(options.output / RUNS_FILE)
    request = _request(options)
    compare(
        _library(options.cases),
        request,
        options.output,
        Workers(choose_device(options.device), options.scheduler, lambda text: print(text, flush=True)),
        provenance(options.command_line),
    )
    _write_tables(options.output)


def _request(options: argparse.Namespace) -> Any:
    from ...study.protocols import FOLDS, Request
    from ...training.network import NETWORKS

    networks = tuple(dict.fromkeys(options.networks or NETWORKS))
    for name in networks:
        if name not in NETWORKS:
            raise ACNetError(f"--networks: found '{name}'; expected some of {', '.join(NETWORKS)}.")
    honest = options.protocol == HONEST
    for name, given in {
        "--folds": honest and options.folds,
        "--seeds": not honest and options.seeds,
        "--patients": not honest and options.patients is not None,
        "--middle-sections": not honest and options.middle_sections,
        "--test-cases": not honest and options.test_cases,
    }.items():
        if given:
            raise ACNetError(
                f"{name}: found with --protocol {options.protocol}, which has no such choice; leave it out."
            )
    for name, value, low, high in (
        *(("--folds", fold, 1, FOLDS) for fold in options.folds),
        *(("--seeds", seed, 0, 10**6) for seed in options.seeds),
        ("--epochs", options.epochs, 1, 10**6),
        ("--patients", options.patients, 8, 10**6),
    ):
        if value is not None and not low <= value <= high:
            raise ACNetError(f"{name}: found {value}; expected {low} to {high}.")
    return Request(
        protocol=options.protocol,
        networks=networks,
        numbers=tuple(dict.fromkeys((*options.folds, *options.seeds))),
        epochs=options.epochs,
        patients=options.patients,
        middle_sections=options.middle_sections,
        test_library=_library(options.test_cases) if options.test_cases else None,
    )


def _library(folder: Path) -> Any:
    from ...cases.library import read_case_library

    return read_case_library(folder)


def _tables(options: argparse.Namespace) -> None:
    summary = _write_tables(options.folder)
    if options.tensorboard:
        from ...study.tensorboard import write_events

        print(f"tensorboard --logdir {write_events(summary, options.folder)}")


def _write_tables(folder: Path) -> dict[str, Any]:
    from ...study.report import write_report
    from ...study.summary import summarize, write_summary
    from ...study.tables import text_table

    summary = summarize(folder)
    write_summary(summary, folder)
    write_report(summary, folder)
    print(f"{text_table(summary)}\nall in {folder / 'report.html'}")
    return summary
