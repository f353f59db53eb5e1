"""A comparison as one HTML page that needs no other file, no script and no network."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

from ACNetLib.files import write_text_atomically
from ACNetLib.report.page import CITATION, Html, filled, page_head

from .figures import ATTENTION_PICTURE, DISTRIBUTIONS_PICTURE, ROC_PICTURE, draw_comparison
from .summary import each_cohort, read_runs, read_tested
from .tables import MAPPING, Summary, Table, leaks, scope, tables

REPORT_FILE = "report.html"
SIMULATED = "All patients are simulated: nothing here says how a network does on real ones."

PAGE = """\
$head<header>
<h1>Comparison of networks: protocol $protocol</h1>
<p>$scope</p>
<p><strong>$leaks</strong></p>
</header>
$cohorts<section aria-labelledby="mapping">
<h2 id="mapping">The paper's columns</h2>
<p>$mapping</p>
</section>
<section aria-labelledby="statistics">
<h2 id="statistics">How to read the numbers</h2>
<p>Intervals are percentiles of 2000 bootstrap samples of patients, each class drawn by itself, all slices of a
patient together. Differences of AUROC are tested by DeLong's test on patients, whose score is the mean of their
slices; Holm's correction is for as many tests as there are rows. What another seed or another draw of the training
patients would have changed is in none of the intervals. Regressions see measures within the true outlines, which no
user has.</p>
</section>
</main>
<footer>
<p>Made by: $command, commit $commit$changes.</p>
<p>Method: <cite>$citation</cite></p>
</footer>
</body>
</html>
"""

COHORT = """\
<section>
<h2>Tested on $name</h2>
$tables$figures</section>
"""

TABLE = """\
<section>
<h3>$title</h3>
<table>
<thead><tr>$header</tr></thead>
<tbody>
$rows</tbody>
</table>
</section>
"""

FIGURE = (
    '<figure>\n<img src="data:image/png;base64,$png" alt="$caption">\n<figcaption>$caption</figcaption>\n</figure>\n'
)
CAPTIONS = {
    DISTRIBUTIONS_PICTURE: "Figures 4 to 6 of the paper with our networks: accuracy, recall of DCM, recall of normal.",
    ROC_PICTURE: "ROC curves; DCM is the positive class.",
    ATTENTION_PICTURE: "Figure 3 of the paper with both attention networks on the same slices. Each map has the "
    "scale of its own values, written below it: masks that hardly vary look as contrasted as others.",
}


def write_report(summary: Summary, folder: Path) -> None:
    """Draw the figures and write `report.html` into the output folder of a comparison."""
    entries: list[dict[str, Any]] = read_runs(folder)["runs"]
    folders = {entry["network"]: entry["folder"] for entry in reversed(entries)}
    cohorts = list(each_cohort(summary))
    for cohort in cohorts:
        draw_comparison(cohort, read_tested(folder, cohort["cohort"]), folders, folder)
    page = filled(
        PAGE,
        head=page_head(f"ACNet comparison: {summary['protocol']}", [SIMULATED] if summary["simulated"] else []),
        protocol=summary["protocol"],
        scope=scope(summary),
        leaks=leaks(summary),
        cohorts=Html("".join(_cohort(cohort, folder) for cohort in cohorts)),
        mapping=MAPPING,
        command=summary["command"],
        commit=summary["commit"] or "unknown",
        changes=", with changes that are not committed" if summary["uncommitted_changes"] else "",
        citation=CITATION,
    )
    write_text_atomically(folder / REPORT_FILE, page)


def _cohort(summary: Summary, folder: Path) -> Html:
    name = summary["cohort"]
    return filled(
        COHORT,
        name=name,
        tables=Html("".join(_table(table) for table in tables(summary))),
        figures=Html("".join(_figure(folder / picture.format(name), text) for picture, text in CAPTIONS.items())),
    )


def _table(table: Table) -> Html:
    def row(cells: tuple[str, ...]) -> Html:
        first, *others = cells
        values = Html("".join(filled("<td>$value</td>", value=value) for value in others))
        return filled('<tr><th scope="row">$first</th>$values</tr>\n', first=first, values=values)

    header = Html("".join(filled('<th scope="col">$name</th>', name=name) for name in table.header))
    return filled(TABLE, title=table.title, header=header, rows=Html("".join(map(row, table.rows))))


def _figure(path: Path, caption: str) -> Html:
    if not path.is_file():  # no network with attention took part, or it was pictured on another cohort
        return Html()
    return filled(FIGURE, png=b64encode(path.read_bytes()).decode("ascii"), caption=caption)
