"""From recovery images to the T1 map, its standard deviation and R2, as volume files that say what they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ACNetLib.dicom.frames import placed_image
from ACNetLib.errors import ACNetError
from ACNetLib.files import require_writable
from ACNetLib.fitting.images import RecoveryImages, RecoverySlice
from ACNetLib.fitting.motion import Motion, correct_motion, measure_motion
from ACNetLib.fitting.recovery import RecoveryFit
from ACNetLib.fitting.sequences import SATURATION, SCHEMES, fit_sequence
from ACNetLib.image_files import write_image
from ACNetLib.inference.settings import Progress, unwatched
from ACNetLib.t1map.checks import POST_CONTRAST_WARNING
from ACNetLib.volumes.header import (
    BETWEEN_WARNINGS,
    FIELD_STRENGTH_KEY,
    FITTED_KEY,
    SCANNER_KEY,
    SEQUENCE_KEY,
    SIMULATED_KEY,
    WARNINGS_KEY,
)

SUFFIX = ".nrrd"
MAPS = {"t1_ms": "", "sd_ms": "-sd", "r2": "-r2"}
"""What is written, and how the names of its files end."""
LARGE_RESIDUAL_MM = 1.0
"""About a pixel: more blurs the border of blood and wall, which reads too long."""
GOOD_R2 = 0.95
MANY_POOR, NEARLY_ALL_POOR = 0.5, 0.9
"""Shares of a slice's bright pixels: above the one it is said, from the other on the map is wrong or noise."""
BRIGHT = 0.2
"""Of the 99th percentile of a slice's brightness: above it lies tissue, below it air and lung."""
LARGEST_DIFFERENCE = 0.05
"""Between the median T1 with the sign of the images and by their magnitude alone."""


@dataclass(frozen=True, eq=False)
class FittedMaps:
    """The maps of a study, by the names of MAPS: 3-D float32 images in the place of its slices.

    motions: of each slice. source: one line, from what the map was fitted. warnings: what a user should know.
    """

    images: Mapping[str, sitk.Image]
    motions: tuple[Motion, ...]
    source: str
    warnings: tuple[str, ...]
    keys: Mapping[str, str]


def fit_maps(
    recovery: RecoveryImages, parameters: int = 3, correct: bool = True, progress: Progress = unwatched
) -> FittedMaps:
    """The maps of all slices. correct: whether motion is corrected where the scanner has not done so.

    Raises ACNetError for fewer images than parameters, for a slice whose images show no such recovery, and what
    `progress` raises.
    """
    fits, motions = [], []
    for index, each in enumerate(recovery.slices):
        progress("motion", index / len(recovery.slices))
        motion = _still(each, recovery, parameters, correct)
        progress("fit", (index + 0.9) / len(recovery.slices))
        fits.append(_fit(motion.images, each, recovery, parameters))
        motions.append(motion)
    poor = [_share_poor(each, fit) for each, fit in zip(recovery.slices, fits, strict=True)]
    _check_recovers(recovery, poor)
    first, distance_mm = recovery.slices[0].section, recovery.distance_mm
    images = {
        name: placed_image(np.stack([getattr(fit, name) for fit in fits]).astype(np.float32), first, distance_mm)
        for name in MAPS
    }
    source = source_line(recovery, parameters, motions)
    keys = {FITTED_KEY: source, SEQUENCE_KEY: recovery.sequence}
    if recovery.scanner:
        keys[SCANNER_KEY] = recovery.scanner
    if recovery.field_strength_tesla is not None:
        keys[FIELD_STRENGTH_KEY] = f"{recovery.field_strength_tesla:g}"
    if recovery.simulated:
        keys[SIMULATED_KEY] = "1"
    if recovery.warnings:
        keys[WARNINGS_KEY] = BETWEEN_WARNINGS.join(recovery.warnings)
    warnings = (*_warnings(recovery, motions, poor), *_doubts_of_sign(recovery, fits, motions))
    return FittedMaps(images, tuple(motions), source, warnings, keys)


def write_maps(maps: FittedMaps, path: Path) -> list[Path]:
    """Write the T1 map to this file and the others beside it; the paths. The T1 map comes last, when all is there."""
    written = []
    for name, image in reversed([*maps.images.items()]):
        for key, value in maps.keys.items():
            image.SetMetaData(key, value)
        written.append(_path_of(name, path))
        write_image(image, written[-1])
    return written[::-1]


def require_map_path(path: Path) -> None:
    """Raises ACNetError unless the maps can be written there: new files that end in .nrrd."""
    if path.suffix.lower() != SUFFIX:
        raise ACNetError(f"{path}: found the ending {path.suffix or 'none'}; expected a file to write as {SUFFIX}.")
    for name in MAPS:
        if _path_of(name, path).exists():
            raise ACNetError(f"{_path_of(name, path)}: it exists already; nothing is overwritten. Give another output.")
    require_writable(path)


