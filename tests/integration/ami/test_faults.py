"""What can happen to an Asterisk: it ends, is killed, frozen, restarted or reloaded. Real Asterisk, whole service."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from local.asterisk import AsteriskError
from service.domain.models import NotLive
from service.domain.status.link_reasons import find_link_reason
from service.web.ops.status_facts import link_condition
from tests.support.eventually import eventually
from tests.support.links import Watch, agrees, is_live, live, storm
from tests.support.pbx import Pbx
from tests.support.server import Server, Start

FROZEN = 30.0
"""Seconds that Asterisk is frozen: longer than every deadline of the link."""
SLACK = 2.0
"""Seconds that this process may take to read what Asterisk had said before, and to come to a look at the reading."""
DEVICE = "PJSIP/12342"


async def gone(server: Server, why: str, within: float = 20) -> None:
    """The line is unknown at once, and the service says why; it goes on answering."""
    await eventually(lambda: why in (server.link.facts.why_ended or ""), within, why)
    await server.shows("Unknown ?")
    answer = await server.registration()
    assert answer.headers["X-State-Reason"] == "disconnected"


async def test_an_orderly_stop_is_told_before_the_line_ends(pbx: Pbx, start: Start) -> None:
    server = await start(pbx.settings())
    await server.shows("Unavailable")
    stopped = asyncio.create_task(asyncio.to_thread(pbx.asterisk.stop))
    await gone(server, "Asterisk is shutting down")  # while it ends: the next try to connect tells something else
    await stopped
    await asyncio.to_thread(pbx.asterisk.start)
    await server.shows("Unavailable", within=30)


async def test_core_restart_now(pbx: Pbx, start: Start) -> None:
    server = await start(pbx.settings())
    await server.shows("Unavailable")
    ordered = asyncio.create_task(asyncio.to_thread(pbx.asterisk.rx, "core restart now"))
    await gone(server, "Asterisk is shutting down")
    with suppress(AsteriskError):  # its answer does not always come
        await ordered
    await eventually(lambda: not pbx.asterisk.is_running())  # under the loader it cannot start itself anew
    await asyncio.to_thread(pbx.asterisk.start)
    await server.shows("Unavailable", within=30)


async def test_kill_9_ends_the_line_and_its_return_heals(pbx: Pbx, start: Start) -> None:
    server = await start(pbx.settings())
    await server.shows("Unavailable")
    pbx.asterisk.kill()
    await gone(server, "")
    await asyncio.to_thread(pbx.asterisk.start)
    await server.shows("Unavailable", within=30)


async def test_a_reload_of_res_pjsip_is_a_reason_to_look_again(stormy: Pbx, watch: Watch) -> None:
    link = watch(stormy)
    async with storm(stormy) as ami:
        await agrees(link, ami)
        for _ in range(3):
            taken = link.facts.resynchronisations
            await asyncio.to_thread(stormy.asterisk.rx, "module reload res_pjsip.so")
            await eventually(lambda: link.facts.resynchronisations > taken)  # noqa: B023
            assert is_live(link)
            await agrees(link, ami)
        assert link.facts.failures == 0


async def test_a_frozen_asterisk_is_not_live_within_the_deadline_and_heals_when_it_goes_on(
    pbx: Pbx, start: Start
) -> None:
    server = await start(pbx.settings())
    await server.shows("Unavailable")
    reasons: list[NotLive | None] = []
    told: list[str | None] = []
    assert pbx.asterisk.process is not None
    os.kill(pbx.asterisk.process.pid, signal.SIGSTOP)
    try:
        loop = asyncio.get_running_loop()
        frozen = loop.time()
        while (since := loop.time() - frozen) < FROZEN:
            reading = server.link.states.read(DEVICE)
            if not reasons or reasons[-1] is not reading.reason:
                reasons.append(reading.reason)
            reason = find_link_reason(link_condition(server.link))
            if (code := reason.code if reason is not None else None) not in told:
                told.append(code)
            assert since < server.settings.watchdog_deadline + SLACK or not reading.live
            await asyncio.sleep(0.05)
    finally:
        os.kill(pbx.asterisk.process.pid, signal.SIGCONT)
    assert reasons[:3] == [None, NotLive.SILENT, NotLive.DISCONNECTED]
    assert told == [None, "silent", "link-down", "call-server-unreachable"]
    assert None not in reasons[1:]
    await server.shows("Unavailable", within=30)


async def test_a_link_that_starts_before_its_asterisk_waits_for_it(stormy: Pbx, watch: Watch) -> None:
    await asyncio.to_thread(stormy.asterisk.stop)
    link = watch(stormy)
    await eventually(lambda: link.facts.failures)
    assert "out of reach" in str(link.facts.why_ended)
    await asyncio.to_thread(stormy.asterisk.start)
    await live(link)
    async with storm(stormy) as ami:
        await agrees(link, ami)
