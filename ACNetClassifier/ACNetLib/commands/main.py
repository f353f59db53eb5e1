"""The `acnet` command: classify the T1 maps of an exam, and show it on the shipped sample."""

from __future__ import annotations

import argparse
import atexit
import gc
import json
import sys
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ACNetLib.commands.dicom import add_dicom_options, segmentation_asked_for
from ACNetLib.commands.ecv import add_ecv_command
from ACNetLib.commands.fit import add_fit_command
from ACNetLib.commands.models import add_model_commands
from ACNetLib.commands.parser import (
    CommandParser,
    add_field_option,
    add_place_options,
    add_spacing_option,
    add_version,
    interrupted_before_work,
    print_lines,
    print_written,
    run_command,
    whole_numbers,
)
from ACNetLib.commands.reference import add_reference_commands
from ACNetLib.commands.triage import add_triage_command
from ACNetLib.errors import ACNetError, NotReferable, one_line
from ACNetLib.files import atomic_folder, require_empty_folder
from ACNetLib.inference.device import DEVICE_REQUESTS
from ACNetLib.inference.pipeline import load_pipeline, model_for_map
from ACNetLib.inference.settings import Settings
from ACNetLib.inference.torch_libraries import wait_shortly
from ACNetLib.inference.verdict import SCOPE
from ACNetLib.interrupts import interrupts_wait

if TYPE_CHECKING:
    from ACNetLib.dicom_results.segmentation import SegmentationKind
    from ACNetLib.inference.classifier import Classifier
    from ACNetLib.inference.record import StudyRecord
    from ACNetLib.inference.result import StudyResult
    from ACNetLib.reference.t1 import ReferenceT1
    from ACNetLib.t1map.t1_map import T1Map

COMMAND = "acnet"
CLASSIFIED = Path("acnet-result")
WRITTEN_WITHOUT = "The other files of the result are written; for DICOM results give a new folder with --output then."
OBJECTS_BETWEEN_SEARCHES = 100_000


def main(arguments: Sequence[str] | None = None) -> int:
    # The imports of PyTorch and VTK make some hundred thousand objects that stay: looking for garbage among them again
    # and again is a quarter of a classification from a cold start.
    gc.set_threshold(OBJECTS_BETWEEN_SEARCHES)
    atexit.register(gc.freeze)  # nor among what ends with the process anyway
    wait_shortly()
    with interrupted_before_work(COMMAND):
        return run_command(_parser(), arguments)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        COMMAND,
        description="Tell dilated cardiomyopathy (DCM) from normal on cardiac T1 maps. "
        "Research only: not a medical device, not for diagnosis or treatment.",
    )
    add_version(parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    classify = commands.add_parser("classify", help="classify the slices of one exam")
    classify.add_argument(
        "inputs",
        type=Path,
        nargs="+",
        metavar="INPUT",
        help="DICOM folder, or NRRD, NIfTI or MetaImage file; several are pooled to one result: they must be the "
        "short-axis slices of one patient and one exam",
    )
    add_place_options(classify)
    add_spacing_option(classify)
    add_field_option(classify)
    classify.add_argument(
        "--allow-field-mismatch", action="store_true", help="accept a model for another field; marked as not valid"
    )
    classify.add_argument(
        "--series", type=whole_numbers, default=(), metavar="N,N,...", help="DICOM series to classify, of one exam"
    )
    classify.add_argument(
        "--leave-out", type=_names, default=(), metavar="NAME,NAME,...", help="files of the DICOM folder not to read"
    )
    classify.add_argument(
        "--sections", type=whole_numbers, metavar="N,N,...", help="only these of one T1 map, counted from 0"
    )
    classify.add_argument("--post-contrast", action="store_true", help="accept a map from after contrast")
    classify.add_argument(
        "--reference-t1",
        metavar="MEAN[,SD]",
        help="native septal T1 of healthy volunteers, same scanner and sequence, in ms (default: the remembered one)",
    )
    classify.add_argument("--prevalence", type=float, help="share of DCM among those examined (default: the model's)")
    add_dicom_options(classify)
    classify.add_argument(
        "--json", action="store_true", help="print result.json alone; files are written where --output is given"
    )
    _add_common(classify, CLASSIFIED)
    classify.set_defaults(run=_classify, output=None)

    demo = commands.add_parser("demo", help="classify the shipped simulated patients")
    _add_common(demo, Path("acnet-demo"))
    demo.set_defaults(run=_demo)

    add_triage_command(commands)
    add_fit_command(commands)
    add_ecv_command(commands)
    add_reference_commands(commands)
    add_model_commands(commands)
    return parser


def _add_common(parser: argparse.ArgumentParser, default_output: Path) -> None:
    parser.add_argument("--model", help="name of a model or a model file (default: the one for the field strength)")
    parser.add_argument("--device", default="auto", choices=DEVICE_REQUESTS)
    parser.add_argument(
        "--output", type=Path, default=default_output, help=f"new or empty folder (default {default_output})"
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))


