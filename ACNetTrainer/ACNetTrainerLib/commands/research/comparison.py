"""The paper's comparison of networks: `acnet-train compare`; the learning rate of each before it, `compare-tune`; and
its tables once more, `compare-tables`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ACNetLib.errors import ACNetError
from ACNetLib.files import require_writable

from ...study import HONEST, PROTOCOLS, VARIANTS
from ..training import DEVICES

WHEN_STOPPED = "Stopped. Run the same command again: what is done is kept, the rest resumes from its checkpoints."


def add_comparison_commands(commands: argparse._SubParsersAction[Any]) -> None:
    """Add them to the subcommands of `acnet-train`."""
    compare = commands.add_parser("compare", help="train and compare networks; resumes if it was interrupted")
    compare.add_argument("cases", type=Path, help="folder of the case library")
    compare.add_argument("--protocol", choices=PROTOCOLS, required=True, help="what is trained and tested on what")
    compare.add_argument(
        "--networks", nargs="+", help=f"some of the five (default all); honest: {', '.join(VARIANTS)}, too"
    )
    compare.add_argument("--folds", type=int, nargs="+", default=(), help="paper-1 and paper-2: some of 1 to 5")
    compare.add_argument("--seeds", type=int, nargs="+", default=(), help="honest: a training each (default 1 2 3)")
    compare.add_argument("--slices", type=int, help="honest: how many slices of CASES are trained on (default all)")
    compare.add_argument(
        "--test-cases",
        type=Path,
        nargs="+",
        default=(),
        help="honest: libraries of fresh patients to test on (default: a quarter of CASES')",
    )
    compare.add_argument("--tuning", type=Path, help="honest: tuned.json of compare-tune (default: the recipes' rates)")
    _add_training_arguments(compare)
    compare.set_defaults(run=_compare, when_stopped=WHEN_STOPPED)

    tuning = commands.add_parser("compare-tune", help="choose every network's learning rate alike; resumes")
    tuning.add_argument("cases", type=Path, help="folder of the case library that compare will train on")
    tuning.add_argument("--networks", nargs="+", help="some of the five (default all)")
    tuning.add_argument("--slices", type=int, help="how many slices of CASES are trained on (default all)")
    tuning.add_argument(
        "--validation-cases", type=Path, required=True, help="library of other patients, whom no test will have"
    )
    _add_training_arguments(tuning)
    tuning.set_defaults(run=_tune, when_stopped=WHEN_STOPPED)

    tables = commands.add_parser("compare-tables", help="make a comparison's tables, figures and report once more")
    tables.add_argument("folder", type=Path, help="output folder of compare")
    tables.add_argument("--tensorboard", action="store_true", help="write event files for TensorBoard, too")
    tables.set_defaults(run=_tables)


def _add_training_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--epochs", type=int, help="of every training (default: the recipe's)")
    command.add_argument("--scheduler", metavar="ADDRESS", help="let the workers of a Dask cluster train")
    command.add_argument("--output", type=Path, required=True, help="folder for the results")
    command.add_argument("--device", default="auto", help=DEVICES)


def _compare(options: argparse.Namespace) -> None:
    from ...evaluation.provenance import provenance
    from ...study.comparison import compare
    from ...study.files import RUNS_FILE

    require_writable(options.output / RUNS_FILE)
    request = _request(options)
    compare(_library(options.cases), request, options.output, _workers(options), provenance(options.command_line))
    _write_tables(options.output)


def _tune(options: argparse.Namespace) -> None:
    from ...evaluation.provenance import provenance
    from ...study.protocols import SEEDS, Request
    from ...study.tuning import TUNED_FILE, tune

    require_writable(options.output / TUNED_FILE)
    _check_numbers(options)
    request = Request(
        protocol=HONEST,
        networks=_networks(options, ()),
        numbers=SEEDS[:1],
        epochs=options.epochs,
        slices=options.slices,
        test_libraries=(_library(options.validation_cases),),
    )
    library, made_by = _library(options.cases), provenance(options.command_line)
    for network, rate in tune(library, request, options.output, _workers(options), made_by).items():
        print(f"{network}: {rate:g}")
    print(f"all in {options.output / TUNED_FILE}")


def _workers(options: argparse.Namespace) -> Any:
    from ACNetLib.inference.device import choose_device

    from ...study.workers import Workers

    return Workers(choose_device(options.device), options.scheduler, lambda text: print(text, flush=True))


def _networks(options: argparse.Namespace, variants: Iterable[str]) -> tuple[str, ...]:
    from ...training.network import NETWORKS

    known = (*NETWORKS, *variants)
    networks = tuple(dict.fromkeys(options.networks or NETWORKS))
    for name in networks:
        if name not in known:
            raise ACNetError(f"--networks: found '{name}'; expected some of {', '.join(known)}.")
    return networks


def _check_numbers(options: argparse.Namespace) -> None:
    from ...study.protocols import FOLDS

    for name, value, low, high in (
        *(("--folds", fold, 1, FOLDS) for fold in getattr(options, "folds", ())),
        *(("--seeds", seed, 0, 10**6) for seed in getattr(options, "seeds", ())),
        ("--epochs", options.epochs, 1, 10**6),
        ("--slices", options.slices, 8, 10**6),
    ):
        if value is not None and not low <= value <= high:
            raise ACNetError(f"{name}: found {value}; expected {low} to {high}.")


def _request(options: argparse.Namespace) -> Any:
    from ...study.protocols import Request
    from ...study.tuning import read_tuned

    honest = options.protocol == HONEST
    networks = _networks(options, VARIANTS if honest else ())
    for name, given in {
        "--folds": honest and options.folds,
        "--seeds": not honest and options.seeds,
        "--slices": not honest and options.slices is not None,
        "--test-cases": not honest and options.test_cases,
        "--tuning": not honest and options.tuning,
    }.items():
        if given:
            raise ACNetError(
                f"{name}: found with --protocol {options.protocol}, which has no such choice; leave it out."
            )
    _check_numbers(options)
    tested = tuple(map(_library, options.test_cases))
    return Request(
        protocol=options.protocol,
        networks=networks,
        numbers=tuple(dict.fromkeys((*options.folds, *options.seeds))),
        epochs=options.epochs,
        slices=options.slices,
        test_libraries=tested,
        learning_rates=read_tuned(options.tuning, networks, tested) if options.tuning else {},
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
    from ...study.summary import each_cohort, summarize, write_summary
    from ...study.tables import text_table

    summary = summarize(folder)
    write_summary(summary, folder)
    write_report(summary, folder)
    for cohort in each_cohort(summary):
        print(text_table(cohort))
    print(f"all in {folder / 'report.html'}")
    return summary
