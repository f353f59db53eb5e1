"""The middle part of the panel: verdict, how it came about, and the table of sections."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import qt
from slicer.i18n import tr as _

from ACNetLib.inference.record import Slice, StudyRecord
from ACNetLib.panel.texts import row_texts, study_text, verdict_text

TICK_COLUMN = 0
MOST_ROWS = 12
"""Of a table that is shown in full."""


class ResultView:
    """Shows what a result's record says; tells which rows the user leaves out, and which one to show."""

    def __init__(
        self,
        ui: Any,
        on_leave_out: Callable[[Collection[int]], None],
        on_section: Callable[[Slice], None],
    ) -> None:
        self.ui = ui
        self._on_leave_out, self._on_section = on_leave_out, on_section
        self._rows: tuple[Slice, ...] = ()
        self.ui.sectionTable.connect("itemChanged(QTableWidgetItem*)", self._ticked)
        self.ui.sectionTable.connect("cellClicked(int,int)", self._clicked)
        self.ui.sectionTable.connect("cellActivated(int,int)", self._clicked)

    def show(self, study: StudyRecord | None, can_change: bool) -> None:
        """Show this result; None while there is none. `can_change`: whether sections may be left out now."""
        table = self.ui.sectionTable
        self.ui.studyLabel.visible = table.visible = study is not None
        if study is None:
            self._rows = ()
            self.ui.verdictLabel.text = _("No result yet")
            return
        self._rows = tuple(study.slices)
        self.ui.verdictLabel.text = verdict_text(study)
        self.ui.studyLabel.text = study_text(study)
        table.blockSignals(True)  # these changes are not the user's
        table.setRowCount(len(self._rows))
        for index, row in enumerate(self._rows):
            table.setItem(index, TICK_COLUMN, _tick(row, can_change))
            for column, text in enumerate(row_texts(row, study), start=TICK_COLUMN + 1):
                table.setItem(index, column, _cell(text))
        table.blockSignals(False)
        for column in range(table.columnCount - 1):  # the notes get what is left: they stand in full below
            table.resizeColumnToContents(column)
        table.resizeRowsToContents()
        table.setFixedHeight(_height(table))

    def _ticked(self, _item: Any) -> None:
        table = self.ui.sectionTable
        self._on_leave_out(
            {index for index in range(len(self._rows)) if table.item(index, TICK_COLUMN).checkState() == qt.Qt.Checked}
        )

    def _clicked(self, index: int, _column: int) -> None:
        self._on_section(self._rows[index])


def _height(table: Any) -> int:
    """So that a few sections leave no empty space, and many scroll."""
    rows = min(table.rowCount, MOST_ROWS)
    return table.horizontalHeader().height + sum(table.rowHeight(row) for row in range(rows)) + 2 * table.frameWidth


def _tick(row: Slice, can_change: bool) -> qt.QTableWidgetItem:
    item = qt.QTableWidgetItem()
    flags = qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsSelectable
    item.setFlags(flags | qt.Qt.ItemIsEnabled if can_change else flags)
    item.setCheckState(qt.Qt.Checked if row.section.left_out else qt.Qt.Unchecked)
    return item


def _cell(text: str) -> qt.QTableWidgetItem:
    item = qt.QTableWidgetItem(text)
    item.setToolTip(text)
    return item
