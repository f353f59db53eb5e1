"""The inversion or saturation recovery images in a DICOM folder, slice by slice.

Only technical attributes are read from the headers, so that no patient identifier can reach a message.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import multimode

import numpy as np
from numpy.typing import NDArray

from ACNetLib.dicom.alternatives import is_registered, without_copies
from ACNetLib.dicom.frames import Section, check_one_origin, read_section, stack_sections
from ACNetLib.dicom.images import DicomImage, header_warnings, read_images, scanner_name
from ACNetLib.dicom.origin import common_origin, field_strength_in, origin_of
from ACNetLib.dicom.pixels import odd_values_refused
from ACNetLib.dicom.score import contrast_in
from ACNetLib.dicom.values import number_of
from ACNetLib.errors import ACNetError
from ACNetLib.fitting.components import Component, component_of, is_plain_mr, without_maps
from ACNetLib.fitting.pixels import measured_signal, phase_rad
from ACNetLib.fitting.recovery import signed_by_phase
from ACNetLib.fitting.sequences import Sequence as MappingSequence
from ACNetLib.fitting.sequences import scheme_name
from ACNetLib.fitting.times import (
    FEWEST_TIMES,
    SHORTEST_SPAN_MS,
    count_told,
    fitted_as,
    lacks_preparation,
    sequence_of,
    sequences_named,
    times_of,
)
from ACNetLib.folders import files_in
from ACNetLib.t1map.checks import POST_CONTRAST_WARNING, check_short_axis

SAME_PLACE_MM = 0.5
"""Images whose positions are closer than this are of one slice: some scanners write them anew for each image, a little
different."""
SAME_DIRECTION = 0.01
"""Between the direction cosines of images of one slice."""
UNREAD_PHASE = (
    "The phase images (series {series}) were not used, their values are no angles in a known scale: expected half a "
    "turn as the RescaleIntercept, or 12 bits. The sign was restored from the magnitude images."
)


@dataclass(frozen=True, eq=False)
class RecoverySlice:
    """The images of one slice, by time: (images, rows, columns) float32, and their times in ms.

    registered: whether the scanner has corrected motion. place: the attribute that tells the times.
    """

    section: Section
    images: NDArray[np.float32]
    times_ms: NDArray[np.float64]
    registered: bool
    place: str


@dataclass(frozen=True, eq=False)
class RecoveryImages:
    """Parallel slices of one sequence. distance_mm: between slices. signed: whether the images have their sign.

    notes: what a user should know of the files. warnings: what the headers tell of patient, pixels and plane, which
    every result of the map has to say.
    """

    slices: tuple[RecoverySlice, ...]
    distance_mm: float
    sequence: MappingSequence
    signed: bool
    series: tuple[int, ...]
    field_strength_tesla: float | None
    scanner: str
    simulated: bool
    post_contrast: bool
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def scheme(self) -> str:
        return scheme_name(self.sequence, self.slices[0].times_ms)


@dataclass(frozen=True, eq=False)
class _Candidate:
    """Images of one place and series that may be a slice's recovery."""

    images: list[DicomImage]
    component: Component
    place: str
    times_ms: NDArray[np.float64]
    sequence: MappingSequence | None

    @property
    def registered(self) -> bool:
        return all(is_registered(image.header) for image in self.images)

    @property
    def series(self) -> tuple[int, ...]:
        return tuple(sorted({image.series_number for image in self.images if image.series_number is not None}))


@dataclass(frozen=True, eq=False)
class _Place:
    """The images of one slice, and those of their series that may be its recovery."""

    images: list[DicomImage]
    candidates: list[_Candidate]

    @property
    def known(self) -> list[_Candidate]:
        """Those whose sequence is told."""
        return [each for each in self.candidates if each.sequence]

    @property
    def phase(self) -> _Candidate | None:
        """Its phase images, where it has one series of them."""
        phases = [each for each in self.candidates if each.component == "phase"]
        return phases[0] if len(phases) == 1 else None


