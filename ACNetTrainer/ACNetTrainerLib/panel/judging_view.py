"""The lower part of the trainer's panel: how good the trained model is, and its way to the classifier."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer.util
from slicer.i18n import tr as _

from ACNetLib.errors import ACNetError
from ACNetLib.files import damage_named, read_json
from ACNetLib.models.store import user_models_folder
from ACNetLib.panel.labels import say
from ACNetLib.processes import ask_to_end, last_error, run_tied
from ACNetTrainerLib.panel.parameters import ACNetTrainerParameters
from ACNetTrainerLib.panel.texts import failure_text, judged_text, result_header, result_texts, third_column_text
from ACNetTrainerLib.training.background import COMMAND, Training

POLL_MS = 300
METRICS_FILE, FIGURES_FOLDER, JUDGED_MODEL = "metrics.json", "figures", "judged"
ERRORS_FILE = "judging-errors.txt"
FIGURE_WIDTH = 380
AGAIN = "Evaluate the model again."


class JudgingView:
    """Evaluates the shown training's model on other patients and publishes it, each by a process of `acnet-train`.

    A model that is cross-validated can be published as it is.
    """

    def __init__(
        self, ui: Any, shown_training: Callable[[], Training | None], on_published: Callable[[], None]
    ) -> None:
        self.ui = ui
        self._shown_training, self._on_published = shown_training, on_published
        self._parameters: ACNetTrainerParameters | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._errors_file = Path()
        self._on_end: Callable[[], str] = str
        self._message, self._message_of = "", ""
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)
        self.ui.judgeButton.connect("clicked(bool)", self._judge)
        self.ui.publishButton.connect("clicked(bool)", self._publish)
        self.ui.folderButton.connect("clicked(bool)", self._open_folder)

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
        self.ui.publishButton.enabled = has_model and bool(metrics) and not self.running
        self.ui.folderButton.visible = training is not None
        folders = () if training is None else (training.folder / FIGURES_FOLDER, training.cross_validation_folder)
        message = self._message if training is not None and training.name == self._message_of else ""
        say(self.ui.resultLabel, "\n".join(filter(None, [judged_text(metrics), message])))
        self._show_measures(metrics)
        for label, figure in (
            (self.ui.learningCurveLabel, "learning-curve.png"),
            (self.ui.mistakesLabel, "mistakes.png"),
            (self.ui.rocLabel, "roc.png"),
            (self.ui.reliabilityLabel, "reliability.png"),
            (self.ui.attentionLabel, "attention.png"),
        ):
            file = next((folder / figure for folder in folders if (folder / figure).is_file()), None)
            label.visible = file is not None
            if file is not None:
                label.setPixmap(qt.QPixmap(str(file)).scaledToWidth(FIGURE_WIDTH, qt.Qt.SmoothTransformation))

    def close(self) -> None:
        self._timer.stop()
        if self._process is not None:
            ask_to_end(self._process)

    def _show_measures(self, metrics: dict[str, Any]) -> None:
        header, rows = result_header(metrics), result_texts(metrics)
        table = self.ui.metricsTable
        for column, text in enumerate(header):
            table.horizontalHeaderItem(column).setText(text)
        table.horizontalHeaderItem(len(header) - 1).setToolTip(third_column_text(metrics))
        table.visible = bool(rows)
        table.setRowCount(len(rows))
        for row, texts in enumerate(rows):
            for column, text in enumerate(texts):
                table.setItem(row, column, qt.QTableWidgetItem(text))
        table.resizeColumnsToContents()

    def _judge(self, _checked: bool = False) -> None:
        training, parameters = self._shown_training(), self._parameters
        if training is None or parameters is None:
            return
        judged = _judged_model(training)
        arguments = ["evaluate", str(training.model_file), parameters.judging_library]
        arguments += ["--output", str(training.folder / METRICS_FILE), "--save-model", str(judged)]
        arguments += ["--figures", str(training.folder / FIGURES_FOLDER)]
        self._run(training, arguments, _("Evaluating the model..."), str)

    def _publish(self, _checked: bool = False) -> None:
        training = self._shown_training()
        if training is None:
            return
        is_judged = (training.folder / METRICS_FILE).is_file()
        arguments = ["publish", str(_judged_model(training) if is_judged else training.model_file)]
        if (user_models_folder() / training.model_file.name).exists():
            question = _("The classifier has your model {name} already. Put this one in its place?")
            if not slicer.util.confirmOkCancelDisplay(question.format(name=training.name)):
                return
            arguments.append("--replace")
        self._run(training, arguments, _("Publishing..."), self._published)

    def _published(self) -> str:
        self._on_published()
        return _("Published: the classifier lists the model from now on.")

    def _open_folder(self, _checked: bool = False) -> None:
        training = self._shown_training()
        if training is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(training.folder)))

    def _run(self, training: Training, arguments: list[str], text: str, on_end: Callable[[], str]) -> None:
        """on_end says what the user reads when it went well."""
        with slicer.util.tryWithErrorDisplay(_("The process could not be started.")):
            self._errors_file = training.folder / ERRORS_FILE
            with self._errors_file.open("wb") as errors:  # a pipe that nobody reads would hold up the process
                self._process = run_tied(COMMAND, arguments, stdout=subprocess.DEVNULL, stderr=errors)
            self._message, self._message_of, self._on_end = text, training.name, on_end
            self._timer.start()
        self.show()

    def _poll(self) -> None:
        if self._process is None or self._process.poll() is None:
            return
        process, self._process = self._process, None
        self._timer.stop()
        self._message = (
            self._on_end() if process.returncode == 0 else failure_text(last_error(self._errors_file), ERRORS_FILE)
        )
        self.show()


def _judged_model(training: Training) -> Path:
    return training.folder / JUDGED_MODEL / training.model_file.name


def _metrics(training: Training) -> dict[str, Any]:
    """Of its evaluation on other patients, else of its cross-validation; none where there is neither."""
    files = (folder / METRICS_FILE for folder in (training.folder, training.cross_validation_folder))
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        return {}
    try:
        metrics = read_json(file, AGAIN)
        with damage_named(file, AGAIN):
            judged_text(metrics), result_header(metrics), result_texts(metrics), third_column_text(metrics)
    except ACNetError:  # it was damaged since, or is of an older ACNet: as if it had not been evaluated
        return {}
    return metrics
