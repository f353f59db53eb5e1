"""A study's result as one HTML page for screen and A4 paper: it needs no other file, no script and no network."""

from __future__ import annotations

import io
import math
from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from string import Template

from ACNetLib import __version__
from ACNetLib.inference.record import RANGE_SHIFT_MM, RANGE_TURN_DEGREES, Slice, StudyRecord
from ACNetLib.inference.result import StudyResult
from ACNetLib.inference.verdict import SCOPE, Verdict
from ACNetLib.models.card import INTENDED_USE, ModelCard
from ACNetLib.report.polar_map import polar_map
from ACNetLib.report.template import FIGURE, HEAD, MAP, NO_SEGMENTS, PAGE, ROW, SCALE, SEGMENT, SEGMENTS, STYLE, ZONE
from ACNetLib.report.wording import (
    UNKNOWN,
    VERDICT_WORDS,
    attention_text,
    center_sources_text,
    coverage_text,
    probability_text,
    quantity_text,
    reference_text,
    septal_t1_text,
    share_text,
    slices_without_a_say,
    study_septum_text,
    verdict_rule,
)

CITATION = (
    "C. Luo, X. Wang, X. Li, Y. Chen, J. Zhou, K. Cao, Y. Yin, Q. Song, X. Wu. ACNET: Attention-based Convolution "
    "Network with Additional Discriminative Features for DCM Classification. SEKE 2019. doi:10.18293/SEKE2019-155"
)
NOT_STATED = "not stated"

_ZONE_COLORS = {"normal": "#dbe7f3", "uncertain": "#f4ecd0", "dcm": "#f3d9d3"}


class Html(str):
    """Text that is HTML already. Every other value is escaped when it comes into a page."""


def filled(template: str, **values: object) -> Html:
    """The template with its values, escaped unless they are `Html`."""

    def as_html(value: object) -> Html:
        return value if isinstance(value, Html) else Html(escape(str(value)))

    return Html(Template(template).substitute({name: as_html(value) for name, value in values.items()}))


def page_head(title: str, simulated: Sequence[str]) -> Html:
    """How each of our pages begins: title, style, and the banner with the intended use and what is simulated."""
    return filled(
        HEAD,
        title=title,
        style=Html(STYLE.replace("INTENDED_USE", INTENDED_USE)),
        intended_use=INTENDED_USE,
        simulated=joined(filled("<p>$note</p>\n", note=note) for note in simulated),
    )


def report_page(study: StudyResult, pictures: Sequence[bytes]) -> str:
    """The page, with one JPEG picture a section, in the order of `StudyRecord.slices`.

    Of the patient it tells nothing but the T1 maps' names, which are those of files, folders or nodes: no header is
    shown.
    """
    names = ", ".join(each.name for each in study.maps)
    probability, low, high = (
        probability_text(value, study.uncertain_range) for value in (study.probability_dcm, *study.stability)
    )
    return filled(
        PAGE,
        head=page_head(f"ACNet report: {names}", _simulated(study)),
        maps=joined(_map(index, study) for index in range(len(study.maps))),
        verdict=study.verdict,
        verdict_words=VERDICT_WORDS[study.verdict],
        mismatch=_mismatch(study),
        reason=filled("<p><strong>$reason</strong></p>\n", reason=study.reason) if study.reason else Html(),
        probability=probability,
        low=low,
        high=high,
        shift=f"{RANGE_SHIFT_MM:g}",
        turn=f"{RANGE_TURN_DEGREES:g}",
        scale=_scale(study),
        prevalence=share_text(study.prevalence_dcm),
        prior=share_text(study.model.training_prior_dcm),
        rule=verdict_rule(study.uncertain_range),
        reference=f"{reference_text(study)} {study_septum_text(study)}".strip(),
        scope=SCOPE,
        warning_count=_warning_count(study),
        rows=joined(_row(each, study) for each in study.slices),
        not_judged=_not_judged(study),
        center_source=center_sources_text(study),
        segments=_segments(study),
        figures=joined(_figure(each, study, jpeg) for each, jpeg in zip(study.slices, pictures, strict=True)),
        warnings=_list(study.all_warnings),
        model_rows=joined(
            filled('<tr><th scope="row">$what</th><td>$value</td></tr>\n', what=what, value=value)
            for what, value in _model_rows(study)
        ),
        attention=attention_text(study.model),
        citation=CITATION,
        software=f"Made by SlicerACNet {__version__}.",
    )


