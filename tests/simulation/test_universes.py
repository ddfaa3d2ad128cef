"""Each profile is right in its universes, a seed is one universe for ever, and a failing one shrinks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation import batch, profiles
from tests.simulation.profiles import PROFILES
from tests.simulation.progress import Progress
from tests.simulation.report import section
from tests.simulation.shrinking import fewest, how_to_replay
from tests.simulation.totals import Totals

JOBS = min(2, os.cpu_count() or 1)


@pytest.mark.parametrize("profile", PROFILES)
def test_no_state_is_a_lie_and_all_is_right_after_the_faults(profile: str) -> None:
    totals = Totals()
    for result in batch.results(profile, PROFILES[profile].tested, JOBS):
        totals.add(result)
    print(totals.line())
    assert totals.failed == {}, [how_to_replay(profile, int(seed)) for seed in totals.failed]
    assert totals.faults > 10 * totals.universes
    assert totals.live > 100 * totals.universes


@pytest.mark.parametrize("profile", PROFILES)
def test_a_seed_replays_exactly(profile: str) -> None:
    """Every decision of the event loop, every line of the log and every reading; in another process too."""
    one, two = (profiles.run(profile, 3, traced=True) for _ in range(2))
    assert one.digest == two.digest
    assert one.digest != profiles.run(profile, 4, traced=True).digest
    command = [sys.executable, "-m", "tests.simulation", "replay", "3", "--profile", profile]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"digest {one.digest}" in done.stdout, done.stdout[-500:] + done.stderr[-500:]


@pytest.mark.parametrize("profile", PROFILES)
def test_leaving_out_a_fault_leaves_the_others_as_they_are(profile: str) -> None:
    whole = profiles.run(profile, 5).plan
    some = profiles.run(profile, 5, frozenset({1, 4})).plan
    assert some == [fault for fault in whole if fault.number in (1, 4)]


def test_a_run_that_was_stopped_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    progress = tmp_path / "progress.json"
    assert batch.run("link", range(2), jobs=1, progress=progress) == 0
    first = capsys.readouterr().out.splitlines()[-1]
    assert batch.run("link", range(2), jobs=1, progress=progress) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == ["going on after 2 universes", first]
    assert batch.run("link", range(3), jobs=1, progress=progress) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "going on after 2 universes"
    assert said[-1].startswith("3 universes, ")


def test_a_run_of_other_sources_adds_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "progress.json"
    assert batch.run("link", range(1), jobs=1, progress=file) == 0
    monkeypatch.setattr("tests.simulation.progress.source_digest", lambda: "00000000ffff")
    assert batch.run("link", range(2), jobs=1, progress=file) == 0
    kept = Progress(file)
    assert [version.totals.done for version in kept.versions] == [[0], [1]]
    written = section("| `other` | `abc` | 1 | now | 1 | 2 | 1,000 | 4 | 1 | 9.0 s |", "link", kept.versions)
    assert written.count("| `link` |") == 2
    assert "| `other` | `abc` | 1 | now |" in written
    faults = kept.all().faults + 2
    assert f"| **all** | | | | **3** | **{faults}** | **{kept.all().live + 1000:,}** |" in written
    assert section(written, "link", kept.versions) == written


def test_a_trace_changes_nothing() -> None:
    """So a universe that failed without one fails when it is replayed."""
    for seed in (0, 1):
        fast, traced = profiles.run("link", seed), profiles.run("link", seed, traced=True)
        fast.digest, fast.tail = traced.digest, traced.tail
        assert fast == traced


def test_shrinking_finds_the_fewest_faults_that_fail() -> None:
    assert fewest(frozenset(range(100)), lambda numbers: {7, 63} <= numbers) == {7, 63}
    assert how_to_replay("link", 17, frozenset({63, 7})) == "make simulate PROFILE=link ARGS='replay 17 --keep 7,63'"
