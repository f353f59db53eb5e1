"""Signal and phase of recovery images, from what their manufacturers store."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ACNetLib.dicom.frames import read_section
from ACNetLib.dicom.images import DicomImage
from ACNetLib.dicom.pixels import odd_values_refused, read_sections, require_decoder
from ACNetLib.dicom.values import PHILIPS_SCALE_SLOPE, scale_of

SIEMENS_PHASE = 2048.0
"""Half a turn, in stored values of 12 bits without an intercept."""
TURN_TOLERANCE = 0.02
"""Of half a turn, to which scanners round."""


def _displayed(images: list[DicomImage]) -> NDArray[np.float32]:
    """(images, rows, columns), after each image's rescale."""
    for image in images:
        require_decoder(image.file, image.syntax)
    stack, _ = read_sections([read_section(image.file, image.frame, image.header) for image in images])
    return np.stack(stack)


def measured_signal(images: list[DicomImage]) -> NDArray[np.float32]:
    """(images, rows, columns), of Philips as they were measured: its display values differ in scale by image."""
    pixels = _displayed(images)
    factors = [_measured_factor(image) for image in images]
    if len(set(factors)) > 1 and None not in factors:
        pixels *= (np.array(factors) / factors[0]).astype(np.float32)[:, None, None]
    return pixels


def _measured_factor(image: DicomImage) -> float | None:
    """Of Philips, what makes the measured signal of a displayed value: 1 / (RS SS) (Chenevert 2014); None of others."""
    element = image.header.get(PHILIPS_SCALE_SLOPE)
    with odd_values_refused(image.file):
        factor = 0.0 if element is None else scale_of(image.header, image.file.name).slope * float(element.value)
    return 1 / factor if factor > 0 else None


def phase_rad(images: list[DicomImage]) -> NDArray[np.float64] | None:
    """(images, rows, columns). Half a turn is as much as the rescale's intercept lies below zero: 4096 of Siemens, 3142
    of Philips. None where the values are no such angles, which an inversion turns by half a turn: of another scale."""
    intercepts = [scale_of(image.header, image.file.name).intercept for image in images]
    half_turns = np.stack(
        [
            values / -intercept if intercept < 0 else values / SIEMENS_PHASE - 1
            for values, intercept in zip(_displayed(images).astype(np.float64), intercepts, strict=True)
        ]
    )
    is_angle = np.abs(half_turns).max() <= 1 + TURN_TOLERANCE and np.ptp(half_turns) >= 1 - TURN_TOLERANCE
    return half_turns * np.pi if is_angle else None
