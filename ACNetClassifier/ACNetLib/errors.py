"""The one family of errors that a user can cause, and how its text is shown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection

LONGEST_LINE, MOST_LINES = 400, 24
LONGEST_WORD = 250
"""Without a blank, such as a path: in a longer line a longer one loses its middle."""
_GAP = " [...] "
_OPTION = re.compile(r"(?<!\S)--([a-z][a-z0-9-]*)")


class ACNetError(Exception):
    """A user's error. Its text names the file or field, what was found, what was expected and what to do.

    Where several things are wrong at once, such as rows of a table, each is an argument of its own. cli, panel: what to
    do where the command and Slicer's panel differ: a sentence with an option, and the key of a sentence in
    `ACNetLib.panel.texts.remedy_text`, which is translated.
    """

    def __init__(self, *parts: object, cli: str = "", panel: str = "") -> None:
        super().__init__(*parts)
        self.cli, self.panel = cli, panel

    def __str__(self) -> str:
        return " ".join(escaped(str(part)) for part in (*self.args, self.cli) if part != "")

    @property
    def lines(self) -> tuple[str, ...]:
        """Lines for each thing that is wrong, as a command prints them that has the options that `cli` names."""
        *first, last = map(str, self.args or ("",))
        return tuple(line for part in (*first, f"{last} {self.cli}".strip()) for line in lines_of(part))

    def lines_for(self, options: Collection[str]) -> tuple[str, ...]:
        """What a command prints that has these options, by their names in the parser's result: a remedy that names
        others can't be followed, and is left out."""
        is_possible = all(name.replace("-", "_") in options for name in _OPTION.findall(self.cli))
        return self.lines if is_possible else self._without_options

    @property
    def shown(self) -> str:
        """All lines without the command's options, as a panel shows them."""
        return "\n".join(self._without_options)

    @property
    def plain(self) -> str:
        """The same as one text, to be a part of another."""
        return " ".join(self._without_options)

    @property
    def _without_options(self) -> tuple[str, ...]:
        return tuple(line for part in self.args for line in lines_of(str(part)))


class NotReferable(ACNetError):
    """No DICOM object can refer to the images of a map as they are; a result without objects can still be written."""


class VentricleNotFound(ACNetError):
    """On no section of a T1 map the left ventricle is known. Other maps of the same exam can still be classified."""


class NotNow(ACNetError):
    """What is asked may be possible later: when a disk is connected again, or another process has ended."""


def as_text(name: str) -> str:
    """The name of a file as what can be written and shown: bytes in it that are no text (Linux) become question
    marks."""
    return name.encode("utf-8", "replace").decode("utf-8")


def escaped(text: str) -> str:
    """Names from headers, tables and files are in a message: what would end the line, rewrite it on a terminal or turn
    its reading direction is shown as Python writes it, such as \\n.
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in as_text(text)
    )


def lines_of(text: str) -> tuple[str, ...]:
    """A text as lines of at most LONGEST_LINE characters, a list's items (separated by "; ") in lines of their own.

    Nothing is left out but the middle of a word that no person wrote, and of a text of more than MOST_LINES.
    """
    line = escaped(text)
    if len(line) > LONGEST_LINE:
        line = re.sub(rf"\S{{{LONGEST_WORD + 1},}}", lambda word: shortened(word[0], LONGEST_WORD), line)
    if len(line) <= LONGEST_LINE:
        return (line,)
    items = re.split("(?<=;) ", line)
    lines = [part for item in items for part in textwrap.wrap(item, LONGEST_LINE, break_on_hyphens=False)]
    half = MOST_LINES // 2
    if len(lines) > MOST_LINES:
        lines = [*lines[: half - 1], f"[and {len(lines) - MOST_LINES + 1} more lines]", *lines[-half:]]
    return tuple(lines)


def one_line(text: str) -> str:
    """A text as one line of at most LONGEST_LINE characters, where there is room for one alone; else see `lines_of`."""
    return shortened(escaped(text), LONGEST_LINE)


def shortened(text: str, longest: int) -> str:
    """A longer text without its middle: its end tells most, such as a file's name or the remedy."""
    if len(text) <= longest:
        return text
    start = longest * 5 // 8
    return text[:start] + _GAP + text[start + len(_GAP) - longest :]
