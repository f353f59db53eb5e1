"""What the panel says can be translated: every text goes through Slicer's `tr`, filled in by name."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from repository import REPOSITORY

FILES = [
    *sorted((REPOSITORY / "ACNetClassifier" / "ACNetLib" / "panel").glob("*.py")),
    *sorted((REPOSITORY / "ACNetTrainer" / "ACNetTrainerLib" / "panel").glob("*.py")),
    REPOSITORY / "ACNetClassifier" / "ACNetClassifier.py",
    REPOSITORY / "ACNetTrainer" / "ACNetTrainer.py",
    REPOSITORY / "DICOMPlugins" / "DICOMACNetT1MapPlugin.py",
]
SHOWN = {"text", "toolTip", "title", "helpText"}
"""Attributes of widgets and modules that the user reads."""


def translated(file: Path) -> list[ast.Call]:
    """Every call of `_`, the name under which Slicer's `tr` is imported."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_"
    ]


def test_there_are_texts_to_translate() -> None:
    assert sum(len(translated(file)) for file in FILES) > 60


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parents[1].name}/{file.stem}")
def test_a_translated_text_is_a_plain_one_with_named_places(file: Path) -> None:
    for call in translated(file):
        (argument,) = call.args
        assert isinstance(argument, ast.Constant), f"line {call.lineno}: not a plain text"
        places = re.findall(r"{([^}]*)}", str(argument.value))
        assert all(place.isidentifier() for place in places), f"line {call.lineno}: {places}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parents[1].name}/{file.stem}")
def test_no_text_is_shown_untranslated(file: Path) -> None:
    if file.stem.startswith("DICOM"):  # a hidden module, for developers
        return
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            shown = node.targets[0].attr in SHOWN
            plain = isinstance(node.value, ast.Constant | ast.JoinedStr) and bool(ast.literal_eval(node.value))
            assert not (shown and plain), f"line {node.lineno}: {ast.unparse(node)}"
