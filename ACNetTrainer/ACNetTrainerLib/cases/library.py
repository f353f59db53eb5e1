"""The case library: a folder with `cases.csv`, one row a section, and the T1 maps that it names.

A person can read and edit the table in a spreadsheet; every row is checked when it is read. The format is described in
Documentation/cases.md.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetLib.files import is_relative_name, require_plain_name
from ACNetLib.t1map.field_strength import FIELD_STRENGTHS_TESLA, nominal_field_strength
from ACNetLib.t1map.section import SectionGrid
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import septum_turn_degrees
from ACNetLib.ventricle.segments import read_segmentation

from .images import case_name, pixel_hash, read_section
from .pseudonyms import plain_name
from .table import Row, Table, errors_at, read_table, write_table

TABLE_NAME, TRUTH_TABLE_NAME = "cases.csv", "truth.csv"
"""The second: measures of each case, those of a simulation or what a site has made."""
LABELS = ("normal", "dcm")
"""The index of a label is its class in the network's output."""
OTHER = "other:"
"""How the label of any other disease begins: such a case is never trained on, but a model can be evaluated on it."""
EXPECTED_LABEL = f"one of {', '.join(LABELS)}, or {OTHER} and a disease, such as {OTHER}amyloidosis"
CENTER_SOURCES = ("given", "segmentation", "localizer")
SIMULATED = "simulated"


@dataclass(frozen=True)
class Case:
    """One section of one patient. file: its T1 map, relative to the library. center_*_mm: of the LV, LPS.

    A table may lack the last six, or leave them empty. center_source: one of CENTER_SOURCES. acquisition_quarter: see
    `Pseudonyms.quarter_of`. pixel_hash: see `images.pixel_hash`. scanner: manufacturer and model. sequence: that
    of T1 mapping, such as MOLLI. turn_degrees: see ACNetLib.ventricle.labels.septum_turn_degrees.
    """

    case: str
    patient: str
    file: str
    label: str
    center_l_mm: float
    center_p_mm: float
    center_s_mm: float
    field_strength_tesla: float
    source: str
    center_source: str = ""
    acquisition_quarter: int | None = None
    pixel_hash: str = ""
    scanner: str = ""
    sequence: str = ""
    turn_degrees: float | None = None

    @property
    def manufacturer(self) -> str:
        """The same for all spellings: "SIEMENS" of "Siemens Healthineers Sola"; "" where no scanner is named."""
        return self.scanner.partition(" ")[0].upper()

    @property
    def center_mm(self) -> tuple[float, float, float]:
        return self.center_l_mm, self.center_p_mm, self.center_s_mm

    @property
    def is_dcm(self) -> bool:
        return self.label == "dcm"

    @property
    def is_simulated(self) -> bool:
        return self.source == SIMULATED


REQUIRED_COLUMNS = tuple(field.name for field in fields(Case) if field.default is MISSING)
OPTIONAL_COLUMNS = tuple(field.name for field in fields(Case) if field.default is not MISSING)
COLUMNS = REQUIRED_COLUMNS + OPTIONAL_COLUMNS
_NUMBERS = tuple(name for name, kind in get_type_hints(Case).items() if kind is float)


def masks_file(case: str) -> str:
    """The label image of a case's left ventricle, relative to the library."""
    return f"truth/{case}-masks.nrrd"


