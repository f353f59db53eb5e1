"""The record of a study: all that its result says, as plain data, free of torch.

Scene, table, report, panel and command read this one record. It is kept whole as JSON, in the scene and as
`result.json`, so that a scene opened from a file says what it said on the day it was made.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from itertools import count
from types import NoneType, UnionType
from typing import Any, Literal, Self, Union, get_args, get_origin, get_type_hints

from ACNetLib.errors import ACNetError
from ACNetLib.files import without_nan
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.out_of_step import apex_to_base, doubts_of_place, turned_by
from ACNetLib.inference.outside import LimitsByCall, unlike, values_of_slices
from ACNetLib.inference.physiology import disagreement, implausible_t1, undersized_mm, undilated_mm
from ACNetLib.inference.pooling import is_called_dcm, median_of_known, pool, pooling_of, t1_factor
from ACNetLib.inference.verdict import Verdict, incomplete, uncertain_range_of
from ACNetLib.models.card import ModelCard, card_from_values
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.t1map.section import SectionGrid
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.measures import SectionMeasures
from ACNetLib.ventricle.shape import HeartShape

FORMAT_VERSION = 6
"""Goes up with the fields below: a record of another version is not read."""
ADDED_LATER: dict[str, Any] = {"sections_chosen": False, "normal_lps": None, "masked_fraction": 0.0}
"""Fields that the first records of this version do not have, and what is read in their place."""
OUTSIDE = "This heart is unlike those that the model was trained on: it may be neither DCM nor normal."
RANGE_SHIFT_MM, RANGE_TURN_DEGREES = 3.0, 5.0
"""How far the sections are moved and turned to see how much the probability depends on it."""

CenterSource = Literal["localizer", "point", "segmentation"]


@dataclass(frozen=True)
class SectionRecord:
    """What the network says of one section.

    left_out: a reader left it out of the study's probability. log_odds_dcm: calibrated, at the study's prevalence.
    network_log_odds: the network's own, of the section as it is, then moved and turned a little. confidence: of the
    localizer, 1 where a person gave the centre. outside_score: how unlike the training's hearts the slice is, NaN where
    the model can't tell. measures: None where the wall is not known, shape: NaN there. wall_attention: mean combined
    attention in the myocardium relative to that in the whole section; NaN where the wall is not known.
    center_lps_mm: the middle of the section grid. turn_degrees: how far that is turned from the anatomical axes for the
    septum to lie to the left, on a slice without a known septum that of the nearest slice; 0 where no slice of the map
    has one. outside_fraction: part of the grid that lies outside the map. masked_fraction: part that is 0 within it
    where all its corners are bare, as of a map that was masked; else 0.
    """

    section: int
    left_out: bool
    verdict: Verdict
    probability_dcm: float
    log_odds_dcm: float
    network_log_odds: tuple[float, ...]
    confidence: float
    outside_score: float
    measures: SectionMeasures | None
    shape: HeartShape
    wall_attention: float
    center_lps_mm: tuple[float, float, float]
    turn_degrees: float
    outside_fraction: float
    masked_fraction: float
    warnings: tuple[str, ...]

    @property
    def known_measures(self) -> SectionMeasures:
        """All NaN where the wall is not known."""
        return self.measures or SectionMeasures(*[math.nan] * 4)

    @property
    def has_septum(self) -> bool:
        return not math.isnan(self.known_measures.septal_t1_ms)

    def grid(self, t1_map: T1Map) -> SectionGrid:
        """What the network saw of the map."""
        return SectionGrid.around(t1_map, self.section, self.center_lps_mm, self.turn_degrees)


@dataclass(frozen=True)
class MapRecord:
    """One T1 map of a study.

    name: of a file, folder or node; nothing else in a record could tell who was examined. sections: those on which the
    left ventricle is known; the others are named in `warnings` and count for nothing. sections_chosen: whether a person
    chose some of the map's sections to be classified: then those that were not chosen are missing, too. field_mismatch:
    whether the model is for another field strength than the map's. scanner: manufacturer and model, "" where they are
    not told. normal_lps: of its slices, None where its source does not tell how they lie in the body.
    """

    name: str
    section_count: int
    sections_chosen: bool
    field_strength_tesla: float | None
    scanner: str
    simulated: bool
    center_source: CenterSource
    field_mismatch: bool
    sections: tuple[SectionRecord, ...]
    warnings: tuple[str, ...]
    normal_lps: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Slice:
    """A section of a study with its map. name: "0", or "map 2, slice 0" where there are several maps."""

    name: str
    map_index: int
    of_map: MapRecord
    section: SectionRecord

    @property
    def title(self) -> str:
        """The name as the beginning of a sentence: "Slice 0" or "Map 2, slice 0"."""
        return f"Slice {self.name}" if self.name.isdigit() else self.name.capitalize()


@dataclass(frozen=True)
class StudyRecord:
    """The result of a study: one T1 map, or those of an exam whose slices were planned one by one.

    probability_dcm: at `prevalence_dcm`, from the mean log odds of the sections that count. stability: its lowest and
    highest value when the sections are moved by 3 mm and turned by 5 degrees. reference: the normal T1 of the scanner,
    None where it is not known. model: its card, without its patients. outside_limits: above which the study is unlike
    the training's hearts. exam_warnings: those of no single map.
    """

    maps: tuple[MapRecord, ...]
    verdict: Verdict
    probability_dcm: float
    stability: tuple[float, float]
    prevalence_dcm: float
    reference: ReferenceT1 | None
    model: ModelCard
    localizer: str
    device: DeviceChoice
    outside_limits: LimitsByCall
    exam_warnings: tuple[str, ...]

    @property
    def slices(self) -> Iterator[Slice]:
        """Every section of every map, in order."""
        for index, each in enumerate(self.maps):
            for section in each.sections:
                yield Slice(self.slice_name(index, section.section), index, each, section)

    @property
    def sections(self) -> tuple[SectionRecord, ...]:
        return tuple(each.section for each in self.slices)

    @property
    def uncertain_range(self) -> tuple[float, float]:
        """The verdict's rule, as far as the site's own normal T1 is known."""
        return uncertain_range_of(self.model, self.reference)

    @property
    def t1_factor(self) -> float:
        """What T1 was multiplied by before the networks saw it."""
        return t1_factor(self.model, self.reference)

    @property
    def septal_t1_ms(self) -> float:
        """The median over the sections that count, NaN where it is not known."""
        return median_of_known(each.known_measures.septal_t1_ms for each in self.sections if not each.left_out)

    @property
    def cavities_mm2(self) -> tuple[float, ...]:
        """Of the sections that count, NaN where one is not known."""
        return tuple(each.known_measures.cavity_area_mm2 for each in self.sections if not each.left_out)

    @property
    def turned_by(self) -> float | None:
        """See ACNetLib.inference.out_of_step: of the slices that count, on maps that tell how they lie."""
        placed = [each.section for each in self.slices if each.of_map.normal_lps is not None]
        return turned_by([each.turn_degrees for each in placed if not each.left_out and each.has_septum])

    @property
    def is_called_dcm(self) -> bool:
        """DCM rather than normal, by the sections that count, where it has to be one of the two."""
        return is_called_dcm([each.network_log_odds[0] for each in self.sections if not each.left_out], self.model)

    @property
    def unlike(self) -> tuple[str, ...]:
        """In what the sections that count are unlike the training's hearts, a sentence each; empty where in nothing."""
        counting = [each for each in self.sections if not each.left_out]
        values = values_of_slices([each.outside_score for each in counting], [each.shape for each in counting])
        return unlike(values, self.outside_limits.of(self.is_called_dcm))

    @property
    def implausible_t1(self) -> str:
        """What is said of a septal T1 that is neither a normal heart's nor that of DCM; empty of any other."""
        if self.reference is not None:
            return implausible_t1(self.septal_t1_ms, self.reference.mean_ms)
        return implausible_t1(self.septal_t1_ms, (self.model.normal_t1_ms or (math.nan,))[0])

    @property
    def doubts(self) -> list[str]:
        """Why the verdict is uncertain, other than by its probability."""
        counting = [each for each in self.sections if not each.left_out]
        doubts = [self.implausible_t1, incomplete([each.outside_fraction + each.masked_fraction for each in counting])]
        across_mm = undilated_mm(self.cavities_mm2)
        if across_mm is not None and self.probability_dcm >= self.uncertain_range[1]:
            doubts.append(f"DCM by its probability, but no slice's cavity is enlarged (up to {across_mm:.0f} mm)")
        across_mm = undersized_mm(self.cavities_mm2)
        if across_mm is not None and self.probability_dcm < self.uncertain_range[0]:
            doubts.append(
                "normal by its probability, but every slice's cavity is narrower than normal in adults (up to "
                f"{across_mm:.0f} mm), and the model knows no children"
            )
        if self.is_turned_by_guess:
            doubts.append(
                "the orientation of the slices is unknown: no septum was found, and the file does not tell it"
            )
        return [doubt for doubt in doubts if doubt]

    @property
    def reason(self) -> str:
        """Why the answer is neither DCM nor normal; empty where it is one of them."""
        if self.verdict == "outside":
            return " ".join([OUTSIDE, *self.unlike])
        if self.verdict == "uncertain":
            low, high = self.uncertain_range
            by_probability = f"the probability of DCM lies from {low:g} to below {high:g}"
            return f"Uncertain: {'; '.join(self.doubts) or by_probability}."
        return ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Of the exam and of its maps; what holds for all maps is said once."""
        warnings = [*self._of_the_verdict(), *doubts_of_place(self.turned_by, self._apex_to_base), *self.exam_warnings]
        for warning in dict.fromkeys(warning for each in self.maps for warning in each.warnings):
            having = [each.name for each in self.maps if warning in each.warnings]
            warnings.append(warning if len(having) == len(self.maps) else f"{', '.join(having)}: {warning}")
        return tuple(warnings)

    def _of_the_verdict(self) -> Iterator[str]:
        """What speaks against it, and for an unlike one; why it is uncertain says `reason`."""
        if self.verdict == "outside":
            yield self.reason
        if implausible := self.implausible_t1:  # the z-score would say it again
            if self.verdict != "uncertain":
                yield f"{implausible[0].upper()}{implausible[1:]}."
            return
        largest_mm2 = max((area for area in self.cavities_mm2 if not math.isnan(area)), default=math.nan)
        if disagrees := disagreement(self.verdict, largest_mm2, self.septal_z(self.septal_t1_ms)):
            yield disagrees

    @property
    def all_warnings(self) -> list[str]:
        """Those of the slices come last."""
        return [*self.warnings, *_warnings_of(self.slices)]

    @property
    def counting_warnings(self) -> list[str]:
        """The same without those of slices that are left out."""
        return [*self.warnings, *_warnings_of(each for each in self.slices if not each.section.left_out)]

    @property
    def is_turned_by_guess(self) -> bool:
        """Whether nothing tells how a map's slices lie: neither its file nor a septum."""
        return any(
            each.normal_lps is None and not any(one.has_septum or one.turn_degrees for one in each.sections)
            for each in self.maps
        )

    @property
    def _apex_to_base(self) -> float | None:
        normals = [each.normal_lps for each in self.maps]
        if normals[0] is None or None in normals:
            return None
        return apex_to_base(
            [each.center_lps_mm for each in self.sections if not each.left_out], self.cavities_mm2, normals[0]
        )

    def slice_name(self, map_index: int, section: int) -> str:
        """How a section of a map is called in the study."""
        return str(section) if len(self.maps) == 1 else f"map {map_index + 1}, slice {section}"

    def septal_z(self, septal_t1_ms: float) -> float:
        """The z-score of a septal T1 against the reference, NaN where one of the two is not known."""
        return math.nan if self.reference is None else self.reference.z_score(septal_t1_ms)

    def leaving_out(self, places: Collection[int]) -> Self:
        """The study without these of its slices, counted from 0. Raises ACNetError when none would be left."""
        place = count()
        maps = tuple(
            replace(each, sections=tuple(replace(one, left_out=next(place) in places) for one in each.sections))
            for each in self.maps
        )
        return replace(self, maps=maps).pooled()

    def pooled(self) -> Self:
        """The study with the probability of its sections that count. Raises ACNetError when there are none."""
        counting = [each for each in self.sections if not each.left_out]
        pooling = pooling_of(self.model, self.prevalence_dcm, self.reference)
        pooled = replace(self, **vars(pool([each.network_log_odds for each in counting], pooling)))
        if pooled.unlike:
            return replace(pooled, verdict="outside")
        if pooled.doubts:
            return replace(pooled, verdict="uncertain")
        return pooled


