"""From a T1 map to the probability of DCM and the attention masks in the map's own geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from ACNetLib.errors import ACNetError
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.mirrored import MAYBE_MIRRORED, mean_of_both, mirrored, mirrored_ventricle
from ACNetLib.inference.outside import LimitsByCall
from ACNetLib.inference.pooling import Pooling, pool, pooling_of, t1_factor
from ACNetLib.inference.probability import check_prevalence
from ACNetLib.inference.record import MapRecord
from ACNetLib.inference.result import MapImages, StudyResult
from ACNetLib.inference.sections import ClassifiedSection, SectionClassifier, with_enough_t1
from ACNetLib.inference.settings import Progress, Settings, unwatched
from ACNetLib.inference.ventricle_choice import Localizer, NotSegmented, choose_ventricles
from ACNetLib.models.model import Model
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.t1map.field_strength import nominal_field_strength, require_field_strength
from ACNetLib.t1map.t1_map import NOT_PLACED, T1Map
from ACNetLib.ventricle.aha import FEWEST_SLICES
from ACNetLib.ventricle.labels import Point, Ventricle, ventricles_at_point

MOVED_BY_HAND = "the crop was moved by hand"


def limits_of(model: Model) -> LimitsByCall:
    """Those of its card; where that says nothing of its score, those beside the score's weights."""
    score, limits = getattr(model.network, "outside_score", None), model.card.outside_limits
    if score is None or limits.normal.score:
        return limits
    beside = tuple(score.limits.tolist())
    return LimitsByCall(replace(limits.normal, score=beside), replace(limits.dcm, score=beside))


