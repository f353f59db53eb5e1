"""Which studies lie in a folder and its subfolders: DICOM by patient and exam, wherever on disk, or volume files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.config import disable_value_validation
from pydicom.errors import InvalidDicomError

from ACNetLib import SOFTWARE
from ACNetLib.dicom.guard import read_dataset
from ACNetLib.dicom.pixels import ODD_VALUES
from ACNetLib.errors import ACNetError
from ACNetLib.triage.rows import Identify
from ACNetLib.volumes.header import is_volume_file

STUDY_TAGS = ["PatientID", "StudyInstanceUID", "PatientName", "Modality", "Manufacturer"]
MODALITIES = {"MR", "OT", ""}  # a parametric map may be of modality "other"


@dataclass(frozen=True)
class Study:
    """One exam of one patient.

    key: tells it from all others; it may name the patient, as files, patient_id and patient_name do.
    """

    key: str
    files: tuple[Path, ...]
    is_dicom: bool
    patient_id: str
    patient_name: str

    def patient(self, identify: Identify) -> str:
        """What a list shows of the patient."""
        return {"none": "", "id": self.patient_id, "name": self.patient_name or self.patient_id}[identify]

    def state(self) -> str:
        """What changes when files come, go or are written anew. Raises OSError where one has gone meanwhile."""
        states = [(str(file), file.stat()) for file in self.files]
        told = [[file, stat.st_size, stat.st_mtime_ns] for file, stat in states]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def dicom_key(patient_id: str, study_uid: str) -> str:
    """The key of a study of DICOM images."""
    return f"{patient_id}\n{study_uid}"


def find_studies(source: Path, without: Path, look: Callable[[], None] = lambda: None) -> list[Study]:
    """The studies in a folder and its subfolders, or among the DICOM images that a text file lists, a path a line; in
    the order of their first files' paths. Raises ACNetError for a file that is no such list.

    DICOM images are one study by PatientID and StudyInstanceUID; other modalities than MR are passed over. The volume
    files of a subfolder are the slices of one exam, a volume file in the folder itself is an exam of its own. without:
    a folder that is not looked into. Files that are neither are passed over. look: is called for each file; what it
    raises ends the search.
    """
    dicom: dict[tuple[str, str], list[Path]] = {}
    names: dict[tuple[str, str], str] = {}
    volumes: dict[Path, list[Path]] = {}
    is_list = source.is_file()
    for file in _listed(source) if is_list else _files(source, without):
        look()
        if is_volume_file(file.name):
            if not is_list:
                volumes.setdefault(file if file.parent == source else file.parent, []).append(file)
        elif (told := _told(file)) is not None:
            patient, study, name = told
            dicom.setdefault((patient, study), []).append(file)
            names.setdefault((patient, study), name)
    found = [
        Study(dicom_key(patient, study), tuple(files), True, patient, names[patient, study])
        for (patient, study), files in dicom.items()
    ]
    for place, files in volumes.items():
        name = place.relative_to(source).as_posix()
        found.append(Study(name, tuple(files), False, name, name))
    return sorted(found, key=lambda study: study.files[0])


def _listed(file: Path) -> list[Path]:
    try:
        return [Path(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, ValueError) as error:
        raise ACNetError(f"{file}: it can't be read as a list; expected the path of an image in each line.") from error


def _files(folder: Path, without: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if Path(place, name) != without and not name.startswith("."))
        yield from (Path(place, name) for name in sorted(files) if not name.startswith("."))


def _told(file: Path) -> tuple[str, str, str] | None:
    """PatientID, StudyInstanceUID and PatientName; None for what is no DICOM image of MR, or a result of ours that came
    back from a server.

    A damaged file is a study of its own, so that the list tells what is wrong with it.
    """
    try:
        with disable_value_validation():
            header = read_dataset(file, stop_before_pixels=True, specific_tags=STUDY_TAGS)
            patient, study, name, modality, manufacturer = (str(header.get(tag) or "") for tag in STUDY_TAGS)
    except (InvalidDicomError, OSError):
        return None
    except (ACNetError, *ODD_VALUES):
        return "", f"damaged: {file}", ""
    if modality not in MODALITIES or manufacturer == SOFTWARE:
        return None
    return patient, study or f"in {file.parent}", name