def _warnings_of(slices: Iterable[Slice]) -> Iterator[str]:
    return (f"{each.title}: {text}" for each in slices for text in each.section.warnings)


def record_values(study: StudyRecord) -> dict[str, Any]:
    """The record as plain values for JSON. What can't be measured is None, never NaN."""
    record = StudyRecord(**{field.name: getattr(study, field.name) for field in fields(StudyRecord)})
    values: dict[str, Any] = without_nan({"format_version": FORMAT_VERSION, **asdict(record)})
    return values


def record_from_values(values: Mapping[str, Any]) -> StudyRecord:
    """The record of values from JSON; what else stands there is passed over.

    Raises ACNetError for the values of another version, and for damaged ones.
    """
    version = values.get("format_version")
    if version != FORMAT_VERSION:
        raise ACNetError(
            f"result: found format version {version}; expected {FORMAT_VERSION}. Classify the T1 map again."
        )
    try:
        record: StudyRecord = _read(StudyRecord, values)
    except (LookupError, TypeError, ValueError) as error:
        raise ACNetError(f"result: it is damaged ({error}). Classify the T1 map again.") from error
    return record


def _read(kind: Any, value: Any) -> Any:
    """A value of this type from its plain form."""
    if kind is ModelCard:
        return card_from_values(value, "result")
    if isinstance(kind, type) and is_dataclass(kind):
        kinds = get_type_hints(kind)
        known = {**ADDED_LATER, **value}
        return kind(**{field.name: _read(kinds[field.name], known[field.name]) for field in fields(kind)})
    parts = get_args(kind)
    if get_origin(kind) is tuple:
        of_each = parts[:1] * len(value) if parts[1] is Ellipsis else parts
        return tuple(_read(part, each) for part, each in zip(of_each, value, strict=True))
    if get_origin(kind) in (Union, UnionType):
        (inner,) = (part for part in parts if part is not NoneType)
        return None if value is None else _read(inner, value)
    if kind is float:
        return math.nan if value is None else float(value)
    return value
