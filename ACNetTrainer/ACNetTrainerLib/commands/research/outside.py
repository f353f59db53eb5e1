"""`acnet-train fit-outside`, `outside-limits`: a model learns to say that a heart is unlike those of its training."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ACNetLib.commands.parser import seed
from ACNetLib.files import require_writable

from ..measuring import add_measuring_arguments, write_results
from ..training import FIRST_PATIENTS, check_count, check_new_model, first_patients, load_any_model

FEWEST_PATIENTS = 20
OTHER_SITES_SEED = 12


def add_outside_commands(commands: argparse._SubParsersAction[Any]) -> None:
    """Add them to the subcommands of `acnet-train`."""
    outside = commands.add_parser("fit-outside", help="teach a model to say that a heart is unlike its training's")
    add_measuring_arguments(outside, "folder of the cases that it was trained on")
    outside.add_argument(
        "--patients", type=int, default=200, help="simulated of each disease that is shown (default 200)"
    )
    outside.add_argument("--seed", type=seed, default=11)
    outside.add_argument("--others", type=Path, nargs="+", default=[], help="case libraries to measure it on")
    outside.add_argument("--save-model", type=Path, required=True, help="the model with its outside score, a new file")
    outside.set_defaults(run=_fit_outside)

    limits = commands.add_parser("outside-limits", help="set above which values a heart is unlike a model's training")
    add_measuring_arguments(limits, "folder of the cases that it was trained on; those held back count")
    limits.add_argument("--others", type=Path, nargs="+", default=[], help="case libraries to measure them on")
    limits.add_argument("--patients", type=int, help=f"of the others: {FIRST_PATIENTS}")
    limits.add_argument("--save-model", type=Path, required=True, help="write the model with these limits to this file")
    limits.set_defaults(run=_outside_limits)


def _fit_outside(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import choose_device
    from ACNetLib.models.model import save_model

    from ...cases.library import read_case_library
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
    field = model.card.field_strength_tesla
    write_results(
        options, model.card, {"simulated": True, "field_strength_tesla": field, "seed": options.seed, **found}
    )
    for what, shares in (("", found["diseases"]), (", not shown", found["diseases_left_out"])):
        told = ", ".join(f"{name} {share['value']:.0%}" for name, share in shares.items())
        print(f"Called unlike the training's hearts, simulated patients{what}: {told}")
    told = ", ".join(f"{name} {share['value']:.1%}" for name, share in found["others"].items())
    print(f"Held-back normal and DCM: {found['false_alarms_held_back']['value']:.1%}; {told}; all in {options.output}")


def _outside_limits(options: argparse.Namespace) -> None:
    import numpy as np

    from ACNetLib.inference.pipeline import load_pipeline
    from ACNetLib.models.model import Model, load_model, save_model
    from ACNetLib.models.store import find_model

    from ...cases.library import read_case_library
    from ...study.outside_limits import held_back, judged, shares_unlike
    from ...training.outside_limits import fit_limits

    require_writable(options.output, options.save_model)
    path = find_model(options.model)
    model, classifier = load_model(path), load_pipeline(path, device=options.device)
    library = held_back(read_case_library(options.cases), model.card)
    others = [first_patients(read_case_library(folder), options.patients) for folder in options.others]
    patients = judged(classifier, library)
    elsewhere = judged(classifier, library, np.random.default_rng(OTHER_SITES_SEED))
    limits = fit_limits([*patients, *elsewhere])
    results: dict[str, Any] = {
        "simulated": all(case.is_simulated for case in library.cases),
        "field_strength_tesla": model.card.field_strength_tesla,
        "limits": asdict(limits),
        "held_back": shares_unlike(patients, limits),
        "held_back_elsewhere": shares_unlike(elsewhere, limits),
        "others": {other.folder.name: shares_unlike(judged(classifier, other), limits) for other in others},
    }
    write_results(options, model.card, results)
    save_model(Model(model.network, replace(model.card, outside_limits=limits)), options.save_model)
    told = {"held back": results["held_back"], "elsewhere": results["held_back_elsewhere"], **results["others"]}
    shares = ", ".join(
        f"{name} {share['any']['value']:.1%} of {share['patients']} {label}"
        for name, of_labels in told.items()
        for label, share in of_labels.items()
    )
    print(f"Called unlike the training's hearts: {shares}; all in {options.output}")
