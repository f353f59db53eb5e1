"""Shared libraries that are loaded ahead of the import statement that needs them, and then finds them loaded.

The statement would hold the interpreter lock while the system loads files of some hundred megabytes: the application
would stand still for a quarter of a second, for seconds from a slow disk. A function of a shared library that ctypes
calls gives the lock away.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
import threading
from pathlib import Path


def load_libraries(package: str, pattern: str) -> None:
    """Those files of a package that is not imported yet. Where it does not work, its import loads them as ever."""
    spec = importlib.util.find_spec(package)
    if sys.platform == "win32" or spec is None or not spec.submodule_search_locations:
        return
    load = ctypes.CDLL(None).dlopen
    load.argtypes, load.restype = [ctypes.c_char_p, ctypes.c_int], ctypes.c_void_p
    for file in sorted(Path(spec.submodule_search_locations[0]).glob(pattern)):
        load(os.fsencode(file), os.RTLD_NOW)


def load_scene_libraries_meanwhile() -> None:
    """Those of MRML and VTK, which a command needs at its end, while it computes: half of a second on a second core."""
    threading.Thread(target=load_libraries, args=("slicer_core", "*.so")).start()
