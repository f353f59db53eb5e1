"""The reading list's page without its values, for which $name stands; how it looks, and is sorted and filtered."""

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src 'self' file: data:; \
style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ACNet reading list</title>
<style>
$style</style>
</head>
<body>
<div class="banner" role="note">
<p><strong>$intended_use</strong></p>
<p>$simulated$scope</p>
</div>
<main>
<header><h1>ACNet reading list</h1><p>$looked</p>$trouble</header>
<p class="filter" role="group" aria-label="Show">$buttons<label><input id="unread" type="checkbox"> unread only</label>
<input id="find" type="search" placeholder="Find"
aria-label="Find a patient, study or note"></p>
<table class="worklist">
<thead><tr>
<th scope="col"><button data-column="0">Rank</button></th>
<th scope="col">Overlay</th>
<th scope="col"><button data-column="2">Answer</button></th>
<th scope="col"><button data-column="3">Probability of DCM</button></th>
<th scope="col"><button data-column="4">Septal T1 [ms] (z-score)</button></th>
<th scope="col"><button data-column="5">Slices</button></th>
<th scope="col"><button data-column="6">Patient</button></th>
<th scope="col"><button data-column="7">Study</button></th>
<th scope="col">Notes</th>
</tr></thead>
<tbody>
$rows</tbody>
</table>
</main>
<script>
$script</script>
</body>
</html>
"""

TROUBLE = """\
<p class="trouble" role="alert">$trouble</p>
"""

BUTTON = """\
<label><input type="checkbox" value="$answer" checked> $words ($count)</label>
"""

ROW = """\
<tr data-answer="$answer" data-read="$read" class="$answer_class"><td data-order="$rank">$rank</td><td>$thumbnail</td>\
<td data-order="$rank">$words</td><td data-order="$probability_order">$probability</td>\
<td data-order="$t1_order">$septal_t1</td><td data-order="$slices">$slices</td><td>$patient</td><td>$study</td>\
<td>$notes</td></tr>
"""

THUMBNAIL_CELL = """\
<a href="$place/$report"><img src="$place/$thumbnail" alt="Middle slice with overlay" width="112" height="112" \
loading="lazy"></a>"""

WORKLIST_STYLE = """\
body { max-width: 90rem; }
.trouble { border-left: 0.5rem solid #a63a24; padding-left: 0.5rem; }
.filter label { margin-right: 1rem; white-space: nowrap; }
.worklist td { vertical-align: middle; }
.worklist td:nth-child(4) { font-weight: 600; }
.worklist td:last-child { font-size: 0.85rem; max-width: 30rem; }
.worklist th button { font: inherit; font-weight: 600; border: 0; padding: 0; background: none; cursor: pointer;
  text-align: left; text-decoration: underline dotted; }
.worklist tr td:first-child { border-left: 0.5rem solid #999; }
.worklist tr.dcm td:first-child { border-left-color: #a63a24; }
.worklist tr.uncertain td:first-child { border-left-color: #a98600; }
.worklist tr.outside td:first-child { border-left-color: #6b4a86; }
.worklist tr.normal td:first-child { border-left-color: #2a64a0; }
.worklist img { display: block; }
@media print { .filter { display: none; } }
"""

SCRIPT = """\
"use strict";
const body = document.querySelector("tbody");
const boxes = [...document.querySelectorAll(".filter input[value]")];
const unread = document.getElementById("unread");
const find = document.getElementById("find");
function show() {
  const shown = new Set(boxes.filter(box => box.checked).map(box => box.value));
  const text = find.value.trim().toLowerCase();
  for (const row of body.rows)
    row.hidden = !shown.has(row.dataset.answer) || !row.textContent.toLowerCase().includes(text) ||
      unread.checked && row.dataset.read === "yes";
}
for (const box of [...boxes, unread]) box.addEventListener("change", show);
find.addEventListener("input", show);
let sorted = 0, down = false;
function sort(column) {
  down = column === sorted ? !down : column === 3 || column === 4;
  sorted = column;
  const key = row => row.cells[column].dataset.order ?? row.cells[column].textContent;
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    return (down ? -1 : 1) * (isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y);
  });
  body.append(...rows);
}
for (const button of document.querySelectorAll("th button"))
  button.addEventListener("click", () => sort(Number(button.dataset.column)));
"""
