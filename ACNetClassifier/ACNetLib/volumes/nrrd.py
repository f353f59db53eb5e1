"""Headers of NRRD files, by their format description (Teem, teem.sourceforge.net/nrrd/format.html)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np

from ACNetLib.volumes.header import (
    LARGEST_HEADER_BYTES,
    MOST_DIMENSIONS,
    DamagedFile,
    PixelData,
    Spacing,
    VolumeHeader,
    axes_of,
    data_file_beside,
    lengths_in_space,
    numbers_in,
    whole_number_in,
)

TYPES = {
    "int8": ("signed char", "int8", "int8_t"),
    "uint8": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "int16": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "uint16": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "int32": ("int", "signed int", "int32", "int32_t"),
    "uint32": ("uint", "unsigned int", "uint32", "uint32_t"),
    "int64": (
        *("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    ),
    "uint64": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "float32": ("float",),
    "float64": ("double",),
}
DTYPES = {name: dtype for dtype, names in TYPES.items() for name in names}
RAW, GZIP = ("raw",), ("gzip", "gz")

TO_LPS = {
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
}
WITH_TIME = re.compile(r"(?<=superior)-time$|(?<=^(lps|ras|las))t$")
SPELLINGS = {"datafile": "data file", "byteskip": "byte skip", "lineskip": "line skip"}
IN_SPACE = ("domain", "space")
"""Kinds of axes that lie in space. An axis without a kind does where it has a direction, or no axis has one."""


def read_nrrd_header(path: Path) -> VolumeHeader:
    """Raises DamagedFile for what is no NRRD file, and for one whose numbers are missing or can't be."""
    fields, keys, length = _read_fields(path)
    dimension = whole_number_in(_needed(fields, "dimension"))
    if not 1 <= dimension <= MOST_DIMENSIONS:
        raise DamagedFile(f"it has {dimension} dimensions")
    sizes = [whole_number_in(text) for text in _needed(fields, "sizes").split()]
    if len(sizes) != dimension:
        raise DamagedFile(f"it has {dimension} dimensions and {len(sizes)} sizes")
    steps = _steps(fields, dimension)
    kinds = fields.get("kinds", " ".join(["???"] * dimension)).lower().split()
    if len(kinds) != dimension:
        raise DamagedFile(f"it has {dimension} dimensions and {len(kinds)} kinds")
    in_space = [
        axis
        for axis, kind in enumerate(kinds)
        if (steps[axis] is not None if "space directions" in fields else kind in (*IN_SPACE, "???", "none"))
    ]
    others = [axis for axis in range(dimension) if axis not in in_space]
    if len(others) > 1:
        raise DamagedFile(f"{len(others)} of its axes do not lie in space, at most one is read")
    direction, spacing, origin = _geometry(fields, [steps[axis] for axis in in_space])
    encoding = _needed(fields, "encoding").lower()
    if encoding not in (*RAW, *GZIP):
        raise DamagedFile(f"its encoding is '{encoding}', read are raw and gzip: save it again in Slicer")
    return VolumeHeader(
        size=lengths_in_space([sizes[axis] for axis in in_space]),
        dtype=_dtype(fields),
        data=_data(path, fields, length, encoding in GZIP),
        direction=direction,
        spacing_mm=spacing,
        origin_mm=origin,
        keys=keys,
        components=sizes[others[0]] if others else 1,
        component_axis=others[0] if others else 0,
        kind=kinds[others[0]] if others else "",
    )


