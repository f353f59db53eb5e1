"""k-space of one scan in a MATLAB 7.3 file, which is HDF5, as the CMRxRecon challenges write it.

Read from the public code of the challenges: `ChallengeDataFormat/Format_mapping.txt` of CmrxRecon/CMRxRecon (2023),
`ChallengeDataFormat/Format_Task1.txt` of CmrxRecon/CMRxRecon2024, and `ReconTutorial/ShowCase.ipynb`,
`CMRxReconDemo/runRecon_2025.m` and `CMRxReconMaskGeneration` of CmrxRecon/CMRxRecon2025. MATLAB's dimensions
(readout, phase, coil, slice, inversion) are turned round in HDF5; complex numbers are pairs `real` and `imag`. The
variable is `kspace_full` (2023, 2024) or `kspace` (2025) where all lines are there, `kspace_sub04` and its kin (2023)
or `kus` (2024, 2025) where they are not: those not measured are 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ACNetLib.errors import ACNetError

if TYPE_CHECKING:
    import h5py

KSpaceArray = NDArray[np.complex64]

VARIABLE = re.compile(r"kspace(_full|_sub\d\d)?|kus")
AXES = ("inversions", "slices", "coils", "phase encodings", "readout samples")
LIMITS = {
    "inversions": (3, 64),
    "slices": (1, 64),
    "coils": (1, 128),
    "phase encodings": (16, 2048),
    "readout samples": (16, 4096),
}
DAMAGE = (OSError, RuntimeError, LookupError, TypeError, ValueError)
"""What h5py (3.16) raises for damaged files, by where the damage is."""
LARGEST_SLICE_BYTES = 1 << 30
LARGEST_CHUNK_BYTES = 1 << 30
"""HDF5 decompresses a whole chunk to read a part of it."""


def require_k_space_packages() -> None:
    """Raises ACNetError, before any work, where h5py or SigPy is missing."""
    missing = [name for name in ("h5py", "openpyxl", "sigpy") if find_spec(name) is None]
    if missing:
        raise ACNetError(
            f"import-cmrxrecon: the Python packages {', '.join(missing)} are not installed; expected them for "
            'k-space. Install them: pip install "SlicerACNet[kspace]".'
        )


@dataclass(frozen=True, eq=False)
class KSpaceFile:
    """An open file whose dimensions were checked before any value is read."""

    path: Path
    dataset: Any

    @property
    def inversions(self) -> int:
        return int(self.dataset.shape[0])

    @property
    def slices(self) -> int:
        return int(self.dataset.shape[1])

    def read_slice(self, number: int) -> KSpaceArray:
        """(inversions, coils, phase, readout) of one slice. Raises ACNetError when it can't be read or is empty."""
        try:
            pairs = self.dataset[:, number]
        except DAMAGE as error:
            raise ACNetError(
                f"{self.path}: its slice {number} can't be read; expected it whole. Copy it again."
            ) from error
        values = np.empty(pairs.shape, np.complex64)
        values.real, values.imag = pairs["real"], pairs["imag"]
        if not np.isfinite(values).all():
            raise ACNetError(f"{self.path}: slice {number} has values that are no numbers; expected k-space.")
        if not values.any():
            raise ACNetError(f"{self.path}: slice {number} is 0 everywhere; expected k-space.")
        return values


@contextmanager
def open_k_space(path: Path) -> Iterator[KSpaceFile]:
    """Raises ACNetError unless the file holds one k-space of the challenges' form."""
    import h5py

    try:
        file = h5py.File(path, "r")
    except DAMAGE as error:
        raise _damaged(path) from error
    with file:
        try:
            dataset = _checked(_dataset(file, path), path)
        except DAMAGE as error:
            raise _damaged(path) from error
        yield KSpaceFile(path, dataset)


def _damaged(path: Path) -> ACNetError:
    return ACNetError(f"{path}: no MATLAB 7.3 file, or damaged; expected k-space of the challenge.")


def _dataset(file: h5py.File, path: Path) -> Any:
    import h5py

    names = [name for name in file if VARIABLE.fullmatch(name)]
    if len(names) != 1:
        raise ACNetError(
            f"{path}: found {len(names)} variables with k-space; expected one, named kspace, kspace_full, kspace_sub04 "
            "or kus."
        )
    # A link or a dataset can lead to any other file of this computer.
    found = file[names[0]] if isinstance(file.get(names[0], getlink=True), h5py.HardLink) else None
    if not isinstance(found, h5py.Dataset) or found.external or found.is_virtual:
        raise ACNetError(f"{path}: its variable {names[0]} is no array within the file; expected k-space.")
    return found


def _checked(dataset: Any, path: Path) -> Any:
    if dataset.dtype.names != ("real", "imag") or any(dataset.dtype[part].kind != "f" for part in ("real", "imag")):
        raise ACNetError(f"{path}: its k-space is of type {dataset.dtype}; expected complex numbers, real and imag.")
    if len(dataset.shape) != len(AXES):
        raise ACNetError(
            f"{path}: its k-space has {len(dataset.shape)} dimensions; expected 5: readout, phase, coil, slice and "
            "inversion."
        )
    for axis, length in zip(AXES, dataset.shape, strict=True):
        fewest, most = LIMITS[axis]
        if not fewest <= length <= most:
            raise ACNetError(f"{path}: it has {length} {axis}; expected {fewest} to {most}.")
    of_slice = dataset.dtype.itemsize * int(np.prod([*dataset.shape[:1], *dataset.shape[2:]]))
    of_chunk = dataset.dtype.itemsize * int(np.prod(dataset.chunks)) if dataset.chunks else 0
    if of_slice > LARGEST_SLICE_BYTES or of_chunk > LARGEST_CHUNK_BYTES:
        raise ACNetError(
            f"{path}: a slice takes {max(of_slice, of_chunk) / (1 << 20):.0f} MB; expected at most "
            f"{LARGEST_SLICE_BYTES >> 20} MB."
        )
    return dataset
