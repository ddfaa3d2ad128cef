"""How much a test does: little in `make test`, much in `make soak`, which sets SOAK=1 (or SOAK_<NAME>=<number>)."""

from __future__ import annotations

import os


def size(name: str, test: int, soak: int) -> int:
    """A number of rounds or events."""
    given = os.environ.get(f"SOAK_{name.upper()}")
    return int(given) if given else soak if os.environ.get("SOAK") else test
