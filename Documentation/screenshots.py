"""Pictures of the panel in its states and of the slice views, without the Slicer application: `make screenshots`.

The panel is the unchanged module in the headless host of the tests, in the space that it has in Slicer; the views are
drawn by Slicer's own code (drawn_views.py). Only the application's frame is missing. Looked at, then used in the
documentation.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import slicer
from PIL import Image

from ACNetLib.models.store import FOLDER_VARIABLE
from ACNetTrainerLib.evaluation.drawing import WEBP_QUALITY, with_few_colors
from ACNetTrainerLib.simulation.cohort import Cohort, simulate_cohort
from drawn_views import DrawnView
from slicer_host import load_module, start_host, wait_until

REPOSITORY = Path(__file__).parent.parent
IMAGES = REPOSITORY / "Documentation" / "images"
SCREENSHOTS = REPOSITORY / "Resources" / "Screenshots"
"""Of the page in the extension manager."""
PANEL_WIDTH, PANEL_HEIGHT, GAP = 430, 560, 12
"""Of the space that Slicer leaves to a module, above its Data Probe."""
BACKGROUND = (46, 46, 58)
OVERLAY_QUALITY, VIEW_SCALE = 70, 0.6


class Panel:
    """A module's panel in a scroll area, as in Slicer."""

    def __init__(self, module: str, prefix: str) -> None:
        import qt

        self._prefix = prefix
        self.module = load_module(REPOSITORY / module / f"{module}.py")
        self.module.enter()
        self.ui: Any = self.module.widget.panel.ui
        self._area = qt.QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setWidget(self.module.widget.parent)
        self._area.resize(PANEL_WIDTH, PANEL_HEIGHT)
        self._area.show()

    def choose(self, combo_box: Any, value: str) -> None:
        combo_box.setCurrentIndex(combo_box.findData(value))

    def picture(self, name: str) -> Path:
        """What the user sees of it without scrolling."""
        return self._save(self._area, name)

    def whole_picture(self, name: str) -> Path:
        return self._save(self.module.widget.parent, name)

    def settle(self) -> None:
        """Wait until the views know their sizes in another layout."""
        start = time.monotonic()
        wait_until(lambda: time.monotonic() > start + 0.2)

    def _save(self, widget: Any, name: str) -> Path:
        slicer.app.processEvents()
        path = IMAGES / f"{self._prefix}-{name}.png"
        widget.grab().save(str(path))
        save(Image.open(path), path)
        return path


def save(picture: Image.Image, path: Path) -> None:
    """Few colours are enough for a panel, and quarter the file; views are full of noise, which WebP packs best."""
    if path.suffix == ".webp":
        smaller(picture.convert("RGB")).save(path, quality=WEBP_QUALITY)
    else:
        with_few_colors(picture.convert("RGB")).save(path, optimize=True)


def smaller(picture: Image.Image) -> Image.Image:
    size = (round(VIEW_SCALE * picture.width), round(VIEW_SCALE * picture.height))
    return picture.resize(size, Image.Resampling.LANCZOS)


def side_by_side(*pictures: Image.Image) -> Image.Image:
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
    whole = Image.new("RGB", (width, max(picture.height for picture in pictures)), BACKGROUND)
    left = 0
    for picture in pictures:
        whole.paste(picture, (left, 0))
        left += picture.width + GAP
    return whole


def make_panel_pictures(panel: Panel) -> None:
    panel.picture("empty")
    panel.ui.sampleButton.click()
    panel.picture("ready")
    panel.ui.applyButton.click()
    wait_until(lambda: panel.ui.applyButton.text == "Apply")


def make_view_pictures(panel: Panel, plain: DrawnView, second: DrawnView) -> None:
    """Two views beside each other, then the panel with one."""
    panel.ui.sideBySideCheckBox.click()
    panel.settle()
    save(side_by_side(plain.picture(), second.picture()), IMAGES / "views-side-by-side.webp")
    panel.ui.sideBySideCheckBox.click()
    panel.settle()
    done = Image.open(panel.picture("done")).convert("RGB")
    save(side_by_side(done, plain.picture().resize((done.height, done.height))), SCREENSHOTS / "panel.png")


