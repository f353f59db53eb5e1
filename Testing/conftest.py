"""Fixtures for several test files: a made-up study, an untrained model, simulated cases, the headless Slicer host."""

from __future__ import annotations

import copy
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from ACNetLib.inference.attention import ATTENTION_MAPS
from ACNetLib.inference.probability import log_odds_of
from ACNetLib.inference.verdict import verdict
from ACNetLib.t1map.section import SectionGrid
from ACNetLib.t1map.t1_map import Geometry, T1Map, t1_map_from_array
from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL, Ventricle
from ACNetLib.ventricle.measures import SectionMeasures
from ACNetLib.ventricle.shape import HeartShape

# A shell's background jobs ignore SIGINT, and what tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene

    from ACNetLib.inference.result import StudyResult
    from ACNetLib.models.card import ModelCard
    from ACNetLib.models.model import Model
    from ACNetLib.networks.acnet import ACNet
    from ACNetTrainerLib.cases.library import CaseLibrary
    from ACNetTrainerLib.simulation.section import SimulatedSection

pytest_plugins = [
    "dicom_plugin_fixtures",
    "dicom_servers",
    "model_files",
    "panel_fixtures",
    "tiny_training_fixtures",
    "trainer_panel_fixtures",
]

# Columns: the axes of increasing column, row and section index of a short-axis stack, in LPS.
HEART_ROW, HEART_COLUMN = 80, 60
SHORT_AXIS = np.linalg.qr(np.array([[0.7, -0.3, 0.6], [0.6, 0.6, -0.5], [-0.2, 0.8, 0.6]]))[0]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's own models, also for the commands that a test starts: not the developer's, and not
    there yet."""
    monkeypatch.setenv("ACNET_MODELS", str(tmp_path / "own"))
    return tmp_path / "own"


@pytest.fixture
def a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Makes a module `stand_in.main` of some code, which processes find, too; returns its name."""

    def make(code: str) -> str:
        package = tmp_path / "stand_in"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "main.py").write_text(code, encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "stand_in", raising=False)
        __import__("stand_in")
        return "stand_in.main"

    return make


@pytest.fixture
def a_scene() -> vtkMRMLScene:
    from ACNetLib.scene.output import new_scene

    return new_scene()


@pytest.fixture
def a_volume_node(an_oblique_t1_map: T1Map, a_scene: vtkMRMLScene) -> vtkMRMLScalarVolumeNode:
    from ACNetLib.scene.output import add_t1_map

    return add_t1_map(an_oblique_t1_map, a_scene)


@pytest.fixture
def an_oblique_t1_map() -> T1Map:
    """Two sections of 150 x 170 pixels, anisotropic and oblique, a bright heart at (row 80, column 60)."""
    rows, columns = np.mgrid[:150, :170]
    heart = np.hypot(rows - HEART_ROW, columns - HEART_COLUMN) < 20
    t1_ms = np.where(heart, 1600.0, 900.0) + np.random.default_rng(1).normal(0.0, 30.0, (2, 150, 170))
    return t1_map_from_array(
        t1_ms,
        Geometry((1.4, 1.6, 8.0), (-80.5, 35.25, 410.125), SHORT_AXIS),
        name="short axis",
        field_strength_tesla=1.5,
    )


@pytest.fixture
def a_study() -> Callable[..., StudyResult]:
    """A function that makes the result of classifying a T1 map; attention is highest at the centre of each crop."""
    return made_up_study


@pytest.fixture
def three_slices(an_oblique_t1_map: T1Map) -> T1Map:
    values = an_oblique_t1_map.array[[0, 1, 0]]
    values[2] += 1.0  # slices with the same pixels count once
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(an_oblique_t1_map.image.GetSpacing())
    image.SetDirection(an_oblique_t1_map.image.GetDirection())
    image.SetOrigin(an_oblique_t1_map.image.GetOrigin())
    return replace(an_oblique_t1_map, image=image)


