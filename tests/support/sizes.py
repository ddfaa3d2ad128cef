"""How much a test does: little in `make test`, much in `make nightly`, which sets NIGHTLY=1.

NIGHTLY_<NAME>=<number> sets one size.
"""

from __future__ import annotations

import os
from collections.abc import Callable

Record = Callable[[str, object], None]
"""The type of pytest's fixture `record_property`; `make nightly` writes down what is recorded as "measured"."""


def size(name: str, test: int, nightly: int) -> int:
    """A number of rounds or events."""
    given = os.environ.get(f"NIGHTLY_{name.upper()}")
    return int(given) if given else nightly if os.environ.get("NIGHTLY") else test
