"""The pixels of DICOM images: which encodings can be read, and the frames of a file in ms."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.errors import BytesLengthException
from pydicom.pixels import get_decoder
from pydicom.uid import (
    JPEG2000,
    UID,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    RLELossless,
    generate_uid,
)

from ACNetLib.dicom.guard import pixels_of, read_dataset
from ACNetLib.dicom.values import padding_in, scale_of
from ACNetLib.errors import ACNetError
from ACNetLib.files import temporary_folder

if TYPE_CHECKING:
    from ACNetLib.dicom.frames import Section

# What pydicom raises for protected, truncated and damaged deflated files and for unknown encodings.
READING_ERRORS = (OSError, AttributeError, RuntimeError, ValueError, struct.error, zlib.error, BytesLengthException)
ODD_VALUES = (*READING_ERRORS, TypeError, LookupError, OverflowError)

# What a Slicer has: pydicom decodes RLE by itself and JPEG and JPEG 2000 with Pillow, which knows 8 bits of JPEG alone;
# SimpleITK's GDCM all of these, and JPEG Lossless and JPEG-LS too.
GDCM_SYNTAXES = frozenset(
    {
        JPEGBaseline8Bit,
        JPEGExtended12Bit,
        JPEGLossless,
        JPEGLosslessSV1,
        JPEGLSLossless,
        JPEGLSNearLossless,
        JPEG2000,
        JPEG2000Lossless,
        RLELossless,
    }
)
LOSSY_SYNTAXES = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless})
"""JPEG 2000 (1.2.840.10008.1.2.4.91) may be either: LossyImageCompression tells."""

PIXEL_ATTRIBUTES = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
)


def require_decoder(file: Path, syntax: UID) -> None:
    """Raises ACNetError when nothing here decodes the pixels of a file of this transfer syntax."""
    if not (_pydicom_decodes(syntax) or syntax in GDCM_SYNTAXES):
        raise ACNetError(
            f"{file.name}: it is compressed as {syntax.name}, which can't be read here; expected no compression, RLE, "
            "JPEG, JPEG Lossless, JPEG-LS or JPEG 2000. Export it uncompressed (Explicit VR Little Endian)."
        )


def read_sections(sections: list[Section]) -> tuple[list[np.ndarray], int]:
    """(rows, columns) float32 in ms for each section, after its rescale or real world value mapping.

    The second: how many pixels hold the header's padding value and were set to 0. Raises ACNetError for files that
    can't be read.
    """
    frames = {file: read_frames(file) for file in {section.file for section in sections}}
    pixels, padded = [], 0
    for section in sections:
        stored = frames[section.file]
        if stored.shape[-2:] != section.matrix or stored.ndim != 3 or section.frame >= len(stored):
            raise ACNetError(f"{section.file.name}: found pixels of shape {stored.shape}; expected {section.matrix}.")
        with odd_values_refused(section.file):
            scale = scale_of(section.header, section.file.name)
            padding = padding_in(stored[section.frame], section.header)
        t1_ms = (stored[section.frame] * scale.slope + scale.intercept).astype(np.float32)
        padded += int(np.count_nonzero(t1_ms[padding]))
        t1_ms[padding] = 0
        pixels.append(t1_ms)
    return pixels, padded


def read_frames(file: Path) -> np.ndarray:
    """Stored values, (frames, rows, columns)."""
    with odd_values_refused(file):
        stored = pixels_of(read_dataset(file), file)
    return stored[np.newaxis] if stored.ndim == 2 else stored


def decoded(dataset: FileDataset) -> np.ndarray:
    """Stored values of compressed pixels, (frames, rows, columns) or (rows, columns).

    Decoders are C and C++ code that a damaged image can crash: `dicom_guard` calls it in a process of its own.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    return dataset.pixel_array if _pydicom_decodes(syntax) else _decoded_by_gdcm(dataset, syntax)


@contextmanager
def odd_values_refused(file: Path) -> Iterator[None]:
    """pydicom converts values when they are asked for: an invalid one raises there, in many ways. Raises ACNetError."""
    try:
        yield
    except ODD_VALUES as error:
        raise unreadable(file) from error


def unreadable(file: Path) -> ACNetError:
    return ACNetError(
        f"{file.name}: it can't be read (incomplete, encrypted or of an unsupported transfer syntax); expected a "
        "complete DICOM image. Copy it again, or export it uncompressed."
    )


def _pydicom_decodes(syntax: UID) -> bool:
    """Whether pydicom decodes it with what is installed; Pillow says that it knows JPEG of 12 bits, and does not."""
    try:
        return syntax != JPEGExtended12Bit and get_decoder(syntax).is_available
    except NotImplementedError:  # it knows no such syntax
        return False


def _decoded_by_gdcm(dataset: FileDataset, syntax: UID) -> np.ndarray:
    """Stored values by SimpleITK, from a file that has the pixels alone: of a whole one it would apply the rescale."""
    plain = Dataset()
    for keyword in PIXEL_ATTRIBUTES:
        plain[keyword] = dataset[keyword]
    plain.NumberOfFrames = dataset.get("NumberOfFrames") or 1
    plain.SOPClassUID, plain.SOPInstanceUID = MultiFrameGrayscaleWordSecondaryCaptureImageStorage, generate_uid()
    plain.file_meta = FileMetaDataset()
    plain.file_meta.TransferSyntaxUID = syntax
    with temporary_folder() as folder:
        file = folder / "pixels.dcm"
        plain.save_as(file, enforce_file_format=True)
        return sitk.GetArrayFromImage(sitk.ReadImage(str(file), imageIO="GDCMImageIO"))
