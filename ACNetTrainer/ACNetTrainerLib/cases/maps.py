"""T1 maps on their way into a case library: what is known of them, and where their ventricles are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ACNetLib.errors import ACNetError, VentricleNotFound
from ACNetLib.inference.exam import odd_maps
from ACNetLib.inference.settings import Settings
from ACNetLib.inference.ventricle_choice import choose_ventricles, doubts_of_center
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import (
    Ventricle,
    only_centers_used,
    ventricles_at_point,
    ventricles_from_segmentation,
)

from .images import covered_field_strength, label_image, pixel_hash, section_image
from .library import EXPECTED_LABEL, is_label

if TYPE_CHECKING:
    from ACNetLib.inference.classifier import Localizer

    LoadLocalizer = Callable[[], Localizer]

Point = Sequence[float] | NDArray[np.float64]

DEFAULT_SOURCE = "patients"
FARTHEST_FROM_SLICE_MM = 10.0
"""A person's centre from the slice, along the normal: about the distance of two slices. A stack's are half of that from
a point between them."""


@dataclass(frozen=True)
class Located:
    """The ventricles to add, who said where they are (one of cases.CENTER_SOURCES), and the sections without a drawing.

    doubt: sentences of what else the person who adds them should know.
    """

    ventricles: tuple[Ventricle, ...]
    center_source: str
    left_out: tuple[int, ...] = ()
    doubt: str = ""


@dataclass(frozen=True, eq=False)
class NewMap:
    """A T1 map to add, each section that has a ventricle as a case.

    patient: a name or hospital number, of which only a pseudonym enters the library; or a patient that the library
    has, as it stands there. source: where it is from, such as the hospital. acquired: when it was. place: how messages
    name it. scanner: its manufacturer and model, and sequence: such as MOLLI, where the map's own source does not tell.
    """

    t1_map: T1Map
    label: str
    patient: str
    located: Located
    source: str = DEFAULT_SOURCE
    acquired: date | None = None
    place: str = ""
    scanner: str = ""
    sequence: str = ""

    @property
    def name(self) -> str:
        return self.place or self.t1_map.name

    @property
    def notes(self) -> tuple[str, ...]:
        """What the person who adds it should know."""
        notes = [f"{self.name}: {warning}" for warning in self.t1_map.warnings]
        if self.located.left_out:
            sections = ", ".join(map(str, self.located.left_out))
            notes.append(f"{self.name}: no ventricle on slice {sections} (the first is 0): left out.")
        if self.located.doubt:
            notes.append(f"{self.name}: {self.located.doubt}")
        return tuple(notes)


@dataclass(frozen=True, eq=False)
class NewSection:
    """A section as the library will hold it. center_mm: LPS. turn_degrees: see `septum_turn_degrees`. masks: a person's
    labels, if there are any."""

    of: NewMap
    image: sitk.Image
    pixel_hash: str
    center_mm: tuple[float, float, float]
    turn_degrees: float
    field_strength_tesla: float
    masks: sitk.Image | None


def nothing_found(t1_map: T1Map) -> list[Ventricle]:
    """In place of what a localizer found."""
    return [
        Ventricle(section, t1_map.section_center(section), confidence=0.0) for section in range(t1_map.section_count)
    ]


def at_point(t1_map: T1Map, center_mm: Point, found: Sequence[Ventricle]) -> Located:
    """A person's point (LPS mm) on every section. Raises ACNetError when it lies outside of the map.

    found: what the localizer found on each section; it tells how the septum lies.
    """
    located = tuple(map(_without_labels, ventricles_at_point(t1_map, center_mm, found)))
    index = t1_map.image.TransformPhysicalPointToIndex(located[0].center_mm.tolist())
    if not all(0 <= position < size for position, size in zip(index[:2], t1_map.image.GetSize()[:2], strict=True)):
        point = ", ".join(f"{value:g}" for value in center_mm)
        raise ACNetError(
            f"{t1_map.name}: the centre {point} lies outside of the map; expected that of the left ventricle in LPS mm."
        )
    return Located(located, "given")


def by_point(t1_map: T1Map, center_mm: Point, localizer: Localizer, sections: Sequence[int] | None = None) -> Located:
    """A person's point (LPS mm) on these sections or all, and a doubt where the localizer sees no heart there.

    Raises ACNetError when it lies outside of the map.
    """
    found = localizer.locate(t1_map, sections)
    doubts = doubts_of_center(center_mm, found, t1_map, localizer.confidence_threshold)
    return replace(at_point(t1_map, center_mm, found), doubt=" ".join(doubts))


def check_near(t1_maps: Sequence[T1Map], center_mm: Point) -> None:
    """Raises ACNetError when a person's point (LPS mm) lies far from every slice of these maps.

    It would be moved along the normal onto each: from far away it is another slice's, or of other axes than LPS.
    """
    heights = [
        (abs(float(np.dot(np.asarray(center_mm) - t1_map.section_center(section), t1_map.normal))), t1_map)
        for t1_map in t1_maps
        for section in range(t1_map.section_count)
    ]
    height_mm, nearest = min(heights, key=lambda each: each[0])
    farthest_mm = max(FARTHEST_FROM_SLICE_MM, nearest.image.GetSpacing()[2] / 2)
    if height_mm > farthest_mm:
        point = ", ".join(f"{value:g}" for value in center_mm)
        raise ACNetError(
            f"{nearest.name}: the centre {point} lies {height_mm:.0f} mm above or below its nearest slice; expected at "
            f"most {farthest_mm:.0f} mm, for farther away it is another slice's. Give the slice's centre in LPS mm."
        )


def in_segmentation(t1_map: T1Map, segmentation: sitk.Image, found: Sequence[Ventricle]) -> Located:
    """The sections that a person's segmentation reaches, see `ventricles_from_segmentation`.

    found: what the localizer found on each section; it tells how the septum lies, where that is not drawn.
    """
    drawn = ventricles_from_segmentation(t1_map, segmentation, found)
    there = {ventricle.section for ventricle in drawn}
    left_out = tuple(section for section in range(t1_map.section_count) if section not in there)
    return Located(drawn, "segmentation", left_out, only_centers_used(drawn, segmentation))


def by_localizer(t1_map: T1Map, localizer: Localizer) -> Located:
    """The sections that the classifier would take, and a doubt that says why each other was left out.

    Its labels are left behind: a library's masks are a person's. Raises VentricleNotFound where it would take none,
    and ACNetError for blood after contrast.
    """
    try:
        chosen = choose_ventricles(localizer, t1_map, Settings())
    except VentricleNotFound as error:
        raise VentricleNotFound(f"{error.plain} Give its centre or a segmentation.") from error
    return Located(tuple(map(_without_labels, chosen.ventricles)), "localizer", doubt=" ".join(chosen.doubts))


def _without_labels(ventricle: Ventricle) -> Ventricle:
    return replace(ventricle, labels=None)


def agreeing_maps(maps: Sequence[NewMap]) -> tuple[list[NewMap], list[str]]:
    """The maps of one exam that the classifier would take together, and a note on each whose ventricle lies
    elsewhere."""
    centers_mm = [np.median([each.center_mm for each in new.located.ventricles], axis=0) for new in maps]
    confidences = [max(each.confidence for each in new.located.ventricles) for new in maps]
    odd_ones_mm = odd_maps([new.t1_map for new in maps], centers_mm, confidences)
    notes = [
        f"Left out: {maps[index].name}: its ventricle lies {distance_mm:.0f} mm from that of the other maps."
        for index, distance_mm in odd_ones_mm.items()
    ]
    return [new for index, new in enumerate(maps) if index not in odd_ones_mm], notes


def new_sections(new: NewMap) -> list[NewSection]:
    """The sections with a ventricle, in order. Raises ACNetError for what can't be added, with the map's name."""
    if not is_label(new.label):
        raise ACNetError(f"{new.name}: its label is '{new.label}'; expected {EXPECTED_LABEL}.")
    covered_field_strength(replace(new.t1_map, name=new.name))
    sections = []
    for ventricle in new.located.ventricles:
        image = section_image(new.t1_map, ventricle.section)
        sections.append(
            NewSection(
                new,
                image,
                pixel_hash(new.t1_map.array[ventricle.section]),
                rounded_point(ventricle.center_mm),
                round(ventricle.turn_degrees, 1),
                covered_field_strength(new.t1_map),
                None if ventricle.labels is None else label_image(ventricle.labels, image),
            )
        )
    return sections


def rounded_point(center_mm: Point) -> tuple[float, float, float]:
    """To the micrometre, which a table shows well."""
    left, posterior, superior = (round(float(value), 3) for value in center_mm)
    return left, posterior, superior
