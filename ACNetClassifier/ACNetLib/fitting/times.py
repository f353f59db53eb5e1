"""When an image was taken after its preparation, where each manufacturer writes it, and which sequence it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pydicom
from numpy.typing import NDArray

from ACNetLib.dicom.sequences import named_sequence
from ACNetLib.dicom.values import PHILIPS_PREPULSE_DELAY, number_of
from ACNetLib.fitting.recovery import UNPREPARED_MS
from ACNetLib.fitting.sequences import SATURATION, SCHEMES, SEQUENCE_NAMES, inversion_groups
from ACNetLib.fitting.sequences import Sequence as MappingSequence

FEWEST_TIMES = 3
SHORTEST_SPAN_MS = 200.0
"""From the first prepared image of a recovery to the last. Less is the heart's irregular beat, in a trigger time that
should be constant, or seconds that were written as ms."""
LONGEST_TIME_MS = 30_000.0
"""Philips fills InversionTimes up with 1.8e308 (dcm2niix, issue 385)."""
FITTED_AS: dict[str, MappingSequence] = {
    **{sequence: sequence for sequence in SEQUENCE_NAMES.values()},
    "SMART1Map": "saturation recovery",
}
"""By the names that headers have."""
COMMENT_TIME = re.compile(r"(?<![A-Z])T[IS]\s*[=:]?\s*([0-9]+(?:\.[0-9]+)?)", re.IGNORECASE)


def _comment_time(header: pydicom.Dataset) -> float | None:
    found = COMMENT_TIME.search(str(header.get("ImageComments", "")))
    return None if found is None else float(found[1])


def _prepulse_delay(header: pydicom.Dataset) -> float | None:
    element = header.get(PHILIPS_PREPULSE_DELAY)
    try:
        return None if element is None else float(element.value)
    except (TypeError, ValueError):  # read without knowing its kind
        return None


PLACES: dict[str, Callable[[pydicom.Dataset], float | None]] = {
    "InversionTime": lambda header: number_of(header, "InversionTime"),
    "InversionTimes": lambda header: number_of(header, "InversionTimes"),
    "Philips (2001,101B), prepulse delay": _prepulse_delay,
    "ImageComments": _comment_time,
    "TriggerTime": lambda header: number_of(header, "TriggerTime"),
    "NominalCardiacTriggerDelayTime": lambda header: number_of(header, "NominalCardiacTriggerDelayTime"),
}
"""Attributes of a time after preparation in ms, the best first. MOLLI by Siemens and GE has it in the first, by older
versions of Siemens in the comments ("TI 120"), by Philips also in the prepulse delay or the trigger time; the package
sh-molli looks at the same three public ones."""


def times_of(headers: Sequence[pydicom.Dataset]) -> tuple[str, NDArray[np.float64]]:
    """The attribute that tells the images' times, and these in ms; "" and no times where none does.

    It is the first of PLACES that all images but one have (SASHA's without saturation may lack it), with three
    different ones among them that span SHORTEST_SPAN_MS. A missing time and 0 become UNPREPARED_MS.
    """
    for place in PLACES:
        found = [_time_at(place, header) for header in headers]
        told = [time for time in found if time is not None]
        is_recovery = len(set(told)) >= FEWEST_TIMES and max(told) - min(told) >= SHORTEST_SPAN_MS
        if is_recovery and len(told) >= len(found) - 1:
            return place, np.array([UNPREPARED_MS if time is None else time for time in found], np.float64)
    return "", np.array([])


def count_told(headers: Iterable[pydicom.Dataset], place: str) -> int:
    """How many of the images tell their time in this attribute."""
    return sum(_time_at(place, header) is not None for header in headers)


def _time_at(place: str, header: pydicom.Dataset) -> float | None:
    time = PLACES[place](header)
    return time if time is not None and 0 < time < LONGEST_TIME_MS else None


def fitted_as(headers: Iterable[pydicom.Dataset]) -> MappingSequence | None:
    """What the names in the headers tell to fit; None where they tell none, or one that is fitted by no model here."""
    return FITTED_AS.get(named_sequence(headers))


def sequences_named(headers: Iterable[pydicom.Dataset]) -> list[str]:
    """The names in the headers, each header's by itself: more than one where they are of two sequences."""
    return sorted({named_sequence([header]) for header in headers} - {""})


def sequence_of(headers: Sequence[pydicom.Dataset], times_ms: NDArray[np.float64]) -> MappingSequence | None:
    """By the name in the headers, else by times that are those of a MOLLI; None where nothing tells, and for a name
    that `fitted_as` does not know.

    An image without preparation among those of an unnamed sequence tells nothing: it may be an unreadable time.
    """
    if named_sequence(headers):
        return fitted_as(headers)
    sizes = tuple(map(len, inversion_groups(times_ms)))
    if sizes not in SCHEMES or times_ms.max() >= LONGEST_TIME_MS:
        return None
    return "ShMOLLI" if SCHEMES[sizes].startswith("ShMOLLI") else "MOLLI"


def lacks_preparation(times_ms: NDArray[np.float64], sequence: MappingSequence) -> bool:
    """Whether an image has no time though its sequence prepares all of them."""
    return sequence not in SATURATION and bool((times_ms >= LONGEST_TIME_MS).any())