@dataclass(frozen=True)
class CaseLibrary:
    """Checked cases and the folder that their files are relative to. warnings: what a person should put right.

    others: cases of other diseases, to evaluate on alone.
    """

    folder: Path
    cases: tuple[Case, ...]
    warnings: tuple[str, ...] = ()
    others: tuple[Case, ...] = ()

    @property
    def every_case(self) -> tuple[Case, ...]:
        return (*self.cases, *self.others)

    @property
    def patients(self) -> tuple[str, ...]:
        """Every patient once, in the order of the table."""
        return tuple(dict.fromkeys(case.patient for case in self.cases))

    def first(self, patients: int) -> CaseLibrary:
        """Those of the first patients of the table."""
        chosen = set(self.patients[:patients])
        return replace(self, cases=tuple(case for case in self.cases if case.patient in chosen))

    def t1_map(self, case: Case) -> T1Map:
        """The map of a case. Raises ACNetError when it can't be read.

        Whether it is native was asked when it was added, and is not asked again: on a slice by itself, much fat and
        liver around the heart can look like contrast.
        """
        return read_section(self.path(case), post_contrast=True)

    def grid(self, case: Case, t1_map: T1Map) -> SectionGrid:
        """What the network sees of the case's map: around its centre, with the septum to the left.

        Where that is not known, along the anatomical axes. Raises ACNetError when the case's masks can't be read.
        """
        return SectionGrid.around(t1_map, 0, case.center_mm, self.turn_degrees(case, t1_map) or 0.0)

    def turn_degrees(self, case: Case, t1_map: T1Map) -> float | None:
        """See `septum_turn_degrees`: of the case's masks, else of the table; None where neither tells."""
        masks = self.masks(case)
        labels = None if masks is None else sitk.GetArrayViewFromImage(masks)[0]
        drawn_degrees = septum_turn_degrees(labels, t1_map)
        return case.turn_degrees if drawn_degrees is None else drawn_degrees

    def path(self, case: Case) -> Path:
        return self.folder / case.file

    def masks_path(self, case: Case) -> Path | None:
        """The image with the labels of ACNetLib.ventricle.labels of the case's slice; None where none was drawn."""
        path = self.folder / masks_file(case.case)
        return path if os.path.isfile(path) else None

    def masks_sha256(self) -> str:
        """Of the masks of all cases, as they lie on the disk: masks that were drawn anew make another training."""
        digest = hashlib.sha256()
        for case in self.cases:
            path = self.masks_path(case)
            if path is not None:
                digest.update(case.case.encode() + path.read_bytes())
        return digest.hexdigest()

    def masks(self, case: Case) -> sitk.Image | None:
        """What `masks_path` holds. Raises ACNetError when it can't be read."""
        path = self.masks_path(case)
        if path is None:
            return None
        with errors_at(f"{path}: the label image of case '{case.case}'"):
            return read_segmentation(path)


def labels_by_patient(cases: Iterable[Case]) -> dict[str, str]:
    """In the order of the cases."""
    return {case.patient: case.label for case in cases}


def patients_by_label(cases: Iterable[Case]) -> dict[str, list[str]]:
    """Of each of LABELS, in the order of the cases."""
    labels = labels_by_patient(cases)
    return {label: [patient for patient in labels if labels[patient] == label] for label in LABELS}


def read_case_library(folder: Path, may_be_empty: bool = False) -> CaseLibrary:
    """Read and check `folder`/cases.csv. Raises ACNetError that names the row and the column.

    A row without pixel hash is one that a person wrote: its image is read as well (simulated ones excepted, of which
    there are thousands, each drawn anew).
    """
    return checked_library(Path(folder), read_case_table(Path(folder)), may_be_empty)


def read_case_table(folder: Path) -> Table:
    """The table as text. Raises ACNetError when the folder is none of a case library."""
    if not os.path.isfile(folder / TABLE_NAME):
        raise ACNetError(f"{folder}: no {TABLE_NAME} found; expected the folder of a case library.")
    return read_table(folder / TABLE_NAME, REQUIRED_COLUMNS)


def checked_library(folder: Path, table: Table, may_be_empty: bool = False) -> CaseLibrary:
    """The cases of a table. Raises ACNetError that names the row and the column."""
    if not table.rows and not may_be_empty:
        raise ACNetError(f"{table.path}: no cases; expected at least one row below the header.")
    places = [table.place(row) for row in table.rows]
    whole = CaseLibrary(folder, tuple(_case(row, place) for row, place in zip(table.rows, places, strict=True)))
    _check_together(whole, places)
    every = tuple(
        case if case.pixel_hash or case.is_simulated else with_pixel_hash(whole, case, place)
        for case, place in zip(whole.cases, places, strict=True)
    )
    cases, others = (tuple(case for case in every if (case.label in LABELS) is ours) for ours in (True, False))
    return CaseLibrary(folder, cases, same_images(every, places), others)


