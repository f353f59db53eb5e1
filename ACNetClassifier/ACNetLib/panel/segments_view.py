"""The polar map of a result's 16 segments, as the report shows it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ACNetLib.errors import ACNetError
from ACNetLib.report.polar_map import polar_map
from ACNetLib.scene.exam import study_from_scene
from ACNetLib.scene.nodes import ResultNodes

PIXELS = 240


class SegmentsView:
    """Draws the map anew when the result has changed: its table says so."""

    def __init__(self, ui: Any) -> None:
        self.ui = ui
        self._shown: tuple[str, int] | None = None

    def show(self, nodes: ResultNodes | None) -> None:
        """Show the segments of this result; nothing where it has none, see `StudyResult.segments`."""
        shown = None if nodes is None else (nodes.table.GetID(), nodes.table.GetMTime())
        if shown is None or shown != self._shown:
            self.ui.segmentsLabel.visible = nodes is not None and self._draw(nodes)
            self._shown = shown

    def _draw(self, nodes: ResultNodes) -> bool:
        try:
            segments = study_from_scene(nodes, slicer.mrmlScene).segments
        except ACNetError:  # a volume of the result is gone or was changed
            return False
        if not segments:
            return False
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "polar-map.png"
            polar_map(segments, PIXELS).save(file)
            self.ui.segmentsLabel.setPixmap(qt.QPixmap(str(file)))
        self.ui.segmentsLabel.toolTip = _(
            "T1 of the 16 segments in ms: base outside, septum to the left, anterior on top. The report has them as a "
            "table, segments.csv."
        )
        return True
