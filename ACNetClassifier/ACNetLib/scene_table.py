"""What a result says, as a table node: a row for each section, and the study in an attribute that the scene keeps."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import vtk
from slicer import vtkMRMLScene, vtkMRMLTableNode

from ACNetLib.measures import SectionMeasures

if TYPE_CHECKING:  # classifier.py imports torch
    from ACNetLib.classifier import SectionResult, StudyResult

# The number goes up with the fields below: a table of an older ACNet says nothing that can be read.
STUDY = "ACNet.study.2"

UNKNOWN = SectionMeasures(*[float("nan")] * 4)
COLUMNS = {"int": vtk.vtkIntArray, "float": vtk.vtkDoubleArray, "str": vtk.vtkStringArray}


@dataclass(frozen=True)
class SectionRow:
    """One row of the table node, a column each. What could not be measured is NaN."""

    section: int
    probability_dcm: float
    verdict: str
    confidence: float
    septal_t1_ms: float
    cavity_area_mm2: float
    wall_thickness_mm: float
    outside_fraction: float
    warnings: str


@dataclass(frozen=True)
class StudySummary:
    """What the table node says of the whole study: the fields of StudyResult, flat."""

    probability_dcm: float
    probability_range: tuple[float, float]
    verdict: str
    uncertain_range: tuple[float, float]
    prevalence_dcm: float
    training_prior_dcm: float
    field_strength_tesla: float
    model: str
    localizer: str
    center_source: str
    simulated_model: bool
    simulated_map: bool
    device: str
    device_reason: str
    warnings: tuple[str, ...]


def add_table(name: str, result: StudyResult, scene: vtkMRMLScene) -> vtkMRMLTableNode:
    """A table node with what the result says."""
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", name)
    node.SetUseColumnTitleAsColumnHeader(True)
    rows = [_row(section) for section in result.sections]
    for field in fields(SectionRow):
        column = COLUMNS[str(field.type)]()
        column.SetName(field.name)
        for row in rows:
            column.InsertNextValue(getattr(row, field.name))
        node.AddColumn(column)
    node.SetAttribute(STUDY, json.dumps(asdict(_summary(result))))
    return node


def has_summary(table: vtkMRMLTableNode) -> bool:
    """Whether `read_summary` can read the table."""
    return table.GetAttribute(STUDY) is not None


def read_summary(table: vtkMRMLTableNode) -> tuple[StudySummary, tuple[SectionRow, ...]]:
    """What the table node of a result says of the study and of each of its sections."""
    columns = [table.GetTable().GetColumnByName(field.name) for field in fields(SectionRow)]
    rows = tuple(SectionRow(*(column.GetValue(row) for column in columns)) for row in range(table.GetNumberOfRows()))
    study = json.loads(table.GetAttribute(STUDY))
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in study.items()}
    return StudySummary(**values), rows


def _row(section: SectionResult) -> SectionRow:
    measures = section.measures or UNKNOWN
    return SectionRow(
        section=section.section,
        probability_dcm=section.probability_dcm,
        verdict=section.verdict,
        confidence=section.confidence,
        septal_t1_ms=measures.septal_t1_ms,
        cavity_area_mm2=measures.cavity_area_mm2,
        wall_thickness_mm=measures.wall_thickness_mm,
        outside_fraction=section.outside_fraction,
        warnings=" ".join(section.warnings),
    )


def _summary(result: StudyResult) -> StudySummary:
    field_strength = result.t1_map.field_strength_tesla
    assert field_strength is not None, "the classifier refuses a map without it"
    return StudySummary(
        probability_dcm=result.probability_dcm,
        probability_range=result.probability_range,
        verdict=result.verdict,
        uncertain_range=result.card.uncertain_range,
        prevalence_dcm=result.prevalence_dcm,
        training_prior_dcm=result.card.training_prior_dcm,
        field_strength_tesla=field_strength,
        model=result.card.name,
        localizer=result.localizer,
        center_source=result.center_source,
        simulated_model=result.card.simulated,
        simulated_map=result.t1_map.simulated,
        device=result.device.device,
        device_reason=result.device.reason,
        warnings=result.warnings,
    )
