"""What the documentation says that can be recomputed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from repository import REPOSITORY
from tables import BLOCK, TABLES, filled

DCM_SHARE = {"1": 449 / 485, "2": 449 / 640}
ROW = re.compile(r"^\| ([12]) \| ([^|]+) \| " + r" \| ".join([r"([0-9.]+)"] * 5) + r" \|$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#]+)\)")

PAPER_ROWS = ROW.findall((REPOSITORY / "Documentation" / "paper.md").read_text(encoding="utf-8"))
PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("Documentation/*.md")])


def test_the_table_of_the_paper_has_both_experiments_of_five_networks() -> None:
    assert [experiment for experiment, *_ in PAPER_ROWS] == ["1"] * 5 + ["2"] * 5


@pytest.mark.parametrize("row", PAPER_ROWS, ids=lambda row: f"{row[0]}-{row[1]}")
def test_the_accuracy_that_follows_from_the_papers_columns_is_right(row: tuple[str, ...]) -> None:
    experiment, _, _, *numbers = row
    sensitivity, specificity, if_dcm, if_normal = map(float, numbers)
    share = DCM_SHARE[experiment]
    assert if_dcm == pytest.approx(share * sensitivity + (1 - share) * specificity, abs=6e-5)
    assert if_normal == pytest.approx((1 - share) * sensitivity + share * specificity, abs=6e-5)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_table_made_from_results_says_what_they_say(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert filled(text) == text, "run make tables"


def test_every_table_that_can_be_made_stands_on_a_page() -> None:
    shown = [block["name"] for page in PAGES for block in BLOCK.finditer(page.read_text(encoding="utf-8"))]
    assert sorted(shown) == sorted(TABLES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_repository_leads_to_a_file(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
