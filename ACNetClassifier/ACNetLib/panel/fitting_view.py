"""The button that makes a T1 map from a folder with a scanner's inversion images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import qt
import slicer
import slicer.util
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _

from ACNetLib.fitting.process import fit_in_process
from ACNetLib.inference.settings import Progress
from ACNetLib.panel.worker import Work
from ACNetLib.scene.output import add_t1_map
from ACNetLib.t1map.t1_map import T1Map, read_t1_map
from ACNetLib.volumes.header import FITTED_KEY, WARNINGS_KEY
from ACNetLib.volumes.volume import read_volume_header

Fitted = tuple[T1Map, dict[str, str], tuple[str, ...]]
"""A map, what its header tells of its making by key, and what a user should know of it."""
KEPT_KEYS = (FITTED_KEY, WARNINGS_KEY)
Start = Callable[[Work, None, Callable[[None, Fitted], None], str], None]

NAME = "T1 fitted"
"""Without the folder's name, which may be the patient's: result, report and scene have the map's."""


class FittingView:
    """`start` does long work and hands on its result, or says what failed; `choose` takes the new volume as the one to
    classify; `say` shows a sentence in the panel.
    """

    def __init__(
        self, ui: Any, start: Start, choose: Callable[[vtkMRMLScalarVolumeNode], None], say: Callable[[str], None]
    ) -> None:
        self.ui = ui
        self._start, self._choose, self._say = start, choose, say
        self.ui.fitButton.connect("clicked(bool)", self._fit)

    def show(self, running: bool) -> None:
        self.ui.fitButton.enabled = not running

    def _fit(self, _checked: bool = False) -> None:
        title = _("Folder with the inversion images (DICOM)")
        chosen = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title)
        if chosen:
            self._start(fitting_work(Path(chosen)), None, self._load, _("The T1 map could not be made."))

    def _load(self, _volume: None, fitted: Fitted) -> None:
        t1_map, keys, notes = fitted
        volume = add_t1_map(t1_map, slicer.mrmlScene)
        for key, text in keys.items():
            volume.SetAttribute(key, text)
        self._choose(volume)
        self._say("\n".join([_("T1 map made: {source}.").format(source=keys[FITTED_KEY]), *notes]))


def fitting_work(folder: Path) -> Work:
    """The fit of a folder's images in a process, which ends where the work is cancelled.

    The work raises ACNetError for images that can't be fitted and for a map that is no native one.
    """

    def work(progress: Progress) -> Fitted:
        with TemporaryDirectory(prefix="acnet-fit-") as room:
            map_file = Path(room) / "map.nrrd"
            notes = fit_in_process(folder, map_file, progress)
            told = read_volume_header(map_file).keys
            keys = {key: told[key] for key in KEPT_KEYS if key in told}
            return replace(read_t1_map(map_file), name=NAME), keys, notes

    return work
