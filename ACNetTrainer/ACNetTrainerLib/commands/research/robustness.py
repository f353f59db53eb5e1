"""`acnet-train other-diseases`, `robustness` and `quality`: unknown hearts, and worse and worse scans."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ACNetLib.commands.parser import seed
from ACNetLib.files import require_writable
from ACNetLib.t1map.field_strength import FIELD_STRENGTHS_TESLA

from ..measuring import add_measuring_arguments, write_results
from ..training import check_count, load_any_model


def add_robustness_commands(commands: argparse._SubParsersAction[Any]) -> None:
    """Add them to the subcommands of `acnet-train`."""
    diseases = commands.add_parser("other-diseases", help="what a model says of simulated hearts that it does not know")
    add_measuring_arguments(diseases, cases=None)
    diseases.add_argument("--patients", type=int, default=100, help="patients of each disease (default 100)")
    diseases.add_argument("--seed", type=seed, default=5)
    diseases.set_defaults(run=_other_diseases)

    robustness = commands.add_parser("robustness", help="evaluate a model on simulated scans that get worse and worse")
    add_measuring_arguments(robustness, cases=None)
    robustness.add_argument("--patients", type=int, default=200, help="half of them with DCM (default 200)")
    robustness.add_argument("--seed", type=seed, default=6)
    robustness.add_argument("--figure", type=Path, required=True, help="picture to write (.png)")
    robustness.set_defaults(run=_robustness)

    quality = commands.add_parser("quality", help="how often slices of good and of worse simulated scans are marked")
    quality.add_argument("--patients", type=int, default=100, help="half of them with DCM (default 100)")
    quality.add_argument("--field", type=float, choices=FIELD_STRENGTHS_TESLA, default=1.5, help="in tesla")
    quality.add_argument("--seed", type=seed, default=17)
    quality.add_argument("--output", type=Path, required=True, help="results file to write (.json)")
    quality.set_defaults(run=_quality)


def _other_diseases(options: argparse.Namespace) -> None:
    from ACNetLib.inference.pipeline import load_pipeline
    from ACNetLib.models.card import read_card
    from ACNetLib.models.store import find_model

    from ...study.other_diseases import judge_other_diseases, table

    require_writable(options.output)
    check_count("--patients", options.patients, 1)
    path = find_model(options.model)
    card = read_card(path)
    classifier = load_pipeline(path, device=options.device)
    result = judge_other_diseases(classifier, card, options.patients, options.seed)
    write_results(options, card, {"seed": options.seed, **result})
    print(f"{table(result['groups'])}\nall in {options.output}")


def _robustness(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import choose_device

    from ...evaluation.drawing import robustness_figure
    from ...study.robustness import FEWEST_PATIENTS, judge_robustness, table

    require_writable(options.output, options.figure)
    check_count("--patients", options.patients, FEWEST_PATIENTS)
    model = load_any_model(options.model)
    result = judge_robustness(model, options.patients, options.seed, choose_device(options.device))
    write_results(options, model.card, {"seed": options.seed, **result})
    robustness_figure(result, options.figure)
    print(f"{table(result['degradations'])}\nall in {options.output} and {options.figure}")


def _quality(options: argparse.Namespace) -> None:
    from ...study.quality import AS_DRAWN, judge_quality

    require_writable(options.output)
    check_count("--patients", options.patients, 1)
    marked = judge_quality(options.patients, options.field, options.seed)
    results = {
        "simulated": True,
        "patients": options.patients,
        "field_strength_tesla": options.field,
        "seed": options.seed,
        "marked": marked,
    }
    write_results(options, None, results)
    print(f"Of simulated slices as drawn {marked[AS_DRAWN]['any']['value']:.0%} are marked; all in {options.output}")
