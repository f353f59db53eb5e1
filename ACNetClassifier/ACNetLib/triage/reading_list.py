"""The reading list of a folder: its studies answered by several processes, and the list brought up to date meanwhile.

The list's folder holds `worklist.csv`, `worklist.html`, `studies/` with a folder a study, and `list.json`: a secret of
its own that makes the studies' names, so that no name tells the patient and a study has the same name in every run.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import shutil
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ACNetLib.errors import ACNetError, NotNow
from ACNetLib.files import BYTE_ORDER_MARK, UNFINISHED, read_json, write_json, write_text_atomically
from ACNetLib.triage.answer import Choices, answer, kept_row, require_answering_disk, row_before
from ACNetLib.triage.look import (
    ARRIVING,
    PassedOver,
    counted,
    has_settled,
    last_look,
    look_now,
)
from ACNetLib.triage.made_with import agreed, made_with
from ACNetLib.triage.rows import Identify, Row, in_reading_order, read_worklist_csv, worklist_csv
from ACNetLib.triage.study_marks import is_read, mark_read
from ACNetLib.triage.workers import Workers

if TYPE_CHECKING:
    from ACNetLib.triage.studies import Study

STUDIES_A_PROCESS = 2
"""One that is answered and one that waits: no process is idle, and few studies are lost when one ends."""
LIST_FILE, TABLE_FILE, PAGE_FILE, STUDIES_FOLDER = "list.json", "worklist.csv", "worklist.html", "studies"
IDENTIFIED = "identify"
"""In LIST_FILE: what the table shows of patients."""
MADE_WITH = "made_with"
LOCK_FILE = "list.lock"
"""Empty; keeps two processes from changing the list at once."""
SECONDS_BETWEEN_PAGES = 5.0
LARGEST_PAGE_SHARE = 0.01
"""Of the time in which studies are answered, for the writing of the list meanwhile: a long one takes a while."""
ENDED = "The process that read this study ended by itself. Classify it alone to see why."
OUR_ERROR = "An error of this software ({error}). Classify it alone to see it, and please report it."

OF_ANOTHER = "Other images have its StudyInstanceUID and another PatientID: it may lack slices."

Waiting = tuple["Study", str]
"""A study and its name in the list."""
Report = Callable[[int, int, float | None], None]
"""Is told how many studies are done, of how many, and the seconds that are left where they can be told."""


class ListInUse(NotNow):
    """Another process is changing the list."""


@dataclass(frozen=True)
class ReadingList:
    """The list of the studies of `source`, see `find_studies`, in a folder of its own. identify: how a row names its
    patient."""

    source: Path
    folder: Path
    identify: Identify

    def update(
        self,
        choices: Choices,
        workers: Workers,
        report: Report,
        tell: Callable[[str], None] = lambda _note: None,
        seen: dict[str, str] | None = None,
    ) -> list[Row]:
        """Answer the studies that the list has no row of, and write it. Returns its rows in their order. tell: gets
        what a reader of the list should know. seen: where the list is brought up to date again and again, the states of
        studies at the look before, and afterwards those at this one: a study is answered once it has stayed the same.

        A study is answered again when its images have changed. Raises ACNetError where `folder` holds something else,
        or a list that was made with other choices.
        Raises NotNow, of which ListInUse is one, while another process brings the list up to date (each would remove
        what the other writes), while the studies can't be looked for, or the list can't be written.
        """
        _require_list_or_empty(self.folder)
        with _changing(self.folder):
            self._begin(made_with(choices))
            for left in choices.studies.glob(f"{UNFINISHED}*"):  # by a process that was killed
                shutil.rmtree(left, ignore_errors=True)
            rows = self._update(choices, workers, report, tell, seen)
            values = _list_values(self.folder)
            if values.get(IDENTIFIED) != self.identify:
                write_json(self.folder / LIST_FILE, {**values, IDENTIFIED: self.identify})
        return rows

    def _begin(self, now: dict[str, str]) -> None:
        """Write a new list's file, or make sure, before the processes start, that the list can go on so."""
        path = self.folder / LIST_FILE
        if not path.is_file():
            new = {"format_version": 1, "secret": secrets.token_hex(32), IDENTIFIED: self.identify, MADE_WITH: now}
            write_json(path, new)
            return
        _secret(self.folder)
        values = _list_values(self.folder)
        made = agreed(values.get(MADE_WITH), now, self.folder)
        if made not in (None, values.get(MADE_WITH)):
            write_json(path, {**values, MADE_WITH: made})

    def _update(
        self,
        choices: Choices,
        workers: Workers,
        report: Report,
        tell: Callable[[str], None],
        seen: dict[str, str] | None,
    ) -> list[Row]:
        passed = PassedOver()
        unread_in: Counter[Path] = Counter()
        exams: Counter[str] = Counter()
        rows: dict[str, Row] = {}

        def write() -> list[Row]:
            named = [self._named(row, studies[row.study], unread_in, exams) for row in rows.values()]
            return write_rows(self.folder, in_reading_order([*named, *staying]))

        with workers.start() as executor:
            is_new = not (self.folder / TABLE_FILE).is_file()  # else there may be nothing to answer
            with workers.getting_ready(executor) if is_new else nullcontext():
                studies = self.studies(passed=passed)
            for note in passed.notes(self.source):
                tell(note)
            staying = self._staying(studies, bool(passed.unread), choices.studies, tell)
            unread_in.update(path.parent for path in passed.unread)
            exams.update(study.exam for study in studies.values() if study.exam)
            look_now(passed.trouble(self.source)).write(self.folder)
            for name, study in studies.items():
                row = kept_row(study, name, choices, _beside(study, unread_in) > 0)
                if row is None and seen is not None and not has_settled(study, name, seen):
                    row = Row(name, "no answer", reason=ARRIVING)
                if row is not None:
                    rows[name] = row
            waiting = [(study, name) for name, study in studies.items() if name not in rows]
            written = start = time.monotonic()
            pause = 0.0
            report(len(rows), len(studies), None)
            for done, row in enumerate(_answers(waiting, choices, workers, executor), start=1):
                rows[row.study] = row
                now = time.monotonic()
                report(len(rows), len(studies), (now - start) / done * (len(waiting) - done))
                if now - written > pause:
                    with suppress(OSError):  # every row is safe in its study's folder
                        write()
                    written = time.monotonic()
                    pause = max(SECONDS_BETWEEN_PAGES, (written - now) / LARGEST_PAGE_SHARE)
        try:
            return write()
        except OSError as error:
            raise _not_written(self.folder, error) from error

    def _staying(
        self, studies: dict[str, Study], may_be_unread: bool, folder: Path, tell: Callable[[str], None]
    ) -> list[Row]:
        """The list's rows whose studies are not among those that were found now, and stay all the same: what a text
        file lists comes in addition, and what can't be read may be theirs. How many leave is told.

        Raises NotNow for a folder without any study: a disk that is not connected is an empty folder.
        """
        gone = [row for row in _table_before(self.folder) if row.study not in studies]
        is_folder = not os.path.isfile(self.source)
        if gone and not studies and is_folder:
            raise NotNow(
                f"{self.source}: no studies found in this folder, but the list has {len(gone)}; it stays as it is. Is "
                "the disk connected? For other studies make a new list."
            )
        staying: list[Row] = []
        is_shown = _list_values(self.folder).get(IDENTIFIED) == self.identify
        for each in gone if may_be_unread or not is_folder else ():
            row = row_before(folder / each.study)
            if row is not None:
                patient, date = (each.patient, each.study_date) if is_shown else ("", "")
                staying.append(replace(row, patient=patient, study_date=date))
        if len(gone) > len(staying):
            count = counted(len(gone) - len(staying), "study", "studies")
            tell(f"No longer in {self.source}, so no longer in the list: {count}. What was written of them stays.")
        return staying

    def studies(self, look: Callable[[], None] = lambda: None, passed: PassedOver | None = None) -> dict[str, Study]:
        """The studies of `source` by their names in the list; `look` and `passed` as of `find_studies`.

        Raises ACNetError where `folder` holds no list.
        """
        from ACNetLib.triage.studies import find_studies  # pydicom comes late: the processes start before

        secret = _secret(self.folder)
        return {_name(study.key, secret): study for study in find_studies(self.source, self.folder, look, passed)}

    def _named(self, row: Row, study: Study, unread_in: Counter[Path], exams: Counter[str]) -> Row:
        """With what is true now, and what the user chose to show: the patient, and which file a note is about."""
        if self.identify != "none":
            reason, *warnings = (study.with_names(text, self.source) for text in (row.reason, *row.warnings))
            patient, date = study.patient(self.identify), study.date_shown(self.identify)
            row = replace(row, patient=patient, study_date=date, reason=reason, warnings=tuple(warnings))
        if count := _beside(study, unread_in):
            note = f"{counted(count, 'file', 'files')} beside its images can't be read: it may lack slices."
            row = replace(row, warnings=(*row.warnings, note))
        if exams[study.exam] > 1:
            row = replace(row, warnings=(*row.warnings, OF_ANOTHER))
        return row


