"""How the septum lies in cases that do not tell it: those of a typed table, or of a library older than the column."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from ACNetLib.ventricle.labels import ventricles_at_point

from .library import Case, CaseLibrary

if TYPE_CHECKING:
    from .maps import LoadLocalizer


def with_turns(library: CaseLibrary, load_localizer: LoadLocalizer) -> CaseLibrary:
    """The library with every slice turned as the classifier will turn it: the localizer is asked where neither table
    nor masks tell how the septum lies. Its table stays as it is.

    Raises ACNetError for a map or masks that can't be read.
    """
    load = cache(load_localizer)
    cases, others = (tuple(_turned(library, case, load) for case in some) for some in (library.cases, library.others))
    return replace(library, cases=cases, others=others)


def _turned(library: CaseLibrary, case: Case, load_localizer: LoadLocalizer) -> Case:
    if _is_told(library, case):
        return case
    t1_map = library.t1_map(case)
    (ventricle,) = ventricles_at_point(t1_map, case.center_mm, load_localizer().locate(t1_map))
    return replace(case, turn_degrees=round(ventricle.turn_degrees, 1))


def _is_told(library: CaseLibrary, case: Case) -> bool:
    if case.turn_degrees is not None or (case.is_simulated and library.masks_path(case) is not None):
        return True  # the masks of a simulation have the septum, and there are thousands of them
    return library.masks_path(case) is not None and library.turn_degrees(case, library.t1_map(case)) is not None
