"""Of whom, in which exam and on which scanner images were acquired: the same for all images of one T1 map.

Patient and exam are compared, and neither kept nor shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pydicom
from pydicom.config import disable_value_validation

from ACNetLib.dicom.values import number_of
from ACNetLib.t1map.field_strength import nominal_field_strength

FIELD_STRENGTH = "MagneticFieldStrength"
EXAM = ("PatientID", "StudyInstanceUID")
NAMED = ("PatientName", "PatientBirthDate")
"""They tell two patients apart where nothing of EXAM is told; else they may be spelled in several ways."""
IDENTITY = (*EXAM, *NAMED)
OF_TWO = {
    "PatientID": "patients",
    "StudyInstanceUID": "exams",
    **dict.fromkeys(NAMED, "patients"),
    "Manufacturer": "scanners",
    "ManufacturerModelName": "scanners",
    "DeviceSerialNumber": "scanners",
    FIELD_STRENGTH: "field strengths",
}
"""What images are of whose values of an attribute differ."""

Origin = Mapping[str, str]
"""The attributes of OF_TWO that are told, by keyword; of those of a patient a hash. It identifies the exam: never show
it.
"""


@dataclass(frozen=True)
class Difference:
    """Two of several, by their places, and what they are of, as "two scanners (Manufacturer SIEMENS and GE)"."""

    first: int
    second: int
    of_two: str


def origin_of(header: pydicom.Dataset) -> Origin:
    """What one image tells. Raises what pydicom does for an attribute of another kind."""
    with disable_value_validation():  # pydicom logs the values that it complains of
        told = {keyword: in_one_line(header.get(keyword)) for keyword in OF_TWO if keyword != FIELD_STRENGTH}
    if field_strength_tesla := number_of(header, FIELD_STRENGTH):  # 0 tells nothing
        told[FIELD_STRENGTH] = f"{field_strength_tesla:g}"
    is_told = any(told[keyword] for keyword in EXAM)
    return {keyword: value for keyword, value in told.items() if value and not (is_told and keyword in NAMED)}


def named(value: object) -> str:
    """A patient's name or date of birth, to compare: without capitals, empty parts of a name and points in a date."""
    return in_one_line(value).casefold().replace(".", "").strip("^ ")


def common_origin(origins: Sequence[Origin]) -> Origin:
    """What any of these images tells stands for all of them."""
    return {keyword: each[keyword] for each in reversed(origins) for keyword in each}


def first_difference(origins: Sequence[Origin], keywords: Iterable[str] = OF_TWO) -> Difference | None:
    """None where all may be of one origin. Capitals don't tell scanners apart, nor rounding field strengths."""
    for keyword in keywords:
        told = [place for place, each in enumerate(origins) if keyword in each]
        for place in told[1:]:
            first, second = origins[told[0]][keyword], origins[place][keyword]
            if _compared(keyword, first) != _compared(keyword, second):
                found = keyword if keyword in IDENTITY else f"{keyword} {first} and {second}"
                return Difference(told[0], place, f"two {OF_TWO[keyword]} ({found})")
    return None


def field_strength_in(origin: Origin) -> float | None:
    return float(origin[FIELD_STRENGTH]) if FIELD_STRENGTH in origin else None


def in_one_line(value: object) -> str:
    """A text without line breaks and what can't be printed; "" for None."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(value or ""))
    return " ".join(text.split())


def _compared(keyword: str, value: str) -> str:
    if keyword == FIELD_STRENGTH:
        return f"{nominal_field_strength(float(value)):g}"
    if keyword in NAMED:
        return named(value)
    return value if keyword in EXAM else value.casefold()
