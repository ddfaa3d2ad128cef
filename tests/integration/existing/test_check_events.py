"""`check` on an Asterisk that was there before the service: which events the account `monitor` receives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from service.ami.accounts import Account
from service.ami.connection import connect
from service.ami.diagnostics import event_watch
from service.ami.diagnostics.checks import CheckOptions
from service.ami.diagnostics.event_watch import EventWatch, watch
from service.domain.models import DeviceState, Finding, Verdict
from tests.integration.existing.test_check import failing, findings
from tests.support.eventually import eventually
from tests.support.existing.pbx import ExistingPbx


@contextlib.asynccontextmanager
async def filtered(pbx: ExistingPbx, without: str) -> AsyncIterator[None]:
    """With the `monitor` account's filter for one event left out."""
    conf = pbx.conf("manager.conf")
    before = conf.read_text()
    conf.write_text(before.replace(f"eventfilter = ^Event: {without}\n", ""))
    await asyncio.to_thread(pbx.asterisk.rx, "manager reload")
    try:
        yield
    finally:
        conf.write_text(before)
        await asyncio.to_thread(pbx.asterisk.rx, "manager reload")


async def watched_while_a_phone_registers(pbx: ExistingPbx) -> list[Finding]:
    """What a watch finds while somebody switches a phone on."""
    account = Account.monitor(pbx.call_server())
    handler = EventWatch()
    with contextlib.ExitStack() as stack:

        async def lists() -> list[object]:
            return [await kind.read(connection) for kind in event_watch._KINDS]

        async def switch_on() -> None:
            phone = stack.enter_context(pbx.phone("kitchen.2"))
            await asyncio.to_thread(phone.wait_registered)
            await eventually(in_all_lists)

        async def in_all_lists() -> bool:
            return all(now != then for now, then in zip(await lists(), before, strict=True))

        async def is_off() -> bool:
            return (await connection.device_states())["PJSIP/kitchen.2"] is DeviceState.UNAVAILABLE

        async with connect(account, handler) as connection:
            await eventually(is_off)  # also the phone of the test before
            before = await lists()
            return await watch("asterisk main", "monitor", connection, handler, switch_on)


async def test_events_that_arrive_are_told(vanilla_like: ExistingPbx) -> None:
    found = await watched_while_a_phone_registers(vanilla_like)
    told = {finding.what for finding in found}
    assert {f"told of a change of {what}" for what in ("states of devices", "hints", "registrations", "queues")} <= told
    assert failing(found) == {}


@pytest.mark.parametrize(
    ("event", "what"),
    [
        ("DeviceStateChange", "states of devices"),
        ("ExtensionStatus", "hints"),
        ("ContactStatus", "registrations"),
        ("QueueMember", "queues"),
    ],
)
async def test_a_filter_that_lacks_an_event_is_found_when_something_happens(
    vanilla_like: ExistingPbx, event: str, what: str
) -> None:
    async with filtered(vanilla_like, event):
        found = await watched_while_a_phone_registers(vanilla_like)
    (finding,) = (finding for finding in found if finding.what == f"did not tell of a change of {what}")
    needed = event in ("DeviceStateChange", "ContactStatus")
    assert finding.verdict is (Verdict.MISSING if needed else Verdict.OPTIONAL)
    assert f"eventfilter = ^Event: {event.removesuffix('Member')}" in str(finding.remedy)


@pytest.mark.parametrize("event", ["DeviceStateChange", "ContactStatus", "QueueMember"])
async def test_the_account_that_imports_reads_which_filter_lacks_an_event(
    vanilla_like: ExistingPbx, event: str
) -> None:
    async with filtered(vanilla_like, event):
        found = await findings(vanilla_like)
    (finding,) = (finding for finding in found if finding.what == f"the filters of 'monitor' lack {event}")
    assert finding.verdict is (Verdict.OPTIONAL if event == "QueueMember" else Verdict.MISSING)
    assert f"eventfilter = ^Event: {event}" in str(finding.remedy)


@pytest.mark.parametrize("class_", ["call", "agent"])
async def test_the_account_that_imports_reads_which_class_is_missing(vanilla_like: ExistingPbx, class_: str) -> None:
    conf = vanilla_like.conf("manager.conf")
    text = conf.read_text()
    left = ",".join({"system", "call", "agent"} - {class_})
    conf.write_text(text.replace("read = system,call,agent", f"read = {left}"))
    try:
        await asyncio.to_thread(vanilla_like.asterisk.rx, "manager reload")
        found = await findings(vanilla_like)
    finally:
        conf.write_text(text)
        await asyncio.to_thread(vanilla_like.asterisk.rx, "manager reload")
    (finding,) = (finding for finding in found if finding.what == f"'monitor' lacks read = {class_}")
    assert finding.verdict is (Verdict.OPTIONAL if class_ == "agent" else Verdict.MISSING)


async def test_while_nothing_happens_nothing_is_known(vanilla_like: ExistingPbx) -> None:
    found = await findings(vanilla_like, options=CheckOptions(watch=0.1))
    assert failing(found) == {}
    assert sum(finding.what.startswith("nothing happened to ") for finding in found) == 4
