"""`acnet-train cases`: create a case library, add, edit, remove and import cases, and check what it teaches."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ACNetLib.commands.parser import add_field_option, add_place_options, add_spacing_option, print_lines
from ACNetLib.errors import ACNetError, VentricleNotFound
from ACNetLib.files import require_writable
from ACNetLib.inference import load_finder

from ..cases.library import (
    EXPECTED_LABEL,
    LABELS,
    OTHER,
    TABLE_NAME,
    Case,
    is_label,
    read_case_library,
    read_case_table,
)

if TYPE_CHECKING:
    from ACNetLib.networks.localizer import Localizer
    from ACNetLib.t1map.t1_map import T1Map

    from ..cases.csv_import import Imported
    from ..cases.maps import Located

LABEL_CHOICES = f"{{{','.join(LABELS)},{OTHER}DISEASE}}"


def add_case_commands(commands: argparse._SubParsersAction[Any]) -> None:
    """Add `cases` and its own subcommands to those of the `acnet-train` command."""
    cases = commands.add_parser(
        "cases",
        help="create, fill, edit and check a case library",
        description="A case library is a folder with cases.csv, one row a slice, and T1 maps without anything that "
        "names a patient: see Documentation/cases.md.",
    )
    actions = cases.add_subparsers(required=True, metavar="ACTION")
    create = actions.add_parser("create", help="make a library without cases")
    create.add_argument("library", type=Path, help="new or empty folder")
    create.set_defaults(run=_create)

    add = actions.add_parser("add", help="add the slices of one T1 map, or of one exam in a DICOM folder")
    add.add_argument("library", type=Path)
    add.add_argument("map", type=Path, help="DICOM folder, or NRRD, NIfTI or MetaImage file")
    add.add_argument("--label", type=_label, required=True, metavar=LABEL_CHOICES)
    add.add_argument("--patient", help="name or number, kept as a pseudonym only (default: the DICOM PatientID)")
    add_place_options(add)
    add_spacing_option(add)
    add_field_option(add)
    add.add_argument("--date", help="of the acquisition, such as 2024-05-31, kept as a shifted quarter only")
    _add_source(add)
    add.set_defaults(run=_add)

    edit = actions.add_parser("edit", help="change label or patient of a case's patient, or the centre of a case")
    edit.add_argument("library", type=Path)
    edit.add_argument("case", help="its name in cases.csv")
    edit.add_argument("--label", type=_label, metavar=LABEL_CHOICES, help="of all cases of the patient")
    edit.add_argument("--patient", help="name or number, or another patient of cases.csv; of all cases of the patient")
    add_place_options(edit)
    edit.set_defaults(run=_edit)

    remove = actions.add_parser("remove", help="remove cases and delete their images")
    remove.add_argument("library", type=Path)
    remove.add_argument("case", nargs="+", help="their names in cases.csv")
    remove.set_defaults(run=_remove)

    table = actions.add_parser("import-csv", help="add the T1 maps that a table names")
    table.add_argument("library", type=Path)
    table.add_argument("table", type=Path, help="CSV file; the files that it names are relative to it")
    table.add_argument(
        "--column",
        type=_pair,
        action="append",
        default=[],
        metavar="FIELD=NAME",
        help="what the table calls a field: file, patient, label; optional are section, center_l_mm, center_p_mm, "
        "center_s_mm, segmentation, field_strength_tesla, spacing_mm, acquisition_date, source",
    )
    _add_source(table)
    table.set_defaults(run=_import_csv)

    dicom = actions.add_parser("import-dicom", help="add the T1 maps of DICOM studies whose labels are listed")
    dicom.add_argument("library", type=Path)
    dicom.add_argument("folder", type=Path, help="with the studies, in any subfolders")
    dicom.add_argument(
        "--labels",
        type=Path,
        required=True,
        help="CSV file: label, and PatientID, AccessionNumber, StudyInstanceUID or folder; patient if you like",
    )
    _add_source(dicom)
    dicom.set_defaults(run=_import_dicom)

    k_space = actions.add_parser(
        "import-cmrxrecon",
        help="add T1 maps reconstructed from the k-space of a CMRxRecon challenge",
        description="Reconstructs, fits and adds every T1 mapping scan whose patient the sheet names: see "
        "Documentation/real-data.md. Stopped and run again, it goes on with the next patient.",
    )
    k_space.add_argument("folder", type=Path, help="of the challenge, such as ChallengeData/MultiCoil/Mapping")
    k_space.add_argument(
        "--labels", type=Path, required=True, help="CSV file: AnonPatientID, Disease1 to 4; Center and Manufacturer"
    )
    k_space.add_argument("--output", type=Path, required=True, help="case library, made if it is not there")
    add_field_option(k_space, "where no folder is named after a scanner")
    add_spacing_option(k_space)
    k_space.add_argument("--times", type=Path, metavar="FILE", help="inversion times, for scans that have no T1map.csv")
    k_space.set_defaults(run=_import_cmrxrecon)

    check = actions.add_parser("check", help="count the cases, read every image and say what is wrong")
    check.add_argument("library", type=Path)
    check.set_defaults(run=_check)


def _add_source(parser: argparse.ArgumentParser) -> None:
    from ..cases.maps import DEFAULT_SOURCE

    parser.add_argument(
        "--source",
        default=DEFAULT_SOURCE,
        help=f"where the maps are from, such as a hospital (default {DEFAULT_SOURCE})",
    )


def _label(text: str) -> str:
    if not is_label(text):
        raise argparse.ArgumentTypeError(f"found '{text}'; expected {EXPECTED_LABEL}")
    return text


def _pair(text: str) -> tuple[str, str]:
    field, _, name = text.partition("=")
    if not name:
        raise argparse.ArgumentTypeError(f"found '{text}'; expected a field and a column's name, such as patient=MRN")
    return field, name


def _create(options: argparse.Namespace) -> None:
    from ..cases.editing import create_case_library
    from ..cases.pseudonyms import SALT_NAME

    create_case_library(options.library)
    print(f"Case library without cases in {options.library}. Keep {SALT_NAME} there, and give it to nobody.")


def require_library(folder: Path) -> None:
    """Before the maps are read and searched. Raises ACNetError unless it is a case library that can be changed."""
    read_case_table(folder)
    require_writable(folder / TABLE_NAME)


def _add(options: argparse.Namespace) -> None:
    from ACNetLib.inference.exam_input import read_exam
    from ACNetLib.t1map.t1_map import Reading
    from ACNetLib.volumes.header import is_volume_file

    from ..cases.csv_import import date_in
    from ..cases.dicom_import import first_date, only_patient, read_origins
    from ..cases.editing import add_maps
    from ..cases.maps import NewMap, agreeing_maps

    require_library(options.library)
    t1_maps = read_exam([options.map], Reading(field_strength_tesla=options.field, spacing_mm=options.spacing))
    name = t1_maps[0].name
    patient, acquired = options.patient, date_in(options.date, "--date") if options.date else None
    if not is_volume_file(options.map.name):
        origins, _ = read_origins(options.map)
        patient, acquired = patient or only_patient(origins, name), acquired or first_date(origins)
    if not patient:
        raise ACNetError(f"--patient: {name} does not say whose it is; give the patient's name or number.")
    located, left_out = _locate_each(options, t1_maps)
    maps, odd_ones = agreeing_maps(
        [NewMap(t1_map, options.label, patient, each, options.source, acquired) for t1_map, each in located]
    )
    notes = [*(note for new in maps for note in new.notes), *left_out, *odd_ones]
    _print_added(add_maps(options.library, maps), notes)


def _locate_each(
    options: argparse.Namespace, t1_maps: Sequence[T1Map]
) -> tuple[list[tuple[T1Map, Located]], list[str]]:
    """The maps of an exam that have a ventricle, and a note on each other. Raises ACNetError where none has one, and
    for a centre that lies far from all."""
    from ..cases.maps import check_near

    located, errors = [], []
    for t1_map in t1_maps:
        try:
            located.append((t1_map, _locate(options, t1_map)))
        except VentricleNotFound as error:
            errors.append(error)
    if not located:
        raise errors[0]
    if options.center:
        check_near(t1_maps, options.center)
    return located, [f"Left out: {error.plain}" for error in errors]


def _locate(options: argparse.Namespace, t1_map: T1Map) -> Located:
    from ACNetLib.ventricle.segments import read_segmentation

    from ..cases.maps import by_localizer, by_point, in_segmentation

    if options.segmentation:
        segmentation = read_segmentation(options.segmentation, options.spacing)
        return in_segmentation(t1_map, segmentation, _load_localizer().locate(t1_map))
    if options.center:
        return by_point(t1_map, options.center, _load_localizer())
    return by_localizer(t1_map, _load_localizer())


def _edit(options: argparse.Namespace) -> None:
    from ACNetLib.ventricle.segments import read_segmentation

    from ..cases.editing import Edit, edit_case

    if all(value is None for value in (options.label, options.patient, options.center, options.segmentation)):
        raise ACNetError("edit: nothing to change; give --label, --patient, --center or --segmentation.")
    segmentation = read_segmentation(options.segmentation) if options.segmentation else None
    edit = Edit(options.label, options.patient, options.center, segmentation)
    library = edit_case(options.library, options.case, edit)
    (edited,) = (case for case in library.every_case if case.case == options.case)
    center = ", ".join(f"{value:g}" for value in edited.center_mm)
    print(f"{edited.case}: {edited.label}, patient {edited.patient}, centre {center} mm ({edited.center_source}).")
    for warning in library.warnings:
        print_lines(f"Note: {warning}")


def _remove(options: argparse.Namespace) -> None:
    from ..cases.editing import remove_cases

    remove_cases(options.library, options.case)
    print(f"Cases removed, with their images: {len(options.case)}.")


def _import_csv(options: argparse.Namespace) -> None:
    from ..cases.csv_import import import_csv

    require_library(options.library)
    _print_imported(import_csv(options.library, options.table, dict(options.column), _load_localizer, options.source))


def _import_dicom(options: argparse.Namespace) -> None:
    from ..cases.dicom_import import import_dicom

    require_library(options.library)
    _print_imported(import_dicom(options.library, options.folder, options.labels, _load_localizer, options.source))


def _import_cmrxrecon(options: argparse.Namespace) -> None:
    from ..kspace.importing import import_cmrxrecon
    from ..kspace.scans import read_times
    from ..kspace.t1_slices import Told

    told = Told(options.field, options.spacing, read_times(options.times) if options.times else None)
    imported = import_cmrxrecon(options.folder, options.labels, options.output, _load_localizer, told)
    _print_added(imported.cases, imported.notes)
    if imported.there:
        print(f"Scans that were there already: {imported.there}.")


def _check(options: argparse.Namespace) -> None:
    from ..cases.checks import check_library

    library = read_case_library(options.library)
    check = check_library(library)
    print(f"{len(library.patients)} patients, {len(library.cases)} slices")
    print("field  label   patients  slices")
    for count in check.counts:
        print(f"{count.field_strength_tesla:<3g} T  {count.label:<6}  {count.patients:<8}  {count.sections}")
    others = {case.patient: case.label.removeprefix(OTHER) for case in library.others}
    for disease in sorted(set(others.values())):
        print_lines(f"To evaluate on alone: {list(others.values()).count(disease)} patients with {disease}")
    for warning in check.warnings:
        print_lines(f"Warning: {warning}")
    if not check.warnings:
        print("No warnings.")


@cache
def _load_localizer() -> Localizer:
    return load_finder()


def _print_imported(imported: Imported) -> None:
    _print_added(imported.cases, imported.notes)


def _print_added(cases: Sequence[Case], notes: Sequence[str]) -> None:
    for note in notes:
        print_lines(f"Note: {note}")
    patients = len({case.patient for case in cases})
    found = sum(case.center_source == "localizer" for case in cases)
    print(f"Cases added: {len(cases)}, patients: {patients}, centres that the localizer found: {found}.")
    for case in cases:
        print_lines(f"  {case.case}  {case.label}  patient {case.patient}")
