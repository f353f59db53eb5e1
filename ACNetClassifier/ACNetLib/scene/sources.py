"""What the files that a volume node was made of say of it: field strength, scanner, spacing, and whether it has their
values. It needs neither Qt nor the Slicer application.

What they say is noted on the node when it is first asked for, and read from the node from then on: a scene keeps it.
Slicer saves the volume in a file of its own, which says none of it, and another computer's DICOM database does not know
the images. A copy of a volume keeps the notes, and so does one whose values were changed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import slicer
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSubjectHierarchyConstants, vtkMRMLSubjectHierarchyNode
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from ACNetLib.dicom.frames import OfTwoOrigins
from ACNetLib.dicom.images import scanner_name
from ACNetLib.dicom.sequences import NAMING, named_sequence
from ACNetLib.dicom.volumes import DicomVolume, read_dicom_files
from ACNetLib.errors import ACNetError
from ACNetLib.scene.arrays import array_of_matrix
from ACNetLib.t1map.checks import check_short_axis, check_told_native
from ACNetLib.t1map.field_strength import FIELD_STRENGTHS_TESLA, nominal_field_strength
from ACNetLib.t1map.t1_map import T1Map, fitted_here, parse_field_strength, plane_warnings
from ACNetLib.volumes.header import (
    BETWEEN_WARNINGS,
    FIELD_STRENGTH_KEY,
    FITTED_KEY,
    SIMULATED_KEY,
    WARNINGS_KEY,
    is_default_grid,
    is_volume_file,
    told_warnings,
)
from ACNetLib.volumes.volume import read_volume_header

# Slicer's DICOM reader notes there which files a volume was made of; its database knows their headers.
DICOM_INSTANCES = "DICOM.instanceUIDs"
T1_OF_DICOM = "ACNet.t1OfDicom"
"""Our DICOM plugin marks its volumes with it: their values are T1 in ms, as the headers say."""
DICOM_WARNINGS, DICOM_REFUSAL = "ACNet.dicomWarnings", "ACNet.dicomRefusal"
"""What their headers say beside: our plugin has read them, and they are not read again."""
OF_HEADER, OF_DATABASE = "ACNet.header.", "ACNet.dicom."
"""The notes, by what follows: one of our keys or of the words below; one of the tags that are no patient's."""
SCANNER, SEQUENCE, REFUSAL, WARNINGS, SPACING = "scanner", "sequence", "refusal", "warnings", "spacing"
TOLD, NOT_TOLD = "told", "not told"
AFTER_CONTRAST = "its header tells that it is from after contrast; expected a native T1 map. Give the native map."
MAGNETIC_FIELD_STRENGTH = "0018,0087"
MANUFACTURER, MANUFACTURER_MODEL_NAME = "0008,0070", "0008,1090"
TECHNICAL_TAGS = (MAGNETIC_FIELD_STRENGTH, MANUFACTURER, MANUFACTURER_MODEL_NAME)
IMAGE_COMMENTS = "0020,4000"
NAMING_TAGS = ("0008,103E", IMAGE_COMMENTS, "0018,0024", "0018,1030")
"""Of NAMING."""
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
    return "file" if _value_of_key(node, FIELD_STRENGTH_KEY) is not None else "dicom"


def told_field_strength(node: vtkMRMLScalarVolumeNode) -> float | None:
    """From its file, or from Slicer's DICOM database; a build without DICOM has none. Raises ACNetError for a text that
    is no number.
    """
    text = _value_of_key(node, FIELD_STRENGTH_KEY)
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
    of_header = _of_header(node, SCANNER)
    return of_header or scanner_name(_dicom_value(node, MANUFACTURER), _dicom_value(node, MANUFACTURER_MODEL_NAME))


def told_sequence(node: vtkMRMLScalarVolumeNode) -> str:
    """See `named_sequence`."""
    if of_header := _of_header(node, SEQUENCE):
        return of_header
    database, instances = getattr(slicer, "dicomDatabase", None), (node.GetAttribute(DICOM_INSTANCES) or "").split()
    if database is None:
        return ""
    of_naming = {**dict(zip(NAMING, NAMING_TAGS, strict=True)), "Manufacturer": MANUFACTURER}
    sequence = named_sequence(
        {keyword: database.instanceValue(instance, tag) for keyword, tag in of_naming.items()} for instance in instances
    )
    _note(node, OF_HEADER + SEQUENCE, sequence)  # not the names themselves: they may be a patient's
    return sequence


