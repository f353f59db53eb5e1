"""The `acnet-train` command and what users get wrong; a whole training and evaluation is in test_training.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from ACNetTrainerLib.cases.library import CaseLibrary
from ACNetTrainerLib.commands import main as cli
from conftest import acnet_train


def test_the_command_ends_with_two_and_one_line_for_a_user_error(tmp_path: Path) -> None:
    code, _, error = acnet_train(["train", tmp_path / "nowhere", "--output", tmp_path / "m.safetensors"])
    assert code == 2
    assert len(error.splitlines()) == 1
    assert error.startswith("acnet-train: ")
    assert "nowhere: no cases.csv found" in error


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["train", "CASES", "--output", "FOLDER/model.pt"], "ends in .safetensors"),
        (["train", "CASES", "--output", "FOLDER/taken.safetensors"], "exists already"),
        (["train", "CASES", "--output", "FOLDER/m.safetensors", "--recipe", "best"], "shipped recipe 'best'"),
        (["train", "CASES", "--output", "FOLDER/m.safetensors", "--device", "abacus"], "found 'abacus'"),
        (["evaluate", "nobody", "CASES", "--output", "FOLDER/m.json"], "neither a file nor a model 'nobody'"),
        (["evaluate", "FOLDER/taken.safetensors", "CASES", "--output", "FOLDER/m.json"], "not a readable"),
        (["simulate", "--patients", "0", "--output", "FOLDER/new"], "--patients: found 0"),
        (
            ["simulate", "--patients", "4", "--normal-fraction", "2", "--output", "FOLDER/new"],
            "found 2; expected 0 to 1",
        ),
        (["simulate", "--patients", "4", "--output", "FOLDER"], "is not an empty folder"),
        (
            ["validate-simulation", "--patients", "9", "--output", "FOLDER/m.json"],
            "--patients: found 9; expected at least 10",
        ),
        (
            ["gallery", "CASES", "--sections", "19", "--output", "FOLDER/m.png"],
            "found 18 slices of class normal; expected 19",
        ),
        (
            ["other-diseases", "MODEL", "--patients", "0", "--output", "FOLDER/m.json"],
            "--patients: found 0; expected at least 1",
        ),
        (
            ["robustness", "MODEL", "--patients", "9", "--output", "FOLDER/m.json", "--figure", "FOLDER/m.png"],
            "--patients: found 9; expected at least 10",
        ),
        (["third-answer", "MODEL", "CASES", "--output", "FOLDER/m.json"], "it has no outside score"),
        (
            ["coverage", "MODEL", "CASES", "--abroad", "CASES", "--output", "FOLDER/m.json"],
            "6 patients labelled normal; expected 18 or more",
        ),
        (["train-localizer", "CASES", "--output", "FOLDER/m.pt"], "--output: found"),
        (["train-localizer", "CASES", "--patients", "3", "--output", "FOLDER/m.safetensors"], "--patients: found 3"),
    ],
)
def test_what_the_command_can_not_do_is_one_line(
    simulated_library: CaseLibrary,
    model_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    reason: str,
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "taken.safetensors").write_text("no model")
    places = {"CASES": str(simulated_library.folder), "FOLDER": str(folder), "MODEL": str(model_file)}
    for name, place in places.items():
        arguments = [argument.replace(name, place) for argument in arguments]
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert reason in error
    assert [file.name for file in folder.iterdir()] == ["taken.safetensors"], "nothing was written"
