"""Which studies lie in a folder and its subfolders: DICOM by patient and exam, wherever on disk, or volume files."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.config import disable_value_validation
from pydicom.errors import InvalidDicomError
from pydicom.tag import Tag

from ACNetLib import SOFTWARE
from ACNetLib.dicom.guard import read_dataset, read_first_of
from ACNetLib.dicom.images import DICOM_SUFFIXES, is_broken_copy, is_directory, tells_its_series
from ACNetLib.dicom.origin import EXAM, NAMED, named
from ACNetLib.dicom.pixels import ODD_VALUES
from ACNetLib.errors import ACNetError, NotNow, as_text, escaped, one_line
from ACNetLib.folders import files_in
from ACNetLib.triage.look import PassedOver
from ACNetLib.triage.rows import Identify
from ACNetLib.volumes.beside import files_beside
from ACNetLib.volumes.header import is_volume_file

SHORTEST_NAME = 3
"""A folder that is called "1" names nobody, and a text may count something."""
DATE_DIGITS = 8
EXAM_TAGS = ("PatientID", "StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber")
"""The same in all images of an exam."""
IMAGE_TAGS = (*EXAM, "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "Modality", "Manufacturer")
"""Wanted of each image; the others of STUDY_TAGS of a study's first alone."""
STUDY_TAGS = (*dict.fromkeys((*EXAM_TAGS, *NAMED, *IMAGE_TAGS)),)
_IN_ORDER = sorted(Tag(keyword) for keyword in STUDY_TAGS)
MODALITIES = {"MR", "OT", ""}  # a parametric map may be of modality "other"


@dataclass(frozen=True, repr=False)
class Study:
    """One exam of one patient.

    key: tells it from all others; it may name the patient, as files, patient_id and patient_name do. Its text tells
    none of them: Dask's workers log what they failed at. date: of the exam, as DICOM writes it, "" where it is not
    told. instances: the SOPInstanceUID of each file, "" where it is not told. exam: the StudyInstanceUID, the same.
    """

    key: str
    files: tuple[Path, ...]
    is_dicom: bool
    patient_id: str
    patient_name: str
    date: str = ""
    instances: tuple[str, ...] = ()
    exam: str = ""

    def patient(self, identify: Identify) -> str:
        """What a list shows of the patient."""
        return {"none": "", "id": self.patient_id, "name": self.patient_name or self.patient_id}[identify]

    def date_shown(self, identify: Identify) -> str:
        """When the exam was, where a list shows the patient: it may have several of one."""
        is_date = len(self.date) == DATE_DIGITS and self.date.isdigit()
        date = f"{self.date[:4]}-{self.date[4:6]}-{self.date[6:]}" if is_date else self.date
        return "" if identify == "none" else date

    def without_names(self, text: str) -> str:
        """A text about the study, its files by their numbers: names of files and folders may be those of patients."""
        numbers: dict[str, list[int]] = {}
        for number, file in enumerate(self.files, start=1):
            for name in {str(file), f"{file.parent.name}/{file.name}", file.name}:
                numbers.setdefault(escaped(name), []).append(number)
        folders = {file.parent for file in self.files}
        for name in {name for path in (*folders, *self._beside()) for name in (str(path), path.name)}:
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
        """What changes when images come, go or are written anew, and not when they are moved or there twice. Raises
        OSError where one has gone meanwhile.
        """
        names = self.instances or ("",) * len(self.files)
        states = [(name or file.name, file.stat()) for name, file in zip(names, self.files, strict=True)]
        states += [(file.name, file.stat()) for file in self._beside() if os.path.isfile(file)]
        return _hash_of({(name, stat.st_size, stat.st_mtime_ns) for name, stat in states})

    def content(self) -> str:
        """What changes with the bytes of its images alone: all of them are read. Raises OSError as `state` does."""
        digests = {_digest(file) for file in self.files}
        for file in self._beside():
            with suppress(OSError):  # it may not be there, and what an answer lacks of it is told there
                digests.add(_digest(file))
        return _hash_of(digests)

    def _beside(self) -> list[Path]:
        """What is read with its volume files, such as pixels that lie apart; such a file need not be there."""
        return [] if self.is_dicom else [each for file in self.files for each in files_beside(file)]

    def former_state(self) -> str:
        """As earlier versions kept it of a study: by paths, too."""
        states = [(str(file), file.stat()) for file in self.files]
        told = [[file, stat.st_size, stat.st_mtime_ns] for file, stat in states]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _hash_of(told: set[Any]) -> str:
    return hashlib.sha256(json.dumps(sorted(told)).encode()).hexdigest()


@dataclass(frozen=True)
class _Image:
    """What a DICOM file tells, by keyword. key: of its study, "" where its header is not whole: it may be of any exam
    that it does not speak against. is_dicom: no for a file that is only called so.
    """

    file: Path
    told: Mapping[str, str]
    key: str = ""
    is_dicom: bool = True

    def may_be_of(self, images: Sequence[_Image]) -> bool:
        """Whether a file that does not tell its exam may be of this one: what it tells, which may be cut off, is the
        same, and it tells the patient, or lies in a folder with some of the images.
        """
        first = images[0].told
        if any(first.get(tag) and not first[tag].startswith(self.told.get(tag, "")) for tag in EXAM_TAGS):
            return False
        is_of_patient = bool(first.get("PatientID") and self.told.get("PatientID"))
        return is_of_patient or any(image.file.parent == self.file.parent for image in images)