def make_overlay_picture() -> None:
    """The middle slice of the simulated patient with DCM, as the report shows it."""
    with TemporaryDirectory() as folder:
        demo = [sys.executable, "-m", "ACNetLib.commands.main", "demo", "--output", f"{folder}/demo"]
        subprocess.run(demo, check=True)
        with Image.open(Path(folder) / "demo" / "ACNetSimulatedDCM" / "section-1.jpg") as picture:
            smaller(picture).save(SCREENSHOTS / "overlay.jpg", quality=OVERLAY_QUALITY)


def make_list_picture(panel: Panel) -> None:
    """Twelve simulated patients; a study is opened from the list."""
    import qt

    with TemporaryDirectory() as folder:
        studies = Path(folder) / "studies"
        simulate_cohort(Cohort(12, 0.4, 1.5, seed=9), studies, levels=("mid",))
        answers = [str(studies / "images"), str(Path(folder) / "list")]
        ask, qt.QFileDialog.getExistingDirectory = qt.QFileDialog.getExistingDirectory, lambda *_: answers.pop(0)
        panel.ui.studiesFolderButton.click()
        panel.ui.listFolderButton.click()
        qt.QFileDialog.getExistingDirectory = ask
        panel.ui.listCollapsibleButton.click()
        panel.ui.listButton.click()
        wait_until(lambda: not panel.module.widget.panel.making_list, 600)
        panel.ui.listTable.item(0, 0).setCheckState(qt.Qt.Checked)
        panel.ui.listTable.cellClicked.emit(1, 1)
        panel.ui.listTable.selectRow(1)
        panel.ui.studiesLabel.text, panel.ui.listLabel.text = "C:/studies", "C:/reading list"
        panel.whole_picture("list")
        panel.ui.listCollapsibleButton.click()


def make_trainer_pictures() -> None:
    """A cross-validation of the shipped cases; two epochs, so its numbers are those of no real model."""
    panel = Panel("ACNetTrainer", "trainer")
    with TemporaryDirectory() as folder:
        os.environ[FOLDER_VARIABLE] = str(Path(folder) / "models")
        recipe = Path(folder) / "short.toml"
        recipe.write_text(short_recipe(), encoding="utf-8")
        parameters = panel.module.widget.panel.logic.getParameterNode()
        parameters.library = str(REPOSITORY / "ACNetTrainer" / "Resources" / "SampleCases")
        wait_until(lambda: not panel.module.widget.panel.running)
        panel.ui.libraryLabel.text = "C:/cases"  # the place on the computer that makes the pictures tells nothing
        panel.whole_picture("cases")
        for part in (panel.ui.casesCollapsibleButton, panel.ui.addCollapsibleButton):
            part.collapsed = True
        parameters.recipe, parameters.model_name, parameters.folds = str(recipe), "ward-1.5T", 2
        parameters.compare_fine_tuning = parameters.learning_curve = False
        panel.ui.crossValidateButton.click()
        wait_until(
            lambda: (
                panel.ui.progressLabel.text.startswith("Finished: every patient") and not panel.ui.stopButton.enabled
            ),
            900,
        )
        panel.choose(panel.ui.recipeComboBox, "recommended")
        panel.whole_picture("cross-validated")
        panel.module.unload()


def short_recipe() -> str:
    lines = (REPOSITORY / "ACNetTrainer" / "Resources" / "Recipes" / "recommended.toml").read_text("utf-8").splitlines()
    short = {
        "epochs": "epochs = 2",
        "batch_size": "batch_size = 4",
        "least_steps": "least_steps = 0",
        "warmup_epochs": "warmup_epochs = 0",
    }
    return "\n".join(short.get(line.split("=")[0].strip(), line) for line in lines)


def main() -> None:
    start_host()
    IMAGES.mkdir(exist_ok=True)
    make_trainer_pictures()
    slicer.mrmlScene.Clear(0)
    panel = Panel("ACNetClassifier", "panel")
    views = DrawnView("Red"), DrawnView("Yellow")
    make_panel_pictures(panel)
    make_view_pictures(panel, *views)
    slicer.mrmlScene.Clear(0)
    panel.ui.sampleButton.click()
    make_list_picture(panel)
    make_overlay_picture()
    panel.module.unload()


if __name__ == "__main__":
    main()
