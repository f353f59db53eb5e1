"""`acnet-train attention`: whether a model's attention explains its decision."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from ACNetLib.files import require_writable

from .measuring import add_measuring_arguments, unseen_cases, write_results
from .training import FIRST_PATIENTS


def add_attention_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add it to the subcommands of `acnet-train`."""
    attention = commands.add_parser("attention", help="measure what a model's attention is worth, on simulated cases")
    add_measuring_arguments(attention)
    attention.add_argument("--patients", type=int, help=FIRST_PATIENTS)
    attention.add_argument(
        "--other-seeds", nargs="+", default=[], metavar="MODEL", help="the same network trained with other seeds"
    )
    attention.add_argument(
        "--untaught", metavar="MODEL", help="the same network whose attention was not taught where to lie"
    )
    attention.add_argument(
        "--save-model", type=Path, help="write the model with these measures in its card to this file"
    )
    attention.set_defaults(run=_attention)


def _attention(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import choose_device
    from ACNetLib.models.attention_measures import MEASURED, measured_values
    from ACNetLib.models.model import Model, load_model, save_model
    from ACNetLib.models.store import find_model

    from ..evaluation.attention_validation import validate_attention

    require_writable(options.output, options.save_model)
    model, *others = (load_model(find_model(name)) for name in (options.model, *options.other_seeds))
    untaught = load_model(find_model(options.untaught)) if options.untaught else None
    library = unseen_cases(model, options.cases, options.patients)
    found = validate_attention(model, library, choose_device(options.device), others, untaught)
    write_results(options, model.card, {"patients": len(library.patients), **found})
    if options.save_model:
        attention = {**model.card.metrics.get("attention", {}), MEASURED: measured_values(found)}
        card = replace(model.card, metrics={**model.card.metrics, "attention": attention})
        save_model(Model(model.network, card), options.save_model)
    combined = found["maps"]["combined"]
    print(f"Combined attention of {model.card.name} (simulated patients), all in {options.output}:")
    for label, measures in combined["where"].items():
        print(
            f"  {label}: {measures['wall_over_slice']['value']:.1f} times the slice's mean on the wall, "
            f"{measures['wall_over_cavity']['value']:.1f} times the cavity's"
        )
    print(
        f"  points at the wall in {combined['pointing_game']['value']:.0%}; AUROC lost with mean masks "
        f"{found['auroc_lost']['mean_masks']['value']:.3f}, with none {found['auroc_lost']['no_masks']['value']:.3f}"
    )
