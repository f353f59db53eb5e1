"""The stand-in for Slicer's node selector. What is said in widgets.py holds for it too.

Its rows are those of the real one, "None" if enabled and the nodes in the order of the scene; what a user could do with
nodes there ("Create new ...") is left out, for our .ui files turn it off. As in the real one a QComboBox decides what
becomes of the selection when the current node is removed: it goes on to the next node, or to the one before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import slicer
import vtk
from PySide6.QtCore import Property, QSignalBlocker, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget
from vtkmodules.util.misc import calldata_type

from slicer_host.observations import Observations

NODE: Any = object
"""What a signal declared with vtkMRMLNode* carries."""


@dataclass
class NodeSettings:
    """The fields are properties of Slicer's node selector, with its defaults."""

    nodeTypes: Sequence[str] = ()
    showChildNodeTypes: bool = True
    noneEnabled: bool = False
    noneDisplay: str = "None"
    addEnabled: bool = True
    removeEnabled: bool = True

    def fit(self, node: slicer.vtkMRMLNode) -> bool:
        """Whether the node is to be listed."""
        if node.GetHideFromEditors():
            return False
        if self.showChildNodeTypes:
            return any(node.IsA(node_type) for node_type in self.nodeTypes)
        return node.GetClassName() in self.nodeTypes


def _setting(name: str, kind: Any) -> Property:
    def write(self: qMRMLNodeComboBox, value: Any) -> None:
        setattr(self._settings, name, value)
        self._list_anew()

    return Property(kind, lambda self: getattr(self._settings, name), write)