def _classify(options: argparse.Namespace) -> None:
    from ACNetLib.inference.exam import classify_exam, exam_reference, one_that_tells_its_field
    from ACNetLib.inference.exam_input import read_exam
    from ACNetLib.reference.t1 import parse_reference
    from ACNetLib.t1map.t1_map import Reading
    from ACNetLib.ventricle.segments import read_segmentation

    segmentation = segmentation_asked_for(options)
    output = options.output if options.output or (options.json and segmentation is None) else CLASSIFIED
    if output is not None:
        require_empty_folder(output)
    given = parse_reference(options.reference_t1) if options.reference_t1 is not None else None
    reading = Reading(
        options.series, options.post_contrast, options.field, tuple(options.leave_out), tuple(options.spacing)
    )
    t1_maps = read_exam(options.inputs, reading)
    if options.sections is not None and len(t1_maps) > 1:
        raise ACNetError(f"--sections: found {len(t1_maps)} T1 maps; expected one, whose slices are numbered.")
    if segmentation is not None:
        from ACNetLib.dicom_results.files import require_dicom_results

        require_dicom_results(t1_maps)
    reference = exam_reference(t1_maps, given)
    classifier = _classifier(options, one_that_tells_its_field(t1_maps), reference)
    settings = Settings(
        options.center,
        read_segmentation(options.segmentation, options.spacing) if options.segmentation else None,
        options.sections,
        options.prevalence,
        reference,
        options.allow_field_mismatch,
    )
    exam = classify_exam(
        lambda t1_map, progress: classifier.classify(t1_map, settings, progress),
        t1_maps,
    )
    files, refusal = list[Path](), None
    if output is not None:
        try:
            files = _write(exam, output, segmentation)
        except NotReferable as error:  # it has a result all the same
            files, refusal = _write(exam, output), ACNetError(*error.args, cli=WRITTEN_WITHOUT)
    if options.json:
        _print_json(exam)
    else:
        _print_exam(exam, t1_maps, files)
    if refusal is not None:
        raise refusal
    if options.stow is not None:
        _send([file for file in files if file.suffix == ".dcm"], options.stow, quietly=options.json)


def _print_exam(exam: StudyResult, t1_maps: Sequence[T1Map], files: Sequence[Path]) -> None:
    from ACNetLib.report.wording import reference_text, study_septum_text

    _print_table([(one_line(exam.maps[0].name), None, exam)])
    print(f"{reference_text(exam)} {study_septum_text(exam)}".strip())
    evidence = dict.fromkeys(t1_map.evidence for t1_map in t1_maps if t1_map.evidence)
    if evidence:
        print_lines(f"Taken as T1 map: {'; '.join(evidence)}.")
    if exam.verdict == "uncertain":  # why a study is unlike the training's hearts is among the warnings
        print_lines(exam.reason)
    for warning in exam.counting_warnings:
        print_lines(f"Note: {warning}")
    print_written(files)


def _print_json(exam: StudyResult) -> None:
    from ACNetLib.report.files import result_values

    print(json.dumps(result_values(exam), indent=2, allow_nan=False))


