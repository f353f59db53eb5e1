"""The sections of T1 maps in DICOM: their geometry, and how they stack up.

A file is one section, or several frames (Parametric Map objects): their functional groups are laid flat first, so that
all that follows sees one header a section.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk

from ACNetLib.dicom.origin import first_difference, origin_of
from ACNetLib.dicom.pixels import odd_values_refused, read_sections
from ACNetLib.dicom.values import PHILIPS_FRAME, PHILIPS_OF_FRAME, number_of, values_of
from ACNetLib.errors import ACNetError

FRAME_GROUPS = {"SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"}
CONVERTED = ("InversionTime", "TriggerTime", "ImageComments")
"""What a Legacy Converted Enhanced MR object has no group for (PS3.3 C.7.6.16.2.25)."""
FUNCTIONAL_GROUPS = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "MRImageFrameTypeSequence": ("FrameType", "ComplexImageComponent"),
    "ParametricMapFrameTypeSequence": ("FrameType",),
    "MREchoSequence": ("EffectiveEchoTime",),
    "MRModifierSequence": ("InversionTimes",),
    "CardiacSynchronizationSequence": ("NominalCardiacTriggerDelayTime",),
    "ContrastBolusUsageSequence": ("ContrastBolusAgentAdministered",),
    "SegmentIdentificationSequence": ("ReferencedSegmentNumber",),
    "UnassignedSharedConvertedAttributesSequence": CONVERTED,
    "UnassignedPerFrameConvertedAttributesSequence": CONVERTED,
}
REAL_WORLD_VALUES = "RealWorldValueMappingSequence"

ECHO_TIMES = ("EchoTime", "EffectiveEchoTime")

PARALLEL_TOLERANCE = 1e-3  # of the direction cosines
SHIFT_TOLERANCE_MM = 0.1
SAME_PLACE_MM = 4.0
"""Half of a usual slice: what lies closer along the axis is the same slice in another breath-hold. A stack may have
thinner ones."""
GAP_TOLERANCE = 0.05  # of the mean distance between sections
UNKNOWN_DEPTH_MM = 1.0
"""As deep as a single slice is shown that does not tell its thickness; no number depends on it."""
ADVICE = "Expected one stack of parallel, evenly spaced slices; give the folder of the series that belong together."


class OfTwoOrigins(ACNetError):
    """Images that should be of one T1 map are of two patients, exams, scanners or field strengths."""


@dataclass(frozen=True, eq=False)
class Section:
    """One T1 map section and where it lies (LPS mm). frame: its number within the file, from 0. depth_mm: its
    thickness, or its distance to the next; None where neither is told.
    """

    file: Path
    frame: int
    header: pydicom.Dataset
    matrix: tuple[int, int]
    position: np.ndarray
    orientation: np.ndarray
    pixel_spacing: np.ndarray
    depth_mm: float | None

    @property
    def normal(self) -> np.ndarray:
        normal = np.cross(self.orientation[:3], self.orientation[3:])
        return normal / np.linalg.norm(normal)

    @property
    def center(self) -> np.ndarray:
        """Of its pixels' centres."""
        rows, columns = self.matrix
        along = np.array([columns - 1, rows - 1]) / 2 * self.pixel_spacing[::-1]
        return np.asarray(self.position + along @ self.orientation.reshape(2, 3))

    def height_of(self, other: Section) -> float:
        """How far the other section lies along this one's normal, in mm."""
        return float(np.dot(other.position - self.position, self.normal))


def frame_headers(header: pydicom.Dataset) -> Iterator[pydicom.Dataset]:
    """One flat header a frame: what its functional groups say beside, and before, the file's header.

    Only the attributes of FUNCTIONAL_GROUPS are taken, each from its own public group, and all real world value
    mappings: private groups (Philips: 2005,140f) hold other values under the same public tags, of which only what is
    private itself is taken. A frame's own groups win over the shared ones (PS3.3 C.7.6.16), FrameType stands for
    ImageType.
    """
    shared = header.get("SharedFunctionalGroupsSequence") or []
    own = header.get("PerFrameFunctionalGroupsSequence") or [pydicom.Dataset()]
    for groups in own:
        flat = pydicom.Dataset()
        flat.update({element.tag: element for element in header if element.keyword not in FRAME_GROUPS})
        for group in [*shared, groups]:
            for name, keywords in FUNCTIONAL_GROUPS.items():
                for item in (group.get(name) or [])[:1]:
                    flat.update({item[keyword].tag: item[keyword] for keyword in keywords if keyword in item})
            if group.get(REAL_WORLD_VALUES):
                flat.add(group[REAL_WORLD_VALUES])
            if PHILIPS_FRAME in group and group[PHILIPS_FRAME].VR == "SQ":
                for item in group[PHILIPS_FRAME].value[:1]:
                    flat.update({item[tag].tag: item[tag] for tag in PHILIPS_OF_FRAME if tag in item})
        if "FrameType" in flat:
            flat.add_new("ImageType", "CS", flat.FrameType)  # assigning would change the element that all frames share
        yield flat


