"""What a stand-in widget observes in MRML."""

from __future__ import annotations

from collections.abc import Callable

import vtk
from PySide6.QtCore import QObject


class Observations:
    """Ends with the widget, as an observation by a C++ object does."""

    def __init__(self, observer: QObject) -> None:
        self._tags: list[tuple[vtk.vtkObject, int]] = []
        observer.destroyed.connect(self.end)

    def start(self, source: vtk.vtkObject, event: int, callback: Callable) -> None:
        self._tags.append((source, source.AddObserver(event, callback)))

    def end(self, _observer: QObject | None = None) -> None:
        for source, tag in self._tags:
            source.RemoveObserver(tag)
        self._tags.clear()

    def end_of(self, source: vtk.vtkObject) -> None:
        for observed, tag in [pair for pair in self._tags if pair[0] is source]:
            observed.RemoveObserver(tag)
            self._tags.remove((observed, tag))
