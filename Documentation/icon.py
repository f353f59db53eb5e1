"""Draws the extension's icon, which the Extensions Manager needs as PNG, from the classifier module's: `make icon`."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

REPOSITORY = Path(__file__).parent.parent
SOURCE = REPOSITORY / "ACNetClassifier" / "Resources" / "Icons" / "ACNetClassifier.svg"
ICON = REPOSITORY / "Resources" / "ACNet.png"
ICON_PIXELS = 128


def drawn_icon(svg: Path = SOURCE, pixels: int = ICON_PIXELS) -> QImage:
    """The drawing as Slicer's own library for SVG renders it, on a transparent ground."""
    renderer = QSvgRenderer(str(svg))
    if not renderer.isValid():
        raise ValueError(f"{svg}: Qt can't draw it")
    image = QImage(pixels, pixels, QImage.Format.Format_RGBA8888)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    renderer.render(painter)
    painter.end()
    return image


if __name__ == "__main__":
    drawn_icon().save(str(ICON))
