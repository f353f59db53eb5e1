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


CORE = sorted((REPOSITORY / "ACNetClassifier" / "ACNetLib").rglob("*.py"))
OPTION = re.compile(r"(?<![\w-])--[a-z]")


def raised(file: Path) -> list[ast.Call]:
    """Every call that makes an ACNetError or one of its kind."""
    return [
        node
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and (node.func.id == "ACNetError" or node.func.id in {"NoT1Map", "VentricleNotFound"})
    ]


def test_an_option_of_the_command_is_only_in_what_the_command_says_and_each_panel_remedy_is_known() -> None:
    keys = set()
    for file in CORE:
        for call in raised(file):
            texts = [node.value for each in call.args for node in ast.walk(each) if isinstance(node, ast.Constant)]
            # An error of an option itself begins with it, and no panel can come to it.
            first = str(texts[0]) if texts else ""
            if not first.startswith("--"):
                assert not [text for text in texts if OPTION.search(str(text))], f"{file.name}, line {call.lineno}"
            keys |= {
                each.value.value
                for each in call.keywords
                if each.arg == "panel" and isinstance(each.value, ast.Constant)
            }
    assert keys >= {"field strength", "centre"}
    panel_texts = REPOSITORY / "ACNetClassifier" / "ACNetLib" / "panel" / "texts.py"
    known = {
        str(key.value)
        for function in ast.walk(ast.parse(panel_texts.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef) and function.name == "remedy_text"
        for table in ast.walk(function)
        if isinstance(table, ast.Dict)
        for key in table.keys
        if isinstance(key, ast.Constant)
    }
    assert keys | {"native map"} <= known
