"""Runs many universes in several processes, goes on where a run was stopped, and shows how far it is."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.simulation import universe
from tests.simulation.report import write
from tests.simulation.shrinking import how_to_replay

ROOT = Path(__file__).resolve().parent.parent.parent
SHOWN_EVERY = 5.0
"""Seconds between two lines of progress."""


@dataclass
class Totals:
    """What a range of universes came to."""

    universes: int = 0
    faults: int = 0
    changes: int = 0
    live: int = 0
    not_live: int = 0
    contacts: int = 0
    simulated: float = 0.0
    right_after: float = 0.0
    """The longest time after the last fault until everything was right."""
    kinds: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    done: list[int] = field(default_factory=list)

    def add(self, result: universe.Result) -> None:
        self.universes += 1
        self.faults += result.faults
        self.changes += result.changes
        self.live += result.live
        self.not_live += result.not_live
        self.contacts += result.contacts
        self.simulated += result.seconds
        self.right_after = max(self.right_after, result.right_after)
        for kind, count in result.kinds.items():
            self.kinds[kind] = self.kinds.get(kind, 0) + count
        self.done.append(result.seed)
        if result.failure is not None:
            self.failed[str(result.seed)] = result.failure

    def line(self) -> str:
        return (
            f"{self.universes} universes, {self.faults} faults, {self.changes} changes, {self.live} live readings, "
            f"{self.not_live} not live, {self.contacts} of contacts, {len(self.failed)} failed"
        )


def run(seeds: range, *, jobs: int, progress: Path | None = None, stop: bool = False, report: bool = False) -> int:
    """Run the universes; 1 if one failed."""
    totals = _resumed(progress)
    waiting = [seed for seed in seeds if seed not in set(totals.done)]
    began = shown = time.monotonic()
    before = totals.universes
    for result in results(waiting, jobs):
        totals.add(result)
        if progress is not None:
            _save(progress, totals)
        if result.failure is not None:
            print(f"seed {result.seed}: {result.failure}\n  {how_to_replay(result.seed)}", flush=True)
            if stop:
                break
        now = time.monotonic()
        if now - shown > SHOWN_EVERY:
            shown = now
            done = totals.universes - before
            left = (now - began) / done * (len(waiting) - done)
            print(f"{totals.line()}; {left:.0f} s left", flush=True)
    print(totals.line())
    if report:
        write(asdict(totals), seeds, source_digest())
    return 1 if totals.failed else 0


def results(seeds: Iterable[int], jobs: int) -> Iterator[universe.Result]:
    """The universes of the seeds, in the order in which they end."""
    if jobs <= 1:
        yield from map(universe.run, seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures: list[Future[universe.Result]] = [pool.submit(universe.run, seed) for seed in seeds]
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


def _resumed(progress: Path | None) -> Totals:
    """The totals of a run that was stopped, if it ran the same sources."""
    try:
        saved = json.loads(progress.read_text()) if progress is not None else {}
    except (FileNotFoundError, ValueError):
        saved = {}
    if saved.pop("source", None) != source_digest():
        return Totals()
    print(f"going on after {saved['universes']} universes", flush=True)
    return Totals(**saved)


def _save(progress: Path, totals: Totals) -> None:
    progress.parent.mkdir(parents=True, exist_ok=True)
    new = progress.with_suffix(".new")
    new.write_text(json.dumps({**asdict(totals), "source": source_digest()}))
    new.replace(progress)
