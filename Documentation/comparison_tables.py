"""The comparisons of the networks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ACNetTrainerLib.study import tables
from ACNetTrainerLib.study.summary import each_cohort
from table_cells import Record, results

COMPARED: dict[str, tuple[Callable[[Record], tables.Table], ...]] = {
    "honest": (tables.results, tables.paired, tables.parts, tables.runs, tables.attention),
}
"""The comparisons whose results are kept, and the tables that the documentation shows of each."""


def compared(name: str, make: Callable[[Record], tables.Table]) -> str:
    """Of each cohort one."""
    made = [make(cohort) for cohort in each_cohort(results(f"comparison-{name}"))]
    return "\n".join(f"{table.title}:\n\n{table.markdown()}" for table in made)


def compared_scope(name: str) -> str:
    record = results(f"comparison-{name}")
    return f"{tables.scope(record)}\n\n{tables.leaks(record)}\n"


TABLES: dict[str, Callable[[], str]] = {
    **{f"comparison-{name}-scope": partial(compared_scope, name) for name in COMPARED},
    **{
        f"comparison-{name}-{make.__name__.replace('_', '-')}": partial(compared, name, make)
        for name, makers in COMPARED.items()
        for make in makers
    },
}
