"""A study's result as files: volumes on the grids of its T1 maps, pictures, a page to read, and result.json.

The schema of result.json is documented in Documentation/result-format.md.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import SimpleITK as sitk
from numpy.typing import NDArray

from ACNetLib import SOFTWARE, __version__
from ACNetLib.files import atomic_folder, without_nan, write_json, write_text_atomically
from ACNetLib.image_files import write_image
from ACNetLib.inference.attention import BAND_NAMES, SHOWN_MAP
from ACNetLib.inference.record import (
    RANGE_SHIFT_MM,
    RANGE_TURN_DEGREES,
    SectionRecord,
    StudyRecord,
    record_values,
)
from ACNetLib.inference.result import StudyResult
from ACNetLib.inference.verdict import SCOPE
from ACNetLib.models.card import INTENDED_USE
from ACNetLib.report.page import report_page
from ACNetLib.report.picture import section_picture
from ACNetLib.report.wording import attention_text, reference_text, verdict_rule
from ACNetLib.ventricle.aha import Segment

JPEG_QUALITY = 92
"""A slice's picture as PNG has more than twice the size and takes ten times as long: the noise of a map does not pack.
What is exact are the volumes beside it."""
SEGMENT_COLUMNS = (*(field.name for field in fields(Segment)), "z")


def write_result(
    study: StudyResult,
    folder: Path,
    save_scene: Callable[[Path], None] | None = None,
    write_dicom: Callable[[Path], list[Path]] | None = None,
) -> list[Path]:
    """Write everything into `folder` and return the files, result.json last: where it is, the result is complete.

    The volumes and pictures of an exam's maps lie in folders of their own, `map_folder`. `save_scene` writes the Slicer
    scene to the path that it is given; it is left out where Slicer's packages are not installed. `write_dicom` writes
    DICOM objects into the folder that it is given, where a user asks for them.
    Raises ACNetError when `folder` holds anything already, or can't be written; when writing fails, nothing is left.
    """
    names: list[str] = []
    pictures: list[bytes] = []
    with atomic_folder(folder) as room:
        for index, images in enumerate(study.images):
            folder_of_map = map_folder(study, index)
            (room / folder_of_map).mkdir(exist_ok=True)
            own = f"{folder_of_map}/" if folder_of_map else ""
            volumes: dict[str, NDArray[Any]] = {
                "attention.nrrd": images.attention[SHOWN_MAP],
                "attention-label.nrrd": images.bands[SHOWN_MAP],
                "evidence.nrrd": images.evidence,
                "ventricle-label.nrrd": images.ventricle,
            }
            for name, values in volumes.items():
                image = sitk.GetImageFromArray(values)
                image.CopyInformation(images.t1_map.image)
                names.append(f"{own}{name}")
                write_image(image, room / names[-1])
            for section in study.maps[index].sections:
                names.append(picture_of(study, index, section))
                pictures.append(_jpeg(study, index, section))
                (room / names[-1]).write_bytes(pictures[-1])
        if save_scene is not None:
            save_scene(room / "scene.mrb")
            names.append("scene.mrb")
        if write_dicom is not None:
            names += [path.relative_to(room).as_posix() for path in write_dicom(room / "dicom")]
        if segments := study.segments:
            write_text_atomically(room / "segments.csv", segments_table(study, segments))
            names.append("segments.csv")
        write_text_atomically(room / "report.html", report_page(study, pictures))
        write_json(room / "result.json", result_values(study))
    return [folder / name for name in (*names, "report.html", "result.json")]


def picture_of(study: StudyRecord, index: int, section: SectionRecord) -> str:
    """The path of the picture of a map's section, in the result's folder."""
    return f"{map_folder(study, index)}/section-{section.section}.jpg".lstrip("/")


def map_folder(study: StudyRecord, index: int) -> str:
    """The folder of a map; "" for a study's only one. It tells nothing of file names, which may name a patient."""
    return "" if len(study.maps) == 1 else f"map-{index + 1}"


def segments_table(study: StudyRecord, segments: Sequence[Segment]) -> str:
    """The 16 segments for spreadsheets; what is not known is empty."""
    file = io.StringIO()
    writer = csv.DictWriter(file, SEGMENT_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for each in _segments_values(study, segments):
        writer.writerow({name: round(value, 3) if isinstance(value, float) else value for name, value in each.items()})
    return file.getvalue()


def result_values(study: StudyResult) -> dict[str, Any]:
    """The whole record, and what follows from it for those who read it alone, in the schema of result.json.

    What can't be measured is None, never NaN.
    """
    values = record_values(study)
    for index, of_map in enumerate(values["maps"]):
        of_map["folder"] = map_folder(study, index).rstrip("/")
    for each, section in zip(study.sections, (s for m in values["maps"] for s in m["sections"]), strict=True):
        section["septal_z"] = study.septal_z(each.known_measures.septal_t1_ms)
    derived = {
        "intended_use": INTENDED_USE,
        "scope": SCOPE,
        "software": {"name": SOFTWARE, "version": __version__},
        "septal_t1_ms": study.septal_t1_ms,
        "septal_z": study.septal_z(study.septal_t1_ms),
        "segments": _segments_values(study, study.segments),
        "t1_factor": study.t1_factor,
        "reference_words": reference_text(study),
        "uncertain_range": list(study.uncertain_range),
        "verdict_words": verdict_rule(study.uncertain_range),
        "reason": study.reason,
        "moved_by": {"shift_mm": RANGE_SHIFT_MM, "turn_degrees": RANGE_TURN_DEGREES},
        "attention": {
            "map": SHOWN_MAP,
            "band_names": list(BAND_NAMES),
            "words": attention_text(study.model),
        },
        "warnings": study.counting_warnings,
    }
    result: dict[str, Any] = without_nan({**values, **derived})
    return result


def _segments_values(study: StudyRecord, segments: Sequence[Segment]) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = without_nan([{**asdict(each), "z": study.septal_z(each.t1_ms)} for each in segments])
    return values


def _jpeg(study: StudyResult, index: int, section: SectionRecord) -> bytes:
    file = io.BytesIO()
    # Colours as sharp as greys: thin contours and the bands' edges keep them.
    section_picture(study, index, section).save(file, format="JPEG", quality=JPEG_QUALITY, subsampling="4:4:4")
    return file.getvalue()
