"""Attention and evidence on a T1 map as DICOM Parametric Maps: their values as numbers, not as bands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from highdicom import VOILUTFunctionValues, VOILUTTransformation
from highdicom.pm import ParametricMap, RealWorldValueMapping
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ACNetLib.dicom.terminology import ATTENTION, HEART, NO_UNITS, Code
from ACNetLib.dicom_results.equipment import OUR_SCHEME, coded, identity
from ACNetLib.dicom_results.sources import SOURCE_ERRORS, SourceImages
from ACNetLib.inference.attention import SHOWN_MAP
from ACNetLib.inference.evidence import EVIDENCE, EVIDENCE_LIMIT
from ACNetLib.inference.result import MapImages, StudyResult
from ACNetLib.t1map.t1_map import T1Map

EXACT = VOILUTFunctionValues.LINEAR_EXACT
"""With the usual function a window is 1 wide at least."""
PER_CM2: Code = ("UCUM", "/cm2", "per square centimeter")
EVIDENCE_QUANTITY: Code = (OUR_SCHEME, "EVIDENCE", "Log odds of dilated cardiomyopathy per area")


@dataclass(frozen=True)
class Quantity:
    """What a map's values are. label: at most 16 characters, as DICOM has them. shown: lowest and highest grey."""

    name: str
    label: str
    code: Code
    unit: Code
    shown: tuple[float, float]
    series_number: int

    def values(self, images: MapImages) -> NDArray[np.float32]:
        return images.evidence if self.name == EVIDENCE else images.attention[SHOWN_MAP]


QUANTITIES = (
    Quantity("attention", "attention", ATTENTION.kind, NO_UNITS, (0.0, 1.0), 9101),
    Quantity(EVIDENCE, EVIDENCE, EVIDENCE_QUANTITY, PER_CM2, (-EVIDENCE_LIMIT, EVIDENCE_LIMIT), 9201),
)


def parametric_map_of(study: StudyResult, index: int, quantity: Quantity, sources: SourceImages) -> ParametricMap:
    """A quantity on one of the study's maps, float32 on the map's own pixels; 0 outside the crops.

    Raises NotReferable where highdicom can't take the map's images as sources.
    """
    values = quantity.values(study.images[index]).astype(np.float32)
    lowest, highest = quantity.shown
    try:
        parametric_map = ParametricMap(
            sources.as_one_stack(),
            values,
            contains_recognizable_visual_features=False,
            real_world_value_mappings=[
                RealWorldValueMapping(
                    quantity.label,
                    quantity.code[2],
                    coded(quantity.unit),
                    (float(values.min()), float(values.max())),
                    slope=1.0,
                    intercept=0.0,
                    quantity_definition=coded(quantity.code),
                )
            ],
            voi_lut_transformations=[VOILUTTransformation((lowest + highest) / 2, highest - lowest, None, EXACT)],
            content_label="ACNET",
            content_description=f"{quantity.name.capitalize()}, research only",
            **identity(quantity.series_number + index, 1, f"ACNet {quantity.name}, research only"),
        )
    except SOURCE_ERRORS as error:
        raise sources.refused(study.maps[index].name, "Parametric Map") from error
    parametric_map.BodyPartExamined = "HEART"
    parametric_map.ContentCreatorName = ""  # no person; the standard wants it all the same
    parametric_map.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [_of_the_heart()]
    sources.refer(parametric_map)
    _put_in_order(parametric_map, study.images[index].t1_map)
    return parametric_map


def _put_in_order(parametric_map: ParametricMap, t1_map: T1Map) -> None:
    """The frames in the order of the slices. highdicom has its own, and dcmqi 1.5.7 takes it for theirs (findings/)."""
    frames = list(parametric_map.PerFrameFunctionalGroupsSequence)
    positions = [[float(value) for value in each.PlanePositionSequence[0].ImagePositionPatient] for each in frames]
    order = np.argsort([t1_map.normal @ position for position in positions])
    stored = np.frombuffer(parametric_map.FloatPixelData, np.float32).reshape(len(frames), -1)
    parametric_map.PerFrameFunctionalGroupsSequence = [frames[frame] for frame in order]
    parametric_map.FloatPixelData = stored[order].tobytes()


def _of_the_heart() -> Dataset:
    anatomy = Dataset()
    anatomy.FrameLaterality = "U"  # unpaired
    anatomy.AnatomicRegionSequence = [coded(HEART)]
    return anatomy
