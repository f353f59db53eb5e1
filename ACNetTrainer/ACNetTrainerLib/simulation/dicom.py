"""Simulated sections as DICOM, with the headers of the `_MOCO_T1` series that Siemens scanners compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pydicom.valuerep import DSfloat

from ACNetLib.files import atomic_path

from .section import SimulatedSection

SIMULATION_NOTE = "simulated T1 map, no patient"


def write_dicom_series(folder: Path, sections: list[SimulatedSection], images: list[sitk.Image]) -> None:
    """One file a section, one series a patient. UIDs follow from the patient: a cohort always gives the same files."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (section, image) in enumerate(zip(sections, images, strict=True), start=1):
        dataset = _dataset(section, image, number)
        with atomic_path(folder / f"{section.level}.dcm") as temporary:
            dataset.save_as(temporary, enforce_file_format=True)


def _dataset(section: SimulatedSection, image: sitk.Image, number: int) -> FileDataset:
    patient = section.patient
    field = patient.field_strength_tesla
    columns, rows, _ = image.GetSize()
    axes = np.array(image.GetDirection()).reshape(3, 3)

    def uid(*parts: object) -> UID:
        return generate_uid(entropy_srcs=["ACNet simulation", patient.name, f"{field:g}", *map(str, parts)])

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = uid("instance", number)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = MRImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = uid("study")
    dataset.SeriesInstanceUID = uid("series")
    dataset.FrameOfReferenceUID = uid("frame")
    dataset.PatientName = f"Simulated^{patient.name}"
    dataset.PatientID = patient.name
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "F" if patient.sex == "female" else "M"
    dataset.StudyID = "1"
    dataset.StudyDate = dataset.StudyTime = dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "ACNet simulation"
    dataset.ImageComments = SIMULATION_NOTE
    dataset.Modality = "MR"
    dataset.Manufacturer = "ACNet simulation"
    dataset.MagneticFieldStrength = field
    dataset.SeriesDescription = "t1map_long_t1_3slice_8mm_MOCO_T1"
    dataset.SeriesNumber = 3
    dataset.InstanceNumber = number
    dataset.ImageType = ["DERIVED", "PRIMARY", "T1 MAP", "MOCO", "T1", "DIS2D"]
    dataset.BodyPartExamined = "HEART"
    dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = "GR", "SS", ""
    dataset.MRAcquisitionType = "2D"
    dataset.EchoTime, dataset.RepetitionTime, dataset.FlipAngle = 1.12, 2.7, 35
    dataset.EchoTrainLength = 1
    dataset.SliceThickness = image.GetSpacing()[2]
    dataset.ImagePositionPatient = _decimal_strings(image.GetOrigin())
    dataset.ImageOrientationPatient = _decimal_strings([*axes[:, 0], *axes[:, 1]])
    dataset.PixelSpacing = _decimal_strings([image.GetSpacing()[1], image.GetSpacing()[0]])
    dataset.PositionReferenceIndicator = ""
    dataset.Laterality = ""
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = rows, columns
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = sitk.GetArrayViewFromImage(image).astype("<u2").tobytes()
    return dataset


def _decimal_strings(values: tuple[float, ...] | list[float]) -> list[DSfloat]:
    """DICOM decimal strings hold 16 characters."""
    return [DSfloat(value, auto_format=True) for value in values]
