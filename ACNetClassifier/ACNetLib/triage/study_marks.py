"""What lies in a study's folder beside its result, its row and a reader's mark; no library is needed to read it."""

from __future__ import annotations

import os
from pathlib import Path

from ACNetLib.files import read_json

READ_MARK = "read"
"""An empty file. It goes with the folder when a study is answered anew; two readers can mark at the same time."""
ROW_FILE = "row.json"
IS_DICOM = "is_dicom"
"""In it: whether the study is one of DICOM images."""
AGAIN = "Remove the study's folder and bring the list up to date."


def is_read(folder: Path) -> bool:
    return os.path.isfile(folder / READ_MARK)  # on a disk that was disconnected Path.is_file raises


def mark_read(folder: Path, has_read: bool) -> None:
    """Raises OSError where the folder can't be written."""
    if has_read:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / READ_MARK).touch()
    else:
        (folder / READ_MARK).unlink(missing_ok=True)


def is_of_dicom(folder: Path) -> bool:
    """Whether a study was read from DICOM images. Raises ACNetError where its row is damaged."""
    return bool(read_json(folder / ROW_FILE, AGAIN).get(IS_DICOM, True))  # older lists don't say it
