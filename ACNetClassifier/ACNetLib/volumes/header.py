"""What the header of a volume file says, read by us and checked against limits and the size of the file.

No outside reader opens a volume file: a small damaged header can make one crash, hang or fill the memory, and each has
rules of its own for what a header leaves open. Documentation/input.md tells what is read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ACNetLib.errors import ACNetError
from ACNetLib.files import is_relative_name

VOLUME_SUFFIXES = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd")

# Header keys of the volume files that this project writes.
FIELD_STRENGTH_KEY = "ACNet_field_strength_tesla"
SIMULATED_KEY = "ACNet_simulated"
SCANNER_KEY, SEQUENCE_KEY = "ACNet_scanner", "ACNet_sequence"
FITTED_KEY = "ACNet_fitted"
"""Of a T1 map that was fitted here and not by the scanner: from what."""
WARNINGS_KEY, BETWEEN_WARNINGS = "ACNet_warnings", " | "
"""What the headers of the images told that such a map was made of, as of a child: every result repeats it."""
SPACING_KEY = "ACNet_spacing_told"
"""Of a case whose pixels do measure 1 mm: a person has said so, see `without_default_spacing`."""

LARGEST_HEADER_BYTES = 1_000_000  # headers have 1 to 10 kB, with many segments 100 kB
MOST_DIMENSIONS = 7
MOST_LONG_DIMENSIONS = 5
"""But for trailing ones of one pixel: SimpleITK (2.5) has no images of more."""
FEWEST_IN_PLANE = 16  # pixels along a side of a slice
LARGEST_LENGTH = 1_000_000
LARGEST_PIXEL_COUNT = 2**26  # 1024 x 1024 x 64
LARGEST_INFLATION = 1040  # deflate makes 1032 bytes of one at most (zlib's technical notes)
LENGTHS_MM = (1e-4, 1e4)
LARGEST_POSITION_MM = 1e6
SMALLEST_DETERMINANT = 1e-3  # of the unit axes: below it two axes coincide
ALONG_BODY = 1e-6  # of the direction cosines

Spacing = tuple[float | None, float | None, float | None]
Compression = Literal["", "deflate"]


class DamagedFile(Exception):
    """What is wrong with a file, in a few words; a reader of files puts its name in front and says what to do."""


@dataclass(frozen=True)
class PixelData:
    """Where the pixels lie. offset: in the file, or in what it inflates to if all of it is compressed; from its end
    when -1.
    """

    file: Path
    offset: int
    compression: Compression = ""
    offset_is_inflated: bool = False


@dataclass(frozen=True, eq=False)
class VolumeHeader:
    """size: of the axes in space, the fastest first, trailing ones beyond the third left out. components: values a
    pixel, and component_axis: the place of their axis among those of the file. kind: of that axis, such as "list".
    direction: unit axes as columns, LPS (3, 3). spacing_mm: None where the header tells none. slope, intercept: from
    stored values. keys: free texts. scanner, sequence: see `T1Map`. refusal: why its values can't be T1, though they
    may look so. is_converted: whether it was made from DICOM by dcm2niix, which did not say how its values were scaled.
    """

    size: tuple[int, ...]
    dtype: np.dtype
    data: PixelData
    direction: np.ndarray
    spacing_mm: Spacing
    origin_mm: np.ndarray
    keys: dict[str, str]
    components: int = 1
    component_axis: int = 0
    kind: str = ""
    slope: float = 1.0
    intercept: float = 0.0
    scanner: str = ""
    sequence: str = ""
    refusal: str = ""
    is_converted: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def byte_count(self) -> int:
        """Of the pixels, as they lie in the file or inflate to."""
        return math.prod(self.size) * self.components * self.dtype.itemsize

    @property
    def tells_spacing(self) -> bool:
        """Whether all spacings are known that the slices need: the thickness of a single one has no meaning."""
        needed = self.spacing_mm[: 3 if len(self.size) > 2 and self.size[2] > 1 else 2]
        return all(spacing is not None for spacing in needed)


def check_header(header: VolumeHeader) -> VolumeHeader:
    """The header itself. Raises DamagedFile for numbers beyond the limits, and for fewer bytes than it promises."""
    if not 2 <= len(header.size) <= MOST_LONG_DIMENSIONS:
        raise DamagedFile(f"it has {len(header.size)} dimensions")
    if not all(1 <= length <= LARGEST_LENGTH for length in (*header.size, header.components)):
        raise DamagedFile(f"it says {' x '.join(map(str, header.size))} pixels")
    if math.prod(header.size) * header.components > LARGEST_PIXEL_COUNT:
        raise DamagedFile(f"it says {' x '.join(map(str, header.size))} pixels, more than {LARGEST_PIXEL_COUNT}")
    shortest, longest = LENGTHS_MM
    if not all(spacing is None or shortest <= spacing <= longest for spacing in header.spacing_mm):
        raise DamagedFile(f"it says a spacing of {' x '.join(map(str, header.spacing_mm))} mm")
    if not (np.abs(header.origin_mm) < LARGEST_POSITION_MM).all():  # NaN is not below
        raise DamagedFile(f"it says an origin of {header.origin_mm.tolist()} mm")
    if not abs(np.linalg.det(header.direction)) > SMALLEST_DETERMINANT:
        raise DamagedFile("two of its axes have the same direction, or one has none")
    if not (math.isfinite(header.slope) and math.isfinite(header.intercept)):
        raise DamagedFile(f"it says a slope of {header.slope} and an intercept of {header.intercept}")
    _check_byte_count(header)
    return header


def _check_byte_count(header: VolumeHeader) -> None:
    data, needed = header.data, header.byte_count
    try:
        there = data.file.stat().st_size
    except OSError as error:
        raise DamagedFile(f"its pixels should be in {data.file.name}, which can't be read") from error
    offset = 0 if data.offset_is_inflated or data.offset < 0 else data.offset
    available = (there - offset) * (LARGEST_INFLATION if data.compression else 1)
    if needed > available:
        raise DamagedFile(f"it promises {needed} bytes of pixels and has {max(0, there - offset)}")


def without_default_spacing(header: VolumeHeader) -> VolumeHeader:
    """The header without a spacing that nobody has told: software that writes an array without geometry (SimpleITK's
    GetImageFromArray, nibabel with an affine of ones) puts 1 mm along the axes of the body, in every format.
    """
    if header.keys.get(SPACING_KEY) == "1" or not is_default_grid(header.direction, header.spacing_mm):
        return header
    return replace(header, spacing_mm=(None, None, None))


def is_default_grid(direction: np.ndarray, spacing_mm: Sequence[float | None]) -> bool:
    """Whether pixels of exactly 1 mm lie along the axes of the body, as no short axis does. The origin has no say: a
    part that was cut out of such an export has another.
    """
    along_body = np.abs(np.abs(direction) - np.abs(direction).round()).max() < ALONG_BODY
    return bool(along_body) and all(spacing is None or spacing == 1.0 for spacing in spacing_mm)


def slice_axis(size: Sequence[int]) -> int:
    """The axis of a stack across its slices, 0 to 2: the third, or the only one too short to be a slice's side.

    Where an image is brought to the closest axes of the body (nibabel, FSL, MONAI), that may be any.
    """
    short = [axis for axis, length in enumerate(size) if length < FEWEST_IN_PLANE]
    return short[0] if len(size) == 3 and len(short) == 1 else 2


def axes_of(steps: np.ndarray) -> tuple[np.ndarray, Spacing]:
    """Unit axes and spacings from the steps between pixels, columns in mm (3, 3); None for a step that is none."""
    if not np.isfinite(steps).all():
        raise DamagedFile("its axes hold values that are no numbers")
    if np.abs(steps).max() > LENGTHS_MM[1]:
        raise DamagedFile(f"it says a spacing of up to {np.abs(steps).max():g} mm")
    lengths = np.linalg.norm(steps, axis=0)
    unknown = lengths == 0
    if unknown.any():
        return np.eye(3), _spacing([None if none else length for none, length in zip(unknown, lengths, strict=True)])
    return steps / lengths, _spacing(lengths.tolist())


def _spacing(lengths: list[float | None]) -> Spacing:
    column, row, depth = lengths
    return column, row, depth


def lengths_in_space(lengths: Sequence[int]) -> tuple[int, ...]:
    """Of the axes without trailing ones beyond the third: a single time point is a volume."""
    kept = list(lengths)
    while len(kept) > 3 and kept[-1] == 1:
        kept.pop()
    return tuple(kept)


def numbers_in(text: str) -> list[float]:
    """Numbers with blanks or commas between. Raises DamagedFile."""
    try:
        return [float(part) for part in re.split(r"[\s,]+", text.strip())]
    except ValueError as error:
        raise DamagedFile(f"it says '{text}' where numbers are expected") from error


def whole_number_in(text: str) -> int:
    """Raises DamagedFile for anything but a whole number of few digits."""
    if not re.fullmatch(r"[+-]?[0-9]{1,12}", text.strip()):
        raise DamagedFile(f"it says '{text}' where a whole number is expected")
    return int(text)


def data_file_beside(header_file: Path, name: str) -> Path:
    """The file of the pixels that a header names. Raises DamagedFile unless it lies in the folder of the header."""
    if not is_relative_name(name):
        raise DamagedFile("its pixels are said to be in another folder, or in several files; expected one beside it")
    return header_file.parent / name


def told_warnings(text: str | None) -> tuple[str, ...]:
    """What WARNINGS_KEY holds, none where it is not there."""
    return tuple(filter(None, (text or "").split(BETWEEN_WARNINGS)))


def is_volume_file(name: str) -> bool:
    return name.lower().endswith(VOLUME_SUFFIXES)


def unreadable(name: str, why: object) -> ACNetError:
    return ACNetError(
        f"{name}: it can't be read as an image, it is damaged or incomplete ({why}); expected an image as "
        f"{', '.join(VOLUME_SUFFIXES)}. Export it again from its source."
    )
