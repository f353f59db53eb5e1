"""The tables of validation.md: every row that an overlay and a third answer have to meet, and what was measured.

A value that misses what is wanted is bold; "-" has not been measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from operator import itemgetter
from typing import Any

from ACNetLib.models import attention_measures as wanted
from ACNetTrainerLib.evaluation.metrics import share_estimate
from ACNetTrainerLib.evaluation.wording import half_up
from ACNetTrainerLib.study.other_diseases import GROUP_NAMES, Group
from table_cells import FIELDS, RESULTS, Record, markdown, results

COLUMNS = [(field, suffix) for field in FIELDS for suffix in ("", "-abroad")]
HEAD = ["simulated patients", "wanted", "1.5 T, home", "1.5 T, abroad", "3 T, home", "3 T, abroad"]
SHIFT_NAMES = {
    "no_heart": "a slice without a heart",
    "another_organ": "80 mm beside the ventricle",
    "contrast": "after contrast",
    "sequence": "a weighted image in the map's place",
    "noise": "three times the noise",
    "motion": "motion by 8 mm",
    "mirrored": "mirrored storage done wrong",
}
GROSS = ("no_heart", "another_organ", "contrast", "sequence")
MARK_NAMES = {"septum": "small septum", "scatter": "scatter", "blur": "blur", "off_resonance": "off resonance"}

Get = Callable[[Record], Any]
Met = Callable[[float], bool]


def rounded(value: float, digits: int) -> str:
    """Percent as the other pages' tables have them."""
    return half_up(value) if digits == 0 and value >= 0 else f"{value:.{digits}f}"


def found(name: str) -> Record | None:
    return results(name) if (RESULTS / f"{name}.json").is_file() else None


def cell(record: Record | None, get: Get, digits: int, met: Met | None = None) -> str:
    """A number, or one with its interval; bold where it misses."""
    try:
        value = None if record is None else get(record)
    except (KeyError, IndexError):
        value = None
    if value is None:
        return "-"
    interval = isinstance(value, dict)
    number = float(value.get("value", value.get("median"))) if interval else float(value)
    text = rounded(number, digits)
    if interval:
        text += f" ({rounded(value['low'], digits)} to {rounded(value['high'], digits)})"
    return text if met is None or met(number) else f"**{text}**"


def row(name: str, words: str, stem: str, get: Get, digits: int, met: Met | None = None) -> list[str]:
    """The four columns of the results `stem`-FIELD and `stem`-FIELD-abroad."""
    cells = [cell(found(f"{stem}-{field}{suffix}"), get, digits, met) for field, suffix in COLUMNS]
    return [name, words, *cells]


def at_least(limit: float) -> Met:
    return lambda value: value >= limit


def at_most(limit: float) -> Met:
    return lambda value: value <= limit


def _near_zero(value: float) -> bool:
    return abs(value) < wanted.LARGEST_RANDOMISED


@dataclass(frozen=True)
class Measure:
    """A row of the tables of attention. keys: where its value lies in the record, or in that of a map."""

    words: str
    wanted: str
    keys: tuple[str | int, ...]
    digits: int
    met: Met | None = None

    def of(self, *keys: str) -> Get:
        """Its value within a part of the record."""
        return partial(_within, keys=(*keys, *self.keys))


