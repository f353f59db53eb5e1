"""Who may change a case library: one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ACNetLib.errors import ACNetError

from .library import TABLE_NAME, read_case_table

LOCK_NAME = "cases.lock"
LONGEST_WAIT_S = 600
"""Adding thousands of cases takes minutes."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """While the block runs, no other process changes the library.

    Raises ACNetError for a folder that is none or may not be changed, and when another process takes too long.
    """
    from filelock import FileLock, Timeout  # Slicer brings none, and loads this file before ACNet's dependencies

    read_case_table(folder)  # no lock is left behind in a folder that is no library
    try:
        lock = FileLock(folder / LOCK_NAME)
        try:
            lock.acquire(timeout=LONGEST_WAIT_S)
        except Timeout as error:
            raise ACNetError(
                f"{folder}: another process has been changing it for {LONGEST_WAIT_S} s; try again when it has ended."
            ) from error
        try:
            yield
        finally:
            lock.release()
    except OSError as error:
        raise not_writable(folder, error) from error


def not_writable(folder: Path, error: OSError) -> ACNetError:
    return ACNetError(
        f"{folder}: it can't be changed ({error.strerror}); close {TABLE_NAME} where it is open, or ask for the right "
        "to change the folder."
    )
