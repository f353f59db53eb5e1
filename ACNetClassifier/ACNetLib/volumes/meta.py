"""Headers of MetaImage files, as MetaIO (the library within ITK) writes and reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ACNetLib.volumes.header import (
    LARGEST_HEADER_BYTES,
    MOST_DIMENSIONS,
    DamagedFile,
    PixelData,
    VolumeHeader,
    data_file_beside,
    lengths_in_space,
    numbers_in,
    whole_number_in,
)

DTYPES = {
    "MET_CHAR": "int8",
    "MET_UCHAR": "uint8",
    "MET_SHORT": "int16",
    "MET_USHORT": "uint16",
    "MET_INT": "int32",
    "MET_UINT": "uint32",
    "MET_LONG_LONG": "int64",
    "MET_ULONG_LONG": "uint64",
    "MET_FLOAT": "float32",
    "MET_DOUBLE": "float64",
}
ORIGINS = ("Offset", "Position", "Origin")
DIRECTIONS = ("TransformMatrix", "Rotation", "Orientation")
SCALE = {"ElementToIntensityFunctionSlope": 1.0, "ElementToIntensityFunctionOffset": 0.0}
LAST_FIELD = "ElementDataFile"
LOCAL = "LOCAL"


def read_meta_header(path: Path) -> VolumeHeader:
    """Raises DamagedFile for what is no MetaImage file, and for one whose numbers are missing or can't be."""
    fields, length = _read_fields(path)
    dimension = whole_number_in(_needed(fields, "NDims"))
    if not 2 <= dimension <= MOST_DIMENSIONS:
        raise DamagedFile(f"it has {dimension} dimensions")
    sizes = [whole_number_in(text) for text in _needed(fields, "DimSize").split()]
    if len(sizes) != dimension:
        raise DamagedFile(f"it has {dimension} dimensions and {len(sizes)} sizes")
    element = _needed(fields, "ElementType")
    if element not in DTYPES:
        raise DamagedFile(f"its pixels are of type '{element}'")
    if not _flag(fields, ("BinaryData",), default=False):
        raise DamagedFile("its pixels are written as text, which is not read: save it again in Slicer")
    for name, usual in SCALE.items():
        if _numbers(fields, (name,), 1) not in (None, [usual]):
            raise DamagedFile(
                f"its {name} is {fields[name]}, which neither ITK nor Slicer applies: store scaled values"
            )
    big = _flag(fields, ("BinaryDataByteOrderMSB", "ElementByteOrderMSB"), default=False)
    spacing = _numbers(fields, ("ElementSpacing",), dimension)
    column, row, depth = [*([None if value == 0 else value for value in spacing] if spacing else []), *[None] * 3][:3]
    direction, origin = np.eye(3), np.zeros(3)
    in_space = min(dimension, 3)
    if (matrix := _numbers(fields, DIRECTIONS, dimension**2)) is not None:
        # MetaIO has the axes as rows.
        direction[:in_space, :in_space] = np.reshape(matrix, (dimension, dimension)).T[:in_space, :in_space]
    if (position := _numbers(fields, ORIGINS, dimension)) is not None:
        origin[:in_space] = position[:in_space]
    lengths = np.linalg.norm(direction, axis=0)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise DamagedFile("its axes hold values that are no numbers")
    return VolumeHeader(
        size=lengths_in_space(sizes),
        dtype=np.dtype(DTYPES[element]).newbyteorder(">" if big else "<"),
        data=_data(path, fields, length),
        direction=direction / lengths,
        spacing_mm=(column, row, depth),
        origin_mm=origin,
        keys=fields,
        components=whole_number_in(fields.get("ElementNumberOfChannels", "1")),
    )


def _read_fields(path: Path) -> tuple[dict[str, str], int]:
    """The fields, and the length of the header in bytes. It ends with the line that tells where the pixels are."""
    fields: dict[str, str] = {}
    length = 0
    with path.open("rb") as file:
        while LAST_FIELD not in fields:
            line = file.readline(LARGEST_HEADER_BYTES)
            length += len(line)
            if not line.endswith(b"\n") and LAST_FIELD.encode() not in line:
                raise DamagedFile("its header does not end" if fields else "it does not begin as a MetaImage file")
            if length > LARGEST_HEADER_BYTES:
                raise DamagedFile("its header is too long")
            name, separator, value = (part.strip() for part in line.decode("utf-8", "replace").partition("="))
            if not separator:
                if name:
                    raise DamagedFile("its header holds lines that are none of a MetaImage file")
                continue
            if name in fields:
                raise DamagedFile(f"its header has '{name}' twice")
            fields[name] = value
    return fields, length


def _needed(fields: dict[str, str], name: str) -> str:
    if not fields.get(name):
        raise DamagedFile(f"its header lacks '{name}'")
    return fields[name]


def _flag(fields: dict[str, str], names: tuple[str, ...], default: bool) -> bool:
    text = next((fields[name] for name in names if name in fields), str(default))
    return text.lower() in {"true", "1", "yes"}


def _numbers(fields: dict[str, str], names: tuple[str, ...], count: int) -> list[float] | None:
    name = next((name for name in names if name in fields), None)
    if name is None:
        return None
    numbers = numbers_in(fields[name])
    if len(numbers) != count:
        raise DamagedFile(f"its {name} has {len(numbers)} numbers, expected are {count}")
    return numbers


def _data(path: Path, fields: dict[str, str], header_length: int) -> PixelData:
    name, is_compressed = fields[LAST_FIELD], _flag(fields, ("CompressedData",), default=False)
    size = whole_number_in(fields.get("HeaderSize", "0"))
    if size < -1 or (is_compressed and size < 0):
        raise DamagedFile(f"it skips {size} bytes before its pixels")
    if name.upper() == LOCAL:
        file, offset = path, header_length
    else:
        file, offset = data_file_beside(path, name), 0
    offset = -1 if size == -1 else size or offset
    return PixelData(file, offset, "deflate" if is_compressed else "")
