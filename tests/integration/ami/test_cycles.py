"""Asterisk is killed and started over and over while all poll: each live answer is true, and nothing piles up."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import time
from pathlib import Path

import pytest
from aiohttp import ClientSession

from service.ami.actions import AmiAction
from service.ami.protocol import AmiProtocol
from tests.support.ami import Ami
from tests.support.eventually import eventually
from tests.support.history import History
from tests.support.links import is_live, storm
from tests.support.pbx import Pbx
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION, Server, Start
from tests.support.sizes import Record, size

CYCLES = size("cycles", 5, 100)
DEADLINE = 2.0
DEVICES = [f"Custom:cycle{number}" for number in range(8)]
STATES = ("NOT_INUSE", "INUSE", "BUSY", "RINGING", "RINGINUSE", "ONHOLD")


class Polling:
    """Asks all the time, as the API does and as softphones do."""

    def __init__(self, server: Server, history: History) -> None:
        self._server = server
        self._history = history
        self.not_live = self.http = 0

    async def reads(self) -> None:
        while True:
            for device in DEVICES:
                reading = self._server.link.states.read(device)
                if reading.live:
                    self._history.told(device, reading.state.name)
                else:
                    self.not_live += 1
            await asyncio.sleep(0.005)

    async def asks(self) -> None:
        url = f"http://127.0.0.1:{self._server.port}{REGISTRATION}"
        async with ClientSession(headers=ADMIN) as client:  # the test client keeps every answer
            while True:
                async with client.get(url, params={"id": AGENT_UID}) as answer:
                    told = (await answer.json())["extensionDetails"]["state"]
                    # Nobody ever registers, so this is all that Asterisk ever says of that line.
                    assert told == ("Unavailable" if answer.headers["X-State-Live"] == "true" else "Unknown")
                self.http += 1
                await asyncio.sleep(0.01)


async def one_life(pbx: Pbx, server: Server, history: History) -> None:
    """Asterisk starts, its states change for a while, rest, change again, and it is killed in the middle of that."""
    died = time.monotonic()
    await asyncio.to_thread(pbx.asterisk.start)
    await asyncio.to_thread(pbx.asterisk.wait_ready)
    async with storm(pbx) as ami:
        await history.booted(ami, died)
        until = time.monotonic() + random.uniform(0.2, 0.7)
        while time.monotonic() < until or not is_live(server.link):
            await change(ami, history)
        await rest(server, ami)
        asyncio.get_running_loop().call_later(random.uniform(0, 0.1), pbx.asterisk.kill)
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                await change(ami, history)


async def change(ami: Ami, history: History) -> None:
    await history.set(ami, [(random.choice(DEVICES), random.choice(STATES))])
    await asyncio.sleep(random.uniform(0, 0.01))


async def rest(server: Server, ami: Ami) -> None:
    """At rest the map is what Asterisk lists."""
    listed = await ami.device_states()
    await eventually(lambda: {device: state.name for device, state in server.link.states.items()} == listed, 4)


@pytest.mark.timeout(300 + CYCLES * 10)
async def test_each_live_answer_is_true_over_kills_and_starts_and_nothing_is_left_over(
    stormy: Pbx, start: Start, record_property: Record
) -> None:
    server = await start(stormy.settings(watchdog_deadline=DEADLINE, requests_per_minute=10_000_000))
    history = History(DEADLINE)
    async with storm(stormy) as ami:
        await history.set(ami, [(device, "INUSE") for device in DEVICES])
        await eventually(lambda: is_live(server.link))
    stormy.asterisk.kill()
    polling = Polling(server, history)
    async with asyncio.TaskGroup() as tasks:
        polls = [tasks.create_task(polling.reads()), tasks.create_task(polling.asks())]
        before: dict[str, int] = {}
        for cycle in range(CYCLES):
            await one_life(stormy, server, history)
            await eventually(lambda: not is_live(server.link))
            history.judge()
            if cycle == min(CYCLES // 10, 10):
                before = leftovers()
        # Whether a connection is just being tried, before as after, is chance: a look between two tries is enough.
        await eventually(lambda: not piled_up(before, leftovers()), what="nothing is left over")
        after = leftovers()
        for poll in polls:
            poll.cancel()
    record_property(
        "measured",
        f"{CYCLES} cycles, {history.judged} live answers judged, {polling.not_live} not live, {polling.http} polls, "
        f"left over: {before} → {after}",
    )
    assert history.judged > CYCLES * 10
    await asyncio.to_thread(stormy.asterisk.start)


def piled_up(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What there is more of than there may be."""
    allowed = {"tasks": before["tasks"] + 2, "fds": before["fds"] + 2, "wires": 2, "requests": 2}
    return {name: after[name] for name, most in (allowed | {"MiB": before["MiB"] + 8}).items() if after[name] > most}


def leftovers() -> dict[str, int]:
    """What a link could leave behind."""
    gc.collect()
    found = gc.get_objects()
    return {
        "tasks": len(asyncio.all_tasks()),
        "fds": len(list(Path("/proc/self/fd").iterdir())),
        "wires": sum(isinstance(thing, AmiProtocol) for thing in found),
        "requests": sum(isinstance(thing, AmiAction) for thing in found),
        "MiB": int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20,
    }
