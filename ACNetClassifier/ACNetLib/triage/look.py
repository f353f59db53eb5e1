"""The looks for studies: when the last one was, and what has stood in the way since, which the list's page tells, for
a list that nobody brings up to date any more looks like any other; and whether a study has stayed the same between two.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ACNetLib.errors import ACNetError
from ACNetLib.files import read_json, write_json

if TYPE_CHECKING:
    from ACNetLib.triage.studies import Study

LOOK_FILE = "look.json"
HOW_TO_READ = "Ask for the right to read; mend links that lead nowhere and copy damaged images again."
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


@dataclass
class PassedOver:
    """What a look for studies finds and can't answer. unread: what is there and can't be read. missing: paths in a text
    file that lead to no file. others: how many DICOM images there are of each other modality.
    """

    unread: list[Path] = field(default_factory=list)
    missing: list[Path] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)

    def trouble(self, source: Path) -> tuple[str, ...]:
        """What readers of the list should know, without names of files: it may lack something."""
        found = []
        if self.unread:
            count = counted(len(self.unread), "file or folder", "files or folders")
            found.append(f"{source}: {count} can't be read; no study leaves the list meanwhile. {HOW_TO_READ}")
        if self.missing:
            paths = counted(len(self.missing), "path leads", "paths lead")
            found.append(f"{source.name}: {paths} to no file, so a study may lack slices.")
        return tuple(found)

    def notes(self, source: Path) -> tuple[str, ...]:
        """What whoever makes the list should know."""
        found = [*self.trouble(source)]
        if self.missing:
            found[-1] += f" The first is {self.missing[0]}; relative paths begin at the folder of {source.name}."
        if self.others:
            of_each = ", ".join(f"{count} of {modality}" for modality, count in sorted(self.others.items()))
            found.append(f"{source}: DICOM images of other modalities than MR were passed over ({of_each}).")
        return tuple(found)


def counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def has_settled(study: Study, name: str, seen: dict[str, str]) -> bool:
    """Whether a study's images are those of the look before; seen: the states then, and afterwards now, by its name."""
    try:
        state = study.state()
    except OSError:  # its answer says what is wrong
        return True
    before, seen[name] = seen.get(name), state
    return before == state
