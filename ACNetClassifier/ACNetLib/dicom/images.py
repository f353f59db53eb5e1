"""DICOM images by their headers: what is read of each, how much speaks for a T1 map, how they are named to a person.

Only technical attributes are read, so that no patient identifier can reach a message: of the patient's number, name and
date of birth hashes, to compare; of the dates of birth and study the age that lies between them.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pydicom
from pydicom.config import disable_value_validation
from pydicom.errors import InvalidDicomError
from pydicom.uid import (
    UID,
    EnhancedMRImageStorage,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedMRImageStorage,
    MediaStorageDirectoryStorage,
    MRImageStorage,
    ParametricMapStorage,
)

from ACNetLib.dicom.frames import Section, frame_headers, read_section, stack_sections
from ACNetLib.dicom.guard import read_dataset
from ACNetLib.dicom.origin import EXAM, NAMED, in_one_line, named
from ACNetLib.dicom.pixels import LOSSY_SYNTAXES, ODD_VALUES, odd_values_refused, require_decoder, unreadable
from ACNetLib.dicom.score import HeaderScore, agent_was_replaced, judge_header
from ACNetLib.dicom.values import PADDING, PADDING_LIMITS, PHILIPS, number_of, scale_of
from ACNetLib.errors import ACNetError

HEADER_TAGS = [
    "ImageType",
    "ComplexImageComponent",
    "SOPClassUID",
    "SOPInstanceUID",
    "Modality",
    "SeriesDescription",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "AcquisitionNumber",
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "InstanceNumber",
    "ImageComments",
    "Manufacturer",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "PatientAge",
    "ContentDescription",
    "ContrastBolusAgent",
    "ContrastBolusAgentSequence",
    "ContrastBolusVolume",
    "ContrastBolusTotalDose",
    "BurnedInAnnotation",
    "MagneticFieldStrength",
    "EchoTime",
    "InversionTime",
    "TriggerTime",
    "ProtocolName",
    "SequenceName",
    "PhotometricInterpretation",
    "BitsAllocated",
    "PixelRepresentation",
    *PADDING,
    *PADDING_LIMITS,
    "LossyImageCompression",
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
MULTI_FRAME_STORAGE = {EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage, ParametricMapStorage}
IMAGE_STORAGE = {MRImageStorage, *MULTI_FRAME_STORAGE}
"""In which T1 maps come: such an object without rows is an incomplete image, others are none."""
DICOM_SUFFIXES = {".dcm", ".ima"}
BLOCK_BYTES = 4096
"""In which disks store a file: of a copy that ended early some may be there and hold zeros."""

YEARS_OF_ADULTS = 18
A_YEAR_IN = {"Y": 1, "M": 12, "W": 52, "D": 365}
AGE = re.compile(r"(?!0+[YMWD])(\d{1,3})([YMWD])")
"""As DICOM writes it: 012Y, 018M; 000Y and 0Y tell nothing."""
DATES_OF_AGE = ("PatientBirthDate", "StudyDate")
LONGEST_AGE_YEARS = 120
"""Dates farther apart are no person's, as where one of them was made 1900 to hide it."""
REPLACED_AGENT = (
    "Its contrast agent's name was made anonymous, as that of none is, too: the headers don't tell whether the map is "
    "from after contrast."
)
CHILD = (
    f"The patient is younger than {YEARS_OF_ADULTS} years (PatientAge, or from PatientBirthDate to StudyDate): result "
    "not valid, the model knows hearts of adults' size only."
)

