"""Siemens-like DICOM files for tests."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import (
    UID,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
    generate_uid,
)

PATIENT_NAME = "Doe^Jane"
PATIENT_ID = "ID-4711"

EXAMINATION = {
    "PatientBirthDate": "19570301",
    "PatientSex": "M",
    "StudyDate": "20240229",
    "StudyTime": "101500",
    "AccessionNumber": "A-1",
    "StudyID": "S-1",
}
FRAME_OF_REFERENCE = "1.2.826.0.1.3680043.8.498.7"
RAW_TYPE = ["ORIGINAL", "PRIMARY", "M", "ND"]
T1_MAP_TYPE = ["DERIVED", "PRIMARY", "T1 MAP", "MOCO", "T1", "DIS2D"]
STUDY = generate_uid(entropy_srcs=["study"])

# A double-oblique short axis: row axis, column axis; the normal is their cross product.
ORIENTATION = (0.6, -0.8, 0.0, 0.64, 0.48, -0.6)
NORMAL = np.array([0.48, 0.36, 0.8])
POSITION = np.array([-101.25, 33.5, 70.125])
SPACING = (2.1, 1.4)  # between rows, between columns
GAP_MM = 12.0


RAMP = (700 + 30 * np.arange(30) + 5 * np.arange(40)[:, None]).astype(np.uint16)
# RAMP as JPEG-LS of 12 bits, by pyjpegls 1.5.1: nothing that Slicer bundles encodes it.
ENCODED = {
    JPEGLSLossless: b64decode(
        "/9j/9wALDAAoAB4BAREA/9oACAEBAAAAAAAAA7+/Pfrz471qtSnSo0P/XvnffXXPPPHHG+VKkTSSlKUoRERERERJJJJKlSSSSSSSqqqqqRIq"
        "qqqqv/5pv/9//xJP/3//ZS//f/9lL/9//2Uv/3//ZS//f/9lL/9//2EP/3//Yj//f/8I/3//fiP/f/94j/9//2I//3//CP9//34j/3//eI//"
        "f/9iP/9//wj/f/9+T/9//2T/f/9+T/9//2T/f/9+T/9//2T/f/9+T/9//2T/f/9+T/9//2T/f/9+T/9//2T/f/9+T/9//2T/f/9+T/9//2T/"
        "f/9+T/9//2T/f/9+AP/Z"
    )
}


def write_image(
    file: Path,
    stored: np.ndarray,
    position: Sequence[float],
    orientation: Sequence[float] = (1, 0, 0, 0, 1, 0),
    spacing: tuple[float, float] = (1.4, 1.4),
    *,
    series: int = 3,
    **attributes: Any,
) -> Path:
    """One section as the scanner stores it: uint16 (rows, columns), or uint8 (rows, columns, 3) for a colour copy.

    `spacing` is (between rows, between columns) as in PixelSpacing. Further attributes replace those of a native T1 map
    at 1.5 T; None leaves one out.
    """
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = FileDataset(str(file), {}, file_meta=meta, preamble=b"\0" * 128)
    color = stored.ndim == 3
    header = {
        "ImageType": T1_MAP_TYPE,
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "Modality": "MR",
        "SeriesDescription": "MOLLI T1Map_LongT1 SA_mid_MOCO_T1",
        "PatientName": PATIENT_NAME,
        "PatientID": PATIENT_ID,
        "SliceThickness": 8,
        "MagneticFieldStrength": 1.5,
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": generate_uid(entropy_srcs=[str(series)]),
        "SeriesNumber": series,
        "ImagePositionPatient": decimals(position),
        "ImageOrientationPatient": decimals(orientation),
        "PixelSpacing": list(spacing),
        "SamplesPerPixel": 3 if color else 1,
        "PhotometricInterpretation": "RGB" if color else "MONOCHROME2",
        "Rows": stored.shape[0],
        "Columns": stored.shape[1],
        "BitsAllocated": 8 * stored.itemsize,
        "BitsStored": 8 if color else 12,
        "HighBit": 7 if color else 11,
        "PixelRepresentation": 0,
        "PixelData": stored.tobytes(),
        **({"PlanarConfiguration": 0} if color else {}),
        **attributes,
    }
    for keyword, value in header.items():
        if value is not None:
            setattr(dataset, keyword, value)
    file.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(file, enforce_file_format=True)
    return file


def write_section(file: Path, stored: np.ndarray, height_mm: float = 0.0, **attributes: Any) -> Path:
    """A section of the short-axis stack at a height along its normal."""
    position = attributes.pop("position", POSITION + height_mm * NORMAL)
    orientation = attributes.pop("orientation", ORIENTATION)
    return write_image(file, stored, position, orientation, attributes.pop("spacing", SPACING), **attributes)


def write_study(folder: Path, stored: np.ndarray, **attributes: Any) -> Path:
    """A stack of three sections as one series, its files named in another order than they lie."""
    for file_name, section in (("c", 0), ("a", 1), ("b", 2)):
        write_section(folder / f"{file_name}.dcm", stored[section], section * GAP_MM, **attributes)
    return folder


def write_enhanced(
    file: Path, stored: np.ndarray, slopes: Sequence[float] | None = None, first: int = 0, **attributes: Any
) -> Path:
    """The stack as one Enhanced MR object, uint16 (frames, rows, columns), with what a frame has in its own groups.

    `slopes`: the rescale slope of each frame. `first`: which slice of the stack the first frame is.
    """
    slopes = slopes or [1.0] * len(stored)
    frames = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=decimals(POSITION + (first + frame) * GAP_MM * NORMAL))],
            PixelValueTransformationSequence=[item(RescaleSlope=slope, RescaleIntercept=0, RescaleType="ms")],
            MRImageFrameTypeSequence=[item(FrameType=["DERIVED", "PRIMARY", "T1 MAP", "NONE"])],
        )
        for frame, slope in enumerate(slopes)
    ]
    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=list(SPACING), SliceThickness=8)],
        PlaneOrientationSequence=[item(ImageOrientationPatient=decimals(ORIENTATION))],
    )
    plain = dict.fromkeys(("SliceThickness", "ImagePositionPatient", "PixelSpacing"))
    write_section(
        file,
        stored[0],
        **{
            **plain,
            "SOPClassUID": EnhancedMRImageStorage,
            "NumberOfFrames": len(stored),
            "PixelData": stored.tobytes(),
            "SharedFunctionalGroupsSequence": [shared],
            "PerFrameFunctionalGroupsSequence": frames,
            **attributes,
        },
    )
    dataset = pydicom.dcmread(file)
    del dataset.ImageOrientationPatient
    dataset.save_as(file, enforce_file_format=True)
    return file


def item(**attributes: Any) -> Dataset:
    """An item of a sequence."""
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def decimals(values: Iterable[float]) -> list[str]:
    """Numbers as decimal strings."""
    return [f"{value:.10g}" for value in values]


def mapping(unit: str, slope: float, intercept: float = 0.0, **attributes: Any) -> Dataset:
    """A real world value mapping of all stored values, in a UCUM unit."""
    return item(
        RealWorldValueFirstValueMapped=0,
        RealWorldValueLastValueMapped=4095,
        RealWorldValueSlope=slope,
        RealWorldValueIntercept=intercept,
        LUTLabel=unit,
        MeasurementUnitsCodeSequence=[item(CodeValue=unit, CodingSchemeDesignator="UCUM", CodeMeaning=unit)],
        **attributes,
    )


def compress(file: Path, syntax: UID) -> Path:
    """The file with its pixels encoded without loss in another transfer syntax."""
    dataset = pydicom.dcmread(file)
    if syntax == RLELossless:
        dataset.compress(RLELossless, generate_instance_uid=False)
    else:
        frames = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
        dataset.PixelData = encapsulate([ENCODED.get(syntax) or _encoded(frame, syntax) for frame in frames])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(file, enforce_file_format=True)
    return file


def without_preamble(file: Path, syntax: UID = ExplicitVRLittleEndian, with_meta: bool = False) -> Path:
    """The file as the data set came over the network, with or without its meta information; and without a suffix."""
    dataset = pydicom.dcmread(file)
    dataset.file_meta.TransferSyntaxUID = syntax
    written = BytesIO()
    dataset.save_as(written, enforce_file_format=True)
    data = written.getvalue()[132:]
    target = file.with_suffix("")
    target.write_bytes(data if with_meta else data[12 + int.from_bytes(data[8:12], "little") :])
    file.unlink()
    return target


def _encoded(frame: np.ndarray, syntax: UID) -> bytes:
    """By the encoder of SimpleITK's GDCM."""
    with TemporaryDirectory() as folder:
        writer = sitk.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.SetFileName(f"{folder}/encoded.dcm")
        writer.UseCompressionOn()
        writer.SetCompressor({JPEGLosslessSV1: "JPEG", JPEG2000Lossless: "JPEG2000"}[syntax])
        writer.Execute(sitk.GetImageFromArray(frame))
        written = pydicom.dcmread(f"{folder}/encoded.dcm")
    assert written.file_meta.TransferSyntaxUID == syntax
    return get_frame(written.PixelData, 0, number_of_frames=1)
