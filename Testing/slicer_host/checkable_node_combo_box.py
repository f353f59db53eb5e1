"""The stand-in for Slicer's selector of several nodes: each of its rows has a tick."""

from __future__ import annotations

import slicer
from PySide6.QtCore import Qt, Signal

from slicer_host.node_combo_box import qMRMLNodeComboBox


class qMRMLCheckableNodeComboBox(qMRMLNodeComboBox):
    """Lists nodes as qMRMLNodeComboBox does. A node that is removed or no longer listed is not ticked any more."""

    checkedNodesChanged = Signal()

    def __init__(self, parent: object | None = None) -> None:
        self._checked_ids: set[str] = set()
        super().__init__(parent)  # type: ignore[arg-type]

    def checkedNodes(self) -> tuple[slicer.vtkMRMLNode, ...]:
        return tuple(self._scene.GetNodeByID(node_id) for node_id in self._listed() if node_id in self._checked_ids)

    def checkState(self, node: slicer.vtkMRMLNode) -> Qt.CheckState:
        return Qt.CheckState.Checked if node.GetID() in self._checked_ids else Qt.CheckState.Unchecked

    def setCheckState(self, node: slicer.vtkMRMLNode, check: Qt.CheckState) -> None:
        if node.GetID() not in self._listed() or self.checkState(node) == check:
            return
        change = self._checked_ids.add if check == Qt.CheckState.Checked else self._checked_ids.discard
        change(node.GetID())
        self.checkedNodesChanged.emit()

    def check(self, node: slicer.vtkMRMLNode) -> None:
        self.setCheckState(node, Qt.CheckState.Checked)

    def uncheck(self, node: slicer.vtkMRMLNode) -> None:
        self.setCheckState(node, Qt.CheckState.Unchecked)

    def _remove(self, node: slicer.vtkMRMLNode) -> None:
        super()._remove(node)
        self._checked_ids.discard(node.GetID())
