"""Each reason of `/status`, provoked at a real Asterisk.

Reasons that take a fault of their own are with the tests of that fault: a frozen Asterisk, a PostgreSQL that is away, a
boot without PostgreSQL.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.ami import endpoint_tracker
from service.settings import CallServer
from tests.support.database import call_server
from tests.support.eventually import eventually
from tests.support.links import SECRET
from tests.support.odd_phone import odd_phone
from tests.support.pbx import Pbx
from tests.support.server import Server, serving

NOTICED = 40.0
"""Seconds until Asterisk has found out that a phone does not answer, on a busy machine."""
EXTENSIONS = {
    "30001": "east",  # Asterisk's role does not see its rows
    "30002": "owned",  # neither, and an import missed it
    "30003": "wrong",
    "30004": "mute",
    "30005": "deaf",
    "30006": "gone",
    "30007": "elsewhere",
    "30008": "main",  # without a phone
    "30009": "main",
    "30010": "main",
    "30011": "owned",  # without a phone
    "30013": "owned",
    "30014": "owned",
    "30015": "owned",  # without a phone
    "30016": "owned",  # without a phone
}
HINTS = {
    "30013@west": "PJSIP/30013",
    "30013@east": "PJSIP/30014",
    "30014@west": "PJSIP/12342",
    "30015@west": "Custom:DND30015",
    "30016@west": "SIP/nobody",
}
WITHOUT_PHONE = ("30008", "30011", "30015", "30016")


def call_servers(pbx: Pbx) -> dict[str, CallServer]:
    """One Asterisk under several names, each with an account of its own."""
    config = pbx.asterisk.config

    def server(**values: Any) -> CallServer:
        return call_server(**{"ami_port": config.ami_port, "monitor_secret": config.monitor_secret, **values})

    return {
        "main": server(),
        "east": server(),
        "owned": server(credentials="imported"),
        "wrong": server(monitor_secret="not the secret"),
        "mute": server(monitor_username="mute", monitor_secret=SECRET),
        "deaf": server(monitor_username="deaf", monitor_secret=SECRET),
        "gone": call_server(),
    }


@pytest.fixture(scope="module")
async def several(stormy: Pbx) -> AsyncIterator[Server]:
    """A service with all of them, and an extension for each reason."""
    database = stormy.database
    for name in {*call_servers(stormy), "elsewhere"} - {"main"}:
        await database.execute("insert into call_servers (name) values ($1)", name)
    await database.execute("update call_servers set credentials = 'imported' where name = 'owned'")
    for number, name in EXTENSIONS.items():
        await database.execute("insert into extensions (extension, call_server) values ($1, $2)", number, name)
        if number not in WITHOUT_PHONE:
            await database.execute(
                "insert into phones (call_server, endpoint, extension, auth_username, secret, profile)"
                " values ($1, $2, $2, $2, 'secret-of-a-test', 'sip')",
                name,
                number,
            )
    await database.execute("update phones set missing_since = now() where extension = '30002'")
    for name, devices in HINTS.items():
        number, _, context = name.partition("@")
        await asyncio.to_thread(stormy.asterisk.rx, f"dialplan add extension {number},hint,{devices} into {context}")
    async with serving(database.settings(call_servers=call_servers(stormy))) as server:
        yield server


async def details(server: Server, number: str) -> dict[str, Any]:
    answer = await server.client.get(f"/status/{number}")
    assert answer.status == 200, await answer.text()
    found: dict[str, Any] = await answer.json()
    return found


async def gives(server: Server, number: str, code: str | None, within: float = 15.0) -> dict[str, Any]:
    """Wait until this is the reason; returns the details."""
    found: dict[str, Any] = {}

    async def there() -> bool:
        nonlocal found
        found = await details(server, number)
        assert found["extension"]["reason"] == (found["reason"] and found["reason"]["code"])
        return bool(found["extension"]["reason"] == code)

    await eventually(there, within, f"the reason of {number} is {code}")
    return found


@pytest.mark.parametrize(
    ("number", "code", "cause", "step"),
    [
        ("30001", "endpoint-unknown", "Asterisk does not know endpoint 30001.", "views of PostgreSQL"),
        ("30002", "endpoint-missing", "The last import did not find endpoint 30002 in Asterisk.", "--remove-gone"),
        (
            "30003",
            "login-refused",
            "AMI refuses the account 'monitor': Authentication failed.",
            "WRONG__MONITOR_SECRET",
        ),
        ("30004", "class-missing", "AMI refuses DeviceStateList: Permission denied.", "manager.conf"),
        ("30005", "synchronising", "its first snapshot is not complete", "After two minutes"),
        ("30006", "call-server-unreachable", "is out of reach", "Nothing listens there: start Asterisk"),
        ("30007", "call-server-not-in-settings", "call server elsewhere", "CONNECTOR_CALL_SERVERS__ELSEWHERE__HOST"),
        ("30008", "no-device", "has no phone", "extension create 30008"),
        ("30011", "no-device", "has no phone", "extension import"),
        ("30013", "ambiguous-hints", "in east and west name different devices.", "OWNED__HINT_CONTEXT"),
        ("30014", "other-device", "names PJSIP/12342, and not PJSIP/30014", "Correct the hint"),
        ("30015", "hint-without-device", "only Custom:DND30015, and no phone is stored.", "extension import"),
        ("30016", "endpoint-unknown", "Asterisk does not know device SIP/nobody.", "Create it in Asterisk"),
        ("30009", "not-registered", "No phone is registered as endpoint 30009.", "Start the phone."),
    ],
)
async def test_the_reason_is_found_and_names_the_next_step(
    several: Server, number: str, code: str, cause: str, step: str
) -> None:
    found = await gives(several, number, code, within=30)
    assert cause in found["reason"]["cause"]
    assert step in found["reason"]["nextStep"]
    is_live = code in ("not-registered", "other-device")
    assert found["extension"]["state"] == ("Unavailable" if is_live else "Unknown")
    assert found["extension"]["live"] is is_live


async def test_what_a_phone_does_is_told_with_its_address_and_its_client(stormy: Pbx, several: Server) -> None:
    port = stormy.asterisk.config.sip_port
    async with odd_phone("30009", "secret-of-a-test", port, answers=True) as phone:
        await phone.register()
        found = await gives(several, "30009", None, NOTICED)
        row, (device,) = found["extension"], found["devices"]
        assert (row["state"], row["live"], row["registered"], row["reachable"]) == ("Not in use", True, True, True)
        await eventually(lambda: has_address(several, "30009"), what="the contact is read")
        found = await details(several, "30009")
        (contact,) = found["devices"][0]["contacts"]
        assert re.fullmatch(r"127\.0\.0\.1:\d+", contact["address"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", contact["expiresAt"])
        assert contact["roundTripMs"] > 0
        assert found["extension"]["address"] == contact["address"]
        assert (device["device"], device["phone"]["authUsername"]) == ("PJSIP/30009", "30009")
        phone.answers = False
        found = await gives(several, "30009", "not-answering", NOTICED)
        assert f"registered as endpoint 30009 from {contact['address']}, and does not" in found["reason"]["cause"]
        await phone.register(0)
        await gives(several, "30009", "not-registered")


def has_address(server: Server, number: str) -> bool:
    return any(contact.address for contact in server.link.contacts_of(number) or ())


async def test_an_extension_that_may_not_register_says_so(stormy: Pbx, several: Server) -> None:
    await stormy.database.execute("update extensions set enabled = false where extension = '30009'")
    await gives(several, "30009", "extension-disabled")
    await stormy.database.execute("update extensions set enabled = true where extension = '30009'")
    await gives(several, "30009", "not-registered")
    await stormy.database.execute("update users set active = false where name = 'agent2'")
    found = await gives(several, "12343", "user-inactive")
    assert "user activate name:agent2" in found["reason"]["nextStep"]
    await stormy.database.execute("update users set active = true where name = 'agent2'")
    await gives(several, "12343", "not-registered")


async def test_an_endpoint_that_was_not_asked_about_yet_is_being_read(
    stormy: Pbx, several: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_tracker.EndpointTracker, "_is_due", lambda *_: False)
    await stormy.database.execute("insert into extensions (extension, call_server) values ('30012', 'main')")
    await stormy.database.execute(
        "insert into phones (call_server, endpoint, extension, auth_username, secret, profile)"
        " values ('main', '30012', '30012', '30012', 'secret-of-a-test', 'sip')"
    )

    async def known() -> bool:
        return (await several.client.get("/status/30012")).status == 200

    await eventually(known, what="the extension is known")
    found = await gives(several, "30012", "not-tracked-yet")
    assert found["reason"]["cause"] == "The state of endpoint 30012 is being read from Asterisk."


async def test_without_the_functions_for_registrations_they_are_unknown(stormy: Pbx) -> None:
    rx = stormy.asterisk.rx
    await asyncio.to_thread(rx, "module unload func_pjsip_aor.so")
    try:
        async with serving(stormy.database.settings(call_servers={"main": call_servers(stormy)["main"]})) as server:
            found = await gives(server, "12342", "contacts-unknown")
            assert "func_pjsip_aor" in found["reason"]["nextStep"]
            assert (found["extension"]["state"], found["extension"]["live"]) == ("Unavailable", True)
            assert found["devices"][0]["contacts"] is None
    finally:
        await asyncio.to_thread(rx, "module load func_pjsip_aor.so")


async def test_all_of_them_are_listed_with_their_reasons(several: Server) -> None:
    for number, code in (("30001", "endpoint-unknown"), ("30003", "login-refused"), ("30004", "class-missing")):
        await gives(several, number, code, within=30)
    wanted = {
        "main": (True, None), "east": (True, None), "owned": (True, None), "wrong": (False, "login-refused"),
        "mute": (False, "class-missing"), "deaf": (False, "synchronising"), "elsewhere": (False, None),
        "gone": (False, "call-server-unreachable"),
    }  # fmt: skip
    live_rows = 5

    async def told() -> dict[str, Any] | None:
        page: dict[str, Any] = await (await several.client.get("/status")).json()
        servers = {
            each["name"]: (each["live"], each["reason"] and each["reason"]["code"]) for each in page["callServers"]
        }
        return page if servers == wanted and sum(row["live"] for row in page["extensions"]) >= live_rows else None

    page = await eventually(told, what="each call server has its reason, and each phone its state")
    assert all(row["reason"] is not None for row in page["extensions"] if not row["live"])
    live = {row["extension"]: row["reason"] for row in page["extensions"] if row["live"]}
    live.pop("30012", None)  # another test's
    assert live.pop("30014") == "other-device"
    assert live == dict.fromkeys(("12342", "12343", "30009", "30010"), "not-registered")
