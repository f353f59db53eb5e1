"""The page of a result."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from ACNetLib import __version__
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.result import StudyResult
from ACNetLib.inference.verdict import SCOPE
from ACNetLib.models.card import INTENDED_USE, read_card
from ACNetLib.models.store import model_for_field
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.report.page import report_page
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.measures import SectionMeasures
from conftest import with_map

VOID = {"meta", "img"}
PICTURES = [b"first picture", b"second picture"]
HOSTILE = "</style><script>alert('$style')</script><img src=x onerror=\"alert(1)\"> & $name"


class Page(HTMLParser):
    """What a browser would make of a page; fails on tags that are not closed in their order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)


@pytest.fixture
def study(an_oblique_t1_map: T1Map, a_study: Callable) -> StudyResult:
    return a_study(an_oblique_t1_map)


def page_of(study: StudyResult) -> Page:
    return Page(report_page(study, PICTURES[: len(study.sections)]))


def rows(page: str) -> list[list[str]]:
    """The cells of each row of the table of sections."""
    body = page.split('<table class="sections">')[1].split("<tbody>")[1].split("</tbody>")[0]
    return [re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row) for row in body.strip().splitlines()]


@pytest.mark.parametrize(
    ("probability", "words"), [(0.91, "Verdict: DCM"), (0.5, "Verdict: uncertain"), (0.12, "Verdict: normal")]
)
def test_the_verdict_stands_in_words_beside_its_probability_and_range(
    an_oblique_t1_map: T1Map, a_study: Callable, probability: float, words: str
) -> None:
    text = page_of(a_study(an_oblique_t1_map, probability_dcm=probability)).text
    assert words in text
    stability = f"stability: {probability - 0.05:.3f} to {probability + 0.03:.3f}"
    assert f"Probability of DCM {probability:.3f} ; {stability}" in text
    assert "shifted by 3 mm and rotated by 5 degrees" in text
    assert "uncertain from 0.2 to below 0.8" in text
    assert "a DCM prevalence of 50 % among those examined" in text
    assert SCOPE in text
    assert f"Made by SlicerACNet {__version__}." in text


def test_every_section_has_a_row_with_its_numbers_and_its_picture(study: StudyResult) -> None:
    page = report_page(study, PICTURES)
    assert rows(page) == [
        ["0", "DCM", "0.910", "found (0.97)", "1043", "1022", "2704", "6.9", "0.31", "0.87", "-"],
        [
            "1",
            "DCM",
            "0.810",
            "found (0.87)",
            "1043",
            "1022",
            "2704",
            "6.9",
            "0.31",
            "0.87",
            "The crop reaches beyond the map.",
        ],
    ]
    sources = [attributes["src"] for tag, attributes in Page(page).tags if tag == "img"]
    assert sources == ["data:image/jpeg;base64,Zmlyc3QgcGljdHVyZQ==", "data:image/jpeg;base64,c2Vjb25kIHBpY3R1cmU="]


def test_what_can_not_be_measured_is_a_dash(study: StudyResult) -> None:
    first, second = study.sections
    unknown = (
        replace(first, measures=SectionMeasures(float("nan"), 1010.0, 2500.0, 6.5)),
        replace(second, measures=None),
    )
    page = report_page(with_map(study, sections=unknown), PICTURES)
    assert [row[4:8] for row in rows(page)] == [["-", "1010", "2500", "6.5"], ["-", "-", "-", "-"]]
    assert "nan" not in Page(page).text.lower().split()


def test_a_section_that_was_not_judged_is_named(study: StudyResult) -> None:
    text = page_of(with_map(study, sections=study.sections[:1])).text
    assert "Not classified: slice 1." in text


@pytest.mark.parametrize("source", ["point", "segmentation"])
def test_a_persons_centre_is_no_localizers_confidence(study: StudyResult, source: str) -> None:
    page = report_page(with_map(study, center_source=source), PICTURES)
    assert [row[3] for row in rows(page)] == ["given by a person"] * 2


def test_research_use_comes_first_and_simulation_is_said_beside_it(study: StudyResult) -> None:
    text = page_of(with_map(study, simulated=True)).text
    start = text.index(INTENDED_USE)
    assert start < text.index("Simulated T1 map") < text.index("trained on simulated") < text.index("Verdict")
    assert "Simulated T1 map" not in page_of(study).text


def test_a_verdict_at_another_field_strength_is_said_to_be_not_valid(study: StudyResult) -> None:
    text = page_of(with_map(study, field_mismatch=True, field_strength_tesla=3.0)).text
    said = "Field strength mismatch: result not valid. The map is from 3 T, the model is for 1.5 T."
    assert text.index(said) < text.index("Probability of DCM")
    assert "result not valid" not in page_of(study).text


def test_a_mismatch_of_any_map_of_an_exam_is_said(study: StudyResult) -> None:
    other = with_map(study, field_mismatch=True, field_strength_tesla=2.9)
    exam = replace(study, maps=(*study.maps, *other.maps), images=2 * study.images)
    assert "result not valid. The map is from 2.9 T, the model" in Page(report_page(exam, 2 * PICTURES)).text


def test_a_rounded_probability_does_not_speak_against_its_verdict(study: StudyResult) -> None:
    text = page_of(replace(study, probability_dcm=0.7996, verdict="uncertain")).text
    assert "Probability of DCM 0.7996 ;" in text


def test_warnings_of_the_study_and_of_its_sections_are_listed(study: StudyResult) -> None:
    text = page_of(study).text
    assert "2 warnings" in text
    assert "Warnings The map is odd. Slice 1: The crop reaches beyond the map." in text