def _beside(study: Study, unread_in: Counter[Path]) -> int:
    """How many files beside a study's images can't be read; they may be of it."""
    return sum(unread_in[folder] for folder in {file.parent for file in study.files})


def _table_before(output: Path) -> list[Row]:
    """The list's rows as they are; none where it is new, or its table is damaged and will be written anew."""
    try:
        return read_worklist_csv(output / TABLE_FILE)
    except ACNetError as error:
        require_answering_disk(error)
        return []


def _require_list_or_empty(output: Path) -> None:
    if (output / LIST_FILE).is_file() or not output.exists():
        return
    if any(file.name != LOCK_FILE for file in output.iterdir()):
        raise ACNetError(
            f"{output}: it is not empty and holds no reading list; expected a new folder, or that of a list to "
            "bring up to date. Give another output."
        )


def require_list(output: Path) -> None:
    """Raises NotNow where there is no list, or none any more."""
    path = output / LIST_FILE
    if not os.path.isfile(path):
        raise NotNow(
            f"{path}: there is no such file; expected that of a reading list. Is its disk connected? Else choose "
            "the folder of a list, or make a new one."
        )


def _secret(output: Path) -> bytes:
    """Of a list that is there: another secret would make it another list, of whose studies nobody knows the names."""
    require_list(output)
    path = output / LIST_FILE
    try:
        return bytes.fromhex(_list_values(output)["secret"])
    except (KeyError, TypeError, ValueError) as error:
        raise ACNetError(f"{path}: it is damaged; expected a secret of 64 digits. Give another output.") from error


