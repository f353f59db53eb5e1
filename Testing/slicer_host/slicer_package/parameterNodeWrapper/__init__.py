"""A stand-in for slicer.parameterNodeWrapper with the types that our parameter nodes use: nodes, unions of nodes, str,
int, float, bool and lists of all but unions."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any

import qt
import slicer
import slicer.util
import vtk

from .bindings import Binding, bind
from .parameters import Parameter, WithinRange, make_parameter

__all__ = ["WithinRange", "parameterNodeWrapper"]

NAME_PROPERTY = "SlicerParameterName"
RESERVED = ("connectParametersToGui", "dataType", "default", "isCached")


def parameterNodeWrapper(classtype: type) -> type:
    """The class decorator: annotated names become properties that are stored in the MRML node."""
    cls: Any = classtype
    kinds = typing.get_type_hints(cls, include_extras=True)
    parameters: dict[str, Parameter] = {name: make_parameter(kind) for name, kind in kinds.items()}
    defaults: dict[str, Any] = {name: getattr(cls, name, parameter.default) for name, parameter in parameters.items()}
    for name, parameter in parameters.items():
        setattr(cls, name, _property(name, parameter))

    def initialize(self: Any, parameterNode: slicer.vtkMRMLScriptedModuleNode) -> None:
        self.parameterNode = parameterNode
        self._guis = {}
        self._next_gui_tag = 0
        self._is_updating_gui = False
        for name, parameter in parameters.items():
            if not parameter.is_in(parameterNode, name):
                parameter.write(parameterNode, name, defaults[name])

    cls.__init__ = initialize
    members: dict[str, Any] = {
        "allParameters": kinds,
        "getValue": getattr,
        "setValue": setattr,
        "connectGui": _connect_gui,
        "disconnectGui": _disconnect_gui,
        "AddObserver": lambda self, event, callback, priority=0.0: self.parameterNode.AddObserver(
            event, callback, priority
        ),
        "RemoveObserver": lambda self, tag: self.parameterNode.RemoveObserver(tag),
        "StartModify": lambda self: self.parameterNode.StartModify(),
        "EndModify": lambda self, wasModified: self.parameterNode.EndModify(wasModified),
        "Modified": lambda self: self.parameterNode.Modified(),
    }
    for name in (*members, *RESERVED):
        if hasattr(cls, name):
            raise ValueError(f"{name!r} is a name that parameterNodeWrapper needs itself")
    for name, member in members.items():
        setattr(cls, name, member)
    return cls


def _property(name: str, parameter: Parameter) -> property:
    return property(
        lambda self: parameter.read(self.parameterNode, name),
        lambda self, value: parameter.write(self.parameterNode, name, value),
    )


def _connect_gui(self: Any, gui: Any) -> int:
    """To the widgets of `slicer.util.childWidgetVariables`, or inside a widget, that name a parameter.

    Returns the tag for `disconnectGui`, which removes the observer too: as in Slicer's own wrapper.py from 5.12 on (5.8
    returned none, 5.10 left the observer).
    """
    widgets = gui.findChildren(qt.QWidget) if isinstance(gui, qt.QWidget) else vars(gui).values()
    named = {widget.property(NAME_PROPERTY): widget for widget in widgets}
    unknown = {name for name in named if name} - self.allParameters.keys()
    if unknown:
        raise ValueError(f"there are no parameters {', '.join(sorted(unknown))}")
    bindings = {name: bind(widget, self.allParameters[name]) for name, widget in named.items() if name}
    for name, binding in bindings.items():
        binding.write(getattr(self, name))
        binding.on_changed(_taker(self, name, binding))
    observer = self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda _node, _event: _update_gui(self))
    tag = self._next_gui_tag
    self._next_gui_tag += 1
    self._guis[tag] = observer, bindings
    return tag


def _taker(self: Any, name: str, binding: Binding) -> Callable[[], None]:
    def take() -> None:
        with slicer.util.NodeModify(self):
            if not self._is_updating_gui:  # then the widget only shows what is stored, rounded perhaps
                setattr(self, name, binding.read())

    return take


def _update_gui(self: Any) -> None:
    if self._is_updating_gui:
        return
    self._is_updating_gui = True
    try:
        with slicer.util.NodeModify(self):
            for _observer, bindings in self._guis.values():
                for name, binding in bindings.items():
                    binding.write(getattr(self, name))
    finally:
        self._is_updating_gui = False


def _disconnect_gui(self: Any, guiTag: int | None) -> None:
    if guiTag in self._guis:
        observer, bindings = self._guis.pop(guiTag)
        self.RemoveObserver(observer)
        for binding in bindings.values():
            binding.release()
