"""Cases and a training's curves as MRML nodes. Needs slicer, and neither Qt nor the application."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import slicer
import vtk
from slicer import (
    vtkMRMLLayoutNode,
    vtkMRMLNode,
    vtkMRMLPlotChartNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLScene,
)

from ACNetLib.scene.display import show_t1_window, show_volume
from ACNetLib.scene.output import add_t1_map
from ACNetLib.scene.views import jump_to, nodes_of_class, show_as_acquired

if TYPE_CHECKING:
    from .cases.library import Case, CaseLibrary

CASE_FILE = "ACNet.caseFile"
OUTPUT = "ACNet.training"
CURVES = {
    "training_loss": ("Training loss", (0.12, 0.47, 0.71)),
    "validation_loss": ("Validation loss", (0.89, 0.47, 0.10)),
    "validation_auroc": ("Validation AUROC", (0.17, 0.63, 0.17)),
}
"""Title and colour of each value of an epoch that is drawn."""


def show_case(library: CaseLibrary, case: Case, scene: vtkMRMLScene) -> vtkMRMLScalarVolumeNode:
    """Show the T1 map of a case in the slice views, as acquired in the first, at its ventricle. A scene gets it once.

    Raises ACNetError when it can't be read.
    """
    path = library.path(case)
    for node in nodes_of_class(scene, "vtkMRMLScalarVolumeNode"):
        if node.GetAttribute(CASE_FILE) == str(path):
            break
    else:
        t1_map = replace(library.t1_map(case), name=case.case)
        node = add_t1_map(t1_map, scene)
        show_t1_window(node, t1_map.field_strength_tesla)
        node.SetAttribute(CASE_FILE, str(path))
    show_volume(node, scene)
    show_as_acquired(node, scene)
    jump_to(case.center_mm, scene, centered=True)
    return node


def draw_curves(epochs: Sequence[dict[str, Any]], name: str, scene: vtkMRMLScene) -> vtkMRMLPlotChartNode:
    """Draw the epochs of a training (event "epoch" of Documentation/training.md); one chart in a scene.

    The plot views that there are show it; which views there are is left to the user, see `show_plot_view`.
    """
    table = _node("vtkMRMLTableNode", "curves", "ACNet training", scene)
    table.RemoveAllColumns()
    values = {"epoch": [float(each["epoch"]) for each in epochs]}
    for key in CURVES:
        values[key] = [float({**each["losses"], **each["metrics"]}.get(key, float("nan"))) for each in epochs]
    for key, numbers in values.items():
        column = vtk.vtkDoubleArray()
        column.SetName(key)
        for number in numbers:
            column.InsertNextValue(number)
        table.AddColumn(column)
    chart = _node("vtkMRMLPlotChartNode", "chart", "ACNet training", scene)
    chart.SetTitle(name)
    chart.SetXAxisTitle("Epoch")
    for key, (title, color) in CURVES.items():
        series = _node("vtkMRMLPlotSeriesNode", f"series.{key}", title, scene)
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetXColumnName("epoch")
        series.SetYColumnName(key)
        series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
        series.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleSquare)
        series.SetColor(*color)
        if not chart.HasPlotSeriesNodeID(series.GetID()):
            chart.AddAndObservePlotSeriesNodeID(series.GetID())
    for view in nodes_of_class(scene, "vtkMRMLPlotViewNode"):
        view.SetPlotChartNodeID(chart.GetID())
    return chart


def show_plot_view(scene: vtkMRMLScene) -> None:
    """Change to a layout with a plot view. A scene without layout has no views."""
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if layout is not None:
        layout.SetViewArrangement(vtkMRMLLayoutNode.SlicerLayoutConventionalPlotView)


def _node(class_name: str, output: str, name: str, scene: vtkMRMLScene) -> vtkMRMLNode:
    """The one node of this output, made if there is none."""
    for node in nodes_of_class(scene, class_name):
        if node.GetAttribute(OUTPUT) == output:
            return node
    node = scene.AddNewNodeByClass(class_name, name)
    node.SetAttribute(OUTPUT, output)
    return node
