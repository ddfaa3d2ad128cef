"""One process of a machine holds the links, and its workers follow it. Real processes, a real Asterisk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from local.child_process import child_pids
from service.cli.demo import SIP_PASSWORD
from tests.support.eventually import eventually
from tests.support.pbx import Pbx
from tests.support.raw import answer_on, line_to
from tests.support.served import POLL, STARTED, Served, served

RECOVERED = 10.0
"""Seconds after kill -9 of the collector until states are live again: 3 on an idle machine, and Python's imports alone
take longer on one that runs other tests."""


@contextlib.asynccontextmanager
async def following(pbx: Pbx, folder: Path, workers: int = 2) -> AsyncIterator[Served]:
    """A service of several workers in front of the Asterisk, once it knows states."""
    config = pbx.asterisk.config
    named = {"AMI_PORT": str(config.ami_port), "MONITOR_SECRET": config.monitor_secret}
    named["PRESENCE_SECRET"] = config.presence_secret
    settings = {f"CALL_SERVERS__MAIN__{name}": value for name, value in named.items()}
    async with served(pbx.database, folder, WORKERS=str(workers), REQUESTS_PER_MINUTE="1000000", **settings) as service:
        await service.has_up(workers)
        await eventually(lambda: is_live(service), STARTED, "states are live")
        yield service


async def is_live(service: Served) -> bool:
    return (await service.ask(POLL)).headers["x-state-live"] == "true"


def collectors(service: Served) -> set[int]:
    return {pid for pid in child_pids(service.process.pid) if "collector" in command(pid)}


def command(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def mode(folder: str) -> int | None:
    path = Path(folder)
    return path.stat().st_mode & 0o777 if path.exists() else None


def sessions(pbx: Pbx) -> Counter[str]:
    """The AMI sessions by account."""
    lines = pbx.asterisk.rx("manager show connected").splitlines()[1:]
    return Counter(line.split()[0] for line in lines if re.match(r" *\S+ +127\.", line))


@dataclass
class Readings:
    """Polls without a pause, each on a connection of its own, so that each worker answers some."""

    port: int
    reasons: Counter[str] = field(default_factory=Counter)
    """By the reason, `live` without one."""
    last_unknown: float = 0.0
    failures: list[str] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._take()) for _ in range(4)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self) -> None:
        while True:
            try:
                async with line_to(self.port) as (reader, writer):
                    writer.write(POLL)
                    answer = await answer_on(reader)
            except OSError as error:
                self.failures.append(repr(error))
                continue
            self.reasons[reason := answer.headers.get("x-state-reason", "live")] += 1
            if reason != "live":
                self.last_unknown = time.monotonic()
            await asyncio.sleep(0.005)


async def test_several_workers_have_one_session(pbx: Pbx, tmp_path: Path) -> None:
    async with following(pbx, tmp_path, workers=3):
        await eventually(lambda: sessions(pbx) == {"monitor": 1}, 40, what="the session of presence rests")


async def test_each_worker_hears_what_changes(pbx: Pbx, tmp_path: Path) -> None:
    async with following(pbx, tmp_path) as service:
        readings = Readings(service.port)
        with pbx.phone("12342", SIP_PASSWORD) as phone:
            phone.wait_registered()
            await eventually(lambda: has(service, "Not in use"), what="all workers know of the phone")
        await eventually(lambda: has(service, "Unavailable"), 30, "all workers know that the phone is gone")
        async with readings.taken():
            await asyncio.sleep(0.5)
        assert set(readings.reasons) == {"live"}


async def states(service: Served) -> set[str]:
    """The states that several polls read, which reach every worker."""
    answers = [await service.ask(POLL) for _ in range(20)]
    return {re.findall(rb'"state":"([^"]*)"', answer.body)[0].decode() for answer in answers}


async def has(service: Served, state: str) -> bool:
    return await states(service) == {state}


async def test_a_hangup_makes_no_state_unknown(pbx: Pbx, tmp_path: Path) -> None:
    async with following(pbx, tmp_path) as service:
        old, readings = collectors(service), Readings(service.port)
        async with readings.taken():
            service.process.send_signal(signal.SIGHUP)
            await eventually(lambda: "workers_reload_finished" in service.log, 60, "the reload is over")
            await eventually(lambda: readings.reasons.total() > 1000, 60)
        assert (set(readings.reasons), readings.failures) == ({"live"}, [])
        assert len(collectors(service)) == 1
        assert not collectors(service) & old
        assert sessions(pbx)["monitor"] == 1


async def test_a_killed_collector_is_replaced_and_nothing_is_live_meanwhile(pbx: Pbx, tmp_path: Path) -> None:
    async with following(pbx, tmp_path) as service:
        readings = Readings(service.port)
        async with readings.taken():
            await asyncio.sleep(0.5)
            killed_at = time.monotonic()
            os.kill(min(collectors(service)), signal.SIGKILL)
            await eventually(lambda: set(readings.reasons) > {"live"}, what="it is noticed")
            noticed_after = time.monotonic() - killed_at
            await eventually(lambda: time.monotonic() - readings.last_unknown > 2, 60, "all is live again")
        print(f"noticed after {noticed_after:.2f} s, live after {readings.last_unknown - killed_at:.2f} s")
        assert noticed_after < 1
        assert readings.last_unknown - killed_at <= RECOVERED
        assert set(readings.reasons) <= {"live", "bus", "disconnected", "synchronising"}
        assert readings.failures == []


async def test_a_frozen_worker_delays_no_other(pbx: Pbx, tmp_path: Path) -> None:
    async with following(pbx, tmp_path) as service:
        frozen, other = sorted(service.workers())
        os.kill(frozen, signal.SIGSTOP)
        with pbx.phone("12342", SIP_PASSWORD) as phone:
            phone.wait_registered()
            os.kill(frozen, signal.SIGCONT)
        assert other in service.workers()
        await eventually(lambda: has(service, "Unavailable"), 30, "both know that the phone is gone")


async def test_a_folder_of_sockets_is_for_this_user_alone_and_goes_at_the_end(pbx: Pbx, tmp_path: Path) -> None:
    async with following(pbx, tmp_path) as service:
        folder = json.loads(command(min(collectors(service)))[-2])["folder"]
        assert mode(folder) == 0o700
        service.process.send_signal(signal.SIGTERM)
        assert await service.ended() == 0
        assert mode(folder) is None
        assert "Traceback" not in service.log