def told_fitted(node: vtkMRMLScalarVolumeNode) -> str:
    """From what the map was fitted here; "" of a map by the scanner."""
    return _value_of_key(node, FITTED_KEY) or ""


def check_one_patient(nodes: Sequence[vtkMRMLScalarVolumeNode]) -> None:
    """Raises ACNetError where Slicer's DICOM database, or the scene's tree of patients and studies, tells that the
    volumes are of two patients or two exams.

    Neither is named. Volumes of which both know nothing pass.
    """
    levels = vtkMRMLSubjectHierarchyConstants
    for tag, level, of_two in (
        (PATIENT_ID, levels.GetDICOMLevelPatient(), "patients"),
        (STUDY_INSTANCE_UID, levels.GetDICOMLevelStudy(), "exams"),
    ):
        in_database = {_dicom_value(node, tag) for node in nodes} - {""}
        in_scene = {_uid_in_scene(node, level) for node in nodes} - {""}
        if len(in_database) > 1 or len(in_scene) > 1:
            who = "the DICOM database knows" if len(in_database) > 1 else "the module Data shows"
            raise ACNetError(
                f"{', '.join(node.GetName() for node in nodes)}: {who} them as of two {of_two}; "
                "expected the T1 maps of one patient and one exam. Classify them one by one."
            )


def is_told_simulated(node: vtkMRMLScalarVolumeNode) -> bool:
    if _value_of_key(node, SIMULATED_KEY) == "1":
        return True
    if "simulated" not in _dicom_value(node, IMAGE_COMMENTS).casefold():
        return False
    _note(node, OF_HEADER + SIMULATED_KEY, "1")
    return True


def dicom_files(node: vtkMRMLScalarVolumeNode) -> list[Path]:
    """The DICOM files that the volume was made of; none where it came from elsewhere or they are not known any more."""
    instances = (node.GetAttribute(DICOM_INSTANCES) or "").split()
    if instances:
        return [file for file in map(_file_of_instance, dict.fromkeys(instances)) if file is not None]
    file = _storage_file(node)
    return [file] if file is not None and file.suffix.lower() in DICOM_SUFFIXES else []


def check_spacing(node: vtkMRMLScalarVolumeNode) -> None:
    """Raises ACNetError where nobody has told the volume's spacing: its file, or the array that it was made of, and the
    user. Slicer then has 1 mm.
    """
    if node.GetSpacing() == (1.0, 1.0, 1.0) and (_of_header(node, SPACING) == NOT_TOLD or _lies_along_body(node)):
        raise ACNetError(
            f"{node.GetName()}: its file does not tell the spacing of its pixels, Slicer shows 1 mm; expected "
            "the map's own. Set Image Spacing in the module Volumes (of pixels of 1 mm, that of the slices), or export "
            "the map again with its geometry."
        )


def note_headers(node: vtkMRMLScalarVolumeNode, volume: DicomVolume, warnings: Sequence[str]) -> None:
    """Mark a volume that our DICOM plugin has made, with what its headers and these warnings say of it: it is kept in
    the scene, for the result.
    """
    node.SetAttribute(T1_OF_DICOM, "1")
    _note(node, OF_HEADER + SCANNER, volume.scanner)
    _note(node, OF_HEADER + SEQUENCE, volume.sequence)
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
    if refusal := _of_header(node, REFUSAL):
        raise ACNetError(f"{node.GetName()}: {refusal}")
    warnings = told_warnings(_of_header(node, WARNINGS))
    if fitted := told_fitted(node):
        warnings = (*warnings, fitted_here(fitted))
    told_of_images = told_warnings(_value_of_key(node, WARNINGS_KEY))
    check_told_native(told_of_images, node.GetName(), post_contrast)
    return (*warnings, *told_of_images, *_check_against_dicom(node, t1_map, post_contrast))


def _check_against_dicom(node: vtkMRMLScalarVolumeNode, t1_map: T1Map, post_contrast: bool) -> tuple[str, ...]:
    if node.GetAttribute(T1_OF_DICOM) is not None:
        return _check_plugins_notes(node, post_contrast)
    files = dicom_files(node)
    if not files and not node.GetAttribute(DICOM_INSTANCES):
        return plane_warnings(t1_map)
    try:
        volume = read_dicom_files(files, node.GetName(), post_contrast=True)
    except OfTwoOrigins:
        raise
    except ACNetError:
        return (NOT_CHECKED,)
    warnings = (*volume.warnings, *_check_headers(volume, node.GetName(), post_contrast))
    return (*warnings, *_compared(t1_map.array, T1Map(volume.image, "").array, node.GetName()))


