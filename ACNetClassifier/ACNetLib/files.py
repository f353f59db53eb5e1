"""Files that are either whole or not there: written beside their place, flushed, then moved onto it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from ACNetLib.errors import ACNetError

LONGEST_NAME = 100
RESERVED_NAMES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # on Windows


def is_plain_name(text: str) -> bool:
    """Whether a text from a table, a header or a person can be the name of one file, on every system.

    Letters of all scripts, digits, blanks and signs; nothing that leads elsewhere, is hidden, reserved or an option.
    """
    return (
        0 < len(text) <= LONGEST_NAME
        and text.isprintable()
        and not re.search(r'[\\/:*?"<>|]', text)
        and text == text.strip()
        and not text.startswith((".", "-"))
        and not text.endswith(".")
        and not RESERVED_NAMES.fullmatch(text)
    )


def is_relative_name(text: str) -> bool:
    """Whether a text names a file within a folder: plain names with slashes between (backslashes are taken too)."""
    return bool(text) and all(is_plain_name(part) for part in re.split(r"[\\/]", text) if part != ".")


def require_plain_name(text: str, place: str) -> None:
    """Raise ACNetError, which begins with `place`, unless the text can be the name of a file."""
    if not is_plain_name(text):
        raise ACNetError(
            f"{place} is {text!r}; expected a plain name of at most {LONGEST_NAME} letters, without slashes, colons "
            "and the like. Give another name."
        )


def require_empty_folder(folder: Path) -> None:
    """Raise ACNetError unless `folder` is new or empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ACNetError(
            f"{folder}: exists already and is not an empty folder; nothing is overwritten. "
            "Give another output or remove it first."
        )


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder, with the same suffixes, that replaces `path` when the block succeeds.

    The block creates the file, so that it gets the usual permissions. When the block raises, `path` stays what it was
    and the temporary file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".writing-{uuid4().hex}{''.join(path.suffixes)}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text_atomically(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
