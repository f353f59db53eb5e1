"""What a result says, as a table node: a row for each section, and the study in an attribute that the scene keeps."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import vtk
from slicer import vtkMRMLTableNode

from ACNetLib.inference.exam import ExamResult, as_exam
from ACNetLib.inference.result import Pooling, SectionResult, StudyResult, pool
from ACNetLib.report.wording import reference_text
from ACNetLib.ventricle.measures import SectionMeasures

# The number goes up with the fields below: a table of an older ACNet says nothing that can be read.
STUDY = "ACNet.study.3"

UNKNOWN = SectionMeasures(*[float("nan")] * 4)
COLUMNS = {"int": vtk.vtkIntArray, "float": vtk.vtkDoubleArray, "str": vtk.vtkStringArray}


@dataclass(frozen=True)
class SectionRow:
    """One row of the table node, a column each. What could not be measured is NaN; left_out is 0 or 1.

    map_number, map_name: of an exam with several T1 maps which one the section is of, from 1; 0 and "" of the only one,
    and in a table of before, which lacks these columns.
    """

    section: int
    left_out: int
    probability_dcm: float
    verdict: str
    confidence: float
    septal_t1_ms: float
    wall_attention: float
    cavity_area_mm2: float
    wall_thickness_mm: float
    outside_fraction: float
    warnings: str
    left_mm: float
    posterior_mm: float
    superior_mm: float
    map_number: int = 0
    map_name: str = ""

    @property
    def center_mm(self) -> tuple[float, float, float]:
        """The middle of the section grid, LPS."""
        return self.left_mm, self.posterior_mm, self.superior_mm


@dataclass(frozen=True)
class StudySummary:
    """What the table node says of the whole study: the fields of StudyResult, flat.

    network_log_odds: those of the sections, in the order of the rows; the study can be pooled again without network.
    reference: what `wording.reference_text` says of it, and its numbers; a table of before has none of them.
    """

    probability_dcm: float
    stability: tuple[float, float]
    verdict: str
    uncertain_range: tuple[float, float]
    prevalence_dcm: float
    training_prior_dcm: float
    temperatures: tuple[float, ...]
    network_log_odds: tuple[tuple[float, ...], ...]
    field_strength_tesla: float | None
    model: str
    localizer: str
    center_source: str
    simulated_model: bool
    simulated_map: bool
    device: str
    device_reason: str
    warnings: tuple[str, ...]
    reference: str = ""
    reference_mean_ms: float | None = None
    reference_sd_ms: float | None = None


def fill_table(node: vtkMRMLTableNode, study: StudyResult | ExamResult) -> None:
    """Make the table node say what the result says, a row a section in the order of `ExamResult.slices`."""
    exam = as_exam(study)
    rows = [_row(section, section.section in result.left_out) for _, result, section in exam.slices]
    if len(exam.results) > 1:
        maps = [(number, each) for number, each in enumerate(exam.results, start=1) for _ in each.sections]
        rows = [
            replace(row, map_number=number, map_name=each.t1_map.name)
            for row, (number, each) in zip(rows, maps, strict=True)
        ]
    _write(node, _summary(exam), rows)


def leave_out(node: vtkMRMLTableNode, left_out: Collection[int]) -> None:
    """Make the table node say what the study is without these of its rows, counted from 0.

    Raises ACNetError when none would be left.
    """
    study, rows = read_summary(node)
    counting = [odds for index, odds in enumerate(study.network_log_odds) if index not in left_out]
    pooling = Pooling(study.temperatures, study.training_prior_dcm, study.prevalence_dcm, study.uncertain_range)
    study = replace(study, **vars(pool(counting, pooling)))
    _write(node, study, [replace(row, left_out=int(index in left_out)) for index, row in enumerate(rows)])


def has_summary(table: vtkMRMLTableNode) -> bool:
    """Whether `read_summary` can read the table."""
    return table.GetAttribute(STUDY) is not None


def read_summary(table: vtkMRMLTableNode) -> tuple[StudySummary, tuple[SectionRow, ...]]:
    """What the table node of a result says of the study and of each of its sections."""
    columns = {field.name: table.GetTable().GetColumnByName(field.name) for field in fields(SectionRow)}
    known = {name: column for name, column in columns.items() if column is not None}
    rows = tuple(
        SectionRow(**{name: column.GetValue(row) for name, column in known.items()})
        for row in range(table.GetNumberOfRows())
    )
    study = json.loads(table.GetAttribute(STUDY))
    if "study_temperature" in study:  # a scene of before
        study["temperatures"] = [study.pop("study_temperature")]
        study["stability"] = study.pop("probability_range")
    return StudySummary(**{key: _without_lists(value) for key, value in study.items()}), rows


def _without_lists(value: Any) -> Any:
    return tuple(_without_lists(each) for each in value) if isinstance(value, list) else value


def _write(node: vtkMRMLTableNode, study: StudySummary, rows: Sequence[SectionRow]) -> None:
    node.SetUseColumnTitleAsColumnHeader(True)
    node.RemoveAllColumns()
    for field in fields(SectionRow):
        column = COLUMNS[str(field.type)]()
        column.SetName(field.name)
        for row in rows:
            column.InsertNextValue(getattr(row, field.name))
        node.AddColumn(column)
    node.SetAttribute(STUDY, json.dumps(asdict(study)))


def _row(section: SectionResult, left_out: bool) -> SectionRow:
    measures = section.measures or UNKNOWN
    return SectionRow(
        section=section.section,
        left_out=int(left_out),
        probability_dcm=section.probability_dcm,
        verdict=section.verdict,
        confidence=section.confidence,
        septal_t1_ms=measures.septal_t1_ms,
        wall_attention=section.wall_attention,
        cavity_area_mm2=measures.cavity_area_mm2,
        wall_thickness_mm=measures.wall_thickness_mm,
        outside_fraction=section.outside_fraction,
        warnings="; ".join(section.warnings),
        left_mm=section.grid.center_mm[0],
        posterior_mm=section.grid.center_mm[1],
        superior_mm=section.grid.center_mm[2],
    )


def _summary(exam: ExamResult) -> StudySummary:
    result = exam.results[0]
    reference = result.reference
    return StudySummary(
        probability_dcm=exam.probability_dcm,
        stability=exam.stability,
        verdict=exam.verdict,
        uncertain_range=result.uncertain_range,
        prevalence_dcm=result.prevalence_dcm,
        training_prior_dcm=result.card.training_prior_dcm,
        temperatures=result.card.temperatures,
        network_log_odds=tuple(section.network_log_odds for _, _, section in exam.slices),
        field_strength_tesla=result.t1_map.field_strength_tesla,
        model=result.card.name,
        localizer=result.localizer,
        center_source=result.center_source,
        simulated_model=result.card.simulated,
        simulated_map=any(each.t1_map.simulated for each in exam.results),
        device=result.device.device,
        device_reason=result.device.reason,
        warnings=tuple(exam.study_warnings),
        reference=reference_text(result),
        reference_mean_ms=None if reference is None else reference.mean_ms,
        reference_sd_ms=None if reference is None else reference.sd_ms,
    )
