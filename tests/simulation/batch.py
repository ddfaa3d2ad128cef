"""Runs many universes in several processes, goes on where a run was stopped, and shows how far it is."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.simulation import profiles
from tests.simulation.report import write
from tests.simulation.result import Result
from tests.simulation.shrinking import how_to_replay
from tests.simulation.totals import Totals

ROOT = Path(__file__).resolve().parent.parent.parent
SHOWN_EVERY = 5.0
"""Seconds between two lines of progress, each of which is saved."""


def run(
    profile: str, seeds: range, *, jobs: int, progress: Path | None = None, stop: bool = False, report: bool = False
) -> int:
    """Run the universes; 1 if one failed."""
    source = source_digest()
    totals = _resumed(progress, source)
    done = set(totals.done)
    waiting = [seed for seed in seeds if seed not in done]
    began = shown = time.monotonic()
    before, faults_before = totals.universes, totals.faults
    for result in results(profile, waiting, jobs):
        totals.add(result)
        if result.failure is not None:
            print(f"seed {result.seed}: {result.failure}\n  {how_to_replay(profile, result.seed)}", flush=True)
            if stop:
                break
        now = time.monotonic()
        if now - shown > SHOWN_EVERY:
            shown = now
            _save(progress, totals, source)
            now_done = totals.universes - before
            left = (now - began) / now_done * (len(waiting) - now_done)
            speed = (totals.faults - faults_before) / (now - began)
            print(f"{totals.line()}; {speed:.0f} faults/s, {left:.0f} s left", flush=True)
    _save(progress, totals, source)
    print(totals.line())
    if report:
        write(profile, totals, seeds, source)
    return 1 if totals.failed else 0


def results(profile: str, seeds: Iterable[int], jobs: int) -> Iterator[Result]:
    """The universes of the seeds, in the order in which they end."""
    if jobs <= 1:
        yield from (profiles.run(profile, seed) for seed in seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures: list[Future[Result]] = [pool.submit(profiles.run, profile, seed) for seed in seeds]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def source_digest() -> str:
    """The sources that decide what a seed does: another digest is another universe."""
    digest = hashlib.sha256(sys.version.encode())
    for folder in ("service", "tests/simulation"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _resumed(progress: Path | None, source: str) -> Totals:
    """The totals of a run that was stopped, if it ran the same sources."""
    try:
        saved = json.loads(progress.read_text()) if progress is not None else {}
    except (FileNotFoundError, ValueError):
        saved = {}
    if saved.pop("source", None) != source:
        return Totals()
    print(f"going on after {saved['universes']} universes", flush=True)
    return Totals.loaded(saved)


def _save(progress: Path | None, totals: Totals, source: str) -> None:
    if progress is None:
        return
    progress.parent.mkdir(parents=True, exist_ok=True)
    new = progress.with_suffix(".new")
    new.write_text(json.dumps({**vars(totals), "source": source}))
    new.replace(progress)
