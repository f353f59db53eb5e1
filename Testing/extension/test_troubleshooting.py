"""The troubleshooting page quotes messages: they are those that the software says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from repository import REPOSITORY

PAGE = (REPOSITORY / "Documentation" / "troubleshooting.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"^```text\n(.+?)\n```$", PAGE, re.MULTILINE | re.DOTALL)


def texts_of(file: Path) -> Iterator[str]:
    """Every text of a source file; of an f-string with ... for what it fills in."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "..." for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"\{\w+\}", "...", node.value)


MODULES = ("ACNetClassifier", "ACNetTrainer")
SAID = [text for module in MODULES for file in (REPOSITORY / module).rglob("*.py") for text in texts_of(file)]


@pytest.mark.parametrize("message", QUOTED)
def test_every_quoted_message_is_one_that_the_software_says(message: str) -> None:
    assert any(all(part in text for part in message.split("...")) for text in SAID)
