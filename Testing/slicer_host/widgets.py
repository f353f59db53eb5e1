"""Stand-ins for ctk and qMRML widgets (the node selector is in node_combo_box.py).

Each has only properties, methods, signals and slots that the real class has (Testing/host/test_slicer_api.py compares
them with slicer_api.json.gz), so code that uses anything else fails here as it would in Slicer.
"""

from __future__ import annotations

import sys
from typing import Any

import slicer
from PySide6.QtCore import Property, QEvent, QObject, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QDoubleSpinBox,
    QHBoxLayout,
    QMessageBox,
    QSizePolicy,
    QSlider,
    QStyle,
    QStyleOptionButton,
    QVBoxLayout,
    QWidget,
)

SLIDER_STEPS = 10000


class qMRMLWidget(QWidget):
    """A widget that tells those inside it which scene to use."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: slicer.vtkMRMLScene | None = None

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        return self._scene

    def setMRMLScene(self, newScene: slicer.vtkMRMLScene | None) -> None:
        if newScene is not self._scene:
            self._scene = newScene
            self.mrmlSceneChanged.emit(newScene)


class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """The parent that Slicer gives a module's Python widget: it knows whether the user is in the module."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        QVBoxLayout(self)
        self._entered = False
        self._name = ""
        self._python: Any = None

    def self(self) -> Any:
        return self._python

    def enter(self) -> None:
        self._entered = True
        self._python.enter()

    def exit(self) -> None:
        self._entered = False
        self._python.exit()

    def reload(self) -> None:
        """Make the Python widget anew, from what the module's file says now."""
        self._python = getattr(sys.modules[self._name], f"{self._name}Widget")(self)
        setattr(slicer.modules, f"{self._name}Widget", self._python)
        self._python.setup()

    isEntered = Property(bool, lambda self: self._entered)
    moduleName = Property(str, lambda self: self._name)


class ctkCollapsibleButton(QAbstractButton):
    """A titled frame that opens and closes; checked is open. What is shown or hidden while it is closed is so later."""

    contentsCollapsed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.setContentsMargins(0, self._header_height(), 0, 0)
        self._hidden: dict[QWidget, bool] = {}
        self._showing_contents = False
        self.toggled.connect(self._show_contents)

    def _header_height(self) -> int:
        return self.fontMetrics().height() + 10

    def _show_contents(self, is_open: bool) -> None:
        self._showing_contents = True
        for child, is_hidden in self._hidden.items():
            child.setVisible(is_open and not is_hidden)
        self._showing_contents = False
        self.setMaximumHeight(16777215 if is_open else self._header_height())
        self.contentsCollapsed.emit(not is_open)

    def _take_contents(self) -> None:
        """All widgets inside have been made: close over them if the file says so."""
        for child in (child for child in self.children() if isinstance(child, QWidget)):
            self._hidden[child] = child.isHidden()
            child.installEventFilter(self)
        self._show_contents(self.isChecked())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        shown = event.type() == QEvent.Type.ShowToParent
        if isinstance(watched, QWidget) and not self._showing_contents and watched in self._hidden:
            if shown or event.type() == QEvent.Type.HideToParent:
                self._hidden[watched] = not shown
            if shown and not self.isChecked():
                self._showing_contents = True
                watched.hide()
                self._showing_contents = False
        return super().eventFilter(watched, event)

    collapsed = Property(
        bool, lambda self: not self.isChecked(), lambda self, is_collapsed: self.setChecked(not is_collapsed)
    )

    def paintEvent(self, _event: QPaintEvent) -> None:
        option = QStyleOptionButton()
        option.initFrom(self)
        option.rect.setHeight(self._header_height())
        painter = QPainter(self)
        self.style().drawControl(QStyle.ControlElement.CE_PushButtonBevel, option, painter, self)
        arrow = QStyle.PrimitiveElement.PE_IndicatorArrowDown
        if not self.isChecked():
            arrow = QStyle.PrimitiveElement.PE_IndicatorArrowRight
        text_area = option.rect.adjusted(28, 0, -4, 0)
        option.rect = option.rect.adjusted(8, 6, 0, -6)
        option.rect.setWidth(option.rect.height())
        self.style().drawPrimitive(arrow, option, painter, self)
        painter.drawText(text_area, Qt.AlignmentFlag.AlignVCenter, self.property("text"))


class ctkMessageBox(QMessageBox):
    """What slicer.util shows its messages in: a message box that in Slicer can be told not to come again."""


class ctkSliderWidget(QWidget):
    """A slider and a spin box that show one number."""

    valueChanged = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider: Any = QSlider(Qt.Orientation.Horizontal, self)  # Any: Qt's properties are attributes here
        self._spin_box: Any = QDoubleSpinBox(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        layout.addWidget(self._spin_box)
        self._slider.setRange(0, SLIDER_STEPS)
        self._spin_box.setRange(0.0, 99.0)
        self._slider.valueChanged.connect(self._slider_moved)
        self._spin_box.valueChanged.connect(self._spin_box_changed)

    def _slider_moved(self, step: int) -> None:
        low, high = self._spin_box.minimum, self._spin_box.maximum
        self._spin_box.setValue(low + (high - low) * step / SLIDER_STEPS)

    def _spin_box_changed(self, value: float) -> None:
        self._place_slider()
        self.valueChanged.emit(value)

    def _place_slider(self) -> None:
        low, high = self._spin_box.minimum, self._spin_box.maximum
        self._slider.blockSignals(True)
        self._slider.setValue(round(SLIDER_STEPS * (self._spin_box.value - low) / max(high - low, 1e-12)))
        self._slider.blockSignals(False)

    def _set_minimum(self, value: float) -> None:
        self._spin_box.setMinimum(value)
        self._place_slider()

    def _set_maximum(self, value: float) -> None:
        self._spin_box.setMaximum(value)
        self._place_slider()

    def setValue(self, value: float) -> None:
        self._spin_box.setValue(value)

    def setDecimals(self, decimals: int) -> None:
        self._spin_box.setDecimals(decimals)

    value = Property(float, lambda self: self._spin_box.value, setValue)
    decimals = Property(int, lambda self: self._spin_box.decimals, setDecimals)
    minimum = Property(float, lambda self: self._spin_box.minimum, _set_minimum)
    maximum = Property(float, lambda self: self._spin_box.maximum, _set_maximum)
    singleStep = Property(
        float, lambda self: self._spin_box.singleStep, lambda self, step: self._spin_box.setSingleStep(step)
    )
