"""The headless host's parameter nodes behave as Slicer's do, and so do the widgets that are connected to them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any, Union

import pytest
import slicer
from slicer import vtkMRMLMarkupsFiducialNode as Points
from slicer import vtkMRMLScalarVolumeNode as Volume
from slicer import vtkMRMLScene as Scene

pytestmark = pytest.mark.usefixtures("the_applications_scene")


@pytest.fixture
def a_volume(the_applications_scene: Scene) -> Volume:
    return the_applications_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1")


def make_parameters(**kinds: Any) -> Any:
    from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

    class Choices:
        name = "first"
        opacity = 0.5
        folds = 5

    Choices.__annotations__ = {
        "volume": Volume,
        "name": str,
        "opacity": Annotated[float, WithinRange(0, 1)],
        "folds": Annotated[int, WithinRange(2, 20)],
        **kinds,
    }
    return parameterNodeWrapper(Choices)(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))


def test_a_parameter_is_stored_in_the_mrml_node_and_checked(a_volume: Volume) -> None:
    parameters = make_parameters()
    assert (parameters.volume, parameters.name, parameters.opacity) == (None, "first", 0.5)
    parameters.volume = a_volume
    parameters.opacity = 0.25
    assert parameters.parameterNode.GetParameter("opacity") == "0.25"
    assert parameters.parameterNode.GetNodeReference("volume") is a_volume
    with pytest.raises(ValueError, match="within range"):
        parameters.opacity = 1.5
    with pytest.raises(TypeError, match="3"):
        parameters.name = 3


def test_a_list_of_numbers_is_stored_element_by_element_also_when_it_is_changed_in_place() -> None:
    parameters = make_parameters(excluded=list[int], ready=bool, count=int)
    assert (parameters.excluded, parameters.ready, parameters.count) == ([], False, 0)
    parameters.excluded = [0, 2]
    parameters.excluded.append(5)
    parameters.ready = True
    node = parameters.parameterNode
    stored = [node.GetParameter(name) for name in ("excluded.len", "excluded.0", "excluded.2", "ready", "count")]
    assert stored == ["3", "0", "5", "True", "0"]
    assert list(parameters.excluded) == [0, 2, 5]
    assert not isinstance(parameters.excluded, list)
    with pytest.raises(TypeError):
        parameters.excluded = [1, "a"]
    parameters.excluded.remove(0)
    assert parameters.excluded == [2, 5]
    assert not node.HasParameter("excluded.2")


def test_a_list_of_nodes_is_stored_as_references_and_a_removed_node_leaves_none(the_applications_scene: Scene) -> None:
    parameters = make_parameters(others=list[Volume])
    first, second = (the_applications_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode") for _ in range(2))
    parameters.others = [first, second]
    node = parameters.parameterNode
    assert (node.GetParameter("others.len"), node.GetNodeReference("others.1")) == ("2", second)
    the_applications_scene.RemoveNode(first)
    assert list(parameters.others) == [None, second]
    parameters.others = [second]
    assert node.GetNodeReference("others.1") is None
    with pytest.raises(TypeError, match="vtkMRMLTableNode"):
        parameters.others = [the_applications_scene.AddNewNodeByClass("vtkMRMLTableNode")]


@pytest.mark.parametrize("center", [Union[Points, Volume, None], Points | Volume | None])  # noqa: UP007
def test_a_parameter_may_be_a_node_of_several_classes_or_none(
    a_selector: Any, the_applications_scene: Scene, center: Any
) -> None:
    parameters = make_parameters(center=center)
    assert parameters.center is None
    a_selector.setProperty("SlicerParameterName", "center")
    parameters.connectGui(SimpleNamespace(selector=a_selector))
    for place, class_name in enumerate(("vtkMRMLMarkupsFiducialNode", "vtkMRMLScalarVolumeNode")):
        node = the_applications_scene.AddNewNodeByClass(class_name)
        parameters.center = node
        assert (parameters.center, a_selector.currentNode()) == (node, node)
        assert parameters.parameterNode.GetNodeReference(f"center.{place}") is node
    a_selector.setCurrentNode(None)
    assert parameters.center is None
    with pytest.raises(TypeError, match="vtkMRMLTableNode"):
        parameters.center = the_applications_scene.AddNewNodeByClass("vtkMRMLTableNode")


def test_none_is_a_value_of_a_union_only_where_it_is_in_it() -> None:
    with pytest.raises(TypeError, match="None"):
        make_parameters(center=Union[Points, Volume])  # noqa: UP007


def test_a_name_that_the_wrapper_needs_is_refused() -> None:
    with pytest.raises(ValueError, match="default"):
        make_parameters(default=str)


def connect(parameters: Any, **widgets: Any) -> int:
    for name, widget in widgets.items():
        widget.setProperty("SlicerParameterName", name)
    return parameters.connectGui(SimpleNamespace(**widgets))


def test_a_connected_widget_and_its_parameter_are_kept_equal(a_selector: Any, a_volume: Volume) -> None:
    import ctk
    import qt

    slider, line, box, spin_box = ctk.ctkSliderWidget(), qt.QLineEdit(), qt.QCheckBox(), qt.QSpinBox()
    parameters = make_parameters(ready=bool)
    tag = connect(parameters, opacity=slider, volume=a_selector, name=line, ready=box, folds=spin_box)
    assert (slider.minimum, slider.maximum, slider.value, line.text) == (0.0, 1.0, 0.5, "first")
    assert (spin_box.minimum, spin_box.maximum, spin_box.value) == (2, 20, 5)
    slider.value = 0.75
    a_selector.setCurrentNode(a_volume)
    line.text = "second"
    box.click()
    spin_box.value = 10
    assert (parameters.opacity, parameters.volume, parameters.name) == (0.75, a_volume, "second")
    assert (parameters.ready, parameters.folds) == (True, 10)
    parameters.opacity = 0.1
    parameters.volume = None
    assert (slider.value, a_selector.currentNode()) == (0.1, None)
    assert tag == 0  # which `if tag:` would take for none
    parameters.disconnectGui(tag)
    slider.value = 0.9
    assert parameters.opacity == 0.1


def test_a_value_that_a_widget_can_only_show_rounded_is_stored_as_it_is() -> None:
    import ctk

    slider = ctk.ctkSliderWidget()
    parameters = make_parameters()
    connect(parameters, opacity=slider)
    parameters.opacity = 0.123
    assert (slider.value, parameters.opacity) == (0.12, 0.123)