def _check_plugins_notes(node: vtkMRMLScalarVolumeNode, post_contrast: bool) -> tuple[str, ...]:
    refusal = node.GetAttribute(DICOM_REFUSAL) or ""
    if refusal and not (post_contrast and refusal.endswith(AFTER_CONTRAST)):
        raise ACNetError(refusal)
    return told_warnings(node.GetAttribute(DICOM_WARNINGS))


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


def _lies_along_body(node: vtkMRMLScalarVolumeNode) -> bool:
    directions = vtkMatrix4x4()
    node.GetIJKToRASDirectionMatrix(directions)
    return is_default_grid(array_of_matrix(directions)[:3, :3], node.GetSpacing())


def _value_of_key(node: vtkMRMLScalarVolumeNode, key: str) -> str | None:
    """What is told under one of our keys: by an attribute that the node was given, else by its file's header.

    Slicer's reader of volumes leaves such keys behind.
    """
    given = node.GetAttribute(key)
    return _of_header(node, key) if given is None else given


def _of_header(node: vtkMRMLScalarVolumeNode, name: str) -> str | None:
    """What the header of the volume file says that the node was loaded from; None where it says nothing, or there is no
    such file.
    """
    if node.GetAttribute(OF_HEADER + SPACING) is None:  # of every header that was read this is noted
        _note_header(node)
    return node.GetAttribute(OF_HEADER + name)


def _note_header(node: vtkMRMLScalarVolumeNode) -> None:
    """Nothing where the file can't be read now: its drive may come back."""
    file = _storage_file(node)
    if file is None or not is_volume_file(file.name):
        return
    try:
        header = read_volume_header(file)
    except ACNetError:
        return
    for key in (FIELD_STRENGTH_KEY, SIMULATED_KEY, FITTED_KEY, WARNINGS_KEY):  # others may name a patient
        _note(node, OF_HEADER + key, header.keys.get(key))
    _note(node, OF_HEADER + SCANNER, header.scanner)
    _note(node, OF_HEADER + SEQUENCE, header.sequence)
    _note(node, OF_HEADER + REFUSAL, header.refusal)
    _note(node, OF_HEADER + WARNINGS, BETWEEN_WARNINGS.join(header.warnings))
    _note(node, OF_HEADER + SPACING, TOLD if header.tells_spacing else NOT_TOLD)


def _note(node: vtkMRMLScalarVolumeNode, name: str, value: str | None) -> None:
    """What is told, and without an event: a look at a volume changes nothing that others show of it."""
    if not value:
        return
    was_silent = node.GetDisableModifiedEvent()
    node.DisableModifiedEventOn()
    node.SetAttribute(name, value)
    node.SetDisableModifiedEvent(was_silent)


def _storage_file(node: vtkMRMLScalarVolumeNode) -> Path | None:
    storage = node.GetStorageNode()
    path = Path(storage.GetFullNameFromFileName() or "") if storage is not None else Path()
    return path if os.path.isfile(path) else None


def _file_of_instance(instance: str) -> Path | None:
    database = getattr(slicer, "dicomDatabase", None)
    path = Path((database.fileForInstance(instance) if database is not None else "") or "")
    return path if os.path.isfile(path) else None


def _dicom_value(node: vtkMRMLScalarVolumeNode, tag: str) -> str:
    """An attribute of the first of the volume's files that has it; "" where neither a note nor the database tells."""
    noted, database = node.GetAttribute(OF_DATABASE + tag), getattr(slicer, "dicomDatabase", None)
    if noted is not None or database is None:
        return noted or ""
    instances = (node.GetAttribute(DICOM_INSTANCES) or "").split()
    value = next((value for instance in instances if (value := database.instanceValue(instance, tag))), "")
    if tag in TECHNICAL_TAGS:
        _note(node, OF_DATABASE + tag, value)
    return value


def _uid_in_scene(node: vtkMRMLScalarVolumeNode, level: str) -> str:
    """Of the patient or study under which the scene has the volume; "" where there is none or it came from no DICOM."""
    hierarchy = vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = hierarchy.GetItemByDataNode(node)
    above = hierarchy.GetItemAncestorAtLevel(item, level) if item else 0
    return hierarchy.GetItemUID(above, vtkMRMLSubjectHierarchyConstants.GetDICOMUIDName()) if above else ""
