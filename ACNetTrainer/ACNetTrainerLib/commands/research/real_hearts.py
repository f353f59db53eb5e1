"""`acnet-train real-hearts`: what the software says of ventricles that readers traced on real hearts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ACNetLib.commands.parser import seed
from ACNetLib.files import require_writable

from ..measuring import add_measuring_arguments, write_results
from ..training import check_count


def add_real_hearts_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add it to the subcommands of `acnet-train`."""
    real = commands.add_parser("real-hearts", help="classify simulated scans of traced real left ventricles")
    add_measuring_arguments(real, cases=None)
    real.add_argument("outlines", type=Path, help="table of traced ventricles (.csv): abroad.md")
    real.add_argument("--scans", type=int, default=24, help="of each heart (default 24)")
    real.add_argument(
        "--together", action="store_true", help="many hearts: by their walls and cavities in place of a row for each"
    )
    real.add_argument("--seed", type=seed, default=41)
    real.set_defaults(run=_real_hearts)


def _real_hearts(options: argparse.Namespace) -> None:
    from ACNetLib.inference.pipeline import load_pipeline
    from ACNetLib.models.card import read_card
    from ACNetLib.models.store import find_model

    from ...abroad.traced import read_traced_hearts
    from ...study.real_hearts import Scans, judge_real_hearts, judge_together

    require_writable(options.output)
    check_count("--scans", options.scans, 1)
    path = find_model(options.model)
    card, hearts = read_card(path), read_traced_hearts(options.outlines)
    scans = Scans(options.scans, card.field_strength_tesla, options.seed)
    classifier = load_pipeline(path, device=options.device)
    results: dict[str, Any] = {
        "simulated": True,
        "field_strength_tesla": card.field_strength_tesla,
        "seed": options.seed,
    }
    if options.together:
        results["together"] = judge_together(classifier, hearts, scans, card.decision_threshold)
    else:
        results["hearts"] = judge_real_hearts(classifier, hearts, scans)
    write_results(options, card, results)
    for name, heart in results.get("hearts", {}).items():
        print(f"{name} ({heart['kind']}): probability of DCM {heart['probability_dcm_median']}, {heart['verdicts']}")
    for kind, groups in results.get("together", {}).items():
        for name, group in groups.items():
            shares = ", ".join(f"{said} {share['value']:.2f}" for said, share in group["verdicts"].items())
            print(f"{kind}, {name} ({group['hearts']} hearts): {shares}")
