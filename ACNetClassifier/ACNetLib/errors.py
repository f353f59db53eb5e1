"""The one family of errors that a user can cause."""

from __future__ import annotations


class ACNetError(Exception):
    """A user's error. Its text names the file or field, what was found, what was expected and what to do."""


class VentricleNotFound(ACNetError):
    """On no section of a T1 map the left ventricle is known. Other maps of the same exam can still be classified."""
