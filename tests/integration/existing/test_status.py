"""`/status` of an Asterisk that was there before: endpoints under other names, twins, other technologies."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.existing.pbx import ExistingPbx
from tests.support.server import Server, Start

PHONE = """
insert into phones (call_server, endpoint, extension, auth_username, secret, profile)
values ('main', $1, $2, $3, $4, 'sip')
"""


async def served(start: Start, database: TestDatabase, pbx: ExistingPbx, *numbers: str) -> Server:
    """A service with these extensions, and their phones as an import stores them."""
    await database.execute("delete from extensions")
    await database.execute("update call_servers set credentials = 'imported'")
    for number in numbers:
        await database.execute("insert into extensions (extension, call_server) values ($1, 'main')", number)
    for phone in pbx.shape.phones:
        if phone.number in numbers and phone.technology == "PJSIP":
            await database.execute(PHONE, phone.endpoint, phone.number, phone.auth_username, phone.secret)
    return await start(database.settings(call_servers={"main": pbx.call_server(credentials="imported")}))


async def gives(server: Server, name: str, reason: str | None, within: float = 20) -> dict[str, Any]:
    """Wait until this is the reason; returns the details."""
    found: dict[str, Any] = {}

    async def there() -> bool:
        nonlocal found
        answer = await server.client.get(f"/status/{name}")
        assert answer.status == 200, await answer.text()
        found = await answer.json()
        return bool(found["extension"]["reason"] == reason)

    await eventually(there, within, f"the reason of {name} is {reason}, not {found}")
    return found


async def test_an_endpoint_under_another_name_is_found_by_both(
    vanilla_like: ExistingPbx, database: TestDatabase, start: Start
) -> None:
    server = await served(start, database, vanilla_like, "1005")
    found = await gives(server, "alice", "not-registered")
    assert found["extension"]["extension"] == "1005"
    assert found["reason"]["cause"] == "No phone is registered as endpoint alice."
    phone = vanilla_like.phone("alice")
    await asyncio.to_thread(phone.start)
    try:
        found = await gives(server, "1005", None)
        assert [device["device"] for device in found["devices"]] == ["PJSIP/alice"]
        assert found["devices"][0]["phone"]["authUsername"] == "alice-login"
        assert vanilla_like.shape.phone("alice").secret not in str(found)
    finally:
        await asyncio.to_thread(phone.stop)


async def test_a_twin_that_is_registered_is_enough(
    small_freepbx_like: ExistingPbx, database: TestDatabase, start: Start
) -> None:
    twins = [phone for phone in small_freepbx_like.shape.phones if phone.number == "1001"]
    assert len(twins) == 2
    server = await served(start, database, small_freepbx_like, "1001")
    found = await gives(server, "1001", "not-registered")
    assert found["reason"]["cause"] == "No phone is registered as endpoint 1001 or endpoint 991001."
    phone = small_freepbx_like.phone("1001")
    await asyncio.to_thread(phone.start)
    try:
        found = await gives(server, "991001", None)
        states = {device["device"]: (device["state"], device["counted"]) for device in found["devices"]}
        assert states == {"PJSIP/1001": ("Not in use", True), "PJSIP/991001": ("Unavailable", True)}
    finally:
        await asyncio.to_thread(phone.stop)


@pytest.mark.parametrize(("number", "device"), [("1003", "SIP/1003"), ("1007", "IAX2/1007")])
async def test_a_device_of_another_technology_has_a_reason_too(
    chan_sip_like: ExistingPbx, database: TestDatabase, start: Start, number: str, device: str
) -> None:
    server = await served(start, database, chan_sip_like, number)
    found = await gives(server, number, "not-registered")
    assert found["reason"]["cause"] == f"No phone is registered as device {device}."
    assert (found["extension"]["state"], found["extension"]["live"]) == ("Unavailable", True)
    (shown,) = found["devices"]
    assert (shown["device"], shown["phone"], shown["contacts"]) == (device, None, None)
