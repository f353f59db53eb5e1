"""What the files that a volume node was made of say of it: field strength, scanner, spacing, and whether it has their
values. It needs neither Qt nor the Slicer application.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import slicer
from slicer import vtkMRMLScalarVolumeNode

from ACNetLib.dicom.frames import OfTwoOrigins
from ACNetLib.dicom.images import scanner_name
from ACNetLib.dicom.volumes import DicomVolume, read_dicom_files
from ACNetLib.errors import ACNetError
from ACNetLib.t1map.checks import check_short_axis
from ACNetLib.t1map.field_strength import FIELD_STRENGTHS_TESLA, nominal_field_strength
from ACNetLib.t1map.t1_map import T1Map, check_values_by_header, fitted_here, parse_field_strength
from ACNetLib.volumes.header import FIELD_STRENGTH_KEY, FITTED_KEY, SIMULATED_KEY, VolumeHeader, is_volume_file
from ACNetLib.volumes.volume import read_volume_header

# Slicer's DICOM reader notes there which files a volume was made of; its database knows their headers.
DICOM_INSTANCES = "DICOM.instanceUIDs"
T1_OF_DICOM = "ACNet.t1OfDicom"
"""Our DICOM plugin marks its volumes with it: their values are T1 in ms, as the headers say."""
DICOM_WARNINGS, DICOM_REFUSAL = "ACNet.dicomWarnings", "ACNet.dicomRefusal"
"""What their headers say beside: our plugin has read them, and they are not read again."""
BETWEEN_WARNINGS = " | "
AFTER_CONTRAST = "its header tells that it is from after contrast; expected a native T1 map. Give the native map."
MAGNETIC_FIELD_STRENGTH = "0018,0087"
MANUFACTURER, MANUFACTURER_MODEL_NAME = "0008,0070", "0008,1090"
IMAGE_COMMENTS = "0020,4000"
PATIENT_ID, STUDY_INSTANCE_UID = "0010,0020", "0020,000D"

DICOM_SUFFIXES = {".dcm", ".ima", ""}
TOLERANCE_MS = 1.0
"""Between a volume's values and those of its files: software rounds to whole ms."""
NOT_CHECKED = "Its values could not be compared with the DICOM files that it was made of: make sure that they are T1."
CHANGED = "Its values are not those of the DICOM files that it was made of: make sure that they are T1."

FieldStrengthSource = Literal["file", "dicom"]


def field_strength_source(node: vtkMRMLScalarVolumeNode) -> FieldStrengthSource | None:
    """Where the volume's field strength is read: in its file or the DICOM database.

    None when neither has it, or has one that no model covers: the user's counts then.
    """
    told = told_field_strength(node)
    if told is None or nominal_field_strength(told) not in FIELD_STRENGTHS_TESLA:
        return None
    return "file" if _header_value(node, FIELD_STRENGTH_KEY) is not None else "dicom"


def told_field_strength(node: vtkMRMLScalarVolumeNode) -> float | None:
    """From its file, or from Slicer's DICOM database; a build without DICOM has none. Raises ACNetError for a text that
    is no number.
    """
    text = _header_value(node, FIELD_STRENGTH_KEY)
    if text is not None:
        return parse_field_strength(text, node.GetName())
    text = _dicom_value(node, MAGNETIC_FIELD_STRENGTH)
    try:
        return float(text) if text else None
    except ValueError as error:
        raise ACNetError(
            f"{node.GetName()}: the MagneticFieldStrength of its DICOM header is {text!r}; expected a number such as "
            "1.5. Correct the header."
        ) from error


def told_scanner(node: vtkMRMLScalarVolumeNode) -> str:
    """Manufacturer and model; "" where they are not told."""
    header = _header(node)
    of_file = "" if header is None else header.scanner
    return of_file or scanner_name(_dicom_value(node, MANUFACTURER), _dicom_value(node, MANUFACTURER_MODEL_NAME))


def check_one_patient(nodes: Sequence[vtkMRMLScalarVolumeNode]) -> None:
    """Raises ACNetError where Slicer's DICOM database tells that the volumes are of two patients or two exams.

    Neither is named. Volumes that the database does not know pass.
    """
    for tag, of_two in ((PATIENT_ID, "patients"), (STUDY_INSTANCE_UID, "exams")):
        if len({_dicom_value(node, tag) for node in nodes} - {""}) > 1:
            raise ACNetError(
                f"{', '.join(node.GetName() for node in nodes)}: the DICOM database knows them as of two {of_two}; "
                "expected the T1 maps of one patient and one exam. Classify them one by one."
            )


def is_told_simulated(node: vtkMRMLScalarVolumeNode) -> bool:
    return _header_value(node, SIMULATED_KEY) == "1" or "simulated" in _dicom_value(node, IMAGE_COMMENTS).casefold()


def dicom_files(node: vtkMRMLScalarVolumeNode) -> list[Path]:
    """The DICOM files that the volume was made of; none where it came from elsewhere or they are not known any more."""
    instances = (node.GetAttribute(DICOM_INSTANCES) or "").split()
    if instances:
        return [file for file in map(_file_of_instance, dict.fromkeys(instances)) if file is not None]
    file = _storage_file(node)
    return [file] if file is not None and file.suffix.lower() in DICOM_SUFFIXES else []


def check_spacing(node: vtkMRMLScalarVolumeNode) -> None:
    """Raises ACNetError where the volume's file tells no spacing and the user has given none: Slicer then has 1 mm."""
    header = _header(node)
    if header is not None and not header.tells_spacing and node.GetSpacing()[:2] == (1.0, 1.0):
        raise ACNetError(
            f"{node.GetName()}: its file does not tell the spacing of its pixels, Slicer shows 1 mm; expected "
            "the map's own. Set Image Spacing in the module Volumes, or export the map again with its geometry."
        )


