"""What to say when PyTorch can't be loaded, or its device has no memory left. It needs no PyTorch."""

from __future__ import annotations

import traceback
from importlib.metadata import PackageNotFoundError, version

from ACNetLib.errors import ACNetError

INSTALL_AGAIN = (
    "Install it again (in Slicer: module PyTorch Util, Uninstall PyTorch, restart, Install PyTorch; "
    "else pip install --force-reinstall torch)."
)
OLDEST_TORCH = (2, 6)
MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory")
"""Of CUDA and MPS; of the processor on Linux; of the processor on Windows."""


def torch_error(error: BaseException) -> ACNetError | None:
    """One sentence and its remedy; None where the error is another one."""
    if is_out_of_memory(error):
        return ACNetError(
            f"PyTorch: the device has too little memory ({_first_line(error)}). Close other programs that use it, "
            "choose the processor as device, or for a training a smaller batch_size.",
            cli="The processor is --device cpu.",
        )
    if not isinstance(error, ImportError | OSError | AttributeError | NameError | RuntimeError):
        return None
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        return ACNetError(f"PyTorch is not installed. {INSTALL_AGAIN}")
    if not _was_loading_torch(error):
        return None
    return ACNetError(f"PyTorch is installed but can't be loaded ({_first_line(error)}){_age()}. {INSTALL_AGAIN}")


def is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and any(words in str(error) for words in MEMORY_WORDS)


def _was_loading_torch(error: BaseException) -> bool:
    """Whether the error came out of the import of torch itself, such as of a library that it lacks."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    names = [str(frame.f_globals.get("__name__", "")).partition(".")[0] for frame in frames]
    importing = any(
        frame.f_code.co_name == "<module>" and name == "torch" for frame, name in zip(frames, names, strict=True)
    )
    return importing or (isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "torch")


def _age() -> str:
    try:
        found = version("torch")
    except PackageNotFoundError:
        return ""
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    return f"; it is version {found}, expected at least 2.6" if numbers < OLDEST_TORCH else ""


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
