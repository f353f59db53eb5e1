"""Changing a case library: under a lock, all or nothing, and never a file that is not the library's own."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetLib.files import atomic_folder, atomic_path, is_relative_name
from ACNetLib.image_files import write_image
from ACNetLib.inference import load_finder
from ACNetLib.ventricle.labels import Ventricle, ventricles_at_point

from .images import IMAGES_FOLDER, case_name, label_image, read_section
from .library import (
    COLUMNS,
    EXPECTED_LABEL,
    SIMULATED,
    TABLE_NAME,
    Case,
    CaseLibrary,
    checked_library,
    is_label,
    masks_file,
    read_case_table,
    with_pixel_hash,
)
from .locking import locked, not_writable
from .maps import (
    NewMap,
    NewSection,
    Point,
    at_point,
    check_near,
    in_segmentation,
    new_sections,
    nothing_found,
    rounded_point,
)
from .pseudonyms import SALT_NAME, Pseudonyms, create_pseudonyms, is_pseudonym, plain_name, read_pseudonyms
from .table import Row, Table, write_table

if TYPE_CHECKING:
    from .maps import LoadLocalizer

MOST_LISTED = 10
"""Maps that can't be added."""


def create_case_library(folder: Path) -> None:
    """Make a new or empty folder a library without cases. Raises ACNetError when it holds anything."""
    try:
        with atomic_folder(folder) as room:
            create_pseudonyms(room)
            write_table(room / TABLE_NAME, COLUMNS, [])
    except OSError as error:
        raise not_writable(folder, error) from error


def add_maps(folder: Path, maps: Sequence[NewMap], known_problems: Sequence[str] = ()) -> tuple[Case, ...]:
    """Add every section of the maps that has a ventricle, or none of them; returns the new cases.

    known_problems: of maps that could not even be read, to be told with the others. Raises ACNetError, with a line for
    each map, for an image that the library has, for a patient who would have both labels, for what is no T1 map of a
    known field strength; and for a library that can't be read or changed.
    """
    sections, problems = _sections_of(maps)
    with locked(folder):
        table = read_case_table(folder)
        library = _with_every_hash(checked_library(folder, table, may_be_empty=True))
        patients = {case.patient for case in library.every_case}
        pseudonyms = _pseudonyms(folder, patients)
        cases = [_new_case(section, patients, pseudonyms) for section in sections]
        for name, problem in (
            *_images_there_already(library, sections, cases),
            *_labels_at_odds(library, sections, cases),
        ):
            problems.setdefault(name, problem)
        if every := [*known_problems, *problems.values()]:
            raise _refusal(every, of_many=len(maps) + len(known_problems) > 1)
        written: list[str] = []
        try:
            for section, case in zip(sections, cases, strict=True):
                for image, file in ((section.image, case.file), (section.masks, masks_file(case.case))):
                    if image is not None:
                        write_image(image, folder / file)
                        written.append(file)
            _write(table, library, cases)
        except BaseException:
            listed = {row.cells["case"] for row in read_case_table(folder).rows}
            if listed.isdisjoint(case.case for case in cases):  # an interrupt can come right after the table's writing
                _delete(folder, *written)
            raise
    return tuple(cases)


@dataclass(frozen=True, eq=False)
class Edit:
    """What is changed. label, patient: of all cases of the case's patient. center_mm: LPS; this and the segmentation
    are of the case alone."""

    label: str | None = None
    patient: str | None = None
    center_mm: Point | None = None
    segmentation: sitk.Image | None = None


def edit_case(folder: Path, name: str, edit: Edit, load_localizer: LoadLocalizer = load_finder) -> CaseLibrary:
    """Change what is given; returns the library as it is then.

    How the septum lies is told anew with a segmentation, by the localizer where it is not drawn; with another centre it
    is no longer told, and whoever trains or evaluates asks for it: see `with_turns`. A drawing that the case had goes
    where it is of another place: it would be taken for the septum, and be trained on.

    A library that is refused can be put right by it. Raises ACNetError when the library would be refused afterwards.
    """
    label, patient = edit.label, edit.patient
    if label is not None and not is_label(label):
        raise ACNetError(f"case '{name}': the label is '{label}'; expected {EXPECTED_LABEL}.")
    with locked(folder):
        table = read_case_table(folder)
        edited = _row_named(table, name)
        place, masks, doubt = _place(folder, edited, edit, load_localizer)
        of_patient = {} if label is None else {"label": label}
        if patient is not None:
            patients = [row.cells["patient"] for row in table.rows]
            of_patient["patient"] = _pseudonym(patient, patients, _pseudonyms(folder, patients), f"case '{name}'")
        rows = []
        for row in table.rows:
            changes = of_patient if row.cells["patient"] == edited.cells["patient"] else {}
            rows.append(replace(row, cells={**row.cells, **changes, **(place if row is edited else {})}))
        table = replace(table, rows=tuple(rows))
        library = checked_library(folder, table)
        drawing = folder / masks_file(name)
        is_old = bool(place) and masks is None and drawing.is_file()
        is_old = is_old and (edit.segmentation is not None or not _is_around_center(library, name))
        with _unchanged_on_error(drawing):
            if masks is not None:
                write_image(masks, drawing)
            elif is_old:
                drawing.unlink()
            _write(table, library)
    gone = f"case '{name}': the masks that it had were drawn for another place; they were removed." if is_old else ""
    return replace(library, warnings=(*library.warnings, *filter(None, (doubt, gone))))


