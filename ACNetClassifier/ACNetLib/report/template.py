"""The report's page without its values: $name stands for a value. And how it looks, on a screen and on A4 paper."""

HEAD = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
$style</style>
</head>
<body>
<div class="banner" role="note">
<p><strong>$intended_use</strong></p>
$simulated</div>
<main>
"""
"""How a page begins."""

PAGE = """\
$head<header>
<h1>ACNet: DCM or normal on a cardiac T1 map</h1>
$maps</header>
<section class="verdict $verdict" aria-labelledby="verdict">
<h2 id="verdict">Verdict: $verdict_words</h2>
$mismatch$reason<p class="probability">Probability of DCM <strong>$probability</strong>; stability: $low to $high when
the crops are shifted by $shift mm and rotated by $turn degrees. This is not a confidence interval.</p>
$scale
<p>This probability assumes a DCM prevalence of $prevalence among those examined (in the training: $prior).
Rule: $rule.</p>
<p>$reference</p>
<p><strong>Scope.</strong> $scope</p>
<p>$warning_count</p>
</section>
<section aria-labelledby="sections">
<h2 id="sections">Slices</h2>
<table class="sections">
<thead><tr><th scope="col">Slice</th><th scope="col">Verdict</th><th scope="col">Probability of DCM</th>
<th scope="col">Left ventricle (confidence)</th><th scope="col">Septal T1 [ms] (z-score)</th>
<th scope="col">Myocardial T1 [ms]</th><th scope="col">LV cavity area [mm²]</th><th scope="col">Wall thickness [mm]</th>
<th scope="col">Thickest wall / cavity radius</th><th scope="col">RV / LV area</th>
<th scope="col">Warnings</th></tr></thead>
<tbody>
$rows</tbody>
</table>
$not_judged<p class="note">T1 is the mean over the middle third of the wall's thickness, which keeps blood out: in the
middle part of the septum, and in the whole myocardium. The z-score is its distance from the reference T1 in standard
deviations, where these were given; else compare with the reference values of your own scanner, sequence and field
strength. $center_source</p>
</section>
$segments<section aria-labelledby="pictures">
<h2 id="pictures">Pictures</h2>
<p class="note">Left the T1 map with the box of the crop and the contours of the left ventricle, right the crop with the
attention bands and the same contours. Where the wall is not known there are no contours. The letters at the edges say
to which side of the body they lie: L left, R right, A anterior, P posterior, H head, F feet.</p>
$figures</section>
<section aria-labelledby="warnings">
<h2 id="warnings">Warnings</h2>
$warnings</section>
<section aria-labelledby="model">
<h2 id="model">Model</h2>
<table class="model">
<tbody>
$model_rows</tbody>
</table>
</section>
<section aria-labelledby="overlay">
<h2 id="overlay">How to read the overlay</h2>
<p>The colours are bands of the attention, the product of the modules' mean masks, on a scale that is fixed for the
model: the higher the band, the more the network weighted the features of that place, to about 4 mm. $attention</p>
<p>Evidence (evidence.nrrd, in Slicer the overlay <em>Evidence</em>) is what each place adds to the log odds of DCM,
per cm²: over a slice's crop it adds up to the slice's log odds. It says what the network found there, not that it was
right.</p>
</section>
</main>
<footer>
<p>Method: <cite>$citation</cite></p>
<p>$software</p>
</footer>
</body>
</html>
"""

MAP = """\
<p>$title: <strong>$name</strong> ($field, $sections)</p>
"""

ROW = """\
<tr><th scope="row">$section</th><td>$verdict</td><td>$probability</td><td>$ventricle</td><td>$septal_t1</td>\
<td>$myocardial_t1</td><td>$cavity_area</td><td>$wall_thickness</td><td>$relative_wall</td><td>$rv_to_lv</td>\
<td>$warnings</td></tr>
"""

SEGMENTS = """\
<section aria-labelledby="segments">
<h2 id="segments">Segments</h2>
<div class="segments">
<img src="data:image/png;base64,$png" width="360" height="360" alt="Polar map of the 16 segments' T1 in ms: base \
outside, apex inside, septum to the left, anterior on top">
<table>
<thead><tr><th scope="col">Segment (AHA)</th><th scope="col">T1 [ms] (z-score)</th><th scope="col">SD [ms]</th>
<th scope="col">Pixels</th><th scope="col">Masked</th></tr></thead>
<tbody>
$rows</tbody>
</table>
</div>
<p class="note">Slices are assigned to base, mid level and apex by their position along the heart's axis. Each is
divided into segments from the middle of the septum on. A slice that is left out keeps its level: a segment without a
value is "-". T1 is the mean over the middle third of the wall; the rest is masked, for blood or fat may be in it. The
reference T1 is that of the septum: other segments may differ from it in health.</p>
</section>
"""

NO_SEGMENTS = """\
<section aria-labelledby="segments">
<h2 id="segments">Segments</h2>
<p class="note">No segments: only some of the slices were classified, and base, mid level and apex can be assigned
from the whole stack alone.</p>
</section>
"""

SEGMENT = """\
<tr><th scope="row">$number $name</th><td>$t1</td><td>$sd</td><td>$pixels</td><td>$masked</td></tr>
"""

FIGURE = """\
<figure>
<img src="data:image/jpeg;base64,$jpeg" alt="$section: the T1 map with the box of the crop, and the crop \
with the attention bands">
<figcaption>$section: $verdict, probability of DCM $probability</figcaption>
</figure>
"""

SCALE = """\
<svg class="scale" viewBox="-16 0 1032 104" role="img" aria-label="$text">
<rect x="$range_low" y="6" width="$range_width" height="8" fill="#1a1a1a"/>
<path d="M$marker 32l-11 -26h22z" fill="#1a1a1a"/>
$zones<text x="0" y="98">0</text>
<text x="1000" y="98">1</text>
$limits</svg>
"""

ZONE = """\
<rect x="$start" y="34" width="$width" height="40" fill="$color" stroke="#555"/>
<text x="$middle" y="61">$words</text>
"""

STYLE = """\
:root { color-scheme: light; }
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem; max-width: 64rem; background: #fff; color: #1a1a1a;
  font: 1rem/1.45 "Segoe UI", "Helvetica Neue", Helvetica, Arial, "DejaVu Sans", sans-serif;
}
p { margin: 0.4rem 0; }
h1 { margin: 0; font-size: 1.6rem; }
h2 { margin: 0 0 0.5rem; font-size: 1.2rem; }
header, section { margin: 1.4rem 0; overflow-wrap: break-word; }
a { color: inherit; }
.banner { padding: 0.4rem 1rem; border: 2px solid #8a6d00; background: #fff7d6; }
.verdict { padding: 1rem 1.2rem; border: 1px solid #777; border-left-width: 0.6rem; }
.verdict h2 { font-size: 1.7rem; }
.verdict.dcm { border-left-color: #a63a24; }
.verdict.normal { border-left-color: #2a64a0; }
.verdict.uncertain { border-left-color: #a98600; }
.verdict.outside { border-left-color: #6b4a86; }
.probability { font-size: 1.1rem; }
.alert { padding: 0.4rem 0.8rem; border: 2px solid #a63a24; }
.scale { display: block; width: 100%; max-width: 46rem; margin: 0.6rem 0; }
.scale text { font-size: 21px; fill: #1a1a1a; text-anchor: middle; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 0.5rem; border-bottom: 1px solid #bbb; text-align: left; vertical-align: top; }
thead th { border-bottom: 2px solid #555; font-size: 0.85rem; vertical-align: bottom; }
.segments { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: center; }
.segments table { flex: 1; min-width: 26rem; font-size: 0.85rem; }
.model th { width: 34%; font-weight: normal; color: #444; }
.note, figcaption, footer { font-size: 0.9rem; color: #444; }
figure { margin: 0 0 1.2rem; }
figure img { display: block; width: 100%; height: auto; margin-bottom: 0.3rem; }
footer { border-top: 1px solid #bbb; }
@page { size: A4; margin: 15mm 15mm 18mm; @bottom-left { content: "INTENDED_USE"; font: 8pt sans-serif; }
  @bottom-right { content: counter(page) " / " counter(pages); font: 8pt sans-serif; } }
@media print {
  html { font-size: 9.5pt; }
  body { max-width: none; padding: 0; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  th, td { padding: 0.15rem 0.5rem; }
  figure img { width: 84%; }
  h2, h2 + .note { break-after: avoid; }
  .verdict, .banner, figure, tr, .note { break-inside: avoid; }
}
"""
