"""Studies in Slicer's DICOM database: those that the user has selected, all of them, and their files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import slicer

from ACNetLib.scene.sources import STUDY_INSTANCE_UID


@dataclass(frozen=True)
class Selection:
    """files: all images that the database has of these studies."""

    studies: int = 0
    files: tuple[str, ...] = ()


def selected_studies() -> Selection:
    """Of the DICOM browser, whole studies also where single series are selected; none where there is no browser yet."""
    browser = getattr(getattr(slicer.modules, "DICOMWidget", None), "browserWidget", None)
    series = [files for files in getattr(browser, "fileLists", ()) if files]
    if not series:
        return Selection()
    database = slicer.dicomDatabase
    studies = dict.fromkeys(database.fileValue(files[0], STUDY_INSTANCE_UID) for files in series)
    return Selection(len(studies), tuple(file for study in studies for file in files_of_study(study)))


def exams_of_database() -> Iterator[tuple[str, str]]:
    """PatientID and StudyInstanceUID of all; of none in a build without DICOM."""
    database: Any = getattr(slicer, "dicomDatabase", None)
    for patient in database.patients() if database is not None and database.isOpen else ():
        for study in database.studiesForPatient(patient):
            patient_id = database.fieldForPatient("PatientID", patient)
            # Where images have no PatientID, Slicer's database puts the study's UID in its place.
            yield "" if patient_id == study else patient_id, study


def files_of_study(study: str) -> list[str]:
    """By its StudyInstanceUID."""
    database = slicer.dicomDatabase
    return [file for series in database.seriesForStudy(study) for file in database.filesForSeries(series)]