def _demo(options: argparse.Namespace) -> None:
    from ACNetLib.sample_data import sample_cases
    from ACNetLib.t1map.t1_map import read_t1_map

    rows: list[tuple[str, str | None, StudyRecord]] = []
    files: list[Path] = []
    with atomic_folder(options.output) as room:
        for case in sample_cases():
            t1_map = read_t1_map(case.folder)
            result = _classifier(options, t1_map).classify(t1_map)
            files += (options.output / file.relative_to(room) for file in _write(result, room / case.name))
            rows.append((case.name, case.label, result))
    training = "; the model was trained on simulation" if rows[0][2].model.simulated else ""
    print(f"Simulated patients{training}. Research only.")
    _print_table(rows)
    for name, _, exam in rows:
        for warning in exam.counting_warnings:
            print_lines(f"Note: {name}: {warning}")
    print_written(files)


def _classifier(options: argparse.Namespace, t1_map: T1Map, reference: ReferenceT1 | None = None) -> Classifier:
    """With the model that is named, or that for the map's field strength; where the map does not tell it, by reference.

    Raises ACNetError when there is none, or the map's field strength is not known and no reference stands for it.
    """
    return load_pipeline(options.model or model_for_map(t1_map, reference), device=options.device)


def _write(exam: StudyResult, folder: Path, dicom: SegmentationKind | None = None) -> list[Path]:
    """All files of the result; the scene only where Slicer's Python packages are installed. dicom: None for no DICOM
    objects.
    """
    from ACNetLib.report.files import write_result

    save_scene = partial(_save_scene, exam) if find_spec("slicer") else None
    return write_result(exam, folder, save_scene, partial(_write_dicom, exam, dicom) if dicom else None)


def _write_dicom(exam: StudyResult, segmentation: SegmentationKind, folder: Path) -> list[Path]:
    from ACNetLib.dicom_results.files import write_dicom_results

    return write_dicom_results(exam, folder, segmentation)


def _send(files: Sequence[Path], url: str, quietly: bool) -> None:
    from ACNetLib.dicom_results.sending import send

    send(files, url)
    if not quietly:
        print(f"Sent to {url}: {len(files)} DICOM objects.")


def _save_scene(exam: StudyResult, path: Path) -> None:
    with interrupts_wait():
        from ACNetLib.scene.display import show_t1_colors
        from ACNetLib.scene.exam import show_exam
        from ACNetLib.scene.output import add_t1_map, new_scene, save_scene

    scene = new_scene()
    volumes = [add_t1_map(each.t1_map, scene) for each in exam.images]
    show_exam(exam, volumes, scene)
    for volume in reversed(volumes):  # the colour bar is the first one's
        show_t1_colors(volume, scene, "gray")
    save_scene(scene, path)


def _print_table(exams: Sequence[tuple[str, str | None, StudyRecord]]) -> None:
    from ACNetLib.report.wording import probability_text, share_text, verdict_rule

    names = [name for name, _, _ in exams] + [each.name for _, _, exam in exams for each in exam.maps]
    width = max(len("T1 map"), *map(len, names))
    print(f"{'T1 map':<{width}}  truth   slice    probability_dcm  verdict")

    def print_row(name: str, truth: str | None, section: int | str, probability: str, verdict: str) -> None:
        print(f"{name:<{width}}  {truth or '-':<6}  {section:<7}  {probability:<15}  {verdict}")

    for name, truth, exam in exams:
        for each in exam.slices:
            section = each.section
            probability = probability_text(section.probability_dcm, exam.uncertain_range)
            print_row(each.of_map.name, truth, section.section, probability, section.verdict)
        study_name = name if len(exam.maps) == 1 else "all"
        probability = probability_text(exam.probability_dcm, exam.uncertain_range)
        print_row(study_name, truth, "study", probability, exam.verdict)
    first = exams[0][2]
    rule, prevalence = verdict_rule(first.uncertain_range), share_text(first.prevalence_dcm)
    print(f"Verdict: {rule}; assuming {prevalence} prevalence.")
    print(f"{SCOPE} Model {first.model.name}; device {first.device.device}.")


if __name__ == "__main__":
    sys.exit(main())
