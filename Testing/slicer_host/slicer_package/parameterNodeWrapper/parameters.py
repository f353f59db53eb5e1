"""How a parameter is stored in a vtkMRMLScriptedModuleNode: under the names that Slicer uses, so that scenes can be
exchanged with it."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, MutableSequence
from dataclasses import dataclass
from typing import Any

import slicer
import slicer.util

SCALARS = (int, float, str, bool)


@dataclass(frozen=True)
class WithinRange:
    """What a number may be: typing.Annotated carries it."""

    minimum: float
    maximum: float

    def validate(self, value: float) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value} is not within range [{self.minimum}, {self.maximum}]")


class Scalar:
    """A number, a text, or yes or no."""

    def __init__(self, kind: type, validators: Iterable[Any] = ()) -> None:
        self.default = kind() if kind in (str, bool) else 0
        self._kind = kind
        self._validators = tuple(validators)

    def is_in(self, node: slicer.vtkMRMLScriptedModuleNode, name: str) -> bool:
        return node.HasParameter(name)

    def validate(self, value: Any) -> None:
        if value is None:
            raise ValueError("None is no value of this parameter")
        if not isinstance(value, (int, float) if self._kind is float else self._kind):
            raise TypeError(f"{value!r} is not of type {self._kind.__name__}")
        for validator in self._validators:
            validator.validate(value)

    def write(self, node: slicer.vtkMRMLScriptedModuleNode, name: str, value: Any) -> None:
        self.validate(value)
        node.SetParameter(name, str(value))

    def read(self, node: slicer.vtkMRMLScriptedModuleNode, name: str) -> Any:
        text = node.GetParameter(name)
        return text == "True" if self._kind is bool else self._kind(text)

    def remove(self, node: slicer.vtkMRMLScriptedModuleNode, name: str) -> None:
        node.UnsetParameter(name)


class Node:
    """A node of one class or of one derived from it, or None."""

    default = None

    def __init__(self, kind: type) -> None:
        self.kind = kind

    def is_in(self, node: slicer.vtkMRMLScriptedModuleNode, name: str) -> bool:
        return node.HasParameter(name)

    def validate(self, value: Any) -> None:
        if value is not None and not isinstance(value, self.kind):
            raise TypeError(f"{value!r} is not of type {self.kind.__name__}")

    def write(self, node: slicer.vtkMRMLScriptedModuleNode, name: str, value: Any) -> None:
        self.validate(value)
        node.SetParameter(name, "")  # tells that there is a value: it may be None
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node: slicer.vtkMRMLScriptedModuleNode, name: str) -> Any:
        return node.GetNodeReference(name)

    def remove(self, node: slicer.vtkMRMLScriptedModuleNode, name: str) -> None:
        node.UnsetParameter(name)
        node.RemoveNodeReferenceIDs(name)


class NoneOnly(Scalar):
    """The None of a union."""

    def __init__(self) -> None:
        super().__init__(bool)

    def validate(self, value: Any) -> None:
        if value is not None:
            raise ValueError(f"{value!r} is not None")

    def write(self, node: slicer.vtkMRMLScriptedModuleNode, name: str, value: Any) -> None:
        node.SetParameter(name, str(True))

    def read(self, node: slicer.vtkMRMLScriptedModuleNode, name: str) -> None:
        return None


class UnionOfNodes:
    """A node of one of several classes. None is a value only where the union names it."""

    default = None

    def __init__(self, kinds: Iterable[type]) -> None:
        self.members: list[Node | NoneOnly] = [NoneOnly() if kind is type(None) else Node(kind) for kind in kinds]

    def is_in(self, node: slicer.vtkMRMLScriptedModuleNode, name: str) -> bool:
        return any(member.is_in(node, place) for place, member in self._places(name))

    def write(self, node: slicer.vtkMRMLScriptedModuleNode, name: str, value: Any) -> None:
        fitting = [(place, member) for place, member in self._places(name) if self._fits(member, value)]
        if not fitting:
            raise TypeError(f"{value!r} is of none of the types of this parameter")
        with slicer.util.NodeModify(node):
            self.remove(node, name)
            place, member = fitting[0]
            member.write(node, place, value)

    def read(self, node: slicer.vtkMRMLScriptedModuleNode, name: str) -> Any:
        place, member = next((place, member) for place, member in self._places(name) if member.is_in(node, place))
        return member.read(node, place)

    def remove(self, node: slicer.vtkMRMLScriptedModuleNode, name: str) -> None:
        for place, member in self._places(name):
            member.remove(node, place)

    def _places(self, name: str) -> list[tuple[str, Node | NoneOnly]]:
        return [(f"{name}.{index}", member) for index, member in enumerate(self.members)]

    @staticmethod
    def _fits(member: Node | NoneOnly, value: Any) -> bool:
        return isinstance(value, member.kind) if isinstance(member, Node) else value is None


class List:
    """A list of scalars or nodes. What is read is no `list`, but a sequence that stores its changes."""

    def __init__(self, element: Scalar | Node) -> None:
        self.element = element

    @property
    def default(self) -> list:
        return []

    def is_in(self, node: slicer.vtkMRMLScriptedModuleNode, name: str) -> bool:
        return node.HasParameter(f"{name}.len")

    def write(self, node: slicer.vtkMRMLScriptedModuleNode, name: str, values: Iterable[Any]) -> None:
        values = list(values)
        for value in values:
            self.element.validate(value)
        with slicer.util.NodeModify(node):
            self.remove(node, name)
            for index, value in enumerate(values):
                self.element.write(node, f"{name}.{index}", value)
            node.SetParameter(f"{name}.len", str(len(values)))

    def read(self, node: slicer.vtkMRMLScriptedModuleNode, name: str) -> StoredList:
        places = (f"{name}.{index}" for index in range(int(node.GetParameter(f"{name}.len"))))
        return StoredList([self.element.read(node, place) for place in places], self, node, name)

    def remove(self, node: slicer.vtkMRMLScriptedModuleNode, name: str) -> None:
        for index in range(int(node.GetParameter(f"{name}.len") or 0)):
            self.element.remove(node, f"{name}.{index}")
        node.UnsetParameter(f"{name}.len")


class StoredList(MutableSequence):
    def __init__(self, values: list, kind: List, node: slicer.vtkMRMLScriptedModuleNode, name: str) -> None:
        self._values, self._kind, self._node, self._name = values, kind, node, name

    def __repr__(self) -> str:
        return f"StoredList({self._values})"

    def __eq__(self, other: object) -> bool:
        return list(self) == (list(other) if isinstance(other, StoredList) else other)

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: Any) -> Any:
        return self._values[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self._values[index] = value
        self._store()

    def __delitem__(self, index: Any) -> None:
        del self._values[index]
        self._store()

    def insert(self, index: int, value: Any) -> None:
        self._values.insert(index, value)
        self._store()

    def _store(self) -> None:
        try:
            self._kind.write(self._node, self._name, self._values)
        finally:
            self._values = list(self._kind.read(self._node, self._name))


Parameter = Scalar | Node | UnionOfNodes | List


def make_parameter(kind: Any) -> Parameter:
    """From a (possibly annotated) type. Raises TypeError for one that the stand-in doesn't know."""
    base, validators = split_annotations(kind)
    if base in SCALARS:
        return Scalar(base, validators)
    if typing.get_origin(base) is list:
        element = make_parameter(typing.get_args(base)[0])
        if isinstance(element, (Scalar, Node)):
            return List(element)
    kinds = typing.get_args(base) if typing.get_origin(base) in (typing.Union, types.UnionType) else (base,)
    if all(isinstance(item, type) and issubclass(item, (slicer.vtkMRMLNode, type(None))) for item in kinds):
        return UnionOfNodes(kinds) if len(kinds) > 1 else Node(base)
    raise TypeError(f"the host knows no parameters of type {kind}")


def split_annotations(kind: Any) -> tuple[Any, list[Any]]:
    base, *annotations = typing.get_args(kind) if typing.get_origin(kind) is typing.Annotated else (kind,)
    return base, annotations
