"""The small files that a comparison keeps of a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ACNetTrainerLib.study.attention import Attention
from ACNetTrainerLib.study.files import ATTENTION_FILE, _write_attention, read_attention


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.21, 0.22), (0.5, 0.5)])
def test_a_map_that_is_nearly_flat_keeps_its_form(tmp_path: Path, low: float, high: float) -> None:
    drawn = np.linspace(low, high, 2 * 128 * 128, dtype=np.float32).reshape(2, 128, 128)
    attention = Attention(("a", "b"), np.full((2, 128, 128), 254.6, np.float32), {"module_1": drawn}, {})
    _write_attention(tmp_path / ATTENTION_FILE.format("home"), attention)
    kept = read_attention(tmp_path, "home")
    assert kept["cases"] == ["a", "b"]
    assert (kept["sections"] == 255).all()
    np.testing.assert_allclose(kept["maps"]["module_1"], drawn, atol=(high - low) / 500 + 1e-7)