def dicom_key(patient_id: str, study_uid: str) -> str:
    """The key of a study of DICOM images."""
    return f"{patient_id}\n{study_uid}"


def find_studies(
    source: Path,
    without: Path,
    look: Callable[[], None] = lambda: None,
    passed: PassedOver | None = None,
) -> list[Study]:
    """The studies in a folder and its subfolders, or among the DICOM images that a text file lists, see `listed_files`;
    in the order of their first files' paths. Raises ACNetError for a file that is no such list, and NotNow for a folder
    that can't be looked through.

    DICOM images are one study by PatientID and StudyInstanceUID, and without both by folder, name and date of birth;
    other modalities than MR are passed over. A damaged file that does not tell its exam counts as one of each study
    that it may be of, and where there is none, or several and nothing says which, as a study of its own, so that the
    list tells what is wrong with it. The volume files of a subfolder are the slices of one exam, a volume file in the
    folder itself is an exam of its own. Files that are neither are passed over, and so are folders with a reading list
    or a result. without: a folder that is not looked into. look: is called for each file; what it raises ends the
    search. passed: gets what is there and can't be answered.
    """
    passed = passed or PassedOver()
    dicom: dict[str, list[_Image]] = {}
    loose: list[_Image] = []
    volumes: dict[Path, list[Path]] = {}
    is_list = os.path.isfile(source)
    if is_list:
        passed.missing += [file for file in listed_files(source) if not os.path.isfile(file)]
    root = source.parent if is_list else source
    for file in listed_files(source) if is_list else _files(source, without, passed.unread):
        look()
        if is_volume_file(file.name):
            if not is_list:
                volumes.setdefault(file if file.parent == source else file.parent, []).append(file)
        elif (image := _image(file, root, dicom, passed)) is None:
            continue
        elif image.key:
            dicom.setdefault(image.key, []).append(image)
        else:
            loose.append(image)
    for image, studies in [(image, [own for own in dicom.values() if image.may_be_of(own)]) for image in loose]:
        if image.is_dicom and len(studies) > 1 and not any(image.told.get(tag) for tag in EXAM_TAGS):
            passed.unread.append(image.file)  # nothing says whose it is: an inbox is not left without answers for it
            studies = []
        for own in studies:
            own.append(image)
        if not studies and image.is_dicom:
            dicom[f"damaged: {_place(image.file, root)}"] = [image]
    found = [_study(key, images) for key, images in dicom.items()]
    for place, files in volumes.items():
        name = place.relative_to(source).as_posix()
        found.append(Study(name, tuple(files), False, as_text(name), as_text(name)))
    return sorted(found, key=lambda study: study.files[0])


def _key(header: Dataset, told: Mapping[str, str], folder: Path, root: Path) -> str:
    patient, study = (told[tag] for tag in EXAM)
    place = "" if study else f"in {_place(folder, root)}"
    names = [] if patient or study else [named(header.get(tag)) for tag in NAMED]
    return "\n".join([dicom_key(patient, study or place), *names])


def _told(header: Dataset, tags: Iterable[str]) -> dict[str, str]:
    return {tag: str(header.get(tag) or "") for tag in tags}


def _place(path: Path, root: Path) -> str:
    """A path that stays the same when the folder of all studies is moved."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _study(key: str, images: Sequence[_Image]) -> Study:
    files, told = tuple(image.file for image in images), images[0].told
    instances = tuple(image.told.get("SOPInstanceUID", "") for image in images)
    tags = ("PatientID", "PatientName", "StudyDate", "StudyInstanceUID")
    patient, name, date, exam = (told.get(tag, "") for tag in tags)
    return Study(key, files, True, patient, name, date, instances, exam)


def listed_files(file: Path) -> list[Path]:
    """The paths in a text file, one a line; relative ones begin at its folder. Raises ACNetError for another file."""
    try:
        return [file.parent / line for line in file.read_text(encoding="utf-8-sig").splitlines() if line]
    except (OSError, ValueError) as error:
        raise ACNetError(f"{file}: it can't be read as a list; expected the path of an image in each line.") from error


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


def _image(file: Path, root: Path, studies: Container[str], passed: PassedOver) -> _Image | None:
    """None for what is no DICOM image of MR, or a result of ours that came back from a server. studies: the keys of
    those whose first image was read before.
    """
    try:
        with disable_value_validation():
            try:
                header = read_first_of(file, _IN_ORDER)
                if any(tag not in header for tag in (*EXAM, "SeriesInstanceUID")):  # or they are out of order
                    header = read_dataset(file, stop_before_pixels=True, specific_tags=[*STUDY_TAGS])
            except InvalidDicomError:
                return _no_dicom(file)
            told, is_directory_of_files = _told(header, IMAGE_TAGS), is_directory(file, header)
            key = _key(header, told, file.parent, root) if tells_its_series(header) else ""
            if key not in studies:
                told = _told(header, STUDY_TAGS)
    except FileNotFoundError:
        return None
    except OSError:
        passed.unread.append(file)
        return None
    except (ACNetError, *ODD_VALUES):
        return _Image(file, {})
    if is_directory_of_files or told["Manufacturer"] == SOFTWARE:
        return None
    if told["Modality"] not in MODALITIES:
        passed.others[one_line(told["Modality"])] += 1
        return None
    return _Image(file, told, key)


def _no_dicom(file: Path) -> _Image | None:
    """What may have been an image; None for other files."""
    is_broken, is_called_so = is_broken_copy(file), file.suffix.lower() in DICOM_SUFFIXES
    return _Image(file, {}, is_dicom=is_broken) if is_broken or is_called_so else None
