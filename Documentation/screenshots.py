"""Pictures of the panel in its states and of the slice views, without the Slicer application: `make screenshots`.

The panel is the unchanged module in the headless host of the tests, the views are Slicer's own slice logic; what only
the application draws, such as its frame and the handles of the crop boxes, is missing. Looked at, then used in the
documentation.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import slicer
import vtk
from PIL import Image
from vtk.util.numpy_support import vtk_to_numpy

from ACNetLib.model_store import FOLDER_VARIABLE
from ACNetTrainerLib.simulation.cohort import Cohort, simulate_cohort
from slicer_host import load_module, start_host, wait_until

REPOSITORY = Path(__file__).parent.parent
IMAGES = REPOSITORY / "Documentation" / "images"
SCREENSHOT = REPOSITORY / "Resources" / "Screenshots" / "panel.png"
PANEL_WIDTH, VIEW_PIXELS, GAP = 430, 480, 12
FIELD_OF_VIEW_MM = 200.0
BACKGROUND = (46, 46, 58)


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
        self._area.resize(PANEL_WIDTH + 20, 300)
        self._area.show()

    def choose(self, combo_box: Any, value: str) -> None:
        combo_box.setCurrentIndex(combo_box.findData(value))

    def classify(self) -> None:
        self.ui.applyButton.click()
        wait_until(lambda: self.ui.applyButton.text == "Apply")

    def picture(self, name: str) -> Path:
        slicer.app.processEvents()
        path = IMAGES / f"{self._prefix}-{name}.png"
        self.module.widget.parent.grab().save(str(path))
        return path


def view_picture(view: str) -> Image.Image:
    """What the slice view shows of the layers, as the application blends them."""
    scene = slicer.mrmlScene
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
    logic.SetMRMLScene(scene)
    logic.SetSliceNode(scene.GetSingletonNode(view, "vtkMRMLSliceNode"))
    node = logic.GetSliceNode()
    logic.ResizeSliceNode(VIEW_PIXELS, VIEW_PIXELS)
    node.SetDimensions(VIEW_PIXELS, VIEW_PIXELS, 1)
    node.SetFieldOfView(FIELD_OF_VIEW_MM, FIELD_OF_VIEW_MM, 1.0)
    producer = logic.GetImageDataConnection().GetProducer()
    producer.Update()
    image: vtk.vtkImageData = producer.GetOutputDataObject(0)
    pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(VIEW_PIXELS, VIEW_PIXELS, -1)
    return Image.fromarray(np.ascontiguousarray(pixels[::-1, :, :3]))


def side_by_side(*pictures: Image.Image) -> Image.Image:
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
    whole = Image.new("RGB", (width, max(picture.height for picture in pictures)), BACKGROUND)
    left = 0
    for picture in pictures:
        whole.paste(picture, (left, 0))
        left += picture.width + GAP
    return whole


def stacked(*pictures: Image.Image) -> Image.Image:
    turned = [picture.transpose(Image.Transpose.ROTATE_90) for picture in pictures]
    return side_by_side(*turned).transpose(Image.Transpose.ROTATE_270)


def jump_to_middle(panel: Panel) -> None:
    panel.ui.sectionTable.selectRow(1)
    panel.ui.sectionTable.cellClicked.emit(1, 1)


def make_panel_pictures(panel: Panel) -> None:
    panel.picture("empty")
    panel.ui.sampleButton.click()
    panel.picture("ready")
    panel.ui.applyButton.click()
    wait_until(lambda: panel.ui.progressBar.value >= 50)
    panel.picture("running")
    wait_until(lambda: panel.ui.applyButton.text == "Apply")


def make_view_pictures(panel: Panel) -> None:
    panel.ui.sideBySideCheckBox.click()
    jump_to_middle(panel)
    plain = view_picture("Red")
    pictures: dict[str, Callable[[], None]] = {
        "bands": lambda: None,
        "heat": lambda: panel.choose(panel.ui.styleComboBox, "heat"),
        "ventricle": lambda: panel.choose(panel.ui.overlayComboBox, "ventricle"),
    }
    views = {}
    for name, change in pictures.items():
        change()
        views[name] = view_picture("Yellow")
    side_by_side(plain, views["bands"]).save(IMAGES / "views-side-by-side.png", optimize=True)
    panel.choose(panel.ui.t1ColorsComboBox, "perceptual")
    views["perceptual"] = view_picture("Red")
    panel.choose(panel.ui.t1ColorsComboBox, "gray")
    others = (views[name] for name in ("heat", "ventricle", "perceptual"))
    side_by_side(*others).save(IMAGES / "views-heat-ventricle-perceptual.png", optimize=True)
    panel.choose(panel.ui.styleComboBox, "bands")
    panel.choose(panel.ui.overlayComboBox, "combined")
    done = Image.open(panel.picture("done")).convert("RGB")
    side_by_side(done, stacked(plain, views["bands"])).save(SCREENSHOT, optimize=True)


def make_failed_picture(panel: Panel) -> None:
    """A control point beside the heart, so that most of a section would lie outside the map."""
    point = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "left ventricle")
    volume = panel.ui.volumeSelector.currentNode()
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    point.AddControlPoint(bounds[1], bounds[3], bounds[5])
    panel.ui.centerSelector.setCurrentNode(point)
    panel.classify()
    panel.picture("failed")


def make_trainer_pictures() -> None:
    """A training on the shipped cases, judged on others; two epochs, so its numbers are those of no real model."""
    panel = Panel("ACNetTrainer", "trainer")
    with TemporaryDirectory() as folder:
        os.environ[FOLDER_VARIABLE] = str(Path(folder) / "models")
        others = Path(folder) / "other patients"
        simulate_cohort(Cohort(12, 0.5, 1.5, seed=8), others, levels=("mid",))
        recipe = Path(folder) / "short.toml"
        recipe.write_text(short_recipe(), encoding="utf-8")
        parameters = panel.module.widget.panel.logic.getParameterNode()
        parameters.library = str(REPOSITORY / "ACNetTrainer" / "Resources" / "SampleCases")
        wait_until(lambda: not panel.module.widget.panel.running)
        parameters.model_name = "my-model"
        panel.ui.libraryLabel.text = "C:/cases"  # the place on the computer that makes the pictures tells nothing
        panel.picture("cases")
        parameters.recipe = str(recipe)
        panel.ui.trainButton.click()
        wait_until(lambda: panel.ui.progressLabel.text.startswith("Epoch"), 300)
        panel.choose(panel.ui.recipeComboBox, "recommended")
        panel.ui.libraryLabel.text = "C:/cases"
        panel.picture("training")
        wait_until(lambda: panel.ui.progressLabel.text.startswith("Finished"), 300)
        parameters.judging_library = str(others)
        panel.ui.judgeButton.click()
        wait_until(lambda: panel.ui.publishButton.enabled, 300)
        for part in (
            panel.ui.casesCollapsibleButton,
            panel.ui.addCollapsibleButton,
            panel.ui.trainingCollapsibleButton,
        ):
            part.collapsed = True
        panel.ui.judgingLibraryLabel.text = "C:/other patients"
        panel.picture("judged")
        panel.module.unload()


def short_recipe() -> str:
    lines = (REPOSITORY / "ACNetTrainer" / "Resources" / "Recipes" / "recommended.toml").read_text("utf-8").splitlines()
    short = {"epochs": "epochs = 2", "batch_size": "batch_size = 4", "warmup_epochs": "warmup_epochs = 0"}
    return "\n".join(short.get(line.split("=")[0].strip(), line) for line in lines)


def main() -> None:
    start_host()
    IMAGES.mkdir(exist_ok=True)
    make_trainer_pictures()
    slicer.mrmlScene.Clear(0)
    panel = Panel("ACNetClassifier", "panel")
    make_panel_pictures(panel)
    make_view_pictures(panel)
    slicer.mrmlScene.Clear(0)
    panel.ui.sampleButton.click()
    make_failed_picture(panel)
    panel.module.unload()


if __name__ == "__main__":
    main()
