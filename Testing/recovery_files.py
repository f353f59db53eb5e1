"""Inversion and saturation recovery images of a phantom, as the scanners of several manufacturers store them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.uid import EnhancedMRImageStorage, generate_uid
from scipy import ndimage

from ACNetTrainerLib.simulation.sequences import Timing, sequence_signals
from dicom_files import GAP_MM, NORMAL, ORIENTATION, POSITION, decimals, item, write_section

ROWS, COLUMNS, PIXEL_MM = 120, 128, 1.6
TISSUES = {
    "air": (1.0, 0.0),
    "muscle": (900.0, 0.7),
    "liver": (650.0, 0.6),
    "wall": (1150.0, 1.0),
    "blood": (1750.0, 1.2),
}
"""T1 in ms and relative signal."""
BRIGHTNESS, NOISE = 1500.0, 8.0
HEMATOCRIT, BLOOD_POST_MS = 0.4, 420.0


@dataclass(frozen=True, eq=False)
class Phantom:
    """A trunk with a heart: (rows, columns) T1 in ms, relative signal and the names' indices."""

    tissue: np.ndarray
    t1_ms: np.ndarray
    signal: np.ndarray

    def of(self, name: str) -> np.ndarray:
        """Where a tissue is, away from its edges."""
        return ndimage.binary_erosion(self.tissue == [*TISSUES].index(name), iterations=2)


def a_phantom() -> Phantom:
    y, x = np.mgrid[:ROWS, :COLUMNS].astype(float)
    y, x = (y - ROWS / 2) * PIXEL_MM, (x - COLUMNS / 2) * PIXEL_MM
    tissue = np.zeros((ROWS, COLUMNS), int)
    tissue[np.hypot(x / 95, y / 85) < 1] = 1
    tissue[np.hypot((x - 40) / 45, (y - 55) / 25) < 1] = 2
    tissue[np.hypot(x / 42, (y + 3) / 38) < 1] = 3
    tissue[np.hypot((x - 3) / 24, (y + 2) / 22) < 1] = 4
    tissue[np.hypot((x + 30) / 7, (y + 3) / 22) < 1] = 4
    values = np.array([*TISSUES.values()])
    return Phantom(tissue, values[tissue, 0], values[tissue, 1])


