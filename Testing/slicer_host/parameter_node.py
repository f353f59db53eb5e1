"""A stand-in for slicer.parameterNodeWrapper with the types that our parameter nodes use: nodes, unions of nodes, str,
float and bool.

Values are stored in a real vtkMRMLScriptedModuleNode under the names that Slicer uses: they are saved with the scene.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import slicer
import slicer.util
import vtk

from slicer_host.node_combo_box import qMRMLNodeComboBox
from slicer_host.widgets import ctkSliderWidget

PARAMETER_PROPERTY = "SlicerParameterName"


@dataclass(frozen=True)
class WithinRange:
    minimum: float
    maximum: float

    def check(self, value: float) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


class _Parameter:
    """One parameter of a wrapped class: a Python property over the MRML node."""

    def __init__(self, name: str, kind: Any, default: Any) -> None:
        self.name = name
        self.kind, *checks = typing.get_args(kind) if typing.get_origin(kind) is typing.Annotated else (kind,)
        self.ranges = [check for check in checks if isinstance(check, WithinRange)]
        if self.kind not in {str, float, bool}:
            raise TypeError(f"{name}: the host knows no parameters of type {self.kind}")
        self.default = self.kind() if default is None else default

    def is_in(self, node: slicer.vtkMRMLScriptedModuleNode) -> bool:
        return node.HasParameter(self.name)

    def read(self, wrapper: Any) -> Any:
        text = wrapper.parameterNode.GetParameter(self.name)
        return text == "True" if self.kind is bool else self.kind(text)

    def write(self, wrapper: Any, value: Any) -> None:
        if not isinstance(value, (int, float) if self.kind is float else self.kind):
            raise TypeError(f"{self.name}: expected {self.kind}, found {value!r}")
        for limits in self.ranges:
            limits.check(value)
        with slicer.util.NodeModify(wrapper.parameterNode):
            wrapper.parameterNode.SetParameter(self.name, str(value))


class _NodeParameter:
    """A parameter that is a node of one class, or of several.

    As in Slicer, several are a typing.Union, and None is a value of it only when it is in it.
    """

    default = None

    def __init__(self, name: str, kind: Any) -> None:
        self.name = name
        is_union = typing.get_origin(kind) is typing.Union
        self.kinds: tuple[type, ...] = typing.get_args(kind) if is_union else (kind,)
        self.places = [f"{name}_{index}" if is_union else name for index in range(len(self.kinds))]
        self.node_types = [kind.__name__ for kind in self.kinds if kind is not type(None)]
        self.takes_none = not is_union or type(None) in self.kinds

    @staticmethod
    def can_be(kind: Any) -> bool:
        kinds = typing.get_args(kind) if typing.get_origin(kind) is typing.Union else (kind,)
        return all(isinstance(item, type) and issubclass(item, (slicer.vtkMRMLNode, type(None))) for item in kinds)

    def is_in(self, node: slicer.vtkMRMLScriptedModuleNode) -> bool:
        return any(node.HasParameter(place) for place in self.places)

    def read(self, wrapper: Any) -> Any:
        (place,) = [place for place in self.places if wrapper.parameterNode.HasParameter(place)]
        return wrapper.parameterNode.GetNodeReference(place)

    def write(self, wrapper: Any, value: Any) -> None:
        node = wrapper.parameterNode
        fitting = [place for place, kind in zip(self.places, self.kinds, strict=True) if isinstance(value, kind)]
        if value is None and self.takes_none:
            fitting = fitting or self.places
        if not fitting:
            raise TypeError(f"{self.name}: expected {self.kinds}, found {value!r}")
        with slicer.util.NodeModify(node):
            for place in self.places:
                node.UnsetParameter(place)
                node.RemoveNodeReferenceIDs(place)
            node.SetParameter(fitting[0], "")
            node.SetNodeReferenceID(fitting[0], value.GetID() if value is not None else None)


def parameterNodeWrapper(cls: type) -> type:
    """The class decorator: annotated names become properties that are stored in the MRML node."""
    hints = typing.get_type_hints(cls, include_extras=True)
    parameters: dict[str, _Parameter | _NodeParameter] = {
        name: _NodeParameter(name, kind) if _NodeParameter.can_be(kind) else _Parameter(name, kind, vars(cls).get(name))
        for name, kind in hints.items()
    }
    for name, parameter in parameters.items():
        setattr(cls, name, property(parameter.read, parameter.write))

    def initialize(self: Any, node: slicer.vtkMRMLScriptedModuleNode) -> None:
        self.parameterNode = node
        self._gui = {}
        for parameter in parameters.values():
            if not parameter.is_in(node):
                parameter.write(self, parameter.default)

    cls.__init__ = initialize  # type: ignore[misc]
    members: dict[str, Callable] = {
        "connectGui": _connect_gui,
        "disconnectGui": _disconnect_gui,
        "AddObserver": lambda self, event, callback, priority=0.0: self.parameterNode.AddObserver(
            event, callback, priority
        ),
        "RemoveObserver": lambda self, tag: self.parameterNode.RemoveObserver(tag),
        "StartModify": lambda self: self.parameterNode.StartModify(),
        "EndModify": lambda self, was_modified: self.parameterNode.EndModify(was_modified),
        "Modified": lambda self: self.parameterNode.Modified(),
    }
    for name, member in members.items():
        if hasattr(cls, name):
            raise ValueError(f"Cannot use reserved name {name!r} in a parameterNodeWrapper")
        setattr(cls, name, member)
    cls.allParameters = parameters  # type: ignore[attr-defined]
    return cls


class _Binding:
    """Keeps one widget and one parameter equal."""

    def __init__(self, wrapper: Any, parameter: _Parameter | _NodeParameter, widget: Any) -> None:
        self._wrapper, self._parameter, self._widget = wrapper, parameter, widget
        kind = type(widget)
        if kind is qMRMLNodeComboBox and isinstance(parameter, _NodeParameter):
            widget.nodeTypes = parameter.node_types
            self._signal, self._read, self._show = widget.currentNodeChanged, widget.currentNode, widget.setCurrentNode
        elif kind is ctkSliderWidget and isinstance(parameter, _Parameter) and parameter.kind is float:
            if not parameter.ranges:
                raise RuntimeError("Cannot have a connection to ctkSliderWidget where the float types is unbounded.")
            widget.minimum, widget.maximum = parameter.ranges[0].minimum, parameter.ranges[0].maximum
            self._signal, self._read, self._show = widget.valueChanged, lambda: widget.value, widget.setValue
        else:
            raise RuntimeError(f"the host can't connect {parameter.name} to a {kind.__name__}")
        self.show()
        self._signal.connect(self._take)

    def show(self) -> None:
        self._show(self._parameter.read(self._wrapper))

    def _take(self, *_value: object) -> None:
        self._parameter.write(self._wrapper, self._read())

    def release(self) -> None:
        self._signal.disconnect(self._take)


def _connect_gui(self: Any, gui: Any) -> int:
    named = {widget.property(PARAMETER_PROPERTY): widget for widget in vars(gui).values()}
    bindings = [_Binding(self, self.allParameters[name], widget) for name, widget in named.items() if name]

    def show(*_event: object) -> None:
        for binding in bindings:
            binding.show()

    tag = self.AddObserver(vtk.vtkCommand.ModifiedEvent, show)
    self._gui[tag] = bindings
    return tag


def _disconnect_gui(self: Any, gui_tag: int) -> None:
    if gui_tag in self._gui:
        self.RemoveObserver(gui_tag)
        for binding in self._gui.pop(gui_tag):
            binding.release()


def make_module() -> ModuleType:
    module = ModuleType("slicer.parameterNodeWrapper")
    vars(module).update(parameterNodeWrapper=parameterNodeWrapper, WithinRange=WithinRange)
    return module
