"""The DICOM images that a T1 map was read from: what a DICOM object takes patient and study from, and refers to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import MRImageStorage, generate_uid
from pydicom.valuerep import DA, DS, TM

from ACNetLib.dicom.frames import FRAME_GROUPS, Section, frame_headers, read_section
from ACNetLib.dicom.guard import read_dataset
from ACNetLib.dicom.images import MULTI_FRAME_STORAGE, read_images
from ACNetLib.dicom.pixels import ODD_VALUES, unreadable
from ACNetLib.dicom.volumes import SourceSlice
from ACNetLib.errors import ACNetError, NotReferable
from ACNetLib.t1map.t1_map import T1Map

MAY_BE_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
)
"""The standard wants these in every object, if without a value; pseudonymized images often lack them."""
DATE, TIME = "a date such as 19570301", "a time such as 101500"
EXPECTED: dict[str, tuple[Callable[[str], object], str]] = {
    "PatientSex": (("M", "F", "O").index, "M, F or O"),
    "PatientBirthDate": (DA, DATE),
    "StudyDate": (DA, DATE),
    "StudyTime": (TM, TIME),
}
"""Of those that have a value, what reads it, with a ValueError for any other, and what is expected."""
SOURCE_ERRORS = (AttributeError, LookupError, ValueError, NotImplementedError, BytesLengthException)
"""What highdicom raises of images that it can't take as sources; the text may hold values of the patient."""
WITHOUT = "Or leave --dicom out."
OFF_BY_PIXELS, OFF_BY_THICKNESS = 0.25, 0.5
"""How far a slice of a volume may lie from its image, within and across its plane: a volume has even gaps."""


@dataclass(frozen=True, eq=False)
class SourceImage:
    """Of one slice. header: of its file, without the groups of its frames. frame: in a multi-frame object its number
    from 1, as DICOM counts, else None. of_frame: what its groups tell.
    """

    header: Dataset
    frame: int | None
    of_frame: Dataset

    def alone(self) -> Dataset:
        """A copy as an image of one frame; one of several has a UID of its own."""
        copy = deepcopy(self.header)
        if self.frame is not None:
            copy.update(deepcopy(self.of_frame))
            copy.pop("NumberOfFrames", None)
            copy.SOPClassUID, copy.SOPInstanceUID = MRImageStorage, generate_uid()
        if "SliceThickness" not in copy:
            copy.SliceThickness = ""
        return copy


@dataclass(frozen=True, eq=False)
class SourceImages:
    """The images of a T1 map's slices, in their order. gap_mm: from slice to slice in the map; of a single one, its
    thickness.
    """

    slices: tuple[SourceImage, ...]
    gap_mm: float

    @property
    def headers(self) -> tuple[Dataset, ...]:
        """Of the files, each once."""
        return tuple({id(each.header): each.header for each in self.slices}.values())

    def as_one_stack(self) -> list[Dataset]:
        """Copies as highdicom wants the sources of a segmentation, one a slice: images of one frame, of one series and
        of exactly one orientation.

        A T1 map may be of frames of one or several multi-frame objects, of which highdicom (0.28.2) takes only one, and
        whole; of several series; and its orientations may differ by rounding. SpacingBetweenSlices is that of the
        map: highdicom takes over what the images tell, often that of a stack from which these slices were chosen, and
        invents 1 mm for a single one that does not tell it.
        """
        copies = [each.alone() for each in self.slices]
        first = copies[0]
        for each in copies:
            each.SeriesInstanceUID = first.SeriesInstanceUID
            each.ImageOrientationPatient = first.ImageOrientationPatient
            each.SpacingBetweenSlices = DS(self.gap_mm, auto_format=True)
        return copies

    def refused(self, map_name: str, kind: str) -> NotReferable:
        """That no object of this kind can be made of the images of a map."""
        return NotReferable(
            f"A DICOM {kind} can't refer to the images of {map_name}; expected MR, Enhanced MR or Parametric Map "
            "objects with complete and valid attributes. Export them again from their source."
        )

    def refer(self, derived: Dataset) -> None:
        """Lets an object made of `as_one_stack` refer to the files, series and frames as they are."""
        uids = [str(reference.ReferencedSOPInstanceUID) for reference in derived.SourceImageSequence]
        of_copies = dict(zip(uids, self.slices, strict=True))
        # The frames of several segments may share one reference.
        for reference in {id(each): each for each in _frame_references(derived)}.values():
            source = of_copies[str(reference.ReferencedSOPInstanceUID)]
            _refer_to(reference, source.header)
            if source.frame is not None:
                reference.ReferencedFrameNumber = source.frame
        derived.SourceImageSequence = [_refer_to(Dataset(), header) for header in self.headers]
        for reference, header in zip(derived.SourceImageSequence, self.headers, strict=True):
            frames = [each.frame for each in self.slices if each.header is header]
            if None not in frames and len(frames) < int(header.get("NumberOfFrames") or 1):  # else it means all of them
                reference.ReferencedFrameNumber = frames
        by_series: dict[str, list[Dataset]] = {}
        for header in self.headers:
            by_series.setdefault(str(header.SeriesInstanceUID), []).append(_refer_to(Dataset(), header))
        derived.ReferencedSeriesSequence = [_series(uid, references) for uid, references in by_series.items()]


