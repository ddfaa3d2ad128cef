"""The parameter `wait` of a long poll."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

LONGEST_WAIT = 30.0
"""Seconds; a longer `wait` counts as this."""
Wait = Annotated[
    float,
    Meta(
        ge=0,
        description="Long-poll timeout in seconds, at most 30.",
        extra={"expected": "seconds", "query_only": True},
    ),
]


def bounded(wait: float) -> float:
    """The seconds to wait, 30 at most."""
    return min(wait, LONGEST_WAIT)