def test_the_card_of_the_shipped_model_is_told_with_its_intervals(study: StudyResult) -> None:
    card = read_card(model_for_field(1.5))
    text = page_of(replace(study, model=card)).text
    for name in ("auroc", "recall_dcm", "recall_normal"):
        estimate = card.metrics[name]
        assert f"{estimate['value']:.3f} (95 % interval {estimate['low']:.3f} to {estimate['high']:.3f})" in text
    assert f"{card.metrics['cases']['patients_dcm']} patients with DCM" in text
    assert card.weights_sha256[:12] in text
    assert card.weights_sha256 not in text
    assert "doi:10.18293/SEKE2019-155" in text


def test_a_card_whose_metrics_are_cross_validated_says_so(study: StudyResult) -> None:
    card = read_card(model_for_field(1.5))
    metrics = {**card.metrics, "cross_validated": {"folds": 5, "repeats": 1}}
    said = "cross-validated with 5 folds: each by a model that was trained without it"
    assert said in page_of(replace(study, model=replace(card, metrics=metrics))).text
    assert "cross-validated" not in page_of(replace(study, model=card)).text


def test_a_card_without_metrics_says_so(study: StudyResult) -> None:
    assert "AUROC not stated" in page_of(study).text


def test_recalls_are_named_by_their_class(study: StudyResult) -> None:
    text = page_of(study).text
    assert "Sensitivity for DCM (recall_dcm)" in text
    assert "Specificity for DCM (recall_normal)" in text
    assert not re.search("(sensitivity|specificity)(?! for DCM)", text, re.IGNORECASE)


def test_no_value_can_put_anything_but_text_into_the_page(study: StudyResult) -> None:
    hostile = replace(
        with_map(
            study,
            name=HOSTILE,
            warnings=(HOSTILE,),
            sections=tuple(replace(section, warnings=(HOSTILE,)) for section in study.sections),
        ),
        model=replace(study.model, name=HOSTILE, licence=HOSTILE, weights_sha256="<b>"),
        localizer=HOSTILE,
        device=DeviceChoice("cpu", HOSTILE),
    )
    page, usual = page_of(hostile), page_of(study)
    assert [tag for tag, _ in page.tags if tag != "li"] == [tag for tag, _ in usual.tags if tag != "li"]
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count(HOSTILE) == 2 + 2 + 1 + 1 + 2 * 2 + 1, "name, card, localizer, device, warnings"


def test_nothing_is_fetched_and_nothing_runs(study: StudyResult) -> None:
    text = report_page(study, PICTURES)
    assert "http" not in text.replace("http-equiv", "")
    assert not re.search(r"url\(|@import|javascript", text)
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form"}
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith(("data:image/", "#"))
    policy = next(attributes for tag, attributes in page.tags if "http-equiv" in attributes)
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert policy["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_a_screen_reader_finds_its_way(study: StudyResult) -> None:
    page = page_of(study)
    tags = [tag for tag, _ in page.tags]
    assert dict(page.tags)["html"] == {"lang": "en"}
    assert tags.count("h1") == 1
    assert tags.count("h2") == 6
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    assert all(attributes.get("scope") in {"col", "row"} for tag, attributes in page.tags if tag == "th")
    identifiers = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {
        attributes["aria-labelledby"] for _, attributes in page.tags if "aria-labelledby" in attributes
    } <= identifiers


def test_the_page_says_the_reference_and_shows_z_scores_beside_septal_t1(study: StudyResult) -> None:
    assert "No reference T1 of this scanner was given" in page_of(study).text
    assert "Septal T1, median of the slices: 1043 ms." in page_of(study).text
    card = replace(study.model, normal_t1_ms=(996.0, 31.0), uncertain_range_without_reference=(0.1, 0.9))
    known = replace(study, model=card, reference=ReferenceT1(1012.0, 28.0))
    page = report_page(known, PICTURES)
    assert [row[4] for row in rows(page)] == ["1043 (z +1.1)"] * 2
    text = Page(page).text
    assert "Reference T1 of this scanner, given: 1012 ± 28 ms." in text
    assert "T1 was multiplied by 0.984, to match the normal T1 of the model's training data, 996 ms." in text
    assert "median of the slices: 1043 ms, z-score +1.1." in text
    assert "uncertain from 0.2 to below 0.8" in text
    assert "uncertain from 0.1 to below 0.9" in page_of(replace(known, reference=None)).text


def test_what_the_page_says_of_attention_follows_the_models_own_measurements(study: StudyResult) -> None:
    assert "not validated as an explanation" in page_of(study).text
    assert "It has not been measured for this model." in page_of(study).text
    own = {"normal": {"own_map": {"wall": 7.79}}, "dcm": {"own_map": {"wall": 6.35}}}
    auroc = {"own_masks": 0.9501, "mean_masks": 0.9133}
    metrics: dict[str, Any] = {"attention": {"enrichment": {"combined": own}, "auroc": auroc}, "simulated": True}
    text = page_of(replace(study, model=replace(study.model, metrics=metrics))).text
    assert "In simulated patients whom the model had not seen, attention in the wall was 7.8 (normal) and 6.3" in text
    assert "the AUROC fell from 0.950 to 0.913" in text, "a model whose evaluation measured it"
    where = {"normal": {"wall_over_slice": {"value": 8.0}}, "dcm": {"wall_over_slice": {"value": 5.94}}}
    metrics["attention"]["measured"] = {"where": where, "auroc_lost": {"mean_masks": {"value": 0.0117}}}
    text = page_of(replace(study, model=replace(study.model, metrics=metrics))).text
    assert "In simulated patients whom the model had not seen, attention in the wall was 8.0 (normal) and 5.9" in text
    assert "the AUROC fell by 0.012" in text
