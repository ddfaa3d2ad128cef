"""Runs many universes in several processes, goes on where a run was stopped, and shows how far it is."""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.simulation import profiles
from tests.simulation.profiles import PROFILES
from tests.simulation.progress import Progress
from tests.simulation.report import write
from tests.simulation.result import Result
from tests.simulation.shrinking import how_to_replay

SHOWN_EVERY = 5.0
"""Seconds between two lines of progress, each of which is saved."""


def run(
    profile: str, seeds: range, *, jobs: int, progress: Path | None = None, stop: bool = False, report: bool = False
) -> int:
    """Run the universes; 1 if one failed."""
    kept = Progress(progress)
    totals, done = kept.totals, kept.done()
    if done:
        print(f"going on after {len(done)} universes", flush=True)
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
            kept.save()
            ended = totals.universes - before
            left = (now - began) / ended * (len(waiting) - ended)
            speed = (totals.faults - faults_before) / (now - began)
            print(f"{totals.line()}; {speed:.0f} faults/s, {left:.0f} s left", flush=True)
    kept.save()
    print(kept.all().line())
    if report:
        write(profile, kept.versions)
    return 1 if totals.failed else 0


def results(profile: str, seeds: Iterable[int], jobs: int) -> Iterator[Result]:
    """The universes of the seeds, in the order in which they end."""
    if jobs <= 1:
        yield from (profiles.run(profile, seed) for seed in seeds)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_prepare, initargs=(profile,)) as pool:
        futures: list[Future[Result]] = [pool.submit(profiles.run, profile, seed) for seed in seeds]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def _prepare(profile: str) -> None:
    """Keep what is imported out of each later collection of garbage: a world ends with one."""
    importlib.import_module(PROFILES[profile].module)
    gc.freeze()
