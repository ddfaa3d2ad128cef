"""Numbers as JSON writes them, in ASCII digits: Python's own `int` and `float` take far more."""

from __future__ import annotations

import re

LARGEST = 2**53 - 1
"""The largest whole number that every JSON reader has exactly; what is larger counts as this."""
_WHOLE = re.compile("[0-9]+")
_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def whole(text: str) -> int | None:
    """A whole number of 0 or more; None for anything else."""
    if not _WHOLE.fullmatch(text):
        return None
    digits = text.lstrip("0") or "0"
    return LARGEST if len(digits) > len(str(LARGEST)) else min(int(digits), LARGEST)


def decimal(text: str) -> float | None:
    """A number of 0 or more, perhaps with a point and an exponent; it may be infinite. None for anything else."""
    return float(text) if _DECIMAL.fullmatch(text) else None
