"""The card in the header of a model file, read with the standard library alone.

So models can be listed where torch is not installed, and what is no model file never reaches safetensors.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ACNetLib.errors import ACNetError

WEIGHTS_SUFFIX = ".safetensors"
METADATA_KEY = "acnet"
FORMAT_VERSION = 7
READABLE_FORMATS = (2, 3, 4, 5, 6, FORMAT_VERSION)
"""In format 2 a model was trained with every turn of the heart, of which the septum to the left is one. Up to format 3
the card says nothing of the heart's shape; in format 4 it has the same limits of it for hearts called normal and DCM.
Since format 6 weights may have 16 bits, since format 7 8 bits.
"""
OLDER_FORMATS = {1: "was trained on slices as they are stored, not along the anatomical axes"}
"""What makes a file of an older format unfit for this version."""
CLASSIFIER, LOCALIZER, COMPARISON = "classifier", "localizer", "comparison"
"""The kinds of network, as a card names them. A comparison's is trained to be compared with ACNet."""
LARGEST_FILE_BYTES = 100_000_000  # ACNet's has 1 MB
LARGEST_COMPARISON_BYTES = 300_000_000  # VGG16's has 130 MB
LARGEST_HEADER_BYTES = 1_000_000  # ACNet's has 80 kB
MOST_DIGITS = 20
DEEPEST_CARD = 10  # ACNet's has 7
LONGEST_TEXT = 2000  # of what is shown; the hashes of the patients in one text are longer
HASHES = "hashes"
LONGEST_NAME = 128

FIELD_TYPES: dict[str, tuple[type, str]] = {
    "name": (str, "a text"),
    "simulated": (bool, "true or false"),
    "training": (dict, "a table"),
    "metrics": (dict, "a table"),
    "licence": (str, "a text"),
    "intended_use": (str, "a text"),
    "weights_sha256": (str, "a text"),
}
"""Of the fields that every kind of card has, those that nothing else would refuse."""
CLASSIFIER_NUMBERS = ("field_strength_tesla", "training_prior_dcm")
"""Of a classifier's card, those that the panel shows before the rest is read."""

CardValues = dict[str, Any]


def read_card_values(path: Path, *, comparisons: bool = False) -> CardValues:
    """The card alone, as plain values. Raises ACNetError for a file that is missing, damaged, or none of ours.

    Networks of kind COMPARISON are only for those who ask for `comparisons`: the trainer.
    """
    path = Path(path)
    if not path.is_file():
        raise ACNetError(f"{path}: there is no such file; expected a model ({WEIGHTS_SUFFIX}).")
    largest = LARGEST_COMPARISON_BYTES if comparisons else LARGEST_FILE_BYTES
    try:
        size = path.stat().st_size
        header = _read_header(path, size, may_be_cut=size > largest)
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ACNetError(
            f"{path.name}: not a readable {WEIGHTS_SUFFIX} file ({error}); expected one that acnet-train wrote. "
            "Copy it again."
        ) from error
    card = _card_values(header, path.name)
    if not comparisons and card.get("kind") == COMPARISON:
        raise ACNetError(
            f"{path.name}: it holds a network that was trained to be compared with ACNet, which is the only one that "
            "classifies. Choose another model."
        )
    if size > largest:
        raise ACNetError(f"{path.name}: it has {size} bytes, at most {largest} are expected. Choose another model.")
    return card


def check_card_fields(card: CardValues, kind: str, expected: Iterable[str], name: str) -> None:
    """Raises ACNetError unless the card is of this kind of network and has exactly the expected fields."""
    found = card.get("kind", kind)
    if found != kind:
        raise ACNetError(f"{name}: it holds a {found}; expected a {kind}.")
    odd = sorted(set(card) ^ set(expected))
    if odd:
        raise ACNetError(f"{name}: its model card lacks or adds these fields: {', '.join(odd)}.")


def check_field_values(card: object, problems: Mapping[str, bool], name: str) -> None:
    """Raises ACNetError for the first field of the card that is wrong."""
    for field_name, wrong in problems.items():
        if wrong:
            raise ACNetError(f"{name}: field {field_name} of its model card is {getattr(card, field_name)!r}.")


