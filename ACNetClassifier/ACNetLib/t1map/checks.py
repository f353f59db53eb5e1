"""What makes an image a native cardiac T1 map in ms: every rule has a reason and a remedy in its message.

The pixels are checked, because headers can be wrong or missing. Native maps have myocardium of 950 to 1300 ms and
blood of 1500 to 1900 ms, both above 850 ms; liver (586 ms at 1.5 T), fat and marrow below; lung and air are noise up to
the largest value that the scanner stores.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import label, maximum_filter, uniform_filter

from ACNetLib.errors import ACNetError
from ACNetLib.volumes.header import FEWEST_IN_PLANE, slice_axis

# Where the 99th percentile of a native T1 map's positive pixels lies (blood and lung noise are its high end), in ms.
T1_RANGE_MS = (1000.0, 4500.0)
POST_CONTRAST_RANGE_MS = (300.0, 4500.0)
UNITS_MS = {"s": 1000.0, "0.1 ms": 0.1}
"""Other units of T1 that occur, in ms; the ranges of native maps in the three units do not touch."""
FAILED_FITS = (
    f"More than one in a hundred of its pixels is above {T1_RANGE_MS[1]:.0f} ms, as where a fit has no bound: its unit "
    "was told by tissue alone."
)

IN_PLANE_SPACING_MM = (0.5, 5.0)
IN_PLANE_PIXELS = (FEWEST_IN_PLANE, 2048)
LARGEST_SECTION_COUNT = 64  # a short-axis stack has 1 to 15; MP2RAGE volumes and cines have more

LARGEST_NEGATIVE_FRACTION = 0.01
NOISE_SHARE = 0.1  # of the 99th percentile: what is as little below zero is noise, or -1 for a fit that failed
DARK_MS = 150.0
LARGEST_DARK_FRACTION = 0.2  # of the positive pixels; native maps have 0.02
SMALLEST_ZERO_FRACTION = 0.25  # of dark air: noise about 0 has a half, magnitudes none
MUSCLE_MS = (800.0, 1400.0)
SMALLEST_MUSCLE_FRACTION = 0.03  # of the positive pixels

# How homogeneous tissue is told from the noise of lung and air, and native tissue from tissue with contrast.
WINDOW = (1, 5, 5)  # pixels
LARGEST_VARIATION = 0.1  # standard deviation over mean within the window
LARGEST_VARIATION_OF_BLOOD = 0.15  # noise of a T1 map grows with T1: in fat it may be half of that in blood
TISSUE_MS = (200.0, 2200.0)
NATIVE_MS = 850.0
SMALLEST_NATIVE_FRACTION = 0.12  # single native slices, within much fat and liver, have less: then blood decides
NATIVE_BLOOD_MS = 1250.0
SHORTEST_BLOOD_MS, LONGEST_BLOOD_MS = 1100.0, 2200.0
SMALLEST_BLOOD_MM2 = 200.0  # of one slice, away from its edges; a stomach on one real map after contrast has half of it
SMALLEST_TISSUE_MM2 = 1000.0

# Short-axis planes are double oblique: over patients their normal is 30 degrees or more from every body axis.
SMALLEST_OBLIQUITY_DEGREES = 10.0
USUAL_NORMAL_LPS = np.array([-0.62, 0.60, 0.50]) / np.linalg.norm([0.62, 0.60, 0.50])
LARGEST_USUAL_ANGLE_DEGREES = 60.0
PLANES = ("sagittal", "coronal", "axial")

NATIVE_MAP = {
    "cli": "Give the native map, or --post-contrast if you want the result all the same.",
    "panel": "native map",
}
DARK_AIR_WARNING = "It is dark around the body, as magnitude images and cines are: make sure that it is a T1 map."
UNKNOWN_THICKNESS = "Its slice thickness is not told: it is shown as 1 mm, which changes no number."
POST_CONTRAST_WARNING = "The map is from after contrast; the model knows native maps only: result not valid."


@dataclass(frozen=True, eq=False)
class CheckedImage:
    """A 3-D float32 image in ms without its source's header keys, and what the user should know of it.

    unit: that of the values as they were given.
    """

    image: sitk.Image
    warnings: tuple[str, ...]
    unit: str


def check_t1_image(image: sitk.Image, name: str, post_contrast: bool = False) -> CheckedImage:
    """The image as a T1 map in ms, or ACNetError when it can't be one. `name` stands for the image in the message.

    A 2-D image becomes one section. Seconds and tenths of ms are converted, with a warning. What is no number or below
    zero becomes 0, as of pixels without T1. `post_contrast` lets maps from after contrast pass, with a warning.
    """
    _check_layout(image, name)
    if image.GetDepth() == 0:  # 2-D
        image = sitk.JoinSeries(image)
    _check_size(image, name)
    _check_axes(image, name)
    image = sitk.Cast(image, sitk.sitkFloat32)  # leaves the header keys behind, which may name the patient
    image, warnings = _with_numbers(image)
    _check_numbers(sitk.GetArrayViewFromImage(image), name, post_contrast)
    image = sitk.Maximum(image, 0.0)
    unit, of_unit = _unit(image, name, post_contrast)
    warnings += of_unit
    if unit != "ms":
        image = image * UNITS_MS[unit]
        warnings.append(f"Its values were taken as T1 in {unit} and converted to ms.")
    warnings += _brightness_warnings(sitk.GetArrayViewFromImage(image), name)
    if post_contrast:
        warnings.append(POST_CONTRAST_WARNING)
    else:
        _check_native(image, name)
    return CheckedImage(image, tuple(warnings), unit)


def check_short_axis(normal: np.ndarray, name: str) -> tuple[str, ...]:
    """Warnings about a plane, from its normal (3,), LPS; ACNetError when it can't be a short axis.

    Refused are only planes along the body (axial, coronal, sagittal): hearts lie at many angles. For images whose
    orientation is known, as in DICOM; of an array or file a plane along the body tells nothing.
    """
    obliquity = obliquity_degrees(normal)
    if obliquity < SMALLEST_OBLIQUITY_DEGREES:
        raise ACNetError(
            f"{name}: its slices are {PLANES[int(np.abs(normal).argmax())]} (within {obliquity:.0f} degrees); expected "
            "short-axis slices, which are oblique to the body's axes. Give the short-axis T1 map."
        )
    angle = degrees_from_usual(normal)
    if angle > LARGEST_USUAL_ANGLE_DEGREES:
        return (f"The plane is {angle:.0f} degrees from a usual short axis: make sure that it is no long-axis view.",)
    return ()


def degrees_from_usual(normal: np.ndarray) -> float:
    """Between the normal of a plane (3,), LPS, of either sign, and that of a usual short axis."""
    return float(np.rad2deg(np.arccos(min(1.0, float(abs(normal @ USUAL_NORMAL_LPS))))))


def obliquity_degrees(normal: np.ndarray) -> float:
    """Between the normal of a plane (3,), LPS, and the nearest of the body's axes."""
    return float(np.rad2deg(np.arccos(min(1.0, float(np.abs(normal).max())))))


