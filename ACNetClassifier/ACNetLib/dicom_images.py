"""DICOM images by their headers: what is read of each, how much speaks for a T1 map, how they are named to a person.

Only technical attributes are read, so that no patient identifier can reach a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.config import disable_value_validation
from pydicom.errors import InvalidDicomError
from pydicom.uid import EnhancedMRImageStorage, ParametricMapStorage

from ACNetLib.dicom_frames import (
    READING_ERRORS,
    Section,
    frame_headers,
    number_of,
    odd_values_refused,
    read_section,
    stack_sections,
    unreadable,
)
from ACNetLib.dicom_guard import read_dataset
from ACNetLib.dicom_score import HeaderScore, judge_header

HEADER_TAGS = [
    "ImageType",
    "SOPClassUID",
    "Modality",
    "SeriesDescription",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "ImageComments",
    "Manufacturer",
    "ManufacturerModelName",
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

# What a description may show: words of protocols and short numbers. All else could be a name that someone typed.
TECHNICAL_WORDS = re.compile(
    r"(sh)?molli|sasha|t1|t2|t1map|map(ping)?|moco|native|pre(con)?|post|long(t1)?|short(t1)?|sax?\d*|lax|[234]ch|"
    r"base|basal|mid|apex|apical|slices?|\d+slice|\d{1,3}(mm|i|min)?|gap|b2s|fitparams|r2|err|sd|ecv|mag|psir|orig|loc",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class DicomImage:
    """One image, a file or a frame of a file, by its header."""

    file: Path
    frame: int
    header: pydicom.Dataset
    score: HeaderScore

    @property
    def series_number(self) -> int | None:
        number = number_of(self.header, "SeriesNumber")
        return None if number is None else int(number)

    @property
    def description(self) -> str:
        """The series' description; "..." stands for each word that could name a patient."""
        return " ".join(word if TECHNICAL_WORDS.fullmatch(word) else "..." for word in self._words) or "no description"

    @property
    def technical_description(self) -> str:
        """The series' description without words that could name a patient; may be empty."""
        return " ".join(word for word in self._words if TECHNICAL_WORDS.fullmatch(word))

    @property
    def _words(self) -> list[str]:
        return re.findall(r"[^\W_]+", str(self.header.get("SeriesDescription", "")))


def read_images(files: Iterable[Path], post_contrast: bool = False) -> list[DicomImage]:
    """The images of all DICOM files among these, by series number. Raises ACNetError for an incomplete file.

    With `post_contrast`, contrast does not speak against a T1 map.
    """
    images = [image for file in files for image in _images_of(file, post_contrast)]
    return sorted(images, key=lambda image: image.series_number or 0)


def _images_of(file: Path, post_contrast: bool) -> list[DicomImage]:
    with odd_values_refused(file):
        images = [
            DicomImage(file, frame, header, judge_header(header, post_contrast))
            for frame, header in enumerate(_read_headers(file))
        ]
        for image in images:
            _ = image.series_number  # a whole number, or none
    return images


def scanner_name(manufacturer: object, model: object) -> str:
    """Both in one line, such as "SIEMENS Avanto"; "" where one of them is not told."""
    names = [
        "".join(letter if letter.isprintable() else " " for letter in str(name or "")) for name in (manufacturer, model)
    ]
    return " ".join(" ".join(names).split()) if all(name.strip() for name in names) else ""


def stack_images(images: Iterable[DicomImage], name: str) -> tuple[list[Section], float]:
    """Their sections along the normal and the mean distance in mm. Raises ACNetError when they form no stack."""
    return stack_sections([read_section(image.file, image.frame, image.header) for image in images], name)


def evidence_of(chosen: Iterable[DicomImage]) -> str:
    """What made these images the T1 map: one text for all series whose reasons are the same."""
    series: dict[tuple[str, ...], list[str]] = {}
    for image in chosen:
        numbers = series.setdefault(image.score.reasons, [])
        if str(image.series_number) not in numbers:
            numbers.append(str(image.series_number))
    return "; ".join(
        f"series {', '.join(numbers)}: {', '.join(reasons) or 'chosen by the user'}"
        for reasons, numbers in series.items()
    )


def _read_headers(file: Path) -> list[pydicom.Dataset]:
    """The technical attributes of a DICOM file's frames; none for another kind of file."""
    try:
        with disable_value_validation():  # pydicom logs the values that it complains of
            header = read_dataset(file, stop_before_pixels=True, specific_tags=HEADER_TAGS)
            headers = list(frame_headers(header))  # it converts values on access: a broken one shall show here
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
        if header["SeriesInstanceUID"].VM > 1:
            raise unreadable(file)  # a damaged one: series are told apart by it
        return headers
    if file.name.upper() == "DICOMDIR":
        return []
    raise unreadable(file)
