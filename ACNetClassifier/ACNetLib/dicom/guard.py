"""What a DICOM file says of its size, asked before pydicom reads it; files without a preamble; and compressed pixels,
decoded in a process of their own.

pydicom inflates a deflated file and lays out pixels as large as the header says; the decoders of JPEG and its kin are
C and C++ code, which a damaged image can crash, hang or fill the memory with.
"""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info, read_partial
from pydicom.tag import BaseTag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from ACNetLib.errors import ACNetError
from ACNetLib.files import temporary_folder
from ACNetLib.processes import end, last_error, run_tied

LARGEST_FILE_BYTES = 1_000_000_000
LARGEST_PIXEL_COUNT = 2**26  # 1024 x 1024 x 64
LARGEST_INFLATED_BYTES = 4 * LARGEST_PIXEL_COUNT
LARGEST_RATIO = 1032
"""Of inflated to deflated bytes (zlib's technical details): what is smaller by more can't inflate beyond the limit."""
PREAMBLE_BYTES, GROUP_LENGTH_BYTES = 132, 12  # the meta information's length is its first element (PS3.10, 7.1)
CHUNK_BYTES = 1 << 20

# How files begin that were stored as they came over the network, without the preamble of a file (PS3.10, 7.1): with the
# length of the meta information, or without any with group 0008, in which these are short texts.
META_LENGTH, GROUP_LENGTH = b"\2\0\0\0UL\4\0", b"\10\0\0\0"
FIRST_TEXTS = {
    0x0005: b"CS",  # SpecificCharacterSet
    0x0008: b"CS",  # ImageType
    0x0012: b"DA",  # InstanceCreationDate
    0x0013: b"TM",  # InstanceCreationTime
    0x0014: b"UI",  # InstanceCreatorUID
    0x0016: b"UI",  # SOPClassUID
    0x0018: b"UI",  # SOPInstanceUID
}
LONGEST_FIRST_TEXT, LONGEST_META_BYTES = 256, 4096

CHILD_SECONDS, AT_ONCE = 60, 0.0
CHILD_BYTES = 2_000_000_000
CHILD = "ACNetLib.dicom.decoding"
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}
"""Each thread of numpy's OpenBLAS reserves 40 MB of addresses as it is loaded: with many cores, all of CHILD_BYTES."""


def read_dataset(file: Path, **options: Any) -> pydicom.FileDataset:
    """`pydicom.dcmread` for a file that is no larger than it may be, and inflates to no more; also for one without a
    preamble, if it begins as DICOM images do.

    Raises ACNetError beyond the limits, else what pydicom raises.
    """
    return _read(file, lambda force: pydicom.dcmread(file, force=force, **options))


def read_first_of(file: Path, tags: Sequence[BaseTag]) -> pydicom.FileDataset:
    """These attributes of a file, by their order, as `read_dataset` reads them. Nothing behind the last of them is
    looked at, which saves time where files are many: where a file's attributes are out of order, some may be missing.
    """
    behind = int.__gt__  # BaseTag's own takes several times as long
    last = tags[-1]

    def read(force: bool) -> pydicom.FileDataset:
        with file.open("rb") as opened:
            return read_partial(opened, lambda tag, _vr, _length: behind(tag, last), force=force, specific_tags=[*tags])

    return _read(file, read)


