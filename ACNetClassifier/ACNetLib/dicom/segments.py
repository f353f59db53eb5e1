"""DICOM segmentation objects as label images: each frame is a slice of one segment (PS3.3 A.51), or in a label map one
of all segments (A.92).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.config import disable_value_validation
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, SegmentationStorage

from ACNetLib.dicom.frames import UNKNOWN_DEPTH_MM, Section, frame_headers, read_section
from ACNetLib.dicom.guard import pixels_of, read_dataset
from ACNetLib.dicom.pixels import ODD_VALUES, unreadable
from ACNetLib.dicom.values import number_of
from ACNetLib.errors import ACNetError
from ACNetLib.ventricle.segments import EXPECTED, labels_of_names, merge_segments

KINDS = ("BINARY", "FRACTIONAL", "LABELMAP")
LABEL_MAP_STORAGE = UID("1.2.840.10008.5.1.4.1.1.66.7")
"""Pydicom 3.0 has no name for it."""
SAME_PLACE_MM = 0.1
GAP_TOLERANCE = 0.05  # of the distance between slices
LARGEST_SLICE_COUNT = 256


def read_dicom_segments(path: Path) -> sitk.Image:
    """The left ventricle of a DICOM SEG object, its segments known by their labels.

    Slices without a frame are empty. Raises ACNetError for another or a damaged file, for segments that tell no
    ventricle and for frames that lie on no even grid.
    """
    try:
        with disable_value_validation():
            dataset = read_dataset(path)
            if dataset.get("SOPClassUID") not in {SegmentationStorage, LABEL_MAP_STORAGE}:
                raise ACNetError(f"{path.name}: it is a DICOM object of another kind; {EXPECTED}.")
            return _image(path, dataset)
    except InvalidDicomError as error:
        raise ACNetError(f"{path.name}: it is no image that can be read; {EXPECTED}.") from error
    except ODD_VALUES as error:
        raise unreadable(path) from error


def _image(path: Path, dataset: pydicom.FileDataset) -> sitk.Image:
    kind = str(dataset.get("SegmentationType"))
    if kind not in KINDS:
        raise ACNetError(f"{path.name}: its SegmentationType is {kind!r}; expected {', '.join(KINDS)}. {EXPECTED}.")
    names = {int(item.SegmentNumber): str(item.SegmentLabel) for item in dataset.SegmentSequence}
    labels = labels_of_names(names, path.name)
    headers = list(frame_headers(dataset))
    sections = [read_section(path, frame, header) for frame, header in enumerate(headers)]
    rows, columns = sections[0].matrix
    if number_of(dataset, "NumberOfFrames") != len(sections):
        raise unreadable(path)
    slices, distance_mm = _grid(sections, path.name)
    stored = pixels_of(dataset, path).reshape(len(sections), rows, columns)
    masks = {label: np.zeros((max(slices) + 1, rows, columns), bool) for label in labels.values()}
    for number, frame, mask in _masks(dataset, stored, set(labels)):
        masks[labels[number]][slices[frame]] |= mask
    image = sitk.GetImageFromArray(merge_segments(masks.items()))
    first = sections[slices.index(0)]
    image.SetOrigin(first.position.tolist())
    image.SetSpacing((*first.pixel_spacing[::-1].tolist(), distance_mm))
    image.SetDirection(np.column_stack([*first.orientation.reshape(2, 3), first.normal]).ravel().tolist())
    return image


def _masks(
    dataset: pydicom.Dataset, stored: np.ndarray, numbers: Collection[int]
) -> Iterator[tuple[int, int, np.ndarray]]:
    """The segments of these numbers: number, frame and mask (rows, columns) of each place where one is.

    stored: (frames, rows, columns).
    """
    if dataset.SegmentationType == "LABELMAP":
        yield from ((number, frame, stored[frame] == number) for number in numbers for frame in range(len(stored)))
        return
    is_fractional = dataset.SegmentationType == "FRACTIONAL"
    inside = stored > (float(dataset.MaximumFractionalValue) / 2 if is_fractional else 0)
    for frame, mask in enumerate(inside):
        number = _segment_number(dataset, frame)
        if number in numbers:
            yield number, frame, mask


def _segment_number(dataset: pydicom.Dataset, frame: int) -> int:
    """Of the segment that a frame belongs to; all frames of an object with one segment may share it."""
    shared = dataset.get("SharedFunctionalGroupsSequence") or [pydicom.Dataset()]
    for groups in (dataset.PerFrameFunctionalGroupsSequence[frame], shared[0]):
        if "SegmentIdentificationSequence" in groups:
            return int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
    raise AttributeError("it has no SegmentIdentificationSequence")


def _grid(sections: list[Section], name: str) -> tuple[list[int], float]:
    """The slice of each frame, and the distance between slices in mm."""
    first = sections[0]
    for section in sections:
        if not (
            np.allclose(section.orientation, first.orientation, atol=1e-3)
            and np.allclose(section.pixel_spacing, first.pixel_spacing)
        ):
            raise ACNetError(f"{name}: its frames are not parallel, or differ in their pixels' size. {EXPECTED}.")
    heights = np.array([first.height_of(section) for section in sections])
    heights -= heights.min()
    gaps = np.diff(np.sort(heights))
    gaps = gaps[gaps > SAME_PLACE_MM]
    extent = float(heights.max())
    distance_mm = extent / round(extent / float(gaps.min())) if gaps.size else first.depth_mm or UNKNOWN_DEPTH_MM
    slices = np.rint(heights / distance_mm)
    is_even = np.abs(heights - slices * distance_mm).max() <= GAP_TOLERANCE * distance_mm
    if not is_even or slices.max() >= LARGEST_SLICE_COUNT:
        raise ACNetError(f"{name}: the gaps between its slices are uneven. {EXPECTED}.")
    return [int(slice_) for slice_ in slices], distance_mm
