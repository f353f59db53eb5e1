"""Every command that writes asks for its output before it begins to work."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from ACNetLib.commands import main as acnet
from ACNetLib.sample_data import sample_cases
from ACNetTrainerLib.commands import main as acnet_train

SAMPLE = str(sample_cases()[0].volume)
ARGUMENTS = {
    "acnet classify": [SAMPLE],
    "acnet demo": [],
    "acnet triage": ["no folder"],
    "acnet fit": ["no folder"],
    "acnet ecv": [SAMPLE, SAMPLE, "--hematocrit", "0.42"],
    "acnet-train simulate": ["--patients", "5000"],
    "acnet-train validate-simulation": [],
    "acnet-train gallery": ["no library"],
    "acnet-train sample-data": ["--thumbnails", "thumbnails"],
    "acnet-train sample-cases": [],
    "acnet-train train-localizer": ["no library"],
    "acnet-train evaluate-localizer": ["no localizer", "no library"],
    "acnet-train other-diseases": ["no model"],
    "acnet-train cross-validate": ["no library"],
    "acnet-train fit-outside": ["no model", "no library", "--save-model", "model.safetensors"],
    "acnet-train outside-limits": ["no model", "no library", "--save-model", "model.safetensors"],
    "acnet-train reading-order": ["no model", "no library"],
    "acnet-train robustness": ["no model", "--figure", "figure.png"],
    "acnet-train train": ["no library"],
    "acnet-train evaluate": ["no model", "no library"],
    "acnet-train attention": ["no model", "no library"],
    "acnet-train coverage": ["no model", "no library", "--abroad", "no library"],
    "acnet-train explanations": ["no model", "no library"],
    "acnet-train facts": ["no localizer", "no library"],
    "acnet-train quality": [],
    "acnet-train third-answer": ["no model", "no library"],
    "acnet-train real-hearts": ["no model", "no table"],
    "acnet-train cases import-cmrxrecon": ["no folder", "--labels", "no sheet"],
    "acnet-train compare": ["no library", "--protocol", "honest"],
    "acnet-train compare-tune": ["no library", "--validation-cases", "no library"],
    "acnet-train simulate-abroad": ["--patients", "5000"],
    "acnet-train validate-abroad": [],
    "acnet-train abroad-sheet": [],
}
"""What else each command needs: nothing of it is there, so that whatever comes before the question fails otherwise."""


def commands_with_output(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from commands_with_output(command)
    if "--output" in parser._option_string_actions:
        yield parser.prog


def test_these_are_all_commands_with_an_output() -> None:
    found = {*commands_with_output(acnet._parser()), *commands_with_output(acnet_train._parser())}
    assert found == set(ARGUMENTS)


@pytest.mark.parametrize("command", ARGUMENTS)
def test_an_output_beneath_a_file_is_refused_in_one_line_before_anything_else(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("old")
    program, *name = command.split()
    main = acnet.main if program == "acnet" else acnet_train.main
    output = tmp_path / "file" / ("map.nrrd" if command == "acnet fit" else "output.safetensors")
    assert main([*name, *ARGUMENTS[command], "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert "it can't be written (" in error
    assert error.endswith("Make room, or give another output.\n")
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
