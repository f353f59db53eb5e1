"""Which widgets show which parameters, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import ctk
import qt
import slicer

from .parameters import Node, NoneOnly, Scalar, UnionOfNodes, make_parameter, split_annotations
from .validators import Choice, Maximum, Minimum, WithinRange

LARGEST_INT = 2**31 - 1


class Binding:
    """Shows a parameter's value in a widget, and tells when the user changes it."""

    def __init__(self, widget: Any, signal: Any, read: Callable[[], Any], write: Callable[[Any], None]) -> None:
        self.read = read
        self.write = write
        self._signal = signal
        self._slot: Callable[[], None] | None = None

    def on_changed(self, slot: Callable[[], None]) -> None:
        self._slot = slot
        if self._signal is not None:
            self._signal.connect(self._changed)

    def release(self) -> None:
        self._slot = None
        if self._signal is not None:
            self._signal.disconnect(self._changed)

    def _changed(self, *_value: object) -> None:
        if self._slot is not None:
            self._slot()


def bind(widget: Any, kind: Any) -> Binding:
    """Raises RuntimeError where Slicer can't connect the widget to a parameter of this type."""
    widget_class = type(widget)
    base, annotations = split_annotations(kind)
    if widget_class is qt.QCheckBox and base is bool:
        return _property(widget, widget.stateChanged, "checked")
    if widget_class in (qt.QSlider, qt.QSpinBox) and base is int:
        low, high = _bounds(widget, annotations, (-LARGEST_INT - 1, LARGEST_INT), needed=widget_class is qt.QSlider)
        widget.setRange(low, high)
        return _property(widget, widget.valueChanged, "value")
    if widget_class in (qt.QDoubleSpinBox, ctk.ctkSliderWidget) and base in (int, float):
        return _number(widget, base, annotations)
    if widget_class is qt.QComboBox and base in (int, float, str, bool):
        return _choice(widget, annotations)
    if widget_class is qt.QLineEdit and base is str:
        return _text(widget)
    if widget_class is qt.QLabel and base is str:
        return _property(widget, None, "text")
    if widget_class is slicer.qMRMLNodeComboBox and not isinstance(make_parameter(kind), Scalar):
        widget.nodeTypes = node_types(kind)
        return Binding(widget, widget.currentNodeChanged, widget.currentNode, widget.setCurrentNode)
    raise RuntimeError(f"a {widget_class.__name__} can't be connected to a parameter of type {kind}")


def node_types(kind: Any) -> tuple[str, ...]:
    parameter = make_parameter(kind)
    members: Iterable[Node | NoneOnly] = ()
    if isinstance(parameter, UnionOfNodes):
        members = parameter.members
    elif isinstance(parameter, Node):
        members = (parameter,)
    return tuple(member.kind.__name__ for member in members if isinstance(member, Node))


def _property(widget: Any, signal: Any, name: str, convert: type | None = None) -> Binding:
    def read() -> Any:
        value = getattr(widget, name)
        return value if convert is None else convert(value)

    return Binding(widget, signal, read, lambda value: setattr(widget, name, value))


def _number(widget: Any, base: type, annotations: list[Any]) -> Binding:
    if base is int:
        widget.decimals = 0
    unbounded = (float("-inf"), float("inf"))
    low, high = _bounds(widget, annotations, unbounded, needed=type(widget) is ctk.ctkSliderWidget)
    widget.minimum = low
    widget.maximum = high
    return _property(widget, widget.valueChanged, "value", base)


def _bounds(widget: Any, annotations: list[Any], unbounded: tuple, *, needed: bool) -> tuple:
    low, high = unbounded
    for annotation in annotations:
        if isinstance(annotation, (WithinRange, Minimum)):
            low = annotation.minimum
        if isinstance(annotation, (WithinRange, Maximum)):
            high = annotation.maximum
    if needed and (low == unbounded[0] or high == unbounded[1]):
        raise RuntimeError(f"a {type(widget).__name__} can't be connected to a number without bounds")
    return low, high


def _choice(widget: Any, annotations: list[Any]) -> Binding:
    choices = next((list(annotation.choices) for annotation in annotations if isinstance(annotation, Choice)), None)
    if choices is None:
        raise RuntimeError("a QComboBox can be connected to a parameter with the annotation Choice only")
    widget.clear()
    for choice in choices:
        widget.addItem(str(choice))
    return Binding(
        widget,
        widget.currentIndexChanged,
        lambda: choices[widget.currentIndex],
        lambda value: widget.setCurrentIndex(choices.index(value)),
    )


def _text(widget: Any) -> Binding:
    def write(value: str) -> None:
        if value != widget.text:  # else the cursor would jump to the end of what is being typed
            widget.text = value

    return Binding(widget, widget.textChanged, lambda: widget.text, write)
