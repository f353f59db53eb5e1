"""Combo boxes for parameters that are one of some words: Slicer's own binding would show the words themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


class ComboBoxes:
    """Keeps combo boxes and the str parameters of their names equal; each entry shows a text in place of its value."""

    def __init__(self) -> None:
        self._boxes: dict[str, Any] = {}
        self._parameters: object | None = None

    def add(self, name: str, box: Any, values: Iterable[str], text: Callable[[str], str]) -> None:
        """Let this box stand for the parameter `name` and offer these values."""
        self._boxes[name] = box
        self.offer(name, values, text)
        box.connect("currentIndexChanged(int)", lambda index: self._chosen(name, index))

    def offer(self, name: str, values: Iterable[str], text: Callable[[str], str]) -> None:
        """Offer other values. The parameter stays as it is."""
        parameters, self._parameters = self._parameters, None
        self._boxes[name].clear()
        for value in values:
            self._boxes[name].addItem(text(value), value)
        self._parameters = parameters

    def follow(self, parameters: object | None) -> None:
        """Write into this wrapped parameter node from now on."""
        self._parameters = parameters

    def show(self) -> None:
        """Make the boxes say what the parameters are."""
        if self._parameters is not None:
            for name, box in self._boxes.items():
                box.setCurrentIndex(box.findData(getattr(self._parameters, name)))

    def _chosen(self, name: str, index: int) -> None:
        if self._parameters is not None and index >= 0:
            setattr(self._parameters, name, self._boxes[name].itemData(index))
