"""The simulation can see: each of these faults of the product is found within a few seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.mutants import MUTANTS, Mutant, kill


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_killed(mutant: Mutant, tmp_path: Path) -> None:
    killed = kill(mutant, tmp_path)
    assert killed is not None, f"no seed below {mutant.within} fails"
    print(f"seed {killed[0]}: {killed[1]}")