def _list_values(output: Path) -> dict[str, Any]:
    return read_json(output / LIST_FILE, "Give another output.")


@contextmanager
def _changing(output: Path) -> Iterator[None]:
    """While the block runs, no other process changes the list. Raises ListInUse at once where one does."""
    try:
        from filelock import FileLock, Timeout
    except ModuleNotFoundError:  # it comes with torch: without that nobody here makes lists, and readers mark studies
        yield
        return
    output.mkdir(parents=True, exist_ok=True)
    lock = FileLock(output / LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ListInUse(
            f"{output}: another process is bringing this list up to date; try again when it has ended."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _name(key: str, secret: bytes) -> str:
    return f"study-{hmac.new(secret, os.fsencode(key), hashlib.sha256).hexdigest()[:12]}"


def exam_of(name: str, folder: Path, exams: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """Which of these exams, each its PatientID and StudyInstanceUID, a list calls so. None for none of them."""
    from ACNetLib.triage.studies import dicom_key

    secret = _secret(folder)
    return next((exam for exam in exams if _name(dicom_key(*exam), secret) == name), None)


def mark_study(output: Path, study: str, has_read: bool) -> None:
    """Mark a study as read or not, also in the list's table and page as they are now: another process may have written
    them since they were looked at.

    Raises ACNetError where there is no list any more, or it can't be written.
    """
    _secret(output)
    try:
        mark_read(output / STUDIES_FOLDER / study, has_read)
    except OSError as error:
        raise ACNetError(
            f"{output}: the mark can't be written ({error.strerror}). Ask for the right to change the list's folder."
        ) from error
    try:
        with suppress(ListInUse), _changing(output):  # the other process writes the marks too
            write_rows(output, read_worklist_csv(output / TABLE_FILE))
    except OSError as error:
        raise _not_written(output, error) from error


def note_trouble(output: Path, trouble: Iterable[str]) -> None:
    """Say it on the list's page, until the list is brought up to date. Nothing is done where that can't be written: who
    started this process is told all the same.
    """
    with suppress(ACNetError, OSError):
        require_list(output)
        with _changing(output):
            look = last_look(output)
            replace(look, trouble=tuple(dict.fromkeys([*look.trouble, *trouble]))).write(output)
            write_rows(output, read_worklist_csv(output / TABLE_FILE))


def write_rows(output: Path, rows: Iterable[Row]) -> list[Row]:
    """The list's table and page of rows in their order, which get the readers' marks. Returns them."""
    from ACNetLib.triage.page import worklist_page  # loads image libraries, which would let the first study wait

    marked = [replace(row, read=is_read(output / STUDIES_FOLDER / row.study)) for row in rows]
    write_text_atomically(output / PAGE_FILE, worklist_page(marked, STUDIES_FOLDER, last_look(output)))
    table = BYTE_ORDER_MARK + worklist_csv(marked)
    write_text_atomically(output / TABLE_FILE, table)  # last, for it may be open in a spreadsheet
    return marked


def _not_written(output: Path, error: OSError) -> NotNow:
    return NotNow(
        f"{error.filename or output}: it can't be written ({error.strerror}). Close it where it is open, or make room, "
        "and bring the list up to date: answers and marks are kept."
    )


def _answers(waiting: Iterable[Waiting], choices: Choices, workers: Workers, executor: Executor) -> Iterator[Row]:
    """The rows as they come. A study whose process ends by itself gets a row that says so, and the others go on, with
    other processes than the executor's.
    """
    left, at_once = deque(waiting), STUDIES_A_PROCESS * workers.count
    suspects = yield from _answered(left, choices, at_once, executor)
    while suspects:
        for each in suspects:  # one of them ended its process, and with it the others' work
            with workers.start() as alone:
                yield _row_of(alone.submit(answer, *each, choices), each)
        with workers.start() as others:
            suspects = yield from _answered(left, choices, at_once, others)


def _answered(
    left: deque[Waiting], choices: Choices, at_once: int, executor: Executor
) -> Generator[Row, None, list[Waiting]]:
    """The rows as they come, until none are left or a process has ended by itself; returns what was given out then."""
    running: dict[Future[Row], Waiting] = {}
    suspects: list[Waiting] = []
    while (left or running) and not suspects:
        while left and len(running) < at_once and not suspects:
            each = left.popleft()
            try:
                running[executor.submit(answer, *each, choices)] = each
            except BrokenExecutor:  # before it was given a study
                suspects.append(each)
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            each = running.pop(future)
            if isinstance(future.exception(), BrokenExecutor):
                suspects.append(each)
            else:
                yield _row_of(future, each)
    return [*suspects, *running.values()]


def _row_of(future: Future[Row], waiting: Waiting) -> Row:
    error = future.exception()
    if error is None:
        return future.result()
    name = waiting[1]
    if isinstance(error, BrokenExecutor):
        return Row(name, "no answer", reason=ENDED)
    return Row(name, "no answer", reason=OUR_ERROR.format(error=type(error).__name__))
