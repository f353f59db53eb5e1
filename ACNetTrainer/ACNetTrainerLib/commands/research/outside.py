"""`acnet-train fit-outside`: a trained model learns to say that a heart is unlike those of its training."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ACNetLib.commands.parser import seed
from ACNetLib.files import require_writable, write_json

from ..training import DEVICES, check_count, check_new_model, load_any_model

FEWEST_PATIENTS = 20


def add_outside_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add it to the subcommands of `acnet-train`."""
    outside = commands.add_parser("fit-outside", help="teach a model to say that a heart is unlike its training's")
    outside.add_argument("model", help="name of a model, or a model file")
    outside.add_argument("cases", type=Path, help="folder of the cases that it was trained on")
    outside.add_argument(
        "--patients", type=int, default=200, help="simulated of each disease that is shown (default 200)"
    )
    outside.add_argument("--seed", type=seed, default=11)
    outside.add_argument("--others", type=Path, nargs="+", default=[], help="case libraries to measure it on")
    outside.add_argument("--output", type=Path, required=True, help="results file to write (.json)")
    outside.add_argument("--save-model", type=Path, required=True, help="the model with its outside score, a new file")
    outside.add_argument("--device", default="auto", help=DEVICES)
    outside.set_defaults(run=_fit_outside)


def _fit_outside(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import choose_device
    from ACNetLib.models.model import save_model

    from ...cases.library import read_case_library
    from ...evaluation.provenance import provenance
    from ...study.outside import Simulated, fit_outside

    require_writable(options.output)
    check_new_model(options.save_model)
    check_count("--patients", options.patients, FEWEST_PATIENTS)
    model = load_any_model(options.model)
    library, others = read_case_library(options.cases), [read_case_library(folder) for folder in options.others]
    device = choose_device(options.device)
    simulated = Simulated(options.patients, options.seed)
    taught, found = fit_outside(model, library, simulated, device, others)
    save_model(taught, options.save_model)
    record = {
        **provenance(options.command_line, model.card),
        "simulated": True,
        "field_strength_tesla": model.card.field_strength_tesla,
        "seed": options.seed,
        **found,
    }
    write_json(options.output, record)
    for what, shares in (("", found["diseases"]), (", not shown", found["diseases_left_out"])):
        told = ", ".join(f"{name} {share['value']:.0%}" for name, share in shares.items())
        print(f"Called unlike the training's hearts, simulated patients{what}: {told}")
    told = ", ".join(f"{name} {share['value']:.1%}" for name, share in found["others"].items())
    print(f"Held-back normal and DCM: {found['false_alarms_held_back']['value']:.1%}; {told}; all in {options.output}")
