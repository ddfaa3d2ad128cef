"""The simulation can see: each of these faults of the product is found within a few seeds."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from tests.simulation.killing import Killed, killed
from tests.simulation.mutants import ALL
from tests.simulation.mutants.mutant import Mutant
from tests.simulation.profiles import PROFILES


@pytest.fixture(scope="module")
def futures() -> Iterator[dict[Mutant, Future[Killed | None]]]:
    with killed(ALL) as running:
        yield running


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: f"{mutant.profile}-{mutant.name}")
def test_a_mutant_is_killed(mutant: Mutant, futures: dict[Mutant, Future[Killed | None]]) -> None:
    found = futures[mutant].result()
    assert found is not None, f"none of the seeds {mutant.seeds} fails"
    print(f"seed {found[0]}: {found[1]}")


def test_each_profile_has_mutants() -> None:
    assert {mutant.profile for mutant in ALL} == set(PROFILES)
    assert len({mutant.name for mutant in ALL}) == len(ALL)
