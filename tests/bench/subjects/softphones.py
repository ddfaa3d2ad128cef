"""1,000 softphones that know their state within a second, ten changes an hour each: asking ARI, or our stream.

Also the memory that an open stream takes.
"""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from tests.bench.report import Row, ratio
from tests.bench.rig import people
from tests.bench.rig.processes import Program, cpu_seconds, memory_bytes
from tests.bench.rig.request_file import LoadRequest
from tests.bench.rig.scripted_asterisk import ScriptedAsterisk
from tests.bench.rig.servers import Rig
from tests.bench.rig.stage import stage
from tests.bench.subjects.streams import EVENT, PATH, STATES
from tests.bench.subjects.workers import ari, ari_base

PHONES, CHANGES_AN_HOUR, ROUNDS = 1_000, 10, 2
SECONDS = 50
"""Of each round: twice as long as a stream is silent before it says that it is alive."""
TITLE = f"{PHONES:,} softphones that are current within a second, {CHANGES_AN_HOUR} changes an hour each"
SETTLE = 2.0
"""Seconds after the streams were opened."""


def run(rig: Rig) -> list[Row]:
    """Asterisk's CPU for a question a second and phone; ours for a stream each."""
    rig.populate()
    base, states = ari_base(rig), rig.asked("ari", ari(rig)[:PHONES])
    streams = rig.asked(
        "own", [LoadRequest(f"{PATH}?extension={n}", people.headers_of(int(n))) for n in people.numbers(PHONES)]
    )
    polling, streaming = [], []
    memory: list[float] = []
    with stage(rig, PHONES) as on:
        for turn in range(ROUNDS):
            before = cpu_seconds(rig.asterisk_pid)
            with Program(
                "tests.bench.programs.paced_polls", urlsplit(base).port, PHONES, SECONDS, states, PHONES
            ) as client:
                client.line(2 * SECONDS)
            polling.append((cpu_seconds(rig.asterisk_pid) - before) / SECONDS * 1000)
            memory.append(memory_bytes(on.service.pid))
            arguments = (urlsplit(on.service.url).port, streams, SECONDS + 2 * SETTLE, 0)
            with Program("tests.bench.programs.stream_reader", *arguments) as reader:
                reader.line()
                memory[-1] = (memory_bytes(on.service.pid) - memory[-1]) / PHONES / 1024
                time.sleep(SETTLE)
                before = cpu_seconds(on.service.pid)
                _change(on.peer, turn)
                streaming.append((cpu_seconds(on.service.pid) - before) / SECONDS * 1000)
                reader.line()
    asked, streamed = Row("asking ARI: Asterisk's CPU", polling, "ms/s"), Row("streams: our CPU", streaming, "ms/s")
    return [
        asked,
        streamed,
        ratio("asking ARI / streams, CPU", asked, streamed, ">= 20"),
        Row("memory per open stream", [memory[0]], "KB", "<= 16 KB"),
    ]


def _change(peer: ScriptedAsterisk, turn: int) -> None:
    """Changes of one phone after the other, evenly, going on where the turn before ended."""
    numbers, states = people.numbers(PHONES), list(STATES)
    per_second = PHONES * CHANGES_AN_HOUR / 3600
    changes = int(per_second * SECONDS)
    began = time.monotonic()
    for number in range(changes):
        time.sleep(max(0.0, began + number / per_second - time.monotonic()))
        phones, phone = divmod(turn * changes + number, PHONES)
        peer.say(EVENT.format(numbers[phone], states[phones % len(states)]).encode())
    time.sleep(max(0.0, began + SECONDS - time.monotonic()))
