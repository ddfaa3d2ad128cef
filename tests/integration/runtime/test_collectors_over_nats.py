"""Two collectors and their followers as processes, over a real NATS server, in front of a real Asterisk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

import pytest

from local.nats import Nats
from tests.support.ami import Ami
from tests.support.eventually import eventually
from tests.support.links import storm
from tests.support.pbx import Pbx
from tests.support.raw import request
from tests.support.served import Served, served
from tests.support.server import ADMIN
from tests.support.sizes import size

PASSWORDS = ("of-the-collector", "of-the-follower")
PRESENCE = request("/api/v1/presence", *(f"{name}: {value}" for name, value in ADMIN.items()))
NUMBER = "12342"
DEADLINE = float(size("watchdog_deadline", 4, 10))
FROZEN = float(size("frozen_seconds", 6, 30))


@dataclass
class Truth:
    """What Asterisk was told, and when it had said that it is so."""

    turns: list[float] = field(default_factory=list)
    """When each was acknowledged; what is shown is the number of one of them."""

    async def blow(self, ami: Ami) -> None:
        """Change the presence of one person, some hundred times a second."""
        while True:
            value = f"away,,{len(self.turns)}"
            await ami.ask("Setvar", Variable=f"PRESENCE_STATE(CustomPresence:{NUMBER})", Value=value)
            self.turns.append(time.monotonic())
            await asyncio.sleep(0.001)

    def is_old(self, shown: int, asked_at: float) -> bool:
        """Whether the next one was acknowledged longer ago than a live state may be late."""
        return shown + 1 < len(self.turns) and self.turns[shown + 1] < asked_at - DEADLINE


@dataclass
class Bus:
    """All that runs."""

    nats: Nats
    pbx: Pbx
    folder: Path
    stack: contextlib.AsyncExitStack
    collectors: list[Served] = field(default_factory=list)
    followers: list[Served] = field(default_factory=list)
    unknown: int = 0
    live: int = 0
    lies: list[str] = field(default_factory=list)

    async def start(self, role: str, **settings: str) -> Served:
        config, name = self.pbx.asterisk.config, f"{role}-{len(self.collectors) + len(self.followers)}"
        account = {"AMI_PORT": str(config.ami_port), "MONITOR_SECRET": config.monitor_secret}
        account["PRESENCE_SECRET"] = config.presence_secret
        if role == "follower":
            account = {"AMI_HOST": "", "AMI_PORT": "", "MONITOR_SECRET": ""}
        (self.folder / name).mkdir()
        made = await self.stack.enter_async_context(
            served(
                self.pbx.database,
                self.folder / name,
                BUS_URL=f"nats://{role}@{self.nats.server}",
                BUS_ROLE=role,
                BUS_PASSWORD=PASSWORDS[role == "follower"],
                WATCHDOG_DEADLINE=str(DEADLINE),
                REQUESTS_PER_MINUTE="1000000",
                **{f"CALL_SERVERS__MAIN__{key}": value for key, value in account.items()},
                **settings,
            )
        )
        (self.collectors if role == "collector" else self.followers).append(made)
        return made

    async def all_live(self, within: float = 60.0) -> None:
        async def there() -> bool:
            return all([(await shown(follower))[1] for follower in self.followers])

        await eventually(there, within, "every follower is live")

    async def poll(self, truth: Truth) -> None:
        """Ask every follower over and over until cancelled, and compare what is live with the truth."""
        while True:
            for follower in self.followers:
                asked_at = time.monotonic()
                turn, live = await shown(follower)
                if not live:
                    self.unknown += 1
                    continue
                self.live += 1
                if turn is not None and truth.is_old(turn, asked_at):
                    self.lies.append(f"{turn} is live, {len(truth.turns)} is true")
            await asyncio.sleep(0.01)

    def sessions(self) -> Counter[str]:
        """AMI sessions at Asterisk by account."""
        told = self.pbx.asterisk.rx("manager show connected")
        return Counter(re.findall(r"^\s+(monitor|presence|sync)\s+127\.0\.0\.1", told, re.MULTILINE))


async def shown(follower: Served) -> tuple[int | None, bool]:
    """The number that a follower shows, and whether it says that it is live."""
    answer = await follower.ask(PRESENCE)
    assert answer.status == 200, answer
    item = next(item for item in json.loads(answer.body)["presence"] if item["extension"] == NUMBER)
    message = item["message"] or ""
    return (int(message) if message.isdecimal() else None), bool(item["live"])


@pytest.fixture
async def bus(stormy: Pbx, tmp_path: Path) -> AsyncIterator[Bus]:
    """Two collectors, live, over a NATS that has the permissions of `deploy/nats/`."""
    with Nats(tmp_path / "nats", passwords=PASSWORDS) as nats:
        async with contextlib.AsyncExitStack() as stack:
            made = Bus(nats, stormy, tmp_path, stack)
            for _ in range(2):
                await made.start("collector")
            for collector in made.collectors:
                await collector.answers()
            yield made


@contextlib.asynccontextmanager
async def blowing(bus: Bus) -> AsyncIterator[Truth]:
    """A storm in Asterisk and polls of all followers, until the block ends; no poll may lie."""
    truth = Truth()
    async with storm(bus.pbx) as ami:
        tasks = [asyncio.create_task(truth.blow(ami)), asyncio.create_task(bus.poll(truth))]
        try:
            await eventually(lambda: len(truth.turns) > 100 and bus.live > 20)
            bus.unknown = 0
            yield truth
            assert not any(task.done() for task in tasks), tasks
            assert bus.lies == []
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_eight_replicas_of_two_workers_have_two_sessions_at_asterisk(bus: Bus) -> None:
    """Two links. The connections of the account that sets presence end while nobody sets it."""
    for _ in range(8):
        await bus.start("follower", WORKERS="2")
    for follower in bus.followers:
        await follower.has_up(2, within=120)
    await bus.all_live()
    await eventually(lambda: bus.sessions() == {"monitor": 2}, 40, what="two sessions")


async def test_presence_is_set_through_a_collector(bus: Bus) -> None:
    follower = await bus.start("follower")
    await follower.answers()
    await bus.all_live()
    login = json.dumps({"user": "dnhai", "password": "demo-agent-password"}).encode()
    json_type = "Content-Type: application/json"
    token = json.loads((await follower.ask(request("/api/v1/login", json_type, method="POST", body=login))).body)[
        "data"
    ]
    headers = [json_type, f"X-Auth-Token: {token['authToken']}", f"X-User-Id: {token['userId']}"]
    change = request("/api/v1/presence", *headers, method="PUT", body=b'{"presence": "dnd"}')

    async def is_set() -> bool:
        return (await follower.ask(change)).status == 200

    await eventually(is_set)
    assert "dnd" in bus.pbx.asterisk.rx("presencestate list").lower()


async def test_one_of_two_collectors_is_killed_and_no_answer_is_unknown(bus: Bus) -> None:
    for _ in range(2):
        await bus.start("follower")
    for follower in bus.followers:
        await follower.answers()
    await bus.all_live()
    async with blowing(bus) as truth:
        bus.collectors[0].process.kill()
        before, live = len(truth.turns), bus.live
        await asyncio.sleep(1.5 * DEADLINE)
        assert len(truth.turns) > before + 100
        assert bus.live > live + 50
        assert bus.unknown == 0


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_an_outage_of_nats_is_unknown_in_time_and_live_soon_after(bus: Bus, how: str) -> None:
    for _ in range(2):
        await bus.start("follower")
    for follower in bus.followers:
        await follower.answers()
    await bus.all_live()
    async with blowing(bus):
        process = bus.nats.process
        assert process is not None
        process.send_signal(signal.SIGKILL if how == "killed" else SIGSTOP)
        started = time.monotonic()

        async def all_unknown() -> bool:
            return not any([(await shown(follower))[1] for follower in bus.followers])

        try:
            await eventually(all_unknown, DEADLINE + 0.5)
            await asyncio.sleep(max(0.0, FROZEN - (time.monotonic() - started)))
        finally:
            if how == "frozen":
                process.send_signal(SIGCONT)
        if how == "killed":
            process.wait()
            bus.nats.start()
            bus.nats.wait_ready()
        back = time.monotonic()
        await bus.all_live(within=3)
        assert time.monotonic() - back < 3
        await asyncio.sleep(DEADLINE)


async def test_operators_see_the_collectors_and_which_one_is_followed(bus: Bus) -> None:
    follower = await bus.start("follower")
    await follower.answers()
    await bus.all_live()

    async def seen(server: Served, path: str = "/status") -> dict[str, Any]:
        found: dict[str, Any] = json.loads((await server.get(path)).body)["bus"]
        return found

    async def fresh() -> list[str]:
        told = await seen(follower)
        return [each["name"] for each in told["callServers"]["main"]["collectors"] if each["fresh"]]

    async def with_fresh(count: int) -> bool:
        return len(await fresh()) == count

    await eventually(lambda: with_fresh(2), what="both collectors are fresh")
    both, told = await fresh(), await seen(follower)
    assert (told["role"], told["connected"]) == ("follower", True)
    assert told["callServers"]["main"]["followed"] in both
    assert told["callServers"]["main"]["differingEntries"] == 0
    assert await seen(bus.collectors[0]) == {"role": "collector", "connected": True, "callServers": {}}
    metrics = (await follower.get("/metrics")).body.decode()
    assert 'connector_bus_collectors_fresh{call_server="main"} 2.0\n' in metrics
    assert "connector_bus_connected 1.0\n" in metrics

    bus.collectors[0].process.kill()
    await eventually(lambda: with_fresh(1), what="one collector is left")
    assert await fresh() == [(await seen(follower))["callServers"]["main"]["followed"]]
    assert {each["why"] is None for each in (await seen(follower))["callServers"]["main"]["collectors"]} == {
        True,
        False,
    }

    assert bus.nats.process is not None
    bus.nats.process.kill()

    async def disconnected() -> bool:
        readiness = json.loads((await follower.get("/readyz")).body)
        return readiness["status"] == "degraded" and readiness["bus"]["connected"] is False

    await eventually(disconnected, what="the follower is degraded")
