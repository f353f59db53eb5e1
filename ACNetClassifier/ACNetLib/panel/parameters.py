"""What the user chose. Slicer stores it in the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from slicer import vtkMRMLMarkupsFiducialNode, vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper


@parameterNodeWrapper
class ACNetParameters:
    """The choices of the panel.

    t1_volume - the T1 map to classify.
    center - a control point in the left ventricle; without it the middle of the image is used.
    model_name - one of ACNetClassifierLogic.models(); the panel puts the first one in place of a name that isn't there.
    device - one of ACNetLib.device.DEVICE_REQUESTS.
    attention_map - which of ACNetLib.attention.ATTENTION_MAPS lies over the T1 map.
    opacity - of that overlay.
    """

    t1_volume: vtkMRMLScalarVolumeNode
    center: vtkMRMLMarkupsFiducialNode
    model_name: str = ""
    device: str = "auto"
    attention_map: str = "combined"
    opacity: Annotated[float, WithinRange(0.0, 1.0)] = 0.5

    if TYPE_CHECKING:  # some of what the decorator adds

        def __init__(self, parameterNode: Any) -> None: ...
        def connectGui(self, gui: Any) -> int: ...
        def disconnectGui(self, guiTag: int | None) -> None: ...
