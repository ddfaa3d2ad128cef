"""From an event's bytes on the AMI socket to the map, beside the least that a socket and a loop can do.

A real Asterisk cannot say at which moment its bytes arrived, so the peer is a scripted one: it sends each event with
the time in its device's name, 1,000 a second, and between two of them a byte to an echo on the same loop.
"""

from __future__ import annotations

import socket
import time
from statistics import quantiles

from tests.bench.report import Row, ratio
from tests.bench.rig.scripted_asterisk import ScriptedAsterisk
from tests.bench.rig.servers import Rig
from tests.bench.subjects.link import live, probe

TITLE = "Delay at 1,000 events a second: bytes on the AMI socket to the map, beside a bare loopback round trip"
PER_SECOND, SECONDS, ROUNDS = 1_000, 4, 3
EVENT = "Event: DeviceStateChange\r\nPrivilege: call,all\r\nDevice: Custom:{}\r\nState: INUSE\r\n\r\n"


def run(_: Rig) -> list[Row]:
    """Several rounds, each with a link of its own."""
    rounds = [_round() for _ in range(ROUNDS)]
    rows = {
        (what, percent): Row(f"{what}, p{percent}", [one[what][percent] for one in rounds], "us")
        for what in ("event to map", "loopback round trip")
        for percent in (50, 99)
    }
    return [
        *rows.values(),
        ratio("event / round trip, p50", rows["event to map", 50], rows["loopback round trip", 50]),
        ratio("event / round trip, p99", rows["event to map", 99], rows["loopback round trip", 99]),
    ]


def _round() -> dict[str, dict[int, float]]:
    trips: list[int] = []
    with ScriptedAsterisk() as peer, probe(peer.port, "any") as link:
        echo = socket.create_connection(("127.0.0.1", live(link)["echo"]))
        echo.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.say(EVENT.format("begin-latency").encode())
        began = time.monotonic()
        for number in range(PER_SECOND * SECONDS):
            _wait_until(began + number / PER_SECOND)
            peer.say(EVENT.format(f"at-{time.monotonic_ns()}").encode())
            _wait_until(began + (number + 0.5) / PER_SECOND)
            asked = time.monotonic_ns()
            echo.send(b".")
            echo.recv(1)
            trips.append(time.monotonic_ns() - asked)
        peer.say(EVENT.format("end-latency").encode())
        link.line()
        delays = link.line()["delays"]
        echo.close()
    return {"event to map": _percentiles(delays), "loopback round trip": _percentiles(trips)}


def _wait_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def _percentiles(nanoseconds: list[int]) -> dict[int, float]:
    cuts = quantiles(nanoseconds, n=100)
    return {percent: cuts[percent - 1] / 1000 for percent in (50, 99)}
