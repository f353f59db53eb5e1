"""Which studies lie in a folder and its subfolders: DICOM by patient and exam, wherever on disk, or volume files."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.config import disable_value_validation
from pydicom.errors import InvalidDicomError

from ACNetLib import SOFTWARE
from ACNetLib.dicom.guard import read_dataset
from ACNetLib.dicom.pixels import ODD_VALUES
from ACNetLib.errors import ACNetError, NotNow, as_text, escaped
from ACNetLib.folders import files_in
from ACNetLib.triage.rows import Identify
from ACNetLib.volumes.header import is_volume_file

SHORTEST_NAME = 3
"""A folder that is called "1" names nobody, and a text may count something."""
STUDY_TAGS = ["PatientID", "StudyInstanceUID", "PatientName", "Modality", "Manufacturer"]
MODALITIES = {"MR", "OT", ""}  # a parametric map may be of modality "other"


@dataclass(frozen=True, repr=False)
class Study:
    """One exam of one patient.

    key: tells it from all others; it may name the patient, as files, patient_id and patient_name do. Its text tells
    none of them: Dask's workers log what they failed at.
    """

    key: str
    files: tuple[Path, ...]
    is_dicom: bool
    patient_id: str
    patient_name: str

    def patient(self, identify: Identify) -> str:
        """What a list shows of the patient."""
        return {"none": "", "id": self.patient_id, "name": self.patient_name or self.patient_id}[identify]

    def without_names(self, text: str) -> str:
        """A text about the study, its files by their numbers: names of files and folders may be those of patients."""
        numbers: dict[str, list[int]] = {}
        for number, file in enumerate(self.files, start=1):
            for name in {str(file), f"{file.parent.name}/{file.name}", file.name}:
                numbers.setdefault(escaped(name), []).append(number)
        for folder in {file.parent for file in self.files}:
            for name in (str(folder), folder.name):
                numbers.setdefault(escaped(name), [])
        there = [name for name in numbers if len(name) >= SHORTEST_NAME and name in text]
        for name in sorted(there, key=len, reverse=True):
            (number, *others) = numbers[name] or [0]
            unnamed = f"file {number} of {len(self.files)}" if number and not others else "..."
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", unnamed, text)
        return text

    def with_names(self, text: str, source: Path) -> str:
        """A text of `without_names` for whoever may know the files: by their paths, within the source if they are."""

        def path_of(found: re.Match[str]) -> str:
            number, of = map(int, found.groups())
            if of != len(self.files) or not 0 < number <= of:
                return found[0]
            file = self.files[number - 1]
            return escaped(file.relative_to(source).as_posix() if file.is_relative_to(source) else str(file))

        return re.sub(r"\bfile (\d{1,9}) of (\d{1,9})\b", path_of, text)

    def state(self) -> str:
        """What changes when files come, go or are written anew. Raises OSError where one has gone meanwhile."""
        states = [(str(file), file.stat()) for file in self.files]
        told = [[file, stat.st_size, stat.st_mtime_ns] for file, stat in states]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def dicom_key(patient_id: str, study_uid: str) -> str:
    """The key of a study of DICOM images."""
    return f"{patient_id}\n{study_uid}"


def find_studies(
    source: Path, without: Path, look: Callable[[], None] = lambda: None, unread: list[Path] | None = None
) -> list[Study]:
    """The studies in a folder and its subfolders, or among the DICOM images that a text file lists, see `listed_files`;
    in the order of their first files' paths. Raises ACNetError for a file that is no such list, and NotNow for a folder
    that can't be looked through.

    DICOM images are one study by PatientID and StudyInstanceUID; other modalities than MR are passed over. The volume
    files of a subfolder are the slices of one exam, a volume file in the folder itself is an exam of its own. Files
    that are neither are passed over, and so are folders with a reading list or a result. without: a folder that is not
    looked into. look: is called for each file; what it raises ends the search. unread: gets what is there and can't be
    read.
    """
    unread = [] if unread is None else unread
    dicom: dict[tuple[str, str], list[Path]] = {}
    names: dict[tuple[str, str], str] = {}
    volumes: dict[Path, list[Path]] = {}
    is_list = os.path.isfile(source)
    for file in listed_files(source) if is_list else _files(source, without, unread):
        look()
        if is_volume_file(file.name):
            if not is_list:
                volumes.setdefault(file if file.parent == source else file.parent, []).append(file)
        elif (told := _told(file, unread)) is not None:
            patient, study, name = told
            dicom.setdefault((patient, study), []).append(file)
            names.setdefault((patient, study), name)
    found = [
        Study(dicom_key(patient, study), tuple(files), True, patient, names[patient, study])
        for (patient, study), files in dicom.items()
    ]
    for place, files in volumes.items():
        name = place.relative_to(source).as_posix()
        found.append(Study(name, tuple(files), False, as_text(name), as_text(name)))
    return sorted(found, key=lambda study: study.files[0])


def listed_files(file: Path) -> list[Path]:
    """The paths in a text file, one a line; relative ones begin at its folder. Raises ACNetError for another file."""
    try:
        return [file.parent / line for line in file.read_text(encoding="utf-8-sig").splitlines() if line]
    except (OSError, ValueError) as error:
        raise ACNetError(f"{file}: it can't be read as a list; expected the path of an image in each line.") from error


def missing_note(source: Path) -> str:
    """A sentence about the paths in a text file that lead to no file; "" for a folder, and where all lead to one."""
    listed = listed_files(source) if os.path.isfile(source) else []
    missing = [file for file in listed if not os.path.isfile(file)]
    if not missing:
        return ""
    return (
        f"{source.name}: {len(missing)} of its {len(listed)} paths lead to no file and were left out; the first is "
        f"{missing[0]}. Relative paths begin at the folder of {source.name}."
    )


def _files(source: Path, without: Path, unread: list[Path]) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        place = Path(error.filename or source)
        if place != source and (isinstance(error, PermissionError) or place.is_symlink()):
            unread.append(place)
        elif not isinstance(error, FileNotFoundError) or place == source:  # a subfolder may have been removed meanwhile
            raise error

    def choose(place: str, folders: list[str], files: list[str]) -> None:
        if Path(place) != source and _is_ours(folders, files):
            folders.clear()
            files.clear()
        folders[:] = [name for name in folders if Path(place, name) != without]

    try:
        yield from files_in(source, choose, refuse)
        os.scandir(source).close()  # it may have gone meanwhile
    except OSError as error:
        raise NotNow(
            f"{source}: it can't be looked through ({error.strerror}); expected a folder with studies. Is its disk "
            "connected? The list stays as it is."
        ) from error


def _is_ours(folders: Sequence[str], files: Sequence[str]) -> bool:
    """Whether a folder holds another reading list, or a result of `acnet classify`: their volumes are no studies."""
    return ("list.json" in files and "studies" in folders) or {"result.json", "report.html"} <= set(files)


def _told(file: Path, unread: list[Path]) -> tuple[str, str, str] | None:
    """PatientID, StudyInstanceUID and PatientName; None for what is no DICOM image of MR, or a result of ours that came
    back from a server.

    A damaged file is a study of its own, so that the list tells what is wrong with it.
    """
    try:
        with disable_value_validation():
            header = read_dataset(file, stop_before_pixels=True, specific_tags=STUDY_TAGS)
            patient, study, name, modality, manufacturer = (str(header.get(tag) or "") for tag in STUDY_TAGS)
    except (InvalidDicomError, FileNotFoundError):
        return None
    except OSError:
        unread.append(file)
        return None
    except (ACNetError, *ODD_VALUES):
        return "", f"damaged: {file}", ""
    if modality not in MODALITIES or manufacturer == SOFTWARE:
        return None
    return patient, study or f"in {file.parent}", name
