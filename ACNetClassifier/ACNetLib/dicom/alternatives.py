"""Images of one T1 map that are there several times: copies of a file or of its pixels, maps with and without a
correction by the scanner, and breath-holds that were repeated.
"""

from __future__ import annotations

import filecmp
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from pathlib import Path

import numpy as np
import pydicom

from ACNetLib.dicom.frames import SAME_PLACE_MM, SHIFT_TOLERANCE_MM, Section, computed_from, read_section
from ACNetLib.dicom.images import DicomImage
from ACNetLib.dicom.origin import Origin, first_difference, origin_of
from ACNetLib.dicom.pixels import odd_values_refused, read_frames, read_sections, require_decoder
from ACNetLib.dicom.values import acquired_at, number_of, values_of
from ACNetLib.errors import ACNetError

NOT_REGISTERED = re.compile(r"(?<![A-Z])(NO|NON|NOT|WITHOUT|OHNE|SANS|SIN|SENZA|ZONDER)[ _-]*MOCO(?![A-Z])")
REGISTERED = re.compile(r"(?<![A-Z])MOCO(?![A-Z])")
DISTORTION_CORRECTED, NOT_DISTORTION_CORRECTED = {"DIS2D", "DIS3D"}, "ND"
"""In ImageType, of Siemens; ND ends the description too where both are stored."""
PLANNED_ANEW_DEGREES = 5.0
MINUTES_TO_REPEAT = 10
"""From a breath-hold to its last repetition. A map from after contrast comes later; its header may not tell of it."""


@dataclass(frozen=True, eq=False)
class _Placed:
    """An image, where it lies and of whom it is. protocol: its description without what the scanner corrected."""

    image: DicomImage
    section: Section
    origin: Origin
    protocol: tuple[str, ...]
    is_registered: bool
    distortion: int  # 1: corrected, -1: not, 0: not told

    def is_of_exam(self, other: _Placed) -> bool:
        is_after = self.image.score.post_contrast == other.image.score.post_contrast
        return is_after and first_difference([self.origin, other.origin]) is None


def is_registered(header: pydicom.Dataset) -> bool:
    """Whether the scanner has corrected motion, by its type and description; a description that denies it wins."""
    described = str(header.get("SeriesDescription", "")).upper()
    kinds = {str(value).upper() for value in values_of(header, "ImageType")}
    return ("MOCO" in kinds or bool(REGISTERED.search(described))) and not NOT_REGISTERED.search(described)


def without_copies(images: Sequence[DicomImage]) -> tuple[list[DicomImage], tuple[str, ...]]:
    """Each image once, however many copies of its file there are, and a note on those.

    Raises ACNetError where two files claim to be the same image (SOPInstanceUID) and differ.
    """
    first: dict[tuple[str, int], DicomImage] = {}
    kept, copies = [], set()
    for image in images:
        uid = str(image.header.get("SOPInstanceUID", "")) or str(image.file)
        original = first.setdefault((uid, image.frame), image)
        if original is image:
            kept.append(image)
            continue
        if image.file not in copies and not _is_copy(image, original):
            raise ACNetError(
                f"{original.file.parent.name}/{original.file.name} and {image.file.parent.name}/{image.file.name} "
                "differ, but have the same SOPInstanceUID; expected one of them.",
                cli="Leave the wrong one out with --leave-out, or give the folder of the right one.",
            )
        copies.add(image.file)
    notes = (f"Counted once, because another file is the same: {len(copies)} of its files.",) if copies else ()
    return kept, notes


def one_a_slice(images: Sequence[DicomImage]) -> tuple[list[DicomImage], tuple[str, ...]]:
    """Without images of the same pixels at the same place, and without those of which another image of the same slice
    and protocol has the scanner's correction of motion or distortion; and notes on them. Repeated breath-holds stay.

    Raises ACNetError for a broken geometry.
    """
    kept: list[DicomImage] = []
    doubled, notes = 0, dict[str, None]()
    for place in _by_place([_placed(image) for image in images]):
        different: list[_Placed] = []
        for each in place:
            if any(each.is_of_exam(other) and _same_pixels(each.section, other.section) for other in different):
                doubled += 1
            else:
                different.append(each)
        for each in different:
            better = [(other, why) for other in different if (why := _correction_of(other, each))]
            if better:
                other, why = better[0]
                notes[_left_out_note(each.image, other.image, why)] = None
            else:
                kept.append(each.image)
    if doubled:
        notes[f"Counted once, because another image has the same pixels at the same place: {doubled} images."] = None
    order = {id(image): number for number, image in enumerate(images)}
    return sorted(kept, key=lambda image: order[id(image)]), tuple(notes)


