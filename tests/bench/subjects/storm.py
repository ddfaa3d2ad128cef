"""Polls while a storm of changes goes on, beside polls at rest; and a bare handler's in the same storm."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.report import Row, ratio
from tests.bench.rig import people
from tests.bench.rig.processes import Program
from tests.bench.rig.servers import PEOPLE, Rig, Served
from tests.bench.rig.targets import seen
from tests.bench.subjects import link

TITLE = "500 polls a second, at rest and while Asterisk tells of 5,000 changes a second"
POLLS, CHANGES, SECONDS, ROUNDS = 500, 5_000, 4, 3
SETTLE = 0.5
"""Seconds after a storm's begin, and after its end."""


def run(rig: Rig) -> list[Row]:
    """The bare handler does not hear of the storm: what it suffers is the machine's."""
    delays: dict[tuple[str, str], list[dict[str, float]]] = {}
    asked = people.polls(PEOPLE)
    polls = rig.asked("polls", asked)
    service = rig.served()
    body, headers = seen(service.url, asked[0])
    with rig.bare("poll", {"body": body, "headers": headers}) as bare:
        servers = {"service": service, "bare handler": bare}
        for _ in range(ROUNDS):
            for name, server in servers.items():
                delays.setdefault((name, "at rest"), []).append(_polls(server, polls))
            with _storming(rig):
                for name, server in servers.items():
                    delays.setdefault((name, "in a storm"), []).append(_polls(server, polls))
    rows = {
        (name, when): Row(f"{name}, {when}: p99", [one["p99"] * 1000 for one in rounds], "ms")
        for (name, when), rounds in delays.items()
    }
    return [
        *rows.values(),
        *(ratio(f"{name}: storm / rest, p99", rows[name, "in a storm"], rows[name, "at rest"]) for name in servers),
    ]


def _polls(server: Served, polls: Path) -> dict[str, float]:
    port = urlsplit(server.url).port
    with Program("tests.bench.programs.paced_polls", port, POLLS, SECONDS, polls) as client:
        return client.line()


@contextmanager
def _storming(rig: Rig) -> Iterator[None]:
    """A storm that outlasts the block, and is over after it."""
    sender, _ = link.storm(rig, CHANGES * (4 * SECONDS + 2), CHANGES)
    with sender:
        time.sleep(SETTLE)
        yield
        assert sender.process.poll() is None, "the storm ended before the polls did"
    time.sleep(SETTLE)
