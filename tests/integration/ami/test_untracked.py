"""Asterisk booted while PostgreSQL was away, with a registration in its astdb: what `monitor` alone cannot mend."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

from local.asterisk import Asterisk
from service.ami import endpoint_tracker
from service.cli.demo import SIP_PASSWORD
from service.settings import CallServer
from tests.support.database import call_server
from tests.support.eventually import eventually
from tests.support.pbx import Pbx
from tests.support.server import Server, Start

NUMBER = "12342"
DEVICE = f"PJSIP/{NUMBER}"


@pytest.mark.parametrize("sync", [False, True], ids=["without sync", "with sync"])
async def test_a_registration_kept_over_a_boot_without_postgresql_is_never_called_unavailable(
    pbx: Pbx, start: Start, sync: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asterisk itself calls it UNAVAILABLE then; only the `sync` account can make it look again."""
    monkeypatch.setattr(endpoint_tracker, "QUALIFY_WAIT", 0.5)
    monkeypatch.setattr(endpoint_tracker, "RETRY_DELAY", 0.5)
    with pbx.phone(NUMBER, SIP_PASSWORD) as phone:
        await asyncio.to_thread(phone.wait_registered)
        await eventually(lambda: kept(pbx.asterisk), what="the registration is in astdb")
        pbx.asterisk.kill()
        await allow(pbx, "nologin")
        await asyncio.to_thread(pbx.asterisk.start)
        await asyncio.to_thread(pbx.asterisk.wait_ready)
        await allow(pbx, "login")
        server = await start(pbx.database.settings(call_servers={"main": of(pbx, sync=sync)}))
        await server.shows("Unknown ?")
        told: set[str | None] = set()

        def tells() -> bool:
            reading = server.link.states.read(DEVICE)
            told.add(reading.state.value if reading.live else None)
            return reading.live

        if sync:
            await eventually(tells)
        else:  # as long as it takes the service to ask three times
            with contextlib.suppress(AssertionError):
                await eventually(tells, 3)
            await eventually(lambda: reason_is(server, "untracked"))
            found = await (await server.client.get(f"/status/{NUMBER}")).json()
            assert (found["reason"]["code"], found["extension"]["live"]) == ("untracked", False)
        assert told <= {None, "Not in use"}
    if not sync:  # it unregistered: Asterisk has no contact any more, so its word can be taken
        await server.shows("Unavailable")


async def reason_is(server: Server, reason: str) -> bool:
    return (await server.registration()).headers.get("X-State-Reason") == reason


def of(pbx: Pbx, *, sync: bool) -> CallServer:
    config = pbx.asterisk.config
    account = {"sync_secret": config.sync_secret} if sync else {}
    return call_server(ami_port=config.ami_port, monitor_secret=config.monitor_secret, **account)


def kept(asterisk: Asterisk) -> bool:
    """Whether its file holds the registration: it is written with a delay, and a kill loses what is not."""
    assert asterisk.process is not None
    assert isinstance(asterisk.process.args, list)
    file = Path(str(asterisk.process.args[-2])).parents[1] / "db/astdb.sqlite3"
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        found = database.execute("select count(*) from astdb where key like ?", [f"/registrar/contact/{NUMBER};%"])
        return bool(found.fetchone()[0])


async def allow(pbx: Pbx, login: str) -> None:
    """Let Asterisk into its database, or not."""
    await asyncio.to_thread(pbx.database.server.sql, f"alter role asterisk_main {login}")
