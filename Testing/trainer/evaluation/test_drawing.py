"""Pictures that commands write."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from ACNetTrainerLib.evaluation.drawing import save_figure


@pytest.mark.parametrize(
    ("name", "kind"), [("sheet.jpg", "JPEG"), ("sheet.JPG", "JPEG"), ("sheet.png", "PNG"), ("sheet", "PNG")]
)
def test_a_picture_is_of_the_kind_that_its_name_says(name: str, kind: str, tmp_path: Path) -> None:
    figure = Figure(figsize=(2, 1), dpi=100)
    figure.add_subplot().imshow([[0, 1], [2, 3]])
    save_figure(figure, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with Image.open(tmp_path / name) as picture:
        assert (picture.format, picture.size) == (kind, (200, 100))
