"""What a Python file uses of Slicer that the real Slicer doesn't have, found without running it.

Widgets are followed from `self.ui.name`, whose class the .ui file tells, and from `qt.QTimer()` through assignments,
loops and annotations. What can't be followed is not checked.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from slicer_host.real_api import API, NotExtracted, full_name, known, signatures

SET_BY_THE_APPLICATION = {"app", "dicomDatabase", "i18n", "modules", "mrmlScene", "packaging", "selfTests", "util"}
SET_BY_THE_APPLICATION |= {"ScriptedLoadableModule", "logic", "parameterNodeWrapper", "testing"}


@dataclass
class Names:
    """Of which classes the objects are that names stand for, and those in the collections that they stand for."""

    classes: dict[str, set[str]] = field(default_factory=dict)
    elements: dict[str, set[str]] = field(default_factory=dict)

    def copy(self) -> Names:
        return Names(dict(self.classes), dict(self.elements))

    def add(self, target: ast.expr, classes: set[str], elements: set[str]) -> None:
        if isinstance(target, (ast.Tuple, ast.List)) and target.elts:
            target = target.elts[-1]  # of `for name, widget in widgets.items()`
        text = ast.unparse(target)
        self.classes[text] = self.classes.get(text, set()) | classes
        self.elements[text] = self.elements.get(text, set()) | elements


class Reader:
    """`ui_classes` has the class of each widget of the .ui files by its name."""

    def __init__(self, ui_classes: Mapping[str, str]) -> None:
        self._ui_classes = ui_classes
        self.uses = 0
        self.connections = 0

    def mistakes(self, text: str) -> Iterator[str]:
        """In the text of a Python file, each with its line."""
        tree = ast.parse(text)
        of_file = Names()
        self._learn(tree, of_file, attributes_only=True)
        self._learn(tree, of_file, attributes_only=True)  # what the first time was told later
        seen: set[int] = set()
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and id(node) not in seen):
            names = of_file.copy()
            self._learn(function, names)
            self._learn(function, names)
            yield from self._judge(function, names, seen)
        yield from self._judge(tree, of_file, seen)

    def _learn(self, tree: ast.AST, names: Names, attributes_only: bool = False) -> None:
        for target, value, annotation in _bindings(tree):
            if attributes_only and not isinstance(target, ast.Attribute):
                continue
            classes = self._classes(value, names) if value is not None else set()
            if annotation is not None:
                classes = classes | self._class_of_call(annotation)
            names.add(target, classes, self._elements(value, names) if value is not None else set())
        if not attributes_only:
            for target, iterable in _loops(tree):
                names.add(target, self._elements(iterable, names), set())

    def _classes(self, value: ast.expr, names: Names) -> set[str]:
        match value:
            case ast.Attribute(value=ast.Attribute(attr="ui") | ast.Name(id="ui"), attr=widget):
                return {full_name(self._ui_classes[widget])} if widget in self._ui_classes else set()
            case ast.Call(func=function):
                return self._class_of_call(function)
            case ast.IfExp(body=first, orelse=second):
                return self._classes(first, names) | self._classes(second, names)
            case ast.Subscript(value=collection):
                return self._elements(collection, names)
        return names.classes.get(ast.unparse(value), set())

    def _class_of_call(self, function: ast.expr) -> set[str]:
        name = ast.unparse(function)
        return {name} & API["classes"].keys()

    def _elements(self, value: ast.expr, names: Names) -> set[str]:
        match value:
            case ast.Dict(values=items) | ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
                return set().union(*(self._classes(item, names) for item in items))
            case ast.Call(func=ast.Attribute(value=collection, attr="values" | "items")):
                return self._elements(collection, names)
        return names.elements.get(ast.unparse(value), set())

    def _judge(self, tree: ast.AST, names: Names, seen: set[int]) -> Iterator[str]:
        for node in ast.walk(tree):
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, ast.Attribute):
                yield from (f"line {node.lineno}: {mistake}" for mistake in self._attribute(node, names))
            elif isinstance(node, ast.Call):
                yield from (f"line {node.lineno}: {mistake}" for mistake in self._call(node, names))
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from (
                    f"line {node.lineno}: {node.module} has no {alias.name}"
                    for alias in node.names
                    if not _module_has(node.module, alias.name)
                )

    def _attribute(self, node: ast.Attribute, names: Names) -> Iterator[str]:
        owner = ast.unparse(node.value)
        if owner.split(".")[-1] == "ui" and node.attr not in self._ui_classes:
            yield f"the .ui file has no {node.attr}"
        for class_name in self._classes(node.value, names):
            self.uses += 1
            if node.attr not in known(class_name):
                yield f"a {class_name} has no {node.attr}"
        if not _module_has(owner, node.attr):
            yield f"{owner} has no {node.attr}"

    def _call(self, node: ast.Call, names: Names) -> Iterator[str]:
        if not isinstance(node.func, ast.Attribute):
            return
        package, name = ast.unparse(node.func.value), node.func.attr
        parameters = API["packages"].get(package, {}).get(name, {}).get("parameters")
        if parameters and not parameters[-1].startswith("**"):
            excess = {keyword.arg for keyword in node.keywords if keyword.arg} - set(parameters)
            yield from (f"{package}.{name} has no parameter {keyword}" for keyword in sorted(excess))
        for class_name in self._classes(node.func.value, names):
            if name in known(class_name, "properties") - known(class_name, "methods") - {"singleShot"}:
                yield f"{name} of a {class_name} is a property: it can't be called"
            if name in {"connect", "disconnect"} and node.args and isinstance(node.args[0], ast.Constant):
                self.connections += 1
                if node.args[0].value not in signatures(class_name):
                    yield f"a {class_name} has no signal {node.args[0].value!s}"


def _bindings(tree: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None, ast.expr | None]]:
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets, value=value):
                yield from ((target, value, None) for target in targets)
            case ast.AnnAssign(target=target, value=value, annotation=annotation):
                yield target, value, annotation
            case ast.NamedExpr(target=target, value=value):
                yield target, value, None
            case ast.arg(arg=name, annotation=annotation) if annotation is not None:
                yield ast.Name(name), None, annotation


def _loops(tree: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.comprehension)):
            yield node.target, node.iter


def _module_has(module: str, name: str) -> bool:
    if module in API["packages"]:
        return name in API["packages"][module]
    if module == "slicer.app":
        return name in API["app"]
    if module in {"qt", "ctk"} or (module == "slicer" and name not in SET_BY_THE_APPLICATION):
        return f"{module}.{name}" in API["names"]
    if module.startswith(("qt.", "ctk.")) and module in API["names"]:
        if module not in API["classes"]:
            raise NotExtracted(f"add {module} to CLASSES in extract_api.py and write slicer_api.json.gz anew")
        return name in known(module)
    return True