def made_up_study(t1_map: T1Map, center_mm: np.ndarray | None = None, probability_dcm: float = 0.91) -> StudyResult:
    from ACNetLib.inference.device import DeviceChoice
    from ACNetLib.inference.outside import LimitsByCall
    from ACNetLib.inference.record import MapRecord, SectionRecord
    from ACNetLib.inference.result import MapImages, StudyResult
    from ACNetLib.models.card import UNCERTAIN_RANGE

    point = t1_map.center if center_mm is None else np.asarray(center_mm)
    grids = [SectionGrid.around(t1_map, section, point) for section in range(t1_map.section_count)]
    distance = np.hypot(*(np.mgrid[:128, :128] - 63.5))
    values = np.stack([grid.restore(np.clip(1.0 - distance / 60.0, 0.05, 1.0), t1_map) for grid in grids])
    bands = np.where(values > 0, 1 + np.digitize(values, (0.3, 0.5, 0.7, 0.9)), 0).astype(np.uint8)
    sections = tuple(
        SectionRecord(
            section=grid.section,
            left_out=False,
            center_lps_mm=grid.center_mm,
            turn_degrees=0.0,
            probability_dcm=probability_dcm - 0.1 * grid.section,
            verdict=verdict(probability_dcm - 0.1 * grid.section, UNCERTAIN_RANGE),
            log_odds_dcm=1.0,
            network_log_odds=tuple(
                log_odds_of(p) - 0.5 * grid.section for p in (probability_dcm, *probability_around(probability_dcm))
            ),
            outside_fraction=grid.crop(t1_map).outside_fraction,
            masked_fraction=0.0,
            confidence=0.97 - 0.1 * grid.section,
            outside_score=float("nan"),
            measures=SectionMeasures(1043.2, 1021.7, 2703.5, 6.9),
            shape=HeartShape(0.31, 0.87),
            wall_attention=1.17 - 0.1 * grid.section,
            warnings=("The crop reaches beyond the map.",) if grid.section else (),
        )
        for grid in grids
    )
    of_map = MapRecord(
        name=t1_map.name,
        section_count=t1_map.section_count,
        sections_chosen=False,
        field_strength_tesla=t1_map.field_strength_tesla,
        scanner=t1_map.scanner,
        simulated=t1_map.simulated,
        center_source="localizer" if center_mm is None else "point",
        field_mismatch=False,
        sections=sections,
        warnings=("The map is odd.",) if center_mm is None else (),
    )
    factors = zip((1.0, 0.9, 0.8), ATTENTION_MAPS, strict=True)
    images = MapImages(
        t1_map=t1_map,
        attention={key: np.float32(factor) * values for factor, key in factors},
        bands={key: np.minimum(bands, top) for top, key in zip((3, 4, 5), ATTENTION_MAPS, strict=True)},
        evidence=np.where(values > 0, 0.2 * values - 0.03, 0.0).astype(np.float32),
        ventricle=np.stack([made_up_ventricle(grid, t1_map) for grid in grids]),
    )
    return StudyResult(
        maps=(of_map,),
        probability_dcm=probability_dcm,
        stability=probability_around(probability_dcm),
        verdict=verdict(probability_dcm, UNCERTAIN_RANGE),
        prevalence_dcm=0.5,
        reference=None,
        model=a_card("acnet-made-up-1.5T"),
        localizer="localizer-made-up",
        device=DeviceChoice("cpu", "no GPU was found"),
        outside_limits=LimitsByCall(),
        exam_warnings=(),
        images=(images,),
    )


def with_map(study: StudyResult, **changes: Any) -> StudyResult:
    """The study with the record of its only map changed."""
    return replace(study, maps=(replace(study.maps[0], **changes),))


def with_images(study: StudyResult, **changes: Any) -> StudyResult:
    """The study with the images of its only map changed."""
    return replace(study, images=(replace(study.images[0], **changes),))


