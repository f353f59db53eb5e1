"""Teaches a trained ACNet to say that a heart is unlike those of its training, and measures how often it does.

The score is fitted on the features of the training's patients and on those of simulated patients with other diseases,
each as it is and as another site's scanner would have it: else it tells sites apart. What it is worth on a disease that
nobody showed it is measured by leaving each one out in turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA

from ACNetLib.errors import ACNetError
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.outside import LimitsByCall, above
from ACNetLib.models.model import Model
from ACNetLib.networks.acnet import ACNet
from ACNetLib.networks.outside import CLASSES, COMPONENTS, MOST_SLICES, REGIONS, SCORE_WEIGHTS, OutsideScore
from ACNetLib.worker_pool import worker_pool

from ..cases.library import Case, CaseLibrary
from ..evaluation.metrics import share_estimate
from ..simulation.diseases import DISEASES, draw_diseased_patient
from ..simulation.patient import Disease
from ..simulation.section import LEVEL_NAMES
from ..training.dataset import section_of_case
from ..training.outside_limits import FALSE_ALARMS, limits_by_count, means_by_count
from ..training.split import split_of_training
from .other_site import of_other_sites
from .simulated_crops import MapArray, network_output, patient_crops

SHOWN: tuple[Disease, ...] = ("hcm", "amyloidosis", "rv")
"""Whose features the score is fitted on, beside normal and DCM. The others are only measured."""
MEASURED_PATIENTS = 100
REGULARIZATION = 0.02
"""What an observation weighs beside half of the squared weights: scikit-learn's C."""
BATCH_SIZE = 16

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Group:
    """The features of some patients' slices, (slices, 256), and whose each is."""

    features: NDArray[np.float32]
    patients: tuple[str, ...]

    def by_patient(self, scores: FloatArray) -> list[FloatArray]:
        """The scores of each patient's slices."""
        names = np.array(self.patients)
        return [scores[names == name] for name in dict.fromkeys(self.patients)]


@dataclass(frozen=True)
class Simulated:
    """Patients who are simulated to fit a score on: so many of each of SHOWN."""

    patients: int
    seed: int


@dataclass(frozen=True, eq=False)
class FeaturesOf:
    """What a network makes of patients' slices; `rng` draws what another site changes."""

    model: Model
    device: DeviceChoice
    rng: np.random.Generator

    def cases(self, library: CaseLibrary, cases: Sequence[Case], elsewhere: bool = False) -> Group:
        batches = [cases[start : start + BATCH_SIZE] for start in range(0, len(cases), BATCH_SIZE)]
        crops = (np.stack([_crop(library, case) for case in batch]) for batch in batches)
        return self._group(crops, [case.patient for case in cases], elsewhere)

    def diseased(self, disease: Disease, indices: range, seed: int, elsewhere: bool = False) -> Group:
        """Simulated patients with the disease."""
        field = self.model.card.field_strength_tesla
        drawn = [draw_diseased_patient(seed, index, disease, field) for index in indices]
        with worker_pool() as pool:
            crops = list(pool.map(patient_crops, drawn, chunksize=2))
        return self._group(crops, [patient.name for patient in drawn for _ in LEVEL_NAMES], elsewhere)

    def _group(self, crops: Iterable[MapArray], patients: Sequence[str], elsewhere: bool) -> Group:
        """crops: batches (N, 128, 128) in ms. elsewhere: each slice twice, as it is and as another site has it."""
        as_they_are, changed = [], []
        for batch in crops:
            as_they_are.append(self._features(batch))
            if elsewhere:
                changed.append(self._features(of_other_sites(batch, self.rng)))
        return Group(np.concatenate(as_they_are + changed), tuple(patients) * (1 + elsewhere))

    def _features(self, crops: MapArray) -> NDArray[np.float32]:
        values: NDArray[np.float32] = network_output(self.model, crops, self.device).features.cpu().numpy()
        return values


def _crop(library: CaseLibrary, case: Case) -> MapArray:
    """As inference sees it, (128, 128) in ms."""
    t1_map = section_of_case(library, case)
    return library.grid(case, t1_map).filled(t1_map)


def fit_outside(
    model: Model,
    library: CaseLibrary,
    simulated: Simulated,
    device: DeviceChoice,
    others: Sequence[CaseLibrary] = (),
) -> tuple[Model, dict[str, Any]]:
    """The model with an outside score, in the place of one that it has, and what that is worth.

    library: what the model was trained on; the patients whom that training held back set the limits. It is measured on
    other simulated patients than it is fitted on, of every disease. others: libraries in which the share of patients
    called unlike is measured. Raises ACNetError for a network that is not ACNet.
    """
    if not isinstance(model.network, ACNet):
        raise ACNetError(f"model {model.card.name}: it is no ACNet; expected one, whose features are described.")
    fitted, held_back = split_of_training(library, model.card)
    features_of = FeaturesOf(model, device, np.random.default_rng(simulated.seed))
    seen, unseen = features_of.cases(library, fitted, elsewhere=True), features_of.cases(library, held_back)
    is_dcm = np.tile([case.is_dcm for case in fitted], 2)
    first, measured_range = range(simulated.patients), range(simulated.patients, simulated.patients + MEASURED_PATIENTS)
    shown = {disease: features_of.diseased(disease, first, simulated.seed, elsewhere=True) for disease in SHOWN}
    measured = {disease: features_of.diseased(disease, measured_range, simulated.seed) for disease in DISEASES}
    score = fit_score(seen, is_dcm, shown, unseen)
    left_out = {}
    for disease in SHOWN:
        without = {other: group for other, group in shown.items() if other != disease}
        left_out[disease] = share_outside(fit_score(seen, is_dcm, without, unseen), measured[disease])
    record = {
        "false_alarms_held_back": share_outside(score, unseen),
        "shown": list(SHOWN),
        "diseases": {disease: share_outside(score, group) for disease, group in measured.items()},
        "diseases_left_out": left_out,
        "others": {other.folder.name: share_outside(score, features_of.cases(other, other.cases)) for other in others},
    }
    return with_score(model, score), record