def note_headers(node: vtkMRMLScalarVolumeNode, volume: DicomVolume, warnings: Sequence[str]) -> None:
    """Mark a volume that our DICOM plugin has made, with what its headers and these warnings say of it: it is kept in
    the scene, for the result.
    """
    node.SetAttribute(T1_OF_DICOM, "1")
    try:
        warnings = (*warnings, *_check_headers(volume, node.GetName()))
    except ACNetError as refusal:
        node.SetAttribute(DICOM_REFUSAL, refusal.plain)
    if warnings:
        node.SetAttribute(DICOM_WARNINGS, BETWEEN_WARNINGS.join(warnings))


def check_values(node: vtkMRMLScalarVolumeNode, t1_map: T1Map, post_contrast: bool = False) -> tuple[str, ...]:
    """Warnings about the map that the node was read as; ACNetError where its files tell that it is no native
    short-axis T1 map.

    `post_contrast` lets one from after contrast pass. Slicer's plain reader leaves the scaling of Enhanced MR and
    Parametric Map objects out, and many values so stored look like T1 too.
    """
    header = _header(node)
    if header is not None:
        check_values_by_header(header, node.GetName())
    warnings = () if header is None else header.warnings
    if fitted := _header_value(node, FITTED_KEY):
        warnings = (*warnings, fitted_here(fitted))
    return (*warnings, *_check_against_dicom(node, t1_map, post_contrast))


def _check_against_dicom(node: vtkMRMLScalarVolumeNode, t1_map: T1Map, post_contrast: bool) -> tuple[str, ...]:
    if node.GetAttribute(T1_OF_DICOM) is not None:
        return _noted(node, post_contrast)
    files = dicom_files(node)
    if not files and not node.GetAttribute(DICOM_INSTANCES):
        return ()
    try:
        volume = read_dicom_files(files, node.GetName(), post_contrast=True)
    except OfTwoOrigins:
        raise
    except ACNetError:
        return (NOT_CHECKED,)
    warnings = (*volume.warnings, *_check_headers(volume, node.GetName(), post_contrast))
    return (*warnings, *_compared(t1_map.array, T1Map(volume.image, "").array, node.GetName()))


def _noted(node: vtkMRMLScalarVolumeNode, post_contrast: bool) -> tuple[str, ...]:
    refusal = node.GetAttribute(DICOM_REFUSAL) or ""
    if refusal and not (post_contrast and refusal.endswith(AFTER_CONTRAST)):
        raise ACNetError(refusal)
    return tuple(filter(None, (node.GetAttribute(DICOM_WARNINGS) or "").split(BETWEEN_WARNINGS)))


def _check_headers(volume: DicomVolume, name: str, post_contrast: bool = False) -> tuple[str, ...]:
    """As for the command: warnings about the plane of a DICOM volume; ACNetError where the headers tell of another, or
    of contrast.
    """
    if volume.post_contrast and not post_contrast:
        raise ACNetError(f"{name}: {AFTER_CONTRAST}")
    return check_short_axis(T1Map(volume.image, name).normal, name)


def _compared(found: np.ndarray, expected: np.ndarray, name: str) -> tuple[str, ...]:
    """Both sorted: the order of slices, rows and columns has no say, and a scaling keeps it."""
    if found.size != expected.size:
        return (NOT_CHECKED,)
    found, expected = np.sort(found, axis=None).astype(float), np.sort(expected, axis=None).astype(float)
    if np.abs(found - expected).max() <= TOLERANCE_MS:
        return ()
    slope, intercept = np.polyfit(expected, found, 1)
    if np.abs(found - slope * expected - intercept).max() > TOLERANCE_MS:
        return (CHANGED,)
    raise ACNetError(
        f"{name}: its values are {slope:.3g} times those of its DICOM files ({intercept:+.3g}), as where stored values "
        "were loaded without their scaling; expected T1 in ms. Load the series as ACNet T1 map in the DICOM module."
    )


def _header_value(node: vtkMRMLScalarVolumeNode, key: str) -> str | None:
    """What a file says under one of our keys: as an attribute of the node, else in the file it was loaded from.

    Slicer's reader of volumes leaves such keys behind.
    """
    value, header = node.GetAttribute(key), None
    if value is None:
        header = _header(node)
    return value if header is None else header.keys.get(key)


def _header(node: vtkMRMLScalarVolumeNode) -> VolumeHeader | None:
    """Of the volume file that the node was loaded from; None for none, and for one that was replaced since."""
    file = _storage_file(node)
    if file is None or not is_volume_file(file.name):
        return None
    try:
        return read_volume_header(file)
    except ACNetError:
        return None


def _storage_file(node: vtkMRMLScalarVolumeNode) -> Path | None:
    storage = node.GetStorageNode()
    path = Path(storage.GetFullNameFromFileName() or "") if storage is not None else Path()
    return path if os.path.isfile(path) else None


def _file_of_instance(instance: str) -> Path | None:
    database = getattr(slicer, "dicomDatabase", None)
    path = Path((database.fileForInstance(instance) if database is not None else "") or "")
    return path if os.path.isfile(path) else None


def _dicom_value(node: vtkMRMLScalarVolumeNode, tag: str) -> str:
    """An attribute of the first of the volume's files that has it, "" where the database knows none."""
    database = getattr(slicer, "dicomDatabase", None)
    if database is None:
        return ""
    instances = (node.GetAttribute(DICOM_INSTANCES) or "").split()
    return next((value for instance in instances if (value := database.instanceValue(instance, tag))), "")