class qMRMLNodeComboBox(QWidget):
    """A selector that lists the scene's nodes of some classes and follows their adding, removing and renaming."""

    currentNodeChanged: Any = Signal((NODE,), (bool,))  # type: ignore[arg-type]

    nodeTypes = _setting("nodeTypes", "QStringList")
    showChildNodeTypes = _setting("showChildNodeTypes", bool)
    noneEnabled = _setting("noneEnabled", bool)
    noneDisplay = _setting("noneDisplay", str)
    addEnabled = _setting("addEnabled", bool)
    removeEnabled = _setting("removeEnabled", bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._of_scene = Observations(self)
        self._of_nodes = Observations(self)
        self._requested_id = ""
        self._settings = NodeSettings()
        self._combo_box: Any = QComboBox(self)  # Any: Qt's properties are attributes here
        self._combo_box.currentIndexChanged.connect(self._tell)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo_box)
        self.setEnabled(False)

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        return self._scene

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        if scene is self._scene:
            return
        previous = self.currentNodeID if self.nodeCount() else None
        self._scene = scene
        self._of_scene.end()
        if scene is not None:
            self._of_scene.start(scene, scene.NodeAddedEvent, self._node_added)
            self._of_scene.start(scene, scene.NodeAboutToBeRemovedEvent, self._node_about_to_be_removed)
            self._of_scene.start(scene, scene.EndCloseEvent, self._list_anew)
            self._of_scene.start(scene, scene.EndImportEvent, self._scene_came_in)
        self._list_anew()
        if previous is None:
            first = self.nodeFromIndex(0) if not self._settings.noneEnabled else None
            self.setCurrentNodeID(self._requested_id or (first.GetID() if first is not None else ""))
        self._requested_id = ""
        self.setEnabled(scene is not None)

    currentNodeID = Property(str, lambda self: self._combo_box.currentData or "")

    def currentNode(self) -> slicer.vtkMRMLNode | None:
        return self._node(self._combo_box.currentIndex)

    def setCurrentNode(self, node: slicer.vtkMRMLNode | None) -> None:
        self.setCurrentNodeID(node.GetID() if node is not None else "")

    def setCurrentNodeID(self, nodeID: str | None) -> None:
        if self._scene is None:
            self._requested_id = nodeID or ""
        self._combo_box.setCurrentIndex(self._row(nodeID))

    def nodeCount(self) -> int:
        return len(self._listed())

    def nodeFromIndex(self, index: int) -> slicer.vtkMRMLNode | None:
        return self._node(index + self._settings.noneEnabled) if 0 <= index < self.nodeCount() else None

    def _node(self, row: int) -> slicer.vtkMRMLNode | None:
        node_id = self._combo_box.itemData(row)
        return self._scene.GetNodeByID(node_id) if self._scene is not None and node_id else None

    def _row(self, node_id: str | None) -> int:
        row = self._combo_box.findData(node_id) if node_id else -1
        return row if row >= 0 or not self._settings.noneEnabled else 0

    def _listed(self) -> list[str]:
        return [node_id for row in range(self._combo_box.count) if (node_id := self._combo_box.itemData(row))]

    def _scene_nodes(self) -> Iterator[slicer.vtkMRMLNode]:
        for index in range(self._scene.GetNumberOfNodes() if self._scene is not None else 0):
            yield self._scene.GetNthNode(index)

    @contextmanager
    def _said_once(self) -> Iterator[None]:
        """Whatever happens to the rows, at most one change of the current node is told, afterwards."""
        before: Any = self.currentNodeID
        blocker = QSignalBlocker(self._combo_box)
        yield
        self._combo_box.setCurrentIndex(self._row(before))
        blocker.unblock()
        if self.currentNodeID != before:
            self._tell()

    def _list_anew(self, *_event: object) -> None:
        with self._said_once():
            self._combo_box.clear()
            self._of_nodes.end()
            if self._settings.noneEnabled:
                self._combo_box.addItem(self._settings.noneDisplay)
            for node in self._scene_nodes():
                self._follow(node)
                if self._settings.fit(node):
                    self._combo_box.addItem(node.GetName(), node.GetID())

    def _scene_came_in(self, *_event: object) -> None:
        """As in the real one the rows are made anew, and what was chosen is lost (Slicer issue 4570)."""
        before = self.currentNodeID
        blocker = QSignalBlocker(self._combo_box)
        self._list_anew()
        self._combo_box.setCurrentIndex(self._row(""))
        blocker.unblock()
        if before:
            self._tell()

    @calldata_type(vtk.VTK_OBJECT)
    def _node_added(self, _scene: object, _event: str, node: slicer.vtkMRMLNode) -> None:
        self._follow(node)
        if self._settings.fit(node):
            self._insert(node)

    def _follow(self, node: slicer.vtkMRMLNode) -> None:
        self._of_nodes.start(node, vtk.vtkCommand.ModifiedEvent, self._node_modified)

    def _insert(self, node: slicer.vtkMRMLNode) -> None:
        order = [other.GetID() for other in self._scene_nodes() if self._settings.fit(other)]
        row = self._settings.noneEnabled + order.index(node.GetID())
        self._combo_box.insertItem(row, node.GetName(), node.GetID())

    @calldata_type(vtk.VTK_OBJECT)
    def _node_about_to_be_removed(self, scene: slicer.vtkMRMLScene, _event: str, node: slicer.vtkMRMLNode) -> None:
        if not scene.IsClosing():
            self._of_nodes.end_of(node)
            self._remove(node)

    def _remove(self, node: slicer.vtkMRMLNode) -> None:
        if node.GetID() in self._listed():
            self._combo_box.removeItem(self._combo_box.findData(node.GetID()))
            if self.currentNode() is None:
                self.setCurrentNode(None)

    def _node_modified(self, node: slicer.vtkMRMLNode, _event: str) -> None:
        is_listed = node.GetID() in self._listed()
        if is_listed and not self._settings.fit(node):
            self._remove(node)
        elif self._settings.fit(node) and not is_listed:
            self._insert(node)
        elif is_listed and node.GetName() != self._combo_box.itemText(self._row(node.GetID())):
            self._combo_box.setItemText(self._row(node.GetID()), node.GetName())
            if node is self.currentNode():
                self._tell()

    def _tell(self, *_index: int) -> None:
        node = self.currentNode()
        self.currentNodeChanged.emit(node)
        self.currentNodeChanged[bool].emit(node is not None)
