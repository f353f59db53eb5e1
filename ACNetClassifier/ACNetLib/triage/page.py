"""The reading list as one HTML page, sorted and filtered in the browser: it needs no network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ACNetLib.inference.verdict import SCOPE
from ACNetLib.models.card import INTENDED_USE
from ACNetLib.report.page import Html, filled, joined
from ACNetLib.report.template import STYLE
from ACNetLib.report.wording import UNKNOWN, probability_text, septal_t1_text
from ACNetLib.triage.answer import THUMBNAIL
from ACNetLib.triage.look import NEVER, Look
from ACNetLib.triage.rows import ANSWER_WORDS, ANSWERS, Answer, Row, in_one_text
from ACNetLib.triage.template import BUTTON, PAGE, ROW, SCRIPT, THUMBNAIL_CELL, TROUBLE, WORKLIST_STYLE

REPORT = "report.html"


def worklist_page(rows: Sequence[Row], studies: str, look: Look = NEVER) -> str:
    """The page of rows in their order. studies: the folder of the studies' folders, beside the page. look: when the
    list was brought up to date.
    """
    counts = Counter(row.answer for row in rows)
    simulated = any(row.simulated for row in rows)
    return filled(
        PAGE,
        style=Html(STYLE.replace("INTENDED_USE", INTENDED_USE) + WORKLIST_STYLE),
        script=Html(SCRIPT),
        intended_use=INTENDED_USE,
        simulated="Some of these T1 maps are simulated: no patient was examined. " if simulated else "",
        scope=SCOPE,
        looked=f"Studies as found on {look.time}." if look.time else "",
        trouble=joined(filled(TROUBLE, trouble=each) for each in look.trouble),
        buttons=joined(_button(answer, counts[answer]) for answer in ANSWERS if counts[answer]),
        rows=joined(_row(rank, row, studies) for rank, row in enumerate(rows, start=1)),
    )


def _button(answer: Answer, count: int) -> Html:
    return filled(BUTTON, answer=answer, words=ANSWER_WORDS[answer], count=count)


def _row(rank: int, row: Row, studies: str) -> Html:
    is_answered = row.probability_dcm is not None
    notes = in_one_text([note for note in (row.reason, *row.warnings) if note])
    place = Path(studies, row.study).as_posix()
    return filled(
        ROW,
        rank=rank,
        answer=row.answer,
        read="yes" if row.read else "no",
        answer_class=row.answer.replace(" ", "-"),
        words=ANSWER_WORDS[row.answer] + (", read" if row.read else ""),
        thumbnail=filled(THUMBNAIL_CELL, place=place, thumbnail=THUMBNAIL, report=REPORT) if is_answered else Html(),
        probability_order=-1 if row.probability_dcm is None else f"{row.probability_dcm:.6f}",
        probability=UNKNOWN if row.probability_dcm is None else probability_text(row.probability_dcm, row.limits),
        t1_order=row.septal_t1_ms or -1,
        septal_t1=_septum(row),
        slices=row.slices or UNKNOWN,
        patient=", ".join(filter(None, (row.patient, row.study_date))) or UNKNOWN,
        study=filled('<a href="$place/$report">$study</a>', place=place, report=REPORT, study=row.study)
        if is_answered
        else row.study,
        notes=notes,
    )


def _septum(row: Row) -> str:
    nan = float("nan")
    return septal_t1_text(
        nan if row.septal_t1_ms is None else row.septal_t1_ms, nan if row.septal_z is None else row.septal_z
    )