class Classifier:
    """A model and a localizer, ready to classify T1 maps.

    Raises ACNetError for a network without attention modules: its results would have nothing to show.
    """

    def __init__(self, model: Model, localizer: Localizer, device: DeviceChoice) -> None:
        if not model.card.attention_thresholds:
            raise ACNetError(f"model {model.card.name}: it has no attention; expected one with an attention module.")
        self._outside_limits = limits_of(model)
        self._card = model.card.without_patients()
        self._localizer = localizer
        self._chosen_device = device
        self._sections = SectionClassifier(model, device)

    def classify(self, t1_map: T1Map, settings: Settings | None = None, progress: Progress = unwatched) -> StudyResult:
        """Classify every section, or the chosen ones, on which the left ventricle is known.

        `progress` is told of the steps "ventricle", "sections" and "range".
        Raises ACNetError when the map's field strength is not the model's, or is unknown and no reference stands for
        it, when it has no such section, when the ventricle is found on no section or holds blood after contrast, or
        when more than half of every section would lie outside the map or has no T1.
        """
        settings = settings or Settings()
        reference, given = settings.reference, settings.prevalence_dcm
        prevalence = self._card.training_prior_dcm if given is None else given
        check_prevalence(prevalence)
        field_mismatch = self._check_field_strength(t1_map, reference, settings.allow_field_mismatch)
        seen = t1_map.scaled(t1_factor(self._card, reference))
        progress("ventricle", 0.0)
        try:
            chosen = choose_ventricles(self._localizer, seen, settings)
        except NotSegmented as error:
            error.by_localizer = partial(self.classify, t1_map, replace(settings, segmentation=None))
            raise
        pooling = pooling_of(self._card, prevalence, reference)
        ventricles, bare = with_enough_t1(t1_map, chosen.ventricles)
        classified = self._classify_sections(t1_map, seen, ventricles, pooling, progress)
        images = MapImages.of_slices(t1_map, {each.record.section: each.images for each in classified})
        for ventricle in chosen.ventricles:  # also those that are left out, which keep their level
            if ventricle.labels is not None:
                images.ventricle[ventricle.section] = ventricle.labels
        normal = tuple(t1_map.normal.tolist())
        of_map = MapRecord(
            name=t1_map.name,
            section_count=t1_map.section_count,
            sections_chosen=settings.sections is not None and len(set(settings.sections)) < t1_map.section_count,
            field_strength_tesla=t1_map.field_strength_tesla,
            scanner=t1_map.scanner,
            simulated=t1_map.simulated,
            center_source=chosen.source,
            field_mismatch=field_mismatch,
            sections=tuple(each.record for each in classified),
            warnings=(
                *t1_map.warnings,
                *self._field_warnings(t1_map, field_mismatch),
                *self._reference_warnings(reference),
                *self._device_warnings(),
                *((NOT_PLACED,) if not t1_map.is_placed and t1_map.section_count >= FEWEST_SLICES else ()),
                *(() if t1_map.is_placed else (MAYBE_MIRRORED,)),
                *chosen.doubts,
                *bare,
            ),
            normal_lps=normal if t1_map.is_placed else None,
        )
        return StudyResult(
            maps=(of_map,),
            **vars(pool([each.record.network_log_odds for each in classified], pooling)),
            prevalence_dcm=prevalence,
            reference=reference,
            model=self._card,
            localizer=self._localizer.name,
            device=self._sections.device,
            outside_limits=self._outside_limits,
            exam_warnings=(),
            images=(images,),
        ).pooled()

    def move_section(
        self, result: StudyResult, place: int, center_mm: Point, progress: Progress = unwatched
    ) -> StudyResult:
        """The result with one of its slices cut anew around a person's centre (LPS mm), the others as they are.

        place: of the slice among `result.slices`, from 0.

        Where the centre lies outside the ventricle that was known there, the section's labels go: it has no wall then,
        until the centre lies in what the localizer finds. Raises ACNetError when more than half of the section would
        lie outside the map.
        """
        moved_slice = list(result.slices)[place]
        section, images = moved_slice.section.section, result.images[moved_slice.map_index]
        t1_map = images.t1_map
        seen = t1_map.scaled(result.t1_factor)
        known = Ventricle(
            section,
            t1_map.section_center(section),
            labels=images.ventricle[section],
            turn_degrees=moved_slice.section.turn_degrees,
        )
        if not known.has_wall:
            (known,) = self._localizer.locate(seen, [section])
        (ventricle,), _ = with_enough_t1(t1_map, ventricles_at_point(t1_map, center_mm, [known]))
        pooling = pooling_of(self._card, result.prevalence_dcm, result.reference)
        (anew,) = self._classify_sections(t1_map, seen, [ventricle], pooling, progress)
        left_out, warnings = moved_slice.section.left_out, (*anew.record.warnings, MOVED_BY_HAND)
        moved = replace(anew.record, left_out=left_out, warnings=warnings)
        sections = [moved if each is moved_slice.section else each for each in moved_slice.of_map.sections]
        maps, every = list(result.maps), list(result.images)
        maps[moved_slice.map_index] = replace(moved_slice.of_map, sections=tuple(sections))
        every[moved_slice.map_index] = images.with_slices({section: anew.images})
        return replace(result, maps=tuple(maps), images=tuple(every)).pooled()

    def _classify_sections(
        self, t1_map: T1Map, seen: T1Map, ventricles: Sequence[Ventricle], pooling: Pooling, progress: Progress
    ) -> list[ClassifiedSection]:
        """See `SectionClassifier.classify`; of a map that may be a mirror image, what the network says of both."""
        if t1_map.is_placed:
            return self._sections.classify(t1_map, seen, ventricles, pooling, progress)
        one = self._sections.classify(
            t1_map, seen, ventricles, pooling, lambda step, fraction: progress(step, fraction / 2)
        )
        other = self._sections.classify(
            mirrored(t1_map),
            mirrored(seen),
            [mirrored_ventricle(each, t1_map) for each in ventricles],
            pooling,
            lambda step, fraction: progress(step, (1 + fraction) / 2),
        )
        return [mean_of_both(*each, pooling) for each in zip(one, other, strict=True)]

    def _check_field_strength(self, t1_map: T1Map, reference: ReferenceT1 | None, allow_mismatch: bool) -> bool:
        if t1_map.field_strength_tesla is None and reference is not None and self._card.normal_t1_ms is not None:
            return False
        field, expected = require_field_strength(t1_map), self._card.field_strength_tesla
        mismatch = nominal_field_strength(field) != nominal_field_strength(expected)
        if mismatch and not allow_mismatch:
            raise ACNetError(
                f"{t1_map.name}: it is from {field:g} T, the model {self._card.name} is for {expected:g} T; expected "
                "the same, for normal T1 differs. Choose a model for its field strength."
            )
        return mismatch

    def _field_warnings(self, t1_map: T1Map, mismatch: bool) -> list[str]:
        field, expected = t1_map.field_strength_tesla, self._card.field_strength_tesla
        if field is None:
            return [
                f"The map does not tell its field strength: by the reference T1 it was taken as one of {expected:g} T."
            ]
        if not mismatch:
            return []
        return [f"Field strength mismatch (map {field:g} T, model {expected:g} T): result not valid."]

    def _reference_warnings(self, reference: ReferenceT1 | None) -> list[str]:
        if reference is None or self._card.normal_t1_ms is not None:
            return []
        return [f"The model {self._card.name} holds no normal T1 of its training: T1 is used as measured."]

    def _device_warnings(self) -> list[str]:
        if self._sections.device == self._chosen_device:
            return []
        return [f"The memory of {self._chosen_device.device} was full: the processor was used instead."]
