"""The headless host behaves as Slicer does, and neither it nor our panel has anything that Slicer doesn't have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Union
from xml.etree import ElementTree

import pytest
import slicer
import slicer.util
from slicer import vtkMRMLMarkupsFiducialNode as Points
from slicer import vtkMRMLScalarVolumeNode as Volume
from slicer import vtkMRMLScene as Scene

REPOSITORY = Path(__file__).parent.parent
UI_FILE = REPOSITORY / "ACNetClassifier" / "Resources" / "UI" / "ACNetClassifier.ui"
PANEL = REPOSITORY / "ACNetClassifier" / "ACNetLib" / "panel"
API = json.loads((Path(__file__).parent / "slicer_host" / "slicer_api.json").read_text(encoding="utf-8"))

pytestmark = pytest.mark.usefixtures("host")


@pytest.fixture(autouse=True)
def an_empty_scene(host: None) -> Iterator[Scene]:
    slicer.mrmlScene.Clear(0)
    yield slicer.mrmlScene
    slicer.mrmlScene.Clear(0)


@pytest.fixture
def a_button() -> Any:
    import qt

    return qt.QPushButton("Apply")


@pytest.fixture
def a_selector(an_empty_scene: Scene) -> Iterator[Any]:
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.noneEnabled = True
    selector.setMRMLScene(an_empty_scene)
    yield selector
    selector.setMRMLScene(None)


def full_name(class_name: str) -> str:
    (name,) = [name for name in API["classes"] if name.endswith(f".{class_name}")]
    return name


def known(class_name: str, *kinds: str) -> set[str]:
    """What the real class has, with what it inherits: properties, methods or the names of signals."""
    name: str | None = full_name(class_name)
    found: set[str] = set()
    while name:
        entry = API["classes"][name]
        for kind in kinds:
            found |= {text.split("(")[0] for text in entry[kind]}
        name = entry["inherits"] or ("qt.QObject" if name == "qt.QWidget" else None)
    return found


def test_a_qt_property_is_an_attribute_and_keeps_its_setter(a_button: Any) -> None:
    a_button.text = "Run"
    assert a_button.text == "Run"
    a_button.setText("Apply")
    assert a_button.text == "Apply"
    a_button.enabled = False
    assert not a_button.enabled
    with pytest.raises(TypeError):
        a_button.text()


def test_a_qt_object_takes_no_new_attributes(a_button: Any) -> None:
    with pytest.raises(AttributeError, match="caption"):
        a_button.caption = "Run"


def test_a_signal_is_connected_and_disconnected_by_its_signature(a_button: Any) -> None:
    received: list[object] = []
    a_button.connect("clicked(bool)", received.append)
    a_button.connect("clicked()", lambda: received.append("clicked"))
    a_button.click()
    a_button.disconnect("clicked(bool)", received.append)
    a_button.click()
    assert received == [False, "clicked", "clicked"]


@pytest.mark.parametrize("signature", ["clicked(int)", "pushed()", "clicked"])
def test_a_signature_that_the_class_does_not_have_is_an_error(a_button: Any, signature: str) -> None:
    with pytest.raises(AttributeError, match=re.escape(signature)):
        a_button.connect(signature, print)


def test_a_node_selector_follows_the_scene(a_selector: Any, an_empty_scene: Scene) -> None:
    changes: list[object] = []
    a_selector.connect("currentNodeChanged(vtkMRMLNode*)", changes.append)
    a_selector.connect("currentNodeChanged(bool)", changes.append)
    assert a_selector.nodeCount() == 0
    volume = an_empty_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1")
    an_empty_scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "label")
    assert (a_selector.nodeCount(), a_selector.currentNode()) == (2, None)
    a_selector.showChildNodeTypes = False
    assert a_selector.nodeCount() == 1
    a_selector.setCurrentNode(volume)
    assert a_selector.currentNode() is volume
    an_empty_scene.RemoveNode(volume)
    assert a_selector.currentNode() is None
    assert changes == [volume, True, None, False]


def test_a_node_selector_without_none_takes_the_first_node(a_selector: Any, an_empty_scene: Scene) -> None:
    a_selector.noneEnabled = False
    volume = an_empty_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1")
    assert a_selector.currentNode() is volume


def make_parameters(**kinds: Any) -> Any:
    from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

    class Choices:
        name = "first"
        opacity = 0.5

    Choices.__annotations__ = {
        "volume": Volume,
        "name": str,
        "opacity": Annotated[float, WithinRange(0, 1)],
        **kinds,
    }
    return parameterNodeWrapper(Choices)(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))


def test_a_parameter_is_stored_in_the_mrml_node_and_checked(an_empty_scene: Scene) -> None:
    parameters = make_parameters()
    assert (parameters.volume, parameters.name, parameters.opacity) == (None, "first", 0.5)
    volume = an_empty_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1")
    parameters.volume = volume
    parameters.opacity = 0.25
    assert parameters.parameterNode.GetParameter("opacity") == "0.25"
    assert parameters.parameterNode.GetNodeReference("volume") is volume
    with pytest.raises(ValueError, match="within range"):
        parameters.opacity = 1.5
    with pytest.raises(TypeError, match="name"):
        parameters.name = 3


def test_a_parameter_may_be_a_node_of_several_classes_or_none(a_selector: Any, an_empty_scene: Scene) -> None:
    parameters = make_parameters(center=Union[Points, Volume, None])  # noqa: UP007
    assert parameters.center is None
    a_selector.setProperty("SlicerParameterName", "center")
    parameters.connectGui(SimpleNamespace(selector=a_selector))
    for class_name in ("vtkMRMLMarkupsFiducialNode", "vtkMRMLScalarVolumeNode"):
        node = an_empty_scene.AddNewNodeByClass(class_name)
        parameters.center = node
        assert (parameters.center, a_selector.currentNode()) == (node, node)
    a_selector.setCurrentNode(None)
    assert parameters.center is None
    with pytest.raises(TypeError, match="center"):
        parameters.center = an_empty_scene.AddNewNodeByClass("vtkMRMLTableNode")


def test_a_union_of_nodes_is_written_as_slicer_demands_it() -> None:
    with pytest.raises(TypeError, match="center"):
        make_parameters(center=Points | Volume | None)
    with pytest.raises(TypeError, match="center"):
        make_parameters(center=Union[Points, Volume])  # noqa: UP007


def test_a_connected_widget_and_its_parameter_are_kept_equal(a_selector: Any, an_empty_scene: Scene) -> None:
    import ctk

    slider = ctk.ctkSliderWidget()
    slider.setProperty("SlicerParameterName", "opacity")
    a_selector.setProperty("SlicerParameterName", "volume")
    volume = an_empty_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1")
    parameters = make_parameters()
    tag = parameters.connectGui(SimpleNamespace(slider=slider, selector=a_selector))
    assert (slider.minimum, slider.maximum, slider.value) == (0.0, 1.0, 0.5)
    slider.value = 0.75
    a_selector.setCurrentNode(volume)
    assert (parameters.opacity, parameters.volume) == (0.75, volume)
    parameters.opacity = 0.1
    parameters.volume = None
    assert (slider.value, a_selector.currentNode()) == (0.1, None)
    parameters.disconnectGui(tag)
    slider.value = 0.9
    assert parameters.opacity == 0.1


def test_the_loader_refuses_a_widget_that_it_has_no_stand_in_for(tmp_path: Path) -> None:
    path = tmp_path / "x.ui"
    path.write_text(UI_FILE.read_text().replace("ctkSliderWidget", "ctkRangeWidget"))
    with pytest.raises(ValueError, match="ctkRangeWidget"):
        slicer.util.loadUI(str(path))


def test_the_loader_refuses_a_connection_to_a_widget_that_does_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "x.ui"
    path.write_text(UI_FILE.read_text().replace("<receiver>volumeSelector", "<receiver>otherSelector"))
    with pytest.raises(ValueError, match="otherSelector"):
        slicer.util.loadUI(str(path))


def own_names(stand_in: type) -> set[str]:
    overridden = {"paintEvent"}  # of Qt, protected
    return {name for name in vars(stand_in) if not name.startswith("_") and name != "staticMetaObject"} - overridden


def test_the_stand_ins_have_nothing_that_the_real_widgets_lack() -> None:
    from slicer_host.ui_loader import STAND_INS
    from slicer_host.widgets import qSlicerScriptedLoadableModuleWidget

    for stand_in in (*STAND_INS.values(), qSlicerScriptedLoadableModuleWidget):
        excess = own_names(stand_in) - known(stand_in.__name__, "properties", "methods", "signals")
        assert not excess, f"{stand_in.__name__} has no {excess}"


def test_the_stand_ins_of_slicer_packages_have_nothing_that_the_real_ones_lack() -> None:
    from slicer_host import parameter_node, scripted_module

    for module in (parameter_node.make_module(), scripted_module.make_module(), scripted_module.make_i18n_module()):
        real = API["packages"][module.__name__]
        for name, value in vars(module).items():
            if name.startswith("__"):
                continue
            assert name in real, f"{module.__name__} has no {name}"
            if module.__name__ == "slicer.ScriptedLoadableModule":
                methods = {method for method in vars(value) if not method.startswith("_")}
                assert methods <= set(real[name]), f"{name} has no {methods - set(real[name])}"


def test_the_application_has_nothing_that_slicer_app_lacks() -> None:
    assert {name for name in dir(slicer.app) if not name.startswith("_")} <= set(API["app"])


def ui_widgets() -> dict[str, ElementTree.Element]:
    return {element.get("name", ""): element for element in ElementTree.parse(UI_FILE).iter("widget")}


def test_the_ui_file_sets_only_properties_that_the_real_widgets_have() -> None:
    for name, element in ui_widgets().items():
        properties = {prop.get("name") for prop in element.findall("property") if prop.get("stdset") != "0"}
        excess = properties - known(element.get("class", ""), "properties")
        assert not excess, f"{name}: a {element.get('class')} has no {excess}"


def test_the_ui_file_makes_only_connections_that_the_real_widgets_have() -> None:
    widgets = ui_widgets()
    for connection in ElementTree.parse(UI_FILE).iter("connection"):
        sender, receiver = (widgets[str(connection.findtext(tag))].get("class", "") for tag in ("sender", "receiver"))
        assert connection.findtext("signal") in API["classes"][full_name(sender)]["signals"]
        assert str(connection.findtext("slot")).split("(")[0] in known(receiver, "methods")


def test_the_panel_uses_only_what_the_real_widgets_have() -> None:
    classes = {name: element.get("class", "") for name, element in ui_widgets().items()}
    uses = {
        use
        for path in PANEL.glob("*.py")
        for use in re.findall(r"self\.ui\.(\w+)\.(\w+)", path.read_text(encoding="utf-8"))
    }
    assert uses
    for widget, attribute in uses:
        assert widget in classes, f"the .ui file has no {widget}"
        assert attribute in known(classes[widget], "properties", "methods", "signals"), f"{widget} has no {attribute}"


def test_the_panel_connects_only_signals_that_the_real_widgets_have() -> None:
    classes = {name: element.get("class", "") for name, element in ui_widgets().items()}
    text = (PANEL / "panel.py").read_text(encoding="utf-8")
    connections = re.findall(r'self\.ui\.(\w+)\.connect\("([^"]+)"', text)
    assert connections
    for widget, signature in connections:
        assert signature in API["classes"][full_name(classes[widget])]["signals"]
