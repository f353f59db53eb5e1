"""What scanners write of their field strength, and who is believed."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path

import numpy as np
import pytest

from ACNetLib.commands.main import main
from ACNetLib.errors import ACNetError
from ACNetLib.t1map.field_strength import agreed_field_strength, field_strength_option, nominal_field_strength
from ACNetLib.t1map.t1_map import read_t1_map
from dicom_files import write_section


@pytest.mark.parametrize(
    ("written", "nominal"),
    [
        (1.5, 1.5),
        (1.494, 1.5),
        (3, 3.0),
        (2.8936, 3.0),
        (2.8, 3.0),
        (15000, 1.5),
        (14940, 1.5),
        (30000, 3.0),
        (1500, 1.5),
        (3000, 3.0),
        (0.55, 0.55),
        (1.0, 1.0),
        (7.0, 7.0),
        (70000, 70000),
    ],
)
def test_what_scanners_write_stands_for_the_nominal_field_strength(written: float, nominal: float) -> None:
    assert nominal_field_strength(written) == nominal


def test_a_header_that_no_model_covers_gives_way_to_a_person_with_a_warning() -> None:
    with pytest.raises(ACNetError, match=r"map: its field strength is 42 T; expected 1\.5 or 3 T.*--field"):
        agreed_field_strength(42.0, None, "map")
    field, (warning,) = agreed_field_strength(42.0, 3.0, "map")
    assert field == 3.0
    assert warning == "Its header says 42 T; it was taken as 3 T, as you say."


def test_a_header_that_a_model_covers_is_believed() -> None:
    assert agreed_field_strength(2.8936, 3.0, "map") == (3.0, ())
    with pytest.raises(ACNetError, match=r"map: its header says 1\.5 T, you say 3 T; expected the same"):
        agreed_field_strength(1.494, 3.0, "map")


def test_zero_tells_nothing() -> None:
    assert agreed_field_strength(0.0, None, "map") == (None, ())
    assert agreed_field_strength(0.0, 1.494, "map") == (1.5, ())


@pytest.mark.parametrize(
    ("written", "expected"), [(3, 3.0), (15000, 1.5), (30000, 3.0), (2.8, 3.0), (1.494, 1.5), (0, None), (None, None)]
)
def test_a_dicom_map_has_the_nominal_field_strength(
    written: float | None, expected: float | None, stored: np.ndarray, tmp_path: Path
) -> None:
    write_section(tmp_path / "a.dcm", stored[0], MagneticFieldStrength=written)
    assert read_t1_map(tmp_path).field_strength_tesla == expected


def test_the_commands_take_the_field_strength_as_scanners_write_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [field_strength_option(text) for text in ("1.5", "3", "2.8936", "1.494")] == [1.5, 3.0, 3.0, 1.5]
    for text in ("7", "0", "strong", "nan"):
        with pytest.raises(ArgumentTypeError, match=rf"found '{text}'; expected 1\.5 or 3, in tesla"):
            field_strength_option(text)
    with pytest.raises(SystemExit):
        main(["classify", str(tmp_path), "--field", "7"])
    assert "found '7'; expected 1.5 or 3, in tesla" in capsys.readouterr().err
