"""What the tables of these pages are made of: the results' files, and their numbers as cells in Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ACNetLib.models.header import read_card_values
from ACNetLib.models.store import SHIPPED_MODELS_FOLDER

Record = dict[str, Any]
RESULTS = Path(__file__).parent / "results"
FIELDS = ("1.5T", "3T")
PLACES = {"at home": "", "abroad": "-abroad"}
"""Patients of the simulation that trained the models, and of the one that no training knows; the results' suffix."""


ELSEWHERE = ("every-turn", "outside", "measured-walls")
"""Results of models that are not shipped, on purpose."""
_older = set[str]()


def results(name: str) -> Record:
    values: Record = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    used = values.get("models") or {values.get("model", ""): values.get("weights_sha256")}
    is_older = any(shipped_weights().get(model, weights) != weights for model, weights in used.items())
    if is_older and not name.startswith(ELSEWHERE):
        _older.add(name)
    return values


def at_home_and_abroad(stem: str) -> list[tuple[str, Record]]:
    """Head of a column and results, of both kinds of patients at both field strengths."""
    return [
        (f"{field[:-1]} T, {place}", results(f"{stem}-{field}{suffix}"))
        for field in FIELDS
        for place, suffix in PLACES.items()
    ]


def with_note_of_older_models(make: Callable[[], str]) -> str:
    """A table, and below it which of its results are of models that were shipped before."""
    _older.clear()
    table = make()
    if not _older:
        return table
    names = ", ".join(f"`{name}.json`" for name in sorted(_older))
    return f"{table}\nMeasured with the models before the present ones, not yet again: {names}.\n"


@cache
def shipped_weights() -> dict[str, str]:
    """The checksum of each shipped model's weights."""
    return {path.stem: read_card_values(path)["weights_sha256"] for path in SHIPPED_MODELS_FOLDER.glob("*.safetensors")}


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def mm(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} mm"


def share(value: float) -> str:
    return f"{100 * value:.1f} %"