def edit_labels(folder: Path, labels: Mapping[str, str]) -> CaseLibrary:
    """Give the patients of cases, by the cases' names, other labels, all of them or none; returns the library as it is
    then. The library is read and written once, however many they are.

    Raises ACNetError for a name that the table has not, or twice, and when the library would be refused afterwards.
    """
    with locked(folder):
        table = read_case_table(folder)
        of_patient = {_row_named(table, name).cells["patient"]: label for name, label in labels.items()}
        rows = []
        for row in table.rows:
            label = of_patient.get(row.cells["patient"], row.cells["label"])
            rows.append(replace(row, cells={**row.cells, "label": label}))
        table = replace(table, rows=tuple(rows))
        library = checked_library(folder, table)
        _write(table, library)
    return library


def remove_cases(folder: Path, names: Sequence[str]) -> None:
    """Remove cases and delete their files. A library that is refused can be put right by it.

    Raises ACNetError for a name that the table has not, or twice; then nothing is removed.
    """
    with locked(folder):
        table = read_case_table(folder)
        removed = [_row_named(table, name) for name in names]
        kept = [row for row in table.rows if row not in removed]
        # The table first: it must never name a file that is gone.
        write_table(table.path, table.columns, (row.cells for row in kept))
        still_used = {os.path.normpath(row.cells["file"]) for row in kept}
        for row in removed:
            files = (row.cells["file"], masks_file(row.cells["case"]))
            _delete(folder, *(file for file in files if os.path.normpath(file) not in still_used))


def _with_every_hash(library: CaseLibrary) -> CaseLibrary:
    cases, others = (
        tuple(
            case if case.pixel_hash else with_pixel_hash(library, case, f"{library.folder}, case '{case.case}'")
            for case in some
        )
        for some in (library.cases, library.others)
    )
    return replace(library, cases=cases, others=others)


def _pseudonyms(folder: Path, patients: Collection[str]) -> Pseudonyms:
    """The library's own; a library that never needed any gets a salt. Raises ACNetError when its salt is lost."""
    pseudonyms = read_pseudonyms(folder)
    if pseudonyms is None and any(is_pseudonym(patient) for patient in patients):
        raise ACNetError(
            f"{folder}: its {SALT_NAME} is missing, without which a patient who comes again would count as another "
            "one. Restore it from a backup; if the library is from elsewhere, collect your cases in one of your own."
        )
    return pseudonyms or create_pseudonyms(folder)


def _pseudonym(text: str, patients: Collection[str], pseudonyms: Pseudonyms, place: str) -> str:
    """That of a person's text; a patient of the library stands for itself, however the name is spelt."""
    if not text.strip():
        raise ACNetError(f"{place}: no patient is named; expected a name or number, of which a pseudonym is kept.")
    by_hand = {plain_name(patient): patient for patient in patients if not is_pseudonym(patient)}
    return text if text in patients else by_hand.get(plain_name(text)) or pseudonyms.of_patient(text)


def _new_case(section: NewSection, patients: Collection[str], pseudonyms: Pseudonyms) -> Case:
    new, name = section.of, case_name(section.pixel_hash)
    return Case(
        name,
        _pseudonym(new.patient, patients, pseudonyms, new.name),
        f"{IMAGES_FOLDER}/{name}.nrrd",
        new.label,
        *section.center_mm,
        section.field_strength_tesla,
        SIMULATED if new.t1_map.simulated else new.source,
        new.located.center_source,
        None if new.acquired is None else pseudonyms.quarter_of(new.acquired),
        section.pixel_hash,
        new.scanner or new.t1_map.scanner,
        new.sequence or new.t1_map.sequence,
        section.turn_degrees,
    )


def _sections_of(maps: Sequence[NewMap]) -> tuple[list[NewSection], dict[str, str]]:
    """Of all maps that can be added, and what is wrong with the others, by their names."""
    sections: list[NewSection] = []
    problems: dict[str, str] = {}
    for new in maps:
        try:
            sections += new_sections(new)
        except ACNetError as error:
            problems[new.name] = error.plain
    return sections, problems


def _refusal(problems: Sequence[str], of_many: bool) -> ACNetError:
    if not of_many:
        return ACNetError(*problems)
    more = [f"And {len(problems) - MOST_LISTED} more."] if len(problems) > MOST_LISTED else []
    return ACNetError("Nothing was added.", *problems[:MOST_LISTED], *more)