def read_recovery_images(
    path: Path, series: Sequence[int] = (), sequence: MappingSequence | None = None
) -> RecoveryImages:
    """The recovery images among the DICOM images of a folder and its subfolders.

    Of one slice's series that the scanner has registered (MOCO) is taken, signed images (PSIR) before magnitude, whose
    sign a phase series restores if there is one. `series` are the numbers of the only series to look at. `sequence` is
    given where the headers don't tell it. Raises ACNetError when there are none, when the choice or the sequence is
    open, when images of a slice are missing, when the slices form no stack, and when they can't be short-axis slices.
    """
    name = path.absolute().name
    if not path.is_dir():
        raise ACNetError(f"{path}: it is no folder; expected one with the DICOM images of a T1 mapping sequence.")
    files = sorted(file for file in files_in(path) if file.is_file())
    images, skipped = read_images(files, post_contrast=True)
    if series:
        missing = [number for number in series if not any(image.series_number == number for image in images)]
        if missing:
            raise ACNetError(f"{name}: there is no series {missing[0]}; found {_listed_series(images)}.")
        images = [image for image in images if image.series_number in series]
    considered, copies = _without_copies([image for image in images if _may_be_recovery(image)])
    places = [_Place(each, _candidates(each, sequence)) for each in without_maps(_by_place(considered))]
    if not any(place.candidates for place in places):
        raise ACNetError(
            f"{name}: none of its {len(images)} DICOM images belong to a recovery ({_listed_series(images)}); expected "
            f"for each slice images at {FEWEST_TIMES} or more times after an inversion or saturation, "
            f"{SHORTEST_SPAN_MS:g} ms or more from the first to the last, told by InversionTime, ImageComments or "
            "TriggerTime."
        )
    if not any(place.known for place in places):
        raise ACNetError(
            f"{name}: its headers do not tell which sequence its images are of; expected MOLLI, SASHA or another T1 "
            "mapping sequence in SeriesDescription.",
            cli="Give it with --sequence.",
        )
    chosen = [(place, _chosen(place.known, name)) for place in places if place.known]
    others = [image for place in places if not place.known for image in place.images]
    _check_complete([candidate for _, candidate in chosen], others, name)
    return _study(chosen, (*skipped, *copies), name)


def _study(slices_at: list[tuple[_Place, _Candidate]], notes: tuple[str, ...], name: str) -> RecoveryImages:
    chosen = [candidate for _, candidate in slices_at]
    check_one_origin([_section(image) for each in chosen for image in each.images], name)
    first = chosen[0]
    for each in chosen[1:]:
        if each.sequence != first.sequence or each.component != first.component:
            raise ACNetError(
                f"{name}: its slices are of two kinds: {first.sequence}, {first.component} (series "
                f"{_numbers(first.series)}) and {each.sequence}, {each.component} (series {_numbers(each.series)}); "
                "expected one.",
                cli="Choose with --series.",
            )
    assert first.sequence is not None
    sections = [_section(each.images[0]) for each in chosen]
    try:
        ordered, distance_mm = stack_sections(sections, name)
    except ACNetError as error:
        one_by_one = "Slices that were planned one by one are fitted one by one, with --series."
        raise ACNetError(*error.args, cli=one_by_one) from error
    by_section = {id(section): each for section, each in zip(sections, slices_at, strict=True)}
    slices, signed, unread = [], set[bool](), dict[str, None]()
    for section in ordered:
        place, candidate = by_section[id(section)]
        read, is_signed, note = _read_slice(section, candidate, place.phase)
        slices.append(read)
        signed.add(is_signed)
        unread |= dict.fromkeys(note)
    if len(signed) > 1:
        raise ACNetError(f"{name}: some of its slices have phase images, others have none; expected both or none.")
    images = [image for each in chosen for image in each.images]
    headers = [image.header for image in images]
    post_contrast = any(contrast_in(each) is not None for each in headers)
    warnings = (
        *check_short_axis(ordered[0].normal, name),
        *header_warnings(images),
        *((POST_CONTRAST_WARNING,) if post_contrast else ()),
    )
    origin = common_origin([origin_of(header) for header in headers])
    return RecoveryImages(
        tuple(slices),
        distance_mm,
        first.sequence,
        signed.pop(),
        tuple(sorted({number for each in chosen for number in each.series})),
        field_strength_in(origin),
        scanner_name(origin.get("Manufacturer"), origin.get("ManufacturerModelName")),
        any("simulated" in str(each.get("ImageComments", "")).lower() for each in headers),
        post_contrast,
        (*notes, *unread),
        warnings,
    )


