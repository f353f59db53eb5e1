"""One study of the reading list: read, classified, written into its folder, and the row that the list has of it.

It runs in worker processes, each of which keeps its networks from study to study.
"""

from __future__ import annotations

import gc
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ACNetLib.errors import ACNetError, NotNow, NotReferable, escaped, lines_of
from ACNetLib.files import flush_all, not_written, read_json, temporary_folder, write_json
from ACNetLib.triage.rows import Row
from ACNetLib.triage.sending import DICOM_FOLDER, reports_sent
from ACNetLib.triage.study_marks import IS_DICOM, ROW_FILE, is_read, mark_read

if TYPE_CHECKING:
    from ACNetLib.dicom_results.segmentation import SegmentationKind
    from ACNetLib.inference.classifier import Classifier
    from ACNetLib.inference.result import StudyResult
    from ACNetLib.reference.t1 import ReferenceT1
    from ACNetLib.t1map.t1_map import T1Map
    from ACNetLib.triage.studies import Study

STATE, CONTENT = "state_sha256", "content_sha256"
"""In a study's row: of the images that it was answered from, as they were when their bytes were read last."""
FORMER_STATE = "files_sha256"
"""In the rows of earlier versions, in place of both."""
SENT_REPORTS = "sent_reports"
"""In a study's row: which reports of answers before were sent, each by the UIDs of its series and its own."""
FILES = "files"
"""In a study's row: how many they were."""
FIELD = "field_strength_tesla"
"""In a study's row: what was to hold if they did not tell it."""
NO_OBJECTS = "No DICOM objects: "
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


def kept_row(study: Study, name: str, choices: Choices, may_lack: bool = False) -> Row | None:
    """The row of a study that was answered before and is not known to have changed since; None also where these choices
    give it what it lacks. may_lack: whether there are files beside its images that can't be read now.

    Raises NotNow where the list's own disk does not answer: what lies there is not answered anew.
    """
    values = _values_before(choices.studies / name)
    row = _row_in(values)
    if row is None or (may_lack and len(study.files) < values.get(FILES, 0)):
        return row
    try:
        if _has_changed(study, values, choices.studies / name):
            return None
    except OSError:  # the images can't be looked at, so nothing says that they have changed
        return row
    field = choices.field_strength_tesla
    if row.answer == "no answer" and field is not None and values.get(FIELD, field) != field:
        return None
    return None if _lacks_objects(row, study, choices) else row


def _has_changed(study: Study, values: dict[str, Any], folder: Path) -> bool:
    """Whether images have come, gone or other bytes since a study was answered. Those that were only moved or copied
    have not; their state is noted, so that they are read once. Raises OSError where they can't be.
    """
    state = study.state()
    if values.get(STATE) == state:
        return False
    content = study.content()
    is_same = values.get(CONTENT) == content or values.get(FORMER_STATE) == study.former_state()
    if is_same:
        with suppress(OSError):  # they are read again
            write_json(folder / ROW_FILE, values | {STATE: state, CONTENT: content})
    return not is_same


def _lacks_objects(row: Row, study: Study, choices: Choices) -> bool:
    """Whether DICOM objects are asked for that an earlier run was not asked for."""
    if choices.dicom is None or not study.is_dicom or row.probability_dcm is None:
        return False
    can_not = any(warning.startswith(NO_OBJECTS) for warning in row.warnings)
    return not can_not and not (choices.studies / row.study / DICOM_FOLDER).is_dir()


def row_before(folder: Path) -> Row | None:
    """The row in a study's folder; None where there is none, or it is damaged. Raises NotNow as `kept_row` does."""
    return _row_in(_values_before(folder))


def _row_in(values: dict[str, Any]) -> Row | None:
    try:
        return Row.of(values["row"])
    except (KeyError, TypeError):
        return None


def _values_before(folder: Path) -> dict[str, Any]:
    """What a study's folder tells of its answer; nothing where there is none, or it is damaged."""
    try:
        return read_json(folder / ROW_FILE, AGAIN)
    except ACNetError as error:
        require_answering_disk(error)
        return {}


def require_answering_disk(error: ACNetError) -> None:
    """Raises NotNow for a file of the list that may be there and can't be read: it is not taken for none."""
    if isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, FileNotFoundError):
        raise NotNow(*error.args) from error


def get_ready() -> None:
    """In a process that will answer studies: load all libraries, while the studies are being looked for."""
    from ACNetLib.inference.torch_libraries import import_torch, without_garbage_collection

    with without_garbage_collection():
        import_torch()

        import ACNetLib.inference.classifier
        import ACNetLib.inference.exam_input
        import ACNetLib.networks.fast
        import ACNetLib.report.files  # noqa: F401  # loading them is what is wanted
    gc.freeze()  # what is there stays as long as the process: no search for garbage looks at it again