def _images_there_already(
    library: CaseLibrary, sections: Sequence[NewSection], cases: Sequence[Case]
) -> Iterator[tuple[str, str]]:
    """The names of maps, and what is wrong with them."""
    there = {
        case.pixel_hash: (case.patient, f"in the library already, as case '{case.case}'") for case in library.every_case
    }
    taken = {case.case for case in library.every_case} | {os.path.normpath(case.file) for case in library.every_case}
    for section, case in zip(sections, cases, strict=True):
        name = section.of.name
        if case.pixel_hash in there:
            patient, where = there[case.pixel_hash]
            whose = "the same" if patient == case.patient else "another"
            yield (
                name,
                f"{name}: its image is {where} of {whose} patient; expected each image once. Leave one of the two out.",
            )
        elif taken & {case.case, os.path.normpath(case.file)}:
            gone = f"its image is that which case '{case.case}' had when it was added, and has no longer"
            yield name, f"{name}: {gone}; remove that case first."
        there.setdefault(case.pixel_hash, (case.patient, f"added already, by {name},"))


def _labels_at_odds(
    library: CaseLibrary, sections: Sequence[NewSection], cases: Sequence[Case]
) -> Iterator[tuple[str, str]]:
    """The names of maps, and what is wrong with them."""
    labels = {case.patient: (case.label, f"in the library (case '{case.case}')") for case in library.every_case}
    for section, case in zip(sections, cases, strict=True):
        name = section.of.name
        label, where = labels.setdefault(case.patient, (case.label, f"by {name}"))
        if label != case.label:
            both = f"patient '{case.patient}' is {case.label} here and {label} {where}"
            yield name, f"{name}: {both}; expected one label a patient."


def _place(
    folder: Path, row: Row, edit: Edit, load_localizer: LoadLocalizer
) -> tuple[dict[str, str], sitk.Image | None, str]:
    """The cells of another centre, a person's masks if there are any, and what the person should know of them."""
    t1_map = read_section(folder / row.cells["file"], post_contrast=True)  # whether it is native was asked before
    if edit.segmentation is not None:
        located = in_segmentation(t1_map, edit.segmentation, load_localizer().locate(t1_map))
    elif edit.center_mm is not None:
        located = at_point(t1_map, edit.center_mm, nothing_found(t1_map))
        check_near([t1_map], edit.center_mm)
    else:
        return {}, None, ""
    (ventricle,) = located.ventricles
    point = rounded_point(ventricle.center_mm)
    cells = {f"center_{axis}_mm": str(value) for axis, value in zip("lps", point, strict=True)}
    cells["center_source"] = located.center_source
    cells["turn_degrees"] = "" if edit.segmentation is None else str(round(ventricle.turn_degrees, 1))
    masks = None if ventricle.labels is None else label_image(ventricle.labels, t1_map.image)
    return cells, masks, located.doubt


def _is_around_center(library: CaseLibrary, name: str) -> bool:
    """Whether the case's centre lies within its masks. Raises ACNetError when these can't be read."""
    (case,) = (case for case in library.every_case if case.case == name)
    t1_map, masks = library.t1_map(case), library.masks(case)
    labels = None if masks is None else sitk.GetArrayFromImage(masks)[0]
    (drawn,) = ventricles_at_point(t1_map, case.center_mm, [Ventricle(0, t1_map.section_center(0), labels=labels)])
    return drawn.labels is not None


def _row_named(table: Table, name: str) -> Row:
    rows = [row for row in table.rows if row.cells["case"] == name]
    if len(rows) != 1:
        raise ACNetError(f"{table.path}: found {len(rows)} cases named '{name}'; expected one.")
    return rows[0]


def _write(table: Table, library: CaseLibrary, new: Sequence[Case] = ()) -> None:
    """The table with what it holds beyond our columns, the hashes of all its images, and new cases."""
    columns = (*table.columns, *(name for name in COLUMNS if name not in table.columns))
    hashes = {case.case: case.pixel_hash for case in library.every_case}
    rows = [{**row.cells, "pixel_hash": hashes[row.cells["case"]]} for row in table.rows]
    write_table(table.path, columns, [*rows, *map(asdict, new)])


@contextmanager
def _unchanged_on_error(path: Path) -> Iterator[None]:
    """Puts back what a file was, or that it was not there, when the block fails."""
    before = path.read_bytes() if path.is_file() else None
    try:
        yield
    except BaseException:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            with atomic_path(path) as temporary:
                temporary.write_bytes(before)
        raise


def _delete(folder: Path, *files: str) -> None:
    """Only what lies within the library: a table can name any file."""
    for file in files:
        if is_relative_name(file):
            (folder / file).unlink(missing_ok=True)
