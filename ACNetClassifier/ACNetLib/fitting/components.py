"""What of a recovery an image shows, and whether it can be of one, by its header alone."""

from __future__ import annotations

import re
from typing import Literal

import pydicom

from ACNetLib.dicom.images import DicomImage
from ACNetLib.dicom.score import T1_MAP_TYPES
from ACNetLib.dicom.values import values_of

Component = Literal["magnitude", "phase", "signed"]
OTHERS = {"T2", "T2STAR", "ERR", "SD", "R2", "FITPARAMS", "CINE", "LOCALIZER", "MOSAIC"}
"""Words of maps and images that show no recovery."""
PICTURE_BITS = 8


def is_plain_mr(image: DicomImage) -> bool:
    """Whether it is no map, picture or image of another kind."""
    header = image.header
    types = {str(value).upper() for value in values_of(header, "ImageType")}
    if image.score.is_t1_map or types & {*T1_MAP_TYPES, "ECV"}:  # in a description ECV may name the protocol
        return False
    if header.get("BitsAllocated") == PICTURE_BITS or "MONOCHROME" not in str(header.get("PhotometricInterpretation")):
        return False
    return str(header.get("Modality", "MR")) == "MR" and not OTHERS & words_of(header)


def words_of(header: pydicom.Dataset) -> set[str]:
    """Of its type and description."""
    named = [*map(str, values_of(header, "ImageType")), str(header.get("SeriesDescription", ""))]
    return set(re.split(r"[^A-Z0-9]+", " ".join(named).upper()))


def component_of(header: pydicom.Dataset) -> Component | None:
    """What of the signal it shows; None of real and imaginary images, whose sign is that of the coil's phase, too."""
    if "PSIR" in words_of(header):
        return "signed"
    told = (*values_of(header, "ImageType"), *values_of(header, "ComplexImageComponent"))
    parts = {str(value).upper() for value in told}
    if parts & {"P", "PHASE"}:
        return "phase"
    return None if parts & {"R", "I", "REAL", "IMAGINARY"} else "magnitude"
