"""A study's folder in the list: whether a reader has read it, and its T1 maps beside its result, so that it opens in
Slicer wherever the list is, without the files that it was read from.
"""

from __future__ import annotations

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
from ACNetLib.volumes.volume import read_volume, read_volume_header

READ_MARK = "read"
"""An empty file. It goes with the folder when a study is answered anew; two readers can mark at the same time."""
T1_MAP = "t1-map.nrrd"
ROW_FILE = "row.json"
IS_DICOM = "is_dicom"
"""In it: whether the study is one of DICOM images."""
AGAIN = "Remove the study's folder and bring the list up to date."


def is_read(folder: Path) -> bool:
    return (folder / READ_MARK).is_file()


def mark_read(folder: Path, has_read: bool) -> None:
    """Raises OSError where the folder can't be written."""
    if has_read:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / READ_MARK).touch()
    else:
        (folder / READ_MARK).unlink(missing_ok=True)


def is_of_dicom(folder: Path) -> bool:
    """Whether a study was read from DICOM images. Raises ACNetError where its row is damaged."""
    return bool(read_json(folder / ROW_FILE, AGAIN).get(IS_DICOM, True))  # older lists don't say it


def write_t1_maps(study: StudyResult, folder: Path) -> None:
    """Beside the other volumes of each map."""
    for index, images in enumerate(study.images):
        write_image(images.t1_map.image, folder / map_folder(study, index) / T1_MAP)


def read_study(folder: Path) -> StudyResult:
    """The result and its images, of the attention maps the combined one. Raises ACNetError where a file is missing or
    damaged.
    """
    record = record_from_values(read_json(folder / "result.json", AGAIN))
    images = tuple(_images(each, folder / map_folder(record, index)) for index, each in enumerate(record.maps))
    return StudyResult(**vars(record), images=images)


def _images(of_map: MapRecord, folder: Path) -> MapImages:
    t1 = _volume(folder / T1_MAP)
    t1_map = T1Map(
        t1, of_map.name, of_map.field_strength_tesla, of_map.simulated, of_map.warnings, scanner=of_map.scanner
    )
    names = ("attention.nrrd", "attention-label.nrrd", "evidence.nrrd", "ventricle-label.nrrd")
    attention, bands, evidence, ventricle = (sitk.GetArrayFromImage(_volume(folder / name)) for name in names)
    if {values.shape for values in (attention, bands, evidence, ventricle)} != {t1_map.array.shape}:
        raise ACNetError(f"{folder}: its volumes are of different sizes; expected those of one T1 map. {AGAIN}")
    return MapImages(t1_map, {SHOWN_MAP: attention}, {SHOWN_MAP: bands}, evidence, ventricle)


def _volume(file: Path) -> sitk.Image:
    if not file.is_file():
        raise ACNetError(f"{file}: there is no such file; expected a volume of the study. {AGAIN}")
    return read_volume(file, read_volume_header(file))
