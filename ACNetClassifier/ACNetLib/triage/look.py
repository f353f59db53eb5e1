"""The looks for studies: when the last one was, and what has stood in the way since, which the list's page tells, for
a list that nobody brings up to date any more looks like any other; and whether a study has stayed the same between two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ACNetLib.errors import ACNetError
from ACNetLib.files import read_json, write_json

if TYPE_CHECKING:
    from ACNetLib.triage.studies import Study

LOOK_FILE = "look.json"
ARRIVING = "Its images are arriving: it is answered once they have stayed the same from one look to the next."


@dataclass(frozen=True)
class Look:
    """time: when the studies were looked for last, with success; "" if never. trouble: sentences without a patient."""

    time: str = ""
    trouble: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        write_json(folder / LOOK_FILE, {"time": self.time, "trouble": self.trouble})


NEVER = Look()


def look_now(trouble: tuple[str, ...]) -> Look:
    return Look(datetime.now().astimezone().isoformat(" ", "seconds"), trouble)


def last_look(folder: Path) -> Look:
    """That of a list; none of one of an earlier version, or where its file is damaged."""
    try:
        values = read_json(folder / LOOK_FILE, "")
        return Look(str(values["time"]), tuple(map(str, values["trouble"])))
    except (ACNetError, KeyError, TypeError):
        return NEVER


def has_settled(study: Study, name: str, seen: dict[str, str]) -> bool:
    """Whether a study's images are those of the look before; seen: the states then, and afterwards now, by its name."""
    try:
        state = study.state()
    except OSError:  # its answer says what is wrong
        return True
    before, seen[name] = seen.get(name), state
    return before == state
