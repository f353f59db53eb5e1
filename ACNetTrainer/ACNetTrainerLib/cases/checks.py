"""What a case library holds, and what makes it a poor teacher."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ACNetLib.errors import ACNetError
from ACNetLib.t1map.t1_map import T1Map

from .images import IMAGES_FOLDER, pixel_hash
from .library import LABELS, Case, CaseLibrary, patients_by_label, same_images
from .maps import at_point, check_near, nothing_found
from .pseudonyms import is_pseudonym
from .table import errors_at

LARGEST_IMBALANCE = 4
"""Patients of the larger class for each of the smaller one."""
FEWEST_PATIENTS = 20
"""Of each class."""


@dataclass(frozen=True)
class Count:
    """Patients and sections of one class at one field strength."""

    field_strength_tesla: float
    label: str
    patients: int
    sections: int


@dataclass(frozen=True)
class LibraryCheck:
    """counts: by field strength and class. warnings: what a person should know or put right, in sentences."""

    counts: tuple[Count, ...]
    warnings: tuple[str, ...]


def check_library(library: CaseLibrary) -> LibraryCheck:
    """Read every image and check the library as a whole, 15 ms an image.

    Raises ACNetError for an image that is no T1 map, that is of another field strength than its row says, that the
    centre lies outside of, or that two patients share.
    """
    from .acquisition_bias import Acquisition, acquisition_warnings  # needs scikit-learn, which Slicer does not bring

    cases, acquisitions, changed = [], {}, []
    for case in library.cases:
        t1_map = _read(library, case)
        columns, rows, _ = t1_map.image.GetSize()
        acquisitions[case.case] = Acquisition((columns, rows), round(t1_map.image.GetSpacing()[0], 2))
        cases.append(replace(case, pixel_hash=pixel_hash(t1_map.array[0])))
        if case.pixel_hash not in {"", cases[-1].pixel_hash}:
            changed.append(
                f"Case '{case.case}': its image is not the one that the table's pixel_hash is of, so it was changed "
                "since; if you meant to, empty that cell."
            )
    warnings = (
        *changed,
        *same_images(cases, [f"{library.folder}" for _ in cases]),
        *_unlisted_images(library),
        *_patients_by_hand(library),
        *size_warnings(library),
        *acquisition_warnings(library, acquisitions),
    )
    return LibraryCheck(count_by_class(library), warnings)


def count_by_class(library: CaseLibrary) -> tuple[Count, ...]:
    groups: dict[tuple[float, str], list[Case]] = defaultdict(list)
    for case in library.cases:
        groups[case.field_strength_tesla, case.label].append(case)
    return tuple(
        Count(field, label, len({case.patient for case in cases}), len(cases))
        for (field, label), cases in sorted(groups.items())
    )


def size_warnings(library: CaseLibrary) -> tuple[str, ...]:
    """Too few patients of a class, or of one class compared with the other."""
    counts = {label: len(patients) for label, patients in patients_by_label(library.cases).items()}
    warnings = few_patients(counts)
    rare, common = sorted(LABELS, key=lambda label: counts[label])
    if counts[rare] * LARGEST_IMBALANCE < counts[common]:
        warnings.append(
            f"The classes are out of balance: {counts[rare]} patients are {rare} and {counts[common]} are {common}, "
            f"less than 1 to {LARGEST_IMBALANCE}. Drawing both equally often in training does not replace cases."
        )
    return tuple(warnings)


def few_patients(counts: Mapping[str, int]) -> list[str]:
    """A sentence for each class with too few patients; counts: of patients, by class."""
    return [
        f"Patients who are {label}: {count}; expected {FEWEST_PATIENTS} or more, for with fewer neither a training nor "
        "its evaluation can be relied on."
        for label, count in counts.items()
        if count < FEWEST_PATIENTS
    ]


def _read(library: CaseLibrary, case: Case) -> T1Map:
    place = f"{library.folder}, case '{case.case}'"
    with errors_at(f"{place}: column file"):
        t1_map = library.t1_map(case)
    with errors_at(f"{place}: columns center_*_mm"):
        at_point(t1_map, case.center_mm, nothing_found(t1_map))
        check_near([t1_map], case.center_mm)
    told = t1_map.field_strength_tesla
    if told is not None and told != case.field_strength_tesla:
        raise ACNetError(
            f"{place}: column field_strength_tesla is {case.field_strength_tesla:g}, its image says {told:g} T; "
            "expected the same."
        )
    return t1_map


def _unlisted_images(library: CaseLibrary) -> list[str]:
    """What a killed process or a person's change of the table leaves behind."""
    named = {library.path(case).resolve() for case in library.every_case}
    unlisted = [path for path in sorted((library.folder / IMAGES_FOLDER).glob("*.nrrd")) if path.resolve() not in named]
    if not unlisted:
        return []
    folder, first = unlisted[0].parent, unlisted[0].name
    return [f"Images in {folder} that belong to no case: {len(unlisted)}, the first is {first}; delete them."]


def _patients_by_hand(library: CaseLibrary) -> list[str]:
    named = {case.patient for case in library.cases if not case.is_simulated and not is_pseudonym(case.patient)}
    if not named:
        return []
    return [f"Patients named by hand: {len(named)}; make sure that none is a name or a hospital number."]