def read_section(file: Path, frame: int, header: pydicom.Dataset) -> Section:
    """The section that a flat header describes. Raises ACNetError when its geometry is incomplete or impossible."""
    with odd_values_refused(file):
        return _section(file, frame, header)


def _section(file: Path, frame: int, header: pydicom.Dataset) -> Section:
    # Either may be missing or empty (type 2 in MR images); the sign of the distance tells the order of the slices.
    depth_mm = number_of(header, "SliceThickness") or abs(number_of(header, "SpacingBetweenSlices") or 0.0)
    rows, columns = _numbers(file, header, "Rows", 1)[0], _numbers(file, header, "Columns", 1)[0]
    section = Section(
        file,
        frame,
        header,
        matrix=(int(rows), int(columns)),
        position=_numbers(file, header, "ImagePositionPatient", 3),
        orientation=_numbers(file, header, "ImageOrientationPatient", 6),
        pixel_spacing=_numbers(file, header, "PixelSpacing", 2),
        depth_mm=depth_mm or None,
    )
    _check_geometry(section)
    return section


def stack_sections(sections: list[Section], name: str) -> tuple[list[Section], float]:
    """The sections sorted along their normal and their mean distance in mm.

    Raises OfTwoOrigins for images of two exams or scanners, ACNetError if they form no stack.
    """
    first = sections[0]
    check_one_origin(sections, name)
    for section in sections[1:]:
        _check_same_stack(first, section, name)
    sections = sorted(sections, key=first.height_of)
    if len(sections) == 1:
        return sections, UNKNOWN_DEPTH_MM if first.depth_mm is None else first.depth_mm
    gaps = np.diff([first.height_of(section) for section in sections])
    closest = int(gaps.argmin())
    if gaps[closest] < _smallest_gap(sections):
        raise _at_same_place(sections[closest], sections[closest + 1], name)
    if np.abs(gaps - gaps.mean()).max() > GAP_TOLERANCE * gaps.mean():
        found = ", ".join(f"{gap:.2f}" for gap in gaps)
        raise ACNetError(f"{name}: the gaps between its T1 map slices are uneven ({found} mm). {ADVICE}")
    return sections, float(gaps.mean())


def _smallest_gap(sections: list[Section]) -> float:
    """Between two slices of a stack, in mm: half of the thinnest, as of interpolated ones, where they tell it."""
    depths_mm = [section.depth_mm for section in sections if section.depth_mm is not None]
    half_mm = min(depths_mm, default=0.0) / 2 - SHIFT_TOLERANCE_MM
    return max(SHIFT_TOLERANCE_MM, min(SAME_PLACE_MM, half_mm))


def build_image(sections: list[Section], distance_mm: float) -> tuple[sitk.Image, tuple[str, ...]]:
    """The stacked sections as one 3-D float32 image in ms, or in the unit of their stored values, and warnings."""
    pixels, padded = read_sections(sections)
    image = placed_image(np.stack(pixels), sections[0], distance_mm)
    if not padded:
        return image, ()
    return image, (f"By its header (PixelPaddingValue), {padded} of its pixels have no value; they were set to 0.",)


def placed_image(values: np.ndarray, first: Section, distance_mm: float) -> sitk.Image:
    """Values (section, row, column) as a 3-D image in the place of stacked sections."""
    row_axis, column_axis = first.orientation[:3], first.orientation[3:]
    between_rows, between_columns = first.pixel_spacing.tolist()
    image = sitk.GetImageFromArray(values)
    image.SetOrigin(first.position.tolist())
    image.SetSpacing((between_columns, between_rows, distance_mm))
    image.SetDirection(np.column_stack([row_axis, column_axis, first.normal]).ravel().tolist())
    return image