def _check_complete(chosen: list[_Candidate], others: Iterable[DicomImage], name: str) -> None:
    """Raises ACNetError, naming the slice, where one has fewer images than most, or so few that it was not chosen.

    others: images of the places that show no recovery. What of them is no part of the chosen scan has no say.
    """
    first = chosen[0]
    unread = _by_place(image for image in others if any(_is_kin(image, each) for each in chosen))
    slices = [*(each.images for each in chosen), *unread]
    slices.sort(key=lambda images: _section(first.images[0]).height_of(_section(images[0])))
    expected = max(multimode(len(each.images) for each in chosen))
    for number, images in enumerate(slices):
        if len(images) < expected:
            raise _incomplete(name, number, images, f"{len(images)} images; expected {expected}")
    told = max(count_told((image.header for image in each.images), first.place) for each in chosen)
    for images in unread:
        if (with_time := count_told((image.header for image in images), first.place)) < told:
            lacking = f"{with_time} images with {first.place}; expected {told}"
            raise _incomplete(name, slices.index(images), images, lacking)
    if unread:
        raise ACNetError(
            f"{name}: the times on slice {slices.index(unread[0])}, counted from 0 (first file "
            f"{unread[0][0].file.name}), do not tell that it is of {first.sequence} as the others; expected one "
            "sequence.",
            cli="Give it with --sequence.",
        )


def _incomplete(name: str, number: int, images: list[DicomImage], found: str) -> ACNetError:
    series = _numbers(sorted({image.series_number for image in images if image.series_number is not None}))
    return ACNetError(
        f"{name}: slice {number}, counted from 0 (first file {images[0].file.name}), has {found} as on "
        f"the others. After an incomplete transfer some are missing: fetch series {series} again, or "
        "take this slice's files out to fit the others."
    )


def _is_kin(image: DicomImage, chosen: _Candidate) -> bool:
    """Whether the image seems to be of another slice of the chosen one's scan: by its series, or what this is called,
    and its geometry. Localizers, cines and other views are not."""
    header, known = image.header, chosen.images[0].header
    named_alike = any(
        header.get(key) and header.get(key) == known.get(key) for key in ("SeriesInstanceUID", "SeriesDescription")
    )
    if not named_alike and fitted_as([header]) != chosen.sequence:
        return False
    if component_of(header) != chosen.component or header.get("StudyInstanceUID") != known.get("StudyInstanceUID"):
        return False
    here, there = _section(image), _section(chosen.images[0])
    same_grid = here.matrix == there.matrix and np.allclose(here.pixel_spacing, there.pixel_spacing, rtol=1e-3)
    return same_grid and _is_parallel(here, there)


def _read_slice(
    section: Section, candidate: _Candidate, phase: _Candidate | None
) -> tuple[RecoverySlice, bool, tuple[str, ...]]:
    """The slice, whether its images have their sign, and a note on phase images that could not be used."""
    order = np.argsort(candidate.times_ms, kind="stable")
    times = candidate.times_ms[order]
    pixels = measured_signal([candidate.images[place] for place in order])
    is_signed, note = candidate.component == "signed", tuple[str, ...]()
    if is_signed and pixels.min() >= 0:
        raise ACNetError(
            f"{section.file.name}: its PSIR images hold no values below zero; expected a recovery from below zero, by "
            "RescaleIntercept. Give the magnitude images."
        )
    if not is_signed and phase and not candidate.registered and sorted(phase.times_ms) == sorted(candidate.times_ms):
        angles = phase_rad([phase.images[place] for place in np.argsort(phase.times_ms, kind="stable")])
        if angles is None:
            note = (UNREAD_PHASE.format(series=_numbers(phase.series)),)
        else:
            pixels, is_signed = signed_by_phase(pixels, angles, times).astype(np.float32), True
    return RecoverySlice(section, pixels, times, candidate.registered, candidate.place), is_signed, note


