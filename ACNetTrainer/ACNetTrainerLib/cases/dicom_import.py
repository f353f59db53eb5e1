"""Importing the T1 maps of DICOM studies whose labels stand in a list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom.config import disable_value_validation
from pydicom.errors import InvalidDicomError

from ACNetLib.dicom.alternatives import one_a_slice, series_of_same_slices, without_copies
from ACNetLib.dicom.guard import read_dataset
from ACNetLib.dicom.images import DICOM_SUFFIXES, DicomImage, read_images
from ACNetLib.dicom.origin import FIELD_STRENGTH, first_difference, origin_of
from ACNetLib.dicom.pixels import READING_ERRORS, unreadable
from ACNetLib.dicom.volumes import DicomVolume, NoSingleStack, volume_among
from ACNetLib.errors import ACNetError
from ACNetLib.folders import files_in
from ACNetLib.inference.exam_input import volumes_of_one_exam
from ACNetLib.t1map.checks import check_short_axis
from ACNetLib.t1map.t1_map import T1Map, t1_map_from_image

from .csv_import import Imported, add_all, label_in
from .maps import DEFAULT_SOURCE, NewMap, agreeing_maps, by_localizer
from .pseudonyms import plain_name
from .table import read_table

if TYPE_CHECKING:
    from .maps import LoadLocalizer

STUDY_KEYS = ("StudyInstanceUID", "AccessionNumber", "PatientID", "folder")
"""What a label list may know studies by: DICOM attributes, or the folder of their files."""
DATES = ("AcquisitionDate", "SeriesDate", "StudyDate")
IDENTITY_TAGS = [*STUDY_KEYS[:3], "SeriesInstanceUID", *DATES]


@dataclass(frozen=True)
class DicomOrigin:
    """Whose a DICOM file is, and of when. This identifies the patient: never show it."""

    file: Path
    series: str
    identity: dict[str, str]
    acquired: date | None

    @property
    def patient(self) -> str:
        return self.identity["PatientID"]


@dataclass(frozen=True)
class _ListedStudy:
    """A row of a label list and its files. patient: "" where the files say who it is."""

    place: str
    label: str
    patient: str
    origins: tuple[DicomOrigin, ...]


def read_origins(path: Path) -> tuple[tuple[DicomOrigin, ...], tuple[str, ...]]:
    """The origins of a DICOM file, or of all in a folder and its subfolders, and a note on each that can't be read."""
    origins, notes = [], []
    for file in [path] if path.is_file() else sorted(file for file in files_in(path) if file.is_file()):
        try:
            with disable_value_validation():  # pydicom logs the values that it complains of
                origin = _origin(file)
        except (InvalidDicomError, *READING_ERRORS) as error:
            if file.suffix.lower() in DICOM_SUFFIXES or not isinstance(error, InvalidDicomError):
                notes.append(f"Left out: {unreadable(file)}")
            continue
        if origin.series:  # a DICOMDIR is of none
            origins.append(origin)
    return tuple(origins), tuple(notes)


def import_dicom(
    folder: Path,
    dicom_folder: Path,
    label_list: Path,
    load_localizer: LoadLocalizer,
    source: str = DEFAULT_SOURCE,
) -> Imported:
    """Add every native short-axis T1 map of the listed studies, or none of them.

    The list has a column `label` and one of STUDY_KEYS, which finds the studies in `dicom_folder`; a column `patient`,
    if there is one, wins over PatientID. The localizer finds the ventricles. What is left out is noted: other studies,
    maps after contrast or of other planes, files that can't be read. Raises ACNetError that names each row of the list
    without a study or a T1 map.
    """
    origins, unread = read_origins(dicom_folder)
    if not origins:
        raise ACNetError(f"{dicom_folder}: found no DICOM image; expected the studies of {label_list}.")
    studies, problems = _listed_studies(label_list, dicom_folder, origins)
    maps: list[NewMap] = []
    notes = list(unread)
    for study in studies:
        try:
            found, left_out = _maps_of(study, load_localizer, source)
            maps += found
            notes += left_out
        except ACNetError as error:
            problems.append(error.plain)
    listed = {origin.identity["StudyInstanceUID"] for study in studies for origin in study.origins}
    others = {origin.identity["StudyInstanceUID"] for origin in origins} - listed
    if others:
        notes.append(f"Studies in {dicom_folder} that are not in {label_list} and were left out: {len(others)}.")
    imported = add_all(folder, maps, problems, f"{label_list}: no studies; expected a row for each below the header.")
    return Imported(imported.cases, (*notes, *imported.notes))


