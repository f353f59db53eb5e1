"""`acnet-train coverage`: how often a verdict is given and wrong, and sets that hold the true class."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from ACNetLib.files import require_writable

from ..measuring import add_measuring_arguments, unseen_cases, write_results


def add_coverage_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add it to the subcommands of `acnet-train`."""
    coverage = commands.add_parser("coverage", help="measure how often verdicts are given and wrong (split conformal)")
    add_measuring_arguments(coverage, "folder of cases that no training has seen; a half sets the limits")
    coverage.add_argument("--abroad", type=Path, required=True, help="folder of cases from elsewhere")
    coverage.add_argument("--save-model", type=Path, help="write the model with this in its card to this file")
    coverage.set_defaults(run=_coverage)


def _coverage(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import choose_device
    from ACNetLib.models.model import Model, load_model, save_model
    from ACNetLib.models.store import find_model

    from ...study.coverage import judge_coverage

    require_writable(options.output, options.save_model)
    model = load_model(find_model(options.model))
    library, abroad = unseen_cases(model, options.cases), {"abroad": unseen_cases(model, options.abroad)}
    found = judge_coverage(model, library, abroad, choose_device(options.device))
    simulated = any(case.is_simulated for case in library.cases)
    write_results(options, model.card, {"simulated": simulated, **found})
    if options.save_model:
        card = replace(model.card, metrics={**model.card.metrics, "coverage": found})
        save_model(Model(model.network, card), options.save_model)
    told = ", ".join(f"{place} {found[place]['coverage']['value']:.1%}" for place in ("home", "abroad"))
    print(f"The set holds the true class, of {found['level']:.0%} promised: {told}; all in {options.output}")
