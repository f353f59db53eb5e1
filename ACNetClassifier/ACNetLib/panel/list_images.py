"""Where the DICOM images of a reading list's studies lie. The list does not tell it, for paths may name patients.

A study's name in the list is made of its PatientID and StudyInstanceUID, so its images are found by these: in Slicer's
DICOM database, or in the folder of studies that the user has chosen.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from slicer.i18n import tr as _

from ACNetLib.errors import ACNetError
from ACNetLib.panel.dicom_selection import exams_of_database, files_of_study
from ACNetLib.triage.reading_list import LIST_FILE, STUDIES_FOLDER, ReadingList, exam_of
from ACNetLib.triage.study_marks import is_of_dicom

Files = tuple[Path, ...]
Find = Callable[[Callable[[], None]], Files]
"""Looks for a study's images, and calls what it is given for each file, which may raise to end it."""


class ListImages:
    """Of the list and the folder of studies that are chosen; what was found stays known."""

    def __init__(self) -> None:
        self._list: Path | None = None
        self._source: Path | None = None
        self._found: dict[str, Files] = {}
        self._searched = False

    def of_list(self, list_folder: Path | None) -> None:
        self._list, self._searched = list_folder, False

    def among(self, source: Path | None) -> None:
        """This folder, as it is from now on."""
        self._source, self._searched = source, False

    def look_up(self, study: str) -> None:
        """In the DICOM database, as it is now."""
        assert self._list is not None
        try:
            exam = exam_of(study, self._list, exams_of_database())
        except ACNetError:  # the study opens without its images
            return
        if exam is not None:
            self._found[study] = tuple(map(Path, files_of_study(exam[1])))

    def obstacle(self, study: str) -> str:
        """Why a study's images can't be had; "" where they are known, or may be among the source."""
        folder = None if self._list is None else self._list / STUDIES_FOLDER / study
        if self._list is None or folder is None or not os.path.isdir(folder):
            return _("The list of this study is not open: choose its folder under Reading list")
        try:
            if not is_of_dicom(folder):
                return _("The study was read from volume files, which tell no patient and no study")
        except ACNetError as error:
            return error.plain
        except OSError as error:
            return str(error)
        if not os.path.isfile(self._list / LIST_FILE):
            return _("The list's file {name} is gone, without which no image is found again").format(name=LIST_FILE)
        if any(map(os.path.isfile, self._found.get(study, ()))):
            return ""
        if self._source is None or not os.path.isdir(self._source):
            return _("Its DICOM images are not known: choose the folder of studies under Reading list")
        return _("Its DICOM images are not in the folder of studies") if self._searched else ""

    def finder(self, study: str) -> Find:
        """What looks for its images, in another thread: in a large folder it takes long, the first time."""
        known = tuple(filter(os.path.isfile, self._found.get(study, ())))
        source, list_folder = self._source, self._list

        def find(look: Callable[[], None]) -> Files:
            if known or source is None or list_folder is None:
                return known
            studies = ReadingList(source, list_folder, "none").studies(look)
            if (source, list_folder) == (self._source, self._list):
                self._found |= {name: each.files for name, each in studies.items() if each.is_dicom}
                self._searched = True
            if study not in studies:
                raise ACNetError(
                    _(
                        "{study}: its DICOM images are not in {folder}; expected the folder that the list was made of."
                    ).format(study=study, folder=source)
                )
            return studies[study].files

        return find
