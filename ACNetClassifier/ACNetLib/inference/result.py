"""A study's result: its record, and the images that belong to it. It needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ACNetLib.inference.record import MapRecord, StudyRecord
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.aha import Segment, WallSlice, aha_segments
from ACNetLib.ventricle.labels import LabelArray


@dataclass(frozen=True, eq=False)
class SliceImages:
    """What was found on one slice of a T1 map, (rows, columns); see MapImages."""

    attention: dict[str, NDArray[np.float32]]
    bands: dict[str, NDArray[np.uint8]]
    evidence: NDArray[np.float32]
    ventricle: LabelArray


@dataclass(frozen=True, eq=False)
class MapImages:
    """A T1 map and what was found on it, all (sections, rows, columns) on its grid.

    attention, bands: by map name; attention is in (0, 1), bands are 1 to 5, and both are 0 outside the section grids.
    evidence: what each place adds to its slice's log odds, per cm2; 0 outside them. ventricle: labels of
    ACNetLib.ventricle.labels.
    """

    t1_map: T1Map
    attention: dict[str, NDArray[np.float32]]
    bands: dict[str, NDArray[np.uint8]]
    evidence: NDArray[np.float32]
    ventricle: LabelArray

    @classmethod
    def of_slices(cls, t1_map: T1Map, slices: Mapping[int, SliceImages]) -> MapImages:
        """From what was found on one or more of its slices, by their numbers; 0 on the others."""

        def blank(dtype: type) -> NDArray:
            return np.zeros(t1_map.array.shape, dtype)

        names = next(iter(slices.values())).attention
        attention, bands = ({name: blank(dtype) for name in names} for dtype in (np.float32, np.uint8))
        return cls(t1_map, attention, bands, blank(np.float32), blank(np.uint8)).with_slices(slices)

    def with_slices(self, slices: Mapping[int, SliceImages]) -> MapImages:
        """The same with what was found on some slices, by their numbers, in place of what is there."""
        attention = {name: values.copy() for name, values in self.attention.items()}
        bands = {name: values.copy() for name, values in self.bands.items()}
        evidence, ventricle = self.evidence.copy(), self.ventricle.copy()
        for section, found in slices.items():
            evidence[section], ventricle[section] = found.evidence, found.ventricle
            for name in attention:
                attention[name][section], bands[name][section] = found.attention[name], found.bands[name]
        return MapImages(self.t1_map, attention, bands, evidence, ventricle)


@dataclass(frozen=True, eq=False)
class StudyResult(StudyRecord):
    """The record of a study with its images, those of one map for each of `maps`."""

    images: tuple[MapImages, ...]

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """T1 of the 16 segments over the sections that count.

        Those that are left out keep their level. None where there are fewer than three, where a person chose some of a
        stack, for which level these are only the whole stack tells, and where a file does not tell how they lie, or
        tells what can't be.
        """
        is_placed = all(each.t1_map.is_placed for each in self.images)
        if not is_placed or self.turned_by is not None or any(each.sections_chosen for each in self.maps):
            return ()
        return aha_segments([each for pair in zip(self.images, self.maps, strict=True) for each in _wall_slices(*pair)])


def _wall_slices(images: MapImages, of_map: MapRecord) -> list[WallSlice]:
    """Of the sections of a map, and of those without an answer whose ventricle is known: these count for nothing."""
    answered = {each.section: each for each in of_map.sections}
    slices = []
    for section, labels in enumerate(images.ventricle):
        each = answered.get(section)
        # A person's point stands for all sections, also for those beyond the ventricle.
        is_there = labels.any() if each is None else of_map.center_source != "point" or each.measures is not None
        if is_there:
            counts = each is not None and not each.left_out
            slices.append(WallSlice(images.t1_map, section, labels, counts))
    return slices
