"""The reference T1 of each scanner, remembered in one small file beside the user's own models.

A scanner is its manufacturer and model, as DICOM headers name them, and its field strength: nothing of a patient.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ACNetLib.errors import ACNetError
from ACNetLib.files import write_text_atomically
from ACNetLib.models.store import FOLDER_VARIABLE, user_models_folder
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.t1map.field_strength import nominal_field_strength

if TYPE_CHECKING:
    from ACNetLib.t1map.t1_map import T1Map

FILE_NAME = "reference-t1.json"
FORMAT_VERSION = 1
LONGEST_WAIT_S = 10

References: TypeAlias = dict[tuple[str, float], ReferenceT1]
"""By scanner and field strength in tesla."""


def references_file() -> Path:
    """Where the references are remembered; it need not exist."""
    return user_models_folder() / FILE_NAME


def remembered_references() -> References:
    """All of them, in the order of the file. Raises ACNetError when the file is damaged."""
    path = references_file()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format_version"] != FORMAT_VERSION:
            raise ValueError(f"its format is {content['format_version']!r}")
        return {
            (str(each["scanner"]), float(each["field_strength_tesla"])): ReferenceT1(
                each["mean_ms"], each["sd_ms"], "remembered"
            )
            for each in content["references"]
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError, ACNetError) as error:
        raise ACNetError(
            f"{path}: the remembered reference T1 can't be read ({error}). Correct or delete the file."
        ) from error


def reference_for(t1_map: T1Map, given: ReferenceT1 | None) -> ReferenceT1 | None:
    """The reference that a person gives with the map, else the one that is remembered for its scanner, else none."""
    if given is not None or not t1_map.scanner or t1_map.field_strength_tesla is None:
        return given
    references = remembered_references()
    return references.get(_key(references, t1_map.scanner, t1_map.field_strength_tesla))


def remember_reference(scanner: str, field_strength_tesla: float, reference: ReferenceT1) -> Path:
    """Remember it for this scanner, in place of an earlier one; returns the file.

    Raises ACNetError when the file is damaged or can't be written.
    """
    with _changing() as references:
        references[_key(references, scanner, field_strength_tesla)] = replace(reference, source="remembered")
    return references_file()


def forget_reference(scanner: str, field_strength_tesla: float) -> Path:
    """Raises ACNetError when none is remembered for this scanner, and like `remember_reference`."""
    with _changing() as references:
        key = _key(references, scanner, field_strength_tesla)
        if key not in references:
            known = "; ".join(f"{name}, {field:g} T" for name, field in references) or "none"
            raise ACNetError(f"reference T1: none is remembered for {key[0]}, {key[1]:g} T; there are {known}.")
        del references[key]
    return references_file()


def _key(references: References, scanner: str, field_strength_tesla: float) -> tuple[str, float]:
    """As the references have it: scanners differ neither by capitals and spaces, nor by 1.494 for 1.5 T."""
    name = " ".join(scanner.split())
    field = nominal_field_strength(field_strength_tesla)
    same = (key for key in references if key[0].casefold() == name.casefold() and key[1] == field)
    return next(same, (name, field))


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
                {"scanner": scanner, "field_strength_tesla": field, "mean_ms": each.mean_ms, "sd_ms": each.sd_ms}
                for (scanner, field), each in references.items()
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
