"""Text that PostgreSQL can store."""

from __future__ import annotations


def is_storable(text: str) -> bool:
    """Return whether PostgreSQL can store the text: it holds no NUL and no unpaired surrogate."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
