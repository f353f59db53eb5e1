"""A few seconds of damaged files: none of them ends in a traceback, a hang, a crash or a full memory."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import fuzz
from fuzz_mutations import mutated

FAST = ("NRRD", "NRRD, gzip", "MetaImage", "NIfTI", "NIfTI, gzip", "segments (.seg.nrrd)", "DICOM folder", "model card")
INPUTS, SEED = 12, 3


def test_damaged_files_are_read_or_refused_in_one_line() -> None:
    tallies = fuzz.fuzz(FAST, INPUTS, SEED)
    assert [example for tally in tallies.values() for example in tally.examples] == []
    assert all(set(tally.outcomes) <= {"read", "refused"} for tally in tallies.values())
    assert sum(tally.inputs for tally in tallies.values()) == INPUTS * len(FAST)


def test_every_reader_reads_its_valid_file_and_a_damaged_one_without_harm() -> None:
    tallies = fuzz.fuzz(fuzz.READERS, 1, SEED)
    assert tallies.keys() == fuzz.READERS.keys()
    assert [example for tally in tallies.values() for example in tally.examples] == []


@pytest.mark.parametrize("name", fuzz.READERS)
def test_a_valid_file_can_be_read_again(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else damaged ones are refused for what was done before."""
    monkeypatch.setenv("ACNET_MODELS", str(tmp_path / "models"))
    reader = fuzz.READERS[name]
    file = reader.make(tmp_path)
    for _ in range(2):
        reader.read(file)


def test_the_same_seed_gives_the_same_damage() -> None:
    content = bytes(range(256)) * 4
    first = [mutated(content, f"1 x {number}", 500) for number in range(50)]
    assert first == [mutated(content, f"1 x {number}", 500) for number in range(50)]
    assert len(set(first)) > 45
    assert first != [mutated(content, f"2 x {number}", 500) for number in range(50)]


@pytest.mark.parametrize("bad", fuzz.BAD)
def test_the_table_counts_what_is_bad(bad: str) -> None:
    tally = fuzz.Tally(Counter({"read": 3, "refused": 5, bad: 2}), reached=4)
    text = fuzz.table({"NRRD": tally}, seed=7)
    assert text.startswith("10 inputs, seed 7; 40% of the images reached their pixels.")
    counts = {"hang": "0 | 2 | 0 | 0", "crash": "0 | 0 | 2 | 0", "memory": "0 | 0 | 0 | 2"}.get(bad, "2 | 0 | 0 | 0")
    assert f"| NRRD | 10 | 3 | 5 | 40% | {counts} |" in text
