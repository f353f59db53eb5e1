"""Simulated maps as DICOM Parametric Map objects (PS3.3 A.75): floats or scaled integers with a quantity and a unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import ParametricMapStorage

from ..section import SimulatedSection
from .dataset import OTHER_NOTE, decimal_strings, general_dataset, orientation

MILLISECOND = ("ms", "UCUM", "millisecond")
QUANTITY_CODE = ("246205007", "SCT", "Quantity")
INTEGER_SLOPE_MS = 0.1
T2_OF_T1 = 0.055
"""Makes some T2 map from a T1 map, to lie beside it."""


@dataclass(frozen=True)
class Quantity:
    """What a map shows, as DICOM codes it, and the number of its series."""

    code: tuple[str, str, str]
    series: int


T1, T2 = Quantity(("113063", "DCM", "T1"), 30), Quantity(("113065", "DCM", "T2"), 31)


def parametric_maps(
    sections: list[SimulatedSection], images: list[sitk.Image], with_other_images: bool = False
) -> Iterator[tuple[str, FileDataset]]:
    """The T1 map of one patient as file name and object, a frame a section, and on request a T2 map beside it."""
    t1_ms = np.concatenate([sitk.GetArrayFromImage(image) for image in images])
    yield "t1-map.dcm", parametric_map(sections, images, t1_ms.astype(np.float32))
    if with_other_images:
        yield "t2-map.dcm", parametric_map(sections, images, (t1_ms * T2_OF_T1).astype(np.float32), T2)


def parametric_map(
    sections: list[SimulatedSection],
    images: list[sitk.Image],
    values_ms: np.ndarray,
    quantity: Quantity = T1,
    integers: bool = False,
) -> FileDataset:
    """One object with a frame a section. values_ms: (sections, rows, columns).

    Stored as floats in ms or, with `integers`, as uint16 in tenths of ms.
    """
    first = images[0]
    name = f"parametric-map {quantity.code[2]}"
    dataset = general_dataset(sections[0], ParametricMapStorage, name, 1, quantity.series)
    dataset.ImageComments = OTHER_NOTE
    dataset.SeriesDescription = "Quantitative maps"
    dataset.ImageType = ["DERIVED", "PRIMARY", "QUANTITY", "NONE"]
    dataset.ContentLabel = "MAP"
    dataset.ContentDescription = f"{quantity.code[2]} map"
    dataset.ContentCreatorName = ""
    dataset.ContentDate, dataset.ContentTime = "19700101", "000000"
    dataset.AcquisitionContextSequence = Sequence()
    dataset.BurnedInAnnotation, dataset.LossyImageCompression, dataset.PresentationLUTShape = "NO", "00", "IDENTITY"
    dataset.NumberOfFrames = len(images)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = values_ms.shape[1:]

    slope = INTEGER_SLOPE_MS if integers else 1.0
    measures = _item(
        PixelSpacing=decimal_strings([first.GetSpacing()[1], first.GetSpacing()[0]]),
        SliceThickness=first.GetSpacing()[2],
    )
    quantity_item = _item(
        ValueType="CODE", ConceptNameCodeSequence=_code(*QUANTITY_CODE), ConceptCodeSequence=_code(*quantity.code)
    )
    mapping = _item(
        RealWorldValueSlope=slope,
        RealWorldValueIntercept=0.0,
        LUTExplanation=f"{quantity.code[2]} in ms",
        LUTLabel=quantity.code[2],
        MeasurementUnitsCodeSequence=_code(*MILLISECOND),
        QuantityDefinitionSequence=Sequence([quantity_item]),
        **_mapped_range(values_ms, slope, integers),
    )
    dataset.SharedFunctionalGroupsSequence = Sequence(
        [
            _item(
                PixelMeasuresSequence=Sequence([measures]),
                PlaneOrientationSequence=Sequence([_item(ImageOrientationPatient=orientation(first))]),
                RealWorldValueMappingSequence=Sequence([mapping]),
            )
        ]
    )
    dataset.PerFrameFunctionalGroupsSequence = Sequence(
        [
            _item(PlanePositionSequence=Sequence([_item(ImagePositionPatient=decimal_strings(image.GetOrigin()))]))
            for image in images
        ]
    )
    if integers:
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
        dataset.PixelData = np.rint(values_ms / slope).astype("<u2").tobytes()
    else:
        dataset.BitsAllocated = 32
        dataset.FloatPixelData = values_ms.astype("<f4").tobytes()
    return dataset


def _mapped_range(values_ms: np.ndarray, slope: float, integers: bool) -> dict[str, Any]:
    """Which stored values the mapping is for: attributes of their own for integers and floats."""
    low, high = float(values_ms.min()), float(values_ms.max())
    if not integers:
        return {"DoubleFloatRealWorldValueFirstValueMapped": low, "DoubleFloatRealWorldValueLastValueMapped": high}
    first, last = round(low / slope), round(high / slope)
    return {"RealWorldValueFirstValueMapped": first, "RealWorldValueLastValueMapped": last}


def _item(**attributes: Any) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def _code(value: str, scheme: str, meaning: str) -> Sequence:
    return Sequence([_item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)])
