"""The ventricle's parts, the attention bands and the evidence on a T1 map as a DICOM segmentation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom.sr.codedict import codes

from ACNetLib import __version__
from ACNetLib.dicom.terminology import ATTENTION, NO_CODE, PARTS_OF_THE_VENTRICLE, Terminology
from ACNetLib.dicom_results.equipment import coded, identity
from ACNetLib.dicom_results.sources import SourceImages
from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import BAND_NAMES, SHOWN_MAP
from ACNetLib.inference.evidence import evidence_parts
from ACNetLib.inference.result import StudyResult
from ACNetLib.report.files import SOFTWARE
from ACNetLib.ventricle.labels import CAVITY_LABEL, LABEL_NAMES, MYOCARDIUM_LABEL, SEPTUM_LABEL

SERIES_NUMBER = 9001


@dataclass(frozen=True, eq=False)
class Segment:
    """pixels: (slices, rows, columns). by: name and version of what found it."""

    name: str
    pixels: NDArray[np.bool_]
    shown: Terminology
    by: tuple[str, str]
    with_a_person: bool = False


def segmentation_of(study: StudyResult, index: int, sources: SourceImages) -> Segmentation:
    """The segments that occur on one of the study's maps, on the map's own pixels.

    Raises ACNetError where highdicom can't take the map's images as sources.
    """
    segments = [
        each for each in (*_parts(study, index), *_bands(study, index), *_evidence(study, index)) if each.pixels.any()
    ]
    try:
        segmentation = Segmentation(
            sources.as_one_stack(),
            np.stack([each.pixels for each in segments], axis=-1).astype(np.uint8),
            SegmentationTypeValues.BINARY,
            [_description(number, each) for number, each in enumerate(segments, start=1)],
            content_label="ACNET",
            content_description="Left ventricle, attention and evidence, research only",
            **identity(SERIES_NUMBER + index, 1, "ACNet segmentation, research only"),
        )
    except (AttributeError, LookupError, ValueError) as error:  # their text may hold values of the patient
        raise ACNetError(
            f"--dicom: a DICOM segmentation can't refer to the images of {study.maps[index].name}; expected MR images "
            "of one frame, or one Enhanced MR or Parametric Map object, whose attributes are complete and valid. "
            "Export them again from their source, or leave --dicom out."
        ) from error
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
