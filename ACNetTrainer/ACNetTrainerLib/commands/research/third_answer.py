"""`acnet-train third-answer`: who is called unlike the training's hearts, and which images are."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ACNetLib.commands.parser import seed
from ACNetLib.files import require_writable

from ..measuring import add_measuring_arguments, unseen_cases, write_results
from ..training import FIRST_PATIENTS


def add_third_answer_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add it to the subcommands of `acnet-train`."""
    third = commands.add_parser("third-answer", help="measure a model's third answer on simulated patients and images")
    add_measuring_arguments(third)
    third.add_argument("--patients", type=int, help=FIRST_PATIENTS)
    third.add_argument("--others", type=Path, nargs="+", default=[], help="libraries of other diseases")
    third.add_argument("--seed", type=seed, default=14)
    third.set_defaults(run=_third_answer)


def _third_answer(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import choose_device
    from ACNetLib.inference.pipeline import load_pipeline
    from ACNetLib.models.model import load_model
    from ACNetLib.models.store import find_model

    from ...study.third_answer import judge_shifts, verdicts

    require_writable(options.output)
    path = find_model(options.model)
    model = load_model(path)
    library = unseen_cases(model, options.cases, options.patients)
    others = [unseen_cases(model, folder) for folder in options.others]
    shifts = judge_shifts(model, library, options.seed, choose_device(options.device))
    of_groups = verdicts(load_pipeline(path, device=options.device), library, others)
    results = {
        "simulated": all(case.is_simulated for case in library.cases),
        "field_strength_tesla": model.card.field_strength_tesla,
        "seed": options.seed,
        "patients": len(library.patients),
        "verdicts": of_groups,
        "shifts": shifts,
    }
    write_results(options, model.card, results)
    told = ", ".join(f"{name} {shift['auroc']['value']:.2f}" for name, shift in shifts.items())
    print(f"AUROC of the outside score, simulated images: {told}; all in {options.output}")
