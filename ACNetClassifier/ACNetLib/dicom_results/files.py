"""A study's result as DICOM files: segmentation and parametric maps of each T1 map, and one structured report.

What they hold is told in Documentation/dicom-results.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset

from ACNetLib.dicom_results.sources import read_sources
from ACNetLib.errors import ACNetError
from ACNetLib.files import atomic_folder
from ACNetLib.inference.result import StudyResult
from ACNetLib.inference.settings import Progress, unwatched
from ACNetLib.quiet_libraries import silence_libraries
from ACNetLib.t1map.t1_map import T1Map

if TYPE_CHECKING:
    from ACNetLib.dicom_results.segmentation import SegmentationKind

NUMBERS_A_RESULT = 1000
"""Of series: those of a later result of a study lie above the earlier one's, 9000 to 9999."""
REPORT_FILE = "report.dcm"


def require_highdicom() -> None:
    """Raises ACNetError where the package that writes DICOM objects is not installed."""
    if find_spec("highdicom") is None:
        raise ACNetError(
            "The Python package highdicom is not installed; expected it, for it writes the DICOM objects.",
            cli='Install it (pip install "SlicerACNet[dicom]"), or leave --dicom out.',
        )


def require_dicom_results(t1_maps: Sequence[T1Map]) -> None:
    """Raises ACNetError, before long work, where the results of these maps can't be written as DICOM."""
    require_highdicom()
    for t1_map in t1_maps:
        read_sources(t1_map)


def write_dicom_results(
    study: StudyResult,
    folder: Path,
    kind: SegmentationKind = "binary",
    progress: Progress = unwatched,
    earlier_reports: Sequence[Sequence[str]] = (),
) -> list[Path]:
    """Write the DICOM objects of a study into `folder`, with new UIDs, and return the files.

    kind: how segments are stored. earlier_reports: of the study, which stay in an archive, each by the UIDs of its
    series and its own; the new report names the last one as its predecessor. Patient and study are those of the images
    that the T1 maps were read from, values as they stand there. Raises NotReferable when these can't be taken over,
    ACNetError when `folder` holds anything already. Where `progress` raises, nothing is left.
    """
    from ACNetLib.dicom_results.measurement_report import report_of
    from ACNetLib.dicom_results.parametric_maps import QUANTITIES, parametric_map_of
    from ACNetLib.dicom_results.segmentation import segmentations_of

    silence_libraries()  # a panel's thread comes here without having been through a command
    with disable_value_validation(), atomic_folder(folder) as room:
        sources = [read_sources(images.t1_map) for images in study.images]
        objects: dict[str, Dataset] = {}
        for index, each in enumerate(sources):
            progress("dicom", index / (len(sources) + 1))
            of_map: dict[str, Dataset] = dict(segmentations_of(study, index, each, kind))
            of_map |= {quantity.name: parametric_map_of(study, index, quantity, each) for quantity in QUANTITIES}
            number = "" if len(sources) == 1 else f"-{index + 1}"
            objects |= {f"{name}{number}.dcm": dataset for name, dataset in of_map.items()}
        progress("dicom", len(sources) / (len(sources) + 1))
        objects[REPORT_FILE] = report_of(study, sources, list(objects.values()), earlier_reports)
        for name, dataset in objects.items():
            dataset.SeriesNumber += NUMBERS_A_RESULT * len(earlier_reports)
            # Into memory first: of a full disk pydicom makes an OSError without a number, with its traceback as text.
            content = BytesIO()
            dataset.save_as(content, enforce_file_format=True)
            (room / name).write_bytes(content.getbuffer())
    return [folder / name for name in objects]
