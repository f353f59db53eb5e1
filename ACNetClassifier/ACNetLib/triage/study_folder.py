"""A study's folder in the list: its T1 maps beside its result, so that it opens in Slicer wherever the list is, without
the files that it was read from.
"""

from __future__ import annotations

import os
from pathlib import Path

import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetLib.files import read_json
from ACNetLib.image_files import write_image
from ACNetLib.inference.attention import SHOWN_MAP
from ACNetLib.inference.record import MapRecord, record_from_values
from ACNetLib.inference.result import MapImages, StudyResult
from ACNetLib.report.files import map_folder
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.triage.study_marks import AGAIN
from ACNetLib.volumes.header import (
    BETWEEN_WARNINGS,
    FITTED_KEY,
    SEQUENCE_KEY,
    WARNINGS_KEY,
    VolumeHeader,
    told_warnings,
)
from ACNetLib.volumes.volume import read_volume, read_volume_header

T1_MAP = "t1-map.nrrd"


def write_t1_maps(study: StudyResult, folder: Path) -> None:
    """Beside the other volumes of each map, with what its source told that the result has not, or not apart."""
    for index, images in enumerate(study.images):
        t1_map = images.t1_map
        image = sitk.Image(t1_map.image)
        told_by = {
            SEQUENCE_KEY: t1_map.sequence,
            FITTED_KEY: t1_map.fitted,
            WARNINGS_KEY: BETWEEN_WARNINGS.join(t1_map.warnings),
        }
        for key, told in told_by.items():
            if told:
                image.SetMetaData(key, told)
        write_image(image, folder / map_folder(study, index) / T1_MAP)


def read_study(folder: Path) -> StudyResult:
    """The result and its images, of the attention maps the combined one. Raises ACNetError where a file is missing or
    damaged.
    """
    record = record_from_values(read_json(folder / "result.json", AGAIN))
    images = tuple(_images(each, folder / map_folder(record, index)) for index, each in enumerate(record.maps))
    return StudyResult(**vars(record), images=images)


def _images(of_map: MapRecord, folder: Path) -> MapImages:
    header = _header(folder / T1_MAP)
    t1_map = T1Map(
        read_volume(folder / T1_MAP, header),
        of_map.name,
        of_map.field_strength_tesla,
        of_map.simulated,
        told_warnings(header.keys.get(WARNINGS_KEY)),
        scanner=of_map.scanner,
        sequence=header.sequence,
        fitted=header.keys.get(FITTED_KEY, ""),
    )
    names = ("attention.nrrd", "attention-label.nrrd", "evidence.nrrd", "ventricle-label.nrrd")
    attention, bands, evidence, ventricle = (sitk.GetArrayFromImage(_volume(folder / name)) for name in names)
    if {values.shape for values in (attention, bands, evidence, ventricle)} != {t1_map.array.shape}:
        raise ACNetError(f"{folder}: its volumes are of different sizes; expected those of one T1 map. {AGAIN}")
    return MapImages(t1_map, {SHOWN_MAP: attention}, {SHOWN_MAP: bands}, evidence, ventricle)


def _volume(file: Path) -> sitk.Image:
    return read_volume(file, _header(file))


def _header(file: Path) -> VolumeHeader:
    if not os.path.isfile(file):
        raise ACNetError(f"{file}: there is no such file; expected a volume of the study. {AGAIN}")
    return read_volume_header(file)
