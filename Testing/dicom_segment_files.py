"""DICOM SEG objects for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.pixels.utils import pack_bits
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage, generate_uid

from ACNetLib.inference.attention import BAND_NAMES
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import LABEL_NAMES


def write_dicom_segments(path: Path, t1_map: T1Map, frames: list[tuple[int, int, np.ndarray]], **changes: Any) -> Path:
    """A DICOM SEG with these frames: slice, segment number, mask (rows, columns). Segment 1 is the cavity."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SegmentationStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = SegmentationStorage, meta.MediaStorageSOPInstanceUID
    dataset.Modality, dataset.SegmentationType = "SEG", "BINARY"
    dataset.SegmentSequence = [Dataset(), Dataset()]
    for number, label in ((1, "Cavity"), (2, "Myocardium")):
        segment = dataset.SegmentSequence[number - 1]
        segment.SegmentNumber, segment.SegmentLabel = number, label
    across, down, depth = t1_map.image.GetSpacing()
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness, measures.SpacingBetweenSlices = [down, across], depth, depth
    orientation.ImageOrientationPatient = [f"{value:.10g}" for value in (*t1_map.row_axis, *t1_map.column_axis)]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    dataset.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for section, number, _ in frames:
        position, identification, group = Dataset(), Dataset(), Dataset()
        corner = t1_map.image.TransformIndexToPhysicalPoint((0, 0, section))
        position.ImagePositionPatient = [f"{value:.10g}" for value in corner]
        identification.ReferencedSegmentNumber = number
        group.PlanePositionSequence, group.SegmentIdentificationSequence = [position], [identification]
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = groups
    dataset.NumberOfFrames = len(frames)
    dataset.Rows, dataset.Columns = frames[0][2].shape
    dataset.BitsAllocated = dataset.BitsStored = dataset.SamplesPerPixel = 1
    dataset.HighBit = dataset.PixelRepresentation = 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = pack_bits(np.stack([mask for _, _, mask in frames]).astype(np.uint8).ravel())
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def expected_masks(bands: np.ndarray, evidence: np.ndarray, ventricle: np.ndarray) -> dict[str, np.ndarray]:
    masks = {name: ventricle == label for label, name in LABEL_NAMES.items()}
    masks |= {f"attention, {name}": bands == band for band, name in enumerate(BAND_NAMES, start=1)}
    masks |= {"evidence, for DCM": evidence >= 0.1, "evidence, for normal": evidence <= -0.1}
    return {name: mask for name, mask in masks.items() if mask.any()}


def assert_equal_masks(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, mask in expected.items():
        np.testing.assert_array_equal(found[name], mask, name)


def groups_of(report: Any) -> dict[str, Any]:
    """The measurement groups by their tracking identifiers."""
    return {each.tracking_identifier: each for each in report.content.get_image_measurement_groups()}
