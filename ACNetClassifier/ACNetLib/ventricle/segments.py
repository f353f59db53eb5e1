"""Segments of the left ventricle: which label a name stands for, and segmentations read from files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL
from ACNetLib.volumes.header import VolumeHeader, is_volume_file
from ACNetLib.volumes.volume import place_image, read_values, read_volume, read_volume_header, with_spacing

SEGMENT_LABELS = {
    "myocardium": MYOCARDIUM_LABEL,
    "non-septal wall": MYOCARDIUM_LABEL,
    "free wall": MYOCARDIUM_LABEL,  # the non-septal wall's name in scenes of earlier versions
    "cavity": CAVITY_LABEL,
    "blood": CAVITY_LABEL,
    "blood pool": CAVITY_LABEL,
    "septum": SEPTUM_LABEL,
}
"""Names of segments, in small letters and without "LV" or "left ventricular" before them."""
WHOLE_LABEL = 4
"""Of a segment of any name that stands alone: only its centre is used."""
MOST_SEGMENTS = 100
EXPECTED = "expected a segmentation as NRRD (.seg.nrrd), NIfTI, MetaImage or DICOM SEG"
MOST_LISTED = 8

Key = TypeVar("Key")


@dataclass(frozen=True)
class Segment:
    """A segment of a `.seg.nrrd` file: the pixels of a layer that have a value."""

    name: str
    layer: int
    value: int


def labels_of_names(names: Mapping[Key, str], source: str) -> dict[Key, int]:
    """The labels of the segments that count. Raises ACNetError, which begins with `source`, when none does."""
    labels = {key: SEGMENT_LABELS[plain] for key, name in names.items() if (plain := _plain(name)) in SEGMENT_LABELS}
    if not labels and len(names) == 1:
        labels = dict.fromkeys(names, WHOLE_LABEL)
    if not labels:
        listed = ", ".join([*names.values()][:MOST_LISTED]) + (", ..." if len(names) > MOST_LISTED else "")
        raise ACNetError(
            f"{source}: its segments are {listed or 'none'}; expected myocardium and cavity, or a single one. "
            "Rename them."
        )
    return labels


def merge_segments(masks: Iterable[tuple[int, np.ndarray]]) -> np.ndarray:
    """Labels and masks of one shape as one label array, uint8. Where segments overlap the higher label wins: the
    cavity over the myocardium, the septum over both.
    """
    merged: np.ndarray | None = None
    for label, mask in sorted(masks, key=lambda item: item[0]):
        merged = np.zeros(mask.shape, np.uint8) if merged is None else merged
        merged[mask] = label
    assert merged is not None
    return merged


def read_segmentation(path: Path, spacing_mm: Sequence[float] = ()) -> sitk.Image:
    """A person's segmentation with the labels of ACNetLib.ventricle.labels: a label image, Slicer's segments
    (.seg.nrrd) or a DICOM SEG object. Of the latter two names and numbers of the segments count.

    spacing_mm: that which a person gives for its T1 map, of columns, rows and slices; it counts for a label image that
    tells none. Raises ACNetError for a missing or unreadable file, and for segments that tell no ventricle.
    """
    if not os.path.isfile(path):
        raise ACNetError(f"{path}: there is no such file; expected a segmentation as a label image.")
    if not is_volume_file(path.name):
        from ACNetLib.dicom.segments import read_dicom_segments

        return read_dicom_segments(path)
    name = path.absolute().name
    try:
        header = read_volume_header(path)
    except ACNetError as error:
        raise ACNetError(f"{error} For the ventricle: {EXPECTED}.") from error
    header = with_spacing(header, () if header.tells_spacing else spacing_mm, name)
    segments = _segments(header, name)
    if not segments:
        return read_volume(path, header)
    layers = read_values(path, header)
    labels = labels_of_names({segment: segment.name for segment in segments}, name)
    if any(not 0 <= segment.layer < len(layers) for segment in labels):
        raise ACNetError(f"{name}: a segment lies in a layer that it does not have. Save the segmentation again.")
    merged = merge_segments((label, layers[segment.layer] == segment.value) for segment, label in labels.items())
    image = sitk.GetImageFromArray(merged.reshape((1,) * (3 - merged.ndim) + merged.shape))
    if image.GetDimension() == 3:
        place_image(image, header)
    return image


def _segments(header: VolumeHeader, name: str) -> list[Segment]:
    """What Slicer's segmentation storage node (5.x) writes of each: Segment0_Name, _LabelValue and _Layer."""
    segments: list[Segment] = []
    while f"Segment{len(segments)}_Name" in header.keys and len(segments) < MOST_SEGMENTS:
        number = len(segments)
        value, layer = (header.keys.get(f"Segment{number}_{field}", "") for field in ("LabelValue", "Layer"))
        if not all(text == "" or (text.isdecimal() and len(text) < 6) for text in (value, layer)):
            raise ACNetError(f"{name}: value or layer of its segment {number} is no number. Save it again in Slicer.")
        # Slicer 4.10 and older: each segment in a layer of its own, with the value 1.
        older = number if header.components > 1 else 0
        segments.append(Segment(header.keys[f"Segment{number}_Name"], int(layer or older), int(value or 1)))
    return segments


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ").strip().removeprefix("lv ").removeprefix("left ventricular ")
