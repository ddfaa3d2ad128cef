"""The profiles: each runs a part of the service in a world of its own. This table is the only place that lists them.

A profile is a module with `run(seed, keep=None, *, traced=False) -> Result`. The seed alone decides the universe.
`keep` are the numbers of the faults of its plan that happen, None for all; the others stay as they are. `traced` keeps
a journal and every decision of the event loop for an exact comparison, at a price. A failed check is the result's
`failure`; `run` raises nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation.result import Result


@dataclass(frozen=True)
class Profile:
    """A profile: its module, which is imported when it is used."""

    module: str
    tested: range
    """The seeds that `make test-simulation` runs."""


PROFILES = {
    "link": Profile("tests.simulation.link.universe", tested=range(105)),
    "database": Profile("tests.simulation.database.universe", tested=range(24)),
    "web": Profile("tests.simulation.web.universe", tested=range(10)),
    "whole": Profile("tests.simulation.whole.universe", tested=range(6)),
    "bus": Profile("tests.simulation.bus.universe", tested=range(20)),
}
DEFAULT = "link"


def run(profile: str, seed: int, keep: frozenset[int] | None = None, *, traced: bool = False) -> Result:
    """Run one universe. Raises KeyError for a profile that is not in the table."""
    module_run: Callable[..., Result] = importlib.import_module(PROFILES[profile].module).run
    return module_run(seed, keep, traced=traced)