def _check_layout(image: sitk.Image, name: str) -> None:
    if image.GetDimension() not in {2, 3}:
        size = " x ".join(str(length) for length in image.GetSize())
        raise ACNetError(
            f"{name}: found a {image.GetDimension()}-D image of {size}; expected a 2-D or 3-D T1 map. "
            "Give the T1 map itself, not the series of images that it was computed from."
        )
    if image.GetNumberOfComponentsPerPixel() > 1 or "complex" in image.GetPixelIDTypeAsString():
        raise ACNetError(
            f"{name}: found {image.GetNumberOfComponentsPerPixel()} values a pixel ({image.GetPixelIDTypeAsString()}), "
            "a colour or vector image; expected one T1 in ms a pixel. Give the quantitative map, not its colour copy."
        )


def _check_size(image: sitk.Image, name: str) -> None:
    columns, rows, sections = image.GetSize()
    axis = slice_axis(image.GetSize())
    if axis != 2:
        raise ACNetError(
            f"{name}: its slices lie along its {('first', 'second')[axis]} axis (found {columns} x {rows} x {sections} "
            "pixels); expected them along the third. Exchange its axes, or give the map as it was before.",
            panel="slices last",
        )
    fewest, most = IN_PLANE_PIXELS
    if not fewest <= min(columns, rows) <= max(columns, rows) <= most or sections > LARGEST_SECTION_COUNT:
        raise ACNetError(
            f"{name}: found {columns} x {rows} pixels and {sections} slices; expected {fewest} to {most} pixels a "
            f"side and at most {LARGEST_SECTION_COUNT} slices. Give the short-axis T1 map."
        )
    shortest, longest = IN_PLANE_SPACING_MM
    spacing = image.GetSpacing()
    if not shortest <= min(spacing[:2]) <= max(spacing[:2]) <= longest:
        raise ACNetError(
            f"{name}: its pixels measure {spacing[0]:g} x {spacing[1]:g} mm; expected {shortest:g} to {longest:g} mm. "
            "Correct the spacing, or export the map again from its source."
        )


