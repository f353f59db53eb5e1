"""Which T1 mapping sequence images are of, by the names in their headers: normal T1 differs between them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pydicom

NAMING = ("SeriesDescription", "ImageComments", "SequenceName", "ProtocolName")
"""What names a sequence; the first one that does counts. A protocol's name may be that of a comparison of several."""
NAMED: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("ShMOLLI", re.compile(r"SHMOLLI", re.IGNORECASE)),
    ("MOLLI", re.compile(r"MOLLI", re.IGNORECASE)),
    ("SASHA", re.compile(r"SASHA", re.IGNORECASE)),
    ("SAPPHIRE", re.compile(r"SAPPHIRE", re.IGNORECASE)),
    ("SMART1Map", re.compile(r"SMART ?1", re.IGNORECASE)),
    ("saturation recovery", re.compile(r"SAT(URATION)?[ _-]?REC", re.IGNORECASE)),
    ("Look-Locker", re.compile(r"LOOK[ _-]?LOCKER", re.IGNORECASE)),
)
"""The first one that is found in a text counts. SAPPHIRE: saturation and inversion. SMART1Map: GE's saturation
recovery in single shots."""
BETWEEN = " and "
PROTOCOL = "ProtocolName"


def named_sequence(headers: Iterable[pydicom.Dataset | Mapping[str, Any]]) -> str:
    """One of NAMED, by the names in the headers alone; "" where they tell none, "MOLLI and SASHA" where they differ."""
    return joined_sequences(map(_sequence, headers))


def _sequence(header: pydicom.Dataset | Mapping[str, Any]) -> str:
    texts = (protocol_name(header) if keyword == PROTOCOL else str(header.get(keyword) or "") for keyword in NAMING)
    return next((name for text in texts for name, pattern in NAMED if pattern.search(text)), "")


def protocol_name(header: pydicom.Dataset | Mapping[str, Any]) -> str:
    """Of the series; "" for GE, which has that of the whole exam there."""
    is_of_exam = str(header.get("Manufacturer") or "").upper().startswith("GE")
    return "" if is_of_exam else str(header.get(PROTOCOL) or "")


def joined_sequences(sequences: Iterable[str]) -> str:
    """Of several images or maps, each as `named_sequence` has it. What some tell holds for those that tell none."""
    return BETWEEN.join(sorted({each for sequence in sequences for each in sequence.split(BETWEEN)} - {""}))


def are_several(sequence: str) -> bool:
    return BETWEEN in sequence
