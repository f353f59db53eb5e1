"""Images of one T1 map that are there several times: copies of a file, and breath-holds that were repeated."""

from __future__ import annotations

import filecmp
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ACNetLib.dicom.frames import SHIFT_TOLERANCE_MM, computed_from, read_section
from ACNetLib.dicom.images import DicomImage
from ACNetLib.dicom.pixels import read_frames, require_decoder
from ACNetLib.dicom.values import number_of
from ACNetLib.errors import ACNetError


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


def breath_holds(images: Sequence[DicomImage]) -> list[list[DicomImage]]:
    """The alternatives where slices were acquired repeatedly in one series; one where none was.

    The first has the first acquisition of each slice, the next its second, or the last that there is. Images that lie
    at one place because a map was computed from them are no alternatives. Raises ACNetError for a broken geometry.
    """
    places: list[list[DicomImage]] = []
    for image in sorted(images, key=_order):
        for place in places:
            if at_same_place(place[0], image):
                place.append(image)
                break
        else:
            places.append([image])
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
    here, there = (read_section(image.file, image.frame, image.header) for image in (first, second))
    return bool(
        np.allclose(here.orientation, there.orientation, rtol=0, atol=1e-3)
        and np.linalg.norm(here.position - there.position) < SHIFT_TOLERANCE_MM
    )
