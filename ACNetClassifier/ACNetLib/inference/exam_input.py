"""The T1 maps of one exam from files: one stack, or slices that were planned one by one.

Patient and exam are compared here, in DICOM, and neither kept nor shown.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ACNetLib.dicom.alternatives import last_breath_holds
from ACNetLib.dicom.guard import read_dataset
from ACNetLib.dicom.images import DicomImage, stack_images
from ACNetLib.dicom.origin import OF_TWO, Origin, first_difference, origin_of
from ACNetLib.dicom.volumes import CHOOSE, DicomVolume, NoSingleStack, volume_among, volume_of
from ACNetLib.errors import ACNetError, as_text
from ACNetLib.inference.exam import CLASSIFY_ONE_BY_ONE, check_one_exam
from ACNetLib.t1map.checks import LARGEST_USUAL_ANGLE_DEGREES, degrees_from_usual
from ACNetLib.t1map.t1_map import AS_IT_IS, Reading, T1Map, read_dicom, read_t1_map, t1_map_from_dicom
from ACNetLib.volumes.header import is_volume_file

SMALLEST_LONG_AXIS_DEGREES = 45.0
"""From the short axis of the same heart. Long axes lie 90 degrees from it, planes along the body 50 to 60."""
CLEARER_BY_DEGREES = 20.0
"""So much nearer to a usual short axis has to be the one, for the other to be no short axis."""


def read_exam(inputs: Sequence[Path], reading: Reading = AS_IT_IS) -> tuple[T1Map, ...]:
    """The T1 maps of one exam, in the order of the inputs, and in a DICOM folder of the series.

    A DICOM folder whose maps form no single stack gives one map a series, or a slice where a series is no stack. Raises
    ACNetError as `read_t1_map` does, and when the maps are not of one exam.
    """
    if len(inputs) > 1 and reading.series:
        raise ACNetError(f"--series: found {len(inputs)} inputs; expected one DICOM folder whose series are chosen.")
    return _of_one_exam([t1_map for path in inputs for t1_map in _read_input(Path(path), reading)])


def read_exam_among(files: Sequence[Path], name: str, reading: Reading = AS_IT_IS) -> tuple[T1Map, ...]:
    """The T1 maps of one exam among DICOM files, wherever they lie, which messages call `name`.

    For a list of exams, where nobody is asked: of a slice that was acquired again the last acquisition is taken, with a
    note. Raises NoT1Map where there is none, and ACNetError as `read_exam` does.
    """
    try:
        volumes = {name: volume_among(files, name)}
    except NoSingleStack as error:
        volumes = _of_last_breath_holds(error, name)
    return _of_one_exam([(t1_map_from_dicom(each, title, reading), each.origin) for title, each in volumes.items()])


def check_one_patient(t1_maps: Sequence[T1Map], remedy: str) -> None:
    """Raises ACNetError where the maps' DICOM headers tell that they are of two patients, exams or scanners, and names
    neither. Maps that come from elsewhere pass. remedy: the last sentence of the message.
    """
    files = [t1_map.sources[0].file if t1_map.sources else None for t1_map in t1_maps]
    origins = [
        {} if file is None else origin_of(read_dataset(file, stop_before_pixels=True, specific_tags=[*OF_TWO]))
        for file in files
    ]
    _check_one_origin([t1_map.name for t1_map in t1_maps], origins, remedy)


def _of_one_exam(found: Sequence[tuple[T1Map, Origin | None]]) -> tuple[T1Map, ...]:
    t1_maps = _with_own_names([t1_map for t1_map, _ in found])
    origins = [origin or {} for _, origin in found]
    _check_one_origin([t1_map.name for t1_map in t1_maps], origins, CLASSIFY_ONE_BY_ONE)
    check_one_exam(t1_maps)
    return t1_maps


def _read_input(path: Path, reading: Reading) -> list[tuple[T1Map, Origin | None]]:
    if reading.spacing_mm or not os.path.exists(path) or (path.is_file() and is_volume_file(path.name)):
        return [(read_t1_map(path, reading), None)]
    name = as_text(path.absolute().name)
    try:
        volumes = {name: read_dicom(path, reading)}
    except NoSingleStack as error:
        volumes = volumes_of_one_exam(error, name)
    return [(t1_map_from_dicom(each, title, reading), each.origin) for title, each in volumes.items()]


def volumes_of_one_exam(no_stack: NoSingleStack, name: str) -> dict[str, DicomVolume]:
    """The maps of a folder by their names. Raises ACNetError, with the series to choose from, for those of several."""
    try:
        groups = _stacks(no_stack.images, name)
        volumes = {
            title: volume_of(images, *stack_images(images, title), no_stack.warnings)
            for title, images in groups.items()
        }
        origins = [volume.origin for volume in volumes.values()]
        _check_one_origin(list(volumes), origins, CLASSIFY_ONE_BY_ONE)
        volumes = _short_axes(volumes)
        check_one_exam(
            [
                T1Map(each.image, title, each.field_strength_tesla, scanner=each.scanner, sources=each.sources)
                for title, each in volumes.items()
            ]
        )
    except ACNetError as error:
        if not no_stack.choice:
            raise no_stack from error
        raise ACNetError(f"{error.plain} {no_stack.choice}", cli=f"{error.cli} {CHOOSE}".strip()) from error
    return volumes


def _of_last_breath_holds(no_stack: NoSingleStack, name: str) -> dict[str, DicomVolume]:
    images, notes = last_breath_holds(no_stack.images)
    if not notes:
        return volumes_of_one_exam(no_stack, name)
    notes = (*no_stack.warnings, *notes)
    try:
        return {name: volume_of(images, *stack_images(images, name), notes)}
    except ACNetError as error:
        return volumes_of_one_exam(NoSingleStack(error, no_stack.choice, images, notes), name)


def _short_axes(volumes: dict[str, DicomVolume]) -> dict[str, DicomVolume]:
    """Without the maps of long axes, which many protocols hold beside the short axis; the first one left says which.

    All where none of them is clearly the short axis.
    """
    normals = {title: T1Map(each.image, title).normal for title, each in volumes.items()}
    from_usual = {title: degrees_from_usual(normal) for title, normal in normals.items()}
    axis = min(from_usual, key=lambda title: from_usual[title])
    if from_usual[axis] > LARGEST_USUAL_ANGLE_DEGREES:
        return volumes
    apart = {
        title: math.degrees(math.acos(min(1.0, abs(float(normal @ normals[axis])))))
        for title, normal in normals.items()
    }
    notes = {
        title: f"{title} was left out: its plane is {apart[title]:.0f} degrees from the short axis ({axis})."
        for title in volumes
        if apart[title] >= SMALLEST_LONG_AXIS_DEGREES and from_usual[title] - from_usual[axis] >= CLEARER_BY_DEGREES
    }
    left = {title: volume for title, volume in volumes.items() if title not in notes}
    first = next(iter(left))
    return left | {first: replace(left[first], warnings=(*left[first].warnings, *notes.values()))}


def _stacks(images: Sequence[DicomImage], name: str) -> dict[str, list[DicomImage]]:
    """Each series for itself, and one that is no stack slice by slice; by a name without anything of the patient."""
    series: dict[str, list[DicomImage]] = {}
    for image in images:
        series.setdefault(str(image.header.SeriesInstanceUID), []).append(image)
    stacks: list[tuple[str, list[DicomImage]]] = []
    for own in series.values():
        title = f"{name}, series {own[0].series_number}"
        try:
            stack_images(own, title)
            stacks.append((title, own))
        except ACNetError:
            stacks += [(f"{title}, slice {number}", [image]) for number, image in enumerate(own, start=1)]
    return dict(zip(_unique([title for title, _ in stacks]), (own for _, own in stacks), strict=True))


def _check_one_origin(names: Sequence[str], origins: Sequence[Origin], remedy: str) -> None:
    """Raises ACNetError, naming two maps, where the headers of these tell that they are of no one exam."""
    difference = first_difference(origins)
    if difference is not None:
        raise ACNetError(
            f"{names[difference.first]} and {names[difference.second]}: their headers tell of {difference.of_two}; "
            f"expected the T1 maps of one patient, one exam and one scanner. {remedy}"
        )


def _with_own_names(t1_maps: Sequence[T1Map]) -> tuple[T1Map, ...]:
    names = _unique([t1_map.name for t1_map in t1_maps])
    return tuple(replace(t1_map, name=name) for t1_map, name in zip(t1_maps, names, strict=True))


def _unique(names: Sequence[str]) -> list[str]:
    """Names that occur twice get a number: "map.nrrd (2)"."""
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique
