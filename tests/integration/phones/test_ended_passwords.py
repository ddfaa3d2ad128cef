"""What a SIP password opens while it overlaps, and that an ended one opens nothing: real phones on a real Asterisk."""

from __future__ import annotations

import asyncio

import pytest

from service.db import phone_secrets
from service.db.pool import Database
from tests.integration.db.test_secret_life import auths
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.origins import PREPARED
from tests.support.pbx import Pbx
from tests.support.sip_client import ask, sip_client

ACCEPTED = {"REGISTER": 200, "INVITE": 404}
REFUSED = {"REGISTER": 401, "INVITE": 401}
OLD = "0ld-pAssw0rd-9xQ"
PERSON = (
    "insert into users (user_id, uid, name, passwd, user_type) values (1990, 'c' || repeat('d', 16), 'p', 'h', 'agent')"
)
EXTENSION = "insert into extensions (extension, call_server, profile, user_id) values ('62001', 'main', 'sip', 1990)"
PHONES = """
insert into phones (call_server, endpoint, extension, auth_username, secret, profile) values
    ('main', '62001', '62001', '62001', '0ld-pAssw0rd-9xQ', 'sip'),
    ('main', '62001.desk', '62001', 'desk', '0ld-pAssw0rd-9xQ', 'sip')
"""
CLEAN = "delete from extensions where extension = '62001'; delete from users where user_id = 1990"
ENDS = {
    "password": "update users set passwd = 'another hash' where user_id = 1990",
    "deactivation and reactivation": "update users set active = false where user_id = 1990; "
    "update users set active = true where user_id = 1990",
    "unassignment": "update extensions set user_id = null where extension = '62001'",
    "assignment to somebody else": "update extensions set user_id = 1797 where extension = '62001'",
    "deletion": "delete from users where user_id = 1990",
    "psql": "update phones set secret = 'typed-by-hand' where extension = '62001'",
}


@pytest.fixture
async def extension(pbx: Pbx) -> TestDatabase:
    """An extension with two phones, both with the password OLD. Asterisk reads its database at each request."""
    for statement in (CLEAN, PERSON, EXTENSION, PHONES):
        await pbx.database.execute(statement)
    return pbx.database


async def answers(pbx: Pbx, password: str, endpoint: str = "62001") -> dict[str, int]:
    """What Asterisk answers to a registration and to a call with this password."""
    username = "desk" if endpoint == "62001.desk" else endpoint
    port = pbx.asterisk.config.sip_port
    return {method: await ask(port, endpoint, method, password, username=username) for method in ACCEPTED}


async def rotate(database: TestDatabase, overlap: float) -> None:
    async with Database.of(database.settings()) as service:
        await phone_secrets.rotate(service, "62001", origin=PREPARED, overlap=overlap)


async def test_while_it_overlaps_both_passwords_register_and_call_and_no_third_one(
    pbx: Pbx, extension: TestDatabase
) -> None:
    await rotate(extension, 600)
    new, former = (await auths(extension))["62001"]
    assert former == OLD
    for password in (new, OLD, new, OLD):
        assert await answers(pbx, password) == ACCEPTED
    assert await answers(pbx, "an0ther-Pass-77") == REFUSED
    assert await answers(pbx, "") == REFUSED
    await extension.execute("update phones set former_until = now() where endpoint = '62001'")
    assert (await answers(pbx, OLD), await answers(pbx, new)) == (REFUSED, ACCEPTED)


async def test_each_challenge_of_an_endpoint_with_two_passwords_takes_both(pbx: Pbx, extension: TestDatabase) -> None:
    """Old releases send one challenge for each; a phone may answer any."""
    await rotate(extension, 600)
    new, _ = (await auths(extension))["62001"]
    client = await sip_client("62001", pbx.asterisk.config.sip_port)
    try:
        await client.ask("REGISTER", new)
        for number in range(client.challenges):
            for password in (new, OLD):
                assert await client.ask("REGISTER", password, challenge=number) == 200
    finally:
        client.close()


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
async def test_what_ends_a_password_has_it_refused_at_once_at_registration_and_call_of_all_phones(
    pbx: Pbx, extension: TestDatabase, ends: str
) -> None:
    await rotate(extension, 600)
    known = {OLD, *(await auths(extension))["62001"]}
    assert len(known) == 2
    assert await answers(pbx, OLD, "62001.desk") == ACCEPTED
    for password in known:
        assert await answers(pbx, password) == ACCEPTED
    await extension.execute(ends)
    for endpoint in ("62001", "62001.desk"):
        for password in known:
            assert await answers(pbx, password, endpoint) == REFUSED
    left = await auths(extension)
    assert [len(left[endpoint]) for endpoint in ("62001", "62001.desk")] == [1, 1]
    assert await answers(pbx, left["62001"][0]) == ACCEPTED


async def test_without_any_password_nobody_registers_and_nobody_calls(pbx: Pbx, extension: TestDatabase) -> None:
    """An endpoint without an auth would need no password: there is no such endpoint."""
    await extension.execute("update phones set secret = null where endpoint = '62001'")
    for password in (OLD, "", "anything"):
        assert set((await answers(pbx, password)).values()) <= {401, 403, 404}
        port = pbx.asterisk.config.sip_port
        assert await ask(port, "62001", "REGISTER", password) != 200
        assert await ask(port, "62001", "INVITE", password) == 401, "not 404, as if the call had been let in"
    assert await answers(pbx, OLD, "62001.desk") == ACCEPTED, "others are served"


async def test_a_registered_phone_misses_no_registration_while_its_password_is_rotated(
    pbx: Pbx, extension: TestDatabase
) -> None:
    phone, port = pbx.phone("62001", OLD), pbx.asterisk.config.sip_port
    await asyncio.to_thread(phone.start)
    try:
        await asyncio.to_thread(phone.wait_registered)
        await rotate(extension, 600)
        (new, _) = (await auths(extension))["62001"]
        for _ in range(3):  # as it does by itself every two minutes
            phone.forget()
            phone.register()
            await asyncio.to_thread(phone.wait_registered)
    finally:
        await asyncio.to_thread(phone.stop)
    phone = pbx.phone("62001", new)  # it has read its configuration again
    await asyncio.to_thread(phone.start)
    try:
        await asyncio.to_thread(phone.wait_registered)
        await extension.execute("update phones set former_until = now() where endpoint = '62001'")
        phone.forget()
        phone.register()
        await asyncio.to_thread(phone.wait_registered)
        assert await ask(port, "62001", "REGISTER", OLD) == 401
    finally:
        await asyncio.to_thread(phone.stop)


async def test_a_phone_whose_password_has_ended_stays_registered_until_its_expiry_and_may_do_nothing(
    pbx: Pbx, extension: TestDatabase
) -> None:
    client = await sip_client("62001", pbx.asterisk.config.sip_port)
    try:
        assert await client.ask("REGISTER", OLD) == 200
        await extension.execute(ENDS["password"])
        assert await client.ask("REGISTER", OLD) == 401
        assert await client.ask("INVITE", OLD) == 401

        def contact() -> bool:
            return "62001/sip:62001@" in pbx.asterisk.rx("pjsip show contacts")

        assert await eventually(lambda: asyncio.to_thread(contact))
    finally:
        client.close()
