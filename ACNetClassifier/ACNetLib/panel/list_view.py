"""The last part of the panel: the reading list of many studies, made by a process of `acnet triage`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import qt
import slicer.util
from slicer.i18n import tr as _

from ACNetLib.errors import ACNetError
from ACNetLib.files import state_of_file
from ACNetLib.panel.combo_boxes import ComboBoxes
from ACNetLib.panel.dependencies import ensure_packages
from ACNetLib.panel.dicom_selection import Selection, selected_studies
from ACNetLib.panel.labels import say
from ACNetLib.panel.list_images import ListImages
from ACNetLib.panel.list_texts import (
    counts_text,
    identify_text,
    list_progress_text,
    list_row_texts,
    no_answer_text,
    source_text,
)
from ACNetLib.panel.parameters import ACNetParameters, triage_options
from ACNetLib.panel.texts import refusal_text
from ACNetLib.processes import Event, EventLog, Fields, ask_to_end, last_error, run_tied
from ACNetLib.triage.reading_list import PAGE_FILE, STUDIES_FOLDER, TABLE_FILE, mark_study
from ACNetLib.triage.rows import IDENTIFY, Row, read_worklist_csv
from ACNetLib.triage.study_marks import is_read

COMMAND = "ACNetLib.commands.main"
EVENT_FIELDS: Fields = {
    "studies": {"done": int, "of": int, "seconds_left": (int, float, type(None))},
    "note": {"message": str},
}
POLL_MS, IDLE_POLL_MS = 300, 3000
"""While the list is made here, and while others may write it."""
READ_COLUMN, PATIENT_COLUMN = 0, 4


class ListView:
    """Makes a list, follows it while it grows, and tells which of its studies to open, by its folder; and when other
    studies or another list are chosen, among which `images` looks from then on.

    It goes on while the user is in other modules and scenes; it ends with the panel.
    """

    def __init__(self, ui: Any, on_open: Callable[[Path], None], on_choice: Callable[[], None]) -> None:
        self.ui = ui
        self._on_open, self._on_choice = on_open, on_choice
        self.images = ListImages()
        self._parameters: ACNetParameters | None = None
        self._source: Path | None = None
        self._selection = Selection()
        self._list: Path | None = None
        self._shown: list[Row] = []
        self._table_state: object = None  # of the file that is shown
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._message = ""
        self._folder = TemporaryDirectory(prefix="acnet-", ignore_cleanup_errors=True)
        self._errors_file = Path(self._folder.name, "errors.txt")
        self._log: EventLog | None = None
        self._combo_boxes = ComboBoxes()
        self._combo_boxes.add("identify", self.ui.identifyComboBox, IDENTIFY, identify_text)
        self._timer = qt.QTimer()
        self._timer.setInterval(IDLE_POLL_MS)
        self._timer.timeout.connect(self._poll)
        self.ui.studiesFolderButton.connect("clicked(bool)", self._choose_studies)
        self.ui.selectedStudiesButton.connect("clicked(bool)", self._take_selected)
        self.ui.listFolderButton.connect("clicked(bool)", self._choose_list)
        self.ui.listButton.connect("clicked(bool)", self._start_or_stop)
        self.ui.listPageButton.connect("clicked(bool)", self._open_page)
        self.ui.listTable.connect("itemChanged(QTableWidgetItem*)", self._ticked)
        self.ui.listTable.connect("cellClicked(int,int)", self._clicked)
        self.ui.listTable.connect("cellActivated(int,int)", self._open)

    @property
    def running(self) -> bool:
        return self._process is not None

    def follow(self, parameters: ACNetParameters | None) -> None:
        self._parameters = parameters
        self._combo_boxes.follow(parameters)

    def show(self) -> None:
        """Make the widgets say what is chosen, how far the process is and what the list holds."""
        self._combo_boxes.show()
        button, obstacle, running = self.ui.listButton, self._obstacle(), self.running
        if running:
            button.text = _("Stop")
            button.toolTip = _("Studies that are done are kept")
        else:
            button.text = _("Bring up to date") if self._shown else _("Make the list")
            button.toolTip = obstacle or _("Classify the studies that the list does not have yet, as set under Options")
        button.enabled = not self._stopping if running else not obstacle
        for each in (self.ui.studiesFolderButton, self.ui.selectedStudiesButton, self.ui.listFolderButton):
            each.enabled = not running
        self.ui.identifyComboBox.enabled = not running
        say(self.ui.studiesLabel, source_text(self._source, self._selection.studies))
        say(self.ui.listLabel, "" if self._list is None else str(self._list))
        self.ui.listPageButton.enabled = bool(self._shown)
        self._show_progress()
        self.ui.listTable.visible = bool(self._shown)

    def close(self) -> None:
        self._timer.stop()
        if self._process is not None:
            ask_to_end(self._process)
        self._folder.cleanup()
        self._parameters = None

    def say(self, text: str) -> None:
        """Until the list is made on or another study is opened."""
        self._message = text
        self.show()

    def _show_progress(self) -> None:
        events = self._events("studies")
        event = events[-1] if events else None
        bar = self.ui.listProgressBar
        bar.visible = self.running
        if self.running:
            bar.value = 0 if event is None else round(100 * event["done"] / max(1, event["of"]))
            text = _("Stopping...") if self._stopping else list_progress_text(event)
        else:
            text = counts_text(self._shown)
        say(self.ui.listStatusLabel, "\n".join(filter(None, [self._message, text])))

    def _events(self, kind: str) -> list[Event]:
        return [] if self._log is None else [event for event in self._log.read() if event["event"] == kind]

    def _obstacle(self) -> str:
        """Why no list can be made; empty when one can."""
        if self._source is None and not self._selection.studies:
            return _("Choose the studies")
        return "" if self._list is not None else _("Choose the folder of the list")

    def _choose_studies(self, _checked: bool = False) -> None:
        folder = _chosen_folder(_("Folder with the studies"))
        if folder is not None:
            self._source, self._selection = folder, Selection()
            self.images.among(folder)
            self._chosen()

    def _take_selected(self, _checked: bool = False) -> None:
        selection = selected_studies()
        if selection.studies:
            self._source, self._selection = None, selection
            self.images.among(None)
            self._chosen()
        else:
            self.say(_("No study is selected: select studies in the module DICOM first."))

    def _choose_list(self, _checked: bool = False) -> None:
        folder = _chosen_folder(_("New folder for the list, or that of a list"))
        if folder is not None:
            self._list, self._table_state = folder, None
            self._fill([])  # those of the list before
            self.images.of_list(folder)
            self._chosen()
            self._timer.start()

    def _chosen(self) -> None:
        self._message = ""
        self._read_table()
        self._on_choice()

    def _start_or_stop(self, _checked: bool = False) -> None:
        if self._process is not None:
            self._stopping = True
            ask_to_end(self._process)
            self.show()
            return
        self._message = ""
        with slicer.util.tryWithErrorDisplay(_("The list could not be made.")):
            try:
                ensure_packages()
                self._start()
            except ACNetError as error:
                self._message = refusal_text(error)
        self.show()

    def _start(self) -> None:
        assert self._parameters is not None
        assert self._list is not None
        self.images.among(self._source)
        room = Path(self._folder.name)
        source = self._source
        if source is None:
            source = room / "images.txt"
            source.write_text("\n".join(self._selection.files), encoding="utf-8")
        arguments = ["triage", str(source), "--output", str(self._list), *triage_options(self._parameters)]
        # A core is left to the one who reads meanwhile.
        arguments += ["--progress", "json", "--processes", str(max(1, (os.cpu_count() or 1) - 1))]
        events_file = room / "events.jsonl"
        with events_file.open("wb") as events, self._errors_file.open("wb") as errors:
            self._process = run_tied(COMMAND, arguments, stdout=events, stderr=errors)
        self._log, self._stopping = EventLog(events_file, EVENT_FIELDS), False
        self._timer.start(POLL_MS)

    def _poll(self) -> None:
        process = self._process
        if process is None and self._parameters is None:
            return  # nobody looks
        if process is not None and process.poll() is not None:
            self._process = None
            self._timer.start(IDLE_POLL_MS)
            if self._stopping:
                self._message = _("Stopped: studies that are done are kept.")
            elif process.returncode != 0:
                self._message = last_error(self._errors_file) or _("The process ended without a message.")
            else:
                self._message = "\n".join(event["message"] for event in self._events("note"))
            self._stopping = False
        self._read_table()
        self.show()

    def _read_table(self) -> None:
        """Show the list's table as it is now, if it has changed."""
        file = None if self._list is None else self._list / TABLE_FILE
        stat = None if file is None else state_of_file(file)
        state = None if stat is None else (file, stat)
        if state == self._table_state and state is not None:
            return
        gone = _("The list is no longer in its folder.")
        if stat is None and self._shown:
            self._message = gone
        elif stat is not None and self._message == gone:
            self._message = ""
        rows: list[Row] = []
        try:
            if file is not None and stat is not None:
                rows = [replace(row, read=is_read(self._study(row))) for row in read_worklist_csv(file)]
        except ACNetError as error:
            self._message = refusal_text(error)
        self._table_state = state
        self._fill(rows)

    def _fill(self, rows: list[Row]) -> None:
        """Rows come in between the others while the list grows, so those that stay are left as they are."""
        table, staying = self.ui.listTable, set(rows)
        table.blockSignals(True)  # these changes are not the user's
        for index in reversed(range(len(self._shown))):
            if self._shown[index] not in staying:
                table.removeRow(index)
                del self._shown[index]
        for index, row in enumerate(rows):
            if index == len(self._shown) or self._shown[index] != row:
                table.insertRow(index)
                self._fill_row(index, row)
                self._shown.insert(index, row)
        table.blockSignals(False)
        table.setColumnHidden(PATIENT_COLUMN, not any(row.patient for row in rows))
        for column in range(table.columnCount - 1):
            table.resizeColumnToContents(column)

    def _fill_row(self, index: int, row: Row) -> None:
        tick = qt.QTableWidgetItem()
        tick.setFlags(qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
        tick.setCheckState(qt.Qt.Checked if row.read else qt.Qt.Unchecked)
        self.ui.listTable.setItem(index, READ_COLUMN, tick)
        texts = zip(list_row_texts(row, shortened=True), list_row_texts(row), strict=True)
        for column, (text, whole) in enumerate(texts, start=READ_COLUMN + 1):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(whole)
            self.ui.listTable.setItem(index, column, item)

    def _study(self, row: Row) -> Path:
        assert self._list is not None
        return self._list / STUDIES_FOLDER / row.study

    def _ticked(self, item: Any) -> None:
        index, has_read = item.row(), bool(item.checkState())
        row = self._shown[index]
        self._message = ""
        with slicer.util.tryWithErrorDisplay(_("The study could not be marked.")):
            try:
                assert self._list is not None
                mark_study(self._list, row.study, has_read)
            except ACNetError as error:
                self._message = refusal_text(error)
        self._shown[index] = replace(row, read=is_read(self._study(row)))
        self.ui.listTable.blockSignals(True)  # where no mark could be written the tick goes back
        item.setCheckState(qt.Qt.Checked if self._shown[index].read else qt.Qt.Unchecked)
        self.ui.listTable.blockSignals(False)
        self.show()

    def _clicked(self, index: int, column: int) -> None:
        if column != READ_COLUMN:
            self._open(index)

    def _open(self, index: int, _column: int = 0) -> None:
        row = self._shown[index]
        self._message = ""
        if row.probability_dcm is None:
            self._message = no_answer_text(row)
        else:
            with slicer.util.tryWithErrorDisplay(_("The study could not be opened."), waitCursor=True):
                try:
                    self.images.look_up(row.study)
                    self._on_open(self._study(row))
                except ACNetError as error:
                    self._message = refusal_text(error)
        self.show()

    def _open_page(self, _checked: bool = False) -> None:
        if self._list is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._list / PAGE_FILE)))


def _chosen_folder(title: str) -> Path | None:
    chosen = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title)
    return Path(chosen) if chosen else None
