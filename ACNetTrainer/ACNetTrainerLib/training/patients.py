"""Which patients a model has learned from: hashes on its card, so that it is not evaluated on them.

A patient is known by a library's pseudonym, a simulated one by the cohort's seed and number, and all by their images.
The pseudonyms of another library are others: a set of hashes has the fingerprint of the library that it is of.
Names that a person typed into a table are left out: with a list of names, they could be found out from their hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ACNetLib.models.card import ModelCard

from ..cases.library import Case, CaseLibrary
from ..cases.pseudonyms import is_pseudonym, library_fingerprint, plain_name
from ..evaluation.wording import CHECKED, NOT_TOLD, OTHER_LIBRARY

HASH_DIGITS = 12
"""48 bits: of thousands on either side, two have the same hash once in ten million times."""
SIMULATED = ""
"""In the place of a library's fingerprint, where all patients are simulated."""
SALTS_OF_SHIPPED = ("a3406a0aedf4",)
"""Sets of simulated patients in models that ship, from before sets named their library."""


def patients_record(library: CaseLibrary, parent: ModelCard | None) -> dict[str, Any]:
    """What the card's `training` says as "patients": a set of hashes of these, and the parent's sets.

    The hashes of a set stand in one text, in order, beside the fingerprint of the library that it is of, if that is
    known. complete: false where a patient is known by images alone, or the parent's card does not say who its patients
    were.
    """
    of_library = _library_of(library)
    hashed = _hashed({identity for case in library.cases for identity in _identities(case)})
    sets = [hashed if of_library is None else {**hashed, "library": of_library}]
    complete = all(_has_code(case) for case in library.cases)
    if parent is not None:
        known = parent.training.get("patients", {})
        sets += known.get("sets", [])
        complete = complete and known.get("complete", False)
    return {"sets": sets, "complete": complete}


def known_patients(card: ModelCard, library: CaseLibrary) -> tuple[set[str], bool]:
    """Patients of the library that the model has learned from, and whether all of those would be recognized."""
    return recorded_patients(card.training.get("patients", {}), library)


def recognition_text(card: ModelCard, all_recognized: bool) -> str:
    """Whether all whom the model has learned from would be recognized: CHECKED, OTHER_LIBRARY or NOT_TOLD."""
    if all_recognized:
        return CHECKED
    return OTHER_LIBRARY if card.training.get("patients", {}).get("complete") else NOT_TOLD


def recorded_patients(record: Mapping[str, Any], library: CaseLibrary) -> tuple[set[str], bool]:
    """Patients of the library that a `patients_record` holds, and whether all that it is of would be recognized: not
    those of a hospital in another library than that of the record."""
    known: set[str] = set()
    of_library = _library_of(library)
    complete = record.get("complete", False)
    for one in record.get("sets", []):
        match one:
            case {"salt": str(salt), "hashes": str(text)}:
                of_set = one.get("library", SIMULATED if salt in SALTS_OF_SHIPPED else "not told")
                complete = complete and (of_library == SIMULATED or of_set in (SIMULATED, of_library))
                hashes = {text[start : start + HASH_DIGITS] for start in range(0, len(text), HASH_DIGITS)}
                known |= {
                    case.patient
                    for case in library.cases
                    if any(_hash(salt, identity) in hashes for identity in _identities(case))
                }
    return known, complete


def shared_patients(library: CaseLibrary, other: CaseLibrary) -> set[str]:
    """Patients of the library whom the other one has, too: by their name, however it is spelt, or by an image. So a
    patient with another pseudonym in each is found where an image is in both.
    """
    names = {plain_name(patient) for patient in other.patients}
    images = {case.pixel_hash for case in other.cases if case.pixel_hash}
    return {case.patient for case in library.cases if plain_name(case.patient) in names or case.pixel_hash in images}


def _library_of(library: CaseLibrary) -> str | None:
    """The fingerprint by which its patients are told; None where they are not all told by its pseudonyms."""
    patients = {case.patient for case in library.cases if not case.is_simulated}
    if not patients:
        return SIMULATED
    return library_fingerprint(library.folder) if all(map(is_pseudonym, patients)) else None


def _identities(case: Case) -> Iterator[str]:
    if _has_code(case):
        yield case.patient
    if case.pixel_hash:
        yield case.pixel_hash


def _has_code(case: Case) -> bool:
    return case.is_simulated or is_pseudonym(case.patient)


def _hashed(identities: Iterable[str]) -> dict[str, str]:
    """The salt follows from the identities: the same training gives the same bytes, another one other hashes."""
    identities = sorted(identities)
    salt = hashlib.sha256("\n".join(identities).encode()).hexdigest()[:HASH_DIGITS]
    return {"salt": salt, "hashes": "".join(sorted(_hash(salt, identity) for identity in identities))}


def _hash(salt: str, identity: str) -> str:
    return hashlib.sha256(f"{salt}\n{identity}".encode()).hexdigest()[:HASH_DIGITS]
