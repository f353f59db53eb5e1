"""What of a recovery an image shows, and whether it can be of one, by its header alone."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import pydicom

from ACNetLib.dicom.images import DicomImage
from ACNetLib.dicom.score import T1_MAP_TYPES
from ACNetLib.dicom.values import number_of, values_of
from ACNetLib.fitting.times import times_of

Component = Literal["magnitude", "phase", "signed"]
OTHERS = {"T2", "T2STAR", "ERR", "SD", "R2", "FITPARAMS", "CINE", "LOCALIZER", "MOSAIC"}
"""Words of maps and images that show no recovery."""
PICTURE_BITS = 8


def is_plain_mr(image: DicomImage) -> bool:
    """Whether its type names no map and it is no picture or image of another kind."""
    header = image.header
    types = {str(value).upper() for value in values_of(header, "ImageType")}
    if types & {*T1_MAP_TYPES, "ECV"}:  # in a description ECV may name the protocol
        return False
    if header.get("BitsAllocated") == PICTURE_BITS or "MONOCHROME" not in str(header.get("PhotometricInterpretation")):
        return False
    return str(header.get("Modality", "MR")) == "MR" and not OTHERS & words_of(header)


def without_maps(places: Sequence[list[DicomImage]]) -> list[list[DicomImage]]:
    """The images of each place without T1 maps, by their score. Recovery images too may be derived and named after the
    map: no series is one that has at any place images at as many times as a recovery.
    """
    named = defaultdict[tuple[int, str], list[DicomImage]](list)
    for number, images in enumerate(places):
        for image in images:
            if image.score.is_t1_map:
                named[number, str(image.header.SeriesInstanceUID)].append(image)
    recoveries = {series for (_, series), each in named.items() if times_of([image.header for image in each])[0]}
    plain = (
        [each for each in images if not each.score.is_t1_map or str(each.header.SeriesInstanceUID) in recoveries]
        for images in places
    )
    return [images for images in plain if images]


def words_of(header: pydicom.Dataset) -> set[str]:
    """Of its type and description."""
    named = [*map(str, values_of(header, "ImageType")), str(header.get("SeriesDescription", ""))]
    return set(re.split(r"[^A-Z0-9]+", " ".join(named).upper()))


def component_of(header: pydicom.Dataset) -> Component | None:
    """What of the signal it shows; None of real and imaginary images, whose sign is that of the coil's phase, too."""
    told = (*values_of(header, "ImageType"), *values_of(header, "ComplexImageComponent"))
    parts, words = {str(value).upper() for value in told}, words_of(header)
    if "PSIR" in parts:
        return "signed"
    if parts & {"P", "PHASE"}:
        return "phase"
    if "PSIR" in words:  # the protocol's magnitude images are called so too; a magnitude is not stored below zero
        is_magnitude = bool(parts & {"M", "MAGNITUDE"} or words & {"MAG", "MAGNITUDE"})
        return "magnitude" if is_magnitude and (number_of(header, "RescaleIntercept") or 0.0) >= 0 else "signed"
    return None if parts & {"R", "I", "REAL", "IMAGINARY"} else "magnitude"
