"""T1 maps in DICOM: which images of a folder they are, and the volume that they form.

Only technical attributes are read from the headers, so that no patient identifier can reach a message.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.errors import BytesLengthException, InvalidDicomError

from ACNetLib.errors import ACNetError

HEADER_TAGS = [
    "ImageType",
    "SOPClassUID",
    "SeriesDescription",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "ImageComments",
    "ContrastBolusAgent",
    "MagneticFieldStrength",
    "PhotometricInterpretation",
    "BitsAllocated",
    "Rows",
    "Columns",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
]

# A sign alone reaches it only where scanners give it to nothing but the map: raw MOLLI series too are called "T1Map".
T1_MAP_SCORE = 3
OTHER_QUANTITIES = {"T2", "ECV", "ERR", "SD", "R2", "FITPARAMS", "MAG", "PSIR"}
PICTURE_BITS = 8
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

# What pydicom raises for protected and truncated files and for unknown encodings.
READING_ERRORS = (OSError, AttributeError, RuntimeError, ValueError, struct.error, BytesLengthException)

PARALLEL_TOLERANCE = 1e-3  # of the direction cosines
SHIFT_TOLERANCE_MM = 0.1
GAP_TOLERANCE = 0.05  # of the mean distance between sections
ADVICE = "Expected one stack of parallel, evenly spaced sections; give the folder of the series that belong together."


@dataclass(frozen=True, eq=False)
class DicomVolume:
    """Parallel sections as one 3-D float32 image, after rescale slope and intercept, and what their headers tell."""

    image: sitk.Image
    field_strength_tesla: float | None
    simulated: bool


@dataclass(frozen=True, eq=False)
class _Section:
    """One T1 map image and where it lies (LPS mm)."""

    file: Path
    header: pydicom.Dataset
    matrix: tuple[int, int]
    position: np.ndarray
    orientation: np.ndarray
    pixel_spacing: np.ndarray
    depth_mm: float

    @property
    def normal(self) -> np.ndarray:
        normal = np.cross(self.orientation[:3], self.orientation[3:])
        return normal / np.linalg.norm(normal)

    def height_of(self, other: _Section) -> float:
        """How far the other section lies along this one's normal, in mm."""
        return float(np.dot(other.position - self.position, self.normal))


def read_dicom_volume(path: Path) -> DicomVolume:
    """The native T1 map among the DICOM images of a folder and its subfolders, or one DICOM image.

    Files that are not DICOM and images that are no T1 map are passed over. One-section series of the same orientation,
    matrix and spacing form one stack. Raises ACNetError when there is no T1 map, when the T1 maps do not form one stack
    with even gaps, and for an incomplete file.
    """
    name = path.absolute().name
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    headers = [(file, header) for file in files if (header := _read_header(file)) is not None]
    if not headers:
        raise ACNetError(f"{name}: found no DICOM image among {len(files)} files; expected a T1 map series.")
    chosen = [_read_section(file, header) for file, header in headers if t1_map_score(header) >= T1_MAP_SCORE]
    if not chosen:
        raise ACNetError(
            f"{name}: none of its {len(headers)} DICOM images is a native T1 map (found {_list_series(headers)}); "
            "expected grey-scale images with T1 MAP in ImageType or a SeriesDescription that ends in _MOCO_T1, "
            "taken before contrast."
        )
    sections, distance_mm = _stack(chosen, name)
    return DicomVolume(
        _build_image(sections, distance_mm),
        _number(sections[0].header, "MagneticFieldStrength"),
        simulated=any("simulated" in str(section.header.get("ImageComments", "")).lower() for section in sections),
    )


def t1_map_score(header: pydicom.Dataset) -> int:
    """How much a header speaks for a native T1 map in ms; T1_MAP_SCORE or more is one."""
    image_type = [str(value).upper() for value in _values(header, "ImageType")]
    description = str(header.get("SeriesDescription", ""))
    words = set(re.split(r"[^A-Z0-9]+", " ".join([*image_type, description.upper()])))
    score = 0
    if {"T1 MAP", "T1MAP", "T1_MAP"}.intersection(image_type):
        score += 3
    if re.search(r"_MOCO_T1$", description.strip(), re.IGNORECASE):
        score += 3
    elif re.search(r"T1[ _-]?MAP|SASHA.*T1", description, re.IGNORECASE):
        score += 2
    if re.search(r"T1 ?MAP", str(header.get("ImageComments", "")), re.IGNORECASE):
        score += 2
    if words & OTHER_QUANTITIES:
        score -= 5
    if (
        str(header.get("PhotometricInterpretation", "")).startswith(("RGB", "YBR", "PALETTE"))
        or header.get("BitsAllocated") == PICTURE_BITS
        or header.get("SOPClassUID") == SECONDARY_CAPTURE
    ):
        score -= 5
    if header.get("ContrastBolusAgent") or re.search(r"(?<![A-Z])POST|SHORT[ _]?T1", description, re.IGNORECASE):
        score -= 5
    return score


def _read_header(file: Path) -> pydicom.Dataset | None:
    """The technical attributes of a DICOM file; None for another kind of file."""
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=HEADER_TAGS)
        list(header)  # pydicom converts values on access: a broken one shall show here
    except InvalidDicomError as error:
        if file.suffix.lower() in {".dcm", ".ima"}:
            raise _unreadable(file) from error
        return None
    except READING_ERRORS as error:
        raise _unreadable(file) from error
    if "SeriesInstanceUID" in header:
        return header
    if file.name.upper() == "DICOMDIR":
        return None
    raise _unreadable(file)


