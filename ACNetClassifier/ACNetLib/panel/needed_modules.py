"""Slicer's own modules that ours work with, and what is said when the user has disabled one in Slicer's settings."""

from __future__ import annotations

import slicer

from ACNetLib.panel.texts import disabled_modules_text

NEEDED_MODULES = ("Markups", "Segmentations")


def enabled_modules() -> list[str]:
    """What a module of ours may name as its dependencies.

    They are loaded before it and end after it. One that is disabled must not be among them: Slicer would leave out ours
    as well, without telling the user.
    """
    known = slicer.app.moduleManager().factoryManager()
    return [name for name in NEEDED_MODULES if known.isRegistered(name)]


def disabled_modules_sentence() -> str:
    """What can't be done because of modules that are disabled; empty when none is."""
    return disabled_modules_text([name for name in NEEDED_MODULES if name not in enabled_modules()])
