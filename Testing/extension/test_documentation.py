"""Tables that are made from results say what these say, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ACNetLib.commands.main import main
from repository import REPOSITORY
from tables import BLOCK, TABLES, filled

LINK = re.compile(r"\]\((?P<file>[^)#]*)(#(?P<heading>[^)]+))?\)")
NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")

PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("Documentation/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_table_made_from_results_says_what_they_say(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert filled(text) == text, "run make tables"


def test_every_table_that_can_be_made_stands_on_a_page() -> None:
    shown = [block["name"] for page in PAGES for block in BLOCK.finditer(page.read_text(encoding="utf-8"))]
    assert sorted(shown) == sorted(TABLES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_repository_leads_to_a_file_and_a_heading_of_it(page: Path) -> None:
    lost = []
    for link in LINK.finditer(page.read_text(encoding="utf-8")):
        target = page.parent / link["file"] if link["file"] else page
        if "://" in link["file"]:
            continue
        if not target.exists() or (link["heading"] and link["heading"] not in anchors(target)):
            lost.append(link[0])
    assert lost == []


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as GitHub makes them."""
    lines = page.read_text(encoding="utf-8").splitlines()
    headings = (line.lstrip("#").strip() for line in lines if line.startswith("#"))
    return {NOT_IN_ANCHORS.sub("", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_list_of_models_is_as_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    page = (REPOSITORY / "Documentation" / "models.md").read_text(encoding="utf-8").splitlines()
    shipped = [line for line in capsys.readouterr().out.splitlines() if line.endswith("shipped")]
    assert len(shipped) == 3
    assert [line for line in shipped if line not in page] == []
