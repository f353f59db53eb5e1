"""From a folder of a CMRxRecon challenge to labelled cases, patient by patient: it can be stopped and run again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from ACNetLib.errors import ACNetError
from ACNetLib.files import require_writable

from ..cases.editing import add_maps, create_case_library
from ..cases.library import TABLE_NAME, Case, checked_library, read_case_table
from ..cases.maps import NewMap, by_localizer
from ..cases.pseudonyms import read_pseudonyms
from .k_space_file import require_k_space_packages
from .labels import DiseaseSheet, read_disease_sheet
from .scans import Scan, find_scans
from .t1_slices import Told, read_scan

if TYPE_CHECKING:
    from ..cases.maps import LoadLocalizer

OPTIONS = ("field", "spacing", "times")
"""Of the command: a note that advises another one could not be followed."""


@dataclass(frozen=True)
class ImportedScans:
    """cases: the new ones. there: how many scans were in the library already. notes: what was left out, and why."""

    cases: tuple[Case, ...]
    there: int
    notes: tuple[str, ...]


def import_cmrxrecon(
    folder: Path, sheet: Path, library: Path, load_localizer: LoadLocalizer, told: Told = Told()
) -> ImportedScans:
    """Add the T1 map of every scan below `folder` whose patient `sheet` names to the case library, made if need be.

    A patient is added as soon as the map is made, all slices with a ventricle or none; one who is there already is not
    read again. A scan that won't do is a note, and the others go on. Raises ACNetError where no scan is found, the
    sheet or the library is none, or no scan would do.
    """
    require_writable(library / TABLE_NAME)
    require_k_space_packages()
    scans, labels = find_scans(folder), read_disease_sheet(sheet)
    if not (library / TABLE_NAME).is_file():
        create_case_library(library)
    there = _already_there(library, scans)
    cases: list[Case] = []
    notes: list[str] = []
    for scan in tqdm([scan for scan in scans if scan not in there], unit="scan", disable=None):
        try:
            new = _new_map(scan, labels, load_localizer, told)
            cases += add_maps(library, [new])
            notes += new.notes
        except ACNetError as error:
            notes.append(f"Left out: {' '.join(error.lines_for(OPTIONS))}")
    if not cases and not there:
        raise ACNetError(f"{folder}: no case was made of its {len(scans)} scans.", *notes[:3])
    return ImportedScans(tuple(cases), len(there), tuple(notes))


def _already_there(library: Path, scans: tuple[Scan, ...]) -> set[Scan]:
    pseudonyms = read_pseudonyms(library)
    if pseudonyms is None:
        return set()
    known = {case.patient for case in checked_library(library, read_case_table(library), may_be_empty=True).every_case}
    return {scan for scan in scans if pseudonyms.of_patient(scan.name) in known}


def _new_map(scan: Scan, labels: DiseaseSheet, load_localizer: LoadLocalizer, told: Told) -> NewMap:
    label = labels.label(scan)
    if label is None:
        raise ACNetError(f"{scan.file}: {labels.path} names no disease of {scan.name}; expected a row.")
    fitted = read_scan(scan, told)
    located = by_localizer(fitted.t1_map, load_localizer())
    source = f"{scan.center or scan.group} {scan.scanner}".strip() or "CMRxRecon"
    return NewMap(
        *(fitted.t1_map, label, scan.name, located, source),
        place=str(scan.file),
        scanner=scan.scanner.replace("_", " "),
        sequence=fitted.sequence,
    )
