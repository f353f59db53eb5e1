"""One study of the reading list: read, classified, written into its folder, and the row that the list has of it.

It runs in worker processes, each of which keeps its networks from study to study.
"""

from __future__ import annotations

import math
import shutil
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ACNetLib.errors import ACNetError, escaped, lines_of
from ACNetLib.files import read_json, write_json
from ACNetLib.triage.rows import Row
from ACNetLib.triage.study_marks import IS_DICOM, ROW_FILE

if TYPE_CHECKING:
    from ACNetLib.dicom_results.segmentation import SegmentationKind
    from ACNetLib.inference.classifier import Classifier
    from ACNetLib.inference.result import StudyResult
    from ACNetLib.reference.t1 import ReferenceT1
    from ACNetLib.t1map.t1_map import T1Map
    from ACNetLib.triage.studies import Study

THUMBNAIL = "thumbnail.png"
THUMBNAIL_PIXELS = 112
AGAIN = "Remove it and run the command again."
ALONE = "Classify it alone with acnet classify."
"""The list has not all options that a remedy names, and they would hold for every study."""


@dataclass(frozen=True)
class Choices:
    """What holds for all studies, as the options of `acnet classify`. studies: the folder that holds theirs. dicom: how
    segments are stored in DICOM objects; None where none are asked for.
    """

    studies: Path
    model: str | None = None
    device: str = "auto"
    prevalence_dcm: float | None = None
    field_strength_tesla: float | None = None
    reference: ReferenceT1 | None = None
    dicom: SegmentationKind | None = None


def kept_row(study: Study, name: str, studies: Path) -> Row | None:
    """The row of a study that was answered before and has not changed since."""
    path = studies / name / ROW_FILE
    if not path.is_file():
        return None
    try:
        values = read_json(path, AGAIN)
        return Row.of(values["row"]) if values["files_sha256"] == study.state() else None
    except (ACNetError, OSError, KeyError, TypeError, ValueError):  # damaged, or a file has gone: it is answered anew
        return None


def get_ready() -> None:
    """In a process that will answer studies: load all libraries, while the studies are being looked for."""
    from ACNetLib.inference.torch_libraries import import_torch, without_garbage_collection

    with without_garbage_collection():
        import_torch()

        import ACNetLib.inference.classifier
        import ACNetLib.inference.exam_input
        import ACNetLib.networks.fast
        import ACNetLib.report.files  # noqa: F401  # loading them is what is wanted


def answer(study: Study, name: str, choices: Choices) -> Row:
    """Classify a study and write its files, the row last. Where a user has to put something right the row says what."""
    start = time.monotonic()
    folder = choices.studies / name
    shutil.rmtree(folder, ignore_errors=True)
    try:
        state = study.state()
        row = _answered(study, name, choices)
    except OSError as error:
        text = f"{error.filename or 'One of its files'}: it can't be read ({error.strerror})."
        return Row(name, "no answer", reason=study.without_names(escaped(text)))
    except ACNetError as error:
        row = _not_answered(error, study, name)
    row = replace(row, seconds=round(time.monotonic() - start, 2))
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / ROW_FILE, {"files_sha256": state, IS_DICOM: study.is_dicom, "row": row.values()})
    return row


def _answered(study: Study, name: str, choices: Choices) -> Row:
    from ACNetLib.inference.exam import classify_exam, exam_reference, one_that_tells_its_field
    from ACNetLib.inference.pipeline import model_for_map
    from ACNetLib.inference.settings import Settings
    from ACNetLib.triage.study_folder import write_t1_maps

    t1_maps = _read(study, name, choices.field_strength_tesla)
    reference = exam_reference(t1_maps, choices.reference)
    model = choices.model or str(model_for_map(one_that_tells_its_field(t1_maps), reference))
    classifier = _classifier(model, choices.device)
    settings = Settings(prevalence_dcm=choices.prevalence_dcm, reference=reference)
    result = classify_exam(lambda t1_map, progress: classifier.classify(t1_map, settings, progress), t1_maps)
    shutil.rmtree(choices.studies / name, ignore_errors=True)  # a mark that came meanwhile is of the answer before
    note = _write(result, choices.studies / name, choices.dicom if study.is_dicom else None)
    write_t1_maps(result, choices.studies / name)
    _write_thumbnail(result, choices.studies / name)
    row = _row(result, name)
    return replace(row, warnings=(*row.warnings, study.without_names(note))) if note else row


