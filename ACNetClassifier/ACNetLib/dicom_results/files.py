"""A study's result as DICOM files: a segmentation of each T1 map and one structured report.

What they hold is told in Documentation/dicom-results.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset

from ACNetLib.dicom_results.sources import read_sources
from ACNetLib.errors import ACNetError
from ACNetLib.files import atomic_folder
from ACNetLib.inference.result import StudyResult
from ACNetLib.t1map.t1_map import T1Map


def require_dicom_results(t1_maps: Sequence[T1Map]) -> None:
    """Raises ACNetError, before long work, where the results of these maps can't be written as DICOM."""
    if find_spec("highdicom") is None:
        raise ACNetError(
            "--dicom: the Python package highdicom is not installed; expected it, for it writes the DICOM objects. "
            'Install it (pip install "SlicerACNet[dicom]"), or leave --dicom out.'
        )
    for t1_map in t1_maps:
        read_sources(t1_map)


def write_dicom_results(study: StudyResult, folder: Path) -> list[Path]:
    """Write the DICOM objects of a study into `folder`, with new UIDs, and return the files.

    Patient and study are those of the images that the T1 maps were read from, values as they stand there. Raises
    ACNetError when these can't be taken over, and when `folder` holds anything already.
    """
    from ACNetLib.dicom_results.measurement_report import report_of
    from ACNetLib.dicom_results.segmentation import segmentation_of

    with disable_value_validation(), atomic_folder(folder) as room:
        sources = [read_sources(images.t1_map) for images in study.images]
        segmentations = [segmentation_of(study, index, each) for index, each in enumerate(sources)]
        numbers = [""] if len(segmentations) == 1 else [f"-{number}" for number in range(1, len(segmentations) + 1)]
        objects: dict[str, Dataset] = {
            f"segmentation{number}.dcm": each for number, each in zip(numbers, segmentations, strict=True)
        }
        objects["report.dcm"] = report_of(study, sources, segmentations)
        for name, dataset in objects.items():
            dataset.save_as(room / name, enforce_file_format=True, overwrite=False)
    return [folder / name for name in objects]
