"""Files and folders that are either whole or not there: written beside their place, flushed, then moved onto it."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias
from uuid import uuid4

from ACNetLib.errors import ACNetError, as_text
from ACNetLib.interrupts import interrupts_wait

UNFINISHED = ".writing-"
"""How the names of unfinished files and folders begin. They are left behind only by a process that was killed."""
PROBE_BYTES = 64 * 1024
SECONDS_TO_REPLACE = 1.5
WORLD_ERRORS = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "ENAMETOOLONG", "ENOTDIR", "EIO", "ESTALE")
    if hasattr(errno, name)
}
"""A full, broken or vanished disk, missing rights, impossible paths: nothing that this software could mend."""
FileState: TypeAlias = tuple[int, int] | None
"""Its size and the time of its last change; None for no file, also where its disk was disconnected."""
LONGEST_NAME = 100
BYTE_ORDER_MARK = "\ufeff"
"""At the beginning of a table: without it Excel on Windows does not take UTF-8 for UTF-8."""
FORMULA_STARTS = ("=", "+", "-", "@")
"""With these a spreadsheet takes a text for something to compute (OWASP, CSV injection)."""
RESERVED_NAMES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # on Windows


def is_plain_name(text: str) -> bool:
    """Whether a text from a table, a header or a person can be the name of one file, on every system.

    Letters of all scripts, digits, blanks and signs; nothing that leads elsewhere, is hidden, reserved or an option.
    """
    return (
        0 < len(text) <= LONGEST_NAME
        and text.isprintable()
        and not re.search(r'[\\/:*?"<>|]', text)
        and text == text.strip()
        and not text.startswith((".", "-"))
        and not text.endswith(".")
        and not RESERVED_NAMES.fullmatch(text)
    )


def is_relative_name(text: str) -> bool:
    """Whether a text names a file within a folder: plain names with slashes between (backslashes are taken too)."""
    return bool(text) and all(is_plain_name(part) for part in re.split(r"[\\/]", text) if part != ".")


def state_of_file(file: Path) -> FileState:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def require_plain_name(text: str, place: str) -> None:
    """Raise ACNetError, which begins with `place`, unless the text can be the name of a file."""
    if not is_plain_name(text):
        raise ACNetError(
            f"{place} is {text!r}; expected a plain name of at most {LONGEST_NAME} letters, without slashes, colons "
            "and the like. Give another name."
        )


def harmless_cell(value: object) -> object:
    """A text as spreadsheets show it and don't compute it; numbers may be negative."""
    return f"'{value}" if isinstance(value, str) and is_formula(value) else value


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would compute the text of a cell."""
    if not text.lstrip().startswith(FORMULA_STARTS):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False


def require_empty_folder(folder: Path) -> None:
    """Raise ACNetError unless `folder` is new or empty and can be written. Nothing is left behind."""
    require_text_path(folder.absolute())
    if os.path.lexists(folder) and (not os.path.isdir(folder) or any(_finished(folder))):
        raise ACNetError(
            f"{folder}: exists already and is not an empty folder; nothing is overwritten. "
            "Give another output or remove it first."
        )
    require_writable(folder / "file")


def require_text_path(path: Path) -> None:
    """Raise ACNetError for a path with bytes that are no text (Linux), which no library of images takes."""
    if as_text(str(path)) != str(path):
        raise ACNetError(f"{path}: bytes in it are no text; expected a path in UTF-8. Rename it, or give another.")


def require_writable(*paths: Path | None) -> None:
    """Raise ACNetError unless each file can be written there: asked before long work. Nothing is left behind."""
    for path in paths:
        if path is not None:
            with interrupts_wait():
                _try_writing(path)


def _try_writing(path: Path) -> None:
    """In the nearest folder that exists: folders made and removed here would come between other processes' folders."""
    require_text_path(path.absolute())
    place = next((parent for parent in path.parents if os.path.exists(parent)), path.parent)
    probe = _beside(place / path.name)
    try:
        _check_name(path)
        for name in path.relative_to(place).parts:
            _check_name(place / name)
        if path.is_dir():
            raise ACNetError(f"{path}: it is a folder; expected a file to write. Give another output.")
        with probe.open("wb") as file:
            file.write(bytes(PROBE_BYTES))
    except OSError as error:
        raise ACNetError(not_written(path, error)) from error
    finally:
        with suppress(OSError):  # the place may be impossible
            probe.unlink(missing_ok=True)


def _check_name(path: Path) -> None:
    """Raises OSError for a name that is longer than the system takes, or a place beneath a file."""
    with suppress(FileNotFoundError):
        os.lstat(path)


