"""The field strength: what scanners write of it, and who is believed where header and person differ."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ACNetLib.errors import ACNetError

if TYPE_CHECKING:
    from ACNetLib.t1map.t1_map import T1Map

FIELD_STRENGTHS_TESLA = (1.5, 3.0)
UNITS_TESLA = (1.0, 1e-3, 1e-4)
"""DICOM asks for tesla (PS3.3 C.8.3.1); some write millitesla, older GE scanners gauss: 15000 for 1.5 T."""
LARGEST_DEVIATION = 0.1  # of the field strength: 1.494, 2.8936 and the rounded 2.8 are 1.5, 3 and 3 T


def nominal_field_strength(field_strength_tesla: float) -> float:
    """1.5 or 3 for what scanners write of it, in tesla, millitesla or gauss; any other number as it is."""
    for covered in FIELD_STRENGTHS_TESLA:
        for unit in UNITS_TESLA:
            if abs(field_strength_tesla * unit - covered) <= LARGEST_DEVIATION * covered:
                return covered
    return field_strength_tesla


def check_field_strength(field_strength_tesla: float | None, name: str) -> None:
    """Raises ACNetError for a field strength that no model covers; None, an unknown one, passes."""
    if field_strength_tesla is None or nominal_field_strength(field_strength_tesla) in FIELD_STRENGTHS_TESLA:
        return
    raise ACNetError(
        f"{name}: its field strength is {field_strength_tesla:g} T; expected 1.5 or 3 T. T1 depends on the field, "
        "and there is no model for this one.",
        cli="If the header is wrong, give the field strength: --field 1.5 or --field 3.",
        panel="wrong field strength",
    )


def agreed_field_strength(told: float | None, given: float | None, name: str) -> tuple[float | None, tuple[str, ...]]:
    """The nominal field strength of a map, None where it is unknown, and what the user should know of it.

    told: by its header; 0 tells nothing. given: by a person, who wins over a header that no model covers. Raises
    ACNetError where both are covered and differ, and for a field strength that no model covers.
    """
    told = nominal_field_strength(told) if told else None
    if given is None:
        check_field_strength(told, name)
        return told, ()
    check_field_strength(given, name)
    given = nominal_field_strength(given)
    if told in FIELD_STRENGTHS_TESLA and told != given:
        raise ACNetError(
            f"{name}: its header says {told:g} T, you say {given:g} T; expected the same. "
            "Leave the field strength to the header, or correct the header if it is wrong."
        )
    if told is None or told == given:
        return given, ()
    return given, (f"Its header says {told:g} T; it was taken as {given:g} T, as you say.",)


def require_field_strength(t1_map: T1Map) -> float:
    """The map's field strength in tesla. Raises ACNetError when it is not known: it is never guessed."""
    if t1_map.field_strength_tesla is None:
        raise ACNetError(
            f"{t1_map.name}: it does not tell its field strength; expected 1.5 or 3 T, for normal T1 differs by 190 ms "
            "between them.",
            cli="Give it: --field 1.5 or --field 3.",
            panel="field strength",
        )
    return t1_map.field_strength_tesla


def field_strength_option(text: str) -> float:
    """The value of an option --field: 1.5 or 3, also as scanners write them."""
    try:
        field_strength_tesla = nominal_field_strength(float(text))
    except ValueError:
        field_strength_tesla = 0.0
    if field_strength_tesla not in FIELD_STRENGTHS_TESLA:
        raise argparse.ArgumentTypeError(f"found '{text}'; expected 1.5 or 3, in tesla")
    return field_strength_tesla
