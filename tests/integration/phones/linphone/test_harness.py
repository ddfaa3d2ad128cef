"""What a real Linphone does with a configuration that a test has written: on this rest the tests of the service's own.

It fetches a URL at every start, takes the next URL from the answer, and needs no password in clear text.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.eventually import eventually
from tests.support.linphone import NewLinphone, reaches, registers, started
from tests.support.pbx import Pbx
from tests.support.several_phones import SECRET, make_extension, ready

XML = """\
<?xml version="1.0" encoding="UTF-8"?>
<config xmlns="http://www.linphone.org/xsds/lpconfig.xsd">
  <section name="misc"><entry name="config-uri" overwrite="true">{next}</entry></section>
  <section name="sip"><entry name="default_proxy" overwrite="true">0</entry></section>
  <section name="proxy_0">
    <entry name="reg_identity" overwrite="true">&lt;sip:{number}@127.0.0.1&gt;</entry>
    <entry name="reg_proxy" overwrite="true">&lt;sip:127.0.0.1:{port};transport=udp&gt;</entry>
    <entry name="reg_expires" overwrite="true">120</entry>
    <entry name="reg_sendregister" overwrite="true">1</entry>
  </section>
  <section name="auth_info_0">
    <entry name="username" overwrite="true">{number}</entry>
    <entry name="domain" overwrite="true">127.0.0.1</entry>
    <entry name="realm" overwrite="true">asterisk</entry>
    <entry name="ha1" overwrite="true">{ha1}</entry>
    <entry name="algorithm" overwrite="true">MD5</entry>
  </section>
</config>
"""
CONTACTS = "pjsip show contacts"


@dataclass
class Configurations:
    """A web server with the configuration of one phone, at any path below /p. Each answer leads to /p/next."""

    number: str
    sip_port: int
    secret: str = SECRET
    status: int = 200
    fetched: list[str] = field(default_factory=list)
    base: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.fetched.append(request.path)
        if self.status != 200:
            return web.Response(status=self.status)
        ha1 = hashlib.md5(f"{self.number}:asterisk:{self.secret}".encode(), usedforsecurity=False).hexdigest()
        text = XML.format(next=f"{self.base}/p/next", number=self.number, port=self.sip_port, ha1=ha1)
        return web.Response(text=text, content_type="application/xml")


@pytest.fixture
async def configurations(pbx: Pbx) -> AsyncIterator[Configurations]:
    """The configuration of an extension of its own."""
    (row,) = await pbx.database.rows("select count(*) + 61000 as number from extensions")
    made = Configurations(str(row["number"]), pbx.asterisk.config.sip_port)
    await make_extension(pbx, made.number)
    app = web.Application()
    app.router.add_get("/p/{name}", made.answer)
    async with TestServer(app, host="127.0.0.1") as server:
        made.base = f"http://127.0.0.1:{server.port}"
        yield made


async def has_contact(pbx: Pbx, number: str) -> bool:
    return f"{number}/sip:" in await asyncio.to_thread(pbx.asterisk.rx, CONTACTS)


async def test_a_linphone_registers_with_the_url_of_its_configuration_alone(
    pbx: Pbx, configurations: Configurations, new_linphone: NewLinphone
) -> None:
    async with started(new_linphone(f"{configurations.base}/p/first")) as phone:
        assert await registers(phone)
        assert await has_contact(pbx, configurations.number)
    assert configurations.fetched == ["/p/first"]
    assert SECRET not in phone.settings
    assert not await has_contact(pbx, configurations.number)


async def test_a_linphone_fetches_its_next_url_at_each_start_and_takes_what_it_answers(
    pbx: Pbx, configurations: Configurations, new_linphone: NewLinphone
) -> None:
    phone = new_linphone(f"{configurations.base}/p/first")
    async with started(phone):
        assert await registers(phone)
    configurations.secret = "an0ther secret of each phone"
    await pbx.database.execute(
        "update phones set secret = $1 where endpoint = $2", configurations.secret, configurations.number
    )
    for starts in range(2):
        async with started(phone):
            assert await registers(phone)
        assert configurations.fetched == ["/p/first", *["/p/next"] * (starts + 1)]


async def test_a_linphone_that_is_answered_404_registers_with_what_it_has_stored_while_that_is_valid(
    pbx: Pbx, configurations: Configurations, new_linphone: NewLinphone
) -> None:
    phone = new_linphone(f"{configurations.base}/p/first")
    async with started(phone):
        assert await registers(phone)
    configurations.status = 404
    async with started(phone):
        assert await registers(phone)
    await pbx.database.execute("delete from phones where endpoint = $1", configurations.number)
    async with started(phone):
        assert not await registers(phone)
        assert not await has_contact(pbx, configurations.number)


async def test_a_linphone_whose_first_fetch_is_refused_keeps_its_url_for_the_next_start(
    pbx: Pbx, configurations: Configurations, new_linphone: NewLinphone
) -> None:
    phone = new_linphone(f"{configurations.base}/p/first")
    configurations.status = 503
    async with started(phone):
        await eventually(lambda: configurations.fetched)
    configurations.status = 200
    async with started(phone):
        assert await registers(phone)
    assert configurations.fetched == ["/p/first", "/p/first"]


async def test_a_linphone_rings_answers_and_hangs_up(
    pbx: Pbx, configurations: Configurations, new_linphone: NewLinphone
) -> None:
    caller = pbx.phone("61999", SECRET)
    await make_extension(pbx, caller.extension)
    async with ready(pbx, [caller]), started(new_linphone(f"{configurations.base}/p/first")) as phone:
        assert await registers(phone)
        caller.dial(configurations.number)
        await reaches(phone, "CallIncomingReceived")
        await asyncio.to_thread(caller.wait_for, "CALL_RINGING")
        phone.answer()
        await reaches(phone, "CallStreamsRunning")
        await asyncio.to_thread(caller.wait_for, "CALL_ESTABLISHED")
        phone.hangup()
        await asyncio.to_thread(caller.wait_for, "CALL_CLOSED")
        assert await eventually(lambda: "CallReleased" in phone.states)
