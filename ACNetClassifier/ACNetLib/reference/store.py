"""The reference T1 of each scanner, remembered in one small file beside the user's own models.

A scanner is its manufacturer and model, as DICOM headers name them, and its field strength: nothing of a patient. Each
of its sequences has a normal T1 of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ACNetLib.dicom.sequences import are_several
from ACNetLib.errors import ACNetError
from ACNetLib.files import write_text_atomically
from ACNetLib.models.store import FOLDER_VARIABLE, user_models_folder
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.t1map.field_strength import nominal_field_strength

if TYPE_CHECKING:
    from ACNetLib.t1map.t1_map import T1Map

FILE_NAME = "reference-t1.json"
FORMAT_VERSION = 2
"""1 had no sequences."""
LONGEST_WAIT_S = 10

Key: TypeAlias = tuple[str, float, str]
"""Scanner, field strength in tesla, and sequence, "" where it is not known."""
References: TypeAlias = dict[Key, ReferenceT1]


def references_file() -> Path:
    """Where the references are remembered; it need not exist."""
    return user_models_folder() / FILE_NAME


def remembered_references() -> References:
    """All of them, in the order of the file. Raises ACNetError when the file is damaged."""
    path = references_file()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format_version"] not in {1, FORMAT_VERSION}:
            raise ValueError(f"its format is {content['format_version']!r}")
        return {
            (str(each["scanner"]), float(each["field_strength_tesla"]), str(each.get("sequence", ""))): ReferenceT1(
                each["mean_ms"], each["sd_ms"], "remembered"
            )
            for each in content["references"]
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ACNetError) as error:
        raise ACNetError(
            f"{path}: the remembered reference T1 can't be read ({error}). Correct or delete the file."
        ) from error


def reference_for(t1_map: T1Map, given: ReferenceT1 | None) -> ReferenceT1 | None:
    """The reference that a person gives with the map, else the one that is remembered for its scanner and sequence.

    One that is remembered without a sequence holds for all of them; where the map does not tell its own, so does the
    only one of its scanner. None is remembered for maps that were fitted here: their scale is not the scanner's.
    """
    if given is not None or t1_map.fitted:
        return given
    references = _of_scanner(t1_map)
    if t1_map.sequence and t1_map.sequence in references:
        return replace(references[t1_map.sequence], source="remembered for its sequence")
    if not t1_map.sequence and len(references) == 1:
        return next(iter(references.values()))
    return references.get("")


def not_taken(t1_map: T1Map) -> tuple[str, ...]:
    """What to say where the scanner has references, and all are of other sequences than the map, or it was fitted
    here.
    """
    references = _of_scanner(t1_map)
    if not references or reference_for(t1_map, None) is not None:
        return ()
    scanner = f"{t1_map.scanner}, {t1_map.field_strength_tesla:g} T"
    own = f"is of {t1_map.sequence}" if t1_map.sequence else "does not tell its own"
    known = " and ".join(references)
    if t1_map.fitted:
        known, own = "the scanner's own maps", "has one that was fitted by ACNet"
    return (f"The reference T1 of {scanner}, is remembered for {known}, this exam {own}: it was not taken.",)


def remember_reference(scanner: str, field_strength_tesla: float, reference: ReferenceT1, sequence: str = "") -> Path:
    """Remember it for this scanner and sequence, in place of an earlier one; returns the file.

    Raises ACNetError for two sequences, and when the file is damaged or can't be written.
    """
    if are_several(sequence):
        raise ACNetError(
            f"reference T1: found the sequences {sequence}; expected one, for each has a normal T1 of its own."
        )
    with _changing() as references:
        references[_key(references, scanner, field_strength_tesla, sequence)] = replace(reference, source="remembered")
    return references_file()


def forget_reference(scanner: str, field_strength_tesla: float, sequence: str = "") -> Path:
    """Raises ACNetError when none is remembered for this scanner and sequence, and like `remember_reference`."""
    with _changing() as references:
        key = _key(references, scanner, field_strength_tesla, sequence)
        if key not in references:
            known = "; ".join(map(key_text, references)) or "none"
            raise ACNetError(f"reference T1: none is remembered for {key_text(key)}; there are {known}.")
        del references[key]
    return references_file()


def key_text(key: Key) -> str:
    scanner, field, sequence = key
    return ", ".join(filter(None, (scanner, f"{field:g} T", sequence)))


def _of_scanner(t1_map: T1Map) -> dict[str, ReferenceT1]:
    """Those of a map's scanner and field strength, by sequence; none where it does not tell both."""
    if not t1_map.scanner or t1_map.field_strength_tesla is None:
        return {}
    references = remembered_references()
    own = _key(references, t1_map.scanner, t1_map.field_strength_tesla)
    return {key[2]: each for key, each in references.items() if _is_same_scanner(key, own)}


def _key(references: References, scanner: str, field_strength_tesla: float, sequence: str = "") -> Key:
    """With the scanner as the references spell it: scanners differ neither by capitals and spaces, nor by 1.494 for
    1.5 T."""
    own = " ".join(scanner.split()), nominal_field_strength(field_strength_tesla), sequence
    spelled = next((key[0] for key in references if _is_same_scanner(key, own)), own[0])
    return spelled, own[1], sequence


def _is_same_scanner(key: Key, other: Key) -> bool:
    return key[0].casefold() == other[0].casefold() and key[1] == other[1]


@contextmanager
def _changing() -> Iterator[References]:
    """The references, written as the block leaves them: in one piece, and by one process at a time."""
    try:
        from filelock import FileLock, Timeout  # it comes with torch, which need not be there to read them
    except ModuleNotFoundError as error:
        raise ACNetError(
            "reference T1: the Python package filelock is not installed; expected it, as PyTorch brings it along. "
            "Install PyTorch: in Slicer, Apply offers it."
        ) from error

    path = references_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=LONGEST_WAIT_S):
            references = remembered_references()
            yield references
            rows = [
                {
                    "scanner": scanner,
                    "field_strength_tesla": field,
                    "sequence": sequence,
                    "mean_ms": each.mean_ms,
                    "sd_ms": each.sd_ms,
                }
                for (scanner, field, sequence), each in references.items()
            ]
            content = {"format_version": FORMAT_VERSION, "references": rows}
            write_text_atomically(path, json.dumps(content, indent=2) + "\n")
    except Timeout as error:
        raise ACNetError(
            f"{path}: another process has been changing it for {LONGEST_WAIT_S} s; try again when it has ended."
        ) from error
    except OSError as error:
        raise ACNetError(
            f"{path}: it can't be changed ({error.strerror}). Ask for the right to, or set {FOLDER_VARIABLE} to "
            "another folder."
        ) from error
