"""Images out of multi-coil k-space, by SigPy: coil sensitivities by ESPIRiT, then an inverse FFT or SENSE.

As the challenges' own demonstration does (CMRxReconDemo/ChallengeRecon.m of CmrxRecon/CMRxRecon2025): ESPIRiT on the
central lines, which are always measured (Uecker 2014), and SENSE solved by conjugate gradients (Pruessmann 2001), whose
few steps keep noise down where lines are missing. All images of a slice are reconstructed together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ACNetLib.errors import ACNetError

from .k_space_file import KSpaceArray

LARGEST_CALIBRATION = 24
FEWEST_CENTRAL_LINES = 8
KERNEL_WIDTH = 6
SINGULAR_VALUES_FROM = 0.02
SENSITIVITY_STEPS = 100
SENSE_STEPS_BY_SHARE = 3.0
"""Steps times the share of k-space that was measured: fewer blur T1 of muscle and blood, more let noise win."""
SMALLEST_COVER = 0.6
"""Of k-space by all images together. Where all lack the same lines, T1 of the myocardium comes out tens of ms too long
with 8 coils, which would look like DCM: Documentation/real-data.md."""
T1_STAR_MS = (50.0, 3000.0)
RECOVERIES = 5
"""The singular values beyond are less than 0.002 of the first for the challenges' inversion times."""


def reconstruct(
    k_space: KSpaceArray, times_ms: NDArray[np.float64], readout_oversampling: float, name: str
) -> KSpaceArray:
    """Complex images (inversions, rows, columns) of one slice's k-space (inversions, coils, phase, readout).

    Rows go along the phase encoding; columns along the readout, without what it covers beyond the field of view. All
    images have one phase, that of the coils. Raises ACNetError, which begins with `name`, where too few central lines
    were measured, or all images lack the same lines.
    """
    import sigpy

    sampled = np.abs(k_space).max(axis=1) > 0
    columns = max(1, round(k_space.shape[-1] / readout_oversampling))
    is_by_line = bool(np.array_equal(sampled, np.broadcast_to(sampled.any(axis=2, keepdims=True), sampled.shape)))
    if is_by_line:  # the readout is whole: fewer columns to reconstruct
        k_space = sigpy.fft(_cut(sigpy.ifft(k_space, axes=(-1,)), columns), axes=(-1,)).astype(np.complex64)
        sampled = sampled[:, :, :columns]
    width = _central_width(sampled.all(axis=0))
    if width < FEWEST_CENTRAL_LINES:
        raise ACNetError(
            f"{name}: {width} central lines were measured without a gap; expected {FEWEST_CENTRAL_LINES} or more, for "
            "the sensitivities of the coils."
        )
    if _is_one_block(sampled):
        blurred = _blurred(_middle(k_space, width), k_space.shape[2:])
        images = np.sum(sigpy.ifft(k_space, axes=(-2, -1)) * blurred.conj(), axis=1)
    elif (cover := sampled.any(axis=0).mean()) < SMALLEST_COVER:
        raise ACNetError(
            f"{name}: its images together have {cover:.0%} of k-space; expected {SMALLEST_COVER:.0%} or more: all "
            "lines, or others from image to image (ktUniform, ktGaussian, ktRadial)."
        )
    else:
        sensitivities = _sensitivities(_middle(k_space, width), k_space.shape[2:])
        images = _sense(k_space, sampled, sensitivities, _recoveries(times_ms))
    return np.asarray(_cut(images, columns), np.complex64)


def _cut(images: KSpaceArray, columns: int) -> KSpaceArray:
    """The middle columns."""
    first = images.shape[-1] // 2 - columns // 2
    return images[..., first : first + columns]


def _is_one_block(sampled: NDArray[np.bool_]) -> bool:
    """Whether no line is missing between others; lines at an end may be, as after a partial Fourier acquisition."""
    lines = sampled.all(axis=2)
    return bool(np.array_equal(lines, sampled.any(axis=2)) and (np.abs(np.diff(lines, axis=1)).sum(axis=1) <= 1).all())