def last_breath_holds(images: Sequence[DicomImage]) -> tuple[list[DicomImage], tuple[str, ...]]:
    """Without slices of one exam and protocol that were acquired again within MINUTES_TO_REPEAT, and notes on them.

    For where nobody can be asked: a breath-hold is repeated because it failed, in the same plane or, in a series of its
    own, in one that was planned anew beside it. Slices without acquisition times stay. Raises ACNetError for a broken
    geometry.
    """
    repeats: list[list[_Placed]] = []
    for each in sorted(map(_placed, images), key=_moment):
        for earlier in repeats:
            if _is_repeated_in(earlier[0], each) and _moment(earlier[-1]) < _moment(each):
                earlier.append(each)
                break
        else:
            repeats.append([each])
    last = {id(each[-1].image) for each in repeats}
    notes = [_repeated_note(earlier.image, each[-1].image) for each in repeats for earlier in each[:-1]]
    return [image for image in images if id(image) in last], tuple(dict.fromkeys(notes))


def series_of_same_slices(images: Sequence[DicomImage]) -> set[tuple[int | None, int | None]]:
    """The numbers of two series of one exam that show a slice each, as after a repeated breath-hold."""
    pairs = set[tuple[int | None, int | None]]()
    for place in _by_place([_placed(image) for image in images]):
        for first, second in combinations(place, 2):
            series = first.image.series_number, second.image.series_number
            if series[0] != series[1] and first.is_of_exam(second):
                pairs.add(series)
    return pairs


def breath_holds(images: Sequence[DicomImage]) -> list[list[DicomImage]]:
    """The alternatives where slices were acquired repeatedly in one series; one where none was.

    The first has the first acquisition of each slice, the next its second, or the last that there is. Images that lie
    at one place because a map was computed from them are no alternatives. Raises ACNetError for a broken geometry.
    """
    placed = _by_place([_placed(image) for image in sorted(images, key=_order)])
    places = [[each.image for each in place] for place in placed]
    if any(computed_from(place[0].header, other.header) for place in places for other in place[1:]):
        return [list(images)]
    count = max(map(len, places), default=1)
    return [[place[min(number, len(place) - 1)] for place in places] for number in range(count)]


def left_out(files: Iterable[Path], patterns: Sequence[str]) -> list[Path]:
    """The files without those whose name, or end of path, a person leaves out; patterns may have * and ?.

    Raises ACNetError for a pattern that no file matches.
    """
    files = list(files)
    for pattern in patterns:
        if not any(_is_called(file, pattern) for file in files):
            raise ACNetError(f"--leave-out: no file is called {pattern}; expected the name of a file in the folder.")
    return [file for file in files if not any(_is_called(file, pattern) for pattern in patterns)]


def _is_called(file: Path, pattern: str) -> bool:
    return bool(Path(pattern).parts) and file.match(pattern)  # match raises for a pattern without a name, such as "."


def _is_copy(image: DicomImage, original: DicomImage) -> bool:
    """Byte by byte, or in all that is read of them: a PACS may have encoded the copy anew."""
    if filecmp.cmp(original.file, image.file, shallow=False):
        return True
    for each in (original, image):
        require_decoder(each.file, each.syntax)
    same_header = image.header == original.header
    return same_header and np.array_equal(read_frames(image.file), read_frames(original.file))


def _order(image: DicomImage) -> tuple[float, float, str, int]:
    acquisition, instance = (number_of(image.header, key) or 0 for key in ("AcquisitionNumber", "InstanceNumber"))
    return acquisition, instance, str(image.file), image.frame


def at_same_place(first: DicomImage, second: DicomImage) -> bool:
    """Whether they show the same slice. Raises ACNetError for a file without geometry."""
    return _lie_together(*(read_section(image.file, image.frame, image.header) for image in (first, second)))


