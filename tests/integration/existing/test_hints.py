"""Which devices a hint names is known after whatever happens to the dialplan, to Asterisk and to the line."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import Iterator

import pytest

from local.asterisk_programs import Programs
from service.ami import hint_comparison
from service.domain import hint_differences
from service.domain.models import DeviceState
from service.domain.presence.item import CallServerView, compose_item
from service.web.app_keys import LINKS
from tests.support.cutter import cutting
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.existing.freepbx import freepbx
from tests.support.existing.pbx import ExistingPbx, existing
from tests.support.existing.watching import administering, has_devices, imported, shows, state, watched
from tests.support.imported import HOLDER_ID, HOLDER_UID, both, import_alice
from tests.support.links import Watch, live
from tests.support.server import ADMIN, Start

OTHER = "PJSIP/1009"
RELOADED_IN_TIME = 30.0
"""Seconds after `dialplan reload` within which a mapping is the new one."""


@pytest.fixture(scope="module")
def freepbx_of_ten(tmp_path_factory: pytest.TempPathFactory, programs: Programs) -> Iterator[ExistingPbx]:
    """A FreePBX with ten extensions, whose dialplan these tests change."""
    with existing(tmp_path_factory, freepbx(10), programs=programs) as pbx:
        yield pbx


@contextlib.contextmanager
def dialplan(pbx: ExistingPbx, changes: dict[str, str], more: str = "") -> Iterator[None]:
    """The dialplan with these texts replaced and lines added at its end; as before at the end."""
    conf = pbx.conf("extensions.conf")
    before = text = conf.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    conf.write_text(text + more)
    try:
        yield
    finally:
        conf.write_text(before)
        pbx.asterisk.rx("dialplan reload")


def hint(number: str, devices: str) -> str:
    return f"exten => {number},hint,{devices}&Custom:DND{number},CustomPresence:{number}\n"


@pytest.mark.parametrize("command", ["dialplan reload", "core reload", "module reload pbx_config.so"])
async def test_hints_that_a_reload_changes_adds_and_removes_are_mapped_again(
    freepbx_of_ten: ExistingPbx, watch: Watch, command: str
) -> None:
    pbx = freepbx_of_ten
    link = watched(watch, pbx, "1002", "1004", "1008", "1099")
    await live(link)
    before = {"1002": ("PJSIP/1002", "PJSIP/991002"), "1004": ("PJSIP/1004", "PJSIP/991004"), "1099": ()}
    await has_devices(link, pbx, before)
    assert state(link, pbx, "1099") == "Unknown ?"
    changes = {
        hint("1002", "PJSIP/1002&PJSIP/991002"): hint("1002", f"PJSIP/1002&{OTHER}"),
        hint("1004", "PJSIP/1004&PJSIP/991004"): "",
    }
    with dialplan(pbx, changes, hint("1099", OTHER)):
        await asyncio.to_thread(pbx.asterisk.rx, command)
        # Without a hint 1004 has what the import stored: its two phones.
        after = {"1002": ("PJSIP/1002", OTHER), "1004": ("PJSIP/1004", "PJSIP/991004"), "1099": (OTHER,)}
        await has_devices(link, pbx, after, RELOADED_IN_TIME)
        await shows(link, pbx, {"1002": "Unavailable", "1004": "Unavailable", "1099": "Unavailable"})
    await has_devices(link, pbx, before, RELOADED_IN_TIME)


async def test_an_account_that_does_not_hear_of_hints_knows_them_after_the_next_reload_event(
    freepbx_of_ten: ExistingPbx, watch: Watch
) -> None:
    pbx = freepbx_of_ten
    conf = pbx.conf("manager_custom.conf")
    before = conf.read_text()
    conf.write_text(before.replace("eventfilter = ^Event: ExtensionStatus\n", ""))
    await asyncio.to_thread(pbx.asterisk.rx, "manager reload")
    try:
        link = watched(watch, pbx, "1002")
        await live(link)
        with dialplan(pbx, {hint("1002", "PJSIP/1002&PJSIP/991002"): hint("1002", OTHER)}):
            await asyncio.to_thread(pbx.asterisk.rx, "dialplan reload")
            await asyncio.to_thread(pbx.asterisk.rx, "module reload res_pjsip.so")  # any Reload
            await has_devices(link, pbx, {"1002": (OTHER,)})
    finally:
        conf.write_text(before)
        await asyncio.to_thread(pbx.asterisk.rx, "manager reload")


async def test_hints_of_two_contexts_that_disagree_are_no_mapping_until_one_context_is_chosen(
    freepbx_of_ten: ExistingPbx, watch: Watch
) -> None:
    pbx = freepbx_of_ten
    unsure, sure = watched(watch, pbx, "1006"), watched(watch, pbx, "1006", hint_context="ext-local")
    await live(unsure)
    await live(sure)
    await shows(unsure, pbx, {"1006": "Unavailable"})
    with dialplan(pbx, {}, f"\n[another]\n{hint('1006', OTHER)}"):
        await asyncio.to_thread(pbx.asterisk.rx, "dialplan reload")
        await shows(unsure, pbx, {"1006": "Unknown ?"}, RELOADED_IN_TIME)
        assert state(sure, pbx, "1006") == "Unavailable"
    await shows(unsure, pbx, {"1006": "Unavailable"}, RELOADED_IN_TIME)


async def test_a_mapping_is_right_after_kills_and_cuts_while_hints_change(
    freepbx_of_ten: ExistingPbx, watch: Watch
) -> None:
    pbx = freepbx_of_ten
    conf = pbx.conf("extensions.conf")
    async with cutting(pbx.asterisk.config.ami_port) as cutter:
        link = watched(watch, pbx, "1002", port=cutter.port)
        await live(link)
        for number in range(12):
            devices = (random.choice(("PJSIP/1002", "PJSIP/1003")), f"PJSIP/{random.randrange(1004, 1010)}")
            with dialplan(pbx, {hint("1002", "PJSIP/1002&PJSIP/991002"): hint("1002", "&".join(devices))}):
                reloading = asyncio.create_task(asyncio.to_thread(pbx.asterisk.rx, "dialplan reload"))
                await asyncio.sleep(random.uniform(0, 0.1))
                if number % 4 == 3:
                    text = conf.read_text()
                    pbx.asterisk.kill()
                    await asyncio.gather(reloading, return_exceptions=True)
                    await eventually(lambda: not link.states.current)
                    await asyncio.to_thread(pbx.asterisk.start)  # it renders its configuration again
                    conf.write_text(text)
                    await asyncio.to_thread(pbx.asterisk.wait_ready)
                    await asyncio.to_thread(pbx.asterisk.rx, "dialplan reload")
                else:
                    cutter.cut()
                    await reloading
                await has_devices(link, pbx, {"1002": devices}, 30)
                await shows(link, pbx, {"1002": "Unavailable"}, 30)


def saved(pbx: ExistingPbx, key: str) -> str | None:
    """What Asterisk's own database holds on disk: it writes about a second later."""
    file = pbx.conf("asterisk.conf").parent.parent / "db/astdb.sqlite3"
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        found = database.execute("select value from astdb where key = ?", (key,)).fetchone()
    return found[0] if found else None


