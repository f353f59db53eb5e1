"""`acnet-train simulate-abroad`, `validate-abroad`, `abroad-sheet`: patients of the second simulation, to test with."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from ACNetLib.commands.parser import seed
from ACNetLib.errors import ACNetError
from ACNetLib.files import atomic_folder, require_writable, write_json
from ACNetLib.t1map.field_strength import FIELD_STRENGTHS_TESLA

from ...abroad.hearts import DISEASES
from ..training import check_count

FEWEST_HEARTS, FEWEST_PATIENTS, SHEET_PATIENTS = 50, 20, 12


def add_abroad_commands(commands: argparse._SubParsersAction[Any]) -> None:
    """Add them to the subcommands of `acnet-train`."""
    simulate = commands.add_parser(
        "simulate-abroad", help="write simulated patients of the second simulation, to test with and never to train on"
    )
    simulate.add_argument("--patients", type=int, required=True, help="half of them normal, half with DCM")
    simulate.add_argument("--disease", choices=DISEASES, help="all patients have this instead; labelled normal")
    simulate.add_argument(
        "--scanner-factor",
        type=float,
        help="what the scanner multiplies every T1 by; 1 is none (default: drawn from the seed, SD 0.04)",
    )
    simulate.add_argument("--output", type=Path, required=True, help="new or empty folder")
    simulate.set_defaults(run=_simulate)

    validate = commands.add_parser(
        "validate-abroad", help="measure how near the second simulation comes to real hearts"
    )
    validate.add_argument("--hearts", type=int, default=600, help="shapes of each kind (default 600)")
    validate.add_argument("--patients", type=int, default=300, help="patients whose maps are measured (default 300)")
    validate.add_argument("--output", type=Path, required=True, help="results file to write (.json)")
    validate.set_defaults(run=_validate)

    sheet = commands.add_parser("abroad-sheet", help="draw a dozen slices of the second simulation with their outlines")
    sheet.add_argument("--outlines", type=Path, help="these traced left ventricles instead (.csv): abroad.md")
    sheet.add_argument("--output", type=Path, required=True, help="picture to write (.png or .jpg)")
    sheet.set_defaults(run=_sheet)

    for command in (simulate, sheet):
        command.add_argument(
            "--mesh", type=Path, help="normal hearts have the ventricles of this mesh (.vtk): abroad.md"
        )
    for command in (simulate, validate, sheet):
        command.add_argument("--field", type=float, choices=FIELD_STRENGTHS_TESLA, default=1.5, help="in tesla")
        command.add_argument("--seed", type=seed, default=1)


def _simulate(options: argparse.Namespace) -> None:
    from ...abroad.cohort import Cohort, simulate_abroad
    from ...abroad.mesh import read_mesh

    check_count("--patients", options.patients, 1)
    if options.scanner_factor is not None and not 0.5 <= options.scanner_factor <= 2:
        raise ACNetError(f"--scanner-factor: found {options.scanner_factor:g}; expected 0.5 to 2.")
    if options.mesh is not None:
        read_mesh(options.mesh)
    cohort = Cohort(
        options.patients, options.field, options.seed, options.disease, options.scanner_factor, options.mesh
    )
    with atomic_folder(options.output) as folder:
        simulate_abroad(cohort, folder)
    print(
        f"{options.patients} simulated patients of the second simulation in {options.output}; their scanner "
        f"multiplies T1 by {cohort.factor:.3f}"
    )


def _validate(options: argparse.Namespace) -> None:
    from ...abroad.validation import validate
    from ...evaluation.provenance import provenance

    require_writable(options.output)
    check_count("--hearts", options.hearts, FEWEST_HEARTS)
    check_count("--patients", options.patients, FEWEST_PATIENTS)
    record = validate(options.hearts, options.patients, options.field, options.seed)
    write_json(options.output, {**provenance(options.command_line), **record}, indent=1)
    print(f"AUROC of {record['shapes']['auroc']} and {record['maps']['auroc']}; all in {options.output}")


def _sheet(options: argparse.Namespace) -> None:
    from ...abroad.cohort import Cohort
    from ...abroad.mesh import read_mesh
    from ...abroad.patients import draw_patient, with_traced_ventricle
    from ...abroad.picture import draw_sheet
    from ...abroad.traced import read_traced_hearts

    require_writable(options.output)
    if options.outlines is not None:
        hearts = read_traced_hearts(options.outlines)[:SHEET_PATIENTS]
        patients = [
            with_traced_ventricle(heart, draw_patient(options.seed, index, heart.kind, options.field, 1.0))
            for index, heart in enumerate(hearts)
        ]
    else:
        cohort = Cohort(SHEET_PATIENTS, options.field, options.seed, scanner_factor=1.0)
        if options.mesh is not None:
            read_mesh(options.mesh)
            cohort = replace(cohort, disease="normal", mesh=options.mesh)
        patients = [cohort.patient(index) for index in range(SHEET_PATIENTS)]
    draw_sheet(patients, options.output)
    print(f"{len(patients)} slices in {options.output}")