def _read(file: Path, read: Callable[[bool], pydicom.FileDataset]) -> pydicom.FileDataset:
    """read: gets whether a file without a preamble is read all the same."""
    size = file.stat().st_size
    if size > LARGEST_FILE_BYTES:
        raise ACNetError(f"{file.name}: it has {size} bytes; expected a DICOM image of at most {LARGEST_FILE_BYTES}.")
    if size * LARGEST_RATIO > LARGEST_INFLATED_BYTES:
        _check_deflated(file)
    try:
        return read(False)
    except InvalidDicomError:
        if not _begins_without_preamble(file):
            raise
    dataset = read(True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        is_implicit, _ = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian
    return dataset


def check_pixel_count(dataset: pydicom.Dataset, name: str) -> None:
    """Raises ACNetError when the header says more pixels than any T1 map has; to be asked before they are read."""
    keywords = ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel")
    lengths = [int(dataset.get(keyword) or 1) for keyword in keywords]
    if not all(0 < length <= LARGEST_PIXEL_COUNT for length in lengths) or np.prod(lengths) > LARGEST_PIXEL_COUNT:
        found = " x ".join(map(str, lengths))
        raise ACNetError(
            f"{name}: it says {found} pixels ({' x '.join(keywords)}); expected at most {LARGEST_PIXEL_COUNT}. Export "
            "it again from its source."
        )


def pixels_of(dataset: pydicom.FileDataset, file: Path) -> np.ndarray:
    """Stored values, (frames, rows, columns) or (rows, columns), of a dataset that `read_dataset` read.

    Raises ACNetError for too many pixels and where a decoder fails, else what pydicom raises.
    """
    check_pixel_count(dataset, file.name)
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None or not syntax.is_encapsulated or syntax == RLELossless:  # pydicom decodes RLE in Python
        return dataset.pixel_array
    return decoded_in_child(file)


def decoded_in_child(file: Path, seconds: float = CHILD_SECONDS) -> np.ndarray:
    """The pixels of a compressed file by another process, which has a time limit and, where the system has
    such a thing, a memory limit.

    Raises ACNetError when it fails, ends by itself or takes too long.
    """
    with temporary_folder() as folder:
        target = folder / "pixels.npy"
        errors_file = folder / "errors.txt"  # not a pipe: who holds it open could hold up this process
        with errors_file.open("wb") as errors:
            arguments = [str(file.absolute()), str(target), str(CHILD_BYTES)]
            process = run_tied(CHILD, arguments, AT_ONCE, ONE_THREAD, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise _not_decoded(file, f"it took longer than {seconds:g} s") from error
        finally:
            end(process, AT_ONCE)
        if process.returncode != 0 or not target.is_file():
            raise _not_decoded(file, last_error(errors_file) or f"the decoder ended with {process.returncode}")
        return np.load(target, allow_pickle=False)


def _not_decoded(file: Path, reason: str) -> ACNetError:
    return ACNetError(
        f"{file.name}: its compressed pixels can't be read, it is damaged or of an unsupported transfer syntax "
        f"({reason}); expected a complete DICOM image. Copy it again, or export it uncompressed."
    )


def _begins_without_preamble(file: Path) -> bool:
    """Whether it is DICOM all the same: meta information, or a text of FIRST_TEXTS in little endian, with or without
    its value representation. What is deflated is none: it would be inflated without a look at its size.
    """
    with file.open("rb") as opened:
        start = opened.read(LONGEST_META_BYTES)
    if start.startswith(META_LENGTH):
        meta = start[: GROUP_LENGTH_BYTES + int.from_bytes(start[8:12], "little")]
        syntax = pydicom.dcmread(BytesIO(meta), force=True).file_meta.get("TransferSyntaxUID")
        return syntax not in {None, DeflatedExplicitVRLittleEndian}
    if start.startswith(GROUP_LENGTH):
        start = start[GROUP_LENGTH_BYTES:]
    group, element = int.from_bytes(start[:2], "little"), int.from_bytes(start[2:4], "little")
    if group != 0x0008 or element not in FIRST_TEXTS:
        return False
    is_explicit = start[4:6] == FIRST_TEXTS[element]
    length = int.from_bytes(start[6:8] if is_explicit else start[4:8], "little")
    text = start[8 : 8 + length].rstrip(b"\0")
    return 0 < length <= LONGEST_FIRST_TEXT and length % 2 == 0 and text.decode("latin-1").isprintable()


def _check_deflated(file: Path) -> None:
    """A deflated file is inflated once in chunks, and refused when it grows beyond the limit."""
    try:
        meta = read_file_meta_info(file)
    except Exception:  # no DICOM file, or a damaged one: dcmread says so
        return
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    inflated, engine = 0, zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    with file.open("rb") as opened:
        opened.seek(PREAMBLE_BYTES + GROUP_LENGTH_BYTES + int(meta.get("FileMetaInformationGroupLength") or 0))
        waiting = opened.read(CHUNK_BYTES)
        while waiting and not engine.eof:
            try:
                inflated += len(engine.decompress(waiting, CHUNK_BYTES))
            except zlib.error:
                return  # dcmread says so
            if inflated > LARGEST_INFLATED_BYTES:
                raise ACNetError(
                    f"{file.name}: it inflates to more than {LARGEST_INFLATED_BYTES} bytes. Export it anew."
                )
            waiting = engine.unconsumed_tail or opened.read(CHUNK_BYTES)
