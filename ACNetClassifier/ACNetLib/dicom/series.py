"""Which T1 maps there are to load among DICOM files, by their headers: fast; unreadable files are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from ACNetLib.dicom.alternatives import at_same_place, breath_holds, one_a_slice, without_copies
from ACNetLib.dicom.images import DicomImage, evidence_of, header_warnings, read_images, stack_images
from ACNetLib.dicom.origin import common_origin, field_strength_in, origin_of
from ACNetLib.dicom.pixels import READING_ERRORS
from ACNetLib.dicom.volumes import SourceSlice
from ACNetLib.errors import ACNetError
from ACNetLib.t1map.checks import POST_CONTRAST_WARNING, check_short_axis
from ACNetLib.t1map.field_strength import agreed_field_strength

# The two: an attribute of another kind than it should be, an infinite number of rows.
ODD_FILE_ERRORS = (ACNetError, TypeError, OverflowError, *READING_ERRORS)


@dataclass(frozen=True)
class T1MapSeries:
    """One stack of T1 map sections in one series; other images of the series are left out.

    slices: in the order of the sections; a file may hold those of several stacks. name: number and description of the
    series, "native" or "after contrast", and which breath-hold where slices were acquired repeatedly, but no word that
    could name a patient. evidence: what made it a T1 map. suits_classifier: whether the headers leave the classifier
    nothing to refuse; if not, the warnings say what. notes: what else the user should know of the choice, such as that
    copies were left out.
    """

    slices: tuple[SourceSlice, ...]
    name: str
    evidence: str
    post_contrast: bool
    suits_classifier: bool
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(each.file for each in self.slices))


def find_t1_maps(files: Sequence[Path]) -> list[T1MapSeries]:
    """The T1 maps in these files, native and from after contrast, each series and each repeated breath-hold for itself.

    Slices of one series that form no stack, as where base, mid and apex were planned one by one, are given one by one.
    Of files that can't be read each map says how many there are: they may be slices of it.
    """
    stacks: dict[tuple[str, bool], list[DicomImage]] = {}
    images, unread = _readable_images(files)
    for image in images:
        score = image.score
        if score.post_contrast or score.is_t1_map:
            stacks.setdefault((str(image.header.SeriesInstanceUID), score.post_contrast), []).append(image)
    found = []
    for stack in stacks.values():
        try:
            kept, copies = without_copies(stack)
            kept, doubles = one_a_slice(kept)
            alternatives = breath_holds(kept)
            for each, name in zip(alternatives, _names_of(alternatives), strict=True):
                found += _stack_or_slices(each, name, (*copies, *doubles))
        except ODD_FILE_ERRORS:
            continue
    if not unread:
        return found
    said = f"Of the files beside it {unread} can't be read: it may lack slices."
    return [replace(each, warnings=(*each.warnings, said), notes=(*each.notes, said)) for each in found]


def _readable_images(files: Sequence[Path]) -> tuple[list[DicomImage], int]:
    """And how many files can't be read."""
    images, unread = [], 0
    for file in files:
        try:
            images += read_images([file])[0]
        except ODD_FILE_ERRORS:
            unread += 1
    return images, unread


def _stack_or_slices(images: list[DicomImage], name: str, notes: tuple[str, ...]) -> list[T1MapSeries]:
    try:
        return [_series_of(images, name, notes)]
    except ACNetError:
        if len(images) == 1 or any(at_same_place(*pair) for pair in combinations(images, 2)):
            raise
    slices = [(f"{name}, slice {number}", image) for number, image in enumerate(images, start=1)]
    return [_series_of([image], title, notes) for title, image in slices]


def _series_of(images: list[DicomImage], name: str, notes: tuple[str, ...]) -> T1MapSeries:
    post_contrast = images[0].score.post_contrast
    sections, _ = stack_images(images, name)
    field_strength_tesla = field_strength_in(common_origin([origin_of(section.header) for section in sections]))
    warnings: tuple[str, ...] = (POST_CONTRAST_WARNING,)
    suits_classifier = False
    if not post_contrast:
        try:
            agreed_field_strength(field_strength_tesla, None, name)
            warnings = check_short_axis(sections[0].normal, name)
            suits_classifier = True
        except ACNetError as error:
            warnings = (error.plain,)  # for the panel
    return T1MapSeries(
        tuple(SourceSlice(section.file, section.frame) for section in sections),
        name,
        evidence_of(images),
        post_contrast,
        suits_classifier,
        (*warnings, *header_warnings(images)),
        notes,
    )


def _names_of(alternatives: list[list[DicomImage]]) -> list[str]:
    name, count = _name_of(alternatives[0][0]), len(alternatives)
    return [name] if count == 1 else [f"{name}, breath-hold {number} of {count}" for number in range(1, count + 1)]


def _name_of(image: DicomImage) -> str:
    description = image.technical_description or "T1 map"
    kind = "after contrast" if image.score.post_contrast else "native"
    name = description if kind in description.lower() else f"{description}, {kind}"
    return name if image.series_number is None else f"{image.series_number}: {name}"
