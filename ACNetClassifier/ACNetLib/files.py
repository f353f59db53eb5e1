"""Files that are either whole or not there: written beside their place, flushed, then moved onto it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from ACNetLib.errors import ACNetError


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
