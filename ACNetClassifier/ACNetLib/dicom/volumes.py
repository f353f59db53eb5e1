"""T1 maps in DICOM: which images of a folder they are, and the volume that they form.

Only technical attributes are read from the headers, so that no patient identifier can reach a message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import SimpleITK as sitk

from ACNetLib.dicom.alternatives import left_out, one_a_slice, without_copies
from ACNetLib.dicom.frames import Section, build_image
from ACNetLib.dicom.images import (
    DicomImage,
    evidence_of,
    header_warnings,
    read_images,
    scanner_name,
    stack_images,
)
from ACNetLib.dicom.origin import Origin, common_origin, field_strength_in, origin_of
from ACNetLib.dicom.sequences import named_sequence
from ACNetLib.dicom.values import values_of
from ACNetLib.errors import ACNetError, shortened
from ACNetLib.folders import files_in
from ACNetLib.t1map.checks import UNKNOWN_THICKNESS

MOST_LISTED = 12
LONGEST_VALUE = 120
"""Of a header, in characters."""
CHOOSE = "The command takes their numbers: --series 3, or --series 3,5,7 for several."


class NoT1Map(ACNetError):
    """There is no native T1 map among the images."""


class NoSingleStack(ACNetError):
    """T1 maps were found, and they form no single stack. Raised with what may make them the maps of one exam.

    why: what they can't be stacked for. choice: the sentence that lists the series to choose from, "" where there is
    only one. images: the maps. warnings: what the user should know of the choice so far.
    """

    def __init__(self, why: ACNetError, choice: str, images: list[DicomImage], warnings: tuple[str, ...]) -> None:
        super().__init__(f"{why.plain} {choice}".strip(), cli=f"{why.cli} {CHOOSE if choice else ''}".strip())
        self.choice, self.images, self.warnings = choice, images, warnings


@dataclass(frozen=True)
class SourceSlice:
    """Where a section comes from. frame: its number within the file, from 0."""

    file: Path
    frame: int


@dataclass(frozen=True, eq=False)
class DicomVolume:
    """Parallel sections as one 3-D float32 image, and what their headers tell.

    evidence: what made these images the T1 map. scanner: its manufacturer and model, "" where not told, sequence: see
    `named_sequence`. warnings: what the user should know of the choice. sources: of each section, in their order.
    origin: compared, and never shown. post_contrast: whether a header tells of contrast.
    """

    image: sitk.Image
    field_strength_tesla: float | None
    simulated: bool
    evidence: str
    scanner: str = ""
    warnings: tuple[str, ...] = ()
    sources: tuple[SourceSlice, ...] = ()
    origin: Origin = field(default_factory=dict, repr=False)
    post_contrast: bool = False
    sequence: str = ""


def read_dicom_volume(
    path: Path, series: Sequence[int] = (), post_contrast: bool = False, leave_out: Sequence[str] = ()
) -> DicomVolume:
    """The native T1 map among the DICOM images of a folder and its subfolders, or one DICOM image.

    It is that of `volume_among`, by the path's name.
    """
    files = [path] if path.is_file() else sorted(file for file in files_in(path) if file.is_file())
    return volume_among(left_out(files, leave_out), path.absolute().name, series, post_contrast)


def volume_among(
    files: Sequence[Path], name: str, series: Sequence[int] = (), post_contrast: bool = False
) -> DicomVolume:
    """The native T1 map among these files, which messages call `name`.

    Files that are not DICOM and images that are no T1 map are passed over; copies of a file count once. Series of the
    same orientation, matrix and spacing form one stack. `series` are the numbers of the only series to look at: of
    those, images pass that nothing in their headers speaks against, though nothing speaks for them, with a warning.
    `post_contrast` lets maps from after contrast pass. Raises NoT1Map when there is none, NoSingleStack when the T1
    maps do not form one stack with even gaps, and ACNetError for an incomplete image.
    """
    images, notes = read_images(files, post_contrast)
    if not images:
        found = " ".join([f"{name}: found no DICOM image among {len(files)} files; expected a T1 map series.", *notes])
        raise NoT1Map(found)
    considered = images if not series else _of_series(images, series, name)
    chosen = [image for image in considered if image.score.is_t1_map]
    if not chosen and series:
        chosen = [image for image in considered if not image.score.against]
        notes += ("Its header does not say that it is a T1 map; it was taken as one because you chose the series.",)
    if not chosen:
        raise _no_map(considered, name)
    chosen, copies = without_copies(chosen)
    notes = (*notes, *copies)
    try:
        chosen, doubles = one_a_slice(chosen)
        notes = (*notes, *doubles)
        stack = stack_images(chosen, name)
    except ACNetError as error:
        choice = f"Found {_list_maps(chosen)}: give the folder of one series."
        one_series = len({image.header.SeriesInstanceUID for image in chosen}) == 1
        raise NoSingleStack(error, "" if one_series else choice, chosen, notes) from error
    return volume_of(chosen, *stack, notes)


def read_dicom_files(
    files: Sequence[Path], name: str, post_contrast: bool = False, slices: Collection[SourceSlice] = ()
) -> DicomVolume:
    """The T1 map in these DICOM files, which messages call `name`; other images among them are passed over.

    slices: the only ones to take, where a file may hold frames of several maps. Raises ACNetError as
    `read_dicom_volume` does.
    """
    images, _ = read_images(files, post_contrast)
    if slices:
        images = [image for image in images if SourceSlice(image.file, image.frame) in slices]
    chosen = [image for image in images if image.score.is_t1_map]
    if not chosen:
        raise _no_map(images, name)
    chosen, copies = without_copies(chosen)
    chosen, doubles = one_a_slice(chosen)
    return volume_of(chosen, *stack_images(chosen, name), (*copies, *doubles))


def volume_of(
    chosen: list[DicomImage], sections: list[Section], distance_mm: float, notes: tuple[str, ...]
) -> DicomVolume:
    """The volume of stacked images. notes: what the user should know of the choice. Raises ACNetError when their pixels
    can't be read.
    """
    image, padding = build_image(sections, distance_mm)
    is_of_unknown_depth = len(sections) == 1 and sections[0].depth_mm is None
    depth = (UNKNOWN_THICKNESS,) if is_of_unknown_depth else ()
    origin = common_origin([origin_of(section.header) for section in sections])
    return DicomVolume(
        image,
        field_strength_in(origin),
        simulated=any("simulated" in str(section.header.get("ImageComments", "")).lower() for section in sections),
        evidence=evidence_of(chosen),
        scanner=scanner_name(origin.get("Manufacturer"), origin.get("ManufacturerModelName")),
        warnings=(*notes, *header_warnings(chosen), *padding, *depth),
        sources=tuple(SourceSlice(section.file, section.frame) for section in sections),
        origin=origin,
        post_contrast=any(image.score.post_contrast for image in chosen),
        sequence=named_sequence(section.header for section in sections),
    )


def _of_series(images: list[DicomImage], series: Sequence[int], name: str) -> list[DicomImage]:
    for number in series:
        if not any(image.series_number == number for image in images):
            raise ACNetError(f"{name}: there is no series {number}; found {_list_series(images)}.")
    return [image for image in images if image.series_number in series]


def _no_map(images: list[DicomImage], name: str) -> NoT1Map:
    after_contrast = [image for image in images if image.score.post_contrast]
    if after_contrast:
        return NoT1Map(
            f"{name}: its only T1 maps are from after contrast ({_list_maps(after_contrast)}: "
            f"{after_contrast[0].score.reasons[-1]}); expected a native T1 map.",
            cli="Give the native map's folder, or --post-contrast if you want the result all the same.",
            panel="native map",
        )
    found = (
        f"{name}: none of its {len(images)} DICOM images is a native T1 map (found {_list_series(images)}); "
        "expected grey-scale MR images with T1 MAP in ImageType or a SeriesDescription that ends in _MOCO_T1, "
        "taken before contrast."
    )
    if all(image.score.against for image in images):  # no choice of a series outweighs that
        return NoT1Map(
            f"{found} Each has a sign against it (-5): where you know that to be wrong, export the series as a volume "
            "file (NRRD) and give that."
        )
    return NoT1Map(found, cli="If you know the series to be the T1 map, choose it with --series.")


def _list_maps(images: list[DicomImage]) -> str:
    """The series of T1 maps to choose from: number, description without what could name a patient, sections."""
    counts = Counter((image.series_number, image.header.SeriesInstanceUID, image.description) for image in images)
    return _limited(
        [
            f"series {number} ({shortened(description, LONGEST_VALUE)}, {count} slice{'s' if count > 1 else ''})"
            for (number, _, description), count in counts.items()
        ]
    )


def _list_series(images: list[DicomImage]) -> str:
    """What a folder holds, and why it is no T1 map."""
    counts = Counter((image.series_number, _type_of(image), image.score.reasons) for image in images)
    return _limited(
        [
            f"series {number}: {count} images of type {kind} ({', '.join(reasons) or 'no sign of a T1 map'})"
            for (number, kind, reasons), count in counts.items()
        ]
    )


def _type_of(image: DicomImage) -> str:
    return shortened("\\".join(values_of(image.header, "ImageType")), LONGEST_VALUE)


def _limited(texts: list[str]) -> str:
    left_out = len(texts) - MOST_LISTED
    return "; ".join(texts[:MOST_LISTED]) + (f"; and {left_out} more" if left_out > 0 else "")