def _read_fields(path: Path) -> tuple[dict[str, str], dict[str, str], int]:
    """Fields, keys, and the length of the header in bytes."""
    with path.open("rb") as file:
        start = file.read(LARGEST_HEADER_BYTES)
    if not re.match(rb"NRRD000[1-6]\r?\n", start):
        raise DamagedFile("it does not begin as an NRRD file")
    end = re.search(rb"\r?\n\r?\n", start)
    if end is None and path.suffix.lower() != ".nhdr":
        raise DamagedFile("its header does not end")
    fields: dict[str, str] = {}
    keys: dict[str, str] = {}
    for line in start[: end.start() if end else None].decode("utf-8", "replace").splitlines()[1:]:
        name, separator, value = re.match(r"([^:]*)(:=|: ?|)(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]
        if line.startswith("#") or not separator:
            continue
        table = keys if separator == ":=" else fields
        name = name if table is keys else SPELLINGS.get(name.strip().lower(), name.strip().lower())
        if name in table:
            raise DamagedFile(f"its header has '{name}' twice")
        table[name] = value if table is keys else value.strip()
    return fields, keys, end.end() if end else len(start)


def _needed(fields: dict[str, str], name: str) -> str:
    if not fields.get(name):
        raise DamagedFile(f"its header lacks '{name}'")
    return fields[name]


def _steps(fields: dict[str, str], dimension: int) -> list[list[float] | None]:
    """The step along each axis of the file; None where the header tells none."""
    text = fields.get("space directions")
    if text is None:
        return [None] * dimension
    found = re.findall(r"(none)|\(([^()]*)\)", text.lower())
    if len(found) != dimension:
        raise DamagedFile(f"it has {dimension} dimensions and {len(found)} space directions")
    steps = [None if none else numbers_in(vector) for none, vector in found]
    # Slicer writes (nan,nan,nan) for an axis that does not lie in space (Slicer 4 and older).
    return [None if step is None or all(value != value for value in step) else step for step in steps]


def _geometry(fields: dict[str, str], steps: list[list[float] | None]) -> tuple[np.ndarray, Spacing, np.ndarray]:
    space = WITH_TIME.sub("", fields.get("space", "").lower())
    if space and space not in TO_LPS:
        raise DamagedFile(f"its space is '{space}', read are left-posterior-superior and right-anterior-superior")
    units = re.findall(r'"([^"]*)"', fields.get("space units", ""))[:3]
    if any(unit not in {"mm", "", "???"} for unit in units):
        raise DamagedFile(f"its lengths are in '{units[0]}', expected are mm")
    to_lps = np.diag(np.array(TO_LPS.get(space, (1, 1, 1)), dtype=float))
    origin = np.zeros(3)
    if "space origin" in fields:
        values = numbers_in(fields["space origin"].strip("() "))
        origin[: len(values[:3])] = values[:3]
    given = [step for step in steps[:3] if step is not None]
    if given:
        matrix = np.zeros((3, 3))
        for axis, step in enumerate(given):
            matrix[: len(step[:3]), axis] = step[:3]
        direction, spacing = axes_of(matrix if len(given) == 3 else _with_normal(matrix))
        return to_lps @ direction, spacing if len(given) == 3 else (spacing[0], spacing[1], None), to_lps @ origin
    lengths = numbers_in(fields["spacings"]) if "spacings" in fields else []
    told = [length if length == length and length != 0 else None for length in lengths]
    column, row, depth = [*told, None, None, None][:3]
    return to_lps, (column, row, depth), to_lps @ origin


def _with_normal(matrix: np.ndarray) -> np.ndarray:
    """The axes of a single slice in 2-D, and its normal of length 1 if there is one."""
    normal = np.cross(matrix[:, 0], matrix[:, 1])
    length = np.linalg.norm(normal)
    return np.column_stack([matrix[:, :2], normal / length if 0 < length < np.inf else normal])


def _dtype(fields: dict[str, str]) -> np.dtype:
    name = " ".join(_needed(fields, "type").lower().split())
    if name not in DTYPES:
        raise DamagedFile(f"its pixels are of type '{name}'")
    dtype = np.dtype(DTYPES[name])
    if dtype.itemsize == 1:
        return dtype
    endian = fields.get("endian", sys.byteorder).lower()
    if endian not in {"little", "big"}:
        raise DamagedFile(f"its byte order is '{endian}'")
    return dtype.newbyteorder("<" if endian == "little" else ">")


def _data(path: Path, fields: dict[str, str], header_length: int, is_compressed: bool) -> PixelData:
    if whole_number_in(fields.get("line skip", "0")) != 0:
        raise DamagedFile("it skips lines before its pixels, which is not read: save it again in Slicer")
    skip = whole_number_in(fields.get("byte skip", "0"))
    if skip < -1 or (is_compressed and skip < 0):
        raise DamagedFile(f"it skips {skip} bytes before its pixels")
    file, offset = path, header_length
    if "data file" in fields:
        file, offset = data_file_beside(path, fields["data file"]), 0
    if is_compressed:
        if skip:
            raise DamagedFile("it skips bytes within compressed pixels, which is not read: save it again in Slicer")
        return PixelData(file, offset, "deflate")
    return PixelData(file, -1 if skip == -1 else offset + skip)
