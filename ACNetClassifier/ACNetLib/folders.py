"""Which files lie in a folder and its subfolders, also where links lead: archives may keep images elsewhere, as datalad
and linked exports do.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

Choose = Callable[[str, list[str], list[str]], None]
"""Gets a folder with the names of its folders and files, and takes out what is not looked at."""


def pass_over(error: OSError) -> None:
    """What may not be looked into, or is gone, is left out; a disk that fails is an error."""
    if not isinstance(error, PermissionError | FileNotFoundError):
        raise error


def files_in(
    folder: Path,
    choose: Choose = lambda _place, _folders, _files: None,
    refuse: Callable[[OSError], None] = pass_over,
) -> Iterator[Path]:
    """Each file once, by its path without a link where there is one; hidden ones are passed over.

    A folder that is reached again, as by a link to one above it, is not entered again. refuse: gets a folder that can't
    be looked through, and a link that leads nowhere; it may raise.
    """
    walked: set[str] = set()
    folders_left, links = deque([folder]), list[Path]()
    while folders_left:
        for place, folders, files in os.walk(folders_left.popleft(), onerror=refuse):
            real = os.path.realpath(place)
            if real in walked:
                folders.clear()
                continue
            walked.add(real)
            for names in (folders, files):
                names[:] = sorted(name for name in names if not name.startswith("."))
            choose(place, folders, files)
            folders_left += (path for name in folders if (path := Path(place, name)).is_symlink())
            for path in (Path(place, name) for name in files):
                if path.is_symlink():
                    links.append(path)
                else:
                    yield path
    targets: set[str] = set()
    for link in links:
        real = os.path.realpath(link)
        if not os.path.exists(real):
            refuse(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(link)))
        elif real not in targets and os.path.dirname(real) not in walked:
            targets.add(real)
            yield link
