"""Labels that say sentences, with names and paths among them."""

from __future__ import annotations

from typing import Any

LONGEST_WORD = 40
"""In letters, that fits into a narrow panel."""


def say(label: Any, text: str) -> None:
    """Show the text, or hide the label where there is none.

    Qt breaks lines between words alone. A longer word, such as a path, is cut at the panel's edge, for else the panel
    would grow over the slice views. The tool tip has it whole.
    """
    label.text = text
    label.toolTip = text if any(len(word) > LONGEST_WORD for word in text.split()) else ""
    label.visible = bool(text)
