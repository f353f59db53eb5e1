"""The one family of errors that a user can cause."""

from __future__ import annotations


class ACNetError(Exception):
    """A user's error. Its text names the file or field, what was found, what was expected and what to do."""