async def test_do_not_disturb_of_the_dialplan_is_presence_before_what_a_user_sets_and_not_a_state(
    freepbx_of_ten: ExistingPbx, watch: Watch
) -> None:
    pbx = freepbx_of_ten
    link = watched(watch, pbx, "1007")
    view = CallServerView(link.states, link.contacts, link.presences, link.mapping)
    told: list[tuple[str, str, str]] = []

    def changed(number: str | None) -> None:
        item = compose_item(imported(pbx, "1007"), None, view)
        told.append((item.presence, item.message, item.state))

    link.changed = changed
    await live(link)
    async with administering(pbx) as ami:
        await ami.ask("Setvar", Variable="PRESENCE_STATE(CustomPresence:1007)", Value="away,,lunch")
        await eventually(lambda: told[-1] == ("away", "lunch", "Unavailable"))
        for on in ("BUSY", "INUSE", "RINGING"):
            await ami.set_states([("Custom:DND1007", on)])
            await eventually(lambda: told[-1] == ("dnd", "", "Unavailable"))
            await ami.set_states([("Custom:DND1007", "NOT_INUSE")])
            await eventually(lambda: told[-1] == ("away", "lunch", "Unavailable"))
        await ami.set_states([("Custom:DND1007", "BUSY")])
        await eventually(lambda: told[-1][0] == "dnd")
    other = watched(watch, pbx, "1007")
    await live(other)
    assert other.states.get("Custom:DND1007") is DeviceState.BUSY
    await eventually(lambda: saved(pbx, "/CustomDevstate/DND1007") == "BUSY")
    pbx.asterisk.kill()
    await eventually(lambda: told[-1] == ("not_set", "", "Unknown"))
    await asyncio.to_thread(pbx.asterisk.start)
    await asyncio.to_thread(pbx.asterisk.wait_ready)
    await eventually(lambda: told[-1] == ("dnd", "", "Unavailable"))