def _lie_together(here: Section, there: Section) -> bool:
    return bool(
        np.allclose(here.orientation, there.orientation, rtol=0, atol=1e-3)
        and np.linalg.norm(here.position - there.position) < SHIFT_TOLERANCE_MM
    )


def _by_place(images: Iterable[_Placed]) -> list[list[_Placed]]:
    places: list[list[_Placed]] = []
    for image in images:
        for place in places:
            if _lie_together(place[0].section, image.section):
                place.append(image)
                break
        else:
            places.append([image])
    return places


def _placed(image: DicomImage) -> _Placed:
    section = read_section(image.file, image.frame, image.header)
    with odd_values_refused(image.file):
        described = str(image.header.get("SeriesDescription", "")).upper()
        kinds = {str(value).upper() for value in values_of(image.header, "ImageType")}
        origin = origin_of(image.header)
    words = re.findall(r"[A-Z0-9]+", REGISTERED.sub("", NOT_REGISTERED.sub("", described)))
    return _Placed(
        image,
        section,
        origin,
        tuple(word for word in words if word not in {*DISTORTION_CORRECTED, NOT_DISTORTION_CORRECTED}),
        is_registered(image.header),
        bool(kinds & DISTORTION_CORRECTED) - (NOT_DISTORTION_CORRECTED in kinds),
    )


def _same_pixels(first: Section, second: Section) -> bool:
    """Whether both hold the same T1. Pixels that can't be read are those of no other: who needs them is told."""
    if first.matrix != second.matrix or not np.allclose(first.pixel_spacing, second.pixel_spacing, rtol=1e-4):
        return False
    try:
        (here, there), _ = read_sections([first, second])
    except ACNetError:
        return False
    return np.array_equal(here, there, equal_nan=True)


def _correction_of(better: _Placed, image: _Placed) -> str:
    """By which correction of the scanner the one is better than the other, "" by none."""
    if better.protocol != image.protocol or not better.is_of_exam(image):
        return ""
    if better.is_registered != image.is_registered:
        return "motion correction (MOCO)" if better.is_registered else ""
    return "distortion correction (DIS2D)" if (better.distortion, image.distortion) == (1, -1) else ""


def _is_repeated_in(image: _Placed, other: _Placed) -> bool:
    if other.protocol != image.protocol or not other.is_of_exam(image):
        return False
    if not (_lie_together(image.section, other.section) or _is_planned_anew(image, other)):
        return False
    if computed_from(image.image.header, other.image.header):
        return False
    before, after = acquired_at(image.image.header), acquired_at(other.image.header)
    if before is None or after is None:
        return False
    return timedelta(0) < after - before <= timedelta(minutes=MINUTES_TO_REPEAT)


def _is_planned_anew(image: _Placed, other: _Placed) -> bool:
    """Whether the other one, of another series, lies so near that both can't be slices of one exam."""
    if image.image.header.SeriesInstanceUID == other.image.header.SeriesInstanceUID:
        return False  # a stack may have thin slices
    here, there = image.section, other.section
    degrees = math.degrees(math.acos(min(1.0, abs(float(here.normal @ there.normal)))))
    return degrees < PLANNED_ANEW_DEGREES and abs(float((there.center - here.center) @ here.normal)) < SAME_PLACE_MM


def _moment(placed: _Placed) -> datetime:
    return acquired_at(placed.image.header) or datetime.min


def _repeated_note(image: DicomImage, later: DicomImage) -> str:
    own, others = image.series_number, later.series_number
    left_out, used = (
        (f"The earlier acquisition in series {own}", "the later one")
        if image.header.SeriesInstanceUID == later.header.SeriesInstanceUID
        else (f"Series {own}", f"series {others}")
    )
    return (
        f"{left_out} was left out where {used} shows the same slice, repeated within {MINUTES_TO_REPEAT} minutes. Look "
        "whether that is the better one."
    )


def _left_out_note(image: DicomImage, better: DicomImage, why: str) -> str:
    own, others = image.series_number, better.series_number
    return f"Series {own} was left out where series {others} shows the same slice with {why}."
