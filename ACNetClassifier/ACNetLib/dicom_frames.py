"""The sections of T1 maps in DICOM: their geometry, how they stack up, and their pixels.

A file is one section, or several frames (Parametric Map objects): their functional groups are laid flat first, so that
all that follows sees one header a section.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.errors import BytesLengthException

from ACNetLib.dicom_guard import pixels_of, read_dataset
from ACNetLib.dicom_score import TIME_UNITS_MS, unit_of, values_of
from ACNetLib.errors import ACNetError

# What pydicom raises for protected and truncated files and for unknown encodings.
READING_ERRORS = (OSError, AttributeError, RuntimeError, ValueError, struct.error, BytesLengthException)

ODD_VALUES = (*READING_ERRORS, TypeError, LookupError, OverflowError)

FUNCTIONAL_GROUPS = {"SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"}

PARALLEL_TOLERANCE = 1e-3  # of the direction cosines
SHIFT_TOLERANCE_MM = 0.1
GAP_TOLERANCE = 0.05  # of the mean distance between sections
ADVICE = "Expected one stack of parallel, evenly spaced sections; give the folder of the series that belong together."


@dataclass(frozen=True, eq=False)
class Section:
    """One T1 map section and where it lies (LPS mm). frame: its number within the file, from 0."""

    file: Path
    frame: int
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

    def height_of(self, other: Section) -> float:
        """How far the other section lies along this one's normal, in mm."""
        return float(np.dot(other.position - self.position, self.normal))


def frame_headers(header: pydicom.Dataset) -> Iterator[pydicom.Dataset]:
    """One flat header a frame: what its functional groups and real world value mapping say beside the file's header.

    A frame's own groups win over the shared ones (PS3.3 C.7.6.16), FrameType stands for ImageType.
    """
    shared = header.get("SharedFunctionalGroupsSequence") or []
    own = header.get("PerFrameFunctionalGroupsSequence") or [pydicom.Dataset()]
    for groups in own:
        flat = pydicom.Dataset()
        flat.update(header)
        for group in [header, *shared, groups]:
            for element in group:
                if element.VR == "SQ" and element.value and element.keyword not in FUNCTIONAL_GROUPS:
                    flat.update(element.value[0])
        if "FrameType" in flat:
            flat.add_new("ImageType", "CS", flat.FrameType)  # assigning would change the element that all frames share
        yield flat


@contextmanager
def odd_values_refused(file: Path) -> Iterator[None]:
    """pydicom converts values when they are asked for: an odd one raises there, in many ways. Raises ACNetError."""
    try:
        yield
    except ODD_VALUES as error:
        raise unreadable(file) from error


def read_section(file: Path, frame: int, header: pydicom.Dataset) -> Section:
    """The section that a flat header describes. Raises ACNetError when its geometry is incomplete or impossible."""
    with odd_values_refused(file):
        return _section(file, frame, header)


def _section(file: Path, frame: int, header: pydicom.Dataset) -> Section:
    depth_mm = number_of(header, "SliceThickness") or number_of(header, "SpacingBetweenSlices")
    if not depth_mm:
        raise ACNetError(f"{file.name}: SliceThickness is missing; expected the section's thickness in mm.")
    rows, columns = _numbers(file, header, "Rows", 1)[0], _numbers(file, header, "Columns", 1)[0]
    section = Section(
        file,
        frame,
        header,
        matrix=(int(rows), int(columns)),
        position=_numbers(file, header, "ImagePositionPatient", 3),
        orientation=_numbers(file, header, "ImageOrientationPatient", 6),
        pixel_spacing=_numbers(file, header, "PixelSpacing", 2),
        depth_mm=depth_mm,
    )
    _check_geometry(section)
    return section


def stack_sections(sections: list[Section], name: str) -> tuple[list[Section], float]:
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
        pair = _pair(sections[closest], sections[closest + 1])
        raise ACNetError(f"{name}: T1 map images {pair} lie at the same place; expected one a section. {ADVICE}")
    if np.abs(gaps - gaps.mean()).max() > GAP_TOLERANCE * gaps.mean():
        found = ", ".join(f"{gap:.2f}" for gap in gaps)
        raise ACNetError(f"{name}: the gaps between its T1 map sections are uneven ({found} mm). {ADVICE}")
    return sections, float(gaps.mean())


