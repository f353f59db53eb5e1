"""The images of a case library: one section a file, with nothing in its header that could name the patient."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ACNetLib.errors import ACNetError
from ACNetLib.image_files import image_like
from ACNetLib.t1map.field_strength import check_field_strength, nominal_field_strength
from ACNetLib.t1map.t1_map import FIELD_STRENGTH_KEY, SIMULATED_KEY, Reading, T1Map, read_t1_map
from ACNetLib.ventricle.labels import LabelArray
from ACNetLib.volumes.header import SPACING_KEY, is_default_grid

IMAGES_FOLDER = "images"
HASH_PREFIX = "sha256-"  # a spreadsheet would take a bare hash such as 12e45 for a number
HASH_DIGITS = 32
LARGEST_HASHED_MS = 1e9


def pixel_hash(t1_ms: NDArray[np.float32]) -> str:
    """What is equal for two copies of a section (rows, columns) and differs for two sections.

    It sees whole ms and is the same for a section that was turned or mirrored, so that a DICOM image and its export to
    another format, which may store rows and columns in another order, have the same hash.
    """
    whole = np.rint(np.nan_to_num(t1_ms)).clip(-LARGEST_HASHED_MS, LARGEST_HASHED_MS).astype("<i4")
    views = [view for turns in range(4) for view in (np.rot90(whole, turns), np.rot90(whole, turns).T)]
    digests = (hashlib.sha256(f"{view.shape}".encode() + view.tobytes()).hexdigest() for view in views)
    return HASH_PREFIX + min(digests)[:HASH_DIGITS]


def case_name(hash_of_pixels: str) -> str:
    """The name of an added case follows from its pixels: no file is ever written over by another image."""
    return f"case-{hash_of_pixels.removeprefix(HASH_PREFIX)[: HASH_DIGITS // 2]}"


def read_section(path: Path, post_contrast: bool = False) -> T1Map:
    """A T1 map of one section, native unless it may be `post_contrast`. Raises ACNetError for anything else."""
    t1_map = read_t1_map(path, Reading(post_contrast=post_contrast))
    if t1_map.section_count != 1:
        raise ACNetError(
            f"{t1_map.name}: found {t1_map.section_count} slices; expected one. "
            "Give each slice a file and a row of its own."
        )
    return t1_map


def covered_field_strength(t1_map: T1Map) -> float:
    """1.5 or 3, for what scanners write as 1.494 or 2.8936. Raises ACNetError when it is unknown or another."""
    found = t1_map.field_strength_tesla
    if found is None:
        raise ACNetError(f"{t1_map.name}: its field strength is not in its header; give it, 1.5 or 3 T.")
    check_field_strength(found, t1_map.name)
    return nominal_field_strength(found)


def section_image(t1_map: T1Map, section: int) -> sitk.Image:
    """One section as the library stores it: whole ms where they are whole, else float32; geometry and our two keys.

    Made from the pixels alone, so that nothing of the source's header can come along.
    """
    t1_ms = t1_map.array[section]
    whole = np.array_equal(t1_ms, np.rint(t1_ms)) and t1_ms.min() >= 0 and t1_ms.max() <= np.iinfo(np.uint16).max
    image = image_like(t1_map.image[:, :, section : section + 1], t1_ms.astype(np.uint16) if whole else t1_ms)
    image.SetMetaData(FIELD_STRENGTH_KEY, f"{covered_field_strength(t1_map):g}")
    if t1_map.simulated:
        image.SetMetaData(SIMULATED_KEY, "1")
    return _with_told_spacing(image)


def label_image(labels: LabelArray, section: sitk.Image) -> sitk.Image:
    """Labels (rows, columns) in the place of the section."""
    return _with_told_spacing(image_like(section, labels))


def _with_told_spacing(image: sitk.Image) -> sitk.Image:
    """The image, whose file says that a person has told a spacing of 1 mm: it is asked for else."""
    if is_default_grid(np.reshape(image.GetDirection(), (3, 3)), image.GetSpacing()):
        image.SetMetaData(SPACING_KEY, "1")
    return image
