"""The numbers and the verdict of a study as a DICOM structured report, by template TID 1500."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import Comprehensive3DSRStorage, generate_uid

from ACNetLib import SOFTWARE, __version__
from ACNetLib.dicom.terminology import LEFT_VENTRICLE, PARTS_OF_THE_VENTRICLE, Code
from ACNetLib.dicom_results.equipment import DEVICE_UID, OUR_SCHEME, coded, identity
from ACNetLib.dicom_results.sources import SourceImages
from ACNetLib.inference.record import Slice, StudyRecord
from ACNetLib.inference.result import StudyResult
from ACNetLib.inference.verdict import SCOPE, Verdict
from ACNetLib.models.card import INTENDED_USE
from ACNetLib.report.wording import center_sources_text, reference_text, share_text, slices_without_a_say, verdict_rule
from ACNetLib.ventricle.aha import Segment
from ACNetLib.ventricle.labels import MYOCARDIUM_LABEL, SEPTUM_LABEL

SERIES_NUMBER = 9000
PROBABILITY: Code = (OUR_SCHEME, "PROBABILITY_DCM", "Probability of dilated cardiomyopathy")
VERDICT: Code = (OUR_SCHEME, "VERDICT", "Verdict of ACNet")
VERDICTS: dict[Verdict, Code] = {
    "normal": ("SCT", "17621005", "Normal"),
    "uncertain": ("SCT", "373068000", "Undetermined"),
    "outside": (OUR_SCHEME, "OUTSIDE", "Unlike the hearts of the model's training"),
    "dcm": ("SCT", "399020009", "Dilated cardiomyopathy"),
}
MYOCARDIUM, SEPTUM = (PARTS_OF_THE_VENTRICLE[label].kind for label in (MYOCARDIUM_LABEL, SEPTUM_LABEL))
TRAINED_ON_SIMULATION = "The models were trained on simulated T1 maps only and have never seen a patient."


def report_of(
    study: StudyResult,
    sources: Sequence[SourceImages],
    others: Sequence[Dataset],
    earlier_reports: Sequence[Sequence[str]] = (),
) -> Dataset:
    """The report of a study. sources: of each of its maps. others: the objects of the result beside it, which it names
    as evidence. earlier_reports: as of `write_dicom_results`. A slice that was left out is not in it but by its number.
    """
    device = DeviceObserverIdentifyingAttributes(
        DEVICE_UID, name=SOFTWARE, manufacturer_name=SOFTWARE, model_name=f"{SOFTWARE} {__version__}"
    )
    content = MeasurementReport(
        ObservationContext(observer_device_context=ObserverContext(codes.DCM.Device, device)),
        codes.SCT.MagneticResonanceImagingOfHeart,
        [
            _study_group(study),
            *_slice_groups(study, sources),
            *(_segment_group(study, each) for each in study.segments if each.pixels),
        ],
    )
    headers = [header for each in sources for header in each.headers]
    scheme = CodingSchemeIdentificationItem(OUR_SCHEME, name=SOFTWARE, responsible_organization=SOFTWARE)
    return Comprehensive3DSR(
        [*headers, *others],
        content[0],
        is_complete=True,
        coding_schemes=[scheme],
        previous_versions=[_report(headers[0], *uids) for uids in earlier_reports[-1:]] or None,
        **identity(SERIES_NUMBER, 1, "ACNet measurements, research only"),
    )


def _report(of_study: Dataset, series_uid: str, uid: str) -> Dataset:
    """What a report is referred to by."""
    report = Dataset()
    report.StudyInstanceUID, report.SeriesInstanceUID = of_study.StudyInstanceUID, series_uid
    report.SOPClassUID, report.SOPInstanceUID = Comprehensive3DSRStorage, uid
    return report


def _study_group(study: StudyRecord) -> MeasurementsAndQualitativeEvaluations:
    t1 = _t1(study, study.septal_t1_ms, SEPTUM, codes.SCT.Median)
    group = _group(study, "study", study.probability_dcm, study.verdict, t1)
    for text in _comments(study):
        group[0].ContentSequence.append(TextContentItem(codes.DCM.Comment, text, RelationshipTypeValues.CONTAINS))
    return group


def _slice_groups(
    study: StudyRecord, sources: Sequence[SourceImages]
) -> Iterator[MeasurementsAndQualitativeEvaluations]:
    for each in study.slices:
        if not each.section.left_out:
            source = sources[each.map_index].slices[each.section.section]
            image = SourceImageForMeasurementGroup(
                source.header.SOPClassUID,
                source.header.SOPInstanceUID,
                None if source.frame is None else [source.frame],
            )
            yield _slice_group(study, each, image)


def _slice_group(
    study: StudyRecord, each: Slice, image: SourceImageForMeasurementGroup
) -> MeasurementsAndQualitativeEvaluations:
    section, measures = each.section, each.section.known_measures
    measurements = [
        *_t1(study, measures.septal_t1_ms, SEPTUM, codes.SCT.Mean),
        *_measurement(codes.SCT.Area, measures.cavity_area_mm2, codes.UCUM.SquareMillimeter, LEFT_VENTRICLE),
        *_measurement(codes.DCM.WallThickness, measures.wall_thickness_mm, codes.UCUM.Millimeter, MYOCARDIUM),
    ]
    title = f"slice {each.name}" if each.name.isdigit() else each.name
    return _group(study, title, section.probability_dcm, section.verdict, measurements, [image])


def _segment_group(study: StudyRecord, segment: Segment) -> MeasurementsAndQualitativeEvaluations:
    """T1 of a segment by the American Heart Association's count, coded as in CID 3717.

    Without a z-score: the reference is that of the septum, which no code here could say.
    """
    words = "".join(word.capitalize() for word in segment.name.split())
    site = getattr(codes.SCT, f"LeftVentricle{words}Segment")
    place: Code = (site.scheme_designator, site.value, site.meaning)
    return MeasurementsAndQualitativeEvaluations(
        TrackingIdentifier(generate_uid(), f"AHA segment {segment.number}, {segment.name}"),
        algorithm_id=_algorithm(study),
        finding_sites=[FindingSite(coded(place))],
        measurements=_measurement(codes.DCM.T1, segment.t1_ms, codes.UCUM.Millisecond, place, codes.SCT.Mean),
    )


def _group(  # noqa: PLR0913  # what a group of the report says, a field each
    study: StudyRecord,
    title: str,
    probability_dcm: float,
    verdict: Verdict,
    measurements: Sequence[Measurement],
    images: Sequence[SourceImageForMeasurementGroup] | None = None,
) -> MeasurementsAndQualitativeEvaluations:
    probability = Measurement(coded(PROBABILITY), probability_dcm, codes.UCUM.NoUnits)
    return MeasurementsAndQualitativeEvaluations(
        TrackingIdentifier(generate_uid(), title),
        algorithm_id=_algorithm(study),
        finding_sites=[FindingSite(coded(LEFT_VENTRICLE))],
        measurements=[probability, *measurements],
        qualitative_evaluations=[QualitativeEvaluation(coded(VERDICT), coded(VERDICTS[verdict]))],
        source_images=images,
    )


def _algorithm(study: StudyRecord) -> AlgorithmIdentification:
    """The network by its name and its weights; the localizer and the software beside it."""
    model = study.model
    parameters = [f"localizer: {study.localizer}", f"software: {SOFTWARE} {__version__}"]
    return AlgorithmIdentification(
        model.name, model.weights_sha256, parameters, codes.DCM.ArtificialIntelligence, SOFTWARE
    )


def _t1(study: StudyRecord, t1_ms: float, place: Code, derivation: CodedConcept) -> list[Measurement]:
    """Septal T1 and its z-score against the scanner's normal, each where it is known."""
    return [
        *_measurement(codes.DCM.T1, t1_ms, codes.UCUM.Millisecond, place, derivation),
        *_measurement(codes.DCM.ZScoreOfMeasurement, study.septal_z(t1_ms), codes.UCUM.NoUnits, place),
    ]


def _measurement(
    name: CodedConcept, value: float, unit: CodedConcept, place: Code, derivation: CodedConcept | None = None
) -> list[Measurement]:
    """None where the value is not known."""
    if math.isnan(value):
        return []
    return [Measurement(name, value, unit, derivation=derivation, finding_sites=[FindingSite(coded(place))])]


def _comments(study: StudyRecord) -> list[str]:
    simulated = [TRAINED_ON_SIMULATION] if study.model.simulated else []
    if any(each.simulated for each in study.maps):
        simulated.append("The T1 map is simulated, too.")
    rule = f"Verdict: {verdict_rule(study.uncertain_range)}; assuming {share_text(study.prevalence_dcm)} prevalence."
    uncertain = [study.reason] if study.verdict == "uncertain" else []  # that of an outside one is among the warnings
    without_a_say = [f"{why}: {slices}." for why, slices in slices_without_a_say(study).items()]
    return [
        " ".join([INTENDED_USE, *simulated, SCOPE]),
        rule,
        *uncertain,
        reference_text(study),
        center_sources_text(study),
        *without_a_say,
        *study.counting_warnings,
    ]
