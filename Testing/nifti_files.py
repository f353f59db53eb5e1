"""NIfTI files for tests, field by field as nifti1.h and nifti2.h have them."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

CODES = {"uint8": 2, "int16": 4, "int32": 8, "float32": 16, "float64": 64, "uint16": 512}


def write_nifti(
    path: Path,
    values: np.ndarray,
    *,
    pixdim: Sequence[float] = (1.4, 2.1, 8.0),
    sform: np.ndarray | None = None,
    sform_code: int = 1,
    quatern: Sequence[float] | None = None,
    qform_code: int = 1,
    qoffset: Sequence[float] = (0.0, 0.0, 0.0),
    slope: float = 0.0,
    intercept: float = 0.0,
    units: int = 2,
    description: bytes = b"",
    order: Literal["<", ">"] = "<",
    version: int = 1,
) -> Path:
    """(slice, row, column) values; the geometry is RAS as NIfTI has it. sform: (3, 4). Without a form its code is 0."""
    code = CODES[values.dtype.name]
    dim = [values.ndim, *values.shape[::-1]]
    dim += [1] * (8 - len(dim))
    rows = np.zeros((3, 4)) if sform is None else sform
    codes = (0 if quatern is None else qform_code, 0 if sform is None else sform_code)
    rotation = (0.0, 0.0, 0.0) if quatern is None else quatern
    pixdims = [1.0, *pixdim, 0, 0, 0, 0]
    if version == 1:
        header = struct.pack(
            order + "i36x8h14x2hh8ffff3xB24x80s24xhh3f3f12f16x4s",
            *(348, *dim, code, 8 * values.itemsize, 0, *pixdims, 352.0, slope, intercept, units, description),
            *(*codes, *rotation, *qoffset, *rows.ravel(), b"n+1\0"),
        )
    else:
        header = struct.pack(
            order + "i8shh8q3d8dqdd4d2q80s24xii3d3d12dii36x",
            *(540, b"n+2\0\r\n\x1a\n", code, 8 * values.itemsize, *dim, 0, 0, 0, *pixdims, 544, slope, intercept),
            *(0, 0, 0, 0, 0, 0, description, *codes, *rotation, *qoffset, *rows.ravel(), 0, units),
        )
    content = header + bytes(4) + values.astype(values.dtype.newbyteorder(order)).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path
