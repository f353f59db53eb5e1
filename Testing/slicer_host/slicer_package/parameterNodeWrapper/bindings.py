"""Which widgets show which parameters, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import ctk
import qt
import slicer

from .parameters import Node, NoneOnly, Scalar, UnionOfNodes, WithinRange, make_parameter, split_annotations


class Binding:
    """Shows a parameter's value in a widget, and tells when the user changes it."""

    def __init__(self, widget: Any, signal: Any, read: Callable[[], Any], write: Callable[[Any], None]) -> None:
        self.read = read
        self.write = write
        self._signal = signal
        self._slot: Callable[[], None] | None = None

    def on_changed(self, slot: Callable[[], None]) -> None:
        self._slot = slot
        self._signal.connect(self._changed)

    def release(self) -> None:
        self._slot = None
        self._signal.disconnect(self._changed)

    def _changed(self, *_value: object) -> None:
        if self._slot is not None:
            self._slot()


def bind(widget: Any, kind: Any) -> Binding:
    """Raises RuntimeError for a widget that Slicer, or our panels, don't connect to a parameter of this type."""
    widget_class = type(widget)
    base, annotations = split_annotations(kind)
    if widget_class is qt.QCheckBox and base is bool:
        return _property(widget, widget.stateChanged, "checked")
    if (widget_class, base) in ((qt.QSpinBox, int), (ctk.ctkSliderWidget, float)):
        return _number(widget, annotations)
    if widget_class is qt.QLineEdit and base is str:
        return _text(widget)
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


def _property(widget: Any, signal: Any, name: str) -> Binding:
    return Binding(widget, signal, lambda: getattr(widget, name), lambda value: setattr(widget, name, value))


def _number(widget: Any, annotations: list[Any]) -> Binding:
    within = next((annotation for annotation in annotations if isinstance(annotation, WithinRange)), None)
    if within is None:
        raise RuntimeError(f"a {type(widget).__name__} is connected to a number without bounds")
    widget.minimum, widget.maximum = within.minimum, within.maximum
    return _property(widget, widget.valueChanged, "value")


def _text(widget: Any) -> Binding:
    def write(value: str) -> None:
        if value != widget.text:  # else the cursor would jump to the end of what is being typed
            widget.text = value

    return Binding(widget, widget.textChanged, lambda: widget.text, write)
