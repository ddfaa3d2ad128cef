"""Collectors and followers as processes of their own, over a real NATS and a real Asterisk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from local.nats import Nats
from service.cli.demo import SIP_PASSWORD
from tests.integration.runtime.test_collector import Readings, has, is_live, sessions
from tests.support.eventually import eventually
from tests.support.pbx import Pbx
from tests.support.served import STARTED, Served, served


@contextlib.asynccontextmanager
async def replica(pbx: Pbx, nats: Nats, folder: Path, role: str, **settings: str) -> AsyncIterator[Served]:
    await asyncio.to_thread(folder.mkdir)
    config = pbx.asterisk.config
    secrets = {"AMI_PORT": str(config.ami_port), "MONITOR_SECRET": config.monitor_secret}
    if role == "follower":
        secrets = {"AMI_HOST": "", "AMI_PORT": "", "MONITOR_SECRET": ""}
    named = {f"CALL_SERVERS__MAIN__{name}": value for name, value in secrets.items()}
    bus = {"BUS_URL": f"nats://{nats.server}", "BUS_ROLE": role}
    async with served(pbx.database, folder, REQUESTS_PER_MINUTE="1000000", **bus, **named, **settings) as service:
        await service.answers()
        yield service


async def test_followers_have_no_session_and_miss_nothing_when_one_of_two_collectors_dies(
    pbx: Pbx, nats: Nats, tmp_path: Path
) -> None:
    async with (
        replica(pbx, nats, tmp_path / "a", "collector") as first,
        replica(pbx, nats, tmp_path / "b", "collector"),
        replica(pbx, nats, tmp_path / "c", "follower", WORKERS="2") as follower,
    ):
        await follower.has_up(2)
        await eventually(lambda: is_live(follower), STARTED, "the follower knows states")
        assert sessions(pbx) == {"monitor": 2}
        await asyncio.sleep(3)  # both copies are warm
        readings = Readings(follower.port)
        async with readings.taken():
            first.process.kill()
            await asyncio.sleep(12)  # longer than the deadline
        assert (set(readings.reasons), readings.failures) == ({"live"}, [])
        assert sessions(pbx) == {"monitor": 1}
        with pbx.phone("12342", SIP_PASSWORD) as phone:
            phone.wait_registered()
            await eventually(lambda: has(follower, "Not in use"), what="the follower hears of the phone")
