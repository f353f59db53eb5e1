"""Real Qt (PySide6) that behaves as Qt does in Slicer's Python (PythonQt): the `qt` module.

- A Qt property is an attribute (`button.text`, `button.enabled = False`): calling it fails. `setX()` stays callable.
- `widget.connect("clicked(bool)", function)`; a signature that the class doesn't have is an error. A function gets as
  many of the signal's values as it takes.
- `name` is the object name, `className()` the class's name.
- No new attribute can be set on a Qt object, except on one of a class written in Python.
- A function that in C++ also answers through a pointer, such as QFileDialog.getOpenFileName, returns its first answer
  alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from inspect import getattr_static
from types import FunctionType, MethodType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QObject
from shiboken6 import Shiboken

# C++ asks Python for these virtual functions: a Python property in their place would answer by asking C++ again.
# QTimer.singleShot is a static function too, and the others are no properties in Slicer's Qt.
LEFT_AS_METHODS = {
    "sizeHint",
    "minimumSizeHint",
    "spacing",
    "singleShot",
    "contentsMargins",
}
HAVE_STATIC_GETTERS = (QtCore.QCoreApplication, QtGui.QGuiApplication)
ANSWER_ONCE = (
    (QtWidgets.QFileDialog, ("getOpenFileName", "getOpenFileNames", "getSaveFileName")),
    (QtWidgets.QInputDialog, ("getDouble", "getInt", "getItem", "getMultiLineText", "getText")),
)

_read_property = QObject.property
_write_property = QObject.setProperty
_get_attribute_of_pyside = QObject.__getattribute__
_connections: WeakKeyDictionary[QObject, dict[tuple[str, Callable], Callable]] = WeakKeyDictionary()


def make_qt_module(loader: type) -> ModuleType:
    """The module that Slicer calls `qt`. Changes PySide6's own classes: do it in processes that run tests only."""
    sources = (QtCore, QtGui, QtWidgets)
    if not isinstance(QObject.__dict__["objectName"], property):
        for cls in (cls for source in sources for cls in _public(source).values()):
            if isinstance(cls, type) and issubclass(cls, QObject) and cls not in HAVE_STATIC_GETTERS:
                _adapt(cls)
        additions = {"name": QObject.objectName, "className": _class_name, "__getattribute__": _get_attribute}
        for name, member in additions.items():
            setattr(QObject, name, member)
        for dialog, functions in ANSWER_ONCE:
            for name in functions:
                setattr(dialog, name, staticmethod(_first_answer(getattr(dialog, name))))
        _replace_members()
    module = ModuleType("qt")
    for source in sources:
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


def _replace_members() -> None:
    run_dialog = QtWidgets.QDialog.exec

    def exec_(self: QtWidgets.QDialog) -> int:
        # Slicer's functions ask for the deletion of a dialog before they show it. In Slicer's event loop that happens
        # afterwards; a test has no such loop, and the dialog's own would do it at once.
        QtCore.QCoreApplication.removePostedEvents(self, QtCore.QEvent.Type.DeferredDelete.value)
        return run_dialog(self)

    members: tuple[tuple[type, str, Any], ...] = (
        (QtWidgets.QDialog, "exec_", exec_),
        (QtWidgets.QMessageBox, "exec_", exec_),
        # PythonQt's enumerations are numbers: `if item.checkState():`
        (QtCore.Qt.CheckState, "__bool__", lambda self: self.value != 0),
    )
    for cls, name, member in members:
        setattr(cls, name, member)


def _first_answer(function: Callable) -> Callable:
    def answer(*arguments: Any, **named: Any) -> Any:
        first = function(*arguments, **named)[0]
        return tuple(first) if isinstance(first, list) else first

    return answer


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
    if known is None and not _takes_new_attributes(type(self), name):
        raise AttributeError(f"{name!r} can't be set: a Qt object takes no new attributes in Slicer")
    if isinstance(known, QtCore.Property):  # of a stand-in
        known.fset(self, value)
    else:
        Shiboken.Object.__setattr__(self, name, value)


def _takes_new_attributes(cls: type, name: str) -> bool:
    package = cls.__module__.partition(".")[0]
    return package != "PySide6" and (package != __package__ or name.startswith("_"))


def _get_attribute(self: QObject, name: str) -> Any:
    # PySide6 answers these two itself, whatever the class says.
    if name in {"connect", "disconnect"}:
        return MethodType(_connect if name == "connect" else _disconnect, self)
    return _get_attribute_of_pyside(self, name)


def _connect(self: QObject, signature: Any, slot: Any, *others: Any) -> Any:
    if others:  # QTimer.singleShot comes here: connect(sender, signal, slot)
        return _get_attribute_of_pyside(self, "connect")(signature, slot, *others)
    signal, argument_count = _signal(self, signature)
    taken = min(argument_count, _most_arguments(slot))

    def call(*arguments: Any) -> None:
        slot(*arguments[:taken])

    _connections.setdefault(self, {})[signature, slot] = call
    signal.connect(call)
    return True


def _disconnect(self: QObject, signature: str, slot: Callable) -> bool:
    _signal(self, signature)[0].disconnect(_connections[self].pop((signature, slot)))
    return True


def _most_arguments(slot: Callable) -> int:
    """How many arguments a Python function takes; others get all."""
    function = getattr(slot, "__func__", slot)
    if not isinstance(function, FunctionType) or function.__code__.co_flags & 0x04:  # *arguments
        return sys.maxsize
    return function.__code__.co_argcount - isinstance(slot, MethodType)


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
