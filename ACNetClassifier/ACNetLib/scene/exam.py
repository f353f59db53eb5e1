"""An exam with several T1 maps in the scene: each volume has its own result nodes, and every table the one study.

Needs no Qt, like all of this package.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLTableNode

from ACNetLib.inference.exam import ExamResult
from ACNetLib.scene.display import Display
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.output import RESULT_OF, find_result, show_nodes, update_result
from ACNetLib.scene.table import SectionRow, leave_out, read_summary

MAP = "ACNet.map."
"""A table refers to the volume of each of its exam's maps."""


def show_exam(
    exam: ExamResult,
    input_nodes: Sequence[vtkMRMLScalarVolumeNode | None],
    scene: vtkMRMLScene,
    display: Display | None = None,
    shown: vtkMRMLScalarVolumeNode | None = None,
) -> list[ResultNodes]:
    """Put the nodes of each map beside its volume, as `show_result` does, and show one of the volumes.

    input_nodes: one a map; None where the volume is gone. shown: by default the first.
    """
    found = {
        number: (result, node)
        for number, (result, node) in enumerate(zip(exam.results, input_nodes, strict=True), start=1)
        if node is not None
    }
    every = [update_result(result, node, scene, exam) for result, node in found.values()]
    for nodes in every:
        if len(exam.results) > 1:
            for number, (_, node) in found.items():
                nodes.table.SetNodeReferenceID(f"{MAP}{number}", node.GetID())
    for nodes in every:
        if nodes.t1_volume is (shown or every[0].t1_volume):
            show_nodes(nodes, scene, display or Display())
    return every


def volume_of(row: SectionRow, table: vtkMRMLTableNode) -> vtkMRMLScalarVolumeNode | None:
    """The volume that a row of the table is of, None where it is gone."""
    return table.GetNodeReference(f"{MAP}{row.map_number}" if row.map_number else RESULT_OF)


def results_of_exam(nodes: ResultNodes, scene: vtkMRMLScene) -> list[ResultNodes]:
    """The nodes of all maps of a result's exam. A map that was classified anew without the others is none of it."""
    _, rows = read_summary(nodes.table)
    volumes = dict.fromkeys(filter(None, (volume_of(row, nodes.table) for row in rows)))
    found = [find_result(volume, scene) for volume in volumes]
    return [each for each in found if each is not None and _maps(each.table) == _maps(nodes.table)]


def leave_out_of_exam(nodes: ResultNodes, left_out: Collection[int], scene: vtkMRMLScene) -> None:
    """Let all tables of the exam say what it is without these rows. Raises ACNetError when none would be left."""
    for each in results_of_exam(nodes, scene):
        leave_out(each.table, left_out)


def _maps(table: vtkMRMLTableNode) -> list[str | None]:
    numbers = sorted({row.map_number for row in read_summary(table)[1]})
    return [table.GetID()] if numbers == [0] else [table.GetNodeReferenceID(f"{MAP}{number}") for number in numbers]