def _write(result: StudyResult, folder: Path, dicom: SegmentationKind | None) -> str:
    """The files of a study. A study whose images no DICOM object can refer to is answered all the same: returned is why
    it has none.
    """
    from ACNetLib.report.files import write_result

    if dicom is None:
        write_result(result, folder)
        return ""
    from ACNetLib.dicom_results.files import write_dicom_results

    try:
        write_result(result, folder, write_dicom=lambda room: write_dicom_results(result, room, dicom))
    except ACNetError as error:
        write_result(result, folder)
        return f"No DICOM objects: {error.plain}"
    return ""


def _read(study: Study, name: str, field_strength_tesla: float | None) -> tuple[T1Map, ...]:
    """Its T1 maps, by names that tell nothing of the patient."""
    from ACNetLib.inference.exam_input import read_exam, read_exam_among
    from ACNetLib.t1map.t1_map import Reading

    reading = Reading(field_strength_tesla=field_strength_tesla)
    if study.is_dicom:
        return read_exam_among(study.files, name, reading)
    t1_maps = read_exam(study.files, reading)
    if len(t1_maps) == 1:
        return (replace(t1_maps[0], name=name),)
    return tuple(replace(t1_map, name=f"{name}, map {number}") for number, t1_map in enumerate(t1_maps, start=1))


@lru_cache(maxsize=4)
def _classifier(model: str, device: str) -> Classifier:
    """A worker's networks, with one thread: as many studies at once as there are cores are faster than one on all."""
    import SimpleITK as sitk

    from ACNetLib.inference.pipeline import load_pipeline
    from ACNetLib.inference.torch_libraries import import_torch

    import_torch()
    import torch

    torch.set_num_threads(1)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    return load_pipeline(model, device=device)


def _row(result: StudyResult, name: str) -> Row:
    def known(value: float) -> float | None:
        return None if math.isnan(value) else value

    return Row(
        name,
        result.verdict,
        result.probability_dcm,
        *result.stability,
        known(result.septal_t1_ms),
        known(result.septal_z(result.septal_t1_ms)),
        len(result.sections),
        any(each.simulated for each in result.maps),
        tuple(result.all_warnings),
        reason=result.reason if result.verdict == "uncertain" else "",
    )


def _not_answered(error: ACNetError, study: Study, name: str) -> Row:
    from ACNetLib.dicom.volumes import NoT1Map

    told = " ".join(escaped(str(part)) for part in error.args)
    alone = f" {ALONE} {escaped(error.cli)}" if error.cli else ""
    reason = " ".join(lines_of(study.without_names(f"{told}{alone}")))  # names first, while they are whole
    return Row(name, "no T1 map" if isinstance(error, NoT1Map) else "no answer", reason=reason)


def _write_thumbnail(result: StudyResult, folder: Path) -> None:
    """The middle slice with its overlay, out of the picture that was written of it."""
    from PIL import Image

    from ACNetLib.report.files import picture_of
    from ACNetLib.report.picture import crop_in

    slices = tuple(result.slices)
    middle = slices[len(slices) // 2]
    size = (THUMBNAIL_PIXELS, THUMBNAIL_PIXELS)
    with Image.open(folder / picture_of(result, middle.map_index, middle.section)) as picture:
        crop_in(picture).resize(size, Image.Resampling.LANCZOS).save(folder / THUMBNAIL)
