"""Simulated sections as DICOM, as scanners of several makers write them, with the images that lie beside their maps.

siemens: the map as a series of its own (`_MOCO_T1`) beside raw, registered and colour series. philips: map and
magnitude images in one series, told apart by ImageType, stored with a slope. shmolli: UK Biobank, map and R2 in one
series, told apart by ImageComments, and fit parameters. ge: one series a section, known by its name.
parametric-map: one DICOM Parametric Map object (PS3.3 A.75), see `parametric_map`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import FileDataset
from pydicom.uid import MRImageStorage
from scipy.ndimage import uniform_filter

from ACNetLib.files import atomic_path

from ..section import SimulatedSection
from . import PARAMETRIC_MAP
from .dataset import OTHER_NOTE, SIMULATION_NOTE, decimal_strings, general_dataset, orientation
from .parametric_map import parametric_maps

SIEMENS_PROTOCOL = "t1map_long_t1_3slice_8mm"
SHMOLLI_PROTOCOL = "ShMOLLI_192i_SAX_b2s_SAX_b2s_SAX_b2s"
INVERSION_TIMES_MS = (120.0, 1000.0, 3000.0)
PHILIPS_MAP_SLOPE, PHILIPS_MAGNITUDE_SLOPE = 1.29, 2.30  # as seen in Philips headers
LARGEST_STORED = 4095


@dataclass(frozen=True, eq=False)
class StoredImage:
    """One image to write. pixels: (rows, columns) uint16, or (rows, columns, 3) uint8 for a colour copy.

    key: what its UIDs are made of, beside the patient; empty for the Siemens map.
    """

    file_name: str
    key: str
    series: int
    description: str
    image_type: list[str]
    pixels: np.ndarray
    note: str = OTHER_NOTE
    attributes: dict[str, Any] = field(default_factory=dict)


def write_dicom_series(
    folder: Path,
    sections: list[SimulatedSection],
    images: list[sitk.Image],
    flavour: str = "siemens",
    with_other_images: bool = False,
) -> None:
    """The maps of one patient, on request with the images that a scanner writes beside them.

    `flavour` is one of FLAVOURS. UIDs follow from the patient: a cohort always gives the same files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if flavour == PARAMETRIC_MAP:
        for name, dataset in parametric_maps(sections, images, with_other_images):
            _save(dataset, folder / name)
        return
    for number, (section, image) in enumerate(zip(sections, images, strict=True), start=1):
        for stored in FLAVOUR_IMAGES[flavour](section.level, number, sitk.GetArrayFromImage(image)[0]):
            if with_other_images or stored.file_name == section.level:
                dataset = general_dataset(section, MRImageStorage, stored.key, number, stored.series)
                _add_image(dataset, image, stored, number)
                _save(dataset, folder / f"{stored.file_name}.dcm")


def magnitude_image(t1_ms: np.ndarray, inversion_time_ms: float) -> np.ndarray:
    """An inversion recovery image that fits a map, (rows, columns) uint16; dark where the map is noise (air, lung)."""
    t1 = t1_ms.astype(np.float64)
    mean = uniform_filter(t1, 5)
    deviation = np.sqrt(np.maximum(uniform_filter(t1**2, 5) - mean**2, 0))
    signal = np.clip(1 - 2.5 * deviation / np.maximum(mean, 1), 0.03, 1)
    recovery = np.abs(1 - 2 * np.exp(-inversion_time_ms / np.maximum(t1, 1)))
    return np.rint(1500 * signal * recovery).astype(np.uint16)