def recovery_images(
    timing: Timing, shifts_px: np.ndarray | None = None, seed: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Complex images (images, rows, columns) of the phantom with noise, moved by shifts (images, 2) along rows and
    columns, and their times in ms.
    """
    phantom, rng = a_phantom(), np.random.default_rng(seed)
    signals = BRIGHTNESS * phantom.signal * sequence_signals(phantom.t1_ms.astype(np.float32), 48.0, timing)
    if shifts_px is not None:
        signals = np.stack([ndimage.shift(each, move, order=1) for each, move in zip(signals, shifts_px, strict=True)])
    coil = np.exp(1j * np.linspace(-1, 1, COLUMNS))
    noise = rng.normal(0, NOISE, (2, *signals.shape))
    return signals * coil + noise[0] + 1j * noise[1], timing.inversion_times_ms


def write_recovery(
    folder: Path, images: np.ndarray, times_ms: np.ndarray, flavour: str = "siemens", **attributes: Any
) -> Path:
    """The magnitude images of one slice. flavour: where the time is, and what the manufacturer writes beside it.

    siemens: InversionTime, one series. siemens-comments: "TI 120" in ImageComments. philips: the trigger time, another
    rescale for each image with its scale slope, and a constant InversionTime. philips-prepulse: the private delay.
    ge: InversionTime. `height_mm` places the slice.
    """
    magnitude = np.abs(images)
    for index, (pixels, time) in enumerate(zip(magnitude, times_ms, strict=True)):
        private: dict[int, tuple[str, object]] = {}
        if flavour == "siemens":
            told = {"SeriesDescription": "t1map_long_t1_3slice_8mm", "InversionTime": round(float(time), 1)}
        elif flavour == "siemens-comments":
            told = {"SeriesDescription": "MOLLI_SAX", "ImageComments": f"TI {time:.1f}"}
        elif flavour == "philips":
            slope = 0.5 + 0.01 * index
            told = {
                "ImageType": ["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"],
                "SeriesDescription": "T1 map MOLLI SAX native",
                "InversionTime": 0,
                "TriggerTime": round(float(time), 1),
                "RescaleSlope": slope,
                "RescaleIntercept": 0,
            }
            private = {0x2005100E: ("FL", 2.0 + 0.1 * index)}
            pixels = pixels * (2.0 + 0.1 * index) / 4  # what is stored is the signal times the scale slope
        elif flavour == "philips-prepulse":
            told = {"SeriesDescription": "MOLLI SAX", "TriggerTime": 700}
            private = {0x2001101B: ("FL", float(time))}
        else:
            told = {"SeriesDescription": "ORIG [Loc:1] Pre SAx MOLLI 5(3)3", "InversionTime": round(float(time))}
        defaults = {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"], "spacing": (PIXEL_MM, PIXEL_MM)}
        file = folder / f"{attributes.get('series', 3)}-{attributes.get('height_mm', 0):g}-{index}.dcm"
        stored = np.rint(pixels).clip(0, 4095).astype(np.uint16)
        write_section(file, stored, **{**defaults, **told, **attributes})
        if private:
            _add_private(file, private)
    return folder


def write_phase(
    folder: Path,
    images: np.ndarray,
    times_ms: np.ndarray,
    description: str = "t1map_long_t1_3slice_8mm",
    half_turn: float | None = None,
) -> None:
    """Their phase as Siemens stores it, 12 bits, -4096 for half a turn; with `half_turn` signed with this value for
    half a turn and without a rescale, as others do.
    """
    for index, (image, time) in enumerate(zip(images, times_ms, strict=True)):
        half_turns = np.angle(image) / np.pi
        if half_turn is None:
            stored = np.rint((half_turns * 4096 + 4096) / 2).clip(0, 4095).astype(np.uint16)
            told: dict[str, Any] = {"RescaleSlope": 2, "RescaleIntercept": -4096}
        else:
            stored = np.rint(half_turns * half_turn).astype(np.int16)
            told = {"PixelRepresentation": 1, "BitsStored": 16, "HighBit": 15}
        write_section(
            folder / f"4-{index}.dcm",
            stored,
            series=4,
            spacing=(PIXEL_MM, PIXEL_MM),
            ImageType=["ORIGINAL", "PRIMARY", "P", "ND"],
            SeriesDescription=description,
            InversionTime=round(float(time), 1),
            **told,
        )


def write_enhanced_recovery(
    file: Path, images: np.ndarray, times_ms: np.ndarray, flavour: str = "siemens", **attributes: Any
) -> Path:
    """The images of one slice as frames of one Enhanced MR object, each with its time in its own functional groups.

    siemens: InversionTimes, the magnitude as ComplexImageComponent (dcm2niix, issue 845, has them of MyoMaps so).
    philips: InversionTimes filled up with 1.8e308 (issue 385), another rescale for each frame, and in its private group
    (2005,140F) the scale slope and, under the public tag, another InversionTime. trigger: the nominal trigger delay
    alone. phase: as siemens, the phase instead. `component` and `frame_type` name others.
    """
    component = attributes.pop("component", "PHASE" if flavour == "phase" else "MAGNITUDE")
    frame_type = attributes.pop("frame_type", ["ORIGINAL", "PRIMARY", "T1", "NONE"])
    height_mm = attributes.pop("height_mm", 0.0)
    stored, frames = [], []
    for index, (image, time) in enumerate(zip(images, times_ms, strict=True)):
        pixels, slope, intercept = np.abs(image), 1.0, 0.0
        if flavour == "philips":
            slope, pixels = 0.5 + 0.01 * index, pixels * (2.0 + 0.1 * index) / 4
        elif flavour == "phase":
            slope, intercept, pixels = 2.0, -4096.0, (np.angle(image) / np.pi * 4096 + 4096) / 2
        frame = item(
            FrameContentSequence=[item(DimensionIndexValues=[1, index + 1], InStackPositionNumber=1, StackID="1")],
            PlanePositionSequence=[item(ImagePositionPatient=decimals(POSITION + height_mm * NORMAL))],
            PixelValueTransformationSequence=[
                item(RescaleSlope=decimals([slope])[0], RescaleIntercept=decimals([intercept])[0], RescaleType="US")
            ],
            MRImageFrameTypeSequence=[item(FrameType=frame_type, ComplexImageComponent=component)],
        )
        if flavour == "trigger":
            frame.CardiacSynchronizationSequence = [item(NominalCardiacTriggerDelayTime=float(time))]
        else:
            filled = [float(time), 1.7976931348623157e308] if flavour == "philips" else float(time)
            frame.MRModifierSequence = [item(InversionRecovery="YES", InversionTimes=filled)]
        if flavour == "philips":
            frame.add_new(0x20050014, "LO", "Philips MR Imaging DD 005")
            private = item(InversionTime=0)
            private.add_new(0x20050010, "LO", "Philips MR Imaging DD 001")
            private.add_new(0x2005100E, "FL", 2.0 + 0.1 * index)
            frame.add_new(0x2005140F, "SQ", [private])
        stored.append(np.rint(pixels).clip(0, 4095).astype(np.uint16))
        frames.append(frame)
    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=[PIXEL_MM, PIXEL_MM], SliceThickness=8)],
        PlaneOrientationSequence=[item(ImageOrientationPatient=decimals(ORIENTATION))],
    )
    in_groups = ("SliceThickness", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    enhanced = {
        "SOPClassUID": EnhancedMRImageStorage,
        "ImageType": ["ORIGINAL", "PRIMARY", "T1", "NONE"],
        "ComplexImageComponent": component,
        "SeriesDescription": "t1map_long_t1_3slice_8mm",
        "NumberOfFrames": len(stored),
        "PixelData": np.stack(stored).tobytes(),
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": frames,
    }
    write_section(file, stored[0], **{**enhanced, **attributes})
    dataset = pydicom.dcmread(file)
    for keyword in in_groups:
        delattr(dataset, keyword)
    dataset.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    dataset.save_as(file, enforce_file_format=True)
    return file


def write_study_of_slices(folder: Path, timing: Timing, count: int = 3, **attributes: Any) -> Path:
    for index in range(count):
        images, times_ms = recovery_images(timing, seed=index)
        write_recovery(folder, images, times_ms, height_mm=index * GAP_MM, **attributes)
    return folder


def _add_private(file: Path, elements: dict[int, tuple[str, object]]) -> None:
    dataset = pydicom.dcmread(file)
    dataset.add_new(0x20010010, "LO", "Philips Imaging DD 001")
    dataset.add_new(0x20050010, "LO", "Philips MR Imaging DD 001")
    for tag, (kind, value) in elements.items():
        dataset.add_new(tag, kind, value)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.save_as(file, enforce_file_format=True)


def post_ms(native_ms: np.ndarray, percent: np.ndarray, blood_ms: float) -> np.ndarray:
    """T1 after contrast of tissue with this ECV."""
    blood = 1 / BLOOD_POST_MS - 1 / blood_ms
    return 1 / (1 / native_ms + percent / 100 / (1 - HEMATOCRIT) * blood)