def joined(parts: Iterable[Html]) -> Html:
    """One after the other."""
    return Html("".join(parts))


def _map(index: int, study: StudyRecord) -> Html:
    of_map = study.maps[index]
    return filled(
        MAP,
        title="T1 map" if len(study.maps) == 1 else f"T1 map {index + 1}",
        name=of_map.name,
        field=_tesla(of_map.field_strength_tesla),
        sections="1 slice" if of_map.section_count == 1 else f"{of_map.section_count} slices",
    )


def _simulated(study: StudyRecord) -> list[str]:
    notes = {
        "Simulated T1 map: no patient was examined.": any(each.simulated for each in study.maps),
        "The model was trained on simulated T1 maps.": study.model.simulated,
    }
    return [note for note, holds in notes.items() if holds]


def _tesla(field_strength: float | None) -> str:
    return "field strength unknown" if field_strength is None else f"{field_strength:g} T"


def _mismatch(study: StudyRecord) -> Html:
    fields = dict.fromkeys(each.field_strength_tesla for each in study.maps if each.field_mismatch)
    if not fields:
        return Html()
    return filled(
        '<p class="alert"><strong>Field strength mismatch: result not valid. The map is from $map, the model is for '
        "$model.</strong></p>\n",
        map=" and ".join(map(_tesla, fields)),
        model=_tesla(study.model.field_strength_tesla),
    )


def _scale(study: StudyRecord) -> Html:
    """The probability and its stability on a line from 0 to 1, above the verdicts that they stand for."""
    low, high = study.uncertain_range
    lowest, highest = study.stability
    zones: tuple[tuple[Verdict, float, float], ...] = (("normal", 0, low), ("uncertain", low, high), ("dcm", high, 1))

    def place(probability: float) -> str:
        return f"{1000 * probability:.1f}"

    return filled(
        SCALE,
        text=f"Probability of DCM {probability_text(study.probability_dcm, (low, high))} on a line from 0 to 1",
        range_low=place(lowest),
        range_width=place(highest - lowest),
        marker=place(study.probability_dcm),
        zones=joined(
            filled(
                ZONE,
                start=place(start),
                width=place(end - start),
                middle=place((start + end) / 2),
                color=_ZONE_COLORS[verdict],
                words=VERDICT_WORDS[verdict],
            )
            for verdict, start, end in zones
            if start < end
        ),
        limits=joined(
            filled('<text x="$x" y="98">$limit</text>\n', x=place(limit), limit=f"{limit:g}")
            for limit in sorted({low, high})
        ),
    )


def _warning_count(study: StudyRecord) -> Html:
    count = len(study.all_warnings)
    if count == 0:
        return Html("No warnings.")
    return filled(
        '<a href="#warnings"><strong>$count</strong></a>', count="1 warning" if count == 1 else f"{count} warnings"
    )


def _row(each: Slice, study: StudyRecord) -> Html:
    section, measures = each.section, each.section.known_measures
    found = each.of_map.center_source == "localizer" and section.confidence < 1  # a person may have moved this one
    return filled(
        ROW,
        section=each.name,
        verdict=VERDICT_WORDS[section.verdict],
        probability=probability_text(section.probability_dcm, study.uncertain_range),
        ventricle=f"found ({section.confidence:.2f})" if found else "given by a person",
        septal_t1=septal_t1_text(measures.septal_t1_ms, study.septal_z(measures.septal_t1_ms)),
        myocardial_t1=quantity_text(measures.myocardial_t1_ms),
        cavity_area=quantity_text(measures.cavity_area_mm2),
        wall_thickness=quantity_text(measures.wall_thickness_mm, decimals=1),
        relative_wall=quantity_text(section.shape.relative_wall, decimals=2),
        rv_to_lv=quantity_text(section.shape.rv_to_lv, decimals=2),
        warnings="; ".join(section.warnings) or UNKNOWN,
    )