def _read_section(file: Path, header: pydicom.Dataset) -> _Section:
    depth_mm = _number(header, "SliceThickness") or _number(header, "SpacingBetweenSlices")
    if not depth_mm:
        raise ACNetError(f"{file.name}: SliceThickness is missing; expected the section's thickness in mm.")
    rows, columns = _numbers(file, header, "Rows", 1)[0], _numbers(file, header, "Columns", 1)[0]
    return _Section(
        file,
        header,
        matrix=(int(rows), int(columns)),
        position=_numbers(file, header, "ImagePositionPatient", 3),
        orientation=_numbers(file, header, "ImageOrientationPatient", 6),
        pixel_spacing=_numbers(file, header, "PixelSpacing", 2),
        depth_mm=depth_mm,
    )


def _stack(sections: list[_Section], name: str) -> tuple[list[_Section], float]:
    """The sections sorted along their normal and their mean distance in mm; ACNetError if they form no stack."""
    first = sections[0]
    for section in sections[1:]:
        _check_same_stack(first, section, name)
    sections = sorted(sections, key=first.height_of)
    if len(sections) == 1:
        return sections, first.depth_mm
    gaps = np.diff([first.height_of(section) for section in sections])
    closest = int(gaps.argmin())
    if gaps[closest] < SHIFT_TOLERANCE_MM:
        pair = f"{sections[closest].file.name} and {sections[closest + 1].file.name}"
        raise ACNetError(f"{name}: T1 map images {pair} lie at the same place; expected one a section. {ADVICE}")
    if np.abs(gaps - gaps.mean()).max() > GAP_TOLERANCE * gaps.mean():
        found = ", ".join(f"{gap:.2f}" for gap in gaps)
        raise ACNetError(f"{name}: the gaps between its T1 map sections are uneven ({found} mm). {ADVICE}")
    return sections, float(gaps.mean())


def _check_same_stack(first: _Section, other: _Section, name: str) -> None:
    pair = f"{name}: T1 map images {first.file.name} and {other.file.name}"
    if other.header.get("StudyInstanceUID") != first.header.get("StudyInstanceUID"):
        raise ACNetError(f"{pair} belong to two studies. {ADVICE}")
    if not np.allclose(other.orientation, first.orientation, rtol=0, atol=PARALLEL_TOLERANCE):
        raise ACNetError(f"{pair} are not parallel. {ADVICE}")
    if other.matrix != first.matrix or not np.allclose(other.pixel_spacing, first.pixel_spacing, rtol=1e-4):
        found = " and ".join(
            f"{section.matrix[0]} x {section.matrix[1]} pixels of "
            f"{section.pixel_spacing[0]:g} x {section.pixel_spacing[1]:g} mm"
            for section in (first, other)
        )
        raise ACNetError(f"{pair} differ in matrix or pixel spacing ({found}). {ADVICE}")
    shift = other.position - first.position
    sideways = np.linalg.norm(shift - np.dot(shift, first.normal) * first.normal)
    if sideways > SHIFT_TOLERANCE_MM:
        raise ACNetError(f"{pair} are shifted within their plane by {sideways:.1f} mm. {ADVICE}")


def _build_image(sections: list[_Section], distance_mm: float) -> sitk.Image:
    first = sections[0]
    row_axis, column_axis = first.orientation[:3], first.orientation[3:]
    between_rows, between_columns = first.pixel_spacing.tolist()
    image = sitk.GetImageFromArray(np.stack([_read_pixels(section) for section in sections]))
    image.SetOrigin(first.position.tolist())
    image.SetSpacing((between_columns, between_rows, distance_mm))
    image.SetDirection(np.column_stack([row_axis, column_axis, first.normal]).ravel().tolist())
    return image


def _read_pixels(section: _Section) -> np.ndarray:
    """(rows, columns) float32, after rescale slope and intercept."""
    try:
        dataset = pydicom.dcmread(section.file)
        stored = dataset.pixel_array
    except READING_ERRORS as error:
        raise _unreadable(section.file) from error
    if stored.shape != section.matrix:
        raise ACNetError(f"{section.file.name}: found pixels of shape {stored.shape}; expected {section.matrix}.")
    slope, intercept = _number(dataset, "RescaleSlope"), _number(dataset, "RescaleIntercept")
    return (stored * (1.0 if slope is None else slope) + (intercept or 0.0)).astype(np.float32)


def _values(header: pydicom.Dataset, keyword: str) -> list:
    """An attribute's values; none when it is missing or empty."""
    value = header.get(keyword)
    values = value if isinstance(value, pydicom.multival.MultiValue) else [value]
    return [each for each in values if each not in {None, ""}]


def _number(header: pydicom.Dataset, keyword: str) -> float | None:
    values = _values(header, keyword)
    return float(values[0]) if values else None


def _numbers(file: Path, header: pydicom.Dataset, keyword: str, count: int) -> np.ndarray:
    values = _values(header, keyword)
    if len(values) != count:
        raise ACNetError(
            f"{file.name}: found {len(values)} values of {keyword}; expected {count}. The file is incomplete or not a "
            "single-frame image; export it again."
        )
    return np.array(values, dtype=float)


def _list_series(headers: Sequence[tuple[Path, pydicom.Dataset]]) -> str:
    series = Counter((header.get("SeriesNumber"), "\\".join(_values(header, "ImageType"))) for _, header in headers)
    return "; ".join(f"series {number}: {count} images of type {kind}" for (number, kind), count in series.items())


def _unreadable(file: Path) -> ACNetError:
    return ACNetError(
        f"{file.name}: it can't be read (incomplete, protected or oddly encoded); expected a complete DICOM image. "
        "Copy it again, or export it uncompressed."
    )
