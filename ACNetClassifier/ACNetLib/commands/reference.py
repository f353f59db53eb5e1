"""`acnet reference`: list, set and remove the reference T1 that is remembered for each scanner."""

from __future__ import annotations

import argparse
from typing import Any

from ACNetLib.dicom.sequences import NAMED
from ACNetLib.errors import ACNetError
from ACNetLib.reference.store import (
    forget_reference,
    key_text,
    references_file,
    remember_reference,
    remembered_references,
)
from ACNetLib.reference.t1 import parse_reference
from ACNetLib.t1map.field_strength import field_strength_option

SEQUENCE_NAMES = {name.lower().replace(" ", "-"): name for name, _ in NAMED}
"""Of the maps that headers name, as the options take them: a reference for another is taken for no map."""


def add_reference_commands(commands: argparse._SubParsersAction[Any]) -> None:
    """Add `reference` and its own subcommands to those of the `acnet` command."""
    reference = commands.add_parser(
        "reference",
        help="list, set or remove the reference T1 of scanners",
        description="Native septal T1 of healthy volunteers, remembered for each scanner, field strength and "
        "sequence. acnet classify takes it for the T1 maps of that scanner and sequence.",
    )
    actions = reference.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("list", help="which are remembered").set_defaults(run=_list)
    new = actions.add_parser("set", help="remember one, in place of an earlier one of the scanner")
    _add_scanner(new)
    new.add_argument("reference", metavar="MEAN[,SD]", help="ms, in healthy volunteers with the same sequence")
    new.set_defaults(run=_set)
    remove = actions.add_parser("remove", help="forget that of a scanner")
    _add_scanner(remove)
    remove.set_defaults(run=_remove)


def _add_scanner(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scanner", help="manufacturer and model, as in the result of acnet classify: 'SIEMENS Avanto'")
    parser.add_argument("field", type=field_strength_option, help="field strength in tesla")
    parser.add_argument("--sequence", choices=SEQUENCE_NAMES, help="of which it is (default: not known)")


def _list(_options: argparse.Namespace) -> None:
    from ACNetLib.report.wording import mean_text

    for key, reference in remembered_references().items():
        print(f"{key_text(key)}: {mean_text(reference.mean_ms, reference.sd_ms)}")
    print(f"Remembered in: {references_file()}")


def _set(options: argparse.Namespace) -> None:
    if not options.scanner.strip():
        raise ACNetError("scanner: found nothing; expected its manufacturer and model, such as 'SIEMENS Avanto'.")
    reference, sequence = parse_reference(options.reference), SEQUENCE_NAMES.get(options.sequence, "")
    print(f"Written:\n  {remember_reference(options.scanner, options.field, reference, sequence)}")


def _remove(options: argparse.Namespace) -> None:
    print(f"Written:\n  {forget_reference(options.scanner, options.field, SEQUENCE_NAMES.get(options.sequence, ''))}")
