"""The studies that the user has selected in Slicer's DICOM module."""

from __future__ import annotations

from dataclasses import dataclass

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
    return Selection(
        len(studies),
        tuple(
            file
            for study in studies
            for each in database.seriesForStudy(study)
            for file in database.filesForSeries(each)
        ),
    )
