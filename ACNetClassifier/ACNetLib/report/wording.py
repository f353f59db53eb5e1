"""How verdicts and numbers are said in the files of a result: in its pictures, its page and result.json."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ACNetLib.inference.verdict import Verdict, decimals_beside
from ACNetLib.models.attention_measures import attention_measures, is_validated
from ACNetLib.models.card import ModelCard

if TYPE_CHECKING:
    from ACNetLib.inference.record import CenterSource, StudyRecord

VERDICT_WORDS: dict[Verdict, str] = {
    "normal": "normal",
    "uncertain": "uncertain",
    "dcm": "DCM",
    "outside": "unlike the training's hearts",
}
UNKNOWN = "-"
CENTER_SOURCES: dict[CenterSource, str] = {
    "localizer": "The localizer found the left ventricle and drew the contours.",
    "point": "The user gave the centre of the left ventricle. The localizer's contours are used where they enclose it.",
    "segmentation": "The user gave a segmentation: its contours are used, and the localizer says which part of the "
    "wall is septum.",
}


def probability_text(probability: float, limits: Sequence[float] = ()) -> str:
    """Three decimals, more where these would lie on another side of one of the verdict's limits; never 0 or 1, which no
    network can know.
    """
    if probability < 0.0005:
        return "<0.001"
    return ">0.999" if probability >= 0.9995 else f"{probability:.{decimals_beside(probability, limits, 3)}f}"


def quantity_text(value: float, unit: str = "", decimals: int = 0) -> str:
    """A measure with its unit, "-" where it is NaN."""
    return UNKNOWN if math.isnan(value) else f"{value:.{decimals}f} {unit}".rstrip()


def share_text(share: float) -> str:
    return f"{100 * share:g} %"


def verdict_rule(uncertain_range: tuple[float, float]) -> str:
    """The rule of `probability.verdict` in words."""
    low, high = uncertain_range
    between = f"uncertain from {low:g} to below {high:g}, " if low < high else ""
    return f"normal below a probability of {low:g}, {between}DCM from {high:g} on"


def mean_text(mean_ms: float, sd_ms: float | None) -> str:
    """Mean and, if known, standard deviation of a T1."""
    return f"{mean_ms:.0f} ms" if sd_ms is None else f"{mean_ms:.0f} ± {sd_ms:.0f} ms"


def septal_t1_text(septal_t1_ms: float, z_score: float) -> str:
    """In ms without unit, with the z-score where it is known."""
    z = "" if math.isnan(z_score) else f" (z {z_score:+.1f})"
    return f"{quantity_text(septal_t1_ms)}{z}"


def reference_text(study: StudyRecord) -> str:
    """Which normal T1 the result stands on, and what that does to T1 or to the verdict."""
    scanner = f" ({study.maps[0].scanner})" if study.maps[0].scanner else ""
    low, high = study.uncertain_range
    reference = study.reference
    if reference is None:
        return (
            f"No reference T1 of this scanner{scanner} was given: T1 is read as if the scanner's normal T1 equalled "
            f"that of the model's training data. Probabilities from {low:g} to below {high:g} are uncertain."
        )
    text = (
        f"Reference T1 of this scanner{scanner}, {reference.source}: {mean_text(reference.mean_ms, reference.sd_ms)}."
    )
    if study.model.normal_t1_ms is not None:
        text += (
            f" For the networks T1 was multiplied by {study.t1_factor:.3f}, to match the normal T1 of the model's "
            f"training data, {study.model.normal_t1_ms[0]:.0f} ms."
        )
    return (
        f"{text} It is valid only if the map was acquired with the same sequence."
        if reference.source == "remembered"
        else text
    )


def center_sources_text(study: StudyRecord) -> str:
    """Who found the ventricles of the study's maps, and drew their contours."""
    return " ".join(dict.fromkeys(CENTER_SOURCES[each.center_source] for each in study.maps))


def slices_without_a_say(study: StudyRecord) -> dict[str, str]:
    """The slices that have no part in the study's probability, by why that is so; nothing where all have."""
    groups: dict[str, list[str]] = {"Not classified": [], "Left out of the study's probability by the reader": []}
    for index, of_map in enumerate(study.maps):
        judged = {section.section for section in of_map.sections}
        missing = [section for section in range(of_map.section_count) if section not in judged]
        left_out = [section.section for section in of_map.sections if section.left_out]
        for names, sections in zip(groups.values(), (missing, left_out), strict=True):
            names += [study.slice_name(index, section) for section in sections]
    begin = "slice " if len(study.maps) == 1 else ""
    return {why: begin + ", ".join(names) for why, names in groups.items() if names}


