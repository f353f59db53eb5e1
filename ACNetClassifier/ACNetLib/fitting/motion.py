"""Breathing between the images of a slice, corrected by registration, and what of it is left.

Each image is registered to the latest one by mutual information, for their contrast differs and inverts. How far they
lie from a common place is measured against the fit of all of them: what it says of an image has that image's contrast
(Xue 2012), so that plain correlation registers the two.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

HEART_MM = 55.0
"""Half a side of the square in the middle of the slice that is registered. T1 maps are planned around the heart; in a
larger square the chest wall, which stands still, holds the heart back, a smaller one has too few edges."""
LARGEST_SHIFT_MM = 15.0
"""In one breath-hold a heart moves less: a registration that finds more has lost its way, and the image stays."""
BINS = 32
FIRST_STEP_MM, LAST_STEP_MM, MOST_STEPS = 2.0, 0.02, 40

Images = NDArray[np.float32]
Modelled = Callable[[Images], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Motion:
    """Images of a slice (images, rows, columns) after correction, and what was found in mm.

    shifts_mm: (images, 2) along columns and rows, by how much each was moved. before_mm, residual_mm: how far the
    images lie from what the fit says of them, the mean over the images, before and after.
    """

    images: Images
    shifts_mm: NDArray[np.float64]
    before_mm: float
    residual_mm: float


def measure_motion(images: Images, spacing_mm: tuple[float, float], modelled: Modelled) -> Motion:
    """Images as they are, such as those that the scanner has registered, and their residual."""
    residual_mm = _residual_mm(images, spacing_mm, modelled)
    return Motion(images, np.zeros((len(images), 2)), residual_mm, residual_mm)


def correct_motion(images: Images, spacing_mm: tuple[float, float], latest: int, modelled: Modelled) -> Motion:
    """Move the images of a slice in its plane onto the latest one, if that makes them agree better with their fit.

    spacing_mm: between columns and between rows. latest: the index of the image with the longest time. modelled: what
    the fit of such images says of each of them. Each image moves as a whole; what moves through the plane can't be
    corrected.
    """
    still = measure_motion(images, spacing_mm, modelled)
    shown = np.abs(images)  # a registration doesn't need the sign
    shifts_mm = _each(partial(shift_mm, shown[latest], spacing_mm=spacing_mm, by_information=True), shown)
    shifts_mm[np.linalg.norm(shifts_mm, axis=1) > LARGEST_SHIFT_MM] = 0
    shifts_mm[latest] = 0
    together = np.stack([moved(image, shift, spacing_mm) for image, shift in zip(images, shifts_mm, strict=True)])
    residual_mm = _residual_mm(together, spacing_mm, modelled)
    if residual_mm >= still.residual_mm:
        return still
    return Motion(together, shifts_mm, still.residual_mm, residual_mm)


def _residual_mm(images: Images, spacing_mm: tuple[float, float], modelled: Modelled) -> float:
    pairs = zip(np.abs(modelled(images)), np.abs(images), strict=True)
    steps = _each(lambda pair: shift_mm(*pair, spacing_mm=spacing_mm, by_information=False), list(pairs))
    return float(np.linalg.norm(steps, axis=1).mean())


def _each(shift: Callable[..., NDArray[np.float64] | None], items: Iterable) -> NDArray[np.float64]:
    """The shift of each item, (items, 2); 0 where nothing tells it."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return np.array([np.zeros(2) if found is None else found for found in threads.map(shift, items)])


def shift_mm(
    fixed: NDArray,
    moving: NDArray,
    *,
    spacing_mm: tuple[float, float],
    by_information: bool,
    middle: tuple[float, float] | None = None,
) -> NDArray[np.float64] | None:
    """How far, along columns and rows, the moving image's heart lies from the fixed one's, (2,); None: nothing tells.

    by_information: images of two contrasts. middle: row and column of the heart, by default the image's middle.
    """
    square = tuple(
        slice(max(round(place - HEART_MM / step), 0), round(place + HEART_MM / step))
        for place, step in zip(
            middle or ((fixed.shape[0] - 1) / 2, (fixed.shape[1] - 1) / 2), reversed(spacing_mm), strict=True
        )
    )
    part = _image(fixed[square], spacing_mm)
    part.SetOrigin([square[1].start * spacing_mm[0], square[0].start * spacing_mm[1]])
    registration = sitk.ImageRegistrationMethod()
    registration.SetNumberOfThreads(1)  # the images are registered beside each other
    if by_information:
        registration.SetMetricAsMattesMutualInformation(BINS)
    else:
        registration.SetMetricAsCorrelation()
    registration.SetInterpolator(sitk.sitkLinear)
    registration.SetOptimizerAsRegularStepGradientDescent(FIRST_STEP_MM, LAST_STEP_MM, MOST_STEPS)
    registration.SetInitialTransform(sitk.TranslationTransform(2), inPlace=False)
    registration.SetShrinkFactorsPerLevel([2, 1])
    registration.SetSmoothingSigmasPerLevel([2, 1])
    registration.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    try:
        found = registration.Execute(part, _image(moving, spacing_mm))
    except RuntimeError:  # an image of one value, or the two have left each other
        return None
    return np.array(found.GetParameters()[-2:])


def moved(image: NDArray, by_mm: NDArray[np.float64], spacing_mm: tuple[float, float]) -> Images:
    """The image in the place of the one that it was found to lie `by_mm` from, (rows, columns)."""
    if not by_mm.any():
        return np.asarray(image, np.float32)
    source = _image(image, spacing_mm)
    shift = sitk.TranslationTransform(2, by_mm.tolist())
    return sitk.GetArrayFromImage(sitk.Resample(source, source, shift, sitk.sitkBSpline, 0.0, sitk.sitkFloat32))


def _image(values: NDArray, spacing_mm: tuple[float, float]) -> sitk.Image:
    image = sitk.GetImageFromArray(np.ascontiguousarray(values, np.float32))
    image.SetSpacing(spacing_mm)
    return image
