"""Slicer's own loadable modules: when their Python classes come, and what is missing when the user has disabled one.

Slicer instantiates all modules in the order of their names. A scripted module's file runs then, and the classes of a
loadable module enter the `slicer` package then: a file may use those of modules before its own. late_classes.json lists
them by module, from the headers of the Slicer that it names; classes of the MRML core are always there.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import slicer

LATE_CLASSES: dict[str, list[str]] = json.loads(Path(__file__).with_name("late_classes.json").read_text("utf-8"))[
    "modules"
]


def add_loadable_modules() -> None:
    """Let Slicer's modules be found as `slicer.modules.nameinlowercase`."""
    for name in LATE_CLASSES:
        setattr(slicer.modules, name.lower(), SimpleNamespace(name=name, title=name))


def has_loadable_module(name: str) -> bool:
    return name in LATE_CLASSES and hasattr(slicer.modules, name.lower())


@contextmanager
def while_instantiating(name: str) -> Iterator[None]:
    """`slicer` as a module file of this name finds it: without the classes of modules that come after it."""
    with _without([module for module in LATE_CLASSES if module > name]):
        yield


@contextmanager
def disabled(*names: str) -> Iterator[None]:
    """As if Slicer had been started with these modules ignored in its settings."""
    modules = {name.lower(): vars(slicer.modules).pop(name.lower()) for name in names}
    with _without(names):
        yield
    vars(slicer.modules).update(modules)


@contextmanager
def _without(modules: Collection[str]) -> Iterator[None]:
    names = {name for module in modules for name in LATE_CLASSES[module]}
    taken = {name: vars(slicer).pop(name) for name in names & vars(slicer).keys()}
    try:
        yield
    finally:
        vars(slicer).update(taken)
