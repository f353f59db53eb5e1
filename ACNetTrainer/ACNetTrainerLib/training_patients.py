"""Which patients a model has learned from: hashes on its card, so that it is not judged on them.

A patient is known by the name in the case library. Simulated ones are named after their cohort's seed; others by a
pseudonym of their library, so the same person in two libraries is not recognized.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from ACNetLib.model import ModelCard

from .cases import CaseLibrary

HASH_DIGITS = 12
"""48 bits: of thousands of patients on either side, two have the same hash once in ten million times."""


def patients_record(library: CaseLibrary, parent: ModelCard | None) -> dict[str, Any]:
    """What the card's `training` says as "patients": a set of hashes of these, and the parent's sets.

    The hashes of a set stand in one text, in order. complete: false when the parent's card does not name its patients.
    """
    sets = [_hashed(library.patients)]
    complete = True
    if parent is not None:
        known = parent.training.get("patients", {})
        sets += known.get("sets", [])
        complete = known.get("complete", False)
    return {"sets": sets, "complete": complete}


def known_patients(card: ModelCard, library: CaseLibrary) -> tuple[set[str], bool]:
    """Patients of the library that the model has learned from, and whether the card names all that it has."""
    record = card.training.get("patients", {})
    known: set[str] = set()
    for one in record.get("sets", []):
        match one:
            case {"salt": str(salt), "hashes": str(text)}:
                hashes = {text[start : start + HASH_DIGITS] for start in range(0, len(text), HASH_DIGITS)}
                known |= {patient for patient in library.patients if _hash(salt, patient) in hashes}
    return known, record.get("complete", False)


def _hashed(patients: Iterable[str]) -> dict[str, str]:
    """The salt follows from the patients: the same training gives the same bytes, and equal names differ elsewhere."""
    patients = sorted(patients)
    salt = hashlib.sha256("\n".join(patients).encode()).hexdigest()[:HASH_DIGITS]
    return {"salt": salt, "hashes": "".join(sorted(_hash(salt, patient) for patient in patients))}


def _hash(salt: str, patient: str) -> str:
    return hashlib.sha256(f"{salt}\n{patient}".encode()).hexdigest()[:HASH_DIGITS]
