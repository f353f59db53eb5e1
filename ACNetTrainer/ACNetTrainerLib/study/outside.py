"""Teaches a trained ACNet to say that a heart is unlike those of its training, and measures how often it does.

The score is fitted on the features of the training's patients and on those of simulated patients with other diseases.
What it is worth on a disease that nobody showed it is measured by leaving each one out in turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from ACNetLib.errors import ACNetError
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.outside import above
from ACNetLib.models.model import Model
from ACNetLib.networks.acnet import ACNet
from ACNetLib.networks.outside import CLASSES, COMPONENTS, MOST_SLICES, OutsideScore
from ACNetLib.t1map.section import to_intensity
from ACNetLib.worker_pool import worker_pool

from ..cases.library import CaseLibrary
from ..evaluation.metrics import share_estimate
from ..simulation.diseases import DISEASES, draw_diseased_patient
from ..simulation.patient import Disease, Patient
from ..simulation.section import LEVEL_NAMES
from ..training.batches import InOrder
from ..training.dataset import CaseDataset
from ..training.outside_limits import FALSE_ALARMS, limits_by_count, means_by_count
from ..training.split import split_of_training
from .simulated_crops import patient_crops

SHOWN: tuple[Disease, ...] = ("hcm", "amyloidosis", "rv")
"""Whose features the score is fitted on, beside normal and DCM. The others are only measured."""
MEASURED_PATIENTS = 100
REGULARIZATION = 0.02
BATCH_SIZE = 16

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Group:
    """The features of some patients' slices, (slices, 128), and whose each is."""

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


def fit_outside(
    model: Model,
    library: CaseLibrary,
    simulated: Simulated,
    device: DeviceChoice,
    others: Sequence[CaseLibrary] = (),
) -> tuple[Model, dict[str, Any]]:
    """The model with an outside score, and what that is worth.

    library: what the model was trained on; the patients whom that training held back set the limits. It is measured on
    other simulated patients than it is fitted on, of every disease. others: libraries in which the share of patients
    called unlike is measured. Raises ACNetError for a network that is not ACNet.
    """
    if not isinstance(model.network, ACNet):
        raise ACNetError(f"model {model.card.name}: it is no ACNet; expected one, whose features are described.")
    fitted, held_back = split_of_training(library, model.card)
    network = model.network.to(device.device).eval()

    def group_of(of_library: CaseLibrary) -> Group:
        samples = CaseDataset(of_library, of_library.cases, model.card.intensity)
        features = [_features(network, batch[0], device) for batch in InOrder(samples, BATCH_SIZE)]
        return Group(np.concatenate(features), tuple(case.patient for case in of_library.cases))

    training = CaseLibrary(library.folder, fitted)
    seen, unseen = group_of(training), group_of(CaseLibrary(library.folder, held_back))
    is_dcm = np.array([case.is_dcm for case in fitted])
    field = model.card.field_strength_tesla

    def diseased(disease: Disease, indices: range) -> Group:
        drawn = [draw_diseased_patient(simulated.seed, index, disease, field) for index in indices]
        return _simulated(network, model, drawn, device)

    patients = simulated.patients
    shown = {disease: diseased(disease, range(patients)) for disease in SHOWN}
    measured = {disease: diseased(disease, range(patients, patients + MEASURED_PATIENTS)) for disease in DISEASES}
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
        "others": {other.folder.name: share_outside(score, group_of(other)) for other in others},
    }
    taught = ACNet(**{**model.card.network, "outside": True})
    assert taught.outside_score is not None
    taught.load_state_dict(model.network.state_dict(), strict=False)
    taught.outside_score.load_state_dict(score.state_dict())
    card = replace(model.card, network={**model.card.network, "outside": True})
    return Model(taught.eval(), card), record


def _features(network: ACNet, sections: torch.Tensor, device: DeviceChoice) -> NDArray[np.float32]:
    with torch.inference_mode():
        features = network(sections.to(device.device)).features
    values: NDArray[np.float32] = features.float().cpu().numpy()
    return values


def _simulated(network: ACNet, model: Model, drawn: Sequence[Patient], device: DeviceChoice) -> Group:
    with worker_pool() as pool:
        crops = np.concatenate(list(pool.map(patient_crops, drawn, chunksize=2)))
    intensity = torch.from_numpy(to_intensity(crops, model.card.intensity))[:, None]
    features = [_features(network, batch, device) for batch in intensity.split(BATCH_SIZE)]
    names = tuple(patient.name for patient in drawn for _ in LEVEL_NAMES)
    return Group(np.concatenate(features), names)


def fit_score(seen: Group, is_dcm: NDArray[np.bool_], diseases: Mapping[Disease, Group], unseen: Group) -> OutsideScore:
    """seen: to describe the training by; unseen: other patients of it, who set the limits."""
    score = OutsideScore(seen.features.shape[1])
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
    scale = inputs.std(axis=0) + 1e-6
    fit = LogisticRegression(C=REGULARIZATION, class_weight="balanced", max_iter=5000).fit(inputs / scale, is_other)
    weights = fit.coef_[0] / scale
    _set(score, "linear", weights[:COMPONENTS])
    _set(score, "square", weights[COMPONENTS : 2 * COMPONENTS])
    _set(score, "distance", weights[2 * COMPONENTS :])
    _set(score, "bias", fit.intercept_)
    _set(score, "limits", _limits(unseen.by_patient(_scores(score, unseen))))
    return score


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
