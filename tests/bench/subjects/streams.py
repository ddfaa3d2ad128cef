"""Streams under changes: from bytes on the AMI socket to bytes on a stream's socket, and how long the loop is held.

The Asterisk is a scripted one, as a real one cannot say at which moment its bytes were sent. 1,000 streams in teams of
ten who follow one another, so that each change goes to ten; then all follow all.
"""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import quantiles
from urllib.parse import urlsplit

from tests.bench.report import Row
from tests.bench.rig import people
from tests.bench.rig.processes import Program, cpu_seconds
from tests.bench.rig.request_file import LoadRequest
from tests.bench.rig.scripted_asterisk import ScriptedAsterisk
from tests.bench.rig.servers import Rig
from tests.bench.rig.stage import Stage, stage

STREAMS, TEAM, PER_SECOND, SECONDS, ROUNDS = 1_000, 10, 1_000, 5, 3
STRIDE = 101
"""From one change's extension to the next one's, so that a team hears of its ten apart."""
TITLE = f"{STREAMS:,} streams, {PER_SECOND:,} changes a second"
PATH = "/api/v1/presence/stream"
STATES = {"INUSE": "In use", "NOT_INUSE": "Not in use", "RINGING": "Ringing", "BUSY": "Busy"}
EVENT = "Event: DeviceStateChange\r\nPrivilege: call,all\r\nDevice: PJSIP/{}\r\nState: {}\r\n\r\n"
DRAIN = 2.0
"""Seconds to read on after the last change."""

_rounds = itertools.count()


def run(rig: Rig) -> list[Row]:
    """Both with the same service, watched from within."""
    numbers = people.numbers(STREAMS)
    teams = [numbers[first : first + TEAM] for first in range(0, STREAMS, TEAM)]
    by_team = [
        LoadRequest(f"{PATH}?extension={','.join(teams[index // TEAM])}", people.headers_of(int(number)))
        for index, number in enumerate(numbers)
    ]
    for_all = [LoadRequest(PATH, people.headers_of(int(number))) for number in numbers]
    with stage(rig, STREAMS, watched=True) as on:
        return [
            *_measured(rig, on, f"each follows {TEAM}", by_team, STREAMS, ("<= 50 ms", "")),
            *_measured(rig, on, "all follow all", for_all, 10, ("", "<= 250 ms")),
        ]


def _measured(
    rig: Rig, on: Stage, what: str, asked: list[LoadRequest], recorded: int, goals: tuple[str, str]
) -> list[Row]:
    port = urlsplit(on.service.url).port
    p50, p99, held, cpu, received = [], [], [], [], []
    for turn in itertools.islice(_rounds, ROUNDS):
        file = rig.asked(f"streams-{turn}", asked)
        with Program("tests.bench.programs.stream_reader", port, file, SECONDS + DRAIN, recorded) as reader:
            reader.line()
            on.held()
            before = cpu_seconds(on.service.pid)
            sent = _change(on.peer, turn * SECONDS)
            told = reader.line()
            cpu.append((cpu_seconds(on.service.pid) - before) / SECONDS)
            held.append(on.held() * 1000)
        received.append(told["received"] / SECONDS / 1e6)
        delays = _delays(sent, told["changes"])
        cuts = quantiles(delays, n=100)
        p50.append(cuts[49])
        p99.append(cuts[98])
    return [
        Row(f"{what}: change to stream, p50", p50, "ms"),
        Row(f"{what}: change to stream, p99", p99, "ms", goals[0]),
        Row(f"{what}: loop held at most", held, "ms", goals[1]),
        Row(f"{what}: CPU, seconds a second", cpu),
        Row(f"{what}: megabytes a second", received),
    ]


def _change(peer: ScriptedAsterisk, first: int) -> dict[tuple[str, str], list[int]]:
    """Tell of changes at a pace, of each extension once a second; answers when, by extension and state.

    They begin with the `first` state, which must not be the last of the round before: that would be no change.
    """
    numbers, states = people.numbers(STREAMS), list(STATES)
    sent: dict[tuple[str, str], list[int]] = defaultdict(list)
    began = time.monotonic()
    for number in range(PER_SECOND * SECONDS):
        time.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
        extension, state = numbers[number * STRIDE % STREAMS], states[(first + number // STREAMS) % len(states)]
        sent[extension, STATES[state]].append(time.monotonic_ns())
        peer.say(EVENT.format(extension, state).encode())
    return sent


def _delays(sent: Mapping[tuple[str, str], Sequence[int]], came: Sequence[tuple[str, str, int]]) -> list[float]:
    """Milliseconds of each change that came: since the newest that says the same, and was sent before it came."""
    delays = []
    for extension, state, at in came:
        if moments := [moment for moment in sent[extension, state] if moment <= at]:
            delays.append((at - moments[-1]) / 1e6)
    return delays
