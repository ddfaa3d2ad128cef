"""A phone's first REGISTER after its fetch ends the link, on a real Asterisk; a contact of before does not."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from service.domain.setup_tokens import hash_setup_token
from service.web.app_keys import DIRECTORY, FIRST_REGISTRATIONS
from tests.integration.setup.support import (
    PUBLIC_URL,
    add_phone,
    current,
    device_token,
    fetch,
    knows,
    new_link,
    phone_id,
    read,
)
from tests.support.eventually import eventually
from tests.support.pbx import Pbx
from tests.support.server import Server, serving
from tests.support.sip_client import sip_client

_numbers = itertools.count()


@pytest.fixture
async def endpoint(pbx: Pbx) -> str:
    """Of a further phone that never registered: a contact outlives its test."""
    name = f"12342.t{next(_numbers)}"
    await add_phone(pbx.database, name)
    return name


@pytest.fixture
async def server(pbx: Pbx, endpoint: str) -> AsyncIterator[Server]:
    """A service in front of an Asterisk, which knows that the phone has no contact."""
    async with serving(pbx.settings(public_url=PUBLIC_URL)) as made:
        await eventually(lambda: made.link.contacts_of(endpoint) == ())
        yield made


async def secret_of(pbx: Pbx, endpoint: str) -> str:
    rows = await pbx.database.rows("select secret from phones where endpoint = $1", endpoint)
    found: str = rows[0]["secret"]
    return found


async def contacts_are_read(server: Server, endpoint: str, times: int = 2) -> None:
    """Wait until this process has read the phone's contacts from Asterisk again."""
    seen: list[str] = []
    before = server.link.contacts_changed

    def count(changed: str, read: bool) -> None:
        before(changed, read)
        if changed == endpoint and read:
            seen.append(changed)

    server.link.contacts_changed = count
    for _ in range(times):
        seen.clear()
        server.link.read_contacts_later(endpoint)
        await eventually(lambda: seen)
    server.link.contacts_changed = before


async def test_the_first_registration_of_a_phone_ends_its_link_and_not_its_url(
    pbx: Pbx, server: Server, endpoint: str
) -> None:
    link = await new_link(server, await phone_id(pbx.database, endpoint))
    answer = await fetch(server, link)
    assert answer.status == 200
    await contacts_are_read(server, endpoint)
    assert (await server.raw(f"/p/{link}/linphone.xml", method="HEAD")).status == 200, "two fetches are left"
    with pbx.phone(endpoint, await secret_of(pbx, endpoint)) as phone:
        await asyncio.to_thread(phone.wait_registered)
        await knows(server, link, known=False)
        assert (await fetch(server, link)).status == 404
        assert (await read(server, device_token(answer))).body == answer.body
        rows = await pbx.database.rows(
            "select link_hash, link_expires_at, fetches_left from phone_setups join phones using (phone_id)"
            " where endpoint = $1",
            endpoint,
        )
        assert [*map(tuple, rows)] == [(None, None, None)]


async def test_a_contact_of_before_the_fetch_does_not_end_the_link_and_the_same_phone_does(
    pbx: Pbx, server: Server, endpoint: str
) -> None:
    """A phone that keeps its URI: Asterisk reports its second REGISTER by no event."""
    client = await sip_client(endpoint, pbx.asterisk.config.sip_port)
    try:
        former = await secret_of(pbx, endpoint)
        assert await client.ask("REGISTER", former) == 200
        (contact,) = await eventually(lambda: server.link.contacts_of(endpoint))
        link = await new_link(server, await phone_id(pbx.database, endpoint))
        assert (await fetch(server, link)).status == 200
        assert await client.ask("REGISTER", former) == 401
        await contacts_are_read(server, endpoint)
        assert [each.uri for each in server.link.contacts_of(endpoint) or ()] == [contact.uri]
        assert (await server.raw(f"/p/{link}/linphone.xml", method="HEAD")).status == 200
        token_hash, secret = hash_setup_token(link) or b"", await secret_of(pbx, endpoint)

        async def ended() -> bool:
            assert await client.ask("REGISTER", secret) == 200
            return server.app[DIRECTORY].find_setup(token_hash) is None

        await eventually(ended, what="the link ends once the contact's expiry has grown")
        assert [each.uri for each in server.link.contacts_of(endpoint) or ()] == [contact.uri]
    finally:
        await client.ask("REGISTER", await secret_of(pbx, endpoint))
        client.close()


async def test_the_replica_that_served_the_fetch_ends_the_link_for_all(pbx: Pbx, server: Server, endpoint: str) -> None:
    async with serving(pbx.settings(public_url=PUBLIC_URL)) as other:
        await eventually(lambda: other.link.contacts_of(endpoint) is not None)
        link = await new_link(server, await phone_id(pbx.database, endpoint))
        await knows(other, link)
        assert (await fetch(other, link)).status == 200
        assert len(server.app[FIRST_REGISTRATIONS]) == 0
        with pbx.phone(endpoint, await secret_of(pbx, endpoint)) as phone:
            await asyncio.to_thread(phone.wait_registered)
            await knows(server, link, known=False)


async def test_the_end_is_repeated_until_postgresql_takes_it(
    pbx: Pbx, server: Server, endpoint: str, logged: list[dict[str, object]]
) -> None:
    link = await new_link(server, await phone_id(pbx.database, endpoint))
    assert (await fetch(server, link)).status == 200
    await pbx.database.execute("revoke update on phone_setups from connector_service")
    try:
        with pbx.phone(endpoint, await secret_of(pbx, endpoint)) as phone:
            await asyncio.to_thread(phone.wait_registered)

            def failures() -> list[object]:
                return [line["log_level"] for line in logged if line["event"] == "setup_link_not_ended"]

            await eventually(lambda: len(failures()) > 1)
            assert failures()[:2] == ["warning", "debug"]
            await current(server)
            assert (await server.raw(f"/p/{link}/linphone.xml", method="HEAD")).status == 200
            await pbx.database.execute("grant update on phone_setups to connector_service")
            await knows(server, link, known=False)
    finally:
        await pbx.database.execute("grant update on phone_setups to connector_service")


async def test_after_a_restart_the_link_only_expires(pbx: Pbx, server: Server, endpoint: str) -> None:
    link = await new_link(server, await phone_id(pbx.database, endpoint))
    assert (await fetch(server, link)).status == 200
    server.app[FIRST_REGISTRATIONS]._watches.clear()  # all that a restart loses
    with pbx.phone(endpoint, await secret_of(pbx, endpoint)) as phone:
        await asyncio.to_thread(phone.wait_registered)
        await eventually(lambda: server.link.contacts_of(endpoint))
        await contacts_are_read(server, endpoint)
        await current(server)
        assert (await server.raw(f"/p/{link}/linphone.xml", method="HEAD")).status == 200