def _check_geometry(section: Section) -> None:
    axes = section.orientation.reshape(2, 3)
    depth_mm = UNKNOWN_DEPTH_MM if section.depth_mm is None else section.depth_mm
    lengths_mm = [*section.pixel_spacing, depth_mm]
    if not (
        np.allclose(axes @ axes.T, np.eye(2), rtol=0, atol=PARALLEL_TOLERANCE)
        and np.isfinite(section.position).all()
        and np.isfinite(lengths_mm).all()
        and min(lengths_mm) > 0
    ):
        raise ACNetError(
            f"{section.file.name}: its geometry is impossible (ImageOrientationPatient {section.orientation.tolist()}, "
            f"PixelSpacing {section.pixel_spacing.tolist()}, thickness {depth_mm:g} mm); expected "
            "perpendicular unit vectors and positive lengths. Export it again from its source."
        )


def check_one_origin(sections: list[Section], name: str) -> None:
    """Raises OfTwoOrigins for images of two patients, exams, scanners or field strengths. A value that only some of the
    images tell stands for the others.
    """
    origins = []
    for section in sections:
        with odd_values_refused(section.file):
            origins.append(origin_of(section.header))
    difference = first_difference(origins)
    if difference is None:
        return
    pair = _pair(sections[difference.first], sections[difference.second])
    raise OfTwoOrigins(
        f"{name}: T1 map images {pair} are of {difference.of_two}; expected one patient, exam, scanner and field "
        "strength in all images of a map. Leave out those of another, or correct the header that is wrong.",
        cli="Files are left out with --leave-out NAME,NAME.",
    )


def _check_same_stack(first: Section, other: Section, name: str) -> None:
    pair = f"{name}: T1 map images {_pair(first, other)}"
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


def computed_from(first: pydicom.Dataset, second: pydicom.Dataset) -> str:
    """What tells that images at one place are those that a map is computed from, not maps; "" where nothing does."""
    for keywords, time in ((("InversionTime", "InversionTimes"), "inversion"), (ECHO_TIMES, "echo")):
        found = [number_of(header, *keywords) for header in (first, second)]
        if None not in found and found[0] != found[1]:
            return f"{time} times of {found[0]:g} and {found[1]:g} ms"
    return ""


def _at_same_place(first: Section, second: Section, name: str) -> ACNetError:
    pair, gap_mm = f"{name}: T1 map images {_pair(first, second)} lie at the same place", first.height_of(second)
    if gap_mm >= SHIFT_TOLERANCE_MM:
        pair += f" ({gap_mm:.1f} mm apart, less than half their thickness)"
    elif times := computed_from(first.header, second.header):
        return ACNetError(
            f"{pair} and have {times}, like the images that a map is computed from; expected the map, one a slice.",
            cli="Choose the map's series with --series, or leave the others out with --leave-out NAME,NAME.",
        )
    if first.header.get("SeriesInstanceUID") != second.header.get("SeriesInstanceUID"):
        return ACNetError(f"{pair}; expected one a slice. {ADVICE}")
    numbers = [number_of(section.header, "AcquisitionNumber") for section in (first, second)]
    told = f" (acquisitions {numbers[0]:g} and {numbers[1]:g})" if None not in numbers else ""
    return ACNetError(
        f"{pair}, as after a repeated breath-hold{told}; expected one a slice.",
        cli=f"Leave the worse one out: --leave-out {first.file.name} or --leave-out {second.file.name}.",
    )


def _pair(first: Section, second: Section) -> str:
    if first.file == second.file:
        return f"{first.frame + 1} and {second.frame + 1} of {first.file.name}"
    if first.file.name == second.file.name:
        return " and ".join(f"{section.file.parent.name}/{section.file.name}" for section in (first, second))
    return f"{first.file.name} and {second.file.name}"


def _numbers(file: Path, header: pydicom.Dataset, keyword: str, count: int) -> np.ndarray:
    values = values_of(header, keyword)
    if len(values) != count:
        raise ACNetError(
            f"{file.name}: found {len(values)} values of {keyword}; expected {count}. The file is incomplete or of a "
            "kind that this version can't read; export it again."
        )
    return np.array(values, dtype=float)