def _read_header(path: Path, size: int, may_be_cut: bool) -> dict[str, Any]:
    """The header: its length in 8 bytes, little-endian, then JSON. Raises errors of many types when it is none.

    How the weights lie in the file is for safetensors to check; here only that none are missing at its end. A file that
    is too large to be used may be cut: its card still says what it is.
    """
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or not 0 < length <= min(size - 8, LARGEST_HEADER_BYTES):
            raise ValueError(_foreign_start(start, size))
        header = _parse(file.read(length).decode("utf-8"))
    if not isinstance(header, dict):
        raise TypeError("its header is no table")
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    if not may_be_cut and 8 + length + max(ends, default=0) != size:
        raise ValueError("its weights are cut off, or something follows them")
    return header


def _foreign_start(start: bytes, size: int) -> str:
    """What a file is whose first 8 bytes can't be the length of a header."""
    if start.startswith(b"PK"):
        return "it is a zip archive, as torch.save writes; such files can run code and are not opened"
    if start[:1] == b"\x80" and start[1:2] <= b"\x05":
        return "it is a pickle; such files can run code and are not opened"
    length = int.from_bytes(start, "little")
    return f"it has {size} bytes and a header of {length}, of which at most {LARGEST_HEADER_BYTES} are expected"


def _card_values(header: dict[str, Any], name: str) -> CardValues:
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or METADATA_KEY not in metadata:
        raise ACNetError(f"{name}: no model card found; expected a model file written by acnet-train.")
    try:
        card: CardValues = _parse(metadata[METADATA_KEY])
        version = card["format_version"]
        _check_limits(card)
        # They would reach the terminal and could rewrite what it shows.
        if not all(text.isprintable() for text in _texts([*header, card])):
            raise ValueError("it holds control characters")
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ACNetError(f"{name}: its model card is damaged ({error}). Copy the file again.") from error
    if version in OLDER_FORMATS:
        raise ACNetError(f"{name}: model format {version}: it {OLDER_FORMATS[version]}. Train it again.")
    if version not in READABLE_FORMATS:
        raise ACNetError(f"{name}: model format {version}; this version reads format {FORMAT_VERSION}. Update ACNet.")
    _check_fields(card, name)
    return card


def _check_limits(value: Any, depth: int = 0, key: str = "") -> None:
    """Raises ValueError for a card that the files and nodes of a result couldn't hold."""
    if depth > DEEPEST_CARD:
        raise ValueError(f"it is nested more than {DEEPEST_CARD} deep")
    if isinstance(value, str) and len(value) > LONGEST_TEXT and key != HASHES:
        raise ValueError(f"it has a text of {len(value)} characters, at most {LONGEST_TEXT} are expected")
    if isinstance(value, dict):
        for name, item in value.items():
            if len(name) > LONGEST_NAME:
                raise ValueError(f"it has a name of {len(name)} characters, at most {LONGEST_NAME} are expected")
            _check_limits(item, depth + 1, name)
    elif isinstance(value, list):
        for item in value:
            _check_limits(item, depth + 1)


def _check_fields(card: CardValues, name: str) -> None:
    for field, (expected, words) in FIELD_TYPES.items():
        if not isinstance(card.get(field), expected):
            found = repr(card[field]) if field in card else "missing"
            raise ACNetError(f"{name}: field {field} of its model card is {found}; expected {words}.")
    if len(card["name"]) > LONGEST_NAME:
        raise ACNetError(f"{name}: the name on its model card has {len(card['name'])} letters; at most {LONGEST_NAME}.")
    for field in CLASSIFIER_NUMBERS if card.get("kind", CLASSIFIER) == CLASSIFIER else ():
        if isinstance(card.get(field), bool) or not isinstance(card.get(field), int | float):
            found = repr(card[field]) if field in card else "missing"
            raise ACNetError(f"{name}: field {field} of its model card is {found}; expected a number.")


def _parse(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_unique, parse_int=_whole_number)


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers of a file may differ in which of two equal keys they believe."""
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise ValueError(f"it has {key!r} twice")
        table[key] = value
    return table


def _whole_number(text: str) -> int:
    """Python's whole numbers have no end, and those beyond the largest float fail wherever one is computed with."""
    if len(text) > MOST_DIGITS:
        raise ValueError(f"it has a number of {len(text)} digits")
    return int(text)


def _texts(value: Any) -> Iterator[str]:
    """Every text in plain values, the keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        yield from _texts([*value, *value.values()])
