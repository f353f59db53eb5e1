"""What a reader would mark on a slice before trusting its numbers: too small a septum, scatter, blur, off resonance.

The limits lie beyond what slices without such a fault show; how often each is found, and found for nothing, is measured
by `acnet-train quality`: Documentation/validation.md. Folding is not marked: on a T1 map alone no sign of it was found
that tells it from arms and lungs at the image's edge. Opposite edges that look alike are none: in life what folds in
lies outside of the image, only the simulation shows it a second time.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from ACNetLib.ventricle.labels import CAVITY_LABEL, SEPTUM_LABEL, LabelArray, is_myocardium
from ACNetLib.ventricle.measures import mid_wall, surroundings, with_value

FEWEST_SEPTAL_PIXELS = 25
"""For a septal T1 to rely on."""
LARGEST_SCATTER_MS, LARGEST_EDGE_MM, LARGEST_DROP = 140.0, 4.6, 0.10
"""Of simulated slices as drawn 8 % or fewer lie beyond each, but for off resonance at 3 T: 29 %."""
SECTORS, EDGE_SECTORS = 6, 12
QUARTILES_OF_NORMAL = 1.349
"""How far apart they lie in standard deviations: a few pixels with blood in them do not count."""
FEWEST_IN_SECTOR = 4
EDGE_MM, INNER_MM = 3.5, 4.0
"""How near the inner edge is looked for, and from where on the cavity holds nothing but blood."""
EDGE_SMOOTHING_PIXELS = 0.5


def quality_marks(t1_ms: NDArray[np.float32], labels: LabelArray, spacing_mm: tuple[float, float]) -> dict[str, str]:
    """What is to be marked, by its name, in words; nothing where the wall is not known.

    t1_ms, labels: (rows, columns). spacing_mm: of rows, of columns.
    """
    wall, cavity = is_myocardium(labels), labels == CAVITY_LABEL
    middle = mid_wall(wall, cavity, spacing_mm) & with_value(t1_ms) if wall.any() and cavity.any() else wall & False
    if not middle.any():
        return {}
    septum = int((middle & (labels == SEPTUM_LABEL)).sum())
    scatter_ms = float(np.subtract(*np.percentile(t1_ms[middle], [75, 25]))) / QUARTILES_OF_NORMAL
    turns = _turns(cavity, labels == SEPTUM_LABEL, spacing_mm)
    drop = _lowest_sector(t1_ms, middle, _sector(turns, SECTORS))
    edge_mm = _edge_width(t1_ms, middle, cavity, spacing_mm, _sector(turns, EDGE_SECTORS))
    marks = {
        "septum": septum < FEWEST_SEPTAL_PIXELS
        and f"the septum has only {septum} mid-wall pixels; {FEWEST_SEPTAL_PIXELS} make a T1 to rely on",
        "scatter": scatter_ms > LARGEST_SCATTER_MS
        and f"T1 scatters by {scatter_ms:.0f} ms within the wall: noise or motion",
        "blur": edge_mm > LARGEST_EDGE_MM and f"the wall's inner edge is blurred over {edge_mm:.1f} mm",
        "off_resonance": scatter_ms <= LARGEST_SCATTER_MS
        and drop > LARGEST_DROP
        and f"T1 is {drop:.0%} lower in one part of the wall: off resonance, or fat or lung in its outline",
    }
    return {name: words for name, words in marks.items() if words}


def _turns(
    cavity: NDArray[np.bool_], septum: NDArray[np.bool_], spacing_mm: tuple[float, float]
) -> NDArray[np.float64]:
    """How far each pixel lies around the cavity's centre from the middle of the septum, 0 to below 1.

    So sectors are the same however the image is stored; without a septum they begin at its row axis.
    """
    rows, columns = np.indices(cavity.shape)
    row, column = (float(index.mean()) for index in np.nonzero(cavity))
    angles = np.arctan2((rows - row) * spacing_mm[0], (columns - column) * spacing_mm[1])
    middle = float(np.angle(np.exp(1j * angles[septum]).mean())) if septum.any() else np.pi
    turns: NDArray[np.float64] = (angles - middle) / (2 * np.pi) % 1.0
    return turns


def _sector(turns: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """In which of so many equal sectors each pixel lies."""
    return np.minimum((turns * count).astype(np.intp), count - 1)


def _lowest_sector(t1_ms: NDArray[np.float32], middle: NDArray[np.bool_], sector: NDArray[np.intp]) -> float:
    """How far T1 of the lowest sector lies below that of the others, as a share."""
    inside = [t1_ms[middle & (sector == number)] for number in range(SECTORS)]
    medians = [float(np.median(values)) for values in inside if values.size >= FEWEST_IN_SECTOR]
    return 1 - min(medians) / float(np.median(medians)) if len(medians) > 2 else 0.0


def _edge_width(
    t1_ms: NDArray[np.float32],
    middle: NDArray[np.bool_],
    cavity: NDArray[np.bool_],
    spacing_mm: tuple[float, float],
    sector: NDArray[np.intp],
) -> float:
    """Over how many mm T1 falls from blood to muscle: their difference by the steepest slope, the median of twelve
    sectors. 0 where the cavity holds no blood free of partial volume, or none longer than muscle."""
    muscle_ms = np.median(t1_ms[middle])
    reach = math.ceil(EDGE_MM / min(spacing_mm)) + 3  # two pixels of smoothing, one of the slope
    around = surroundings(cavity, reach)
    t1_ms, cavity, sector = t1_ms[around], cavity[around], sector[around]
    within = distance_transform_edt(cavity, sampling=spacing_mm)
    blood = within > INNER_MM
    if not blood.any():
        return 0.0
    contrast_ms = float(np.median(t1_ms[blood]) - muscle_ms)
    near = (within < EDGE_MM) & (distance_transform_edt(~cavity, sampling=spacing_mm) < EDGE_MM)
    slope = np.hypot(*np.gradient(gaussian_filter(t1_ms, EDGE_SMOOTHING_PIXELS), *spacing_mm))
    steepest = [slope[near & (sector == number)] for number in range(EDGE_SECTORS)]
    steepest_ms_mm = float(np.median([values.max() for values in steepest if values.size]))
    return max(contrast_ms, 0.0) / steepest_ms_mm if steepest_ms_mm > 0 else 0.0