def answer(study: Study, name: str, choices: Choices) -> Row:
    """Classify a study and put its files, the row among them, in the place of those that were there. Where a user has
    to put something right the row says what.

    What does not lie in the images, such as a disk that is gone or full, changes no file: it is tried again.
    """
    start = time.monotonic()
    try:
        state, content = study.state(), study.content()
        before = _values_before(choices.studies / name)
        if before.get(CONTENT) != content:
            mark_read(choices.studies / name, False)  # it was of other images
        reports = reports_sent(choices.studies / name, before.get(SENT_REPORTS, []))
        answered = _answered(study, name, choices, state)
        with _in_place_of(choices.studies / name) as folder:
            if isinstance(answered, Row):
                row = answered
            else:
                row = _write(answered, study, folder, choices.dicom if study.is_dicom else None, reports)
            row = replace(row, seconds=round(time.monotonic() - start, 2))
            values = {STATE: state, CONTENT: content, FILES: len(study.files), FIELD: choices.field_strength_tesla}
            values |= {IS_DICOM: study.is_dicom, SENT_REPORTS: reports, "row": row.values()}
            write_json(folder / ROW_FILE, values)
            was = _row_in(before)
            is_same = before.get(CONTENT) == content and was is not None and was.answer == row.answer
            if is_same and is_read(choices.studies / name):
                mark_read(folder, True)  # more was asked for of the same answer
    except (ACNetError, OSError) as error:
        return _not_answered(error, study, name)
    return row


def _answered(study: Study, name: str, choices: Choices, state: str) -> StudyResult | Row:
    """The result, or why these images have none."""
    try:
        return _result(study, name, choices)
    except ACNetError as error:
        if _may_pass(error) or study.state() != state:
            raise
        return _not_answered(error, study, name)


def _may_pass(error: BaseException | None) -> bool:
    """Whether it lies elsewhere than in the images: a damaged file's errors have no number of the system's."""
    while error is not None:
        if isinstance(error, NotNow) or (isinstance(error, OSError) and error.errno is not None):
            return True
        error = error.__cause__
    return False


def _result(study: Study, name: str, choices: Choices) -> StudyResult:
    from ACNetLib.inference.exam import classify_exam, exam_reference, one_that_tells_its_field
    from ACNetLib.inference.pipeline import model_for_map
    from ACNetLib.inference.settings import Settings

    t1_maps = _read(study, name, choices.field_strength_tesla)
    with _not_of_images():
        reference = exam_reference(t1_maps, choices.reference)
    model = choices.model or str(model_for_map(one_that_tells_its_field(t1_maps), reference))
    with _not_of_images():
        classifier = _classifier(model, choices.device)
    settings = Settings(prevalence_dcm=choices.prevalence_dcm, reference=reference)
    return classify_exam(lambda t1_map, progress: classifier.classify(t1_map, settings, progress), t1_maps)


@contextmanager
def _not_of_images() -> Iterator[None]:
    """What is wrong with a model, a device or the remembered references is not a study's answer."""
    try:
        yield
    except ACNetError as error:
        raise NotNow(*error.args, cli=error.cli, panel=error.panel) from error


@contextmanager
def _in_place_of(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of this one when the block succeeds. Nothing is lost where the disk is full, or
    a file of the answer before is open elsewhere.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(folder.parent) as room:
            yield room / folder.name
            flush_all(room / folder.name)
            if os.path.lexists(folder):
                folder.rename(room / "before")  # with a mark that came meanwhile
            (room / folder.name).rename(folder)
    except OSError as error:
        raise ACNetError(not_written("Its folder in the list", error)) from error


def _write(
    result: StudyResult, study: Study, folder: Path, dicom: SegmentationKind | None, reports: list[list[str]]
) -> Row:
    from ACNetLib.triage.study_folder import write_t1_maps

    note = _write_result(result, folder, dicom, reports)
    write_t1_maps(result, folder)
    _write_thumbnail(result, folder)
    row = _row(result, folder.name)
    return replace(row, warnings=(*row.warnings, study.without_names(note))) if note else row


def _write_result(result: StudyResult, folder: Path, dicom: SegmentationKind | None, reports: list[list[str]]) -> str:
    """The files of a study. reports: that were sent of it before. A study whose images no DICOM object can refer to is
    answered all the same: returned is why it has none.
    """
    from ACNetLib.report.files import write_result

    if dicom is None:
        write_result(result, folder)
        return ""
    from ACNetLib.dicom_results.files import write_dicom_results

    try:
        write_result(
            result, folder, write_dicom=lambda room: write_dicom_results(result, room, dicom, earlier_reports=reports)
        )
    except NotReferable as error:
        write_result(result, folder)
        return f"{NO_OBJECTS}{error.plain}"
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
    from ACNetLib.inference.pipeline import load_pipeline
    from ACNetLib.inference.torch_libraries import compute_in_one_thread, import_torch

    import_torch()
    compute_in_one_thread()
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
        uncertain_from=result.uncertain_range[0],
        uncertain_to=result.uncertain_range[1],
    )


def _not_answered(error: ACNetError | OSError, study: Study, name: str) -> Row:
    from ACNetLib.dicom.volumes import NoT1Map

    if isinstance(error, OSError):
        told, alone = escaped(f"{error.filename or 'One of its files'}: it can't be read ({error.strerror})."), ""
    else:
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