def read_sources(t1_map: T1Map) -> SourceImages:
    """The headers of the images that a T1 map was read from.

    Raises NotReferable for a map that was not read from DICOM, and for images that can't be the source of one object;
    ACNetError for those that can't be read now.
    """
    name = t1_map.name
    if not t1_map.sources:
        raise NotReferable(
            f"{name} is no DICOM; expected a DICOM folder, for DICOM results take patient and study from its images.",
            cli="Give that folder, or leave --dicom out.",
        )
    headers = dict[Path, Dataset]()
    for file in dict.fromkeys(source.file for source in t1_map.sources):
        try:
            headers[file] = read_dataset(file, stop_before_pixels=True)
        except (InvalidDicomError, *ODD_VALUES) as error:
            raise unreadable(file) from error
    if not all(header.get("SOPInstanceUID") for header in headers.values()):
        raise NotReferable(
            f"The images of {name} do not all tell their SOPInstanceUID; expected one in each, for a DICOM object "
            "refers to them by it. Export them again from their source.",
            cli=WITHOUT,
        )
    frames_of_reference = {str(header.get("FrameOfReferenceUID", "")) for header in headers.values()}
    if "" in frames_of_reference or len(frames_of_reference) > 1:
        raise NotReferable(
            f"The images of {name} do not tell one FrameOfReferenceUID; expected the same in all of them, for a DICOM "
            "segmentation lies in it. Export them again from their source.",
            cli=WITHOUT,
        )
    for header in headers.values():
        for keyword in MAY_BE_EMPTY:
            if keyword not in header:
                setattr(header, keyword, "")
    with disable_value_validation():  # pydicom logs the values that it complains of
        _check_taken_over(headers[t1_map.sources[0].file], name)
    frames = {file: _taken_apart(header) for file, header in headers.items()}
    slices = tuple(
        SourceImage(
            headers[source.file],
            source.frame + 1 if _is_multi_frame(headers[source.file]) else None,
            frames[source.file][source.frame],
        )
        for source in t1_map.sources
    )
    return SourceImages(slices, t1_map.image.GetSpacing()[2])


def _check_taken_over(header: Dataset, name: str) -> None:
    """Raises NotReferable for a value of the patient or the study that no DICOM object may have. It is not told."""
    for keyword, (read, expected) in EXPECTED.items():
        value = str(header[keyword].value or "")
        try:
            if value:
                read(value)
        except ValueError as error:
            raise NotReferable(
                f"{name}: the {keyword} of its images is not valid; expected {expected}, or nothing. Correct it in the "
                "images, for DICOM results take patient and study from them.",
                cli=WITHOUT,
            ) from error


def with_sources(t1_map: T1Map, files: Sequence[Path]) -> T1Map:
    """The map with the images of its slices, for one that comes from a scene: found among files by where they lie.

    Raises ACNetError where no image has the pixels of a slice, as of a map that was moved, cut or resampled, and for
    images that can't be read.
    """
    images, _ = read_images(files, post_contrast=True)
    images = [image for image in images if image.score.is_t1_map] or images
    sections = [read_section(image.file, image.frame, image.header) for image in images]
    sources = []
    for section in range(t1_map.section_count):
        found = min(sections, key=lambda each: _distance(t1_map, section, each), default=None)
        if found is None or np.isinf(_distance(t1_map, section, found)):
            raise ACNetError(
                f"{t1_map.name}: its slice {section} has no DICOM image with the same pixels; expected one a slice, in "
                "the place where it was acquired. Load the series again and classify it as it is."
            )
        sources.append(SourceSlice(found.file, found.frame))
    return replace(t1_map, sources=tuple(sources))


def _distance(t1_map: T1Map, section: int, image: Section) -> float:
    """How far a slice of the map lies from an image across its plane, mm; infinite for one with other pixels."""
    columns, rows, _ = t1_map.image.GetSize()
    depth_mm = image.depth_mm or t1_map.image.GetSpacing()[2]
    if image.matrix != (rows, columns):
        return np.inf
    corners = np.array([(0, 0), (columns - 1, 0), (0, rows - 1)])
    of_image = image.position + (corners * image.pixel_spacing[::-1]) @ image.orientation.reshape(2, 3)
    of_map = [t1_map.image.TransformIndexToPhysicalPoint((*corner, section)) for corner in corners.tolist()]
    offsets = np.array(of_map) - of_image
    across = offsets @ image.normal
    within = np.linalg.norm(offsets - np.outer(across, image.normal), axis=1).max()
    distance = float(np.abs(across).max())
    is_far = within > OFF_BY_PIXELS * image.pixel_spacing.min() or distance > OFF_BY_THICKNESS * depth_mm
    return np.inf if is_far else distance


def _is_multi_frame(header: Dataset) -> bool:
    return header.get("SOPClassUID") in MULTI_FRAME_STORAGE


def _taken_apart(header: Dataset) -> list[Dataset]:
    """What the groups of each frame tell. They are taken out of the header, of which nothing else is decoded: any
    element of it may be odd.
    """
    groups = Dataset()
    groups.update({header[keyword].tag: header.pop(keyword) for keyword in FRAME_GROUPS if keyword in header})
    return list(frame_headers(groups))


def _refer_to(reference: Dataset, header: Dataset) -> Dataset:
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    return reference


def _series(uid: str, references: list[Dataset]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = uid
    series.ReferencedInstanceSequence = references
    return series


def _frame_references(derived: Dataset) -> Iterator[Dataset]:
    for groups in derived.PerFrameFunctionalGroupsSequence:
        for derivation in groups.DerivationImageSequence:
            yield from derivation.SourceImageSequence
