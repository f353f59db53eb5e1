"""T1 mapping sequences: which recovery their images show, and how MOLLI's images belong to its inversions."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ACNetLib.errors import ACNetError
from ACNetLib.fitting.recovery import RecoveryFit, RecoveryModel, fit_magnitude, fit_signed

Sequence = Literal["MOLLI", "ShMOLLI", "Look-Locker", "inversion recovery", "SASHA", "saturation recovery"]
"""Look-Locker: images all along one recovery, such as by FLASH. inversion recovery: one image an inversion, such as by
spin echo. saturation recovery: as SASHA, also without an image before saturation."""
SEQUENCE_NAMES: dict[str, Sequence] = {name.lower().replace(" ", "-"): name for name in get_args(Sequence)}
"""As the commands' options take them."""
LOOK_LOCKER: tuple[Sequence, ...] = ("MOLLI", "ShMOLLI", "Look-Locker")
SATURATION: tuple[Sequence, ...] = ("SASHA", "saturation recovery")

INVERSION_FACTOR = 1.0365
"""Of Look-Locker sequences: B / A - 1 takes the inversion for perfect. Scanners multiply T1 to make up for what it
lacks (Kellman and Hansen 2014): 1.036 to 1.044 in maps of patients, and the models' training maps have this factor."""

LATEST_START_MS = 300.0
"""From MOLLI's first inversion time to those of the other inversions; a heart beat is longer."""
SCHEMES = {
    (5, 3): "MOLLI 5(3)3",
    (3, 5): "MOLLI 3(3)5",
    (4, 3, 2): "MOLLI 4(1)3(1)2",
    (3, 3, 5): "MOLLI 3(3)3(3)5",
    (5, 1, 1): "ShMOLLI 5(1)1(1)1",
}
"""By the number of images after each inversion; the number of beats between is not told by the times."""
SHMOLLI_IMAGES = (5, 1, 1)
SHMOLLI_RECOVERED_BEATS = (1.0, 0.4)
"""T1 in heart beats below which the sixth image, and the seventh too, start from the full magnetization."""


def model_of(sequence: Sequence, parameters: int = 3) -> RecoveryModel:
    """The recovery of a sequence's images with 2 or 3 free parameters.

    Raises ACNetError for 2 with a Look-Locker sequence, whose correction needs both A and B.
    """
    if sequence in LOOK_LOCKER:
        if parameters == 2:
            raise ACNetError(
                f"parameters: found 2 for {sequence}; expected 3: its Look-Locker correction needs both ends of the "
                "recovery."
            )
        return RecoveryModel(look_locker=True, factor=INVERSION_FACTOR)
    if parameters == 3:
        return RecoveryModel()
    return RecoveryModel(ratio=1.0 if sequence in SATURATION else 2.0)


def fit_sequence(
    images: ArrayLike, times_ms: ArrayLike, sequence: Sequence, *, signed: bool = False, parameters: int = 3
) -> RecoveryFit:
    """The fit of a slice's images (images, rows, columns), in any order, at these times after the preparation in ms.

    signed: of PSIR or real images; magnitude images after an inversion have their polarity restored. ShMOLLI's is
    conditional, see `SHMOLLI_RECOVERED_BEATS`. Raises ACNetError for fewer images than free parameters and for a
    ShMOLLI of other than 5, 1 and 1 images.
    """
    model, times = model_of(sequence, parameters), np.asarray(times_ms, np.float64)
    different = len(np.unique(times))
    if different < model.parameters:
        raise ACNetError(
            f"found images at {different} different times; expected at least {model.parameters} for a fit with "
            f"{model.parameters} parameters."
        )
    fit = fit_signed if signed or sequence in SATURATION else fit_magnitude
    if sequence != "ShMOLLI":
        return fit(images, times, model)
    groups = inversion_groups(times)
    if tuple(map(len, groups)) != SHMOLLI_IMAGES:
        raise ACNetError(
            f"found {' + '.join(str(len(group)) for group in groups)} images after ShMOLLI's inversions; expected "
            f"{' + '.join(map(str, SHMOLLI_IMAGES))}. Is it a MOLLI?"
        )
    pixels = np.asarray(images)
    first_times = times[groups[0]]
    beat_ms = float(first_times[-1] - first_times[0]) / (len(first_times) - 1)
    first, *with_more = (
        fit(pixels[chosen], times[chosen], model)
        for chosen in (np.concatenate(groups[:count]) for count in range(1, len(groups) + 1))
    )
    result = first
    for shortest_beats, fitted in zip(SHMOLLI_RECOVERED_BEATS, with_more, strict=True):
        result = fitted.where((result.t1_ms > 0) & (result.t1_ms < shortest_beats * beat_ms), result)
    return result


def inversion_groups(times_ms: ArrayLike) -> tuple[NDArray[np.intp], ...]:
    """The images (indices) after each inversion of a MOLLI, by their times in ms; all in one group where it is none.

    Each inversion has one early image, some 80 ms later than that of the inversion before, then one a heart beat.
    """
    times = np.asarray(times_ms, np.float64)
    order = np.argsort(times, kind="stable")
    after = times[order] - times[order[0]]
    starts = after[after < LATEST_START_MS]
    late = after[len(starts) :]
    if len(starts) == 1 or not len(late) or late[0] - starts[-1] < LATEST_START_MS:
        return (order,)
    beats = np.cumsum(np.diff(late, prepend=-np.inf) > LATEST_START_MS)
    whole = [late[beats == beat] for beat in np.unique(beats) if np.count_nonzero(beats == beat) == len(starts)]
    if whole:
        beat_ms = float(np.mean([each.mean() - starts.mean() for each in whole]) / np.mean(range(1, len(whole) + 1)))
    else:  # ShMOLLI: the later beats are those of one inversion
        beat_ms = float(np.median(np.diff(late))) if len(late) > 1 else float(late[0])
    from_start = late - beats * beat_ms
    of_start = np.abs(from_start[:, None] - starts).argmin(axis=1)
    members = np.concatenate([np.arange(len(starts)), of_start])
    return tuple(order[members == start] for start in range(len(starts)))


def scheme_name(sequence: Sequence, times_ms: ArrayLike) -> str:
    """The sequence with its scheme, such as "MOLLI 5(3)3", else with the number of its images."""
    sizes = tuple(map(len, inversion_groups(times_ms)))
    if sequence in {"MOLLI", "ShMOLLI"} and sizes in SCHEMES:
        return SCHEMES[sizes]
    return f"{sequence}, {sum(sizes)} images"