def _check_axes(image: sitk.Image, name: str) -> None:
    axes = np.reshape(image.GetDirection(), (3, 3))
    if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-3):
        raise ACNetError(f"{name}: its axes are not perpendicular (a sheared image); expected a rectangular grid.")


def _with_numbers(image: sitk.Image) -> tuple[sitk.Image, list[str]]:
    """The image with 0 where a fit has left no number (NaN or infinite), and what is to be said of it."""
    values = sitk.GetArrayFromImage(image)
    without = ~np.isfinite(values)
    if not without.any():
        return image, []
    values[without] = 0
    numbers = sitk.GetImageFromArray(values)
    numbers.CopyInformation(image)
    pixels = "1 pixel" if without.sum() == 1 else f"{without.sum()} pixels"
    return numbers, [f"{pixels} without a number (NaN or infinite) count as pixels without T1."]


def _check_numbers(values: np.ndarray, name: str, post_contrast: bool) -> None:
    """Refuses pixels that are no T1 in any unit."""
    expected = _expected(post_contrast)
    if values.min() == values.max():
        raise ACNetError(f"{name}: every pixel is {values.min():g}; {expected}. Export the map again from its source.")
    if values.max() <= 0:
        raise ACNetError(f"{name}: no pixel is above zero; {expected}. Export the map again from its source.")
    negative = np.count_nonzero(values < -NOISE_SHARE * np.percentile(values[values > 0], 99)) / values.size
    if negative > LARGEST_NEGATIVE_FRACTION:
        raise ACNetError(
            f"{name}: {negative:.0%} of its pixels are below zero (down to {values.min():g}), as in CT or phase "
            f"images; {expected}. Give the T1 map, or set its pixels without a value, as of fits that failed, to 0."
        )
    if values.max() <= np.iinfo(np.uint8).max and np.array_equal(values, np.rint(values)):
        raise ACNetError(
            f"{name}: found whole numbers up to {values.max():g}, an 8-bit or colour-table picture, a T2 or an ECV "
            f"map; {expected}. Give the quantitative map, not its picture."
        )


def _expected(post_contrast: bool) -> str:
    low, high = POST_CONTRAST_RANGE_MS if post_contrast else T1_RANGE_MS
    return f"expected T1 in ms, with a 99th percentile of {low:.0f} to {high:.0f} ms"


def _unit(image: sitk.Image, name: str, post_contrast: bool) -> tuple[str, list[str]]:
    """The unit that makes the values T1, "ms", "s" or "0.1 ms", and what is to be said of it. Raises ACNetError when
    none does.

    The 99th percentile tells it. Where a fit has no bound, or a high one, that is the noise of air and lung: above the
    range the same percentile of the homogeneous tissue tells it, if there is enough of that.
    """
    low, high = POST_CONTRAST_RANGE_MS if post_contrast else T1_RANGE_MS
    values = sitk.GetArrayViewFromImage(image)
    telling = percentile = float(np.percentile(values[values > 0], 99))
    if percentile > high:
        mean, deviation = _around_each(values)
        is_bounded = maximum_filter(values, WINDOW) < values.max()
        tissue = mean[(mean > 0) & (deviation < LARGEST_VARIATION * mean) & is_bounded]
        if tissue.size * np.prod(image.GetSpacing()[:2]) >= SMALLEST_TISSUE_MM2:
            telling = float(np.percentile(tissue, 99))
    for unit, factor in {"ms": 1.0, **UNITS_MS}.items():
        if low <= telling * factor <= high:
            return unit, [] if percentile * factor <= high else [FAILED_FITS]
    raise ACNetError(
        f"{name}: the 99th percentile of its positive pixels is {percentile:g}{_kind(percentile)}; "
        f"{_expected(post_contrast)}. Give a native T1 map, converted to ms if it is in another unit."
    )


