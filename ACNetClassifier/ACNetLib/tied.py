"""Runs a module that ends when the process that started it wants it to, or is gone: its standard input closes then.

    python -m ACNetLib.tied SECONDS MODULE ARGUMENTS...

The module has so many seconds to end as after SIGTERM. Slicer's own Python is started by a launcher (CTK's AppLauncher,
Slicer 5.12): a signal ends the launcher alone, and what it started goes on. The launcher hands on its standard input.
"""

from __future__ import annotations

import _thread
import os
import runpy
import signal
import sys
import threading
import time

ENDED = 3
"""The exit code of a command that was stopped, for a module that did not end by itself."""


def _end_with(watched: int, seconds: float) -> None:
    while os.read(watched, 1 << 12):  # nothing is written to it
        pass
    if seconds > 0:
        if hasattr(signal, "pthread_kill"):  # it also wakes a main thread that waits
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        else:
            _thread.interrupt_main()
        time.sleep(seconds)
    os._exit(ENDED)


def main(seconds: str, module: str, *arguments: str) -> None:
    watched, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # processes that the module starts must not wait for the same input
    os.close(nothing)
    threading.Thread(target=_end_with, args=(watched, float(seconds)), daemon=True).start()
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