def _candidates(images: list[DicomImage], sequence: MappingSequence | None) -> list[_Candidate]:
    """The series of a place with images at enough times; all together where each series has one time."""
    groups = defaultdict[tuple[Component, str], list[DicomImage]](list)
    for image in images:
        if component := component_of(image.header):
            groups[component, str(image.header.SeriesInstanceUID)].append(image)
    found = [candidate for (part, _), each in groups.items() if (candidate := _candidate(each, part, sequence))]
    if not found and len(groups) >= FEWEST_TIMES and all(len(each) == 1 for each in groups.values()):
        parts = {part for part, _ in groups}
        if len(parts) == 1 and (candidate := _candidate(images, parts.pop(), sequence)):
            return [candidate]
    return found


def _candidate(images: list[DicomImage], component: Component, sequence: MappingSequence | None) -> _Candidate | None:
    headers = [image.header for image in images]
    place, times = times_of(headers)
    if not place:
        return None
    if len(named := sequences_named(headers)) > 1:
        series = _numbers(sorted({image.series_number for image in images if image.series_number is not None}))
        raise ACNetError(
            f"{images[0].file.name}: images at its place (series {series}) are named {' and '.join(named)}; expected "
            "one sequence.",
            cli="Choose with --series.",
        )
    is_of = sequence or sequence_of(headers, times)
    if is_of is not None and lacks_preparation(times, is_of):
        return None
    return _Candidate(images, component, place, times, is_of)


def _chosen(candidates: list[_Candidate], name: str) -> _Candidate:
    """The best of a place's candidates: signed before magnitude, registered before not. Raises ACNetError for two."""
    others = [each for each in candidates if each.component != "phase"]
    if not others:
        raise ACNetError(f"{name}: found phase images alone; expected their magnitude images, too.")
    ranks = [(each.component == "signed", each.registered) for each in others]
    best = [each for each, rank in zip(others, ranks, strict=True) if rank == max(ranks)]
    if len(best) > 1:
        listed = " and ".join(f"series {_numbers(each.series)}" for each in best)
        raise ACNetError(
            f"{name}: found the images of one slice twice ({listed}), as after a repeated breath-hold; expected one.",
            cli="Choose with --series.",
        )
    return best[0]


def _without_copies(images: Sequence[DicomImage]) -> tuple[list[DicomImage], tuple[str, ...]]:
    try:
        return without_copies(images)
    except ACNetError as error:
        raise ACNetError(*error.args, cli="Give the folder of the right one alone.") from error


def _by_place(images: Iterable[DicomImage]) -> list[list[DicomImage]]:
    """The images of each slice: they have study, matrix and direction in common, and where they lie."""
    places: list[list[DicomImage]] = []
    of_kind = defaultdict[object, list[tuple[Section, list[DicomImage]]]](list)
    for image in images:
        section = _section(image)
        known = of_kind[str(image.header.get("StudyInstanceUID", "")), section.matrix]
        place = next((members for first, members in known if _at_one_place(first, section)), None)
        if place is None:
            place = []
            places.append(place)
            known.append((section, place))
        place.append(image)
    return places


def _at_one_place(first: Section, second: Section) -> bool:
    return math.dist(first.position, second.position) < SAME_PLACE_MM and _is_parallel(first, second)


def _is_parallel(first: Section, second: Section) -> bool:
    return bool(np.abs(first.orientation - second.orientation).max() < SAME_DIRECTION)


def _section(image: DicomImage) -> Section:
    return read_section(image.file, image.frame, image.header)


def _may_be_recovery(image: DicomImage) -> bool:
    """Whether nothing in the header says that it is a map, a picture or another kind of image."""
    with odd_values_refused(image.file):  # values are converted on access: an odd one shall show with its own file
        number_of(image.header, "MagneticFieldStrength")
        times_of([image.header])
        return is_plain_mr(image) and component_of(image.header) is not None


def _listed_series(images: list[DicomImage]) -> str:
    numbers = sorted({image.series_number for image in images if image.series_number is not None})
    return f"series {_numbers(numbers)}" if numbers else "no series"


def _numbers(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
