"""What all DICOM objects of a simulated patient have in common."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import DSfloat

from ..section import SimulatedSection

SIMULATION_NOTE = "simulated T1 map, no patient"
OTHER_NOTE = "simulated, no patient"  # where the note shall not tell what the image is


def general_dataset(section: SimulatedSection, storage: UID, key: str, number: int, series: int) -> FileDataset:
    """What all objects of a simulated patient have: who it is, that it is simulated, and the scan."""
    patient = section.patient
    field_strength = patient.field_strength_tesla

    def uid(*parts: object) -> UID:
        return generate_uid(entropy_srcs=["ACNet simulation", patient.name, f"{field_strength:g}", *map(str, parts)])

    keys = (key,) if key else ()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = storage
    meta.MediaStorageSOPInstanceUID = uid("instance", *keys, number)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = storage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = uid("study")
    dataset.SeriesInstanceUID = uid("series", *((key.split()[0], series) if key else ()))
    dataset.FrameOfReferenceUID = uid("frame")
    dataset.PatientName = f"Simulated^{patient.name}"
    dataset.PatientID = patient.name
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "F" if patient.sex == "female" else "M"
    dataset.StudyID = "1"
    dataset.StudyDate = dataset.StudyTime = dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "ACNet simulation"
    dataset.Modality = "MR"
    dataset.Manufacturer = "ACNet simulation"
    dataset.MagneticFieldStrength = field_strength
    dataset.SeriesNumber = series
    dataset.InstanceNumber = number
    dataset.BodyPartExamined = "HEART"
    dataset.PositionReferenceIndicator = ""
    dataset.Laterality = ""
    return dataset


def decimal_strings(values: tuple[float, ...] | list[float]) -> list[DSfloat]:
    """DICOM decimal strings hold 16 characters."""
    return [DSfloat(value, auto_format=True) for value in values]


def orientation(image: sitk.Image) -> list[DSfloat]:
    """ImageOrientationPatient: the axes of increasing column and row index."""
    axes = np.array(image.GetDirection()).reshape(3, 3)
    return decimal_strings([*axes[:, 0], *axes[:, 1]])
