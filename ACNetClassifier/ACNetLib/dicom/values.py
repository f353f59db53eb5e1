"""What the attributes of a DICOM header say: their values, and how stored pixels become ms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pydicom
from pydicom.multival import MultiValue

from ACNetLib.errors import ACNetError

MOMENT = re.compile(r"(\d{12})(\d{2})?(?:\.(\d{1,6}))?")
"""Date and time as DICOM writes them; a zone behind them is that of the whole exam."""
TIME_UNITS_MS = {"ms": 1.0, "s": 1000.0}  # UCUM

# What stored pixels without a value hold, and the other end of a range of such values (PS3.3 C.7.5.1.1.2).
PADDING = ("PixelPaddingValue", "FloatPixelPaddingValue", "DoubleFloatPixelPaddingValue")
PADDING_LIMITS = ("PixelPaddingRangeLimit", "FloatPixelPaddingRangeLimit", "DoubleFloatPixelPaddingRangeLimit")

# Private attributes of Philips: the creators of their blocks, the delay after the prepulse (ms), the scale slope.
PHILIPS_PREPULSE_DELAY, PHILIPS_SCALE_SLOPE = 0x2001101B, 0x2005100E
PHILIPS_OF_FRAME = (PHILIPS_PREPULSE_DELAY, PHILIPS_SCALE_SLOPE)
PHILIPS = (0x20010010, 0x20050010, *PHILIPS_OF_FRAME)
PHILIPS_FRAME = 0x2005140F
"""The group of Philips' own in which each frame of an Enhanced MR object has these."""


@dataclass(frozen=True)
class Scale:
    """From stored values to ms."""

    slope: float
    intercept: float


def values_of(header: pydicom.Dataset, keyword: str) -> list:
    """An attribute's values; none when it is missing or empty."""
    value = header.get(keyword)
    values = value if isinstance(value, (MultiValue, list)) else [value]  # of FD pydicom makes a list
    return [each for each in values if each not in {None, ""}]


def number_of(header: pydicom.Dataset, *keywords: str) -> float | None:
    """The first value of the first of these attributes that has one; None when all are missing or empty."""
    for keyword in keywords:
        if values := values_of(header, keyword):
            return float(values[0])
    return None


def acquired_at(header: pydicom.Dataset) -> datetime | None:
    """When the image was acquired, as the scanner's clock tells; None where date or time is missing or none."""
    told = [str(header.get(keyword) or "") for keyword in ("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime")]
    found = MOMENT.match(told[0]) or MOMENT.match(told[1] + told[2])
    try:
        return found and datetime.strptime(" ".join(found.groups("0")), "%Y%m%d%H%M %S %f")
    except ValueError:
        return None


def mapping_of(header: pydicom.Dataset) -> pydicom.Dataset:
    """The real world value mapping that counts: the first in a unit of time, else the first, else an empty one."""
    mappings = header.get("RealWorldValueMappingSequence") or [pydicom.Dataset()]
    return next((mapping for mapping in mappings if unit_of(mapping) in TIME_UNITS_MS), mappings[0])


def unit_of(mapping: pydicom.Dataset) -> str | None:
    """The UCUM unit of a real world value mapping, if it has one."""
    codes = mapping.get("MeasurementUnitsCodeSequence") or []
    return str(codes[0].get("CodeValue", "")) if codes else None


def scale_of(header: pydicom.Dataset, name: str) -> Scale:
    """How a frame's stored values become ms.

    A real world value mapping in a unit of time says best what the pixels are; without one, it is the rescale that
    every scanner applies (Philips: other than 1, another one for each image). Raises ACNetError for several mappings in
    a unit of time that differ, and for one by a table of values.
    """
    mappings = [each for each in header.get("RealWorldValueMappingSequence") or [] if unit_of(each) in TIME_UNITS_MS]
    if any("RealWorldValueLUTData" in mapping for mapping in mappings):
        raise ACNetError(
            f"{name}: its real world values are in a table (RealWorldValueLUTData); expected a slope and an "
            "intercept. Export the map as plain MR images in ms."
        )
    scales = dict.fromkeys(
        Scale(slope * factor, (number_of(mapping, "RealWorldValueIntercept") or 0.0) * factor)
        for mapping in mappings
        if (slope := number_of(mapping, "RealWorldValueSlope")) is not None
        for factor in [TIME_UNITS_MS[str(unit_of(mapping))]]
    )
    if len(scales) > 1:
        found = " and ".join(f"{scale.slope:g} * stored + {scale.intercept:g} ms" for scale in scales)
        raise ACNetError(
            f"{name}: its RealWorldValueMappingSequence maps the pixels to time in {len(scales)} ways ({found}); "
            "expected one. Export the map with the one that is right."
        )
    if scales:
        return next(iter(scales))
    slope = number_of(header, "RescaleSlope")
    return Scale(1.0 if slope is None else slope, number_of(header, "RescaleIntercept") or 0.0)


def padding_in(stored: np.ndarray, header: pydicom.Dataset) -> np.ndarray:
    """Which stored pixels hold the header's padding value instead of one that was measured: bool, in their shape."""
    first = number_of(header, *PADDING)
    if first is None:
        return np.zeros(stored.shape, dtype=bool)
    if np.isnan(first):
        return np.isnan(stored)
    last = number_of(header, *PADDING_LIMITS)
    ends = np.array([first, first if last is None else last])
    if stored.dtype.kind != "f":
        ends = ends.astype(np.int64)  # -2000 may be written as the unsigned 63536: below it becomes what is stored
    low, high = sorted(ends.astype(stored.dtype))
    return (stored >= low) & (stored <= high)