def not_written(path: Path | str, error: OSError) -> str:
    """What to say of a file that the system does not let us write."""
    return f"{path}: it can't be written ({error.strerror or error}). Make room, or give another output."


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder, with the same suffixes, that replaces `path` when the block succeeds.

    The block creates the file, so that it gets the usual permissions. When the block raises, `path` stays what it was
    and the temporary file is removed; an OSError about that names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        yield temporary
        if not _is_unfinished(path.parent):
            _flush(temporary)
        _replace(temporary, path)
    except OSError as error:
        if error.filename == str(temporary):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        with interrupts_wait():
            temporary.unlink(missing_ok=True)


def _replace(temporary: Path, path: Path) -> None:
    """Windows replaces no file that is open elsewhere: in Excel it stays so, for whoever reads it a moment."""
    end = time.monotonic() + SECONDS_TO_REPLACE
    while True:
        try:
            temporary.replace(path)
        except PermissionError:
            if time.monotonic() > end:
                raise
            time.sleep(SECONDS_TO_REPLACE / 10)
        else:
            return


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes `folder` when the block succeeds; when it raises, nothing is left of it.

    Raises ACNetError unless `folder` is new or empty and can be written.
    """
    require_empty_folder(folder)
    is_there = folder.is_dir()  # perhaps a mounted disk, which can't be replaced: its files are moved into it
    temporary = folder / f"{UNFINISHED}{uuid4().hex}" if is_there else _beside(folder)
    if is_there:
        for left in folder.iterdir():  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if not _is_unfinished(folder.parent):
            flush_all(temporary)
        if is_there:
            _move_all(temporary, folder)
        else:
            temporary.replace(folder)
    finally:
        with interrupts_wait():
            shutil.rmtree(temporary, ignore_errors=True)


def flush_all(folder: Path) -> None:
    """Bring the files of a finished folder to the disk, before it takes its place: all at once takes a fifth of the
    time of one after the other.
    """
    with ThreadPoolExecutor() as pool:
        list(pool.map(_flush, (file for file in folder.rglob("*") if file.is_file())))


def _flush(file: Path) -> None:
    # Windows flushes no file that is open for reading alone; a copy may have the rights of a file that is not ours.
    with suppress(PermissionError), file.open("rb+") as opened:
        os.fsync(opened.fileno())


def _is_unfinished(folder: Path) -> bool:
    """Whether a folder lies in one that is not in its place yet: its files are flushed together, when it gets there."""
    return any(part.startswith(UNFINISHED) for part in folder.parts)


@contextmanager
def temporary_folder(place: Path | None = None) -> Iterator[Path]:
    """A new folder, in `place` or among the system's temporary files, that goes with the block.

    Python's own (3.11) stays when Ctrl-C or SIGTERM comes while it is made or removed.
    """
    made = None
    try:
        with interrupts_wait():
            made = TemporaryDirectory(prefix=UNFINISHED, dir=place)
        yield Path(made.name)
    finally:
        if made is not None:
            with interrupts_wait():
                made.cleanup()


def _move_all(source: Path, target: Path) -> None:
    """All or nothing. What was written last tells that all is there, so it comes last."""
    files = sorted(source.iterdir(), key=lambda each: each.stat().st_mtime_ns)
    try:
        for file in files:
            file.replace(target / file.name)
    except BaseException:
        for file in files:
            moved = target / file.name
            if moved.is_dir():
                shutil.rmtree(moved, ignore_errors=True)
            else:
                moved.unlink(missing_ok=True)
        raise


def write_text_atomically(path: Path, text: str) -> None:
    """Write UTF-8; names of files in it are as of `as_text`."""
    with atomic_path(path) as temporary:
        temporary.write_text(as_text(text), encoding="utf-8", newline="\n")


def write_json(path: Path, values: Any, indent: int = 2) -> None:
    """Write plain values in one piece; a number that JSON has no word for becomes null."""
    write_text_atomically(path, json.dumps(without_nan(values), indent=indent, allow_nan=False) + "\n")


def without_nan(value: Any) -> Any:
    """Plain values with None for every number that JSON has no word for."""
    if isinstance(value, dict):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """The table in a JSON file of ours. Raises ACNetError with the remedy when it is missing, damaged or no table."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ACNetError(f"{path}: it can't be read ({error.strerror}). {remedy}") from error
    except (ValueError, RecursionError) as error:  # no text, no JSON, a number without end, nested without end
        raise ACNetError(f"{path}: it is damaged ({error}). {remedy}") from error
    if not isinstance(values, dict):
        raise ACNetError(f"{path}: it is damaged (found {type(values).__name__}, expected a table). {remedy}")
    return values


@contextmanager
def damage_named(path: Path, remedy: str) -> Iterator[None]:
    """While values of a file are used that was read: one that is missing or of the wrong kind is an ACNetError."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ACNetError(f"{path}: a value in it is missing or wrong ({what}). {remedy}") from error


def _beside(path: Path) -> Path:
    return path.with_name(f"{UNFINISHED}{uuid4().hex}{''.join(path.suffixes)}")


def _finished(folder: Path) -> Iterator[Path]:
    return (each for each in folder.iterdir() if not each.name.startswith(UNFINISHED))