def _middle(k_space: KSpaceArray, width: int) -> KSpaceArray:
    """(coils, width, width) in the middle: the sum over all images that has the most signal for its noise."""
    import sigpy

    middle = sigpy.resize(k_space, (*k_space.shape[:2], width, width)).reshape(len(k_space), -1)
    _, vectors = np.linalg.eigh(middle @ middle.conj().T)
    return (vectors[:, -1].conj() @ middle).reshape(k_space.shape[1], width, width)


def _blurred(middle: KSpaceArray, plane: tuple[int, ...]) -> KSpaceArray:
    """Coil images of the middle of k-space, their squares' sum 1: enough to add up images whose lines are all there."""
    import sigpy

    window = np.hanning(middle.shape[-1] + 2)[1:-1]
    images = sigpy.ifft(sigpy.resize(middle * (window[:, None] * window), (len(middle), *plane)), axes=(-2, -1))
    total = np.sqrt(np.square(np.abs(images)).sum(axis=0))
    return np.asarray(images / np.maximum(total, np.finfo(np.float32).tiny), np.complex64)


def _sensitivities(middle: KSpaceArray, plane: tuple[int, ...]) -> KSpaceArray:
    """By ESPIRiT, everywhere in the plane: (coils, phase, readout)."""
    import sigpy
    from sigpy.mri.app import EspiritCalib

    width = middle.shape[-1]
    calibration = EspiritCalib(
        sigpy.resize(middle, (len(middle), *plane)),
        calib_width=width,
        thresh=SINGULAR_VALUES_FROM,
        kernel_width=min(KERNEL_WIDTH, width // 2),
        crop=0,
        max_iter=SENSITIVITY_STEPS,
        show_pbar=False,
    )
    return np.asarray(calibration.run(), np.complex64)


def _central_width(sampled: NDArray[np.bool_]) -> int:
    """Of the largest square in the middle of k-space that all images have, up to LARGEST_CALIBRATION."""
    phase, readout = (length // 2 for length in sampled.shape)
    width = 0
    for half in range(1, min(LARGEST_CALIBRATION // 2, phase, readout) + 1):
        if not sampled[phase - half : phase + half, readout - half : readout + half].all():
            break
        width = 2 * half
    return width


def _recoveries(times_ms: NDArray[np.float64]) -> NDArray[np.complex64]:
    """An orthonormal basis, (inversions, some), of how signals change from image to image after an inversion."""
    decays = np.exp(-times_ms[:, None] / np.geomspace(*T1_STAR_MS, 200))
    basis, _, _ = np.linalg.svd(np.column_stack([np.ones_like(times_ms), decays]), full_matrices=False)
    return basis[:, : min(RECOVERIES, len(times_ms))].astype(np.complex64)


def _sense(
    k_space: KSpaceArray, sampled: NDArray[np.bool_], sensitivities: KSpaceArray, recoveries: NDArray[np.complex64]
) -> KSpaceArray:
    """All images at once, as sums of `recoveries`: lines that one image lacks another has (Petzschner 2011)."""
    from sigpy import linop
    from sigpy.app import LinearLeastSquares

    inversions, count = recoveries.shape
    plane = k_space.shape[2:]
    coefficients, pixels = (count, *plane), int(np.prod(plane))
    to_images = linop.MatMul((count, pixels), recoveries) * linop.Reshape((count, pixels), coefficients)
    to_coils = linop.Multiply((inversions, 1, *plane), sensitivities[None])
    fourier = linop.FFT(k_space.shape, axes=(-2, -1))
    mask = linop.Multiply(k_space.shape, sampled[:, None].astype(np.float32))
    forward = mask * fourier * to_coils * linop.Reshape((inversions, 1, *plane), to_images.oshape) * to_images
    scale = np.abs(k_space).max()
    steps = round(SENSE_STEPS_BY_SHARE / sampled.mean())
    solved = LinearLeastSquares(forward, k_space / scale, max_iter=steps, show_pbar=False).run()
    return np.asarray((to_images * solved).reshape(inversions, *plane) * scale, np.complex64)
