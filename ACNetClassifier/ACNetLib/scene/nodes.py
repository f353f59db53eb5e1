"""The nodes of one study's result in a MRML scene, and what names and texts of nodes a scene's file can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slicer import vtkMRMLLabelMapVolumeNode, vtkMRMLScalarVolumeNode, vtkMRMLTableNode

if TYPE_CHECKING:  # a class of a loadable module is not there yet when Slicer reads this file
    from slicer import vtkMRMLMarkupsROINode


@dataclass(frozen=True)
class ResultNodes:
    """The nodes of one study's result.

    `labels` has those of OVERLAYS that there are, `maps` the values of the attention maps among them, `crop_boxes` one
    a section, by its index.
    """

    t1_volume: vtkMRMLScalarVolumeNode
    labels: dict[str, vtkMRMLLabelMapVolumeNode]
    maps: dict[str, vtkMRMLScalarVolumeNode]
    table: vtkMRMLTableNode
    crop_boxes: dict[int, vtkMRMLMarkupsROINode]


def printable(text: str) -> str:
    """A text without what a scene's file, which is XML, can't hold: control characters and what is no text."""
    return "".join(letter if letter.isprintable() else "_" for letter in text)


def node_name(name: str) -> str:
    """A name with which a node can be saved and read again: Slicer names its file so, and writes that name into the
    scene's file as it is (findings/slicer-core-names-of-files.sh).
    """
    return printable(name).replace("&", "and")
