"""Disks that are full or gone, for tests."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a full disk, a larger file can't be written. Not on Windows."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def disconnected(folder: Path) -> Iterator[None]:
    """As if the network drive were gone on which the folder lies: the system answers with an error, not with no."""

    def refusing(ask: Callable) -> Callable:
        def answer(path: Any, *arguments: Any, **named: Any) -> Any:
            if isinstance(path, str | os.PathLike) and Path(path).is_relative_to(folder):
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
            return ask(path, *arguments, **named)

        return answer

    asked = (("os.stat", os.stat), ("os.scandir", os.scandir), ("io.open", io.open))
    with ExitStack() as patches:
        for name, ask in asked:
            patches.enter_context(patch(name, refusing(ask)))
        yield
