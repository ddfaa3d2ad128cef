"""A collector's connection of the account `presence` rests while nothing uses it, and opens again for the next use."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from local import asterisk_programs
from local.asterisk_programs import Programs
from service.ami.accounts import Account
from service.ami.kept_connection import KeptConnection
from service.domain.custom_presence import Presence, PresenceState
from service.errors import CallServerUnavailable
from tests.support.cutter import Cutter, cutting
from tests.support.eventually import eventually
from tests.support.pbx import Pbx

AWAY = Presence(PresenceState.AWAY)
IDLE = 0.3


@pytest.fixture(scope="module")
def programs() -> Programs:
    """One Asterisk will do: it is asked for nothing but a login and a Setvar."""
    return asterisk_programs.find()


@pytest.fixture
async def line(pbx: Pbx) -> AsyncIterator[Cutter]:
    async with cutting(pbx.asterisk.config.ami_port) as cutter:
        yield cutter


@pytest.fixture
async def connection(pbx: Pbx, line: Cutter) -> AsyncIterator[KeptConnection]:
    """Open already."""
    account = Account.presence(pbx.settings(ami_port=line.port).call_servers["main"])
    assert account is not None
    made = KeptConnection(
        "main", "presence", account, deadline=2.0, report_refusal=lambda _kind, _why: None, idle_after=IDLE
    )
    task = asyncio.create_task(made.run())
    await eventually(lambda: made.opened == 1 and made.connected)
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def sessions(pbx: Pbx) -> int:
    shown = pbx.asterisk.rx("manager show connected").splitlines()
    return Counter(line.split()[0] for line in shown if line.strip())["presence"]


async def at_rest(pbx: Pbx) -> None:
    await eventually(lambda: sessions(pbx) == 0, what="no session of presence")


async def test_an_unused_connection_ends_and_the_next_use_opens_one(pbx: Pbx, connection: KeptConnection) -> None:
    with capture_logs() as logs:
        for opened in (2, 3):
            await at_rest(pbx)
            assert connection.connected, "it rests"
            await connection.set_presence("12342", AWAY)
            assert sessions(pbx) == 1
            assert connection.opened == opened
    assert [entry["event"] for entry in logs if entry["log_level"] != "debug"] == []


async def test_many_uses_at_rest_share_one_login(pbx: Pbx, connection: KeptConnection, line: Cutter) -> None:
    await at_rest(pbx)
    await asyncio.gather(*(connection.set_presence("12342", AWAY) for _ in range(20)))
    assert line.actions_of("presence")["Login"] == 2


async def test_a_use_under_way_keeps_the_connection(connection: KeptConnection) -> None:
    async def slowly(client: object) -> object:
        await asyncio.sleep(4 * IDLE)
        return client

    client = await connection.use(slowly)
    assert client is connection._client
    assert connection.opened == 1


async def test_an_asterisk_that_went_meanwhile_is_noticed_by_the_next_use(
    pbx: Pbx, connection: KeptConnection, line: Cutter
) -> None:
    await at_rest(pbx)
    line.refuse()
    with pytest.raises(CallServerUnavailable):
        await connection.set_presence("12342", AWAY)
    assert not connection.connected
    line.admit()
    await eventually(lambda: connection.connected, what="the connection heals by itself")
    await connection.set_presence("12342", AWAY)


async def test_an_asterisk_that_is_back_is_asked_whether_the_account_still_may(
    pbx: Pbx, connection: KeptConnection
) -> None:
    await at_rest(pbx)
    connection.retry_now()
    await eventually(lambda: connection.opened == 2)
    await at_rest(pbx)
