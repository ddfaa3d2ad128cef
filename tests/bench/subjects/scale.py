"""One replica with very many extensions: memory, and from the start until every call server's states are live.

Beside scripted Asterisks, 20,000 extensions each: a real one takes minutes to load as many endpoints.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field

from tests.bench.report import Row, ratio
from tests.bench.rig import people
from tests.bench.rig.processes import cpu_seconds, memory_bytes, peak_memory_bytes, wait_until_quiet
from tests.bench.rig.scripted_asterisk import ScriptedAsterisk
from tests.bench.rig.servers import Rig

PER_CALL_SERVER = 20_000
FEW, MANY, ASKED = 100_000, 300_000, 1_000_000
ROUNDS, WITHIN = 3, 300.0
GIBIBYTE = 1024**3
TITLE = f"One replica with {FEW:,} and {MANY:,} extensions, {PER_CALL_SERVER:,} on each call server"


@dataclass
class Seen:
    """What so many extensions took, round by round."""

    start: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    load: list[float] = field(default_factory=list)


def run(rig: Rig) -> list[Row]:
    """Both sizes in turn, round by round; the last rows go on in a straight line through both."""
    seen = {count: Seen() for count in (FEW, MANY)}
    for _ in range(ROUNDS):
        for count, figures in seen.items():
            _measure(rig, count, figures)
    few, many = seen[FEW], seen[MANY]
    rows = [row for count, figures in seen.items() for row in _rows(f"{count:,}", figures)]
    starts = {count: Row("", figures.start) for count, figures in seen.items()}
    memory = {count: Row("", figures.memory) for count, figures in seen.items()}
    per_extension = [
        (more - less) / (MANY - FEW) * GIBIBYTE / 1024 for less, more in zip(few.memory, many.memory, strict=True)
    ]
    return [
        *rows,
        ratio(f"{MANY:,} / {FEW:,}, start", starts[MANY], starts[FEW]),
        ratio(f"{MANY:,} / {FEW:,}, memory", memory[MANY], memory[FEW]),
        Row("memory per further extension, with its person and token", per_extension, "KB"),
        *_rows(f"{ASKED:,} on {ASKED // PER_CALL_SERVER} call servers, extrapolated", _extrapolated(few, many)),
    ]


def call_servers(count: int) -> list[str]:
    """Their names; the rig's settings have the first one already."""
    return ["main", *(f"pbx{number}" for number in range(1, count // PER_CALL_SERVER))]


def _measure(rig: Rig, count: int, seen: Seen) -> None:
    names = call_servers(count)
    database = rig.database(f"scale_{count}", count, names)
    numbers = people.numbers(count)
    settings = {"CONNECTOR_DATABASE_URL": database}
    with contextlib.ExitStack() as stack:
        for index, name in enumerate(names):
            own = numbers[index * PER_CALL_SERVER : (index + 1) * PER_CALL_SERVER]
            peer = stack.enter_context(ScriptedAsterisk(f"PJSIP/{number}" for number in own))
            settings |= _settings(rig, name, peer.port)
        seen.load.append(os.getloadavg()[0])
        began = time.monotonic()
        with rig.another(WITHIN, **settings) as service:
            seen.start.append(time.monotonic() - began)
            seen.cpu.append(cpu_seconds(service.pid))
            wait_until_quiet(service.pid, within=WITHIN)
            seen.memory.append(memory_bytes(service.pid) / GIBIBYTE)
            seen.peak.append(peak_memory_bytes(service.pid) / GIBIBYTE)


def _settings(rig: Rig, name: str, port: int) -> dict[str, str]:
    """One call server's: those of the first, but for its port and its role in PostgreSQL."""
    first = "CONNECTOR_CALL_SERVERS__MAIN__"
    return {
        key.replace(first, f"CONNECTOR_CALL_SERVERS__{name.upper()}__"): str(port)
        if key == f"{first}AMI_PORT"
        else value
        for key, value in rig.plan.service_settings().items()
        if key.startswith(first) and (name == "main" or "DATABASE" not in key)
    }


def _extrapolated(few: Seen, many: Seen) -> Seen:
    """A straight line through both sizes."""

    def further(less: list[float], more: list[float]) -> list[float]:
        return [b + (b - a) * (ASKED - MANY) / (MANY - FEW) for a, b in zip(less, more, strict=True)]

    return Seen(
        further(few.start, many.start),
        further(few.cpu, many.cpu),
        further(few.memory, many.memory),
        further(few.peak, many.peak),
    )


def _rows(name: str, seen: Seen) -> list[Row]:
    rows = [
        Row(f"{name}: start until live", seen.start, "s"),
        Row(f"{name}: CPU until then", seen.cpu, "s"),
        Row(f"{name}: memory at rest", seen.memory, "GiB"),
        Row(f"{name}: memory at most", seen.peak, "GiB"),
    ]
    return rows + [Row(f"{name}: load of the machine before the start", seen.load)] * bool(seen.load)
