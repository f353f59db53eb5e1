"""How a colour node is filled with one of the continuous tables of ACNetLib.colors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer.util
from slicer import vtkMRMLColorTableNode

COLOR_COUNT = 256


def make_color_table(
    node: vtkMRMLColorTableNode, name: str, steps: Sequence[tuple[float, float, float]]
) -> vtkMRMLColorTableNode:
    """Fill the node with a continuous colour table through equally spaced steps."""
    places, position = np.linspace(0, 1, len(steps)), np.linspace(0, 1, COLOR_COUNT)
    channels = [np.interp(position, places, channel) for channel in zip(*steps, strict=True)]
    with slicer.util.NodeModify(node):  # one event in place of one a colour
        node.SetTypeToUser()
        node.SetNumberOfColors(COLOR_COUNT)
        for index, rgb in enumerate(zip(*channels, strict=True)):
            node.SetColor(index, f"{name} {index}", *rgb, 1.0)
    return node
