"""`acnet-train reading-order`: what the reading list is worth."""

from __future__ import annotations

import argparse
from typing import Any

from ACNetLib.commands.parser import seed
from ACNetLib.files import require_writable

from ..measuring import add_measuring_arguments, unseen_cases, write_results
from ..training import load_any_model


def add_reading_order_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add it to the subcommands of `acnet-train`."""
    order = commands.add_parser("reading-order", help="how much of a sorted list is read until DCM patients are found")
    add_measuring_arguments(order, "folder of cases that the model has not seen")
    order.add_argument("--seed", type=seed, default=12)
    order.set_defaults(run=_reading_order)


def _reading_order(options: argparse.Namespace) -> None:
    import numpy as np

    from ACNetLib.inference import load_pipeline

    from ...cases.library import labels_by_patient
    from ...study.answers import answer, maps_of_patients
    from ...study.reading_order import places_in_list, reading_order

    require_writable(options.output)
    model = load_any_model(options.model)
    library = unseen_cases(model, options.cases)
    classifier = load_pipeline(options.model, device=options.device)
    answers = [answer(classifier, t1_maps) for t1_maps in maps_of_patients(library)]
    is_dcm = np.array([label == "dcm" for label in labels_by_patient(library.cases).values()])
    results = {
        "simulated": any(case.is_simulated for case in library.cases),
        "patients": len(answers),
        "patients_without_an_answer": answers.count(None),
        "seed": options.seed,
        "share_read": reading_order(places_in_list(answers), is_dcm, options.seed),
    }
    write_results(options, model.card, results)
    for prevalence, shares in results["share_read"].items():
        print(
            f"prevalence {float(prevalence):.0%}: 95 % of DCM found after {shares['sorted']['mean']:.0%} of the list, "
            f"as they come after {shares['as_they_come']['mean']:.0%}"
        )
