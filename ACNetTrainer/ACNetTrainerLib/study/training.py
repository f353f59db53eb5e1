"""One training of a comparison, and what its network says of the sections that it is tested on.

All that a result depends on is in a `Run`, our source files and the libraries: see `cache`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ACNetLib.files import damage_named
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.t1map.section import to_intensity

from ..cases.library import Case, CaseLibrary
from ..cases.table import read_table
from ..evaluation.metrics import FloatArray
from ..training.augmentation import random_grid, vary_t1
from ..training.batches import Batch, EpochBatches, InOrder
from ..training.checkpoints import TRAIN_ANEW
from ..training.dataset import CaseDataset, EpochSampler, SampleKey
from ..training.loop import Place, fit
from ..training.network import build_network
from ..training.recipe import Augmentation, Recipe
from ..training.task import TrainingTask
from ..training.train import train
from ..training.work_folder import METRICS_FILE, claim_folder
from .attention import Attention, log_odds_and_attention

COPY = Augmentation(rotation_degrees=20.0, shift_mm=0.0, scale=0.0, noise_ms=30.0)
"""How far a copy is turned and how noisy it is made at most: the paper does not say."""


@dataclass(frozen=True)
class CopiedCase(Case):
    """A turned and noisy copy of a section, as the paper made of its normals before the split. copy_of: its case."""

    copy_of: str = ""


@dataclass(frozen=True)
class Cohort:
    """What a network is tested on, named after its library. shown: sections whose attention is kept as pictures."""

    name: str
    folder: Path
    cases: tuple[Case, ...]
    shown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """One training, named in messages and files. network: one of NETWORKS or VARIANTS. number: of the fold or the seed.

    selection: "test", as the paper did, keeps the epoch with the best accuracy on the sections that it is tested on
    afterwards; "validation" chooses epoch and temperatures on held-back patients of the training cases.
    """

    name: str
    network: str
    number: int
    recipe: Recipe
    selection: Literal["test", "validation"]
    training_folder: Path
    training: tuple[Case, ...]
    tests: tuple[Cohort, ...]

    @property
    def tested(self) -> tuple[Case, ...]:
        """The cases of all cohorts."""
        return tuple(case for cohort in self.tests for case in cohort.cases)


@dataclass(frozen=True)
class Outcome:
    """log_odds: by cohort (n,) of DCM, uncalibrated, of its sections in their order. epochs: rows of metrics.csv.

    attention: by cohort, of networks with attention.
    """

    log_odds: dict[str, FloatArray]
    temperatures: tuple[float, ...]
    training_prior_dcm: float
    decision_threshold: float
    best_epoch: int
    epochs: tuple[dict[str, float], ...] = ()
    attention: dict[str, Attention] = field(default_factory=dict)


class PaperDataset(CaseDataset):
    """Without augmentation, but with the copies: each is turned and noisy in its own way, always the same."""

    def __getitem__(self, key: SampleKey) -> tuple[Tensor, ...]:
        _, index, _ = key
        case, t1_map, grid = self.cases[index], self._maps[index], self._grids[index]
        if not isinstance(case, CopiedCase):
            return super().__getitem__(key)
        rng = np.random.default_rng(list(case.case.encode()))
        grid = random_grid(grid, COPY, rng)
        t1_ms = vary_t1(grid.filled(t1_map), COPY, rng)
        return torch.from_numpy(to_intensity(t1_ms, self._intensity))[None], torch.tensor(int(case.is_dcm))


class PaperTask(TrainingTask):
    """Its "validation" is the test, and the share of wrong sections is what the epoch is chosen by."""

    def validate(self, batches: Iterable[Batch]) -> dict[str, float]:
        log_odds, is_dcm = self.log_odds(batches)
        is_right = (log_odds > 0) == is_dcm
        return {
            "validation_loss": float((~is_right).mean()),
            "validation_recall_dcm": float(is_right[is_dcm].mean()),
            "validation_recall_normal": float(is_right[~is_dcm].mean()),
        }


def train_and_test(run: Run, work_folder: Path, device: DeviceChoice) -> Outcome:
    """Train, choose the epoch by the run's selection, and test. What was begun in `work_folder` is resumed.

    Raises ACNetError like `train`.
    """
    if run.selection == "test":
        return _as_the_paper(run, work_folder, device)
    model = train(CaseLibrary(run.training_folder, run.training), run.recipe, run.name, Place(work_folder, device))
    card = model.card
    log_odds, attention = _tested(model.network, run, device)
    return Outcome(
        log_odds=log_odds,
        temperatures=card.temperatures,
        training_prior_dcm=card.training_prior_dcm,
        decision_threshold=card.decision_threshold,
        best_epoch=card.training["best_epoch"],
        epochs=_epochs(work_folder),
        attention=attention,
    )


def _tested(network: nn.Module, run: Run, device: DeviceChoice) -> tuple[dict[str, FloatArray], dict[str, Attention]]:
    """By cohort: log odds, and attention. One cohort after the other, for a thousand patients fill some memory."""
    log_odds, attention = {}, {}
    for cohort in run.tests:
        library = CaseLibrary(cohort.folder, cohort.cases)
        dataset = PaperDataset(library, cohort.cases, run.recipe.intensity)
        own, attended = log_odds_and_attention(network, dataset, library, cohort.shown, device)
        log_odds[cohort.name] = own
        if attended is not None:
            attention[cohort.name] = attended
    return log_odds, attention


def _as_the_paper(run: Run, work_folder: Path, device: DeviceChoice) -> Outcome:
    settings = run.recipe.optimization
    (cohort,) = run.tests
    claim_folder(work_folder, {"recipe": asdict(run.recipe), "cases": [case.case for case in run.training]})
    training_set = PaperDataset(CaseLibrary(run.training_folder, run.training), run.training, run.recipe.intensity)
    test_set = PaperDataset(CaseLibrary(cohort.folder, cohort.cases), cohort.cases, run.recipe.intensity)
    sampler = EpochSampler([case.is_dcm for case in run.training], settings.seed, settings.class_balance)
    batches = EpochBatches(training_set, settings.batch_size, sampler)
    torch.manual_seed(settings.seed)
    network = build_network(**asdict(run.recipe.network))
    fitted = fit(PaperTask(network, settings), batches, InOrder(test_set), Place(work_folder, device))
    network.eval()
    log_odds, attention = _tested(network, run, device)
    return Outcome(
        log_odds=log_odds,
        temperatures=(1.0,),
        training_prior_dcm=0.5,
        decision_threshold=0.5,
        best_epoch=fitted.best_epoch,
        epochs=_epochs(work_folder),
        attention=attention,
    )


def _epochs(work_folder: Path) -> tuple[dict[str, Any], ...]:
    path = work_folder / METRICS_FILE
    with damage_named(path, TRAIN_ANEW):
        return tuple({name: float(value) for name, value in row.cells.items()} for row in read_table(path).rows)
