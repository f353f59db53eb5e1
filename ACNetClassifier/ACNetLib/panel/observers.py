"""Observers of nodes that keep nothing of a node once another one is followed.

Slicer's VTKObservationMixin (5.13) keeps whatever it has ever observed, images too, until the panel is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


class Observers:
    """Calls one method at the events of the nodes that are followed."""

    def __init__(self, method: Callable[..., None], events: Iterable[Any], priority: float = 0.0) -> None:
        self._method, self._events, self._priority = method, tuple(events), priority
        self._nodes: tuple[Any, ...] = ()
        self._tags: list[tuple[Any, int]] = []

    def follow(self, nodes: Iterable[Any]) -> None:
        """These from now on, and no other."""
        nodes = tuple(nodes)
        if nodes == self._nodes:
            return
        for node, tag in self._tags:
            node.RemoveObserver(tag)
        self._nodes = nodes
        self._tags = [
            (node, node.AddObserver(event, self._method, self._priority)) for node in nodes for event in self._events
        ]
