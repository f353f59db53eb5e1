"""Tables in workbooks (.xlsx), as organisers hand them out."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ACNetLib.errors import ACNetError

from ..cases.table import Table, table_of

LARGEST_UNPACKED_BYTES = 50_000_000
MOST_ROWS, MOST_COLUMNS = 100_000, 200


def read_workbook(path: Path, expected: Sequence[str] = ()) -> Table:
    """The first sheet of a workbook, by openpyxl; formulas by the values that were saved with them.

    Raises ACNetError for a file that is none or is larger than such a table, and as `cases.table.read_table` does.
    """
    _check_size(path)
    from openpyxl import load_workbook

    try:
        book = load_workbook(path, read_only=True, data_only=True)
        try:
            cells = book.worksheets[0].iter_rows(max_row=MOST_ROWS, max_col=MOST_COLUMNS, values_only=True)
            lines = [[_text(cell) for cell in row] for row in cells]
        finally:
            book.close()
    except Exception as error:  # openpyxl raises what its parsers do
        raise _no_workbook(path) from error
    width = max((number for line in lines for number, cell in enumerate(line, start=1) if cell), default=0)
    return table_of(path, [line[:width] for line in lines], expected)


def _check_size(path: Path) -> None:
    """A workbook is a ZIP archive, which says how large its parts become."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except OSError as error:
        raise ACNetError(f"{path}: it can't be read ({error.strerror}); expected a workbook or CSV.") from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise _no_workbook(path) from error
    if unpacked > LARGEST_UNPACKED_BYTES:
        raise ACNetError(f"{path}: unpacked it has {unpacked} bytes; expected a table of at most 50 MB.")


def _no_workbook(path: Path) -> ACNetError:
    return ACNetError(f"{path}: no workbook that can be read; expected .xlsx. Save its sheet as 'CSV UTF-8'.")


def _text(cell: object) -> str:
    """As the sheet shows it: 7 for 7.0."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell.date().isoformat() if isinstance(cell, datetime) else str(cell).strip()
