"""Runs mutants: each in a process of its own, where one module of the product is imported changed."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType

from tests.simulation import profiles
from tests.simulation.mutants.mutant import ROOT, Mutant

JOBS = min(2, os.cpu_count() or 1)
PRELOADED = ["asyncio", "json", "structlog", "panoramisk", "simloop", "aiohttp.web", "asyncpg", "prometheus_client"]
PRELOADED += ["pydantic_settings", "msgspec", "bcrypt"]
"""Imported once for all processes; nothing of `service`, whose modules a mutant changes."""
Killed = tuple[int, str]
"""The seed that fails, and how."""


class _Mutated(SourceFileLoader):
    """Loads the changed source of one module."""

    def __init__(self, mutant: Mutant) -> None:
        super().__init__(mutant.module, str(ROOT / mutant.file))
        self._source = mutant.source()

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec", dont_inherit=True)


class _Finder:
    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self._mutant.module:
            return None
        loader = _Mutated(self._mutant)
        return importlib.util.spec_from_file_location(name, loader.path, loader=loader)


def kill(mutant: Mutant) -> Killed | None:
    """Run the seeds of a mutant in this process until one fails; None if it survives. The process is spoilt then."""
    assert not any(name.partition(".")[0] == "service" for name in sys.modules), "the product is imported unchanged"
    sys.meta_path.insert(0, _Finder(mutant))
    for seed in mutant.seeds:
        failure = profiles.run(mutant.profile, seed).failure
        assert mutant.module in sys.modules, f"the profile does not use {mutant.module}"
        if failure is not None:
            return seed, failure
    return None


@contextmanager
def killed(mutants: Iterable[Mutant], jobs: int = JOBS) -> Iterator[dict[Mutant, Future[Killed | None]]]:
    """Run mutants in a pool, and give each one's future."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with ProcessPoolExecutor(jobs, mp_context=context, max_tasks_per_child=1) as pool:
        try:
            yield {mutant: pool.submit(kill, mutant) for mutant in mutants}
        finally:
            pool.shutdown(cancel_futures=True)


def run(mutants: Sequence[Mutant], jobs: int = JOBS) -> int:
    """Run mutants and print what became of each; 1 if one survives."""
    survivors = 0
    with killed(mutants, jobs) as futures:
        for mutant, future in futures.items():
            found = future.result()
            survivors += found is None
            said = "SURVIVES" if found is None else f"seed {found[0]}: {found[1][:150]}"
            print(f"{mutant.profile}: {mutant.name}: {said}", flush=True)
    print(f"{len(mutants)} mutants, {survivors} survive")
    return 1 if survivors else 0
