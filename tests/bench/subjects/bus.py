"""The bus over a real NATS server: how late followers hear, and what a whole fleet costs Asterisk.

A real Asterisk cannot say at which moment its bytes were sent, so the delays are beside a scripted one. The fleet is
beside the real one: eight replicas of two workers that follow two collectors, each a service as shipped.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, quantiles
from tempfile import TemporaryDirectory

from local import ports
from local.nats import Nats
from service.runtime.call_servers import PRESENCE_REST_AFTER
from tests.bench.report import Row, ratio
from tests.bench.rig.processes import Program, wait_until_answers
from tests.bench.rig.scripted_asterisk import ScriptedAsterisk
from tests.bench.rig.servers import Rig
from tests.bench.rig.targets import MICRO
from tests.bench.subjects.fanout import CHANGES, told_to
from tests.bench.subjects.latency import EVENT, PER_SECOND

FOLLOWERS, SECONDS, ROUNDS = 2, 4, 3
COLLECTORS, REPLICAS, WORKERS = 2, 8, 2
TITLE = f"The bus over NATS: {FOLLOWERS} followers at {PER_SECOND:,} events a second, and a fleet"
START, SETTLE = 180.0, 5.0
"""Seconds that the fleet may take to be ready, and that it has to come to rest: its processes share the machine."""


def run(rig: Rig) -> list[Row]:
    """Each round of delays has a broker, a collector and followers of its own; the fleet runs for all of its rounds."""
    with TemporaryDirectory() as folder:
        rounds = [_delays(Path(folder) / str(turn)) for turn in range(ROUNDS)]
        fleet = _fleet_rows(rig, Path(folder) / "fleet")
    return [
        *(
            Row(f"event to the followers' maps, p{percent}", [cuts[percent - 1] for cuts in rounds], "ms", goal)
            for percent, goal in ((50, ""), (99, "<= 10 ms"))
        ),
        *fleet,
    ]


def _delays(folder: Path) -> list[float]:
    """The percentiles of all followers' delays, in milliseconds."""
    module = "tests.bench.programs.bus_end"
    with contextlib.ExitStack() as stack:
        nats = stack.enter_context(Nats(folder))
        peer = stack.enter_context(ScriptedAsterisk())
        collector = stack.enter_context(
            Program(module, "collector", nats.server, "one", peer.port, environment={"AMI_SECRET": "any"})
        )
        collector.line()
        followers = [stack.enter_context(Program(module, "follower", nats.server)) for _ in range(FOLLOWERS)]
        for follower in followers:
            follower.line()
        peer.say(EVENT.format("begin-bus").encode())
        began = time.monotonic()
        for number in range(PER_SECOND * SECONDS):
            time.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
            peer.say(EVENT.format(f"at-{time.monotonic_ns()}").encode())
        peer.say(EVENT.format("end-bus").encode())
        delays: list[int] = []
        for follower in followers:
            follower.line()
            delays += follower.line()["delays"]
    assert len(delays) == FOLLOWERS * PER_SECOND * SECONDS, len(delays)
    return [cut / 1e6 for cut in quantiles(delays, n=100)]


def _fleet_rows(rig: Rig, folder: Path) -> list[Row]:
    """Asterisk's CPU beside one session of its own: measured before the fleet starts, and after it has ended."""
    alone = _rounds(rig, "before", 1)
    with _fleet(rig, folder):
        sessions = _sessions_at_rest(rig)
        together = _rounds(rig, "fleet", 0)
    alone += _rounds(rig, "after", 1)
    one = Row("1 session: Asterisk's CPU per event", alone, "us")
    all_ = Row(f"{REPLICAS} replicas of {WORKERS} workers: Asterisk's CPU per event", together, "us")
    return [
        one,
        all_,
        ratio("the same / one session", all_, Row("", [fmean(alone)] * ROUNDS), "<= 1.3"),
        *(
            Row(f"{REPLICAS} replicas of {WORKERS} workers: sessions of `{account}`", [count], "", goal)
            for (account, goal), count in zip((("monitor", "2"), ("presence", "0")), sessions, strict=True)
        ),
    ]


def _rounds(rig: Rig, name: str, sessions: int) -> list[float]:
    return [told_to(rig, sessions, f"{name}-{time.time_ns()}")["cpu"] / CHANGES * MICRO for _ in range(ROUNDS)]


def _sessions_at_rest(rig: Rig) -> tuple[int, ...]:
    """Once collectors have ended their sessions of `presence`, which nothing uses here."""
    ends_at = time.monotonic() + PRESENCE_REST_AFTER + 5
    while (sessions := _sessions(rig))[1] and time.monotonic() < ends_at:
        time.sleep(0.2)
    return sessions


def _sessions(rig: Rig) -> tuple[int, ...]:
    shown = rig.asterisk.rx("manager show connected")
    return tuple(len(re.findall(rf"^\s+{name}\b", shown, re.MULTILINE)) for name in ("monitor", "presence"))


@contextlib.contextmanager
def _fleet(rig: Rig, folder: Path) -> Iterator[None]:
    """Collectors and replicas, all of them ready and at rest."""
    with contextlib.ExitStack() as stack:
        nats = stack.enter_context(Nats(folder))
        url, probes = f"nats://{nats.server}", []
        for role, count, workers in (("collector", COLLECTORS, 1), ("follower", REPLICAS, WORKERS)):
            for _ in range(count):
                port = ports.free_port()
                service = rig.service(
                    {
                        "CONNECTOR_HTTP_PORT": str(port),
                        "CONNECTOR_WORKERS": str(workers),
                        "CONNECTOR_BUS_URL": url,
                        "CONNECTOR_BUS_ROLE": role,
                    }
                )
                stack.callback(service.stop)
                service.start()
                probes.append(f"http://127.0.0.1:{port}/readyz")
        for each in probes:
            wait_until_answers(each, '"ready"', START)
        time.sleep(SETTLE)
        yield
