"""A person sets up a real Linphone by the code that it scans, and nothing is typed: from the login to a call.

Then what the phone reads at each later start: a rotated SIP password, nothing once it is revoked, and what it has
stored while the service is away.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest

from local.baresip import Phone
from local.linphone import Linphone
from service.cli.demo import SECOND_SIP_PASSWORD
from tests.integration.ami.test_calls import no_channels
from tests.support.eventually import eventually
from tests.support.linphone import NewLinphone, reaches, registers, started
from tests.support.pbx import Pbx
from tests.support.phone_setup import LinkServer, Owner, link_server, make_owner, make_phone, revoke, secret_of
from tests.support.server import Server
from tests.support.several_phones import ready

LOGIN_TO_RINGING = 30.0
"""Seconds in which the phone must ring. It takes about two on an idle machine."""
OUT_WITHIN = 1.0
"""Seconds in which a revoked phone must be refused."""


@pytest.fixture
async def links(pbx: Pbx) -> LinkServer:
    return link_server(pbx)


@pytest.fixture
async def caller(pbx: Pbx) -> AsyncIterator[Phone]:
    phone = pbx.phone("12343", SECOND_SIP_PASSWORD)
    async with ready(pbx, [phone]):
        yield phone
    await no_channels(pbx)


async def new_owner(pbx: Pbx, server: Server) -> tuple[Owner, dict[str, str]]:
    """Somebody of this test alone, who has logged in."""
    (row,) = await pbx.database.rows("select count(*) + 62000 as number from extensions")
    owner = await make_owner(server, str(row["number"]))
    return owner, await server.login(owner.name, owner.password)


async def status_of(server: Server, url: str) -> int:
    async with server.client.session.get(url) as answer:
        return answer.status


def device_url(phone: Linphone) -> str:
    """The URL that the phone reads at its next start."""
    (url,) = re.findall(r"^config-uri=(.*)$", phone.settings, re.MULTILINE)
    return str(url)


async def test_from_a_login_to_a_ringing_linphone_nothing_is_typed_and_30_seconds_are_enough(
    pbx: Pbx, links: LinkServer, caller: Phone, new_linphone: NewLinphone
) -> None:
    async with links.running() as server:
        owner, _ = await new_owner(pbx, server)
        began = time.monotonic()
        headers = await server.login(owner.name, owner.password)
        made = await make_phone(server, headers, "linphone", "Mobile")
        async with started(new_linphone(made.scanned)) as phone:
            assert await registers(phone)
            caller.dial(owner.number)
            await reaches(phone, "CallIncomingReceived")
            took = time.monotonic() - began
            phone.answer()
            await asyncio.to_thread(caller.wait_for, "CALL_ESTABLISHED")
            await reaches(phone, "CallStreamsRunning")
            caller.hangup()
            await reaches(phone, "CallReleased")
    assert took < LOGIN_TO_RINGING


async def test_a_linphone_that_starts_again_reads_the_password_that_was_rotated_meanwhile(
    pbx: Pbx, links: LinkServer, new_linphone: NewLinphone
) -> None:
    async with links.running() as server:
        owner, headers = await new_owner(pbx, server)
        made = await make_phone(server, headers, "linphone")
        phone = new_linphone(made.scanned)
        async with started(phone):
            assert await registers(phone)
        first, url = await secret_of(server, made, owner), device_url(phone)
        assert url != made.scanned
        answer = await server.client.post(f"/api/v1/phones/{made.phone_id}/rotate", headers=headers)
        assert answer.status == HTTPStatus.OK
        await pbx.database.execute("update phones set former_until = now() where phone_id = $1", made.phone_id)
        assert await secret_of(server, made, owner) != first
        for _ in range(2):
            async with started(phone):
                assert await registers(phone)
            assert device_url(phone) == url


async def test_a_revoked_linphone_is_out_at_once_and_the_persons_other_phones_notice_nothing(
    pbx: Pbx, links: LinkServer, caller: Phone, new_linphone: NewLinphone
) -> None:
    async with links.running() as server:
        owner, headers = await new_owner(pbx, server)
        lost, kept, desk = [await make_phone(server, headers, kind) for kind in ("linphone", "linphone", "desk")]
        stays = pbx.phone(desk.endpoint, await secret_of(server, desk, owner))
        phone, other = new_linphone(lost.scanned), new_linphone(kept.scanned)
        async with ready(pbx, [stays]), started(phone), started(other):
            assert await registers(phone)
            assert await registers(other)
            assert await status_of(server, device_url(phone)) == HTTPStatus.OK
            stays.forget()
            other.forget()
            await revoke(server, headers, lost)
            await eventually(lambda: refused(server, device_url(phone)), OUT_WITHIN)
            assert await status_of(server, lost.scanned) == HTTPStatus.NOT_FOUND
            caller.dial(owner.number)
            await asyncio.to_thread(stays.wait_for, "CALL_INCOMING")
            await reaches(other, "CallIncomingReceived")
            caller.hangup()
            await reaches(other, "CallReleased")
            assert "CallIncomingReceived" not in phone.states, "no call reaches it, though it is still running"
            stays.register()
            await asyncio.to_thread(stays.wait_registered)
            assert [state for state in other.states if state.startswith("Registration")] == []
        async with started(phone):
            assert not await registers(phone)
        async with started(other):
            assert await registers(other)


async def refused(server: Server, url: str) -> bool:
    return await status_of(server, url) == HTTPStatus.NOT_FOUND


async def test_while_the_service_is_away_a_linphone_registers_with_what_it_has_stored(
    pbx: Pbx, links: LinkServer, new_linphone: NewLinphone
) -> None:
    async with links.running() as server:
        _, headers = await new_owner(pbx, server)
        phone = new_linphone((await make_phone(server, headers, "linphone")).scanned)
        async with started(phone):
            assert await registers(phone)
        url = device_url(phone)
    for _ in range(2):
        async with started(phone):
            assert await registers(phone)
    assert device_url(phone) == url
    async with links.running() as server:
        assert await status_of(server, url) == HTTPStatus.OK
