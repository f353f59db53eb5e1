"""The lower part of the trainer's panel: how good the trained model is, and its way to the classifier."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from ACNetTrainerLib.background_training import Training, run_command
from ACNetTrainerLib.panel.logic import python_for_processes
from ACNetTrainerLib.panel.parameters import ACNetTrainerParameters
from ACNetTrainerLib.panel.texts import judged_text, result_texts

POLL_MS = 300
METRICS_FILE, FIGURES_FOLDER, JUDGED_MODEL = "metrics.json", "figures", "judged"
FIGURE_WIDTH = 380


class JudgingView:
    """Judges the shown training's model on other patients and publishes it, each by a process of `acnet-train`."""

    def __init__(
        self, ui: Any, shown_training: Callable[[], Training | None], on_published: Callable[[], None]
    ) -> None:
        self.ui = ui
        self._shown_training, self._on_published = shown_training, on_published
        self._parameters: ACNetTrainerParameters | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._on_end: Callable[[], None] = lambda: None
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)
        self.ui.judgeButton.connect("clicked(bool)", self._judge)
        self.ui.publishButton.connect("clicked(bool)", self._publish)

    @property
    def running(self) -> bool:
        return self._process is not None

    def follow(self, parameters: ACNetTrainerParameters | None) -> None:
        self._parameters = parameters

    def show(self) -> None:
        """Make the widgets say what is known of the shown training's model."""
        training = self._shown_training()
        has_model = training is not None and training.model_file.is_file()
        metrics = _metrics(training) if training is not None else {}
        library = self._parameters.judging_library if self._parameters is not None else ""
        self.ui.judgeButton.enabled = has_model and bool(library) and not self.running
        self.ui.publishButton.enabled = bool(metrics) and not self.running
        rows = result_texts(metrics)
        table = self.ui.metricsTable
        table.visible = bool(rows)
        table.setRowCount(len(rows))
        for row, texts in enumerate(rows):
            for column, text in enumerate(texts):
                table.setItem(row, column, qt.QTableWidgetItem(text))
        for label, figure in ((self.ui.rocLabel, "roc.png"), (self.ui.reliabilityLabel, "reliability.png")):
            file = None if training is None else training.folder / FIGURES_FOLDER / figure
            label.visible = file is not None and file.is_file()
            if file is not None and file.is_file():
                label.setPixmap(qt.QPixmap(str(file)).scaledToWidth(FIGURE_WIDTH, qt.Qt.SmoothTransformation))

    def close(self) -> None:
        self._timer.stop()
        if self._process is not None:
            self._process.kill()

    def _judge(self, _checked: bool = False) -> None:
        training, parameters = self._shown_training(), self._parameters
        if training is None or parameters is None:
            return
        judged = training.folder / JUDGED_MODEL / training.model_file.name
        judged.parent.mkdir(exist_ok=True)
        arguments = ["evaluate", str(training.model_file), parameters.judging_library]
        arguments += ["--output", str(training.folder / METRICS_FILE), "--save-model", str(judged)]
        arguments += ["--figures", str(training.folder / FIGURES_FOLDER)]
        library = Path(parameters.judging_library).name
        self._run(arguments, _("Judging the model..."), lambda: self._say(judged_text(library, _metrics(training))))

    def _publish(self, _checked: bool = False) -> None:
        training = self._shown_training()
        if training is not None:
            judged = training.folder / JUDGED_MODEL / training.model_file.name
            self._run(["publish", str(judged)], _("Publishing..."), self._published)

    def _published(self) -> None:
        self._say(_("Published: the classifier lists the model from now on."))
        self._on_published()

    def _run(self, arguments: list[str], text: str, on_end: Callable[[], None]) -> None:
        self._say(text)
        self._on_end = on_end
        self._process = run_command(
            arguments, python_for_processes(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self._timer.start()
        self.show()

    def _poll(self) -> None:
        if self._process is None or self._process.poll() is None:
            return
        process, self._process = self._process, None
        self._timer.stop()
        assert process.stderr is not None
        errors = process.stderr.read().decode("utf-8", "replace").strip().splitlines()
        process.stderr.close()
        if process.returncode == 0:
            self._on_end()
        else:
            self._say(errors[-1].removeprefix("acnet-train: ") if errors else _("It ended without a word."))
        self.show()

    def _say(self, text: str) -> None:
        self.ui.resultLabel.text = text
        self.ui.resultLabel.visible = bool(text)


def _metrics(training: Training) -> dict[str, Any]:
    file = training.folder / METRICS_FILE
    if not file.is_file():
        return {}
    values = json.loads(file.read_text(encoding="utf-8"))
    return values.get("metrics", values)