def _kind(percentile: float) -> str:
    """What a map with such a 99th percentile may be."""
    if percentile > T1_RANGE_MS[1] / min(UNITS_MS.values()):
        return ", as of a Philips map that dcm2niix has divided by its slopes (convert it with dcm2niix -p n)"
    if percentile < 1:
        return ", as of an ECV fraction"
    if percentile < POST_CONTRAST_RANGE_MS[0]:
        return ", as of T2, T2* or ECV"
    if percentile < T1_RANGE_MS[0]:
        return ", as of T2, of T1 after contrast or of a magnitude image"
    return ""


def _brightness_warnings(t1_ms: np.ndarray, name: str) -> list[str]:
    """Refuses magnitude images and cines in the range of T1: where a T1 map has noise (air, lung), they are dark.

    A map may be dark around the body, too, with noise about 0, of which half is 0 or less: it is warned of, and
    `check_blood_and_muscle` decides once the ventricle is known. A magnitude is never 0. Can't see: a magnitude image
    whose background was set to 0.
    """
    if _dark_fraction(t1_ms) <= LARGEST_DARK_FRACTION:
        return []
    around = _around_body(t1_ms)
    about_zero = around.any() and np.mean(t1_ms[around] <= 0) >= SMALLEST_ZERO_FRACTION
    if not about_zero or _dark_fraction(t1_ms[~around]) > LARGEST_DARK_FRACTION:
        raise _too_dark(t1_ms, name)
    return [DARK_AIR_WARNING]


def _dark_fraction(t1_ms: np.ndarray) -> float:
    positive = t1_ms[t1_ms > 0]
    return float(np.mean(positive < DARK_MS)) if positive.size else 1.0


def _around_body(t1_ms: np.ndarray) -> np.ndarray:
    """What is dark from the edge of its slice on, (slices, rows, columns)."""
    around = np.zeros(t1_ms.shape, bool)
    for section, values in enumerate(t1_ms):
        parts, _ = label(values < DARK_MS)
        edges = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
        around[section] = np.isin(parts, edges[edges > 0])
    return around


def _too_dark(t1_ms: np.ndarray, name: str) -> ACNetError:
    return ACNetError(
        f"{name}: {_dark_fraction(t1_ms):.0%} of its positive pixels are below {DARK_MS:g}, as in magnitude images and "
        f"cines; expected T1 in ms, with at most {LARGEST_DARK_FRACTION:.0%}. Give the quantitative map."
    )


