"""The link knows the queues of a real Asterisk: calls, members, pauses and averages, whatever happens to the line."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from service.ami.accounts import Account
from service.ami.diagnostics.checks import check
from service.cli.demo import SECOND_SIP_PASSWORD
from service.domain.models import DeviceState
from tests.support.cutter import cutting
from tests.support.database import call_server
from tests.support.eventually import eventually
from tests.support.links import SECRET, Watch, is_live, live, supervising
from tests.support.pbx import Pbx
from tests.support.queues import MEMBER, agrees, call_in, configured, hang_up_all, shows, told
from tests.support.stored import stored_extension

CALLER, SECRET_OF_CALLER = "30001", "secret-of-30001"


async def test_calls_members_and_pauses_show_up_right_and_in_time(stormy: Pbx, watch: Watch) -> None:
    await stormy.database.execute(
        "insert into extensions (extension, secret, call_server, profile) values ($1, $2, 'main', 'sip')",
        CALLER,
        SECRET_OF_CALLER,
    )
    link = watch(stormy, want=("12342", "12343"))
    await live(link)
    await shows(link, logged_in=0, available=0, callers=0)
    async with supervising(stormy) as ami:
        with stormy.phone("12343", SECOND_SIP_PASSWORD) as agent, stormy.phone(CALLER, SECRET_OF_CALLER) as caller:
            await asyncio.to_thread(agent.wait_registered)
            await shows(link, logged_in=1, available=1)
            await ami.ask("QueuePause", Queue="demo", Interface=MEMBER, Paused="true", Reason="tea")
            await shows(link, logged_in=1, available=0)
            await asyncio.to_thread(caller.wait_registered)
            caller.dial("*55")
            await shows(link, callers=1)
            await agrees(link, ami)
            await ami.ask("QueuePause", Queue="demo", Interface=MEMBER, Paused="false")
            await asyncio.to_thread(agent.wait_for, "CALL_INCOMING")
            await shows(link, logged_in=1, available=0, callers=1)
            agent.answer()
            await asyncio.to_thread(caller.wait_for, "CALL_ESTABLISHED")
            await shows(link, logged_in=1, available=0, callers=0)
            await agrees(link, ami)
            answered = time.monotonic()
            await eventually(lambda: time.monotonic() > answered + 1.1, what="they talk for more than a second")
            await eventually(lambda: link.queues is not None and "demo" in link.queues_of(stored_extension("12343")))
            agent.hangup()
            await asyncio.to_thread(caller.wait_for, "CALL_CLOSED")
            await shows(link, logged_in=1, available=1, callers=0)
            assert int((await ami.queue_summaries())["demo"]["TalkTime"]) > 0
            await agrees(link, ami)
            await ami.ask("QueuePause", Queue="demo", Interface=MEMBER, Paused="true")
            caller.dial("*55")
            await shows(link, available=0, callers=1)
            caller.hangup()
            await shows(link, callers=0)
            await ami.ask("QueuePause", Queue="demo", Interface=MEMBER, Paused="false")
        await shows(link, logged_in=0, available=0, callers=0)
        await agrees(link, ami)


async def test_a_line_that_is_cut_while_calls_wait_is_made_good(stormy: Pbx, watch: Watch) -> None:
    async with cutting(stormy.asterisk.config.ami_port) as cutter, supervising(stormy) as ami:
        link = watch(stormy, port=cutter.port)
        await live(link)
        for _ in range(2):
            await call_in(ami)
        await shows(link, callers=2)
        cutter.cut()
        await eventually(lambda: link.queues is None)
        assert link.queues_of(stored_extension("12342")) == ()
        await call_in(ami)
        await shows(link, callers=3)
        await agrees(link, ami)
        cutter.hold()
        await eventually(lambda: link.queues is None)
        await hang_up_all(ami)
        await eventually(lambda: not is_live(link))
        cutter.resume()
        await shows(link, within=30, callers=0)
        await agrees(link, ami)


async def test_members_that_come_and_go_are_members_at_once(stormy: Pbx, watch: Watch) -> None:
    link = watch(stormy)
    await live(link)
    await shows(link, callers=0)
    async with supervising(stormy) as ami:
        assert link.queues_of(stored_extension("777")) == ()
        await ami.ask("QueueAdd", Queue="demo", Interface="PJSIP/777", Paused="true")
        await eventually(lambda: link.queues_of(stored_extension("777")) == ("demo",))
        await ami.ask("QueueAdd", Queue="demo", Interface="Local/888@extensions", StateInterface="PJSIP/888")
        await eventually(lambda: link.queues_of(stored_extension("888")) == ("demo",))
        assert link.queues_of(stored_extension("77")) == link.queues_of(stored_extension("88")) == ()
        await agrees(link, ami)
        await ami.ask("QueueRemove", Queue="demo", Interface="PJSIP/777")
        await ami.ask("QueueRemove", Queue="demo", Interface="Local/888@extensions")
        await eventually(
            lambda: link.queues_of(stored_extension("777")) == link.queues_of(stored_extension("888")) == ()
        )
        await agrees(link, ami)


@pytest.mark.parametrize("command", ["module reload app_queue.so", "queue reload all"])
async def test_a_queue_that_a_reload_brings_is_known(stormy: Pbx, watch: Watch, command: str) -> None:
    link = watch(stormy)
    await live(link)
    await shows(link, callers=0)
    async with supervising(stormy) as ami:
        with configured(stormy, "member => PJSIP/555\n[second]\nmember => PJSIP/555\n"):
            await asyncio.to_thread(stormy.asterisk.rx, command)
            await eventually(lambda: link.queues_of(stored_extension("555")) == ("demo", "second"))
            await agrees(link, ami)
        await asyncio.to_thread(stormy.asterisk.rx, "module reload res_pjsip.so")  # any Reload
        await eventually(lambda: link.queues_of(stored_extension("555")) == ())
        await agrees(link, ami)


async def test_a_storm_of_changes_ends_at_the_truth(stormy: Pbx, watch: Watch) -> None:
    """Members come, go, pause and change; calls come and go; meanwhile lists are taken, and the line is cut."""
    chance = random.Random(5)
    async with cutting(stormy.asterisk.config.ami_port) as cutter, supervising(stormy) as ami:
        link = watch(stormy, port=cutter.port)
        await live(link)
        for step in range(1000):
            interface = f"Custom:q{chance.randrange(5)}"
            match chance.randrange(8):
                case 0 | 1:
                    await ami.ask("QueueAdd", Queue="demo", Interface=interface)
                case 2:
                    await ami.ask("QueueRemove", Queue="demo", Interface=interface)
                case 3:
                    await ami.ask("QueuePause", Interface=interface, Paused=chance.choice(["true", "false"]))
                case 4 | 5:
                    state = chance.choice(["INUSE", "NOT_INUSE", "UNAVAILABLE", "BUSY"])
                    await ami.ask("Setvar", Variable=f"DEVICE_STATE({interface})", Value=state)
                case 6:
                    await call_in(ami)
                case 7:
                    link._queue_sync.request_list()
            if step % 300 == 299:
                cutter.cut()
            if step % 20 == 19:
                await hang_up_all(ami)
        await agrees(link, ami)
        await hang_up_all(ami)
        for number in range(5):
            await ami.ask("QueueRemove", Queue="demo", Interface=f"Custom:q{number}")
        await shows(link, callers=0)
        await agrees(link, ami)


async def test_an_asterisk_that_comes_back_is_asked_again(stormy: Pbx, watch: Watch) -> None:
    link = watch(stormy)
    await live(link)
    async with supervising(stormy) as ami:
        await call_in(ami)
        await shows(link, callers=1)
    stormy.asterisk.kill()
    await eventually(lambda: link.queues is None)
    await asyncio.to_thread(stormy.asterisk.start)
    await shows(link, within=30, callers=0)
    async with supervising(stormy) as ami:
        await agrees(link, ami)


async def test_an_account_that_hears_no_queue_event_knows_no_queues_once_something_changes(
    stormy: Pbx, watch: Watch
) -> None:
    """A good first picture would grow old unseen; all else works."""
    config = stormy.asterisk.config
    link = watch(stormy, account=Account("127.0.0.1", config.ami_port, "unheard", SECRET))
    await live(link)
    await shows(link, callers=0)
    async with supervising(stormy) as ami:
        await call_in(ami)
        await eventually(lambda: link.queues is None)
        assert is_live(link)
        assert told(link) is None
        await hang_up_all(ami)
        await ami.ask("Setvar", Variable="DEVICE_STATE(Custom:else)", Value="BUSY")
        await eventually(lambda: link.states.get("Custom:else") is DeviceState.BUSY)


async def test_without_app_queue_queues_are_not_known_until_it_is_loaded(
    stormy: Pbx, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.ami.queue_sync.RETRY_DELAY", 0.2)
    await asyncio.to_thread(stormy.asterisk.rx, "module unload app_queue.so")
    try:
        link = watch(stormy)
        await live(link)
        await eventually(lambda: link._queue_sync._reported_problem is not None)
        assert is_live(link)
        assert link.queues is None
        assert link.facts.failures == 0
    finally:
        await asyncio.to_thread(stormy.asterisk.rx, "module load app_queue.so")
    await shows(link, callers=0)


async def findings(pbx: Pbx, **values: object) -> dict[str, str]:
    """What `check` says of queues."""
    config = pbx.asterisk.config
    settings = {"ami_port": config.ami_port, "monitor_secret": config.monitor_secret, "sync_secret": config.sync_secret}
    found = [finding async for finding in check("main", call_server(**{**settings, **values}), ())]
    return {finding.what: finding.verdict for finding in found if "queue" in finding.what.lower()}


async def test_check_says_what_queues_need(stormy: Pbx) -> None:
    assert await findings(stormy) == {"lists its queues (1)": "ok", "tells of changes in queues": "ok"}
    unheard = await findings(stormy, monitor_username="unheard", monitor_secret=SECRET)
    assert unheard == {"lists its queues (1)": "ok", "tells of changes in queues": "optional"}
    assert await findings(stormy, sync_secret=None) == {"lists its queues (1)": "ok"}
    await asyncio.to_thread(stormy.asterisk.rx, "module unload app_queue.so")
    try:
        (verdict,) = [verdict for what, verdict in (await findings(stormy)).items() if "refuses QueueStatus" in what]
        assert verdict == "optional"
    finally:
        await asyncio.to_thread(stormy.asterisk.rx, "module load app_queue.so")
