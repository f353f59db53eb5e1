"""What a person may choose about a classification, beside the T1 map, the model, the localizer and the device."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import SimpleITK as sitk

    from ACNetLib.reference.t1 import ReferenceT1
    from ACNetLib.ventricle.labels import Point

Progress = Callable[[str, float], None]
"""Is told the step, such as "ventricle" or "range", and which part of the work is done, 0 to 1. What it raises ends the
work: so it can be cancelled."""


@dataclass(frozen=True, eq=False)
class Settings:
    """How a T1 map is to be classified.

    center_mm, segmentation: where a person says that the left ventricle is, its centre (LPS mm) or its labels; without
    either the localizer finds it. sections: those to classify, by default all. prevalence_dcm: the share of DCM among
    those examined, by default the one that the model was trained for. reference: the normal T1 of the map's scanner,
    with which the networks see the map in the scale of the model's training; the measures stay in the scanner's own.
    allow_field_mismatch: also with a model for another field strength, marked as not valid.
    """

    center_mm: Point | None = None
    segmentation: sitk.Image | None = None
    sections: Collection[int] | None = None
    prevalence_dcm: float | None = None
    reference: ReferenceT1 | None = None
    allow_field_mismatch: bool = False


def unwatched(_step: str, _fraction: float) -> None:
    """Progress that nobody follows."""
