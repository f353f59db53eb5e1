"""The headless host's Qt and widgets behave as Slicer's do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import slicer
import slicer.util
from slicer import vtkMRMLScalarVolumeNode as Volume
from slicer import vtkMRMLScene as Scene

from repository import REPOSITORY

UI_FILE = REPOSITORY / "ACNetClassifier" / "Resources" / "UI" / "ACNetClassifier.ui"

pytestmark = pytest.mark.usefixtures("the_applications_scene")


@pytest.fixture
def a_button() -> Any:
    import qt

    return qt.QPushButton("Apply")


def add_volume(name: str) -> Volume:
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)


def test_a_qt_property_is_an_attribute_and_keeps_its_setter(a_button: Any) -> None:
    a_button.text = "Run"
    assert a_button.text == "Run"
    a_button.setText("Apply")
    assert a_button.text == "Apply"
    a_button.enabled = False
    assert not a_button.enabled
    with pytest.raises(TypeError):
        a_button.text()


def test_a_qt_object_takes_new_attributes_only_where_its_class_is_written_in_python(a_button: Any) -> None:
    import qt

    class Filter(qt.QObject):
        pass

    with pytest.raises(AttributeError, match="caption"):
        a_button.caption = "Run"
    with pytest.raises(AttributeError, match="caption"):
        slicer.qMRMLNodeComboBox().caption = "T1"
    own = Filter()
    own.caption = "Run"
    assert own.caption == "Run"


def test_a_signal_is_connected_and_disconnected_by_its_signature(a_button: Any) -> None:
    received: list[object] = []
    a_button.connect("clicked(bool)", received.append)
    a_button.connect("clicked()", lambda: received.append("clicked"))
    a_button.click()
    a_button.disconnect("clicked(bool)", received.append)
    a_button.click()
    assert received == [False, "clicked", "clicked"]


def test_a_function_gets_as_many_of_a_signals_values_as_it_takes() -> None:
    import qt

    received: list[tuple] = []

    class Panel:
        def none(self) -> None:
            received.append(())

        def one(self, row: int) -> None:
            received.append((row,))

        def all(self, *values: int) -> None:
            received.append(values)

    table, panel = qt.QTableWidget(1, 3), Panel()
    for slot in (panel.none, panel.one, panel.all):
        table.connect("cellClicked(int,int)", slot)
    table.cellClicked.emit(0, 2)
    assert received == [(), (0,), (0, 2)]


@pytest.mark.parametrize("signature", ["clicked(int)", "pushed()", "clicked"])
def test_a_signature_that_the_class_does_not_have_is_an_error(a_button: Any, signature: str) -> None:
    with pytest.raises(AttributeError, match=re.escape(signature)):
        a_button.connect(signature, print)


def test_a_tables_items_are_checked_and_tell_it() -> None:
    import qt

    table = qt.QTableWidget(1, 1)
    item = qt.QTableWidgetItem("0")
    item.setCheckState(qt.Qt.Checked)
    table.setItem(0, 0, item)
    changes: list[bool] = []
    table.connect("itemChanged(QTableWidgetItem*)", lambda changed: changes.append(bool(changed.checkState())))
    item.setCheckState(qt.Qt.Unchecked)
    item.setCheckState(qt.Qt.Checked)
    assert changes == [False, True]
    assert (item.text(), item.checkState()) == ("0", qt.Qt.Checked)


def test_what_a_user_types_is_told_as_edited() -> None:
    import qt
    from PySide6.QtTest import QTest

    received: list[str] = []
    line = qt.QLineEdit()
    line.connect("textEdited(QString)", received.append)
    line.connect("editingFinished()", lambda: received.append("finished"))
    line.text = "set"
    line.clear()
    QTest.keyClicks(line, "3")
    QTest.keyClick(line, qt.Qt.Key_Return)
    assert received == ["3", "finished"]


def test_a_file_dialog_answers_with_the_path_alone() -> None:
    import qt

    qt.QTimer.singleShot(0, lambda: qt.QApplication.activeModalWidget().reject())
    assert qt.QFileDialog.getOpenFileName(None, "Open", "", "Images (*.nrrd)") == ""


def test_a_node_selector_follows_the_scene(a_selector: Any, the_applications_scene: Scene) -> None:
    changes: list[object] = []
    a_selector.connect("currentNodeChanged(vtkMRMLNode*)", changes.append)
    a_selector.connect("currentNodeChanged(bool)", changes.append)
    assert a_selector.nodeCount() == 0
    volume = add_volume("T1")
    the_applications_scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "label")
    assert (a_selector.nodeCount(), a_selector.currentNode()) == (2, None)
    a_selector.showChildNodeTypes = False
    assert a_selector.nodeCount() == 1
    a_selector.setCurrentNode(volume)
    assert a_selector.currentNode() is volume
    the_applications_scene.RemoveNode(volume)
    assert a_selector.currentNode() is None
    assert changes == [volume, True, None, False]


def test_where_the_current_node_is_removed_a_node_selector_goes_on_to_a_neighbour(
    a_selector: Any, the_applications_scene: Scene, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second, third = (add_volume(name) for name in ("first", "second", "third"))
    a_selector.setCurrentNode(second)
    the_applications_scene.RemoveNode(second)
    assert a_selector.currentNode() is third
    the_applications_scene.RemoveNode(third)
    assert a_selector.currentNode() is first
    third.SetName("nobody listens any more")
    assert (a_selector.nodeCount(), capfd.readouterr().err) == (1, "")


def test_a_deleted_node_selector_no_longer_follows_the_scene(capfd: pytest.CaptureFixture[str]) -> None:
    import qt

    parent = qt.QWidget()
    selector = slicer.qMRMLNodeComboBox(parent)
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.setMRMLScene(slicer.mrmlScene)
    volume = add_volume("T1")
    parent.deleteLater()
    qt.QApplication.sendPostedEvents(None, qt.QEvent.DeferredDelete.value)
    volume.SetName("native T1")
    add_volume("another")
    assert capfd.readouterr().err == ""


def test_a_closed_scene_leaves_a_node_selector_empty_and_says_so_once(
    a_selector: Any, the_applications_scene: Scene
) -> None:
    add_volume("first")
    a_selector.setCurrentNode(add_volume("second"))
    changes: list[object] = []
    a_selector.connect("currentNodeChanged(vtkMRMLNode*)", changes.append)
    the_applications_scene.Clear(0)
    assert (a_selector.nodeCount(), changes) == (0, [None])


def test_a_node_selector_without_none_takes_the_first_node_of_the_scene_that_it_is_given(
    the_applications_scene: Scene,
) -> None:
    volume = add_volume("T1")
    add_volume("T2")
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    assert not selector.enabled
    selector.setMRMLScene(the_applications_scene)
    assert selector.enabled
    assert selector.currentNode() is volume
    selector.setMRMLScene(None)


def test_a_checkable_node_selector_tells_which_nodes_are_ticked(the_applications_scene: Scene) -> None:
    first, second = add_volume("T1"), add_volume("T2")
    selector = slicer.qMRMLCheckableNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.setMRMLScene(the_applications_scene)
    told: list[tuple[object, ...]] = []
    selector.connect("checkedNodesChanged()", lambda: told.append(selector.checkedNodes()))
    assert selector.checkedNodes() == ()
    selector.check(second)
    selector.check(first)
    selector.check(first)
    selector.uncheck(second)
    assert told == [(second,), (first, second), (first,)]
    the_applications_scene.RemoveNode(first)
    assert selector.checkedNodes() == ()
    selector.setMRMLScene(None)


@pytest.mark.parametrize(
    ("known", "unknown"),
    [("ctkSliderWidget", "ctkRangeWidget"), ("<receiver>volumeSelector", "<receiver>otherSelector")],
)
def test_the_loader_refuses_a_widget_without_stand_in_and_a_connection_to_none(
    tmp_path: Path, known: str, unknown: str
) -> None:
    path = tmp_path / "x.ui"
    path.write_text(UI_FILE.read_text().replace(known, unknown))
    with pytest.raises(ValueError, match=unknown.removeprefix("<receiver>")):
        slicer.util.loadUI(str(path))
