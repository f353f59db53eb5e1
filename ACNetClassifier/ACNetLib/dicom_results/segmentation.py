"""The ventricle's parts, the attention bands and the evidence on a T1 map as DICOM segmentations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom.sr.codedict import codes

from ACNetLib import SOFTWARE, __version__
from ACNetLib.dicom.terminology import ATTENTION, NO_CODE, PARTS_OF_THE_VENTRICLE, Terminology
from ACNetLib.dicom_results.equipment import coded, identity
from ACNetLib.dicom_results.sources import SOURCE_ERRORS, SourceImages
from ACNetLib.inference.attention import BAND_NAMES, SHOWN_MAP
from ACNetLib.inference.evidence import evidence_parts
from ACNetLib.inference.result import StudyResult
from ACNetLib.ventricle.labels import CAVITY_LABEL, LABEL_NAMES, MYOCARDIUM_LABEL, SEPTUM_LABEL

SERIES_NUMBER, BANDS_SERIES_NUMBER, EVIDENCE_SERIES_NUMBER = 9001, 9301, 9401
SegmentationKind = Literal["binary", "labelmap"]


@dataclass(frozen=True, eq=False)
class Segment:
    """pixels: (slices, rows, columns). by: name and version of what found it."""

    name: str
    pixels: NDArray[np.bool_]
    shown: Terminology
    by: tuple[str, str]
    with_a_person: bool = False


def segmentations_of(
    study: StudyResult, index: int, sources: SourceImages, kind: SegmentationKind
) -> dict[str, Segmentation]:
    """The segments that occur on one of the study's maps, on the map's own pixels, by the names of their files.

    A label map has one segment a pixel, and bands and evidence lie on the ventricle: as label maps they are three
    objects. Raises NotReferable where highdicom can't take the map's images as sources.
    """
    parts, bands, evidence = (
        [each for each in segments if each.pixels.any()]
        for segments in (_parts(study, index), _bands(study, index), _evidence(study, index))
    )
    name = study.maps[index].name
    if kind == "binary":
        return {"segmentation": _segmentation((*parts, *bands, *evidence), kind, SERIES_NUMBER + index, sources, name)}
    found = {
        "segmentation": (parts, SERIES_NUMBER),
        "attention-bands": (bands, BANDS_SERIES_NUMBER),
        "evidence-parts": (evidence, EVIDENCE_SERIES_NUMBER),
    }
    return {
        file: _segmentation(segments, kind, number + index, sources, name)
        for file, (segments, number) in found.items()
        if segments
    }


def _segmentation(
    segments: Sequence[Segment], kind: SegmentationKind, number: int, sources: SourceImages, map_name: str
) -> Segmentation:
    try:
        segmentation = Segmentation(
            sources.as_one_stack(),
            np.stack([each.pixels for each in segments], axis=-1).astype(np.uint8),
            SegmentationTypeValues(kind.upper()),
            [_description(number, each) for number, each in enumerate(segments, start=1)],
            content_label="ACNET",
            content_description="Left ventricle, attention and evidence, research only",
            **identity(number, 1, "ACNet segmentation, research only"),
        )
    except SOURCE_ERRORS as error:
        raise sources.refused(map_name, "segmentation") from error
    sources.refer(segmentation)
    return segmentation


def _parts(study: StudyResult, index: int) -> Iterator[Segment]:
    labels, drawn = study.images[index].ventricle, study.maps[index].center_source == "segmentation"
    for label in (CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL):
        by = (study.localizer, f"{SOFTWARE} {__version__}")
        yield Segment(LABEL_NAMES[label], labels == label, PARTS_OF_THE_VENTRICLE[label], by, with_a_person=drawn)


def _bands(study: StudyResult, index: int) -> Iterator[Segment]:
    bands = study.images[index].bands[SHOWN_MAP]
    for band, name in enumerate(BAND_NAMES, start=1):
        yield Segment(f"attention, {name}", bands == band, ATTENTION, (study.model.name, study.model.weights_sha256))


def _evidence(study: StudyResult, index: int) -> Iterator[Segment]:
    for name, pixels in evidence_parts(study.images[index].evidence).items():
        yield Segment(name, pixels, ATTENTION, (study.model.name, study.model.weights_sha256))


def _description(number: int, segment: Segment) -> SegmentDescription:
    kinds, shown = SegmentAlgorithmTypeValues, segment.shown
    name, version = segment.by
    return SegmentDescription(
        number,
        segment.name,
        coded(shown.category),
        coded(shown.kind),
        kinds.SEMIAUTOMATIC if segment.with_a_person else kinds.AUTOMATIC,
        AlgorithmIdentificationSequence(name, codes.DCM.ArtificialIntelligence, version, source=SOFTWARE),
        anatomic_regions=None if shown.region == NO_CODE else [coded(shown.region)],
    )
