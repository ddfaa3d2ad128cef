"""A storm of changes in a real Asterisk, two collectors over real sockets, and lines that are cut: no follower lies."""

from __future__ import annotations

import asyncio
import random
import time
from functools import partial
from pathlib import Path

from service.bus.collector import Collector
from service.bus.followed import FollowedCallServer
from service.bus.following import Following
from service.domain.models import DeviceState
from service.runtime.socket_folder import FolderCollectorPort, FolderFollowerPort
from service.runtime.task_supervisor import Supervisor
from tests.support.ami import Ami
from tests.support.cutter import Cutter, cutting
from tests.support.eventually import eventually
from tests.support.links import Watch, live, storm
from tests.support.pbx import Pbx
from tests.support.sizes import Record

DEADLINE = 2.0
DEVICES = [f"Custom:bus{number}" for number in range(200)]
STATES = ("NOT_INUSE", "INUSE", "BUSY", "RINGING", "RINGINUSE", "ONHOLD", "UNAVAILABLE", "INVALID")
CHANGES = 6_000
SLACK = 1.0
"""Seconds that Asterisk may take, on a busy machine, from what it was asked to do to what it tells."""


class Checker:
    """What Asterisk was told, and when each state ended: a live reading must be one that held within the deadline."""

    def __init__(self, servers: list[FollowedCallServer]) -> None:
        self._servers = servers
        self._held: dict[str, list[tuple[str, float]]] = {device: [] for device in DEVICES}
        self._now: dict[str, str] = {}
        self.live = self.not_live = 0

    def will_change(self, changes: list[tuple[str, str]]) -> None:
        for device, state in changes:
            if device in self._now:
                self._held[device] = [*self._held[device][-60:], (self._now[device], time.monotonic())]
            self._now[device] = state

    def check(self) -> None:
        since = time.monotonic() - DEADLINE - SLACK
        for server in self._servers:
            for device, now in self._now.items():
                reading = server.states.read(device)
                if not reading.live:
                    self.not_live += 1
                    continue
                self.live += 1
                name = reading.state.name
                assert name == now or any(held == name and until >= since for held, until in self._held[device]), device


async def cut_at_random(lines: list[Cutter], followers: list[FolderFollowerPort], chance: random.Random) -> None:
    while True:
        await asyncio.sleep(chance.uniform(0.1, 0.8))
        if chance.random() < 0.4:
            chance.choice(lines).cut()
        else:
            for connection in list(chance.choice(followers)._collectors.values())[: chance.randrange(1, 3)]:
                connection.close()


async def test_no_follower_lies_in_a_storm_and_each_agrees_after_it(
    stormy: Pbx, watch: Watch, tmp_path: Path, record_property: Record
) -> None:
    chance, port = random.Random(4), stormy.asterisk.config.ami_port
    folders = [FolderFollowerPort(tmp_path) for _ in range(2)]
    servers = [FollowedCallServer("main", deadline=DEADLINE) for _ in folders]
    followings = [
        Following(end, {"main": server}, deadline=DEADLINE) for end, server in zip(folders, servers, strict=True)
    ]
    checker, call_soon = Checker(servers), asyncio.get_running_loop().call_soon
    async with cutting(port) as one, cutting(port) as other, storm(stormy) as ami, Supervisor() as supervisor:
        for name, line in (("a", one), ("b", other)):
            link = watch(stormy, port=line.port, deadline=DEADLINE)
            await live(link)
            collector = Collector([FolderCollectorPort(tmp_path, name)], {"main": link}, {}, {}, call_soon=call_soon)
            supervisor.start(f"collector {name}", collector.run())
        for number, following in enumerate(followings):
            supervisor.start(f"follower {number}", following.run())
        await eventually(lambda: all(server.states.current for server in servers))
        cuts = asyncio.create_task(cut_at_random([one, other], folders, chance))
        done = 0
        while done < CHANGES:
            changes = [(chance.choice(DEVICES), chance.choice(STATES)) for _ in range(chance.randrange(1, 60))]
            checker.will_change(changes)
            setting = asyncio.create_task(ami.set_states(changes))
            while not setting.done():
                await asyncio.wait([setting], timeout=0.02)
                checker.check()
            done += len(changes)
        cuts.cancel()
        for server in servers:
            await eventually(partial(agrees, server, ami), 30, "the map is what Asterisk lists")
        gaps = [replica.gaps for each in followings for replica in each.followers["main"].replicas.values()]
        assert not supervisor.failed.done()
    snapshots = sum(each.followers["main"].snapshots.begun for each in followings)
    told = (
        f"{done} changes, {checker.live} live readings, {checker.not_live} not live, {snapshots} snapshots, {gaps} gaps"
    )
    record_property("measured", told)
    print(told)
    assert snapshots > 4
    assert checker.live > checker.not_live


async def agrees(server: FollowedCallServer, ami: Ami) -> bool:
    listed = {device: DeviceState[state] for device, state in (await ami.device_states()).items()}
    return server.states.current and dict(server.states.items()) == listed
