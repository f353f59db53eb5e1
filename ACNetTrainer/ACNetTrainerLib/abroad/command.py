"""`acnet-train simulate-abroad`: a case library of the other make, to test with."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ACNetLib.errors import ACNetError

DISEASES = ("hcm", "infarct", "rv")  # of hearts.KINDS, not imported


def add_abroad_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add it to the subcommands of `acnet-train`."""
    parser = commands.add_parser(
        "simulate-abroad", help="write simulated patients of another make, to test with and never to train on"
    )
    parser.add_argument("--patients", type=int, required=True, help="half of them normal, half with DCM")
    parser.add_argument("--field", type=float, choices=(1.5, 3.0), default=1.5, help="field strength in tesla")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--disease", choices=DISEASES, help="all patients have this instead; labelled normal")
    parser.add_argument(
        "--scanner-factor",
        type=float,
        help="what the scanner multiplies every T1 by; 1 is none (default: drawn from the seed, SD 0.04)",
    )
    parser.add_argument("--output", type=Path, required=True, help="new or empty folder")
    parser.set_defaults(run=_simulate_abroad)


def _simulate_abroad(options: argparse.Namespace) -> None:
    from .cohort import Cohort, simulate_abroad

    if options.patients < 1:
        raise ACNetError(f"--patients: found {options.patients}; expected at least 1.")
    if options.scanner_factor is not None and not 0.5 <= options.scanner_factor <= 2:
        raise ACNetError(f"--scanner-factor: found {options.scanner_factor:g}; expected 0.5 to 2.")
    cohort = Cohort(options.patients, options.field, options.seed, options.disease, options.scanner_factor)
    simulate_abroad(cohort, options.output)
    print(
        f"{options.patients} simulated patients of the other make in {options.output}; their scanner multiplies T1 by "
        f"{cohort.factor:.3f}"
    )
