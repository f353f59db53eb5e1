"""The upper part of the trainer's panel: the case library, its table, and what is to be known of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

from ACNetLib.errors import ACNetError
from ACNetLib.panel.labels import say
from ACNetLib.panel.worker import Progress, Worker
from ACNetTrainerLib.cases.library import LABELS
from ACNetTrainerLib.panel.texts import count_text, label_text

if TYPE_CHECKING:
    from ACNetTrainerLib.cases.library import Case, CaseLibrary

MOST_ROWS = 500
"""A table of thousands would be slow, and nobody reads it: the filter finds the others."""
THUMBNAIL_PIXELS = 48


class CasesView:
    """Shows a case library; the thumbnails of its table are drawn in a thread and come one after the other."""

    def __init__(self, ui: Any, show_case: Callable[[CaseLibrary, Case], object]) -> None:
        self.ui = ui
        self._show_case = show_case
        self._library: CaseLibrary | None = None
        self._shown: list[Case] = []
        self._worker = Worker(lambda picture, _fraction: self._show_picture(Path(picture)))
        self._draw_again = False
        self._pictures = TemporaryDirectory(prefix="acnet-", ignore_cleanup_errors=True)
        self._rows: dict[Path, int] = {}  # of the table, by their pictures
        self.ui.casesTable.setIconSize(qt.QSize(THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
        self.ui.filterLineEdit.connect("textChanged(QString)", lambda _text: self._fill_table())
        self.ui.casesTable.connect("cellActivated(int,int)", self._activated)  # double click or Enter

    @property
    def library(self) -> CaseLibrary | None:
        return self._library

    @property
    def drawing(self) -> bool:
        """Whether thumbnails are still drawn."""
        return self._worker.running

    def show(self, library: CaseLibrary | None, sentences: Sequence[str]) -> None:
        """Show a library and what is to be said of it; None: there is none, and the sentences say why."""
        self._library = library
        self.show_warnings(sentences)
        self._show_counts()
        self._fill_table()

    def show_warnings(self, sentences: Sequence[str]) -> None:
        say(self.ui.warningsLabel, "\n".join(sentences))

    @property
    def selected(self) -> list[Case]:
        rows = {index.row() for index in self.ui.casesTable.selectionModel().selectedRows()}
        return [self._shown[row] for row in sorted(rows)]

    def _selected_pictures(self) -> set[Path]:
        """They tell a case from that of the same name in another library."""
        pictures = {row: picture for picture, row in self._rows.items()}
        rows = {index.row() for index in self.ui.casesTable.selectionModel().selectedRows()}
        return {pictures[row] for row in rows if row in pictures}

    def stop_drawing(self) -> None:
        self._worker.cancel()

    def close(self) -> None:
        self._worker.close()
        self._pictures.cleanup()

    def _activated(self, row: int, _column: int) -> None:
        if self._library is not None:
            try:
                self._show_case(self._library, self._shown[row])
            except ACNetError as error:
                self.show_warnings([error.shown])

    def _show_counts(self) -> None:
        cases = self._library.cases if self._library is not None else ()
        bars = {"dcm": self.ui.dcmBar, "normal": self.ui.normalBar}
        counts = {label: [case for case in cases if case.label == label] for label in LABELS}
        patients = {label: len({case.patient for case in counts[label]}) for label in LABELS}
        for label, bar in bars.items():
            bar.maximum = max(1, *patients.values())
            bar.value = patients[label]
            bar.format = count_text(label, patients[label], len(counts[label]))

    def _fill_table(self) -> None:
        """The selection is of cases, not of rows, into which others may come."""
        selected = self._selected_pictures()
        words = self.ui.filterLineEdit.text.casefold().split()
        cases = self._library.cases if self._library is not None else ()
        found = [case for case in cases if all(word in _searched(case) for word in words)]
        self._shown = found[:MOST_ROWS]
        table = self.ui.casesTable
        table.clearSelection()
        table.setRowCount(len(self._shown))
        for row, case in enumerate(self._shown):
            cells = ("", label_text(case.label), case.patient, f"{case.field_strength_tesla:g} T", case.source)
            is_selected = self._picture_of(case) in selected
            for column, text in enumerate(cells):
                item = qt.QTableWidgetItem(text)
                table.setItem(row, column, item)
                item.setSelected(is_selected)
            table.item(row, 0).setToolTip(case.case)
            table.setRowHeight(row, THUMBNAIL_PIXELS + 4)
        table.resizeColumnsToContents()
        left_out = len(found) - len(self._shown)
        self.ui.moreLabel.text = _("and {count} more: filter them").format(count=left_out) if left_out else ""
        self.ui.moreLabel.visible = bool(left_out)
        self._rows = {self._picture_of(case): row for row, case in enumerate(self._shown)}
        for picture in self._rows:
            self._show_picture(picture)
        self._draw_pictures()

    def _draw_pictures(self) -> None:
        if self._worker.running:
            self._draw_again = True
            self._worker.cancel()
        elif self._library is not None:
            missing = {self._shown[row]: file for file, row in self._rows.items() if not file.is_file()}
            self._worker.start(_drawing(self._library, missing), self._pictures_drawn)

    def _pictures_drawn(self, _future: Future) -> None:
        if self._draw_again:
            self._draw_again = False
            self._draw_pictures()

    def _picture_of(self, case: Case) -> Path:
        """Of this very section: cases of two libraries can have one name, and a centre can be edited."""
        folder = self._library.folder if self._library is not None else ""
        shown = f"{folder}\n{case.case}\n{case.file}\n{case.center_mm}"
        return Path(self._pictures.name) / f"{hashlib.sha256(shown.encode()).hexdigest()}.png"

    def _show_picture(self, picture: Path) -> None:
        if picture in self._rows and picture.is_file():
            self.ui.casesTable.item(self._rows[picture], 0).setIcon(qt.QIcon(str(picture)))


def _drawing(library: CaseLibrary, pictures: Mapping[Case, Path]) -> Callable[[Progress], None]:
    """The work that draws these pictures and reports each."""

    def work(progress: Progress) -> None:
        from ACNetTrainerLib.cases.pictures import write_thumbnail

        for number, (case, picture) in enumerate(pictures.items(), start=1):
            with suppress(ACNetError):  # a check of the library says what is wrong with an image
                write_thumbnail(library, case, picture, THUMBNAIL_PIXELS)
            progress(str(picture), number / len(pictures))

    return work


def reading(folder: Path) -> Callable[[Progress], tuple[CaseLibrary | None, list[str]]]:
    """The work that reads a library: for `CasesView.show`."""

    def work(_progress: Progress) -> tuple[CaseLibrary | None, list[str]]:
        from ACNetTrainerLib.cases.checks import size_warnings
        from ACNetTrainerLib.cases.library import read_case_library

        try:
            library = read_case_library(folder, may_be_empty=True)
        except ACNetError as error:
            return None, [error.shown]
        return library, [*library.warnings, *size_warnings(library)]

    return work


def _searched(case: Case) -> str:
    return f"{case.case} {case.label} {case.patient} {case.field_strength_tesla:g}T {case.source}".casefold()