def _segments(study: StudyResult) -> Html:
    """The polar map beside its table; a sentence where chosen slices have none, nothing where others have none."""
    segments = study.segments
    if not segments:
        return Html(NO_SEGMENTS if any(each.sections_chosen for each in study.maps) else "")
    picture = io.BytesIO()
    polar_map(segments).save(picture, format="PNG", compress_level=3)
    return filled(
        SEGMENTS,
        png=b64encode(picture.getvalue()).decode("ascii"),
        rows=joined(
            filled(
                SEGMENT,
                number=each.number,
                name=each.name,
                t1=septal_t1_text(each.t1_ms, study.septal_z(each.t1_ms)),
                sd=quantity_text(each.sd_ms),
                pixels=each.pixels,
                masked=UNKNOWN if math.isnan(each.masked) else f"{100 * each.masked:.0f} %",
            )
            for each in segments
        ),
    )


def _not_judged(study: StudyRecord) -> Html:
    return joined(
        filled("<p><strong>$why:</strong> $slices.</p>\n", why=why, slices=slices)
        for why, slices in slices_without_a_say(study).items()
    )


def _figure(each: Slice, study: StudyRecord, jpeg: bytes) -> Html:
    return filled(
        FIGURE,
        jpeg=b64encode(jpeg).decode("ascii"),
        section=each.title,
        verdict=VERDICT_WORDS[each.section.verdict],
        probability=probability_text(each.section.probability_dcm, study.uncertain_range),
    )


def _list(sentences: Sequence[str]) -> Html:
    if not sentences:
        return Html("<p>None.</p>\n")
    items = joined(filled("<li>$sentence</li>\n", sentence=sentence) for sentence in sentences)
    return filled("<ul>\n$items</ul>\n", items=items)


def _model_rows(study: StudyRecord) -> list[tuple[str, str]]:
    card = study.model
    return [
        ("Model", card.name),
        ("Trained on simulated data", "yes" if card.simulated else "no"),
        ("Field strength", _tesla(card.field_strength_tesla)),
        ("Trained on", _counts(card.training.get("training"))),
        ("Evaluated on", _judged_on(card)),
        ("AUROC", _estimate(card.metrics.get("auroc"))),
        (
            f"Sensitivity for DCM (recall_dcm), at a probability of {card.decision_threshold:.3f}",
            _estimate(card.metrics.get("recall_dcm")),
        ),
        ("Specificity for DCM (recall_normal), at the same", _estimate(card.metrics.get("recall_normal"))),
        ("How often conformal prediction sets contain the true class", coverage_text(card) or NOT_STATED),
        ("Licence", card.licence),
        ("Weights (SHA-256)", card.weights_sha256[:12] or NOT_STATED),
        ("Localizer", study.localizer),
        ("Computed on", f"{study.device.device} ({study.device.reason})"),
    ]


def _counts(counts: object) -> str:
    match counts:
        case {"patients_dcm": int(dcm), "patients_normal": int(normal)}:
            return f"{dcm} patients with DCM, {normal} normal"
    return NOT_STATED


def _judged_on(card: ModelCard) -> str:
    simulated = ", simulated" if card.metrics.get("simulated") else ""
    cross_validated = ""
    match card.metrics.get("cross_validated"):
        case {"folds": int(folds)}:
            cross_validated = f", cross-validated with {folds} folds: each by a model that was trained without it"
    return f"{_counts(card.metrics.get('cases'))}{simulated}{cross_validated}"


def _estimate(estimate: object) -> str:
    match estimate:
        case {"value": int() | float() as value, "low": int() | float() as low, "high": int() | float() as high}:
            return f"{value:.3f} (95 % interval {low:.3f} to {high:.3f})"
    return NOT_STATED
