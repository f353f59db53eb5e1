"""The nodes of one study's result in a MRML scene."""

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
