"""Ctrl-C and SIGTERM in the moments that they must not cut."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Ctrl-C and SIGTERM come after the block, which is short.

    For what they would leave half done: a folder that is made and not yet known, files that are being removed, the
    import of VTK's modules (slicer-core 5.13), which they would end in an ImportError or a crash. Handlers wait, not
    the signals themselves: a process may have other threads, to which the system gives a signal that this one blocks.
    """
    if threading.current_thread() is not threading.main_thread():  # interrupts reach the main thread alone
        yield
        return
    came: list[int] = []
    before = {number: handler for number in INTERRUPTS if (handler := signal.getsignal(number)) is not None}
    try:
        for number in before:
            signal.signal(number, lambda number, _frame: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