def only_patient(origins: Sequence[DicomOrigin], place: str) -> str:
    """The PatientID of all these files. Raises ACNetError when they have several or none."""
    patients = {plain_name(origin.patient) for origin in origins}
    if len(patients) != 1 or "" in patients:
        raise ACNetError(
            f"{place}: found {len(patients - {''})} different PatientID in its files; expected one. Say which patient "
            "it is."
        )
    return origins[0].patient


def first_date(origins: Sequence[DicomOrigin]) -> date | None:
    return min((origin.acquired for origin in origins if origin.acquired), default=None)


def _origin(file: Path) -> DicomOrigin:
    header = read_dataset(file, stop_before_pixels=True, specific_tags=[*IDENTITY_TAGS])
    texts = {keyword: str(header.get(keyword) or "").strip() for keyword in IDENTITY_TAGS}
    dates = [day for keyword in DATES if (day := _date(texts[keyword]))]
    identity = {keyword: texts[keyword] for keyword in STUDY_KEYS[:3]}
    return DicomOrigin(file, texts["SeriesInstanceUID"], identity, dates[0] if dates else None)


def _date(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None


def _listed_studies(
    label_list: Path, dicom_folder: Path, origins: Sequence[DicomOrigin]
) -> tuple[list[_ListedStudy], list[str]]:
    """The rows of the list with their files, and what is wrong with the others."""
    table = read_table(label_list, ["label"])
    keys = [key for key in STUDY_KEYS if key in table.columns]
    if len(keys) != 1:
        raise ACNetError(
            f"{label_list}: found {len(keys)} columns that tell studies apart; expected one of {', '.join(STUDY_KEYS)}."
        )
    studies: list[_ListedStudy] = []
    problems: list[str] = []
    taken: dict[Path, str] = {}
    for row in table.rows:
        place, (key,) = table.place(row), keys
        wanted = row.cells[key]
        own = [origin for origin in origins if wanted and _is_of(origin, key, wanted, dicom_folder)]
        rivals = {taken[origin.file] for origin in own if origin.file in taken}
        try:
            if not own:
                raise ACNetError(f"{place}: column {key} matches no study in {dicom_folder}.")
            if rivals:
                raise ACNetError(
                    f"{place}: column {key} matches images of {min(rivals)} too; expected each study once."
                )
            label = label_in(row.cells["label"], f"{place}: column label")
            patient = row.cells.get("patient") or only_patient(own, place)
            studies.append(_ListedStudy(place, label, patient, tuple(own)))
        except ACNetError as error:
            problems.append(error.plain)
        taken |= {origin.file: place for origin in own}
    return studies, problems


def _is_of(origin: DicomOrigin, key: str, wanted: str, dicom_folder: Path) -> bool:
    if key == "folder":
        return origin.file.is_relative_to(dicom_folder / wanted)
    if key == "PatientID":
        return plain_name(origin.patient) == plain_name(wanted)
    return origin.identity[key] == wanted


def _maps_of(study: _ListedStudy, load_localizer: LoadLocalizer, source: str) -> tuple[list[NewMap], list[str]]:
    """The maps of a study, one a series, or one a slice where a series is no stack, and notes on what is left out.

    Raises ACNetError when there is no map.
    """
    series: dict[str, list[DicomOrigin]] = defaultdict(list)
    for origin in study.origins:
        series[origin.series].append(origin)
    superseded, notes = _superseded(series.values(), study.place)
    exams: dict[str, list[NewMap]] = defaultdict(list)  # a row can name a patient, who was examined again
    for origins in series.values():
        exam, acquired = origins[0].identity["StudyInstanceUID"], first_date(origins)
        try:
            volumes = _read_volumes([origin.file for origin in origins if origin.file not in superseded], study.place)
        except ACNetError as error:
            notes.append(f"Left out: {error.plain}")
            continue
        for name, volume in volumes.items():
            try:
                t1_map = _short_axis_map(volume, name)
                located = by_localizer(t1_map, load_localizer())
                new = NewMap(t1_map, study.label, study.patient, located, source, acquired, name)
                exams[exam].append(new)
            except ACNetError as error:
                notes.append(f"Left out: {error.plain}")
    maps: list[NewMap] = []
    for exam_maps in exams.values():
        agreeing, odd_ones = agreeing_maps(exam_maps)
        maps += agreeing
        notes += odd_ones
    if not maps:
        raise ACNetError(
            f"{study.place}: none of its {len(study.origins)} files is a native short-axis T1 map. {' '.join(notes)} "
            "Move images that do not belong to the map out of the folder, or take the row out of the list."
        )
    return maps, notes


def _superseded(series: Iterable[list[DicomOrigin]], place: str) -> tuple[set[Path], list[str]]:
    """The files of native maps that another series has with the same pixels or a correction; and notes on them, and on
    slices that become two cases.

    Raises ACNetError for a study of two field strengths.
    """
    native: list[DicomImage] = []
    for origins in series:
        try:
            images, _ = read_images([origin.file for origin in origins])
            of_series, _ = without_copies([image for image in images if image.score.is_t1_map])
            one_a_slice(of_series)
        except ACNetError:  # the reading of the series tells of it, as of one whose images are of two field strengths
            continue
        if first_difference([origin_of(image.header) for image in of_series]) is None:
            native += of_series
    _check_one_field_strength(native, place)
    kept, notes = one_a_slice(native)
    twice = [
        f"Series {first} and {second} show the same slice, as after a repeated breath-hold: both become cases."
        for first, second in sorted(series_of_same_slices(kept), key=str)
    ]
    superseded = {image.file for image in native} - {image.file for image in kept}
    return superseded, [f"{place}: {note}" for note in (*notes, *twice)]


def _check_one_field_strength(images: Sequence[DicomImage], place: str) -> None:
    studies: dict[str, list[DicomImage]] = defaultdict(list)
    for image in images:
        studies[str(image.header.get("StudyInstanceUID", ""))].append(image)
    for study in studies.values():
        origins = [origin_of(image.header) for image in study]
        difference = first_difference(origins, [FIELD_STRENGTH])
        if difference is not None:
            first, second = (study[each].series_number for each in (difference.first, difference.second))
            raise ACNetError(
                f"{place}: its series {first} and {second} are of {difference.of_two}; expected one in a study. "
                "Correct the header that is wrong, or move the series that does not belong there out of the folder."
            )


def _read_volumes(files: Sequence[Path], place: str) -> dict[str, DicomVolume]:
    """The native T1 map of a series by its name, or one a slice where they form no stack; none where the series holds
    other images. Raises ACNetError for wrong maps.
    """
    images, _ = read_images(files)
    if not images:
        return {}
    name = f"{place}, series {images[0].series_number}"
    if any(image.score.post_contrast for image in images):
        raise ACNetError(f"{name}: its map is from after contrast.")
    if not any(image.score.is_t1_map for image in images):
        return {}
    try:
        return {name: volume_among(files, name)}
    except NoSingleStack as error:
        return volumes_of_one_exam(error, place)


def _short_axis_map(volume: DicomVolume, name: str) -> T1Map:
    """Raises ACNetError for a map of another plane."""
    t1_map = t1_map_from_image(volume.image, name, volume.field_strength_tesla, volume.simulated)
    doubts = check_short_axis(t1_map.normal, name)
    if doubts:
        raise ACNetError(f"{name}: {doubts[0]} If it is none, add it by itself.")
    warnings = (*volume.warnings, *t1_map.warnings)
    return replace(t1_map, warnings=warnings, scanner=volume.scanner, sequence=volume.sequence)
