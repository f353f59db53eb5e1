"""`acnet fit`: a T1 map from the inversion or saturation recovery images of a DICOM folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ACNetLib.commands.parser import print_written, whole_numbers
from ACNetLib.errors import one_line
from ACNetLib.fitting.sequences import SEQUENCE_NAMES


def add_fit_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add `fit` to the subcommands of the `acnet` command."""
    fit = commands.add_parser(
        "fit",
        help="make a T1 map from inversion images",
        description="Fit T1 to the inversion or saturation recovery images of a DICOM folder: MOLLI, ShMOLLI, SASHA "
        "and others. The map is a volume file that acnet classify takes; its standard deviation and R2 lie beside it.",
    )
    fit.add_argument("folder", type=Path, metavar="FOLDER", help="DICOM folder, subfolders included")
    fit.add_argument("--output", type=Path, required=True, metavar="MAP.nrrd", help="new file")
    fit.add_argument("--series", type=whole_numbers, default=(), metavar="N,N,...", help="DICOM series to take")
    fit.add_argument(
        "--sequence", choices=SEQUENCE_NAMES, help="where the headers do not tell it (default: what they tell)"
    )
    fit.add_argument(
        "--parameters", type=int, choices=(2, 3), default=3, help="2 takes inversion or saturation for perfect"
    )
    fit.add_argument("--no-motion-correction", action="store_true", help="leave the images where they are")
    fit.set_defaults(run=_fit)


def _fit(options: argparse.Namespace) -> None:
    from ACNetLib.fitting.images import read_recovery_images
    from ACNetLib.fitting.maps import fit_maps, require_map_path, write_maps

    require_map_path(options.output)
    sequence = SEQUENCE_NAMES[options.sequence] if options.sequence else None
    recovery = read_recovery_images(options.folder, options.series, sequence)
    maps = fit_maps(recovery, options.parameters, not options.no_motion_correction)
    files = write_maps(maps, options.output)
    print(one_line(f"Fitted: {maps.source}."))
    print(f"Times: {recovery.slices[0].place}, {', '.join(f'{time:g}' for time in recovery.slices[0].times_ms)} ms.")
    for index, (each, motion) in enumerate(zip(recovery.slices, maps.motions, strict=True)):
        how = "registered by the scanner" if each.registered else f"{motion.before_mm:.2f} mm before correction"
        print(f"Slice {index}: {len(each.images)} images, {motion.residual_mm:.2f} mm from their fit ({how}).")
    for warning in maps.warnings:
        print(one_line(f"Note: {warning}"))
    print_written(files)
