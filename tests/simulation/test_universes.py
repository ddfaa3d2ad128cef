"""The link is right in every universe, a seed is one universe for ever, and a failing one shrinks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.simulation import batch, universe
from tests.simulation.shrinking import fewest, how_to_replay

SECONDS = float(os.environ.get("SIMULATION_SECONDS", "45"))
"""Seconds after which no further universe is started."""
AT_LEAST = 20
"""Universes that are run however slow the machine is."""
JOBS = os.cpu_count() or 1


def test_no_state_is_a_lie_and_all_is_right_after_the_faults() -> None:
    totals, began = batch.Totals(), time.monotonic()
    first = AT_LEAST
    totals_of = batch.results(range(first), JOBS)
    for result in totals_of:
        totals.add(result)
    while time.monotonic() < began + SECONDS:
        for result in batch.results(range(first, first + 10 * JOBS), JOBS):
            totals.add(result)
        first += 10 * JOBS
    print(totals.line())
    assert totals.failed == {}, [how_to_replay(int(seed)) for seed in totals.failed]
    assert totals.live > 1_000 * totals.universes


@pytest.mark.parametrize("seed", [0, 3])
def test_a_seed_replays_exactly(seed: int) -> None:
    """Every decision of the event loop, every line of the log and every reading; in another process too."""
    one, two = universe.run(seed, traced=True), universe.run(seed, traced=True)
    assert one.digest == two.digest
    assert one.digest != universe.run(seed + 1, traced=True).digest
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "replay", str(seed)], capture_output=True, text=True, check=False
    )
    assert f"digest {one.digest}" in done.stdout, done.stdout[-500:] + done.stderr[-500:]


def test_a_run_that_was_stopped_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    progress = tmp_path / "progress.json"
    assert batch.run(range(2), jobs=1, progress=progress) == 0
    capsys.readouterr()
    assert batch.run(range(3), jobs=1, progress=progress) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "going on after 2 universes"
    assert said[-1].startswith("3 universes, ")


def test_leaving_out_a_fault_leaves_the_others_as_they_are() -> None:
    whole = universe.run(5).plan
    some = universe.run(5, frozenset({1, 4})).plan
    assert some == [fault for fault in whole if fault.number in (1, 4)]


def test_shrinking_finds_the_fewest_faults_that_fail() -> None:
    assert fewest(frozenset(range(100)), lambda numbers: {7, 63} <= numbers) == {7, 63}
    assert how_to_replay(17, frozenset({63, 7})) == "make simulate ARGS='replay 17 --keep 7,63'"