def _siemens(level: str, number: int, t1_ms: np.ndarray) -> Iterator[StoredImage]:
    map_type = ["DERIVED", "PRIMARY", "T1 MAP", "MOCO", "T1", "DIS2D"]
    yield StoredImage(level, "", 3, f"{SIEMENS_PROTOCOL}_MOCO_T1", map_type, t1_ms, SIMULATION_NOTE)
    for index, time in enumerate(INVERSION_TIMES_MS, start=1):
        pixels, protocol = magnitude_image(t1_ms, time), SIEMENS_PROTOCOL
        raw_type, moco_type = ["ORIGINAL", "PRIMARY", "M", "ND"], ["DERIVED", "PRIMARY", "M", "ND", "MOCO"]
        yield StoredImage(f"{level}-raw-{index}", f"siemens raw {index}", 1, protocol, raw_type, pixels)
        yield StoredImage(f"{level}-moco-{index}", f"siemens moco {index}", 2, f"{protocol}_MOCO", moco_type, pixels)
    grey = np.clip(t1_ms / 8, 0, 255).astype(np.uint8)
    color = np.stack([grey, 255 - grey, grey // 2], axis=-1)
    yield StoredImage(f"{level}-colour", "siemens colour", 4, f"{SIEMENS_PROTOCOL}_MOCO_T1", map_type, color)


def _philips(level: str, number: int, t1_ms: np.ndarray) -> Iterator[StoredImage]:
    def image(name: str, key: str, image_type: list[str], values: np.ndarray, slope: float) -> StoredImage:
        stored = np.minimum(np.rint(values / slope), LARGEST_STORED).astype(np.uint16)
        rescale = {"RescaleSlope": slope, "RescaleIntercept": 0, "RescaleType": "normalized"}
        return StoredImage(name, key, 501, "T1 map MOLLI SAX native", image_type, stored, attributes=rescale)

    for index, time in enumerate(INVERSION_TIMES_MS, start=1):
        magnitude, image_type = magnitude_image(t1_ms, time), ["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"]
        yield image(f"{level}-{index}", f"philips magnitude {index}", image_type, magnitude, PHILIPS_MAGNITUDE_SLOPE)
    map_type = ["ORIGINAL", "PRIMARY", "T1 MAP", "T1", "UNSPECIFIED"]
    yield image(level, "philips map", map_type, t1_ms, PHILIPS_MAP_SLOPE)


def _shmolli(level: str, number: int, t1_ms: np.ndarray) -> Iterator[StoredImage]:
    image_type = ["DERIVED", "PRIMARY", "M", "ND"]
    # Goodness of the fit and amplitude: such numbers as the two maps have, made from the same pixels.
    fit = np.clip(1000 - magnitude_image(t1_ms, INVERSION_TIMES_MS[0]) // 50, 0, 1000).astype(np.uint16)
    series, description = 12, f"{SHMOLLI_PROTOCOL}_T1MAP"
    for name, key, number_of_series, text, pixels, note in (
        (level, "map", series, description, t1_ms, f"T1 Map, {OTHER_NOTE}"),
        (f"{level}-r2", "r2", series, description, fit, f"R2 Map, {OTHER_NOTE}"),
        (f"{level}-fit", "fit", 13, f"{SHMOLLI_PROTOCOL}_FITPARAMS", fit, f"T1 Map fit, {OTHER_NOTE}"),
    ):
        rescale = {"RescaleSlope": 1, "RescaleIntercept": 0}
        yield StoredImage(name, f"shmolli {key}", number_of_series, text, image_type, pixels, note, attributes=rescale)


def _ge(level: str, number: int, t1_ms: np.ndarray) -> Iterator[StoredImage]:
    scan = f"[Loc:{number}] Pre SAx MOLLI 5(3)3"
    for index, time in enumerate(INVERSION_TIMES_MS, start=1):
        pixels, image_type = magnitude_image(t1_ms, time), ["ORIGINAL", "PRIMARY", "OTHER"]
        yield StoredImage(f"{level}-{index}", f"ge raw {index}", number, f"ORIG {scan}", image_type, pixels)
    map_type = ["DERIVED", "SECONDARY", "PROCESSED"]
    yield StoredImage(level, "ge map", 100 * number, f"T1 map {scan}", map_type, t1_ms)


FLAVOUR_IMAGES: dict[str, Callable[[str, int, np.ndarray], Iterator[StoredImage]]] = {
    "siemens": _siemens,
    "philips": _philips,
    "shmolli": _shmolli,
    "ge": _ge,
}


def _add_image(dataset: FileDataset, image: sitk.Image, stored: StoredImage, number: int) -> None:
    """The attributes of an MR image and its pixels."""
    color = stored.pixels.ndim == 3
    dataset.ImageComments = stored.note
    dataset.SeriesDescription = stored.description
    dataset.ImageType = stored.image_type
    dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = "GR", "SS", ""
    dataset.MRAcquisitionType = "2D"
    dataset.EchoTime, dataset.RepetitionTime, dataset.FlipAngle = 1.12, 2.7, 35
    dataset.EchoTrainLength = 1
    dataset.SliceThickness = image.GetSpacing()[2]
    dataset.ImagePositionPatient = decimal_strings(image.GetOrigin())
    dataset.ImageOrientationPatient = orientation(image)
    dataset.PixelSpacing = decimal_strings([image.GetSpacing()[1], image.GetSpacing()[0]])
    dataset.SamplesPerPixel = 3 if color else 1
    dataset.PhotometricInterpretation = "RGB" if color else "MONOCHROME2"
    dataset.Rows, dataset.Columns = stored.pixels.shape[:2]
    bits = (8, 8, 7) if color else (16, 12, 11)
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits
    dataset.PixelRepresentation = 0
    if color:
        dataset.PlanarConfiguration = 0
    for keyword, value in stored.attributes.items():
        setattr(dataset, keyword, value)
    dataset.PixelData = stored.pixels.astype("u1" if color else "<u2").tobytes()


def _save(dataset: FileDataset, path: Path) -> None:
    with atomic_path(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)
