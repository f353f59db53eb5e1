"""CSV files that people edit in spreadsheets: read as they are saved there, written in one piece."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ACNetLib.errors import ACNetError
from ACNetLib.files import BYTE_ORDER_MARK, harmless_cell, is_formula, write_text_atomically

LARGEST_TABLE_BYTES = 50_000_000


@dataclass(frozen=True)
class Row:
    """One row below the header. number: as a spreadsheet shows it, the header being row 1. cells: without blanks."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """A table of text."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def place(self, row: Row) -> str:
        """How messages name a row."""
        return f"{self.path}, row {row.number}"


def read_table(path: Path, expected: Sequence[str] = ()) -> Table:
    """Read a CSV file as spreadsheets save it: UTF-8, with commas or semicolons, with or without a byte-order mark.

    Raises ACNetError for a file that is none, that lacks one of the `expected` columns, or with a row that is longer
    than its header.
    """
    try:
        if path.stat().st_size > LARGEST_TABLE_BYTES:
            raise ACNetError(f"{path}: it has {path.stat().st_size} bytes; expected a table of at most 50 MB.")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ACNetError(f"{path}: not UTF-8 text; save it as 'CSV UTF-8'.") from error
    except OSError as error:
        raise ACNetError(f"{path}: it can't be read ({error.strerror}); expected a CSV file.") from error
    header = text.partition("\n")[0]
    delimiter = ";" if ";" in header and "," not in header else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        lines = list(reader)
    except csv.Error as error:  # an unclosed quote swallows all lines below it
        raise ACNetError(
            f"{path}, line {reader.line_num}: no CSV ({error}). A quote before it is not closed, or stands within a "
            "cell; correct it in a text editor."
        ) from error
    return table_of(path, lines, expected)


def table_of(path: Path, lines: Sequence[Sequence[str]], expected: Sequence[str] = ()) -> Table:
    """The table of these lines, the first of which is the header. Raises ACNetError as `read_table` does."""
    columns = tuple(name.strip() for name in lines[0]) if lines else ()
    missing = [name for name in expected if name not in columns]
    if missing:
        raise ACNetError(f"{path}: columns {', '.join(missing)} are missing; expected {', '.join(expected)}.")
    twice = [name for name in columns if name and columns.count(name) > 1]
    if twice:
        raise ACNetError(f"{path}: column {twice[0]} is there twice; expected each once.")
    rows = []
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue  # an empty line counts in a spreadsheet, but holds nothing
        if len(cells) > len(columns):
            raise ACNetError(
                f"{path}, row {number}: found {len(cells)} cells; expected {len(columns)}, one for each column of the "
                "header. A comma within a cell must stand in quotes, and decimals have a point."
            )
        texts = [_plain(cell.strip()) for cell in cells] + [""] * len(columns)
        rows.append(Row(number, dict(zip(columns, texts, strict=False))))
    return Table(path, columns, tuple(rows))


def _plain(text: str) -> str:
    return text[1:] if text.startswith("'") and is_formula(text[1:]) else text


@contextmanager
def errors_at(place: str) -> Iterator[None]:
    """Puts the place in front of what an ACNetError says."""
    try:
        yield
    except ACNetError as error:
        raise ACNetError(f"{place}: {error.plain}", cli=error.cli, panel=error.panel) from error


def write_table(path: Path, columns: Iterable[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a CSV file in one piece. Texts that a spreadsheet would compute get an apostrophe, as there by hand.

    A table of ASCII needs no byte-order mark: those of numbers stay as other programs read them.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: harmless_cell(value) for name, value in row.items()} for row in rows)
    content = text.getvalue()
    write_text_atomically(path, content if content.isascii() else BYTE_ORDER_MARK + content)