# What a description may show: words of protocols and short numbers. All else could be a name that someone typed.
TECHNICAL_WORDS = re.compile(
    r"(sh)?molli|sasha|t1|t2|t1map|map(ping)?|moco|native|pre(con)?|post|long(t1)?|short(t1)?|sax?\d*|lax|[234]ch|"
    r"base|basal|mid|apex|apical|slices?|\d+slice|\d{1,3}(mm|i|min)?|gap|b2s|fitparams|r2|err|sd|ecv|mag|psir|orig|loc",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class DicomImage:
    """One image, a file or a frame of a file, by its header. syntax: how its pixels are encoded."""

    file: Path
    frame: int
    header: pydicom.Dataset
    score: HeaderScore
    syntax: UID

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


def read_images(files: Iterable[Path], post_contrast: bool = False) -> tuple[list[DicomImage], tuple[str, ...]]:
    """The images of all DICOM files among these, by series number, and a note on files that only look like images.

    With `post_contrast`, contrast does not speak against a T1 map. Raises ACNetError for an incomplete image.
    """
    images: list[DicomImage] = []
    skipped: Counter[str] = Counter()
    for file in files:
        content = _read_file(file)
        if isinstance(content, pydicom.FileDataset):
            images += _images_of(file, content, post_contrast)
        elif content:
            skipped[content] += 1
    kinds = ", ".join(f"{kind} ({count})" for kind, count in sorted(skipped.items()))
    notes = (f"Skipped files that are no images: {kinds}.",) if skipped else ()
    return sorted(images, key=lambda image: image.series_number or 0), notes


def scanner_name(manufacturer: object, model: object) -> str:
    """Both in one line, such as "SIEMENS Avanto"; "" where one of them is not told."""
    names = [in_one_line(name) for name in (manufacturer, model)]
    return " ".join(names) if all(names) else ""


def stack_images(images: Iterable[DicomImage], name: str) -> tuple[list[Section], float]:
    """Their sections along the normal and the mean distance in mm.

    Raises ACNetError when they form no stack, and for pixels that can't be decoded here or made ms.
    """
    images = list(images)
    for image in images:
        require_decoder(image.file, image.syntax)
        with odd_values_refused(image.file):
            scale_of(image.header, image.file.name)
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


def header_warnings(images: Collection[DicomImage]) -> tuple[str, ...]:
    """What a reader should know of images that are read all the same."""
    return (*_age_warnings(images), *_loss_warnings(images), *_agent_warnings(images))


def _agent_warnings(images: Iterable[DicomImage]) -> tuple[str, ...]:
    """Whether nobody knows any more if the patient was given contrast."""
    if any(agent_was_replaced(image.header) for image in images):
        return (REPLACED_AGENT,)
    return ()


def _loss_warnings(images: Iterable[DicomImage]) -> tuple[str, ...]:
    """Whether T1 is no longer what the scanner computed, because the pixels were compressed with loss."""
    if any(image.syntax in LOSSY_SYNTAXES or image.header.get("LossyImageCompression") == "01" for image in images):
        return ("Its pixels were compressed with loss (LossyImageCompression): T1 may differ from the scanner's.",)
    return ()


def _age_warnings(images: Iterable[DicomImage]) -> tuple[str, ...]:
    """Whether the patient is a child, whose dilated heart is as large as an adult's normal one."""
    ages = [AGE.fullmatch(str(image.header.get("PatientAge") or "")) for image in images]
    if any(int(age[1]) < YEARS_OF_ADULTS * A_YEAR_IN[age[2]] for age in ages if age):
        return (CHILD,)
    return ()


def _images_of(file: Path, header: pydicom.FileDataset, post_contrast: bool) -> list[DicomImage]:
    with odd_values_refused(file), disable_value_validation():
        headers = list(frame_headers(header))  # it converts values on access: a broken one shall show here
    if header.get("SOPClassUID") in MULTI_FRAME_STORAGE and (
        "PerFrameFunctionalGroupsSequence" not in header or number_of(header, "NumberOfFrames") != len(headers)
    ):
        raise unreadable(file)  # it ends within the functional groups
    syntax = header.file_meta.get("TransferSyntaxUID") or ImplicitVRLittleEndian
    with odd_values_refused(file):
        images = [
            DicomImage(file, frame, flat, judge_header(flat, post_contrast), syntax)
            for frame, flat in enumerate(headers)
        ]
        for image in images:
            _ = image.series_number  # a whole number, or none
    return images


def _read_file(file: Path) -> pydicom.FileDataset | str:
    """The technical attributes of a DICOM image; of other files what they are, "" for those that say so by their name.

    Raises ACNetError for an incomplete DICOM file.
    """
    try:
        with disable_value_validation():  # pydicom logs the values that it complains of
            tags = [*HEADER_TAGS, *PHILIPS, "PatientID", *NAMED, *DATES_OF_AGE]
            header = read_dataset(file, stop_before_pixels=True, specific_tags=tags)
            _hide_patient(header)
            kind = header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID")
            is_image = "Rows" in header or kind is None or kind in IMAGE_STORAGE
    except InvalidDicomError as error:
        if is_broken_copy(file):
            raise unreadable(file) from error
        looks_like_dicom = file.suffix.lower() in DICOM_SUFFIXES
        return ("not DICOM" if file.stat().st_size else "empty") if looks_like_dicom else ""
    except ODD_VALUES as error:
        raise unreadable(file) from error
    if is_directory(file, header):
        return ""
    with odd_values_refused(file):
        if not tells_its_series(header):
            found = "several values of" if "SeriesInstanceUID" in header else "no"
            raise ACNetError(
                f"{file.name}: it has {found} SeriesInstanceUID; expected one, by which series are told apart. Export "
                "it again with its UIDs, or copy it again if it is incomplete."
            )
    return header if is_image else UID(kind).name


def is_broken_copy(file: Path) -> bool:
    """Whether a file that is no DICOM begins with a block of zeros."""
    with file.open("rb") as opened:
        return opened.read(BLOCK_BYTES) == bytes(BLOCK_BYTES)


def is_directory(file: Path, header: pydicom.FileDataset) -> bool:
    """Whether it is the directory of a disk, which holds no image."""
    kind = header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID")
    return kind == MediaStorageDirectoryStorage or file.name.upper() == "DICOMDIR"


def tells_its_series(header: pydicom.FileDataset) -> bool:
    """Every DICOM object does, and series are told apart by it: one that does not ends within its header."""
    return "SeriesInstanceUID" in header and header["SeriesInstanceUID"].VM <= 1


def _hide_patient(header: pydicom.Dataset) -> None:
    """Put hashes, and of the dates the age, in the place of what identifies a patient; name and date of birth only
    where nothing else does.
    """
    told = {"PatientID": str(header.get("PatientID") or "").strip()}
    if not any(header.get(keyword) for keyword in EXAM):
        told |= {keyword: named(header.get(keyword)) for keyword in NAMED}
    _put_age_for_dates(header)
    header.pop("PatientName", None)
    for keyword, value in told.items():
        if value:
            setattr(header, keyword, hashlib.sha256(value.encode(errors="backslashreplace")).hexdigest())


def _put_age_for_dates(header: pydicom.Dataset) -> None:
    """Take the dates out of a header, which identify a patient; where it tells no age, theirs is put in their place."""
    born, examined = (_date_of(header, keyword) for keyword in DATES_OF_AGE)
    for keyword in DATES_OF_AGE:
        header.pop(keyword, None)
    if born is None or examined is None or AGE.fullmatch(str(header.get("PatientAge") or "")):
        return
    days = (examined - born).days
    years = examined.year - born.year - ((examined.month, examined.day) < (born.month, born.day))
    if days > 0 and years <= LONGEST_AGE_YEARS:
        header.PatientAge = f"{years:03d}Y" if years else f"{days:03d}D"


def _date_of(header: pydicom.Dataset, keyword: str) -> date | None:
    """None where the attribute holds no date. Older files have points in it (1957.03.01)."""
    try:
        return date.fromisoformat(str(header.get(keyword) or "").replace(".", "").strip())
    except ValueError:
        return None
