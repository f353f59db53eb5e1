"""`acnet-train explanations`: evidence and Grad-CAM by the measures of attention."""

from __future__ import annotations

import argparse
from typing import Any

from ACNetLib.files import require_writable

from ..measuring import add_measuring_arguments, unseen_cases, write_results
from ..training import FIRST_PATIENTS


def add_explanations_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add it to the subcommands of `acnet-train`."""
    explanations = commands.add_parser(
        "explanations", help="measure what a model's evidence and Grad-CAM are worth, on simulated cases"
    )
    add_measuring_arguments(explanations)
    explanations.add_argument("--patients", type=int, help=FIRST_PATIENTS)
    explanations.set_defaults(run=_explanations)


def _explanations(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import choose_device
    from ACNetLib.models.model import load_model
    from ACNetLib.models.store import find_model

    from ...study.explanations import judge_explanations

    require_writable(options.output)
    model = load_model(find_model(options.model))
    library = unseen_cases(model, options.cases, options.patients)
    maps = judge_explanations(model, library, choose_device(options.device))
    simulated = all(case.is_simulated for case in library.cases)
    write_results(options, model.card, {"simulated": simulated, "patients": len(library.patients), "maps": maps})
    for name, measures in maps.items():
        print(
            f"{name}: points at the wall in {measures['pointing_game']['value']:.0%}; its highest tenth moves the log "
            f"odds {measures['deletion']['value']:.1f} times as far as the same area anywhere"
        )
    print(f"Simulated patients; all in {options.output}")
