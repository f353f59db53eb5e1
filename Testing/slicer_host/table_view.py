"""The stand-in for Slicer's table view. What is said in widgets.py holds for it too."""

from __future__ import annotations

import slicer
import vtk
from PySide6.QtCore import QObject, QSortFilterProxyModel, Qt
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QTableView, QWidget

from slicer_host.observations import Observations


class qMRMLTableModel(QStandardItemModel):
    """The cells of a table node as text."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._node: slicer.vtkMRMLTableNode | None = None
        self._observations = Observations(self)

    def _set_node(self, node: slicer.vtkMRMLTableNode | None) -> None:
        self._node = node
        self._observations.end()
        if node is not None:
            self._observations.start(node, vtk.vtkCommand.ModifiedEvent, self._show)
        self._show()

    def _show(self, *_event: object) -> None:
        self.clear()
        table = self._node.GetTable() if self._node is not None else None
        if self._node is None or table is None:
            return
        names = [table.GetColumnName(column) for column in range(table.GetNumberOfColumns())]
        titles = [self._node.GetColumnTitle(name) or name for name in names]
        rows = [
            [table.GetValue(row, column).ToString() for column in range(len(names))]
            for row in range(table.GetNumberOfRows())
        ]
        headers = [chr(ord("A") + column) for column in range(len(names))]
        if self._node.GetUseColumnTitleAsColumnHeader():
            headers = titles
        else:
            rows.insert(0, titles)
        labels = [str(index + 1) for index in range(len(rows))]
        if self._node.GetUseFirstColumnAsRowHeader():
            headers = headers[1:]
            labels = [row[0] for row in rows]
            rows = [row[1:] for row in rows]
        for texts in rows:
            self.appendRow([self._item(text) for text in texts])
        self.setHorizontalHeaderLabels(headers)
        self.setVerticalHeaderLabels(labels)

    def _item(self, text: str) -> QStandardItem:
        item = QStandardItem(text)
        item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
        return item


class qMRMLTableView(QTableView):
    """Shows its node. In Slicer a user can also edit it there."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: slicer.vtkMRMLScene | None = None
        self._table_model = qMRMLTableModel(self)
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSourceModel(self._table_model)
        self.setModel(self._sorted)

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        return self._scene

    def setMRMLScene(self, newScene: slicer.vtkMRMLScene | None) -> None:
        self._scene = newScene

    def tableModel(self) -> qMRMLTableModel:
        return self._table_model

    def sortFilterProxyModel(self) -> QSortFilterProxyModel:
        return self._sorted

    def mrmlTableNode(self) -> slicer.vtkMRMLTableNode | None:
        return self._table_model._node

    def setMRMLTableNode(self, tableNode: slicer.vtkMRMLNode | None) -> None:
        is_table = isinstance(tableNode, slicer.vtkMRMLTableNode)
        self._table_model._set_node(tableNode if is_table else None)
        self.resizeColumnsToContents()
