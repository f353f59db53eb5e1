"""The one family of errors that a user can cause, and how its text is shown."""

from __future__ import annotations

LONGEST_LINE = 400
_KEPT_START, _GAP = 250, " [...] "


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
        """A line for each thing that is wrong, as commands print them."""
        *first, last = map(str, self.args or ("",))
        return (*map(one_line, first), one_line(f"{last} {self.cli}".strip()))

    @property
    def shown(self) -> str:
        """All lines without the command's options, as a panel shows them."""
        return "\n".join(one_line(str(part)) for part in self.args)


class VentricleNotFound(ACNetError):
    """On no section of a T1 map the left ventricle is known. Other maps of the same exam can still be classified."""


def escaped(text: str) -> str:
    """Names from headers, tables and files are in a message: what would end the line, rewrite it on a terminal or turn
    its reading direction is shown as Python writes it, such as \\n.
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "replace").decode() for letter in text
    )


def one_line(text: str) -> str:
    """A text as one line of at most LONGEST_LINE characters. A longer one loses its middle: its end has the remedy."""
    line = escaped(text)
    if len(line) <= LONGEST_LINE:
        return line
    return line[:_KEPT_START] + _GAP + line[-(LONGEST_LINE - _KEPT_START - len(_GAP)) :]