def _case(row: Row, place: str) -> Case:
    values: dict[str, Any] = {}
    for name in REQUIRED_COLUMNS:
        text = row.cells[name]
        if not text:
            raise ACNetError(f"{place}: column {name} is empty.")
        values[name] = number_in(text, f"{place}: column {name}") if name in _NUMBERS else text
    field_strength = values["field_strength_tesla"] = nominal_field_strength(values["field_strength_tesla"])
    if field_strength not in FIELD_STRENGTHS_TESLA:
        raise ACNetError(f"{place}: column field_strength_tesla is {field_strength:g}; expected 1.5 or 3.")
    if not is_label(values["label"]):
        raise ACNetError(f"{place}: column label is '{values['label']}'; expected {EXPECTED_LABEL}.")
    require_plain_name(values["case"], f"{place}: column case")
    if not is_relative_name(values["file"]):
        raise ACNetError(f"{place}: column file is '{values['file']}'; expected a path within the library's folder.")
    center_source = values["center_source"] = row.cells.get("center_source", "")
    if center_source and center_source not in CENTER_SOURCES:
        raise ACNetError(
            f"{place}: column center_source is '{center_source}'; expected one of {', '.join(CENTER_SOURCES)}, or "
            "nothing."
        )
    if quarter := row.cells.get("acquisition_quarter"):
        number = number_in(quarter, f"{place}: column acquisition_quarter")
        if not number.is_integer():
            raise ACNetError(
                f"{place}: column acquisition_quarter is '{quarter}'; expected a whole number, or nothing."
            )
        values["acquisition_quarter"] = int(number)
    if degrees := row.cells.get("turn_degrees"):
        values["turn_degrees"] = number_in(degrees, f"{place}: column turn_degrees")
    values |= {name: row.cells.get(name, "") for name in ("pixel_hash", "scanner", "sequence")}
    return Case(**values)


def is_label(text: str) -> bool:
    """Whether it is one of LABELS or names another disease."""
    return text in LABELS or (text.startswith(OTHER) and bool(text.removeprefix(OTHER).strip()))


def label_of(text: str) -> str:
    """A label as a person may write it, in capitals and with blanks, as tables hold it; other text as it is."""
    plain = text.strip()
    if plain.lower() in LABELS:
        return plain.lower()
    if plain.lower().startswith(OTHER):
        return f"{OTHER}{plain[len(OTHER) :].strip()}"
    return plain


def number_in(text: str, place: str) -> float:
    """The number in a cell. Raises ACNetError when there is none."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ACNetError(f"{place} is '{text}'; expected a number with a decimal point.")
    return number


def _check_together(library: CaseLibrary, places: Sequence[str]) -> None:
    names: set[str] = set()
    labels: dict[str, str] = {}
    spelt: dict[str, str] = {}
    for case, place in zip(library.cases, places, strict=True):
        if case.case in names:
            raise ACNetError(f"{place}: column case: '{case.case}' is there twice; names must differ.")
        names.add(case.case)
        spelling = spelt.setdefault(plain_name(case.patient), case.patient)
        if spelling != case.patient:
            raise ACNetError(
                f"{place}: column patient is '{case.patient}', which is '{spelling}' above; expected one spelling, for "
                "two would count as two patients, one to train on and one to evaluate with."
            )
        if labels.setdefault(case.patient, case.label) != case.label:
            raise ACNetError(
                f"{place}: column label: patient '{case.patient}' is {case.label} here and {labels[case.patient]} "
                "above; expected one label a patient."
            )
        if not os.path.isfile(library.path(case)):
            raise ACNetError(f"{place}: column file: '{case.file}' does not exist in {library.folder}.")


def with_pixel_hash(library: CaseLibrary, case: Case, place: str) -> Case:
    """The case with the hash of its image. Raises ACNetError when that is no T1 map of one section, native unless it
    was added by the command or the panel, which saw all slices of the map."""
    with errors_at(f"{place}: column file"):
        found = pixel_hash(library.t1_map(case).array[0])
        if case.case != case_name(found):  # a person wrote the row
            found = pixel_hash(read_section(library.path(case)).array[0])
    return replace(case, pixel_hash=found)


def same_images(cases: Sequence[Case], places: Sequence[str]) -> tuple[str, ...]:
    """A warning for each case whose image the same patient has already. Raises ACNetError when another patient has."""
    first: dict[str, int] = {}
    warnings = []
    for index, (case, place) in enumerate(zip(cases, places, strict=True)):
        other = cases[first.setdefault(case.pixel_hash or case.file, index)]
        if other is case:
            continue
        if other.patient != case.patient:
            raise ACNetError(
                f"{place}: column file: case '{case.case}' has the image of case '{other.case}', which is another "
                "patient's; expected each image once. Remove the wrong one."
            )
        warnings.append(
            f"{place}: case '{case.case}' has the image of case '{other.case}' of the same patient, so it counts "
            "twice; remove one."
        )
    return tuple(warnings)


def write_case_table(folder: Path, cases: Iterable[Case]) -> None:
    """Write `folder`/cases.csv, in one piece; without the optional columns that no case fills."""
    rows = [asdict(case) for case in cases]
    filled = [name for name in OPTIONAL_COLUMNS if any(row[name] not in {"", None} for row in rows)]
    columns = (*REQUIRED_COLUMNS, *filled)
    write_table(folder / TABLE_NAME, columns, ({name: row[name] for name in columns} for row in rows))
