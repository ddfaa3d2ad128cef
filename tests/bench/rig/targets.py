"""Servers under load in turn: answers a second, and the CPU time that an answer takes each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import Request, urlopen

from tests.bench.report import Row
from tests.bench.rig import wrk
from tests.bench.rig.processes import cpu_seconds
from tests.bench.rig.request_file import LoadRequest

MICRO = 1e6
WARM_UP, ROUND = 1, 2
"""Seconds."""
PER_HEAD = frozenset({"connection", "date", "server", "content-length", "x-request-id"})
"""Headers that aiohttp adds itself, or that differ from answer to answer; and `seen` has its connection closed."""


@dataclass(eq=False)
class Target:
    """A server and what is asked of it, with what was measured in each round; `other` is a server that helps it."""

    name: str
    base: str
    pid: int
    asked: Path
    other: int | None = None
    per_second: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    postgres_cpu: list[float] = field(default_factory=list)
    other_cpu: list[float] = field(default_factory=list)

    def rate_row(self) -> Row:
        return Row(f"{self.name}: answers a second", self.per_second)

    def with_other(self) -> list[float]:
        """CPU per answer of both."""
        return [own + other for own, other in zip(self.cpu, self.other_cpu, strict=True)]

    def cpu_row(self) -> Row:
        return Row(f"{self.name}: CPU per answer", self.cpu, "us")


def measure(targets: Sequence[Target], postgres_pid: int, *, rounds: int = 5) -> None:
    """Load each target in turn, round by round, after one that does not count."""
    for target in targets:
        wrk.run(target.base, target.asked, seconds=WARM_UP)
    for _ in range(rounds):
        for target in targets:
            before, postgres_before = cpu_seconds(target.pid), cpu_seconds(postgres_pid)
            other_before = cpu_seconds(target.other) if target.other else 0.0
            load = wrk.run(target.base, target.asked, seconds=ROUND)
            if target.other:
                target.other_cpu.append((cpu_seconds(target.other) - other_before) / load.answers * MICRO)
            target.cpu.append((cpu_seconds(target.pid) - before) / load.answers * MICRO)
            target.postgres_cpu.append((cpu_seconds(postgres_pid) - postgres_before) / load.answers * MICRO)
            target.per_second.append(load.per_second)


def seen(base: str, ask: LoadRequest) -> tuple[str, dict[str, str]]:
    """An answer's body, and those of its headers that a bare handler must send too."""
    with urlopen(Request(base + ask.path, headers=dict(ask.headers)), timeout=5) as answer:  # noqa: S310 - loopback
        body = answer.read().decode()
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in PER_HEAD}
    # As long as the request id that the service makes for each answer.
    return body, {**kept, "X-Request-Id": f"{time.time_ns():032x}"}
