"""What stands in a case library for a patient and for a date: nothing that leads back to them without the salt."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ACNetLib.errors import ACNetError
from ACNetLib.files import atomic_path

SALT_NAME = "patient-salt"
SALT_BYTES = 32
OWNER_ONLY = 0o600
PREFIX = "p-"  # a spreadsheet would take a bare hash such as 12e45 for a number
DIGITS = 16

QUARTER_DAYS = 91
START = date(1990, 1, 1)
SHIFT_DAYS = 3653
"""Quarters are counted from a secret day in the ten years before 1990."""


@dataclass(frozen=True)
class Pseudonyms:
    """The pseudonyms of one library: the same text always gives the same one, in another library another one."""

    salt: bytes

    def of_patient(self, text: str) -> str:
        """For a name or hospital number. Case and blanks don't count, so that "DOE  Jane" is "Doe Jane"."""
        return PREFIX + self._keyed_hash("patient", plain_name(text))[:DIGITS]

    def quarter_of(self, day: date) -> int:
        """How many periods of 13 weeks lie between a secret day and this one.

        Enough to see that one class was scanned years before the other; neither a day nor a year can be told from it.
        """
        shift = int(self._keyed_hash("first day of the first quarter", ""), 16) % SHIFT_DAYS
        return (day.toordinal() - START.toordinal() + shift) // QUARTER_DAYS

    @property
    def fingerprint(self) -> str:
        """By which a model tells the library again whose pseudonyms it knows; the salt does not follow from it."""
        return self._keyed_hash("library", "")[:DIGITS]

    def _keyed_hash(self, purpose: str, text: str) -> str:
        return hmac.new(self.salt, f"{purpose}\n{text}".encode(), hashlib.sha256).hexdigest()


def plain_name(text: str) -> str:
    """A name or hospital number without what does not count: case and blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def is_pseudonym(patient: str) -> bool:
    digits = patient.removeprefix(PREFIX)
    return patient.startswith(PREFIX) and len(digits) == DIGITS and set(digits) <= set("0123456789abcdef")


def create_pseudonyms(library_folder: Path) -> Pseudonyms:
    """Draw a salt and keep it in the library, readable by its owner only where the system can."""
    salt = secrets.token_bytes(SALT_BYTES)
    with (
        atomic_path(library_folder / SALT_NAME) as temporary,
        os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w") as file,
    ):
        file.write(f"{salt.hex()}\n")
    return Pseudonyms(salt)


def read_pseudonyms(library_folder: Path) -> Pseudonyms | None:
    """The library's pseudonyms, None where it has no salt. Raises ACNetError when its salt can't be read."""
    path = library_folder / SALT_NAME
    if not path.is_file():
        return None
    try:
        salt = bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as error:
        raise ACNetError(f"{path}: it can't be read ({error.strerror}); ask the library's owner for access.") from error
    except ValueError:
        salt = b""
    if len(salt) != SALT_BYTES:
        raise ACNetError(
            f"{path}: it is damaged; expected {2 * SALT_BYTES} hexadecimal digits. Restore it from a backup: with "
            "another salt, a patient who comes again would count as another one."
        )
    return Pseudonyms(salt)


def library_fingerprint(library_folder: Path) -> str | None:
    """That of the library's pseudonyms; None where it has no salt, or none that can be read."""
    try:
        pseudonyms = read_pseudonyms(library_folder)
    except ACNetError:  # who may not read it can train all the same
        return None
    return None if pseudonyms is None else pseudonyms.fingerprint
