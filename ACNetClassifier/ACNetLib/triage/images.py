"""The DICOM images of a study that was opened from a list, found again by their pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ACNetLib.errors import ACNetError
from ACNetLib.inference.exam_input import read_exam_among
from ACNetLib.inference.result import StudyResult
from ACNetLib.t1map.t1_map import Reading, T1Map

OFF_MM = 0.01
"""The scene has its places in RAS, as a map's header does: more than this is another place."""


def with_images(study: StudyResult, files: Sequence[Path]) -> StudyResult:
    """The study with the images of its T1 maps, which are read from the study's files as the list reads them.

    Raises ACNetError where they can't be read, and where none of their maps has the pixels of one, in its place.
    """
    name = study.images[0].t1_map.name
    found = read_exam_among(files, name, Reading(field_strength_tesla=study.images[0].t1_map.field_strength_tesla))
    return replace(study, images=tuple(replace(each, t1_map=_found_again(each.t1_map, found)) for each in study.images))


def _found_again(t1_map: T1Map, among: Sequence[T1Map]) -> T1Map:
    for each in among:
        if _is_same(t1_map, each):
            return replace(t1_map, sources=each.sources)
    raise ACNetError(
        f"{t1_map.name}: none of its DICOM images has these pixels in this place; expected them as they were when the "
        "list was made. Bring the list up to date and open the study again."
    )


def _is_same(a: T1Map, b: T1Map) -> bool:
    if not np.array_equal(a.array, b.array):
        return False
    columns, rows, sections = a.image.GetSize()
    corners = [(0, 0, 0), (columns - 1, 0, 0), (0, rows - 1, 0), (0, 0, sections - 1)]
    of_a, of_b = ([each.image.TransformIndexToPhysicalPoint(corner) for corner in corners] for each in (a, b))
    return np.allclose(of_a, of_b, rtol=0.0, atol=OFF_MM)
