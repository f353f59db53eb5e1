"""T1 maps in DICOM: which images of a folder they are, and the volume that they form.

Only technical attributes are read from the headers, so that no patient identifier can reach a message.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
import SimpleITK as sitk
from pydicom.errors import InvalidDicomError
from pydicom.uid import EnhancedMRImageStorage, ParametricMapStorage

from ACNetLib.dicom_frames import (
    READING_ERRORS,
    build_image,
    frame_headers,
    number_of,
    read_section,
    stack_sections,
    unreadable,
)
from ACNetLib.dicom_score import T1_MAP_SCORE, HeaderScore, judge_header, t1_map_score, values_of
from ACNetLib.errors import ACNetError

__all__ = ["T1_MAP_SCORE", "DicomVolume", "read_dicom_volume", "t1_map_score"]

HEADER_TAGS = [
    "ImageType",
    "SOPClassUID",
    "Modality",
    "SeriesDescription",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "ImageComments",
    "ContentDescription",
    "ContrastBolusAgent",
    "MagneticFieldStrength",
    "PhotometricInterpretation",
    "BitsAllocated",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "RescaleSlope",
    "RescaleIntercept",
    "RealWorldValueMappingSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]
MULTI_FRAME_STORAGE = {EnhancedMRImageStorage, ParametricMapStorage}
MOST_LISTED = 12

# What a description may show: words of protocols and short numbers. All else could be a name that someone typed.
TECHNICAL_WORDS = re.compile(
    r"(sh)?molli|sasha|t1|t2|t1map|map(ping)?|moco|native|pre(con)?|post|long(t1)?|short(t1)?|sax?\d*|lax|[234]ch|"
    r"base|basal|mid|apex|apical|slices?|\d+slice|\d{1,3}(mm|i|min)?|gap|b2s|fitparams|r2|err|sd|ecv|mag|psir|orig|loc",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class DicomVolume:
    """Parallel sections as one 3-D float32 image, and what their headers tell.

    evidence: what made these images the T1 map. warnings: what the user should know of the choice.
    """

    image: sitk.Image
    field_strength_tesla: float | None
    simulated: bool
    evidence: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Image:
    """One image, a file or a frame of a file, by its header."""

    file: Path
    frame: int
    header: pydicom.Dataset
    score: HeaderScore

    @property
    def series_number(self) -> int | None:
        number = number_of(self.header, "SeriesNumber")
        return None if number is None else int(number)


def read_dicom_volume(path: Path, series: Sequence[int] = (), post_contrast: bool = False) -> DicomVolume:
    """The native T1 map among the DICOM images of a folder and its subfolders, or one DICOM image.

    Files that are not DICOM and images that are no T1 map are passed over. Series of the same orientation, matrix and
    spacing form one stack. `series` are the numbers of the only series to look at: of those, images pass that nothing
    in their headers speaks against, though nothing speaks for them, with a warning. `post_contrast` lets maps from
    after contrast pass. Raises ACNetError when there is no T1 map, when the T1 maps do not form one stack with even
    gaps, and for an incomplete file.
    """
    name = path.absolute().name
    images = _read_images(path, name, post_contrast)
    considered = images if not series else _of_series(images, series, name)
    chosen = [image for image in considered if image.score.is_t1_map]
    warnings: tuple[str, ...] = ()
    if not chosen and series:
        chosen = [image for image in considered if not image.score.against]
        warnings = ("Its header does not say that it is a T1 map; it was taken as one because you chose the series.",)
    if not chosen:
        raise _no_map(considered, name)
    try:
        sections, distance_mm = stack_sections(
            [read_section(image.file, image.frame, image.header) for image in chosen], name
        )
    except ACNetError as error:
        if len({image.header.SeriesInstanceUID for image in chosen}) == 1:
            raise
        raise ACNetError(
            f"{error} Found {_list_maps(chosen)}: choose with --series (one number, or several with commas) or give "
            "the folder of one series."
        ) from error
    return DicomVolume(
        build_image(sections, distance_mm),
        number_of(sections[0].header, "MagneticFieldStrength"),
        simulated=any("simulated" in str(section.header.get("ImageComments", "")).lower() for section in sections),
        evidence=_evidence(chosen),
        warnings=warnings,
    )


def _read_images(path: Path, name: str, post_contrast: bool) -> list[_Image]:
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    images = []
    for file in files:
        for frame, header in enumerate(_read_headers(file)):
            images.append(_Image(file, frame, header, judge_header(header, post_contrast)))
    if not images:
        raise ACNetError(f"{name}: found no DICOM image among {len(files)} files; expected a T1 map series.")
    return sorted(images, key=lambda image: image.series_number or 0)


def _read_headers(file: Path) -> list[pydicom.Dataset]:
    """The technical attributes of a DICOM file's frames; none for another kind of file."""
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=HEADER_TAGS)
        headers = list(frame_headers(header))  # pydicom converts values on access: a broken one shall show here
    except InvalidDicomError as error:
        if file.suffix.lower() in {".dcm", ".ima"}:
            raise unreadable(file) from error
        return []
    except READING_ERRORS as error:
        raise unreadable(file) from error
    if header.get("SOPClassUID") in MULTI_FRAME_STORAGE and (
        "PerFrameFunctionalGroupsSequence" not in header or number_of(header, "NumberOfFrames") != len(headers)
    ):
        raise unreadable(file)  # it ends within the functional groups
    if "SeriesInstanceUID" in header:
        return headers
    if file.name.upper() == "DICOMDIR":
        return []
    raise unreadable(file)


