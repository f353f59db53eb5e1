"""What the user chose. Slicer stores it in the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Union

from slicer import (
    vtkMRMLLabelMapVolumeNode,
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLMarkupsROINode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
)
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.scene.display import Display

# Not every Slicer's wrapper knows A | B; it takes None for a union only where it is in it.
CenterParameter = Union[  # noqa: UP007
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLMarkupsROINode,
    vtkMRMLSegmentationNode,
    vtkMRMLLabelMapVolumeNode,
    None,
]
"""Where the left ventricle is: a control point or ROI in it, or its segmentation; None: it is searched."""
SECTION_CHOICES = ("all", "current", "chosen")


@parameterNodeWrapper
class ACNetParameters:
    """The choices of the panel.

    t1_volume - the T1 map to classify.
    other_slices - further T1 maps of the same exam, whose slices are pooled with its own; None where one is gone.
    sections - one of SECTION_CHOICES; "current": the one in the red view.
    chosen_sections - for "chosen": their numbers, with commas.
    center - where the left ventricle is: a control point or ROI in it, or its segmentation; without it it is searched.
    field_strength - "1.5" or "3", in tesla; empty: that of the image's header.
    model_name - one of ACNetClassifierLogic.models(); empty: the one for the field strength.
    prevalence - the share of DCM among those examined; 0: that of the model's training.
    reference_t1_mean, reference_t1_sd - septal T1 of the scanner's healthy volunteers in ms; a mean of 0: that which is
      remembered for the scanner, if any; an SD of 0: not known.
    device - one of ACNetLib.inference.device.DEVICE_REQUESTS.
    overlay, style, opacity - see ACNetLib.scene.display.Display.
    side_by_side - the T1 map alone beside the one with the overlay, in place of one view.
    crop_boxes - whether the outlines of what the network sees are shown.
    t1_colors - one of ACNetLib.scene.display.T1_COLORS.
    identify - what a reading list shows of the patient, one of ACNetLib.triage.rows.IDENTIFY.
    """

    t1_volume: vtkMRMLScalarVolumeNode
    other_slices: list[vtkMRMLScalarVolumeNode]
    sections: str = "all"
    chosen_sections: str = ""
    center: CenterParameter
    field_strength: str = ""
    model_name: str = ""
    prevalence: Annotated[float, WithinRange(0.0, 1.0)] = 0.0
    reference_t1_mean: float = 0.0
    reference_t1_sd: float = 0.0
    device: str = "auto"
    overlay: str = "combined"
    style: str = "bands"
    opacity: Annotated[float, WithinRange(0.0, 1.0)] = 0.5
    side_by_side: bool = False
    crop_boxes: bool = False
    t1_colors: str = "gray"
    identify: str = "none"

    if TYPE_CHECKING:  # some of what the decorator adds
        parameterNode: Any

        def __init__(self, parameterNode: Any) -> None: ...
        def connectGui(self, gui: Any) -> int: ...
        def disconnectGui(self, guiTag: int | None) -> None: ...


def volumes_of(parameters: ACNetParameters) -> list[vtkMRMLScalarVolumeNode]:
    """The chosen T1 map and the other slices of its exam; none where no T1 map is chosen."""
    first = parameters.t1_volume
    if first is None:
        return []
    return [first, *(other for other in parameters.other_slices if other is not None and other is not first)]


def reference_of(parameters: ACNetParameters) -> ReferenceT1 | None:
    """What the user gives as reference T1. Raises ACNetError for values that no such T1 has."""
    if not parameters.reference_t1_mean:
        return None
    return ReferenceT1(parameters.reference_t1_mean, parameters.reference_t1_sd or None)


def triage_options(parameters: ACNetParameters) -> list[str]:
    """The options of `acnet triage` that say the same. Raises ACNetError for a reference T1 that is none."""
    reference = reference_of(parameters)
    sd = "" if reference is None or reference.sd_ms is None else f",{reference.sd_ms:g}"
    options = {
        "--identify": parameters.identify,
        "--device": parameters.device,
        "--model": parameters.model_name,
        "--field": parameters.field_strength,
        "--prevalence": f"{parameters.prevalence:g}" if parameters.prevalence else "",
        "--reference-t1": "" if reference is None else f"{reference.mean_ms:g}{sd}",
    }
    return [part for option, value in options.items() if value for part in (option, value)]


def display_of(parameters: ACNetParameters) -> Display:
    return Display(
        overlay=parameters.overlay,
        style=parameters.style,
        opacity=parameters.opacity,
    )
