"""The upper part of the trainer's panel: the case library, its table, and what is to be known of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

from ACNetLib.errors import ACNetError
from ACNetLib.panel.worker import Progress
from ACNetTrainerLib.panel.texts import count_text, label_text

if TYPE_CHECKING:
    from ACNetTrainerLib.cases import Case, CaseLibrary

MOST_ROWS = 500
"""A table of thousands would be slow, and nobody reads it: the filter finds the others."""
THUMBNAIL_PIXELS = 48
LABELS = ("dcm", "normal")


class CasesView:
    """Shows the library of a folder; the thumbnails come later, from `pictures_work`."""

    def __init__(self, ui: Any) -> None:
        self.ui = ui
        self._library: CaseLibrary | None = None
        self._shown: list[Case] = []
        self._pictures = TemporaryDirectory(prefix="acnet-")
        self.ui.casesTable.setIconSize(qt.QSize(THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
        self.ui.filterLineEdit.connect("textChanged(QString)", lambda _text: self._fill_table())

    @property
    def library(self) -> CaseLibrary | None:
        return self._library

    def show(self, folder: str) -> None:
        """Read and show the library of this folder; a refusal stands in place of its warnings."""
        from ACNetTrainerLib.case_checks import size_warnings
        from ACNetTrainerLib.cases import read_case_library

        self._library, sentences = None, [_("Open a case library, or make a new one.")]
        if folder:
            try:
                self._library = read_case_library(Path(folder), may_be_empty=True)
                sentences = [*self._library.warnings, *size_warnings(self._library)]
            except ACNetError as error:
                sentences = [str(error)]
        self.show_warnings(sentences)
        self._show_counts()
        self._fill_table()

    def show_warnings(self, sentences: Sequence[str]) -> None:
        self.ui.warningsLabel.text = "\n".join(sentences)
        self.ui.warningsLabel.visible = bool(sentences)

    @property
    def selected(self) -> list[Case]:
        rows = {index.row() for index in self.ui.casesTable.selectionModel().selectedRows()}
        return [self._shown[row] for row in sorted(rows)]

    def pictures_work(self) -> Callable[[Progress], None]:
        """The work that draws the thumbnails of the cases in the table; `show_pictures` then shows them."""
        library, cases, folder = self._library, list(self._shown), Path(self._pictures.name)

        def work(progress: Progress) -> None:
            from ACNetTrainerLib.case_pictures import write_thumbnail

            for index, case in enumerate(cases):
                progress("pictures", index / len(cases))
                file = folder / f"{case.case}.png"
                if library is not None and not file.is_file():
                    write_thumbnail(library, case, file, THUMBNAIL_PIXELS)

        return work

    def show_pictures(self) -> None:
        for row, case in enumerate(self._shown):
            file = Path(self._pictures.name) / f"{case.case}.png"
            if file.is_file():
                self.ui.casesTable.item(row, 0).setIcon(qt.QIcon(str(file)))

    def close(self) -> None:
        self._pictures.cleanup()

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
        words = self.ui.filterLineEdit.text.casefold().split()
        cases = self._library.cases if self._library is not None else ()
        found = [case for case in cases if all(word in _searched(case) for word in words)]
        self._shown = found[:MOST_ROWS]
        table = self.ui.casesTable
        table.setRowCount(len(self._shown))
        for row, case in enumerate(self._shown):
            cells = ("", label_text(case.label), case.patient, f"{case.field_strength_tesla:g} T", case.source)
            for column, text in enumerate(cells):
                table.setItem(row, column, qt.QTableWidgetItem(text))
            table.item(row, 0).setToolTip(case.case)
            table.setRowHeight(row, THUMBNAIL_PIXELS + 4)
        table.resizeColumnsToContents()
        left_out = len(found) - len(self._shown)
        self.ui.moreLabel.text = _("and {count} more: filter them").format(count=left_out) if left_out else ""
        self.ui.moreLabel.visible = bool(left_out)
        self.show_pictures()


def _searched(case: Case) -> str:
    return f"{case.case} {case.label} {case.patient} {case.field_strength_tesla:g}T {case.source}".casefold()
