"""Tables that are made from results say what these say, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from repository import REPOSITORY
from tables import BLOCK, TABLES, filled

LINK = re.compile(r"\]\(([^)#]+)\)")

PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("Documentation/*.md")])


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
