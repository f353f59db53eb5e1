"""DICOM SEG objects for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.pixels.utils import pack_bits
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage, generate_uid

from ACNetLib.t1map.t1_map import T1Map


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