CLASSES = {"normal": "normal", "dcm": "DCM"}
_SLICE, _CAVITY = wanted.LEAST_WALL_OVER_SLICE, wanted.LEAST_WALL_OVER_CAVITY
_POINTING, _DELETION, _FOLLOWING = wanted.LEAST_POINTING, wanted.LEAST_DELETION, wanted.LEAST_FOLLOWING
_LOST, _SEEDS, _PRICE = wanted.LEAST_AUROC_LOST, wanted.LEAST_OTHER_SEEDS, -wanted.LARGEST_AUROC_PRICE
MAP_MEASURES = (
    *(
        Measure(f"wall over slice, {name}", f">= {_SLICE:g}", ("where", key, "wall_over_slice"), 1, at_least(_SLICE))
        for key, name in CLASSES.items()
    ),
    *(
        Measure(
            f"wall over cavity, {name}", f">= {_CAVITY:g}", ("where", key, "wall_over_cavity"), 1, at_least(_CAVITY)
        )
        for key, name in CLASSES.items()
    ),
    Measure("pointing game, 4 mm", f">= {_POINTING:g}", ("pointing_game",), 2, at_least(_POINTING)),
    Measure("deletion over the same area anywhere", f">= {_DELETION:g}", ("deletion",), 1, at_least(_DELETION)),
    Measure("follows a shift by 8 mm", f">= {_FOLLOWING:g}", ("follows_a_shift",), 3, at_least(_FOLLOWING)),
    Measure("follows a turn by 20 degrees", f">= {_FOLLOWING:g}", ("follows_a_turn",), 3, at_least(_FOLLOWING)),
)
"""Of any map that is said to explain the answer."""
ATTENTION_MEASURES = (
    *MAP_MEASURES,
    *(
        Measure(f"wall over slice of the mean map, {name}", "lower", ("where", key, "mean_map_wall_over_slice"), 1)
        for key, name in CLASSES.items()
    ),
)
RANDOMISED = ("rank_correlation_after_randomising", "down_residual")
NETWORK_MEASURES = (
    Measure("AUROC lost, mean masks", f">= {_LOST:g}", ("auroc_lost", "mean_masks"), 3, at_least(_LOST)),
    Measure("AUROC lost, no masks", f">= {_LOST:g}", ("auroc_lost", "no_masks"), 3, at_least(_LOST)),
    Measure("rank correlation, random weights", "< 0.3", (*RANDOMISED, "combined"), 2, _near_zero),
    Measure(
        "other seeds: correlation of the maps",
        f">= {_SEEDS:g}",
        ("maps", "combined", "other_seeds", 0),
        2,
        at_least(_SEEDS),
    ),
    Measure(
        "AUROC, less that of the network without the teaching",
        f">= {_PRICE:g}",
        ("auroc_against_untaught",),
        3,
        at_least(_PRICE),
    ),
)


def attention() -> str:
    """Of the combined map."""
    of_map = [(each, each.of("maps", "combined")) for each in ATTENTION_MEASURES]
    of_network = [(each, each.of()) for each in NETWORK_MEASURES]
    rows = [row(each.words, each.wanted, "attention", get, each.digits, each.met) for each, get in of_map + of_network]
    return markdown(HEAD, rows)


def modules() -> str:
    """Of each module's map, on patients whom no training knows."""
    names = {"module_1": "module 1", "module_2": "module 2"}
    columns = [(field, key) for field in FIELDS for key in names]
    records = {field: found(f"attention-{field}-abroad") for field in FIELDS}
    rows = [
        [each.words, each.wanted]
        + [cell(records[field], each.of("maps", key), each.digits, each.met) for field, key in columns]
        for each in ATTENTION_MEASURES
    ]
    randomised = [
        cell(records[field], partial(_within, keys=(*RANDOMISED, key)), 2, _near_zero) for field, key in columns
    ]
    rows.append(["rank correlation, random weights", "< 0.3", *randomised])
    heads = [f"{field[:-1]} T, {names[key]}" for field, key in columns]
    return markdown(["simulated patients, abroad", "wanted", *heads], rows)


def _within(record: Any, keys: Sequence[str | int]) -> Any:
    for key in keys:
        record = record[key]
    return record


def other_maps() -> str:
    """Evidence and Grad-CAM abroad, beside attention."""
    names = {"evidence": "evidence", "grad_cam": "Grad-CAM"}
    columns = [(field, name) for field in FIELDS for name in names]
    records = {field: found(f"explanations-{field}-abroad") for field in FIELDS}
    rows = [
        [each.words, *(cell(records[field], each.of("maps", name), each.digits) for field, name in columns)]
        for each in MAP_MEASURES
    ]
    return markdown(
        ["simulated patients, abroad", *(f"{field[:-1]} T, {names[name]}" for field, name in columns)], rows
    )


def third_answer() -> str:
    """Who is called DCM or normal though they are neither, in %."""

    def either(name: str) -> Get:
        def share(groups: Record) -> Record:
            group = groups[name]
            count = sum(round(group["patients"] * group["verdicts"][said]["value"]) for said in ("dcm", "normal"))
            return _percent(asdict(share_estimate(count, group["patients"])))

        return share

    rows = []
    limits: dict[Group, int | None] = {
        **{"hcm": 15, "amyloidosis": 15, "infarct": 40, "rv": 40},
        **{"athlete": None, "myocarditis": None, "effusion": None, "takotsubo": None},
    }
    for group, limit in limits.items():
        words, met = ("-", None) if limit is None else (f"<= {limit}", at_most(limit))
        cells = []
        for field, suffix in COLUMNS:
            if suffix:
                record = found(f"third-answer-{field}-abroad")
                groups = record and record["verdicts"]
                name = f"abroad-{group}-{field}"
            else:
                record = found(f"other-diseases-{field}")
                groups, name = record and record["groups"], group
            cells.append(cell(groups, either(name), 0, met))
        rows.append([GROUP_NAMES[group], words, *cells])
    for label, words in (("normal", "normal"), ("dcm", "DCM")):
        cells = []
        for field, suffix in COLUMNS:
            record, place = found(f"outside-limits-{field}"), "abroad" if suffix else "judging"
            shares = record and {name: _percent(each[label]["any"]) for name, each in record["others"].items()}
            cells.append(cell(shares, itemgetter(f"{place}-{field}"), 1, at_most(5)))
        rows.append([f"{words}, called unlike the training's hearts", "<= 5", *cells])
    return markdown(["called DCM or normal [%]", *HEAD[1:]], rows)


