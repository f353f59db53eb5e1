"""What the real Slicer has, as slicer_api.json.gz tells it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

API: dict[str, Any] = json.loads(gzip.decompress(Path(__file__).with_name("slicer_api.json.gz").read_bytes()))
KINDS = ("properties", "methods", "signals", "values")
FROM_PYTHONQT = {"className", "delete", "help", "inherits", "name"}
"""Any Qt object has these in Slicer's Python."""


class NotExtracted(LookupError):
    """The real class may have it or not: the extract doesn't hold the class."""


def full_name(class_name: str) -> str:
    """`qt.QLabel` of `QLabel`, the name that a .ui file gives."""
    names = [name for name in API["classes"] if name.endswith(f".{class_name}")]
    if not names:
        raise NotExtracted(f"add {class_name} to CLASSES in extract_api.py and write slicer_api.json.gz anew")
    return names[0]


def known(class_name: str, *kinds: str) -> set[str]:
    """The names of what the real class has, with what it inherits: properties, methods, signals or values."""
    texts = {text for entry in _with_ancestors(class_name) for kind in kinds or KINDS for text in entry[kind]}
    return FROM_PYTHONQT | {text.split("(")[0] for text in texts}


def signatures(class_name: str) -> set[str]:
    """Of the signals of a class, with those that it inherits."""
    return {signature for entry in _with_ancestors(class_name) for signature in entry["signals"]}


def _with_ancestors(class_name: str) -> Iterator[dict[str, Any]]:
    name: str | None = class_name if "." in class_name else full_name(class_name)
    while name:
        entry = API["classes"][name]
        yield entry
        name = entry["inherits"] or ("qt.QObject" if name == "qt.QWidget" else None)
