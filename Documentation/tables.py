"""Fills the tables of the README and of these pages from the results: `make tables`.

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; what is between them is made here and never
typed. Testing/extension/test_documentation.py fails when a page and its results differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import classifier_tables
import comparison_tables
import fitting_tables
import hospital_tables
import localizer_tables
import simulation_tables
import validation_tables
from table_cells import with_note_of_older_models

DOCUMENTATION = Path(__file__).parent
PAGES = (DOCUMENTATION.parent / "README.md", *sorted(DOCUMENTATION.glob("*.md")))
BLOCK = re.compile(r"(<!-- table: (?P<name>[\w.-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
TABLES: dict[str, Callable[[], str]] = {
    **classifier_tables.TABLES,
    **localizer_tables.TABLES,
    **validation_tables.TABLES,
    **simulation_tables.TABLES,
    **comparison_tables.TABLES,
    **hospital_tables.TABLES,
    **fitting_tables.TABLES,
}


def filled(text: str) -> str:
    """A page with its tables as the results say."""
    return BLOCK.sub(lambda block: f"{block[1]}{with_note_of_older_models(TABLES[block['name']])}{block[3]}", text)


if __name__ == "__main__":
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if filled(text) != text:
            page.write_text(filled(text), encoding="utf-8", newline="\n")
            print(page.name)