def images() -> str:
    """The outside score of images that are no native T1 map of a heart, against the same patients' as they are."""
    rows = []
    for shift, name in SHIFT_NAMES.items():
        gross = shift in GROSS
        get = partial(_within, keys=("shifts", shift, "auroc"))
        rows.append(row(name, ">= 0.95" if gross else "-", "third-answer", get, 2, at_least(0.95) if gross else None))
    return markdown(["AUROC of the outside score", *HEAD[1:]], rows)


def coverage() -> str:
    """How often the set of classes holds the true one, and how often a verdict is given and wrong, in %."""

    def cells(*keys: str | int, met: Met | None = None) -> list[str]:
        texts = []
        for field, suffix in COLUMNS:
            record = found(f"coverage-{field}")
            of_place = record and record["abroad" if suffix else "home"]
            texts.append(cell(of_place, lambda r: _percent(_within(r, keys)), 1, met))
        return texts

    rows = [
        ["the set holds the true class", "88 to 92", *cells("coverage", met=lambda value: 88 <= value <= 92)],
        ["the same, normal", "-", *cells("coverage_normal")],
        ["the same, DCM", "-", *cells("coverage_dcm")],
        ["the set is one class", "-", *cells("one_class")],
    ]
    for place, cut_off in enumerate((0.5, 0.6, 0.7, 0.8, 0.9, 0.95)):
        keys = ("verdict_given_and_wrong", place)
        rows.append([f"verdict given, probability {cut_off:g} or more", "-", *cells(*keys, "given")])
        rows.append(["wrong of these", "-", *cells(*keys, "wrong_of_these")])
    return markdown(["[%]", *HEAD[1:]], rows)


def _percent(share: Any) -> Any:
    return None if share is None else {name: 100 * value for name, value in share.items()}


def facts() -> str:
    """Median absolute errors of what is found."""

    def median(*keys: str) -> Get:
        return lambda record: _within(record, keys)

    return markdown(
        ["median error", *HEAD[1:]],
        [
            row(
                "mid-septal T1 [ms], by outlines",
                "<= 12",
                "facts",
                median("septal_t1_ms", "outlines"),
                1,
                at_most(12),
            ),
            row("mid-septal T1 [ms], against the true T1", "-", "facts", median("septal_t1_ms", "truth"), 1),
            row(
                "wall at mid level [mm]",
                "<= 0.8",
                "facts",
                median("wall_thickness_mm", "outlines"),
                2,
                at_most(0.8),
            ),
            row("T1 of the 16 segments [ms], by outlines", "-", "facts", median("segments_t1_ms", "outlines"), 1),
        ],
    )


def quality() -> str:
    """The share of mid slices with each mark, in %, at home."""
    records = {field: found(f"quality-{field}") for field in FIELDS}
    marked = {field: record["marked"] for field, record in records.items() if record}
    columns = [(field, mark) for field in records for mark in MARK_NAMES]
    head = ["simulated scans, home", *(f"{field[:-1]} T, {MARK_NAMES[mark]}" for field, mark in columns)]

    def share(field: str, name: str, mark: str) -> str:
        return half_up(100 * marked[field][name][mark]["value"]) if field in marked else "-"

    names = list(dict.fromkeys(name for conditions in marked.values() for name in conditions))
    return markdown(head, [[name, *(share(field, name, mark) for field, mark in columns)] for name in names])


TABLES: dict[str, Callable[[], str]] = {
    "explanation": modules,
    "validation-attention": attention,
    "validation-other-maps": other_maps,
    "validation-third-answer": third_answer,
    "validation-images": images,
    "validation-coverage": coverage,
    "validation-facts": facts,
    "validation-quality": quality,
}
