"""A study's record in a table node: a row for each section to look at, and the whole record in an attribute.

The attribute is what is read. The rows are for those who open the table in Slicer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any

import vtk
from slicer import vtkMRMLTableNode

from ACNetLib.inference.record import FORMAT_VERSION, Slice, StudyRecord, record_from_values, record_values

# A table of an older ACNet says nothing that can be read.
RECORD = f"ACNet.record.{FORMAT_VERSION}"

COLUMNS: dict[str, tuple[type, Callable[[Slice], Any]]] = {
    "section": (vtk.vtkIntArray, lambda each: each.section.section),
    "left_out": (vtk.vtkIntArray, lambda each: int(each.section.left_out)),
    "probability_dcm": (vtk.vtkDoubleArray, lambda each: each.section.probability_dcm),
    "verdict": (vtk.vtkStringArray, lambda each: each.section.verdict),
    "confidence": (vtk.vtkDoubleArray, lambda each: each.section.confidence),
    "septal_t1_ms": (vtk.vtkDoubleArray, lambda each: each.section.known_measures.septal_t1_ms),
    "wall_attention": (vtk.vtkDoubleArray, lambda each: each.section.wall_attention),
    "cavity_area_mm2": (vtk.vtkDoubleArray, lambda each: each.section.known_measures.cavity_area_mm2),
    "wall_thickness_mm": (vtk.vtkDoubleArray, lambda each: each.section.known_measures.wall_thickness_mm),
    "outside_fraction": (vtk.vtkDoubleArray, lambda each: each.section.outside_fraction),
    "warnings": (vtk.vtkStringArray, lambda each: "; ".join(each.section.warnings)),
    "left_mm": (vtk.vtkDoubleArray, lambda each: each.section.center_lps_mm[0]),
    "posterior_mm": (vtk.vtkDoubleArray, lambda each: each.section.center_lps_mm[1]),
    "superior_mm": (vtk.vtkDoubleArray, lambda each: each.section.center_lps_mm[2]),
    "map_name": (vtk.vtkStringArray, lambda each: each.of_map.name),
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
            column.InsertNextValue(value_of(each))
        node.AddColumn(column)
    for name, text in (("study_verdict", study.verdict), ("study_reason", study.reason)):
        column = vtk.vtkStringArray()
        column.SetName(name)
        for _each in study.slices:
            column.InsertNextValue(text)
        node.AddColumn(column)
    node.SetAttribute(RECORD, json.dumps(record_values(study)))


def leave_out(node: vtkMRMLTableNode, places: Collection[int]) -> None:
    """Make the table node say what the study is without these of its slices, counted from 0.

    Raises ACNetError when none would be left.
    """
    fill_table(node, read_record(node).leaving_out(places))


def has_record(table: vtkMRMLTableNode) -> bool:
    """Whether `read_record` can read the table."""
    return table.GetAttribute(RECORD) is not None


def read_record(table: vtkMRMLTableNode) -> StudyRecord:
    """What the table node of a result says. Raises ACNetError where that is damaged."""
    return record_from_values(json.loads(table.GetAttribute(RECORD)))