async def test_no_hint_differs_from_its_devices_and_one_that_does_is_counted(
    freepbx_of_ten: ExistingPbx, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asterisk's own result is the check of our table: with a wrong one every hint with known devices differs."""
    monkeypatch.setattr(hint_comparison, "SETTLING_TIME", 0.5)
    monkeypatch.setattr(hint_comparison, "INTERVAL", 0.5)
    pbx = freepbx_of_ten
    link = watched(watch, pbx, "1001")
    await live(link)
    async with administering(pbx) as ami:
        await ami.set_states([(f"Custom:DND{number}", "NOT_INUSE") for number in range(1001, 1011)])
        await eventually(lambda: link.states.get("Custom:DND1010") is DeviceState.NOT_INUSE)
    with monkeypatch.context() as wrong:
        wrong.setattr(hint_differences, "combined_state", lambda states: DeviceState.RINGING)
        await eventually(lambda: link.hint_comparison.differences >= 10)
    await eventually(lambda: link.hint_comparison.differences == 0)


async def test_what_a_user_puts_is_the_presence_that_the_hint_names_and_do_not_disturb_comes_first(
    freepbx_of_ten: ExistingPbx, database: TestDatabase, start: Start
) -> None:
    pbx = freepbx_of_ten
    await import_alice(database)
    config = pbx.asterisk.config
    accounts = {"monitor_secret": config.monitor_secret, "presence_secret": config.presence_secret}
    server = await start(both(database, {"ami_port": config.ami_port, **accounts}))
    own = await server.headers_of(HOLDER_ID, HOLDER_UID)

    async def shown(presence: str, message: str) -> None:
        async def there() -> bool:
            answer = await server.client.get("/api/v1/presence/1005", headers=ADMIN)
            item = (await answer.json())["presence"]
            return bool((item["presence"], item["message"], item["state"]) == (presence, message, "Unavailable"))

        await eventually(there, RELOADED_IN_TIME, f"{presence}, {message}")

    lines = {hint("1005", "PJSIP/1005&PJSIP/991005"): "exten => 1005,hint,PJSIP/1005,CustomPresence:alice\n"}
    with dialplan(pbx, lines):
        await asyncio.to_thread(pbx.asterisk.rx, "dialplan reload")
        await shown("not_set", "")
        given = {"presence": "away", "message": "lunch"}
        await eventually(lambda: server.app[LINKS]["pbx"].mapping.numbers_of_presence("alice"), RELOADED_IN_TIME)
        assert (await server.client.put("/api/v1/presence", json=given, headers=own)).status == 200
        await shown("away", "lunch")
        async with administering(pbx) as ami:
            assert await ami.value("PRESENCE_STATE(CustomPresence:alice,value)") == "away"
            await ami.set_states([("Custom:DND1005", "BUSY")])
            await shown("dnd", "")
            assert (await server.client.put("/api/v1/presence", json=given, headers=own)).status == 200
            await shown("dnd", "")
            await ami.set_states([("Custom:DND1005", "NOT_INUSE")])
            await shown("away", "lunch")
