"""The stand-in for Slicer's node selector. What is said in widgets.py holds for it too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import vtk
from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget


def _setting(name: str, kind: Any) -> Property:
    """A property of the node selector that decides what it lists."""

    def read(self: qMRMLNodeComboBox) -> Any:
        return self._settings[name]

    def write(self: qMRMLNodeComboBox, value: Any) -> None:
        self._settings[name] = value
        self._list_nodes()

    return Property(kind, read, write)


class qMRMLNodeComboBox(QWidget):
    """A selector that lists the scene's nodes of some classes and follows their adding, removing and renaming."""

    currentNodeChanged: Any = Signal((object,), (bool,))  # type: ignore[arg-type]
    currentNodeIDChanged = Signal(str)

    nodeTypes = _setting("nodeTypes", "QStringList")
    showChildNodeTypes = _setting("showChildNodeTypes", bool)
    noneEnabled = _setting("noneEnabled", bool)
    noneDisplay = _setting("noneDisplay", str)
    addEnabled = _setting("addEnabled", bool)
    removeEnabled = _setting("removeEnabled", bool)
    renameEnabled = _setting("renameEnabled", bool)
    editEnabled = _setting("editEnabled", bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: slicer.vtkMRMLScene | None = None
        self._observed: list[tuple[vtk.vtkObject, int]] = []
        self._settings: dict[str, Any] = {
            "nodeTypes": [],
            "showChildNodeTypes": True,
            "noneEnabled": False,
            "noneDisplay": "None",
            "addEnabled": True,
            "removeEnabled": True,
            "renameEnabled": False,
            "editEnabled": False,
        }
        self._node_id = ""
        self._combo_box = QComboBox(self)
        self._combo_box.activated.connect(self._row_chosen)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo_box)

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        return self._scene

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        self._stop_observing()
        self._scene = scene
        if scene is not None:
            for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent, scene.EndImportEvent):
                self._observe(scene, event)
        self._list_nodes()

    def currentNode(self) -> slicer.vtkMRMLNode | None:
        return self._scene.GetNodeByID(self._node_id) if self._scene is not None and self._node_id else None

    def setCurrentNode(self, node: slicer.vtkMRMLNode | None) -> None:
        self.setCurrentNodeID(node.GetID() if node is not None else "")

    def setCurrentNodeID(self, nodeID: str | None) -> None:
        known = {node.GetID() for node in self._nodes()}
        node_id = nodeID if nodeID and nodeID in known else ""
        if node_id != self._node_id:
            self._node_id = node_id
            self._show_current()
            self.currentNodeChanged.emit(self.currentNode())
            self.currentNodeChanged[bool].emit(bool(node_id))
            self.currentNodeIDChanged.emit(node_id)

    def nodeCount(self) -> int:
        return len(self._nodes())

    def _nodes(self) -> list[slicer.vtkMRMLNode]:
        if self._scene is None:
            return []
        found = []
        for class_name in self._settings["nodeTypes"]:
            for index in range(self._scene.GetNumberOfNodesByClass(class_name)):
                node = self._scene.GetNthNodeByClass(index, class_name)
                exact = node.GetClassName() == class_name
                if (exact or self._settings["showChildNodeTypes"]) and not node.GetHideFromEditors():
                    found.append(node)
        return found

    def _list_nodes(self, *_event: object) -> None:
        for node, tag in [pair for pair in self._observed if pair[0] is not self._scene]:
            node.RemoveObserver(tag)
            self._observed.remove((node, tag))
        self._combo_box.clear()
        if self._settings["noneEnabled"]:
            self._combo_box.addItem(self._settings["noneDisplay"], "")
        for node in self._nodes():
            self._combo_box.addItem(node.GetName(), node.GetID())
            self._observe(node, vtk.vtkCommand.ModifiedEvent, self._rename)
        self.setCurrentNodeID(self._node_id)
        if not self._node_id and not self._settings["noneEnabled"] and self._nodes():
            self.setCurrentNodeID(self._nodes()[0].GetID())
        self._show_current()

    def _observe(self, source: vtk.vtkObject, event: int, callback: Callable | None = None) -> None:
        self._observed.append((source, source.AddObserver(event, callback or self._list_nodes)))

    def _stop_observing(self) -> None:
        for source, tag in self._observed:
            source.RemoveObserver(tag)
        self._observed.clear()

    def _rename(self, node: slicer.vtkMRMLNode, _event: str) -> None:
        self._combo_box.setItemText(self._combo_box.findData(node.GetID()), node.GetName())

    def _row_chosen(self, row: int) -> None:
        self.setCurrentNodeID(self._combo_box.itemData(row))

    def _show_current(self) -> None:
        self._combo_box.setCurrentIndex(self._combo_box.findData(self._node_id))
