"""A study's record in a table node: a row for each section to look at, and the whole record in an attribute.

The attribute is what is read. The rows are for those who open the table in Slicer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any

from slicer import vtkMRMLTableNode
from vtkmodules.vtkCommonCore import vtkDoubleArray, vtkIntArray, vtkStringArray

from ACNetLib.errors import ACNetError
from ACNetLib.inference.record import FORMAT_VERSION, Slice, StudyRecord, record_from_values, record_values
from ACNetLib.scene.nodes import printable

# A table of an older ACNet says nothing that can be read.
RECORD = f"ACNet.record.{FORMAT_VERSION}"

_IN_A_FILE = str.maketrans({'"': "'", "#": "_"})

COLUMNS: dict[str, tuple[type, Callable[[Slice], Any]]] = {
    "section": (vtkIntArray, lambda each: each.section.section),
    "left_out": (vtkIntArray, lambda each: int(each.section.left_out)),
    "probability_dcm": (vtkDoubleArray, lambda each: each.section.probability_dcm),
    "verdict": (vtkStringArray, lambda each: each.section.verdict),
    "confidence": (vtkDoubleArray, lambda each: each.section.confidence),
    "septal_t1_ms": (vtkDoubleArray, lambda each: each.section.known_measures.septal_t1_ms),
    "wall_attention": (vtkDoubleArray, lambda each: each.section.wall_attention),
    "cavity_area_mm2": (vtkDoubleArray, lambda each: each.section.known_measures.cavity_area_mm2),
    "wall_thickness_mm": (vtkDoubleArray, lambda each: each.section.known_measures.wall_thickness_mm),
    "outside_fraction": (vtkDoubleArray, lambda each: each.section.outside_fraction),
    "warnings": (vtkStringArray, lambda each: "; ".join(each.section.warnings)),
    "left_mm": (vtkDoubleArray, lambda each: each.section.center_lps_mm[0]),
    "posterior_mm": (vtkDoubleArray, lambda each: each.section.center_lps_mm[1]),
    "superior_mm": (vtkDoubleArray, lambda each: each.section.center_lps_mm[2]),
    "map_name": (vtkStringArray, lambda each: each.of_map.name),
}
"""What each column holds, beside those of the study. Not measured is NaN, left_out is 0 or 1, the centre of the section
grid is LPS mm."""


def fill_table(node: vtkMRMLTableNode, study: StudyRecord) -> None:
    """Make the table node say what the record says, a row a section in the order of `StudyRecord.slices`."""
    node.SetUseColumnTitleAsColumnHeader(True)
    node.RemoveAllColumns()
    for name, (kind, value_of) in COLUMNS.items():
        column = kind()
        column.SetName(name)
        for each in study.slices:
            column.InsertNextValue(_cell(value_of(each)))
        node.AddColumn(column)
    for name, text in (("study_verdict", study.verdict), ("study_reason", study.reason)):
        column = vtkStringArray()
        column.SetName(name)
        for _each in study.slices:
            column.InsertNextValue(_cell(text))
        node.AddColumn(column)
    node.SetAttribute(RECORD, json.dumps(record_values(study)))


def _cell(value: Any) -> Any:
    """A text as a table's file keeps it: when Slicer reads that again, it loses what lies before a double quote, and
    all of the row from a # on, which begins a comment.
    """
    return printable(value).translate(_IN_A_FILE) if isinstance(value, str) else value


def leave_out(node: vtkMRMLTableNode, places: Collection[int]) -> None:
    """Make the table node say what the study is without these of its slices, counted from 0.

    Raises ACNetError when none would be left.
    """
    fill_table(node, read_record(node).leaving_out(places))


def has_record(table: vtkMRMLTableNode) -> bool:
    """Whether `read_record` can read the table: a scene's file may be damaged."""
    try:
        read_record(table)
    except ACNetError:
        return False
    return True


def read_record(table: vtkMRMLTableNode) -> StudyRecord:
    """What the table node of a result says. Raises ACNetError where that is damaged, or of an older ACNet."""
    return _record_in(table.GetAttribute(RECORD) or "")


@lru_cache(maxsize=32)
def _record_in(text: str) -> StudyRecord:
    """Read once: the panel asks for it at each step of a slider."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ACNetError(f"result: it is damaged ({error}). Classify the T1 map again.") from error
    if not isinstance(values, dict):
        raise ACNetError("result: it is damaged (it is no table). Classify the T1 map again.")
    return record_from_values(values)