def source_line(recovery: RecoveryImages, parameters: int, motions: list[Motion]) -> str:
    """From what a map was fitted: kept in its file and shown wherever the map is."""
    series = ", ".join(map(str, recovery.series))
    kind = "signed" if recovery.signed else "magnitude"
    residual = max(motion.residual_mm for motion in motions)
    return (
        f"{recovery.scheme}, {kind} images of series {series or 'unknown'}, {parameters} parameters; motion left "
        f"between them up to {residual:.1f} mm"
    )


def _path_of(name: str, path: Path) -> Path:
    return path.with_name(f"{path.stem}{MAPS[name]}{path.suffix}")


def _still(each: RecoverySlice, recovery: RecoveryImages, parameters: int, correct: bool) -> Motion:
    between_rows, between_columns = each.section.pixel_spacing.tolist()
    spacing_mm = (between_columns, between_rows)

    def modelled(images: NDArray[np.float32]) -> NDArray[np.float64]:
        return _fit(images, each, recovery, parameters).signals(each.times_ms)

    if each.registered or not correct:
        return measure_motion(each.images, spacing_mm, modelled)
    return correct_motion(each.images, spacing_mm, int(each.times_ms.argmax()), modelled)


def _fit(images: NDArray[np.float32], each: RecoverySlice, recovery: RecoveryImages, parameters: int) -> RecoveryFit:
    return fit_sequence(images, each.times_ms, recovery.sequence, signed=recovery.signed, parameters=parameters)


def _bright(each: RecoverySlice) -> NDArray[np.bool_]:
    """Of a slice's pixels those that lie in tissue."""
    brightness = np.abs(each.images).max(axis=0)
    return brightness > BRIGHT * np.percentile(brightness, 99)


def _share_poor(each: RecoverySlice, fit: RecoveryFit) -> float:
    """Of a slice's bright pixels: R2 below GOOD_R2, as it is too where there is no T1."""
    return float(np.mean(fit.r2[_bright(each)] < GOOD_R2))


def _check_recovers(recovery: RecoveryImages, poor: list[float]) -> None:
    worst = int(np.argmax(poor))
    if poor[worst] < NEARLY_ALL_POOR:
        return
    each = recovery.slices[worst]
    raise ACNetError(
        f"{each.section.file.name}: slice {worst}, counted from 0, shows no recovery of {recovery.sequence} at the "
        f"times in {each.place} ({each.times_ms[0]:g} to {each.times_ms[-1]:g} ms): R2 is below {GOOD_R2} in "
        f"{poor[worst]:.0%} of its bright pixels; expected the images, times and sequence of one recovery.",
        cli="Give the right sequence with --sequence, or other images with --series.",
    )


def _doubts_of_sign(recovery: RecoveryImages, fits: list[RecoveryFit], motions: list[Motion]) -> tuple[str, ...]:
    """A sentence where signed images after an inversion have another T1 than their magnitude."""
    if not recovery.signed or recovery.sequence in SATURATION:
        return ()
    doubts = []
    for index, (each, fit, motion) in enumerate(zip(recovery.slices, fits, motions, strict=True)):
        by_magnitude = fit_sequence(motion.images, each.times_ms, recovery.sequence)
        signed_ms, magnitude_ms = (float(np.median(found.t1_ms[_bright(each)])) for found in (fit, by_magnitude))
        if abs(signed_ms - magnitude_ms) > LARGEST_DIFFERENCE * magnitude_ms:
            doubts.append(
                f"The sign of slice {index}'s images is doubtful: with it the bright pixels have a median T1 of "
                f"{signed_ms:.0f} ms, by their magnitude alone of {magnitude_ms:.0f} ms."
            )
    return tuple(doubts)


def _warnings(recovery: RecoveryImages, motions: list[Motion], poor: list[float]) -> tuple[str, ...]:
    said = (warning for warning in recovery.warnings if warning != POST_CONTRAST_WARNING)  # said of the map for ECV
    warnings = [*recovery.notes, *said]
    moving = [str(index) for index, motion in enumerate(motions) if motion.residual_mm > LARGE_RESIDUAL_MM]
    if moving:
        warnings.append(
            f"The images of slice {', '.join(moving)} still lie up to "
            f"{max(motion.residual_mm for motion in motions):.1f} mm from their fit: borders are blurred there."
        )
    if recovery.sequence == "MOLLI" and recovery.scheme not in SCHEMES.values():
        warnings.append(
            f"The times of its {len(recovery.slices[0].images)} images a slice are those of no known MOLLI scheme: are "
            "some missing, or there twice?"
        )
    if recovery.post_contrast:
        warnings.append("The images are from after contrast: the map is for ECV, the classifier takes native maps.")
    doubtful = [str(index) for index, share in enumerate(poor) if share > MANY_POOR]
    if doubtful:
        warnings.append(
            f"The recovery explains up to {max(poor):.0%} of the bright pixels of slice {', '.join(doubtful)} poorly "
            f"(R2 below {GOOD_R2})."
        )
    return tuple(warnings)