def _check_native(image: sitk.Image, name: str) -> None:
    """Refuses maps from after contrast, which shortens T1 of all tissue that blood reaches to less than 850 ms.

    Only homogeneous pixels count, so that the noise of lung and air, which contrast doesn't change, has no say, and a
    map needs no particular field of view or place of the heart. The rule needs at least 10 cm2 of tissue to speak, and
    is silent where a slice shows blood without contrast. Can't see: a low dose or a late map with blood above 850 ms; a
    map with fluid that contrast doesn't reach (effusion, ascites, stomach), which `check_native_blood` sees once the
    ventricle is known; R1 in 1/s, whose values resemble T1 in s.
    """
    t1_ms = sitk.GetArrayViewFromImage(image)
    mean, deviation = _around_each(t1_ms)
    of_tissue = (mean >= TISSUE_MS[0]) & (mean <= TISSUE_MS[1])
    tissue, with_noise = (
        mean[of_tissue & (deviation < variation * mean)]
        for variation in (LARGEST_VARIATION, LARGEST_VARIATION_OF_BLOOD)
    )
    pixel_mm2 = float(np.prod(image.GetSpacing()[:2]))
    native = float(np.mean(tissue >= NATIVE_MS)) if tissue.size else 1.0
    blood_mm2 = np.count_nonzero(with_noise >= NATIVE_BLOOD_MS) * pixel_mm2 / image.GetDepth()
    shows_contrast = native < SMALLEST_NATIVE_FRACTION and blood_mm2 < SMALLEST_BLOOD_MM2
    if tissue.size * pixel_mm2 >= SMALLEST_TISSUE_MM2 and shows_contrast:
        raise ACNetError(
            f"{name}: only {native:.0%} of its tissue has a T1 above {NATIVE_MS:g} ms (median {np.median(tissue):.0f} "
            f"ms), as after contrast; expected a native T1 map, with {SMALLEST_NATIVE_FRACTION:.0%} or more.",
            **NATIVE_MAP,
        )
    share = np.mean((t1_ms >= MUSCLE_MS[0]) & (t1_ms <= MUSCLE_MS[1]), where=t1_ms > 0)
    if share < SMALLEST_MUSCLE_FRACTION:
        raise ACNetError(
            f"{name}: {share:.1%} of its positive pixels lie at {MUSCLE_MS[0]:g} to {MUSCLE_MS[1]:g} ms, where muscle "
            f"and myocardium do; expected {SMALLEST_MUSCLE_FRACTION:.0%} or more. Give a native T1 map in ms."
        )


def check_told_native(warnings: Collection[str], name: str, post_contrast: bool) -> None:
    """Refuses a map whose header repeats that the images it was made of are from after contrast, unless a person
    insists on it.
    """
    if POST_CONTRAST_WARNING in warnings and not post_contrast:
        raise ACNetError(
            f"{name}: its header, or the JSON file beside it, tells that it is from after contrast; expected a native "
            "T1 map.",
            **NATIVE_MAP,
        )


def check_native_blood(t1_ms: np.ndarray, name: str) -> None:
    """Refuses a map whose left ventricle is filled with blood after contrast; t1_ms: of the cavity's pixels, (n,)."""
    median = float(np.median(t1_ms)) if t1_ms.size else math.nan
    if median < SHORTEST_BLOOD_MS:
        raise ACNetError(
            f"{name}: blood in its left ventricle has a T1 of {median:.0f} ms, as after contrast; expected a native T1 "
            f"map, with {SHORTEST_BLOOD_MS:g} ms or more.",
            **NATIVE_MAP,
        )


def check_blood_and_muscle(t1_map_ms: np.ndarray, cavity_ms: np.ndarray, wall_ms: np.ndarray, name: str) -> None:
    """Refuses an image that is dark around the body, unless the left ventricle's cavity and wall have the T1 of blood
    and muscle: in a cine blood has two to four times the signal of muscle, on a map 1.3 to 1.7 times its T1.

    t1_map_ms: of the whole map. cavity_ms, wall_ms: of the pixels of cavity and wall, (n,); where one is not known, it
    has no say.
    """
    of_blood = not cavity_ms.size or NATIVE_BLOOD_MS <= np.median(cavity_ms) <= LONGEST_BLOOD_MS
    of_muscle = not wall_ms.size or MUSCLE_MS[0] <= np.median(wall_ms) <= MUSCLE_MS[1]
    if not (of_blood and of_muscle):
        raise _too_dark(t1_map_ms, name)


def _around_each(t1_ms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation around each pixel within its slice, arrays of the same size."""
    values = t1_ms.astype(np.float64)
    inside = uniform_filter(np.ones_like(values[:1]), WINDOW, mode="constant")  # below 1 along a slice's edges
    mean, of_squares = (uniform_filter(each, WINDOW, mode="constant") / inside for each in (values, values**2))
    count = np.prod(WINDOW) * inside
    return mean, np.sqrt(np.maximum(of_squares - mean**2, 0) * count / (count - 1))