def build_image(sections: list[Section], distance_mm: float) -> sitk.Image:
    """The stacked sections as one 3-D float32 image in ms, or in the unit of their stored values."""
    first = sections[0]
    row_axis, column_axis = first.orientation[:3], first.orientation[3:]
    between_rows, between_columns = first.pixel_spacing.tolist()
    image = sitk.GetImageFromArray(np.stack(_read_pixels(sections)))
    image.SetOrigin(first.position.tolist())
    image.SetSpacing((between_columns, between_rows, distance_mm))
    image.SetDirection(np.column_stack([row_axis, column_axis, first.normal]).ravel().tolist())
    return image


def number_of(header: pydicom.Dataset, keyword: str) -> float | None:
    """The first value of an attribute; None when it is missing or empty."""
    values = values_of(header, keyword)
    return float(values[0]) if values else None


def unreadable(file: Path) -> ACNetError:
    return ACNetError(
        f"{file.name}: it can't be read (incomplete, protected or oddly encoded); expected a complete DICOM image. "
        "Copy it again, or export it uncompressed."
    )


def _check_geometry(section: Section) -> None:
    axes = section.orientation.reshape(2, 3)
    lengths_mm = [*section.pixel_spacing, section.depth_mm]
    if not (
        np.allclose(axes @ axes.T, np.eye(2), rtol=0, atol=PARALLEL_TOLERANCE)
        and np.isfinite(section.position).all()
        and np.isfinite(lengths_mm).all()
        and min(lengths_mm) > 0
    ):
        raise ACNetError(
            f"{section.file.name}: its geometry is impossible (ImageOrientationPatient {section.orientation.tolist()}, "
            f"PixelSpacing {section.pixel_spacing.tolist()}, thickness {section.depth_mm:g} mm); expected "
            "perpendicular unit vectors and positive lengths. Export it again from its source."
        )


def _check_same_stack(first: Section, other: Section, name: str) -> None:
    pair = f"{name}: T1 map images {_pair(first, other)}"
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


def _pair(first: Section, second: Section) -> str:
    if first.file == second.file:
        return f"{first.frame + 1} and {second.frame + 1} of {first.file.name}"
    return f"{first.file.name} and {second.file.name}"


def _read_pixels(sections: list[Section]) -> list[np.ndarray]:
    """(rows, columns) float32 for each section, after its rescale or real world value mapping."""
    frames = {file: _read_frames(file) for file in {section.file for section in sections}}
    pixels = []
    for section in sections:
        stored = frames[section.file]
        if stored.shape[-2:] != section.matrix or stored.ndim != 3 or section.frame >= len(stored):
            raise ACNetError(f"{section.file.name}: found pixels of shape {stored.shape}; expected {section.matrix}.")
        with odd_values_refused(section.file):
            slope, intercept = _to_ms(section.header)
        pixels.append((stored[section.frame] * slope + intercept).astype(np.float32))
    return pixels


def _read_frames(file: Path) -> np.ndarray:
    """Stored values, (frames, rows, columns)."""
    with odd_values_refused(file):
        stored = pixels_of(read_dataset(file), file)
    return stored[np.newaxis] if stored.ndim == 2 else stored


def _to_ms(header: pydicom.Dataset) -> tuple[float, float]:
    """Slope and intercept from stored values to ms.

    A real world value mapping in a unit of time says best what the pixels are; without one, it is the rescale that
    every scanner applies (Philips: other than 1, another one for each image).
    """
    unit, slope = unit_of(header), number_of(header, "RealWorldValueSlope")
    if unit in TIME_UNITS_MS and slope is not None:
        intercept = number_of(header, "RealWorldValueIntercept") or 0.0
        return slope * TIME_UNITS_MS[unit], intercept * TIME_UNITS_MS[unit]
    slope = number_of(header, "RescaleSlope")
    return (1.0 if slope is None else slope), number_of(header, "RescaleIntercept") or 0.0


def _numbers(file: Path, header: pydicom.Dataset, keyword: str, count: int) -> np.ndarray:
    values = values_of(header, keyword)
    if len(values) != count:
        raise ACNetError(
            f"{file.name}: found {len(values)} values of {keyword}; expected {count}. The file is incomplete or of a "
            "kind that this version can't read; export it again."
        )
    return np.array(values, dtype=float)
