"""The commands of `kills.py`: what each needs, and how to see that what it left is whole."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ACNetLib.commands import main as acnet
from ACNetLib.errors import ACNetError
from ACNetLib.files import require_empty_folder
from ACNetLib.models.header import read_card_values
from ACNetLib.models.store import SHIPPED_MODELS_FOLDER
from ACNetLib.resources import resources_folder
from ACNetLib.sample_data import sample_cases
from ACNetTrainerLib.cases.editing import create_case_library
from ACNetTrainerLib.cases.images import pixel_hash, read_section
from ACNetTrainerLib.cases.library import read_case_library
from ACNetTrainerLib.commands import main as acnet_train
from tiny_training import write_recipe

SAMPLE_CASES = resources_folder("ACNetTrainerLib") / "SampleCases"
RESULT_FILES = {
    "attention.nrrd",
    "attention-label.nrrd",
    "evidence.nrrd",
    "ventricle-label.nrrd",
    "segments.csv",
    "report.html",
    "result.json",
}
SECTIONS = 3
"""Of a sample."""
KEY = "published"


@dataclass(frozen=True)
class Command:
    """main, arguments: what is run in a folder that `prepare` has filled. problems: what is not whole after a kill.

    is_complete: whether the outcome is there, so that it need not be run again. outcome: what must be the same in the
    end. goes_on: each start goes on where the last one was killed. share: of the whole duration, in which it is killed.
    """

    name: str
    main: Callable[[Sequence[str]], int]
    arguments: Callable[[Path], list[str]]
    prepare: Callable[[Path], None]
    problems: Callable[[Path], list[str]]
    is_complete: Callable[[Path], bool]
    outcome: Callable[[Path], object]
    goes_on: bool = False
    share: float = 1.0


def _nothing(_folder: Path) -> None:
    pass


def _digests(folder: Path, pattern: str) -> dict[str, str]:
    files = sorted(folder.glob(pattern))
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _classify_arguments(folder: Path) -> list[str]:
    return ["classify", str(sample_cases()[1].volume), "--device", "cpu", "--output", str(folder / "result")]


def _result_problems(folder: Path) -> list[str]:
    result = folder / "result"
    if result.exists():
        json.loads((result / "result.json").read_text())
        missing = RESULT_FILES - {file.name for file in result.iterdir()}
        return [f"a result without {name}" for name in missing]
    try:
        require_empty_folder(result)
    except ACNetError as error:
        return [f"it can't be run again: {error}"]
    return []


def _result_of(folder: Path) -> object:
    return json.loads((folder / "result" / "result.json").read_text())


def _library(folder: Path) -> None:
    create_case_library(folder / "library")


def _center(number: int) -> str:
    return ",".join(map(str, sample_cases()[number].center_mm))


def _cases_arguments(folder: Path) -> list[str]:
    case = sample_cases()[0]
    place = [f"--center={_center(0)}", "--label", case.label, "--patient", "one"]
    return ["cases", "add", str(folder / "library"), str(case.volume), *place]


def _table(folder: Path) -> None:
    _library(folder)
    columns = ("file", "patient", "label", "center_l_mm", "center_p_mm", "center_s_mm")
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for case in sample_cases():
            writer.writerow([case.volume, case.name, case.label, *case.center_mm])


def _import_arguments(folder: Path) -> list[str]:
    return ["cases", "import-csv", str(folder / "library"), str(folder / "table.csv")]


def _library_problems(expected: int) -> Callable[[Path], list[str]]:
    def problems(folder: Path) -> list[str]:
        library = read_case_library(folder / "library", may_be_empty=True)
        found = [] if len(library.cases) in (0, expected) else [f"{len(library.cases)} of {expected} cases"]
        for case in library.cases:
            if pixel_hash(read_section(library.path(case)).array[0]) != case.pixel_hash:
                found.append(f"{case.file} is not what the table says")
        return found

    return problems


def _cases_of(folder: Path) -> object:
    cases = read_case_library(folder / "library", may_be_empty=True).cases
    return sorted((case.case, case.label, case.center_mm, case.pixel_hash) for case in cases)


def _publish_arguments(_folder: Path) -> list[str]:
    return ["publish", str(SHIPPED_MODELS_FOLDER / "acnet-simulated-1.5T.safetensors"), "--name", KEY]


def _store_problems(folder: Path) -> list[str]:
    for file in (folder / "own" / "models").glob("[!.]*.safetensors"):
        if read_card_values(file)["name"] != KEY:
            return [f"{file.name} is not the model"]
    return []


def _train_prepare(folder: Path) -> None:
    write_recipe(folder / "tiny.toml")


def _train_arguments(folder: Path) -> list[str]:
    recipe, output = folder / "tiny.toml", folder / "tiny.safetensors"
    return ["train", str(SAMPLE_CASES), "--recipe", str(recipe), "--output", str(output), "--device", "cpu"]


def _compare_prepare(folder: Path) -> None:
    """Both halves of the sample cases: to train on, and to test on."""
    library = read_case_library(SAMPLE_CASES)
    for name, rest in (("training", 0), ("test", 1)):
        kept = {patient for number, patient in enumerate(sorted(library.patients)) if number % 2 == rest}
        shutil.copytree(SAMPLE_CASES, folder / name)
        for table in ("cases.csv", "truth.csv"):
            lines = (SAMPLE_CASES / table).read_text().splitlines()
            rows = [line for line in lines[1:] if line.split(",")[1] in kept]
            (folder / name / table).write_text("\n".join([lines[0], *rows]) + "\n")


def _compare_arguments(folder: Path) -> list[str]:
    return [
        *("compare", str(folder / "training"), "--protocol", "honest", "--networks", "acnet", "--seeds", "1"),
        *("--epochs", "2", "--test-cases", str(folder / "test"), "--device", "cpu", "--output", str(folder / "out")),
    ]


def _runs_problems(folder: Path) -> list[str]:
    """Where a training's numbers are, all its files are."""
    return [
        f"{file.parent.name} without predictions"
        for file in folder.glob("out/runs/*/outcome.json")
        if not (file.parent / "predictions-test.csv").is_file()
    ]


def _no_problems(_folder: Path) -> list[str]:
    return []


def _exists(name: str) -> Callable[[Path], bool]:
    return lambda folder: (folder / name).exists()


COMMANDS = {
    command.name: command
    for command in (
        Command(
            *("classify", acnet.main, _classify_arguments, _nothing, _result_problems),
            *(_exists("result"), _result_of),
        ),
        Command(
            *("cases", acnet_train.main, _cases_arguments, _library, _library_problems(SECTIONS)),
            *(lambda folder: bool(_cases_of(folder)), _cases_of),
        ),
        Command(
            *("import-csv", acnet_train.main, _import_arguments, _table, _library_problems(2 * SECTIONS)),
            *(lambda folder: bool(_cases_of(folder)), _cases_of),
        ),
        Command(
            *("publish", acnet_train.main, _publish_arguments, _nothing, _store_problems),
            *(
                _exists(f"own/models/{KEY}.safetensors"),
                lambda folder: _digests(folder, "own/models/[!.]*.safetensors"),
            ),
        ),
        Command(
            *("train", acnet_train.main, _train_arguments, _train_prepare, _no_problems),
            *(_exists("tiny.safetensors"), lambda folder: _digests(folder, "*.safetensors"), True, 0.4),
        ),
        Command(
            *("compare", acnet_train.main, _compare_arguments, _compare_prepare, _runs_problems),
            *(_exists("out/report.html"), lambda folder: _digests(folder, "out/runs/*/predictions.csv"), True, 0.6),
        ),
    )
}
