"""What the tables of these pages are made of: the results' files, and their numbers as cells in Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Record = dict[str, Any]
RESULTS = Path(__file__).parent / "results"
FIELDS = ("1.5T", "3T")
PLACES = {"at home": "", "abroad": "-abroad"}
"""Patients of the simulation that trained the models, and of the one that no training knows; the results' suffix."""


def results(name: str) -> Record:
    values: Record = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return values


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def mm(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} mm"


def share(value: float) -> str:
    return f"{100 * value:.1f} %"
