"""Qt Designer files: the real QUiLoader, which makes stand-ins where a file names ctk or qMRML widgets."""

from __future__ import annotations

from xml.etree import ElementTree

from PySide6.QtCore import QBuffer, QIODevice, QObject
from PySide6.QtUiTools import QUiLoader
from PySide6.QtWidgets import QWidget

from slicer_host.checkable_node_combo_box import qMRMLCheckableNodeComboBox
from slicer_host.node_combo_box import qMRMLNodeComboBox
from slicer_host.widgets import ctkCollapsibleButton, ctkMessageBox, ctkSliderWidget, qMRMLWidget

STAND_INS = {
    cls.__name__: cls
    for cls in (
        qMRMLWidget,
        qMRMLNodeComboBox,
        qMRMLCheckableNodeComboBox,
        ctkCollapsibleButton,
        ctkMessageBox,
        ctkSliderWidget,
    )
}


class UiLoader(QUiLoader):
    """Raises ValueError for a custom widget without stand-in and for a connection that names what doesn't exist."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._made: list[QWidget] = []

    def createWidget(self, className: str, parent: QWidget | None = None, name: str = "") -> QWidget:
        if className not in STAND_INS:
            return super().createWidget(className, parent, name)
        widget = STAND_INS[className](parent)
        widget.setObjectName(name)
        self._made.append(widget)  # Qt owns a widget only when it has its parent: nobody else would hold the first ones
        return widget

    def load(  # type: ignore[override]
        self, device: QIODevice, parentWidget: QWidget | None = None
    ) -> QWidget:
        document = ElementTree.fromstring(device.readAll().data())
        unknown = {element.text for element in document.iterfind("customwidgets/customwidget/class")} - STAND_INS.keys()
        if unknown:
            raise ValueError(f"no stand-in for {', '.join(sorted(map(str, unknown)))}")
        connections = document.find("connections")
        if connections is not None:  # Qt can't make them: a Python signal has no C++ signature
            document.remove(connections)
        buffer = QBuffer()
        buffer.setData(ElementTree.tostring(document))
        buffer.open(QIODevice.OpenModeFlag.ReadOnly)
        root = super().load(buffer, parentWidget)
        for section in root.findChildren(ctkCollapsibleButton):
            section._take_contents()
        for connection in connections if connections is not None else ():
            sender, signal, receiver, slot = (
                str(connection.findtext(tag)) for tag in ("sender", "signal", "receiver", "slot")
            )
            _find(root, sender).connect(signal, getattr(_find(root, receiver), slot.split("(")[0]))
        return root


def _find(root: QWidget, name: str) -> QObject:
    found = root if root.objectName == name else root.findChild(QObject, name)
    if found is None:
        raise ValueError(f"a connection names {name}, which the file doesn't have")
    return found
