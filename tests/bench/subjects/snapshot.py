"""How long the link takes from FullyBooted to live, beside how long Asterisk takes to say the list."""

from __future__ import annotations

import time

from tests.bench.report import Row, ratio
from tests.bench.rig.ami_socket import Ami
from tests.bench.rig.processes import BenchError
from tests.bench.rig.servers import PEOPLE, Rig
from tests.bench.subjects.link import live, probe

TITLE = "Snapshots of endpoints: FullyBooted to live, beside Asterisk's own time for the list"
ROUNDS, SETTLE = 3, 60.0


def run(rig: Rig) -> list[Row]:
    """Endpoints in PostgreSQL that are there when Asterisk boots."""
    rows: list[Row] = []
    for endpoints in (1_000, PEOPLE):
        rig.populate(endpoints)
        rows += compared(rig, f"{endpoints:,} endpoints", endpoints, endpoints)
    return rows


def compared(rig: Rig, what: str, devices: int, extensions: int) -> list[Row]:
    """The list by itself and the link's snapshot, in turn; `devices` are at least to be there."""
    config = rig.asterisk.config
    _wait_for(rig, devices)
    listed, ours, held = [], [], []
    for _ in range(ROUNDS):
        listed.append(_list(rig)[0])
        with probe(config.ami_port, config.monitor_secret, extensions) as link:
            told = live(link)
        ours.append(told["live"])
        held.append(told["held"] * 1000)
    with probe(config.ami_port, config.monitor_secret, 0, "memory") as link:
        told = live(link)
    theirs, mine = Row(f"{what}: Asterisk's list", listed, "s"), Row(f"{what}: FullyBooted to live", ours, "s")
    return [
        theirs,
        mine,
        ratio(f"{what}: live / list", mine, theirs),
        Row(f"{what}: loop held at most", held, "ms", "<= 10 ms"),
        Row(f"{what}: memory per device", [told["traced"] / told["devices"]], "bytes"),
    ]


def _list(rig: Rig) -> tuple[float, int]:
    """Seconds that the list takes to be read by somebody who only reads it, and its length."""
    with Ami(rig.asterisk.config.ami_port, "monitor", rig.asterisk.config.monitor_secret) as ami:
        began = time.monotonic()
        ami.send("Action: DeviceStateList\r\n\r\n")
        answer = ami.read_until(b"EventList: Complete\r\n")
        return time.monotonic() - began, answer.count(b"Event: DeviceStateChange\r\n")


def _wait_for(rig: Rig, devices: int) -> None:
    """Right after a boot Asterisk's list is not complete."""
    deadline = time.monotonic() + SETTLE
    while (found := _list(rig)[1]) < devices:
        if time.monotonic() > deadline:
            raise BenchError(f"Asterisk lists {found} of {devices} devices")
        time.sleep(0.5)