def with_score(model: Model, score: OutsideScore) -> Model:
    """The model with this score, in the place of one that it has; limits of that one hold no more."""
    limits = model.card.outside_limits
    card = replace(
        model.card,
        network={**model.card.network, "outside": REGIONS},
        outside_limits=LimitsByCall(replace(limits.normal, score=()), replace(limits.dcm, score=())),
    )
    taught = ACNet(**card.network)
    weights = {name: each for name, each in model.network.state_dict().items() if not name.startswith(SCORE_WEIGHTS)}
    taught.load_state_dict(weights | {SCORE_WEIGHTS + name: each for name, each in score.state_dict().items()})
    return Model(taught.eval(), card)


def fit_score(seen: Group, is_dcm: NDArray[np.bool_], diseases: Mapping[Disease, Group], unseen: Group) -> OutsideScore:
    """seen: to describe the training by; unseen: other patients of it, who set the limits."""
    score = OutsideScore(seen.features.shape[1] // REGIONS, REGIONS)
    spread = seen.features.std(axis=0) + 1e-6
    components = PCA(COMPONENTS, whiten=True).fit(seen.features / spread)
    projection = components.components_ / np.sqrt(components.explained_variance_)[:, None]
    _set(score, "projection", projection / spread)
    _set(score, "offset", -projection @ components.mean_)
    described = _described(score, seen)[0]
    centers = np.stack([described[is_dcm == bool(label)].mean(axis=0) for label in range(CLASSES)])
    _set(score, "centers", centers)
    _set(score, "precision", LedoitWolf().fit(described - centers[is_dcm.astype(int)]).precision_)
    groups = [seen, *diseases.values()]
    inputs = np.concatenate([_inputs(score, group) for group in groups])
    is_other = np.repeat([0] + [1] * len(diseases), [len(group.patients) for group in groups])
    weights, bias = logistic_regression(inputs, is_other)
    _set(score, "linear", weights[:COMPONENTS])
    _set(score, "square", weights[COMPONENTS : 2 * COMPONENTS])
    _set(score, "distance", weights[2 * COMPONENTS :])
    _set(score, "bias", np.array([bias]))
    _set(score, "limits", _limits(unseen.by_patient(_scores(score, unseen))))
    return score


def logistic_regression(inputs: FloatArray, is_other: NDArray[np.int_]) -> tuple[FloatArray, float]:
    """Weights (inputs,) and bias, both classes weighing the same.

    Those of squares and distance are 0 or more: with negative ones, images without a heart, which lie far away, were
    liker the training than the training itself. Raises ACNetError where no best weights are found.
    """
    scale = inputs.std(axis=0) + 1e-6
    scaled = np.column_stack([inputs / scale, np.ones(len(inputs))])
    towards_other = np.where(is_other == 1, 1.0, -1.0)
    share = np.where(is_other == 1, np.mean(is_other), 1 - np.mean(is_other))
    sample_weight = REGULARIZATION / (2 * share)

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        margins = towards_other * (scaled @ weights)
        penalised = np.append(weights[:-1], 0.0)  # the bias is free
        slope = -sample_weight * towards_other * expit(-margins)
        value = sample_weight @ np.logaddexp(0, -margins) + penalised @ penalised / 2
        return float(value), scaled.T @ slope + penalised

    free, upwards = (None, None), (0.0, None)
    bounds = [free] * COMPONENTS + [upwards] * (COMPONENTS + 1) + [free]
    start, steps = np.zeros(scaled.shape[1]), {"maxiter": 5000}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=steps)
    if not found.success:
        raise ACNetError(f"The score of unlike hearts was not fitted ({found.message}); expected features without NaN.")
    return found.x[:-1] / scale, float(found.x[-1])


def _set(score: OutsideScore, name: str, values: FloatArray) -> None:
    getattr(score, name).copy_(torch.from_numpy(np.asarray(values, np.float32)))


def _described(score: OutsideScore, group: Group) -> tuple[FloatArray, FloatArray]:
    with torch.inference_mode():
        components, distance = score.described(torch.from_numpy(group.features))
    return components.double().numpy(), distance.double().numpy()


def _inputs(score: OutsideScore, group: Group) -> FloatArray:
    components, distance = _described(score, group)
    return np.column_stack([components, components**2, distance])


def _scores(score: OutsideScore, group: Group) -> FloatArray:
    with torch.inference_mode():
        values: FloatArray = score(torch.from_numpy(group.features)).double().numpy()
    return values


def _limits(patients: Sequence[FloatArray]) -> FloatArray:
    """(3,): where no patient has so many slices, the limit for fewer."""
    limits = limits_by_count(means_by_count(patients), FALSE_ALARMS)
    return np.pad(limits, (0, MOST_SLICES - len(limits)), mode="edge")


def share_outside(score: OutsideScore, group: Group) -> dict[str, float]:
    """Of the patients, by all their slices, with the Wilson 95 % interval."""
    limits = score.limits.tolist()
    patients = group.by_patient(_scores(score, group))
    called = sum(above(each.tolist(), limits) is not None for each in patients)
    return {**asdict(share_estimate(called, len(patients))), "patients": len(patients)}