def probability_around(probability_dcm: float) -> tuple[float, float]:
    return probability_dcm - 0.05, min(probability_dcm + 0.03, 0.999)


def made_up_ventricle(grid: SectionGrid, t1_map: T1Map) -> np.ndarray:
    """Labels of a round ventricle in the middle of the crop, its septum on the left, on the map's grid."""
    rows, columns = np.mgrid[:128, :128] - 63.5
    radius = np.hypot(rows, columns)
    septum = (radius >= 22) & (radius < 31) & (columns < -np.abs(rows))
    regions = {
        CAVITY_LABEL: radius < 22,
        MYOCARDIUM_LABEL: (radius >= 22) & (radius < 31) & ~septum,
        SEPTUM_LABEL: septum,
    }
    labels = np.zeros(t1_map.array.shape[1:], np.uint8)
    for label, region in regions.items():
        labels[grid.restore(region.astype(np.float32), t1_map) > 0.5] = label
    return labels


def ring(septum_degrees: float = 180.0, septum: bool = True) -> NDArray[np.uint8]:
    """On the oblique map, around its bright heart: a cavity of 20 pixels and a wall of 8, the quarter of it in this
    direction, from increasing columns towards increasing rows, septum."""
    rows, columns = np.mgrid[:150, :170] - np.reshape((HEART_ROW, HEART_COLUMN), (2, 1, 1))
    radius = np.hypot(rows, columns)
    labels = np.where(radius < 20, CAVITY_LABEL, np.where(radius < 28, MYOCARDIUM_LABEL, 0)).astype(np.uint8)
    if septum:
        away = (np.degrees(np.arctan2(rows, columns)) - septum_degrees + 180) % 360 - 180
        labels[(labels == MYOCARDIUM_LABEL) & (abs(away) < 45)] = SEPTUM_LABEL
    return labels


def label_image(labels: NDArray[np.uint8], t1_map: T1Map) -> sitk.Image:
    """The labels of each section, or of all, on the grid of a map."""
    image = sitk.GetImageFromArray(np.broadcast_to(labels, t1_map.array.shape))
    image.CopyInformation(t1_map.image)
    return image


def a_card(name: str) -> ModelCard:
    """The card of a model that nobody trained."""
    from ACNetLib.models.card import ModelCard

    return ModelCard(
        name=name,
        network={},
        field_strength_tesla=1.5,
        simulated=True,
        decision_threshold=0.5,
        temperatures=(1.0,),
        training_prior_dcm=0.5,
        attention_thresholds=dict.fromkeys(ATTENTION_MAPS, (0.1, 0.2, 0.3, 0.4)),
    )


@dataclass
class Finder:
    """Stands in for the localizer: says where it was told to find each section's ventricle."""

    ventricles: tuple[Ventricle, ...] | None = None
    confidence: float = 0.9
    name: str = "stand-in"
    confidence_threshold: float = 0.6

    def locate(self, t1_map: T1Map, sections: Sequence[int] | None = None) -> tuple[Ventricle, ...]:
        every = self.ventricles or tuple(
            Ventricle(section, t1_map.section_center(section), self.confidence)
            for section in range(t1_map.section_count)
        )
        return tuple(each for each in every if sections is None or each.section in sections)


@pytest.fixture
def a_model(an_untrained_network: ACNet) -> Model:
    """An untrained network, yours to change, and a card."""
    from ACNetLib.models.model import Model

    return Model(copy.deepcopy(an_untrained_network), a_card("untrained"))


@pytest.fixture(scope="session")
def an_untrained_network() -> ACNet:
    """ACNet with weights from a seed; its normalization has seen noise, so that no mask is saturated."""
    import torch

    from ACNetLib.networks.acnet import ACNet
    from made_up_networks import normalized

    torch.manual_seed(11)
    return normalized(ACNet(), 120 + 40 * torch.randn(2, 1, 128, 128))


