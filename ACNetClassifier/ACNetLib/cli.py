"""The `acnet` command: classify a T1 map, and show it on the shipped sample."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ACNetLib.command_line import CommandParser, run_command
from ACNetLib.device import DEVICE_REQUESTS
from ACNetLib.files import require_empty_folder
from ACNetLib.model_store import DEFAULT_MODEL

if TYPE_CHECKING:
    from ACNetLib.classifier import Classifier, StudyResult

COMMAND = "acnet"


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(_parser(), arguments)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        COMMAND,
        description="Tell dilated cardiomyopathy (DCM) from normal on cardiac T1 maps. "
        "Research only: not a medical device, not for diagnosis or treatment.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    classify = commands.add_parser("classify", help="classify the sections of one T1 map")
    classify.add_argument("input", type=Path, help="DICOM folder, or NRRD, NIfTI or MetaImage file")
    classify.add_argument("--center", type=_point, metavar="L,P,S", help="centre of the left ventricle, LPS mm")
    classify.add_argument("--series", type=_numbers, default=(), metavar="N,N,...", help="DICOM series to classify")
    classify.add_argument("--post-contrast", action="store_true", help="accept a map from after contrast")
    _add_common(classify, default_output="acnet-result")
    classify.set_defaults(run=_classify)

    demo = commands.add_parser("demo", help="classify the shipped simulated patients")
    _add_common(demo, default_output="acnet-demo")
    demo.set_defaults(run=_demo)
    return parser


def _add_common(parser: argparse.ArgumentParser, default_output: str) -> None:
    parser.add_argument("--model", default=DEFAULT_MODEL, help=f"shipped model or model file (default {DEFAULT_MODEL})")
    parser.add_argument("--device", default="auto", choices=DEVICE_REQUESTS)
    parser.add_argument(
        "--output", type=Path, default=Path(default_output), help=f"new or empty folder (default {default_output})"
    )


def _point(text: str) -> tuple[float, float, float]:
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"found '{text}'; expected three numbers, such as -12.5,30,41") from None
    return x, y, z


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"found '{text}'; expected series numbers, such as 3 or 3,5,7") from None


def _classify(options: argparse.Namespace) -> None:
    from ACNetLib.t1map import read_t1_map

    t1_map = read_t1_map(options.input, options.series, options.post_contrast)
    result = _classifier(options).classify(t1_map, options.center)
    files = _write(result, options.output)
    _print_table([(t1_map.name, None, result)])
    if t1_map.evidence:
        print(f"Taken as T1 map: {t1_map.evidence}.")
    for warning in result.warnings:
        print(f"Note: {warning}")
    _print_files(files)


def _demo(options: argparse.Namespace) -> None:
    from ACNetLib.sample_data import sample_cases
    from ACNetLib.t1map import read_t1_map

    require_empty_folder(options.output)
    classifier = _classifier(options)
    rows: list[tuple[str, str | None, StudyResult]] = []
    files: list[Path] = []
    for case in sample_cases():
        result = classifier.classify(read_t1_map(case.folder), case.center_mm)
        files += _write(result, options.output / case.name)
        rows.append((case.name, case.label, result))
    training = "; the model was trained on simulation" if rows[0][2].card.simulated else ""
    print(f"Simulated patients{training}. Research only.")
    _print_table(rows)
    _print_files(files)


def _classifier(options: argparse.Namespace) -> Classifier:
    from ACNetLib.classifier import Classifier
    from ACNetLib.device import choose_device
    from ACNetLib.model import load_model
    from ACNetLib.model_store import find_model

    return Classifier(load_model(find_model(options.model)), choose_device(options.device))


def _write(result: StudyResult, folder: Path) -> list[Path]:
    """All files of the result; the scene only where Slicer's Python packages are installed."""
    from ACNetLib.report import write_result

    return write_result(result, folder, partial(_save_scene, result) if find_spec("slicer") else None)


def _save_scene(result: StudyResult, path: Path) -> None:
    from ACNetLib.scene import add_t1_map, new_scene, save_scene, show_result

    scene = new_scene()
    show_result(result, add_t1_map(result.t1_map, scene), scene)
    save_scene(scene, path)


def _print_table(rows: Sequence[tuple[str, str | None, StudyResult]]) -> None:
    width = max(len("T1 map"), *(len(name) for name, _, _ in rows))
    print(f"{'T1 map':<{width}}  truth   section  probability_dcm  decision")
    for name, truth, result in rows:
        prefix = f"{name:<{width}}  {truth or '-':<6}  "
        for section in result.sections:
            print(f"{prefix}{section.section:<7}  {section.probability_dcm:<15.3f}  {section.decision}")
        print(f"{prefix}{'study':<7}  {result.probability_dcm:<15.3f}  {result.decision}")
    print(f"Decision threshold {rows[0][2].decision_threshold:.3f}; device {rows[0][2].device.device}.")


def _print_files(files: Sequence[Path]) -> None:
    print("Written:")
    for path in files:
        print(f"  {path}")


if __name__ == "__main__":
    sys.exit(main())