def _of_series(images: list[_Image], series: Sequence[int], name: str) -> list[_Image]:
    for number in series:
        if not any(image.series_number == number for image in images):
            raise ACNetError(f"{name}: there is no series {number}; found {_list_series(images)}.")
    return [image for image in images if image.series_number in series]


def _no_map(images: list[_Image], name: str) -> ACNetError:
    after_contrast = [image for image in images if image.score.post_contrast]
    if after_contrast:
        return ACNetError(
            f"{name}: its only T1 maps are from after contrast ({_list_maps(after_contrast)}: "
            f"{after_contrast[0].score.reasons[-1]}); expected a native T1 map. Give the native map's folder, or "
            "--post-contrast if you want the result all the same."
        )
    return ACNetError(
        f"{name}: none of its {len(images)} DICOM images is a native T1 map (found {_list_series(images)}); "
        "expected grey-scale MR images with T1 MAP in ImageType or a SeriesDescription that ends in _MOCO_T1, "
        "taken before contrast. If you know the series to be the T1 map, choose it with --series."
    )


def _list_maps(images: list[_Image]) -> str:
    """The series of T1 maps to choose from: number, description without what could name a patient, sections."""
    counts = Counter((image.series_number, image.header.SeriesInstanceUID, _description(image)) for image in images)
    return _limited(
        [
            f"series {number} ({description}, {count} section{'s' if count > 1 else ''})"
            for (number, _, description), count in counts.items()
        ]
    )


def _list_series(images: list[_Image]) -> str:
    """What a folder holds, and why it is no T1 map."""
    counts = Counter(
        (image.series_number, "\\".join(values_of(image.header, "ImageType")), image.score.reasons) for image in images
    )
    return _limited(
        [
            f"series {number}: {count} images of type {kind} ({', '.join(reasons) or 'no sign of a T1 map'})"
            for (number, kind, reasons), count in counts.items()
        ]
    )


def _limited(texts: list[str]) -> str:
    left_out = len(texts) - MOST_LISTED
    return "; ".join(texts[:MOST_LISTED]) + (f"; and {left_out} more" if left_out > 0 else "")


def _description(image: _Image) -> str:
    words = re.findall(r"[^\W_]+", str(image.header.get("SeriesDescription", "")))
    return " ".join(word if TECHNICAL_WORDS.fullmatch(word) else "..." for word in words) or "no description"


def _evidence(chosen: list[_Image]) -> str:
    """One text for all series whose reasons are the same."""
    series: dict[tuple[str, ...], list[str]] = {}
    for image in chosen:
        numbers = series.setdefault(image.score.reasons, [])
        if str(image.series_number) not in numbers:
            numbers.append(str(image.series_number))
    return "; ".join(
        f"series {', '.join(numbers)}: {', '.join(reasons) or 'chosen by the user'}"
        for reasons, numbers in series.items()
    )