def attention_text(card: ModelCard) -> str:
    """What the model's attention is worth, by the measurements in its card."""
    if is_validated(card):
        status = "Attention is validated as an explanation: it lies on the wall, and the answer depends on it."
    else:
        status = (
            "Attention is not validated as an explanation: it shows how the network weighted the image, neither an "
            "outline nor the reason for the verdict."
        )
    return " ".join(filter(None, [status, _measures_text(card), _enrichment_text(card)]))


def _taught_where_to_look(card: ModelCard) -> bool:
    match card.training.get("recipe"):
        case {"optimization": {"mask_loss_weight": int() | float() as weight}}:
            return weight > 0
    return False


def _measures_text(card: ModelCard) -> str:
    """How many of the measures are met, and which are not; empty where all are, or none has been taken."""
    measures = attention_measures(card)
    met = [measure for measure in measures if measure.met]
    if len(met) == len(measures) or all(measure.met is None for measure in measures):
        return ""
    parts = [f"Of {len(measures)} measures of an explanation it meets {len(met)}"]
    for words, kind in (("misses", False), ("not measured", None)):
        if names := [measure.name for measure in measures if measure.met is kind]:
            parts.append(f"{words}: {', '.join(names)}")
    return f"{'; '.join(parts)}."


def _enrichment_text(card: ModelCard) -> str:
    """By `acnet-train attention`, on simulated patients; of a model of before by its evaluation."""
    simulated = "simulated "
    match card.metrics.get("attention"):
        case {
            "measured": {
                "where": {
                    "normal": {"wall_over_slice": {"value": int() | float() as normal}},
                    "dcm": {"wall_over_slice": {"value": int() | float() as dcm}},
                },
                "auroc_lost": {"mean_masks": {"value": int() | float() as lost}},
            }
        }:
            fell = f"fell by {lost:.3f}"
        case {
            "enrichment": {
                "combined": {
                    "normal": {"own_map": {"wall": int() | float() as normal}},
                    "dcm": {"own_map": {"wall": int() | float() as dcm}},
                }
            },
            "auroc": {"own_masks": int() | float() as own, "mean_masks": int() | float() as mean},
        }:
            simulated = "simulated " if card.metrics.get("simulated") else ""
            fell = f"fell from {own:.3f} to {mean:.3f}"
        case _:
            return "It has not been measured for this model."
    taught = " It was taught to lie on the wall." if _taught_where_to_look(card) else ""
    return (
        f"In {simulated}patients whom the model had not seen, attention in the wall was {normal:.1f} (normal) and "
        f"{dcm:.1f} (DCM) times that of the whole crop. With average masks in place of each slice's own the "
        f"AUROC {fell}.{taught}"
    )


def coverage_text(card: ModelCard) -> str:
    """How often sets of classes held the true one, of what was promised; empty where it was not measured."""
    match card.metrics.get("coverage"):
        case {
            "level": int() | float() as level,
            "home": {"coverage": {"value": int() | float() as home}, "one_class": {"value": int() | float() as one}},
            "abroad": {"coverage": {"value": int() | float() as abroad}},
        }:
            return (
                f"{100 * home:.1f} % of patients like those of the training, {100 * abroad:.1f} % of others (target "
                f"{100 * level:g} %); a single class for {100 * one:.1f} %"
            )
    return ""


def fitted_text(card: ModelCard) -> str:
    """On whom the temperatures were chosen, and whether these were enough to fit them; empty for a model of before."""
    match card.training.get("fitted_on"):
        case {
            "temperatures": [
                {"fitted": bool() as fitted, "patients_normal": int() as normal, "patients_dcm": int() as dcm},
                *more_sections,
            ]
        }:
            patients = f"{normal} normal and {dcm} DCM patients"
            if not fitted:
                return f"{patients}, too few to sharpen its probabilities: no temperature is below 1"
            told = f"{patients}: the temperatures are fitted to them"
            enough = [isinstance(each, dict) and each.get("fitted") is True for each in more_sections]
            if False in enough:
                sections = enough.index(False) + 2
                return (
                    f"{told}; too few have {sections} slices: their temperature is not below the lower of 1 and that "
                    "of fewer slices"
                )
            return told
    return ""


def study_septum_text(study: StudyRecord) -> str:
    """Septal T1 of the study with its z-score; empty where it is not known."""
    if math.isnan(study.septal_t1_ms):
        return ""
    z = study.septal_z(study.septal_t1_ms)
    against = "" if math.isnan(z) else f", z-score {z:+.1f}"
    return f"Septal T1, median of the slices: {study.septal_t1_ms:.0f} ms{against}."
