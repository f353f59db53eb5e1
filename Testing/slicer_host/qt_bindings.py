"""Real Qt (PySide6) that behaves as Qt does in Slicer's Python (PythonQt): the `qt` module.

- A Qt property is an attribute (`button.text`, `button.enabled = False`): calling it fails. `setX()` stays callable.
- `widget.connect("clicked(bool)", function)`; a signature that the class doesn't have is an error.
- `name` is the object name, `className()` the class's name.
- No new attribute can be set on a Qt object.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import getattr_static
from types import MethodType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QObject
from shiboken6 import Shiboken

# C++ asks Python for these virtual functions: a Python property in their place would answer by asking C++ again.
# QTimer.singleShot is a static function too.
LEFT_AS_METHODS = {"sizeHint", "minimumSizeHint", "spacing", "singleShot"}

_read_property = QObject.property
_write_property = QObject.setProperty
_get_attribute_of_pyside = QObject.__getattribute__
_connections: WeakKeyDictionary[QObject, dict[tuple[str, Callable], Callable]] = WeakKeyDictionary()


def make_qt_module(loader: type) -> ModuleType:
    """The module that Slicer calls `qt`. Changes PySide6's own classes: do it in processes that run tests only."""
    if not isinstance(QObject.__dict__["objectName"], property):
        for cls in (QObject, QtCore.QTimer, QtGui.QAction, *_public(QtWidgets).values()):
            if isinstance(cls, type) and issubclass(cls, QObject):
                _adapt(cls)
        additions = {"name": QObject.objectName, "className": _class_name, "__getattribute__": _get_attribute}
        for name, member in additions.items():
            setattr(QObject, name, member)
    module = ModuleType("qt")
    for source in (QtCore, QtGui, QtWidgets):
        vars(module).update(_public(source))
    vars(module)["QUiLoader"] = loader
    return module


def _public(source: ModuleType) -> dict[str, Any]:
    """PySide6 makes its classes when they are asked for, so vars() doesn't list them."""
    return {name: getattr(source, name) for name in dir(source) if name.startswith("Q")}


def _adapt(cls: type[QObject]) -> None:
    """Properties become attributes, and no others can be set: each PySide6 class has its own __setattr__."""
    meta = vars(cls)["staticMetaObject"]
    names = {meta.property(index).name() for index in range(meta.propertyOffset(), meta.propertyCount())}
    members: dict[str, Any] = {name: _attribute(cls, name) for name in names - LEFT_AS_METHODS}
    members["__setattr__"] = _set_attribute
    for name, member in members.items():
        setattr(cls, name, member)


def _attribute(cls: type, name: str) -> property:
    getter = getattr(cls, name, None)
    setter = getattr(cls, f"set{name[0].upper()}{name[1:]}", None)

    def write(self: QObject, value: Any) -> None:
        if setter is not None:
            setter(self, value)
        elif not _write_property(self, name, value):
            raise AttributeError(f"{_class_name(self)}.{name} can't be set to {value!r}")

    def read(self: QObject) -> Any:
        return _read_property(self, name) if getter is None else getter(self)

    return property(read, write)


def _class_name(self: QObject) -> str:
    return self.metaObject().className()


def _set_attribute(self: QObject, name: str, value: Any) -> None:
    if isinstance(value, QObject) and value.objectName == name:
        return  # QUiLoader hangs each named widget on the root; Slicer's doesn't
    known = getattr_static(type(self), name, None)
    own_state = name.startswith("_") and type(self).__module__.startswith("slicer_host")
    if known is None and not own_state:
        raise AttributeError(f"{name!r} can't be set: a Qt object takes no new attributes in Slicer")
    if isinstance(known, QtCore.Property):  # of a stand-in
        known.fset(self, value)
    else:
        Shiboken.Object.__setattr__(self, name, value)


def _get_attribute(self: QObject, name: str) -> Any:
    # PySide6 answers these two itself, whatever the class says.
    if name in {"connect", "disconnect"}:
        return MethodType(_connect if name == "connect" else _disconnect, self)
    return _get_attribute_of_pyside(self, name)


def _connect(self: QObject, signature: str, slot: Callable) -> bool:
    signal, argument_count = _signal(self, signature)

    def call(*arguments: Any) -> None:
        slot(*arguments[:argument_count])

    _connections.setdefault(self, {})[signature, slot] = call
    signal.connect(call)
    return True


def _disconnect(self: QObject, signature: str, slot: Callable) -> bool:
    _signal(self, signature)[0].disconnect(_connections[self].pop((signature, slot)))
    return True


def _signal(sender: QObject, signature: str) -> tuple[Any, int]:
    name, _, types = re.sub(r"vtk\w+\*", "PyObject", signature).rstrip(")").partition("(")
    if not signature.endswith(")") or sender.metaObject().indexOfSignal(f"{name}({types})") < 0:
        raise AttributeError(f"{_class_name(sender)} has no signal {signature}")
    overloads = getattr(sender, name)
    is_overload = any(text.split("(")[1] == f"{types})" for text in _declared(sender, name))
    return (overloads[types] if is_overload and types else overloads), len(types.split(",")) if types else 0


def _declared(sender: QObject, name: str) -> list[str]:
    meta = sender.metaObject()
    signatures = (bytes(meta.method(index).methodSignature().data()).decode() for index in range(meta.methodCount()))
    return [signature for signature in signatures if signature.split("(")[0] == name]
