"""Which attribute tells the times of recovery images, and which sequence they are of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from ACNetLib.errors import ACNetError
from ACNetLib.fitting.images import read_recovery_images
from ACNetLib.fitting.times import times_of
from ACNetTrainerLib.simulation.sequences import Timing
from recovery_files import recovery_images, write_recovery

MOLLI = Timing(heart_rate_bpm=70)


def headers(**told: np.ndarray) -> list[pydicom.Dataset]:
    found = [pydicom.Dataset() for _ in next(iter(told.values()))]
    for keyword, values in told.items():
        for header, value in zip(found, values, strict=True):
            setattr(header, keyword, float(value))
    return found


def test_a_trigger_time_that_varies_with_the_beat_tells_no_times() -> None:
    trigger_ms = 600 + 2.5 * np.array([3, 4, 0, 0, 1, 2, 1, 4])
    assert times_of(headers(TriggerTime=trigger_ms))[0] == ""
    prepared_ms = MOLLI.inversion_times_ms
    assert times_of(headers(TriggerTime=trigger_ms, NominalCardiacTriggerDelayTime=prepared_ms))[0] == (
        "NominalCardiacTriggerDelayTime"
    )
    assert times_of(headers(InversionTime=600 + np.arange(8.0), TriggerTime=prepared_ms))[0] == "TriggerTime"


def test_seconds_that_were_written_as_ms_are_no_times() -> None:
    assert times_of(headers(InversionTime=MOLLI.inversion_times_ms))[0] == "InversionTime"
    assert times_of(headers(InversionTime=MOLLI.inversion_times_ms / 1000))[0] == ""


def test_a_recovery_of_series_that_name_two_sequences_is_refused(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    for index in range(8):
        described = "SASHA_SAX" if index == 5 else "MOLLI_SAX" if index else "T1 SAX"
        one = slice(index, index + 1)
        write_recovery(tmp_path, images[one], times_ms[one], series=10 + index, SeriesDescription=described)
    with pytest.raises(ACNetError, match=r"\(series 10, .*17\) are named MOLLI and SASHA; expected one .*--series"):
        read_recovery_images(tmp_path)
    assert read_recovery_images(tmp_path, series=[10, 11, 12, 13, 14, 16, 17]).sequence == "MOLLI"
