"""A stand-in for slicer.i18n: no translation is loaded, a text stays as it is."""

from __future__ import annotations

__all__ = ["tr", "translate"]


def tr(text: str) -> str:
    return text


def translate(context: str, text: str) -> str:
    return text
