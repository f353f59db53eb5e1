"""Importing many cases at once from a CSV table that names T1 maps, whatever its columns are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ACNetLib.errors import ACNetError
from ACNetLib.t1map.t1_map import Reading, T1Map, read_t1_map
from ACNetLib.ventricle.segments import read_segmentation

from .editing import add_maps
from .library import EXPECTED_LABEL, Case, is_label, label_of, number_in
from .maps import DEFAULT_SOURCE, Located, NewMap, by_localizer, by_point, check_near, in_segmentation
from .table import Row, Table, errors_at, read_table

if TYPE_CHECKING:
    from .maps import LoadLocalizer

NEEDED = ("file", "patient", "label")
CENTER = ("center_l_mm", "center_p_mm", "center_s_mm")
FIELDS = (
    *NEEDED,
    "section",
    *CENTER,
    "segmentation",
    "field_strength_tesla",
    "spacing_mm",
    "acquisition_date",
    "source",
    "scanner",
    "sequence",
)
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Imported:
    """What an import added, and what the person should know of it."""

    cases: tuple[Case, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _NamedRow:
    """A row by our names of its columns, some of which the table calls otherwise."""

    table: Table
    row: Row
    columns: Mapping[str, str]

    def __getitem__(self, field: str) -> str:
        return self.row.cells.get(self.columns.get(field, field), "")

    def place(self, field: str) -> str:
        return f"{self.table.place(self.row)}: column {self.columns.get(field, field)}"

    def number(self, field: str) -> float:
        return number_in(self[field], self.place(field))


def import_csv(
    folder: Path,
    table_file: Path,
    columns: Mapping[str, str],
    load_localizer: LoadLocalizer,
    source: str = DEFAULT_SOURCE,
) -> Imported:
    """Add the T1 maps that a table names, one a row, their files relative to it: all of them, or none.

    `columns` tells what the table calls those of FIELDS that it calls otherwise. A row's segmentation wins over its
    centre, and where it has neither, the localizer finds the ventricle. `source` is that of rows which name none.
    Raises ACNetError that names every row with a problem, and the column.
    """
    unknown = [field for field in columns if field not in FIELDS]
    if unknown:
        raise ACNetError(f"column {unknown[0]}: there is no such field; expected one of {', '.join(FIELDS)}.")
    needed = dict.fromkeys([*(columns.get(field, field) for field in NEEDED), *columns.values()])
    table = read_table(table_file, list(needed))
    maps, problems = [], []
    for row in table.rows:
        try:
            maps.append(_new_map(_NamedRow(table, row, columns), load_localizer, source))
        except ACNetError as error:
            problems.append(error.plain)
    return add_all(folder, maps, problems, f"{table_file}: no T1 maps; expected a row for each below the header.")


def add_all(folder: Path, maps: Sequence[NewMap], problems: Sequence[str], if_none: str) -> Imported:
    """Add the maps if there was no problem with any. Raises ACNetError as `add_maps`."""
    if not maps and not problems:
        raise ACNetError(if_none)
    return Imported(add_maps(folder, maps, problems), tuple(note for new in maps for note in new.notes))


def label_in(text: str, place: str) -> str:
    """The label in a cell, in capitals too. Raises ACNetError when there is none."""
    if not is_label(label := label_of(text)):
        raise ACNetError(f"{place} is '{text}'; expected {EXPECTED_LABEL}.")
    return label


def date_in(text: str, place: str) -> date:
    """The date in a cell. Raises ACNetError when there is none, and for one that is still to come."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ACNetError(f"{place} is no date; expected one such as 2024-05-31.") from error
    if day > date.today() + ONE_DAY:  # a computer's clock may be of another time zone
        raise ACNetError(f"{place} is {day}, which is still to come; expected the day of the acquisition.")
    return day


def _new_map(row: _NamedRow, load_localizer: LoadLocalizer, source: str) -> NewMap:
    for field in NEEDED:
        if not row[field]:
            raise ACNetError(f"{row.place(field)} is empty.")
    label = label_in(row["label"], row.place("label"))
    acquired = date_in(row["acquisition_date"], row.place("acquisition_date")) if row["acquisition_date"] else None
    field_strength = row.number("field_strength_tesla") if row["field_strength_tesla"] else None
    with errors_at(row.place("file")):
        t1_map = read_t1_map(
            row.table.path.parent / row["file"], Reading(field_strength_tesla=field_strength, spacing_mm=_spacing(row))
        )
    located = _located(row, t1_map, load_localizer)
    if row["section"]:
        located = _only_section(located, row.number("section"), row.place("section"))
    return NewMap(
        t1_map,
        label,
        row["patient"],
        located,
        row["source"] or source,
        acquired,
        row.table.place(row.row),
        row["scanner"],
        row["sequence"],
    )


def _spacing(row: _NamedRow) -> list[float]:
    """The cell's two or three lengths, with blanks between; none where it is empty."""
    place = row.place("spacing_mm")
    spacing = [number_in(text, place) for text in row["spacing_mm"].split()]
    if spacing and (len(spacing) not in {2, 3} or min(spacing) <= 0):
        raise ACNetError(
            f"{place} is '{row['spacing_mm']}'; expected mm between columns, rows and slices, as 1.4 1.4 8."
        )
    return spacing


def _located(row: _NamedRow, t1_map: T1Map, load_localizer: LoadLocalizer) -> Located:
    if row["segmentation"]:
        with errors_at(row.place("segmentation")):
            segmentation = read_segmentation(row.table.path.parent / row["segmentation"], _spacing(row))
            return in_segmentation(t1_map, segmentation, load_localizer().locate(t1_map))
    if any(row[field] for field in CENTER):
        center_mm = [row.number(field) for field in CENTER]
        section = row.number("section") if row["section"] else None
        sections = [each for each in range(t1_map.section_count) if each == section]
        with errors_at(row.place(CENTER[0])):
            check_near([t1_map], center_mm)
            return by_point(t1_map, center_mm, load_localizer(), sections or None)
    with errors_at(row.place("file")):
        return by_localizer(t1_map, load_localizer())


def _only_section(located: Located, section: float, place: str) -> Located:
    ventricles = tuple(ventricle for ventricle in located.ventricles if ventricle.section == section)
    if not ventricles:
        there = ", ".join(str(ventricle.section) for ventricle in located.ventricles)
        why = f" {located.doubt}" if located.doubt else ""
        raise ACNetError(f"{place} is {section:g}; expected one of {there}, the slices with a ventricle.{why}")
    doubt = "" if located.center_source == "localizer" else located.doubt  # which is of the others, not wanted here
    return replace(located, ventricles=ventricles, left_out=(), doubt=doubt)
