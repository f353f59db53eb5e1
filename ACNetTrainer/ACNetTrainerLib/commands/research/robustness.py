"""`acnet-train other-diseases` and `robustness`: unknown hearts, and worse and worse scans."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ACNetLib.commands.parser import seed
from ACNetLib.files import require_writable, write_json

from ..training import DEVICES, check_count, load_any_model


def add_robustness_commands(commands: argparse._SubParsersAction[Any]) -> None:
    """Add them to the subcommands of `acnet-train`."""
    diseases = commands.add_parser("other-diseases", help="what a model says of simulated hearts that it does not know")
    diseases.add_argument("model", help="name of a shipped model, or a model file")
    diseases.add_argument("--patients", type=int, default=100, help="patients of each disease (default 100)")
    diseases.add_argument("--seed", type=seed, default=5)
    diseases.add_argument("--output", type=Path, required=True, help="results file to write (.json)")
    diseases.add_argument("--device", default="auto", help=DEVICES)
    diseases.set_defaults(run=_other_diseases)

    robustness = commands.add_parser("robustness", help="evaluate a model on simulated scans that get worse and worse")
    robustness.add_argument("model", help="name of a shipped model, or a model file")
    robustness.add_argument("--patients", type=int, default=200, help="half of them with DCM (default 200)")
    robustness.add_argument("--seed", type=seed, default=6)
    robustness.add_argument("--output", type=Path, required=True, help="results file to write (.json)")
    robustness.add_argument("--figure", type=Path, required=True, help="picture to write (.png)")
    robustness.add_argument("--device", default="auto", help=DEVICES)
    robustness.set_defaults(run=_robustness)


def _other_diseases(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import choose_device

    from ...evaluation.provenance import provenance
    from ...study.other_diseases import judge_other_diseases, table

    require_writable(options.output)
    check_count("--patients", options.patients, 1)
    model = load_any_model(options.model)
    result = judge_other_diseases(model, options.patients, options.seed, choose_device(options.device))
    record = {**provenance(options.command_line, model.card), "seed": options.seed, **result}
    write_json(options.output, record)
    print(f"{table(result['groups'])}\nall in {options.output}")


def _robustness(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import choose_device

    from ...evaluation.drawing import robustness_figure
    from ...evaluation.provenance import provenance
    from ...study.robustness import FEWEST_PATIENTS, judge_robustness, table

    require_writable(options.output, options.figure)
    check_count("--patients", options.patients, FEWEST_PATIENTS)
    model = load_any_model(options.model)
    result = judge_robustness(model, options.patients, options.seed, choose_device(options.device))
    record = {**provenance(options.command_line, model.card), "seed": options.seed, **result}
    write_json(options.output, record)
    robustness_figure(result, options.figure)
    print(f"{table(result['degradations'])}\nall in {options.output} and {options.figure}")