@pytest.fixture(scope="session")
def simulated_library(tmp_path_factory: pytest.TempPathFactory) -> CaseLibrary:
    """Twelve simulated patients, half of them with DCM, three sections each, at 1.5 T."""
    return simulate_library(tmp_path_factory.mktemp("simulated") / "cases", patients=12, seed=21)


@pytest.fixture(scope="session")
def middle_library(simulated_library: CaseLibrary, tmp_path_factory: pytest.TempPathFactory) -> CaseLibrary:
    """The middle slices of these patients, for whole trainings: a third of the work."""
    from ACNetTrainerLib.cases.library import write_case_table

    folder = Path(shutil.copytree(simulated_library.folder, tmp_path_factory.mktemp("middle") / "cases"))
    middle = tuple(case for case in simulated_library.cases if case.case.endswith("-mid"))
    write_case_table(folder, middle)
    return replace(simulated_library, folder=folder, cases=middle)


@pytest.fixture(scope="session")
def other_library(tmp_path_factory: pytest.TempPathFactory) -> CaseLibrary:
    """The middle slices of twelve other patients, for what was trained on those."""
    return simulate_library(tmp_path_factory.mktemp("others") / "cases", patients=12, seed=33, levels=("mid",))


@pytest.fixture(scope="session")
def flavour_sections() -> list[SimulatedSection]:
    """The slices of the patient that `flavours` has."""
    from ACNetTrainerLib.simulation.patient import draw_patient
    from ACNetTrainerLib.simulation.section import LEVEL_NAMES, simulate_section

    patient = draw_patient(77, 1, "dcm", 1.5).as_one_series()
    return [simulate_section(patient, level) for level in LEVEL_NAMES]


@pytest.fixture(scope="session")
def flavours(flavour_sections: list[SimulatedSection], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each maker's flavour of DICOM: the same patient's map and the images that lie beside it."""
    from ACNetTrainerLib.simulation.cohort import map_image
    from ACNetTrainerLib.simulation.dicom import FLAVOURS
    from ACNetTrainerLib.simulation.dicom.series import write_dicom_series

    folders = {flavour: tmp_path_factory.mktemp("flavours") / flavour for flavour in FLAVOURS}
    images = [map_image(section) for section in flavour_sections]
    for flavour, folder in folders.items():
        write_dicom_series(folder, flavour_sections, images, flavour, with_other_images=True)
    return folders


def simulate_library(
    folder: Path, patients: int, seed: int, levels: tuple[str, ...] = ("base", "mid", "apex")
) -> CaseLibrary:
    from ACNetTrainerLib.cases.library import read_case_library
    from ACNetTrainerLib.simulation.cohort import Cohort, simulate_cohort

    simulate_cohort(Cohort(patients, 0.5, 1.5, seed), folder, levels=levels)
    return read_case_library(folder)


def acnet_train(arguments: Sequence[object]) -> tuple[int, str, str]:
    """The real command in a process of its own, to its end: exit code, standard output and standard error."""
    process = start_acnet_train(arguments)
    try:
        said, error = process.communicate(timeout=900)  # a computer may be busy
    finally:
        process.kill()
    return process.returncode, said, error


def start_acnet_train(arguments: Sequence[object]) -> subprocess.Popen[str]:
    repository = Path(__file__).parent.parent
    paths = [repository / "ACNetClassifier", repository / "ACNetTrainer"]
    return subprocess.Popen(
        [sys.executable, "-m", "ACNetTrainerLib.commands.main", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def stored() -> np.ndarray:
    """Three sections of stored pixels, (3, 40, 30)."""
    return np.random.default_rng(1).integers(200, 1900, (3, 40, 30)).astype(np.uint16)


@pytest.fixture
def study(stored: np.ndarray, tmp_path: Path) -> Path:
    """A DICOM folder with those sections as T1 maps."""
    from dicom_files import write_study

    return write_study(tmp_path / "study", stored)


@pytest.fixture(scope="session")
def host() -> None:
    """This process becomes one in which Slicer modules load."""
    from slicer_host import start_host

    start_host()
