"""Damage to small valid files: a function of a seed, and of nothing else."""

from __future__ import annotations

import gzip
import random
import re
import zlib
from collections.abc import Callable

from pydicom.uid import DeflatedExplicitVRLittleEndian

NUMBERS = (
    *(b"0", b"-1", b"1", b"255", b"65536", b"2147483647", b"4294967296", b"99999999999999999999", b"9" * 5000),
    *(b"nan", b"inf", b"-inf", b"1e308", b"1e-308", b"0.0", b"1.4.2", b"", b"x", b"true", b"null", b"[]", b"{}"),
)
TEXTS = (
    *(b"\n", b"\r\n", b"\0", b"\x1b[2J", "\u202e".encode(), b'"', b"'", b"(", b")", b"[" * 3000, b"{" * 300),
    *(b"..", b"../../x", b"/etc", b"C:\\x", b"=1+1", b"\xff\xfe", b"a" * 70_000, b",", b";", b"none", b"LIST"),
)
EXTREME_BYTES = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)

Mutation = Callable[[bytearray, random.Random, int], bytearray]


def mutated(content: bytes, seed: str, header_bytes: int) -> bytes:
    """One to three kinds of damage, most of it in the first `header_bytes`. The pixels of a compressed file are
    damaged behind its compression, or in it.
    """
    rng = random.Random(seed)
    pack = _packing(content) if rng.random() < 0.8 else None
    damaged = bytearray(pack[0](content) if pack else content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        damaged = rng.choice(MUTATIONS)(damaged, rng, header_bytes)
    return pack[1](bytes(damaged)) if pack else bytes(damaged)


def _packing(content: bytes) -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]] | None:
    if content[:2] == b"\x1f\x8b":
        return gzip.decompress, lambda plain: gzip.compress(plain, 1, mtime=0)
    if content[:2] == b"\x78\x9c":
        return zlib.decompress, zlib.compress
    if DeflatedExplicitVRLittleEndian.encode() in content[:500]:
        start = 144 + int.from_bytes(content[140:144], "little")  # behind the meta information, whose length is first
        return (
            lambda packed: packed[:start] + zlib.decompress(packed[start:], -zlib.MAX_WBITS),
            lambda plain: plain[:start] + zlib.compress(plain[start:], 1, -zlib.MAX_WBITS),
        )
    return None


def _place(content: bytearray, rng: random.Random, header_bytes: int) -> int:
    end = len(content) if rng.random() < 0.15 else min(len(content), header_bytes)
    return rng.randrange(max(1, end))


def _change_bytes(content: bytearray, rng: random.Random, header_bytes: int) -> bytearray:
    for _ in range(rng.choice((1, 2, 4, 16))):
        if content:
            content[_place(content, rng, header_bytes)] = rng.choice((*EXTREME_BYTES, rng.randrange(256)))
    return content


def _flip_bit(content: bytearray, rng: random.Random, header_bytes: int) -> bytearray:
    if content:
        content[_place(content, rng, header_bytes)] ^= 1 << rng.randrange(8)
    return content


def _cut_off(content: bytearray, rng: random.Random, header_bytes: int) -> bytearray:
    return content[: rng.choice((_place(content, rng, header_bytes), rng.randrange(len(content) + 1)))]


def _take_out(content: bytearray, rng: random.Random, header_bytes: int) -> bytearray:
    start = _place(content, rng, header_bytes)
    del content[start : start + rng.choice((1, 2, 4, 8, 64))]
    return content


def _put_in(content: bytearray, rng: random.Random, header_bytes: int) -> bytearray:
    start = _place(content, rng, header_bytes)
    content[start:start] = rng.choice((*TEXTS, *NUMBERS, bytes(rng.randrange(256) for _ in range(8))))
    return content


def _repeat(content: bytearray, rng: random.Random, header_bytes: int) -> bytearray:
    start, length = _place(content, rng, header_bytes), rng.choice((4, 16, 64, 256))
    content[start:start] = content[start : start + length] * rng.choice((1, 1, 50))
    return content


def _change_number(content: bytearray, rng: random.Random, header_bytes: int) -> bytearray:
    """A number that is written as text becomes another one, or none."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?", content[:header_bytes]))
    if not found:
        return _change_bytes(content, rng, header_bytes)
    number = rng.choice(found)
    content[number.start() : number.end()] = rng.choice(NUMBERS)
    return content


def _change_word(content: bytearray, rng: random.Random, header_bytes: int) -> bytearray:
    found = list(re.finditer(rb"[A-Za-z_]{2,}", content[:header_bytes]))
    if not found:
        return _change_bytes(content, rng, header_bytes)
    word = rng.choice(found)
    content[word.start() : word.end()] = rng.choice((*TEXTS, rng.choice(found).group()))
    return content


def _change_line(content: bytearray, rng: random.Random, header_bytes: int) -> bytearray:
    """A line is left out, doubled, or comes elsewhere."""
    lines = bytes(content[:header_bytes]).split(b"\n")
    line = lines.pop(rng.randrange(len(lines)))
    for _ in range(rng.choice((0, 1, 2))):
        lines.insert(rng.randrange(len(lines) + 1), line)
    return bytearray(b"\n".join(lines)) + content[header_bytes:]


def _change_length(content: bytearray, rng: random.Random, header_bytes: int) -> bytearray:
    """Two, four or eight bytes become an extreme binary number, as in the lengths of DICOM and NIfTI."""
    start, length = _place(content, rng, header_bytes), rng.choice((2, 4, 8))
    number = rng.choice((0, 1, 2**15 - 1, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1)) % 2 ** (8 * length)
    content[start : start + length] = number.to_bytes(length, rng.choice(("little", "big")))
    return content


MUTATIONS: tuple[Mutation, ...] = (
    *(_change_bytes, _flip_bit, _cut_off, _take_out, _put_in, _repeat),
    *(_change_number, _change_number, _change_word, _change_line, _change_length),
)
